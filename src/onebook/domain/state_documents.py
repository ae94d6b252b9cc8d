"""The state as documents: each path that was set is one, with a value and a counter of its changes.

No document lies below another: what is set inside one changes it, and what is set above takes its place. A document
that is gone stays as a tombstone with its counter, so that a version never comes back. The version of a path is how
often what it shows may have changed: the changes of the document at or above it since its line began, or, where there
is none, those of everything above, at and below.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from onebook.domain.state import Record
from onebook.domain.state_paths import Path, above, below, path_from, path_text
from onebook.domain.state_values import MISSING, inside

KIND = "state"
"""The kind of record that a document is."""

DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Document:
    """One version of a document.

    ``version`` counts on from ``before``, the changes above it when its line began. ``at_ns`` and ``sequence`` say when
    it was written, 0 where nobody asked.
    """

    path: Path
    value: Any
    version: int
    before: int = 0
    stands: bool = True
    source: str = ""
    at_ns: int = 0
    sequence: int = 0

    @property
    def count(self) -> int:
        """How many changes it stands for in the versions of others; 0 once a document above has taken them over."""
        return self.version - self.before


def document_of(record: Record, sequence: int = 0) -> Document:
    """Return the document that a record keeps."""
    body = record.body
    return Document(
        path_from(record.id),
        body.get("value"),
        body["version"],
        body.get("before", 0),
        record.status != DELETED,
        body.get("source", ""),
        record.occurred_ns,
        sequence,
    )


def record_of(document: Document, at_ns: int) -> Record:
    """Return the record that keeps a document."""
    body: dict[str, Any] = {"value": document.value} if document.stands else {}
    body["version"] = document.version
    if document.before:
        body["before"] = document.before
    if document.source:
        body["source"] = document.source
    return Record(KIND, "", path_text(document.path), at_ns, body, status="" if document.stands else DELETED)


class Documents:
    """Documents as they stand at one point, read one by one.

    Args:
        one: returns the document of a path's text, tombstones too, or None.
        under: returns those whose texts begin with a prefix and go on, tombstones too.
    """

    def __init__(self, one: Callable[[str], Document | None], under: Callable[[str], Iterable[Document]]) -> None:
        self.one = one
        self._under = under

    def under(self, path: Path) -> Iterator[Document]:
        """Return the documents below a path, tombstones too, without the book's own."""
        return (found for found in self._under(below(path)) if found.path[0][0] != "$")

    def holder(self, path: Path) -> Document | None:
        """Return the document that stands at a path or above it."""
        for place in (*above(path), path):
            found = self.one(path_text(place))
            if found is not None and found.stands:
                return found
        return None

    def value(self, path: Path) -> Any:
        """Return the kept value at a path, put together from the documents below where none holds it; or MISSING."""
        holder = self.holder(path) if path else None
        if holder is not None:
            return inside(holder.value, path[len(holder.path) :])
        whole: dict[str, Any] = {}
        for found in self.under(path):
            if found.stands:
                level = whole
                for part in found.path[len(path) : -1]:
                    level = level.setdefault(part, {})
                level[found.path[-1]] = found.value
        return whole or MISSING

    def version(self, path: Path) -> int:
        """Return how often what a path shows may have changed; 0 when nothing was ever there."""
        total = 0
        for place in (*above(path), path) if path else ():
            found = self.one(path_text(place))
            if found is not None:
                if found.stands:
                    return found.version
                total += found.count
        return total + sum(found.count for found in self.under(path))
