"""Orders: our wish, what the venue says of it, and what its fills make of it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from onebook.domain import facts
from onebook.domain.decide.facts_again import generated, seen_before
from onebook.domain.decide.linking import earlier_fills
from onebook.domain.holdings import flag_bit
from onebook.domain.identity import identity_text, scope
from onebook.domain.movements import Movement
from onebook.domain.numbers import ZERO, add, multiply, plain, subtract
from onebook.domain.orders import AWAITED, OURS, TERMINAL, UNANSWERED, Progress, after_fills, may_follow
from onebook.domain.shapes import Data, fact_data
from onebook.domain.state import Decision, EventDraft, Record, Stamp, State
from onebook.errors import InvalidTransition

ORDER = "order"
VENUE_ORDER = "venue_order"
_SAID_BEFORE = ("venue_order_id", "venue_filled", "resting")
"""What updates that came before their order said of it."""
CHANGEABLE = ("quantity", "limit_price", "stop_price")
"""What of an order a venue may change."""

_WISHED = (
    "kind",
    "limit_price",
    "stop_price",
    "trail_amount",
    "trail_ratio",
    "time_in_force",
    "expires_at",
    "reduce_only",
    "parent_id",
    "leg",
)
"""Terms of which an order that was placed has either the one or the other: left out, they say something too."""

_RESTS = frozenset({"new", "triggered", "partially_filled"})
_UNKNOWN = flag_bit("unknown_order")
_OVERFILLED = flag_bit("overfilled")


def of_fill(state: State, fill: facts.Fill) -> Record | None:
    """Return the record of the order that a fill names, by our id or the venue's."""
    order_id = fill.client_order_id
    if not order_id and fill.venue_order_id:
        named = state.record(VENUE_ORDER, fill.account, fill.venue_order_id)
        order_id = str(named.body["client_order_id"]) if named is not None else ""
    if not order_id:
        return None
    found = state.record(ORDER, fill.account, order_id)
    if found is None:
        body: Data = {"client_order_id": order_id, "known": False, "status": "unknown"}
        found = Record(ORDER, fill.account, order_id, 0, body, fill.instrument, fill.strategy, "unknown")
    return found


def of_its_sender(state: State, fill: facts.Fill) -> facts.Fill:
    """Return a fill that EXTERNAL shall hold as its order's, when a strategy has recorded that order: it sent it."""
    if fill.strategy != facts.EXTERNAL:
        return fill
    order = of_fill(state, fill)
    if order is None or not order.body.get("known", True) or order.strategy in {"", facts.EXTERNAL}:
        return fill
    changes = facts_of_order(fill, order.body)
    return fill.replaced(strategy=order.strategy, client_order_id=order.id, **changes)


def facts_of_order(fill: facts.Fill, body: Data) -> Data:
    """Return what an order says of its fills and this one does not: signal, leg and close reason."""
    names = ("signal_id", "leg", "close_reason")
    return {name: body[name] for name in names if body.get(name) and not getattr(fill, name)}


def flags(order: Record | None, fill: facts.Fill) -> int:
    """Return the flags that a fill gets from its order: not known, or more than was ordered."""
    if order is None:
        return 0
    if not order.body.get("known", True):
        return _UNKNOWN
    filled = add(Decimal(order.body.get("filled_quantity", "0")), fill.quantity)
    return _OVERFILLED if filled > Decimal(order.body["quantity"]) else 0


def filled(decision: Decision, order: Record | None, fill: facts.Fill, movement: Movement, *, sign: int = 1) -> None:
    """Add a fill to its order (or take it off again with sign -1)."""
    if order is None:
        return
    body = dict(order.body)
    quantity = fill.quantity if sign > 0 else subtract(ZERO, fill.quantity)
    progress = Progress(
        body["status"],
        add(Decimal(body.get("filled_quantity", "0")), quantity),
        add(Decimal(body.get("filled_value", "0")), multiply(quantity, fill.price)),
    )
    ordered = Decimal(body["quantity"]) if body.get("known", True) else None
    after = after_fills(progress, ordered, body.get("resting", "new"), reopens=sign < 0)
    _put(decision, order, body, after, movement.order[0])


def _put(decision: Decision, order: Record, body: Data, progress: Progress, at: int) -> None:
    body["status"] = progress.status
    if progress.filled or "filled_quantity" in body:
        body["filled_quantity"] = plain(progress.filled)
        body["filled_value"] = plain(progress.value)
        average = progress.average_price
        if average is None:
            body.pop("average_price", None)
        else:
            body["average_price"] = plain(average)
    record = Record(
        ORDER,
        order.account,
        order.id,
        order.occurred_ns or at,
        body,
        order.instrument,
        order.strategy,
        progress.status,
    )
    decision.records[:] = [
        item for item in decision.records if (item.kind, item.account, item.id) != (ORDER, order.account, order.id)
    ]
    decision.records.append(record)
    if body.get("known", True):
        kept = {"known", "resting", "updates", "placed", AWAITED}
        shown = {name: value for name, value in body.items() if name not in kept}
        decision.events.append(
            EventDraft(
                "order_updated",
                shown,
                account=None if order.account == decision.account else order.account,
                instrument=None if order.instrument in {"", decision.instrument} else order.instrument,
            )
        )


def record_order(
    state: State,
    order: facts.Order,
    stamp: Stamp,
    *,
    gate: Data | None = None,
    denied: str = "",
    is_placed: bool = False,
) -> Decision:
    """Take in an order as sent: it waits for the venue's word. Fills that came before it count.

    Args:
        state: the book.
        order: which.
        stamp: the entry's place.
        gate: what the order gate saw, where it was asked.
        denied: the code of its reason against the order; it is not sent then.
        is_placed: it is a wish, not a report: what it leaves out counts where the order was there before.
    """
    order_id = order.client_order_id or generated("order", stamp)
    decision = Decision(order.account, order.instrument, order.strategy)
    decision.identity = identity_text("order", order.account, order_id)
    held = state.record(ORDER, order.account, order_id)
    data = fact_data(order.replaced(client_order_id=order_id))
    if held is not None and held.body.get("known", True):
        first_report = replace(held, body=as_placed(held.body))
        other = _otherwise(first_report, order.strategy, data, is_placed=is_placed)
        return seen_before(state, decision, first_report, data, stamp, given_ns=order.occurred_ns, also=other)
    at = stamp.recorded_ns if order.occurred_ns is None else order.occurred_ns
    decision.occurred_ns = at
    if order.occurred_ns is None:
        data["own_time"] = True
    first: Data = data | {"fact": "order", "status": "denied" if denied else "pending_new"}
    if gate is not None:
        first["gate"] = gate
        data |= {"asked": gate["asked"]} if "asked" in gate else {}
        data |= {"denied": denied, "reason": gate["text"], "figures": gate["figures"]} if denied else {}
    decision.events.append(EventDraft("order_updated", first))
    decision.identities.append((scope("order", order.account), order_id, 1))
    earlier = held.body if held is not None else {}
    status = str(earlier.get("status", "unknown"))
    status = "denied" if denied else "pending_new" if status == "unknown" else status
    body = {name: value for name, value in data.items() if name != "raw"} | {"status": status}
    body |= {name: earlier[name] for name in _SAID_BEFORE if name in earlier}
    body["first"] = stamp.sequence
    fresh = Record(ORDER, order.account, order_id, at, body, order.instrument, order.strategy, status)
    quantity, value = Decimal(earlier.get("filled_quantity", "0")), Decimal(earlier.get("filled_value", "0"))
    if "venue_order_id" in earlier:
        link = state.record(VENUE_ORDER, order.account, earlier["venue_order_id"])
        before = 0 if link is None else int(link.body.get("since", 0))
        left, since = subtract(order.quantity, quantity), at if link is None else link.occurred_ns
        more = earlier_fills(state, fresh, earlier["venue_order_id"], left, before=before, since_ns=since)
        quantity, value = add(quantity, more[0]), add(value, more[1])
    progress = Progress(status, quantity, value)
    if progress.filled or status not in {"pending_new", "denied"}:
        _put(decision, fresh, body, after_fills(progress, order.quantity), at)
    else:
        decision.records.append(fresh)
    if order_id == generated("order", stamp):
        decision.tally["facts_without_identity"] = 1
    return decision


def _otherwise(held: Record, strategy: str, data: Data, *, is_placed: bool) -> dict[str, tuple[Any, Any]]:
    """Return whose order an id is of, where it is another's; of a wish also the terms that only one of the two has.

    An exit that the gate made ``reduce_only`` is the same order still.
    """
    found: dict[str, tuple[Any, Any]] = {}
    if strategy != held.strategy and (is_placed or not {strategy, held.strategy} & {"", facts.EXTERNAL}):
        found["strategy"] = (held.strategy, strategy)
    if is_placed:
        one_sided = [name for name in _WISHED if (name in held.body) != (name in data)]
        found |= {name: (held.body.get(name), data.get(name)) for name in one_sided}
        if "reduce_only" not in data:
            found.pop("reduce_only", None)
    return found


def take_terms(body: Data, terms: Data) -> None:
    """Give an order other terms; what it was placed with is kept, so that the same order again is known."""
    placed = dict(body.get("placed", {}))
    for name in terms:
        placed.setdefault(name, body.get(name))
    if placed:
        body["placed"] = placed
    body |= terms


def as_placed(body: Data) -> Data:
    """Return an order as it was placed, before anybody changed its terms."""
    first = body | body.get("placed", {})
    return {name: value for name, value in first.items() if value is not None and name != "placed"}


def record_order_update(state: State, update: facts.OrderUpdate, stamp: Stamp) -> Decision:
    """Move an order to a status, when it may go there; a venue's odd word is kept and flagged."""
    order = state.record(ORDER, update.account, update.client_order_id)
    decision = Decision(update.account, order.instrument if order else "", order.strategy if order else "")
    at = stamp.recorded_ns if update.occurred_ns is None else update.occurred_ns
    decision.occurred_ns = at
    filled_text = "" if update.filled is None else plain(update.filled)
    terms = {name: plain(value) for name in CHANGEABLE if (value := getattr(update, name)) is not None}
    key = identity_text(
        update.client_order_id,
        update.status,
        filled_text,
        "" if update.occurred_ns is None else str(update.occurred_ns),
        *(f"{name}={value}" for name, value in terms.items()),
    )
    decision.identity = identity_text("order_update", update.account, key)
    updates = scope("order_update", update.account)
    repeat = _repeated_update(state, update, order, updates, key)
    if repeat:
        decision.status, decision.first = "exists", repeat
        return decision
    body: dict[str, Any] = (
        dict(order.body)
        if order is not None
        else {
            "client_order_id": update.client_order_id,
            "known": False,
            "status": "unknown",
        }
    )
    data = fact_data(update) | {"fact": "order_update"}
    if update.occurred_ns is None:
        data["own_time"] = True
    status = str(body["status"])
    known = body.get("known", True)
    before = status if update.status in OURS else str(body.get(AWAITED, status))
    allowed = not known or status == update.status or may_follow(before, update.status)
    if not allowed and update.status in OURS:
        msg = (
            f"order {update.client_order_id} is {status} and cannot become {update.status};"
            " look at it with: onebook orders"
        )
        raise InvalidTransition(msg, order=update.client_order_id, status=status, asked=update.status)
    if not allowed or not known:
        data["flags"] = ["odd_update" if known else "unknown_order"]
    decision.events.append(EventDraft("order_updated", data))
    decision.identities.append((updates, key, 1))
    if update.venue_order_id:
        _link(state, decision, order, body, update, stamp)
    if not allowed:
        body["odd_updates"] = body.get("odd_updates", 0) + 1
    elif known:
        body["status"] = _settled(body, update)
        _await(body, status, update)
        if update.status in {"new", "triggered"}:
            body["resting"] = update.status
        if update.reason:
            body["reason"] = update.reason
    else:
        body["status"] = update.status
        if update.status in {"new", "triggered"}:
            body["resting"] = update.status
    body |= {"venue_filled": filled_text} if filled_text else {}
    take_terms(body, terms if allowed and update.status != "pending_replace" else {})
    decision.records.append(
        Record(
            ORDER,
            update.account,
            update.client_order_id,
            order.occurred_ns if order is not None and order.occurred_ns else at,
            body,
            decision.instrument,
            decision.strategy,
            str(body["status"]),
        )
    )
    return decision


def _link(
    state: State, decision: Decision, order: Record | None, body: Data, update: facts.OrderUpdate, stamp: Stamp
) -> None:
    """Give an order the venue's id; fills that named only that id count for it from now on."""
    body["venue_order_id"] = update.venue_order_id
    known = state.record(VENUE_ORDER, update.account, update.venue_order_id)
    since = stamp.sequence if known is None else known.body.get("since", 0)
    name = {"client_order_id": update.client_order_id, "since": since}
    decision.records.append(Record(VENUE_ORDER, update.account, update.venue_order_id, decision.occurred_ns, name))
    if known is None and order is not None and body.get("known", True):
        wanted = Decimal(body["quantity"]) if update.filled is None else update.filled
        _attach(body, *_before(state, order, update, wanted, stamp.sequence))


def _before(
    state: State, order: Record, update: facts.OrderUpdate, wanted: Decimal, sequence: int
) -> tuple[Decimal, Decimal]:
    since = order.occurred_ns if update.occurred_ns is None else update.occurred_ns
    found = earlier_fills(state, order, update.venue_order_id, wanted, before=sequence, since_ns=since)
    if not found[0] and update.filled:  # the venue's clock may be far from ours: look at all that there is
        found = earlier_fills(state, order, update.venue_order_id, wanted, before=sequence, since_ns=0)
    return found


def _attach(body: Data, quantity: Decimal, value: Decimal) -> None:
    """Add fills that came before to an order that takes another status next."""
    if not quantity:
        return
    filled_quantity = add(Decimal(body.get("filled_quantity", "0")), quantity)
    filled_value = add(Decimal(body.get("filled_value", "0")), value)
    progress = Progress(str(body["status"]), filled_quantity, filled_value)
    body |= {"filled_quantity": plain(filled_quantity), "filled_value": plain(filled_value)}
    body["average_price"] = plain(progress.average_price or ZERO)


def _settled(body: Data, update: facts.OrderUpdate) -> str:
    """Return the status after an allowed update: fills decide whether an order is filled, not the update."""
    filled_quantity = Decimal(body.get("filled_quantity", "0"))
    if not filled_quantity:
        return update.status
    return after_fills(Progress(update.status, filled_quantity), Decimal(body["quantity"]), "new").status


def _await(body: Data, before: str, update: facts.OrderUpdate) -> None:
    """Keep the wish to take an order back until its venue has answered to what was asked of it before."""
    if update.status == "pending_cancel" and before in UNANSWERED and body["status"] == "pending_cancel":
        body[AWAITED] = before
    elif update.status not in OURS and body.pop(AWAITED, "") and body["status"] in _RESTS:
        body["status"] = "pending_cancel"


def _repeated_update(state: State, update: facts.OrderUpdate, order: Record | None, updates: str, key: str) -> int:
    """Return the sequence of the same update recorded before, or 0. Without a time only the newest counts."""
    places = state.identities(updates, key)
    if not places:
        return 0
    if update.occurred_ns is not None:
        return places[0][0]
    status = order.body["status"] if order is not None else ""
    unchanged = status == update.status or status in TERMINAL
    return places[-1][0] if unchanged else 0
