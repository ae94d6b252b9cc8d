"""The manager, trades and positions under their older names."""

import json
import threading
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import onebook
from onebook import compat
from onebook.compat.managers import (
    SingleSourceTradeManager,
    TradeManager,
    get_single_source_trade_manager,
    get_trade_manager,
    reset_single_source_trade_manager,
    reset_trade_manager,
)
from onebook.compat.order_log import get_trade_summary, log_trade
from onebook.compat.trades import Trade, create_trade, is_test_position
from onebook.testing import FakeClock

STATUS_KEYS = [
    "trades_count",
    "positions_count",
    "closed_positions_count",
    "total_volume",
    "total_pnl",
    "frontend_subscribers",
    "portfolio_subscribers",
    "notification_subscribers",
    "event_queue_size",
    "csv_audit_enabled",
    "last_update",
]


def fact(kind: Any, /, **given: Any) -> Any:
    """A fact from plain values, which it converts."""
    return kind(**given)


def seen(*values: object) -> tuple[object, ...]:
    """Values to compare by what they are worth: 1 is as good as Decimal(1)."""
    return values


@pytest.fixture
def manager(book: onebook.Book) -> SingleSourceTradeManager:
    return get_single_source_trade_manager()


def trade(side: str = "buy", amount: object = "1", price: object = "100", **more: object) -> Trade:
    return create_trade(more.pop("symbol", "BTC/USDT"), side, amount, price, **more)  # type: ignore[arg-type]


# ---- trades ----


def test_the_same_trade_twice_is_once(manager: SingleSourceTradeManager, book: onebook.Book) -> None:
    once = trade(fees="0.5")
    assert manager.record_trade(once) == manager.record_trade(once) == once.id
    assert manager.record_trade(Trade.from_dict(once.to_dict())) == once.id
    assert len(manager.trades) == 1
    assert book.fills()[0].client_fill_id == once.id
    assert manager.get_position("BTC/USDT").total_amount == 1  # type: ignore[union-attr]


def test_another_content_under_the_same_id_is_a_conflict(manager: SingleSourceTradeManager, book: onebook.Book) -> None:
    first = trade()
    manager.record_trade(first)
    manager.record_trade(Trade.from_dict(first.to_dict() | {"price": 101}))
    assert [item.price for item in manager.trades] == [100]
    assert book.status().conflicts == 1


def test_a_trade_comes_back_as_it_was(manager: SingleSourceTradeManager) -> None:
    made = trade(
        amount=0.1,
        price=0.000000000012,
        strategy="trend",
        exchange="kraken",
        fees=0.3,
        order_id="o1",
        client_order_id="c1",
        metadata={"why": "breakout"},
    )
    manager.record_trade(made)
    back = manager.trades[0]
    assert back == made
    assert hash(back) == hash(made)
    assert (back.amount, back.price, back.fees) == (Decimal("0.1"), Decimal("0.000000000012"), Decimal("0.3"))
    assert (back.strategy, back.exchange, back.order_id, back.client_order_id) == ("trend", "kraken", "o1", "c1")
    assert back.total_value == Decimal("0.0000000000012")
    assert back.total_cost == Decimal("0.3000000000012")
    assert back.metadata == {"why": "breakout"}
    assert Trade.from_dict(json.loads(json.dumps(back.to_dict()))) == made


def test_times_come_back_aware() -> None:
    bare = Trade("1", "BTC/USDT", "buy", 1, 2, datetime(2026, 1, 5, 9))  # noqa: DTZ001  as the older program wrote
    east = Trade("1", "BTC/USDT", "buy", 1, 2, datetime(2026, 1, 5, 10, tzinfo=timezone(timedelta(hours=1))))
    text = Trade("1", "BTC/USDT", "buy", 1, 2, "2026-01-05T09:00:00")
    assert bare.timestamp == east.timestamp == text.timestamp == datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert bare.timestamp.tzinfo is UTC


def test_a_trade_is_of_the_books_now(book: onebook.Book) -> None:
    assert trade().timestamp == datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize("symbol", ["TEST/USDT", "MYTESTCOIN", "AVERYLONGSYMBOLNAME"])
def test_symbols_that_look_made_up_are_taken(symbol: str, manager: SingleSourceTradeManager) -> None:
    manager.record_trade(trade(symbol=symbol))
    assert list(manager.positions) == [symbol]
    assert is_test_position(symbol) == ("TEST" in symbol)


@pytest.mark.parametrize("status", ["pending", "cancelled", "failed"])
def test_what_has_not_happened_is_not_recorded(status: str, manager: SingleSourceTradeManager) -> None:
    with pytest.raises(onebook.InputError, match=status):
        manager.record_trade(Trade("1", "BTC/USDT", "buy", 1, 2, status=status))
    assert manager.trades == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"id": "1"}, "symbol: is missing"),
        ({"id": "1", "symbol": "A", "side": "buy", "amount": 1, "price": 2, "timestamp": "x"}, "not a time"),
        ({"id": "1", "symbol": "A", "side": "hold", "amount": 1, "price": 2, "timestamp": 0}, "hold"),
        ({"id": "1", "symbol": "A", "side": "buy", "amount": -1, "price": 2, "timestamp": 0}, "above 0"),
        ({"id": "1", "symbol": "A", "side": "buy", "amount": 1, "price": 2, "timestamp": 0, "qty": 1}, "qty"),
        ({"id": "1", "symbol": "A", "side": "buy", "amount": [], "price": 2, "timestamp": 0}, "list"),
    ],
)
def test_malformed_trades_are_refused(data: dict[str, object], said: str) -> None:
    with pytest.raises(onebook.InputError, match=said):
        Trade.from_dict(data)


# ---- positions ----


def test_a_position_asks_the_book(manager: SingleSourceTradeManager, clock: FakeClock) -> None:
    manager.record_trade(trade(amount=2, fees=1))
    held = manager.get_position("BTC/USDT")
    assert held is not None
    assert seen(held.symbol, held.side, held.total_amount, held.average_price) == ("BTC/USDT", "long", 2, 100)
    assert seen(held.realized_pnl, held.fees_paid, held.position_value, held.is_open) == (-1, 1, 200, True)
    assert seen(*held.calculate_unrealized_pnl(110.5)) == (21, Decimal("10.5"))
    clock.advance(60)
    manager.update_price("BTC/USDT", 120.0)
    manager.update_price("BTC/USDT", 90)
    assert seen(held.highest_price, held.lowest_price) == (120, 90)
    assert manager.price_cache == {"BTC/USDT": 90}
    assert seen(*manager.get_total_unrealized_pnl()) == (-20, -10)
    assert held.stop_loss_price is held.take_profit_price is held.trailing_stop_pct is None
    manager.record_trade(trade("sell", 2, 110, fees=1))
    assert seen(held.is_open, held.total_amount, held.realized_pnl, held.fees_paid) == (False, 0, 18, 2)
    assert seen(*held.calculate_unrealized_pnl(1)) == (0, 0)
    assert [item.side for item in held.trades] == ["buy", "sell"]
    assert manager.get_position("BTC/USDT") is None
    json.dumps(held.to_dict())


def test_open_and_closed_positions_add_up(manager: SingleSourceTradeManager, clock: FakeClock) -> None:
    for side, amount, price in (("buy", 1, 100), ("sell", 3, 110), ("buy", 1, 105)):
        clock.advance(1)
        manager.record_trade(trade(side, amount, price, fees="0.3"))
    (closed,) = manager.get_closed_positions()
    (held,) = manager.get_all_positions()
    assert seen(closed.side, closed.total_amount, closed.is_open, closed.average_price) == ("long", 0, False, 100)
    assert seen(held.side, held.total_amount) == ("short", 1)
    assert closed.realized_pnl + held.realized_pnl == manager.total_realized_pnl == 15 - Decimal("0.9")
    assert closed.fees_paid + held.fees_paid == manager.total_fees == Decimal("0.9")
    assert len(closed.trades) == 2


def test_contracts_use_their_size(manager: SingleSourceTradeManager, book: onebook.Book) -> None:
    inverse = {"kind": "perpetual", "base": "BTC", "quote": "USD", "settle": "BTC"}
    book.record(fact(onebook.Instrument, symbol="BTC/USD:BTC", contract_size=100, **inverse))
    manager.record_trade(trade(symbol="BTC/USD:BTC", amount=10, price=50000))
    held = manager.positions["BTC/USD:BTC"]
    assert held.position_value == Decimal("0.02")
    manager.update_price("BTC/USD:BTC", 62500)
    gain, percent = held.calculate_unrealized_pnl(62500)
    assert seen(gain, percent) == (Decimal("0.004"), 20)
    assert manager.get_total_unrealized_pnl() == (gain, percent)


def test_strategies_that_point_both_ways_are_shown_as_the_venue_sees_them(
    manager: SingleSourceTradeManager,
) -> None:
    manager.record_trade(trade(amount=3, strategy="one"))
    manager.record_trade(trade("sell", 1, 110, strategy="two"))
    held = manager.get_position("BTC/USDT")
    assert held is not None
    assert seen(held.total_amount, held.average_price, held.metadata["strategies"]) == (2, 100, ["one", "two"])


# ---- the manager ----


def test_there_is_one_manager(book: onebook.Book) -> None:
    first = get_single_source_trade_manager()
    assert first is get_trade_manager()
    assert isinstance(first, TradeManager)
    reset_trade_manager()
    assert get_trade_manager() is not first


def test_managers_keep_nothing_of_their_own(manager: SingleSourceTradeManager, book: onebook.Book) -> None:
    other = TradeManager("elsewhere.json", book=book)
    book.record(
        fact(onebook.Fill, instrument="ETH/USDT", side="buy", quantity=2, price=10, venue="x", venue_fill_id="9")
    )
    for each in (manager, other):
        assert [item.symbol for item in each.trades] == list(each.positions) == ["ETH/USDT"]
    assert manager.trades[0].id == book.fills()[0].identity
    assert manager.record_trade(manager.trades[0]) == book.fills()[0].identity
    manager.trades.clear()
    manager.positions.clear()
    assert len(manager.trades) == len(manager.positions) == 1


def test_status_has_the_documented_keys(manager: SingleSourceTradeManager) -> None:
    manager.record_trade(trade(fees=1))
    manager.record_trade(trade("sell", 1, 110))
    manager.record_trade(trade(symbol="ETH/USDT"))
    status = manager.get_system_status()
    assert list(status) == STATUS_KEYS
    counts = [status[name] for name in STATUS_KEYS[:5]]
    assert counts == [3, 1, 1, 310.0, 9.0]
    assert manager.get_system_status()["last_update"] == "2026-01-05T09:00:00+00:00"
    summary = manager.get_portfolio_summary()
    assert (summary["total_trades"], summary["total_realized_pnl"], summary["currency"]) == (3, 9.0, "USDT")
    json.dumps([status, summary])


def test_totals_in_several_currencies_are_in_the_base_currency(
    manager: SingleSourceTradeManager, book: onebook.Book, clock: FakeClock
) -> None:
    book.record(fact(onebook.Rate, base="EUR", quote="USD", price="1.1", occurred_at="2026-01-05T00:00:00Z"))
    for symbol in ("BTC/USD", "BTC/EUR"):
        manager.record_trade(trade(symbol=symbol))
        manager.record_trade(trade("sell", 1, 110, symbol=symbol))
    assert manager.total_realized_pnl == 21


def test_volume_follows_the_book(manager: SingleSourceTradeManager, book: onebook.Book) -> None:
    assert manager.total_volume == 0
    manager.record_trade(trade())
    assert manager.total_volume == 100
    log_trade(ORDER | {"filled": 2, "status": "closed"})
    assert manager.total_volume == 300
    manager.record_trade(trade(amount="0.5", price=104, order_id="7"))
    assert manager.total_volume == 302
    book.record(fact(onebook.Fill, instrument="A/B", side="buy", quantity=1, price=1, account="other"))
    assert manager.total_volume == 302
    book.correct(1, reason="misread", price=110)
    assert manager.total_volume == 312
    book.bust(1, reason="never happened")
    assert manager.total_volume == 202 == sum(item.total_value for item in manager.trades)


def test_history_is_the_newest_of_a_symbol(manager: SingleSourceTradeManager, clock: FakeClock) -> None:
    for price in (1, 2, 3):
        clock.advance(1)
        manager.record_trade(trade(price=price))
        manager.record_trade(trade(price=price, symbol="ETH/USDT"))
    assert [item.price for item in manager.get_trade_history("BTC/USDT", 2)] == [2, 3]
    assert len(manager.get_trade_history()) == 6


def test_checks_say_what_they_found(manager: SingleSourceTradeManager) -> None:
    manager.record_trade(trade("sell"))
    found = manager.validate_position_consistency()
    assert (found["valid"], found["issues"], found["total_trades"]) == (True, [], 1)
    assert found["warnings"] == ["BTC/USDT: oversold"]
    fixed = manager.fix_data_inconsistencies()
    assert (fixed["success"], fixed["fixes_applied"]) == (True, [])
    assert "nothing to fix" in fixed["message"]


def test_threads_lose_and_double_nothing(manager: SingleSourceTradeManager) -> None:
    shared = trade()

    def record() -> None:
        for _ in range(20):
            manager.record_trade(trade())
            manager.record_trade(shared)

    threads = [threading.Thread(target=record) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert manager.total_trades == len(manager.trades) == 81
    assert manager.positions["BTC/USDT"].total_amount == 81


def test_a_restart_returns_everything(place: Path) -> None:
    compat.install()
    manager = get_single_source_trade_manager()
    manager.record_trade(trade(amount=2))
    manager.update_price("BTC/USDT", 105)
    before = manager.get_all_positions()[0].to_dict()
    reset_single_source_trade_manager()
    assert (place / "crypto_bot/logs/onebook.db").is_file()
    Path("crypto_bot/logs/trade_manager_state.json").unlink()
    again = get_single_source_trade_manager()
    assert again.get_all_positions()[0].to_dict() == before
    assert again.price_cache == {"BTC/USDT": 105}


def test_the_environment_names_the_book(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEBOOK_URL", str(place / "named.db"))
    compat.install()
    get_trade_manager().record_trade(trade())
    assert (place / "named.db").is_file()
    assert not (place / "crypto_bot/logs/onebook.db").exists()


def test_a_book_that_was_handed_in_stays_open(book: onebook.Book) -> None:
    get_trade_manager().record_trade(trade())
    get_trade_manager().shutdown()
    compat.uninstall()
    assert len(book.fills()) == 1


# ---- orders ----

ORDER = {"id": "7", "symbol": "BTC/USDT", "side": "buy", "amount": 2, "price": 100, "status": "open", "filled": 0}


@pytest.mark.parametrize(
    "order",
    [
        ORDER,
        ORDER | {"filled": None},
        {"symbol": "BTC/USDT", "side": "buy", "amount": 2, "price": 100},
        ORDER | {"status": "canceled"},
    ],
)
def test_an_order_without_fill_records_no_fill(order: dict[str, object], book: onebook.Book) -> None:
    assert log_trade(order) is None
    assert log_trade(ORDER | {"filled": 2, "status": "closed"}, is_stop=True) is None
    assert book.fills() == []


def test_an_order_is_recorded_by_its_differences(book: onebook.Book) -> None:
    part = ORDER | {"filled": 0.5, "average": 100.0, "fee": {"cost": 0.1, "currency": "USDT"}}
    whole = ORDER | {"filled": 2, "average": 103, "status": "closed"}
    log_trade(part)
    log_trade(part)
    receipt = log_trade(whole)
    assert receipt is not None
    assert log_trade(whole) is None
    assert [(fill.quantity, fill.price) for fill in book.fills()] == [(Decimal("0.5"), 100), (Decimal("1.5"), 104)]
    assert receipt.position.fees == Decimal("0.1")


def test_an_order_logged_after_its_trade_adds_nothing(manager: SingleSourceTradeManager, book: onebook.Book) -> None:
    manager.record_trade(trade(amount=2, order_id="7"))
    assert log_trade(ORDER | {"filled": 2, "status": "closed"}) is None
    assert manager.positions["BTC/USDT"].total_amount == 2


def test_a_trade_after_its_order_was_logged_takes_its_place(manager: SingleSourceTradeManager) -> None:
    log_trade(ORDER | {"filled": 2, "status": "closed"})
    manager.record_trade(trade(amount=2, price=101, order_id="7", exchange="kraken"))
    assert [seen(item.amount, item.price) for item in manager.trades] == [(2, 101)]


def test_an_order_without_id_is_once_when_it_has_its_time(book: onebook.Book) -> None:
    order = {"symbol": "A/B", "side": "sell", "filled": 1, "price": 5, "timestamp": 1767603600000}
    log_trade(order)
    log_trade(order)
    assert [fill.occurred_at for fill in book.fills()] == [datetime(2026, 1, 5, 9, tzinfo=UTC)]


def test_the_summary_counts_trades(manager: SingleSourceTradeManager, clock: FakeClock) -> None:
    assert get_trade_summary()["total_trades"] == 0
    manager.record_trade(trade())
    clock.advance(60)
    manager.record_trade(trade("sell", 1, 110))
    summary = get_trade_summary()
    assert (summary["total_trades"], summary["buy_trades"], summary["sell_trades"]) == (2, 1, 1)
    assert summary["date_range"]["end"] == "2026-01-05T09:01:00+00:00"
    assert summary["total_realized_pnl"] == 10
