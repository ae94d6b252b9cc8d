"""The automatic CSV audit of the older names: a row per fill, written by a durable subscriber, never read as truth.

What went through ``engine.trade_logger`` is told once its row is on the disk: ``trade_logged``, or
``trade_exit_updated`` for an exit, with ``trade_id row file``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onebook.app import Book
from onebook.book.keeping import book_id
from onebook.book.log import make_filter
from onebook.domain.reports import Event
from onebook.feed.policy import Policy
from onebook.feed.sink import Around, Sink
from onebook.feed.sinks import make_sink, options_of
from onebook.feed.sinks.csv_audit import TYPES
from onebook.feed.subscriber import Subscriber

NAME = "compat.csv_audit"
"""The subscriber whose checkpoint says how far the audit is."""

LOGGED_BY = "trade_logger:"
"""Begins the correlation id of what the trade logger recorded; the trade's id follows."""


class Told:
    """Hands events on to the audit, and tells of those rows that the trade logger asked for.

    Args:
        sink: the audit.
        book: where it is told.
        path: of the audit.
    """

    def __init__(self, sink: Sink, book: Book, path: Path) -> None:
        self._sink = sink
        self._book = book
        self._path = path
        self.max_batch = sink.max_batch

    def deliver(self, events: Sequence[Event], *, more: bool) -> bool:
        """Write the rows; then say so."""
        out = self._sink.deliver(events, more=more)
        for event in events:
            if event.type == "trade_executed" and event.correlation_id.startswith(LOGGED_BY):
                self._tell(event)
        return out

    def _tell(self, event: Event) -> None:
        trade_id = event.correlation_id.removeprefix(LOGGED_BY)
        own = event.data.get("client_fill_id") == trade_id
        data: dict[str, Any] = {"trade_id": trade_id, "row": event.id, "file": str(self._path), "key": event.id}
        self._book.note(
            "trade_logged" if own else "trade_exit_updated",
            data,
            instrument=event.instrument,
            strategy=event.strategy,
        )

    def close(self) -> None:
        """Close the audit."""
        self._sink.close()


def audited(book: Book, path: str) -> Subscriber | None:
    """Keep the audit of a book up to date from now on, beginning with its first fill; None for a read-only book.

    Args:
        book: which.
        path: of the file.
    """
    if book.store.read_only:
        return None
    file = Path(path).absolute()

    def opens(_: Subscriber) -> Sink:
        around = Around(name=NAME, book=book, clock=book.now, book_id=book_id(book.store))
        options = {name: key.default for name, key in options_of("csv").items()} | {"path": file}
        return Told(make_sink("csv", around, options), book, file)

    policy = Policy(attempts=None)
    return book.feed.subscribe(NAME, opens, make_filter(tuple(sorted(TYPES))), start="beginning", policy=policy)
