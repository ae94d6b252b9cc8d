"""A bot with the real ccxt, sync, async and pro, trading at a venue on loopback, recorded."""

import asyncio
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt  # type: ignore[import-untyped]
import ccxt.async_support  # type: ignore[import-untyped]
import ccxt.pro  # type: ignore[import-untyped]
import pytest
from tests.adapters.venue_ccxt import Venue

import onebook
import onebook.ccxt
from onebook.errors import BadConfig
from onebook.intake.adapters.recorder import PositionSeen, Recorder
from onebook.testing import FakeClock

Exchange = Any


def recorded(venue: Venue, book: onebook.Book, **options: Any) -> Exchange:
    return onebook.ccxt.recording(ccxt.okx(venue.settings()), book, strategy="grid", **options)


def position(book: onebook.Book) -> Any:
    return book.position("BTC/USDT", strategy="grid")


def executions(book: onebook.Book) -> list[tuple[str, Decimal, Decimal]]:
    return [(fill.venue_fill_id, fill.quantity, fill.price) for fill in book.fills()]


def test_the_exchange_stays_what_it_was(venue: Venue, bot_book: onebook.Book) -> None:
    plain = ccxt.okx(venue.settings())
    exchange = onebook.ccxt.recording(plain, bot_book, strategy="grid")
    assert exchange is plain
    assert isinstance(exchange, ccxt.okx)
    assert type(exchange).__name__ == "okx"
    assert not isinstance(ccxt.okx(), type(exchange))
    assert exchange.createOrder.__func__ is exchange.create_order.__func__
    exchange.recorder.close()


def test_a_bot_trades_and_the_book_has_it(venue: Venue, bot_book: onebook.Book) -> None:
    exchange = recorded(venue, bot_book)
    order = exchange.create_limit_buy_order("BTC/USDT", 0.5, 60000.0)
    assert order["id"] == venue.order_id()
    venue.fill(order["id"], "0.2", "59999.9")
    assert exchange.fetchOrder(order["id"], "BTC/USDT")["filled"] == 0.2
    assert [fill.venue_fill_id for fill in bot_book.fills()] == [f"order:{order['id']}:0.2"]
    venue.fill(order["id"], "0.3", "60000")
    exchange.fetch_my_trades("BTC/USDT")
    exchange.fetch_my_trades("BTC/USDT")
    exchange.fetch_closed_orders("BTC/USDT")
    assert executions(bot_book) == [
        ("9000", Decimal("0.2"), Decimal("59999.9")),
        ("9001", Decimal("0.3"), Decimal(60000)),
    ]
    [state] = bot_book.orders()
    assert (state.status, state.filled_quantity, state.venue_order_id) == ("filled", Decimal("0.5"), order["id"])
    assert (position(bot_book).quantity, position(bot_book).fees) == (Decimal("0.5"), Decimal("29.99998"))
    [instrument] = [item for item in bot_book.facts("instrument") if item.symbol == "BTC/USDT"]
    assert (instrument.tick_size, instrument.lot_size) == (Decimal("0.1"), Decimal("0.00000001"))
    exchange.recorder.close()


def test_the_order_is_in_the_book_before_it_is_sent(venue: Venue, bot_book: onebook.Book) -> None:
    seen: list[tuple[str, str]] = []

    def look(order: dict[str, Any]) -> None:
        seen.extend((state.client_order_id, state.status) for state in bot_book.orders())
        assert order["clOrdId"] == seen[0][0]

    venue.before_answer = look
    exchange = recorded(venue, bot_book)
    exchange.create_order("BTC/USDT", "limit", "buy", 0.1, 60000)
    [(name, status)] = seen
    assert len(name) == 32
    assert name.isalnum()
    assert status == "pending_new"
    assert bot_book.orders()[0].status == "new"
    exchange.recorder.close()


def test_the_bots_own_order_id_is_kept(venue: Venue, bot_book: onebook.Book) -> None:
    exchange = recorded(venue, bot_book)
    params = {"clientOrderId": "mine1"}
    exchange.create_order("BTC/USDT", "limit", "sell", 0.1, 70000, params)
    assert params == {"clientOrderId": "mine1"}
    assert venue.sent[0]["clOrdId"] == "mine1"
    assert [order.client_order_id for order in bot_book.orders()] == ["mine1"]
    exchange.recorder.close()


def test_without_ids_the_venue_is_sent_what_the_bot_sent(venue: Venue, bot_book: onebook.Book) -> None:
    plain = ccxt.okx(venue.settings())
    plain.create_order("BTC/USDT", "limit", "buy", 0.1, 60000)
    exchange = recorded(venue, bot_book, send_ids=False)
    exchange.create_order("BTC/USDT", "limit", "buy", 0.1, 60000)
    first, second = ({key: value for key, value in sent.items() if key != "clOrdId"} for sent in venue.sent)
    assert first == second
    [state] = bot_book.orders()
    assert (state.status, state.venue_order_id) == ("new", venue.order_id())
    assert state.client_order_id != venue.sent[1]["clOrdId"]
    exchange.recorder.close()


def test_a_refused_order_is_rejected_and_the_bot_sees_ccxts_error(venue: Venue, bot_book: onebook.Book) -> None:
    exchange = recorded(venue, bot_book)
    venue.refuses = "51008"
    with pytest.raises(ccxt.InsufficientFunds):
        exchange.create_market_sell_order("BTC/USDT", 0.1)
    assert [order.status for order in bot_book.orders()] == ["rejected"]
    with pytest.raises(TypeError, match="amount"):
        exchange.create_order("BTC/USDT", "limit", "buy")
    exchange.recorder.close()


def test_an_order_of_unknown_outcome_is_found_again(venue: Venue, bot_book: onebook.Book) -> None:
    exchange = recorded(venue, bot_book)
    exchange.load_markets()
    venue.drops = True
    with pytest.raises(ccxt.NetworkError):
        exchange.create_order("BTC/USDT", "limit", "buy", 0.1, 60000)
    assert [order.status for order in bot_book.orders()] == ["unknown"]
    exchange.fetch_open_orders("BTC/USDT")
    [state] = bot_book.orders()
    assert (state.status, state.venue_order_id) == ("new", venue.order_id())
    exchange.recorder.close()


def test_cancel_and_edit_reach_the_book(venue: Venue, bot_book: onebook.Book) -> None:
    exchange = recorded(venue, bot_book)
    order = exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 60000)
    exchange.edit_order(order["id"], "BTC/USDT", "limit", "buy", 0.6, 60100.5)
    changed = list(bot_book.events(types=("order_updated",)))[-1].data
    assert (changed["quantity"], changed["limit_price"]) == ("0.6", "60100.5")
    exchange.cancel_order(order["id"], "BTC/USDT")
    assert bot_book.orders()[0].status == "pending_cancel"
    exchange.fetch_order(order["id"], "BTC/USDT")
    assert bot_book.orders()[0].status == "canceled"
    exchange.recorder.close()


def test_an_older_word_changes_nothing(venue: Venue, bot_book: onebook.Book) -> None:
    exchange = recorded(venue, bot_book)
    order = exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 60000)
    early = exchange.fetch_open_orders("BTC/USDT")
    venue.fill(order["id"], "0.5", "60000")
    exchange.fetch_order(order["id"], "BTC/USDT")
    entries = bot_book.status().entries
    assert early[0]["status"] == "open"
    venue.orders[order["id"]] |= {"state": "live", "accFillSz": "0", "avgPx": ""}
    exchange.fetch_open_orders("BTC/USDT")
    assert bot_book.orders()[0].status == "filled"
    assert bot_book.status().entries == entries
    exchange.recorder.close()


def test_async_calls_are_recorded(venue: Venue, bot_book: onebook.Book) -> None:
    async def trade() -> None:
        exchange: Exchange = ccxt.async_support.okx(venue.settings())
        onebook.ccxt.recording(exchange, bot_book, strategy="grid")
        try:
            orders = await asyncio.gather(
                *(exchange.create_order("BTC/USDT", "limit", "buy", 0.1, 60000 + n) for n in range(5))
            )
            for order in orders:
                venue.fill(order["id"], "0.1", "60000")
            await exchange.fetch_my_trades("BTC/USDT")
        finally:
            await exchange.close()
            exchange.recorder.close()

    asyncio.run(trade())
    assert [order.status for order in bot_book.orders()] == ["filled"] * 5
    assert position(bot_book).quantity == Decimal("0.5")


@pytest.mark.parametrize("send_ids", [True, False])
def test_stream_and_rest_tell_of_one_execution(venue: Venue, bot_book: onebook.Book, send_ids: bool) -> None:
    async def trade() -> None:
        exchange: Exchange = ccxt.pro.okx(venue.settings())
        onebook.ccxt.recording(exchange, bot_book, strategy="grid", send_ids=send_ids)
        venue.tells_client_ids = send_ids
        heard: list[dict[str, Any]] = []
        filled = asyncio.Event()

        async def orders() -> None:
            while True:
                heard.extend(await exchange.watch_orders())
                if heard[-1]["status"] == "closed":
                    filled.set()

        async def trades() -> None:
            while True:
                await exchange.watch_my_trades()

        tasks = [asyncio.create_task(orders()), asyncio.create_task(trades())]
        try:
            assert await asyncio.to_thread(venue.listened.wait, 10)
            venue.before_answer = lambda order: venue.fill(order["ordId"], "0.2", "59999.9")
            order = await exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 60000)
            venue.fill(order["id"], "0.3", "60000")
            await asyncio.wait_for(filled.wait(), 20)
            await exchange.fetch_order(order["id"], "BTC/USDT")
            await exchange.fetch_my_trades("BTC/USDT")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await exchange.close()
            exchange.recorder.close()

    asyncio.run(trade())
    assert executions(bot_book) == [
        ("9000", Decimal("0.2"), Decimal("59999.9")),
        ("9001", Decimal("0.3"), Decimal(60000)),
    ]
    [state] = bot_book.orders()
    assert (state.status, state.filled_quantity) == ("filled", Decimal("0.5"))
    assert [event.data for event in bot_book.events(types=("trade_conflicted", "break_found"))] == []


def test_a_bot_that_starts_again_books_what_it_missed(venue: Venue, bot_book: onebook.Book) -> None:
    first = recorded(venue, bot_book)
    order = first.create_order("BTC/USDT", "limit", "buy", 0.5, 60000)
    venue.fill(order["id"], "0.2", "60000")
    first.fetch_order(order["id"], "BTC/USDT")
    first.recorder.close()
    venue.fill(order["id"], "0.3", "59000")
    second = recorded(venue, bot_book)
    second.fetch_closed_orders("BTC/USDT")
    second.fetch_closed_orders("BTC/USDT")
    assert position(bot_book).quantity == Decimal("0.5")
    assert [fill.price for fill in bot_book.fills()] == [Decimal(60000), Decimal(59000)]
    assert bot_book.orders()[0].average_price == Decimal(59400)
    second.recorder.close()


def test_an_execution_belongs_to_who_sent_its_order(venue: Venue, bot_book: onebook.Book) -> None:
    grid = recorded(venue, bot_book)
    trend: Exchange = ccxt.okx(venue.settings())
    onebook.ccxt.recording(trend, bot_book, strategy="trend")
    order = grid.create_order("BTC/USDT", "limit", "buy", 0.5, 60000)
    venue.fill(order["id"], "0.5", "60000")
    trend.fetch_my_trades("BTC/USDT")
    assert [fill.strategy for fill in bot_book.fills()] == ["grid"]
    assert bot_book.orders()[0].status == "filled"
    grid.recorder.close()
    trend.recorder.close()


def test_what_was_before_is_left_out_when_asked(venue: Venue, bot_book: onebook.Book) -> None:
    plain = ccxt.okx(venue.settings())
    order = plain.create_order("BTC/USDT", "limit", "buy", 0.5, 60000)
    venue.fill(str(order["id"]), "0.2", "60000")
    exchange = recorded(venue, bot_book, since="2024-06-03T12:00:03Z")
    venue.fill(str(order["id"]), "0.3", "60000")
    assert len(exchange.fetch_my_trades("BTC/USDT")) == 2
    assert executions(bot_book) == [("9001", Decimal("0.3"), Decimal(60000))]
    exchange.recorder.close()


def test_mistakes_are_told_when_it_is_set_up(venue: Venue, tmp_path: Path, clock: FakeClock) -> None:
    with onebook.open(tmp_path / "b.db", clock=clock) as book:
        with pytest.raises(BadConfig, match="no ccxt exchange"):
            onebook.ccxt.recording(object(), book, strategy="grid")
        book.record(onebook.Account(name="main", venue="kraken"))
        with pytest.raises(BadConfig, match="is at kraken"):
            recorded(venue, book)
        exchange = recorded(venue, book, account="second")
        with pytest.raises(BadConfig, match="recorded already"):
            onebook.ccxt.recording(exchange, book, strategy="grid")
        exchange.recorder.close()


def test_several_orders_at_once_keep_their_places(venue: Venue, bot_book: onebook.Book) -> None:
    exchange = recorded(venue, bot_book)
    orders = [
        {"symbol": "BTC/USDT", "type": "limit", "side": "buy", "amount": 0.1 * number, "price": 60000}
        for number in (1, 2)
    ]
    answers = exchange.create_orders(orders)
    assert "params" not in orders[0]
    assert sorted((order.venue_order_id, order.quantity) for order in bot_book.orders()) == [
        (answers[0]["id"], Decimal("0.1")),
        (answers[1]["id"], Decimal("0.2")),
    ]
    exchange.recorder.close()


def test_the_adapter_is_there_without_ccxt() -> None:
    code = "import sys; sys.modules['ccxt'] = None; import onebook.ccxt; print(onebook.ccxt.recording.__name__)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "recording"


def test_a_position_that_stays_another_one_is_a_break_until_it_agrees(tmp_path: Path, clock: FakeClock) -> None:
    with onebook.open(tmp_path / "b.db", clock=clock) as book:
        recorder = Recorder(book, strategy="grid", venue="okx")

        def look(quantity: str) -> list[str]:
            recorder.take([PositionSeen(instrument="BTC/USDT:USDT", quantity=Decimal(quantity))])
            return [event.type for event in book.events(types=("break_found", "break_resolved"))]

        assert look("0") == []
        assert look("-2") == []
        clock.advance(31)
        assert look("-3") == []
        clock.advance(31)
        assert look("-3") == ["break_found"]
        clock.advance(31)
        assert look("-3") == ["break_found"]
        assert look("0") == ["break_found", "break_resolved"]
        recorder.close()
