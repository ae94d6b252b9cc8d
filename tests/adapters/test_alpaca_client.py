"""A bot's real TradingClient against Alpaca's REST on loopback: orders as they are sent, and what was missed."""

import copy
import pickle
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.venue_alpaca import Running, TradingClient, Venue, held, open_venue, until

import onebook
import onebook.alpaca
from onebook.errors import BadConfig, SourceError, StoreBusy, StoreFull

SINCE = "2026-03-02T14:00:00Z"


@pytest.fixture
def venue() -> Iterator[Venue]:
    with open_venue() as opened:
        yield opened


@pytest.fixture
def book(tmp_path: Path) -> Iterator[onebook.Book]:
    with onebook.open(tmp_path / "book.db") as opened:
        yield opened
        assert opened.verify().ok


@pytest.fixture
def client(venue: Venue, book: onebook.Book) -> Iterator[Any]:
    joined: Any = onebook.alpaca.recording(plain_client(venue), book, strategy="swing")
    yield joined
    joined.recorder.close()


def plain_client(venue: Venue) -> TradingClient:
    return TradingClient("key", "secret", url_override=venue.rest_url)


def limit(**more: Any) -> Any:
    from alpaca.trading.enums import OrderSide, TimeInForce
    from alpaca.trading.requests import LimitOrderRequest

    terms = {"symbol": "AAPL", "qty": 10, "side": OrderSide.BUY, "time_in_force": TimeInForce.GTC, "limit_price": 190.5}
    return LimitOrderRequest(**(terms | more))


def test_an_order_is_booked_as_it_is_sent_and_the_answer_is_the_same(client: Any, book: onebook.Book) -> None:
    answer = client.submit_order(limit(client_order_id="swing-1"))
    assert (answer.client_order_id, str(answer.status.value)) == ("swing-1", "accepted")
    [state] = book.orders()
    assert (state.order.client_order_id, state.status, state.strategy) == ("swing-1", "new", "swing")
    assert (state.order.limit_price, state.order.quantity) == (Decimal("190.5"), Decimal(10))
    assert state.venue_order_id == str(answer.id)


def test_an_order_is_known_by_what_it_was_looked_up_with(client: Any, venue: Venue, book: onebook.Book) -> None:
    order = client.submit_order(limit())
    venue.fill(venue.orders[str(order.id)], "4", "190.25")
    seen = client.get_order_by_id(order.id)
    assert seen.filled_qty == "4"
    assert [found.fill.quantity for found in book.fills()] == [Decimal(4)]
    venue.fill(venue.orders[str(order.id)], "6", "190")
    client.get_orders()
    assert [(found.fill.quantity, found.fill.price) for found in book.fills()] == [
        (Decimal(4), Decimal("190.25")),
        (Decimal(6), Decimal(190)),
    ]
    assert book.orders()[0].status == "filled"


def test_cancel_and_replace(client: Any, venue: Venue, book: onebook.Book) -> None:
    from alpaca.trading.requests import ReplaceOrderRequest

    first = client.submit_order(limit())
    client.cancel_order_by_id(first.id)
    second = client.submit_order(limit())
    third = client.replace_order_by_id(second.id, ReplaceOrderRequest(limit_price=191))
    assert [state.status for state in book.orders()] == ["pending_cancel", "pending_replace", "new"]
    venue.orders[str(first.id)] |= {"status": "canceled", "canceled_at": venue.now()}
    venue.orders[str(second.id)] |= {"status": "replaced", "replaced_at": venue.now(), "replaced_by": str(third.id)}
    client.get_orders()
    states = book.orders()
    assert [state.status for state in states] == ["canceled", "canceled", "new"]
    assert states[1].reason == f"replaced by {third.id}"
    assert states[2].order.limit_price == 191


def test_a_refused_order_is_rejected_and_one_that_may_have_arrived_is_unknown(
    client: Any, venue: Venue, book: onebook.Book
) -> None:
    from alpaca.common.exceptions import APIError

    venue.refuse = 403
    with pytest.raises(APIError, match="insufficient"):
        client.submit_order(limit(client_order_id="swing-1"))
    venue.refuse = 500
    with pytest.raises(APIError):
        client.submit_order(limit(client_order_id="swing-2"))
    with pytest.raises(APIError):
        client.submit_order(limit())  # without an id of the bot's own there is nothing to know it by
    assert [(state.order.client_order_id, state.status) for state in book.orders()] == [
        ("swing-1", "rejected"),
        ("swing-2", "unknown"),
    ]


def test_legs_belong_together(client: Any, book: onebook.Book) -> None:
    from alpaca.trading.enums import OrderClass
    from alpaca.trading.requests import StopLossRequest, TakeProfitRequest

    client.submit_order(
        limit(
            client_order_id="entry",
            order_class=OrderClass.BRACKET,
            take_profit=TakeProfitRequest(limit_price=200),
            stop_loss=StopLossRequest(stop_price=180),
        )
    )
    client.submit_order(
        limit(client_order_id="oto", order_class=OrderClass.OTO, stop_loss=StopLossRequest(stop_price=1))
    )
    orders = {state.order.client_order_id: state.order for state in book.orders()}
    legs = [order for name, order in orders.items() if order.parent_id == "entry"]
    assert sorted((leg.kind, leg.group_id, leg.side) for leg in legs) == [
        ("limit", "entry", "sell"),
        ("stop", "entry", "sell"),
    ]
    assert [(order.group_id, order.kind) for order in orders.values() if order.parent_id == "oto"] == [("", "stop")]
    assert all(order.strategy == "swing" for order in orders.values())


def test_closing_a_position_is_an_order(client: Any, book: onebook.Book) -> None:
    client.close_position("AAPL")
    [state] = book.orders()
    assert (state.order.side, state.order.quantity, state.order.kind) == ("sell", Decimal(1), "market")


def test_an_option_has_its_size(client: Any, venue: Venue, book: onebook.Book) -> None:
    order = client.submit_order(limit(symbol="AAPL260116C00190000", limit_price=5))
    venue.fill(venue.orders[str(order.id)], "10", "4.5")
    client.get_order_by_id(order.id)
    [defined] = book.facts("instrument")
    assert (defined.contract_size, defined.strike, defined.option_kind) == (Decimal(100), Decimal(190), "call")
    assert held(book, "AAPL260116C00190000").cost_basis == Decimal(4500)


def test_an_instrument_that_is_defined_stays_as_it_is(venue: Venue, book: onebook.Book) -> None:
    book.record(onebook.Instrument(symbol="AAPL260116C00190000", kind="option", contract_size="150"))
    joined: Any = onebook.alpaca.recording(plain_client(venue), book, strategy="swing")
    joined.submit_order(limit(symbol="AAPL260116C00190000"))
    joined.recorder.close()
    assert [item.contract_size for item in book.facts("instrument")] == [Decimal(150)]


def test_activities_that_the_bot_asks_for_are_booked_once(client: Any, venue: Venue, book: onebook.Book) -> None:
    order = client.submit_order(limit())
    venue.fill(venue.orders[str(order.id)], "4", "190.25")
    venue.fill(venue.orders[str(order.id)], "6", "190")
    client.get_order_by_id(order.id)  # both, at their average
    rows = client.get("/account/activities/FILL")
    assert len(rows) == 2
    client.get("/account/activities/FILL")
    standing = [found.fill for found in book.fills()]
    assert sorted(fill.price for fill in standing) == [Decimal(190), Decimal("190.25")]
    assert held(book).quantity == 10


def test_stream_and_client_together_book_once(venue: Venue, book: onebook.Book) -> None:
    running = Running(venue)
    stream: Any = onebook.alpaca.recording(running.stream, book, strategy="swing")
    client: Any = onebook.alpaca.recording(plain_client(venue), book, strategy="swing")
    running.start()
    for number in range(10):
        order = venue.orders[str(client.submit_order(limit()).id)]
        venue.status(order, "new")
        venue.fill(order, "4", f"190.{number}")
        client.get_order_by_id(order["id"])  # races with the stream
        venue.fill(order, "6", f"191.{number}")
        client.get_orders()
        client.get("/account/activities/FILL")
    until(lambda: held(book).quantity == 100, book)
    running.stop()
    stream.recorder.close()
    assert onebook.alpaca.catch_up(client, book, SINCE) == 0
    client.recorder.close()
    assert sorted(found.fill.price for found in book.fills()) == sorted(
        Decimal(f"{whole}.{number}") for number in range(10) for whole in (190, 191)
    )
    assert held(book).quantity == 100
    assert {state.status for state in book.orders()} == {"filled"}
    assert book.status().conflicts == 0


def test_catching_up_books_what_the_stream_missed(venue: Venue, book: onebook.Book) -> None:
    running = Running(venue)
    stream: Any = onebook.alpaca.recording(running.stream, book, strategy="swing", owns="all")
    running.start()
    request = {"symbol": "AAPL", "qty": "300", "side": "buy", "type": "market", "time_in_force": "day"}
    order = venue.place(request)
    venue.fill(order, "10", "190")
    venue.fill(order, "10", "191")
    gone = venue.place(request | {"symbol": "ETH/USD"})
    for number in range(125):  # more than a page, none of it said
        venue.fill(order, "2", f"192.{number:03}", said=False)
    gone |= {"status": "canceled", "canceled_at": venue.now()}
    until(lambda: len(book.fills()) == 2, book)
    running.stop()
    stream.recorder.close()
    assert held(book).quantity == 20

    client = plain_client(venue)
    assert onebook.alpaca.catch_up(client, book, SINCE, strategy="swing", owns="all") == 125
    assert onebook.alpaca.catch_up(client, book, SINCE, strategy="swing", owns="all") == 0
    assert held(book).quantity == 270
    assert {found.fill.strategy for found in book.fills()} == {"swing"}
    assert [(state.order.instrument, state.status) for state in book.orders()] == [
        ("AAPL", "partially_filled"),
        ("ETH/USD", "canceled"),
    ]
    assert book.orders()[0].filled_quantity == 270


def test_an_execution_under_another_id_in_the_activities_counts_once(venue: Venue, book: onebook.Book) -> None:
    running = Running(venue)
    stream: Any = onebook.alpaca.recording(running.stream, book, strategy="swing", owns="all")
    running.start()
    order = venue.place({"symbol": "AAPL", "qty": "9", "side": "buy", "type": "market", "time_in_force": "day"})
    for _ in range(3):
        venue.fill(order, "3", "190")
    until(lambda: len(book.fills()) == 3, book)
    running.stop()
    stream.recorder.close()
    for row in venue.activities:
        row["id"] = row["id"] + "0"
    assert onebook.alpaca.catch_up(plain_client(venue), book, SINCE) == 0
    assert held(book).quantity == 9


def test_several_bots_in_one_account_keep_to_their_own_orders(venue: Venue, book: onebook.Book) -> None:
    running = Running(venue)
    stream: Any = onebook.alpaca.recording(running.stream, book, strategy="swing", client_order_prefix="swing-")
    running.start()
    other = {"symbol": "AAPL", "qty": "9", "side": "buy", "type": "market", "time_in_force": "day"}
    for name in ("trend-1", "swing-1"):
        venue.fill(venue.place(other | {"client_order_id": name}), "9", "190")
    until(lambda: bool(book.fills()), book)
    running.stop()
    stream.recorder.close()
    assert [found.fill.client_order_id for found in book.fills()] == ["swing-1"]
    client = plain_client(venue)
    assert onebook.alpaca.catch_up(client, book, SINCE, strategy="trend", client_order_prefix="trend-") == 1
    assert [(item.strategy, item.quantity) for item in book.positions()] == [("swing", 9), ("trend", 9)]


def test_catching_up_says_when_alpaca_or_the_book_cannot(
    venue: Venue, book: onebook.Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue.refuse = 500
    with pytest.raises(SourceError, match="call again later"):
        onebook.alpaca.catch_up(plain_client(venue), book, SINCE)
    venue.refuse = 0
    client: Any = onebook.alpaca.recording(plain_client(venue), book, strategy="swing")

    def full(*_args: Any, **_named: Any) -> Any:
        msg = "the disk is full"
        raise StoreFull(msg)

    with monkeypatch.context() as patch:
        patch.setattr(book.committer, "submit", full)
        patch.setattr("onebook.intake.adapters.alpaca_missing.SPOOL_SECONDS", 0.05)
        assert client.submit_order(limit(client_order_id="swing-1")).client_order_id == "swing-1"
        with pytest.raises(StoreBusy, match="still wait"):
            onebook.alpaca.catch_up(client, book, SINCE)
    assert client.recorder.wait(20)
    client.recorder.close()
    assert [state.order.client_order_id for state in book.orders()] == ["swing-1"]


def test_a_copy_is_recorded_by_the_same_recorder_and_a_pickle_is_refused(client: Any, book: onebook.Book) -> None:
    for other in (copy.copy(client), copy.deepcopy(client)):
        assert other.recorder is client.recorder
        other.submit_order(limit())
    assert [state.status for state in book.orders()] == ["new", "new"]
    with pytest.raises(TypeError, match="record anew there"):
        pickle.dumps(client)
    with pytest.raises(BadConfig, match="recorded already"):
        onebook.alpaca.recording(client, book, strategy="swing")
