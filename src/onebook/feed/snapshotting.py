"""Snapshots while the book grows: every so many minutes and every so many entries, by one process of all."""

import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from time import time_ns
from uuid import uuid4

from onebook.book.core import Core
from onebook.book.log import WHOLE
from onebook.book.snapshots import KEEP, KEEP_DAYS, Folder, take, tell
from onebook.domain import times
from onebook.domain.reports import Snapshot
from onebook.errors import BookError, StoreClosed, StoreError
from onebook.store.subscribers import Progress, SubscriberRow, SubscriberRows

_log = logging.getLogger("onebook.feed")
NAME = "snapshots"
"""The subscriber whose checkpoint is the newest snapshot's entry, and whose lease is held while one is written."""

LOOK_SECONDS = 1.0
RETRY_SECONDS = 60.0
LEASE_NS = 120 * times.SECOND
"""Longer than any snapshot takes; a process that dies while it writes one holds up the others for so long."""

ANCHOR_ENTRIES = 50_000
"""Up to so many entries every snapshot says of every read model what it was; beyond, the first of a day."""

CLOSE_SECONDS = 5.0


class Snapshotting:
    """Takes snapshots of one book in a thread of its own.

    Args:
        book: which.
        every_minutes: after so much time, if anything was recorded; 0: not by time.
        every_entries: after so many entries; 0: not by entries.
        keep: so many of the newest stay.
        keep_days: and one a day for so many days.
        folder: where they are; None: the book's own.
        clock: the moment, for what is due, nanoseconds since 1970 UTC; all processes need the same.
    """

    def __init__(  # noqa: PLR0913  the settings of one section
        self,
        book: Core,
        *,
        every_minutes: float = 5.0,
        every_entries: int = 10_000,
        keep: int = KEEP,
        keep_days: int = KEEP_DAYS,
        folder: str | None = None,
        clock: Callable[[], int] = time_ns,
    ) -> None:
        self._book = book
        self._every_ns = int(every_minutes * times.MINUTE)
        self._every_entries = every_entries
        self._keep = keep
        self._keep_days = keep_days
        self._folder = Path(folder).absolute() if folder else book.snapshot_folder
        self._clock = clock
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="onebook-snapshots", daemon=True)

    def start(self) -> None:
        """Begin.

        Raises:
            StoreError: the book is in memory, and no folder is given.
        """
        if self._folder is None:
            msg = f"{self._book.store.url}: a book in memory has no folder beside it; say where its snapshots go"
            raise StoreError(msg, url=self._book.store.url)
        self._thread.start()

    def close(self) -> None:
        """End, once a snapshot that is being written is done; wait for it a few seconds."""
        self._closing.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=CLOSE_SECONDS)

    def _run(self) -> None:
        pause = LOOK_SECONDS
        while not self._closing.wait(pause):
            pause = LOOK_SECONDS
            try:
                self.look()
            except StoreClosed:
                return
            except BookError as problem:
                pause = RETRY_SECONDS
                _log.warning("no snapshot was taken; the next try is in %g s: %s", pause, problem)

    def look(self) -> Snapshot | None:
        """Take a snapshot if one is due and no other process does; return it.

        Raises:
            StoreError: the book cannot be read or written just now.
            SourceError: the file cannot be written.
        """
        if self._folder is None or not self._is_due():
            return None
        store, now = self._book.store, self._clock()
        row = store.aside(lambda rows: rows.claim(NAME, self._holder, (0, WHOLE), now, now + LEASE_NS))
        if row.holder != self._holder:
            return None
        reached = None
        try:
            if not self._is_due():  # another process took one just now
                return None
            taken, reached = self._take(Folder(self._folder))
        finally:
            self._let_go(row, reached)
        return taken

    def _is_due(self) -> bool:
        with self._book.store.reading() as reader:
            head = reader.head()[0]
            row = reader.subscriber(NAME)
        if row is None or not row.sequence:
            return head > 0
        grown, passed = head - row.sequence, self._clock() - row.updated_ns
        if grown < 0:
            return True  # the file was replaced by an older one
        by_time = 0 < self._every_ns <= passed
        return grown > 0 and (by_time or 0 < self._every_entries <= grown)

    def _take(self, folder: Folder) -> tuple[Snapshot, int]:
        """Take one, thin out the others, and return it with the entry up to which nothing is new."""
        book = self._book
        now = book.now()
        with book.store.reading() as reader:
            entries = reader.head()[0]
        daily = not any(header.anchor and header.at // times.DAY == now // times.DAY for _, header in folder.headers())
        taken = take(book.store, now, folder.path, anchor=daily or entries <= ANCHOR_ENTRIES)
        reached = taken.sequence
        if daily and taken.anchor:
            told = tell(book.committer, taken, book.actor)
            reached = told if told == reached + 1 else reached
        folder.prune(keep=self._keep, keep_days=self._keep_days, now_ns=now)
        return taken, reached

    def _let_go(self, row: SubscriberRow, reached: int | None) -> None:
        """Give the lease back; keep up to where there is a snapshot."""
        now = self._clock()
        progress = Progress(
            NAME,
            self._holder,
            row.generation,
            *((row.sequence, row.ordinal) if reached is None else (reached, WHOLE)),
            row.state,
            0,
            int(reached is not None),
            0,
            "",
            0,
            now,
            row.updated_ns if reached is None else now,
            0.0,
            0.0,
        )

        def work(rows: SubscriberRows) -> None:
            if rows.save(progress):
                rows.release(NAME, self._holder)

        self._book.store.aside(work)
