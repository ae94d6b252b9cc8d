"""P16: a fill that arrives 100 places late on a position with a long history."""

from bench.figures import Context, Line, Raw, middle
from bench.workload import fill_book, milliseconds, one_position, opened
from onebook import Fill

FULL = 1_000_000
LATE = 100
STEP_NS = 1_000_000


def run(context: Context) -> list[Line]:
    """Return the cost of a late fill beside a normal one, for each kind of sync, in one book."""
    count = context.size(FULL, 5_000)
    path = context.folder / "p16.db"
    context.say(f"building a position of {count:,} fills")
    with opened(path, "normal") as book:
        fill_book(book, one_position(0, count, step_ns=STEP_NS), count, context.say)
    lines: list[Line] = []
    first = count
    for synchronous in ("full", "normal"):
        each = 20
        normal: list[float] = []
        late: list[float] = []
        with opened(path, synchronous) as book:
            for _turn in range(context.rounds):
                usual = list(one_position(first, each, step_ns=STEP_NS))
                delayed = [_late(fill, synchronous) for fill in usual]
                first += each
                for fill, behind in zip(usual, delayed, strict=True):
                    normal.append(milliseconds(lambda: book.record(fill)))  # noqa: B023  called at once
                    late.append(milliseconds(lambda: book.record(behind)))  # noqa: B023  called at once
        numbers: Raw = {"normal_ms": middle(normal), "late_ms": middle(late), "fills": count}
        lines.append(
            Line(
                figure="P16",
                work=f"late by {LATE} of {count:,}, synchronous {synchronous.upper()}",
                value=middle(late) / middle(normal),
                unit="× a normal record",
                bar=5,
                direction="at_most",
                raw=numbers,
                includes="as P1, with the fold again and position_restated",
            )
        )  # fmt: skip
    return lines


def _late(fill: Fill, synchronous: str) -> Fill:
    """Return a fill of the same position that stands 100 places before another."""
    moment = (fill.occurred_ns or 0) - LATE * STEP_NS + STEP_NS // 2
    return fill.replaced(occurred_ns=moment, venue_fill_id=f"late-{synchronous}-{fill.venue_fill_id}")
