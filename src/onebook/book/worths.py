"""What positions are worth at their marks, in the book's base currency."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from onebook.book.core import Core
from onebook.book.lens import Lens
from onebook.domain.numbers import multiply, quotient
from onebook.domain.reports import Position


def worths_of(book: Core, positions: Sequence[Position]) -> dict[int, Decimal]:
    """Return what positions are worth at their marks, signed, in the base currency; unvalued ones are left out."""
    with book.store.reading() as reader:
        return worths_at(Lens(reader), book.rate, positions)


def worths_at(
    lens: Lens, rate_of: Callable[[str], Decimal | None], positions: Sequence[Position]
) -> dict[int, Decimal]:
    """Return the same at a point of view, by the id of each position.

    Args:
        lens: says the terms of the instruments.
        rate_of: how much of the base currency one unit of a currency is; None when nothing says.
        positions: as of this point.
    """
    found: dict[int, Decimal] = {}
    rates: dict[str, Decimal | None] = {}
    for item in positions:
        if item.currency not in rates:
            rates[item.currency] = rate_of(item.currency)
        rate = rates[item.currency]
        if rate is None or not item.mark:
            continue
        terms = lens.terms_of(item.account, item.instrument)
        units = multiply(item.quantity, terms.contract_size)
        worth = quotient(units, item.mark) if terms.inverse else multiply(units, item.mark)
        found[id(item)] = multiply(worth, rate)
    return found
