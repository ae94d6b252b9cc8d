"""Real transactions: cash, position values and returns of every day equal what the source published.

9,367 fills in 7 stocks over 1,506 days (tests/data/pyfolio/ORIGIN.md), shorts and 1,306 flips among them.
"""

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

import onebook
from onebook import Book, Fill, OpeningBalance
from onebook.testing import FakeClock

FOLDER = Path(__file__).resolve().parents[1] / "data" / "pyfolio"
OPENING = Decimal(100_000)
CENT_PART = Decimal("0.00001")
"""What published cash and values may differ by: their own rounding."""
RETURN_PART = Decimal("0.000000001")
STOCKS = ("AMD", "CERN", "COST", "DELL", "GPS", "INTC", "MMM")


@dataclass
class Day:
    moment: str
    cash: Decimal
    values: dict[str, Decimal]
    published_return: Decimal
    fills: list[Fill] = field(default_factory=list)


@dataclass
class Seen:
    """What the book said at each day's end, and the worst differences to what was published."""

    cash: dict[str, Decimal] = field(default_factory=dict)
    worst: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(("cash", "value", "return"), Decimal(0)))
    positions: int = 0

    def differs(self, what: str, ours: Decimal, published: Decimal) -> Decimal:
        off = abs(ours - published)
        self.worst[what] = max(self.worst[what], off)
        return off


def rows(name: str) -> Iterator[list[str]]:
    with (FOLDER / name).open(newline="", encoding="utf-8") as file:
        yield from csv.reader(file)


def days() -> list[Day]:
    returns = dict(rows("pyfolio_returns.csv"))
    head, *found = rows("pyfolio_positions.csv")
    assert tuple(head[1:8]) == STOCKS
    made = {
        row[0]: Day(
            row[0], Decimal(row[8]), dict(zip(STOCKS, map(Decimal, row[1:8]), strict=True)), Decimal(returns[row[0]])
        )
        for row in found
    }
    for moment, amount, price, sid, symbol, _ in list(rows("pyfolio_transactions.csv"))[1:]:
        shares = Decimal(amount)
        made[moment].fills.append(
            Fill(
                instrument=symbol,
                side="buy" if shares > 0 else "sell",
                quantity=abs(shares),
                price=price,
                occurred_at=moment,
                venue="pyfolio",
                venue_fill_id=f"{moment[:10]}:{sid}",
            )
        )
    return list(made.values())


def close_of(day: Day, symbol: str, shares: Decimal) -> Decimal | None:
    """The day's close: of the fill that day, else what the published value says, None where nothing was held."""
    for fill in day.fills:
        if fill.instrument == symbol:
            return fill.price
    return round(day.values[symbol] / shares, 12) if shares else None


def live(book: Book, clock: FakeClock, story: list[Day]) -> Seen:
    """Record day by day and compare at each day's end."""
    seen = Seen()
    book.record(OpeningBalance(currency="USD", amount=OPENING, occurred_at="2004-01-01T00:00:00Z"))
    before = OPENING
    for day in story:
        clock.set(day.moment.replace(" ", "T"))
        report = book.record_many(day.fills)
        assert report.recorded == len(day.fills)
        held = {position.instrument: position.quantity for position in book.positions()}
        for symbol in STOCKS:
            price = close_of(day, symbol, held.get(symbol, Decimal(0)))
            if price is not None:
                book.mark(symbol, price, at=day.moment)
        (balance,) = book.balances()
        seen.cash[day.moment] = balance.amount
        assert seen.differs("cash", balance.amount, day.cash) <= CENT_PART, day.moment
        values = dict.fromkeys(STOCKS, Decimal(0))
        for position in book.positions():
            assert position.mark is not None
            values[position.instrument] = position.quantity * position.mark
            assert position.unrealized_pnl == values[position.instrument] - position.cost_basis * (
                1 if position.quantity > 0 else -1
            )
            seen.positions += 1
        for symbol, value in values.items():
            assert seen.differs("value", value, day.values[symbol]) <= CENT_PART, (day.moment, symbol)
        equity = book.equity(currency="USD")
        assert equity.unvalued == ()
        assert equity.amount == balance.amount + sum(values.values())
        assert seen.differs("return", equity.amount / before - 1, day.published_return) <= RETURN_PART, day.moment
        before = equity.amount
    return seen


@pytest.fixture(scope="module")
def story() -> list[Day]:
    return days()


def test_every_day_equals_what_was_published(story: list[Day], tmp_path: Path) -> None:
    clock = FakeClock()
    with onebook.open(tmp_path / "book.db", clock=clock, config={"synchronous": "normal"}) as book:
        seen = live(book, clock, story)
        assert len(seen.cash) == 1506
        assert len(book.fills()) == 9367
        sys.stdout.write(
            f"1,506 days, 9,367 fills, {seen.positions} position values; worst difference: "
            + ", ".join(f"{what} {off:.2g}" for what, off in seen.worst.items())
            + "\n"
        )
        # The same from the far end: what had happened by then, asked when everything is known.
        for day in story[::100]:
            (balance,) = book.as_of(moment=day.moment).balances()
            assert balance.amount == seen.cash[day.moment], day.moment


def test_the_days_of_profit_add_up_to_the_money_made(story: list[Day], tmp_path: Path) -> None:
    with onebook.open(tmp_path / "book.db", clock=FakeClock(), config={"synchronous": "normal"}) as book:
        book.record(OpeningBalance(currency="USD", amount=OPENING, occurred_at="2004-01-01T00:00:00Z"))
        book.record_many(fill for day in story for fill in day.fills)
        net = sum((row.net for row in book.daily_pnl()), Decimal(0))
        (balance,) = book.balances()
        held = sum((p.cost_basis if p.quantity > 0 else -p.cost_basis for p in book.positions()), Decimal(0))
        assert balance.amount + held == OPENING + net
