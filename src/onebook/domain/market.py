"""What a market shows: prints, best quotes and bars. Observations, never facts of the book.

Times are nanoseconds since 1970 UTC; prices per unit in the quote currency; quantities in units of the instrument.
"""

from dataclasses import dataclass
from decimal import Decimal

from onebook.domain.numbers import ZERO, add, multiply

_HALF = Decimal("0.5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """One trade of the market.

    Attributes:
        instrument: what was traded.
        at_ns: when, by the venue.
        price: at which price.
        quantity: how much, above 0.
        side: of who took liquidity, ``buy`` or ``sell``; empty where the venue does not say.
        id: of the venue, unique per instrument; empty where there is none.
    """

    instrument: str
    at_ns: int
    price: Decimal
    quantity: Decimal
    side: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The best prices at one moment.

    Attributes:
        instrument: of what.
        at_ns: when, by the venue; where it gives no time, when it was received.
        bid: highest price somebody buys at.
        ask: lowest price somebody sells at.
        bid_quantity: how much at the bid; 0 where it is not known.
        ask_quantity: how much at the ask; 0 where it is not known.
    """

    instrument: str
    at_ns: int
    bid: Decimal
    ask: Decimal
    bid_quantity: Decimal = ZERO
    ask_quantity: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What happened in one stretch of time.

    Attributes:
        instrument: of what.
        timeframe: its length as ``1s 1m 5m 15m 1h 4h 1d 1w``.
        opened_ns: its first moment.
        at_ns: the first moment after it: from then on it is known.
        open: first price.
        high: highest price.
        low: lowest price.
        close: last price.
        volume: traded quantity, 0 or more, in the unit of the source.
        is_final: False for the bar that still runs.
    """

    instrument: str
    timeframe: str
    opened_ns: int
    at_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    is_final: bool = True


Seen = Print | Quote | Bar
"""Anything a market shows."""


def last_price(seen: Seen) -> Decimal:
    """Return the price that a mark takes from it: of a quote the middle, or its one side where the other is missing."""
    if isinstance(seen, Print):
        return seen.price
    if isinstance(seen, Bar):
        return seen.close
    if not seen.bid or not seen.ask:
        return seen.bid or seen.ask
    return multiply(add(seen.bid, seen.ask), _HALF)
