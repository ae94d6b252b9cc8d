"""Document B's questions and views, and taking in what an older program has."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest

import onebook
from onebook.compat import database
from onebook.testing import FakeClock

COLUMNS = {
    "paper_trades": [
        "id",
        "signal_id",
        "symbol",
        "direction",
        "entry_price",
        "position_size",
        "stop_loss",
        "take_profit",
        "entry_time",
        "exit_time",
        "exit_price",
        "status",
        "realized_pnl",
        "unrealized_pnl",
        "current_price",
        "risk_amount",
        "created_date",
    ],
    "signals": [
        "id",
        "signal_id",
        "crypto",
        "action",
        "entry_price",
        "confidence",
        "timestamp",
        "paper_trade_id",
        "status",
        "timeframe",
        "confluences",
    ],
}
OTHER_PROCESS = """
import json, sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
found = connection.execute(sys.argv[2])
print(json.dumps([[item[0] for item in found.description], found.fetchall()]))
"""
TABLES = """
CREATE TABLE paper_trades (
    id INTEGER PRIMARY KEY, signal_id TEXT, symbol TEXT, direction TEXT, entry_price REAL, position_size REAL,
    stop_loss REAL, take_profit REAL, entry_time TEXT, exit_time TEXT, exit_price REAL, status TEXT,
    realized_pnl REAL, unrealized_pnl REAL, current_price REAL, risk_amount REAL, created_date TEXT);
CREATE TABLE signals (
    id INTEGER PRIMARY KEY, signal_id TEXT UNIQUE, crypto TEXT, action TEXT, entry_price REAL, confidence REAL,
    timestamp TEXT, paper_trade_id TEXT, status TEXT, timeframe TEXT, confluences TEXT);
"""


def fact(kind: Any, /, **given: Any) -> Any:
    """A fact from plain values, which it converts."""
    return kind(**given)


def seen(*values: object) -> tuple[object, ...]:
    """Values to compare by what they are worth: 1 is as good as Decimal(1)."""
    return values


def outside(book: onebook.Book, query: str) -> tuple[list[str], list[list[object]]]:
    """Ask the book's file from another process, with that process's own SQLite."""
    path = book.status().url
    done = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, path, query], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    names, rows = json.loads(done.stdout)
    return names, rows


def fill(side: str, quantity: object, price: object, **more: object) -> Any:
    given = {"instrument": "BTC/USDT", "side": side, "quantity": quantity, "price": price}
    return fact(onebook.Fill, **(given | more))


@pytest.fixture
def traded(book: onebook.Book, clock: FakeClock) -> onebook.Book:
    """A signal, the trade it led to, ended by its target; a second one still open."""
    book.record(
        fact(
            onebook.Signal,
            signal_id="s1",
            instrument="BTC/USDT",
            action="buy",
            price=100,
            stop_loss=90,
            take_profit=120,
            confidence="0.8",
            timeframe="1h",
            confluences=("trend", "volume"),
        )
    )
    book.record(fill("buy", 2, 100, signal_id="s1", fee="0.5"))
    clock.advance(60)
    book.record(fill("sell", 2, 120, fee="0.5", close_reason="take_profit"))
    book.record(fact(onebook.Signal, signal_id="s2", instrument="ETH/USDT", action="sell"))
    book.record(fill("sell", 3, 10, instrument="ETH/USDT", signal_id="s2"))
    book.mark("ETH/USDT", 9)
    return book


# ---- the views, from outside ----


@pytest.mark.parametrize("view", COLUMNS)
def test_views_have_the_documented_columns(view: str, traded: onebook.Book) -> None:
    assert outside(traded, f"SELECT * FROM {view}")[0] == COLUMNS[view]  # noqa: S608  a name of ours


def test_the_view_of_trades_read_by_another_process(traded: onebook.Book) -> None:
    rows = outside(traded, "SELECT * FROM paper_trades ORDER BY id")[1]
    ended, held = (dict(zip(COLUMNS["paper_trades"], row, strict=True)) for row in rows)
    assert ended | {"id": 0} == {
        "id": 0,
        "signal_id": "s1",
        "symbol": "BTC/USDT",
        "direction": "LONG",
        "entry_price": 100.0,
        "position_size": 2.0,
        "stop_loss": 90.0,
        "take_profit": 120.0,
        "entry_time": "2026-01-05 09:00:00",
        "exit_time": "2026-01-05 09:01:00",
        "exit_price": 120.0,
        "status": "TAKE_PROFIT",
        "realized_pnl": 39.0,
        "unrealized_pnl": None,
        "current_price": None,
        "risk_amount": 20.0,
        "created_date": "2026-01-05",
    }
    assert (held["symbol"], held["direction"], held["status"]) == ("ETH/USDT", "SHORT", "OPEN")
    assert (held["exit_time"], held["current_price"], held["unrealized_pnl"]) == (None, 9.0, 3.0)


def test_the_view_of_signals_read_by_another_process(traded: onebook.Book) -> None:
    rows = outside(traded, "SELECT * FROM signals ORDER BY id")[1]
    first, second = (dict(zip(COLUMNS["signals"], row, strict=True)) for row in rows)
    trips = {trip.signal_id: str(trip.id) for trip in traded.round_trips()}
    assert (first["crypto"], first["action"], first["status"]) == ("BTC/USDT", "BUY", "CLOSED")
    assert (first["entry_price"], first["confidence"], first["timeframe"]) == (100.0, 0.8, "1h")
    assert json.loads(str(first["confluences"])) == ["trend", "volume"]
    assert first["timestamp"] == "2026-01-05 09:00:00"
    assert (second["status"], second["entry_price"]) == ("EXECUTED", None)
    assert [first["paper_trade_id"], second["paper_trade_id"]] == [trips["s1"], trips["s2"]]


@pytest.mark.parametrize(
    ("reason", "status"),
    [("", "CLOSED"), ("stop_loss", "STOP_LOSS"), ("end_of_day", "EOD_CLOSE"), ("kill_switch", "KILL_SWITCH")],
)
def test_view_and_function_say_the_same_close_reason(reason: str, status: str, book: onebook.Book) -> None:
    book.record(fill("buy", 1, 100))
    book.record(fill("sell", 1, 90, close_reason=reason))
    assert outside(book, "SELECT status FROM paper_trades")[1] == [[status]]
    assert [row["status"] for row in database.get_trading_journal()] == [status]


@pytest.mark.parametrize(
    ("symbol", "size", "settle", "worth"), [("BTC/USD:BTC", 100, "BTC", 0.004), ("BTC/USDT:USDT", "0.01", "USDT", 1250)]
)
def test_the_view_shows_contracts_per_unit(
    symbol: str, size: object, settle: str, worth: float, book: onebook.Book
) -> None:
    quote = "USD" if settle == "BTC" else "USDT"
    terms = {"kind": "perpetual", "base": "BTC", "quote": quote, "settle": settle, "contract_size": size}
    book.record(fact(onebook.Instrument, symbol=symbol, **terms))
    book.record(fill("buy", 10, 50000, instrument=symbol))
    book.mark(symbol, 62500)
    rows = outside(book, "SELECT entry_price, unrealized_pnl FROM paper_trades")[1]
    assert rows == [[50000.0, pytest.approx(worth)]]


# ---- the questions ----


def test_questions_are_answered_by_the_database(traded: onebook.Book) -> None:
    (ended,) = database.get_trading_journal()
    (held,) = database.get_active_trades()
    assert list(ended) == list(held) == COLUMNS["paper_trades"]
    assert (ended["realized_pnl"], ended["risk_amount"], ended["stop_loss"]) == (39, 20, 90)
    assert (held["direction"], held["unrealized_pnl"], held["current_price"]) == ("SHORT", 3, 9)
    assert held["entry_time"].isoformat() == "2026-01-05T09:01:00+00:00"
    newest, oldest = database.get_signals_summary()
    assert list(newest) == COLUMNS["signals"]
    assert (newest["signal_id"], oldest["signal_id"], oldest["status"]) == ("s2", "s1", "CLOSED")
    assert oldest["paper_trade_id"] == str(ended["id"])
    assert database.get_daily_pnl() == 39


def test_today_is_the_books_day(traded: onebook.Book, clock: FakeClock) -> None:
    clock.set("2026-01-06T04:00:00Z")
    assert database.get_daily_pnl() == 0
    assert database.get_trading_journal() == database.get_signals_summary() == []
    assert len(database.get_active_trades()) == 1
    traded.record(onebook.BookSettings(zone="America/New_York", rolls_at="00:00"))
    assert database.today().isoformat() == "2026-01-05"
    assert (len(database.get_trading_journal()), len(database.get_signals_summary())) == (1, 2)


def test_daily_pnl_counts_a_partial_exit_on_its_day(book: onebook.Book, clock: FakeClock) -> None:
    book.record(fill("buy", 2, 100))
    book.record(fill("sell", 1, 110))
    assert seen(database.get_daily_pnl(), database.get_trading_journal()) == (10, [])
    clock.set("2026-01-06T09:00:00Z")
    book.record(fill("sell", 1, 105))
    assert database.get_daily_pnl() == 5
    assert [row["realized_pnl"] for row in database.get_trading_journal()] == [15]
    whole = "SELECT SUM(realized_pnl) FROM paper_trades WHERE date(exit_time) = '2026-01-06'"
    assert outside(book, whole)[1] == [[15.0]]


def test_daily_pnl_in_another_currency(book: onebook.Book) -> None:
    book.record(fact(onebook.Rate, base="EUR", quote="USD", price="1.1", occurred_at="2026-01-05T00:00:00Z"))
    for symbol in ("A/EUR", "A/USD"):
        book.record(fill("buy", 1, 100, instrument=symbol))
        book.record(fill("sell", 1, 110, instrument=symbol))
    assert database.get_daily_pnl() == database.get_daily_pnl(currency="USD") == 21


# ---- signals that were in memory ----

LIVE = {
    "signal_id": "m1",
    "crypto": "BTC/USDT",
    "action": "BUY",
    "entry_price": 100.5,
    "confidence": 0.75,
    "timestamp": "2026-01-05T08:00:00",
    "status": "EXECUTED",
    "timeframe": "15m",
    "confluences": ["a", "b"],
}


def test_signals_are_taken_in_once(book: onebook.Book) -> None:
    nameless = {"symbol": "ETH/USDT", "direction": "SHORT", "entry_price": 10, "timestamp": "2026-01-05 08:00:00"}
    listed = [LIVE, nameless, LIVE | {"signal_id": "m2", "action": "HOLD"}]
    report = database.migrate_signals(listed)
    assert (report.recorded, report.exists, [item.index for item in report.refused]) == (2, 0, [2])
    head = book.status().entries
    again = database.migrate_signals(listed)
    assert (again.recorded, again.exists, book.status().entries) == (0, 2, head)
    first = next(item for item in book.signals() if item.signal_id == "m1")
    assert (first.status, first.price, first.confidence) == ("EXECUTED", Decimal("100.5"), Decimal("0.75"))
    assert (first.confluences, first.occurred_at.isoformat()) == (("a", "b"), "2026-01-05T08:00:00+00:00")


@pytest.mark.parametrize(
    ("confluences", "taken"),
    [('["a", "b"]', ("a", "b")), ("a, b", ("a", "b")), (None, ()), ("", ()), (["a"], ("a",))],
)
def test_confluences_in_every_older_shape(confluences: object, taken: tuple[str, ...], book: onebook.Book) -> None:
    database.migrate_signals([LIVE | {"confluences": confluences}])
    assert book.signals()[0].confluences == taken


def test_zone_percent_and_names_are_said(book: onebook.Book) -> None:
    row = LIVE | {"confidence": 85, "crypto": "BTCUSDT"}
    assert "percent" in str(database.migrate_signals([row]).refused[0].error)
    database.migrate_signals([row], full_confidence=100, zone="Asia/Kolkata", rename={"BTCUSDT": "BTC/USDT"})
    (taken,) = book.signals()
    assert (taken.instrument, taken.confidence) == ("BTC/USDT", Decimal("0.85"))
    assert taken.occurred_at.isoformat() == "2026-01-05T02:30:00+00:00"


# ---- an existing database ----


@pytest.fixture
def old(place: Path) -> Path:
    """A document B database: one trade ended by its stop, one open, one malformed, and their signals."""
    path = place / "old.db"
    connection = apsw.Connection(str(path))
    connection.execute(TABLES)
    names = "id, signal_id, symbol, direction, entry_price, position_size, stop_loss, entry_time, exit_time"
    names += ", exit_price, status"
    connection.executemany(
        f"INSERT INTO paper_trades ({names}) VALUES (?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608  names of ours
        [
            (
                1,
                "g1",
                "BTC/USDT",
                "SHORT",
                100.1,
                0.3,
                110,
                "2026-01-02 09:00:00",
                "2026-01-02 10:00:00",
                110,
                "STOP_LOSS",
            ),
            (2, None, "BTC/USDT", "LONG", 50, 2, 45, "2026-01-02 09:30:00", None, None, "OPEN"),
            (3, None, "ETH/USDT", "LONG", None, 2, None, "2026-01-02 09:30:00", None, None, "OPEN"),
            (4, None, "ETH/USDT", "LONG", 5, 2, None, "2026-01-02 09:30:00", "2026-01-02 16:00:00", 6, "TARGET 2"),
        ],
    )
    connection.execute(
        "INSERT INTO signals (id, signal_id, crypto, action, entry_price, timestamp, status) VALUES"
        " (1, 'g1', 'BTC/USDT', 'SELL', 100, '2026-01-02 08:59:00', 'EXECUTED'),"
        " (2, 'g2', 'BTC/USDT', 'BUY', 101, '2026-01-02 08:59:30', 'EXPIRED')"
    )
    connection.close()
    return path


def test_an_existing_database_is_taken_in_once(old: Path, book: onebook.Book) -> None:
    before = old.read_bytes()
    report = database.migrate_paper_trades(old)
    assert [item.index for item in report.refused] == [2]
    assert (report.recorded, report.conflicts) == (8, 0)
    head = book.status().entries
    again = database.migrate_paper_trades(old)
    assert (again.recorded, again.conflicts, book.status().entries) == (0, 0, head)
    assert old.read_bytes() == before
    trips = {(trip.instrument, trip.direction): trip for trip in book.round_trips()}
    stopped = trips["BTC/USDT", "short"]
    assert seen(stopped.net, stopped.close_reason, stopped.stop_loss) == (Decimal("-2.97"), "stop_loss", 110)
    assert seen(trips["BTC/USDT", "long"].is_open, trips["BTC/USDT", "long"].stop_loss) == (True, 45)
    assert trips["ETH/USDT", "long"].net == 2
    assert {item.signal_id: item.status for item in book.signals()} == {
        "g1": "CLOSED",
        "g2": "EXPIRED",
        "paper_trades:2": "EXECUTED",
    }
    notes = [item.note for item in book.fills(instrument="ETH/USDT")]
    assert notes == ["", "status TARGET 2"]


def test_a_trade_that_ended_since_is_brought_up_to_date(old: Path, book: onebook.Book) -> None:
    database.migrate_paper_trades(old)
    connection = apsw.Connection(str(old))
    connection.execute(
        "UPDATE paper_trades SET exit_time = '2026-01-03 10:00:00', exit_price = 60, status = 'EOD_CLOSE' WHERE id = 2"
    )
    connection.close()
    assert database.migrate_paper_trades(old).recorded == 1
    trip = next(trip for trip in book.round_trips() if trip.direction == "long" and trip.instrument == "BTC/USDT")
    assert seen(trip.net, trip.close_reason) == (20, "end_of_day")


def test_paper_money_stays_apart_from_live_money(old: Path, traded: onebook.Book) -> None:
    database.migrate_paper_trades(old)
    assert {trip.account for trip in traded.round_trips()} == {"main", "paper"}
    assert database.get_daily_pnl() == 39
    assert traded.verify().ok


def test_a_file_that_cannot_be_taken_in_says_why(place: Path, book: onebook.Book) -> None:
    with pytest.raises(onebook.StoreError, match="does not exist"):
        database.migrate_paper_trades(place / "none.db")
    with pytest.raises(onebook.InputError, match="is a book already"):
        database.migrate_paper_trades(place / "trading.db")
    (place / "text.db").write_text("no database" * 100)
    with pytest.raises(onebook.StoreError):
        database.migrate_paper_trades(place / "text.db")
    apsw.Connection(str(place / "bare.db")).execute("CREATE TABLE other (id)")
    with pytest.raises(onebook.InputError, match="no table paper_trades"):
        database.migrate_paper_trades(place / "bare.db")
    apsw.Connection(str(place / "odd.db")).execute("CREATE TABLE paper_trades (id)")
    with pytest.raises(onebook.InputError, match="no column"):
        database.migrate_paper_trades(place / "odd.db")
