"""Facts that are durable on this machine first: put into a file, sent in order by a thread, over crashes and outages.

Sending gives at least once; every fact has an identity, so the book takes each once. A fact that the service refuses
is put into a file beside, with the reason, and does not keep the others.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from onebook.errors import BadConfig, BookError, StoreBusy, StoreError
from onebook.feed.calling import tried
from onebook.intake.adapters.spool import Spool
from onebook.remote.naming import ADDRESSES
from onebook.remote.refused import Refused
from onebook.remote.sending import Row

LOOK_SECONDS = 1.0
"""How often to look whether another process on the same file left something, or gave sending up."""

LONGEST_PAUSE_SECONDS = 10.0

_log = logging.getLogger("onebook.remote")

Send = Callable[[Sequence[Row]], list[tuple[Row, BookError]]]
"""Sends rows of one kind in order; returns those that the service refuses, and why. Raises while it cannot be told."""


def spool_at(path: str | os.PathLike[str], max_bytes: int) -> Spool:
    """Return the file of a queue.

    Raises:
        BadConfig: it is something else, or its folder cannot be made.
    """
    place = Path(path).absolute()
    spool = Spool(place, max_bytes=max_bytes)
    if not spool.is_spool():
        msg = f"spool: {place} is no spool; name a file that is not there yet"
        raise BadConfig(msg, field="spool", value=str(place))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        msg = f"spool: {place.parent}: {problem.strerror or problem}; name a folder that can be written"
        raise BadConfig(msg, field="spool", value=str(place)) from None
    return spool


class Queue:
    """Facts on their way. Thread-safe; of several processes on one file one sends.

    Args:
        spool: the file.
        send: how rows get to the service.
        most: rows of one request.
        pause: seconds to wait after so many failures.
        emptied: called when everything was sent.
        alert: called with a sentence when a fact is refused.
    """

    def __init__(
        self,
        spool: Spool,
        send: Send,
        *,
        most: int,
        pause: Callable[[int], float],
        emptied: Callable[[], None],
        alert: Callable[[str], None] | None,
    ) -> None:
        self.spool, self._send, self._most, self._pause = spool, send, most, pause
        self._emptied = emptied
        self.refused = Refused(spool.path.with_name(spool.path.name + ".refused"), spool.max_bytes, alert)
        self._state = threading.Condition()
        self._closing = False
        self._failures = 0
        self._done, self._first, self._last, self._at = 0, "", "", 0
        self._lock_file: Any = None
        self.trouble = ""
        self._thread = threading.Thread(target=self._run, name="onebook-remote-sender", daemon=True)
        self._thread.start()

    def put(self, rows: Sequence[Row]) -> None:
        """Take rows in; they are on the disk when this returns.

        Raises:
            StoreFull: the file is at its limit, or the disk is full.
            StoreError: it cannot be written.
        """
        self.spool.append(rows)
        with self._state:
            self._state.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything was sent; False when it was not in so many seconds."""
        until = None if timeout is None else monotonic() + timeout
        with self._state:
            while self.spool.size:
                left = LOOK_SECONDS if until is None else min(until - monotonic(), LOOK_SECONDS)
                if left <= 0:
                    return False
                self._state.wait(left)
        return True

    def close(self, timeout: float, cut: Callable[[], None]) -> None:
        """Send what can be sent in so many seconds; what is left is sent by whoever opens this file next.

        Args:
            timeout: seconds.
            cut: ends a request that is on its way.
        """
        if not self.trouble:
            self.wait(timeout)
        with self._state:
            self._closing = True
            self._state.notify_all()
        cut()
        self._thread.join(timeout)
        if self._lock_file is not None and not self._thread.is_alive():
            self._lock_file.close()

    # ---- the thread ----

    def _run(self) -> None:
        while True:
            with self._state:
                wait = LOOK_SECONDS if not self._failures else min(self._pause(self._failures), LONGEST_PAUSE_SECONDS)
                if self._failures:
                    self._state.wait_for(lambda: self._closing, wait)
                elif not self.spool.size:
                    self._state.wait(wait)
                if self._closing:
                    return
            if self.spool.size:
                self._turn()

    def _turn(self) -> None:
        """Send what waits, once."""
        is_done, problem = tried(self._drained)
        if problem is not None:
            self._failed(problem)
        if not is_done:
            return
        self._done, self._first, self._last = 0, "", ""
        if self._failures:
            _log.info("%s: everything is sent again", self.spool.path)
        self._failures, self.trouble = 0, ""
        self._emptied()
        with self._state:
            self._state.notify_all()

    def _drained(self) -> bool:
        """Send all that waits; False where another process does that."""
        if not self._may_send():
            with self._state:
                self._state.wait(LOOK_SECONDS)
            return False
        self._at = 0
        self.spool.drain(self._take)
        return True

    def _failed(self, problem: BaseException) -> None:
        self._failures += 1
        said = f"{type(problem).__name__}: {problem}"
        if said != self.trouble and not self._closing:
            _log.warning("%s: facts wait here: %s", self.spool.path, said)
        self.trouble = said

    def _may_send(self) -> bool:
        """Say whether this process is the one that sends."""
        if self._lock_file is not None:
            return True
        place = self.spool.path.with_name(self.spool.path.name + ".sender")
        try:
            file = place.open("ab")
        except OSError as problem:
            msg = f"{place}: {problem.strerror or problem}"
            raise StoreError(msg, path=str(place)) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._lock_file = file
        return True

    def _take(self, rows: list[Row]) -> None:
        """Send a piece of the file; what was sent in an earlier turn is passed over."""
        batches = _batches(rows, self._most)
        if not self._at and batches[0][0]["id"] != self._first:  # another file than in the turn before
            self._done, self._first = 0, batches[0][0]["id"]
        for batch in batches:
            passed = min(max(self._done - self._at, 0), len(batch))
            if passed and self._at + passed == self._done and batch[passed - 1]["id"] != self._last:
                self._done = 0
                msg = f"{self.spool.path} was replaced while it was sent; it is sent from its beginning"
                raise StoreBusy(msg, path=str(self.spool.path))
            fresh = batch[passed:]
            self._at += passed
            if not fresh:
                continue
            if self._closing:
                msg = "the remote book is closed"
                raise StoreBusy(msg)
            for row, problem in self._send(fresh):
                self.refused.put(row, problem)
            self._at += len(fresh)
            self._done, self._last = self._at, fresh[-1]["id"]


def _batches(rows: Sequence[Row], most: int) -> list[list[Row]]:
    """Return rows in order, in pieces of one kind."""
    found: list[list[Row]] = []
    for row in rows:
        if not (isinstance(row.get("id"), str) and row.get("kind") in ADDRESSES and isinstance(row.get("fact"), dict)):
            msg = (
                f"the spool holds what no remote book has put there: {row!r:.200}; give each program a file of its own"
            )
            raise StoreError(msg)
        if not found or len(found[-1]) >= most or found[-1][0]["kind"] != row["kind"]:
            found.append([])
        found[-1].append(row)
    return found
