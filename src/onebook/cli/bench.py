"""``onebook bench``: how fast this machine records, beside what its disk can do at all.

The books are temporary, on the disk of the book that is asked for, and gone afterwards.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from time import perf_counter
from typing import Annotated, Any

import typer

from onebook.cli.session import session
from onebook.cli.tables import answer, columns
from onebook.domain.facts import Fill

RESULTS = columns(
    "Measure=measure", "Count=count", "Seconds=seconds", "Per second=per_second", "Median, ms=median_ms",
    "99 %, ms=p99_ms",
)  # fmt: skip
_DAY_ONE = 1_700_000_000_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A measure: how many, how long, and the time of one where each was timed."""

    measure: str
    count: int
    seconds: Decimal
    per_second: int
    median_ms: Decimal | None = None
    p99_ms: Decimal | None = None


def bench(
    ctx: typer.Context,
    count: Annotated[int, typer.Option("--count", min=10, max=100_000, help="Single facts.")] = 1000,
    bulk: Annotated[int, typer.Option("--bulk", min=10, max=10_000_000, help="Facts in bulk.")] = 20_000,
) -> None:
    """Measure this machine: raw commits of its disk, durable records one by one, and facts in bulk."""
    with TemporaryDirectory(prefix="onebook-bench-", dir=_folder(session(ctx).target)) as folder:
        place = Path(folder)
        results = [
            _raw(place / "raw.db", count),
            _single(place / "single.db", count),
            _bulk(place / "bulk.db", bulk),
            _reading(place / "bulk.db", min(count, 1000)),
        ]
    answer(session(ctx), results, RESULTS, empty="nothing measured")


def _folder(url: str | None) -> str:
    if url is None or url == ":memory:" or ("://" in url and not url.startswith("sqlite:///")):
        return gettempdir()
    return str(Path(url.removeprefix("sqlite:///")).resolve().parent)


def _raw(path: Path, count: int) -> Result:
    """One page committed and synced, again and again, with nothing around it: the floor of this disk."""
    import apsw

    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        return _timed("raw commits of one page", count, lambda number: connection.pragma("user_version", number))


def _single(path: Path, count: int) -> Result:
    import onebook

    with onebook.open(path) as book:
        book.record(_fill(0))
        return _timed("fills recorded one by one", count, lambda number: book.record(_fill(number + 1)))


def _bulk(path: Path, count: int) -> Result:
    import onebook

    with onebook.open(path) as book:
        begun = perf_counter()
        book.record_many(_fill(number) for number in range(count))
        return _result("fills recorded in bulk", count, perf_counter() - begun)


def _reading(path: Path, count: int) -> Result:
    import onebook

    with onebook.open(path, read_only=True) as book:
        return _timed("positions read", count, lambda _number: book.positions())


def _timed(measure: str, count: int, step: Callable[[int], Any]) -> Result:
    times = []
    begun = perf_counter()
    for number in range(count):
        start = perf_counter()
        step(number)
        times.append(perf_counter() - start)
    took = perf_counter() - begun
    times.sort()
    return _result(measure, count, took, (times[count // 2], times[min(count * 99 // 100, count - 1)]))


def _result(measure: str, count: int, took: float, parts: tuple[float, float] | None = None) -> Result:
    median, slow = (None, None) if parts is None else (_digits(part * 1000) for part in parts)
    return Result(
        measure=measure,
        count=count,
        seconds=_digits(took),
        per_second=int(count / took),
        median_ms=median,
        p99_ms=slow,
    )


def _digits(value: float) -> Decimal:
    return Decimal(f"{value:.3f}")


def _fill(number: int) -> Fill:
    return Fill(
        instrument=f"BENCH{number % 10}/USDT",
        side="sell" if number // 10 % 2 else "buy",
        quantity=Decimal("0.5"),
        price=Decimal(100 + number % 7),
        fee=Decimal("0.05"),
        venue="bench",
        venue_fill_id=str(number),
        strategy=f"s{number % 3}",
        occurred_ns=_DAY_ONE + number * 1_000_000,
    )
