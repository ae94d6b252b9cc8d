"""What a sink is: a place outside the book where events go. It never writes to the book."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from onebook.book.core import Core
from onebook.clock import Clock
from onebook.domain.reports import Event


class Later(Exception):
    """Not now, and not a failure: the same events are to be handed over again.

    Args:
        seconds: how long to wait first.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:g} s")
        self.seconds = seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a sink may look at.

    Attributes:
        name: of its route, for messages.
        book: for queries; a sink records nothing.
        clock: nanoseconds since 1970 UTC.
        book_id: a name of the book and its epoch, the same in every process.
    """

    name: str
    book: Core
    clock: Clock
    book_id: str

    def key(self, event: Event) -> str:
        """Return what names an event outside the book: the same each time it is delivered."""
        return f"{self.book_id}:{event.id}"


class OneByOne:
    """A sink that tells its subscriber after each event that it is out: the first that is not is the one that fails."""


class Sink(Protocol):
    """Takes events in the order of the log, one call at a time, at least once.

    Attributes:
        max_batch: the most events that one call may bring.
    """

    max_batch: int

    def deliver(self, events: Sequence[Event], *, more: bool) -> bool:
        """Hand events over.

        Args:
            events: at most ``max_batch``; none only after an answer False, when no wanted event follows: then it is
                asked so about once a second, until it answers True.
            more: further entries wait already.

        Returns:
            True: all that came so far is out, durably. False: it is kept in mind only; the checkpoint stays, and
            after a crash it comes again.

        Raises:
            Later: not now; the same events come again.
            BookError: it failed; ``retryable`` says whether the same may succeed later.
        """

    def close(self) -> None:
        """Give back what it holds. Nothing is handed over any more."""
