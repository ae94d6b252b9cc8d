"""The book as of another point: read-only, same queries."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from onebook.book.lens import Lens, Shortcut
from onebook.book.marks import LiveMark
from onebook.book.reading import Reading
from onebook.store.port import Store


class AsOf(Reading):
    """The book as of a point: read-only, same queries.

    Args:
        store: where the book lies.
        known: the last sequence that counts; None for all.
        until_ns: the last moment that counts; None for all.
        now: the moment for ages, rates and marks.
        folder: of snapshots, which spare folding what stood still; None for none.
    """

    def __init__(
        self, store: Store, known: int | None, until_ns: int | None, now: int, folder: Path | None = None
    ) -> None:
        self._store = store
        self._known = known
        self._until_ns = until_ns
        self._moment = now
        self._shortcut: Shortcut | None = None
        if folder is not None and known is not None and until_ns is None and folder.is_dir():
            from onebook.book.shortcut import SnapshotShortcut

            self._shortcut = SnapshotShortcut(folder, known)

    @contextmanager
    def _lens(self) -> Iterator[Lens]:
        with self._store.reading() as reader:
            yield Lens(reader, self._known, self._until_ns, self._shortcut)

    def _now(self) -> int:
        return self._moment

    def _mark(self, instrument: str) -> LiveMark | None:
        with self._store.reading() as reader:
            row = reader.mark_at(instrument, self._moment)
        return None if row is None else LiveMark(Decimal(row[0]), row[1], "")
