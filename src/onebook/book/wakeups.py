"""Telling who follows the log that it grew: a condition in the process, a poll of the file between processes.

A wake-up may be lost or come for nothing; who is woken reads the log. The poll asks SQLite whether another
connection wrote, which costs microseconds, and slows down while nothing happens.
"""

import threading
from time import monotonic
from typing import Self

from onebook.errors import StoreError
from onebook.store.port import Reader, Store

FAST_SECONDS = 0.002
SLOW_SECONDS = 0.03
"""A poll after something happened, and after nothing did for a while."""

AGAIN_SECONDS = 0.25
"""A poll after the file could not be read."""

LINGER_SECONDS = 2.0
"""How long the poll goes on when nobody follows any more: who follows in pieces comes back soon."""


class Wakeups:
    """What followers of one book wait on.

    Args:
        store: of the book.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._condition = threading.Condition()
        self._followers = 0
        self._poller: threading.Thread | None = None
        self._idle = threading.Event()
        self.head = 0
        self.closed = False

    def grew(self, head: int) -> None:
        """Say that the log holds entries up to a sequence."""
        with self._condition:
            if head > self.head:  # the poll may have seen a later entry, of another process
                self.head = head
                self._condition.notify_all()

    def __enter__(self) -> Self:
        """Follow: from now on the file is looked at."""
        with self._condition:
            self._followers += 1
            if self._poller is None and not self.closed:
                self._poller = threading.Thread(target=self._poll, name="onebook-poll", daemon=True)
                self._poller.start()
        return self

    def __exit__(self, *problem: object) -> None:
        with self._condition:
            self._followers -= 1

    def wait(self, position: int, timeout: float | None) -> bool:
        """Wait until the log is longer than a position; False when it did not grow in time, or the book closed.

        Args:
            position: a sequence.
            timeout: seconds; None waits for ever.
        """
        deadline = None if timeout is None else monotonic() + timeout
        with self._condition:
            while self.head <= position and not self.closed:
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    return False
                self._condition.wait(left)
        return self.head > position and not self.closed

    def look(self) -> int:
        """Read the head of the log now, and tell everybody when it grew."""
        with self._store.reading() as reader:
            head = reader.head()[0]
        self.grew(head)
        return head

    def _poll(self) -> None:
        """Look at the file until nobody follows; what cannot be read just now is looked at again."""
        while not self.closed:
            try:
                with self._store.reading() as reader:
                    self._watch(reader)
            except StoreError:
                self._idle.wait(AGAIN_SECONDS)
            else:
                return

    def _watch(self, reader: Reader) -> None:
        seconds, alone_since = FAST_SECONDS, None
        seen = -1  # what was written before the first look counts as news
        while not self.closed:
            version = reader.changed()
            if version != seen:
                seen, seconds = version, FAST_SECONDS
                self.grew(reader.head()[0])
            else:
                seconds = min(seconds * 1.25, SLOW_SECONDS)
            self._idle.wait(seconds)
            with self._condition:
                alone_since = None if self._followers else alone_since or monotonic()
                if alone_since is not None and monotonic() - alone_since > LINGER_SECONDS:
                    self._poller = None
                    return

    def close(self) -> None:
        """Wake everybody for the last time."""
        self.closed = True
        self._idle.set()
        with self._condition:
            poller = self._poller
            self._condition.notify_all()
        # a start that was interrupted (Ctrl-C) leaves a thread that cannot be joined; it sees `closed` and ends
        if poller is not None and poller.is_alive() and poller is not threading.current_thread():
            poller.join(timeout=5)
