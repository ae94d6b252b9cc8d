"""An order in doubt is asked for again and again, until its venue or a person says what became of it."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from tests.trading.desks import ok, place, status, update, whole
from tests.trading.venues import Deaf, said

import onebook
from onebook.errors import SourceError
from onebook.testing import FakeClock
from onebook.trading import doubts
from onebook.trading.brokers.port import Found
from onebook.trading.outbox import Outbox

NO_LINE = SourceError("no line")


@pytest.fixture
def venue() -> Deaf:
    return Deaf()


@pytest.fixture
def box(book: onebook.Book, venue: Deaf) -> Iterator[Outbox]:
    book.mark("AAPL", 100)
    made = Outbox(book, {"main": venue})
    yield made
    made.close()


def passing(box: Outbox, clock: FakeClock, seconds: int) -> None:
    """Let time pass, with a look at every second."""
    for _ in range(seconds):
        clock.advance(1)
        box.pump()


@pytest.mark.parametrize("way", ["live", "restart", "unreachable at the start", "early at the start"])
def test_an_order_in_doubt_is_found_later(
    book: onebook.Book, venue: Deaf, box: Outbox, clock: FakeClock, way: str
) -> None:
    venue.problem = NO_LINE if way != "early at the start" else None
    if way == "live":
        box.start()
    ok(place(book, "buy", 1, client_order_id="a"))
    if way == "live":
        box.pump()
    else:
        box.start()
    if way == "restart":
        again = Outbox(book, {"main": venue})
        again.start()
        box = again
    assert status(book, "a") == "unknown"
    venue.problem = None
    venue.knows["a"] = Found(updates=(said("a", "new"),))
    passing(box, clock, 10)
    assert (status(book, "a"), venue.sent) == ("new", [])
    asked = len(venue.asked)
    passing(box, clock, 200)
    assert len(venue.asked) == asked
    book.mark("AAPL", 100)
    ok(place(book, "buy", 1))
    whole(book)


@pytest.mark.parametrize("begins", [True, False], ids=["live", "at the start"])
def test_an_order_that_never_arrived_is_rejected_when_it_is_too_old_and_not_before(
    book: onebook.Book, venue: Deaf, box: Outbox, clock: FakeClock, *, begins: bool
) -> None:
    if begins:
        box.start()
        venue.problem = NO_LINE
    ok(place(book, "buy", 1, client_order_id="a"))
    if begins:
        box.pump()
        venue.problem = None
    else:
        box.start()
    passing(box, clock, 59)
    assert status(book, "a") == "unknown"
    passing(box, clock, 2)
    assert status(book, "a") == "rejected"
    assert 3 <= len(venue.asked) <= 10
    whole(book)


def test_how_often_it_is_asked_for_falls_to_once_a_minute(
    book: onebook.Book, venue: Deaf, box: Outbox, clock: FakeClock
) -> None:
    venue.problem = NO_LINE
    ok(place(book, "buy", 1, client_order_id="a"))
    box.start()
    moments = []
    for second in range(600):
        before = len(venue.asked)
        clock.advance(1)
        box.pump()
        moments += [second] * (len(venue.asked) - before)
    waits = [later - earlier for earlier, later in pairwise(moments)]
    assert waits[:3] == [4, 8, 16]
    assert set(waits[-5:]) == {60}
    assert status(book, "a") == "unknown"


def test_an_order_that_was_sent_and_never_answered_is_asked_for_too(
    book: onebook.Book, venue: Deaf, box: Outbox, clock: FakeClock
) -> None:
    box.start()
    ok(place(book, "buy", 1, client_order_id="a"))
    box.pump()
    assert (venue.sent, status(book, "a")) == (["a"], "pending_new")
    venue.knows["a"] = Found(updates=(said("a", "new"), said("a", "canceled")))
    passing(box, clock, 3)
    assert (status(book, "a"), venue.sent) == ("canceled", ["a"])


@pytest.mark.parametrize("end", ["settled", "answered"])
def test_what_is_known_by_other_ways_is_not_asked_for_any_more(
    book: onebook.Book, venue: Deaf, box: Outbox, clock: FakeClock, end: str
) -> None:
    venue.problem = NO_LINE
    ok(place(book, "buy", 1, client_order_id="a"))
    box.start()
    asked = len(venue.asked)
    if end == "settled":
        book.trading.settle("a", "canceled", "seen on the website")
    else:
        update(book, "a", "new")
    passing(box, clock, 100)
    assert len(venue.asked) == asked


def test_a_certain_venue_gets_an_order_again_when_it_can_be_reached(
    book: onebook.Book, venue: Deaf, box: Outbox, clock: FakeClock
) -> None:
    venue.is_certain = True
    box.start()
    ok(place(book, "buy", 1, client_order_id="a"))
    ok(place(book, "buy", 1, client_order_id="b"))
    venue.problem = NO_LINE
    box.pump()
    assert [status(book, name) for name in ("a", "b")] == ["unknown", "unknown"]
    venue.problem = None
    book.trading.cancel("b")
    passing(box, clock, 5)
    assert venue.sent == ["a"]
    venue.sent.clear()
    book.trading.halt("enough")
    passing(box, clock, 5)
    assert venue.sent == []


def test_a_venue_out_of_reach_is_asked_once_in_a_look_and_the_work_of_a_look_is_bounded(
    book: onebook.Book, venue: Deaf, box: Outbox, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doubts, "ASKED_AT_ONCE", 3)
    monkeypatch.setattr(doubts, "MAX_DOUBTS", 4)
    box.start()
    names = [f"o{number}" for number in range(9)]
    for name in names:
        ok(place(book, "buy", 1, client_order_id=name))
    venue.problem = NO_LINE
    box.pump()
    clock.advance(3)
    box.pump()
    assert len(venue.asked) == 1
    venue.problem = None
    for name in names:
        venue.knows[name] = Found(updates=(said(name, "new"),))
    venue.asked.clear()
    looks = 0
    while any(item.status == "unknown" for item in book.orders()):
        clock.advance(1)
        before = len(venue.asked)
        box.pump()
        assert len(venue.asked) - before <= 3
        looks += 1
        assert looks < 100
    assert sorted(venue.asked) == names


def test_a_clock_that_was_put_back_makes_no_order_wait(
    book: onebook.Book, venue: Deaf, box: Outbox, clock: FakeClock
) -> None:
    venue.problem = NO_LINE
    ok(place(book, "buy", 1, client_order_id="a"))
    box.start()
    venue.problem = None
    venue.knows["a"] = Found(updates=(said("a", "new"),))
    clock.advance(-3600)
    box.pump()
    assert status(book, "a") == "new"


def test_what_was_placed_after_the_venue_was_connected_is_sent_and_not_asked_for(
    book: onebook.Book, venue: Deaf, box: Outbox
) -> None:
    ok(place(book, "buy", 1, client_order_id="before"))
    box.connect()
    ok(place(book, "buy", 1, client_order_id="after"))
    (found,) = box.recover()
    assert (found.unknown, venue.asked, venue.sent) == (("before",), ["before"], ["after"])


def test_the_thread_asks_again_where_nothing_else_happens(
    book: onebook.Book, venue: Deaf, box: Outbox, clock: FakeClock
) -> None:
    venue.problem = NO_LINE
    ok(place(book, "buy", 1, client_order_id="a"))
    box.start()
    venue.problem = None
    venue.knows["a"] = Found(updates=(said("a", "new"),))
    clock.advance(int(doubts.MOST_SECONDS))
    entries = book.status().entries
    with book.wakeups as wakeups:
        box.follow()
        assert wakeups.wait(entries, 20)
    assert status(book, "a") == "new"
