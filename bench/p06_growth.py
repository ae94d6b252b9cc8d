"""P6: the same work on a big book and on one of 10,000 fills."""

from bench.big import SMALL, big, book_of, step
from bench.figures import Context, Line, middle
from bench.workload import DAY_NS, START_NS, fills, milliseconds, opened, per_second
from onebook import Book
from onebook.domain import times

DASHBOARD = ("positions", "fills", "round_trips", "daily_pnl", "balances", "equity", "status")


def run(context: Context) -> list[Line]:
    """Return a line for recording and one per query of the dashboard."""
    path, count = big(context)
    small_path = book_of(context, SMALL)
    each = context.size(3_000, 250)
    record: dict[str, list[float]] = {"big": [], "small": []}
    asked: dict[str, dict[str, list[float]]] = {name: {"big": [], "small": []} for name in DASHBOARD}
    with opened(path) as large, opened(small_path) as small:
        sides = (("big", large, count), ("small", small, SMALL))
        for turn in range(context.rounds):
            for name, book, size in sides:
                ready = list(fills(size + turn * each, each, step_ns=step(size)))

                def single() -> None:
                    for fill in ready:  # noqa: B023  called at once
                        book.record(fill)  # noqa: B023  called at once

                record[name].append(1e6 / per_second(single, each))
            for query in DASHBOARD:
                for name, book, size in sides:
                    asked[query][name].append(milliseconds(lambda: _ask(book, query, size)))  # noqa: B023
    lines = [_line(f"record, {count:,} fills against {SMALL:,}", record, "us", "as P1, synchronous FULL")]
    lines += [_line(f"{query}, same", asked[query], "ms", "last page or last day") for query in DASHBOARD]
    return lines


def _line(work: str, found: dict[str, list[float]], unit: str, includes: str) -> Line:
    return Line(
        figure="P6",
        work=work,
        value=middle([big / small for big, small in zip(found["big"], found["small"], strict=True)]),
        unit="× the small book",
        bar=1.2,
        direction="at_most",
        raw={f"big_{unit}": middle(found["big"]), f"small_{unit}": middle(found["small"])},
        includes=includes,
    )


def _ask(book: Book, query: str, size: int) -> None:
    end = START_NS + size * step(size)
    if query == "fills":
        book.fills(since=times.to_datetime(end - 50 * step(size)), limit=50)
    elif query == "round_trips":
        book.round_trips(since=times.to_datetime(end - 50 * step(size)), limit=50)
    elif query == "daily_pnl":
        book.daily_pnl(since=times.to_datetime(end - 30 * DAY_NS))
    else:
        getattr(book, query)()
