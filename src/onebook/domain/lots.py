"""Tax lots from the same movements: average, FIFO, LIFO, HIFO side by side.

A method is a function that orders the open parcels by which goes first. Everything else (flips, splits, fees
in the base asset, dust, transfers) is the same for all, so that the lots always add up to the position.

Lots are folded when asked for and never stored. Gains are gross, in the settlement currency.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from onebook.domain import times
from onebook.domain.instruments import Terms
from onebook.domain.movements import Movement
from onebook.domain.numbers import (
    ZERO,
    absolute,
    add,
    canonical,
    multiply,
    negate,
    quotient,
    share,
    subtract,
)
from onebook.domain.steps import average_price, notional
from onebook.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """An open parcel.

    ``quantity`` signed; ``cost`` 0 or more, in the settlement currency (None: not known); ``price`` per unit,
    None when the cost is not known; ``sequence`` of the fact that opened it.
    """

    quantity: Decimal
    price: Decimal | None
    cost: Decimal | None
    opened_ns: int
    sequence: int

    @property
    def opened_at(self) -> datetime:
        """When it was opened, UTC, to the microsecond."""
        return times.to_datetime(self.opened_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLot:
    """A parcel, or part of one, that was closed. ``quantity`` signed as it was held; ``gain`` gross."""

    quantity: Decimal
    open_price: Decimal | None
    close_price: Decimal | None
    gain: Decimal | None
    opened_ns: int
    closed_ns: int
    open_sequence: int
    close_sequence: int

    @property
    def opened_at(self) -> datetime:
        """When it was opened, UTC, to the microsecond."""
        return times.to_datetime(self.opened_ns)

    @property
    def closed_at(self) -> datetime:
        """When it was closed, UTC, to the microsecond."""
        return times.to_datetime(self.closed_ns)


@dataclass(slots=True)
class Parcel:
    """A lot while it folds: ``cost`` None stands for a basis nobody knows."""

    quantity: Decimal
    cost: Decimal | None
    opened_ns: int
    sequence: int


Method = Callable[[Terms, list[Parcel]], list[Parcel]]


def _first_in(_terms: Terms, parcels: list[Parcel]) -> list[Parcel]:
    """Oldest first; parcels of one moment stay in the order in which they were folded."""
    return sorted(parcels, key=lambda parcel: parcel.opened_ns)


def _last_in(_terms: Terms, parcels: list[Parcel]) -> list[Parcel]:
    return _first_in(_terms, parcels)[::-1]


def _highest_in(terms: Terms, parcels: list[Parcel]) -> list[Parcel]:
    """Dearest first for a long position, cheapest first for a short one: the smallest gain."""

    def price(parcel: Parcel) -> Decimal:
        if parcel.cost is None:
            return ZERO
        return average_price(terms, parcel.quantity, parcel.cost) or ZERO

    ordered = _first_in(terms, parcels)
    long = bool(parcels) and parcels[0].quantity > ZERO
    return sorted(ordered, key=price, reverse=long)


METHODS: dict[str, Method] = {"average": _first_in, "fifo": _first_in, "lifo": _last_in, "hifo": _highest_in}


def _canonical(value: Decimal | None) -> Decimal | None:
    return None if value is None else canonical(value)


class Lots:
    """The open and closed lots of one ledger, or of one strategy in it, under one method.

    Raises:
        InputError: no such method.
    """

    __slots__ = ("_order", "closed", "method", "parcels", "terms")

    def __init__(self, terms: Terms, method: str = "average") -> None:
        if method not in METHODS:
            msg = f"method: {method!r} is none of {', '.join(METHODS)}"
            raise InputError(msg, field="method", value=method)
        self.terms = terms
        self.method = method
        self._order = METHODS[method]
        self.parcels: list[Parcel] = []
        self.closed: list[ClosedLot] = []

    @property
    def open(self) -> list[Lot]:
        """The open lots, oldest first; under average all have the same price."""
        return [
            Lot(
                quantity=canonical(parcel.quantity),
                price=self._price(parcel.quantity, parcel.cost),
                cost=_canonical(parcel.cost),
                opened_ns=parcel.opened_ns,
                sequence=parcel.sequence,
            )
            for parcel in _first_in(self.terms, self.parcels)
        ]

    def _price(self, quantity: Decimal, value: Decimal | None) -> Decimal | None:
        return None if value is None else _canonical(average_price(self.terms, quantity, value))

    @property
    def quantity(self) -> Decimal:
        """What is open, signed: the same as the position's."""
        total = ZERO
        for parcel in self.parcels:
            total = add(total, parcel.quantity)
        return total

    def trade(self, movement: Movement, quantity: Decimal, value: Decimal | None) -> None:
        """Buy or sell: ``quantity`` signed, ``value`` unsigned for all of it (None: not known)."""
        held = self.quantity
        if held and (held > ZERO) != (quantity > ZERO):
            size, closing = absolute(held), absolute(quantity)
            part = min(size, closing)
            part_value = None if value is None else self._part(movement, value, part, closing)
            self._close(movement, part, part_value)
            rest = subtract(closing, part)
            if not rest:
                return
            quantity = rest if quantity > ZERO else negate(rest)
            value = None if value is None or part_value is None else subtract(value, part_value)
        self._open(Parcel(quantity, value, movement.order[0], movement.order[3]))

    def _part(self, movement: Movement, value: Decimal, part: Decimal, whole: Decimal) -> Decimal:
        exact = movement.kind == "fill" and movement.price is not None
        if exact and absolute(movement.quantity or ZERO) == whole:
            return notional(self.terms, part, movement.price or ZERO)
        return share(value, part, whole)

    def _open(self, parcel: Parcel) -> None:
        self.parcels.append(parcel)
        if self.method == "average":
            self._level()

    def _level(self) -> None:
        """Spread the known cost over the parcels by quantity; the last digit goes to the newest."""
        known = [parcel for parcel in self.parcels if parcel.cost is not None]
        total, units = ZERO, ZERO
        for parcel in known:
            total = add(total, parcel.cost or ZERO)
            units = add(units, parcel.quantity)
        left = total
        for parcel in known[:-1]:
            parcel.cost = share(total, parcel.quantity, units)
            left = subtract(left, parcel.cost)
        if known:
            known[-1].cost = left

    def _close(self, movement: Movement, size: Decimal, value: Decimal | None) -> None:
        """Close this many units; each parcel closed becomes a :class:`ClosedLot`, values add up to value."""
        left, left_value = size, value
        long = self.parcels[0].quantity > ZERO
        for parcel, taken, cost in self.take(size):
            part_value = None if left_value is None else share(left_value, taken, left)
            left = subtract(left, taken)
            if left_value is not None and part_value is not None:
                left_value = subtract(left_value, part_value)
            gain = None
            if cost is not None and part_value is not None:
                gain = subtract(part_value, cost) if long != self.terms.inverse else subtract(cost, part_value)
            self.closed.append(
                ClosedLot(
                    quantity=canonical(taken if long else negate(taken)),
                    open_price=self._price(taken, cost),
                    close_price=self._price(taken, part_value),
                    gain=_canonical(gain),
                    opened_ns=parcel.opened_ns,
                    closed_ns=movement.order[0],
                    open_sequence=parcel.sequence,
                    close_sequence=movement.order[3],
                )
            )

    def take(self, size: Decimal) -> list[tuple[Parcel, Decimal, Decimal | None]]:
        """Remove this many units by the method: (parcel, units unsigned, their cost) for each one touched."""
        if self.method == "average":
            return self._take_average(size)
        taken = []
        for parcel in self._order(self.terms, self.parcels):
            if not size:
                break
            held = absolute(parcel.quantity)
            part = min(held, size)
            cost = None if parcel.cost is None else share(parcel.cost, part, held)
            taken.append((Parcel(parcel.quantity, parcel.cost, parcel.opened_ns, parcel.sequence), part, cost))
            parcel.quantity = share(parcel.quantity, subtract(held, part), held)
            if parcel.cost is not None and cost is not None:
                parcel.cost = subtract(parcel.cost, cost)
            size = subtract(size, part)
        self.parcels = [parcel for parcel in self.parcels if parcel.quantity]
        return taken

    def _take_average(self, size: Decimal) -> list[tuple[Parcel, Decimal, Decimal | None]]:
        """As the position does: cost × closed ÷ quantity of the whole, then the oldest parcels' units go."""
        total, units = ZERO, ZERO
        for parcel in self.parcels:
            units = add(units, absolute(parcel.quantity))
            if parcel.cost is not None:
                total = add(total, parcel.cost)
        known = ZERO
        for parcel in self.parcels:
            if parcel.cost is not None:
                known = add(known, absolute(parcel.quantity))
        unknown_part = share(subtract(units, known), size, units)
        cost_left = share(total, size, units)
        rest_cost = subtract(total, cost_left)
        known_part = subtract(size, unknown_part)
        taken: list[tuple[Parcel, Decimal, Decimal | None]] = []
        remaining = known_part
        for parcel in [item for item in self.parcels if item.cost is not None]:
            if not remaining:
                break
            part = min(absolute(parcel.quantity), remaining)
            cost = share(cost_left, part, remaining)
            cost_left = subtract(cost_left, cost)
            taken.append((Parcel(parcel.quantity, parcel.cost, parcel.opened_ns, parcel.sequence), part, cost))
            parcel.quantity = subtract(parcel.quantity, part if parcel.quantity > ZERO else negate(part))
            remaining = subtract(remaining, part)
        for parcel in [item for item in self.parcels if item.cost is None]:
            if not unknown_part:
                break
            part = min(absolute(parcel.quantity), unknown_part)
            taken.append((Parcel(parcel.quantity, None, parcel.opened_ns, parcel.sequence), part, None))
            parcel.quantity = subtract(parcel.quantity, part if parcel.quantity > ZERO else negate(part))
            unknown_part = subtract(unknown_part, part)
        self.parcels = [parcel for parcel in self.parcels if parcel.quantity]
        for parcel in self.parcels:
            if parcel.cost is not None:
                parcel.cost = ZERO
        open_known = [parcel for parcel in self.parcels if parcel.cost is not None]
        if open_known:
            open_known[-1].cost = rest_cost
            self._level()
        return taken

    def split(self, top: Decimal, low: Decimal, quantity: Decimal) -> None:
        """Multiply every parcel; the last one takes what is left so that they add up to ``quantity``."""
        total = ZERO
        for parcel in self.parcels:
            parcel.quantity = quotient(multiply(parcel.quantity, top), low)
            total = add(total, parcel.quantity)
        if self.parcels:
            last = self.parcels[-1]
            last.quantity = add(last.quantity, subtract(quantity, total))

    def bring(self, parcels: list[Parcel]) -> None:
        """Take in parcels that come with their own cost and dates."""
        for parcel in parcels:
            self._open(Parcel(parcel.quantity, parcel.cost, parcel.opened_ns, parcel.sequence))
