"""Records as queries answer them: orders, signals, breaks and the facts behind them."""

from decimal import Decimal
from typing import Any

from onebook.domain import times
from onebook.domain.facts import FACTS
from onebook.domain.orders import was_never_answered
from onebook.domain.reports import Break, OrderState, SignalState


def fact_of(kind: str, body: dict[str, Any], row: Any) -> tuple[int, Any]:
    """Return (sequence, fact) of a record row."""
    known = FACTS[kind]
    data = body.get("definition", body)
    given = {name: value for name, value in data.items() if name in known.__dataclass_fields__}
    if "occurred_ns" in known.__dataclass_fields__:
        given["occurred_ns"] = row[2]
    return int(body["first"]), known(**given)


def order_of(body: dict[str, Any], row: Any) -> OrderState:
    """Return an order with how far it is."""
    sequence, order = fact_of("order", body, row)
    average = body.get("average_price")
    flags = ("odd_update",) if body.get("odd_updates") else ()
    filled = Decimal(body.get("filled_quantity", "0"))
    if filled > order.quantity:
        flags = (*flags, "overfilled")
    if was_never_answered(row[6], body):
        flags = (*flags, "in_doubt")
    return OrderState(
        order=order,
        status=row[6],
        filled_quantity=filled,
        average_price=None if average is None else Decimal(average),
        venue_order_id=body.get("venue_order_id", ""),
        reason=body.get("reason", ""),
        sequence=sequence,
        flags=flags,
    )


def signal_of(body: dict[str, Any], row: Any) -> SignalState:
    """Return a signal with its status."""
    sequence, signal = fact_of("signal", body, row)
    return SignalState(
        signal=signal,
        status=row[6],
        round_trip=body.get("trip"),
        reason=body.get("reason", ""),
        sequence=sequence,
    )


def break_of(body: dict[str, Any], row: Any) -> Break:
    """Return a break."""
    return Break(
        id=row[1],
        kind=body["break_kind"],
        account=row[0],
        instrument=row[4],
        quantity=None,
        amount=None,
        first_seen=times.to_datetime(body["first_seen"]),
        last_seen=times.to_datetime(body["last_seen"]),
        state=body["state"],
        resolver=body.get("resolver", ""),
        note=body.get("identity", ""),
    )
