"""What no recorded bot sent is EXTERNAL's, and goes to the bot that turns out to have sent it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt  # type: ignore[import-untyped]
import ccxt.pro  # type: ignore[import-untyped]
import pytest
from tests.adapters.venue_ccxt import Venue

import onebook
import onebook.alpaca
import onebook.ccxt
from onebook.errors import BadConfig, StoreBusy
from onebook.intake.adapters.recorder import OrderSeen
from onebook.intake.adapters.recorder_booking import Bookings
from onebook.testing import FakeClock

Exchange = Any
AT = "2024-06-03T11:59:00Z"


def recorded(venue: Venue, book: onebook.Book, strategy: str, **options: Any) -> Exchange:
    return onebook.ccxt.recording(ccxt.okx(venue.settings()), book, strategy=strategy, **options)


def owners(book: onebook.Book) -> list[tuple[str, Decimal]]:
    return [(fill.strategy, fill.quantity) for fill in book.fills()]


def types(book: onebook.Book) -> list[str]:
    return [event.type for event in book.events()]


def by_hand(venue: Venue) -> str:
    """Return the venue's id of an order that a person sent."""
    order = ccxt.okx(venue.settings()).create_order("BTC/USDT", "limit", "buy", 0.5, 60000)
    return str(order["id"])


def an_execution(name: str = "e1", **more: Any) -> onebook.Fill:
    terms: dict[str, Any] = {"instrument": "BTC/USDT", "side": "buy", "quantity": 1, "price": 100, "venue": "okx"}
    return onebook.Fill(**terms | {"occurred_at": AT, "venue_order_id": "5", "venue_fill_id": name} | more)


def a_wish(**more: Any) -> onebook.Order:
    terms: dict[str, Any] = {
        "instrument": "BTC/USDT",
        "side": "buy",
        "quantity": 2,
        "client_order_id": "t1",
        "strategy": "trend",
    }
    return onebook.Order(**terms | more)


# ---- ccxt ----


def test_what_a_person_traded_is_externals_and_no_bots(
    venue: Venue, bot_book: onebook.Book, caplog: pytest.LogCaptureFixture
) -> None:
    grid = recorded(venue, bot_book, "grid")
    order = by_hand(venue)
    venue.fill(order, "0.2", "60000")
    with caplog.at_level(logging.WARNING, "onebook.recorder"):
        grid.fetch_open_orders("BTC/USDT")
        assert [fill.venue_fill_id for fill in bot_book.fills()] == [f"order:{order}:0.2"]
        grid.fetch_my_trades("BTC/USDT")
        grid.cancel_order(order, "BTC/USDT")
    assert owners(bot_book) == [(onebook.EXTERNAL, Decimal("0.2"))]
    assert [fill.venue_fill_id for fill in bot_book.fills()] == ["9000"]
    assert bot_book.orders() == []
    assert ["owns='all'" in record.getMessage() for record in caplog.records] == [True]
    grid.recorder.close()


def test_a_lone_bot_may_own_all_that_is_on_the_account(venue: Venue, bot_book: onebook.Book) -> None:
    order = by_hand(venue)
    venue.fill(order, "0.2", "60000")
    grid = recorded(venue, bot_book, "grid", owns="all")
    grid.fetch_my_trades("BTC/USDT")
    grid.fetch_open_orders("BTC/USDT")
    assert owners(bot_book) == [("grid", Decimal("0.2"))]
    assert [(state.order.strategy, state.filled_quantity) for state in bot_book.orders()] == [("grid", Decimal("0.2"))]
    grid.recorder.close()


def test_who_owns_all_leaves_the_others_their_own(venue: Venue, bot_book: onebook.Book) -> None:
    grid, trend = recorded(venue, bot_book, "grid", owns="all"), recorded(venue, bot_book, "trend")
    order = trend.create_order("BTC/USDT", "limit", "buy", 0.5, 60000)
    venue.fill(order["id"], "0.5", "60000")
    grid.fetch_my_trades("BTC/USDT")
    assert owners(bot_book) == [("trend", Decimal("0.5"))]
    grid.recorder.close()
    trend.recorder.close()


def test_whose_it_is_must_be_one_of_two_words(venue: Venue, bot_book: onebook.Book) -> None:
    with pytest.raises(BadConfig, match="neither 'sent'"):
        recorded(venue, bot_book, "grid", owns="mine")
    with pytest.raises(BadConfig, match="neither 'sent'"):
        onebook.alpaca.catch_up(object(), bot_book, AT, owns="mine")


@pytest.mark.parametrize("tells_ids", [True, False])
def test_a_bot_whose_facts_waited_gets_what_another_read_meanwhile(
    venue: Venue, bot_book: onebook.Book, tmp_path: Path, tells_ids: bool
) -> None:
    shut: Any = _Shut(bot_book)
    grid = recorded(venue, bot_book, "grid")
    trend = recorded(venue, shut, "trend", patience_seconds=0.01, send_ids=tells_ids, spool=tmp_path / "t.spool")
    venue.tells_client_ids = tells_ids
    order = trend.create_order("BTC/USDT", "limit", "buy", 0.5, 60000)
    venue.fill(order["id"], "0.5", "60000")
    grid.fetch_my_trades("BTC/USDT")
    assert owners(bot_book) == [(onebook.EXTERNAL, Decimal("0.5"))]
    shut.is_shut = False
    assert trend.recorder.wait(20)
    assert owners(bot_book) == [("trend", Decimal("0.5"))]
    [state] = bot_book.orders()
    assert (state.order.strategy, state.status, state.filled_quantity) == ("trend", "filled", Decimal("0.5"))
    assert [(held.strategy, held.quantity) for held in bot_book.positions()] == [("trend", Decimal("0.5"))]
    grid.recorder.close()
    trend.recorder.close()


class _Shut:
    """A book that takes nothing until it is opened."""

    def __init__(self, book: onebook.Book) -> None:
        self._book, self.is_shut = book, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._book, name)

    def record_many(self, found: Sequence[Any]) -> Any:
        if self.is_shut:
            raise StoreBusy("another process writes")
        return self._book.record_many(found)


def test_an_execution_that_the_stream_tells_before_the_answer_is_the_bots_at_once(
    venue: Venue, bot_book: onebook.Book
) -> None:
    async def trade() -> None:
        exchange: Exchange = onebook.ccxt.recording(ccxt.pro.okx(venue.settings()), bot_book, strategy="grid")
        told = asyncio.Event()

        async def trades() -> None:
            await exchange.watch_my_trades()
            told.set()

        def fill(order: dict[str, Any]) -> None:
            venue.fill(order["ordId"], "0.5", "60000")
            assert asyncio.run_coroutine_threadsafe(told.wait(), loop).result(20)

        loop = asyncio.get_running_loop()
        task = asyncio.create_task(trades())
        try:
            assert await asyncio.to_thread(venue.listened.wait, 10)
            venue.before_answer = fill
            await exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 60000)
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await exchange.close()
            exchange.recorder.close()

    asyncio.run(trade())
    assert owners(bot_book) == [("grid", Decimal("0.5"))]
    assert [state.status for state in bot_book.orders()] == ["filled"]
    assert not {"trade_corrected", "position_restated"} & set(types(bot_book))


# ---- the bookings ----


def test_what_is_claimed_gets_what_its_order_says(book: onebook.Book) -> None:
    bookings = Bookings(book)
    book.record(onebook.Signal(signal_id="s1", instrument="BTC/USDT", action="buy", strategy="trend"))
    bookings.book(("main", "okx", "grid"), [an_execution(), an_execution("e2", quantity="0.5")])
    assert owners(book) == [(onebook.EXTERNAL, Decimal(1)), (onebook.EXTERNAL, Decimal("0.5"))]
    ack = OrderSeen(venue_order_id="5", client_order_id="t1", status="new")
    bookings.book(("main", "okx", "trend"), [a_wish(signal_id="s1", close_reason="stop_loss"), ack])
    assert [(fill.strategy, fill.client_order_id, fill.signal_id, fill.close_reason) for fill in book.fills()] == [
        ("trend", "t1", "s1", "stop_loss")
    ] * 2
    assert [signal.status for signal in book.signals()] == ["EXECUTED"]
    assert book.orders()[0].filled_quantity == Decimal("1.5")
    reasons = [event.data["reason"] for event in book.events(types=("trade_corrected", "position_restated"))]
    assert set(reasons) == {"claimed"}


def test_what_was_taken_back_meanwhile_is_not_claimed(book: onebook.Book) -> None:
    bookings = Bookings(book)
    bookings.book(("main", "okx", "grid"), [an_execution()])
    book.bust(book.fills()[0].id, reason="the venue took it back")
    ack = OrderSeen(venue_order_id="5", client_order_id="t1", status="new")
    bookings.book(("main", "okx", "trend"), [a_wish(), ack])
    assert book.fills() == []
    assert book.orders()[0].filled_quantity == 0


def test_an_execution_for_external_of_a_bots_order_is_the_bots(book: onebook.Book) -> None:
    book.record(a_wish(signal_id="s1"))
    book.record(onebook.OrderUpdate(client_order_id="t1", status="new", venue_order_id="5"))
    book.record(an_execution(strategy=onebook.EXTERNAL))
    [fill] = book.fills()
    assert (fill.strategy, fill.client_order_id, fill.signal_id) == ("trend", "t1", "s1")
    assert book.orders()[0].filled_quantity == 1
    assert book.verify().ok


class _Between:
    """A book before whose order updates something else happens, as another process would do it."""

    def __init__(self, book: onebook.Book, happens: Callable[[], object]) -> None:
        self._book, self._happens = book, happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._book, name)

    def record_many(self, found: Sequence[Any]) -> Any:
        if any(isinstance(item, onebook.OrderUpdate) for item in found):
            self._happens()
        return self._book.record_many(found)


def test_what_another_process_books_while_the_order_gets_its_id_is_claimed(book: onebook.Book) -> None:
    grid = Bookings(book)
    between: Any = _Between(book, lambda: grid.book(("main", "okx", "grid"), [an_execution(occurred_at=None)]))
    ack = OrderSeen(venue_order_id="5", client_order_id="t1", status="new")
    Bookings(between).book(("main", "okx", "trend"), [a_wish(), ack])
    assert owners(book) == [("trend", Decimal(1))]
    assert book.orders()[0].filled_quantity == 1


@pytest.mark.parametrize("many", [1000, 0])
def test_the_log_is_read_on_from_where_it_was_read(
    book: onebook.Book, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr("onebook.intake.adapters.recorder_external.MANY", many)
    bookings = Bookings(book)
    bookings.book(("main", "okx", "grid"), [an_execution("x", venue_order_id="old")])
    for number in range(5):
        for other in range(3):
            clock.advance(100)
            book.record(an_execution(f"o{other}", venue_order_id=f"other {number}", strategy="other"))
        made = {"client_order_id": f"t{number}", "occurred_ns": book.now()}
        bookings.book(("main", "okx", "grid"), [an_execution(f"e{number}", venue_order_id=str(number))])
        ack = OrderSeen(venue_order_id=str(number), client_order_id=f"t{number}", status="new")
        bookings.book(("main", "okx", "trend"), [a_wish(**made), ack])
    old = {"client_order_id": "old", "occurred_at": "2020-01-01T00:00:00Z"}
    ack = OrderSeen(venue_order_id="old", client_order_id="old", status="new")
    bookings.book(("main", "okx", "trend"), [a_wish(**old), ack])
    assert book.positions(strategy="trend")[0].quantity == 6
    assert book.position("BTC/USDT", strategy=onebook.EXTERNAL).quantity == 0  # type: ignore[union-attr]


def test_an_order_that_is_told_with_all_that_is_filled_takes_its_executions(book: onebook.Book) -> None:
    """As freqtrade tells of its orders, while another bot reads the account's executions."""
    bookings = Bookings(book)
    bookings.book(("main", "kraken", "grid"), [an_execution(venue="kraken")])
    told = OrderSeen(
        instrument="BTC/USDT",
        side="buy",
        quantity=Decimal(2),
        venue_order_id="5",
        status="filled",
        filled=Decimal(2),
        average=Decimal(101),
        occurred_at=datetime(2024, 6, 3, 11, 59, tzinfo=UTC),
    )
    bookings.book(("main", "kraken", "dips"), [told])
    assert [(fill.strategy, fill.quantity, fill.price) for fill in book.fills()] == [
        ("dips", 1, 100),
        ("dips", 1, 102),
    ]
    assert book.orders()[0].status == "filled"


# ---- alpaca ----


ORDER: dict[str, Any] = {
    "id": "a1", "client_order_id": "swing-1", "symbol": "AAPL", "side": "buy", "asset_class": "us_equity", "qty": "10",
    "filled_qty": "0", "filled_avg_price": None, "type": "market", "order_class": "simple", "time_in_force": "day",
    "status": "accepted", "created_at": AT, "updated_at": AT,
}  # fmt: skip
UPDATE: dict[str, Any] = {
    "event": "fill", "execution_id": "x1", "timestamp": AT, "price": "179.08", "qty": "10", "position_qty": "10",
    "order": ORDER | {"status": "filled", "filled_qty": "10", "filled_avg_price": "179.08"},
}  # fmt: skip
ACTIVITY: dict[str, Any] = {
    "id": "20240603::x1", "activity_type": "FILL", "order_id": "a1", "symbol": "AAPL", "side": "buy", "qty": "10",
    "price": "179.08", "transaction_time": AT, "type": "fill", "cum_qty": "10", "leaves_qty": "0",
}  # fmt: skip


class _Stream:
    handler: Any = None

    def subscribe_trade_updates(self, handler: Any) -> None:
        self.handler = handler


class _Client:
    def __init__(self, before_answer: Callable[[], object] = lambda: None) -> None:
        self._before_answer = before_answer

    def post(self, path: str, data: Any = None) -> Any:
        self._before_answer()
        return ORDER

    def get(self, path: str, data: Any = None) -> Any:
        if path.startswith("/account/activities"):
            return [ACTIVITY]
        return ORDER | UPDATE["order"] if path.startswith("/orders/") else []

    def delete(self, path: str, data: Any = None) -> Any:
        return None

    patch = post


def joined(book: onebook.Book, thing: Any, **options: Any) -> Any:
    return onebook.alpaca.recording(thing, book, strategy="swing", **options)


def test_an_order_of_alpaca_is_its_clients_also_when_the_stream_was_first(bot_book: onebook.Book) -> None:
    stream = joined(bot_book, _Stream())
    client = joined(bot_book, _Client(lambda: asyncio.run(stream.handler(UPDATE))))
    client.post("/orders", {"symbol": "AAPL", "qty": "10", "side": "buy"})
    assert owners(bot_book) == [("swing", Decimal(10))]
    [state] = bot_book.orders()
    assert (state.order.strategy, state.filled_quantity) == ("swing", Decimal(10))
    stream.recorder.close()
    client.recorder.close()


@pytest.mark.parametrize(
    ("options", "owner"),
    [
        ({}, onebook.EXTERNAL),
        ({"owns": "all"}, "swing"),
        ({"client_order_prefix": "swing-"}, "swing"),
    ],
    ids=str,
)
def test_what_only_the_stream_of_alpaca_tells_is_externals_unless_said_otherwise(
    bot_book: onebook.Book, options: dict[str, Any], owner: str
) -> None:
    stream = joined(bot_book, _Stream(), **options)
    asyncio.run(stream.handler(UPDATE))
    assert owners(bot_book) == [(owner, Decimal(10))]
    assert [state.order.strategy for state in bot_book.orders()] == [owner] * (owner == "swing")
    stream.recorder.close()


@pytest.mark.parametrize(
    ("options", "owner"),
    [
        ({}, onebook.EXTERNAL),
        ({"strategy": "swing"}, onebook.EXTERNAL),
        ({"strategy": "swing", "owns": "all"}, "swing"),
        ({"strategy": "swing", "client_order_prefix": "swing-"}, "swing"),
    ],
    ids=str,
)
def test_what_an_account_did_before_a_bot_joined_is_externals_unless_said_otherwise(
    bot_book: onebook.Book, options: dict[str, Any], owner: str
) -> None:
    assert onebook.alpaca.catch_up(_Client(), bot_book, "2024-06-01T00:00:00Z", **options) == 1
    assert onebook.alpaca.catch_up(_Client(), bot_book, "2024-06-01T00:00:00Z", **options) == 0
    assert owners(bot_book) == [(owner, Decimal(10))]


def test_to_cancel_what_nobody_recorded_books_nothing(bot_book: onebook.Book) -> None:
    client = joined(bot_book, _Client())
    client.get("/orders/a1")
    client.delete("/orders/a1")
    assert "order_updated" not in types(bot_book)
    assert owners(bot_book) == [(onebook.EXTERNAL, Decimal(10))]
    client.recorder.close()
