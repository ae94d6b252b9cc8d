"""The fills every side takes in: the same for us, for the bare store and for the peers; and the bare store."""

import random
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import apsw

import onebook
from onebook import Book, Fill

START_NS = 1_700_000_000_000_000_000
DAY_NS = 86_400_000_000_000
INSTRUMENTS = 100
STRATEGIES = 10
CHUNK = 20_000

RAW_SCHEMA = """
CREATE TABLE IF NOT EXISTS fills (
    sequence INTEGER PRIMARY KEY, occurred_ns INTEGER NOT NULL, account TEXT NOT NULL, strategy TEXT NOT NULL,
    instrument TEXT NOT NULL, side TEXT NOT NULL, quantity TEXT NOT NULL, price TEXT NOT NULL, fee TEXT,
    venue TEXT NOT NULL, venue_fill_id TEXT NOT NULL
) STRICT
"""
RAW_INSERT = """
INSERT INTO fills (occurred_ns, account, strategy, instrument, side, quantity, price, fee, venue, venue_fill_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def fills(first: int, count: int, *, step_ns: int = 1_000_000) -> Iterator[Fill]:
    """Yield ready fills: 100 instruments times 10 strategies, both sides, times and ids in order."""
    rng = random.Random(first)
    for number in range(first, first + count):
        yield Fill(
            instrument=f"COIN{number % INSTRUMENTS}/USDT",
            strategy=f"strategy-{number // 7 % STRATEGIES}",
            side="buy" if rng.random() < 0.5 else "sell",
            quantity=Decimal(rng.randrange(1, 500)).scaleb(-2),
            price=Decimal(rng.randrange(9_000, 11_000)).scaleb(-2),
            fee=Decimal(rng.randrange(1, 100)).scaleb(-3),
            venue="bench",
            venue_fill_id=str(10_000_000 + number),
            venue_order_id=str(5_000_000 + number // 2),
            occurred_ns=START_NS + number * step_ns,
        )


def one_position(
    first: int, count: int, *, instrument: str = "LONG/USDT", strategy: str = "one", step_ns: int = 1_000_000
) -> Iterator[Fill]:
    """Yield fills of one position that goes up and down and is never flat after its first fill."""
    for number in range(first, first + count):
        yield Fill(
            instrument=instrument,
            strategy=strategy,
            side="sell" if number % 2 else "buy",
            quantity=Decimal(1) if number % 2 else Decimal("1.5"),
            price=Decimal(10_000 + number % 97).scaleb(-2),
            fee=Decimal("0.01"),
            venue="bench",
            venue_fill_id=f"{instrument}-{10_000_000 + number}",
            occurred_ns=START_NS + number * step_ns,
        )


def raw_row(fill: Fill) -> tuple[object, ...]:
    """Return a fill as the bare store's row."""
    return (
        fill.occurred_ns, fill.account, fill.strategy, fill.instrument, fill.side, str(fill.quantity),
        str(fill.price), str(fill.fee), fill.venue, fill.venue_fill_id,
    )  # fmt: skip


def raw_store(path: Path, synchronous: str) -> apsw.Connection:
    """Open a bare table of fills with the same journal and sync as a book."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", synchronous)
    connection.execute(RAW_SCHEMA)
    return connection


def raw_single(connection: apsw.Connection, rows: list[tuple[object, ...]]) -> None:
    """Insert row by row, each with its own commit."""
    execute = connection.execute
    for row in rows:
        execute("BEGIN IMMEDIATE")
        execute(RAW_INSERT, row)
        execute("COMMIT")


def raw_bulk(connection: apsw.Connection, rows: list[tuple[object, ...]]) -> None:
    """Insert all rows in one transaction with one prepared statement."""
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(RAW_INSERT, rows)
    connection.execute("COMMIT")


def opened(path: Path, synchronous: str = "full") -> Book:
    """Open a book with the sync that the figure names."""
    return onebook.open(path, config={"synchronous": synchronous})


def fill_book(book: Book, source: Iterator[Fill], count: int, say: Callable[[str], None]) -> float:
    """Record many fills and say how it goes; return the seconds it took."""
    begun = last = time.perf_counter()
    done = 0
    chunk: list[Fill] = []
    for fill in source:
        chunk.append(fill)
        if len(chunk) == CHUNK or done + len(chunk) == count:
            book.record_many(chunk)
            done += len(chunk)
            chunk = []
            now = time.perf_counter()
            if now - last > 15 and done < count:
                last = now
                say(f"{done:,} of {count:,} fills, {done / (now - begun):,.0f}/s")
    return time.perf_counter() - begun


def per_second(work: Callable[[], object], count: int) -> float:
    """Return how many a second a piece of work did."""
    begun = time.perf_counter()
    work()
    return count / (time.perf_counter() - begun)


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long a piece of work took, in milliseconds."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000
