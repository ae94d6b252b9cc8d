"""One step of a runner: what the market shows is matched, watched, heard, decided and sent, in this order.

Whatever comes of an event is written together with the place of the event. So after a kill an event is done again
only where nothing had come of it, or with the same names, and nothing is doubled or forgotten.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from onebook.book.core import Core
from onebook.clock import Clock
from onebook.domain import times
from onebook.domain.commands import Command, Protect, Record
from onebook.domain.facts import Fill
from onebook.domain.market import Bar, Seen, last_price
from onebook.domain.numbers import plain
from onebook.errors import InputError, RuleError
from onebook.feed.expiring import Expiring
from onebook.market.calendars import Calendar
from onebook.trading.answers import Answer, Refused
from onebook.trading.brokers.paper_memory import seen_key
from onebook.trading.brokers.port import Broker, Report
from onebook.trading.desk import TradingDesk
from onebook.trading.outbox import Outbox, distinct
from onebook.trading.runner.bests import Bests
from onebook.trading.runner.context import Around
from onebook.trading.runner.crew import Crew, Heard, Hired, Member
from onebook.trading.runner.cursor import Cursor, Keeper
from onebook.trading.runner.windows import Windows
from onebook.trading.runner.wishes import Wishes, command_of
from onebook.trading.splits import applied_behind, known_splits
from onebook.trading.stops import Stops

_log = logging.getLogger("onebook.runner")


@runtime_checkable
class SeesMarket(Protocol):
    """A broker that fills by what the market shows."""

    def see(self, seen: Seen) -> None:
        """Match with what the market shows."""


@runtime_checkable
class EndsSessions(Protocol):
    """A broker that must be told when its market closes."""

    def session_ended(self, now_ns: int) -> None:
        """End what was good for the day."""


class LooksAtTime(Protocol):
    """Acts at moments of its own, such as the end of a session."""

    def look(self, now_ns: int) -> object:
        """Do what is due at a moment."""


class Engine:
    """The parts of one runner, and how they work together.

    Args:
        book: on which it runs.
        desk: of the book.
        hired: its strategies.
        brokers: by account.
        name: of the runner.
        wall: the real time, nanoseconds since 1970 UTC.
        stops: watches stops and targets of positions.
        moments: act at moments of their own; asked with every event.
        sessions: by account, whose sessions end what is good for the day.
    """

    def __init__(  # noqa: PLR0913  the parts
        self,
        book: Core,
        desk: TradingDesk,
        hired: Sequence[Hired],
        brokers: Mapping[str, Broker],
        *,
        name: str,
        wall: Clock,
        stops: Stops | None = None,
        moments: Sequence[LooksAtTime] = (),
        sessions: Mapping[str, Calendar] | None = None,
    ) -> None:
        self._book = book
        self._desk = desk
        self._sessions = [
            (brokers[account], calendar) for account, calendar in (sessions or {}).items() if account in brokers
        ]
        self._name = name
        self._stops = stops
        self._moments = tuple(moments)
        self.windows = Windows()
        for item in hired:
            for instrument in item.strategy.instruments:
                self.windows.want(instrument, item.strategy.timeframe, item.strategy.warm_up)
        self.crew = Crew(book, desk, Around(book=book, windows=self.windows), hired, name)
        self._bests = Bests(book)
        self.keeper = Keeper(book, name, wall, stops, self._bests)
        self.outbox = Outbox(book, brokers, reports=self._reported)
        self._see = [item for item in distinct(brokers) if isinstance(item, SeesMarket)]
        self._expiring = Expiring(book, [(item.strategy.account, item.strategy.name) for item in hired])
        self._cursor = Cursor()
        self._matching: tuple[int, Cursor] | None = None
        self._warm: dict[str, Seen] = {}
        self._before_ns = -1
        self._recovers = False
        self._watched: tuple[int, bool, bool] = (-1, False, False)
        self._split_to = -1

    # ---- the start and the end ----

    def load(self) -> Cursor:
        """Return how far it was; a runner that never ran here begins before everything."""
        self._split_to = self._book.wakeups.look()
        self.windows.split(known_splits(self._book, self.windows.instruments))
        found = self.keeper.load()
        if self._stops is not None:
            self._stops.recall(self.keeper.trails())
        self._bests.recall(self.keeper.bests(), self._split_to)
        self._cursor = found if found is not None else Cursor(heard=self._book.wakeups.look())
        return self._cursor

    def warm(self, seen: Seen) -> None:
        """Take what the market showed before the cursor: it only fills the windows."""
        self.windows.see(seen)
        self._warm[seen.instrument] = seen
        self._before_ns = max(self._before_ns, seen.at_ns)

    def begin(self, mode: str) -> None:
        """Write that it starts, find and send what was left, and let the strategies begin."""
        about = {"runner": self._name, "mode": mode, "strategies": self.crew.names}
        if self._cursor.at_ns >= 0:
            about["from"] = times.to_text(self._cursor.at_ns)
        self._book.note("runner_started", about)
        self._mark_again()
        promised = self.keeper.promised()
        if promised:
            self._fulfil(json.loads(promised), self._cursor)
        self.outbox.connect()
        self._recovers = True
        if self._cursor.is_decided or mode == "live":
            self._recover()
        self._expiring.read()
        self.crew.start(self._book.now(), f"start|{self._cursor.at_ns}")

    def _recover(self) -> None:
        """Find and send what was left. Where an event is done again this comes after it, as it would have come."""
        if self._recovers:
            self._recovers = False
            for found in self.outbox.recover():
                if found.unknown:
                    _log.warning("orders whose fate nobody knows: %s %s", ", ".join(found.unknown), found.problem)

    def _mark_again(self) -> None:
        """Bring the last prices before the cursor back, where a kill took them; stops have met them already."""
        now = self._book.now()
        with self._book.store.reading() as reader:
            held = {row[0]: row[2] for row in reader.marks()}
        missing = [
            (seen.instrument, plain(last_price(seen)), seen.at_ns, self._name, now)
            for seen in self._warm.values()
            if held.get(seen.instrument, -1) < seen.at_ns
        ]
        if missing:
            self._book.store.put_marks(missing, [], wait=True)

    def end(self, reason: str) -> None:
        """Let the strategies end, keep the cursor, write why it stops, and disconnect."""
        self._recover()
        for text in self.windows.lacking:
            _log.warning("no on_bar was called: %s", text)
        self.crew.stop(self._book.now(), reason)
        self.keeper.put(self._cursor)
        self._book.note("runner_stopped", {"runner": self._name, "reason": reason, "strategies": self.crew.names})
        self.crew.rest()

    # ---- one event ----

    def step(self, seen: Seen, number: int, *, matched: int = 0, is_watched: bool = False) -> None:
        """Do everything that comes of one thing that the market shows.

        Args:
            seen: what.
            number: of it among those of the same moment.
            matched: how many brokers have matched it already, before a restart.
            is_watched: the stops have seen it already, before a restart.
        """
        before = self._cursor
        self._end_sessions(seen.at_ns)
        done: dict[str, Any] = {"matched": matched, "is_watched": is_watched, "is_decided": False}
        cursor = Cursor(at_ns=seen.at_ns, number=number, heard=before.heard, **done)
        for index, broker in enumerate(self._see[matched:], matched + 1):
            cursor = replace(cursor, matched=index)
            self._matching = (threading.get_ident(), cursor)
            try:
                broker.see(seen)
            finally:
                self._matching = None
        self._follow_splits()
        bars = self.windows.see(seen)
        key = f"{seen.instrument}|{seen.at_ns}|{number}|{seen_key(seen)}"
        self._go_on(cursor, key, seen, bars)

    def _end_sessions(self, now_ns: int) -> None:
        """Tell brokers of every close since the last event: what is good for the day meets nothing after it."""
        for broker, calendar in self._sessions if self._before_ns >= 0 else ():
            for session in calendar.sessions(self._before_ns - times.DAY, now_ns):
                if self._before_ns <= session.closes_ns < now_ns and isinstance(broker, EndsSessions):
                    self.keeper.put(self._cursor)
                    broker.session_ended(session.closes_ns)

    def tick(self) -> None:
        """Do what is due by the clock though the market shows nothing."""
        now = self._book.now()
        self._end_sessions(now)
        self._follow_splits()
        bars = self.windows.tick(now)
        self._go_on(replace(self._cursor, is_decided=False), f"tick|{now}", None, bars)

    def _go_on(self, cursor: Cursor, key: str, seen: Seen | None, bars: Sequence[Bar]) -> None:
        now = self._book.now()
        head = self._book.wakeups.look()
        protected, limited = self._look_at_book(head)
        if protected or limited or self._moments or self._expiring.is_due(now):
            self.keeper.put(cursor)  # what these do is not done twice, and nothing before it is heard anew
        if seen is not None:
            if self._stops is not None and not cursor.is_watched:
                cursor = self._watch(self._stops, seen, cursor)
            self._book.mark(seen.instrument, last_price(seen), at=seen.at_ns, source=self._name)
        if limited:
            self._desk.check()
        for moment in self._moments:
            moment.look(now)
        self._expiring.look(now)
        fills, heard_to = self._fills(cursor.heard)
        self._bests.follow(fills)
        if seen is not None:
            self._bests.see(seen.instrument, last_price(seen), seen.at_ns)
        heard = Heard(key=key, now_ns=now, before_ns=self._before_ns, seen=seen, bars=bars, fills=fills)
        wishes, failed = self.crew.hear(heard)
        for member, problem in failed:
            self.keeper.put(cursor)
            self.crew.fail(member, problem, key)
        decided = replace(cursor, is_decided=True, heard=heard_to)
        self._commit(wishes, cursor, decided)
        self._cursor = decided
        self._before_ns = max(self._before_ns, now)
        if self._recovers:
            self.keeper.put(decided)
            self._recover()
        else:  # whoever wrote it: the venue's answer must not find the strategies hearing this event again
            self.outbox.pump(before=lambda: self.keeper.put(decided))

    def _watch(self, stops: Stops, seen: Seen, cursor: Cursor) -> Cursor:
        """Show an event to the stops; a trail that it moved is kept with the place, so that it meets it only once."""
        watched = replace(cursor, is_watched=True)
        stops.see(seen, along=lambda: self.keeper.along(watched))
        if not self.keeper.has_trails:
            self.keeper.put(watched)
        return watched

    def _look_at_book(self, head: int) -> tuple[bool, bool]:
        """Return whether positions are protected, and whether there is a limit of loss; read when the log has grown."""
        if self._watched[0] != head:
            protected = self._stops is not None and bool(self._desk.protections())
            limited = any(
                item.max_daily_loss is not None or item.max_drawdown is not None for item in self._desk.limits
            )
            self._watched = (head, protected, limited)
        return self._watched[1], self._watched[2]

    def _fills(self, after: int) -> tuple[list[Fill], int]:
        """Return what filled since a sequence for the strategies here, and the sequence up to which that is all."""
        head = self._book.wakeups.look()
        if head == after:
            return [], after
        found: list[Fill] = []
        events = self._book.events(after=after, types="trade_executed", strategies=self.crew.names)
        for event in {event.sequence: event for event in events}.values():
            at = times.from_datetime("occurred_at", event.occurred_at)
            around: dict[str, Any] = {"since": at, "until": at + 1000}
            listed = self._book.fills(account=event.account, strategy=event.strategy, **around)
            found += [item.fill for item in listed if item.sequence == event.sequence]
            head = max(head, event.sequence)
        return found, head

    def _follow_splits(self) -> None:
        """Bring the windows and best marks into the units of now when the book has taken in a split."""
        before, self._split_to = self._split_to, self._book.wakeups.look()
        if before != self._split_to:
            splits = [item.split for item in applied_behind(self._book, before)]
            self.windows.split(splits)
            self._bests.split([split.instrument for split in splits], self._split_to)

    # ---- what is wished for ----

    def _commit(self, wishes: list[Wishes], cursor: Cursor, decided: Cursor) -> None:
        """Record and place everything that was wished for, together with the cursor."""
        signals = [signal for wish in wishes for signal in wish.signals]
        if signals:
            self._book.submit(*[Record(signal) for signal in signals], along=self.keeper.along(cursor))
            for signal in signals:
                self._expiring.add(signal)
        others = [other for wish in wishes for other in wish.others]
        if any(wish.orders for wish in wishes):
            promise = json.dumps(others) if others else ""
            self._place(wishes, self.keeper.along(decided, promise=promise), cursor)
        if others:
            self._fulfil(others, decided)
        else:
            self.keeper.put_sometimes(decided)

    def _place(self, wishes: list[Wishes], along: Callable[[Any], None], cursor: Cursor) -> None:
        orders = [order for wish in wishes for order in wish.orders]
        try:
            self._tell(self._desk.place(*orders, along=along))
        except (InputError, RuleError):
            self.keeper.put(cursor)
            for wish in wishes:  # one of them wished for what cannot be: find out which
                try:
                    if wish.orders:
                        self._tell(self._desk.place(*wish.orders, along=self.keeper.along(cursor)))
                except (InputError, RuleError) as problem:
                    self.crew.fail(self._member(wish.strategy), problem, wish.event)

    def _member(self, name: str) -> Member:
        return next(member for member in self.crew.members if member.strategy.name == name)

    def _tell(self, answers: Answer | tuple[Answer, ...]) -> None:
        for answer in answers if isinstance(answers, tuple) else (answers,):
            if isinstance(answer, Refused):
                order = answer.order
                _log.warning(
                    "%s: %s %s refused (%s): %s",
                    order.strategy,
                    order.side,
                    order.instrument,
                    answer.reason,
                    answer.text,
                )

    def _fulfil(self, others: list[dict[str, Any]], decided: Cursor) -> None:
        """Do what was wished for beside orders, all of it or, where something became impossible, each for itself."""
        try:
            self._book.submit(*[self._command(item) for item in others], along=self.keeper.along(decided, done=True))
        except (InputError, RuleError):
            self._book.submit(along=self.keeper.along(decided, promise=json.dumps(others)))
            for item in others:
                try:
                    self._book.submit(self._command(item))
                except (InputError, RuleError) as problem:
                    _log.warning("a wish came too late: %s", problem)
            self._book.submit(along=self.keeper.along(decided, done=True))

    def _command(self, what: dict[str, Any]) -> Command:
        command = command_of(what, self._desk.replacing)
        if isinstance(command, Protect):
            place = (command.account, command.strategy, command.leg)
            return replace(command, best=self._bests.best(command.instrument, *place))
        return command

    def _reported(self, reports: Sequence[Report]) -> None:
        """Record what a venue says, in one transaction, with the place of the event that brought it."""
        matching = self._matching
        along: Callable[[Any], None] = lambda _store: None  # noqa: E731  one line beside its use
        if matching is not None and matching[0] == threading.get_ident():
            along = self.keeper.along(matching[1])
        self._book.submit(*[Record(item) for item in reports], along=along)
