"""Which modules are supplied, and that the user's own are left alone."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import onebook
from onebook import compat
from onebook.compat.modules import MODULES

PROMISED = {
    "crypto_bot.utils.single_source_trade_manager": (
        "SingleSourceTradeManager TradeEvent TradeEventBus create_frontend_subscriber create_notification_subscriber"
        " create_portfolio_subscriber create_trade get_single_source_trade_manager get_trade_manager is_test_position"
        " reset_single_source_trade_manager"
    ),
    "crypto_bot.utils.trade_manager": (
        "Position PositionSyncManager Trade TradeManager create_trade get_trade_manager is_test_position"
        " reset_trade_manager"
    ),
    "crypto_bot.utils.trade_logger": "get_trade_summary log_trade",
    "crypto_bot.paper_wallet": "PaperWallet",
    "crypto_bot.phase_runner": "BotContext",
    "crypto_bot.position_monitor": "PositionMonitor",
    "engine.event_bus": "EventBus get_event_bus",
    "engine.live_runner": "LiveStrategyRunner",
    "engine.position_monitor": "PositionMonitor",
    "engine.state_persistence": "StatePersistence get_state_persistence",
    "engine.state_store": "StateStore get_state_store",
    "engine.trade_logger": "TradeLogger",
    "libs.notifications": "TelegramNotifier",
    "realtime_manager": "UnifiedDataManager cleanup_data_manager get_data_manager",
    "realtime_manager_flask": "UnifiedDataManager cleanup_data_manager get_data_manager",
    "services.circuit_breaker": "CircuitBreaker CircuitBreakerError circuit_manager",
    "services.database_abstraction": "close_database get_database",
    "services.memory_cache": "MemoryCache cache_manager",
    "services.unified_data_manager": "UnifiedDataManager cleanup_data_manager get_data_manager",
}

TOP = {name.partition(".")[0] for name in PROMISED}


@pytest.fixture
def own(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's own program, first on the path, gone from memory afterwards."""
    monkeypatch.syspath_prepend(str(place))
    yield place
    compat.uninstall()
    for name in [name for name in sys.modules if name.split(".")[0] in TOP]:
        del sys.modules[name]


def write(place: Path, name: str, text: str = "") -> None:
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    importlib.invalidate_caches()


@pytest.mark.parametrize("name", PROMISED)
def test_each_module_has_exactly_its_names(name: str, book: onebook.Book) -> None:
    module = importlib.import_module(name)
    assert module.__all__ == PROMISED[name].split()
    assert all(hasattr(module, item) for item in module.__all__)
    assert module.__name__ == name
    assert set(PROMISED) == set(MODULES)


def test_nothing_is_there_before_install_and_after_uninstall() -> None:
    supplied = ("crypto_bot.utils.trade_logger", "engine.event_bus", "libs.notifications", "services.memory_cache")
    for name in (*supplied, "realtime_manager"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)
        compat.install()
        compat.install()
        importlib.import_module(name)
        compat.uninstall()
    assert not [name for name in sys.modules if name.partition(".")[0] in TOP]


def test_a_users_module_is_left_alone_and_only_missing_ones_are_supplied(own: Path) -> None:
    write(own, "crypto_bot/__init__.py")
    write(own, "crypto_bot/utils/__init__.py", "MINE = 1\n")
    write(own, "crypto_bot/utils/trade_manager.py", "MINE = 2\n")
    write(own, "crypto_bot/main.py", "MINE = 3\n")
    compat.install()
    assert importlib.import_module("crypto_bot.utils").MINE == 1
    assert importlib.import_module("crypto_bot.utils.trade_manager").MINE == 2
    assert importlib.import_module("crypto_bot.main").MINE == 3
    assert importlib.import_module("crypto_bot.utils.trade_logger").log_trade
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("crypto_bot.utils.other")


def test_a_folder_without_init_stays_the_users(own: Path) -> None:
    write(own, "crypto_bot/logs/kept.txt")
    write(own, "crypto_bot/main.py", "MINE = 3\n")
    compat.install()
    assert importlib.import_module("crypto_bot.utils.trade_manager").Trade
    assert importlib.import_module("crypto_bot.main").MINE == 3


def test_replacing_is_on_purpose_and_undone(own: Path) -> None:
    write(own, "crypto_bot/utils/trade_manager.py", "MINE = 2\n")
    mine = importlib.import_module("crypto_bot.utils.trade_manager")
    compat.install(replace=["crypto_bot.utils.trade_manager"])
    ours = importlib.import_module("crypto_bot.utils.trade_manager")
    assert ours.Trade is onebook.compat.trades.Trade
    assert importlib.import_module("crypto_bot.utils").trade_manager is ours
    compat.uninstall()
    assert importlib.import_module("crypto_bot.utils.trade_manager") is mine
    assert importlib.import_module("crypto_bot.utils").trade_manager is mine


def test_an_unknown_module_cannot_be_replaced() -> None:
    with pytest.raises(onebook.InputError, match=r"crypto_bot\.main"):
        compat.install(replace=["crypto_bot.main"])


def test_both_modules_give_the_same_manager(book: onebook.Book) -> None:
    single = importlib.import_module("crypto_bot.utils.single_source_trade_manager")
    plain = importlib.import_module("crypto_bot.utils.trade_manager")
    assert single.get_trade_manager() is plain.get_trade_manager() is single.get_single_source_trade_manager()
    assert isinstance(plain.get_trade_manager(), plain.TradeManager)
    assert plain.get_trade_manager().book is book


def test_a_module_of_the_users_engine_is_left_alone(own: Path) -> None:
    write(own, "engine/__init__.py", "MINE = 1\n")
    write(own, "engine/event_bus.py", "MINE = 2\n")
    compat.install()
    try:
        assert importlib.import_module("engine.event_bus").MINE == 2
        assert importlib.import_module("engine.state_store").StateStore
    finally:
        for name in ("engine", "engine.event_bus"):
            del sys.modules[name]


def test_a_users_top_level_module_is_left_alone_and_the_services_are_filled_in(own: Path) -> None:
    write(own, "realtime_manager.py", "MINE = 1\n")
    write(own, "services/__init__.py", "MINE = 2\n")
    write(own, "services/memory_cache.py", "MINE = 3\n")
    compat.install()
    assert importlib.import_module("realtime_manager").MINE == 1
    assert importlib.import_module("services").MINE == 2
    assert importlib.import_module("services.memory_cache").MINE == 3
    assert importlib.import_module("services.circuit_breaker").circuit_manager
    assert importlib.import_module("realtime_manager_flask").get_data_manager


def test_the_older_and_the_newer_name_give_the_same_data_manager(book: onebook.Book) -> None:
    names = ("realtime_manager", "realtime_manager_flask", "services.unified_data_manager")
    found = [importlib.import_module(name).get_data_manager() for name in names]
    assert found[0] is found[1] is found[2]
    monitors = [
        importlib.import_module(f"{name}.position_monitor").PositionMonitor for name in ("engine", "crypto_bot")
    ]
    assert monitors[0] is monitors[1]
