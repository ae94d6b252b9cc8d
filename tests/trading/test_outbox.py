"""What the log says is to be sent is sent once, by who holds the account's broker."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

import onebook
from onebook import Account, Instrument, Order, OrderUpdate
from onebook.errors import InputError, SourceError
from onebook.testing import FakeClock
from onebook.trading.brokers.port import Found, Reports
from onebook.trading.outbox import Outbox


@dataclass
class Venue:
    """A venue that notes what it is told, knows what it is said to know, and can be out of reach."""

    venue: str = "venue"
    accounts: frozenset[str] = frozenset({"main"})
    is_certain: bool = False
    reports: Reports | None = None
    said: list[tuple[Any, ...]] = field(default_factory=list)
    known: dict[str, Found] = field(default_factory=dict)
    problem: Exception | None = None
    closed: bool = False

    def start(self, reports: Reports) -> None:
        self.reports = reports

    def submit(self, order: Order) -> None:
        self._say("submit", order.client_order_id)
        assert self.reports is not None
        self.reports([OrderUpdate(client_order_id=order.client_order_id, status="new", venue_order_id="v")])

    def cancel(self, account: str, client_order_id: str) -> None:
        self._say("cancel", client_order_id)

    def replace(self, account: str, client_order_id: str, **terms: Any) -> None:
        self._say("replace", client_order_id, terms)

    def find(self, account: str, client_order_id: str) -> Found | None:
        if self.problem is not None:
            raise self.problem
        return self.known.get(client_order_id)

    def close(self) -> None:
        self.closed = True

    def _say(self, *what: Any) -> None:
        if self.problem is not None:
            raise self.problem
        self.said.append(what)


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def box(book: onebook.Book, venue: Venue) -> Iterator[Outbox]:
    book.record(Account(name="main"))
    book.record(Instrument(symbol="AAPL", kind="equity"))
    book.mark("AAPL", "100")
    made = Outbox(book, {"main": venue})
    yield made
    made.close()
    assert venue.closed


def wish(book: onebook.Book, name: str, **more: Any) -> None:
    terms: dict[str, Any] = {"kind": "limit", "limit_price": 99} | more
    assert book.trading.place(Order(instrument="AAPL", side="buy", quantity=1, client_order_id=name, **terms)).ok


def status(book: onebook.Book, name: str) -> str:
    (found,) = [item for item in book.orders() if item.client_order_id == name]
    return found.status


def test_an_order_is_sent_once(book: onebook.Book, venue: Venue, box: Outbox) -> None:
    box.start()
    wish(book, "a")
    wish(book, "b")
    assert (box.pump(), box.pump()) == (2, 0)
    assert venue.said == [("submit", "a"), ("submit", "b")]
    assert status(book, "a") == "new"


def test_orders_of_other_accounts_and_denied_ones_are_not_sent(book: onebook.Book, venue: Venue, box: Outbox) -> None:
    book.record(Account(name="cash"))
    box.start()
    wish(book, "a", account="cash")
    book.trading.halt("enough")
    book.trading.place(Order(instrument="AAPL", side="buy", quantity=1, client_order_id="b"))
    assert box.pump() == 0
    assert not venue.said


def test_cancels_and_other_terms_are_sent(book: onebook.Book, venue: Venue, box: Outbox) -> None:
    box.start()
    wish(book, "a")
    wish(book, "b")
    box.pump()
    book.trading.replace("a", limit_price="98.5", quantity=2)
    book.trading.cancel("b")
    box.pump()
    assert venue.said[2:] == [
        ("replace", "a", {"quantity": Decimal(2), "limit_price": Decimal("98.5")}),
        ("cancel", "b"),
    ]


def test_an_order_that_may_not_have_arrived_is_unknown(book: onebook.Book, venue: Venue, box: Outbox) -> None:
    box.start()
    wish(book, "a")
    venue.problem = SourceError("the line is dead")
    box.pump()
    assert status(book, "a") == "unknown"
    assert not book.trading.may(Order(instrument="AAPL", side="buy", quantity=1)).ok
    venue.problem = InputError("no such thing here")
    box.pump()
    assert status(book, "a") == "unknown"


def test_what_the_venue_cannot_take_is_rejected(book: onebook.Book, venue: Venue, box: Outbox) -> None:
    box.start()
    wish(book, "a")
    venue.problem = InputError("no such thing here")
    box.pump()
    assert status(book, "a") == "rejected"


def test_a_cancel_that_could_not_be_sent_is_tried_again(book: onebook.Book, venue: Venue, box: Outbox) -> None:
    box.start()
    wish(book, "a")
    box.pump()
    book.trading.cancel("a")
    venue.problem = SourceError("the line is dead")
    box.pump()
    box.pump()
    venue.problem = None
    box.pump()
    box.pump()
    assert venue.said[1:] == [("cancel", "a")]


# ---- the start ----


def test_at_the_start_a_venue_that_cannot_be_reached_leaves_orders_unknown(
    book: onebook.Book, venue: Venue, box: Outbox
) -> None:
    wish(book, "a")
    venue.problem = SourceError("the line is dead")
    (found,) = box.start()
    assert (found.unknown, found.problem) == (("a",), "the line is dead")
    assert (status(book, "a"), venue.said) == ("unknown", [])


def test_at_the_start_an_order_that_the_venue_does_not_know_is_never_sent_twice(
    book: onebook.Book, venue: Venue, box: Outbox, clock: FakeClock
) -> None:
    wish(book, "a")
    (found,) = box.start()
    assert (found.unknown, status(book, "a")) == (("a",), "unknown")
    clock.advance(61)
    (found,) = box.start()
    assert (found.rejected, status(book, "a"), venue.said) == (("a",), "rejected", [])


def test_at_the_start_what_the_venue_knows_is_recorded(book: onebook.Book, venue: Venue, box: Outbox) -> None:
    wish(book, "a")
    update = OrderUpdate(client_order_id="a", status="new", venue_order_id="v")
    fill = onebook.Fill(
        instrument="AAPL", side="buy", quantity=1, price=99, client_order_id="a", venue="venue", venue_fill_id="1"
    )
    venue.known["a"] = Found(updates=(update,), fills=(fill,))
    (found,) = box.start()
    assert (found.found, status(book, "a"), venue.said) == (("a",), "filled", [])
    box.start()
    assert len(book.fills()) == 1


def test_at_the_start_a_certain_venue_gets_what_was_left_in_the_order_of_its_placing(
    book: onebook.Book, venue: Venue, box: Outbox
) -> None:
    venue.is_certain = True
    wish(book, "z")
    wish(book, "a")
    box.start()
    assert venue.said == [("submit", "z"), ("submit", "a")]


def test_at_the_start_wishes_that_nobody_sent_are_sent(book: onebook.Book, venue: Venue, box: Outbox) -> None:
    box.start()
    for name in ("a", "b"):
        wish(book, name)
        venue.known[name] = Found()
    box.pump()
    book.trading.cancel("a")
    book.trading.replace("b", limit_price="98")
    again = Outbox(book, {"main": venue})
    again.start()
    assert venue.said[2:] == [("cancel", "a"), ("replace", "b", {"limit_price": Decimal(98)})]
    assert again.pump() == 0
    again.close()


def test_orders_of_others_are_sent_by_a_thread(book: onebook.Book, venue: Venue, box: Outbox) -> None:
    box.start()
    box.follow()
    wish(book, "a")
    with book.wakeups as wakeups:
        while status(book, "a") != "new":
            assert wakeups.wait(book.status().entries, 5), "nothing came"
    assert venue.said == [("submit", "a")]
