"""Balances and equity.

Live and paper accounts never add up together: a total covers the live accounts, or the paper ones when the
book has no others, or the account that was asked for.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from onebook.book.exposures import in_new_units
from onebook.book.lens import LedgerInfo, Lens
from onebook.book.marks import LiveMark
from onebook.book.positions import based, newest_mark
from onebook.domain.holdings import Holding, Key
from onebook.domain.instruments import Terms
from onebook.domain.movements import Movement, Valuation
from onebook.domain.numbers import ONE, ZERO, absolute, add, canonical, negate, subtract
from onebook.domain.positions import fold
from onebook.domain.reports import Balance, Equity
from onebook.domain.steps import notional
from onebook.domain.sums import Sums

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

    def amount(self, account: str | None, sums_of: Callable[[LedgerInfo], Sums | None]) -> Decimal:
        """Return only the amount of the equity, in the book's base currency.

        Args:
            account: None for all live accounts (all paper ones where there is no live one).
            sums_of: what the positions of a ledger come to at this point; None where that is not to be had.
        """
        total = _Sum()
        counts = covered(self._lens, account)
        for info in self._lens.ledgers("cash"):
            if counts(info.account):
                self._add_cash(total, info)
        for info in self._lens.ledgers("position"):
            if not counts(info.account):
                continue
            terms = self._lens.terms(info)
            rate = self.rate(terms.settle)
            if rate is None:
                continue
            sums = sums_of(info) if rate.over == ONE else None
            if sums is None:
                for holding in self._lens.holdings(info).values():
                    self._add_holding(total, info, terms, holding)
            else:
                self._add_sums(total, info, sums, rate)
        return canonical(total.amount)

    def _add_sums(self, total: _Sum, info: LedgerInfo, sums: Sums, rate: Valuation) -> None:
        worth = sums.settled()
        if sums.is_open():
            mark = newest_mark(self._mark_of, info)
            if mark is not None:
                self.marks_used.append(mark)
                worth = add(worth, sums.gain(mark.price))
        total.amount = add(total.amount, rate.value(worth))

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
