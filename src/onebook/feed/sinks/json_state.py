"""The state of the book as one JSON file, for others to read. Nothing here reads it as truth.

Readers see the old file or the new one, never a part. The shape::

    {
      "book": "…",                 the book and its epoch
      "sequence": 57,              the log is in up to here
      "consistent": true,          false: the book was written to while it was read, three times in a row;
                                   single figures may then be newer than the sequence
      "written_at": "…",
      "positions": [ … ],          what is open, as ``onebook positions --json``
      "balances": [ … ],           as ``onebook balances --json``
      "daily_pnl": [ … ],          of today, by the book's zone and roll, as ``onebook pnl --json``; empty so far: []
      "status": { … },             as ``onebook status --json``
      "marks": [ … ]               newest prices: instrument, price, at, source, stale
    }

Money is plain text, times are RFC 3339 UTC. It is written when events come, at most once in ``every_seconds``;
marks alone write nothing.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onebook.book.core import Core
from onebook.config import Key, masked
from onebook.config import values as take
from onebook.domain import times
from onebook.domain.days import Days
from onebook.domain.facts import BookSettings
from onebook.domain.reports import Event, as_plain
from onebook.errors import BadPayload
from onebook.feed.sink import Around, Later, Sink
from onebook.feed.sinks import options as kinds
from onebook.feed.sinks.file_end import book_and_epoch
from onebook.store.disk import replace, unwritten

OPTIONS: dict[str, Key] = {
    "path": Key(take=kinds.path, default=None, needed=True, help="the file; it is replaced as a whole"),
    "every_seconds": Key(take=take.seconds(0, 3600), default=1.0, help="written at most once in so many seconds"),
}

MAX_BYTES = 1_000_000_000
_TRIES = 3


def make(around: Around, options: dict[str, Any]) -> Sink:
    """Return the sink.

    Raises:
        BadConfig: no path.
        BadPayload: there is a file that is no state of this book.
    """
    return JsonState(around, kinds.needed(options, "path", around.name), options["every_seconds"])


class JsonState:
    """A sink that keeps one file up to date.

    Args:
        around: the book, and what it may look at.
        path: the file.
        every_seconds: written at most once in so many seconds.
    """

    max_batch = 10_000

    def __init__(self, around: Around, path: Path, every_seconds: float) -> None:
        self._around = around
        self._path = path
        self._every = round(every_seconds * times.SECOND)
        self._written: int | None = None
        self._check()

    def deliver(self, events: Sequence[Event], *, more: bool) -> bool:  # noqa: ARG002  the state is the book's
        """Write the state as it is now.

        Raises:
            Later: it was written just before.
            StoreFull: the disk is full.
            SourceError: it cannot be written.
            BadPayload: somebody put another file there.
        """
        now = self._around.clock()
        if self._written is not None and 0 <= now - self._written < self._every:
            if more:
                return False  # what waits brings us here again
            raise Later((self._written + self._every - now) / times.SECOND)
        if self._written is None:
            self._check()
        body = json.dumps(state_of(self._around), ensure_ascii=False, indent=1) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace(self._path, body.encode("utf-8", "backslashreplace"))
        except OSError as problem:
            raise unwritten(self._path, problem) from None
        self._written = now
        return True

    def close(self) -> None:
        """Nothing is held."""

    def _check(self) -> None:
        """Refuse to write over what is no state of this book.

        Raises:
            BadPayload: it is something else.
        """
        try:
            if not self._path.exists() or not (size := self._path.stat().st_size):
                return
            found = json.loads(self._path.read_bytes()) if size <= MAX_BYTES else None
        except ValueError:
            found = None
        except OSError as problem:
            raise unwritten(self._path, problem) from None
        book = book_and_epoch(self._around.book_id)[0]
        if isinstance(found, dict) and isinstance(found.get("book"), str) and "sequence" in found:
            if book_and_epoch(found["book"])[0] == book:
                return
            msg = f"{self._path}: is the state of another book ({found['book']}); name another file for this one"
            raise BadPayload(msg, path=str(self._path))
        msg = f"{self._path}: is no state of a book, and is left as it is; move it away, or name another file"
        raise BadPayload(msg, path=str(self._path))


def state_of(around: Around) -> dict[str, Any]:
    """Return the state of the book in the shape of the file."""
    found = _read(around.book)
    for _ in range(_TRIES - 1):
        if found["consistent"]:
            break
        found = _read(around.book)
    shown: dict[str, Any] = as_plain(found)
    shown["status"]["url"] = masked("url", shown["status"]["url"])
    at = times.to_text(around.book.now())
    return {"book": around.book_id, "sequence": shown.pop("sequence"), "consistent": shown.pop("consistent")} | {
        "written_at": at,
        **shown,
    }


def _read(book: Core) -> dict[str, Any]:
    status = book.status()
    today = _days(book).of(book.now()).isoformat()
    found = {
        "positions": book.positions(),
        "balances": book.balances(),
        "daily_pnl": [row for row in book.daily_pnl(since=today) if row.day == today],
        "status": status,
        "marks": book.marks(),
    }
    return found | {"sequence": status.entries, "consistent": book.status().entries == status.entries}


def _days(book: Core) -> Days:
    defined: list[BookSettings] = book.facts("settings")
    settings = defined[-1] if defined else BookSettings()
    return Days(settings.zone, settings.rolls_at)
