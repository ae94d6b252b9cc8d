"""A trail that is set anew in an open position goes on from the best mark that this process saw, written or not."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.trading.desks import fill, whole

import onebook
from onebook.domain import times
from onebook.domain.market import Bar
from onebook.testing import FakeClock

PLACE = ("main", "AAPL", "", "")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock("2024-06-03T12:00:00Z")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.db"


@pytest.fixture
def book(path: Path, clock: FakeClock) -> Iterator[onebook.Book]:
    with onebook.open(path, clock=clock) as opened:
        yield opened


def bar(book: onebook.Book, clock: FakeClock, high: Any, low: Any) -> None:
    """Show a bar of the next minute that opens and closes at 100: its high and low are marks of the stops only."""
    began = book.now()
    clock.advance(60)
    seen = Bar(
        instrument="AAPL", timeframe="1m", opened_ns=began, at_ns=began + 60 * times.SECOND,
        open=Decimal(100), high=Decimal(high), low=Decimal(low), close=Decimal(100), volume=Decimal(1),
    )  # fmt: skip
    book.trading.stops.see(seen)


@pytest.mark.parametrize(
    ("side", "figures", "level"),
    [
        ("buy", {"trail_amount": 5, "take_profit": 200}, "95.05"),
        ("buy", {"trail_amount": 4}, "96.05"),
        ("sell", {"trail_amount": 5, "take_profit": 50}, "104.95"),
        ("sell", {"trail_amount": 4}, "103.95"),
    ],
)
def test_a_trail_set_anew_keeps_a_best_mark_that_the_log_does_not_have(
    book: onebook.Book, clock: FakeClock, side: str, figures: dict[str, Any], level: str
) -> None:
    fill(book, side, 5)
    book.trading.protect("AAPL", trail_amount=5)
    bar(book, clock, 100, 100)
    bar(book, clock, "100.05", "99.95")
    (kept,) = book.trading.protections()
    assert kept.best == 100  # half a step away is not written
    book.trading.protect("AAPL", **figures)
    assert book.trading.stops.levels() == {PLACE: Decimal(level)}
    whole(book)


def test_best_marks_kept_before_a_trail_was_set_anew_are_recalled(
    book: onebook.Book, path: Path, clock: FakeClock
) -> None:
    fill(book, "buy", 5)
    book.trading.protect("AAPL", trail_amount=5)
    bar(book, clock, 100, 100)
    bar(book, clock, "100.05", "99.95")
    _, text = book.trading.stops.trails()
    book.trading.protect("AAPL", trail_amount=5, take_profit=200)
    with onebook.open(path, clock=clock) as later:  # the other one never closed: it was killed
        assert later.trading.stops.levels() == {PLACE: Decimal(95)}
        later.trading.stops.recall(text)
        assert later.trading.stops.levels() == {PLACE: Decimal("95.05")}


def test_a_position_that_closed_and_opened_at_once_begins_with_a_best_mark_of_its_own(
    book: onebook.Book,
) -> None:
    fill(book, "buy", 5)
    book.trading.protect("AAPL", trail_amount=5)
    book.mark("AAPL", 100)
    book.mark("AAPL", 130)
    opened = book.positions()[0].opened_at
    fill(book, "sell", 5, 110)
    fill(book, "buy", 5, 110)
    assert book.positions()[0].opened_at == opened  # the clock stood still: only the log tells the two apart
    book.trading.protect("AAPL", trail_amount=5)
    book.mark("AAPL", 112)
    assert book.trading.stops.levels() == {PLACE: Decimal(107)}
