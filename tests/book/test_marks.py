"""Marks: shared within a second, never in the way of a record, and never held up by another writer."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest

import onebook
from onebook import Fill, StoreBusy, StoreClosed
from onebook.book import marks
from onebook.testing import FakeClock

PATIENCE_SECONDS = 20.0
MINUTE = 60_000_000_000
START = 1_767_603_600_000_000_000


def fill(number: int = 1, **changes: Any) -> Fill:
    given: dict[str, Any] = {"instrument": "BTC/USDT", "side": "buy", "quantity": "1", "price": "100"}
    return Fill(**(given | {"client_fill_id": str(number)} | changes))


def wait_until(true: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def price_of(book: onebook.Book, instrument: str) -> Decimal | None:
    return {mark.instrument: mark.price for mark in book.marks()}.get(instrument)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "book.db")


@pytest.fixture
def stuck(path: str) -> Iterator[apsw.Connection]:
    """Another writer that holds the book and does not let go."""
    onebook.open(path).close()
    holder = apsw.Connection(path)
    holder.execute("BEGIN IMMEDIATE")
    yield holder
    holder.close()


# ---- between processes ----


def _other(path: str, marked: Any, seen: Any, done: Any) -> None:
    with onebook.open(path) as book:
        book.mark("ETH/USDT", "1")
        book.mark("ETH/USDT", "3000")
        marked.set()
        if wait_until(lambda: price_of(book, "BTC/USDT") == 60_000):
            seen.set()
        done.wait(PATIENCE_SECONDS)


def test_two_processes_see_each_others_marks_while_both_are_open(path: str) -> None:
    context = multiprocessing.get_context("spawn")
    marked, seen, done = context.Event(), context.Event(), context.Event()
    with onebook.open(path) as book:
        book.mark("BTC/USDT", "60000")
        other = context.Process(target=_other, args=(path, marked, seen, done))
        other.start()
        try:
            assert marked.wait(60)
            began = time.monotonic()
            assert wait_until(lambda: price_of(book, "ETH/USDT") == 3000)
            assert time.monotonic() - began < 5
            assert seen.wait(PATIENCE_SECONDS)
        finally:
            done.set()
            other.join(60)


def test_the_last_of_several_marks_is_shared_though_no_other_follows(path: str) -> None:
    with onebook.open(path) as book, onebook.open(path, read_only=True) as reader:
        for price in range(1, 50):
            book.mark("BTC/USDT", price)
        assert wait_until(lambda: price_of(reader, "BTC/USDT") == 49)


def test_share_marks_lets_others_see_them_now(path: str) -> None:
    with onebook.open(path) as book:
        book.mark("BTC/USDT", 7)
        book.share_marks()
        with onebook.open(path, read_only=True) as reader:
            assert price_of(reader, "BTC/USDT") == 7


def test_close_shares_what_is_left(path: str) -> None:
    with onebook.open(path) as book:
        for price in (1, 2, 3):
            book.mark("BTC/USDT", price)
    with pytest.raises(StoreClosed, match="open it again"):
        book.mark("BTC/USDT", 4)
    with onebook.open(path, read_only=True) as reader:
        assert price_of(reader, "BTC/USDT") == 3


def test_unrealized_counts_positions_of_another_process(path: str) -> None:
    clock = FakeClock()
    with onebook.open(path, clock=clock) as one, onebook.open(path, clock=clock) as other:
        one.mark("BTC/USDT", 110)
        assert one.unrealized() == {}
        other.record(fill())
        clock.advance(1)
        assert one.unrealized() == {"USDT": 10}


# ---- never in the way ----


def test_a_stuck_writer_does_not_hold_up_a_mark(path: str, stuck: apsw.Connection) -> None:
    with onebook.open(path) as book:
        began = time.perf_counter()
        for number in range(1, 2001):
            book.mark(f"C{number % 50}/USDT", number)
        assert book.unrealized() == {}
        assert len(book.marks()) == 50
        assert time.perf_counter() - began < 5  # a mark that waited would take ten
        with pytest.raises(StoreBusy):
            book.share_marks()
        stuck.execute("ROLLBACK")
        with onebook.open(path, read_only=True) as reader:
            assert wait_until(lambda: price_of(reader, "C0/USDT") == 2000)


def test_marks_never_make_a_record_busy(path: str) -> None:
    done = threading.Event()
    problems: list[BaseException] = []
    with onebook.open(path, config={"busy_seconds": 0, "synchronous": "normal"}) as book:

        def share() -> None:
            number = 0
            while not done.is_set():
                number += 1
                book.mark(f"C{number % 9}/USDT", number)
                try:
                    book.share_marks()
                except onebook.StoreError as problem:
                    problems.append(problem)

        thread = threading.Thread(target=share)
        thread.start()
        try:
            for number in range(300):
                assert book.record(fill(number)).status == "recorded"
        finally:
            done.set()
            thread.join()
        assert book.verify().ok
    assert not problems


def test_the_thread_ends_when_no_marks_come(path: str) -> None:
    def sharing() -> bool:
        return any(thread.name == "onebook-marks" for thread in threading.enumerate())

    with onebook.open(path) as book:
        book.mark("BTC/USDT", 1)
        assert sharing()
        assert wait_until(lambda: not sharing())
        book.mark("BTC/USDT", 2)
        assert sharing()
    assert not sharing()


# ---- the last mark of each minute ----


def test_every_minute_of_a_replay_is_kept(place: str) -> None:
    clock = FakeClock()
    clock.advance(2500 * 60)
    with onebook.open(place, clock=clock) as book:
        book.record(fill(occurred_ns=START))
        for minute in range(2500):
            for second, price in ((1, 1), (59, 100 + minute)):
                book.mark("BTC/USDT", price, at=START + minute * MINUTE + second * 10**9)
        curve = book.equity_curve(START + MINUTE - 1, START + 2500 * MINUTE - 1, 60, currency="USDT")
        assert [point.amount for point in curve] == [Decimal(minute) for minute in range(2500)]
        assert {point.marks_age_seconds for point in curve} == {0.999999999}


def test_the_past_holds_the_newest_mark_while_highs_and_lows_are_written(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, asked = threading.Event(), threading.Event()
    put = marks._put_all

    def slow(*given: Any) -> None:
        writing.set()
        asked.wait(PATIENCE_SECONDS)
        time.sleep(0.2)  # long enough for who does not wait to miss it
        put(*given)

    monkeypatch.setattr(marks, "_put_all", slow)
    clock = FakeClock()
    clock.advance(60)
    with onebook.open(path, clock=clock) as book:
        book.record(fill(occurred_ns=START))
        book.mark("BTC/USDT", 101, at=START + 1)
        assert writing.wait(PATIENCE_SECONDS)
        book.mark("BTC/USDT", 150, at=START + 2)
        asked.set()
        assert [point.amount for point in book.equity_curve(START + 3, START + 3, 60, currency="USDT")] == [50]


def test_what_waits_for_a_stuck_writer_is_bounded(
    path: str, stuck: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "MAX_SAMPLES", 5)
    stuck.execute("ROLLBACK")
    with onebook.open(path) as book:
        book.record(fill(occurred_ns=START))
        stuck.execute("BEGIN IMMEDIATE")
        for minute in range(20):
            book.mark("BTC/USDT", 100 + minute, at=START + minute * MINUTE)
            if minute % 3 == 0:
                with pytest.raises(StoreBusy):
                    book._marks.share()
        stuck.execute("ROLLBACK")
        book.share_marks()
        kept = book.sql("SELECT price FROM mark_samples ORDER BY minute")
        assert 5 <= len(kept) <= 6
        assert kept[-1]["price"] == "119"


def test_highs_and_lows_go_on_after_a_clean_close(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path) as book:
        book.record(Fill(instrument="BTC/USD", side="buy", quantity="2", price="100", client_fill_id="1"))
        for price in ("100", "120", "90", "105"):
            book.mark("BTC/USD", price)
    with onebook.open(path) as book:
        held = book.position("BTC/USD")
        assert held is not None
        assert (held.highest, held.lowest) == (120, 90)
        book.mark("BTC/USD", "95")
        book.record(Fill(instrument="BTC/USD", side="sell", quantity="1", price="95", client_fill_id="2"))
        book.mark("BTC/USD", "130")
    with onebook.open(path) as book:
        book.record(Fill(instrument="BTC/USD", side="sell", quantity="1", price="95", client_fill_id="3"))
        trip = book.round_trips()[0]
        assert (trip.highest, trip.lowest) == (130, 90)
        assert book.verify().ok
    with onebook.open(path) as book:
        book.mark("BTC/USD", "99")
        book.record(Fill(instrument="BTC/USD", side="buy", quantity="1", price="99", client_fill_id="4"))
        held = book.position("BTC/USD")
        assert held is not None
        assert (held.highest, held.lowest) == (None, None)
