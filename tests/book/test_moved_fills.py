"""A fill that was booked in the wrong instrument or account: its correction takes everything along."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import onebook
from onebook import Account, Fill, InputError, Instrument, Order, Rate
from onebook.testing.clock import FakeClock

WRONG: dict[str, Any] = {"instrument": "BTC/USDT", "account": "main"}
PLACES: list[dict[str, str]] = [
    {"instrument": "ETH/USDT"},
    {"instrument": "ETH/EUR"},
    {"instrument": "BTC/USDT:USDT"},
    {"account": "second"},
    {"account": "second", "instrument": "ETH/USDT"},
]
SETUP: tuple[Any, ...] = (
    Instrument(symbol="BTC/USDT:USDT", kind="perpetual", base="BTC", quote="USDT", settle="USDT", contract_size="0.1"),
    Rate(base="EUR", quote="USD", price="1.1", occurred_at="2024-06-03T08:00:00Z"),
    Rate(base="BNB", quote="EUR", price="500", occurred_at="2024-06-03T08:00:00Z"),
    Rate(base="BNB", quote="USDT", price="550", occurred_at="2024-06-03T08:00:00Z"),
)


@pytest.fixture
def other(clock: FakeClock) -> Iterator[onebook.Book]:
    with onebook.open(":memory:", clock=FakeClock(clock.text)) as opened:
        yield opened


def fill(number: int, side: str = "buy", **changes: Any) -> Fill:
    hour = {"occurred_at": f"2024-06-03T{9 + number:02d}:00:00Z"}
    given: dict[str, Any] = {"quantity": 1, "price": 100, "venue": "v", "venue_fill_id": str(number)} | hour
    return Fill(side=side, **(given | WRONG | changes))


def told(book: onebook.Book) -> dict[str, Any]:
    """What a book says, without the sequences and names of entries."""
    trips = [replace(trip, id=0) for trip in book.round_trips()]
    return {
        "fills": [(item.fill, item.identity, item.flags) for item in book.fills()],
        "positions": [replace(item, sequence=0) for item in book.positions(is_open=None)],
        "balances": book.balances(),
        "trips": trips,
        "days": [replace(row, restated=False) for row in book.daily_pnl()],
        "lots": [
            replace(lot, sequence=0)
            for name in ("BTC/USDT", "ETH/USDT", "ETH/EUR", "BTC/USDT:USDT")
            for lot in book.lots(name, method="fifo").open
        ],
        "equity": book.equity(currency="USD"),
    }


def check(book: onebook.Book) -> None:
    before = told(book)
    assert book.verify().problems == ()
    assert book.rebuild().problems == ()
    assert told(book) == before


@pytest.mark.parametrize("right", PLACES)
def test_the_book_is_as_if_it_had_been_recorded_right(
    right: dict[str, str], book: onebook.Book, other: onebook.Book
) -> None:
    facts = [fill(1), fill(2, fee="0.001", fee_currency="BNB", quantity=3), fill(3, "sell", price=120)]
    for reported in (*SETUP, *facts):
        book.record(reported)
    for reported in (*SETUP, facts[0], facts[1].replaced(**right), facts[2]):
        other.record(reported)
    sequence = next(item.sequence for item in book.fills() if item.venue_fill_id == "2")
    book.correct(sequence, reason="wrong place", **right)
    assert told(book) == told(other)
    check(book)


def test_a_fill_can_be_moved_again_and_back_and_busted(book: onebook.Book, other: onebook.Book) -> None:
    book.record(fill(1))
    moved = book.record(fill(2))
    other.record(fill(1))
    for place in ({"instrument": "ETH/USDT"}, {"account": "second"}, {"instrument": "SOL/USDT"}, WRONG):
        assert book.correct(moved.sequence, reason="wrong place", **place).status == "recorded"
        found = next(item for item in book.fills() if item.venue_fill_id == "2")
        assert {name: getattr(found, name) for name in place} == place
        check(book)
    assert book.correct(moved.sequence, reason="wrong place", **WRONG).status == "exists"
    book.correct(moved.sequence, reason="wrong place", account="second", instrument="ETH/USDT")
    busted = book.bust(moved.sequence, reason="gone")
    assert (busted.events[0].account, busted.events[0].instrument) == ("second", "ETH/USDT")
    assert told(book) == told(other)
    assert book.bust(moved.sequence, reason="gone").status == "exists"
    check(book)


def test_its_event_says_where_it_is_and_where_it_was(book: onebook.Book) -> None:
    moved = book.record(fill(1))
    receipt = book.correct(moved.sequence, reason="wrong place", account="second", instrument="ETH/USDT")
    first = receipt.events[0]
    assert (first.type, first.account, first.instrument) == ("trade_corrected", "second", "ETH/USDT")
    assert (first.data["from_account"], first.data["from_instrument"]) == ("main", "BTC/USDT")
    assert first.data["changed"] == ["account", "instrument"]
    places = [(item.type, item.account, item.instrument, item.data["cause"]) for item in receipt.events[1::2]]
    assert places == [
        ("position_closed", "main", "BTC/USDT", "correction"),
        ("position_updated", "second", "ETH/USDT", "correction"),
    ]
    assert list(book.events(after=moved.sequence)) == list(receipt.events)
    assert receipt.position.instrument == "ETH/USDT"


@pytest.mark.parametrize("right", PLACES)
def test_reports_of_it_are_known_under_either_name(right: dict[str, str], book: onebook.Book) -> None:
    moved = book.record(fill(1, client_fill_id="mine"))
    book.correct(moved.sequence, reason="wrong place", **right)
    for report in (fill(1), fill(1, **right), fill(1, client_fill_id="mine"), fill(1, client_fill_id="mine", **right)):
        again = book.record(report)
        assert (again.status, again.sequence) == ("exists", moved.sequence)
    assert len(book.fills()) == 1
    completed = book.record(fill(1, fee="2", **right))
    assert (completed.status, book.fills()[0].fee) == ("exists", 2)
    assert {name: getattr(book.fills()[0], name) for name in right} == right
    identity = book.fills()[0].identity
    book.bust(identity, reason="named as it is now")
    assert book.fills() == []
    check(book)


def test_a_corrected_fill_goes_by_both_its_identities(book: onebook.Book) -> None:
    first = book.record(fill(1))
    book.correct(first.identity, reason="misread", side="sell")
    (found,) = book.fills()
    assert found.identity != first.identity
    book.correct(first.identity, reason="misread", price=90)
    book.bust(found.identity, reason="gone")
    assert book.fills() == []


def test_what_was_known_before_stays_readable(book: onebook.Book) -> None:
    moved = book.record(fill(1))
    book.correct(moved.sequence, reason="wrong place", instrument="ETH/USDT", account="second")
    before = book.as_of(moved.sequence)
    assert [item.instrument for item in before.fills()] == ["BTC/USDT"]
    assert [(item.account, item.instrument) for item in before.positions()] == [("main", "BTC/USDT")]
    assert [(item.account, item.instrument) for item in book.positions()] == [("second", "ETH/USDT")]
    flat = book.position("BTC/USDT")
    assert flat is not None
    assert (flat.quantity, flat.updated_at) == (0, None)


def test_its_order_follows_it_to_another_account(book: onebook.Book) -> None:
    for account in ("main", "second"):
        book.record(
            Order(instrument="BTC/USDT", side="buy", quantity=1, kind="market", client_order_id="o", account=account)
        )
    moved = book.record(fill(1, client_order_id="o"))
    receipt = book.correct(moved.sequence, reason="wrong place", account="second")
    assert [(item.account, item.filled_quantity, item.status) for item in book.orders()] == [
        ("main", 0, "new"),
        ("second", 1, "filled"),
    ]
    moves = [(item.account, item.data["status"]) for item in receipt.events if item.type == "order_updated"]
    assert moves == [("main", "new"), ("second", "filled")]


def test_notes_go_with_it_to_another_account(book: onebook.Book) -> None:
    moved = book.record(fill(1))
    book.annotate(moved.sequence, notes="why", tags=["a"])
    book.correct(moved.sequence, reason="wrong place", account="second", instrument="ETH/USDT")
    (trip,) = book.round_trips()
    assert (trip.account, trip.notes, trip.tags) == ("second", "why", ("a",))
    book.annotate(moved.sequence, notes="because")
    assert book.round_trips()[0].notes == "because"
    check(book)


def test_it_is_flagged_for_the_account_it_is_in(book: onebook.Book) -> None:
    book.record(Account(name="second", venue="w"))
    moved = book.record(fill(1))
    book.correct(moved.sequence, reason="wrong place", account="second")
    assert book.fills()[0].flags == ("account_mixed",)
    book.correct(moved.sequence, reason="wrong venue too", venue="w")
    assert book.fills()[0].flags == ()
    book.correct(moved.sequence, reason="new account", account="third")
    book.record(fill(2, venue="other", account="third"))
    assert [item.flags for item in book.fills()] == [(), ("account_mixed",)]


def test_a_time_too_far_ahead_is_put_right(book: onebook.Book) -> None:
    ahead = book.record(fill(1, occurred_at="2024-06-03T18:00:00Z"))
    assert book.fills()[0].flags == ("time_ahead",)
    book.correct(ahead.sequence, reason="zone", occurred_at="2024-06-03T11:00:00Z")
    assert book.fills()[0].flags == ()
    assert [item.flags for item in book.positions()] == [()]
    book.correct(ahead.sequence, reason="no", occurred_at="2024-06-03T18:00:00Z")
    assert book.fills()[0].flags == ("time_ahead",)


def test_marks_of_another_instrument_stay_behind(book: onebook.Book, clock: FakeClock) -> None:
    book.record(fill(1))
    book.record(fill(1, instrument="ETH/USDT"))
    book.mark("BTC/USDT", 150)
    moved = book.record(fill(2, "sell", quantity="0.5"))
    assert [(item.highest, item.lowest) for item in book.positions()] == [(150, 150), (None, None)]
    book.correct(moved.sequence, reason="wrong place", instrument="ETH/USDT")
    (there,) = book.positions(instrument="ETH/USDT")
    assert (there.highest, there.lowest) == (None, None)


def test_a_corrected_fill_stays_corrected_when_a_rate_values_it_later(book: onebook.Book) -> None:
    moved = book.record(fill(1, fee="0.001", fee_currency="XRP"))
    book.correct(moved.sequence, reason="wrong place", instrument="ETH/USDT", price=90)
    book.record(Rate(base="XRP", quote="USDT", price=2, occurred_at="2024-06-03T09:30:00Z"))
    (found,) = book.fills()
    assert (found.instrument, found.price) == ("ETH/USDT", 90)
    assert book.as_of(moved.sequence).fills()[0].price == 100
    check(book)


def test_an_order_level_fill_gives_way_whenever_its_execution_comes(book: onebook.Book) -> None:
    book.record(fill(1, quantity=3, venue_fill_id="order:o:3", venue_order_id="o", strategy="a"))
    for number, size in ((2, 1), (3, "0.5"), (4, "1.5")):
        arrived = book.record(fill(number, quantity=size, venue_order_id="o"))
        if number == 2:
            book.correct(f"{arrived.sequence}.3", reason="read again", price=101)
            assert [(item.strategy, item.price) for item in book.fills()] == [("a", 101), ("", 100)]
    assert [(item.venue_fill_id, item.strategy) for item in book.fills()] == [("2", ""), ("3", ""), ("4", "")]
    assert [item.quantity for item in book.positions()] == [3]
    check(book)


@pytest.mark.parametrize(("recorded", "changes"), [
    ("BTC/USD:BTC", {"price": 0}),
    ("BTC/USDT", {"price": 0, "instrument": "BTC/USD:BTC"}),
])  # fmt: skip
def test_a_price_that_values_nothing_is_refused(recorded: str, changes: dict[str, Any], book: onebook.Book) -> None:
    moved = book.record(fill(1, instrument=recorded))
    with pytest.raises(InputError, match="inverse"):
        book.correct(moved.sequence, reason="wrong", **changes)
    assert book.fills()[0].instrument == recorded


def test_a_name_can_be_given_back(book: onebook.Book) -> None:
    first = book.record(fill(1, venue_fill_id="x"))
    for name in ("y", "x", "y", "x"):
        book.correct(first.sequence, reason="renamed", venue_fill_id=name)
    assert [item.venue_fill_id for item in book.fills()] == ["x"]
    assert book.record(fill(1, venue_fill_id="y")).status == "exists"
    check(book)
