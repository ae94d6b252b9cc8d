"""Signals: GENERATED, EXECUTED by a fill, CLOSED with the round trip, EXPIRED; each in the entry that moves it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import onebook
from onebook import Fill, InvalidTransition, Signal, SignalUpdate
from onebook.testing.clock import FakeClock


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


def test_a_bust_of_the_only_entry_takes_the_execution_back(book: onebook.Book) -> None:
    book.record(signal())
    opened = book.record(fill("buy", 1, signal_id="s"))
    busted = book.bust(opened.sequence, reason="gone")
    found = book.signals()[0]
    assert (found.status, found.round_trip) == ("GENERATED", None)
    (back,) = (event for event in busted.events if event.type == "signal_detected")
    shown = {name: back.data.get(name) for name in ("signal_id", "status", "action", "price", "stop_loss")}
    assert shown == {"signal_id": "s", "status": "GENERATED", "action": "buy", "price": "100", "stop_loss": "90"}
    assert [item.status for item in book.as_of(opened.sequence).signals()] == ["EXECUTED"]
    book.record(SignalUpdate(signal_id="s", status="EXPIRED"))
    assert status(book) == "EXPIRED"


def test_the_execution_stands_while_another_fill_does(book: onebook.Book) -> None:
    book.record(signal())
    first = book.record(fill("buy", 1, signal_id="s"))
    second = book.record(fill("buy", 2, signal_id="s"))
    busted = book.bust(first.sequence, reason="gone")
    assert not any(kind.startswith("signal") for kind in types(busted))
    found = book.signals()[0]
    assert (found.status, found.round_trip) == ("EXECUTED", second.sequence)
    book.bust(second.sequence, reason="gone")
    assert status(book) == "GENERATED"


@pytest.mark.parametrize("said", ["EXPIRED", "EXECUTED"])
def test_a_signal_goes_back_to_what_an_update_said(said: str, book: onebook.Book) -> None:
    book.record(signal())
    book.record(SignalUpdate(signal_id="s", status=said))
    opened = book.record(fill("buy", 1, signal_id="s"))
    assert status(book) == "EXECUTED"
    book.record(SignalUpdate(signal_id="s", status="EXECUTED", reason="as we know"))
    busted = book.bust(opened.sequence, reason="gone")
    assert status(book) == said
    assert ("signal_expired" in types(busted)) == (said == "EXPIRED")


def test_what_an_update_said_before_the_signal_came_is_kept(book: onebook.Book) -> None:
    book.record(SignalUpdate(signal_id="s", status="EXPIRED"))
    opened = book.record(fill("buy", 1, signal_id="s"))
    book.record(signal())
    assert status(book) == "EXECUTED"
    book.bust(opened.sequence, reason="gone")
    assert status(book) == "EXPIRED"


def test_an_update_that_closed_a_signal_outlives_its_fills(book: onebook.Book) -> None:
    book.record(signal())
    opened = book.record(fill("buy", 1, signal_id="s"))
    book.record(SignalUpdate(signal_id="s", status="CLOSED"))
    book.record(fill("buy", 2, occurred_at="2024-06-03T09:00:00Z"))
    assert status(book) == "CLOSED"
    book.bust(opened.sequence, reason="gone")
    assert status(book) == "CLOSED"


def test_a_correction_takes_the_execution_to_another_signal(book: onebook.Book) -> None:
    book.record(signal("wrong"))
    book.record(signal("right"))
    opened = book.record(fill("buy", 1, signal_id="wrong"))
    corrected = book.correct(opened.sequence, reason="mixed up", signal_id="right")
    assert {"signal_detected", "signal_executed"} <= set(types(corrected))
    assert (status(book, "wrong"), status(book, "right")) == ("GENERATED", "EXECUTED")
    closed = book.record(fill("sell", 2))
    assert (status(book, "wrong"), status(book, "right")) == ("GENERATED", "CLOSED")
    book.correct(opened.sequence, reason="after all", signal_id="wrong")
    assert (status(book, "wrong"), status(book, "right")) == ("CLOSED", "GENERATED")
    book.correct(opened.sequence, reason="nobody's", signal_id="")
    assert (status(book, "wrong"), status(book, "right")) == ("GENERATED", "GENERATED")
    assert book.signals()[0].round_trip is None
    book.bust(closed.sequence, reason="gone")
    assert (status(book, "wrong"), status(book, "right")) == ("GENERATED", "GENERATED")


@pytest.mark.parametrize("where", [{"strategy": "b"}, {"instrument": "ETH/USDT"}])
def test_an_execution_goes_with_its_fill(where: dict[str, str], book: onebook.Book) -> None:
    book.record(signal())
    opened = book.record(fill("buy", 1, signal_id="s"))
    book.record(fill("sell", 2))
    assert status(book) == "CLOSED"
    book.correct(opened.sequence, reason="elsewhere", **where)
    assert status(book) == "EXECUTED"
    assert book.signals()[0].round_trip == opened.sequence


def test_another_account_has_signals_of_its_own(book: onebook.Book) -> None:
    book.record(signal())
    book.record(signal(account="second"))
    opened = book.record(fill("buy", 1, signal_id="s"))
    stays = book.record(fill("buy", 2, signal_id="s"))
    book.correct(opened.sequence, reason="elsewhere", account="second")
    assert [(item.account, item.status, item.round_trip) for item in book.signals()] == [
        ("main", "EXECUTED", stays.sequence),
        ("second", "EXECUTED", opened.sequence),
    ]
    book.correct(opened.sequence, reason="after all", account="main")
    book.bust(stays.sequence, reason="gone")
    corrected = book.correct(opened.sequence, reason="elsewhere", account="second")
    assert [(item.account, item.status) for item in book.signals()] == [("main", "GENERATED"), ("second", "EXECUTED")]
    moved = [(event.type, event.account) for event in corrected.events if event.type.startswith("signal")]
    assert moved == [("signal_detected", "main"), ("signal_executed", "second")]


def test_a_busted_flip_reopens_one_signal_and_takes_the_other_back(book: onebook.Book) -> None:
    book.record(signal("up"))
    book.record(signal("down", action="sell"))
    opened = book.record(fill("buy", 1, signal_id="up"))
    flip = book.record(fill("sell", 2, quantity=3, signal_id="down"))
    busted = book.bust(flip.sequence, reason="gone")
    assert {"signal_executed", "signal_detected"} <= set(types(busted))
    assert (status(book, "up"), status(book, "down")) == ("EXECUTED", "GENERATED")
    assert {item.round_trip for item in book.signals()} == {opened.sequence, None}
    before = book.as_of(flip.sequence).signals()
    assert {(item.signal_id, item.status) for item in before} == {("up", "CLOSED"), ("down", "EXECUTED")}
    assert book.rebuild().ok
    assert (status(book, "up"), status(book, "down")) == ("EXECUTED", "GENERATED")


def test_a_late_fill_before_the_entry_takes_the_signal_along(book: onebook.Book) -> None:
    book.record(signal())
    book.record(fill("buy", 1, signal_id="s", occurred_at="2024-06-03T10:00:00Z"))
    late = book.record(fill("buy", 2, occurred_at="2024-06-03T09:00:00Z"))
    assert book.signals()[0].round_trip == late.sequence == book.round_trips()[0].id
    late = book.record(fill("sell", 3, occurred_at="2024-06-03T09:30:00Z"))
    assert (status(book), book.signals()[0].round_trip) == ("EXECUTED", 2)


def test_an_execution_that_replaces_a_cumulative_fill_keeps_its_signal(book: onebook.Book) -> None:
    book.record(signal())
    book.record(fill("buy", 1, quantity=3, signal_id="s", venue="v", venue_fill_id="order:o:3", venue_order_id="o"))
    came = book.record(fill("buy", 2, quantity=1, venue="v", venue_fill_id="x", venue_order_id="o"))
    assert not any(kind.startswith("signal") for kind in types(came))
    assert status(book) == "EXECUTED"
    book.record(fill("buy", 3, quantity=2, venue="v", venue_fill_id="y", venue_order_id="o"))
    assert status(book) == "GENERATED"
    assert [item.fill.venue_fill_id for item in book.fills()] == ["x", "y"]


def test_a_signal_that_led_to_two_round_trips_keeps_the_one_that_stands(book: onebook.Book) -> None:
    book.record(signal())
    book.record(fill("buy", 1, signal_id="s"))
    book.record(fill("sell", 2))
    again = book.record(fill("buy", 3, signal_id="s"))
    left = book.record(fill("sell", 4))
    assert book.signals()[0].round_trip == again.sequence
    book.bust(left.sequence, reason="gone")
    assert status(book) == "EXECUTED"
    book.bust(again.sequence, reason="gone")
    assert status(book) == "CLOSED"


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


@given(
    st.lists(st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 3), st.integers(0, 9)), max_size=9), st.data()
)
def test_a_signal_is_what_the_fills_that_stand_make_of_it(
    trades: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    """Each fill names a signal of its own; fills come late, and some are taken back or given another signal."""
    with onebook.open(":memory:", clock=FakeClock("2024-06-03T12:00:00Z")) as book:
        for number in range(2 * len(trades)):
            book.record(signal(f"s{number}"))
        held: dict[int, str] = {}
        for number, (side, size, hour) in enumerate(trades):
            moment = f"2024-06-03T{hour:02d}:00:00Z"
            receipt = book.record(fill(side, number, quantity=size, signal_id=f"s{number}", occurred_at=moment))
            held[receipt.sequence] = f"s{number}"
        for number, sequence in enumerate(data.draw(st.permutations(sorted(held)))):
            deed = data.draw(st.sampled_from(["keep", "bust", "rename"]))
            if deed == "bust":
                book.bust(sequence, reason="gone")
                del held[sequence]
            elif deed == "rename":
                held[sequence] = f"s{len(trades) + number}"
                book.correct(sequence, reason="mixed up", signal_id=held[sequence])
        carried = {trip.signal_id: trip for trip in book.round_trips()}
        for item in book.signals():
            trip = carried.get(item.signal_id)
            if item.signal_id not in held.values():
                assert (item.status, item.round_trip) == ("GENERATED", None)
            elif trip is not None:
                assert (item.status, item.round_trip) == ("EXECUTED" if trip.is_open else "CLOSED", trip.id)
            else:
                assert item.status in {"EXECUTED", "CLOSED"}
        report = book.verify()
        assert report.ok, report.problems
