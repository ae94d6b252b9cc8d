"""Runs strategies on a book: over history at any speed, or live. Everything happens on the thread that calls it."""

import logging
import os
import queue
import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from onebook.book.core import Core
from onebook.clock import Clock, system_clock
from onebook.domain import times
from onebook.domain.market import Seen
from onebook.errors import BadConfig, BookError
from onebook.feed.missing_fills import AFTER_SECONDS, MissingFills
from onebook.market.calendars import Calendar
from onebook.market.port import MarketData
from onebook.market.timeframes import length_ns
from onebook.trading.brokers.port import Broker
from onebook.trading.desk import TradingDesk
from onebook.trading.runner.clock import ReplayClock
from onebook.trading.runner.crew import Hired
from onebook.trading.runner.engine import Engine, LooksAtTime
from onebook.trading.runner.lease import LEASE_SECONDS, Lease
from onebook.trading.runner.strategy import Strategy
from onebook.trading.stops import Stops

MAX_WAITING = 10_000
"""What the market shows and waits to be dealt with, live; the source waits when there is more."""

TICK_SECONDS = 1.0
BEAT_NS = 10 * times.SECOND

LEAVE_NS = 180 * times.SECOND
"""How long a live runner whose strategies have all failed waits until what is to be flattened is closed."""

LOOK_NS = times.SECOND
_log = logging.getLogger("onebook.runner")


class Runner:
    """Strategies at work on a book.

    Args:
        book: on which. For a replay it was opened with ``clock``.
        strategies: which; with ``Hired`` where one is to be flattened when it raises.
        brokers: by account.
        name: of the runner; only one of a name runs on a book at a time.
        clock: of a replay; None for live.
        desk: the book's ``trading``; None makes one.
        stops: watches stops and targets of positions; None: the desk's.
        moments: act at moments of their own, such as an ``EndOfDay``.
        sessions: by account, whose sessions end orders that are good for the day; without one they do not end.
        wall: the real time, nanoseconds since 1970 UTC.
        lease_seconds: how long the name of a runner that died stays taken.
        break_after_seconds: live, what a venue says has filled is a break when no fill came for so long; 0: never.
        progress: called with the number of events done and the time of the last one.

    Raises:
        BadConfig: two strategies have one name in one account, or one trades where there is no broker.
    """

    def __init__(  # noqa: PLR0913  the parts of a runner, by name
        self,
        book: Core,
        strategies: Iterable[Strategy | Hired],
        brokers: Mapping[str, Broker],
        *,
        name: str = "runner",
        clock: ReplayClock | None = None,
        desk: TradingDesk | None = None,
        stops: Stops | None = None,
        moments: Sequence[LooksAtTime] = (),
        sessions: Mapping[str, Calendar] | None = None,
        wall: Clock = system_clock,
        lease_seconds: float = LEASE_SECONDS,
        break_after_seconds: float = AFTER_SECONDS,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._book = book
        self._clock = clock
        self._wall = wall
        self._progress = progress or (lambda _done, _at_ns: None)
        self.name = name
        self._hired = [item if isinstance(item, Hired) else Hired(strategy=item) for item in strategies]
        _check(self._hired, brokers)
        trading: TradingDesk = desk or getattr(book, "trading", None) or TradingDesk(book)
        self._engine = Engine(
            book,
            trading,
            self._hired,
            brokers,
            name=name,
            wall=wall,
            stops=stops or trading.stops,
            moments=moments,
            sessions=sessions,
        )
        holder = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._lease = Lease(book, name, holder, wall, seconds=lease_seconds)
        self._missing = MissingFills(book, break_after_seconds)
        self._ends = threading.Event()
        self._reason = ""
        self._is_begun = self._is_live = False
        self._leaves_by: int | None = None
        self.events = 0

    def stop(self, reason: str = "asked to") -> None:
        """Let it end after the event at which it is; from any thread, or a signal's handler."""
        self._reason = self._reason or reason
        self._ends.set()

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop: it ends after the event at which it is."""
        return self._ends.is_set()

    @property
    def is_well(self) -> bool:
        """Whether a strategy still runs, or ended without having failed."""
        return self._engine.crew.is_active

    # ---- history ----

    def replay(
        self,
        events: Iterable[Seen],
        *,
        since_ns: int | None = None,
        until_ns: int | None = None,
        speed: float = 0,
    ) -> str:
        """Go over history, from where it was; return why it ended: ``end of the data`` when all is done.

        Args:
            events: what the market showed, in order of time; each time the same, from the first bar of the warm-up on.
            since_ns: what was before only fills the windows.
            until_ns: what comes at or after it is left out.
            speed: seconds of history in a second; 0: as fast as it goes.

        Raises:
            BadConfig: the book was opened with another clock.
            ConflictError: a runner of this name runs on the book.
        """
        clock = self._replay_clock()
        with self._running():
            cursor = self._engine.load()
            clock.move(max(cursor.at_ns, 0))
            for seen, number in numbered(events):
                if until_ns is not None and seen.at_ns >= until_ns:
                    break
                place = (seen.at_ns, number)
                is_done = place < cursor.place or (place == cursor.place and cursor.is_decided)
                if is_done or (since_ns is not None and seen.at_ns < since_ns):
                    self._engine.warm(seen)
                    continue
                if not self._is_begun:
                    clock.move(seen.at_ns if cursor.at_ns < 0 else cursor.at_ns)
                    self._begin("replay")
                if self._waits(seen.at_ns - clock(), speed):
                    break
                clock.move(seen.at_ns)
                is_again = place == cursor.place
                self._engine.step(
                    seen,
                    number,
                    matched=cursor.matched if is_again else 0,
                    is_watched=is_again and cursor.is_watched,
                )
                self._done(seen.at_ns)
            if not self._is_begun:
                self._begin("replay")
            return self._end(self._reason or "end of the data")

    def _replay_clock(self) -> ReplayClock:
        clock = self._clock
        if clock is None:
            raise BadConfig("clock: a replay needs one; hand in the ReplayClock that the book was opened with")
        clock.move(clock() + 1)
        if self._book.now() != clock():
            raise BadConfig("clock: the book was opened with another clock; open it with clock=… of the runner")
        return clock

    def _waits(self, ahead_ns: int, speed: float) -> bool:
        """Wait until an event is due at this speed; say whether the runner was stopped meanwhile."""
        if self._ends.is_set():
            return True
        left = ahead_ns / times.SECOND / speed if speed > 0 else 0.0
        while left > 0 and not self._ends.wait(min(left, TICK_SECONDS)):
            left -= TICK_SECONDS
            self._lease.renew()
        return self._ends.is_set()

    # ---- live ----

    def live(self, source: MarketData, instruments: Collection[str] | None = None) -> str:
        """Go on with what a source shows from now on, until it is stopped; return why it ended.

        What the market showed while nobody ran only fills the windows.

        Args:
            source: streams, and gives the bars of the warm-up.
            instruments: of it; None: those of the strategies.

        Raises:
            SourceError: the source does not answer at the start.
            ConflictError: a runner of this name runs on the book.
        """
        wanted = sorted({name for item in self._hired for name in item.strategy.instruments})
        inbox: queue.Queue[Seen] = queue.Queue(MAX_WAITING)
        with self._running():
            self._engine.load()
            self._warm_up(source)
            self._begin("live")
            self._engine.outbox.follow()
            self._engine.crew.beat()
            subscription = source.stream(instruments if instruments is not None else wanted, self._deliver_to(inbox))
            try:
                self._live(inbox)
            finally:
                self._ends.set()
                subscription.close()
            return self._end(self._reason or "stopped")

    def _live(self, inbox: "queue.Queue[Seen]") -> None:
        beaten = looked = self._wall()
        last = (-1, 0)
        while not self._ends.is_set():
            try:
                seen = inbox.get(timeout=TICK_SECONDS)
            except queue.Empty:
                self._engine.tick()
            else:
                last = (seen.at_ns, last[1] + 1 if seen.at_ns == last[0] else 1)
                self._engine.step(seen, last[1])
                self._done(seen.at_ns)
            if self._wall() - beaten >= BEAT_NS:
                beaten = self._wall()
                self._engine.crew.beat()
            if self._wall() - looked >= LOOK_NS:
                looked = self._wall()
                self._missing.look(self._book.now())
            self._lease.renew()
            self._check_crew()

    def _deliver_to(self, inbox: "queue.Queue[Seen]") -> Callable[[Seen], None]:
        def deliver(seen: Seen) -> None:
            while not self._ends.is_set():
                with suppress(queue.Full):
                    inbox.put(seen, timeout=TICK_SECONDS)
                    return

        return deliver

    def _warm_up(self, source: MarketData) -> None:
        """Fill the windows with bars of the source's history."""
        now = self._book.now()
        sizes: dict[tuple[str, str], int] = {}
        for item in self._hired:
            for instrument in item.strategy.instruments:
                place = (instrument, item.strategy.timeframe)
                sizes[place] = max(sizes.get(place, 0), item.strategy.warm_up)
        for (instrument, timeframe), size in sizes.items():
            if not size:
                continue
            reach = length_ns(timeframe) * (size + 2)
            bars = source.bars(instrument, timeframe, now - reach, now)
            if len(bars) < size:  # markets close: look further back
                bars = source.bars(instrument, timeframe, now - 2 * reach - 7 * times.DAY, now)
            for bar in bars:
                self._engine.windows.see(bar)

    # ---- around ----

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Hold the lease; when something cannot be done, end as well as that goes, and say why."""
        self._lease.take()
        self._lease.keep()
        self._is_begun = False
        try:
            yield
        except BookError as problem:
            _log.error("runner %s ends: %s", self.name, problem)
            with suppress(BookError):
                self._end(f"{problem.code}: {problem}"[:500])
            raise
        finally:
            self._engine.outbox.close()
            with suppress(BookError):
                self._lease.release()

    def _begin(self, mode: str) -> None:
        self._is_begun = True
        self._is_live = mode == "live"
        self._engine.begin(mode)
        self._check_crew()

    def _end(self, reason: str) -> str:
        if self._is_begun and self._lease.held:  # who lost the lease writes nothing more
            self._engine.end(reason)
        return reason

    def _done(self, at_ns: int) -> None:
        self.events += 1
        self._progress(self.events, at_ns)
        self._lease.renew()
        self._check_crew()

    def _check_crew(self) -> None:
        """End when all strategies have failed: exits of those to be flattened get prices before, for a bounded time."""
        crew = self._engine.crew
        if crew.is_active:
            return
        self._reason = self._reason or "all strategies have failed"
        if self._leaves_by is None:
            self._leaves_by = self._wall() + LEAVE_NS
        if not crew.is_leaving or (self._is_live and self._wall() >= self._leaves_by):
            self._ends.set()


def numbered(events: Iterable[Seen]) -> Iterator[tuple[Seen, int]]:
    """Yield events with their number among those of the same moment, from 1."""
    at_ns, number = -1, 0
    for seen in events:
        number = number + 1 if seen.at_ns == at_ns else 1
        at_ns = seen.at_ns
        yield seen, number


def _check(hired: Sequence[Hired], brokers: Mapping[str, Broker]) -> None:
    names = [item.strategy.name for item in hired]
    for item in hired:
        name, account = item.strategy.name, item.strategy.account
        if names.count(name) > 1:
            msg = f"strategy {name}: there are two of that name; the book keeps what they do by it"
            raise BadConfig(msg, strategy=name)
        if account not in brokers:
            msg = (
                f"strategy {name}: nobody trades account {account!r}; there are {', '.join(sorted(brokers)) or 'none'}"
            )
            raise BadConfig(msg, strategy=name)
        if item.on_error not in {"stop", "flatten"}:
            msg = f"strategy {name}: on_error is {item.on_error!r}; it may be stop or flatten"
            raise BadConfig(msg, strategy=name)
