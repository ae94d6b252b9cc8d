"""The one data service of a program: latest prices, bars, the stream, and how all of it stands.

It writes no facts. Marks go to the book through a callable that is handed in, so that it serves without a book as well.
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, MutableMapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Protocol

from onebook.clock import Clock
from onebook.domain import times
from onebook.domain.market import Bar, Seen, last_price
from onebook.errors import BookError, StoreClosed
from onebook.market.caches import Caches
from onebook.market.circuits import Circuits
from onebook.market.port import MarketData, Price, Subscription

_log = logging.getLogger("onebook.market")
REMEMBERED = 10_000
"""Instruments whose last mark is remembered, so that the same price is not marked twice."""

Mark = Callable[[str, Decimal, int, str], None]
"""Put a mark into the book: instrument, price, time in nanoseconds since 1970 UTC, source."""


class BarsStore(Protocol):
    """Where bars are kept, beside the book."""

    def put(self, bars: Iterable[Bar]) -> object:
        """Keep bars; the running one is replaced."""

    def read(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        """Return the bars that are kept, oldest first."""

    def fill(self, source: MarketData, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        """Return the bars, oldest first, after fetching what is missing."""

    def stats(self) -> dict[str, Any]:
        """Return how much is kept and how it does."""


class Data:
    """Prices, bars and the stream of one source. Thread-safe.

    Args:
        source: where they come from, usually a ``Guarded`` one. It is closed with this.
        clock: nanoseconds since 1970 UTC.
        caches: of the program, for ``health``; whoever made them closes them.
        circuits: of the program, for ``health``.
        bars: where bars are kept; None asks the source every time.
        mark: puts marks into the book; a book that refuses or fails is logged and stops nothing.
    """

    def __init__(
        self,
        source: MarketData,
        *,
        clock: Clock,
        caches: Caches,
        circuits: Circuits,
        bars: BarsStore | None = None,
        mark: Mark | None = None,
    ) -> None:
        from cachetools import LRUCache

        self._source = source
        self._clock = clock
        self._caches = caches
        self._circuits = circuits
        self._store = bars
        self._mark = mark
        self._switch = threading.RLock()
        self._lock = threading.Lock()
        self._marked: MutableMapping[str, int] = LRUCache(REMEMBERED)
        self._stream: Subscription | None = None
        self._updated_ns: int | None = None
        self._closed = False

    def latest_price(self, instrument: str) -> Price:
        """Return the newest price; look at ``is_stale`` before trading on it.

        Raises:
            UnknownInstrument: the source does not have it.
            SourceError: the source does not answer, and has answered never or too long ago.
        """
        price = self._open().price(instrument)
        if not price.is_stale:
            self._put(price.instrument, price.price, price.at_ns, price.source)
        return price

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        """Return the bars that opened at or after ``since_ns`` and before ``until_ns``, oldest first, all there are.

        Raises:
            UnknownInstrument: the source does not have it.
            SourceError: something is missing, and the source does not answer; ``kept_bars`` gives what is there.
        """
        source = self._open()
        if self._store is None:
            return source.bars(instrument, timeframe, since_ns, until_ns)
        return self._store.fill(source, instrument, timeframe, since_ns, until_ns)

    def kept_bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        """Return the bars that are kept, without asking anybody; there may be gaps."""
        self._open()
        return [] if self._store is None else self._store.read(instrument, timeframe, since_ns, until_ns)

    def start_stream(self, instruments: Collection[str], deliver: Callable[[Seen], None] | None = None) -> None:
        """Stream these, and mark what they show; while a stream runs, add them to it.

        Args:
            instruments: of the source.
            deliver: told too of everything; only at the start of a stream.
        """
        source = self._open()
        with self._switch:
            if self._stream is None:
                self._stream = source.stream(instruments, self._listener(deliver))
            else:
                self._stream.add(instruments)

    def stop_stream(self) -> None:
        """End the stream and wait until nothing is delivered any more; nothing when none runs."""
        with self._switch:
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def add(self, instruments: Collection[str]) -> None:
        """Stream these too; starts the stream when none runs."""
        self.start_stream(instruments)

    def remove(self, instruments: Collection[str]) -> None:
        """Stream these no more; nothing when no stream runs."""
        with self._switch:
            if self._stream is not None:
                self._stream.remove(instruments)

    def health(self) -> dict[str, Any]:
        """Return how everything stands, as plain values for JSON.

        ``last_update`` is when a price last came, RFC 3339 text; empty before the first.
        """
        with self._lock:
            updated = self._updated_ns
        return {
            "api_initialized": not self._closed,
            "streaming": self._stream is not None,
            "last_update": "" if updated is None else times.to_text(updated),
            "cache_stats": {name: asdict(stats) for name, stats in self._caches.stats().items()},
            "database_stats": {} if self._store is None or self._closed else self._store.stats(),
            "circuit_breakers": {name: asdict(status) for name, status in self._circuits.status().items()},
        }

    def close(self) -> None:
        """End the stream and close the source; twice is as good as once."""
        self.stop_stream()
        with self._switch:
            if self._closed:
                return
            self._closed = True
        self._source.close()

    def _open(self) -> MarketData:
        if self._closed:
            msg = f"the data service of {self._source.name} is closed; open another one"
            raise StoreClosed(msg)
        return self._source

    def _listener(self, deliver: Callable[[Seen], None] | None) -> Callable[[Seen], None]:
        def hear(seen: Seen) -> None:
            self._put(seen.instrument, last_price(seen), seen.at_ns, self._source.name)
            if deliver is not None:
                deliver(seen)

        return hear

    def _put(self, instrument: str, price: Decimal, at_ns: int, source: str) -> None:
        """Mark a price that is newer than the last one."""
        with self._lock:
            if self._marked.get(instrument, -1) >= at_ns:
                return
            self._marked[instrument] = at_ns
            self._updated_ns = self._clock()
        if self._mark is None:
            return
        try:
            self._mark(instrument, price, at_ns, source)
        except BookError as problem:
            _log.warning("the book did not take the mark of %s: %s", instrument, problem)
