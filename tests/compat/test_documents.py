"""Every Python and SQL block of documents A and B, run as it stands.

A block's id is the document's letter, its language and its place. A prelude defines only the names that the block
leaves open. Blocks of later parts of the product stand in NOT_YET with what they wait for; one that starts to work
fails the test until it is taken out.
"""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import apsw
import pytest

import onebook
from onebook.compat import database
from onebook.testing import FakeClock

SEEDS = Path(__file__).resolve().parents[3] / "shared" / "seeds"
DOCUMENTS = {"A": "A-single-source-of-truth.md", "B": "B-database-first.md"}
FENCE = re.compile(r"^```(python|sql)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COUNTED = {"A-python": 9, "B-python": 1, "B-sql": 1}

pytestmark = pytest.mark.skipif(
    not SEEDS.is_dir(), reason="THE DESIGN DOCUMENTS ARE NOT HERE: none of their code blocks is tested"
)

NOT_YET = {
    "A-python-2": "create_frontend_subscriber and add_frontend_subscriber deliver through the feed",
    "A-python-3": "create_portfolio_subscriber and add_portfolio_service_subscriber deliver through the feed",
    "A-python-4": "create_notification_subscriber and libs.notifications deliver through the feed",
    "A-python-7": "_frontend_subscribers and event_bus show the feed's subscribers and lag",
}


def blocks() -> dict[str, str]:
    """The code of every block by its id; nothing where the documents are not at hand."""
    found: dict[str, str] = {}
    for letter, name in DOCUMENTS.items():
        if not (SEEDS / name).is_file():
            continue
        counts: dict[str, int] = {}
        for language, code in FENCE.findall((SEEDS / name).read_text("utf-8")):
            counts[language] = counts.get(language, 0) + 1
            found[f"{letter}-{language}-{counts[language]}"] = code
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


PRELUDES: dict[str, Callable[[], dict[str, Any]]] = {
    "A-python-2": ui,
    "A-python-3": portfolio,
    "A-python-5": an_order,
    "A-python-6": manager,
    "A-python-7": manager,
    "A-python-9": manager,
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
    assert set(NOT_YET) | set(PRELUDES) <= set(BLOCKS)


@pytest.mark.parametrize("block", [name for name in BLOCKS if name.startswith("A-") and name not in NOT_YET])
def test_block_of_a_runs(block: str, book: onebook.Book) -> None:
    names = run(block, PRELUDES.get(block, nothing)())
    if block == "A-python-1":
        assert names["trades"] == []
        assert names["status"]["trades_count"] == 0
    if block == "A-python-5":
        assert [(fill.quantity, fill.price) for fill in book.fills()] == [(Decimal("0.5"), Decimal(60000))]


@pytest.mark.parametrize("block", NOT_YET)
def test_block_does_not_work_yet(block: str, book: onebook.Book) -> None:
    assert block in BLOCKS
    try:
        run(block, PRELUDES.get(block, nothing)())
    except (ImportError, AttributeError):
        return
    pytest.fail(f"{block} works: take it out of NOT_YET ({NOT_YET[block]})")


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
