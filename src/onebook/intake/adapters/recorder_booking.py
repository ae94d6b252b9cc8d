"""Booking what a recorder took: facts as they are, an order that was seen as what it adds to what the book knows.

What is booked already is asked of the book, so that restarts, repeats and the spool's second tries add nothing.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from onebook.book.core import Core
from onebook.domain import facts
from onebook.domain.commands import Record
from onebook.domain.decide.orders import facts_of_order
from onebook.domain.numbers import multiply, quotient
from onebook.domain.orders import IN_DOUBT, OURS, TERMINAL, may_follow, was_never_answered
from onebook.domain.shapes import fact_data
from onebook.errors import BookError, ConflictError, InputError, RuleError, StoreError
from onebook.intake.adapters.recorder_differences import Differences
from onebook.intake.adapters.recorder_external import External
from onebook.intake.adapters.recorder_known import Known, known_order
from onebook.intake.adapters.recorder_positions import Positions
from onebook.intake.adapters.recorder_seen import SENT, Item, OrderSeen, PositionSeen, Unbooked

MAX_BOTS = 1000
"""Most bots that one recorder books for."""
MAX_EARLY = 10_000
"""Most orders of which an execution was told before the order, and whose time is kept in memory."""
MAX_OWN = 10_000
"""Most orders that the bot sent and the book has no terms of, whose ids are kept in memory."""
BY_COST = "by_cost"
"""Tag of an order that names what it spends: its quantity is an estimate until the venue says it."""
TRIES = 20
"""How often an order is compared with the book at most, while others book of it."""
MARGIN = Decimal("1.1")
"""How much more than its cost buys just now such an order is taken to buy at most."""
TERMS = ("instrument", "side", "quantity", "kind", "limit_price", "stop_price", "group_id", "parent_id")
_NEVER_THERE = frozenset({"rejected", "denied"})
_OF_ORDERS_THERE = frozenset({"pending_cancel", "pending_replace"})
"""Wishes that say nothing of an order that no bot recorded."""

_log = logging.getLogger("onebook.recorder")


class Bookings:
    """Books items of bots: a spool may hold those of several.

    Args:
        book: into which.
    """

    def __init__(self, book: Core) -> None:
        self._book = book
        self._known: dict[tuple[str, str, str], Booking] = {}

    def book(self, whose: tuple[str, str, str], items: Sequence[Item]) -> None:
        """Book items of an account, venue and strategy, as :meth:`Booking.book` does."""
        if whose not in self._known:
            if len(self._known) >= MAX_BOTS:
                self._known.clear()
            self._known[whose] = Booking(self._book, *whose)
        self._known[whose].book(items)


class Booking:
    """Books items of one bot.

    Args:
        book: into which.
        account: whose.
        venue: where.
        strategy: of what names none.
    """

    def __init__(self, book: Core, account: str, venue: str, strategy: str) -> None:
        self._book, self._strategy, self._account, self._venue = book, strategy, account, venue
        self._positions = Positions(book, strategy, account, venue)
        self._early: dict[str, int] = {}
        self._own: dict[str, None] = {}
        self._external = External(book, account, venue, strategy)
        self._differences = Differences(book, (account, venue, strategy), self._averages_differ)

    def book(self, items: Iterable[Item]) -> None:
        """Book items in order, each once; what no book can take becomes a break.

        Raises:
            StoreError: the book fails; booking the same items again later is safe.
        """
        plain_facts: list[Any] = []
        for item in items:
            if isinstance(item, _COMPARED):
                self._record(plain_facts)
                plain_facts = []
                self._one(item)
            else:
                plain_facts.append(item)
        self._record(plain_facts)

    def _one(self, item: Item) -> None:
        if isinstance(item, Unbooked):
            self._break(item.what, item.reason, item.instrument, item.raw, item.occurred_ns)
        elif isinstance(item, OrderSeen):
            self._compare(item)
        elif isinstance(item, PositionSeen):
            self._positions.compare(item)
        elif isinstance(item, facts.Fill):
            self._record([self._owned(item)])
        elif isinstance(item, facts.Instrument):
            self._define(item)
        elif isinstance(item, facts.Order):
            self._wish(item)
        elif isinstance(item, facts.OrderUpdate) and self._is_news(item):
            self._record([item])

    def _define(self, found: facts.Instrument) -> None:
        """Record an instrument when the book has none of its symbol.

        One that is there stands: it may be a person's. Where a market gives a contract another size, which happens
        when two venues use one symbol, that is a break: what is traded would be booked in the wrong size.
        """
        there = [item for item in self._book.facts("instrument") if item.symbol == found.symbol]
        if not there:
            self._record([found])
        elif there[-1].contract_size != found.contract_size and found.lot_size is not None:
            reason = (
                f"the book has contracts of {there[-1].contract_size} for {found.symbol}, {self._venue} has"
                f" {found.contract_size}; give one of the two a name of its own with names=… where it is recorded"
            )
            self._break("instrument", reason, found.symbol, {"symbol": found.symbol}, None)

    def _wish(self, wish: facts.Order) -> None:
        """Book an order as it is sent, and with it what came before it under its id."""
        order = self._known("", wish.client_order_id)
        if self._is_sent_again(wish, order):
            return
        self._record([wish])
        if order.body is not None and not order.is_known:
            self._external.claim(self._known("", wish.client_order_id))

    def _is_sent_again(self, wish: facts.Order, order: Known) -> bool:
        """Say whether the book has this order already, sent before under the same id: the bot tries once more."""
        if not order.is_known or order.body is None or order.at == wish.occurred_ns:
            return False
        placed, asked = order.body | order.body.get("placed", {}), fact_data(wish)
        return all((placed.get(name) or None) == (asked.get(name) or None) for name in TERMS)

    def _is_news(self, update: facts.OrderUpdate) -> bool:
        """Say whether an update is to be booked.

        What a failed call makes of its order holds only for the order of that call, and only until the venue has said
        something: the refusal of a second try says nothing of the first.
        """
        sent = update.raw.get(SENT)
        order = self._known("", update.client_order_id)
        if sent is None:
            return order.is_known or update.status not in _OF_ORDERS_THERE
        if not order.is_known or order.at != sent:
            return False
        return order.status in IN_DOUBT or was_never_answered(order.status, order.body or {})

    def _record(self, found: list[Any]) -> None:
        if not found:
            return
        report = self._book.record_many(found)
        for refusal in report.refused:
            self._refused(found[refusal.index], refusal.error)

    def _record_differences(self, found: Iterable[Record]) -> None:
        for command in found:
            try:
                self._book.submit(command)
            except BookError as problem:
                self._refused(command.fact, problem)

    def _refused(self, fact: Any, error: Exception) -> None:
        """Note what the book refuses as a break.

        Raises:
            StoreError: the book failed, which says nothing of the fact.
            ConflictError: so much is booked meanwhile that it must be compared again.
        """
        if isinstance(error, StoreError | ConflictError):
            raise error
        if isinstance(error, RuleError) and isinstance(fact, facts.OrderUpdate | facts.Order):
            _log.debug("%s is not taken: %s", fact, error)  # our wish, and the venue was faster
            return
        at = getattr(fact, "occurred_ns", None)
        told = fact_data(fact) | {"occurred_ns": at}
        self._break(fact.KIND, f"{type(error).__name__}: {error}", getattr(fact, "instrument", ""), told, at)

    def _break(  # noqa: PLR0913  what a break says
        self,
        what: str,
        reason: str,
        instrument: str,
        raw: dict[str, Any],
        at: int | None,
        *,
        kind: str = "unbooked_fact",
        about: str = "",
    ) -> None:
        """Note something that cannot be booked, or is a contradiction, with all that was sent.

        It is noted once; with ``about``, once for that.
        """
        sent = json.dumps(raw, sort_keys=True, default=str)
        key = hashlib.sha256(f"{self._venue}|{self._account}|{what}|{instrument}|{about or sent}".encode()).hexdigest()[
            :32
        ]
        data = {
            "kind": kind,
            "what": what,
            "reason": reason,
            "account": self._account,
            "venue": self._venue,
            "raw": json.loads(sent),
            "key": f"{kind}|{key}",
        }
        if at is not None:
            data["occurred_ns"] = at
        try:
            self._book.note("break_found", data, instrument=instrument, strategy=self._strategy)
        except InputError as problem:
            _log.error("a %s cannot even be noted: %s; %s", what, problem, sent[:1000])

    def _averages_differ(self, seen: OrderSeen, order: Known) -> None:
        reason = f"its average of {seen.average} and the fills in the book contradict one another"
        about = f"average|{order.client_order_id}|{seen.filled}"
        self._break(
            "order", reason, seen.instrument, seen.raw, seen.occurred_ns, kind="order_contradicted", about=about
        )

    # ---- orders ----

    def _known(self, venue_order_id: str, client_order_id: str) -> Known:
        return known_order(self._book, self._account, self._venue, venue_order_id, client_order_id)

    def _contradict(self, order: Known, said: str, instrument: str, raw: dict[str, Any]) -> None:
        """Note that the venue has an order of which the book says that it never came to be there."""
        reason = f"the book has {order.client_order_id} as {order.status}, and {self._venue or 'the venue'} {said}"
        about = f"status|{order.client_order_id}"
        self._break("order", reason, instrument, raw, None, kind="order_contradicted", about=about)

    def _owned(self, fill: facts.Fill) -> facts.Fill:
        """Return an execution with what the book knows of its order: whose it is, and why it was sent."""
        order = self._known(fill.venue_order_id, fill.client_order_id)
        changes: dict[str, Any] = {}
        if order.is_known and order.status in _NEVER_THERE:
            self._contradict(order, "has filled it", fill.instrument, fill.raw)
        if order.is_known and order.body is not None:
            changes = facts_of_order(fill, order.body)
            if fill.client_order_id != order.client_order_id:
                changes["client_order_id"] = order.client_order_id
        elif fill.venue_order_id and fill.occurred_ns is not None:
            self._came_early(fill.venue_order_id, fill.occurred_ns)
        strategy = self._sender(fill, order)
        if strategy != fill.strategy:
            changes["strategy"] = strategy
        if strategy == facts.EXTERNAL and fill.venue_order_id and not order.is_known:
            changes["client_order_id"] = ""  # the book has no such order: the venue's id finds it when it comes
        return fill.replaced(**changes) if changes else fill

    def _sender(self, fill: facts.Fill, order: Known) -> str:
        """Return who sent an execution's order, as far as anybody knows: else it is EXTERNAL's."""
        if order.is_known and (order.strategy != facts.EXTERNAL or not fill.strategy):
            return order.strategy
        if fill.strategy:
            return fill.strategy
        if not self._own.keys().isdisjoint({fill.venue_order_id, fill.client_order_id} - {""}):
            return self._strategy
        self._external.holds(fill.venue_order_id, fill.instrument)
        return facts.EXTERNAL

    def _came_early(self, venue_order_id: str, at: int) -> None:
        """Keep when an order was there by the venue's clock, until the book hears which one it is.

        The book then finds the execution by that time, however far the venue's clock is from ours.
        """
        if len(self._early) >= MAX_EARLY:
            del self._early[next(iter(self._early))]
        self._early[venue_order_id] = min(at, self._early.get(venue_order_id, at))

    def _compare(self, seen: OrderSeen) -> None:
        """Book what an order's description adds, again when others booked of the order meanwhile.

        Raises:
            ConflictError: others did all the while.
        """
        for _ in range(TRIES - 1):
            try:
                self._seen(seen)
            except ConflictError as problem:
                _log.debug("%s", problem)
            else:
                return
        self._seen(seen)

    def _seen(self, seen: OrderSeen) -> None:
        """Book what an order's description adds."""
        order = self._known(seen.venue_order_id, seen.client_order_id)
        if not order.client_order_id:
            self._break("order", "it has no id", seen.instrument, seen.raw, seen.occurred_ns)
            return
        if not self._is_of_its_order(seen, order):
            return  # a second try failed, which says nothing of the first
        if not order.is_known:
            if not self._is_own(seen):
                self._nobodys(seen)
                return
            self._record([*self._made(seen, order.client_order_id)])
            order = self._known(seen.venue_order_id, order.client_order_id)
        is_news = bool(seen.venue_order_id) and not order.is_linked
        if is_news:
            self._external.claim(order, seen.venue_order_id)
            order = self._known(seen.venue_order_id, order.client_order_id)
        self._record([*self._acknowledged(seen, order)])
        if is_news:  # what another process booked just before it could know
            self._external.claim(self._known(seen.venue_order_id, order.client_order_id))
        self._record_differences(self._differences.fills(seen, self._known(seen.venue_order_id, order.client_order_id)))
        self._record([*self._moved(seen, self._known(seen.venue_order_id, order.client_order_id))])

    def _is_own(self, seen: OrderSeen) -> bool:
        """Say whether the bot sent this order, and remember that it did."""
        names = {seen.venue_order_id, seen.client_order_id} - {""}
        if seen.heard:
            return not self._own.keys().isdisjoint(names)
        self._own.update(dict.fromkeys(names))
        while len(self._own) > MAX_OWN:
            del self._own[next(iter(self._own))]
        return True

    def _nobodys(self, seen: OrderSeen) -> None:
        """Book what is filled of an order that no bot recorded."""
        fills = list(self._differences.of_nobodys(seen))
        if fills:
            self._external.holds(seen.venue_order_id, seen.instrument)
            self._record_differences(fills)

    def _is_of_its_order(self, seen: OrderSeen, order: Known) -> bool:
        """Say whether what was seen is about the order in the book, and note when they contradict one another."""
        if not order.is_known:
            return True
        if not seen.venue_order_id and seen.status in {"rejected", "unknown"}:
            return order.status == "pending_new" and not order.is_linked
        lives = seen.filled or seen.status not in {"", *_NEVER_THERE, *OURS}
        if order.status in _NEVER_THERE and not order.is_linked and seen.venue_order_id and lives:
            self._contradict(order, f"says {seen.status or 'filled'}", seen.instrument, seen.raw)
        return True

    def _made(self, seen: OrderSeen, name: str) -> Iterator[facts.Order]:
        quantity, tags = seen.quantity or seen.filled, seen.tags
        if not quantity and seen.cost:
            quantity, tags = self._bought_for(seen.cost, seen), (*tags, BY_COST)
        if not quantity or not seen.instrument or not seen.side:
            return
        yield facts.Order(
            instrument=seen.instrument,
            side=seen.side,
            quantity=quantity,
            kind=seen.kind,
            client_order_id=name,
            account=self._account,
            strategy=self._strategy,
            occurred_ns=self._book.now() if seen.created_ns is None else seen.created_ns,
            venue=self._venue,
            limit_price=seen.limit_price,
            stop_price=seen.stop_price,
            trail_amount=seen.trail_amount,
            trail_ratio=seen.trail_ratio,
            time_in_force=seen.time_in_force,
            reduce_only=seen.reduce_only,
            signal_id=seen.signal_id,
            leg=seen.leg,
            close_reason=seen.close_reason,
            tags=tags,
            raw=seen.raw,
        )

    def _bought_for(self, cost: Decimal, seen: OrderSeen) -> Decimal | None:
        """Return how much an order buys at most for what it spends, by the newest price.

        Without a price that is not known before it was sent, and a number like the cost afterwards, so that the order
        is there and its fills are its bot's.
        """
        prices = [mark.price for mark in self._book.marks() if mark.instrument == seen.instrument]
        price = seen.limit_price or seen.average or (prices[-1] if prices else None)
        if price:
            return multiply(quotient(cost, price), MARGIN)
        return None if seen.status == "pending_new" else cost

    def _acknowledged(self, seen: OrderSeen, order: Known) -> Iterator[facts.OrderUpdate]:
        """Yield the venue's name for the order, when the book does not have it, and that it arrived."""
        if seen.status in OURS - {"pending_cancel"} or (seen.status == "rejected" and not seen.filled):
            return
        unlinked = bool(seen.venue_order_id) and order.body is not None and not order.body.get("venue_order_id")
        if order.body is None or order.status in {"pending_new", "unknown"} or unlinked:
            status = order.status if order.status in TERMINAL | {"partially_filled", "triggered"} else "new"
            early = self._early.get(seen.venue_order_id)
            times = [at for at in (seen.created_ns, early) if at is not None]
            yield self._update(seen, order, status, at=min(times, default=None))

    def _moved(self, seen: OrderSeen, order: Known) -> Iterator[facts.OrderUpdate]:
        """Yield the venue's word on the order's status and terms, when it is news."""
        status, now = seen.status or order.status, order.status
        booked = order.number("filled_quantity")
        if status == "rejected" and (booked or seen.filled):
            status = "canceled"  # rejected after a part was filled: what was filled stands, the rest is off
        if status == "new" and booked:
            status = "partially_filled"
        if now in TERMINAL and status not in TERMINAL:
            return  # an older word that came late
        if status == "filled" and seen.filled and BY_COST in ((order.body or {}).get("tags") or ()):
            seen = seen.replaced(quantity=seen.filled)
        terms = {
            name: value
            for name in ("quantity", "limit_price", "stop_price")
            if (value := getattr(seen, name)) is not None and _differs(order, name, value)
        }
        if not status or (now == status and not terms):
            return
        if now != status and not may_follow(now or "unknown", status) and (status not in TERMINAL or status in OURS):
            if not terms:
                return
            status = now
        yield self._update(seen, order, status, at=seen.occurred_ns, terms=terms)

    def _update(
        self, seen: OrderSeen, order: Known, status: str, *, at: int | None, terms: dict[str, Decimal] | None = None
    ) -> facts.OrderUpdate:
        update = facts.OrderUpdate(
            client_order_id=order.client_order_id,
            status=status,
            account=self._account,
            venue_order_id=seen.venue_order_id,
            reason=seen.reason,
            filled=seen.filled,
            occurred_ns=at,
            raw=seen.raw,
        )
        return update.replaced(**terms) if terms else update


def _differs(order: Known, name: str, value: Decimal) -> bool:
    """Say whether the venue's terms are others than the order's; a market order's are not its own."""
    if order.body is None:
        return False
    text = order.body.get(name)
    return text is not None and Decimal(text) != value


_COMPARED = (OrderSeen, PositionSeen, Unbooked, facts.Fill, facts.Instrument, facts.Order, facts.OrderUpdate)
"""What is compared with the book before it is booked; all else is recorded as it is."""
