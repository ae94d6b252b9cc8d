"""What every reader of the log has: a place in it, a filter, and a way to be woken.

A follower holds a place, never events: a slow one lags, and costs the writer and the memory nothing.
"""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from onebook.book.log import WHOLE, Filter, events_after
from onebook.book.logged import LoggedEvent, Place
from onebook.errors import CorruptLog, StoreError, UnknownEventVersion
from onebook.feed.tail import Tail, TailEntry

NEWS_SECONDS = 5.0
"""How often one reader's failures are logged at most; all are counted."""


class Follows(Protocol):
    """What the feed tells about new entries."""

    def offer(self, entry: TailEntry) -> None:
        """Say that an entry is there."""


class Follower:
    """A place in the log that moves on.

    Args:
        tail: of the log.
        wanted: which events.
        place: everything up to here is done.
        wake: called, from any thread, when there is something to do.
    """

    def __init__(self, tail: Tail, wanted: Filter, place: Place, wake: Callable[[], None]) -> None:
        self.tail = tail
        self.wanted = wanted
        self.place = place
        self._wake = wake
        self._lock = threading.Lock()
        self._idle = False

    @property
    def lag(self) -> int:
        """Entries after the last one done."""
        return entries_after(self.place, self.tail.end)

    @property
    def position(self) -> int:
        """The sequence after which to read entries."""
        sequence, ordinal = self.place
        return sequence if ordinal == WHOLE else sequence - 1

    def offer(self, entry: TailEntry) -> None:
        """Say that an entry is there: an idle follower passes over what it does not want, or is woken."""
        with self._lock:
            if not self._idle:
                return
            if self.place == (entry.sequence - 1, WHOLE) and self._passes_over(entry):
                self.place = (entry.sequence, WHOLE)
                return
            self._idle = False
        self._wake()

    def _passes_over(self, entry: TailEntry) -> bool:
        try:
            return not self.finds(entry)
        except (StoreError, UnknownEventVersion):  # its reader meets it too, and tells
            return False

    def finds(self, entry: TailEntry) -> list[LoggedEvent]:
        """Return the wanted events of an entry that are not done.

        Raises:
            CorruptLog: the entry is damaged.
            UnknownEventVersion: a newer release wrote it.
        """
        if not self.wanted.may_hold(entry.body):
            return []
        try:
            return events_after(entry.sequence, entry.raw, self.place, self.wanted)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as problem:
            msg = f"entry {entry.sequence} cannot be read ({problem!r}); run: onebook verify"
            raise CorruptLog(msg, sequence=entry.sequence) from None

    def rest(self) -> bool:
        """Become idle if there is nothing to read; False when there is."""
        with self._lock:
            self._idle = self.tail.head <= self.position
            return self._idle

    def stir(self) -> None:
        """Wake it for another reason than an entry."""
        with self._lock:
            self._idle = False
        self._wake()


def entries_after(place: Place, end: int) -> int:
    """Return how many entries up to the end come after a place."""
    sequence, ordinal = place
    return max(end - (sequence if ordinal == WHOLE else sequence - 1), 0)


class Bell:
    """Wakes one thread; rung while nobody waits, the next wait ends at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        """Wake who waits."""
        try:
            self._lock.release()
        except RuntimeError:  # it was rung already
            return

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is rung; False when that took too long."""
        return self._lock.acquire(timeout=-1 if seconds is None else max(seconds, 0))


class Seldom:
    """Says at most once in so many seconds that it is time.

    Args:
        seconds: between two.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def due(self) -> bool:
        """Say whether it is time."""
        now = monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


class Rate:
    """How often something happens, over about the last minute."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self._since = monotonic()
        self._recent = 0.0

    def add(self, count: int, seconds: float) -> None:
        """Count what happened and how long that took."""
        now = monotonic()
        self._fade(now)
        self.count += count
        self.seconds += seconds
        self._recent += count

    def _fade(self, now: float) -> None:
        self._recent *= 0.5 ** ((now - self._since) / 60)
        self._since = now

    @property
    def per_second(self) -> float:
        """Happenings a second, fading with a half-life of a minute."""
        self._fade(monotonic())
        return self._recent / 86.56  # the sum of a steady one a second, with that half-life: 60 / ln 2

    @property
    def mean_seconds(self) -> float:
        """How long one took on average."""
        return self.seconds / self.count if self.count else 0.0
