"""Every Python and SQL block of documents A to D, and the configuration of document E, run as it stands.

A block's id is the document's letter, its language and its place. A prelude defines only the names that the block
leaves open.
"""

import json
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import apsw
import pandas as pd
import pytest
from tests.compat.waiting import eventually
from tests.market.sources import Told

import onebook
from onebook import compat
from onebook.compat import current, database
from onebook.compat.event_bus import get_event_bus
from onebook.compat.managers import get_trade_manager
from onebook.compat.state_store import get_state_store
from onebook.compat.trades import create_trade
from onebook.testing import FakeClock

SEEDS = Path(__file__).resolve().parents[3] / "shared" / "seeds"
DOCUMENTS = {
    "A": "A-single-source-of-truth.md",
    "B": "B-database-first.md",
    "C": "C-unified-data.md",
    "D": "D-trade-manager-migration.md",
    "E": "E-seamless-events.md",
}
FENCE = re.compile(r"^ *```(python|sql|yaml)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
COUNTED = {"A-python": 9, "B-python": 1, "B-sql": 1, "C-python": 13, "D-python": 5, "D-yaml": 2, "E-yaml": 1}
HEALTH = {"api_initialized", "streaming", "last_update", "cache_stats", "database_stats", "circuit_breakers"}

pytestmark = pytest.mark.skipif(
    not SEEDS.is_dir(), reason="THE DESIGN DOCUMENTS ARE NOT HERE: none of their code blocks is tested"
)


def blocks() -> dict[str, str]:
    """The code of every block by its id; nothing where the documents are not at hand."""
    found: dict[str, str] = {}
    for letter, name in DOCUMENTS.items():
        if not (SEEDS / name).is_file():
            continue
        counts: dict[str, int] = {}
        for language, code in FENCE.findall((SEEDS / name).read_text("utf-8")):
            counts[language] = counts.get(language, 0) + 1
            found[f"{letter}-{language}-{counts[language]}"] = dedent(code)
    return found


BLOCKS = blocks()

# ---- the names that the blocks leave open ----


def manager() -> dict[str, Any]:
    from crypto_bot.utils import (  # type: ignore[import-not-found]
        single_source_trade_manager as single,
    )

    found = single.get_single_source_trade_manager
    return {"get_single_source_trade_manager": found, "trade_manager": found()}


def ui() -> dict[str, Any]:
    return {"update_frontend_positions": print, "refresh_position_display": print}


def portfolio() -> dict[str, Any]:
    return {"portfolio_api": SimpleNamespace(record_trade=print)}


def an_order() -> dict[str, Any]:
    order = {"id": "7", "symbol": "BTC/USDT", "side": "buy", "filled": 0.5, "average": 60000.0, "status": "closed"}
    return {"order": order}


def nothing() -> dict[str, Any]:
    return {}


def ctx() -> dict[str, Any]:
    from onebook.compat.context import BotContext

    get_trade_manager().record_trade(create_trade("BTC/USDT", "buy", 0.5, 60000.0))
    return {"ctx": BotContext(), "trade_manager": get_trade_manager(), "symbol": "BTC/USDT"}


def frame(*_given: Any) -> Any:
    """Three real bars, whatever the document asks for."""
    index = pd.date_range("2026-01-05T08:00:00Z", periods=3, freq="1min")
    prices = {name: [1.5, 2.5, 3.5] for name in ("open", "high", "low", "close")}
    return pd.DataFrame({**prices, "volume": [1, 2, 3]}, index=index)


def an_indicator() -> dict[str, Any]:
    return {"config": {"sma": 2}}


def some_bars() -> dict[str, Any]:
    dates = {"start_date": datetime(2026, 1, 5), "end_date": datetime(2026, 1, 6)}  # noqa: DTZ001  as older programs
    return {"pd": SimpleNamespace(DataFrame=frame)} | dates


def a_database() -> dict[str, Any]:
    from onebook.compat.bars import get_database

    return {"db": get_database()}


def caches() -> dict[str, Any]:
    from onebook.compat.caching import cache_manager

    return {"cache_manager": cache_manager}


def breakers() -> dict[str, Any]:
    from onebook.compat.breakers import CircuitBreakerError, circuit_manager

    def fails(*_given: Any) -> None:
        raise CircuitBreakerError("open")

    given = {"some_api_function": fails, "arg1": 1, "arg2": 2}
    return {"circuit_manager": circuit_manager, "CircuitBreakerError": CircuitBreakerError, **given}


def data() -> dict[str, Any]:
    from onebook.compat.data_manager import get_data_manager

    return {"data_manager": get_data_manager()}


PRELUDES: dict[str, Callable[[], dict[str, Any]]] = {
    "A-python-2": ui,
    "A-python-3": portfolio,
    "A-python-5": an_order,
    "A-python-6": manager,
    "A-python-7": manager,
    "A-python-9": manager,
    "C-python-1": an_indicator,
    "C-python-2": some_bars,
    "C-python-4": breakers,
    "C-python-5": caches,
    "C-python-6": breakers,
    "C-python-8": data,
    "C-python-9": caches,
    "C-python-10": a_database,
    "C-python-11": breakers,
    "D-python-1": ctx,
    "D-python-2": ctx,
    "D-python-3": ctx,
    "D-python-4": ctx,
    "D-python-5": ctx,
}


def scratch(book: onebook.Book) -> apsw.Connection:
    """A database of its own with the document's tables, where ``today()`` is the book's day."""
    connection = apsw.Connection(":memory:")
    connection.execute(BLOCKS["B-sql-1"])

    def today(*_: object) -> str:
        return database.today(book).isoformat()

    connection.create_scalar_function("today", today, 0)
    return connection


def run(block: str, given: dict[str, Any]) -> dict[str, Any]:
    """Run a block as it stands and return its names."""
    names = dict(given)
    exec(compile(BLOCKS[block], block, "exec"), names)  # noqa: S102  the documents' own code
    return names


# ---- the blocks ----


def test_every_block_is_found() -> None:
    counts: dict[str, int] = {}
    for block in BLOCKS:
        counts[block.rpartition("-")[0]] = counts.get(block.rpartition("-")[0], 0) + 1
    assert counts == COUNTED
    assert set(PRELUDES) <= set(BLOCKS)


@pytest.mark.parametrize("block", [name for name in BLOCKS if name.startswith("A-")])
def test_block_of_a_runs(block: str, book: onebook.Book) -> None:
    names = run(block, PRELUDES.get(block, nothing)())
    if block == "A-python-1":
        assert names["trades"] == []
        assert names["status"]["trades_count"] == 0
    if block == "A-python-5":
        assert [(fill.quantity, fill.price) for fill in book.fills()] == [(Decimal("0.5"), Decimal(60000))]


@pytest.mark.parametrize(("block", "group"), [("A-python-2", "frontend"), ("A-python-3", "portfolio")])
def test_what_a_block_of_a_subscribed_is_told_of_trades(block: str, group: str, book: onebook.Book) -> None:
    told: list[Any] = []
    given = {"update_frontend_positions": told.append, "refresh_position_display": told.append}
    names = run(block, given | {"portfolio_api": SimpleNamespace(record_trade=told.append)})
    trade = create_trade("BTC/USDT", "buy", 0.5, 60000.0)
    names["trade_manager"].record_trade(trade)
    assert names["trade_manager"].get_system_status()[f"{group}_subscribers"] == 1
    eventually(lambda: len(told) == (2 if group == "frontend" else 1))
    assert told[0] == trade
    assert [item.total_amount for item in told[1:]] == [Decimal("0.5")] * (len(told) - 1)


def test_the_notifier_of_a_is_subscribed(book: onebook.Book) -> None:
    names = run("A-python-4", {})
    assert names["trade_manager"].get_system_status()["notification_subscribers"] == 1


def test_the_troubleshooting_of_a_prints_counts(book: onebook.Book, capsys: pytest.CaptureFixture[str]) -> None:
    given = manager()
    given["trade_manager"].add_frontend_subscriber(print)
    run("A-python-7", given)
    assert capsys.readouterr().out.splitlines() == ["Frontend subscribers: 1", "Event queue size: 0"]


@pytest.mark.parametrize("block", [name for name in BLOCKS if name.startswith("C-")])
def test_block_of_c_runs(block: str, asked: Told) -> None:
    names = run(block, PRELUDES.get(block, nothing)())
    if block == "C-python-1":
        assert names["price"] == 101
        assert asked.streamed == {"AAPL", "TSLA", "MSFT"}
        assert list(names["indicators"].columns) == ["sma_2"]
        assert names["health"]["streaming"] is True
    if block in {"C-python-1", "C-python-8"}:
        assert set(names["health"]) == HEALTH
        json.dumps(names["health"])
    if block == "C-python-2":
        assert list(names["data"]["close"]) == [1.5, 2.5, 3.5]
        assert names["stats"]["bars"] == 3
    if block == "C-python-3":
        assert names["value"] == "value"
        assert names["stats"]["hits"] == 1


def test_the_blocks_of_c_run_one_after_the_other(asked: Told) -> None:
    given: dict[str, Any] = {}
    for block in [name for name in BLOCKS if name.startswith("C-")]:
        given |= run(block, PRELUDES.get(block, nothing)() | given)
    assert given["status"]["api_calls"]["state"] == "closed"


@pytest.mark.parametrize("block", [name for name in BLOCKS if name.startswith("D-python-")])
def test_block_of_d_runs(block: str, book: onebook.Book) -> None:
    names = run(block, PRELUDES[block]())
    assert names["ctx"].use_trade_manager_as_source is True
    if block == "D-python-4":
        assert names["is_consistent"] is True
    if block in {"D-python-3", "D-python-5"}:
        assert names["position"].total_amount == Decimal("0.5")
    if block == "D-python-5":
        assert names["position_count"] == 1


@pytest.mark.parametrize("block", ["D-yaml-1", "D-yaml-2"])
def test_the_configuration_of_d_is_taken(block: str, place: Path) -> None:
    (place / "config").mkdir()
    (place / "config/config.yaml").write_text(BLOCKS[block])
    compat.install()
    assert current.current_book().settings is not None


def test_the_configuration_of_e_counts(place: Path) -> None:
    (place / "config").mkdir()
    (place / "config/config.yaml").write_text("exchange: kraken\n" + BLOCKS["E-yaml-1"])
    compat.install()
    get_event_bus().publish("regime_changed", {"to": "bull"})
    get_state_store().update_state("bots.trend.level", 3)
    log = place / "logs/events.log"
    eventually(lambda: log.is_file() and len(log.read_text().splitlines()) == 2)
    assert [json.loads(line)["type"] for line in log.read_text().splitlines()] == ["regime_changed", "state_changed"]
    eventually(lambda: [*(place / "data/state").glob("snapshot-*")])
    settings = current.current_book().settings
    assert settings is not None
    assert (settings.get("snapshots.every_minutes"), settings.get("snapshots.keep")) == (5, 100)
    assert settings.warnings == ()


def test_sql_of_b_runs(book: onebook.Book) -> None:
    tables = {row[0] for row in scratch(book).execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert tables == {"paper_trades", "signals"}


def test_functions_of_b_run_on_a_scratch_database_in_the_books_zone(book: onebook.Book, clock: FakeClock) -> None:
    book.record(onebook.BookSettings(zone="Asia/Kolkata"))
    clock.set("2026-01-05T20:00:00Z")
    local = datetime(2026, 1, 6, 1, 30, tzinfo=ZoneInfo("Asia/Kolkata"))
    db = scratch(book)
    insert = "INSERT INTO paper_trades (id, status, realized_pnl, exit_time) VALUES (?, ?, ?, ?)"
    db.execute(insert, (1, "TAKE_PROFIT", 12.5, f"{local:%Y-%m-%d %H:%M:%S}"))
    db.execute(insert, (2, "STOP_LOSS", -2.5, "2026-01-05 19:00:00"))
    db.execute(insert, (3, "OPEN", None, None))
    db.execute("INSERT INTO signals (id, signal_id, timestamp) VALUES (1, 's1', '2026-01-06 00:10:00')")
    names = run("B-python-1", {"db": db})
    assert names["get_daily_pnl"]().fetchall() == [(12.5,)]
    assert [row[0] for row in names["get_active_trades"]()] == [3]
    assert [row[1] for row in names["get_signals_summary"]()] == ["s1"]
    assert [row[0] for row in names["get_trading_journal"]()] == [1]


def test_functions_of_b_have_their_names_in_compat() -> None:
    names = run("B-python-1", {"db": None})
    promised = {name for name in names if name.startswith("get_")}
    assert promised == {"get_daily_pnl", "get_active_trades", "get_signals_summary", "get_trading_journal"}
    assert all(callable(getattr(database, name)) for name in promised)


def test_the_books_views_have_the_documented_columns(book: onebook.Book) -> None:
    for name in ("paper_trades", "signals"):
        documented = [row[1] for row in scratch(book).execute(f"PRAGMA table_info({name})")]
        assert [row["name"] for row in book.sql(f"PRAGMA table_info({name})")] == documented
