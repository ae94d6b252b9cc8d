"""One connection to a venue, as a stream sees it. Each source brings its own; each end is followed by a new one."""

from collections.abc import Collection, Iterator
from typing import Protocol

from onebook.domain.market import Bar, Print, Seen


class Receiver(Protocol):
    """Whom a connection tells what comes. Called on the event loop of the stream only."""

    def opened(self) -> None:
        """It is connected; what comes from now on is live."""

    def seen(self, seen: Seen) -> None:
        """The market showed this."""

    def refused(self, instrument: str, text: str) -> None:
        """The venue does not stream this instrument; the others go on."""


class Connection(Protocol):
    """One connection, on the event loop that calls it."""

    async def run(self, instruments: Collection[str], receiver: Receiver) -> None:
        """Connect, subscribe, and tell what comes until it breaks.

        Raises:
            SourceError: it broke, or could not be made.
        """

    async def add(self, instruments: Collection[str]) -> None:
        """Show these too."""

    async def remove(self, instruments: Collection[str]) -> None:
        """Show these no more."""

    async def close(self) -> None:
        """Give it back, whatever state it is in."""


class History(Protocol):
    """Where a gap is filled from: the calls of ``MarketData`` for the past."""

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        """Return bars by when they opened, oldest first."""

    def prints(self, instrument: str, since_ns: int, until_ns: int) -> Iterator[Print]:
        """Yield prints, oldest first."""
