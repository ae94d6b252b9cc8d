"""A remote book for event loops: the same calls, awaited. They run on threads of its own, so no loop waits for them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from onebook.domain.facts import AnyFact
from onebook.domain.reports import BatchReport, Event
from onebook.remote.following import Following, event_of
from onebook.remote.receipts import RemoteReceipt
from onebook.remote.rows import filter_query

if TYPE_CHECKING:
    from onebook.book.log import Filter
    from onebook.remote.book import RemoteBook

THREADS = 16
MAX_WAITING = 256
"""Most events that wait for a loop; then reading the stream waits."""

Result = TypeVar("Result")
Run = Callable[..., Coroutine[Any, Any, Any]]


class AsyncFace:
    """The calls of something, awaited; what is no call is reached through the thing itself.

    Args:
        inner: what has the calls.
        run: runs a call on a thread.
    """

    def __init__(self, inner: Any, run: Run) -> None:
        self._inner, self._run = inner, run

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        call = getattr(type(self._inner), name, None)
        if name.startswith("_") or not callable(call):
            msg = f"{type(self._inner).__name__} has no call {name!r} to await"
            raise AttributeError(msg)
        return partial(self._run, getattr(self._inner, name))

    def __call__(self, *args: Any, **given: Any) -> Coroutine[Any, Any, Any]:
        """Call the thing itself, where it is a call: ``await book.aio.subscribers()``."""
        return self._run(self._inner, *args, **given)


class AsyncRemote(AsyncFace):
    """A remote book's calls for event loops: ``record``, ``position``, ``trading.may``, ``state.set`` and the others.

    A call that is cancelled may have been carried out; a fact can be recorded again.

    Args:
        book: which.
    """

    def __init__(self, book: "RemoteBook") -> None:
        self._book = book
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="onebook-remote")
        super().__init__(book, self._on_thread)
        self.trading = AsyncFace(book.trading, self._on_thread)
        self.state = AsyncFace(book.state, self._on_thread)
        self.subscribers = AsyncFace(book.subscribers, self._on_thread)

    async def _on_thread(self, call: Callable[..., Result], /, *args: Any, **given: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(call, *args, **given))

    async def record(self, fact: AnyFact) -> RemoteReceipt:
        """Take in a fact; it is durable when this returns."""
        return await self._on_thread(self._book.record, fact)

    async def record_many(self, facts: Iterable[AnyFact]) -> BatchReport:
        """Take in many facts, in order."""
        return await self._on_thread(self._book.record_many, facts)

    def events(
        self, *, after: int | str | None = None, types: Any = None, follow: bool = True, **filters: Any
    ) -> AsyncIterator[Event]:
        """Return an async iterator over the events after a place, and over those that come.

        Args:
            after: a sequence or event id; None: what is recorded from now on.
            types: names or patterns such as ``trade_*``.
            follow: wait for more at the end; False ends there.
            filters: ``instruments``, ``accounts``, ``strategies``, ``min_quantity``, ``min_amount``.

        Raises:
            InputError: a filter that cannot be.
        """
        wanted, query = filter_query(types=types, **filters)
        return self._events(wanted, query, after, follow=follow)

    async def _events(
        self, wanted: "Filter", query: dict[str, Any], after: int | str | None, *, follow: bool
    ) -> AsyncIterator[Event]:
        place = (await self._on_thread(self._book.status)).entries if after is None else after
        if not follow:
            history = self._book.history(place, wanted, query)
            while page := await self._on_thread(lambda: list(islice(history, MAX_WAITING))):
                for event in page:
                    yield event
            return
        following = self._book.following(query, place)
        inbox = _Inbox(asyncio.get_running_loop(), following, wanted)
        reading = asyncio.get_running_loop().run_in_executor(inbox.pool, inbox.read)
        try:
            while (coming := await inbox.next()) is not None:
                yield coming
            await reading
        finally:
            inbox.close()

    def end(self) -> None:
        """Give the threads back."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Inbox:
    """Events on their way from the thread that reads a stream to an event loop.

    Args:
        loop: of who waits.
        following: the stream.
        wanted: which events.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, following: Following, wanted: "Filter") -> None:
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="onebook-remote-events")
        self._loop, self._following, self._wanted = loop, following, wanted
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._room = threading.Semaphore(MAX_WAITING)

    def read(self) -> None:
        """Read until the end, on a thread; an error is the future's."""
        try:
            with closing(self._following.frames()) as frames:  # type: ignore[type-var]
                for frame in frames:
                    event = event_of(frame)
                    if self._wanted.wants(event) and not self._put(event):
                        return
        finally:
            self._hand_over(None)

    def _put(self, event: Event) -> bool:
        """Hand an event over, waiting while the loop is behind; False when nobody takes it any more."""
        while not self._room.acquire(timeout=1.0):
            if self._following.closed:
                return False
        return self._hand_over(event) and not self._following.closed

    def _hand_over(self, event: Event | None) -> bool:
        """Say whether the loop takes it: it may be closed at any moment."""
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, event)
        except RuntimeError:
            return False
        return True

    async def next(self) -> Event | None:
        """Return the next event; None at the end."""
        event = await self._queue.get()
        self._room.release()
        return event

    def close(self) -> None:
        """End the thread."""
        self._following.close()
        self.pool.shutdown(wait=False)
