"""Between the bots and the book: facts go in batch by batch, and what is held comes back out of the book.

A book that holds the demo already is never trusted for decisions, because it knows how the story ends. Then a
second, fresh book in memory gets the same facts and answers the bots, and the first one answers ``exists``.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from time import perf_counter

from onebook.app import Book
from onebook.demo.bars import Bar
from onebook.demo.venue import ACCOUNT
from onebook.domain import times
from onebook.domain.facts import AnyFact, CorporateAction, Fill
from onebook.domain.reports import BatchReport, Position

BATCH = 64
"""Most facts that wait before they are recorded."""

Held = dict[str, dict[str, Position]]
"""Open positions by strategy and stock."""


class ReplayClock:
    """The time of the replay: what the book takes for now. It never goes back."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        """Return nanoseconds since 1970 UTC."""
        return self.ns

    def move_to(self, moment: datetime) -> None:
        """Let it be this moment; an earlier one changes nothing."""
        self.ns = max(self.ns, times.to_ns("moment", moment))


class Desk:
    """Records what the replay says, and tells the bots what they hold.

    Args:
        book: the book of the demo.
        scratch: an empty book that decides instead, when ``book`` holds the demo already.

    ``shown`` is the book that answers: the one to watch while the replay runs.
    """

    def __init__(self, book: Book, scratch: Book | None = None) -> None:
        self.book = book
        self.recorded = 0
        self.existing = 0
        self.busy_seconds = 0.0
        self.shown = scratch or book
        self._marked_until = max((mark.at for mark in book.marks()), default=None)
        self._books = (book,) if scratch is None else (book, scratch)
        self._waiting: list[AnyFact] = []
        self._held: Held | None = None

    @property
    def facts(self) -> int:
        """How many facts were handed to the book so far."""
        return self.recorded + self.existing

    def add(self, facts: Iterable[AnyFact]) -> None:
        """Take facts in; they are recorded with the next batch, or before the next answer that they change."""
        for fact in facts:
            self._waiting.append(fact)
            if isinstance(fact, Fill | CorporateAction):
                self._held = None
        if len(self._waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Record what waits, in order; it is durable when this returns."""
        if not self._waiting:
            return
        batch, self._waiting = self._waiting, []
        begun = perf_counter()
        reports = [book.record_many(batch) for book in self._books]
        self.busy_seconds += perf_counter() - begun
        _insist(reports)
        self.recorded += reports[0].recorded
        self.existing += reports[0].exists

    def mark(self, bar: Bar, at: datetime) -> None:
        """Tell the book a close, unless it knows later ones."""
        for book in self._books:
            if book is self.shown or self._marked_until is None or at > self._marked_until:
                book.mark(bar.instrument, bar.close, at=at, source="demo bars")

    def held(self) -> Held:
        """Ask the book for the open positions; its last answer serves until something moves them."""
        if self._held is None:
            self.flush()
            self._held = {}
            for position in self.shown.positions(account=ACCOUNT):
                self._held.setdefault(position.strategy or "", {})[position.instrument] = position
        return self._held

    def equity(self) -> Decimal:
        """Ask the book what the account is worth, in USD."""
        self.flush()
        return self.shown.equity(account=ACCOUNT).amount


def _insist(reports: list[BatchReport]) -> None:
    """Raise the first refusal: the demo's facts are well-formed, so it is ours."""
    for report in reports:
        for refusal in report.refused:
            raise refusal.error
