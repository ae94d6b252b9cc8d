"""The data manager with the real alpaca-py and ccxt: whom the environment names, and what their errors become."""

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from tests.market.venues.alpaca import Alpaca
from tests.market.venues.serving import Fault

import onebook
from onebook import compat
from onebook.compat.data_manager import cleanup_data_manager, get_data_manager
from onebook.compat.managers import get_trade_manager
from onebook.compat.trades import create_trade
from onebook.domain.times import from_text
from onebook.market.providers.ccxt_rows import library

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets")


class Account(Alpaca):
    """Alpaca's prices, and an account there."""

    def routes(self) -> list[web.AbstractRouteDef]:
        async def account(_: web.Request) -> web.Response:
            return web.json_response({"cash": "1000.5", "equity": "1200", "buying_power": "2001", "currency": "USD"})

        async def positions(_: web.Request) -> web.Response:
            held = {"symbol": "AAPL", "qty": "2", "side": "long", "avg_entry_price": "100.1", "current_price": "101"}
            return web.json_response([held])

        return [*super().routes(), web.get("/v2/account", account), web.get("/v2/positions", positions)]


@pytest.fixture
def venue(book: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with closing(Account()) as started:
        monkeypatch.setenv("ONEBOOK_DATA", "alpaca")
        monkeypatch.setenv("APCA_API_KEY_ID", "PK1")
        monkeypatch.setenv("APCA_API_SECRET_KEY", "not a secret")
        for name in ("APCA_API_BASE_URL", "APCA_API_DATA_URL"):
            monkeypatch.setenv(name, started.http)
        yield started
        compat.uninstall()


def test_the_keys_of_the_environment_ask_alpaca_for_prices_and_the_account(venue: Account) -> None:
    venue.trade(1, from_text("at", "2026-01-05T08:59:58Z"), 189.12)
    manager = get_data_manager()
    price = manager.get_latest_price("AAPL")
    assert (price, price.age_seconds, price.source) == (Decimal("189.12"), 2, "alpaca")
    get_trade_manager().record_trade(create_trade("AAPL", "buy", 2, 100.1))
    account = manager.get_account_info()
    assert (account["source"], account["cash"], account["buying_power"]) == ("alpaca", Decimal("1000.5"), 2001)
    (row,) = manager.get_positions()
    assert (row["qty"], row["current_price"], row["book"]["qty"]) == (2, 101, 2)
    assert [path for path in venue.asked if "account" in path or "positions" in path] == [
        "/v2/account",
        "/v2/positions",
    ]
    cleanup_data_manager()
    assert manager.get_latest_price("AAPL") == Decimal("189.12")


def test_what_alpaca_refuses_is_one_of_our_errors(venue: Account) -> None:
    for status, expected in ((401, onebook.BadConfig), (429, onebook.RateLimited), (404, onebook.BookError)):
        venue.faults.append(Fault(status, '{"message": "no"}'))
        with pytest.raises(expected):
            get_data_manager().get_account_info()
        assert venue.faults == []


class Exchange:
    """An exchange of ccxt that answers with what it was told."""

    id = "kraken"
    last_response_headers = None

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def _said(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def fetch_balance(self) -> Any:
        return self._said()

    def fetch_positions(self) -> Any:
        return self._said()


def test_what_ccxt_raises_is_one_of_our_errors(book: onebook.Book) -> None:
    ccxt = library()
    cases: list[tuple[Any, type[Exception]]] = [
        (ccxt.NotSupported("spot only"), onebook.InputError),
        (ccxt.AuthenticationError("keys"), onebook.BadConfig),
        (ccxt.RequestTimeout("slow"), onebook.SourceTimeout),
        ([{"symbol": "X"}, 7], onebook.BadPayload),
        (7, onebook.BadPayload),
    ]
    for answer, expected in cases:
        compat.install(venue=Exchange(answer))
        with pytest.raises(expected):
            get_data_manager().get_positions()
    compat.install(venue=Exchange(["odd"]))
    with pytest.raises(onebook.BadPayload):
        get_data_manager().get_account_info()
