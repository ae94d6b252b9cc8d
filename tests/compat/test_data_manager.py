"""The documents' data manager: prices, bars, indicators, the account and the stream, over one source."""

import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from tests.market.sources import Told, bar, together

import onebook
from onebook import compat
from onebook.compat import current, market
from onebook.compat.bars import get_database
from onebook.compat.breakers import CircuitBreakerError, circuit_manager
from onebook.compat.caching import cache_manager
from onebook.compat.data_manager import UnifiedDataManager, cleanup_data_manager, get_data_manager
from onebook.compat.managers import get_trade_manager
from onebook.compat.trades import create_trade
from onebook.domain.market import Print
from onebook.testing import FakeClock

HEALTH = ["api_initialized", "streaming", "last_update", "cache_stats", "database_stats", "circuit_breakers"]


# ---- prices ----


def test_a_price_comes_once_for_a_while_and_marks_the_book(asked: Told, book: onebook.Book) -> None:
    manager = get_data_manager()
    manager.get_latest_price("AAPL")
    price = manager.get_latest_price("AAPL")
    assert (price, type(price + 1)) == (101, Decimal)
    assert (price.is_stale, price.age_seconds, price.source) == (False, 0, "venue")
    assert price.timestamp.tzinfo is not None
    assert asked.calls == ["price AAPL"]
    assert get_trade_manager().price_cache == {"AAPL": Decimal(101)}


def test_a_source_that_fails_gives_the_last_price_marked_stale(
    asked: Told, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    manager = get_data_manager()
    manager.get_latest_price("AAPL")
    asked.always = onebook.BadPayload("odd")
    clock.advance(45)
    price = manager.get_latest_price("AAPL")
    assert (price, price.is_stale, price.age_seconds) == (101, True, 45)
    assert "45 s old" in caplog.text
    with pytest.raises(onebook.SourceError):
        manager.get_latest_price("TSLA")
    for _ in range(4):
        with pytest.raises(onebook.SourceError):
            manager.get_latest_price("TSLA")
    with pytest.raises(CircuitBreakerError):
        manager.get_latest_price("TSLA")


def test_32_threads_that_want_one_price_share_a_call(asked: Told) -> None:
    found = together(32, lambda _: get_data_manager().get_latest_price("AAPL"))
    assert found == [Decimal(101)] * 32
    assert asked.calls == ["price AAPL"]


# ---- bars ----


def test_bars_are_fetched_once_and_come_as_a_frame(asked: Told, clock: FakeClock) -> None:
    manager = get_data_manager()
    manager.get_historical_data("AAPL", "1Min", start_hours_ago=2, end_hours_ago=1)
    frame = manager.get_historical_data("AAPL", "1Min", start_hours_ago=2, end_hours_ago=1)
    assert list(frame.columns) == ["open", "high", "low", "close", "volume"]
    assert frame.index.name == "timestamp"
    assert str(frame.index.tz) == "UTC"
    assert frame.attrs == {"is_complete": True}
    assert len(asked.calls) == 1
    assert get_database().get_historical_data("AAPL", "1m").equals(frame)


def test_when_the_source_fails_the_kept_bars_are_given_and_said_to_be_incomplete(
    asked: Told, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    market.bars().put([bar("AAPL", clock() - 3_600_000_000_000)])
    asked.always = onebook.BadPayload("odd")
    frame = get_data_manager().get_historical_data("AAPL", "1Min", start_hours_ago=24)
    assert (len(frame), frame.attrs) == (1, {"is_complete": False})
    assert "only the bars that are kept" in caplog.text
    with pytest.raises(onebook.SourceError):
        get_data_manager().get_historical_data("TSLA", "1Min")


def test_a_stretch_that_ends_before_it_begins_is_refused(asked: Told) -> None:
    with pytest.raises(onebook.InputError, match="start_hours_ago"):
        get_data_manager().get_historical_data("AAPL", "1Min", start_hours_ago=1, end_hours_ago=2)
    with pytest.raises(onebook.InputError, match="timeframe"):
        get_data_manager().get_historical_data("AAPL", "7Min")


def test_indicators_are_cached(asked: Told) -> None:
    index = pd.date_range("2026-01-05T08:00:00Z", periods=3, freq="1min")
    frame = pd.DataFrame({"close": [1.0, 2.0, 3.0]}, index=index)
    get_data_manager().calculate_indicators(frame, {"sma": [2, 3]})
    found = get_data_manager().calculate_indicators(frame, {"sma": [2, 3]})
    assert list(found["sma_2"])[1:] == [1.5, 2.5]
    assert cache_manager.get_all_stats()["indicators"]["hits"] == 1


# ---- the stream ----


def test_a_stream_marks_the_book_and_grows_and_ends(asked: Told, book: onebook.Book, clock: FakeClock) -> None:
    manager = get_data_manager()
    manager.stop_data_stream()
    assert manager.start_data_stream(["AAPL", "TSLA"])
    assert manager.start_data_stream("MSFT")
    assert asked.streamed == {"AAPL", "TSLA", "MSFT"}
    assert asked.deliver is not None
    asked.deliver(Print(instrument="TSLA", at_ns=clock(), price=Decimal(7), quantity=Decimal(1)))
    assert get_trade_manager().price_cache == {"TSLA": Decimal(7)}
    assert manager.get_latest_price("TSLA") == 7
    assert manager.get_system_health()["streaming"]
    manager.stop_data_stream()
    assert not manager.get_system_health()["streaming"]
    assert asked.closed == 1


def test_a_source_that_was_handed_in_is_not_closed_and_serves_again(asked: Told) -> None:
    manager = get_data_manager()
    manager.start_data_stream(["AAPL"])
    cleanup_data_manager()
    assert asked.closed == 1  # the stream, which is the same object here
    assert manager.get_latest_price("AAPL") == 102


def test_a_stream_keeps_a_book_of_the_older_names_open(place: Path, source: Told) -> None:
    compat.install(data=source)
    manager, book = get_data_manager(), current.current_book()
    manager.start_data_stream(["AAPL"])
    get_trade_manager().shutdown()
    assert current.current_book() is book
    assert source.deliver is not None
    source.deliver(Print(instrument="AAPL", at_ns=1, price=Decimal(7), quantity=Decimal(1)))
    assert get_trade_manager().price_cache == {"AAPL": Decimal(7)}
    for _ in range(2):
        manager.stop_data_stream()
    get_trade_manager().shutdown()
    assert current.current_book() is not book


# ---- health ----


def test_health_has_the_documented_keys_exactly(asked: Told) -> None:
    manager = UnifiedDataManager()
    manager.get_latest_price("AAPL")
    cache_manager.get_cache("mine")
    circuit_manager.get_breaker("mine")
    health = manager.get_system_health()
    assert list(health) == HEALTH
    json.dumps(health)
    assert (health["api_initialized"], health["streaming"]) == (True, False)
    assert health["last_update"] == "2026-01-05T09:00:00Z"
    assert set(health["cache_stats"]) == {"venue.prices", "venue.quotes", "venue.bars", "mine"}
    assert set(health["circuit_breakers"]) == {"venue", "mine"}
    assert health["database_stats"]["path"].endswith("trading.db.bars.db")


def test_without_a_source_health_says_so_and_prices_are_refused(book: onebook.Book) -> None:
    health = get_data_manager().get_system_health()
    assert list(health) == HEALTH
    assert (health["api_initialized"], health["last_update"]) == (False, "")
    with pytest.raises(onebook.BadConfig, match="no source of market data is configured; set ONEBOOK_DATA"):
        get_data_manager().get_latest_price("AAPL")
    with pytest.raises(onebook.BadConfig, match="no venue is configured"):
        get_data_manager().get_account_info()


@pytest.mark.parametrize("text", ["nobody", "ccxt", "files:", "alpaca:paper"])
def test_a_variable_that_names_no_source_is_refused(
    text: str, book: onebook.Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEBOOK_DATA", text)
    with pytest.raises(onebook.BadConfig, match="names no source"):
        get_data_manager().get_latest_price("AAPL")


def test_the_variable_names_files(book: onebook.Book, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "timestamp,open,high,low,close,volume\n2026-01-05T08:00:00Z,1.5,2,1,1.75,10\n"
    (place / "AAPL_1m.csv").write_text(rows)
    monkeypatch.setenv("ONEBOOK_DATA", "files:AAPL_1m.csv")
    assert get_data_manager().get_latest_price("AAPL") == Decimal("1.75")
    assert len(get_data_manager().get_historical_data("AAPL", "1Min", start_hours_ago=2)) == 1


@pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning")
def test_the_variable_names_an_exchange_and_alpaca_by_its_own_keys(
    book: onebook.Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEBOOK_DATA", "ccxt:kraken")
    assert market.source().name == "kraken"
    cleanup_data_manager()
    monkeypatch.setenv("ONEBOOK_DATA", "alpaca")
    with pytest.raises(onebook.BadConfig, match="APCA_API_KEY_ID"):
        market.source()
    monkeypatch.setenv("APCA_API_KEY_ID", "key")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "secret")
    assert market.source().name == "alpaca"
    assert market.venue().name == "alpaca"


# ---- the account ----


class Exchange:
    """What ccxt's exchanges answer of an account."""

    id = "kraken"

    def fetch_balance(self) -> dict[str, Any]:
        parts = {"USD": 100.5, "BTC": 0.25, "ETH": 0.0}
        return {"total": parts, "free": {**parts, "USD": 40.0}, "used": {"USD": 60.5, "BTC": None}}

    def fetch_positions(self) -> list[dict[str, Any]]:
        held = {"symbol": "BTC/USD:USD", "contracts": 2.0, "side": "short", "entryPrice": 100.1, "unrealizedPnl": "-3"}
        return [held, {"symbol": "ETH/USD:USD", "contracts": 0.0}]


class Alpaca:
    """What a trading client of alpaca-py answers, raw and as models."""

    def __init__(self, *, raw: bool) -> None:
        self.raw = raw
        self.problem: Exception | None = None

    def _given(self, row: dict[str, Any]) -> Any:
        return row if self.raw else SimpleNamespace(model_dump=lambda: row)

    def get_account(self) -> Any:
        if self.problem is not None:
            raise self.problem
        return self._given({"cash": "1000.5", "equity": "1200", "currency": "USD", "status": "ACTIVE", "id": "x"})

    def get_all_positions(self) -> Any:
        row = {"symbol": "AAPL", "qty": "-2", "side": "short", "avg_entry_price": "100.1", "unrealized_pl": "5"}
        return [self._given(row)]


def test_the_account_is_the_venues_with_the_books_beside(book: onebook.Book) -> None:
    compat.install(venue=Exchange())
    get_trade_manager().record_trade(create_trade("AAPL", "buy", 1, 10.5))
    found = get_data_manager().get_account_info()
    assert (found["source"], found["cash"], found["currency"]) == ("kraken", 40, "USD")
    assert found["balances"]["BTC"] == {"total": Decimal("0.25"), "free": Decimal("0.25"), "used": None}
    assert "ETH" not in found["balances"]
    beside = found["book"]
    assert (beside["account"], beside["currency"], beside["open_positions"]) == ("main", "USD", 1)
    assert set(beside) == {
        *("account", "currency", "balances", "equity", "realized_pnl", "unrealized_pnl", "open_positions"),
    }


@pytest.mark.parametrize("raw", [True, False])
def test_alpaca_is_asked_in_either_shape(raw: bool, book: onebook.Book) -> None:
    compat.install(venue=Alpaca(raw=raw))
    get_trade_manager().record_trade(create_trade("AAPL", "sell", 1, 100.1))
    get_trade_manager().record_trade(create_trade("MSFT", "buy", 3, 10))
    account = get_data_manager().get_account_info()
    assert (account["cash"], account["equity"], account["buying_power"]) == (Decimal("1000.5"), 1200, None)
    apple, microsoft = get_data_manager().get_positions()
    assert (apple["symbol"], apple["side"], apple["qty"]) == ("AAPL", "short", 2)
    assert apple["avg_entry_price"] == Decimal("100.1")
    assert (apple["book"]["side"], apple["book"]["qty"]) == ("short", 1)
    assert (microsoft["qty"], microsoft["current_price"], microsoft["book"]["qty"]) == (0, None, 3)


def test_positions_of_an_exchange_without_any_in_the_book(book: onebook.Book) -> None:
    compat.install(venue=Exchange())
    (row,) = get_data_manager().get_positions()
    assert (row["symbol"], row["side"], row["qty"], row["book"]) == ("BTC/USD:USD", "short", 2, None)
    assert (row["avg_entry_price"], row["unrealized_pl"]) == (Decimal("100.1"), -3)


def test_a_venue_that_fails_opens_its_breaker(book: onebook.Book) -> None:
    import requests

    venue = Alpaca(raw=True)
    venue.problem = requests.exceptions.ConnectionError("nobody there")
    compat.install(venue=venue)
    for _ in range(5):
        with pytest.raises(onebook.SourceError, match="cannot be reached"):
            get_data_manager().get_account_info()
    with pytest.raises(CircuitBreakerError):
        get_data_manager().get_account_info()
    assert circuit_manager.get_status()["alpaca.account"]["state"] == "open"


def test_what_is_no_venue_is_refused(book: onebook.Book) -> None:
    class Later(Exchange):
        async def fetch_balance(self) -> dict[str, Any]:  # type: ignore[override]
            return {}

    with pytest.raises(onebook.BadConfig, match="neither an exchange"):
        compat.install(venue=object())
    with pytest.raises(onebook.BadConfig, match="asynchronous"):
        compat.install(venue=Later())
