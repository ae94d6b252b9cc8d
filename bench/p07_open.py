"""P7: opening the big book."""

from bench.big import big
from bench.figures import Context, Line, Raw, middle
from bench.workload import milliseconds, opened, raw_store


def run(context: Context) -> list[Line]:
    """Return how long ``onebook.open`` takes, and until the first answer."""
    path, count = big(context)
    bare = context.folder / "p7-raw.db"
    raw_store(bare, "full").close()
    ours: list[float] = []
    answered: list[float] = []
    raw: list[float] = []
    for _turn in range(max(context.rounds, 15)):
        begun: list[float] = []

        def until_answer() -> None:
            with opened(path) as book:
                begun.append(milliseconds(lambda: book.balances()))  # noqa: B023, PLW0108  called at once

        whole = milliseconds(lambda: opened(path).close())
        ours.append(whole)
        until_answer()
        answered.append(begun[0])
        raw.append(milliseconds(lambda: raw_store(bare, "full").close()))
    numbers: Raw = {"fills": count, "bare_open_and_close_ms": middle(raw), "first_balances_ms": middle(answered)}
    return [
        Line(
            figure="P7", work=f"open and close a book of {count:,} fills", value=middle(ours), unit="ms", bar=50,
            direction="at_most", raw=numbers, includes="opening, checking the schema, closing",
        )
    ]  # fmt: skip
