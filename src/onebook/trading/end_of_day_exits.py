"""The exits of an end of day: whose, how much, under which name, and when one is tried again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256

from onebook.book.core import Core
from onebook.domain import times
from onebook.domain.commands import Note
from onebook.domain.decide.orders import ORDER
from onebook.domain.facts import Order, OrderUpdate
from onebook.domain.identity import identity_text
from onebook.domain.numbers import ZERO, absolute, subtract
from onebook.domain.orders import CANCELABLE, TERMINAL
from onebook.domain.reports import OrderState, Position
from onebook.market.calendars import Session
from onebook.store.codec import decode
from onebook.store.port import Store
from onebook.trading.answers import Answer, Refused
from onebook.trading.gate import Gate

DONE = "end_of_day"

RETRY_NS = 10 * times.SECOND
MAX_TRIES = 5
"""An exit that its venue did not take is tried again after a while, and so often in all."""

_MAX_EXITS = 1000
_FAILED = frozenset({"rejected", "canceled", "expired"})
_PASSING = frozenset({"nothing_to_reduce", "conflict"})
"""Answers on an exit that somebody else has placed, or that has filled, meanwhile."""


@dataclass(frozen=True, slots=True)
class Close:
    """One close of one rule.

    Attributes:
        rule: its name.
        covers: says whether it is about an (account, strategy, instrument).
        session: the one that is closed.
        current: the one that the market is in.
        late: it is done after the close.
    """

    rule: str
    covers: Callable[[str, str, str], bool]
    session: Session
    current: Session
    late: bool = False

    @property
    def day(self) -> str:
        """The day of the session that is closed."""
        return self.session.day.isoformat()

    @property
    def key(self) -> str:
        """What makes it happen once."""
        return identity_text(DONE, self.rule, self.day, *(["late"] if self.late else []))

    @property
    def when(self) -> str:
        """Of which close it is, for people."""
        return f"{'since' if self.late else 'before'} the close of {self.day}"

    @property
    def prefix(self) -> str:
        """How the ids of its exits begin: short, so that every venue takes them."""
        return f"eod-{self.session.day:%Y%m%d}-{_digest(self.key)[:6]}"

    def exit_id(self, held: Position, number: int) -> str:
        """Return the id of a position's n-th exit."""
        place = identity_text(held.account, held.instrument, held.strategy or "", held.leg)
        return f"{self.prefix}{_digest(place)[:8]}-{number}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class _Plan:
    """What a look at the book gave: exits with their positions, what cannot be closed now, and what that waits for.

    ``head`` is where the log ended then; ``untraded`` are instruments without a price in this session; ``retry_ns`` is
    when an exit may be tried again.
    """

    key: str = ""
    head: int = -1
    wanted: list[tuple[Order, Position]] = field(default_factory=list)
    kept: list[Position] = field(default_factory=list)
    untraded: set[str] = field(default_factory=set)
    retry_ns: int | None = None


class _Overtaken(Exception):
    """The book has changed since it was looked at."""


class Exits:
    """Places the exits of closes, and says what stays.

    Args:
        book: whose positions.
        gate: its order gate.
    """

    def __init__(self, book: Core, gate: Gate) -> None:
        self._book = book
        self._gate = gate
        self._plans: dict[str, _Plan] = {}

    def may_differ(self, close: Close, now_ns: int) -> bool:
        """Say whether another look at a close may find something to do."""
        plan = self._plans.get(close.rule, _Plan())
        if plan.key != close.key or plan.head != self._book.wakeups.look():
            return True
        if plan.retry_ns is not None and not plan.retry_ns - RETRY_NS <= now_ns < plan.retry_ns:
            return True
        return bool(plan.untraded) and any(
            mark.instrument in plan.untraded and times.from_datetime("at", mark.at) >= close.current.opens_ns
            for mark in self._book.marks()
        )

    def count(self, close: Close, since_ns: int) -> int:
        """Return how many exits of a close were placed and not denied, since a moment."""
        found = self._book.orders(since=times.to_datetime(since_ns))
        return sum(item.status != "denied" and item.client_order_id.startswith(close.prefix) for item in found)

    def held(self, close: Close) -> list[Position]:
        """Return what a close is about: what it covers; of a late one what was held over the close."""
        found = [
            item for item in self._book.positions() if close.covers(item.account, item.strategy or "", item.instrument)
        ]
        return [item for item in found if _opened_ns(item) < close.session.closes_ns] if close.late else found

    def take_back(self, close: Close, held: Sequence[Position]) -> None:
        """Ask for the end of open orders, so that nothing opens or closes behind the exits.

        What leaves at the market already is let go. A late close leaves the orders of the new session alone.
        """
        updates = []
        for order in self._book.orders(is_open=True):
            own = [item for item in held if _is_of(order, item)]
            if order.status not in CANCELABLE or any(_leaves(order, item) for item in own):
                continue
            if own or (not close.late and close.covers(order.account, order.strategy, order.instrument)):
                updates.append(
                    OrderUpdate(
                        client_order_id=order.client_order_id,
                        account=order.account,
                        status="pending_cancel",
                        reason="end of day",
                    )
                )
        if updates:
            self._book.record_many(updates)  # one that has ended meanwhile is refused, and that is well

    def place(self, close: Close, now_ns: int) -> tuple[list[Answer], list[Position]]:
        """Place the exits that are wanted; return the gate's answers, and what cannot be closed now."""
        for last in (False, False, False, False, True):
            plan = self._plans[close.rule] = self._plan(close, now_ns)
            along = None if last else _unless_overtaken(plan.head + len(plan.wanted))
            try:
                answers = self._gate.place([order for order, _ in plan.wanted], along=along) if plan.wanted else []
            except _Overtaken:
                continue
            for item in plan.kept:
                if item.instrument in plan.untraded and not close.late:
                    self.keep(close, item, f"cannot be closed {close.when}: it has not traded in this session")
            kept = list(plan.kept)
            for answer, (_, item) in zip(answers, plan.wanted, strict=True):
                if isinstance(answer, Refused) and answer.reason not in _PASSING:
                    self.keep(close, item, f"cannot be closed {close.when}: {answer.text}")
                    kept.append(item)
            return answers, kept
        raise AssertionError("the last try is not checked")

    def _plan(self, close: Close, now_ns: int) -> _Plan:
        """Look at the book and say what is to be done."""
        plan = _Plan(close.key, self._book.wakeups.look())
        held = self.held(close)
        orders = self._book.orders(is_open=True) if held else []
        marked = {mark.instrument: times.from_datetime("at", mark.at) for mark in self._book.marks()} if held else {}
        for item in held:
            if max(marked.get(item.instrument, 0), _opened_ns(item)) < close.current.opens_ns:
                plan.kept.append(item)
                plan.untraded.add(item.instrument)
                continue
            rest = absolute(item.quantity)
            for order in orders:
                if _leaves(order, item):
                    rest = subtract(rest, subtract(order.order.quantity, order.filled_quantity))
            if rest <= ZERO:
                continue
            exits = self._exits_so_far(close, item)
            leaving = _exit(close.exit_id(item, len(exits) + 1), item, rest)
            again_ns = _again_ns(exits)
            may_try = again_ns is not None and not again_ns - RETRY_NS <= now_ns < again_ns
            if not may_try or (exits and exits[-1][1] == "denied" and not self._gate.may(leaving).ok):
                plan.kept.append(item)
                if again_ns:
                    plan.retry_ns = min(again_ns, plan.retry_ns or again_ns)
            else:
                plan.wanted.append((leaving, item))
        return plan

    def _exits_so_far(self, close: Close, item: Position) -> list[tuple[int, str, str]]:
        """Return (when, status, reason) of the exits that were placed for a position in this close."""
        found: list[tuple[int, str, str]] = []
        with self._book.store.reading() as reader:
            while len(found) < _MAX_EXITS:
                row = reader.record(ORDER, item.account, close.exit_id(item, len(found) + 1), None)
                if row is None:
                    break
                found.append((row[0], row[4], str(decode(row[1]).get("reason", ""))))
        return found

    def keep(self, close: Close, item: Position, what: str) -> None:
        """Report once that a position stays."""
        place = (item.account, item.instrument, item.strategy or "", item.leg)
        data = {
            "kind": "end_of_day_kept",
            "subject": item.instrument,
            "text": f"{item.instrument} {what}",
            "day": close.day,
            "key": identity_text("end_of_day_kept", close.rule, close.day, *place),
        }
        self._book.submit(Note("alert_raised", data, *place[:3]))

    def fate(self, close: Close, item: Position) -> str:
        """Say why a position was not closed in time."""
        exits = self._exits_so_far(close, item)
        if not exits:
            return "it was opened too late, or could not be closed"
        name = close.exit_id(item, len(exits))
        _, status, reason = exits[-1]
        if status not in TERMINAL:
            return f"its exit {name} has not filled"
        return f"its exit {name} was {status}{': ' if reason else ''}{reason}"


def _unless_overtaken(head: int) -> Callable[[Store], None]:
    """Return what undoes a transaction after which the log does not end where it should."""

    def check(store: Store) -> None:
        if store.head()[0] != head:
            raise _Overtaken

    return check


def _opened_ns(held: Position) -> int:
    return 0 if held.opened_at is None else times.from_datetime("opened_at", held.opened_at)


def _is_of(order: OrderState, item: Position) -> bool:
    """Say whether an order is about a position; a leg counts in an account that keeps legs."""
    same = (order.account, order.instrument, order.strategy) == (item.account, item.instrument, item.strategy or "")
    return same and item.leg in {"", order.leg}


def _leaves(order: OrderState, item: Position) -> bool:
    """Say whether an order takes off a position at the market, without waiting for anything."""
    against = order.side == ("sell" if item.quantity > ZERO else "buy")
    return against and order.kind == "market" and not order.parent_id and _is_of(order, item)


def _again_ns(exits: Sequence[tuple[int, str, str]]) -> int | None:
    """Return when a position may get another exit: 0 for at once, None for not any more."""
    failed = [at for at, status, _ in exits if status in _FAILED]
    if len(failed) >= MAX_TRIES or len(exits) >= _MAX_EXITS:
        return None
    return failed[-1] + RETRY_NS if failed and exits[-1][1] in _FAILED else 0


def _exit(client_order_id: str, held: Position, quantity: Decimal) -> Order:
    return Order(
        instrument=held.instrument,
        side="sell" if held.quantity > ZERO else "buy",
        quantity=quantity,
        client_order_id=client_order_id,
        account=held.account,
        strategy=held.strategy or "",
        leg=held.leg,
        reduce_only=True,
        close_reason="end_of_day",
    )
