"""Signals: GENERATED, EXECUTED by a fill, CLOSED with the round trip, EXPIRED; each in the entry that moves it."""

from typing import Any

import pytest

import onebook
from onebook import Fill, InvalidTransition, Signal, SignalUpdate


def signal(name: str = "s", **changes: Any) -> Signal:
    return Signal(instrument="BTC/USDT", action="buy", signal_id=name, strategy="a", price=100, stop_loss=90).replaced(
        **changes
    )


def fill(side: str, number: int, **changes: Any) -> Fill:
    given: dict[str, Any] = {"quantity": 1, "price": 100, "strategy": "a"} | changes
    return Fill(instrument="BTC/USDT", side=side, client_fill_id=f"f{number}", **given)


def status(book: onebook.Book, name: str = "s") -> str:
    return next(item.status for item in book.signals() if item.signal_id == name)


def types(receipt: onebook.Receipt) -> list[str]:
    return [event.type for event in receipt.events]


def test_from_generated_to_closed(book: onebook.Book) -> None:
    found = book.record(signal())
    assert types(found) == ["signal_detected"]
    assert status(book) == "GENERATED"
    opened = book.record(fill("buy", 1, signal_id="s"))
    assert "signal_executed" in types(opened)
    assert status(book) == "EXECUTED"
    partly = book.record(fill("sell", 2, quantity="0.5"))
    assert not any(kind.startswith("signal") for kind in types(partly))
    closed = book.record(fill("sell", 3, quantity="0.5", price=110))
    assert "signal_closed" in types(closed)
    assert "trade_executed" in types(closed)
    assert "position_closed" in types(closed)
    assert status(book) == "CLOSED"
    trip = book.round_trips()[0]
    assert (trip.id, trip.signal_id, trip.stop_loss, trip.risk_amount) == (opened.sequence, "s", 90, 10)
    assert book.signals()[0].round_trip == trip.id


def test_a_bust_of_the_exit_reopens(book: onebook.Book) -> None:
    book.record(signal())
    book.record(fill("buy", 1, signal_id="s"))
    closed = book.record(fill("sell", 2))
    busted = book.bust(closed.sequence, reason="gone")
    assert "signal_executed" in types(busted)
    assert status(book) == "EXECUTED"
    book.record(fill("sell", 3))
    assert status(book) == "CLOSED"


@pytest.mark.xfail(reason="a bust of the fill that executed a signal leaves it EXECUTED")
def test_a_bust_of_the_only_entry_takes_the_execution_back(book: onebook.Book) -> None:
    book.record(signal())
    opened = book.record(fill("buy", 1, signal_id="s"))
    book.bust(opened.sequence, reason="gone")
    assert status(book) == "GENERATED"


def test_a_fill_that_came_before_its_signal(book: onebook.Book) -> None:
    opened = book.record(fill("buy", 1, signal_id="s"))
    assert book.signals() == []
    late = book.record(signal())
    assert types(late) == ["signal_detected", "signal_executed"]
    found = book.signals()[0]
    assert (found.status, found.round_trip) == ("EXECUTED", opened.sequence)


def test_a_flip_closes_one_signal_and_executes_another(book: onebook.Book) -> None:
    book.record(signal("up"))
    book.record(signal("down", action="sell"))
    book.record(fill("buy", 1, signal_id="up"))
    flip = book.record(fill("sell", 2, quantity=3, signal_id="down"))
    assert {"signal_closed", "signal_executed"} <= set(types(flip))
    assert (status(book, "up"), status(book, "down")) == ("CLOSED", "EXECUTED")
    first, second = book.round_trips()
    assert (first.signal_id, second.signal_id) == ("up", "down")


def test_a_late_fill_that_keeps_the_position_open_reopens(book: onebook.Book) -> None:
    book.record(signal())
    book.record(fill("buy", 1, signal_id="s", occurred_at="2024-06-03T09:00:00Z"))
    book.record(fill("sell", 2, occurred_at="2024-06-03T11:00:00Z"))
    assert status(book) == "CLOSED"
    book.record(fill("buy", 3, occurred_at="2024-06-03T10:00:00Z"))
    assert status(book) == "EXECUTED"


def test_expired_by_hand(book: onebook.Book) -> None:
    book.record(signal())
    receipt = book.record(SignalUpdate(signal_id="s", status="EXPIRED", reason="too late"))
    assert types(receipt) == ["signal_expired"]
    found = book.signals()[0]
    assert (found.status, found.reason) == ("EXPIRED", "too late")
    assert book.record(SignalUpdate(signal_id="s", status="EXPIRED", reason="too late")).status == "exists"


@pytest.mark.parametrize(
    ("way", "asked"),
    [
        (["EXPIRED"], "EXECUTED"),
        (["EXPIRED"], "GENERATED"),
        (["EXECUTED"], "EXPIRED"),
        (["EXECUTED"], "GENERATED"),
        (["EXECUTED", "CLOSED"], "EXPIRED"),
        (["EXECUTED", "CLOSED"], "EXECUTED"),
    ],
)
def test_our_own_wrong_update_is_refused(book: onebook.Book, way: list[str], asked: str) -> None:
    book.record(signal())
    for step in way:
        book.record(SignalUpdate(signal_id="s", status=step))
    with pytest.raises(InvalidTransition):
        book.record(SignalUpdate(signal_id="s", status=asked, occurred_at="2024-06-03T12:00:00Z"))
    assert status(book) == way[-1]


def test_the_same_signal_again_is_once_and_another_content_is_a_conflict(book: onebook.Book) -> None:
    first = book.record(signal())
    assert book.record(signal()).status == "exists"
    conflict = book.record(signal(price=101))
    assert (conflict.status, conflict.sequence) == ("conflict", first.sequence)
    assert book.signals()[0].price == 100
