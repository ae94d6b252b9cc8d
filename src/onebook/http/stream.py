"""The fan-out: one follower of the log serves every client that streams, whatever their number.

A client holds a place in the log, never events. What several are sent is made once. One that does not read stands
still where it is, and is cut off after a while; nobody else and no writer waits for it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Any

from onebook.book.keeping import book_id
from onebook.book.log import WHOLE, Filter, make_filter, place_after
from onebook.book.logged import Place
from onebook.errors import StoreClosed, StoreError
from onebook.feed.follower import Follower, entries_after
from onebook.feed.live import wants_prices
from onebook.http.frames import EntryFrames
from onebook.http.lines import Line, Pace, Reader
from onebook.http.prices import Prices
from onebook.http.ready import Push, chunked
from onebook.http.ring import Channel, Ring

if TYPE_CHECKING:
    from onebook.app import Book

SHORTEST_SECONDS = 0.002
GATHER_EACH_SECONDS = 0.00005
"""From one wake-up to the next entries gather: so long for each client, that many cost little more than few."""

WOKEN_AT_ONCE = 64
"""So many clients are woken before the event loop looks after everything else."""

LAST_SECONDS = 1.0
"""How long a client may take for what it is being sent when the service stops."""

WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Where a reader begins; ``reset`` says why not where it wished, empty when it does."""

    place: Place
    head: int
    book: str
    reset: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatistics:
    """The fan-out in numbers.

    Attributes:
        lines: clients by kind: ``events`` and ``socket``.
        readers: subscriptions of theirs.
        sent: bytes handed to connections.
        cut: clients that were cut off, since they took nothing.
        lag: entries that the slowest was not sent yet.
    """

    lines: dict[str, int]
    readers: int
    sent: int
    cut: int
    lag: int


class Stream:
    """The fan-out of one book, for one event loop.

    Args:
        book: which.
        pace: its measures.
    """

    def __init__(self, book: "Book", pace: Pace | None = None) -> None:
        self._book = book
        self.pace = pace or Pace()
        self._pool = ThreadPoolExecutor(WORKERS, "onebook-stream")
        self._numbers = count()
        self._channels: dict[Filter, tuple[Channel, set[Reader]]] = {}
        self._lines: set[Line] = set()
        self._empty = asyncio.Event()
        self._prices = Prices(book, self.away)
        self._starting: asyncio.Task[Ring] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._leave = ExitStack()
        self._id = ""
        self.is_over = False
        self.ended_with = 1001
        self.sent = 0
        self.cut = 0

    async def away(self, work: Callable[[], Any]) -> Any:
        """Do work off the event loop, a few at a time.

        Raises:
            StoreClosed: the service stops.
        """
        if self.is_over:
            raise StoreClosed("the service stops; connect again")
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    # ---- joining ----

    @property
    def is_full(self) -> bool:
        """Whether no more clients are taken."""
        return self.is_over or len(self._lines) >= self.pace.most_lines

    def enter(
        self, kind: str, abort: Callable[[], None] | None, is_allowed: Callable[[], bool], push: Push | None = None
    ) -> Line:
        """Take a client in; it must :meth:`leave`."""
        line = Line(self, kind, abort, is_allowed, push)
        self._lines.add(line)
        self._empty.clear()
        if not self._tasks:
            self._tasks.append(asyncio.create_task(self._sweep()))
        return line

    def leave(self, line: Line) -> None:
        """Let a client go."""
        for reader in list(line.readers):
            self.drop(reader)
        self._lines.discard(line)
        if not self._lines:
            self._empty.set()

    async def begin(self, after: str | int | None, book: str = "") -> Begin:
        """Return where a reader begins.

        Args:
            after: a sequence or event id; None: now.
            book: the book and epoch that it knows, or the epoch alone; empty when it does not say.

        Raises:
            InputError: no such place.
            StoreError: the book cannot be read just now.
        """
        wished = None if after is None else place_after(after)
        head, known = await self.away(self._look)
        now = (head, WHOLE)
        epoch = known.rpartition(":")[2]
        if book and book not in {known, epoch, f"new:{epoch}"}:  # it may have come before the first entry gave a name
            return Begin(place=now, head=head, book=known, reset="another epoch of the book")
        if wished is not None and wished[0] > head:
            return Begin(place=now, head=head, book=known, reset="ahead of the log")
        return Begin(place=wished or now, head=head, book=known)

    def _look(self) -> tuple[int, str]:
        head = self._book.wakeups.look()
        if not self._id or self._id.startswith("new:"):
            self._id = book_id(self._book.store)
        return head, self._id

    async def read(self, line: Line, wanted: Filter, place: Place, prices_per_second: int | None = None) -> Reader:
        """Let a client read.

        Args:
            line: of the client.
            wanted: which events.
            place: everything up to here it has.
            prices_per_second: how often an instrument's price is told at most; None: as the pace says; 0: never.
        """
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        try:
            ring = await asyncio.shield(self._starting)
        except StoreError:
            self._starting = None
            raise
        if wanted not in self._channels:
            self._channels[wanted] = (Channel(next(self._numbers), wanted), set())
        channel, readers = self._channels[wanted]
        per_second = self.pace.prices_per_second if prices_per_second is None else prices_per_second
        lane = self._prices.join(per_second) if per_second and wants_prices(wanted) else None
        reader = Reader(ring, line, channel, place, lane)
        if lane is not None:
            lane.wake.add(line.ring_bell)
        readers.add(reader)
        line.readers.append(reader)
        line.bell.set()
        return reader

    def drop(self, reader: Reader) -> None:
        """Let a reader end."""
        line = reader.line
        line.readers.remove(reader)
        readers = self._channels[reader.channel.wanted][1]
        readers.discard(reader)
        if not readers:
            del self._channels[reader.channel.wanted]
        if reader.lane is not None:
            if all(other.lane is not reader.lane for other in line.readers):
                reader.lane.wake.discard(line.ring_bell)
            self._prices.leave(reader.lane)

    # ---- its tasks ----

    async def _start(self) -> Ring:
        loop, bell = asyncio.get_running_loop(), asyncio.Event()
        tail = await self.away(self._book.feed.tail)
        ring = Ring(tail, self.away)

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(bell.set)

        follower = Follower(tail, make_filter(), (ring.end, WHOLE), wake)
        self._leave.enter_context(self._book.feed.following(follower))
        self._tasks.append(asyncio.create_task(self._pump(ring, follower, bell)))
        follower.stir()
        return ring

    async def _pump(self, ring: Ring, follower: Follower, bell: asyncio.Event) -> None:
        """Take what the log gains, and wake who wants of it."""
        while True:
            await bell.wait()
            bell.clear()
            if self._book.feed.closed:
                self._stop()
                asyncio.get_running_loop().call_later(LAST_SECONDS, self._cut_rest)
                return
            before, begun = ring.end, monotonic()
            new = await ring.grow(list(self._channels))
            follower.place = (ring.end, WHOLE)
            if ring.end != before:
                await self._wake(ring, new)
                gather = min(len(self._lines) * GATHER_EACH_SECONDS, self.pace.gather_seconds)
                await asyncio.sleep(max(gather - (monotonic() - begun), SHORTEST_SECONDS))
            if not follower.rest():
                bell.set()

    async def _wake(self, ring: Ring, new: list[EntryFrames] | None) -> None:
        """Send what is new to who rests and wants it; wake who has to be sent it another way."""
        end, done = (ring.end, WHOLE), 0
        for channel, readers in list(self._channels.values()):
            is_news = new is None or any(each.after((0, 0), channel.wanted) for each in new)
            batch, chunk = None, b""
            for reader in list(readers):
                if not reader.is_idle:
                    reader.line.bell.set()  # it may have looked a moment ago
                    continue
                if not is_news:
                    reader.place = max(reader.place, end)
                    continue
                found = ring.ready(channel, reader.place) if reader.line.kind == "events" else None
                if found is not None and found.frames and found is not batch:
                    batch, chunk = found, chunked(found.sse)
                if found is None or found is not batch or not reader.pass_on(found, chunk) or reader.place < end:
                    reader.line.bell.set()
                done += 1
                if done % WOKEN_AT_ONCE == 0:
                    await asyncio.sleep(0)

    async def _sweep(self) -> None:
        """Cut off who takes nothing or may not be there any more; have signs of life sent."""
        pace = self.pace
        every = min(1.0, pace.beat_seconds / 4, pace.stuck_seconds / 4, pace.check_seconds)
        checked = monotonic()
        while True:
            await asyncio.sleep(every)
            now = monotonic()
            is_check = now - checked >= pace.check_seconds
            checked = now if is_check else checked
            for line in list(self._lines):
                if line.busy_since is not None:
                    if now - line.busy_since >= pace.stuck_seconds:
                        self.cut += 1
                        line.cut("stuck")
                elif is_check and not line.is_allowed():
                    line.end("refused")
                elif now - line.last_sent >= pace.beat_seconds:
                    line.is_beat_due = True
                    line.bell.set()

    # ---- ending ----

    async def end(self, code: int = 1001) -> None:
        """Let every client end after what it is being sent; cut off who takes longer than a second.

        Args:
            code: with which sockets are closed: 1001 the service goes, 1012 it comes back at once.
        """
        self._stop(code)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), LAST_SECONDS if self._lines else 0)
        self._cut_rest()

    def _stop(self, code: int = 1001) -> None:
        if self.is_over:
            return
        self.is_over = True
        self.ended_with = code
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._prices.end()
        self._leave.close()
        self._pool.shutdown(wait=False)
        for line in list(self._lines):
            line.end("stopped")

    def _cut_rest(self) -> None:
        for line in list(self._lines):
            line.cut("stopped")

    # ---- in numbers ----

    def statistics(self) -> StreamStatistics:
        """Return it in numbers; from any thread."""
        lines = list(self._lines)
        kinds = {kind: sum(1 for line in lines if line.kind == kind) for kind in ("events", "socket")}
        readers = [reader for line in lines for reader in list(line.readers)]
        head = self._book.wakeups.head
        lag = max((entries_after(reader.place, head) for reader in readers), default=0)
        return StreamStatistics(lines=kinds, readers=len(readers), sent=self.sent, cut=self.cut, lag=lag)
