"""All who follow one book in this process: one thread reads the log for them, each is called on its own.

Nothing here is asked by the writer: it commits, says that the log grew, and goes on.
"""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

from onebook.book.core import Core
from onebook.book.log import WHOLE, Filter, place_after
from onebook.book.logged import Place
from onebook.domain.fields import required
from onebook.errors import BookError, InputError, StoreClosed, StoreError
from onebook.feed.calling import Handler, join
from onebook.feed.checkpoint import Checkpoint
from onebook.feed.follower import Follower, Follows, Rate
from onebook.feed.handling import Opens
from onebook.feed.listener import Listener, Told
from onebook.feed.live import LivePrices, wants_prices
from onebook.feed.policy import Policy
from onebook.feed.subscriber import Subscriber
from onebook.feed.tail import Tail
from onebook.store.port import Store

_log = logging.getLogger("onebook.feed")
KEEP_SECONDS = 0.25
CLOSE_SECONDS = 10.0
"""How long one reader may take to end; each bounds itself before."""

BREATH_SECONDS = 0.0002
GATHER_SECONDS = 0.0005
"""How long entries gather when the next comes within a breath: faster than they are to be told one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderStatistics:
    """One reader in numbers.

    Attributes:
        name: of a subscriber, or one given to a listener.
        events: handed over since it joined.
        events_per_second: fading with a half-life of a minute.
        handler_seconds: how long handing one over took on average.
        lag: entries after the last one done.
        errors: failures since it joined.
    """

    name: str
    events: int
    events_per_second: float
    handler_seconds: float
    lag: int
    errors: int


def _numbers(reader: Listener | Subscriber, rate: Rate) -> ReaderStatistics:
    return ReaderStatistics(
        name=reader.name,
        events=rate.count,
        events_per_second=rate.per_second,
        handler_seconds=rate.mean_seconds,
        lag=reader.lag,
        errors=reader.errors,
    )


class Feed:
    """The readers of one book.

    Args:
        book: which.
    """

    def __init__(self, book: Core) -> None:
        self._book = book
        self._store = book.store
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()
        self._subscribers: tuple[Subscriber, ...] = ()
        self._followers: tuple[Follower, ...] = ()
        self._tail: Tail | None = None
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._made = 0
        self._riding: list[Subscriber] = []

    # ---- joining ----

    def listen(
        self, handler: Handler, wanted: Filter, after: int | str | None = None, *, told: Told | None = None
    ) -> Listener:
        """Tell a handler what happens from now on, or after a place in the log.

        Args:
            handler: called with each event; may be ``async def``.
            wanted: which events.
            after: a sequence or event id; None for now.
            told: makes of an event what the handler is called with; None: the event itself.
        """
        tail = self._started()
        place = (self._book.wakeups.look(), WHOLE) if after is None else place_after(after)
        live = LivePrices(self._book, wanted) if told is None and wants_prices(wanted) else None
        self._made += 1
        name = f"listener-{self._made}"
        listener = Listener(name, handler, tail, wanted, place, live=live, told=told, closed=self._leave)
        with self._lock:
            self._listeners += (listener,)
            self._hook_prices()
        listener.stir()  # an entry may have come while nobody offered it anything
        return listener

    def subscribe(
        self, name: str, open_sink: Opens, wanted: Filter, *, start: int | str = "now", policy: Policy | None = None
    ) -> Subscriber:
        """Give events to a durable subscriber.

        Args:
            name: under which its checkpoint is kept.
            open_sink: makes what takes the events.
            wanted: which events.
            start: ``now``, ``beginning``, a sequence or an event id; counts only for a name without a checkpoint.
            policy: what to do about failures.

        Raises:
            InputError: no such start, or no name.
            StoreError: the book is read_only or closed.
        """
        required("name", name)
        if self._store.read_only:
            msg = f"{self._store.url} is open read_only, and a checkpoint is kept in the book; use listen or events"
            raise StoreError(msg, name=name)
        tail = self._started()
        place = self._start(start)
        self._made += 1
        holder = f"{self._holder}:{self._made}"
        checkpoint = partial(Checkpoint, self._store, name, holder)
        subscriber = Subscriber(
            checkpoint, tail, wanted, place, policy or Policy(), open_sink=open_sink, closed=self._leave
        )
        with self._lock:
            self._subscribers += (subscriber,)
        subscriber.stir()  # an entry may have come while nobody offered it anything
        self._book.committer.rider = self
        return subscriber

    def tail(self) -> Tail:
        """Return the end of the log, kept up to date from now on; it may read the store."""
        return self._started()

    @contextmanager
    def following(self, follower: Follower) -> Iterator[None]:
        """Offer new entries to a follower that is nobody's listener or subscriber."""
        with self._lock:
            self._followers += (follower,)
        try:
            yield
        finally:
            with self._lock:
                self._followers = tuple(item for item in self._followers if item is not follower)

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._closing.is_set()

    def _start(self, start: int | str) -> Place:
        if start == "now":
            return self._book.wakeups.look(), WHOLE
        if start == "beginning":
            return 0, WHOLE
        try:
            place = place_after(start)
        except InputError:
            msg = f"start: {start!r} is neither now, beginning, a sequence nor an event id such as 57.1"
            raise InputError(msg, field="start", value=start) from None
        head = self._book.wakeups.look()
        if place[0] > head:
            msg = f"start: the log ends at {head}; {start} is beyond it"
            raise InputError(msg, field="start", value=start)
        return place

    def _leave(self, reader: Listener | Subscriber) -> None:
        with self._lock:
            self._listeners = tuple(item for item in self._listeners if item is not reader)
            self._subscribers = tuple(item for item in self._subscribers if item is not reader)
            self._hook_prices()

    # ---- who is there ----

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The live listeners of this process."""
        return self._listeners

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        """The durable subscribers that this process serves or waits to serve."""
        return self._subscribers

    def statistics(self) -> list[ReaderStatistics]:
        """Return every reader of this process in numbers, listeners first."""
        return [_numbers(item, item.rate) for item in self._listeners] + [
            _numbers(item, item.checkpoint.rate) for item in self._subscribers
        ]

    # ---- prices ----

    def _hook_prices(self) -> None:
        self._book.hook_marks(self._price, on=any(listener.wants_prices for listener in self._listeners))

    def _price(self, instrument: str, price: Any, at: int, source: str) -> None:
        for listener in self._listeners:
            listener.offer_price(instrument, price, at, source)

    # ---- going along with commits ----

    def write(self, store: Store) -> bool:
        """Write the checkpoints that are due inside a transaction of records."""
        due = [item for item in self._subscribers if item.checkpoint.due()]
        if not due:
            return False
        rows = store.subscriber_rows()
        try:
            for item in due:
                if item.ride(rows):
                    self._riding.append(item)
        except BaseException:
            self.undone()
            raise
        return bool(self._riding)

    def written(self) -> None:
        """They are durable."""
        self._ended(durable=True)

    def undone(self) -> None:
        """They are not there."""
        self._ended(durable=False)

    def _ended(self, *, durable: bool) -> None:
        riding, self._riding = self._riding, []
        for item in riding:
            item.checkpoint.ended(durable=durable)

    # ---- its threads ----

    def _started(self) -> Tail:
        with self._lock:
            if self._closing.is_set():
                raise StoreClosed("the book is closed; open it again")
            if self._tail is None:
                self._tail = Tail(self._store, self._book.wakeups)
                for work in (self._read, self._keep):
                    thread = threading.Thread(target=work, name=f"onebook-feed{work.__name__}", daemon=True)
                    thread.start()
                    self._threads.append(thread)
            return self._tail

    def _read(self) -> None:
        """Read what the log gains, once, and offer it to everybody."""
        tail = self._tail
        assert tail is not None  # noqa: S101  the thread starts after it is made
        last = 0.0
        with self._book.wakeups as wakeups:
            while wakeups.wait(tail.head, None):
                if monotonic() - last < BREATH_SECONDS:
                    sleep(GATHER_SECONDS)
                try:
                    new = tail.grow()
                except StoreClosed:
                    return
                except StoreError as problem:
                    _log.warning("the log cannot be read just now: %s", problem)
                    self._closing.wait(KEEP_SECONDS)
                    continue
                readers: tuple[Follows, ...] = (*self._subscribers, *self._listeners, *self._followers)
                for reader in readers:
                    for entry in new:
                        reader.offer(entry)
                last = monotonic()

    def _keep(self) -> None:
        """Write checkpoints down and renew leases."""
        while not self._closing.wait(KEEP_SECONDS):
            for subscriber in self._subscribers:
                try:
                    subscriber.keep()
                except StoreClosed:
                    return
                except BookError as problem:
                    _log.warning("subscriber %s: checkpoint not saved just now: %s", subscriber.name, problem)

    def close(self) -> None:
        """Let everybody finish the event at hand, save the checkpoints, and end."""
        self._closing.set()
        readers: tuple[Subscriber | Listener, ...] = (*self._listeners, *self._subscribers)
        closing = [threading.Thread(target=reader.close, daemon=True) for reader in readers if not reader.is_here]
        for thread in closing:
            thread.start()
        for follower in self._followers:
            follower.stir()

        def give_up() -> None:
            for reader in readers:
                reader.give_up()

        for thread in closing:
            join(thread, CLOSE_SECONDS, give_up)
        for reader in readers:
            if reader.is_here:  # its handler closes the book, and the event at hand comes again
                reader.close()
                reader.release()
        for thread in self._threads:
            if thread.name.endswith("_keep"):
                thread.join(timeout=5)
