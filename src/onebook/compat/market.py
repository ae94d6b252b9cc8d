"""What the older market services share in one process: caches, breakers, bars, and the source of prices.

The documents' services are reached by functions without arguments, so here too there is one of each. This holds the
doors only: values are in the caches, bars in their file beside the book, states in the breakers.
"""

import random
import threading
import time
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from onebook.compat import current
from onebook.compat.sources import NOTHING, Outside, rate_of, source_of, venue_of
from onebook.compat.venue import Venue
from onebook.domain.market import Bar
from onebook.market.bars.store import BarStore
from onebook.market.caches import Caches
from onebook.market.circuits import Circuits
from onebook.market.data import Data
from onebook.market.guarded import Guarded, Guards
from onebook.market.pacing import Pace
from onebook.market.port import MarketData
from onebook.market.retrying import Retry

_LOCK = threading.RLock()
"""Guards the names below; nobody holds it while something is closed."""

_outside: Outside = NOTHING
_caches: Caches | None = None
_circuits: Circuits | None = None
_guarding: Circuits | None = None
_bars: BarStore | None = None
_source: Guarded | None = None
_venue: Venue | None = None
_data: Data | None = None


def configure(data: MarketData | str | None = None, venue: Any = None) -> None:
    """Say where prices come from and which venue is asked for the account, instead of what was said before.

    Args:
        data: a source, which the caller closes; or text as in ``ONEBOOK_DATA``. None: as ``ONEBOOK_DATA`` says.
        venue: an exchange of ccxt, a ``TradingClient`` of alpaca-py, or a ``Venue``. None: as ``ONEBOOK_DATA`` says.

    Raises:
        BadConfig: no such source or venue.
    """
    global _outside
    given = Outside(data, None if venue is None else venue_of(venue))
    close_data()
    with _LOCK:
        _outside = given


def caches() -> Caches:
    """Return the caches of the process."""
    global _caches
    with _LOCK:
        if _caches is None:
            _caches = Caches(current.now_ns)
        return _caches


def circuits() -> Circuits:
    """Return the breakers that the program makes for itself."""
    global _circuits
    with _LOCK:
        if _circuits is None:
            _circuits = Circuits(current.now_ns)
        return _circuits


def guarding() -> Circuits:
    """Return the breakers of the data manager: apart, so that the program can take any name for its own."""
    global _guarding
    with _LOCK:
        if _guarding is None:
            _guarding = Circuits(current.now_ns)
        return _guarding


def bars() -> BarStore:
    """Return the bars beside the book of the older names: ``<book>.bars.db``.

    Raises:
        StoreError: the book or they cannot be opened.
    """
    global _bars
    book = current.current_book()
    with _LOCK:
        if _bars is None:
            url = book.store.url
            place = url if url == ":memory:" else f"{Path(url).absolute()}.bars.db"
            _bars = BarStore(place, clock=current.now_ns)
        return _bars


def data() -> Data:
    """Return the data service, made at the first need.

    Raises:
        BadConfig: no source is configured, or it cannot be one.
    """
    return _made()[1]


def source() -> Guarded:
    """Return the source itself, behind cache and breaker, for who streams on his own account.

    Raises:
        BadConfig: as for :func:`data`.
    """
    return _made()[0]


def _made() -> tuple[Guarded, Data]:
    global _source, _data
    shared, breakers = caches(), guarding()
    with _LOCK:
        if _data is None or _source is None:
            given = source_of(_outside)
            _source = given if isinstance(given, Guarded) else Guarded(given, _guards(given.name, shared, breakers))
            _data = Data(_source, clock=current.now_ns, caches=shared, circuits=breakers, bars=Shelf(), mark=_mark)
        return _source, _data


def made_data() -> Data | None:
    """Return the data service if it is made already."""
    return _data


def venue() -> Venue:
    """Return the venue that is asked for the account.

    Raises:
        BadConfig: none is configured.
    """
    global _venue
    with _LOCK:
        if _venue is None:
            _venue = _outside.asked_venue()
        return _venue


def close_data() -> None:
    """End the stream and close the source, unless it was handed in; the next need makes it anew."""
    global _source, _venue, _data
    with _LOCK:
        gone, lent = _data, _outside.is_lent
        _source = _venue = _data = None
    if gone is None:
        return
    gone.stop_stream()
    if not lent:
        gone.close()
    current.let_go(caches)


def close_bars() -> None:
    """Close the bars; the next need opens them again."""
    global _bars
    with _LOCK:
        gone, _bars = _bars, None
    if gone is not None:
        gone.close()


def close_caches() -> None:
    """Drop everything that is cached, and end the thread that cleans up; the data service ends with its caches."""
    global _caches
    close_data()
    with _LOCK:
        gone, _caches = _caches, None
    if gone is not None:
        gone.close()


def keep_book_open() -> None:
    """Note that a stream marks the book, so that a manager that shuts down does not close it."""
    current.keep_open(caches)


def let_book_go() -> None:
    """Note that no stream marks it any more."""
    current.let_go(caches)


def forget_book() -> None:
    """Let go of what belongs to the book: it is being replaced."""
    close_data()
    close_bars()


def forget() -> None:
    """Let go of everything, and of what was configured."""
    global _circuits, _guarding, _outside
    close_caches()
    close_bars()
    with _LOCK:
        _circuits, _guarding, _outside = None, None, NOTHING


class Shelf:
    """The bars beside the book, whichever it is just now."""

    def put(self, given: Iterable[Bar]) -> int:
        """Keep bars."""
        return bars().put(given)

    def read(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        """Return the bars that are kept."""
        return bars().read(instrument, timeframe, since_ns, until_ns)

    def fill(self, source: MarketData, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        """Return the bars, after fetching what is missing."""
        return bars().fill(source, instrument, timeframe, since_ns, until_ns)

    def stats(self) -> dict[str, Any]:
        """Return how they stand."""
        return bars().stats()


def _guards(name: str, shared: Caches, breakers: Circuits) -> Guards:
    pace = Pace(name, rate_of(name), clock=time.monotonic_ns)
    retry = Retry(clock=time.monotonic_ns, random=random.Random())  # noqa: S311  spreads waits
    return Guards(caches=shared, circuits=breakers, pace=pace, retry=retry, clock=current.now_ns)


def _mark(instrument: str, price: Decimal, at_ns: int, source: str) -> None:
    current.current_book().mark(instrument, price, at=at_ns, source=source)
