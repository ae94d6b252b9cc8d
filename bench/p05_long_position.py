"""P5: the next fill of a position with 10,000 fills, beside one of a position with a few."""

from bench.figures import Context, Line, Raw, middle, ratio
from bench.peer import Peer
from bench.workload import one_position, opened, per_second
from onebook import Book, Fill

HISTORY = 10_000
INCLUDES = "as P1; both positions in one book, never flat"


def run(context: Context) -> list[Line]:
    """Return a line per kind of sync; the history is never scaled down."""
    return [_with(context, synchronous) for synchronous in ("full", "normal")]


def _with(context: Context, synchronous: str) -> Line:
    each = context.size(4_000, 250)
    long: list[float] = []
    fresh: list[float] = []
    with (
        opened(context.folder / f"p5-{synchronous}.db", synchronous) as book,
        Peer("nautilus", "nautilus_fills") as peer,
    ):
        book.record_many(one_position(0, HISTORY))
        for turn in range(context.rounds):
            after = list(one_position(HISTORY + turn * each, each))
            first = list(one_position(HISTORY + turn * each, each, instrument=f"NEW{turn}/USDT"))
            fresh.append(1e6 / per_second(lambda: _record(book, first), each))  # noqa: B023  called at once
            long.append(1e6 / per_second(lambda: _record(book, after), each))  # noqa: B023  called at once
        theirs = [peer.ask(work="position", count=HISTORY) for _ in range(3)]
    numbers: Raw = {
        "first_us": middle(fresh),
        "after_10000_us": middle(long),
        "nautilus_first_per_s": middle([answer["first"] for answer in theirs]) if all(theirs) else None,
        "nautilus_after_10000_per_s": middle([answer["last"] for answer in theirs]) if all(theirs) else None,
    }
    if all(theirs):
        numbers["nautilus_ratio"] = ratio(
            middle([item["first"] for item in theirs]), middle([item["last"] for item in theirs])
        )
    return Line(
        figure="P5",
        work=f"next fill after {HISTORY:,}, synchronous {synchronous.upper()}",
        value=middle([then / now for then, now in zip(long, fresh, strict=True)]),
        unit="× the cost of the first",
        bar=1.2,
        direction="at_most",
        raw=numbers,
        includes=INCLUDES,
    )


def _record(book: Book, ready: list[Fill]) -> None:
    for fill in ready:
        book.record(fill)
