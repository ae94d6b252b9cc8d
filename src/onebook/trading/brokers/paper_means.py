"""What a paper venue's accounts can afford: before an order is taken, when it fills, and when it is to be called."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from onebook.book.core import Core
from onebook.domain import matching as model
from onebook.domain import times
from onebook.domain.facts import Account, Fill, FundingPayment, Instrument, Order
from onebook.domain.instruments import Terms, terms_of
from onebook.domain.market import Print
from onebook.domain.numbers import ONE, ZERO, add, multiply, negate, plain, quotient, subtract
from onebook.domain.steps import notional
from onebook.trading.brokers.margin import Place, Purse, Wish
from onebook.trading.brokers.paper_purses import Purses
from onebook.trading.brokers.paper_rules import PaperRules
from onebook.trading.brokers.port import Report
from onebook.trading.splits import applied_behind, known_splits

MOST_WISHES = 1_000
"""Working orders of which it is kept what they reserve; of others it is found again."""


def place_of(order: Order | Fill) -> Place:
    """Return where an order's fills go."""
    return order.instrument, order.strategy, order.leg


def _moment(rate: tuple[int, Decimal]) -> int:
    return rate[0]


class Means:
    """The accounts' money and positions, read from the book whenever it has grown.

    Args:
        book: with the accounts.
        accounts: their definitions by name.
        rules: of the venue.
    """

    def __init__(self, book: Core, accounts: Mapping[str, Account], rules: PaperRules) -> None:
        self._book = book
        self._accounts = accounts
        self._rules = rules
        self._purses = Purses(book, self.terms, rules.margin_for, self._define)
        self._paid: dict[tuple[str, str], int] = {}
        self._definitions: dict[str, Instrument] = {}
        self._matching: dict[str, model.Rules] = {}
        self._wishes: dict[tuple[str, str], tuple[model.Working, Decimal | None, Wish]] = {}
        self._terms: dict[tuple[str, str], Terms] = {}
        self._head = book.wakeups.head
        self.prices: dict[str, Decimal] = {}
        """Newest price by instrument, of what this venue has seen."""

    def forget(self) -> None:
        """Read everything again at the next question."""
        self._purses.forget()
        self._paid.clear()
        self._define()

    def look(self) -> None:
        """Go through what was written since the last look: for a new order."""
        self._purses.look()

    def _define(self) -> None:
        """Read again what the instruments are."""
        found = {item.symbol: item for item in self._book.facts("instrument")}
        if found != self._definitions:
            self._definitions = found
            self._matching.clear()
            self._terms.clear()
            self._wishes.clear()
            self._purses.forget()

    def matching(self, instrument: str) -> model.Rules:
        """Return how orders of an instrument match."""
        found = self._matching.get(instrument)
        if found is None:
            found = self._matching[instrument] = self._rules.matching_for(self._definitions.get(instrument))
        return found

    def terms(self, account: str, instrument: str) -> Terms:
        """Return what an instrument means in an account."""
        found = self._terms.get((account, instrument))
        if found is None:
            found = terms_of(self._definitions.get(instrument), instrument, self._accounts[account])
            self._terms[account, instrument] = found
        return found

    def definition(self, instrument: str) -> Instrument | None:
        """Return an instrument's definition; None where its symbol says what it is."""
        return self._definitions.get(instrument)

    def purse(self, account: str) -> Purse:
        """Return what an account has; do not change it."""
        return self._purses.of(account)

    def price(self, instrument: str) -> Decimal | None:
        """Return the newest price: what the venue saw, else the book's mark."""
        if instrument not in self.prices:
            found = self.marked(instrument)
            if found is not None:
                self.prices[instrument] = found.price
        return self.prices.get(instrument)

    def marked(self, instrument: str) -> Print | None:
        """Return the book's mark as a print, for a venue that has seen nothing since it began again, or since a split.

        One of before a split is in the units of after it.
        """
        for mark in self._book.marks():
            if mark.instrument == instrument:
                at_ns, price = times.from_datetime("at", mark.at), mark.price
                for split in known_splits(self._book, (instrument,)):
                    price = split.price(price) if at_ns < split.at_ns else price
                return Print(instrument=instrument, at_ns=at_ns, price=price, quantity=ONE)
        return None

    def split_since(self) -> list[str]:
        """Return the instruments split since it was asked last; their prices are taken from the book again."""
        after, self._head = self._head, self._book.wakeups.head
        if after == self._head:
            return []
        found = [item.split.instrument for item in applied_behind(self._book, after, self._accounts)]
        for name in found:
            self.prices.pop(name, None)
        return found

    def held(self, account: str, instrument: str) -> dict[tuple[str, str], Decimal]:
        """Return the signed positions in an instrument by (strategy, leg)."""
        purse = self.purse(account)
        return {place[1:]: item.quantity for place, item in purse.held.items() if place[0] == instrument}

    # ---- before an order is taken ----

    def wish(self, working: model.Working, terms: Terms) -> Wish:
        """Return what an order may still trade."""
        order = working.order
        price = working.limit_price or working.stop_price or self.price(order.instrument)
        left = subtract(working.quantity, working.filled)
        fee = ZERO
        if price:
            charged, currency = self._rules.fees_for(terms).charged(terms, order.side, left, price, "taker")
            fee = max(charged, ZERO) if currency == terms.settle else ZERO
        return Wish(place=place_of(order), side=order.side, quantity=left, price=price, group=order.group_id, fee=fee)

    def refusal(self, working: model.Working, others: Iterable[model.Working]) -> str:
        """Return why an order is not taken beside the account's others; empty when it is."""
        purse = self.purse(working.order.account)
        if working.waiting:
            return ""
        beside = (self._wish_of(other) for other in others if not other.waiting and other.id != working.id)
        return purse.refusal(self.wish(working, purse.terms(working.order.instrument)), beside, self.price)

    def _wish_of(self, working: model.Working) -> Wish:
        """Return what a working order may still trade, as it was found before where nothing of it has changed."""
        price = working.limit_price or working.stop_price or self.price(working.order.instrument)
        place = (working.order.account, working.id)
        known = self._wishes.get(place)
        if known is None or known[0] is not working or known[1] != price:
            terms = self.terms(working.order.account, working.order.instrument)
            known = self._wishes[place] = (working, price, self.wish(working, terms))
            while len(self._wishes) > MOST_WISHES:
                del self._wishes[next(iter(self._wishes))]
        return known[2]

    def malformed(self, order: Order, at_ns: int) -> str:
        """Return why the venue does not trade this; empty when it does."""
        name, found = order.instrument, self.definition(order.instrument)
        if self._rules.instruments is not None and name not in self._rules.instruments:
            return f"no_such_instrument: {name} is not traded here"
        if found is None:
            return ""
        if found.expires_at is not None and times.to_ns("expires_at", found.expires_at) <= at_ns:
            return f"instrument_expired: {name}"
        price = order.limit_price or order.stop_price or self.price(name)
        if found.min_notional and price and not order.reduce_only:
            value = abs(notional(self.terms(order.account, name), order.quantity, price))
            if value < found.min_notional:
                return f"below_min_notional: worth {plain(value)}, at least {plain(found.min_notional)}"
        return ""

    # ---- when it fills ----

    def unfit(
        self, account: str, orders: Mapping[str, model.Working], outcomes: Sequence[model.Outcome]
    ) -> tuple[str, str] | None:
        """Return (client_order_id, reason) of the first fill that the account cannot bear; None when all are fine."""
        fills = [item for item in outcomes if isinstance(item, model.Filled)]
        if all(self._frees(account, orders[item.client_order_id].order) for item in fills):
            return None
        purse = self.purse(account).copy()
        for fill in fills:
            order = orders[fill.client_order_id].order
            reason = self._misfit(purse, order, fill)
            if reason:
                return fill.client_order_id, reason
        return None

    def _frees(self, account: str, order: Order) -> bool:
        """Say whether a fill can only free margin: of an order that reduces, where nothing must be there to be sold."""
        return order.reduce_only and self._rules.margin_for(self.terms(account, order.instrument)).short

    def _misfit(self, purse: Purse, order: Order, fill: model.Filled) -> str:
        place, terms = place_of(order), purse.terms(order.instrument)
        if terms.inverse and not fill.price:
            return f"no_price: {order.instrument} is worth nothing that can be reckoned at 0"
        opens = fill.quantity > purse.closes(place, order.side)
        fees = self._rules.fees_for(terms)
        fee = fees.charged(terms, order.side, fill.quantity, fill.price, fill.liquidity)
        purse.filled(place, order.side, fill.quantity, fill.price, fee)
        if not self._rules.margin_for(terms).short and order.side == "sell":
            there = purse.balances[terms.base] if terms.moves_base else purse.total(order.instrument)
            return "" if there >= 0 else f"not_enough_to_sell: {purse.account} has too little {terms.base} now"
        if not opens:
            return ""
        pool = purse.pool(terms.settle, lambda name: fill.price if name == order.instrument else self.price(name))
        free = subtract(pool.equity, pool.initial)
        return (
            "" if free >= 0 else f"not_enough_buying_power: {plain(negate(free))} {terms.settle} missing when it filled"
        )

    # ---- what is due ----

    def funding(self, account: str, instrument: str, until_ns: int, price: Decimal) -> Iterator[FundingPayment]:
        """Return what funding is due up to a moment: longs pay a rate above 0.

        Args:
            account: whose.
            instrument: a perpetual with rates.
            until_ns: rates of up to here, each paid once.
            price: at which positions count.
        """
        rates = self._rules.funding.get(instrument, ())
        if not rates:
            return
        market = (account, instrument)
        paid = self._paid.get(market)
        if paid is None:
            paid = self._paid_until(account, instrument)
        self._paid[market] = max(paid, until_ns)
        due = rates[bisect_right(rates, paid, key=_moment) : bisect_right(rates, until_ns, key=_moment)]
        if not due:
            return
        purse = self.purse(account)
        legs: dict[str, Decimal] = {}
        for place, held in purse.held.items():
            if place[0] == instrument:
                legs[place[2]] = add(legs.get(place[2], ZERO), notional(held.terms, held.quantity, price))
        for at, rate in due:
            for leg, worth in sorted(legs.items()):
                amount = quotient(negate(multiply(worth, rate)), ONE)
                if amount:
                    name = f"funding-{instrument}-{at}" + (f"-{leg}" if leg else "")
                    yield FundingPayment(
                        instrument=instrument, amount=amount, funding_id=name, account=account, leg=leg, occurred_ns=at
                    )

    def _paid_until(self, account: str, instrument: str) -> int:
        """Return up to when funding is done: the last payment, or the position's last change."""
        moments = [
            times.to_ns("updated_at", item.updated_at)
            for item in self._book.positions(account=account, instrument=instrument, is_open=None)
            if item.updated_at is not None
        ]
        moments += [item.occurred_ns for item in self._book.funding(account=account, instrument=instrument)]
        return max(moments, default=-1)

    def breached(self, account: str, facts: Iterable[Report]) -> tuple[Purse, list[str]]:
        """Return the account after some facts, and the currencies in which it is below its maintenance margin."""
        purse = self.purse(account)
        for number, fact in enumerate(facts):
            purse = purse if number else purse.copy()
            if isinstance(fact, Fill):
                fee = (fact.fee or ZERO, fact.fee_currency or purse.terms(fact.instrument).settle)
                purse.filled(place_of(fact), fact.side, fact.quantity, fact.price, fee)
            elif isinstance(fact, FundingPayment):
                settle = purse.terms(fact.instrument).settle
                purse.balances[settle] = add(purse.balances[settle], fact.amount)
        found = []
        for currency in sorted({item.terms.settle for item in purse.held.values()}):
            pool = purse.pool(currency, self.price)
            if pool.maintenance and pool.equity < pool.maintenance:
                found.append(currency)
        return purse, found
