"""Orders whose fate is not known: what a venue says of them at the next start, and what a person may say."""

from dataclasses import dataclass, field

import pytest
from tests.trading.desks import fill, held, no, ok, place, status, update, whole

import onebook
from onebook import Fill, Order, OrderUpdate
from onebook.errors import InputError, RuleError, SourceError
from onebook.testing import FakeClock
from onebook.trading.brokers.port import Found, Reports


@dataclass
class Venue:
    """A venue that knows what it is told to know."""

    venue: str = "v"
    accounts: frozenset[str] = frozenset({"main"})
    is_certain: bool = False
    knows: dict[str, Found] = field(default_factory=dict)
    is_there: bool = True
    asked: list[str] = field(default_factory=list)
    sent: list[Order] = field(default_factory=list)

    def start(self, reports: Reports) -> None: ...

    def submit(self, order: Order) -> None:
        self.sent.append(order)

    def cancel(self, account: str, client_order_id: str) -> None: ...

    def replace(self, account: str, client_order_id: str, **terms: object) -> None: ...

    def find(self, account: str, client_order_id: str) -> Found | None:
        assert account in self.accounts
        self.asked.append(client_order_id)
        if not self.is_there:
            raise SourceError("the venue does not answer")
        return self.knows.get(client_order_id)

    def close(self) -> None: ...


def said(name: str, what: str, **more: object) -> OrderUpdate:
    return OrderUpdate(client_order_id=name, status=what, venue_order_id=f"v-{name}", **more)  # type: ignore[arg-type]


def filled(name: str, quantity: int) -> Fill:
    return Fill(
        instrument="AAPL",
        side="buy",
        quantity=quantity,
        price=100,
        venue="v",
        venue_fill_id="1",
        venue_order_id=f"v-{name}",
        client_order_id=name,
    )


@pytest.fixture
def lost(book: onebook.Book) -> onebook.Book:
    """A book with three orders of which nobody heard again."""
    book.mark("AAPL", 100)
    for name in ("one", "two", "three"):
        ok(place(book, "buy", 2, client_order_id=name))
    return book


def test_what_the_venue_knows_is_recorded_with_its_fills(lost: onebook.Book) -> None:
    venue = Venue(
        knows={
            "one": Found(updates=(said("one", "new"),)),
            "two": Found(updates=(said("two", "new"),), fills=(filled("two", 2),)),
            "three": Found(updates=(said("three", "new"), said("three", "canceled"))),
        }
    )
    done = lost.trading.recover(venue)
    assert (done.found, done.unknown, done.problem) == (("one", "two", "three"), (), "")
    assert [status(lost, name) for name in ("one", "two", "three")] == ["new", "filled", "canceled"]
    assert held(lost) == 2
    entries = lost.status().entries
    assert lost.trading.recover(venue).found == ("one",)
    assert lost.status().entries == entries
    assert not venue.sent
    whole(lost)


def test_what_the_venue_does_not_know_is_unknown_and_later_rejected(lost: onebook.Book, clock: FakeClock) -> None:
    venue = Venue()
    clock.advance(59)
    assert lost.trading.recover(venue).unknown == ("one", "two", "three")
    assert status(lost, "one") == "unknown"
    no(place(lost, "buy"), "unknown_order")
    fill(lost, "buy", 1)
    ok(place(lost, "sell", 1))
    clock.advance(1)
    update(lost, lost.orders(is_open=True)[-1].client_order_id, "rejected")
    done = lost.trading.recover(venue)
    assert (done.rejected, done.unknown) == (("one", "two", "three"), ())
    (order,) = [item for item in lost.orders() if item.client_order_id == "one"]
    assert (order.status, order.reason) == ("rejected", "unknown at venue")
    lost.mark("AAPL", 100)
    ok(place(lost, "buy"))
    whole(lost)


def test_how_long_an_order_may_be_unknown_can_be_said(lost: onebook.Book, clock: FakeClock) -> None:
    clock.advance(5)
    assert lost.trading.recover(Venue(), unknown_after_seconds=5.5).unknown
    assert lost.trading.recover(Venue(), unknown_after_seconds=5).rejected == ("one", "two", "three")


def test_while_the_venue_cannot_be_reached_orders_stay_unknown(lost: onebook.Book, clock: FakeClock) -> None:
    update(lost, "three", "new")
    clock.advance(3600)
    venue = Venue(is_there=False)
    done = lost.trading.recover(venue)
    assert (done.unknown, done.rejected, done.problem) == (("one", "two"), (), "the venue does not answer")
    assert [status(lost, name) for name in ("one", "three")] == ["unknown", "new"]
    assert lost.trading.recover(venue).unknown == ("one", "two")
    venue.is_there, venue.knows = True, {"one": Found(updates=(said("one", "new"),))}
    done = lost.trading.recover(venue)
    assert (done.found, done.rejected) == (("one",), ("two",))
    assert [status(lost, name) for name in ("one", "two", "three")] == ["new", "rejected", "new"]
    whole(lost)


def test_a_certain_venue_gets_what_never_arrived(book: onebook.Book, clock: FakeClock) -> None:
    fill(book, "buy", 3)
    ok(place(book, "sell", 9, client_order_id="one", reduce_only=True))
    clock.advance(3600)
    venue = Venue(is_certain=True)
    assert book.trading.recover(venue).sent == ("one",)
    (sent,) = venue.sent
    assert (sent.client_order_id, sent.quantity, sent.reduce_only) == ("one", 3, True)


def test_a_parent_is_sent_before_its_children_whatever_their_names_and_times(
    book: onebook.Book, clock: FakeClock
) -> None:
    book.mark("AAPL", 100)
    ok(place(book, "buy", 9, client_order_id="zz", occurred_ns=clock.now))
    clock.set("2024-06-01T00:00:00Z")  # a clock that was put back
    for name in ("b", "a"):
        ok(place(book, "sell", 9, client_order_id=name, parent_id="zz", kind="stop", stop_price=90))
    venue = Venue(is_certain=True)
    assert book.trading.recover(venue).sent == ("zz", "b", "a")
    assert [item.client_order_id for item in venue.sent] == ["zz", "b", "a"]


def test_only_open_orders_of_the_venues_accounts_are_asked_for(lost: onebook.Book) -> None:
    ok(place(lost, "buy", 2, client_order_id="four", account="other"))
    update(lost, "one", "rejected")
    venue = Venue()
    lost.trading.recover(venue)
    assert venue.asked == ["two", "three"]


def test_a_fill_that_comes_after_a_rejection_is_booked_all_the_same(lost: onebook.Book, clock: FakeClock) -> None:
    clock.advance(61)
    lost.trading.recover(Venue())
    lost.record(filled("one", 2))
    assert status(lost, "one") == "filled"
    assert held(lost) == 2


@pytest.mark.parametrize("what", ["rejected", "canceled", "expired", "new"])
@pytest.mark.parametrize("before", ["pending_new", "unknown"])
def test_a_person_may_settle_what_nobody_knows(lost: onebook.Book, what: str, before: str) -> None:
    if before == "unknown":
        update(lost, "one", "unknown")
    after = lost.trading.settle("one", what, "looked at the venue's page")
    assert (after.status, after.reason) == (what, "looked at the venue's page")
    whole(lost)


@pytest.mark.parametrize("now", ["new", "canceled", "partially_filled", "pending_cancel", "denied", "filled"])
def test_what_is_known_cannot_be_settled(lost: onebook.Book, now: str) -> None:
    name = "one"
    if now == "denied":
        lost.trading.limits.set(max_position=1)
        name = no(place(lost, "buy", 9), "max_position").order.client_order_id
    elif now in {"filled", "partially_filled"}:
        lost.record(filled("one", 2 if now == "filled" else 1))
    else:
        update(lost, "one", "new")
        if now != "new":
            update(lost, "one", now)
    assert status(lost, name) == now
    entries = lost.status().entries
    with pytest.raises(RuleError):
        lost.trading.settle(name, "canceled", "x")
    assert lost.status().entries == entries


@pytest.mark.parametrize(
    ("name", "what", "reason", "named"),
    [
        ("one", "filled", "x", "status"),
        ("one", "pending_new", "x", "status"),
        ("one", "canceled", " ", "reason"),
        ("nobody", "canceled", "x", "client_order_id"),
    ],
)
def test_a_wrong_word_about_an_order_is_refused(
    lost: onebook.Book, name: str, what: str, reason: str, named: str
) -> None:
    with pytest.raises(InputError) as refused:
        lost.trading.settle(name, what, reason)
    assert refused.value.field == named
    assert status(lost, "one") == "pending_new"
