"""``engine.event_bus``: the documents' bus, a face over the log. What is published is an entry; history is the log.

A handler gets ``{"type", "data", "timestamp"}``. The book's own events are told as well, under their own names.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from onebook.app import Book
from onebook.book.keeping import book_id
from onebook.book.log import Filter, make_filter
from onebook.compat import current
from onebook.compat.publishing import publish, published
from onebook.compat.values import storable
from onebook.domain.event_types import PUBLISHED
from onebook.domain.reports import Event
from onebook.errors import InputError
from onebook.feed.bus import MAX_HISTORY, newest
from onebook.feed.listener import Listener
from onebook.feed.policy import Policy
from onebook.feed.sink import Around, Sink
from onebook.feed.sinks import make_sink, options_of
from onebook.feed.subscriber import Subscriber

LOG_NAME = "compat.event_log"
"""The subscriber that writes the file of ``enable_persistence``."""

HISTORY = 1000

Handler = Callable[[dict[str, Any]], Any]


class EventBus:
    """Publish and subscribe by type.

    Args:
        book: None for the book of the older names.
    """

    def __init__(self, book: Book | None = None) -> None:
        self._given = book
        self._lock = threading.RLock()
        self._there: list[tuple[str, Handler, Listener]] = []
        self._log: tuple[Path, Subscriber] | None = None
        self._mark = 0

    @property
    def book(self) -> Book:
        """The book behind it."""
        return self._given or current.current_book()

    def _is_off(self, book: Book) -> bool:
        return book.settings is not None and not book.settings.get("event_bus.enabled")

    # ---- subscribing ----

    def subscribe(self, event_type: str, handler: Handler) -> None:
        """Tell a handler the events of one type from now on; one that is there already stays as it is.

        A handler that raises stays. With ``event_bus.enabled: false`` nothing is told.

        Args:
            event_type: such as ``trade_executed``, a pattern such as ``trade_*``, or ``*`` for everything.
            handler: called with one event at a time, on a thread of its own; may be ``async def``.
        """
        book = self.book
        if self._is_off(book):
            return
        with self._lock:
            if any(item[:2] == (event_type, handler) for item in self._there):
                return
            told = _Told(event_type, handler)
            listener = book.listen(told, types=(event_type, PUBLISHED))
            self._there.append((event_type, handler, listener))
            current.keep_open(self)

    def unsubscribe(self, event_type: str, handler: Handler) -> bool:
        """Stop telling a handler the events of one type, also while events come; False when it was not told any."""
        with self._lock:
            gone = [item for item in self._there if item[:2] == (event_type, handler)]
            self._there = [item for item in self._there if item not in gone]
            self._let_go()
        for item in gone:
            item[2].close()
        return bool(gone)

    def get_subscriber_count(self, event_type: str | None = None) -> int:
        """Return how many handlers were subscribed, to one type or pattern or to all."""
        with self._lock:
            return sum(1 for item in self._there if event_type in {None, item[0]})

    # ---- publishing ----

    def publish(self, event_type: str, data: Any = None) -> None:
        """Write an event into the log and tell who subscribed; it is durable when this returns.

        It never books anything: one of the book's own types is logged as ``published``, and told under its name here
        and nowhere else.

        Args:
            event_type: any name.
            data: a mapping; what JSON cannot hold is made plain where it can be.

        Raises:
            InputError: no name, or the data cannot be kept.
        """
        book = self.book
        if not self._is_off(book):
            publish(book, event_type, storable({} if data is None else data))

    # ---- history ----

    def get_event_history(self, event_type: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the newest events, oldest first. Prices are not among them: they are not in the log.

        Args:
            event_type: a name or a pattern; None for all.
            limit: how many at most; None, and at most: ``event_bus.max_history``.

        Raises:
            InputError: the limit is below 0.
        """
        book = self.book
        if self._is_off(book):
            return []
        if limit is not None and (type(limit) is not int or limit < 0):
            msg = f"limit: {limit!r} is no number from 0 on"
            raise InputError(msg, field="limit", value=limit)
        most = HISTORY if book.settings is None else min(book.settings.get("event_bus.max_history"), MAX_HISTORY)
        most = most if limit is None else min(limit, most)
        wanted = make_filter(event_type or "*")
        found = _newest(book, wanted, most)
        return [told for event, told in found if event.sequence > self._mark]

    def clear_history(self) -> None:
        """Show no history before now, in this process; the log stays as it is."""
        self._mark = self.book.wakeups.look()

    # ---- the file ----

    def enable_persistence(self, path: str | Path = "logs/events.log") -> None:
        """Write every event of the log to a file of JSON lines, from its beginning, and go on with it.

        The log is durable without it. Another path takes the place of the one before.

        Args:
            path: the file; its folder is made.
        """
        book, file = self.book, Path(path).absolute()
        if self._is_off(book) or _is_written(book, file):
            return
        with self._lock:
            if self._log is not None:
                if self._log[0] == file:
                    return
                self._log[1].close()

            def opens(_: Subscriber) -> Sink:
                around = Around(name=LOG_NAME, book=book, clock=book.now, book_id=book_id(book.store))
                options = {name: key.default for name, key in options_of("jsonl").items()} | {"path": file}
                return make_sink("jsonl", around, options)

            policy = Policy(attempts=None)
            made = book.feed.subscribe(LOG_NAME, opens, make_filter(), start="beginning", policy=policy)
            self._log = (file, made)
            current.keep_open(self)

    def disable_persistence(self) -> None:
        """Stop writing the file; it goes on where it was when it is enabled again."""
        with self._lock:
            log, self._log = self._log, None
            self._let_go()
        if log is not None:
            log[1].close()

    # ---- the end ----

    def _let_go(self) -> None:
        if not self._there and self._log is None:
            current.let_go(self)

    def close(self) -> None:
        """Stop telling everybody, and stop writing the file."""
        with self._lock:
            gone, self._there = self._there, []
        for item in gone:
            item[2].close()
        self.disable_persistence()


class _Told:
    """Calls a handler with those of the book's events that are of its type, as the documents show them."""

    def __init__(self, event_type: str, handler: Handler) -> None:
        self._wanted = make_filter(event_type)
        self._handler = handler

    def __call__(self, event: Event) -> Any:
        told = _shown(event)
        return self._handler(told) if self._wanted.wants_type(told["type"]) else None


def _shown(event: Event) -> dict[str, Any]:
    name, data = published(event)
    return {"type": name, "data": data, "timestamp": event.occurred_at}


def _newest(book: Book, wanted: Filter, most: int) -> list[tuple[Event, dict[str, Any]]]:
    """Return the newest events of a type, with what was published under it."""
    searched = most
    while True:
        types = None if wanted.types is None else (*wanted.types, PUBLISHED)
        page = newest(book, make_filter(types), searched)
        found = [(event, told) for event in page if wanted.wants_type((told := _shown(event))["type"])]
        if len(found) >= most or len(page) < searched or searched >= MAX_HISTORY:
            return found[-most:] if most else []
        searched = min(searched * 4, MAX_HISTORY)


def _is_written(book: Book, file: Path) -> bool:
    """Say whether the configuration has this file written already."""
    settings = book.settings
    if settings is None or not settings.get("event_bus.persist_events"):
        return False
    return Path(settings.get("event_bus.event_log_file")).absolute() == file


_bus: EventBus | None = None


def get_event_bus() -> EventBus:
    """Return the one bus of the process, over the book of the older names."""
    global _bus
    with current.LOCK:
        if _bus is None:
            _bus = EventBus()
        return _bus


def forget_bus() -> None:
    """Close the one bus: the book it spoke to is being replaced."""
    global _bus
    with current.LOCK:
        bus, _bus = _bus, None
    if bus is not None:
        bus.close()
