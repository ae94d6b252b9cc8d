"""Orders that go through the gate: approved or denied, and in the log with what the gate saw either way."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from onebook.domain.commands import Observed, Place, Replace, Result
from onebook.domain.decide import gate
from onebook.domain.decide.facts_again import generated
from onebook.domain.decide.orders import CHANGEABLE, ORDER, as_placed, record_order, record_order_update
from onebook.domain.decide.protecting import was_triggered
from onebook.domain.decide.trading import state_over
from onebook.domain.facts import Order
from onebook.domain.numbers import ZERO, plain, subtract
from onebook.domain.orders import IN_DOUBT, TERMINAL
from onebook.domain.shapes import fact_from
from onebook.domain.state import Decision, Record, Stamp, State
from onebook.errors import OrderRefused, TradingHalted

GATE = "gate"
"""Where the event of an order keeps what the gate saw."""

_ENDED = TERMINAL - {"filled"} | {"pending_cancel"}
"""Statuses of an order that is not to be sent, whatever the gate said of it before."""


def place_order(state: State, command: Place, stamp: Stamp) -> Decision:
    """Record an order as approved, or as denied with the reason. The same order again gets the same answer.

    The decision's ``answer`` is the gate's verdict; for an order that was placed before it is that of then, save where
    the order must not be sent any more.
    """
    order = command.order
    if command.after_stop and not was_triggered(state, order, command.after_stop):
        decision = Decision(order.account, order.instrument, order.strategy, stamp.recorded_ns, "exists")
        text = "the stop that it belongs to is not in force any more"
        decision.answer = gate.Verdict(quantity=order.quantity, denied="nothing_to_reduce", text=text)
        return decision
    held = state.record(ORDER, order.account, order.client_order_id) if order.client_order_id else None
    if held is not None and held.body.get("known", True):
        return _again(state, command, stamp)
    order_id = order.client_order_id or generated("order", stamp)
    verdict = gate.check(state, replace(command, order=order.replaced(client_order_id=order_id)), stamp)
    seen: dict[str, Any] = {**observed_data(command.observed), **({"operator": True} if command.operator else {})}
    if verdict.denied:
        seen |= {"denied": verdict.denied, "text": verdict.text, "figures": verdict.figures}
    if verdict.quantity != order.quantity:
        seen["asked"] = plain(order.quantity)
    sent = order if verdict.quantity == order.quantity else order.replaced(quantity=verdict.quantity)
    if verdict.is_exit and not sent.reduce_only:
        sent = sent.replaced(reduce_only=True)  # what passes as an exit stays one, whatever else fills before it
    decision = record_order(state, sent, stamp, gate=seen, denied=verdict.denied)
    decision.answer = verdict
    return decision


def replace_order(state: State, command: Replace, stamp: Stamp) -> Decision:
    """Ask for other terms of an order that stands at its venue; they go through the gate like a new order's.

    Raises:
        TradingHalted: trading is halted where the order is; the order stays as it is.
        OrderRefused: the gate refuses them; the order stays as it is.
    """
    update = command.update
    held = state.record(ORDER, update.account, update.client_order_id)
    if held is not None and held.body.get("known", True) and held.status not in TERMINAL:
        _check_terms(state, held, command, stamp)
    decision = record_order_update(state, update, stamp)
    if decision.events:
        decision.events[0].data[GATE] = observed_data(command.observed)
    return decision


def _check_terms(state: State, held: Record, command: Replace, stamp: Stamp) -> None:
    update = command.update
    terms = {name: value for name in CHANGEABLE if (value := getattr(update, name)) is not None}
    order: Order = fact_from(
        "order",
        held.body,
        account=held.account,
        instrument=held.instrument,
        strategy=held.strategy,
        occurred_ns=held.occurred_ns,
    ).replaced(**terms)
    left = subtract(order.quantity, Decimal(held.body.get("filled_quantity", "0")))
    if left <= ZERO:
        msg = f"order {order.client_order_id} has filled more than {plain(order.quantity)} already"
        raise OrderRefused(msg, order=order.client_order_id, reason="filled")
    asked = Place(order=order.replaced(quantity=left), observed=command.observed)
    verdict = gate.check(state, asked, stamp)
    as_large = order.quantity <= Decimal(held.body["quantity"])  # a stop for all of an entry that filled in part
    if verdict.denied or (verdict.quantity < left and not (order.reduce_only and as_large)):
        text = verdict.text or f"only {plain(verdict.quantity)} is held"
        msg = f"order {order.client_order_id} keeps its terms: {text}"
        if verdict.denied == "halted":
            raise TradingHalted(msg, order=order.client_order_id, reason=verdict.denied)
        raise OrderRefused(msg, order=order.client_order_id, reason=verdict.denied or "nothing_to_reduce")


def _again(state: State, command: Place, stamp: Stamp) -> Decision:
    order = command.order
    held = state.record(ORDER, order.account, order.client_order_id)
    assert held is not None  # noqa: S101  the caller found it
    first: dict[str, Any] = as_placed(held.body)
    quantity = Decimal(first["quantity"])
    asked = Decimal(first.get("asked", quantity))
    sent = order.replaced(quantity=quantity) if order.quantity == asked else order
    decision = record_order(state, sent, stamp, is_placed=True)
    denied = str(first.get("denied", ""))
    text = str(first.get("reason", "")) if denied else ""
    figures = dict(first.get("figures", {}))
    if decision.status == "conflict":
        denied, text, figures = "conflict", _whose(held, order), {}
    elif not denied:
        denied, text = _unsendable(state, held)
    is_exit = bool(first.get("reduce_only"))
    decision.answer = gate.Verdict(quantity=quantity, denied=denied, text=text, figures=figures, is_exit=is_exit)
    return decision


def _whose(held: Record, order: Order) -> str:
    if held.strategy == order.strategy:
        return f"order {held.id} was placed before with other terms"
    owner = f"the strategy {held.strategy}" if held.strategy else "the unnamed strategy"
    return f"order {held.id} is of {owner}; place this one under an id of its own"


def _unsendable(state: State, held: Record) -> tuple[str, str]:
    """Return why an order that was approved before must not be sent any more, as code and sentence; else nothing.

    What trading's state keeps back is what nobody has heard of at its venue, save what only reduces: as when it is
    sent.
    """
    if held.status in _ENDED:
        reason = held.body.get("reason")
        text = f"order {held.id} was approved before and is {held.status} now{f' ({reason})' if reason else ''}"
        return "ended", f"{text}; place another one under another id"
    trading = state_over(state, held.account, held.strategy)
    if trading == "ACTIVE" or held.status not in IN_DOUBT or held.body.get("reduce_only"):
        return "", ""
    text = f"order {held.id} was approved before and trading is {trading} now; do not send it if you have not yet"
    return ("halted" if trading == "HALTED" else "reducing"), text


# ---- what the gate saw, as plain data ----


def observed_data(seen: Observed) -> dict[str, Any]:
    """Return what was observed as plain data."""
    data: dict[str, Any] = {}
    if seen.marks:
        data["marks"] = {name: [plain(price), at] for name, (price, at) in sorted(seen.marks.items())}
    if seen.rates:
        data["rates"] = {name: plain(rate) for name, rate in sorted(seen.rates.items())}
    if seen.results:
        data["results"] = [
            [account, strategy, plain(item.loss), plain(item.drawdown)]
            for (account, strategy), item in sorted(seen.results.items())
        ]
    return data


def observed_from(data: dict[str, Any]) -> Observed:
    """Return what was observed from plain data."""
    return Observed(
        marks={name: (Decimal(price), at) for name, (price, at) in data.get("marks", {}).items()},
        rates={name: Decimal(rate) for name, rate in data.get("rates", {}).items()},
        results={
            (account, strategy): Result(loss=Decimal(loss), drawdown=Decimal(drawdown))
            for account, strategy, loss, drawdown in data.get("results", [])
        },
    )
