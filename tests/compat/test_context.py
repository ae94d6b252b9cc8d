"""Document D's context, wallet and synchroniser: views of one book."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from tests.compat.waiting import eventually

import onebook
from onebook.compat.context import BotContext, PaperWallet, PositionSyncManager
from onebook.compat.managers import TradeManager, get_trade_manager
from onebook.compat.trades import create_trade
from onebook.testing import FakeClock


@pytest.fixture
def held(book: onebook.Book, clock: FakeClock) -> TradeManager:
    """Two positions, one closed."""
    manager = get_trade_manager()
    manager.record_trade(create_trade("BTC/USDT", "buy", 0.5, 100, strategy="trend", fees=1))
    manager.record_trade(create_trade("ETH/USDT", "sell", 2, 50))
    manager.record_trade(create_trade("SOL/USDT", "buy", 1, 10))
    clock.advance(60)
    manager.record_trade(create_trade("SOL/USDT", "sell", 1, 15))
    manager.update_price("BTC/USDT", 110)
    return manager


def test_the_context_shows_the_books_positions(held: TradeManager) -> None:
    ctx: Any = BotContext(None, {}, {}, {"mode": "paper"}, exchange="okx", notifier=None)
    assert (ctx.exchange, ctx.config, ctx.trade_manager) == ("okx", {"mode": "paper"}, held)
    assert sorted(ctx.positions) == ["BTC/USDT", "ETH/USDT"]
    assert (len(ctx.positions), "SOL/USDT" in ctx.positions) == (2, False)
    btc = ctx.positions["BTC/USDT"]
    assert (btc["side"], btc["amount"], btc["entry_price"]) == ("long", Decimal("0.5"), 100)
    assert (btc["current_price"], btc["pnl"], btc["fees"]) == (110, 5, 1)
    eth = ctx.positions["ETH/USDT"]
    assert (eth["side"], eth["amount"], eth["pnl"], eth["stop_loss"]) == ("short", 2, None, None)
    with pytest.raises(KeyError):
        ctx.positions["SOL/USDT"]


def test_positions_cannot_be_written(held: TradeManager) -> None:
    positions: Any = BotContext().positions
    positions["BTC/USDT"]["amount"] = 7
    assert positions["BTC/USDT"]["amount"] == Decimal("0.5")
    for write in (
        lambda: positions.__setitem__("X", {}),
        lambda: positions.__delitem__("BTC/USDT"),
        lambda: positions.pop("BTC/USDT", None),
        positions.clear,
        lambda: positions.update({}),
    ):
        with pytest.raises(onebook.NotAllowed, match="record_trade"):
            write()


def test_what_is_handed_in_as_positions_does_not_count(held: TradeManager, caplog: pytest.LogCaptureFixture) -> None:
    ctx = BotContext({"XRP/USDT": {"amount": 1}})
    assert "XRP/USDT" not in ctx.positions
    assert "XRP/USDT" in caplog.text


def test_the_source_cannot_be_switched(held: TradeManager, caplog: pytest.LogCaptureFixture) -> None:
    ctx = BotContext()
    ctx.use_trade_manager_as_source = True
    assert caplog.text == ""
    ctx.use_trade_manager_as_source = False
    assert ctx.use_trade_manager_as_source
    assert "stays on" in caplog.text


def test_stops_of_the_book_are_shown(held: TradeManager, book: onebook.Book) -> None:
    trading = book.trading
    trading.protect("BTC/USDT", strategy="trend", stop_loss=90, take_profit=130, trail_ratio="0.05")
    trading.protect("ETH/USDT", stop_loss=60)
    btc = BotContext().positions["BTC/USDT"]
    assert (btc["stop_loss"], btc["take_profit"], btc["trailing_stop_pct"]) == (90, 130, Decimal("0.05"))
    position = held.get_position("ETH/USDT")
    assert position is not None
    assert (position.stop_loss_price, position.take_profit_price, position.trailing_stop_pct) == (60, None, None)
    trading.unprotect("ETH/USDT")
    assert position.stop_loss_price is None
    held.record_trade(create_trade("ETH/USDT", "buy", 2, 40))
    assert position.stop_loss_price is None


def test_a_position_that_is_told_shows_its_stops(held: TradeManager, book: onebook.Book) -> None:
    told: list[Any] = []
    book.trading.protect("ETH/USDT", stop_loss=60)
    held.add_position_callback(told.append)
    held.record_trade(create_trade("ETH/USDT", "sell", 1, 50))
    eventually(lambda: told)
    assert (told[0].total_amount, told[0].stop_loss_price) == (3, 60)


def test_of_two_strategies_the_stop_that_is_reached_first_counts(book: onebook.Book) -> None:
    manager = get_trade_manager()
    for strategy, stop, target in (("a", 90, 130), ("b", 95, 120)):
        manager.record_trade(create_trade("BTC/USDT", "buy", 1, 100, strategy=strategy))
        manager.record_trade(create_trade("ETH/USDT", "sell", 1, 100, strategy=strategy))
        book.trading.protect("BTC/USDT", strategy=strategy, stop_loss=stop, take_profit=target)
        book.trading.protect("ETH/USDT", strategy=strategy, stop_loss=target, take_profit=stop)
    long, short = manager.get_position("BTC/USDT"), manager.get_position("ETH/USDT")
    assert long is not None
    assert short is not None
    assert (long.stop_loss_price, long.take_profit_price) == (95, 120)
    assert (short.stop_loss_price, short.take_profit_price) == (120, 95)


# ---- the wallet ----


def test_a_wallet_counts_from_its_beginning(held: TradeManager) -> None:
    wallet = PaperWallet(1000.5, 3, allow_short=False)
    assert (wallet.initial_balance, wallet.max_open_trades, wallet.allow_short) == (Decimal("1000.5"), 3, False)
    assert wallet.realized_pnl == 4
    assert wallet.balance == Decimal("1004.5")
    assert wallet.total_value == Decimal("1009.5")
    assert wallet.unrealized("ETH/USDT", 40) == 20
    assert wallet.unrealized("SOL/USDT", 40) == 0
    assert wallet.sync_from_trade_manager() == 2
    assert sorted(wallet.positions) == ["BTC/USDT", "ETH/USDT"]


def test_a_wallet_without_a_beginning_shows_the_accounts_money(book: onebook.Book) -> None:
    assert PaperWallet().balance == 0
    book.record(onebook.OpeningBalance(account="main", currency="USDT", amount=500))
    book.record(create_trade("BTC/USDT", "buy", 1, 100).fill)
    assert PaperWallet().balance == 400


def test_a_wallet_can_look_at_another_account(held: TradeManager, book: onebook.Book) -> None:
    other = TradeManager(account="sandbox")
    other.record_trade(create_trade("XRP/USDT", "buy", 1, 1))
    wallet = PaperWallet(10)
    assert wallet.sync_from_trade_manager(other) == 1
    assert list(wallet.positions) == ["XRP/USDT"]


# ---- a program's own dictionaries ----


def test_a_programs_own_dictionary_is_made_equal(held: TradeManager) -> None:
    own: dict[str, Any] = {"XRP/USDT": {"amount": 1}, "BTC/USDT": {"amount": 9}}
    sync = PositionSyncManager()
    assert sync.sync_positions(own) == own == dict(sync.positions)
    assert sorted(own) == ["BTC/USDT", "ETH/USDT"]
    assert sync.sync_positions(BotContext().positions) == own


def test_what_differs_is_found_and_said(held: TradeManager, caplog: pytest.LogCaptureFixture) -> None:
    sync = PositionSyncManager(held)
    own = sync.sync_positions()
    assert sync.validate_consistency()
    assert sync.validate_consistency(own, sync.positions)
    own["BTC/USDT"] |= {"amount": 0.4}
    del own["ETH/USDT"]
    own["XRP/USDT"] = {"side": "long", "amount": 1}
    assert not sync.validate_consistency(own)
    for said in ("BTC/USDT: long 0.4, in the book long 0.5", "ETH/USDT: only in the book", "XRP/USDT: only outside"):
        assert said in caplog.text
    with pytest.raises(onebook.InputError, match="no position"):
        sync.validate_consistency({"BTC/USDT": 3})


def test_a_wallet_of_the_programs_own_is_brought_in_line(held: TradeManager) -> None:
    wallet = SimpleNamespace(positions={"XRP/USDT": {"side": "long", "amount": 1}})
    ctx = BotContext(paper_wallet=wallet)
    assert not ctx.validate_position_consistency()
    assert ctx.sync_positions_from_trade_manager() == 2
    assert sorted(wallet.positions) == ["BTC/USDT", "ETH/USDT"]
    assert ctx.validate_position_consistency()
    assert BotContext().sync_positions_from_trade_manager() == 2
