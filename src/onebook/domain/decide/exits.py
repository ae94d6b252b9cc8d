"""What an order takes off its strategy's position, measured together with all that is on its way out already.

Orders of one OCO group count once, by the largest of them. A child of an order that has not filled yet takes off what
its parent will have opened.
"""

from decimal import Decimal
from typing import Any

from onebook.domain.facts import Order
from onebook.domain.numbers import ZERO, add, negate, plain, subtract
from onebook.domain.orders import TERMINAL
from onebook.domain.state import Ledger, OpenOrder, Record, State

_ENDED_EMPTY = frozenset({"denied", "rejected", "canceled", "expired"})


class Denied(Exception):
    """An order that does not pass the gate."""

    def __init__(self, code: str, text: str, **figures: Any) -> None:
        super().__init__(text)
        self.code = code
        self.figures = {name: plain(value) if isinstance(value, Decimal) else value for name, value in figures.items()}


def exit_quantity(state: State, order: Order) -> Decimal | None:
    """Return how much of an order only reduces its strategy's position; None where it opens or adds.

    An order that is ``reduce_only`` is capped to what is held. Where the account cannot be short, every exit is capped
    to what the account holds.

    Raises:
        Denied: nothing is there to reduce, or the parent is no order or came to nothing.
    """
    ledger = state.ledger(order.account, order.instrument)
    held = held_by(ledger, order.strategy, order.leg)
    coming = _coming(state, order) if order.parent_id else ZERO
    available = max(ZERO, add(held if order.side == "sell" else negate(held), coming))
    if order.reduce_only:
        if not available:
            raise _nothing(order, held)
        return min(order.quantity, _in_account(ledger, order, available, coming))
    if not available or order.quantity > subtract(available, _leaving(state, order)):
        return None
    return min(order.quantity, _in_account(ledger, order, available, coming))


def held_by(ledger: Ledger, strategy: str, leg: str) -> Decimal:
    """Return what a strategy holds, negative for a short position."""
    holding = ledger.holdings.get((strategy, leg if ledger.terms.hedging else ""))
    return ZERO if holding is None else holding.quantity


def remaining(body: dict[str, Any]) -> Decimal:
    """Return how much of an order may still fill."""
    return max(ZERO, subtract(Decimal(body["quantity"]), Decimal(body.get("filled_quantity", "0"))))


def open_order(record: Record) -> OpenOrder:
    """Return an order that may still fill as decisions look at it."""
    body = record.body
    return OpenOrder(
        record.kind,
        record.account,
        record.id,
        record.occurred_ns,
        body,
        record.instrument,
        record.strategy,
        record.status,
        str(body.get("side", "")),
        str(body.get("leg", "")),
        str(body.get("group_id", "")),
        str(body.get("parent_id") or ""),
        remaining(body) if "quantity" in body else ZERO,  # where only fills name it nobody knows what was ordered
        bool(body.get("known", True)) and not body.get("reduce_only"),
    )


def covered_by_parent(state: State, record: Record) -> Decimal:
    """Return how much of a child takes off what its parent has yet to open; 0 for an order without a parent."""
    parent_id = record.body.get("parent_id")
    parent = state.record("order", record.account, parent_id) if parent_id else None
    if parent is None or not parent.body.get("known", True):
        return ZERO
    return _to_open(parent, str(record.body.get("side")), record.instrument)


def _nothing(order: Order, held: Decimal) -> Denied:
    whose = order.strategy or "the unnamed strategy"
    text = f"nothing to reduce: {whose} holds {plain(held)} {order.instrument}"
    return Denied("nothing_to_reduce", text, held=held)


def _in_account(ledger: Ledger, order: Order, available: Decimal, coming: Decimal) -> Decimal:
    """Return what may leave: on spot no more than the account holds, since it cannot be short."""
    if ledger.terms.kind != "spot" or order.side == "buy":
        return available
    total = sum((holding.quantity for holding in ledger.holdings.values()), coming)
    if total <= ZERO:
        raise _nothing(order, total)
    return min(available, total)


def _coming(state: State, order: Order) -> Decimal:
    """Return what an order's parent has yet to open that the order takes off."""
    parent = state.record("order", order.account, order.parent_id)
    if parent is None or not parent.body.get("known", True):
        text = f"parent_id: there is no order {order.parent_id} in {order.account}; place the parent first"
        raise Denied("parent_unknown", text, parent=order.parent_id)
    body = parent.body
    if str(body["status"]) in _ENDED_EMPTY and not Decimal(body.get("filled_quantity", "0")):
        raise Denied("parent_denied", f"its parent {order.parent_id} was {body['status']}", parent=order.parent_id)
    same = parent.strategy == order.strategy and body.get("leg", "") == order.leg
    return _to_open(parent, order.side, order.instrument) if same else ZERO


def _to_open(parent: Record, side: str, instrument: str) -> Decimal:
    body = parent.body
    if body["status"] in TERMINAL or body["side"] == side or parent.instrument != instrument:
        return ZERO
    return remaining(body)


def _leaving(state: State, order: Order) -> Decimal:
    """Return how much other open orders may take off the same position before this one does."""
    alone, groups = ZERO, dict[str, Decimal]()
    for other in state.open_orders(order.account, order.instrument):
        group = other.group_id
        same = other.strategy == order.strategy and other.side == order.side and other.leg == order.leg
        if not same or other.id == order.client_order_id or (group and group == order.group_id):
            continue
        rest = other.rest
        if other.parent_id and other.parent_id != order.parent_id:
            rest = max(ZERO, subtract(rest, covered_by_parent(state, other)))
        if group:
            groups[group] = max(groups.get(group, ZERO), rest)
        else:
            alone = add(alone, rest)
    return sum(groups.values(), alone)
