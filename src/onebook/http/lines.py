"""One client of the fan-out: its connection, and its places in the log."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from onebook.book.logged import Place
from onebook.errors import StoreClosed, StoreError
from onebook.http.frames import Batch, Frame, batch_of
from onebook.http.prices import Lane
from onebook.http.ready import Push
from onebook.http.ring import Channel, Ring

if TYPE_CHECKING:
    from onebook.http.stream import Stream

ABORT = "onebook.abort"
"""The extension of an ASGI scope under which a server says how to end the connection at once."""

AGAIN_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The measures of streams.

    Attributes:
        beat_seconds: a client that was sent nothing for so long is sent a sign of life.
        stuck_seconds: one that takes nothing for so long is cut off.
        gather_seconds: how long entries gather at most, where there are many clients.
        check_seconds: how often to look whether a client is still allowed in.
        retry_ms: after how long clients are to come back.
        prices_per_second: how often one instrument's price is sent, unless a client wishes less or more.
        most_lines: clients at a time.
    """

    beat_seconds: float = 15.0
    stuck_seconds: float = 30.0
    gather_seconds: float = 0.1
    check_seconds: float = 5.0
    retry_ms: int = 2000
    prices_per_second: int = 5
    most_lines: int = 4000


class Line:
    """One client's connection.

    Args:
        stream: to which it belongs.
        kind: ``events`` or ``socket``.
        abort: ends the connection at once; None where nobody can: its task is cancelled then.
        is_allowed: says whether the client may still be there.
        push: sends without waiting; None where nobody can.
    """

    def __init__(
        self,
        stream: "Stream",
        kind: str,
        abort: Callable[[], None] | None,
        is_allowed: Callable[[], bool],
        push: Push | None = None,
    ) -> None:
        self._stream = stream
        self._push = push
        self.pushed = 0
        self.pace = stream.pace
        self._abort = abort
        self._task = asyncio.current_task()
        self.kind = kind
        self.is_allowed = is_allowed
        self.bell = asyncio.Event()
        self.readers: list[Reader] = []
        self.busy_since: float | None = None
        self.last_sent = monotonic()
        self.is_beat_due = False
        self.over = ""

    async def send(self, send: Callable[[Any], Any], message: Any, size: int) -> None:
        """Send something; nobody waits longer for it than the pace allows."""
        self.busy_since = monotonic()
        try:
            await send(message)
        finally:
            self.busy_since = None
        self.is_beat_due = False
        self.last_sent = monotonic()
        self._stream.sent += size

    def pass_on(self, chunk: bytes, body: bytes) -> bool:
        """Send something while its task rests; False where that task has to do it.

        Args:
            chunk: the body as it goes over the wire.
            body: what the client is sent.
        """
        if self._push is None or self.over or self.busy_since is not None or not self._push(chunk):
            return False
        self.last_sent = monotonic()
        self.pushed += len(body)
        self._stream.sent += len(body)
        return True

    def end(self, why: str) -> None:
        """Let it end after what is being sent."""
        self.over = self.over or why
        self.bell.set()

    def cut(self, why: str) -> None:
        """End it now."""
        self.end(why)
        if self._abort is not None:
            self._abort()
        elif self._task is not None:
            self._task.cancel()

    async def rest(self) -> None:
        """Wait until there is something to do."""
        for reader in self.readers:
            reader.is_idle = True
        await self.bell.wait()
        for reader in self.readers:
            reader.is_idle = False

    def ring_bell(self) -> None:
        """Wake it."""
        self.bell.set()


class Reader:
    """A place in the log with a filter, of one client.

    Args:
        ring: what gives out the log.
        line: whose it is.
        channel: what it shares with others of the same filter.
        place: everything up to here was sent.
        lane: its prices; None for none.
    """

    def __init__(self, ring: Ring, line: Line, channel: Channel, place: Place, lane: Lane | None) -> None:
        self._ring = ring
        self.line = line
        self.channel = channel
        self.place = place
        self.lane = lane
        self.is_idle = False
        self._seen = 0 if lane is None else lane.generation

    async def next(self) -> Batch:
        """Return what comes after its place; without frames and at the same place there is nothing.

        Raises:
            StoreError: the book cannot be read just now.
        """
        found = self._ring.ready(self.channel, self.place)
        return found if found is not None else await self._ring.older(self.channel, self.place)

    def pass_on(self, batch: Batch, chunk: bytes) -> bool:
        """Send a batch that begins at its place while its line rests; False where that is not to be done.

        Args:
            batch: what it is sent.
            chunk: the same as it goes over the wire.
        """
        if not self.line.pass_on(chunk, batch.sse):
            return False
        self.place = batch.place
        return True

    def prices(self) -> Batch:
        """Return the newest prices that it was not sent."""
        lane = self.lane
        if lane is None or lane.generation == self._seen:
            return batch_of((), self.place)
        frames: list[Frame] = lane.frames(self.channel.wanted, self._seen)
        self._seen = lane.generation
        return batch_of(frames, self.place)


def abort_of(scope: Any) -> Callable[[], None] | None:
    """Return what ends the connection of a request at once; None where the server does not say."""
    return cast("Callable[[], None] | None", (scope.get("extensions") or {}).get(ABORT))


async def read_again(reader: Reader) -> Batch | None:
    """Return what a reader is sent next; None when the service stops or the book is closed."""
    while True:
        try:
            return await reader.next()
        except StoreClosed:
            return None
        except StoreError:
            await asyncio.sleep(AGAIN_SECONDS)
