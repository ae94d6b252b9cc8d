"""A venue's word makes no fill: what it says beyond the fills is a break when they do not come, until they do."""

from decimal import Decimal
from typing import Any

import pytest
from tests.feed.waiting import fill, until

import onebook
from onebook import Order, OrderUpdate
from onebook.feed.conditions import Limits
from onebook.feed.missing_fills import MissingFills
from onebook.feed.watchman import Watchman
from onebook.testing import FakeClock
from onebook.trading.answers import Refused

AFTER = 60


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks but the test."""
    monkeypatch.setattr(Watchman, "_run", lambda self: None)


def order(book: onebook.Book, name: str = "o1", **more: Any) -> None:
    book.record(Order(instrument="BTC/USD", side="buy", quantity=1, client_order_id=name, strategy="trend", **more))
    book.record(OrderUpdate(client_order_id=name, status="new", venue_order_id=f"v-{name}"))


def said(book: onebook.Book, filled: str, status: str = "partially_filled", name: str = "o1") -> None:
    book.record(OrderUpdate(client_order_id=name, status=status, filled=filled))


def filled(book: onebook.Book, number: int, quantity: str, name: str = "o1") -> None:
    book.record(fill(number, quantity=quantity, client_order_id=name))


def told(book: onebook.Book) -> list[tuple[str, str]]:
    return [(event.type, event.data["kind"]) for event in book.events(types="break_*")]


FOUND, RESOLVED = ("break_found", "fill_missing"), ("break_resolved", "fill_missing")


def test_a_difference_that_no_fill_settles_in_time_is_a_break(book: onebook.Book, clock: FakeClock) -> None:
    missing = MissingFills(book, AFTER)
    missing.look(clock())
    order(book)
    filled(book, 1, "0.2")
    said(book, "0.5")
    missing.look(clock())
    clock.advance(AFTER - 1)
    missing.look(clock())
    assert told(book) == []
    clock.advance(1)
    for _ in range(3):
        missing.look(clock())
        clock.advance(1)
    assert told(book) == [FOUND]
    (event,) = book.events(types="break_found")
    assert (event.instrument, event.account, event.strategy) == ("BTC/USD", "main", "trend")
    figures = ("client_order_id", "venue_filled", "booked", "missing")
    assert [event.data[name] for name in figures] == ["o1", "0.5", "0.2", "0.3"]
    (found,) = book.breaks()
    assert (found.kind, found.state) == ("fill_missing", "open")
    assert "order o1" in found.note
    assert "0.3 is missing" in found.note
    book.mark("BTC/USD", "100")
    answer = book.trading.may(Order(instrument="BTC/USD", side="buy", quantity=1))
    assert isinstance(answer, Refused)
    assert answer.reason == "open_break"
    assert [item.quantity for item in book.positions()] == [Decimal("0.2")]


def test_it_is_resolved_by_itself_when_all_fills_have_come(book: onebook.Book, clock: FakeClock) -> None:
    missing = MissingFills(book, AFTER)
    order(book)
    said(book, "0.5")
    missing.look(clock())
    clock.advance(AFTER)
    missing.look(clock())
    filled(book, 1, "0.2")
    missing.look(clock())
    assert told(book) == [FOUND]
    filled(book, 2, "0.3")
    missing.look(clock())
    missing.look(clock())
    assert told(book) == [FOUND, RESOLVED]
    assert [item.state for item in book.breaks()] == ["resolved"]
    assert len(missing) == 0


@pytest.mark.parametrize("status", ["filled", "canceled", "expired"])
def test_an_order_that_has_ended_may_lack_fills_too(book: onebook.Book, clock: FakeClock, status: str) -> None:
    missing = MissingFills(book, AFTER)
    order(book)
    said(book, "0.5", status)
    clock.advance(AFTER)
    missing.look(clock())  # it begins only now, and reads the newest events
    assert told(book) == [FOUND]
    filled(book, 1, "0.5")
    missing.look(clock())
    assert told(book) == [FOUND, RESOLVED]


def test_fills_that_are_always_a_little_behind_are_no_break(book: onebook.Book, clock: FakeClock) -> None:
    missing = MissingFills(book, AFTER)
    order(book)
    said(book, "0.1")
    for number in range(1, 8):
        missing.look(clock())
        clock.advance(40)
        said(book, f"0.{number + 1}")
        missing.look(clock())
        filled(book, number, "0.1")
        missing.look(clock())
    assert told(book) == []
    assert len(missing) == 1


def test_a_steady_trickle_of_fills_does_not_hide_one_that_is_missing(book: onebook.Book, clock: FakeClock) -> None:
    missing = MissingFills(book, AFTER)
    order(book)
    said(book, "0.5")
    for number in range(1, 4):
        filled(book, number, "0.1")
        missing.look(clock())
        clock.advance(AFTER / 2)
        missing.look(clock())
    assert told(book) == [FOUND]


def test_fills_before_the_word_of_the_venue_and_more_than_it_said_are_no_break(
    book: onebook.Book, clock: FakeClock
) -> None:
    missing = MissingFills(book, AFTER)
    order(book)
    filled(book, 1, "0.7")
    said(book, "0.5")
    missing.look(clock())
    clock.advance(10 * AFTER)
    missing.look(clock())
    assert told(book) == []


def test_several_who_look_find_and_resolve_it_once(book: onebook.Book, clock: FakeClock) -> None:
    order(book)
    said(book, "0.5")
    many = [MissingFills(book, AFTER) for _ in range(3)]
    for each in many[:2]:
        each.look(clock())
    clock.advance(AFTER)
    for each in many:
        each.look(clock())
    said(book, "0.8")  # one that begins now takes the break that is there for its own
    fresh = MissingFills(book, AFTER)
    many.append(fresh)
    clock.advance(2 * AFTER)
    for each in many:
        each.look(clock())
    assert told(book) == [FOUND]
    filled(book, 1, "0.8")
    for each in many:
        each.look(clock())
    assert told(book) == [FOUND, RESOLVED]


def test_who_began_later_and_sees_more_missing_finds_no_second_break(book: onebook.Book, clock: FakeClock) -> None:
    order(book)
    said(book, "0.5")
    first, second = MissingFills(book, AFTER), MissingFills(book, AFTER)
    first.look(clock())
    clock.advance(AFTER / 2)
    said(book, "0.6")
    second.look(clock())
    clock.advance(AFTER / 2)
    first.look(clock())
    said(book, "0.7")
    clock.advance(AFTER)
    second.look(clock())
    assert told(book) == [FOUND]
    filled(book, 1, "0.7")
    second.look(clock())
    first.look(clock())
    assert told(book) == [FOUND, RESOLVED]


def test_what_came_while_nobody_looked_is_resolved_at_the_next_start(book: onebook.Book, clock: FakeClock) -> None:
    order(book)
    said(book, "0.5", "canceled")
    first = MissingFills(book, AFTER)
    clock.advance(AFTER)
    first.look(clock())
    assert told(book) == [FOUND]
    filled(book, 1, "0.5")
    MissingFills(book, AFTER).look(clock())
    assert told(book) == [FOUND, RESOLVED]


def test_one_that_a_person_settled_is_not_found_again(book: onebook.Book, clock: FakeClock) -> None:
    missing = MissingFills(book, AFTER)
    order(book)
    said(book, "0.5")
    clock.advance(AFTER)
    missing.look(clock())
    clock.advance(AFTER)
    missing.look(clock())
    (found,) = book.breaks()
    book.resolve_break(found.id, reason="the venue was wrong")
    clock.advance(AFTER)
    missing.look(clock())
    MissingFills(book, AFTER).look(clock())
    filled(book, 1, "0.5")
    missing.look(clock())
    assert told(book) == [FOUND, RESOLVED]


def test_a_fill_that_was_taken_back_is_not_missing(book: onebook.Book, clock: FakeClock) -> None:
    missing = MissingFills(book, AFTER)
    order(book)
    said(book, "0.5")
    receipt = book.record(fill(1, quantity="0.5", client_order_id="o1"))
    missing.look(clock())
    book.bust(receipt.sequence, reason="the venue broke it")
    missing.look(clock())
    clock.advance(AFTER)
    missing.look(clock())
    MissingFills(book, AFTER).look(clock())
    assert told(book) == []


def test_with_0_seconds_nothing_is_ever_found(book: onebook.Book, clock: FakeClock) -> None:
    missing = MissingFills(book, 0)
    order(book)
    said(book, "0.5")
    clock.advance(1000)
    missing.look(clock())
    assert told(book) == []


def test_a_look_at_a_book_in_which_nothing_happened_reads_no_order(
    book: onebook.Book, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = MissingFills(book, AFTER)
    order(book)
    filled(book, 1, "0.5")
    said(book, "0.5")
    missing.look(clock())
    asked: list[Any] = []
    monkeypatch.setattr(MissingFills, "_compare", lambda self, place, at: asked.append(place))
    missing.look(clock())
    book.record(fill(9, instrument="ETH/USD"))
    missing.look(clock())
    assert asked == []
    said(book, "0.6")
    missing.look(clock())
    assert asked == [("main", "o1")]


def test_the_watchman_looks_and_another_goes_on(book: onebook.Book, clock: FakeClock) -> None:
    limits = Limits(break_after_seconds=AFTER, mark_stale_seconds=0, disk_free_bytes=0, disk_free_ratio=0)
    order(book)
    first = Watchman(book, book.feed, limits)
    until(lambda: first._subscriber.lag == 0)
    first.look(clock())
    said(book, "0.5")
    first.look(clock())
    clock.advance(AFTER)
    first.look(clock())
    assert told(book) == [FOUND]
    first.end()
    second = Watchman(book, book.feed, limits)
    until(lambda: second._subscriber.lag == 0)
    filled(book, 1, "0.5")
    second.look(clock())
    second.end()
    assert told(book) == [FOUND, RESOLVED]


def test_a_book_opened_with_the_setting_watches_without_any_route() -> None:
    for given, watched in ((5, True), (0, False)):
        with onebook.open(":memory:", config={"alerts": {"break_after_seconds": given}}) as book:
            names = [item.name for item in book.feed.subscribers] if watched else [s.name for s in book.subscribers()]
            assert ("watchman" in names) is watched


# ---- signals ----


def test_the_watchman_lets_a_signal_expire_once_that_no_runner_looks_after(
    book: onebook.Book, clock: FakeClock
) -> None:
    limits = Limits(mark_stale_seconds=0, disk_free_bytes=0, disk_free_ratio=0)

    def signal(name: str, at: str) -> None:
        book.record(onebook.Signal(instrument="BTC/USD", action="buy", signal_id=name, expires_at=at, strategy="trend"))

    signal("before", "2024-06-03T12:01:00Z")
    man = Watchman(book, book.feed, limits)
    until(lambda: man._subscriber.lag == 0)
    man.look(clock())
    signal("after", "2024-06-03T12:02:00Z")
    signal("taken", "2024-06-03T12:02:00Z")
    book.record(fill(1, signal_id="taken"))
    clock.advance(60)
    man.look(clock())
    assert {item.signal_id: item.status for item in book.signals()} == {
        "before": "EXPIRED",
        "after": "GENERATED",
        "taken": "EXECUTED",
    }
    clock.advance(60)
    man.look(clock())
    assert {item.status for item in book.signals()} == {"EXPIRED", "EXECUTED"}
    man.end()
    other = Watchman(book, book.feed, limits)
    until(lambda: other._subscriber.lag == 0)
    clock.advance(3600)
    for each in (other, man, other):
        each.look(clock())
    other.end()
    expired = list(book.events(types="signal_expired"))
    assert [event.data["signal_id"] for event in expired] == ["before", "after"]
    assert [str(event.occurred_at)[:19] for event in expired] == ["2024-06-03 12:01:00", "2024-06-03 12:02:00"]


def test_the_watchman_takes_no_orders_back_with_a_signal(book: onebook.Book, clock: FakeClock) -> None:
    book.record(onebook.Signal(instrument="BTC/USD", action="buy", signal_id="s", expires_at="2024-06-03T12:00:30Z"))
    order(book, signal_id="s")
    man = Watchman(book, book.feed, Limits(mark_stale_seconds=0, disk_free_bytes=0, disk_free_ratio=0))
    until(lambda: man._subscriber.lag == 0)
    clock.advance(60)
    man.look(clock())
    man.end()
    assert [item.status for item in book.signals()] == ["EXPIRED"]
    assert [item.status for item in book.orders()] == ["new"]
