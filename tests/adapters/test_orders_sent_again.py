"""A bot tries once more, and the venue refuses the second try: the first order lives on, and the book follows it."""

import threading
from decimal import Decimal
from typing import Any

import ccxt  # type: ignore[import-untyped]
import pytest
from tests.adapters.venue_ccxt import Venue

import onebook
import onebook.alpaca
import onebook.ccxt
from onebook.intake.adapters.recorder import OrderSeen, Recorder

OPEN = {
    "id": "eda", "client_order_id": "swing-17", "symbol": "AAPL", "side": "buy", "asset_class": "us_equity",
    "qty": "100", "filled_qty": "0", "filled_avg_price": None, "type": "limit", "limit_price": "179",
    "order_class": "simple", "time_in_force": "day", "status": "new", "created_at": "2026-03-02T14:30:05Z",
}  # fmt: skip


def recorded(venue: Venue, book: onebook.Book, **options: Any) -> Any:
    return onebook.ccxt.recording(ccxt.okx(venue.settings()), book, strategy="grid", **options)


def place(exchange: Any, name: str = "mine1") -> Any:
    return exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 60000, {"clientOrderId": name})


@pytest.mark.parametrize(("code", "restarts"), [("51016", False), ("51008", False), ("51008", True)])
def test_the_refusal_of_a_second_try_rejects_nothing(
    venue: Venue, bot_book: onebook.Book, code: str, restarts: bool
) -> None:
    exchange = recorded(venue, bot_book)
    exchange.load_markets()
    venue.drops = True
    with pytest.raises(ccxt.NetworkError):
        place(exchange)
    if restarts:
        exchange.recorder.close()
        exchange = recorded(venue, bot_book)
        exchange.load_markets()
    venue.drops, venue.refuses = False, code
    with pytest.raises(ccxt.ExchangeError):
        place(exchange)
    assert [order.status for order in bot_book.orders()] == ["unknown"]
    venue.refuses = ""
    venue.fill(venue.order_id(), "0.2", "60000")
    exchange.fetch_open_orders("BTC/USDT")
    [state] = bot_book.orders()
    assert (state.status, state.filled_quantity, state.venue_order_id) == (
        "partially_filled",
        Decimal("0.2"),
        venue.order_id(),
    )
    assert bot_book.breaks() == []
    exchange.recorder.close()


@pytest.mark.parametrize(
    "problem",
    [
        ccxt.InvalidOrder('bybit {"retCode":110072,"retMsg":"OrderLinkedID is duplicate"}'),
        ccxt.InvalidOrder('bybit {"retCode":170141,"retMsg":"?"}'),
        ccxt.BadRequest('bybit {"retCode":12141,"retMsg":"?"}'),
        ccxt.InvalidOrder('binance {"code":-4116,"msg":"ClientOrderId is wrong."}'),
        ccxt.InvalidOrder('binance {"code":-2010,"msg":"Duplicate order sent."}'),
        ccxt.InvalidOrder('kucoin {"code":"102426","msg":"The clientOid is Duplicated"}'),
        ccxt.DuplicateOrderId("there"),
        ccxt.ExchangeError('okx {"code":"59999","msg":"Try again later"}'),
    ],
)
def test_an_order_that_may_be_there_is_unknown(bot_book: onebook.Book, problem: Exception) -> None:
    class Exchange(ccxt.okx):  # type: ignore[misc]
        def create_order(self, symbol: str, type: str, side: str, amount: float, price: Any = None, params: Any = None):  # type: ignore[no-untyped-def]  # noqa: A002, ANN202
            raise problem

    exchange: Any = onebook.ccxt.recording(Exchange(), bot_book, strategy="grid")
    with pytest.raises(type(problem)):
        place(exchange)
    assert [order.status for order in bot_book.orders()] == ["unknown"]
    exchange.recorder.close()


def test_a_sure_refusal_that_the_venue_takes_back_is_a_break(venue: Venue, bot_book: onebook.Book) -> None:
    exchange = recorded(venue, bot_book)
    exchange.load_markets()
    venue.refuses = "51008"
    with pytest.raises(ccxt.InsufficientFunds):
        place(exchange)
    assert [order.status for order in bot_book.orders()] == ["rejected"]
    venue.refuses = ""
    order = place(exchange)
    exchange.fetch_open_orders("BTC/USDT")
    assert [item.kind for item in bot_book.breaks()] == ["order_contradicted"]
    venue.fill(order["id"], "0.5", "60000")
    exchange.fetch_my_trades("BTC/USDT")
    [state] = bot_book.orders()
    assert (state.status, state.filled_quantity) == ("filled", Decimal("0.5"))
    assert len(bot_book.breaks()) == 1
    exchange.recorder.close()


class Refusal(Exception):
    status_code = 422


class Client:
    """An Alpaca that takes an order, or fails."""

    def __init__(self) -> None:
        self.problem: Exception | None = None

    def post(self, path: str, data: Any = None) -> Any:
        if self.problem is not None:
            raise self.problem
        return OPEN

    def get(self, path: str, data: Any = None) -> Any:
        return OPEN

    patch = delete = post


WISH = {name: OPEN[name] for name in ("symbol", "qty", "side", "type", "limit_price", "client_order_id")}


@pytest.mark.parametrize("first", ["lost", "taken"])
@pytest.mark.parametrize("reason", ["client_order_id must be unique", "insufficient buying power"])
def test_alpacas_refusal_of_a_second_try_rejects_nothing(bot_book: onebook.Book, first: str, reason: str) -> None:
    client = Client()
    onebook.alpaca.recording(client, bot_book, strategy="swing")
    client.problem = TimeoutError("read timed out") if first == "lost" else None
    try:
        client.post("/orders", WISH)
    except TimeoutError:
        assert first == "lost"
    client.problem = Refusal(reason)
    with pytest.raises(Refusal):
        client.post("/orders", WISH)
    assert [order.status for order in bot_book.orders()] == ["unknown" if first == "lost" else "new"]
    client.get("/orders/eda")
    assert [(order.status, order.venue_order_id) for order in bot_book.orders()] == [("new", "eda")]
    client.recorder.close()  # type: ignore[attr-defined]


def test_alpacas_word_that_an_order_is_there_is_no_refusal(bot_book: onebook.Book) -> None:
    client = Client()
    onebook.alpaca.recording(client, bot_book, strategy="swing")
    client.problem = Refusal('{"code":40010001,"message":"client_order_id must be unique"}')
    with pytest.raises(Refusal):
        client.post("/orders", WISH)
    assert [order.status for order in bot_book.orders()] == ["unknown"]
    client.recorder.close()  # type: ignore[attr-defined]


def test_a_market_buy_by_cost_is_its_bots_before_anybody_sees_it_fill(venue: Venue, bot_book: onebook.Book) -> None:
    grid = recorded(venue, bot_book)
    other: Any = onebook.ccxt.recording(ccxt.okx(venue.settings()), bot_book, strategy="other")
    params = {"tgtCcy": "quote_ccy", "cost": 3000}
    grid.create_order("BTC/USDT", "market", "buy", 0.05, 60000, params)
    [state] = bot_book.orders()
    assert (state.strategy, state.status, state.venue_order_id) == ("grid", "new", venue.order_id())
    venue.orders[venue.order_id()] |= {"sz": "0.05", "tgtCcy": "base_ccy"}
    venue.fill(venue.order_id(), "0.05", "60000")
    other.fetch_my_trades("BTC/USDT")
    assert [(fill.strategy, fill.quantity) for fill in bot_book.fills()] == [("grid", Decimal("0.05"))]
    other.fetch_order(venue.order_id(), "BTC/USDT")
    [state] = bot_book.orders()
    assert (state.status, state.quantity) == ("filled", Decimal("0.05"))
    for exchange in (grid, other):
        exchange.recorder.close()


def test_a_market_buy_by_cost_is_in_the_book_before_it_is_sent_where_a_price_is_known(
    venue: Venue, bot_book: onebook.Book
) -> None:
    bot_book.mark("BTC/USDT", "50000")
    exchange = recorded(venue, bot_book)
    seen: list[Any] = []
    venue.before_answer = lambda _order: seen.extend(bot_book.orders())
    exchange.create_order("BTC/USDT", "market", "buy", 5000, None, {"tgtCcy": "quote_ccy", "cost": 5000})
    assert [(order.status, order.quantity) for order in seen] == [("pending_new", Decimal("0.11"))]
    exchange.recorder.close()


def test_executions_do_not_wait_for_an_order_that_is_on_its_way(venue: Venue, bot_book: onebook.Book) -> None:
    exchange = recorded(venue, bot_book, send_ids=False)
    order = exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 60000)
    venue.fill(order["id"], "0.5", "60000")
    started, go_on = threading.Event(), threading.Event()

    def hold(_order: dict[str, Any]) -> None:
        started.set()
        go_on.wait(30)

    venue.before_answer = hold
    sending = threading.Thread(target=lambda: exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 59000))
    sending.start()
    assert started.wait(30)
    exchange.fetch_my_trades("BTC/USDT")
    assert [fill.venue_fill_id for fill in bot_book.fills()] == ["9000"]
    go_on.set()
    sending.join(30)
    assert sorted(order.status for order in bot_book.orders()) == ["filled", "new"]
    exchange.recorder.close()


def test_averages_that_contradict_the_fills_are_a_break(bot_book: onebook.Book) -> None:
    recorder = Recorder(bot_book, strategy="grid", venue="okx")
    terms: dict[str, Any] = {"instrument": "B", "side": "buy", "quantity": "10", "venue_order_id": "7"}
    for _ in range(2):
        recorder.take([OrderSeen(**terms | {"status": "partially_filled", "filled": "5", "average": "10"})])
        recorder.take([OrderSeen(**terms | {"status": "filled", "filled": "10", "average": "3"})])
    assert [item.kind for item in bot_book.breaks()] == ["order_contradicted"]
    recorder.close()


@pytest.mark.parametrize("odd", [{"label": ["a"]}, {"text": {"a": 1}}, {"reduceOnly": ["x"]}])
def test_odd_parameters_are_the_bots_own(venue: Venue, bot_book: onebook.Book, odd: dict[str, Any]) -> None:
    exchange = recorded(venue, bot_book)
    exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 60000, odd)
    assert [order.status for order in bot_book.orders()] == ["new"]
    exchange.recorder.close()


def test_what_alpaca_tells_in_halves_raises_nothing_and_is_kept(bot_book: onebook.Book) -> None:
    class Halves:
        def get(self, path: str, data: Any = None) -> Any:
            return [{"activity_type": "FILL", "price": "1"}, "?"] if "activities" in path else [{"symbol": "A"}]

    booked = onebook.alpaca.catch_up(Halves(), bot_book, "2026-03-02T00:00:00Z", strategy="swing")
    assert booked == 0
    assert [item.kind for item in bot_book.breaks()] == ["unbooked_fact"]


def test_edits_and_cancels_of_several_orders_reach_the_book(bot_book: onebook.Book) -> None:
    class Exchange(ccxt.okx):  # type: ignore[misc]
        def edit_orders(self, orders: Any, params: Any = None) -> Any:
            return [{"id": given["id"], "amount": given["amount"]} for given in orders]

        def edit_contract_order(self, id: str, symbol: str, type: str, side: str, amount: float, price: Any = None):  # type: ignore[no-untyped-def]  # noqa: A002, ANN202
            return {"id": id}

        def cancel_orders_for_symbols(self, orders: Any, params: Any = None) -> Any:
            return [{"id": given["id"]} for given in orders]

        def cancel_all_orders_after(self, timeout: int, params: Any = None) -> Any:
            return {"info": {}}

        def create_order(self, symbol: str, type: str, side: str, amount: float, price: Any = None, params: Any = None):  # type: ignore[no-untyped-def]  # noqa: A002, ANN202
            return {"id": "7"}

    exchange: Any = onebook.ccxt.recording(Exchange(), bot_book, strategy="grid")
    exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 60000)

    def terms() -> tuple[str, str]:
        changed = list(bot_book.events(types=("order_updated",)))[-1].data
        return changed.get("quantity", ""), changed.get("limit_price", "")

    exchange.edit_orders([{"id": "7", "symbol": "BTC/USDT", "type": "limit", "side": "buy", "amount": 0.6}])
    assert terms() == ("0.6", "")
    exchange.edit_contract_order("7", "BTC/USDT", "limit", "buy", 0.6, 60100)
    assert terms() == ("", "60100")
    exchange.cancel_all_orders_after(1000)
    exchange.cancel_orders_for_symbols([{"id": "7", "symbol": "BTC/USDT"}])
    assert bot_book.orders()[0].status == "pending_cancel"
    exchange.recorder.close()


def test_an_execution_told_before_its_order_counts_for_it_however_far_the_venues_clock_is(
    bot_book: onebook.Book,
) -> None:
    recorder = Recorder(bot_book, strategy="grid", venue="okx", patience_seconds=10)
    told: dict[str, Any] = {"instrument": "BTC/USDT", "side": "buy", "venue": "okx", "venue_order_id": "7"}
    first, second = (
        onebook.Fill(**told, venue_fill_id=number, quantity=quantity, price=price, occurred_at="2024-06-03T12:00:00Z")
        for number, quantity, price in (("1", "0.2", "59999.9"), ("2", "0.3", "60000"))
    )
    wish = onebook.Order(instrument="BTC/USDT", side="buy", quantity="0.5", client_order_id="c1", strategy="grid")
    answer = OrderSeen(instrument="BTC/USDT", side="buy", venue_order_id="7", client_order_id="c1", status="new")
    done = answer.replaced(status="filled", quantity="0.5", filled="0.5", average="59999.96")
    for item in (wish, first, answer, second, done, first, done):
        recorder.take([item])
    recorder.close()
    assert [fill.venue_fill_id for fill in bot_book.fills()] == ["1", "2"]
    [state] = bot_book.orders()
    assert (state.status, state.filled_quantity, state.average_price) == (
        "filled",
        Decimal("0.5"),
        Decimal("59999.96"),
    )
    assert [position.quantity for position in bot_book.positions(strategy="grid")] == [Decimal("0.5")]
