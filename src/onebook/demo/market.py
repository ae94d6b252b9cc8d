"""What the market shows of each session, to the runner: real prices as observations, and when the exchange is open.

A daily bar tells the time of two of its prices: the open and the close. So what is traded within the day is shown its
open at 09:30 and its close shortly before 16:00, as prints; everything else the whole bar when it has ended. Of one
instrument there is only one kind. That the exchange closed at 13:00 now and then is not in the data.
"""

from collections.abc import Iterator, Sequence
from datetime import time
from decimal import Decimal

from onebook.demo.bars import Bar
from onebook.demo.history import Session
from onebook.domain import market
from onebook.market import calendars

MORNING = time(4)
"""When splits and dividends take effect."""

OPENS = time(9, 30)
OPENING = (OPENS, time(9, 31))
"""When the open is shown of what is traded within the day: what is decided with the first is traded with the second."""

CLOSES = time(16)
CLOSING = (time(15, 56), time(15, 58))
"""When the close is shown of what is traded within the day: the end of the day begins with the first of them."""

MINUTES_BEFORE_CLOSE = 5
INTRADAY = ("FB", "GOOG")
OVERNIGHT = ("AAPL", "IBM", "MSFT")
STOCKS = tuple(sorted(INTRADAY + OVERNIGHT))

_SOME = Decimal(1)
"""How much was traded at the open and the close is not in the data; the demo's venue does not ask."""


def calendar(sessions: Sequence[Session]) -> calendars.Exchange:
    """Return the exchange's calendar, as far as the data goes."""
    days = tuple(
        calendars.Session(day=session.day, opens_ns=session.at_ns(OPENS), closes_ns=session.at_ns(CLOSES))
        for session in sessions
    )
    return calendars.Exchange("the data's", days, days[0].day, days[-1].day)


def observations(sessions: Sequence[Session]) -> Iterator[market.Seen]:
    """Yield what the market showed, in order of time."""
    for session in sessions:
        yield from shown(session)


def shown(session: Session) -> Iterator[market.Seen]:
    """Yield what the market showed on one session, in order of time."""
    within = [session.bars[name] for name in INTRADAY if name in session.bars]
    for clock in OPENING:
        for bar in within:
            yield _print(bar, bar.open, session.at_ns(clock))
    for clock in CLOSING:
        for bar in within:
            yield _print(bar, bar.close, session.at_ns(clock))
    for name in OVERNIGHT:
        if name in session.bars:
            yield _bar(session.bars[name], session)


def _print(bar: Bar, price: Decimal, at_ns: int) -> market.Print:
    return market.Print(instrument=bar.instrument, at_ns=at_ns, price=price, quantity=_SOME)


def _bar(bar: Bar, session: Session) -> market.Bar:
    return market.Bar(
        instrument=bar.instrument,
        timeframe="1d",
        opened_ns=session.at_ns(OPENS),
        at_ns=session.at_ns(CLOSES),
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
    )
