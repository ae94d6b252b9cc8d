"""P13: the day-by-day P&L of the whole big book."""

from bench.big import big
from bench.figures import Context, Line, middle
from bench.workload import milliseconds, opened


def run(context: Context) -> list[Line]:
    """Return how long ``daily_pnl`` takes over all days, and for one strategy."""
    path, count = big(context)
    everything: list[float] = []
    strategy: list[float] = []
    days = 0
    with opened(path) as book:
        for _turn in range(context.rounds):
            found: list[object] = []
            everything.append(milliseconds(lambda: found.extend(book.daily_pnl())))  # noqa: B023  called at once
            strategy.append(milliseconds(lambda: book.daily_pnl(strategy="strategy-3")))
            days = len(found)
    return [
        Line(
            figure="P13", work=f"daily P&L of {count:,} fills, {days} days", value=middle(everything), unit="ms",
            bar=5, direction="at_most", raw={"rows": days, "one_strategy_ms": middle(strategy)},
            includes="all accounts, strategies and instruments",
        )
    ]  # fmt: skip
