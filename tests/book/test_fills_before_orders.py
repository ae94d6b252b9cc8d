"""Executions that are told before the book knows whose order they are of: they count for it once it does."""

from decimal import Decimal

import pytest

import onebook
from onebook import Fill, Order, OrderUpdate

AT = "2026-03-02T10:00:00Z"


def fill(number: int, quantity: str, price: str, **more: str) -> Fill:
    given = {"instrument": "X/USD", "side": "buy", "venue": "v", "venue_order_id": "v1", "occurred_at": AT} | more
    return Fill(quantity=quantity, price=price, venue_fill_id=str(number), **given)  # type: ignore[arg-type]


def order(**more: str) -> Order:
    return Order(instrument="X/USD", side="buy", quantity=1, client_order_id="c1", occurred_at=AT, **more)  # type: ignore[arg-type]


def link(status: str = "new", **more: str) -> OrderUpdate:
    return OrderUpdate(client_order_id="c1", status=status, venue_order_id="v1", **more)  # type: ignore[arg-type]


@pytest.fixture
def book() -> onebook.Book:
    return onebook.open(":memory:")


def state(book: onebook.Book) -> tuple[str, Decimal, Decimal | None]:
    assert book.verify().ok
    (found,) = book.orders()
    return found.status, found.filled_quantity, found.average_price


def test_a_fill_before_the_venues_id_is_known_counts_when_it_is(book: onebook.Book) -> None:
    book.record(order())
    book.record(fill(1, "0.4", "10"))
    book.record(link())
    assert state(book) == ("partially_filled", Decimal("0.4"), Decimal(10))
    book.record(fill(2, "0.6", "20"))
    assert state(book) == ("filled", Decimal(1), Decimal(16))
    book.bust(book.fills()[0].sequence, reason="taken back")
    assert state(book) == ("partially_filled", Decimal("0.6"), Decimal(20))


def test_a_whole_fill_before_the_venues_word_fills_the_order(book: onebook.Book) -> None:
    book.record(fill(1, "1", "10"))
    book.record(order())
    book.record(link("filled", filled="1"))
    assert state(book) == ("filled", Decimal(1), Decimal(10))


def test_an_order_that_comes_last_takes_what_came_before_and_after_its_link_once(book: onebook.Book) -> None:
    book.record(fill(1, "0.4", "10"))
    book.record(link())
    book.record(fill(2, "0.6", "20"))
    book.record(order())
    assert state(book) == ("filled", Decimal(1), Decimal(16))


def test_a_busted_fill_and_those_of_another_order_or_side_do_not_count(book: onebook.Book) -> None:
    book.record(fill(1, "0.4", "10"))
    book.bust(1, reason="taken back")
    book.record(fill(2, "0.1", "10", venue_order_id="v2"))
    book.record(fill(3, "0.2", "10", side="sell"))
    book.record(fill(4, "0.3", "10", client_order_id="c9"))
    book.record(fill(5, "0.5", "12"))
    book.record(order())
    book.record(link())
    found = next(item for item in book.orders() if item.client_order_id == "c1")
    assert (found.filled_quantity, found.average_price) == (Decimal("0.5"), Decimal(12))
    assert book.verify().ok


def test_the_same_link_again_adds_nothing(book: onebook.Book) -> None:
    book.record(order())
    book.record(fill(1, "0.4", "10"))
    book.record(link())
    book.record(link("partially_filled", filled="0.4"))
    book.record(link("canceled", filled="0.4"))
    assert state(book) == ("canceled", Decimal("0.4"), Decimal(10))


def test_a_venues_clock_far_behind_ours_is_found_by_its_own_time(book: onebook.Book) -> None:
    book.record(order().replaced(occurred_at="2026-03-02T15:00:00Z"))
    book.record(fill(1, "1", "10"))
    book.record(link("filled", filled="1", occurred_at=AT))
    assert state(book) == ("filled", Decimal(1), Decimal(10))


def test_a_fill_of_another_clock_is_found_where_the_venue_says_that_something_filled(book: onebook.Book) -> None:
    book.record(order().replaced(occurred_at="2026-03-04T15:00:00Z"))
    book.record(fill(1, "0.4", "10"))
    book.record(link("partially_filled", filled="0.4"))
    assert state(book) == ("partially_filled", Decimal("0.4"), Decimal(10))
