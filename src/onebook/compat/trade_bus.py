"""``TradeEventBus``: the older bus of trade events, a face over the log. It has no queue of its own."""

import threading
from collections.abc import Callable
from typing import Any

from onebook.app import Book
from onebook.compat import current
from onebook.compat.events import TRADE_TYPES, Telling, TradeEvent
from onebook.compat.publishing import publish_as, published
from onebook.compat.trades import Trade
from onebook.compat.values import storable
from onebook.domain.reports import Event
from onebook.feed.listener import Listener

Callback = Callable[[TradeEvent], Any]


class Lag:
    """What stands for the older queue: how much of the log the slowest was not told yet.

    Args:
        lag: returns it.
    """

    def __init__(self, lag: Callable[[], int]) -> None:
        self._lag = lag

    def qsize(self) -> int:
        """Entries of the log that the slowest subscriber was not told yet."""
        return self._lag()

    def empty(self) -> bool:
        """Say whether everybody was told everything."""
        return not self._lag()


class TradeEventBus:
    """Trade events by type.

    Args:
        book: returns the book behind it; None: the one of the older names.
        account: whose events.
        others: returns the lag of other subscribers, for ``_event_queue``.
    """

    def __init__(
        self,
        book: Callable[[], Book] | None = None,
        *,
        account: str = "main",
        others: Callable[[], int] | None = None,
    ) -> None:
        self._book = book or current.current_book
        self._account = account
        self._others = others
        self._lock = threading.RLock()
        self._there: list[tuple[str, Callback, Listener]] = []
        self._event_queue = Lag(self._lag)

    def _lag(self) -> int:
        with self._lock:
            mine = max((item[2].lag for item in self._there), default=0)
        return mine if self._others is None else max(mine, self._others())

    def subscribe(self, event_type: str, callback: Callback) -> None:
        """Tell a callback the events of one type from now on; one that is there already stays as it is.

        Args:
            event_type: such as ``trade_executed``, a pattern such as ``trade_*``, or a type of your own.
            callback: takes a :class:`TradeEvent`; may be ``async def``.
        """
        with self._lock:
            if any(item[:2] == (event_type, callback) for item in self._there):
                return
            book = self._book()
            told = _Told(event_type, callback, Telling(book, self._account))
            types = tuple(dict.fromkeys((event_type, "published", *TRADE_TYPES)))
            self._there.append((event_type, callback, book.listen(told, types=types)))
            current.keep_open(self)

    def unsubscribe(self, event_type: str, callback: Callback) -> None:
        """Stop telling a callback the events of one type."""
        with self._lock:
            gone = [item for item in self._there if item[:2] == (event_type, callback)]
            self._there = [item for item in self._there if item not in gone]
            if not self._there:
                current.let_go(self)
        for item in gone:
            item[2].close()

    def publish(self, event: TradeEvent) -> None:
        """Write a trade event into the log for who subscribes here. It books nothing, whatever its type.

        Raises:
            InputError: what it says cannot be kept.
        """
        data: dict[str, Any] = {"metadata": event.metadata}
        if event.trade is not None:
            data["trade"] = event.trade.shape()
        publish_as(self._book(), event.event_type, storable(data))

    def start(self) -> None:
        """Do nothing: events are told from the moment somebody subscribes."""

    def stop(self) -> None:
        """Stop telling everybody."""
        with self._lock:
            gone, self._there = self._there, []
            current.let_go(self)
        for item in gone:
            item[2].close()


class _Told:
    """Calls a callback with those of the book's events that are of its type."""

    def __init__(self, event_type: str, callback: Callback, telling: Telling) -> None:
        from onebook.book.log import make_filter

        self._wanted = make_filter(event_type)
        self._callback = callback
        self._telling = telling

    def __call__(self, event: Event) -> Any:
        name, data = published(event)
        if event.type == "published":
            told: TradeEvent | None = _as_published(name, data, event)
        else:
            told = self._telling.told(event)
        if told is None or not self._wanted.wants_type(told.event_type):
            return None
        return self._callback(told)


def _as_published(name: str, data: dict[str, Any], event: Event) -> TradeEvent:
    trade = data.get("trade")
    return TradeEvent(
        name,
        Trade.from_dict(trade) if isinstance(trade, dict) else None,
        None,
        event.occurred_at,
        data.get("metadata") if isinstance(data.get("metadata"), dict) else data,
    )
