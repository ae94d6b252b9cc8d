"""The big book that P6, P7, P8, P12 and P13 share: built once per run, its fills spread over a year."""

from pathlib import Path

from bench.figures import Context
from bench.workload import DAY_NS, fill_book, fills, opened

FULL = 10_000_000
SMALL = 10_000
DAYS = 365


def book_of(context: Context, count: int) -> Path:
    """Return the path of a closed book with that many fills."""
    key = f"book-{count}"
    if key not in context.built:
        path = context.folder / f"{key}.db"
        context.say(f"building a book of {count:,} fills")
        with opened(path, "normal") as book:
            took = fill_book(book, fills(0, count, step_ns=step(count)), count, context.say)
        context.built[key] = path
        context.built[f"{key}-per-second"] = count / took
    path = context.built[key]
    return Path(path)


def step(count: int) -> int:
    """Return the nanoseconds between two fills so that all of them span the year."""
    return DAYS * DAY_NS // count


def big(context: Context) -> tuple[Path, int]:
    """Return the big book and its number of fills."""
    count = context.size(FULL, SMALL)
    return book_of(context, count), count
