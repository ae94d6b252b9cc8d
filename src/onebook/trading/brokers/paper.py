"""A venue that trades on paper: orders meet what the market shows, and its memory is the book.

What works there is read from the book at the start, so a restart goes on exactly. It never decides whether an order
may be sent, and never touches a live account. It does not model a queue at a price, borrow fees, or interest.
"""

import threading
from collections.abc import Iterable
from decimal import Decimal
from functools import partial

from onebook.book.core import Core
from onebook.clock import Clock
from onebook.domain import matching
from onebook.domain.facts import Order
from onebook.domain.market import Seen
from onebook.domain.matching import Working
from onebook.errors import InputError, RuleError
from onebook.trading.brokers.paper_account import paper_accounts
from onebook.trading.brokers.paper_means import Means
from onebook.trading.brokers.paper_memory import (
    NEVER,
    Touch,
    at_venue,
    ended,
    is_known,
    is_over,
    parent_rests,
    recall,
    touch_of,
)
from onebook.trading.brokers.paper_reports import FillTimes, Teller, liquidation
from onebook.trading.brokers.paper_rules import PaperRules, funding_price, price_shown
from onebook.trading.brokers.paper_working import AtWork, by_id
from onebook.trading.brokers.port import Found, Report, Reports

MOST_AGAIN = 100
"""Answers that are tried, each a nanosecond later, where many wishes of one moment get the same one."""

PAPER = PaperRules()
"""The rules of a venue about which nothing is said: no fees, no slippage."""


class PaperBroker:
    """A venue of paper accounts.

    Hand it what the market shows with :meth:`see`. The reports of one observation go to the book in one call, in
    order, each with the observation's time; fills of one moment are a nanosecond apart. The same observation seen
    again books nothing again, and one older than the last that brought a report is passed over.

    Args:
        book: where its accounts are, and its memory.
        accounts: names of paper accounts of the book.
        rules: what the venue is like.
        clock: gives the time of cancels and replacements, in nanoseconds since 1970 UTC.

    Raises:
        RuleError: an account is a live one, or not defined.
    """

    is_certain = True
    """What is not in the book as answered to never reached it."""

    def __init__(self, book: Core, accounts: Iterable[str] | str, rules: PaperRules = PAPER, *, clock: Clock) -> None:
        self._book = book
        self._rules = rules
        self._clock = clock
        self.venue = rules.venue
        self.accounts = frozenset((accounts,) if isinstance(accounts, str) else accounts)
        self._defined = paper_accounts(book, self.accounts)
        self._means = Means(book, self._defined, rules)
        self._lock = threading.RLock()
        self._reports: Reports | None = None
        self._stale = True
        self._at_work = AtWork(self._means)
        self._fill_times = FillTimes(book)
        self._last: dict[str, Seen] = {}

    # ---- the port ----

    def start(self, reports: Reports) -> None:
        """Read what works from the book; from now on what happens goes to the reports."""
        with self._lock:
            self._reports = reports
            self._stale = True
            self._remember()
            self._end_orphans()

    def submit(self, order: Order) -> None:
        """Take an order that is in the book already; one that was submitted before is left as it is.

        Raises:
            RuleError: the book does not have it.
            InputError: its account is not of this venue.
        """
        with self._lock:
            self._remember()
            self._check_account(order.account)
            self._book.wakeups.look()
            self._means.look()
            state = self._book.order(order.client_order_id, account=order.account)
            if state is None:
                msg = f"order {order.client_order_id!r} is not in the book; record it first, then submit it"
                raise RuleError(msg, order=order.client_order_id)
            if state.is_open and not is_known(state):
                self._accept(at_venue(state.order, self._means.terms(order.account, state.order.instrument)))

    def cancel(self, account: str, client_order_id: str) -> None:
        """End an order; one that does not work here stays as it is."""
        with self._lock:
            self._remember()
            found = self._at_work.find(account, client_order_id)
            if found is not None:
                after = matching.cancel(self._at_work.beside(found), client_order_id, "canceled_by_owner")
                self._say(found, after, self._clock())
                return
            order = self._open(account, client_order_id)
            if order is not None:  # it never got here, or is at its end here already
                canceled = matching.Canceled(client_order_id=client_order_id, reason="canceled_by_owner")
                self._answer(order, canceled, self._clock())

    def replace(
        self,
        account: str,
        client_order_id: str,
        *,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> None:
        """Give an order other terms; None leaves one as it is. Terms that cannot be are answered with a reason."""
        with self._lock:
            self._remember()
            found = self._at_work.find(account, client_order_id)
            if found is None:
                return
            at, working = self._clock(), self._at_work.beside(found)
            after = matching.replace(
                working,
                client_order_id,
                at,
                self._last.get(found.order.instrument) or self._means.marked(found.order.instrument),
                self._means.matching(found.order.instrument),
                quantity=quantity,
                limit_price=limit_price,
                stop_price=stop_price,
            )
            changed = next((item for item in after.working if item.id == client_order_id), found)
            reason = self._means.refusal(changed, self._at_work.all_of(account)) if changed != found else ""
            if reason:
                refused = matching.Refused(client_order_id=client_order_id, reason=reason)
                after = matching.Step(working=working, outcomes=(refused,))
            self._say(found, after, at)
            self._say_again(changed, at)

    def find(self, account: str, client_order_id: str) -> Found | None:
        """Return whether the venue has an order: what it knows of it is in the book already."""
        with self._lock:
            self._remember()
            state = self._book.order(client_order_id, account=account)
            return None if state is None or not is_known(state) else Found()

    def close(self) -> None:
        """Stop reporting. What works stays in the book."""
        with self._lock:
            self._reports = None
            self._stale = True

    # ---- the market ----

    def see(self, seen: Seen) -> None:
        """Match the orders with what the market shows, pay funding that is due, and call margin.

        Args:
            seen: a print, quote or bar; a bar that still runs is only a price, one with a price of 0 or below nothing.
        """
        with self._lock:
            instrument = seen.instrument
            price = price_shown(seen)
            if price is None:
                return
            self._follow_splits()
            self._means.prices[instrument] = price
            if not is_over(seen):
                return
            last = self._last.get(instrument)
            if last is None or seen.at_ns >= last.at_ns:
                self._last[instrument] = seen
            self._remember()
            if not self._rules.funding and not self._rules.liquidate and self._at_work.leaves_alone(seen):
                return
            touch = touch_of(seen)
            reports: list[Report] = []
            self._stale = True  # whatever fails before all is told: the book is read again
            every = self._rules.funding or self._rules.liquidate
            for account in sorted(self.accounts) if every else self._at_work.accounts(instrument):
                if self._at_work.is_news((account, instrument), touch):
                    reports += self._see(account, seen, touch)
            self._tell(reports)

    def session_ended(self, now_ns: int) -> None:
        """End what was good for the day, and what was good until a moment that has passed.

        Args:
            now_ns: the session's end, in nanoseconds since 1970 UTC.
        """
        with self._lock:
            self._remember()
            reports: list[Report] = []
            self._stale = True
            for account, instrument in self._at_work.markets():
                working = self._at_work.of(account, instrument)
                after = matching.expire(working, now_ns, day_ended=True)
                teller = self._teller(account, instrument, now_ns)
                reports += teller.told(after.outcomes, by_id(working), self._means.terms(account, instrument))
                self._at_work.keep(account, instrument, after.working)
            self._tell(reports)

    # ---- one account ----

    def _see(self, account: str, seen: Seen, touch: Touch) -> list[Report]:
        instrument = seen.instrument
        reports: list[Report] = list(
            self._means.funding(account, instrument, seen.at_ns, funding_price(seen)) if self._rules.funding else ()
        )
        working = self._at_work.of(account, instrument)
        if working and not self._at_work.passes_by(account, working, seen):
            outcomes, after = self._matched(account, working, seen)
            if outcomes:
                teller = self._teller(account, instrument, seen.at_ns, touch)
                reports += teller.told(outcomes, by_id(working), self._means.terms(account, instrument))
            if after is not working:
                self._at_work.keep(account, instrument, after)
        if self._rules.liquidate:
            reports += self._called(account, seen, touch, reports)
        if reports:
            self._at_work.touch((account, instrument), touch)
        return reports

    def _matched(
        self, account: str, working: tuple[Working, ...], seen: Seen
    ) -> tuple[tuple[matching.Outcome, ...], tuple[Working, ...]]:
        """Return what happens and what still works; orders that the account cannot bear end instead of filling."""
        rules = self._means.matching(seen.instrument)
        held = self._at_work.held(account, seen.instrument, working)
        gone: tuple[matching.Outcome, ...] = ()
        while True:
            after = matching.step(working, seen, rules, held=held)
            unfit = self._unfit(account, working, after)
            if unfit is None:
                return gone + after.outcomes, after.working
            without = matching.cancel(working, *unfit)
            working, gone = without.working, gone + without.outcomes

    def _unfit(self, account: str, working: tuple[Working, ...], after: matching.Step) -> tuple[str, str] | None:
        if not after.outcomes:
            return None
        orders = by_id(working)
        for outcome in after.outcomes:
            if isinstance(outcome, matching.Filled):
                state = self._book.order(outcome.client_order_id, account=account)
                if state is not None and not state.is_open:
                    return outcome.client_order_id, "ended_in_the_book"
        return self._means.unfit(account, orders, after.outcomes)

    def _called(self, account: str, seen: Seen, touch: Touch, reports: Iterable[Report]) -> list[Report]:
        """Return the end of an account's orders and positions in each currency where its margin is too thin."""
        purse, currencies = self._means.breached(account, reports)
        found: list[Report] = []
        for currency in currencies:
            for owner, instrument in self._at_work.markets():
                terms = self._means.terms(account, instrument)
                if owner != account or terms.settle != currency:
                    continue
                teller = self._teller(account, instrument, seen.at_ns, touch)
                working = before = self._at_work.of(account, instrument)
                while working:
                    after = matching.cancel(working, working[0].id, "liquidation")
                    working = after.working
                    found += teller.told(after.outcomes, by_id(before), terms)
                self._at_work.keep(account, instrument, ())
            found += liquidation(
                purse,
                self._rules,
                self._means.price,
                lambda name: self._teller(account, name, seen.at_ns, touch),
                currency,
            )
        return found

    def _open(self, account: str, client_order_id: str) -> Order | None:
        """Return an order that is open in the book; None where it has ended or is not of this venue."""
        state = self._book.order(client_order_id, account=account) if account in self.accounts else None
        return None if state is None or not state.is_open else state.order

    def _answer(self, order: Order, outcome: matching.Outcome, at_ns: int) -> None:
        """Say what became of an order that does not work here."""
        about = Working(order=order, quantity=order.quantity)
        working = self._at_work.of(order.account, order.instrument)
        self._say(about, matching.Step(working=working, outcomes=(outcome,)), at_ns)

    def _say_again(self, working: Working, at_ns: int) -> None:
        """Say an order's terms moments later where the book took them for what was said before, and waits still."""
        for later in range(1, MOST_AGAIN):
            state = self._book.order(working.id, account=working.order.account)
            if state is None or state.status != "pending_replace":
                return
            refused = matching.Refused(client_order_id=working.id, reason=state.reason)
            self._say(working, matching.Step(working=self._at_work.beside(working), outcomes=(refused,)), at_ns + later)

    def _accept(self, order: Order) -> None:
        account, instrument = order.account, order.instrument
        at = min(order.occurred_ns or self._clock(), self._clock()) + self._rules.latency_ns  # their clock may differ
        working = self._at_work.of(account, instrument)
        last = self._last.get(instrument) or self._means.marked(instrument)
        fresh = Working(
            order=order,
            quantity=order.quantity,
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            accepted_ns=at,
            waiting=bool(order.parent_id) and parent_rests(order, working),
        )
        reason = self._means.malformed(order, at)
        if not reason and not order.reduce_only:
            reason = self._means.refusal(fresh, self._at_work.all_of(account))
        if reason:
            after = matching.Step(
                working=working, outcomes=(matching.Rejected(client_order_id=fresh.id, reason=reason),)
            )
        else:
            after = matching.accept(
                working,
                order,
                at,
                last,
                self._means.matching(instrument),
                held=self._at_work.held(account, instrument, (fresh, *working)),
                ended=() if parent_rests(order, working) else ended(self._book, order),
            )
        touch = NEVER if instrument not in self._last else touch_of(self._last[instrument])
        self._say(fresh, after, at, touch)

    # ---- what it knows ----

    def _remember(self) -> None:
        """Read what works from the book, at the start and after a report that did not get there."""
        if self._reports is None:
            raise RuleError("the paper venue is not started; call start(reports) first")
        self._follow_splits()
        if self._stale:
            self._means.forget()
            memory = recall(self._book, self.accounts, self._rules.latency_ns, self._means.terms)
            self._at_work.remember(memory)
            self._fill_times.forget()
            self._stale = False

    def _follow_splits(self) -> None:
        """Read the orders again where the book has changed them at a split; prices of before it say nothing more."""
        for instrument in self._means.split_since():
            self._stale = True
            self._last.pop(instrument, None)

    def _end_orphans(self) -> None:
        """End orders whose parent has ended in the book while nobody was here to say so."""
        for item in self._at_work.orphans():
            self._say(item, matching.cancel(self._at_work.beside(item), item.id, "parent_ended"), self._clock())

    def _check_account(self, account: str) -> None:
        if account not in self.accounts:
            msg = f"account {account!r} is not of this venue, which has {', '.join(sorted(self.accounts))}"
            raise InputError(msg, field="account", value=account)

    # ---- what it says ----

    def _teller(self, account: str, instrument: str, at_ns: int, touch: Touch = NEVER) -> Teller:
        return Teller(
            rules=self._rules,
            at_ns=at_ns,
            touch=touch,
            next_fill_ns=partial(self._fill_times.next, (account, instrument)),
        )

    def _say(self, about: Working, after: matching.Step, at_ns: int, touch: Touch = NEVER) -> None:
        """Keep what works after a wish and report what came of it."""
        account, instrument = about.order.account, about.order.instrument
        before = self._at_work.of(account, instrument)
        orders = {about.id: about} | by_id(before)
        teller = self._teller(account, instrument, at_ns, touch)
        reports: list[Report] = list(teller.told(after.outcomes, orders, self._means.terms(account, instrument)))
        self._at_work.keep(account, instrument, after.working)
        if reports:
            self._at_work.touch((account, instrument), touch)
        self._tell(reports)

    def _tell(self, reports: list[Report]) -> None:
        self._stale = True
        if reports and self._reports is not None:
            self._reports(tuple(reports))
        self._stale = False
