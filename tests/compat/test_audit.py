"""The automatic CSV audit: a row per fill, on its own, and never read back."""

from pathlib import Path
from typing import Any

import pytest
from tests.compat.waiting import eventually

import onebook
from onebook import compat
from onebook.compat import managers
from onebook.compat.managers import (
    SingleSourceTradeManager,
    get_single_source_trade_manager,
    reset_single_source_trade_manager,
)
from onebook.compat.order_log import log_trade
from onebook.compat.trades import Trade, create_trade
from onebook.testing import FakeClock


@pytest.fixture
def manager(book: onebook.Book) -> SingleSourceTradeManager:
    return get_single_source_trade_manager()


def trade(side: str = "buy", amount: object = "1", price: object = "100", **more: Any) -> Trade:
    return create_trade(more.pop("symbol", "BTC/USDT"), side, amount, price, **more)


AUDIT = Path("crypto_bot/logs/onebook_audit.csv")


def rows(path: Path = AUDIT) -> list[str]:
    return path.read_text().splitlines()[1:] if path.is_file() else []


def test_the_audit_has_a_row_per_trade_by_itself(manager: SingleSourceTradeManager, book: onebook.Book) -> None:
    assert manager.get_system_status()["csv_audit_enabled"]
    book.record(trade(amount="0.25").fill)
    manager.record_trade(trade())
    eventually(lambda: len(rows()) == 2)
    assert ",0.25," in rows()[0]
    manager.shutdown()
    assert not manager.get_system_status()["csv_audit_enabled"]


def test_the_audit_begins_with_the_first_trade_and_goes_on_after_a_restart(
    place: Path, book: onebook.Book, clock: FakeClock
) -> None:
    book.record(trade().fill)
    get_single_source_trade_manager().record_trade(trade())
    reset_single_source_trade_manager()
    assert len(rows()) == 2
    book.record(trade().fill)
    get_single_source_trade_manager()
    eventually(lambda: len(rows()) == 3)
    assert len(set(rows())) == 3


def test_the_audit_goes_elsewhere_or_nowhere(place: Path, book: onebook.Book) -> None:
    off = SingleSourceTradeManager("x.json", enable_csv_audit=False)
    assert not off.get_system_status()["csv_audit_enabled"]
    compat.install(csv_audit="elsewhere/audit.csv")
    get_single_source_trade_manager().record_trade(trade())
    eventually(lambda: len(rows(place / "elsewhere/audit.csv")) == 1)
    compat.install(csv_audit=False)
    assert not get_single_source_trade_manager().get_system_status()["csv_audit_enabled"]
    assert not AUDIT.exists()


def test_a_file_that_is_no_audit_stops_only_the_audit(
    place: Path, book: onebook.Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onebook.compat.following.DRAIN_SECONDS", 0.1)
    AUDIT.parent.mkdir(parents=True)
    AUDIT.write_text("symbol,side\nBTC/USDT,buy\n")
    manager = get_single_source_trade_manager()
    manager.record_trade(trade())
    eventually(lambda: any("BadPayload" in item.last_error for item in book.subscribers()))
    assert len(manager.trades) == 1
    assert AUDIT.read_text() == "symbol,side\nBTC/USDT,buy\n"
    managers.forget_manager()


def test_a_logged_order_is_audited_too(book: onebook.Book) -> None:
    log_trade({"id": "7", "symbol": "BTC/USDT", "side": "buy", "filled": 2, "average": 100, "status": "closed"})
    eventually(lambda: len(rows()) == 1)
