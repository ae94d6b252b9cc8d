"""What each day realized: from the rows that the book keeps, or folded for another zone, currency or point of view."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from onebook.book.lens import LedgerInfo, Lens
from onebook.book.money import FARTHEST, covered
from onebook.book.rows import day_of
from onebook.domain import times
from onebook.domain.daily import add_days
from onebook.domain.days import Days
from onebook.domain.facts import BookSettings
from onebook.domain.holdings import Holding, Key
from onebook.domain.movements import FIRST, Order
from onebook.domain.numbers import ZERO, add, canonical, subtract
from onebook.domain.positions import fold
from onebook.domain.reports import DailyPnl, Pnl
from onebook.domain.state import DayDelta, DayKey, Ledger


@dataclass(frozen=True, slots=True)
class DayQuery:
    """What a daily P&L covers: ``since`` ≤ day < ``until``, as ISO dates; an instrument under any of its names."""

    since: str | None = None
    until: str | None = None
    account: str | None = None
    strategy: str | None = None
    currency: str | None = None
    zone: str | None = None
    rolls_at: str | None = None
    instrument: str | None = None


def daily_pnl(lens: Lens, query: DayQuery) -> list[DailyPnl]:
    """Return a row per day and currency that has entries.

    Where one currency is asked for, what no rate could value stays in its own currency, in a row of its own.
    """
    found: _Gathered = {}
    for day, currency, _, delta in _deltas(lens, query, 0 if query.strategy is None else 1):
        _gather(found, (day, currency), delta)
    return [row for _, row in _shown(lens, query, found)]


def daily_by_strategy(lens: Lens, query: DayQuery) -> list[tuple[str, DailyPnl]]:
    """Return the same for each strategy apart: its name, and a row per day and currency that has entries."""
    found: _Gathered = {}
    for day, currency, strategy, delta in _deltas(lens, query, 1):
        _gather(found, (day, currency, strategy), delta)
    return [(key[2], row) for key, row in _shown(lens, query, found)]


_Gathered = dict[tuple[str, ...], DayDelta]
"""What days gained by (day, currency), or by these and the strategy."""

_Deltas = Iterator[tuple[str, str, str, DayDelta]]
"""(day, currency, strategy, what it gained)."""


def _deltas(lens: Lens, query: DayQuery, level: int) -> _Deltas:
    """Return what days gained: level 0 whole accounts, 1 strategies; several of a day and currency add up."""
    return (_from_rows if _is_stored(lens, query) else _from_fold)(lens, query, level)


def _is_stored(lens: Lens, query: DayQuery) -> bool:
    """Say whether the rows that the book keeps answer a query."""
    if not lens.at_head or query.instrument is not None or not _are_own_days(lens, query):
        return False
    if query.currency is None:
        return True
    return query.currency == lens.settings.base_currency and not lens.reader.positions(None, unvalued=True)


def _are_own_days(lens: Lens, query: DayQuery) -> bool:
    settings = lens.settings
    return query.zone in {None, settings.zone} and query.rolls_at in {None, settings.rolls_at}


def _from_rows(lens: Lens, query: DayQuery, level: int) -> _Deltas:
    counts = covered(lens, query.account)
    wanted = (
        [("native", query.currency)]
        if query.currency is None
        else [
            ("native", query.currency),
            ("base", query.currency),
        ]
    )
    for basis, currency in wanted:
        rows = lens.reader.days(
            level,
            basis,
            since=query.since,
            until=query.until,
            account=query.account,
            strategy=query.strategy,
            currency=currency,
        )
        for row in rows:
            if counts(row[1]):
                yield row[0], row[3], row[2], day_of(row[4:11])


def _gather(found: _Gathered, key: tuple[str, ...], delta: DayDelta) -> None:
    mine = found.get(key)
    if mine is None:
        found[key] = delta
        return
    mine.gross = add(mine.gross, delta.gross)
    mine.fees = add(mine.fees, delta.fees)
    mine.funding = add(mine.funding, delta.funding)
    mine.income = add(mine.income, delta.income)
    mine.fills += delta.fills
    mine.round_trips += delta.round_trips
    mine.restated = mine.restated or delta.restated


def _shown(lens: Lens, query: DayQuery, found: _Gathered) -> list[tuple[tuple[str, ...], DailyPnl]]:
    """Return the rows of all that has entries, with their keys."""
    if not _is_stored(lens, query):
        _copy_restated(lens, query, found)
    rows = []
    for key, delta in sorted(found.items()):
        figures = delta.gross or delta.fees or delta.funding or delta.income
        if not (figures or delta.fills or delta.round_trips or delta.restated):
            continue
        net = add(add(subtract(delta.gross, delta.fees), delta.funding), delta.income)
        row = DailyPnl(
            day=key[0],
            currency=key[1],
            gross=canonical(delta.gross),
            fees=canonical(delta.fees),
            funding=canonical(delta.funding),
            income=canonical(delta.income),
            net=canonical(net),
            fills=delta.fills,
            round_trips=delta.round_trips,
            restated=delta.restated,
        )
        rows.append((key, row))
    return rows


class _DayState:
    """What :func:`add_days` reads: a calendar and a base currency of the query's choice."""

    def __init__(self, days: Days, settings: BookSettings) -> None:
        self.days = days
        self.settings = settings


def day_begins(calendar: Days, day: str) -> int:
    """Return the first nanosecond of a day; one beyond what can be recorded counts as the last that can."""
    if not "1678" <= day < "2262":
        return -FARTHEST if day < "1678" else FARTHEST
    return calendar.bounds(times.to_date("day", day))[0]


@dataclass(slots=True)
class _Folded:
    """Daily rows in the making; ``unvalued`` those of what no rate could value in the currency asked for."""

    state: _DayState
    days: dict[DayKey, DayDelta] = field(default_factory=dict)
    unvalued: dict[DayKey, DayDelta] = field(default_factory=dict)

    def take(self, lens: Lens, query: DayQuery, info: LedgerInfo) -> None:
        """Add what a ledger realized; it is folded from before the first day that is asked for."""
        target, terms, calendar = query.currency, lens.terms(info), self.state.days
        ledger = Ledger(info.id, info.account, info.instrument, info.name, terms)
        end = None if query.until is None else day_begins(calendar, query.until)
        begin: Order = FIRST
        holdings: dict[Key, Holding] = {}
        if query.since is not None and target in {None, terms.settle}:
            begin, holdings = lens.before(info, day_begins(calendar, query.since))
        for movement in lens.movements(info.id, begin):
            if end is not None and movement.order[0] >= end:
                return
            if target is not None:
                rate = None if terms.settle == target else lens.valuation(terms.settle, target, movement.order[0])
                movement.base = rate
            changes = fold(terms, holdings, movement)
            for change in changes:
                holdings[change.after.key] = change.after
            is_valued = target in {None, terms.settle} or movement.base is not None
            add_days(self.state, self.days if is_valued else self.unvalued, ledger, movement, changes, sign=1)


def _from_fold(lens: Lens, query: DayQuery, level: int) -> _Deltas:
    """Fold every ledger for days of another zone, in another currency, of an instrument, or as of another point."""
    settings = lens.settings
    calendar = Days(query.zone or settings.zone, query.rolls_at or settings.rolls_at)
    target = query.currency
    folded = _Folded(_DayState(calendar, replace(settings, base_currency=target or settings.base_currency)))
    counts = covered(lens, query.account)
    for info in lens.ledgers("position", query.account, query.instrument):
        if counts(info.account):
            folded.take(lens, query, info)
    for rows, wanted in ((folded.days, target), (folded.unvalued, None)):
        for (day, _, its_level, strategy, basis, currency), delta in rows.items():
            if its_level != level or (query.strategy is not None and strategy != query.strategy):
                continue
            if (query.since is not None and day < query.since) or (query.until is not None and day >= query.until):
                continue
            if basis == "native" if wanted is None else currency == wanted:
                yield day, currency, strategy, delta


def _copy_restated(lens: Lens, query: DayQuery, found: _Gathered) -> None:
    """Days of the book's own calendar keep the mark that they were restated."""
    if not lens.at_head or not _are_own_days(lens, query):
        return
    changed = {row[0] for row in lens.reader.days(0, "native", account=query.account) if row[10]}
    for key, delta in found.items():
        delta.restated = key[0] in changed


def summed_pnl(rows: list[DailyPnl]) -> list[Pnl]:
    """Return the sum of daily rows, one per currency."""
    totals: dict[str, Pnl] = {}
    for row in rows:
        was = totals.get(row.currency)
        if was is None:
            was = Pnl(
                currency=row.currency,
                gross=ZERO,
                fees=ZERO,
                funding=ZERO,
                income=ZERO,
                net=ZERO,
                fills=0,
                round_trips=0,
            )
        totals[row.currency] = Pnl(
            currency=row.currency,
            gross=canonical(add(was.gross, row.gross)),
            fees=canonical(add(was.fees, row.fees)),
            funding=canonical(add(was.funding, row.funding)),
            income=canonical(add(was.income, row.income)),
            net=canonical(add(was.net, row.net)),
            fills=was.fills + row.fills,
            round_trips=was.round_trips + row.round_trips,
        )
    return [totals[name] for name in sorted(totals)]
