"""Bars and known stretches as rows of their database."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import apsw

from onebook.domain import numbers
from onebook.domain.market import Bar
from onebook.market.bars.ranges import Range
from onebook.store.sql import statements

READS = statements("onebook.market.bars", "reads.sql")
WRITES = statements("onebook.market.bars", "writes.sql")
Row = tuple[Any, ...]


def number_of(connection: apsw.Connection, series: tuple[str, str]) -> int:
    """Return the number of a series; it gets one when it has none."""
    found = connection.execute(READS["series_of"], series).fetchall()
    if not found:
        connection.execute(WRITES["new_series"], series).fetchall()
        found = connection.execute(READS["series_of"], series).fetchall()
    number: int = found[0][0]  # type: ignore[assignment]
    return number


def put_rows(connection: apsw.Connection, number: int, bars: Iterable[Bar]) -> int:
    """Put bars into the table; return how many are new or say something else."""
    rows: Iterator[tuple[Any, ...]] = (
        (number, bar.opened_ns, bar.at_ns, *map(numbers.plain, _figures(bar)), int(bar.is_final)) for bar in bars
    )
    return len(connection.executemany(WRITES["put"], rows).fetchall())


def cover(connection: apsw.Connection, number: int, stretch: Range) -> None:
    """Keep that a stretch is known, in one piece with those that it touches."""
    from_ns, to_ns = stretch
    found: list[Any] = connection.execute(READS["covered"], (number, from_ns, to_ns)).fetchall()
    if len(found) == 1 and found[0][0] <= from_ns and found[0][1] >= to_ns:
        return
    for begin, _ in found:
        connection.execute(WRITES["uncover"], (number, begin)).fetchall()
    whole = (min([from_ns, *(row[0] for row in found)]), max([to_ns, *(row[1] for row in found)]))
    connection.execute(WRITES["cover"], (number, *whole)).fetchall()


def _figures(bar: Bar) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal]:
    return bar.open, bar.high, bar.low, bar.close, bar.volume


def bar_of(instrument: str, timeframe: str, row: Row) -> Bar:
    """Return a bar of a row of the table."""
    opened_ns, at_ns, first, high, low, close, volume, is_final = row
    return Bar(
        instrument=instrument,
        timeframe=timeframe,
        opened_ns=opened_ns,
        at_ns=at_ns,
        open=Decimal(first),
        high=Decimal(high),
        low=Decimal(low),
        close=Decimal(close),
        volume=Decimal(volume),
        is_final=bool(is_final),
    )
