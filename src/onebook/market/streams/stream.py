"""A stream: one thread with an event loop per venue that keeps a connection alive, and a thread that delivers.

A connection that breaks, or is silent for too long while the venue is open, is made anew, with waits that double and
vary, until the stream is closed. After each new connection the gap is filled from the venue's history: what was missed
is delivered once, in its order, before what comes live. What is not certain is reported as trouble.
"""

import asyncio
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from onebook.clock import Clock
from onebook.domain.market import Quote, Seen
from onebook.errors import BookError, SourceError, SourceTimeout
from onebook.market.streams.connection import Connection, History
from onebook.market.streams.filling import Filler
from onebook.market.streams.lane import Lane
from onebook.market.streams.outbox import Outbox
from onebook.market.streams.rules import OnTrouble, StreamRules

CLOSE_SECONDS = 10.0
"""How long a connection may take to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSource:
    """What a stream needs of a venue.

    Attributes:
        name: of the venue, for threads and messages.
        connect: makes a new connection; called on the event loop of the stream.
        history: fills gaps.
        clock: gives the moment, nanoseconds since 1970 UTC.
        random: gives a number from 0 to 1, to spread waits.
        check: raises ``UnknownInstrument`` for what the venue does not have; may block.
        is_open: says whether the venue should be showing something at a moment; silence is no trouble while not.
        is_consecutive: the venue's ids of prints count up by one per instrument.
    """

    name: str
    connect: Callable[[], Connection]
    history: History
    clock: Clock
    random: Callable[[], float]
    check: Callable[[Collection[str]], None] = lambda _: None
    is_open: Callable[[int], bool] = lambda _: True
    is_consecutive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """A stream in numbers, since it began.

    Attributes:
        state: ``connecting live waiting closed``.
        instruments: that it streams.
        connections: attempts to connect.
        messages: that came live.
        delivered: handed to the consumer, without error.
        conflated: replaced by a newer one before the consumer had time.
        dropped: prints and final bars lost because the consumer lagged too far.
        duplicates: that came again, and were not delivered again.
        filled: fetched from history after a gap.
        gaps: gaps of which it is not certain that they were filled.
        errors: times that the consumer raised.
        last_error: what it raised last.
        last_trouble: of the connection, the last.
    """

    state: str
    instruments: tuple[str, ...]
    connections: int
    messages: int
    delivered: int
    conflated: int
    dropped: int
    duplicates: int
    filled: int
    gaps: int
    errors: int
    last_error: str
    last_trouble: str


class Stream:
    """A running stream; a ``Subscription``.

    Args:
        source: the venue.
        deliver: given each thing that the market shows, one at a time, on a thread of the stream.
        rules: how it behaves.
        on_trouble: told what goes wrong.
    """

    def __init__(
        self,
        source: StreamSource,
        deliver: Callable[[Seen], None],
        *,
        rules: StreamRules | None = None,
        on_trouble: OnTrouble | None = None,
    ) -> None:
        self._source = source
        self._rules = rules or StreamRules()
        self._outbox = Outbox(deliver, self._rules, on_trouble or (lambda _kind, _text: None), f"{source.name} out")
        self._filler = Filler(source.history, self._outbox, self._rules, source.clock)
        self._lanes: dict[str, Lane] = {}
        self._fills: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event
        self._broken: asyncio.Future[BaseException]
        self._connection: Connection | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{source.name} stream", daemon=True)
        self._state = "connecting"
        self._connections = self._messages = self._duplicates = 0
        self._heard_at = 0.0
        self._last_trouble = ""

    # ---- for its owner, from any thread ----

    def start(self, instruments: Collection[str]) -> "Stream":
        """Begin to stream these; return the stream.

        Raises:
            UnknownInstrument: the venue does not have one.
        """
        self._source.check(instruments)
        self._add_lanes(instruments)
        self._outbox.start()
        self._thread.start()
        self._ready.wait()
        return self

    def add(self, instruments: Collection[str]) -> None:
        """Stream these too, from now on.

        Raises:
            UnknownInstrument: the venue does not have one.
        """
        self._source.check(instruments)
        self._post(self._add, tuple(instruments))

    def remove(self, instruments: Collection[str]) -> None:
        """Stream these no more."""
        self._post(self._remove, tuple(instruments))

    def close(self) -> None:
        """End it, and wait until nothing is delivered any more."""
        self._outbox.close()
        self._post(self._stop)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def status(self) -> StreamStatus:
        """Return it in numbers."""
        lanes = list(self._lanes.values())
        return StreamStatus(
            state="closed" if self._outbox.is_closed else self._state,
            instruments=tuple(lane.instrument for lane in lanes),
            connections=self._connections,
            messages=self._messages,
            delivered=self._outbox.delivered,
            conflated=self._outbox.conflated,
            dropped=self._outbox.dropped,
            duplicates=self._duplicates + sum(lane.duplicates for lane in lanes),
            filled=self._filler.filled,
            gaps=self._filler.gaps,
            errors=self._outbox.errors,
            last_error=self._outbox.last_error,
            last_trouble=self._last_trouble,
        )

    def _post(self, work: Callable[..., None], *given: Any) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(work, *given)

    def _stop(self) -> None:
        self._stopping.set()

    # ---- told by the connection, on the loop ----

    def opened(self) -> None:
        """It is connected: fill what was missed."""
        self._state = "live"
        for lane in self._lanes.values():
            if lane.opened(self._source.clock()):
                self._fill(lane)

    def seen(self, seen: Seen) -> None:
        """The market showed this."""
        self._messages += 1
        self._heard_at = asyncio.get_running_loop().time()
        lane = self._lanes.get(seen.instrument)
        if lane is None:
            return  # it was removed
        if isinstance(seen, Quote):
            self._outbox.put(seen)
        elif lane.is_filling:
            lane.hold(seen)
        elif lane.has_hole_before(seen):
            lane.hold(seen)
            self._fill(lane)
        elif lane.take(seen):
            self._outbox.put(seen)

    def refused(self, instrument: str, text: str) -> None:
        """The venue does not stream it."""
        self._drop(instrument)
        self._outbox.tell("refused", f"{instrument}: {text}; it is streamed no more, the others go on")

    # ---- on the loop ----

    def _run(self) -> None:
        asyncio.run(self._live())

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._loose_end)
        self._stopping = asyncio.Event()
        self._broken = self._loop.create_future()
        self._ready.set()
        tries = 0
        while not self._stopping.is_set():
            began, before = self._loop.time(), self._messages
            problem = await self._serve()
            if problem is None:
                break
            if self._messages > before and self._loop.time() - began >= self._rules.steady_seconds:
                tries = 0
            tries += 1
            self._state = "waiting"
            self._last_trouble = _sentence(problem)
            wait = self._rules.wait_seconds(tries, self._source.random(), problem)
            kind = "silence" if isinstance(problem, _Silence) else "connection"
            self._outbox.tell(kind, f"{self._source.name}: {self._last_trouble}; trying again in {wait:.3g} seconds")
            await self._pause(wait)
        for task in self._fills:
            task.cancel()
        await asyncio.gather(*self._fills, return_exceptions=True)

    async def _serve(self) -> BaseException | None:
        """Run one connection; return why it ended, None when the stream is closed."""
        loop = asyncio.get_running_loop()
        self._state = "connecting"
        self._connections += 1
        self._broken = loop.create_future()
        self._heard_at = loop.time()
        connection = self._connection = self._source.connect()
        run = loop.create_task(connection.run(tuple(self._lanes), self))
        stop = loop.create_task(self._stopping.wait())
        ends: set[asyncio.Future[Any]] = {run, stop, self._broken}
        try:
            while True:
                left = self._heard_at + self._rules.silence_seconds - loop.time()
                await asyncio.wait(ends, timeout=max(left, 0), return_when=asyncio.FIRST_COMPLETED)
                if stop.done():
                    return None
                if self._broken.done():
                    return self._broken.result()
                if run.done():
                    return run.exception() or SourceError(f"{self._source.name}: the connection ended")
                if loop.time() - self._heard_at >= self._rules.silence_seconds:
                    if self._lanes and self._source.is_open(self._source.clock()):
                        return _Silence(f"nothing came for {self._rules.silence_seconds:g} seconds")
                    self._heard_at = loop.time()
        finally:
            self._connection = None
            run.cancel()
            stop.cancel()
            await asyncio.gather(run, stop, return_exceptions=True)
            closing = loop.create_task(connection.close())
            await asyncio.wait({closing}, timeout=CLOSE_SECONDS)
            if not closing.done():
                closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)

    async def _pause(self, seconds: float) -> None:
        stop = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({stop}, timeout=seconds)
        stop.cancel()

    def _loose_end(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A library's callback raised: its connection may be mute from now on, so it is made anew."""
        problem = context.get("exception")
        if problem is not None and "never retrieved" not in str(context.get("message")):
            self._break(SourceError(f"a message could not be read: {type(problem).__name__}: {problem}"))

    def _break(self, problem: BaseException) -> None:
        if not self._broken.done():
            self._broken.set_result(problem)

    def _fill(self, lane: Lane) -> None:
        if lane.is_filling:
            return
        lane.is_filling = True

        async def work() -> None:
            try:
                await self._filler.fill(lane, lambda seconds: asyncio.ensure_future(self._pause(seconds)))
            finally:
                lane.is_filling = False

        self._keep(work())

    def _keep(self, work: Any) -> None:
        """Do this beside; what it raises ends the connection."""
        task = asyncio.get_running_loop().create_task(work)
        self._fills.add(task)

        def ended(task: "asyncio.Task[None]") -> None:
            self._fills.discard(task)
            problem = None if task.cancelled() else task.exception()
            if problem is not None:
                self._break(problem)

        task.add_done_callback(ended)

    def _add_lanes(self, instruments: Collection[str]) -> list[str]:
        fresh = [name for name in dict.fromkeys(instruments) if name not in self._lanes]
        for name in fresh:
            self._lanes[name] = Lane(name, self._rules, is_consecutive=self._source.is_consecutive)
        return fresh

    def _add(self, instruments: Collection[str]) -> None:
        fresh = self._add_lanes(instruments)
        if self._state == "live":
            for name in fresh:
                self._lanes[name].opened(self._source.clock())
        if fresh and self._connection is not None:
            self._keep(self._connection.add(fresh))

    def _remove(self, instruments: Collection[str]) -> None:
        gone = [name for name in instruments if self._drop(name)]
        if gone and self._connection is not None:
            self._keep(self._connection.remove(gone))

    def _drop(self, instrument: str) -> bool:
        lane = self._lanes.pop(instrument, None)
        if lane is None:
            return False
        lane.is_removed = True
        self._duplicates += lane.duplicates
        return True


class _Silence(SourceTimeout):
    """Nothing came for too long."""


def _sentence(problem: BaseException) -> str:
    return str(problem) if isinstance(problem, BookError) else f"{type(problem).__name__}: {problem}"
