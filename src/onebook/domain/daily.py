"""Daily P&L: what a movement realized, added to the rows of its day, on the day it was realized."""

from collections.abc import Iterable
from typing import Protocol

from onebook.domain.days import Days
from onebook.domain.facts import BookSettings
from onebook.domain.holdings import Change
from onebook.domain.instruments import Terms
from onebook.domain.movements import Movement
from onebook.domain.numbers import add, negate, subtract
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
    day = ""
    for change in changes:
        before, after = change.before, change.after
        gross = subtract(after.gross, before.gross)
        fees = subtract(after.fees, before.fees)
        funding = subtract(after.funding, before.funding)
        income = subtract(after.income, before.income)
        trips = len(change.closed) * sign
        if not (fills or trips or gross or fees or funding or income):
            continue
        day = day or state.days.of(movement.order[0]).isoformat()
        figures = (gross, fees, funding, income)
        rows = [("native", terms.settle, figures)]
        base_currency = state.settings.base_currency
        if movement.base is not None and terms.settle != base_currency:
            rate = movement.base
            delta = subtract(after.realized_base, before.realized_base)
            parts = [rate.value(part) for part in figures[1:]]
            rest = subtract(subtract(add(delta, parts[0]), parts[1]), parts[2])
            rows.append(("base", base_currency, (rest, parts[0], parts[1], parts[2])))
        for basis, currency, amounts in rows:
            signed = amounts if sign > 0 else tuple(negate(amount) for amount in amounts)
            for level, strategy in ((0, ""), (1, after.strategy)):
                key = (day, ledger.account, level, strategy, basis, currency)
                add_delta(days, key, DayDelta(signed[0], signed[1], signed[2], signed[3], fills, trips))
        fills = 0


def add_delta(days: dict[DayKey, DayDelta], key: DayKey, delta: DayDelta) -> None:
    """Add to one row, making it when it is not there."""
    found = days.get(key)
    if found is None:
        days[key] = delta
        return
    found.gross = add(found.gross, delta.gross)
    found.fees = add(found.fees, delta.fees)
    found.funding = add(found.funding, delta.funding)
    found.income = add(found.income, delta.income)
    found.fills += delta.fills
    found.round_trips += delta.round_trips
    found.restated = found.restated or delta.restated
