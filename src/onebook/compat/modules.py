"""The import paths of the older names, and the finder that supplies those modules that are missing.

A module that the user has is never touched, unless it is named in ``replace``. A package is supplied only where
the user has none, and holds nothing of its own.
"""

import importlib
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from onebook.errors import InputError

_MANAGERS = "onebook.compat.managers"
_TRADES = "onebook.compat.trades"
_DATA = "onebook.compat.data_manager"
_DATA_NAMES = ("UnifiedDataManager", "cleanup_data_manager", "get_data_manager")

MODULES: dict[str, dict[str, tuple[str, ...]]] = {
    "crypto_bot.utils.single_source_trade_manager": {
        _MANAGERS: (
            "SingleSourceTradeManager",
            "get_single_source_trade_manager",
            "get_trade_manager",
            "reset_single_source_trade_manager",
        ),
        "onebook.compat.events": ("TradeEvent",),
        "onebook.compat.trade_bus": ("TradeEventBus",),
        "onebook.compat.notifying": (
            "create_frontend_subscriber",
            "create_notification_subscriber",
            "create_portfolio_subscriber",
        ),
        _TRADES: ("create_trade", "is_test_position"),
    },
    "crypto_bot.utils.trade_manager": {
        _MANAGERS: ("TradeManager", "get_trade_manager", "reset_trade_manager"),
        "onebook.compat.context": ("PositionSyncManager",),
        "onebook.compat.positions": ("Position",),
        _TRADES: ("Trade", "create_trade", "is_test_position"),
    },
    "crypto_bot.utils.trade_logger": {"onebook.compat.order_log": ("get_trade_summary", "log_trade")},
    "crypto_bot.paper_wallet": {"onebook.compat.context": ("PaperWallet",)},
    "crypto_bot.phase_runner": {"onebook.compat.context": ("BotContext",)},
    "crypto_bot.position_monitor": {"onebook.compat.monitor": ("PositionMonitor",)},
    "engine.event_bus": {"onebook.compat.event_bus": ("EventBus", "get_event_bus")},
    "engine.live_runner": {"onebook.compat.live_runner": ("LiveStrategyRunner",)},
    "engine.position_monitor": {"onebook.compat.monitor": ("PositionMonitor",)},
    "engine.state_persistence": {"onebook.compat.state_persistence": ("StatePersistence", "get_state_persistence")},
    "engine.state_store": {"onebook.compat.state_store": ("StateStore", "get_state_store")},
    "engine.trade_logger": {"onebook.compat.trade_logger": ("TradeLogger",)},
    "libs.notifications": {"onebook.compat.notifying": ("TelegramNotifier",)},
    "realtime_manager": {_DATA: _DATA_NAMES},
    "realtime_manager_flask": {_DATA: _DATA_NAMES},
    "services.circuit_breaker": {
        "onebook.compat.breakers": ("CircuitBreaker", "CircuitBreakerError", "circuit_manager")
    },
    "services.database_abstraction": {"onebook.compat.bars": ("close_database", "get_database")},
    "services.memory_cache": {"onebook.compat.caching": ("MemoryCache", "cache_manager")},
    "services.unified_data_manager": {_DATA: _DATA_NAMES},
}
"""Older module -> module here -> the names it gives."""

_ABOVE = {above for name in MODULES for above in (name.rpartition(".")[0], name.partition(".")[0])}
PACKAGES = frozenset(_ABOVE - {"", *MODULES})


class FaceLoader(Loader):
    """Makes a module of the older name, with the documented names in it."""

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module."""
        name = module.__name__
        if name in PACKAGES:
            module.__doc__ = "Supplied by onebook, so that older modules below it can be imported."
            return
        given: list[str] = []
        for source, names in MODULES[name].items():
            found = importlib.import_module(source)
            for item in names:
                setattr(module, item, getattr(found, item))
            given += names
        module.__doc__ = "The older names over one book, supplied by onebook.compat."
        module.__dict__["__all__"] = sorted(given)


class FaceFinder(MetaPathFinder):
    """Finds older modules; last in line it supplies what is missing, first in line it replaces.

    Args:
        names: the modules it may supply.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to make the module, None for every other one."""
        if fullname not in self.names:
            return None
        return ModuleSpec(fullname, FaceLoader(), origin="onebook.compat", is_package=fullname in PACKAGES)


_missing = FaceFinder({*MODULES, *PACKAGES})
_replacing: FaceFinder | None = None
_displaced: dict[str, ModuleType] = {}


def supply(replace: Iterable[str]) -> None:
    """Make the older modules importable.

    Args:
        replace: modules to put in place of the user's.

    Raises:
        InputError: there is no such older module.
    """
    global _replacing
    wanted = [replace] if isinstance(replace, str) else list(replace)
    for name in wanted:
        if name not in MODULES:
            msg = f"replace: {name!r} is none of {', '.join(sorted(MODULES))}"
            raise InputError(msg, field="replace", value=name)
    if _missing not in sys.meta_path:
        sys.meta_path.append(_missing)
    if wanted:
        earlier = _replacing.names if _replacing is not None else frozenset()
        _drop_replacing()
        _replacing = FaceFinder({*earlier, *wanted})
        sys.meta_path.insert(0, _replacing)
        for name in wanted:
            _displace(name)


def withdraw() -> None:
    """Undo :func:`supply`: supplied modules are gone, replaced ones are back."""
    _drop_replacing()
    if _missing in sys.meta_path:
        sys.meta_path.remove(_missing)
    for name, module in list(sys.modules.items()):
        if name in {*MODULES, *PACKAGES} and _is_ours(module):
            _forget(name, module)
    for name, module in _displaced.items():
        sys.modules[name] = module
        _hang(name, module)
    _displaced.clear()


def _drop_replacing() -> None:
    global _replacing
    if _replacing is not None:
        sys.meta_path.remove(_replacing)
        _replacing = None


def _is_ours(module: ModuleType) -> bool:
    return isinstance(getattr(module.__spec__, "loader", None), FaceLoader)


def _displace(name: str) -> None:
    there = sys.modules.get(name)
    if there is not None and not _is_ours(there):
        _displaced[name] = there
        _forget(name, there)


def _forget(name: str, module: ModuleType) -> None:
    del sys.modules[name]
    package, _, last = name.rpartition(".")
    parent = sys.modules.get(package)
    if parent is not None and getattr(parent, last, None) is module:
        delattr(parent, last)


def _hang(name: str, module: ModuleType) -> None:
    package, _, last = name.rpartition(".")
    parent = sys.modules.get(package)
    if parent is not None:
        setattr(parent, last, module)
