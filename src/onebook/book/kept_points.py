"""Points of the equity curve that were computed once, kept for as long as nothing before their moment changed."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from onebook.domain.reports import EquityPoint
from onebook.store.codec import decode_raw
from onebook.store.port import Reader, Row

MAX_POINTS = 5_000
MAX_ENTRIES = 5_000
"""Most entries that are looked through; when more came, every point is computed again."""

TIMED = frozenset({"trade_executed", "funding_paid", "cash_moved", "rate_recorded"})
"""Events that change what was true from the moment they name on, and nothing before it."""

HARMLESS = frozenset(
    {
        "annotated",
        "break_found",
        "break_resolved",
        "daily_loss_breached",
        "drawdown_breached",
        "hook_defined",
        "limits_defined",
        "order_updated",
        "position_closed",
        "position_updated",
        "published",
        "signal_closed",
        "signal_detected",
        "signal_executed",
        "signal_expired",
        "snapshot_taken",
        "state_changed",
        "stop_moved",
        "stop_removed",
        "stop_set",
        "stop_triggered",
        "token_defined",
        "trading_state_changed",
    }
)
"""Events that say nothing of money, or only what another one of their entry says."""

Place = tuple[int, str | None, str | None]
"""(moment in nanoseconds, currency, account)."""

MarkAt = Callable[[str, int], Row | None]
"""Returns (price, at_ns) of the newest mark of an instrument or pair up to a moment."""

Marks = Mapping[str, Row | None]
"""Instrument or pair -> (price, at_ns) as it was sampled, None where nothing was."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A point, and the marks that were looked up for it."""

    point: EquityPoint
    marks: Marks


class KeptPoints:
    """Points by moment, currency and account. Safe to use from many threads.

    A call of :meth:`look` says up to where its reader sees the log; what is put and got under another head than the
    newest one looked at is not kept and not found.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._points: OrderedDict[Place, _Kept] = OrderedDict()
        self._head = 0
        self._ledgers = 0

    def look(self, reader: Reader) -> int:
        """Forget what entries since the last look may have changed; return the head of the log."""
        head, ledgers = reader.head()[0], len(reader.ledgers())
        with self._lock:
            if head < self._head:
                return head
            if ledgers != self._ledgers:  # another account may count from now on
                self._points.clear()
            elif head > self._head and self._points:
                self._forget(_earliest(reader, self._head, head))
            self._head, self._ledgers = head, ledgers
        return head

    def _forget(self, moment: int | None) -> None:
        for place in [place for place in self._points if moment is None or place[0] >= moment]:
            del self._points[place]

    def get(self, mark_at: MarkAt, head: int, place: Place) -> EquityPoint | None:
        """Return a point whose marks are still the ones that were looked up; None when it is to be computed."""
        with self._lock:
            kept = self._points.get(place) if head == self._head else None
            if kept is not None:
                self._points.move_to_end(place)
        if kept is None or any(mark_at(name, place[0]) != row for name, row in kept.marks.items()):
            return None
        return kept.point

    def put(self, head: int, place: Place, point: EquityPoint, marks: Marks) -> None:
        """Keep a point, in the place of those least used."""
        with self._lock:
            if head == self._head:
                self._points[place] = _Kept(point, marks)
                self._points.move_to_end(place)
                if len(self._points) > MAX_POINTS:
                    self._points.popitem(last=False)


def _earliest(reader: Reader, after: int, head: int) -> int | None:
    """Return the first moment that entries changed, a far one for nothing, None where that is not known."""
    if head - after > MAX_ENTRIES:
        return None
    earliest = 2**63
    for row in reader.entries(after, head - after):
        entry = decode_raw(row[0], row[1])
        for event in entry.events:
            if event.type in TIMED:
                earliest = min(earliest, entry.occurred)
            elif event.type not in HARMLESS:
                return None
    return earliest
