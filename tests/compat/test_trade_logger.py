"""The documents' trade logger: trades and exits in the book, and what is told once the audit has them."""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.compat.waiting import eventually

import onebook
from onebook import compat
from onebook.compat.event_bus import get_event_bus
from onebook.compat.trade_logger import TradeLogger
from onebook.compat.trades import create_trade
from onebook.testing import FakeClock

AUDIT = Path("crypto_bot/logs/onebook_audit.csv")


@pytest.fixture
def logger(book: onebook.Book) -> TradeLogger:
    return TradeLogger()


def entry(**given: Any) -> dict[str, Any]:
    return {"trade_id": "t1", "symbol": "BTC/USDT", "side": "buy", "amount": 0.5, "price": 100.0, **given}


def test_a_trade_and_its_exit_are_a_round_trip(logger: TradeLogger, book: onebook.Book, clock: FakeClock) -> None:
    assert logger.log_trade(entry(strategy="trend", fees=0.1)) == "t1"
    assert logger.log_trade(entry(strategy="trend", fees=0.1)) == "t1"
    (opened,) = logger.get_open_trades()
    assert (opened["trade_id"], opened["symbol"], opened["status"]) == ("t1", "BTC/USDT", "OPEN")
    assert (opened["entry_price"], opened["position_size"]) == (100, Decimal("0.5"))
    clock.advance(60)
    for _ in range(2):
        assert logger.update_trade_exit("t1", 110.0, exit_reason="EOD_CLOSE", fees="0.1")
    assert logger.get_open_trades() == []
    (closed,) = logger.get_all_trades()
    assert (closed["trade_id"], closed["status"], closed["exit_price"]) == ("t1", "EOD_CLOSE", 110)
    assert closed["realized_pnl"] == Decimal("4.8")
    assert [fill.side for fill in book.fills()] == ["buy", "sell"]
    assert not logger.update_trade_exit("nobody", 1)


def test_statistics_count_ended_trades(logger: TradeLogger, clock: FakeClock) -> None:
    empty = logger.get_trade_stats()
    assert (empty["total_trades"], empty["win_rate"], empty["average_pnl"]) == (0, 0, 0)
    for number, price in enumerate((110, 90, 100, 130)):
        logger.log_trade(entry(trade_id=f"t{number}", amount=1, direction="LONG", side=None))
        clock.advance(60)
        logger.update_trade_exit(f"t{number}", price)
        clock.advance(60)
    logger.log_trade(entry(trade_id="open"))
    stats = logger.get_trade_stats()
    assert [stats[name] for name in ("total_trades", "open_trades", "closed_trades")] == [5, 1, 4]
    assert [stats[name] for name in ("winning_trades", "losing_trades", "win_rate")] == [2, 1, 50]
    assert [stats[name] for name in ("total_pnl", "average_pnl")] == [30, Decimal("7.5")]


def test_a_part_can_be_closed(logger: TradeLogger) -> None:
    logger.log_trade(create_trade("ETH/USDT", "sell", 2, 50))
    (row,) = logger.get_open_trades()
    assert row["direction"] == "SHORT"
    assert logger.update_trade_exit(row["trade_id"], 40, amount=1)
    assert len(logger.get_open_trades()) == 1


def test_what_was_logged_is_told_once_its_row_is_written(
    logger: TradeLogger, book: onebook.Book, clock: FakeClock
) -> None:
    told: list[dict[str, Any]] = []
    bus = get_event_bus()
    bus.subscribe("trade_logged", told.append)
    bus.subscribe("trade_exit_updated", told.append)
    logger.log_trade(entry())
    clock.advance(60)
    logger.update_trade_exit("t1", 110)
    book.record(create_trade("ETH/USDT", "buy", 1, 1).fill)
    eventually(lambda: len(told) == 2)
    assert [event["type"] for event in told] == ["trade_logged", "trade_exit_updated"]
    with AUDIT.open() as file:
        rows = {row["event_id"]: row for row in csv.DictReader(file)}
    for event, side in zip(told, ("buy", "sell"), strict=True):
        data = event["data"]
        assert (data["trade_id"], data["file"]) == ("t1", str(AUDIT.absolute()))
        assert rows[data["row"]]["side"] == side
    eventually(lambda: len(AUDIT.read_text().splitlines()) == 4)
    compat.uninstall()
    types = [event.type for event in book.events()]
    assert (types.count("trade_logged"), types.count("trade_exit_updated")) == (1, 1)
    assert book.verify().ok


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "neither a Trade nor"),
        ({"symbol": "A", "side": "buy", "amount": 1}, "price is missing"),
        ({"symbol": "A", "side": "up", "amount": 1, "price": 1}, "up"),
        ({"symbol": "A", "side": "buy", "amount": -1, "price": 1}, "above 0"),
    ],
)
def test_what_is_no_trade_is_refused(given: Any, said: str, logger: TradeLogger, book: onebook.Book) -> None:
    with pytest.raises(onebook.InputError, match=said):
        logger.log_trade(given)
    assert book.fills() == []


def test_an_account_of_its_own(book: onebook.Book) -> None:
    paper = TradeLogger(book=book, account="sandbox")
    paper.log_trade(entry())
    assert [fill.account for fill in book.fills()] == ["sandbox"]
    assert len(paper.get_open_trades()) == 1
    assert TradeLogger(book=book).get_open_trades() == []
