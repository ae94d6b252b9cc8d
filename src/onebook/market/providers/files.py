"""Market data from files: CSV, Parquet and recorded feeds, gzipped or not, as a source like any venue's.

Numbers are taken exactly from the text; floats of Parquet by their shortest decimal. Nothing is kept in memory: every
call reads the files through, so it is for replays, and behind a cache for everything else.
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from onebook.clock import Clock
from onebook.domain.market import Bar, Print, Quote, Seen, last_price
from onebook.errors import BadConfig, BookError, SourceError, StoreClosed, UnknownInstrument
from onebook.market.port import Price
from onebook.market.providers.files_feed import feed_of
from onebook.market.providers.files_order import Placed, in_window, merged, sorted_beside
from onebook.market.providers.files_rows import csv_header, lines_of
from onebook.market.providers.files_tables import bars_of, rates_of
from onebook.market.providers.files_terms import FileTerms, found_in
from onebook.market.timeframes import parse

__all__ = ["FileSource", "FileTerms"]

Kind = TypeVar("Kind", bound=Seen)
_log = logging.getLogger("onebook.market")
_READERS: dict[str, Callable[[FileTerms], Iterator[tuple[int, Seen]]]] = {
    "bars": bars_of,
    "stocks": bars_of,
    "rates": rates_of,
    "feed": feed_of,
}


class FileSource:
    """Files with market data as a ``MarketData``.

    Args:
        files: paths of files or folders, or ``FileTerms`` where a file does not say everything itself. Their order
            counts: of what was seen at one moment, the earlier file's comes first.
        name: of the source.
        clock: what it knows ends at this moment, so that a replay never looks ahead; None for all that is there.

    Raises:
        BadConfig: a file is not there, or nothing that we can read.

    Example:
        >>> source = FileSource(["AAPL_1m.csv"])  # doctest: +SKIP
        >>> for seen in source.events():  # doctest: +SKIP
        ...     book.mark(seen.instrument, last_price(seen))
    """

    def __init__(
        self, files: Iterable[FileTerms | str | Path] | str | Path, *, name: str = "files", clock: Clock | None = None
    ) -> None:
        given = [files] if isinstance(files, str | Path) else list(files)
        self.name = name
        self._files = [(terms, terms.kind or kind_of(terms)) for one in given for terms in found_in(one)]
        self._clock = clock
        self._closed = False
        if not self._files:
            msg = f"{name}: no files were named"
            raise BadConfig(msg)

    def events(
        self,
        *,
        instruments: Collection[str] | None = None,
        since_ns: int | None = None,
        until_ns: int | None = None,
    ) -> Iterator[Seen]:
        """Yield all that the files show, merged in order of time, each time the same.

        A bar comes when it is known, at its end. The clock of the source does not matter here. Memory does not grow
        with the files.

        Args:
            instruments: only of these.
            since_ns: only what was seen at or after this moment.
            until_ns: only what was seen before it.

        Raises:
            BadPayload: something that cannot be read, with file and line.
        """
        wanted = None if instruments is None else frozenset(instruments)
        for seen in merged([self._in_order(terms, kind) for terms, kind in self._files]):
            if until_ns is not None and seen.at_ns >= until_ns:
                return
            if (wanted is None or seen.instrument in wanted) and (since_ns is None or seen.at_ns >= since_ns):
                yield seen

    def price(self, instrument: str) -> Price:
        """Return the newest price of prints, quotes and bars that have ended."""
        seen = self._newest(instrument, self._known(instrument))
        return Price(instrument=instrument, price=last_price(seen), at_ns=seen.at_ns, source=self.name)

    def quote(self, instrument: str) -> Quote:
        """Return the newest quote."""
        return self._newest(instrument, (seen for seen in self._known(instrument) if isinstance(seen, Quote)))

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        """Return the bars of exactly this timeframe; none are made of shorter ones."""
        timeframe = parse(timeframe)
        found: list[Bar] = []
        timeframes: set[str] = set()
        for seen in self._known(instrument):
            if not isinstance(seen, Bar):
                continue
            timeframes.add(seen.timeframe)
            if seen.timeframe == timeframe and since_ns <= seen.opened_ns < until_ns:
                found.append(seen)
        if timeframe not in timeframes:
            has = ", ".join(sorted(timeframes)) or "none"
            msg = f"{self.name}: no bars of {instrument} with timeframe {timeframe}; there are {has}"
            raise UnknownInstrument(msg, instrument=instrument)
        return sorted(found, key=lambda bar: bar.opened_ns)

    def prints(self, instrument: str, since_ns: int, until_ns: int) -> Iterator[Print]:
        """Yield prints, never beyond the clock; unlike ``price`` it says nothing when there are none."""
        until = until_ns if self._clock is None else min(until_ns, self._clock() + 1)
        for seen in self.events(instruments={instrument}, since_ns=since_ns, until_ns=until):
            if isinstance(seen, Print):
                yield seen

    def stream(self, instruments: Collection[str], deliver: Callable[[Seen], None]) -> "FileStream":
        """Deliver everything of these from the first row on, as fast as it is taken, on a thread of its own."""
        self._check_open()
        return FileStream(self, instruments, deliver)

    def instruments(self) -> tuple[str, ...]:
        """Return what the files have anything of, by name."""
        return tuple(sorted({seen.instrument for seen in self._known(None)}))

    def tables(self) -> tuple[FileTerms, ...]:
        """Return the files that are tables of bars, a row each."""
        return tuple(terms for terms, kind in self._files if kind in {"bars", "stocks"})

    def close(self) -> None:
        """Answer no more."""
        self._closed = True

    def _in_order(self, terms: FileTerms, kind: str) -> Iterator[Placed]:
        self._check_open()
        rows = _READERS[kind](terms)
        is_ordered = kind != "stocks" if terms.is_ordered is None else terms.is_ordered
        return in_window(str(terms.path), rows, terms.window) if is_ordered else sorted_beside(str(terms.path), rows)

    def _known(self, instrument: str | None) -> Iterator[Seen]:
        """Yield what is known by now, file by file in the order of their rows."""
        self._check_open()
        now = None if self._clock is None else self._clock()
        for terms, kind in self._files:
            for _, seen in _READERS[kind](terms):
                if (instrument is None or seen.instrument == instrument) and (now is None or seen.at_ns <= now):
                    yield seen

    def _newest(self, instrument: str, found: Iterator[Kind]) -> Kind:
        newest: Kind | None = None
        for seen in found:
            if newest is None or seen.at_ns >= newest.at_ns:
                newest = seen
        if newest is None:
            msg = f"{self.name}: nothing is known of {instrument} that could say so, up to now"
            raise UnknownInstrument(msg, instrument=instrument)
        return newest

    def _check_open(self) -> None:
        if self._closed:
            msg = f"{self.name}: the files are closed; open them again"
            raise StoreClosed(msg)


class FileStream:
    """Files that are delivered as if it happened now.

    Args:
        source: which.
        instruments: which of it.
        deliver: told of everything; while it works, the files wait.

    Attributes:
        problem: what ended it before the files' end; None while all is well.
    """

    def __init__(self, source: FileSource, instruments: Collection[str], deliver: Callable[[Seen], None]) -> None:
        self._source = source
        self._wanted = frozenset(instruments)
        self._deliver = deliver
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self.problem: BookError | None = None
        self._thread = threading.Thread(target=self._run, name=f"onebook-{source.name}", daemon=True)
        self._thread.start()

    def add(self, instruments: Collection[str]) -> None:
        """Deliver these too, from here on."""
        with self._lock:
            self._wanted |= frozenset(instruments)

    def remove(self, instruments: Collection[str]) -> None:
        """Deliver these no more."""
        with self._lock:
            self._wanted -= frozenset(instruments)

    def close(self) -> None:
        """End it, and wait until nothing is delivered any more."""
        self._closed.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        try:
            for seen in self._source.events():
                if self._closed.is_set():
                    return
                if seen.instrument in self._wanted:
                    self._deliver(seen)
        except (SourceError, BadConfig, StoreClosed) as problem:
            _log.warning("the stream of %s has ended: %s", self._source.name, problem)
            self.problem = problem


def kind_of(terms: FileTerms) -> str:
    """Return of which kind a file is, by its first row.

    Raises:
        BadConfig: it is none that we know.
    """
    path = terms.file
    if path.suffix.lower() == ".parquet":
        return "bars"
    first = next(lines_of(path), (1, ""))[1]
    if first.partition(" ")[0].isdecimal() and "{" in first:
        return "feed"
    header = set(csv_header(path))
    if {"ticker", "adj close"} <= header:
        return "stocks"
    if "date" in header and "usd" in header and "close" not in header:
        return "rates"
    if {"open", "close"} <= header or terms.columns:
        return "bars"
    msg = f"{path}: neither bars, stocks, rates nor a feed, by its first line {first[:80]!r}; say kind=… and columns=…"
    raise BadConfig(msg)
