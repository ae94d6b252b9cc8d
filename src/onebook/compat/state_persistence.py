"""``engine.state_persistence``: the documents' snapshots, over the book's own.

The state is in the book and is there when that is opened, so nothing has to be restored and nothing is replayed into
anything: these calls check that the newest snapshot agrees with the log, and return what came of it. They write no
state, call no handler and send nothing.
"""

import os
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from onebook.app import Book
from onebook.book.snapshots import KEEP, KEEP_DAYS, Folder, take
from onebook.compat import current
from onebook.compat.publishing import published
from onebook.compat.state_store import without_about
from onebook.domain import times
from onebook.domain.reports import Snapshot
from onebook.errors import InputError, StoreError
from onebook.store.codec import decode_entry

MAX_EVENTS = 10_000
"""Events that ``replay_events`` returns when it is not told."""


class StatePersistence:
    """Snapshots of one book.

    Args:
        snapshot_dir: where they are; None: ``state_store.snapshot_dir`` of the configuration, else beside the book.
        max_snapshots: so many of the newest stay.
        book: None for the book of the older names.
    """

    def __init__(
        self,
        snapshot_dir: str | os.PathLike[str] | None = None,
        max_snapshots: int | None = None,
        *,
        book: Book | None = None,
    ) -> None:
        self._dir = None if snapshot_dir is None else Path(snapshot_dir).absolute()
        self._most = max_snapshots
        self._given = book

    @property
    def book(self) -> Book:
        """The book behind it."""
        return self._given or current.current_book()

    @property
    def _is_off(self) -> bool:
        settings = self.book.settings
        return settings is not None and not settings.get("state_store.enabled")

    def _folder(self) -> Folder:
        place = self._dir or self.book.snapshot_folder
        if place is None:
            raise StoreError("a book in memory has no folder beside it; give snapshot_dir")
        return Folder(place)

    def save_snapshot(self) -> str | None:
        """Write a snapshot now and return its path; None when the state store is off or nothing is recorded yet.

        Raises:
            StoreError: there is no place for it.
            SourceError: it cannot be written.
        """
        book = self.book
        if self._is_off or not book.wakeups.look():
            return None
        folder = self._folder()
        taken = take(book.store, book.now(), folder.path)
        settings = book.settings
        most = self._most or (KEEP if settings is None else settings.get("snapshots.keep"))
        days = KEEP_DAYS if settings is None else settings.get("snapshots.keep_days")
        folder.prune(keep=max(most, 1), keep_days=days, now_ns=book.now())
        return taken.path

    def load_latest_snapshot(self) -> dict[str, Any] | None:
        """Return the newest whole snapshot that agrees with the log: ``path sequence timestamp head_hash state``.

        A damaged one is passed over with a warning. None when there is none, or the state store is off.
        """
        book = self.book
        if self._is_off:
            return None
        for found in self._folder().listed():
            if self._agrees(found):
                state = without_about(book.as_of(found.sequence).state.snapshot())
                return {
                    "path": found.path,
                    "sequence": found.sequence,
                    "timestamp": found.at,
                    "head_hash": found.head_hash,
                    "state": state,
                }
        return None

    def _agrees(self, found: Snapshot) -> bool:
        """Say whether the log has the entry that a snapshot was taken at."""
        with self.book.store.reading() as reader:
            row = reader.entry(found.sequence)
        return row is not None and bytes(row[2]).hex() == found.head_hash

    def restore_from_snapshot(self, snapshot: object = None) -> bool:
        """Say whether a snapshot is one of this book and holds what the log says. Nothing is written.

        To bring back an older state, hand ``snapshot["state"]`` to ``StateStore.restore_snapshot``.

        Args:
            snapshot: as :meth:`load_latest_snapshot` returned it; None: the newest.

        Raises:
            InputError: it is no snapshot.
        """
        if self._is_off:
            return False
        found = self.load_latest_snapshot() if snapshot is None else snapshot
        if found is None:
            return False
        sequence = found.get("sequence") if isinstance(found, dict) else None
        if not isinstance(found, dict) or type(sequence) is not int:
            msg = f"snapshot: {found!r:.80} is none; give what load_latest_snapshot() returned"
            raise InputError(msg, field="snapshot", value=found)
        book = self.book
        with book.store.reading() as reader:
            row = reader.entry(sequence)
        if row is None or bytes(row[2]).hex() != found.get("head_hash"):
            return False
        then: bool = without_about(book.as_of(sequence).state.snapshot()) == found.get("state")
        return then

    def replay_events(
        self, since: int | datetime | None = None, *, limit: int | None = MAX_EVENTS
    ) -> list[dict[str, Any]]:
        """Return what the log has after a point, oldest first, as the bus shows it. No handler is called.

        Args:
            since: a sequence, or a moment; None: the newest snapshot, else the beginning.
            limit: how many at most; None for all.
        """
        if self._is_off:
            return []
        after = self._after(since)
        found = islice(self.book.events(after=after), limit)
        shown = ((published(event), event.occurred_at) for event in found)
        return [{"type": name, "data": data, "timestamp": at} for (name, data), at in shown]

    def _after(self, since: int | datetime | None) -> int:
        if since is None:
            newest = self.load_latest_snapshot()
            return 0 if newest is None else int(newest["sequence"])
        if isinstance(since, int):
            return since
        moment = times.from_datetime("since", since)
        first, last = 0, self.book.wakeups.look()
        with self.book.store.reading() as reader:
            while first < last:
                middle = (first + last + 1) // 2
                row = reader.entry(middle)
                if row is not None and decode_entry(middle, row[1]).at <= moment:
                    first = middle
                else:
                    last = middle - 1
        return first

    def restore_with_replay(self) -> dict[str, Any]:
        """Check the newest snapshot, and return what is there now.

        Returns:
            ``restored`` (a good snapshot was found), ``sequence`` of it (0 without one), ``events_replayed`` (how many
            the log has after it) and ``state``.
        """
        newest = self.load_latest_snapshot()
        after = 0 if newest is None else int(newest["sequence"])
        if self._is_off:
            return {"restored": False, "sequence": 0, "events_replayed": 0, "state": {}}
        return {
            "restored": self.restore_from_snapshot(newest) if newest is not None else False,
            "sequence": after,
            "events_replayed": sum(1 for _ in self.book.events(after=after)),
            "state": without_about(self.book.state.snapshot()),
        }


_persistence: StatePersistence | None = None


def get_state_persistence() -> StatePersistence:
    """Return the one of the process, over the book of the older names."""
    global _persistence
    with current.LOCK:
        if _persistence is None:
            _persistence = StatePersistence()
        return _persistence


def forget_persistence() -> None:
    """Forget it: the book it spoke to is being replaced."""
    global _persistence
    with current.LOCK:
        _persistence = None
