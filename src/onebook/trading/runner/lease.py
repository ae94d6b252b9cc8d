"""Only one runner of a name at a time on a book: a lease beside the log says which process has it."""

import logging
import threading

from onebook.book.core import Core
from onebook.clock import Clock
from onebook.domain import times
from onebook.errors import ConflictError, StoreError
from onebook.store.subscribers import Progress, SubscriberRow

LEASE_SECONDS = 5.0
"""How long the name of a runner that died stays taken."""

LEAST_WAIT_SECONDS = 0.1
_log = logging.getLogger("onebook.runner")


class Lease:
    """The right to run under a name.

    Args:
        book: on which.
        name: of the runner.
        holder: who asks; no two processes have the same.
        wall: the real time, nanoseconds since 1970 UTC.
        seconds: how long it lasts without being renewed.
    """

    def __init__(self, book: Core, name: str, holder: str, wall: Clock, *, seconds: float = LEASE_SECONDS) -> None:
        self._book = book
        self.name = name
        self._row = f"runner.{name}"
        self._holder = holder
        self._wall = wall
        self._lasts = int(seconds * times.SECOND)
        self._renewed = 0
        self._generation = 0
        self._lock = threading.Lock()
        self._is_lost = False
        self._ends = threading.Event()
        self._keeper: threading.Thread | None = None
        self.held = False

    def take(self) -> None:
        """Take it.

        Raises:
            ConflictError: another process has it.
        """
        now = self._wall()
        head = self._book.wakeups.look()
        row = self._book.store.aside(
            lambda rows: rows.claim(self._row, self._holder, (head, 0), now, now + self._lasts)
        )
        if row.holder != self._holder:
            raise self._taken(row)
        with self._lock:
            self.held, self._generation, self._renewed, self._is_lost = True, row.generation, now, False

    def keep(self) -> None:
        """Renew it on a thread until it is given back: a strategy that takes its time does not lose it."""
        if self._keeper is None:
            self._ends.clear()
            self._keeper = threading.Thread(target=self._keep_on, name="onebook-lease", daemon=True)
            self._keeper.start()

    def _keep_on(self) -> None:
        while not self._ends.wait(max(self._lasts / times.SECOND / 4, LEAST_WAIT_SECONDS)):
            try:
                self.renew()
            except ConflictError:
                return  # the runner hears of it with its next event
            except StoreError as problem:
                _log.warning("the name of runner %s could not be kept just now: %s", self.name, problem)

    def renew(self) -> None:
        """Keep it, when a third of its time is over.

        Raises:
            ConflictError: another process has taken it meanwhile.
        """
        with self._lock:
            self._renew()

    def _renew(self) -> None:
        if self._is_lost:
            raise self._taken(None)
        now = self._wall()
        if not self.held or now - self._renewed < self._lasts // 3:
            return
        head = self._book.wakeups.look()
        row = Progress(
            self._row,
            self._holder,
            self._generation,
            head,
            10**9,
            "running",
            0,
            0,
            0,
            "",
            0,
            now + self._lasts,
            now,
            0,
            0,
        )
        if not self._book.store.aside(lambda rows: rows.save(row)):
            self.held, self._is_lost = False, True
            raise self._taken(None)
        self._renewed = now

    def release(self) -> None:
        """Give it back."""
        self._ends.set()
        keeper, self._keeper = self._keeper, None
        if keeper is not None and keeper.is_alive():
            keeper.join()
        with self._lock:
            if self.held:
                self._book.store.aside(lambda rows: rows.release(self._row, self._holder))
                self.held = False

    def _taken(self, row: SubscriberRow | None) -> ConflictError:
        by = "" if row is None else f" ({row.holder})"
        msg = (
            f"runner {self.name} runs on this book already in another process{by}; stop that one, or give this one"
            f" another name. Where that one died, its name is free after {self._lasts / times.SECOND:g} s"
        )
        return ConflictError(msg, runner=self.name)
