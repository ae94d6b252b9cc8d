"""Units that move without a trade: splits, opening balances, transfers, reassignments, settlements."""

from collections.abc import Mapping
from decimal import Decimal

from onebook.domain.holdings import FRACTION_KEPT, OVERSOLD, Change, Holding, Key, Transit
from onebook.domain.instruments import Terms
from onebook.domain.movements import Movement
from onebook.domain.numbers import ZERO, absolute, add, multiply, negate, quotient, share, subtract
from onebook.domain.steps import close, held_in, increase, notional, take_out, trade

LEAST = Decimal("1E-18")
"""The smallest quantity there is."""


def fold_split(terms: Terms, holdings: Mapping[Key, Holding], movement: Movement) -> list[Change]:
    """Multiply every quantity; what the account holds below the share step is paid out or kept and flagged."""
    top, low = Decimal(movement.numerator), Decimal(movement.denominator)
    changes = []
    total = ZERO
    for _, before in sorted(holdings.items()):
        if not before.quantity:
            continue
        after = before.copy()
        after.quantity = share(before.quantity, top, low)
        if not after.quantity:  # less than the last digit is left: its cost must not vanish with it
            after.quantity = LEAST if before.quantity > ZERO else negate(LEAST)
            after.flags |= FRACTION_KEPT
        after.splits = (*before.splits, (movement.order[0], movement.numerator, movement.denominator))
        after.unbased = share(before.unbased, top, low)
        for name in ("highest", "lowest"):
            seen = getattr(before, name)
            if seen is not None:
                setattr(after, name, share(seen, low, top))
        if before.trip is not None:
            trip = before.trip.copy()
            for name in ("largest", "entry_quantity", "exit_quantity"):
                setattr(trip, name, share(getattr(trip, name), top, low))
            trip.entry_text = trip.exit_text = None
            after.trip = trip
        total = add(total, after.quantity)
        changes.append(Change(before, after))
    step = terms.lot_size
    if step is None or not changes:
        return changes
    rest = subtract(
        absolute(total),
        multiply(quotient(absolute(total), step).to_integral_value(rounding="ROUND_DOWN"), step),
    )
    if not rest:
        return changes
    holder = max(changes, key=lambda change: absolute(change.after.quantity))
    if movement.cash_in_lieu is None or absolute(holder.after.quantity) < rest:
        holder.after.flags |= FRACTION_KEPT
        return changes
    sold = negate(rest) if total > ZERO else rest
    if terms.pays_notional:
        paid = movement.cash_in_lieu if total > ZERO else negate(movement.cash_in_lieu)
        holder.after.cash = add(holder.after.cash, paid)
    holder.after.adjusted = add(holder.after.adjusted, sold)
    trade(terms, holder, movement, sold, movement.cash_in_lieu, ZERO)
    return changes


def fold_opening(terms: Terms, holdings: Mapping[Key, Holding], movement: Movement) -> list[Change]:
    """Units that were there before the book began."""
    before = held_in(terms, holdings, movement)
    return [bring(terms, before, movement, "opening")]


def bring(terms: Terms, before: Holding, movement: Movement, flow: str) -> Change:
    """Units come in or go out by another way than a trade: at a price, at a known cost, or without one."""
    after = before.copy()
    change = Change(before, after)
    quantity = movement.quantity
    assert quantity is not None  # noqa: S101  by its record
    unbased = movement.unbased if movement.unbased is not None else ZERO
    if movement.amount is not None:
        value = movement.amount
    elif movement.price is not None:
        value = absolute(notional(terms, quantity, movement.price))
    else:
        value, unbased = ZERO, absolute(quantity)
    held = before.quantity
    if held and (held > ZERO) != (quantity > ZERO):
        trade(terms, change, movement, quantity, value, ZERO)
    else:
        increase(terms, after, movement, quantity, value, ZERO)
        after.unbased = add(after.unbased, unbased)
        if unbased and after.trip is not None:  # nobody knows what they were entered at
            after.trip.entry_quantity = subtract(after.trip.entry_quantity, unbased)
    if terms.pays_notional:
        moved = value if quantity > ZERO else negate(value)
        setattr(after, flow, add(getattr(after, flow), moved))
    return change


def fold_transfer(terms: Terms, holdings: Mapping[Key, Holding], movement: Movement) -> list[Change]:
    """Units that leave take their share of the cost along and realize nothing; units that come bring theirs."""
    before = held_in(terms, holdings, movement)
    quantity = movement.quantity
    assert quantity is not None  # noqa: S101  by its record
    flow = "transfers"
    if quantity > ZERO:
        return [bring(terms, before, movement, flow)]
    leaving = negate(quantity)
    cost, unbased = sent(before, leaving)
    after = before.copy()
    change = Change(before, after)
    if movement.to_account:
        after.transit = (*after.transit, Transit(movement.order[3], leaving, cost))
    elif terms.pays_notional:
        after.transfers = subtract(after.transfers, cost)
    if before.quantity <= ZERO:
        after.flags |= OVERSOLD
        increase(terms, after, movement, quantity, ZERO, ZERO)
        after.unbased = add(after.unbased, leaving)
        return [change]
    known = min(leaving, before.quantity)
    take_out(after, known, cost, unbased)
    if not after.quantity:
        close(change, movement)
    beyond = subtract(leaving, known)
    if beyond:
        after.flags |= OVERSOLD
        increase(terms, after, movement, negate(beyond), ZERO, ZERO)
        after.unbased = add(after.unbased, beyond)
    return [change]


def fold_arrival(terms: Terms, holdings: Mapping[Key, Holding], movement: Movement) -> list[Change]:
    """What was on its way to another own account has reached it: it leaves the sender's books."""
    before = held_in(terms, holdings, movement)
    arrived = [item for item in before.transit if str(item.reference) == movement.category]
    if not arrived:
        return []
    after = before.copy()
    after.transit = tuple(item for item in before.transit if item not in arrived)
    if terms.pays_notional:
        after.transfers = subtract(after.transfers, arrived[0].cost)
    return [Change(before, after)]


def sent(holding: Holding, quantity: Decimal) -> tuple[Decimal, Decimal]:
    """Return the cost, and the units without one, that a transfer of this quantity (unsigned) takes along."""
    return carried(holding, quantity) if holding.quantity > ZERO else (ZERO, quantity)


def carried(holding: Holding, quantity: Decimal) -> tuple[Decimal, Decimal]:
    """Return the cost, and the units without one, that a quantity (unsigned) of a holding takes along."""
    size = absolute(holding.quantity)
    if not size:
        return ZERO, quantity
    if quantity >= size:
        return holding.cost, add(holding.unbased, subtract(quantity, size))
    return share(holding.cost, quantity, size), share(holding.unbased, quantity, size)


def fold_reassign(terms: Terms, holdings: Mapping[Key, Holding], movement: Movement) -> list[Change]:
    """One strategy gives, another takes: at average cost nothing is realized, at a price the giver realizes."""
    leg = movement.leg if terms.hedging else ""
    giver = holdings.get((movement.strategy or "", leg)) or Holding(movement.strategy or "", leg)
    taker = holdings.get((movement.to_strategy, leg)) or Holding(movement.to_strategy, leg)
    quantity = movement.quantity
    assert quantity is not None  # noqa: S101  by its record
    moved = min(quantity, absolute(giver.quantity))
    if not moved:
        return []
    signed = moved if giver.quantity > ZERO else negate(moved)
    given = Change(giver, giver.copy())
    taken = Change(taker, taker.copy())
    cost, unbased = carried(giver, moved)
    if movement.price is None:
        value = cost
        take_out(given.after, moved, cost, unbased)
        if not given.after.quantity:
            close(given, movement)
    else:
        value, unbased = absolute(notional(terms, moved, movement.price)), ZERO
        trade(terms, given, movement, negate(signed), value, ZERO)
    held = taker.quantity
    if held and (held > ZERO) != (signed > ZERO):
        trade(terms, taken, movement, signed, value, ZERO)
    else:
        increase(terms, taken.after, movement, signed, value, ZERO)
        taken.after.unbased = add(taken.after.unbased, unbased)
    if terms.pays_notional:
        paid = value if signed > ZERO else negate(value)
        given.after.cash = add(given.after.cash, paid)
        taken.after.cash = subtract(taken.after.cash, paid)
    return [given, taken]


def fold_settlement(terms: Terms, holdings: Mapping[Key, Holding], movement: Movement) -> list[Change]:
    """Close every position of the ledger at the settlement price."""
    changes = []
    price = movement.price
    assert price is not None  # noqa: S101  by its record
    for _, before in sorted(holdings.items()):
        if not before.quantity:
            continue
        change = Change(before, before.copy())
        value = ZERO if terms.inverse and not price else notional(terms, before.quantity, price)
        if terms.pays_notional:
            change.after.cash = add(change.after.cash, value)
        trade(terms, change, movement, negate(before.quantity), absolute(value), ZERO)
        changes.append(change)
    return changes
