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
        after = change.after
        figures = _realized(change)
        trips = len(change.closed) * sign
        if not (fills or trips or any(figures)):
            continue
        day = state.days.text(movement.order[0])
        _add_row(days, (day, ledger.account, after.strategy, "native", terms.settle), figures, fills, trips, sign)
        if movement.base is not None and terms.settle != state.settings.base_currency:
            valued = _in_base(movement.base, change, figures)
            base = state.settings.base_currency
            _add_row(days, (day, ledger.account, after.strategy, "base", base), valued, fills, trips, sign)
        fills = 0


Figures = tuple[Decimal, Decimal, Decimal, Decimal]
"""(gross, fees, funding, income)."""


def _moved(after: Decimal, before: Decimal) -> Decimal:
    """Return the difference; most figures of a position are the very object they were."""
    return ZERO if after is before else subtract(after, before)


def _realized(change: Change) -> Figures:
    before, after = change.before, change.after
    return (
        _moved(after.gross, before.gross),
        _moved(after.fees, before.fees),
        _moved(after.funding, before.funding),
        _moved(after.income, before.income),
    )


def add_difference(
    state: DayState,
    days: dict[DayKey, DayDelta],
    ledger: Ledger,
    movement: Movement,
    undone: Sequence[Change],
    changes: Sequence[Change],
) -> bool:
    """Add what a movement realizes now beyond what it did before, under the same terms and rates.

    Returns:
        False, and nothing was added, when the two are not about the same positions and round trips.
    """
    pairs = list(zip(undone, changes, strict=False))
    if len(undone) != len(changes) or any(
        one.after.strategy != other.after.strategy or len(one.closed) != len(other.closed) for one, other in pairs
    ):
        return False
    terms, rate, base = ledger.terms, movement.base, state.settings.base_currency
    day = state.days.text(movement.order[0])
    for one, other in pairs:
        place = (day, ledger.account, other.after.strategy)
        was, now = _realized(one), _realized(other)
        if was != now:
            _add_row(days, (*place, "native", terms.settle), _less(now, was), 0, 0, 1)
        if rate is not None and terms.settle != base:
            _add_row(days, (*place, "base", base), _less(_in_base(rate, other, now), _in_base(rate, one, was)), 0, 0, 1)
    return True


def _less(first: Figures, second: Figures) -> Figures:
    gross, fees, funding, income = map(subtract, first, second)
    return gross, fees, funding, income


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
        add(found.gross, delta.gross) if delta.gross else found.gross,
        add(found.fees, delta.fees) if delta.fees else found.fees,
        add(found.funding, delta.funding) if delta.funding else found.funding,
        add(found.income, delta.income) if delta.income else found.income,
        found.fills + delta.fills,
        found.round_trips + delta.round_trips,
        found.restated or delta.restated,
    )
