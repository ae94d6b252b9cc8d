"""How far from the price seen a taker fills: pure functions, always against who trades.

A model gives a distance in the quote currency, 0 or more. Buys pay it on top, sells get it less. Makers never slip.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import assert_never

from onebook.domain.numbers import ONE, ZERO, add, multiply, quotient, subtract
from onebook.errors import InputError

_TWO = Decimal(2)
_BPS = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a fill meets.

    Attributes:
        volume: what the market traded or showed at that moment; 0 where it is not known.
        quoted: the price is the other side of a quote.
    """

    volume: Decimal = ZERO
    quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSlippage:
    """Takers fill at the price seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedBps:
    """A fixed part of the price.

    Attributes:
        bps: hundredths of a percent of the price, 0 or more.
        random_ratio: how much of it chance may take off: 0 nothing, 1 all of it.
    """

    bps: Decimal
    random_ratio: Decimal = ZERO

    def __post_init__(self) -> None:
        """Refuse what would pay the trader."""
        _not_negative("bps", self.bps)
        _ratio("random_ratio", self.random_ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfSpread:
    """Half of an assumed spread, on prints and bars; a quote shows its own and gets none on top.

    Attributes:
        spread: between best bid and ask, in the quote currency, 0 or more.
        random_ratio: how much of it chance may take off: 0 nothing, 1 all of it.
    """

    spread: Decimal
    random_ratio: Decimal = ZERO

    def __post_init__(self) -> None:
        """Refuse what would pay the trader."""
        _not_negative("spread", self.spread)
        _ratio("random_ratio", self.random_ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeShare:
    """Grows with the square of our share of what was traded: price × impact × share².

    Attributes:
        impact: the part of the price it costs to be the whole volume, 0 or more.
        most: our share counts up to here, 0 to 1; it is taken too where no volume is known.
        random_ratio: how much of it chance may take off: 0 nothing, 1 all of it.
    """

    impact: Decimal = Decimal("0.1")
    most: Decimal = ONE
    random_ratio: Decimal = ZERO

    def __post_init__(self) -> None:
        """Refuse what would pay the trader."""
        _not_negative("impact", self.impact)
        _ratio("most", self.most)
        _ratio("random_ratio", self.random_ratio)


Slippage = NoSlippage | FixedBps | HalfSpread | VolumeShare


def slipped(
    model: Slippage, price: Decimal, side: str, quantity: Decimal, moment: Moment, uniform: Decimal = ZERO
) -> Decimal:
    """Return the price that a taker gets, not rounded to a tick yet, at most 18 places, never below 0.

    Args:
        model: the slippage model.
        price: seen, per unit in the quote currency.
        side: ``buy`` or ``sell``.
        quantity: of this fill, above 0.
        moment: what the fill meets.
        uniform: a number from 0 to below 1 for this fill: 0 takes nothing off.
    """
    off = distance(model, price, quantity, moment)
    if not off or isinstance(model, NoSlippage):
        return price
    off = multiply(off, subtract(ONE, multiply(model.random_ratio, uniform)))
    moved = add(price, off) if side == "buy" else subtract(price, off)
    return max(quotient(moved, ONE), ZERO)


def distance(model: Slippage, price: Decimal, quantity: Decimal, moment: Moment) -> Decimal:
    """Return how far a taker fills from the price seen, in the quote currency, before chance: 0 or more."""
    match model:
        case NoSlippage():
            return ZERO
        case FixedBps():
            return multiply(price, multiply(model.bps, _BPS))
        case HalfSpread():
            return ZERO if moment.quoted else quotient(model.spread, _TWO)
        case VolumeShare():
            share = min(quotient(quantity, moment.volume), model.most) if moment.volume else model.most
            return multiply(multiply(price, model.impact), multiply(share, share))
        case _:
            assert_never(model)


def _not_negative(field: str, value: Decimal) -> None:
    if value < 0:
        msg = f"{field}: {value} is below 0; slippage never pays the trader"
        raise InputError(msg, field=field, value=value)


def _ratio(field: str, value: Decimal) -> None:
    if not 0 <= value <= 1:
        msg = f"{field}: {value} is not between 0 and 1"
        raise InputError(msg, field=field, value=value)
