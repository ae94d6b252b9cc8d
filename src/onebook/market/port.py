"""What every source of prices can do: the port that files, venues and the wrappers around them share."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from onebook.domain.market import Bar, Print, Quote, Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The newest price of an instrument, and how far to trust it.

    Attributes:
        instrument: of what.
        price: in the quote currency.
        at_ns: when it was so, by the source; nanoseconds since 1970 UTC.
        source: who says so.
        is_stale: it is a kept value, because its source does not answer just now.
        age_seconds: how old it was when it was given out, 0 or more.
    """

    instrument: str
    price: Decimal
    at_ns: int
    source: str
    is_stale: bool = False
    age_seconds: float = 0.0


class MarketData(Protocol):
    """A source of market data. Every call may block; none writes to the book.

    All raise ``UnknownInstrument`` for what the source does not have, ``SourceTimeout`` or ``RateLimited`` where
    trying again helps, ``BadPayload`` for an answer that cannot be read, and ``SourceError`` otherwise.
    """

    name: str

    def price(self, instrument: str) -> Price:
        """Return the newest price."""

    def quote(self, instrument: str) -> Quote:
        """Return the newest best prices."""

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        """Return the bars that opened at or after ``since_ns`` and before ``until_ns``, oldest first."""

    def prints(self, instrument: str, since_ns: int, until_ns: int) -> Iterator[Print]:
        """Yield the market's trades from ``since_ns`` until before ``until_ns``, oldest first."""

    def stream(self, instruments: Collection[str], deliver: Callable[[Seen], None]) -> "Subscription":
        """Deliver what the market shows from now on, on a thread of the source, until the subscription is closed."""

    def close(self) -> None:
        """Give connections back."""


class Subscription(Protocol):
    """A running stream."""

    def add(self, instruments: Collection[str]) -> None:
        """Stream these too, from now on."""

    def remove(self, instruments: Collection[str]) -> None:
        """Stream these no more."""

    def close(self) -> None:
        """End it, and wait until nothing is delivered any more."""
