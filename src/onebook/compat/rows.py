"""Rows of an older program on their way into the book: what could be made of each, and what was refused, and why."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Generic, TypeVar

from onebook.app import Book
from onebook.domain.facts import AnyFact
from onebook.domain.reports import BatchReport, Refusal
from onebook.errors import BookError

Made = TypeVar("Made")


class Rows(Generic[Made]):
    """The rows of one source: ``made`` (place, result) and ``refused``."""

    def __init__(self) -> None:
        self.made: list[tuple[int, Made]] = []
        self.refused: list[Refusal] = []

    def add(self, index: int, make: Callable[[Any], Made], row: Any) -> None:
        """Make something of a row; a row that is malformed is refused alone."""
        try:
            self.made.append((index, make(row)))
        except BookError as problem:
            self.refused.append(Refusal(index=index, error=problem))

    def recorded(self, book: Book, facts: Iterable[tuple[int, AnyFact]], already: int = 0) -> BatchReport:
        """Record facts and report them by the rows they come from.

        Args:
            book: where to.
            facts: (row, fact).
            already: how many rows more the book is known to have.
        """
        placed = list(facts)
        report = book.record_many(fact for _, fact in placed)
        refused = [Refusal(index=placed[item.index][0], error=item.error) for item in report.refused]
        everything = sorted([*self.refused, *refused], key=lambda item: item.index)
        return replace(report, exists=report.exists + already, refused=tuple(everything))
