"""A day's loss where something held had no price before the day began."""

from tests.trading.desks import fill, no, ok, place

import onebook
from onebook import Rate
from onebook.testing import FakeClock


def held_since_yesterday(instrument: str) -> tuple[onebook.Book, FakeClock]:
    clock = FakeClock("2026-03-02T12:00:00Z")
    book = onebook.open(":memory:", clock=clock)
    book.trading.limits.set(max_daily_loss=100)
    fill(book, "buy", 10, 100, instrument=instrument)
    clock.advance(86_400)
    return book, clock


def test_a_loss_counts_from_the_first_price_of_the_day() -> None:
    book, clock = held_since_yesterday("AAPL")
    book.mark("AAPL", 80)
    ok(place(book, "buy", 1))
    clock.advance(120)
    book.mark("AAPL", 71)
    ok(place(book, "buy", 1))
    assert book.trading.standing().result.loss == 90
    clock.advance(120)
    book.mark("AAPL", 70)
    no(place(book, "buy", 1), "reducing")
    book.close()


def test_a_pair_that_had_no_mark_before_the_day_values_its_beginning_too() -> None:
    book, clock = held_since_yesterday("BTC/USDT")
    book.mark("BTC/USDT", 100)
    no(place(book, "buy", 1, instrument="BTC/USDT"), "loss_unknown")
    book.mark("USDT/USD", 1)
    ok(place(book, "buy", 1, instrument="BTC/USDT"))
    clock.advance(120)
    book.mark("BTC/USDT", 90)
    book.mark("USDT/USD", 1)
    no(place(book, "buy", 1, instrument="BTC/USDT"), "reducing")
    book.close()


def test_a_rate_recorded_today_values_the_beginning_of_the_day() -> None:
    book, _ = held_since_yesterday("BTC/EUR")
    book.mark("BTC/EUR", 100)
    no(place(book, "buy", 1, instrument="BTC/EUR"), "loss_unknown")
    book.record(Rate(base="EUR", quote="USD", price="1.1"))
    ok(place(book, "buy", 1, instrument="BTC/EUR"))
    book.close()
