"""The steps a trade is made of: open and add, reduce, close, flip.

Average cost, kept as quantity and cost: a partial close removes cost × closed ÷ quantity, what is left stays
with the rest, and a full close is exact. Linear contracts are worth quantity × contract_size × price; inverse
ones quantity × contract_size ÷ price, in the coin.
"""

from collections.abc import Mapping
from decimal import Decimal

from onebook.domain.holdings import Change, ClosedTrip, Holding, Key, Trip
from onebook.domain.instruments import Terms
from onebook.domain.movements import Movement
from onebook.domain.numbers import ONE, ZERO, absolute, add, multiply, negate, quotient, share, subtract


def notional(terms: Terms, quantity: Decimal, price: Decimal) -> Decimal:
    """Return what a quantity is worth at a price, in the settlement currency; the sign follows the quantity."""
    units = quantity if terms.contract_size == ONE else multiply(quantity, terms.contract_size)
    return quotient(units, price) if terms.inverse else multiply(units, price)


def average_price(terms: Terms, quantity: Decimal, cost: Decimal) -> Decimal | None:
    """Return the price per unit at which a quantity costs this much, rounded at 18 places; None when flat."""
    return unit_price(quantity, cost, terms.contract_size, inverse=terms.inverse)


def unit_price(quantity: Decimal, cost: Decimal, contract_size: Decimal, *, inverse: bool) -> Decimal | None:
    """Return the same where the whole terms are not at hand."""
    if not quantity or (inverse and not cost):
        return None
    units = absolute(quantity) if contract_size == ONE else multiply(absolute(quantity), contract_size)
    return quotient(units, cost) if inverse else quotient(cost, units)


def held_in(terms: Terms, holdings: Mapping[Key, Holding], movement: Movement) -> Holding:
    """Return the position that a movement is about; a flat one when there is none yet."""
    key = (movement.strategy or "", movement.leg if terms.hedging else "")
    found = holdings.get(key)
    return Holding(*key) if found is None else found


def trade(terms: Terms, change: Change, movement: Movement, quantity: Decimal, value: Decimal, fee: Decimal) -> None:
    """Increase, reduce, close or flip: ``quantity`` signed, ``value`` unsigned for all of it."""
    after = change.after
    held = after.quantity
    if not quantity:
        if after.trip is None and movement.kind == "fill" and not change.dust:
            bought = movement.quantity is not None and movement.quantity > ZERO
            after.gross = subtract(after.gross, value) if bought else add(after.gross, value)
        elif after.trip is not None and value and not change.excess:
            after.cost = add(after.cost, value)
        after.fees = add(after.fees, fee)
        return
    if not held or (held > ZERO) == (quantity > ZERO):
        increase(terms, after, movement, quantity, value, fee)
        return
    size, closing = absolute(held), absolute(quantity)
    if closing <= size:
        reduce(terms, change, movement, quantity, value, fee)
        return
    part = _part_of_value(terms, movement, value, size, closing)
    part_fee = share(fee, size, closing)
    reduce(terms, change, movement, negate(held), part, part_fee)
    opened = add(quantity, held)
    increase(terms, after, movement, opened, subtract(value, part), subtract(fee, part_fee))


def _part_of_value(terms: Terms, movement: Movement, value: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    if movement.kind == "fill" and movement.price is not None and absolute(movement.quantity or ZERO) == whole:
        return notional(terms, part, movement.price)
    return share(value, part, whole)


def increase(terms: Terms, after: Holding, movement: Movement, quantity: Decimal, value: Decimal, fee: Decimal) -> None:
    """Add to a position, or open one: ``quantity`` signed, ``value`` and ``fee`` of it."""
    trip = after.trip
    if trip is None:
        after.opened_ns = movement.order[0]
        after.highest = after.lowest = None
        trip = Trip(
            movement.order[3],
            movement.order[0],
            "long" if quantity > ZERO else "short",
            gross=after.gross,
            fees=after.fees,
            funding=after.funding,
            income=after.income,
            signal_id=movement.signal_id,
            contract_size=terms.contract_size,
            inverse=terms.inverse,
        )
    else:
        trip = trip.copy()
        if not trip.signal_id:
            trip.signal_id = movement.signal_id
    size = absolute(quantity)
    after.quantity = add(after.quantity, quantity)
    after.cost = add(after.cost, value)
    after.fees = add(after.fees, fee)
    trip.entry_quantity = add(trip.entry_quantity, size)
    trip.entry_value = add(trip.entry_value, value)
    trip.entry_text = None
    held = absolute(after.quantity)
    trip.largest = max(trip.largest, held)
    after.trip = trip


def reduce(terms: Terms, change: Change, movement: Movement, quantity: Decimal, value: Decimal, fee: Decimal) -> None:
    """Take from a position at a value, realizing the difference to its share of the cost."""
    after = change.after
    held, size, closing = after.quantity, absolute(after.quantity), absolute(quantity)
    long = held > ZERO
    realizing = value
    if after.unbased:
        unbased = share(after.unbased, closing, size)
        realizing = share(value, subtract(closing, unbased), closing)
        if terms.pays_notional:
            unknown = subtract(value, realizing)
            after.opening = add(after.opening, unknown) if long else subtract(after.opening, unknown)
        after.unbased = subtract(after.unbased, unbased)
    removed = share(after.cost, closing, size)
    gain = subtract(realizing, removed) if long != terms.inverse else subtract(removed, realizing)
    after.gross = add(after.gross, gain)
    if not terms.pays_notional:
        after.cash = add(after.cash, gain)
    after.cost = subtract(after.cost, removed)
    after.fees = add(after.fees, fee)
    after.quantity = add(held, quantity)
    trip = after.trip
    assert trip is not None  # noqa: S101  a position that is not flat is in a round trip
    trip = trip.copy()
    trip.exit_quantity = add(trip.exit_quantity, closing)
    trip.exit_value = add(trip.exit_value, value)
    trip.exit_text = None
    after.trip = trip
    if not after.quantity:
        close(change, movement)


def entry_price(trip: Trip) -> Decimal | None:
    """Return the weighted mean of what a round trip's entries cost per unit."""
    return unit_price(trip.entry_quantity, trip.entry_value, trip.contract_size, inverse=trip.inverse)


def exit_price(trip: Trip) -> Decimal | None:
    """Return the weighted mean of what a round trip's exits brought per unit; None before the first."""
    return unit_price(trip.exit_quantity, trip.exit_value, trip.contract_size, inverse=trip.inverse)


def close(change: Change, movement: Movement) -> None:
    """End the round trip of a position that has become flat."""
    after = change.after
    trip = after.trip
    assert trip is not None  # noqa: S101  only an open position closes
    highest, lowest = after.highest, after.lowest
    if movement.high is not None:
        highest = movement.high if highest is None else max(highest, movement.high)
    if movement.low is not None:
        lowest = movement.low if lowest is None else min(lowest, movement.low)
    closed = ClosedTrip(
        id=trip.id,
        strategy=after.strategy,
        leg=after.leg,
        direction=trip.direction,
        quantity=trip.largest,
        entry_price=entry_price(trip),
        exit_price=exit_price(trip),
        opened_ns=trip.opened_ns,
        closed_ns=movement.order[0],
        gross=subtract(after.gross, trip.gross),
        fees=subtract(after.fees, trip.fees),
        funding=subtract(after.funding, trip.funding),
        income=subtract(after.income, trip.income),
        close_reason=movement.close_reason,
        signal_id=trip.signal_id,
        highest=highest,
        lowest=lowest,
        last=movement.order,
        contract_size=trip.contract_size,
        inverse=trip.inverse,
    )
    change.closed = (*change.closed, closed)
    after.trip = None
    after.opened_ns = None
    after.highest = after.lowest = None
    after.cost = after.unbased = ZERO


def take_out(after: Holding, quantity: Decimal, cost: Decimal, unbased: Decimal) -> None:
    """Remove units in the direction held, with their cost; nothing is realized."""
    signed = quantity if after.quantity > ZERO else negate(quantity)
    after.quantity = subtract(after.quantity, signed)
    after.cost = subtract(after.cost, cost)
    after.unbased = subtract(after.unbased, min(unbased, after.unbased))
    if after.trip is not None:
        trip = after.trip.copy()
        trip.exit_quantity = add(trip.exit_quantity, quantity)
        trip.exit_value = add(trip.exit_value, cost)
        trip.exit_text = None
        after.trip = trip
