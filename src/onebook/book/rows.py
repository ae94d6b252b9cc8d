"""Domain values to rows of the store and back: the one place that knows both."""

from decimal import Decimal
from typing import Any

from onebook.domain.ended_trips import closed_trip_data, closed_trip_from
from onebook.domain.holdings import ClosedTrip, Holding, Trip
from onebook.domain.movements import Movement, Order
from onebook.domain.numbers import plain
from onebook.domain.shapes import (
    holding_data,
    holding_from,
    movement_data,
    movement_extra,
)
from onebook.domain.state import DayDelta, DayKey, FoldPoint, Record
from onebook.domain.steps import entry_price, exit_price
from onebook.store.codec import decode, encode_text
from onebook.store.port import Row


def movement_row(ledger: int, movement: Movement) -> Row:
    """Return a movement as a row."""
    data = movement_data(movement)
    quantity, price, fee = movement.shown or _texts(movement)
    return (
        ledger,
        *movement.order,
        movement.known_from,
        movement.content,
        movement.strategy or "",
        movement.leg,
        movement.kind,
        quantity,
        price,
        fee,
        movement.fee_currency,
        None if data is None else encode_text(data),
    )


def _texts(movement: Movement) -> tuple[str | None, str | None, str | None]:
    return (
        None if movement.quantity is None else plain(movement.quantity),
        None if movement.price is None else plain(movement.price),
        None if movement.fee is None else plain(movement.fee),
    )


def movement_from(row: Row) -> Movement:
    """Return the movement of a row (without the ledger's number)."""
    (
        ns,
        rank,
        tie,
        sequence,
        ordinal,
        known,
        content,
        strategy,
        leg,
        kind,
        quantity,
        price,
        fee,
        currency,
        data,
    ) = row
    movement = Movement(
        order=(ns, rank, tie, sequence, ordinal),
        kind=kind,
        strategy=strategy,
        leg=leg,
        quantity=None if quantity is None else Decimal(quantity),
        price=None if price is None else Decimal(price),
        fee=None if fee is None else Decimal(fee),
        fee_currency=currency or "",
        known_from=known,
        content=content,
    )
    return movement if data is None else movement_extra(movement, decode(data))


def position_row(ledger: int, holding: Holding) -> Row:
    """Return a position as a row."""
    open_now = bool(holding.quantity)
    waiting = bool(holding.unvalued or holding.realized_missing or holding.opening_missing or holding.transfers_missing)
    return (
        ledger,
        holding.strategy,
        holding.leg,
        int(open_now),
        int(waiting),
        holding.sequence,
        encode_text(holding_data(holding)),
        *holding.last,
        *_open_prices(holding.trip),
    )


def _open_prices(trip: Trip | None) -> tuple[str | None, str | None]:
    """Return what an open round trip's entries and exits cost per unit, for SQL, which cannot divide exactly."""
    if trip is None:
        return None, None
    if trip.entry_text is None:
        entry = entry_price(trip)
        trip.entry_text = None if entry is None else plain(entry)
    if trip.exit_text is None and trip.exit_quantity:
        left = exit_price(trip)
        trip.exit_text = None if left is None else plain(left)
    return trip.entry_text, trip.exit_text


def holding_of(row: Row) -> Holding:
    """Return the state of a position row."""
    return holding_from(decode(row[6]), row[1], row[7:12])


def trip_row(ledger: int, trip: ClosedTrip, known_from: int) -> Row:
    """Return an ended round trip as a row."""
    data = encode_text(closed_trip_data(trip))
    return (trip.closed_ns, trip.id, ledger, trip.strategy, trip.leg, known_from, trip.opened_ns, data)


def trip_of(row: Row) -> ClosedTrip:
    """Return the round trip of a row as it is read."""
    _, trip_id, strategy, leg, opened, closed, data = row
    return closed_trip_from(decode(data), (trip_id, strategy, leg, opened, closed))


def point_row(point: FoldPoint, known_from: int) -> Row:
    """Return a fold point as a row."""
    states = [
        [holding.strategy, list(holding.last), holding_data(holding)]
        for holding in sorted(point.holdings, key=lambda item: item.key)
    ]
    return (point.ledger, *point.order, known_from, encode_text(states))


def point_of(ledger: int, row: Row) -> FoldPoint:
    """Return the fold point of a row."""
    order: Order = row[:5]
    holdings = tuple(holding_from(data, strategy, last) for strategy, last, data in decode(row[5]))
    return FoldPoint(ledger, order, holdings)


def day_row(key: DayKey, delta: DayDelta) -> Row:
    """Return a daily row."""
    day, account, level, strategy, basis, currency = key
    return (
        level,
        basis,
        day,
        account,
        strategy,
        currency,
        plain(delta.gross),
        plain(delta.fees),
        plain(delta.funding),
        plain(delta.income),
        delta.fills,
        delta.round_trips,
        int(delta.restated),
    )


def day_of(row: Row) -> DayDelta:
    """Return the figures of a daily row."""
    gross, fees, funding, income, fills, trips, restated = row
    return DayDelta(Decimal(gross), Decimal(fees), Decimal(funding), Decimal(income), fills, trips, bool(restated))


def record_row(record: Record, known_from: int) -> list[Any]:
    """Return a record as a row that stands."""
    return [
        record.kind,
        record.account,
        record.id,
        known_from,
        record.occurred_ns,
        record.instrument,
        record.strategy,
        record.status,
        encode_text(record.body),
        None,
    ]


def record_of(kind: str, account: str, key: str, row: Row) -> Record:
    """Return the record of a row (occurred_ns, body, instrument, strategy, status, known_from)."""
    occurred, body, instrument, strategy, status, _ = row
    return Record(kind, account, key, occurred, decode(body), instrument, strategy, status)
