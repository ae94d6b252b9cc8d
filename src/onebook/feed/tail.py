"""The newest entries of the log, read once for all who follow it. What is older is read from the store again."""

import threading
from collections import deque
from itertools import islice

from onebook.book.log import PAGE
from onebook.book.wakeups import Wakeups
from onebook.store.codec import RawEntry, decode_raw
from onebook.store.port import Store

KEPT = 2048
KEPT_BYTES = 16_000_000
"""Entries, and characters of them, that are kept at most."""


class TailEntry:
    """One entry: its sequence, its bytes, and what they say once somebody asks."""

    __slots__ = ("_raw", "body", "sequence")

    def __init__(self, sequence: int, body: str) -> None:
        self.sequence = sequence
        self.body = body
        self._raw: RawEntry | None = None

    @property
    def raw(self) -> RawEntry:
        """The entry, decoded once; nobody changes it."""
        found = self._raw
        if found is None:
            found = self._raw = decode_raw(self.sequence, self.body)
        return found


class Tail:
    """The end of the log in memory.

    Args:
        store: where the log is.
        wakeups: what knows how long it is; from there on it is kept.
    """

    def __init__(self, store: Store, wakeups: Wakeups) -> None:
        self._store = store
        self._wakeups = wakeups
        self._kept: deque[TailEntry] = deque()
        self._lock = threading.Lock()
        self._size = 0
        self.head = wakeups.look()

    @property
    def end(self) -> int:
        """The newest entry that this process knows of, taken already or not."""
        return max(self.head, self._wakeups.head)

    def grow(self) -> list[TailEntry]:
        """Take the next entries from the store, at most a page, and return them; for one caller at a time."""
        with self._store.reading() as reader:
            new = [TailEntry(row[0], row[1]) for row in reader.entries(self.head, PAGE)]
        if new:
            with self._lock:
                self._kept.extend(new)
                self._size += sum(len(entry.body) for entry in new)
                while len(self._kept) > KEPT or (self._size > KEPT_BYTES and len(self._kept) > 1):
                    self._size -= len(self._kept.popleft().body)
                self.head = new[-1].sequence
        return new

    def kept_after(self, position: int) -> list[TailEntry] | None:
        """Return the entries after a sequence, at most a page; None when the store is to be asked."""
        with self._lock:
            if position >= self.head:
                return []
            if self._kept and self._kept[0].sequence <= position + 1:
                first = position + 1 - self._kept[0].sequence
                return list(islice(self._kept, first, first + PAGE))
        return None

    def after(self, position: int) -> list[TailEntry]:
        """Return the entries after a sequence, at most a page."""
        kept = self.kept_after(position)
        if kept is not None:
            return kept
        with self._store.reading() as reader:
            return [TailEntry(row[0], row[1]) for row in reader.entries(position, PAGE) if row[0] <= self.head]
