"""The book fails while the bot trades on: the bot is not disturbed, and later everything is in the book, once."""

import asyncio
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import ccxt  # type: ignore[import-untyped]
import ccxt.async_support  # type: ignore[import-untyped]
import pytest
from tests.adapters.venue_ccxt import Venue

import onebook
import onebook.ccxt
from onebook.errors import StoreFull
from onebook.intake.adapters.recorder import OrderSeen, Recorder, Unbooked

Exchange = Any


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Callable[[], apsw.Connection]]:
    """Lock the book's file as another process would, until the connection is closed."""
    held: list[apsw.Connection] = []

    def lock() -> apsw.Connection:
        connection = apsw.Connection(str(tmp_path / "bot.db"))
        connection.set_busy_timeout(5000)
        connection.execute("BEGIN IMMEDIATE")
        held.append(connection)
        return connection

    yield lock
    for connection in held:
        connection.close()


def recorded(venue: Venue, book: onebook.Book, **options: Any) -> Exchange:
    options = {"patience_seconds": 0.2} | options
    return onebook.ccxt.recording(ccxt.okx(venue.settings()), book, strategy="grid", **options)


def trade(venue: Venue, exchange: Exchange) -> list[dict[str, Any]]:
    """Trade as a bot does; return what ccxt answered."""
    order = exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 60000)
    venue.fill(order["id"], "0.2", "59999.9")
    answers = [order, exchange.fetch_order(order["id"], "BTC/USDT")]
    venue.fill(order["id"], "0.3", "60000")
    answers += exchange.fetch_my_trades("BTC/USDT")
    answers.append(exchange.fetch_order(order["id"], "BTC/USDT"))
    return answers


def holds_the_whole_trade(book: onebook.Book) -> None:
    assert [(fill.venue_fill_id, fill.quantity) for fill in book.fills()] == [
        ("9000", Decimal("0.2")),
        ("9001", Decimal("0.3")),
    ]
    [state] = book.orders()
    assert (state.status, state.filled_quantity) == ("filled", Decimal("0.5"))
    position = book.position("BTC/USDT", strategy="grid")
    assert position is not None
    assert position.fees == Decimal("29.99998")


def test_a_locked_book_disturbs_nobody(
    venue: Venue, bot_book: onebook.Book, locked: Callable[[], apsw.Connection], caplog: pytest.LogCaptureFixture
) -> None:
    exchange = recorded(venue, bot_book)
    exchange.load_markets()
    lock = locked()
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, "onebook.recorder"):
        answers = trade(venue, exchange)
    assert time.monotonic() - began < 8  # one call that waited for the lock would take ten
    assert len(answers) == 5
    assert exchange.recorder.is_behind
    assert exchange.recorder.spool.size > 0
    assert "facts go to" in caplog.text
    assert bot_book.fills() == []
    lock.close()
    assert exchange.recorder.wait(30)
    holds_the_whole_trade(bot_book)
    assert exchange.recorder.spool.size == 0
    [alert] = bot_book.events(types=("alert_raised",))
    assert alert.data["kind"] == "recording_failed"
    assert alert.data["facts"] > 0
    assert len(list(bot_book.events(types=("alert_cleared",)))) == 1
    exchange.recorder.close()


def test_a_full_store_disturbs_nobody(venue: Venue, bot_book: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = recorded(venue, bot_book)
    full = threading.Event()
    full.set()
    write = bot_book.store.write

    def refuse(batch: Any) -> None:
        if full.is_set():
            raise StoreFull("the disk is full")
        write(batch)

    monkeypatch.setattr(bot_book.store, "write", refuse)
    trade(venue, exchange)
    assert exchange.recorder.is_behind
    full.clear()
    assert exchange.recorder.wait(30)
    holds_the_whole_trade(bot_book)
    exchange.recorder.close()


def test_a_bot_whose_book_is_read_only_or_closed_trades_on_and_the_next_start_books_it(
    venue: Venue, tmp_path: Path
) -> None:
    path = tmp_path / "book.db"
    onebook.open(path).close()
    with onebook.open(path, read_only=True) as book:
        exchange = recorded(venue, book, spool=tmp_path / "spool")
        trade(venue, exchange)
    exchange.fetch_my_trades("BTC/USDT")
    exchange.recorder.close()
    with onebook.open(path) as book:
        again = recorded(venue, book, spool=tmp_path / "spool")
        assert again.recorder.wait(30)
        holds_the_whole_trade(book)
        again.recorder.close()


def test_when_the_spool_fails_too_memory_holds_on(
    venue: Venue, bot_book: onebook.Book, tmp_path: Path, locked: Callable[[], apsw.Connection]
) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    exchange = recorded(venue, bot_book, spool=tmp_path / "file" / "spool")
    lock = locked()
    trade(venue, exchange)
    lock.close()
    assert exchange.recorder.wait(30)
    holds_the_whole_trade(bot_book)
    exchange.recorder.close()


def test_a_mistake_of_the_recorder_never_reaches_the_bot(
    venue: Venue, bot_book: onebook.Book, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = recorded(venue, bot_book)

    def fail(*_args: Any, **_kwargs: Any) -> Any:
        raise ZeroDivisionError("a mistake")

    for name in ("begin", "wishes", "answer", "failure"):
        monkeypatch.setattr(f"onebook.intake.adapters.ccxt_calls.Calls.{name}", fail)
    assert len(trade(venue, exchange)) == 5
    monkeypatch.setattr("onebook.intake.adapters.recorder.Recorder._take", fail)
    assert exchange.fetch_my_trades("BTC/USDT")
    assert "a mistake" in caplog.text
    exchange.recorder.close()


def test_what_cannot_be_read_is_kept_once_with_all_that_was_sent(bot_book: onebook.Book) -> None:
    recorder = Recorder(bot_book, strategy="grid", venue="okx")
    odd = {"price": "1e99", "id": "7"}
    fill = {"instrument": "BTC/USDT", "side": "buy", "quantity": "1", "price": odd["price"]}
    for _ in range(2):
        recorder.take(recorder.read(lambda: [onebook.Fill(**fill)], what="fill", raw=odd, instrument="BTC/USDT"))  # type: ignore[arg-type]
    recorder.take([Unbooked(what="fill", reason="?", raw={"other": 1})])
    first, second = bot_book.events(types=("break_found",))
    assert (first.data["kind"], first.data["what"], first.data["raw"]) == ("unbooked_fact", "fill", odd)
    assert (first.instrument, first.strategy) == ("BTC/USDT", "grid")
    assert second.data["raw"] == {"other": 1}
    recorder.close()


def test_differences_of_an_order_give_way_to_its_executions(bot_book: onebook.Book) -> None:
    recorder = Recorder(bot_book, strategy="grid", venue="okx")
    terms: dict[str, Any] = {"instrument": "BTC/USDT", "side": "buy", "quantity": "1", "venue_order_id": "7"}

    def see(**what: Any) -> None:
        recorder.take([OrderSeen(**terms | what)])

    see(status="partially_filled", filled="0.4", average="100", fee="0.4", fee_currency="USDT")
    see(status="partially_filled", filled="0.4", average="100", fee="0.4", fee_currency="USDT")
    see(status="filled", filled="1", average="106", fee="1.06", fee_currency="USDT")
    assert [(fill.venue_fill_id, fill.price, fill.fee) for fill in bot_book.fills()] == [
        ("order:7:0.4", 100, Decimal("0.4")),
        ("order:7:1", 110, Decimal("0.66")),
    ]
    for number, quantity, price in ((1, "0.5", "102"), (2, "0.5", "110")):
        recorder.take(
            [
                onebook.Fill(
                    instrument="BTC/USDT",
                    side="buy",
                    quantity=quantity,
                    price=price,
                    venue="okx",
                    venue_order_id="7",
                    venue_fill_id=f"t{number}",
                )
            ]
        )
    see(status="filled", filled="1", average="106")
    assert [(fill.venue_fill_id, fill.price) for fill in bot_book.fills()] == [("t1", 102), ("t2", 110)]
    assert bot_book.orders()[0].average_price == 106
    recorder.close()


def test_differences_of_an_inverse_contract_make_up_its_harmonic_average(bot_book: onebook.Book) -> None:
    recorder = Recorder(bot_book, strategy="grid", venue="okx")
    terms: dict[str, Any] = {"instrument": "BTC/USD:BTC", "side": "buy", "quantity": "100", "venue_order_id": "7"}
    recorder.take([OrderSeen(**terms | {"status": "partially_filled", "filled": "50", "average": "50000"})])
    average = Decimal(100) / (Decimal(50) / 50000 + Decimal(50) / 40000)
    rounded = average.quantize(Decimal("1e-12"))
    recorder.take([OrderSeen(**terms | {"status": "filled", "filled": "100", "average": rounded})])
    assert abs(bot_book.fills()[1].price - 40000) < Decimal("1e-6")
    recorder.close()


KILLED = """
import os, sys
import onebook
from onebook.intake.adapters.recorder import Recorder
book = onebook.open(sys.argv[1])
recorder = Recorder(book, strategy="grid", venue="okx", patience_seconds=0.05)
for number in range(100_000):
    recorder.take([onebook.Fill(instrument="BTC/USDT", side="buy", quantity="1", price="100", venue="okx",
                                venue_order_id="1", venue_fill_id=str(number))])
    os.write(1, b"%d\\n" % number)
"""


def test_what_was_taken_survives_a_kill_whether_the_book_worked_or_not(
    bot_book: onebook.Book, tmp_path: Path, locked: Callable[[], apsw.Connection]
) -> None:
    program = [sys.executable, "-c", KILLED, str(tmp_path / "bot.db")]
    child = subprocess.Popen(program, stdout=subprocess.PIPE)
    assert child.stdout is not None
    said = [int(child.stdout.readline()) for _ in range(20)]
    lock = locked()
    said += [int(child.stdout.readline()) for _ in range(40)]
    os.kill(child.pid, 9)
    said += [int(line) for line in child.stdout.read().splitlines() if line]
    child.stdout.close()
    child.wait(30)
    lock.close()
    recorder = Recorder(bot_book, strategy="grid", venue="okx")
    assert recorder.wait(30)
    recorder.close()
    booked = [int(fill.venue_fill_id) for fill in bot_book.fills()]
    assert booked[: len(said)] == said
    assert len(booked) <= len(said) + 1


def test_an_event_loop_goes_on_while_the_book_is_locked(
    venue: Venue, bot_book: onebook.Book, locked: Callable[[], apsw.Connection]
) -> None:
    async def bot() -> float:
        exchange: Exchange = ccxt.async_support.okx(venue.settings())
        onebook.ccxt.recording(exchange, bot_book, strategy="grid", patience_seconds=1.0)
        await exchange.load_markets()
        longest = 0.0
        ended = asyncio.Event()

        async def tick() -> None:
            nonlocal longest
            while not ended.is_set():
                began = time.monotonic()
                await asyncio.sleep(0.005)
                longest = max(longest, time.monotonic() - began)

        ticking = asyncio.create_task(tick())
        await asyncio.sleep(0)  # it begins
        lock = locked()
        try:
            await exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 60000)
        finally:
            ended.set()
            await ticking
            lock.close()
            await exchange.close()
        assert await asyncio.to_thread(exchange.recorder.wait, 30)
        exchange.recorder.close()
        return longest

    assert asyncio.run(bot()) < 0.6
    assert [order.status for order in bot_book.orders()] == ["new"]
