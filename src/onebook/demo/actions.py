"""Splits and dividends, found in the step that the adjusted close makes against the close as traded.

With f = adjusted ÷ close and g = f(day) ÷ f(session before): without an action g is 1 to twelve digits; a cash
dividend is close × (g − 1) per share; a split is g itself. A fall in price alone is never an action.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from onebook.demo.bars import Bar

_NOISE = Decimal("1e-9")
_SPLIT_FROM = Decimal("1.5")
_DIVIDEND_PLACES = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """``numerator`` new shares for ``denominator`` old ones, from the opening of ``day`` on."""

    instrument: str
    day: date
    numerator: int
    denominator: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Dividend:
    """``amount`` USD, above 0, per share held when ``day``, the ex-date, begins."""

    instrument: str
    day: date
    amount: Decimal


def find_actions(bars: Iterable[Bar]) -> Iterator[Split | Dividend]:
    """Return the splits and dividends of one stock, oldest first."""
    for before, bar in pairwise(bars):
        step = (bar.adjusted / bar.close) / (before.adjusted / before.close)
        if abs(step - 1) < _NOISE:
            continue
        if step > _SPLIT_FROM:
            yield Split(instrument=bar.instrument, day=bar.day, numerator=int(step.to_integral_value()))
            continue
        amount = (bar.close * (step - 1)).quantize(_DIVIDEND_PLACES)
        yield Dividend(instrument=bar.instrument, day=bar.day, amount=amount)
