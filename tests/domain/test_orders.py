"""The life of an order, as the whole table: every status, every update, every fill."""

from decimal import Decimal

import pytest

import onebook
from onebook import Fill, InvalidTransition, Order, OrderUpdate
from onebook.domain.orders import Progress, after_fills, may_follow
from onebook.testing.clock import FakeClock

# ok: the order goes there. odd: the venue says so, it is recorded, flagged and not applied. no: our own wrong
# command, refused. same: it is there already.
TABLE = """
from \\ to         denied pending_new new  triggered partially_filled pending_cancel pending_replace filled canceled expired rejected unknown
created            ok     ok          odd  odd       odd              no             no              odd    odd      odd     odd      no
pending_new        no     same        ok   ok        ok               ok             no              ok     ok       ok      ok       ok
new                no     no          same ok        ok               ok             ok              ok     ok       ok      ok       no
triggered          no     no          odd  same      ok               ok             ok              ok     ok       ok      odd      no
partially_filled   no     no          odd  odd       same             ok             ok              ok     ok       ok      odd      no
pending_cancel     no     no          ok   ok        ok               same           no              ok     ok       ok      odd      no
pending_replace    no     no          ok   ok        ok               ok             same            ok     ok       ok      odd      no
unknown            no     no          ok   ok        ok               ok             no              ok     ok       ok      ok       same
denied             same   no          odd  odd       odd              no             no              odd    odd      odd     odd      no
rejected           no     no          odd  odd       odd              no             no              odd    odd      odd     same     no
canceled           no     no          odd  odd       odd              no             no              odd    same     odd     odd      no
expired            no     no          odd  odd       odd              no             no              odd    odd      same    odd      no
filled             no     no          odd  odd       odd              no             no              same   odd      odd     odd      no
"""  # noqa: E501  one row per status reads best

# How an order gets into each status that a book can show.
WAY_TO = {
    "pending_new": [],
    "new": ["new"],
    "triggered": ["triggered"],
    "partially_filled": ["partially_filled"],
    "pending_cancel": ["new", "pending_cancel"],
    "pending_replace": ["new", "pending_replace"],
    "unknown": ["unknown"],
    "rejected": ["rejected"],
    "canceled": ["canceled"],
    "expired": ["expired"],
    "filled": ["filled"],
}

# What a fill of 1 makes of an order of 2, and a second one.
FILLS = """
status             first            second
pending_new        partially_filled filled
unknown            partially_filled filled
new                partially_filled filled
triggered          partially_filled filled
partially_filled   partially_filled filled
pending_cancel     pending_cancel   filled
pending_replace    pending_replace  filled
rejected           rejected         filled
canceled           canceled         filled
expired            expired          filled
filled             filled           filled
"""


def cells(table: str) -> list[tuple[str, str, str]]:
    head, *lines = [line.split() for line in table.strip().splitlines()]
    columns = [name for name in head if name not in {"from", "\\", "to", "status"}]
    return [(line[0], to, outcome) for line in lines for to, outcome in zip(columns, line[1:], strict=True)]


PAIRS = cells(TABLE)


def state(book: onebook.Book) -> str:
    return book.orders()[0].status


def order_in(book: onebook.Book, status: str) -> None:
    book.record(Order(instrument="BTC/USDT", side="buy", quantity=2, client_order_id="o"))
    for step in WAY_TO[status]:
        book.record(OrderUpdate(client_order_id="o", status=step))
    assert state(book) == status


def fill(number: int, quantity: int = 1) -> Fill:
    return Fill(
        instrument="BTC/USDT",
        side="buy",
        quantity=quantity,
        price=100,
        client_order_id="o",
        client_fill_id=f"f{number}",
    )


def test_the_table_names_every_pair() -> None:
    assert len(PAIRS) == 13 * 12


@pytest.mark.parametrize(("status", "asked", "outcome"), PAIRS)
def test_may_follow(status: str, asked: str, outcome: str) -> None:
    if outcome != "same":
        assert may_follow(status, asked) == (outcome == "ok")


@pytest.mark.parametrize(("status", "asked", "outcome"), [pair for pair in PAIRS if pair[0] in WAY_TO], ids=str)
def test_update(status: str, asked: str, outcome: str) -> None:
    clock = FakeClock("2024-06-03T12:00:00Z", step_seconds=1)
    with onebook.open(":memory:", clock=clock) as book:
        order_in(book, status)
        entries = book.status().entries
        update = OrderUpdate(client_order_id="o", status=asked, occurred_at="2024-06-03T13:00:00Z")
        if outcome == "no":
            with pytest.raises(InvalidTransition) as caught:
                book.record(update)
            assert (caught.value.status, caught.value.asked) == (status, asked)
            assert status in str(caught.value)
            assert asked in str(caught.value)
            assert book.status().entries == entries
        else:
            receipt = book.record(update)
            assert receipt.status == "recorded"
            flagged = "odd_update" in receipt.events[0].data.get("flags", [])
            assert flagged == (outcome == "odd")
            assert "odd_update" in book.orders()[0].flags or outcome != "odd"
        assert state(book) == (asked if outcome == "ok" else status)
        assert book.verify().ok


@pytest.mark.parametrize(("status", "number", "expected"), cells(FILLS))
def test_fills_in_every_status(status: str, number: str, expected: str) -> None:
    with onebook.open(":memory:") as book:
        order_in(book, status)
        book.record(fill(1))
        if number == "second":
            book.record(fill(2))
        order = book.orders()[0]
        assert order.status == expected
        assert order.filled_quantity == (1 if number == "first" else 2)
        assert order.average_price == 100
        position = book.position("BTC/USDT")
        assert position is not None
        assert position.quantity == order.filled_quantity
        assert book.verify().ok


def test_a_denied_order_stays_denied_until_it_is_complete() -> None:
    two, one = Decimal(2), Decimal(1)
    assert after_fills(Progress("denied", one), two).status == "denied"
    assert after_fills(Progress("denied", two), two).status == "filled"


def test_a_bust_reopens(book: onebook.Book) -> None:
    order_in(book, "new")
    first, second = book.record(fill(1)), book.record(fill(2))
    assert state(book) == "filled"
    book.bust(second.sequence, reason="gone")
    assert state(book) == "partially_filled"
    assert book.orders()[0].is_open
    book.bust(first.sequence, reason="gone")
    assert state(book) == "new"
    assert book.orders()[0].filled_quantity == 0
    assert book.orders()[0].average_price is None


def test_a_bust_of_a_canceled_orders_fill_leaves_it_canceled(book: onebook.Book) -> None:
    order_in(book, "new")
    first = book.record(fill(1))
    book.record(OrderUpdate(client_order_id="o", status="canceled"))
    book.bust(first.sequence, reason="gone")
    assert state(book) == "canceled"
    assert book.orders()[0].filled_quantity == 0


def test_more_than_ordered_is_recorded_and_flagged(book: onebook.Book) -> None:
    order_in(book, "new")
    book.record(fill(1))
    receipt = book.record(fill(2, quantity=3))
    assert receipt.status == "recorded"
    recorded = book.fills()
    assert [item.flags for item in recorded] == [(), ("overfilled",)]
    order = book.orders()[0]
    assert (order.status, order.filled_quantity) == ("filled", 4)
    assert receipt.position.quantity == 4


def test_the_average_price_of_an_order_is_weighted(book: onebook.Book) -> None:
    book.record(Order(instrument="BTC/USDT", side="buy", quantity=4, client_order_id="o"))
    book.record(fill(1))
    book.record(fill(2, quantity=3).replaced(price="120"))
    assert book.orders()[0].average_price == 115


def test_a_fill_of_an_unknown_order_is_recorded_and_flagged(book: onebook.Book) -> None:
    receipt = book.record(fill(1))
    assert receipt.status == "recorded"
    assert book.fills()[0].flags == ("unknown_order",)
    assert book.orders() == []


def test_an_update_of_an_unknown_order_is_recorded_and_flagged(book: onebook.Book) -> None:
    receipt = book.record(OrderUpdate(client_order_id="nobody", status="canceled"))
    assert receipt.status == "recorded"
    assert receipt.events[0].data["flags"] == ["unknown_order"]
    assert book.orders() == []


@pytest.mark.parametrize(("before", "status"), [(1, "partially_filled"), (2, "filled")])
def test_an_order_that_arrives_after_its_fills(book: onebook.Book, before: int, status: str) -> None:
    for number in range(before):
        book.record(fill(number))
    book.record(Order(instrument="BTC/USDT", side="buy", quantity=2, client_order_id="o"))
    order = book.orders()[0]
    assert (order.status, order.filled_quantity) == (status, before)


def test_an_update_that_came_before_its_order_counts(book: onebook.Book) -> None:
    book.record(OrderUpdate(client_order_id="o", status="canceled"))
    book.record(Order(instrument="BTC/USDT", side="buy", quantity=2, client_order_id="o"))
    assert state(book) == "canceled"


def test_the_venues_word_that_an_order_is_filled_stands_before_its_fills(book: onebook.Book) -> None:
    order_in(book, "new")
    book.record(fill(1))
    book.record(OrderUpdate(client_order_id="o", status="filled", filled=2))
    order = book.orders()[0]
    assert (order.status, order.filled_quantity) == ("filled", 1)
    book.record(fill(2))
    order = book.orders()[0]
    assert (order.status, order.filled_quantity) == ("filled", 2)


def test_fills_and_words_that_came_before_their_order(book: onebook.Book) -> None:
    book.record(OrderUpdate(client_order_id="o", status="new", venue_order_id="V1"))
    book.record(fill(1))
    book.record(OrderUpdate(client_order_id="o", status="expired"))
    book.record(Order(instrument="BTC/USDT", side="buy", quantity=2, client_order_id="o"))
    order = book.orders()[0]
    assert (order.status, order.filled_quantity, order.venue_order_id) == ("expired", 1, "V1")


def test_a_cumulative_quantity_never_makes_a_fill(book: onebook.Book) -> None:
    order_in(book, "new")
    book.record(OrderUpdate(client_order_id="o", status="partially_filled", filled="1.5"))
    assert book.fills() == []
    assert book.position("BTC/USDT") is None
    assert book.orders()[0].filled_quantity == 0


def test_the_same_update_again_is_once(book: onebook.Book) -> None:
    order_in(book, "pending_new")
    update = OrderUpdate(client_order_id="o", status="new", occurred_at="2024-06-03T12:00:00Z")
    first = book.record(update)
    again = book.record(update)
    assert (first.status, again.status, again.sequence) == ("recorded", "exists", first.sequence)
    other = book.record(update.replaced(occurred_at="2024-06-03T12:00:01Z"))
    assert other.status == "recorded"


def test_the_same_order_again_is_once_and_another_content_is_a_conflict(book: onebook.Book) -> None:
    order = Order(instrument="BTC/USDT", side="buy", quantity=2, client_order_id="o")
    first = book.record(order)
    assert book.record(order).status == "exists"
    assert book.record(order.replaced(quantity="2.0")).status == "exists"
    conflict = book.record(order.replaced(quantity=3))
    assert (conflict.status, conflict.sequence) == ("conflict", first.sequence)
    assert book.orders()[0].quantity == 2


def test_a_fill_finds_its_order_by_the_venues_id(book: onebook.Book) -> None:
    order_in(book, "pending_new")
    book.record(OrderUpdate(client_order_id="o", status="new", venue_order_id="V1"))
    book.record(fill(1).replaced(client_order_id="", venue_order_id="V1", venue="v", venue_fill_id="1"))
    assert (state(book), book.orders()[0].venue_order_id) == ("partially_filled", "V1")


def test_a_replaced_or_canceled_order_with_fills_goes_back_to_partially_filled(book: onebook.Book) -> None:
    order_in(book, "new")
    book.record(OrderUpdate(client_order_id="o", status="pending_replace"))
    book.record(fill(1))
    assert state(book) == "pending_replace"
    book.record(OrderUpdate(client_order_id="o", status="new"))
    assert state(book) == "partially_filled"


def test_an_order_without_an_id_gets_one(book: onebook.Book) -> None:
    for _ in range(2):
        assert book.record(Order(instrument="BTC/USDT", side="buy", quantity=2)).status == "recorded"
    first, second = book.orders()
    assert first.client_order_id
    assert second.client_order_id
    assert first.client_order_id != second.client_order_id


def test_corrected_fills_move_their_order(book: onebook.Book) -> None:
    order_in(book, "new")
    receipt = book.record(fill(1))
    book.correct(receipt.sequence, reason="wrong", quantity=2, price=90)
    order = book.orders()[0]
    assert (order.status, order.filled_quantity, order.average_price) == ("filled", 2, 90)
    book.correct(receipt.sequence, reason="wrong again", quantity=1)
    order = book.orders()[0]
    assert (order.status, order.filled_quantity, order.average_price) == ("partially_filled", 1, 90)
