"""The page about the older names: its snippets run, and it names every module and function there is."""

import re
from pathlib import Path

import onebook
from onebook.compat import database, uninstall
from onebook.compat.bars import Database
from onebook.compat.breakers import CircuitBreaker, CircuitManager
from onebook.compat.caching import CacheManager, MemoryCache
from onebook.compat.context import BotContext, PaperWallet, PositionSyncManager
from onebook.compat.data_manager import UnifiedDataManager
from onebook.compat.event_bus import EventBus
from onebook.compat.following import Followed
from onebook.compat.live_runner import LiveStrategyRunner
from onebook.compat.managers import SingleSourceTradeManager
from onebook.compat.modules import MODULES
from onebook.compat.monitor import PositionMonitor
from onebook.compat.state_persistence import StatePersistence
from onebook.compat.state_store import StateStore
from onebook.compat.trade_bus import TradeEventBus
from onebook.compat.trade_logger import TradeLogger

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "compat.md").read_text("utf-8")


def test_the_snippets_run_one_after_the_other(place: Path) -> None:
    names: dict[str, object] = {}
    snippets = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(snippets) == 4
    for snippet in snippets:
        exec(snippet, names)  # noqa: S102  our own documentation
    uninstall()
    book = names["book"]
    assert isinstance(book, onebook.Book)
    book.close()


def test_every_name_is_on_the_page() -> None:
    for module, sources in MODULES.items():
        assert f"`{module}`" in PAGE
        for name in [name for names in sources.values() for name in names]:
            assert name in PAGE
    assert [name for name in database.__all__ if name not in PAGE] == []


def test_every_method_is_on_the_page() -> None:
    faces = (
        *(SingleSourceTradeManager, TradeEventBus, EventBus, StateStore, StatePersistence, TradeLogger),
        *(UnifiedDataManager, Database, CacheManager, MemoryCache, CircuitManager, CircuitBreaker),
        *(LiveStrategyRunner, PositionMonitor, BotContext, PaperWallet, PositionSyncManager),
    )
    for face in faces:
        names = [name for name in vars(face) if not name.startswith("_") and callable(getattr(face, name))]
        names += (
            [name for name in vars(Followed) if name.startswith("add_")] if face is SingleSourceTradeManager else []
        )
        assert [name for name in names if name not in {"close", "leave"} and name not in PAGE] == []
