"""How ended round trips look as plain data: in their own row, and in the event of their end."""

from decimal import Decimal
from typing import Any

from onebook.domain.holdings import ClosedTrip
from onebook.domain.movements import FIRST
from onebook.domain.numbers import ONE, plain
from onebook.domain.shapes import Data

_CLOSED_NUMBERS = ("quantity", "gross", "fees", "net")
_CLOSED_PRICES = ("entry_price", "exit_price", "highest", "lowest")


def closed_trip_data(trip: ClosedTrip) -> Data:
    """Return an ended round trip, without what stands in the columns of its row; ``net`` is there for SQL."""
    data: Data = {"direction": trip.direction}
    for name in _CLOSED_NUMBERS:
        data[name] = plain(getattr(trip, name))
    for name in _CLOSED_PRICES:
        value = getattr(trip, name)
        if value is not None:
            data[name] = plain(value)
    for name in ("funding", "income"):
        value = getattr(trip, name)
        if value:
            data[name] = plain(value)
    if trip.contract_size != ONE:
        data["contract_size"] = plain(trip.contract_size)
    if trip.inverse:
        data["inverse"] = True
    for name in ("close_reason", "signal_id"):
        if getattr(trip, name):
            data[name] = getattr(trip, name)
    return data


def closed_trip_from(data: Data, row: tuple[int, str, str, int, int]) -> ClosedTrip:
    """Return the round trip of a row: (id, strategy, leg, opened_ns, closed_ns) and its data."""
    trip_id, strategy, leg, opened_ns, closed_ns = row
    prices = {name: None if data.get(name) is None else Decimal(data[name]) for name in _CLOSED_PRICES}
    return ClosedTrip(
        id=trip_id,
        strategy=strategy,
        leg=leg,
        direction=data["direction"],
        opened_ns=opened_ns,
        closed_ns=closed_ns,
        close_reason=data.get("close_reason", ""),
        signal_id=data.get("signal_id", ""),
        last=FIRST,
        contract_size=Decimal(data.get("contract_size", 1)),
        inverse=data.get("inverse", False),
        quantity=Decimal(data["quantity"]),
        gross=Decimal(data["gross"]),
        fees=Decimal(data["fees"]),
        funding=Decimal(data.get("funding", 0)),
        income=Decimal(data.get("income", 0)),
        **prices,
    )


def ended_trip_data(trip: ClosedTrip, occurred_ns: int) -> list[Any]:
    """Return an ended round trip as the event of its end keeps it: a list, without what the event says itself."""
    return [
        trip.id,
        trip.opened_ns,
        None if trip.closed_ns == occurred_ns else trip.closed_ns,
        trip.direction,
        plain(trip.quantity),
        *(None if price is None else plain(price) for price in (trip.entry_price, trip.exit_price)),
        plain(trip.gross),
        plain(trip.fees),
        plain(trip.funding),
        plain(trip.income),
        trip.close_reason,
        trip.signal_id,
    ]


def ended_trip_from(data: list[Any], occurred_ns: int) -> ClosedTrip:
    """Return the round trip that this list was made from, without its extremes and its terms."""
    trip_id, opened, closed, direction, quantity, entry, exit_, gross, fees, funding, income, reason, signal = data
    return ClosedTrip(
        id=trip_id,
        strategy="",
        leg="",
        direction=direction,
        quantity=Decimal(quantity),
        entry_price=None if entry is None else Decimal(entry),
        exit_price=None if exit_ is None else Decimal(exit_),
        opened_ns=opened,
        closed_ns=occurred_ns if closed is None else closed,
        gross=Decimal(gross),
        fees=Decimal(fees),
        funding=Decimal(funding),
        income=Decimal(income),
        close_reason=reason,
        signal_id=signal,
        highest=None,
        lowest=None,
        last=FIRST,
    )
