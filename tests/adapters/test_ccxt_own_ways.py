"""Bots that made an exchange their own: overrides, decorators, patches, copies; and ways to order inside others."""

import asyncio
import copy
import functools
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt  # type: ignore[import-untyped]
import ccxt.async_support  # type: ignore[import-untyped]
import pytest
from tests.adapters.venue_ccxt import Venue

import onebook
import onebook.ccxt

Exchange = Any
BUY = ("BTC/USDT", "limit", "buy", 0.5, 60000)


def recorded(exchange: Exchange, book: onebook.Book, **options: Any) -> Exchange:
    return onebook.ccxt.recording(exchange, book, strategy="grid", **options)


def tries_again(method: Callable[..., Any]) -> Callable[..., Any]:
    """As bots decorate calls: a plain function, also around one that is awaited."""

    @functools.wraps(method)
    def again(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return again


def breaks(book: onebook.Book) -> list[Any]:
    return [event.data["reason"] for event in book.events(types="break_found")]


class Whatever(ccxt.okx):  # type: ignore[misc]
    """Hands on what it is given."""

    def create_order(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_order(*args, **kwargs)

    def cancel_order(self, *args: Any, **kwargs: Any) -> Any:
        return super().cancel_order(*args, **kwargs)


class Fixed(ccxt.okx):  # type: ignore[misc]
    """Takes no parameters."""

    def create_order(self, symbol: str, type: str, side: str, amount: float, price: float) -> Any:  # noqa: A002
        return super().create_order(symbol, type, side, amount, price, {"postOnly": True})


class ByMany(ccxt.okx):  # type: ignore[misc]
    """Sends one order as a list of one, as ccxt's hyperliquid does, and has names of its own."""

    def create_order(self, symbol: str, kind: str, side: str, amount: float, price: float, more: Any = None) -> Any:
        order = {"symbol": symbol, "type": kind, "side": side, "amount": amount, "price": price, "params": more or {}}
        return self.create_orders([order])[0]


class Protects(ccxt.okx):  # type: ignore[misc]
    """Sends another order with each one that buys."""

    def create_order(self, symbol: str, kind: str, side: str, amount: float, price: float) -> Any:
        order = super().create_order(symbol, kind, side, amount, price)
        if side == "buy":
            self.create_order(symbol, "limit", "sell", amount, price * 2)
        return order


@pytest.mark.parametrize("kind", [Whatever, Fixed])
def test_overrides_are_read_as_the_methods_that_they_stand_for(venue: Venue, bot_book: onebook.Book, kind: Any) -> None:
    exchange = recorded(kind(venue.settings()), bot_book)
    order = exchange.create_limit_buy_order("BTC/USDT", 0.5, 60000) if kind is Whatever else exchange.create_order(*BUY)
    [state] = bot_book.orders()
    assert (state.status, state.quantity, state.venue_order_id) == ("new", Decimal("0.5"), order["id"])
    assert (venue.sent[0]["clOrdId"] == state.client_order_id) is (kind is Whatever)
    exchange.cancel_order(order["id"], "BTC/USDT")
    assert (bot_book.orders()[0].status, breaks(bot_book)) == ("pending_cancel", [])
    exchange.recorder.close()


@pytest.mark.parametrize("send_ids", [True, False])
def test_an_order_that_is_sent_by_another_method_is_one_order(
    venue: Venue, bot_book: onebook.Book, send_ids: bool
) -> None:
    exchange = recorded(ByMany(venue.settings()), bot_book, send_ids=send_ids)
    order = exchange.create_order(*BUY)
    [state] = bot_book.orders()
    assert (state.status, state.venue_order_id) == ("new", order["id"])
    venue.refuses = "51008"
    with pytest.raises(ccxt.InsufficientFunds):
        exchange.create_order(*BUY)
    assert sorted(state.status for state in bot_book.orders()) == ["new", "rejected"]
    assert breaks(bot_book) == []
    exchange.recorder.close()


def test_another_order_that_is_sent_inside_is_another_order(venue: Venue, bot_book: onebook.Book) -> None:
    exchange = recorded(Protects(venue.settings()), bot_book, send_ids=False)
    bought = exchange.create_order(*BUY)
    found = {state.order.side: (state.status, state.venue_order_id) for state in bot_book.orders()}
    assert found == {"buy": ("new", bought["id"]), "sell": ("new", venue.order_id())}
    exchange.recorder.close()


def test_a_decorated_method_that_is_awaited_is_recorded(venue: Venue, bot_book: onebook.Book) -> None:
    class Decorated(ccxt.async_support.okx):  # type: ignore[misc]
        create_order = tries_again(ccxt.async_support.okx.create_order)
        fetch_order = tries_again(ccxt.async_support.okx.fetch_order)

    exchange = recorded(Decorated(venue.settings()), bot_book)

    async def trade() -> None:
        try:
            order = await exchange.create_order(*BUY)
            venue.fill(order["id"], "0.5", "60000")
            assert (await exchange.fetch_order(order["id"], "BTC/USDT"))["status"] == "closed"
        finally:
            await exchange.close()

    asyncio.run(trade())
    assert [state.status for state in bot_book.orders()] == ["filled"]
    assert breaks(bot_book) == []
    exchange.recorder.close()


def test_a_method_that_the_bot_patched_before_is_recorded(venue: Venue, bot_book: onebook.Book) -> None:
    exchange = ccxt.okx(venue.settings())
    exchange.create_order = tries_again(exchange.create_order)
    exchange.fetchOrder = tries_again(exchange.fetchOrder)
    recorded(exchange, bot_book)
    order = exchange.create_order(*BUY)
    venue.fill(order["id"], "0.2", "60000")
    exchange.fetchOrder(order["id"], "BTC/USDT")
    [state] = bot_book.orders()
    assert (state.status, state.client_order_id) == ("partially_filled", venue.sent[0]["clOrdId"])
    exchange.recorder.close()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_recorded_by_the_same_recorder_with_its_own_markets(
    venue: Venue, bot_book: onebook.Book, copied: Callable[[Exchange], Exchange]
) -> None:
    exchange = recorded(ccxt.okx(venue.settings()), bot_book)
    other = copied(exchange)
    order = other.create_order(*BUY)
    assert (exchange.markets, other.recorder) == (None, exchange.recorder)
    assert [state.venue_order_id for state in bot_book.orders()] == [order["id"]]
    assert [item.symbol for item in bot_book.facts("instrument")] == ["BTC/USDT"]
    exchange.recorder.close()


def test_to_pickle_a_recorded_exchange_is_refused_with_what_to_do(venue: Venue, bot_book: onebook.Book) -> None:
    exchange = recorded(ccxt.okx(venue.settings()), bot_book)
    with pytest.raises(TypeError, match="record it there"):
        pickle.dumps(exchange)
    exchange.recorder.close()


def test_what_cannot_be_read_keeps_nothing_beside_it_back(venue: Venue, bot_book: onebook.Book) -> None:
    trade = {"symbol": "BTC/USDT", "side": "buy", "amount": 0.5, "timestamp": 1_717_416_000_000, "info": {}}

    class Odd(ccxt.okx):  # type: ignore[misc]
        def fetch_my_trades(self, *_: Any, **__: Any) -> Any:
            return [None, trade | {"id": "1", "price": float("nan")}, trade | {"id": "2", "price": 60000.0}]

        def fetch_open_order(self, *_: Any, **__: Any) -> Any:
            return None

    exchange = recorded(Odd(venue.settings()), bot_book)
    assert exchange.fetch_my_trades()[0] is None
    assert exchange.fetch_open_order("5") is None
    assert [fill.venue_fill_id for fill in bot_book.fills()] == ["2"]
    assert breaks(bot_book) == ["InputError: value: NaN is not a number that can be booked"]
    exchange.recorder.close()
