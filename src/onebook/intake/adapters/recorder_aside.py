"""What a recorder puts aside while the book fails: in its spool, or in memory while not even that can be written."""

import logging
from collections import deque
from collections.abc import Sequence
from time import monotonic

from onebook.feed.calling import tried
from onebook.intake.adapters.recorder_seen import Item, as_row
from onebook.intake.adapters.spool import Spool

MAX_KEPT = 10_000
"""Most items kept in memory when not even the spool can be written."""
SAY_AGAIN_SECONDS = 60.0
"""How often it is said that facts are in memory only."""

_log = logging.getLogger("onebook.recorder")


class Aside:
    """Items in the order in which they were taken: first those in the spool, then those in memory.

    Whoever calls it holds the recorder's lock.

    Args:
        spool: the file.
        whose: account, venue and strategy.
        retry_seconds: how long after a failure the spool is tried again.
    """

    def __init__(self, spool: Spool, whose: tuple[str, str, str], retry_seconds: float) -> None:
        self._spool, self._whose, self._retry = spool, whose, retry_seconds
        self._kept: deque[Item] = deque()
        self._again = self._say_again = 0.0
        self._problem: BaseException | None = None
        self.lost = 0

    @property
    def kept(self) -> tuple[Item, ...]:
        """What is in memory only, oldest first."""
        return tuple(self._kept)

    def store(self, items: Sequence[Item]) -> None:
        """Append items to the spool, after what is in memory only, which is older; else keep them in memory too."""
        if self._kept and monotonic() < self._again:
            self._keep(items)
            return
        rows = (*self._kept, *items)
        _, problem = tried(lambda: self._spool.append([as_row(item, *self._whose) for item in rows]))
        if problem is None:
            self._kept.clear()
            return
        self._again, self._problem = monotonic() + self._retry, problem
        self._keep(items)
        if not isinstance(problem, Exception):
            raise problem

    def booked(self, items: Sequence[Item]) -> None:
        """Let go of items that were in memory, unless they went to the spool meanwhile."""
        if items and self._kept and self._kept[0] is items[0]:
            for _ in items:
                self._kept.popleft()

    def _keep(self, items: Sequence[Item]) -> None:
        room = MAX_KEPT - len(self._kept)
        self._kept.extend(items[:room])
        lost = max(len(items) - room, 0)
        is_first_loss = lost > 0 and not self.lost
        self.lost += lost
        if monotonic() < self._say_again and not is_first_loss:
            return
        self._say_again = monotonic() + SAY_AGAIN_SECONDS
        subject = "/".join(filter(None, self._whose))
        if self.lost:
            text = "%s: %d facts are lost, neither book nor spool takes them: %s"
            _log.critical(text, subject, self.lost, self._problem)
        else:
            _log.critical("%s: facts are in memory only, the spool fails too: %s", subject, self._problem)
