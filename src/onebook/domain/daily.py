"""Daily P&L: what a movement realized, added to the rows of its day, on the day it was realized."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Protocol

from onebook.domain.days import Days
from onebook.domain.facts import BookSettings
from onebook.domain.holdings import Change
from onebook.domain.instruments import Terms
from onebook.domain.movements import Movement, Valuation
from onebook.domain.numbers import ZERO, add, negate, subtract
from onebook.domain.state import DayDelta, DayKey, Ledger


class DayState(Protocol):
    """What decides the day and the base currency of a figure."""

    @property
    def days(self) -> Days:
        """The calendar."""

    @property
    def settings(self) -> BookSettings:
        """The settings, for the base currency."""


def add_days(  # noqa: PLR0913  the parts of one row or query
    state: DayState,
    days: dict[DayKey, DayDelta],
    ledger: Ledger,
    movement: Movement,
    changes: Iterable[Change],
    *,
    sign: int,
    terms: Terms | None = None,
) -> None:
    """Add to (or with sign -1 take from) the daily rows what a movement realized."""
    terms = terms or ledger.terms
    fills = sign if movement.kind == "fill" else 0
    for change in changes:
        before, after = change.before, change.after
        gross = _moved(after.gross, before.gross)
        fees = _moved(after.fees, before.fees)
        funding = _moved(after.funding, before.funding)
        income = _moved(after.income, before.income)
        trips = len(change.closed) * sign
        if not (fills or trips or gross or fees or funding or income):
            continue
        day = state.days.text(movement.order[0])
        figures = (gross, fees, funding, income)
        _add_row(days, (day, ledger.account, after.strategy, "native", terms.settle), figures, fills, trips, sign)
        if movement.base is not None and terms.settle != state.settings.base_currency:
            valued = _in_base(movement.base, change, figures)
            base = state.settings.base_currency
            _add_row(days, (day, ledger.account, after.strategy, "base", base), valued, fills, trips, sign)
        fills = 0


def same_days(first: Sequence[Change], second: Sequence[Change]) -> bool:
    """Say whether a movement realized the same twice, under the same terms and rates."""
    if len(first) != len(second):
        return False
    for one, other in zip(first, second, strict=True):
        if one.after.strategy != other.after.strategy or len(one.closed) != len(other.closed):
            return False
        for name in ("gross", "fees", "funding", "income", "realized_base"):
            moved = _moved(getattr(one.after, name), getattr(one.before, name))
            if moved != _moved(getattr(other.after, name), getattr(other.before, name)):
                return False
    return True


Figures = tuple[Decimal, Decimal, Decimal, Decimal]
"""(gross, fees, funding, income)."""


def _moved(after: Decimal, before: Decimal) -> Decimal:
    """Return the difference; most figures of a position are the very object they were."""
    return ZERO if after is before else subtract(after, before)


def _in_base(rate: Valuation, change: Change, figures: Figures) -> Figures:
    """Return the same in the book's base currency; what rounding leaves goes to the gross."""
    fees, funding, income = rate.value(figures[1]), rate.value(figures[2]), rate.value(figures[3])
    whole = subtract(change.after.realized_base, change.before.realized_base)
    return subtract(subtract(add(whole, fees), funding), income), fees, funding, income


def _add_row(
    days: dict[DayKey, DayDelta],
    place: tuple[str, str, str, str, str],
    figures: Figures,
    fills: int,
    trips: int,
    sign: int,
) -> None:
    """Add to the account's row and to the strategy's; ``place`` is (day, account, strategy, basis, currency)."""
    gross, fees, funding, income = figures if sign > 0 else map(negate, figures)
    delta = DayDelta(gross, fees, funding, income, fills, trips)
    day, account, strategy, basis, currency = place
    add_delta(days, (day, account, 0, "", basis, currency), delta)
    add_delta(days, (day, account, 1, strategy, basis, currency), delta)


def add_delta(days: dict[DayKey, DayDelta], key: DayKey, delta: DayDelta) -> None:
    """Add to one row, making it when it is not there; the delta itself is never changed."""
    found = days.get(key)
    if found is None:
        days[key] = delta
        return
    days[key] = DayDelta(
        add(found.gross, delta.gross),
        add(found.fees, delta.fees),
        add(found.funding, delta.funding),
        add(found.income, delta.income),
        found.fills + delta.fills,
        found.round_trips + delta.round_trips,
        found.restated or delta.restated,
    )
