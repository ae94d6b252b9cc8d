"""The event log as JSON lines: each event one object, as ``onebook tail --json`` prints it, and its book.

``book`` (the book and its epoch) comes first, then the envelope and ``data``; money is plain text, times are
RFC 3339 UTC. Lines are only ever appended.
"""

import json
import re
from typing import Any

from onebook.config import Key
from onebook.config import values as take
from onebook.domain.reports import Event, as_plain
from onebook.feed.sink import Around, Sink
from onebook.feed.sinks import options as kinds
from onebook.feed.sinks.file_end import Row
from onebook.feed.sinks.growing import GrowingFile
from onebook.feed.sinks.rotated import Rotation

OPTIONS: dict[str, Key] = {
    "path": Key(
        take=kinds.path, default=None, needed=True, help="the file; rotated ones get -YYYYMMDD-N before the ending"
    ),
    "rotate_bytes": Key(take=kinds.size, default=100_000_000, help="a new file before it gets larger; 0 never"),
    "rotate_daily": Key(take=take.switch, default=False, help="a new file for each UTC day of recording"),
    "keep": Key(take=take.count(0, 100_000), default=0, help="how many rotated files stay; 0 all"),
    "compress": Key(take=take.switch, default=False, help="pack rotated files with gzip"),
}

_EVENT_ID = re.compile(r"\d{1,18}\.\d{1,9}", re.ASCII)
_MARKS = ("book", "id", "type", "recorded_at")


def make(around: Around, options: dict[str, Any]) -> Sink:
    """Return the sink.

    Raises:
        BadConfig: no path.
        BadPayload: there is a file that is not this log.
    """
    names = ("rotate_bytes", "rotate_daily", "keep", "compress")
    rotation = Rotation(**{name: options[name] for name in names})
    return GrowingFile(around, kinds.needed(options, "path", around.name), JsonLines(), rotation)


class JsonLines:
    """How events are written as lines of JSON."""

    header = b""

    def begins(self, book: str) -> bytes:
        """Return how each line of a book begins, whatever its epoch."""
        return _encoded({"book": book})[: -len(b'"}\n')]

    def line(self, event: Event, book_id: str) -> bytes:
        """Return an event's line."""
        return _encoded({"book": book_id} | as_plain(event))

    def row(self, line: bytes) -> Row | None:
        """Return what a line says of itself; None when it is no event of a book."""
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in _MARKS):
            return None
        if not _EVENT_ID.fullmatch(found["id"]):
            return None
        return Row(found["book"], found["id"], found["recorded_at"][:10].replace("-", ""))


def _encoded(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
