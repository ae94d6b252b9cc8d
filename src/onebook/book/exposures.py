"""What open positions are worth per price, so that a mark moves their unrealized P&L by a difference."""

from dataclasses import dataclass
from decimal import Decimal

from onebook.domain.holdings import Splits
from onebook.domain.instruments import Terms
from onebook.domain.numbers import ONE, ZERO, add, canonical, multiply, quotient, share, subtract


@dataclass(slots=True)
class Exposure:
    """What the open positions of an instrument are worth per price: unrealized = worth at the mark − cost.

    ``units`` signed, times contract size; ``cost`` signed with the quantity, in the settlement currency.
    """

    currency: str
    units: Decimal
    cost: Decimal
    inverse: bool
    splits: Splits = ()

    def unrealized(self, price: Decimal) -> Decimal:
        """Return the unrealized P&L at a price."""
        if self.inverse:
            return subtract(self.cost, quotient(self.units, price)) if price else ZERO
        return subtract(multiply(self.units, price), self.cost)


def exposure_of(terms: Terms, quantity: Decimal, cost: Decimal, splits: Splits = ()) -> Exposure:
    """Return what a position is worth per price."""
    units = quantity if terms.contract_size == ONE else multiply(quantity, terms.contract_size)
    signed = cost if quantity > ZERO else subtract(ZERO, cost)
    return Exposure(terms.settle, units, signed, terms.inverse, splits)


def in_new_units(price: Decimal, at: int, splits: Splits) -> Decimal:
    """Return what a price of some moment is after the splits that came later."""
    for moment, numerator, denominator in splits:
        if at < moment:
            price = canonical(share(price, Decimal(denominator), Decimal(numerator)))
    return price


def joined(exposures: list[Exposure]) -> list[Exposure]:
    """Return one exposure per currency for those that may be added up: what is rounded for each stays alone."""
    found: dict[str, Exposure] = {}
    alone = []
    for item in exposures:
        if item.inverse or item.splits:
            alone.append(item)
            continue
        old = found.get(item.currency)
        units, cost = (item.units, item.cost) if old is None else (add(old.units, item.units), add(old.cost, item.cost))
        found[item.currency] = Exposure(item.currency, units, cost, inverse=False)
    return [*found.values(), *alone]
