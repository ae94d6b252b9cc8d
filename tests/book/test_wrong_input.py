"""Wrong input: refused with the reason and what to do, and nothing half-written."""

import multiprocessing
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest

import onebook
from onebook import (
    CashMovement,
    CorporateAction,
    Fill,
    InputError,
    NaiveTime,
    NotABook,
    OpeningBalance,
    PrecisionLost,
    Rate,
    SchemaTooNew,
    StoreBusy,
    StoreClosed,
    StoreError,
)


def fill(**changes: Any) -> Fill:
    given: dict[str, Any] = {"instrument": "BTC/USDT", "side": "buy", "quantity": "1", "price": "100"}
    return Fill(**(given | changes))


WRONG: list[tuple[dict[str, Any], type[InputError], str]] = [
    ({"quantity": 0.1}, PrecisionLost, "write quantity='0.1' or quantity=onebook.exact(0.1)"),
    ({"price": 1e-12}, PrecisionLost, "onebook.exact(1e-12)"),
    ({"price": float("nan")}, PrecisionLost, "price"),
    ({"quantity": True}, InputError, "quantity: True is not a number"),
    ({"quantity": None}, InputError, "quantity"),
    ({"quantity": "0"}, InputError, "quantity: 0 is not above 0"),
    ({"quantity": "-1"}, InputError, "the side says the direction"),
    ({"price": "-1"}, InputError, "price: -1 is below 0"),
    ({"price": "1e400"}, PrecisionLost, "more than 20 digits before the point"),
    ({"price": Decimal("1e400")}, PrecisionLost, "more than 20 digits before the point"),
    ({"price": "1e-400"}, PrecisionLost, "at most 18 are kept exactly"),
    ({"price": 10**20}, PrecisionLost, "more than 20 digits before the point"),
    ({"price": "0.1234567890123456789"}, PrecisionLost, "19 places after the point; at most 18"),
    ({"price": "1" * 300}, InputError, "is not a number"),
    ({"price": "NaN"}, InputError, "price: NaN"),
    ({"price": "Infinity"}, InputError, "price: Infinity"),
    ({"price": Decimal("sNaN")}, InputError, "price"),
    ({"price": "1,5"}, InputError, "'1,5' is not a number"),
    ({"price": "1_000"}, InputError, "'1_000' is not a number"),
    ({"price": "١٢"}, InputError, "is not a number"),
    ({"price": ""}, InputError, "'' is not a number"),
    ({"instrument": ""}, InputError, "instrument: is missing"),
    ({"instrument": 7}, InputError, "write instrument='7'"),
    ({"instrument": "BTC\n/USDT"}, InputError, "instrument"),
    ({"instrument": "X" * 201}, InputError, "longer than 200"),
    ({"account": ""}, InputError, "account: is missing"),
    ({"side": "long"}, InputError, "none of buy, sell"),
    ({"leg": "both"}, InputError, "leg"),
    ({"close_reason": "boredom"}, InputError, "close_reason"),
    ({"fee": 0.1}, PrecisionLost, "fee='0.1'"),
    ({"occurred_at": datetime(2024, 6, 3, 12)}, NaiveTime, "has no zone"),  # noqa: DTZ001
    ({"occurred_at": "2024-06-03T12:00:00"}, NaiveTime, "write 2024-06-03T12:00:00Z"),
    ({"occurred_at": "2024-06-03"}, NaiveTime, "zone"),
    ({"occurred_at": "yesterday"}, InputError, "write it as 2026-01-31T09:30:00Z"),
    ({"occurred_at": "2024-13-03T12:00:00Z"}, InputError, "is not a time"),
    ({"occurred_at": "1969-12-31T23:59:59Z"}, InputError, "before 1970"),
    ({"occurred_at": 1717416000}, InputError, "is not a time"),
    ({"occurred_ns": 1.5}, InputError, "occurred_ns"),
    ({"occurred_ns": [0], "occurred_at": "2026-01-01T00:00:00Z"}, InputError, "is not a whole number of nanoseconds"),
    ({"occurred_ns": True, "occurred_at": "1970-01-01T00:00:00Z"}, InputError, "is not a whole number of nanoseconds"),
    ({"raw": []}, InputError, "raw"),
    ({"raw": {"x": object()}}, InputError, "raw"),
    ({"tags": 7}, InputError, "tags"),
    ({"venue_fill_id": 8841}, InputError, "write venue_fill_id='8841'"),
    ({"venue_fill_id": " 8841"}, InputError, "begins or ends with a space"),
]


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    WRONG,
    ids=lambda part: "" if isinstance(part, type) else re.sub(r" object at 0x\w+", "", str(part))[:60],
)
def test_a_malformed_fill(changes: dict[str, Any], error: type[InputError], says: str) -> None:
    with pytest.raises(error, match=re.escape(says)) as caught:
        fill(**changes)
    assert caught.value.code == type(caught.value).__name__
    assert not caught.value.retryable
    name = next(iter(changes))
    assert name.removesuffix("_ns") in str(caught.value)


def test_a_fill_without_an_instrument() -> None:
    with pytest.raises(TypeError, match="instrument"):
        Fill(side="buy", quantity=1, price=1)  # type: ignore[call-arg]


OTHERS: list[tuple[Callable[[], Any], str]] = [
    (lambda: CashMovement(currency="USD", amount=0), "amount: is 0"),
    (lambda: CorporateAction(instrument="AAPL", kind="split", numerator=2), "denominator: is missing"),
    (lambda: CorporateAction(instrument="AAPL", kind="split", numerator=2, denominator=0), "denominator"),
    (lambda: CorporateAction(instrument="AAPL", kind="dividend"), "amount: is missing"),
    (lambda: CorporateAction(instrument="AAPL", kind="symbol_change"), "new_symbol: is missing"),
    (lambda: OpeningBalance(currency="USD"), "currency and amount, or instrument and quantity"),
    (lambda: OpeningBalance(currency="USD", amount=1, instrument="X", quantity=1), "currency and amount, or"),
    (lambda: Rate(base="USD", quote="USD", price=1), "both USD"),
    (lambda: Rate(base="EUR", quote="USD", price=0), "is not above 0"),
    (lambda: onebook.Transfer(asset="USD", amount=1, from_account="a", to_account="a"), "the same"),
    (lambda: onebook.Transfer(asset="USD", amount=1, from_account="a", received_at="0001-01-01T00:00:00Z"), "1970"),
    (lambda: onebook.Reassign(instrument="X", quantity=1, from_strategy="a", to_strategy="a"), "the same"),
    (lambda: onebook.Order(instrument="X", side="buy", quantity=1, kind="hope"), "none of market, limit"),
    (lambda: onebook.OrderUpdate(client_order_id="o", status="done"), "none of"),
    (lambda: onebook.Signal(instrument="X", action="hold"), "none of buy, sell"),
    (lambda: onebook.Instrument(symbol="X", contract_size=0), "is not above 0"),
    (lambda: onebook.Account(name="a", mode="both"), "none of netting, hedging"),
]


@pytest.mark.parametrize(("make", "says"), OTHERS, ids=lambda part: part if isinstance(part, str) else "")
def test_another_malformed_fact(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        make()


def test_a_wrong_zone_or_roll_changes_nothing(book: onebook.Book) -> None:
    with pytest.raises(InputError, match="'Mars/Base' is not a time zone"):
        book.record(onebook.BookSettings(zone="Mars/Base"))
    with pytest.raises(InputError, match="write it as 17:00"):
        book.record(onebook.BookSettings(rolls_at="25:00"))
    assert book.status().entries == 0


def test_what_is_no_fact(book: onebook.Book) -> None:
    for thing in ({"side": "buy"}, None, "a fill", 7):
        with pytest.raises(InputError, match="is not a fact"):
            book.record(thing)  # type: ignore[arg-type]
    assert book.status().entries == 0


def test_a_bad_one_in_a_batch_fails_alone(book: onebook.Book) -> None:
    book.record(onebook.Order(instrument="BTC/USDT", side="buy", quantity=1, client_order_id="o"))
    good = [fill(client_fill_id=str(number)) for number in range(4)]
    refused = onebook.OrderUpdate(client_order_id="o", status="denied")
    report = book.record_many([good[0], good[1], refused, good[1], good[2], "nonsense", good[3]])  # type: ignore[list-item]
    assert (report.recorded, report.exists, report.conflicts) == (4, 1, 0)
    assert [(item.index, type(item.error).__name__) for item in report.refused] == [
        (2, "InvalidTransition"),
        (5, "InputError"),
    ]
    assert (report.first_sequence, report.last_sequence) == (2, 5)
    held = book.position("BTC/USDT")
    assert held is not None
    assert held.quantity == 4


def test_an_inverse_contract_has_no_price_of_zero(book: onebook.Book) -> None:
    with pytest.raises(InputError, match="inverse contract"):
        book.record(fill(instrument="BTC/USD:BTC", price="0"))
    assert book.status().entries == 0


@pytest.mark.parametrize("which", [1, "1.1", "1.7", 99, "client|main|nobody", "nonsense", "", 0, -1, True, 10**30])
def test_a_fill_that_is_not_there(book: onebook.Book, which: Any) -> None:
    book.record(CashMovement(currency="USD", amount=1))
    with pytest.raises(InputError):
        book.bust(which, reason="gone")
    with pytest.raises(InputError):
        book.correct(which, reason="gone", price="1")
    assert book.status().entries == 1


def test_corrections_that_make_no_sense(book: onebook.Book) -> None:
    receipt = book.record(fill())
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"reason": "x", "prise": "1"}, "no field 'prise'"),
        ({"reason": "x", "price": 1.5}, "price='1.5'"),
        ({"reason": "x", "quantity": "0"}, "quantity"),
        ({"reason": "x"}, "nothing to correct"),
        ({"reason": "", "price": "1"}, "reason: is missing"),
    ]
    for changes, says in wrong:
        with pytest.raises(InputError, match=re.escape(says)):
            book.correct(receipt.sequence, **changes)
    with pytest.raises(InputError, match="reason: is missing"):
        book.bust(receipt.sequence, reason="")
    assert book.status().entries == 1


def test_questions_that_make_no_sense(book: onebook.Book) -> None:
    book.record(fill())
    wrong: list[Callable[[], Any]] = [
        lambda: book.lots("BTC/USDT", method="best"),
        lambda: book.lots("nothing", method="best"),
        lambda: book.explain("BTC/USDT", figure="luck"),
        lambda: book.position("BTC/USDT", basis="gross"),
        lambda: book.fills(since="2024-06-03"),
        lambda: book.fills(since="2024-06-03T00:00:00"),
        lambda: book.daily_pnl(zone="Mars/Base"),
        lambda: book.daily_pnl(rolls_at="noon"),
        book.as_of,
        lambda: book.as_of(99),
        lambda: book.as_of(-1),
        lambda: book.as_of(1, moment="2024-06-03T00:00:00Z"),
        lambda: book.equity_curve("2024-06-03T00:00:00Z", "2024-06-02T00:00:00Z", 60),
        lambda: book.equity_curve("2024-06-03T00:00:00Z", "2024-06-04T00:00:00Z", 0),
        lambda: book.mark("BTC/USDT", 1.5),
        lambda: book.mark("BTC/USDT", "-1"),
        lambda: book.mark("", "1"),
    ]
    for ask in wrong:
        with pytest.raises(InputError):
            ask()
    assert book.status().entries == 1


# ---- files ----


def test_a_directory_is_no_book(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"directory|folder"):
        onebook.open(tmp_path)


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE customers (name TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(NotABook, match="import"):
        onebook.open(path)
    assert path.read_bytes() == before


def test_a_text_file_is_no_book(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("buy low, sell high\n" * 100, encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(NotABook):
        onebook.open(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path) as book:
        book.record(fill())
    newer = apsw.Connection(str(path))
    version = next(iter(newer.execute("PRAGMA user_version")))[0]
    newer.execute(f"PRAGMA user_version = {version + 1}")
    newer.close()
    with pytest.raises(SchemaTooNew, match=r"newer|upgrade|install"):
        onebook.open(path)
    with pytest.raises(SchemaTooNew):
        onebook.open(path, read_only=True)


def test_reading_only(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path) as book:
        book.record(fill())
    with onebook.open(path, read_only=True) as reader:
        held = reader.position("BTC/USDT")
        assert held is not None
        assert held.quantity == 1
        with pytest.raises(StoreError, match="read"):
            reader.record(fill())
    with pytest.raises(StoreError):
        onebook.open(tmp_path / "none.db", read_only=True)
    assert not (tmp_path / "none.db").exists()


def test_a_closed_book(place: str) -> None:
    book = onebook.open(place)
    book.record(fill())
    book.close()
    book.close()
    with pytest.raises(StoreClosed, match="open it again"):
        book.record(fill())


def test_a_place_nobody_knows() -> None:
    with pytest.raises(onebook.BadConfig, match="redis"):
        onebook.open("redis://localhost/1")


@pytest.mark.parametrize("place", ["", 5, b"book.db", True, Path])
def test_what_is_no_place(place: Any) -> None:
    with pytest.raises(onebook.BadConfig, match=r"name a file such as trading\.db"):
        onebook.open(place)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (3, "3 is not a mapping"),
        ([], "[] is not a mapping"),
        ({"busy_seconds": "x"}, "busy_seconds: 'x' is not a number of seconds"),
        ({"busy_seconds": -1}, "busy_seconds: -1 is not a number of seconds"),
        ({"busy": 1}, "did you mean 'busy_seconds'?"),
        ({5: 1}, "it takes synchronous, busy_seconds"),
        ({"url": "other.db"}, "there is no option 'url'"),
        ({"synchronous": "off"}, "'off' is neither full"),
        ({"synchronous": 1}, "1 is neither full"),
    ],
)
def test_options_that_there_are_not(tmp_path: Path, config: Any, says: str) -> None:
    for place in (str(tmp_path / "book.db"), ":memory:"):
        with pytest.raises(onebook.BadConfig, match=re.escape(says)):
            onebook.open(place, config=config)
    assert not (tmp_path / "book.db").exists()


@pytest.mark.parametrize("limit", [-1, "3", 1.5, True])
def test_a_limit_that_is_none(book: onebook.Book, limit: Any) -> None:
    book.record(fill())
    for view in (book, book.as_of(1)):
        for name in ("fills", "round_trips", "orders", "signals", "transfers", "funding", "breaks", "entries"):
            with pytest.raises(InputError, match=r"limit: .* is not a whole number from 0 on"):
                getattr(view, name)(limit=limit)
    assert book.fills(limit=0) == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1; DELETE FROM entries",
        "DELETE FROM entries",
        "ATTACH 'other.db' AS other",
        "ATTACH ':memory:' AS other",
        "VACUUM INTO 'other.db'",
        "PRAGMA journal_mode = delete",
        "PRAGMA query_only = 0",
        "PRAGMA user_version = 7",
        "PRAGMA wal_checkpoint",
        "CREATE TEMP TABLE mine (a)",
        "BEGIN",
    ],
)
def test_sql_is_one_statement_that_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    monkeypatch.chdir(tmp_path)
    with onebook.open("book.db") as book:
        with pytest.raises(InputError, match=r"^sql: only reads"):
            book.sql(query)
        assert book.sql("SELECT 1 AS one; -- no more") == [{"one": 1}]
        assert book.sql("PRAGMA user_version")
        assert book.sql("SELECT count(*) AS count FROM pragma_table_info('entries')") == [{"count": 3}]
    assert not (tmp_path / "other.db").exists()


def test_sql_only_reads(tmp_path: Path) -> None:
    with onebook.open(tmp_path / "book.db") as book:
        book.record(fill())
        for query in ("DELETE FROM entries", "DROP TABLE entries", "PRAGMA user_version = 7", "nonsense"):
            with pytest.raises(onebook.BookError):
                book.sql(query)
        assert book.verify().ok


# ---- two processes ----


def _hold(path: str, holding: Any, done: Any) -> None:
    connection = apsw.Connection(path)
    connection.execute("BEGIN IMMEDIATE")
    holding.set()
    done.wait(60)
    connection.execute("ROLLBACK")
    connection.close()


def test_a_book_held_by_another_process_is_busy_not_broken(tmp_path: Path) -> None:
    path = str(tmp_path / "book.db")
    onebook.open(path).close()
    context = multiprocessing.get_context("spawn")
    holding, done = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(path, holding, done))
    holder.start()
    try:
        assert holding.wait(60)
        with onebook.open(path, config={"busy_seconds": 0.05}) as book:
            with pytest.raises(StoreBusy) as caught:
                book.record(fill(client_fill_id="a"))
            assert caught.value.retryable
            assert book.positions() == []
            done.set()
            holder.join(60)
            assert book.record(fill(client_fill_id="a")).status == "recorded"
            assert book.status().entries == 1
    finally:
        done.set()
        holder.join(60)


def test_two_processes_see_each_others_facts(tmp_path: Path) -> None:
    path = str(tmp_path / "book.db")
    with onebook.open(path) as one, onebook.open(path) as other:
        for number in range(6):
            writer = one if number % 2 else other
            writer.record(fill(client_fill_id=str(number)))
        assert [item.sequence for item in one.fills()] == [item.sequence for item in other.fills()] == list(range(1, 7))
        assert one.record(fill(client_fill_id="0")).status == "exists"
        assert one.verify().ok
