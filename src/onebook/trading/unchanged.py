"""Tells whether anything that a limit of loss is compared with may have changed since the last look.

A standing follows from the log, the marks of what its scope holds, the highest result that any process kept, and the
day. Where it may follow from more (other currencies, what could not be valued) nothing is taken to be as it was.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice

from onebook.book.core import Core
from onebook.book.lens import Lens
from onebook.domain.days import Days

MOST_EVENTS = 64
"""Events of the log that are gone through; where there are more, something has changed."""

_SAYS_NOTHING = frozenset(
    {"order_updated", "published", "runner_started", "runner_stopped", "signal_closed", "signal_detected"}
    | {"signal_executed", "signal_expired", "state_changed", "stop_moved", "stop_removed", "stop_set"}
    | {"stop_triggered"}
)
"""Events that move no money, no position, no limit and no state of trading."""

Scope = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the last look compared: the marks by instrument, what was kept of highest results, and the day."""

    marks: dict[str, tuple[Decimal, datetime]]
    kept: tuple[tuple[str, str], ...]
    day: str


class Unchanged:
    """Remembers what the last look at the limits of loss saw.

    Args:
        book: whose.
        kind: of the observations that keep highest results.
    """

    def __init__(self, book: Core, kind: str) -> None:
        self._book = book
        self._kind = kind
        self._head = -1
        self._days = Days()
        self._names: frozenset[str] = frozenset()
        self._seen: _Seen | None = None

    def __bool__(self) -> bool:
        """Say whether all is as it was at the last look."""
        if self._seen is None or not self._log_says_nothing():
            return False
        return self._see() == self._seen

    def forget(self) -> None:
        """Take all to be new at the next look; called before each, so that one that fails counts for none."""
        self._seen = None
        self._head = self._book.wakeups.look()
        with self._book.store.reading() as reader:
            self._days = Lens(reader).calendar()

    def keep(self, scopes: Collection[Scope]) -> None:
        """Remember what a look saw, where the standings of these scopes follow from that alone."""
        names = self._names_of(scopes)
        if names is None or not self._log_says_nothing():
            return
        self._names = names
        self._seen = self._see()

    def _log_says_nothing(self) -> bool:
        head = self._book.wakeups.look()
        if head == self._head:
            return True
        events = list(islice(self._book.events(after=self._head), MOST_EVENTS))
        if len(events) == MOST_EVENTS or any(event.type not in _SAYS_NOTHING for event in events):
            return False
        self._head = max([head, *(event.sequence for event in events)])
        return True

    def _see(self) -> _Seen:
        with self._book.store.reading() as reader:
            kept = tuple((item.name, item.value) for item in reader.observations(self._kind))
        marks = {
            mark.instrument: (mark.price, mark.at) for mark in self._book.marks() if mark.instrument in self._names
        }
        return _Seen(marks=marks, kept=kept, day=self._days.text(self._book.now()))

    def _names_of(self, scopes: Collection[Scope]) -> frozenset[str] | None:
        """Return what the scopes hold, under all its names; None where rates of currencies count too."""
        with self._book.store.reading() as reader:
            lens = Lens(reader)
            base = lens.settings.base_currency
            found: set[str] = set()
            for account, strategy in scopes:
                held = self._book.positions(account=account or None, strategy=strategy or None, is_open=None)
                assets: Iterable[str] = (
                    () if strategy else (row.asset for row in self._book.balances(account=account or None))
                )
                if any(item.currency != base or item.unvalued for item in held) or any(name != base for name in assets):
                    return None
                for item in held:
                    if item.quantity:
                        found |= {item.instrument, *lens.names(item.account, item.instrument)}
        return frozenset(found)
