"""The best marks of open positions, as a runner keeps them with its place."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.trading.desks import fill

import onebook
from onebook import CorporateAction
from onebook.testing import FakeClock
from onebook.trading.runner.bests import Bests

PLACE = ("AAPL", "main", "", "")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock("2024-06-03T12:00:00Z")


@pytest.fixture
def book(tmp_path: Path, clock: FakeClock) -> Iterator[onebook.Book]:
    with onebook.open(tmp_path / "book.db", clock=clock) as opened:
        yield opened


def filled(book: onebook.Book, bests: Bests, clock: FakeClock, side: str, quantity: int = 5) -> None:
    """Record a fill a second later, and let it be heard."""
    clock.advance(seconds=1)
    fill(book, side, quantity)
    bests.follow([book.fills()[-1].fill])


def marked(book: onebook.Book, bests: Bests, *prices: Any) -> None:
    for price in prices:
        bests.see("AAPL", Decimal(price), book.now())


def test_the_best_mark_of_a_long_position_is_the_highest_and_of_a_short_one_the_lowest(
    book: onebook.Book, clock: FakeClock
) -> None:
    bests = Bests(book)
    marked(book, bests, 500, 1)
    filled(book, bests, clock, "buy")
    assert bests.best(*PLACE) is None
    marked(book, bests, 100, 110, 90)
    assert bests.best(*PLACE) == 110
    filled(book, bests, clock, "buy")  # added to: it goes on
    filled(book, bests, clock, "sell", 3)
    assert bests.best(*PLACE) == 110
    filled(book, bests, clock, "sell", 10)  # flipped: it begins anew
    assert bests.best(*PLACE) is None
    marked(book, bests, 100, 110, 90, 95)
    assert bests.best(*PLACE) == 90


def test_a_position_that_closed_leaves_nothing_behind(book: onebook.Book, clock: FakeClock) -> None:
    bests = Bests(book)
    empty = bests.text()
    filled(book, bests, clock, "buy")
    marked(book, bests, 110)
    filled(book, bests, clock, "sell")
    assert bests.best(*PLACE) is None
    assert bests.text() == empty
    filled(book, bests, clock, "buy")
    marked(book, bests, 100)
    assert bests.best(*PLACE) == 100


def test_a_mark_of_before_a_position_opened_is_not_its(book: onebook.Book, clock: FakeClock) -> None:
    bests, before = Bests(book), book.now()
    filled(book, bests, clock, "buy")
    bests.see("AAPL", Decimal(500), before)
    bests.see("MSFT", Decimal(500), book.now())
    assert bests.best(*PLACE) is None


def test_a_position_that_is_another_one_by_now_does_not_get_its_best_mark(book: onebook.Book, clock: FakeClock) -> None:
    bests = Bests(book)
    filled(book, bests, clock, "buy")
    marked(book, bests, 110)
    clock.advance(seconds=1)
    fill(book, "sell", 8)  # nobody has heard of it yet
    assert bests.best(*PLACE) is None


def test_what_was_kept_is_recalled(book: onebook.Book, clock: FakeClock) -> None:
    bests, again = Bests(book), Bests(book)
    filled(book, bests, clock, "buy")
    marked(book, bests, 100, 110, 90)
    again.recall(bests.text(), book.wakeups.look())
    assert again.best(*PLACE) == 110
    marked(book, again, 111)
    assert again.best(*PLACE) == 111
    again.recall("", book.wakeups.look())
    assert again.best(*PLACE) is None


@pytest.mark.parametrize("restarts", [True, False])
def test_marks_in_old_units_are_forgotten_at_a_split(book: onebook.Book, clock: FakeClock, restarts: bool) -> None:
    bests = Bests(book)
    filled(book, bests, clock, "buy")
    bests.split([], book.wakeups.look())
    marked(book, bests, 110)
    moves = bests.moves
    book.record(
        CorporateAction(instrument="AAPL", kind="split", numerator=2, denominator=1, effective_on=date(2024, 6, 3))
    )
    if restarts:
        text, bests = bests.text(), Bests(book)
        bests.recall(text, book.wakeups.look())
    else:
        bests.split(["AAPL"], book.wakeups.look())
        assert bests.moves > moves  # it is kept anew
    assert bests.best(*PLACE) is None
    marked(book, bests, 56)
    assert bests.best(*PLACE) == 56
