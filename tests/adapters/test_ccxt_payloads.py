"""What venues really send, through ccxt's own parsers, into the book. The samples are not in the repository."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt  # type: ignore[import-untyped]
import pytest

import onebook
import onebook.ccxt

Exchange = Any

SAMPLES = next(
    (
        folder / "shared/data/exchange_payloads"
        for folder in Path(__file__).parents
        if (folder / "shared/data/exchange_payloads").is_dir()
    ),
    None,
)
pytestmark = pytest.mark.skipif(SAMPLES is None, reason="the venues' sample payloads are not here: shared/data")


def sample(name: str) -> Any:
    assert SAMPLES is not None
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"), parse_float=str)


@pytest.fixture
def told(bot_book: onebook.Book) -> Callable[..., Exchange]:
    """An exchange that answers what a test puts into ``trades``, ``orders`` and ``payments``."""

    def make(kind: type[Any], **options: Any) -> Exchange:
        class Told(kind):  # type: ignore[misc]
            def fetch_my_trades(self, *_args: Any, **_kwargs: Any) -> Any:
                return self.trades_told

            def fetch_orders(self, *_args: Any, **_kwargs: Any) -> Any:
                return self.orders_told

            def fetch_funding_history(self, *_args: Any, **_kwargs: Any) -> Any:
                return self.payments_told

            def fetch_positions(self, *_args: Any, **_kwargs: Any) -> Any:
                return self.positions_told

        exchange = Told()
        return onebook.ccxt.recording(exchange, bot_book, strategy="grid", owns="all", **options)

    return make


def market(exchange: Exchange, symbol: str, **more: Any) -> Any:
    base, _, rest = symbol.partition("/")
    quote, _, settle = rest.partition(":")
    contract = bool(settle)
    shape = {
        "id": symbol.replace("/", "-"), "symbol": symbol, "base": base, "quote": quote, "settle": settle or None,
        "baseId": base, "quoteId": quote, "settleId": settle or None, "type": "swap" if contract else "spot",
        "spot": not contract, "swap": contract, "contract": contract, "linear": contract and settle == quote,
        "inverse": contract and settle == base, "contractSize": 1.0 if contract else None,
        "precision": {"amount": 1e-8, "price": 0.01}, "limits": {"cost": {"min": 5.0}},
    }  # fmt: skip
    made = exchange.safe_market_structure(shape | more)
    exchange.markets = {**(exchange.markets or {}), symbol: made}
    exchange.markets_by_id = {**(exchange.markets_by_id or {}), made["id"]: [made]}
    return made


def test_one_execution_of_okx_by_stream_and_by_rest(told: Callable[..., Exchange], bot_book: onebook.Book) -> None:
    exchange = told(ccxt.okx)
    swap = market(exchange, "BTC/USDT:USDT", contractSize=0.01, id="BTC-USDT-SWAP")
    orders = [sample("okx/ws_orders")["data"][0], sample("okx/http_get_orders_history")["data"][0]]
    exchange.orders_told = [exchange.parse_order(order, swap) for order in orders]
    for _ in range(2):
        exchange.fetch_orders()
    [fill] = bot_book.fills()
    assert (fill.quantity, fill.price, fill.fee, fill.leg) == (
        Decimal("0.03"), Decimal("103698.9"), Decimal("0.021776769"), "long",
    )  # fmt: skip
    [order] = bot_book.orders()
    assert (order.client_order_id, order.status) == ("001BTCUSDT20250106001", "filled")
    [instrument] = bot_book.facts("instrument")
    assert (instrument.kind, instrument.contract_size, instrument.settle) == ("perpetual", Decimal("0.01"), "USDT")
    assert not list(bot_book.events(types=("trade_conflicted", "break_found")))
    exchange.recorder.close()


def test_a_liquidation_says_so(told: Callable[..., Exchange], bot_book: onebook.Book) -> None:
    exchange = told(ccxt.okx)
    swap = market(exchange, "BTC/USDT:USDT", contractSize=0.01, id="BTC-USDT-SWAP")
    exchange.orders_told = [exchange.parse_order(sample("okx/ws_orders_liquidation")["data"][0], swap)]
    exchange.fetch_orders()
    assert bot_book.fills()
    assert {fill.close_reason for fill in bot_book.fills()} == {"liquidation"}
    exchange.recorder.close()


def test_an_empty_fee_says_nothing(told: Callable[..., Exchange], bot_book: onebook.Book) -> None:
    exchange = told(ccxt.okx)
    spot = market(exchange, "BTC/USDT")
    exchange.trades_told = [exchange.parse_trade(sample("okx/http_transaction_detail_empty_fee"), spot)]
    exchange.fetch_my_trades()
    assert bot_book.fills()[0].fee in {None, Decimal(0)}
    exchange.trades_told = [exchange.parse_trade(sample("okx/http_transaction_detail"), spot)]
    exchange.fetch_my_trades()
    assert len(bot_book.fills()) == 1
    exchange.recorder.close()


def test_bybits_executions_are_read_exactly(told: Callable[..., Exchange], bot_book: onebook.Book) -> None:
    exchange = told(ccxt.bybit)
    rows = sample("bybit/http_get_executions")["result"]["list"]
    rows += sample("bybit/ws_account_execution_adl")["data"]
    exchange.trades_told = [
        exchange.parse_trade(row, market(exchange, f"{row['symbol'].removesuffix('USDT')}/USDT:USDT")) for row in rows
    ]
    for _ in range(2):
        exchange.fetch_my_trades()
    fills = {fill.venue_fill_id: fill for fill in bot_book.fills()}
    for row in rows:
        fill = fills[row["execId"]]
        assert fill.quantity == Decimal(row["execQty"])
        assert fill.price == Decimal(row["execPrice"])
        assert fill.fee == Decimal(row["execFee"])
        assert fill.close_reason == ("adl" if row["execType"] == "AdlTrade" else "")
    assert len(fills) == len(rows)
    exchange.recorder.close()


def test_half_filled_and_rejected_keeps_the_half(told: Callable[..., Exchange], bot_book: onebook.Book) -> None:
    exchange = told(ccxt.bybit)
    row = sample("bybit/http_get_order_partially_filled_rejected")["result"]["list"][0]
    swap = market(exchange, f"{row['symbol'].removesuffix('USDT')}/USDT:USDT")
    exchange.orders_told = [exchange.parse_order(row, swap)]
    exchange.fetch_orders()
    exchange.fetch_orders()
    [order] = bot_book.orders()
    assert (order.status, order.filled_quantity) == ("canceled", Decimal("0.005"))
    [fill] = bot_book.fills()
    assert (fill.quantity, fill.price) == (Decimal("0.005"), Decimal(30000))
    exchange.recorder.close()


def test_one_order_in_two_answers_is_one(told: Callable[..., Exchange], bot_book: onebook.Book) -> None:
    exchange = told(ccxt.bybit)
    rows = [
        row
        for name in ("http_get_orders_realtime", "http_get_orders_history_with_duplicate")
        for row in sample(f"bybit/{name}")["result"]["list"]
    ]
    exchange.orders_told = [
        exchange.parse_order(row, market(exchange, f"{row['symbol'].removesuffix('USDT')}/USDT:USDT")) for row in rows
    ]
    exchange.fetch_orders()
    assert len(bot_book.orders()) == len({row["orderId"] for row in rows})
    exchange.recorder.close()


def test_fills_inside_an_answer_are_executions(told: Callable[..., Exchange], bot_book: onebook.Book) -> None:
    exchange = told(ccxt.binance)
    answer = sample("binance/new_order_full_response")
    spot = market(exchange, "BTC/USDT")
    for number, part in enumerate(answer["fills"]):
        part["tradeId"] = part.get("tradeId", 100 + number)
    exchange.orders_told = [exchange.parse_order(answer, spot)]
    exchange.fetch_orders()
    fills = [fill for fill in bot_book.fills() if "synthetic" not in fill.tags]
    assert [(fill.quantity, fill.price) for fill in fills] == [
        (Decimal(part["qty"]), Decimal(part["price"])) for part in answer["fills"]
    ]
    exchange.recorder.close()


def test_krakens_trades_are_read_exactly(told: Callable[..., Exchange], bot_book: onebook.Book) -> None:
    exchange = told(ccxt.kraken)
    rows = sample("kraken/http_trades_history")["result"]["trades"]
    spot = market(exchange, "BTC/USDT")
    exchange.trades_told = [exchange.parse_trade({**row, "id": name}, spot) for name, row in rows.items()]
    exchange.fetch_my_trades()
    assert {fill.venue_fill_id: (fill.quantity, fill.price, fill.fee) for fill in bot_book.fills()} == {
        name: (Decimal(row["vol"]), Decimal(row["price"]), Decimal(row["fee"])) for name, row in rows.items()
    }
    exchange.recorder.close()


def test_a_trade_that_lacks_its_price_keeps_no_other_back(
    told: Callable[..., Exchange], bot_book: onebook.Book
) -> None:
    exchange = told(ccxt.okx)
    spot = market(exchange, "BTC/USDT")
    good = exchange.parse_trade(sample("okx/http_transaction_detail"), spot)
    bad = {**good, "id": "other", "price": None}
    exchange.trades_told = [bad, good]
    exchange.fetch_my_trades()
    assert [fill.venue_fill_id for fill in bot_book.fills()] == [good["id"]]
    [found] = bot_book.events(types=("break_found",))
    assert found.data["raw"] == good["info"]
    exchange.recorder.close()


def test_a_number_without_the_venues_text_is_tagged(told: Callable[..., Exchange], bot_book: onebook.Book) -> None:
    exchange = told(ccxt.okx)
    trade = {
        "id": "1", "order": "2", "symbol": "BTC/USDT", "side": "buy", "amount": 0.1, "price": 60000.1, "timestamp":
        1_717_416_000_000, "fee": {"cost": 0.30000000000000004, "currency": "USDT"}, "info": {"sz": "0.10"},
    }  # fmt: skip
    exact = {**trade, "id": "2", "info": {"sz": "0.1", "px": "60000.10000000000000001", "fee": "-0.3", "f": "9"}}
    exchange.trades_told = [trade, exact | {"fee": {"cost": 0.3, "currency": "USDT"}}]
    exchange.fetch_my_trades()
    first, second = bot_book.fills()
    assert (first.price, first.fee, first.tags) == (
        Decimal("60000.1"), Decimal("0.30000000000000004"), ("shortest_decimal",),
    )  # fmt: skip
    assert (second.price, second.fee, second.tags) == (Decimal("60000.10000000000000001"), Decimal("0.3"), ())
    exchange.recorder.close()


def test_funding_is_booked_once_with_its_sign(told: Callable[..., Exchange], bot_book: onebook.Book) -> None:
    exchange = told(ccxt.binance)
    market(exchange, "BTC/USDT:USDT")
    paid = {"symbol": "BTC/USDT:USDT", "code": "USDT", "timestamp": 1_717_416_000_000, "id": "9", "amount": -1.25,
            "info": {"income": "-1.25000000"}}  # fmt: skip
    exchange.payments_told = [paid, {**paid, "timestamp": 1_717_444_800_000, "amount": 0.0, "info": {}}]
    for _ in range(2):
        exchange.fetch_funding_history()
    assert [payment.amount for payment in bot_book.funding()] == [Decimal("-1.25")]
    exchange.recorder.close()


def test_a_symbol_whose_contracts_differ_between_venues_is_a_break(
    told: Callable[..., Exchange], bot_book: onebook.Book
) -> None:
    for kind, size in ((ccxt.okx, 0.01), (ccxt.bybit, 1.0), (ccxt.okx, 0.01)):
        exchange = told(kind, account=kind.__name__)
        market(exchange, "BTC/USDT:USDT", contractSize=size)
        exchange.trades_told = [
            {"id": "1", "order": "2", "symbol": "BTC/USDT:USDT", "side": "buy", "amount": 1.0, "price": 60000.0,
             "timestamp": 1_717_416_000_000, "info": {}}
        ]  # fmt: skip
        exchange.fetch_my_trades()
        exchange.recorder.close()
    [defined] = bot_book.facts("instrument")
    assert defined.contract_size == Decimal("0.01")
    [found] = bot_book.events(types=("break_found",))
    assert "give one of the two a name of its own" in found.data["reason"]
    assert len(bot_book.fills()) == 2


def test_contracts_that_differ_between_venues_have_each_its_name_where_one_is_given(
    told: Callable[..., Exchange], bot_book: onebook.Book
) -> None:
    symbol, own = "BTC/USDT:USDT", "bybit BTC"
    for kind, size, names in ((ccxt.okx, 0.01, None), (ccxt.bybit, 1.0, {symbol: own})):
        exchange = told(kind, account=kind.__name__, names=names)
        market(exchange, symbol, contractSize=size)
        trade = {"id": "1", "order": "2", "symbol": symbol, "side": "buy", "timestamp": 1_717_416_000_000, "info": {}}
        exchange.trades_told = [
            trade | {"amount": 1.0, "price": 60000.0},
            trade | {"id": "2", "side": "sell", "amount": 1.0, "price": 60100.0},
        ]
        assert exchange.fetch_my_trades()[0]["symbol"] == symbol
        exchange.recorder.close()
    assert {item.symbol: item.contract_size for item in bot_book.facts("instrument")} == {
        symbol: Decimal("0.01"),
        own: Decimal(1),
    }
    gross = {item.instrument: item.realized_pnl_gross for item in bot_book.positions(is_open=None)}
    assert gross == {symbol: Decimal(1), own: Decimal(100)}
    assert list(bot_book.events(types=("break_found",))) == []
    with pytest.raises(onebook.BadConfig, match="names no instrument"):
        told(ccxt.okx, names={symbol: ""})
