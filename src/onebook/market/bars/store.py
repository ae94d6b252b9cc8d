"""Bars in a database file of their own beside the book, so that history never slows the book."""

from collections.abc import Iterable, Sequence
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from onebook.clock import Clock, system_clock
from onebook.domain import times
from onebook.domain.market import Bar
from onebook.errors import InputError
from onebook.market.bars import ranges
from onebook.market.bars.checks import FAR, check_reach, checked, from_source
from onebook.market.bars.connections import Connections
from onebook.market.bars.frames import frame_from
from onebook.market.bars.ranges import Range
from onebook.market.bars.resampling import resample
from onebook.market.bars.rows import READS, WRITES, Row, bar_of, cover, number_of, put_rows
from onebook.market.calendars import Calendar
from onebook.market.port import MarketData
from onebook.market.timeframes import length_ns, parse

READ_CONNECTIONS = 10
BUSY_SECONDS = 10.0
BATCH = 10_000
"""Most bars in one transaction: others get a turn between two."""

PAGE_BARS = 1000
"""Most bars that a source is asked for at once."""

MOST_PAGES = 10_000
LATE_NS = 2 * times.MINUTE
"""How long after its end a bar may still come from a source, at least; else one bar's length."""

MOST_WITNESSED = 10 * PAGE_BARS
"""Longest gap, in bars, that is asked for together with the bars around it."""

_FIGURES = range(2, 7)  # where open, high, low, close and volume stand in a row


class BarStore:
    """Bars by instrument and timeframe, exact, and what of their time is known. Safe to use from many threads.

    Args:
        path: the file, ``<book>.bars.db`` by habit; it is made with its folders. ``:memory:`` keeps them in memory.
        read_connections: how many may read at once, 1 or more.
        clock: says what is not yet to be known.
        busy_seconds: how long to wait for a turn before StoreBusy.

    Raises:
        StoreError: the file is something else, or cannot be opened.
        SchemaTooNew: a newer release made it.
        InputError: fewer than one connection.
    """

    def __init__(
        self,
        path: str,
        *,
        read_connections: int = READ_CONNECTIONS,
        clock: Clock = system_clock,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        if read_connections < 1:
            msg = f"read_connections: {read_connections} is less than 1"
            raise InputError(msg, field="read_connections", value=read_connections)
        self.path = path
        self._clock = clock
        self._connections = Connections(path, read_connections, busy_seconds)

    # ---- writing ----

    def put(self, bars: Iterable[Bar]) -> int:
        """Store bars, in transactions of at most 10,000.

        A running bar gives way to any other of its time. A final one stays when a running one comes late, and gives
        way to a final one that says something else, which ``stats()`` counts as changed.

        Returns:
            How many bars are new or say something else now.

        Raises:
            InputError: a bar cannot be one (its low above its high, a time before its opening, a volume below 0); of
                its transaction nothing is stored.
            PrecisionLost: a price that is a float.
            StoreBusy: others wrote for longer than the wait allowed.
        """
        written = 0
        source = iter(bars)
        while batch := list(islice(source, BATCH)):
            written += self._put(batch)
        return written

    def fill(
        self,
        source: MarketData,
        instrument: str,
        timeframe: str,
        since_ns: int,
        until_ns: int,
        *,
        calendar: Calendar | None = None,
    ) -> list[Bar]:
        """Fetch what is missing, store it, and return all bars of the stretch.

        Only gaps are asked for, in pages of at most 1,000 bars. When the source fails, what came before is stored
        and the error is raised. Of an answer, the time from its first bar to its last is known from then on. Before
        and after them a source may only have kept silent, as one does that gives nothing but its newest candles: that
        stays a gap and is asked for again by the next call. Where bars are kept on both sides of a gap, it is asked
        for together with these: an answer that has both of them and nothing in between is believed.

        Args:
            source: of the bars.
            instrument: of the bars, as the source calls it.
            timeframe: of the bars.
            since_ns: first opening.
            until_ns: openings before it.
            calendar: closed hours are not asked for.

        Raises:
            BadPayload: the source gave bars of something else.
            SourceError: the source failed.
            InputError: a stretch of more than 10,000 pages or beyond what can be kept, or no timeframe.
        """
        written = parse(timeframe)
        series = (instrument, written)
        missing = self.gaps(instrument, written, since_ns, until_ns, calendar)
        step = PAGE_BARS * length_ns(written)
        if sum(-((to_ns - from_ns) // -step) for from_ns, to_ns in missing) > MOST_PAGES:
            msg = f"{instrument} {written}: more than {MOST_PAGES * PAGE_BARS:,} bars to fetch; ask for a shorter time"
            raise InputError(msg, field="since_ns", value=since_ns)
        asked = set[Range]()
        for gap in missing:
            between = self._between_bars(series, gap, step)
            for page in ranges.pages(gap, step) if between is None else (between,):
                self._ask(source, series, page)
                asked.add(page)
        for gap in self.gaps(instrument, written, since_ns, until_ns, calendar) if missing else ():
            between = self._between_bars(series, gap, MOST_WITNESSED * length_ns(written))
            if between is not None and between not in asked:
                self._ask(source, series, between)
        return self.read(instrument, written, since_ns, until_ns)

    def longer(
        self,
        instrument: str,
        timeframe: str,
        since_ns: int,
        until_ns: int,
        *,
        of: str,
        calendar: Calendar | None = None,
    ) -> list[Bar]:
        """Return longer bars made of the kept ones of another timeframe, oldest first.

        One of whose time something was not asked for here or is not known, as ``gaps`` says it, is not final.

        Args:
            instrument: of the bars.
            timeframe: of the result.
            since_ns: first opening of the bars that it is made of.
            until_ns: their openings before it.
            of: the timeframe of the kept bars.
            calendar: by whose sessions days and weeks are made; closed hours need not be known.

        Raises:
            InputError: the one timeframe is no multiple of the other.
        """
        bars = self.read(instrument, of, since_ns, until_ns)
        known = min(until_ns, self._clock())
        unknown = [(-FAR, since_ns), *self.gaps(instrument, of, since_ns, known, calendar)]
        return resample(bars, timeframe, calendar=calendar, unknown=unknown, known_until_ns=known)

    def prune(self, before_ns: int) -> int:
        """Forget the bars that opened before a moment, and that their time was known; return how many they were."""
        dropped = 0
        for series, *_ in self._rows("all_series"):
            gone = BATCH
            while gone == BATCH:
                with self._connections.writing() as connection:
                    connection.execute(WRITES["prune"], (series, before_ns, BATCH)).fetchall()
                    gone = connection.changes()
                dropped += gone
            with self._connections.writing() as connection:
                connection.execute(WRITES["prune_covered"], (series, before_ns)).fetchall()
                connection.execute(WRITES["cut_covered"], (series, before_ns)).fetchall()
        return dropped

    # ---- reading ----

    def read(
        self, instrument: str, timeframe: str, since_ns: int, until_ns: int, limit: int | None = None
    ) -> list[Bar]:
        """Return the bars that opened at or after ``since_ns`` and before ``until_ns``, oldest first.

        Args:
            instrument: of the bars.
            timeframe: of the bars.
            since_ns: first opening.
            until_ns: openings before it.
            limit: at most so many, the oldest.

        Raises:
            InputError: no timeframe, or a time beyond what can be kept.
        """
        written = parse(timeframe)
        check_reach("since", since_ns)
        check_reach("until", until_ns)
        rows = self._rows("bars", since_ns, until_ns, -1 if limit is None else limit, of=(instrument, written))
        return [bar_of(instrument, written, row) for row in rows]

    def newest(self, instrument: str, timeframe: str, count: int, before_ns: int | None = None) -> list[Bar]:
        """Return the last ``count`` bars that opened before a moment (None: all count), oldest first."""
        written = parse(timeframe)
        before = FAR if before_ns is None else max(min(before_ns, FAR), -FAR)
        rows = self._rows("newest", before, max(count, 0), of=(instrument, written))
        return [bar_of(instrument, written, row) for row in reversed(rows)]

    def last(self, instrument: str, timeframe: str) -> Bar | None:
        """Return the newest bar, which may still run; None when there is none."""
        found = self.newest(instrument, timeframe, 1)
        return found[0] if found else None

    def gaps(
        self, instrument: str, timeframe: str, since_ns: int, until_ns: int, calendar: Calendar | None = None
    ) -> list[Range]:
        """Return the stretches of which it is not known whether bars opened in them, oldest first.

        Known is what a final bar fills and what was fetched, with bars or without. Nothing later than now is a gap.

        Args:
            instrument: of the bars.
            timeframe: of the bars.
            since_ns: from when on.
            until_ns: until before when.
            calendar: closed hours at the ends of a gap are left out, and gaps of nothing else.

        Returns:
            Pairs of the first moment and the first one after it.

        Raises:
            InputError: no timeframe, or a time beyond what can be kept.
        """
        written = parse(timeframe)
        check_reach("since", since_ns)
        check_reach("until", until_ns)
        until = min(until_ns, self._clock())
        if until <= since_ns:
            return []
        known = self._rows("covered", since_ns, until, of=(instrument, written))
        missing = ranges.without((since_ns, until), [(row[0], row[1]) for row in known])
        if calendar is None:
            return missing
        shorter = (ranges.while_open(gap, written, calendar) for gap in missing)
        return [gap for gap in shorter if gap is not None]

    def frame(
        self,
        instrument: str,
        timeframe: str,
        since_ns: int = 0,
        until_ns: int = FAR,
        *,
        kind: str = "pandas",
        exact: bool = False,
    ) -> Any:
        """Return the bars of a stretch as a frame; ``frames.frame_of`` says which columns it has.

        Raises:
            InputError: ``kind`` is neither ``pandas`` nor ``polars``.
            BadConfig: the library is not installed.
        """
        rows = self._rows("bars", since_ns, until_ns, -1, of=(instrument, parse(timeframe)))
        columns = ([row[place] for row in rows] for place in _FIGURES)
        return frame_from([row[0] for row in rows], columns, kind, exact=exact)

    def stats(self) -> dict[str, Any]:
        """Return how the database stands.

        ``pool`` (``size opened free``), ``tables`` (rows of each), ``series`` (for each instrument and timeframe
        ``bars changed first_ns last_ns``; the times are None without bars), ``bars``, ``changed``, ``file_bytes``,
        and ``reads`` and ``writes`` of this object (``count mean_seconds``).
        """
        with self._connections.reading() as connection:
            rows = connection.execute(READS["all_series"]).fetchall()
            ends = [connection.execute(READS["ends"], (row[0],)).fetchall()[0] for row in rows]
            covered = connection.execute(READS["count_covered"]).fetchall()[0][0]
        series: list[dict[str, Any]] = [
            {"instrument": row[1], "timeframe": row[2], "bars": row[3], "changed": row[4]}
            | {"first_ns": first, "last_ns": last}
            for row, (first, last) in zip(rows, ends, strict=True)
        ]
        bars = sum(each["bars"] for each in series)
        return {
            "path": self.path,
            "pool": self._connections.pool(),
            "tables": {"series": len(series), "bars": bars, "covered": covered},
            "series": series,
            "bars": bars,
            "changed": sum(each["changed"] for each in series),
            "file_bytes": self._connections.file_bytes(),
            "reads": self._connections.reads.as_dict(),
            "writes": self._connections.writes.as_dict(),
        }

    def close(self) -> None:
        """Give the connections back. Closing twice does nothing."""
        self._connections.close()

    # ---- inside ----

    def _put(self, bars: Sequence[Bar], fetched: Sequence[Range] = (), *, series: tuple[str, str] | None = None) -> int:
        """Store bars, and that stretches of a series were fetched, in one transaction."""
        of_series = attrgetter("instrument", "timeframe")
        ordered = sorted((checked(bar) for bar in bars), key=attrgetter("instrument", "timeframe", "opened_ns"))
        stretches = [stretch for stretch in fetched if stretch[0] < stretch[1]]
        if not ordered and not stretches:
            return 0
        with self._connections.writing() as connection:
            written = 0
            for key, group in groupby(ordered, of_series):
                number, found = number_of(connection, key), list(group)
                written += put_rows(connection, number, found)
                for stretch in ranges.of_bars(found):
                    cover(connection, number, stretch)
            if series is not None:
                for stretch in stretches:
                    cover(connection, number_of(connection, series), stretch)
        return written

    def _ask(self, source: MarketData, series: tuple[str, str], page: Range) -> None:
        """Store what a source says of a stretch."""
        found = from_source(source.bars(*series, *page), source.name, series, page)
        if found:
            self._put(found, [self._known(found, series[1])], series=series)

    def _known(self, found: Sequence[Bar], timeframe: str) -> Range:
        """Return which part of an answer is known for good: between its bars, but for what may still come late."""
        late = max(length_ns(timeframe), LATE_NS)
        opened = [bar.opened_ns for bar in found]
        end = max([min(self._clock() - late, max(opened)), *(bar.at_ns for bar in found if bar.is_final)])
        running = [bar.opened_ns for bar in found if not bar.is_final]
        return min(opened), min([end, *running])

    def _between_bars(self, series: tuple[str, str], gap: Range, longest: int) -> Range | None:
        """Return a gap with the bars before and after it; None where there are not both nearer than this."""
        if gap[1] - gap[0] > longest:
            return None
        before, after = self.newest(*series, 1, gap[0]), self.read(*series, gap[1], FAR, 1)
        if not before or not after or after[0].opened_ns - before[0].at_ns > longest:
            return None
        return before[0].opened_ns, after[0].opened_ns + 1

    def _rows(self, name: str, *params: Any, of: tuple[str, str] | None = None) -> list[Row]:
        with self._connections.reading() as connection:
            if of is None:
                return connection.execute(READS[name], params).fetchall()
            found = connection.execute(READS["series_of"], of).fetchall()
            return connection.execute(READS[name], (found[0][0], *params)).fetchall() if found else []
