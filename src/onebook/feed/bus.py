"""Publish and subscribe, as a face over the log: what is published is an entry, and history is what the log holds.

There is no queue to lose and no second truth: an event published here is durable when the call returns, and a
subscriber here is a live listener on the book.
"""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from onebook.book.core import Core
from onebook.book.log import PAGE, WHOLE, Filter, events_after, make_filter
from onebook.domain.reports import Event
from onebook.errors import InputError
from onebook.feed.calling import Handler
from onebook.feed.feed import Feed
from onebook.feed.listener import Listener
from onebook.store.codec import decode_raw

HISTORY = 1000
MAX_HISTORY = 100_000
MAX_SEARCHED = 200_000
"""Entries that a search for the newest events goes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusStatistics:
    """The bus in numbers.

    Attributes:
        published: entries of the log.
        subscribers: handlers that listen here.
        delivered: events handed to them.
        errors: times that one of them raised.
        events_per_second: events handed over a second, fading with a half-life of a minute.
        handler_seconds: how long a handler took on average.
        lag: entries that the slowest was not told yet.
    """

    published: int
    subscribers: int
    delivered: int
    errors: int
    events_per_second: float
    handler_seconds: float
    lag: int


class Bus:
    """Publish and subscribe over one book.

    Args:
        book: whose log it is.
        feed: of the book.
    """

    def __init__(self, book: Core, feed: Feed) -> None:
        self._book = book
        self._feed = feed
        self._lock = threading.Lock()
        self._listeners: list[tuple[Handler, Listener]] = []

    def publish(self, name: str, data: Any = None, **where: str) -> int:
        """Record an event of a user's own type and return its sequence; it is durable then.

        Args:
            name: the type, such as ``regime_changed``; none of the book's own.
            data: JSON data.
            where: ``account``, ``instrument``, ``strategy``.
        """
        return self._book.publish(name, data, **where)

    def subscribe(self, types: Iterable[str] | str, handler: Handler, **filters: Any) -> Listener:
        """Tell a handler the events of some types from now on.

        Args:
            types: a name, a pattern such as ``trade_*``, or several.
            handler: called with each event; may be ``async def``.
            filters: ``instruments``, ``accounts``, ``strategies``, ``min_quantity``, ``min_amount``.
        """
        listener = self._feed.listen(handler, make_filter(types, **filters))
        with self._lock:
            self._listeners = [*self._current(), (handler, listener)]
        return listener

    def _current(self) -> list[tuple[Handler, Listener]]:
        return [item for item in self._listeners if not item[1].closed]

    def unsubscribe(self, which: Listener | Handler) -> int:
        """Stop telling a handle or handler, also while events come; return how many subscriptions that ended."""
        with self._lock:
            ended = [item for item in self._current() if which is item[1] or which == item[0]]
            self._listeners = [item for item in self._listeners if item not in ended]
        for _, listener in ended:
            listener.close()
        return len(ended)

    def history(self, types: Iterable[str] | str = "*", *, limit: int = HISTORY) -> list[Event]:
        """Return the newest events of some types, oldest first.

        Args:
            types: a name, a pattern, or several.
            limit: how many at most.

        Raises:
            InputError: the limit is not from 0 to 100,000.
        """
        if type(limit) is not int or not 0 <= limit <= MAX_HISTORY:
            msg = f"limit: {limit!r} is not from 0 to {MAX_HISTORY}"
            raise InputError(msg, field="limit", value=limit)
        return newest(self._book, make_filter(types), limit)

    def statistics(self) -> BusStatistics:
        """Return the bus in numbers."""
        listeners = [listener for _, listener in self._current()]
        told = sum(item.rate.count for item in listeners)
        return BusStatistics(
            published=self._book.wakeups.look(),
            subscribers=len(listeners),
            delivered=told,
            errors=sum(item.errors for item in listeners),
            events_per_second=sum(item.rate.per_second for item in listeners),
            handler_seconds=sum(item.rate.seconds for item in listeners) / told if told else 0.0,
            lag=max((item.lag for item in listeners), default=0),
        )


def newest(book: Core, wanted: Filter, limit: int) -> list[Event]:
    """Return the newest events that pass, oldest first, of the last 200,000 entries.

    Args:
        book: whose log it is.
        wanted: which events.
        limit: how many at most.
    """
    found: deque[Event] = deque()
    end = book.wakeups.look()
    last = max(end - MAX_SEARCHED, 0)
    while end > last and len(found) < limit:
        begin = max(end - PAGE, last)
        with book.store.reading() as reader:
            rows = reader.entries(begin, end - begin)
        for sequence, body, _ in reversed(rows):
            if wanted.may_hold(body):
                found.extendleft(reversed(events_after(sequence, decode_raw(sequence, body), (0, WHOLE), wanted)))
        end = begin
    return list(found)[-limit:] if limit else []
