"""Balances, equity and daily P&L.

Live and paper accounts never add up together: a total covers the live accounts, or the paper ones when the
book has no others, or the account that was asked for.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from onebook.book.exposures import in_new_units
from onebook.book.lens import FAR, LedgerInfo, Lens
from onebook.book.marks import LiveMark
from onebook.book.positions import based, newest_mark
from onebook.book.rows import day_of
from onebook.domain import times
from onebook.domain.daily import add_days
from onebook.domain.days import Days
from onebook.domain.facts import BookSettings
from onebook.domain.holdings import Holding, Key
from onebook.domain.instruments import Terms
from onebook.domain.movements import FIRST, Movement, Order, Valuation
from onebook.domain.numbers import ONE, ZERO, absolute, add, canonical, multiply, negate, subtract
from onebook.domain.positions import fold
from onebook.domain.reports import Balance, DailyPnl, Equity, Pnl
from onebook.domain.state import DayDelta, DayKey, Ledger
from onebook.domain.steps import notional

MarkOf = Callable[[str], LiveMark | None]
Amounts = dict[str, Decimal]
FARTHEST = 2**63 - 2
"""Nanoseconds from 1970 to the farthest moment that a store can be asked for."""


def covered(lens: Lens, account: str | None) -> Callable[[str], bool]:
    """Return which accounts a total covers."""
    if account is not None:
        return lambda name: name == account
    names = {row[1] for row in lens.reader.ledgers()}
    live = {name for name in names if lens.account(name).kind == "live"}
    wanted = live or names
    return lambda name: name in wanted


def balances(lens: Lens, account: str | None, now: int) -> list[Balance]:
    """Return every asset of every account: the sum of its movements."""
    totals: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    for info in lens.ledgers("cash", account):
        totals[info.account, info.instrument] = add(totals[info.account, info.instrument], lens.cash(info).balance)
    for info, holdings in lens.all_holdings(account):
        terms = lens.terms(info)
        for holding in holdings.values():
            place = (info.account, terms.settle)
            totals[place] = add(totals[place], holding.cash)
            for currency, amount in holding.other_cash.items():
                totals[info.account, currency] = add(totals[info.account, currency], amount)
            for due in holding.receivables:
                if due.paid_ns is not None and due.paid_ns <= now:
                    totals[info.account, due.currency] = add(totals[info.account, due.currency], due.amount)
            if terms.moves_base:
                totals[info.account, terms.base] = add(totals[info.account, terms.base], holding.quantity)
    return [
        Balance(account=owner, asset=asset, amount=canonical(amount))
        for (owner, asset), amount in sorted(totals.items())
        if amount
    ]


@dataclass(slots=True)
class _Sum:
    """Equity in the making, all in the target currency."""

    amount: Decimal = ZERO
    opening: Decimal = ZERO
    transfers: Decimal = ZERO
    realized: Decimal = ZERO
    other: Decimal = ZERO
    unrealized: Decimal = ZERO
    revaluation: Decimal = ZERO
    unvalued: Amounts = field(default_factory=dict)

    def leave_out(self, name: str, amount: Decimal) -> None:
        """List something outside on both sides."""
        if amount:
            self.unvalued[name] = add(self.unvalued.get(name, ZERO), amount)


class EquityReader:
    """Equity of the book in one currency, through one lens.

    Args:
        lens: the point of view.
        target: the currency wanted; None for the book's base currency.
        mark_of: the mark that counts at this point, per instrument.
        now: the moment at which rates count.
    """

    def __init__(self, lens: Lens, target: str | None, mark_of: MarkOf, now: int) -> None:
        self._lens = lens
        self._base = lens.settings.base_currency
        self._target = target or self._base
        self._mark_of = mark_of
        self._now = now
        self._rates: dict[str, Valuation | None] = {}
        self.marks_used: list[LiveMark] = []

    def read(self, account: str | None, strategy: str | None = None) -> Equity:
        """Return the equity, its parts, and what stands outside; with a strategy only what its positions make."""
        total = _Sum()
        counts = covered(self._lens, account)
        for info in self._lens.ledgers("cash") if strategy is None else ():
            if counts(info.account):
                self._add_cash(total, info)
        for info, holdings in self._holdings():
            if counts(info.account):
                terms = self._lens.terms(info)
                for holding in holdings.values():
                    if strategy is None or holding.strategy == strategy:
                        self._add_holding(total, info, terms, holding)
        return Equity(
            currency=self._target,
            amount=canonical(total.amount),
            opening=canonical(total.opening),
            transfers=canonical(total.transfers),
            realized=canonical(total.realized),
            other=canonical(total.other),
            unrealized=canonical(total.unrealized),
            revaluation=canonical(total.revaluation),
            unvalued=tuple((name, canonical(amount)) for name, amount in sorted(total.unvalued.items()) if amount),
        )

    def _holdings(self) -> Iterator[tuple[LedgerInfo, dict[Key, Holding]]]:
        if self._target == self._base:
            yield from self._lens.all_holdings()
            return
        for info in self._lens.ledgers():
            terms = self._lens.terms(info)
            holdings: dict[Key, Holding] = {}
            for movement in self._lens.movements(info.id):
                for change in fold(terms, holdings, self._revalued(terms, movement)):
                    holdings[change.after.key] = change.after
            yield info, holdings

    def _revalued(self, terms: Terms, movement: Movement) -> Movement:
        rate = None
        if terms.settle != self._target:
            rate = self._lens.valuation(terms.settle, self._target, movement.order[0])
        return replace(movement, base=rate)

    def rate(self, currency: str) -> Valuation | None:
        """Return how to value a currency now: a mark of the pair when it is newer, else a recorded rate."""
        if currency not in self._rates:
            found = self._lens.newest_valuation(currency, self._target, self._now)
            straight = self._mark_of(f"{currency}/{self._target}")
            inverse = self._mark_of(f"{self._target}/{currency}")
            if currency != self._target:
                if straight is not None and (found is None or straight.at >= found.at):
                    found = Valuation(straight.price, ONE, straight.at, straight.source)
                elif inverse is not None and inverse.price and (found is None or inverse.at >= found.at):
                    found = Valuation(ONE, inverse.price, inverse.at, inverse.source)
            self._rates[currency] = found
        return self._rates[currency]

    def _add_cash(self, total: _Sum, info: LedgerInfo) -> None:
        cash = self._lens.cash(info, None if self._target == self._base else self._target)
        currency = info.instrument
        rate = self.rate(currency)
        for category, amount in cash.native.items():
            if category == "internal":
                continue
            missing = cash.missing.get(category, ZERO)
            base = amount if currency == self._target else cash.base.get(category, ZERO)
            if rate is None:
                total.leave_out(currency, amount)
                continue
            total.leave_out(currency, missing)
            worth = rate.value(subtract(amount, missing))
            setattr(total, category, add(getattr(total, category), base))
            total.amount = add(total.amount, worth)
            total.revaluation = add(total.revaluation, subtract(worth, base))

    def _add_holding(self, total: _Sum, info: LedgerInfo, terms: Terms, holding: Holding) -> None:
        rate = self.rate(terms.settle)
        own = terms.settle == self._target
        realized = holding.realized
        missing = ZERO if own else holding.realized_missing
        opening_missing = ZERO if own else holding.opening_missing
        transfers_missing = ZERO if own else holding.transfers_missing
        if rate is None:
            total.leave_out(terms.settle, holding.cash)
            total.leave_out(info.name, holding.quantity)
            return
        gone = add(add(missing, opening_missing), transfers_missing)
        total.leave_out(terms.settle, gone)
        base = {
            "realized": realized if own else holding.realized_base,
            "opening": holding.opening if own else holding.opening_base,
            "transfers": holding.transfers if own else holding.transfers_base,
        }
        for name, amount in base.items():
            setattr(total, name, add(getattr(total, name), amount))
        native = add(add(subtract(realized, holding.foreign), holding.opening), holding.transfers)
        worth = rate.value(subtract(native, gone))
        amount = rate.value(subtract(self._settled(terms, holding), gone))
        total.amount = add(total.amount, amount)
        flows = add(add(base["realized"], base["opening"]), base["transfers"])
        total.revaluation = add(total.revaluation, subtract(worth, flows))
        self._add_foreign(total, terms, holding)
        self._add_unrealized(total, info, terms, holding, rate)

    def _settled(self, terms: Terms, holding: Holding) -> Decimal:
        """Return what a position holds in its settlement currency: cash, dues, and its open part at cost."""
        amount = holding.cash
        for due in holding.receivables:
            if due.currency == terms.settle:
                amount = add(amount, due.amount)
        for sent in holding.transit:
            if terms.pays_notional:
                amount = add(amount, sent.cost)
        if terms.pays_notional:
            cost = holding.cost if holding.quantity > ZERO else negate(holding.cost)
            amount = add(amount, cost)
        return amount

    def _add_foreign(self, total: _Sum, terms: Terms, holding: Holding) -> None:
        amounts = dict(holding.other_cash)
        for due in holding.receivables:
            if due.currency != terms.settle:
                amounts[due.currency] = add(amounts.get(due.currency, ZERO), due.amount)
        for currency, amount in amounts.items():
            waiting = holding.unvalued.get(currency, ZERO)
            rate = self.rate(currency)
            if rate is None:
                total.leave_out(currency, amount)
                continue
            total.leave_out(currency, waiting)
            worth = rate.value(subtract(amount, waiting))
            total.amount = add(total.amount, worth)
            total.revaluation = add(total.revaluation, worth)

    def _add_unrealized(self, total: _Sum, info: LedgerInfo, terms: Terms, holding: Holding, rate: Valuation) -> None:
        quantity, held, cost = based(holding), holding.quantity, holding.cost
        for sent in holding.transit:
            held, cost = add(held, sent.quantity), add(cost, sent.cost)
            quantity = add(quantity, sent.quantity)
        if not held:
            return
        mark = newest_mark(self._mark_of, info)
        if mark is None:
            total.leave_out(info.name, held)
            return
        self.marks_used.append(mark)
        total.leave_out(info.name, subtract(held, quantity))
        if not quantity:
            return
        value = absolute(notional(terms, quantity, in_new_units(mark.price, mark.at, holding.splits)))
        long = quantity > ZERO
        gain = subtract(value, cost) if long != terms.inverse else subtract(cost, value)
        worth = rate.value(gain)
        total.unrealized = add(total.unrealized, worth)
        total.amount = add(total.amount, worth)


# ---- daily P&L ----


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
    settings = lens.settings
    own_days = query.zone in {None, settings.zone} and query.rolls_at in {None, settings.rolls_at}
    stored = query.currency is None or (
        query.currency == settings.base_currency and not lens.reader.positions(None, unvalued=True)
    )
    if lens.at_head and own_days and stored and query.instrument is None:
        return _from_rows(lens, query)
    return _from_fold(lens, query)


def _from_rows(lens: Lens, query: DayQuery) -> list[DailyPnl]:
    counts = covered(lens, query.account)
    level = 0 if query.strategy is None else 1
    found: dict[tuple[str, str], DayDelta] = {}
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
                _gather(found, (row[0], row[3]), day_of(row[4:11]))
    return _shown(found)


def _gather(found: dict[tuple[str, str], DayDelta], key: tuple[str, str], delta: DayDelta) -> None:
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


def _shown(found: dict[tuple[str, str], DayDelta]) -> list[DailyPnl]:
    rows = []
    for (day, currency), delta in sorted(found.items()):
        figures = delta.gross or delta.fees or delta.funding or delta.income
        if not (figures or delta.fills or delta.round_trips or delta.restated):
            continue
        net = add(add(subtract(delta.gross, delta.fees), delta.funding), delta.income)
        rows.append(
            DailyPnl(
                day=day,
                currency=currency,
                gross=canonical(delta.gross),
                fees=canonical(delta.fees),
                funding=canonical(delta.funding),
                income=canonical(delta.income),
                net=canonical(net),
                fills=delta.fills,
                round_trips=delta.round_trips,
                restated=delta.restated,
            )
        )
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


def _from_fold(lens: Lens, query: DayQuery) -> list[DailyPnl]:
    """Fold every ledger for days of another zone, in another currency, of an instrument, or as of another point."""
    settings = lens.settings
    calendar = Days(query.zone or settings.zone, query.rolls_at or settings.rolls_at)
    target = query.currency
    folded = _Folded(_DayState(calendar, replace(settings, base_currency=target or settings.base_currency)))
    counts = covered(lens, query.account)
    for info in lens.ledgers("position", query.account, query.instrument):
        if counts(info.account):
            folded.take(lens, query, info)
    found: dict[tuple[str, str], DayDelta] = {}
    level = 0 if query.strategy is None else 1
    for rows, wanted in ((folded.days, target), (folded.unvalued, None)):
        for (day, _, its_level, strategy, basis, currency), delta in rows.items():
            if its_level != level or (query.strategy is not None and strategy != query.strategy):
                continue
            if (query.since is not None and day < query.since) or (query.until is not None and day >= query.until):
                continue
            if basis == "native" if wanted is None else currency == wanted:
                _gather(found, (day, currency), delta)
    _copy_restated(lens, query, found)
    return _shown(found)


def _copy_restated(lens: Lens, query: DayQuery, found: dict[tuple[str, str], DayDelta]) -> None:
    """Days of the book's own calendar keep the mark that they were restated."""
    settings = lens.settings
    if query.zone not in {None, settings.zone} or query.rolls_at not in {None, settings.rolls_at} or not lens.at_head:
        return
    changed = {row[0] for row in lens.reader.days(0, "native", account=query.account) if row[10]}
    for (day, _), delta in found.items():
        delta.restated = day in changed


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


__all__ = ["FAR", "multiply"]
