"""What a venue says of an account: its money and positions, asked each time and kept nowhere.

Reading only: nothing here trades. Numbers are exact; a float of the venue's library counts as its shortest decimal.
"""

import inspect
import os
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from onebook.compat.values import absent, decimal_of, optional_decimal
from onebook.domain.numbers import absolute
from onebook.errors import BadConfig, BadPayload, InputError, SourceError, SourceTimeout
from onebook.market.providers import alpaca_rows, ccxt_rows

TIMEOUT_SECONDS = 10.0
_MONEY = ("cash", "equity", "buying_power", "portfolio_value", "long_market_value", "short_market_value")
_UNREADABLE = (TypeError, ValueError, AttributeError, KeyError, InputError)


@runtime_checkable
class Venue(Protocol):
    """Who is asked for an account. Both raise ``SourceError`` when there is no answer."""

    name: str

    def account(self) -> dict[str, Any]:
        """Return the account's money; ``cash equity buying_power currency`` where the venue says them, else None."""

    def positions(self) -> list[dict[str, Any]]:
        """Return ``symbol side qty avg_entry_price current_price market_value unrealized_pl`` of what is held.

        ``qty`` is unsigned, ``side`` is ``long`` or ``short``; prices are per unit, money in the quote currency; None
        where the venue does not say.
        """


def _position(symbol: Any, side: str, **figures: Any) -> dict[str, Any]:
    shown = {name: optional_decimal(name, value) for name, value in figures.items()}
    return {"symbol": str(symbol), "side": side, **shown}


# ---- Alpaca ----


class AlpacaVenue:
    """An account at Alpaca.

    Args:
        client: a ``TradingClient`` of alpaca-py.
    """

    def __init__(self, client: Any) -> None:
        self.name = "alpaca"
        self._client = client

    def account(self) -> dict[str, Any]:
        """Return the account's money."""
        found = self._ask("get_account")
        try:
            shown: dict[str, Any] = {name: optional_decimal(name, found.get(name)) for name in _MONEY}
            return shown | {"currency": found.get("currency"), "status": _word(found.get("status"))}
        except _UNREADABLE as problem:
            raise _strange("an account", problem) from problem

    def positions(self) -> list[dict[str, Any]]:
        """Return what is held."""
        try:
            return [_of_alpaca(_plain(item)) for item in self._ask("get_all_positions")]
        except _UNREADABLE as problem:
            raise _strange("a position", problem) from problem

    def _ask(self, method: str) -> Any:
        library = alpaca_rows.library
        failed, errors = library("alpaca.common.exceptions").APIError, library("requests.exceptions")
        try:
            found = getattr(self._client, method)()
        except failed as problem:
            answer = problem.response
            headers = {} if answer is None else answer.headers
            raise alpaca_rows.by_status(problem.status_code, str(problem), headers) from problem
        except errors.Timeout as problem:
            raise SourceTimeout(f"Alpaca did not answer in time: {problem}") from problem
        except errors.RequestException as problem:
            raise SourceError(f"Alpaca cannot be reached: {problem}") from problem
        return found if isinstance(found, list) else _plain(found)


def alpaca_client(key: str, secret: str) -> Any:
    """Return a client of the account that Alpaca's own variables name; the paper account unless they say otherwise.

    Raises:
        BadConfig: alpaca-py is not installed.
    """
    place = os.environ.get("APCA_API_BASE_URL") or None
    client = alpaca_rows.library("alpaca.trading.client").TradingClient(
        key, secret, paper=place is None, raw_data=True, url_override=place
    )
    client._retry_codes = []  # noqa: SLF001  it sleeps through a 429 otherwise
    send = client._session.request  # noqa: SLF001  the library waits for ever otherwise
    client._session.request = lambda *given, **more: send(*given, **{"timeout": TIMEOUT_SECONDS, **more})  # noqa: SLF001
    return client


def _plain(found: Any) -> Mapping[str, Any]:
    """Return what the library gives as a mapping; it gives models unless asked for what is raw."""
    shown: Any = found if isinstance(found, Mapping) else found.model_dump()
    return dict(shown)


def _word(value: Any) -> str:
    return str(getattr(value, "value", value) or "")


def _of_alpaca(row: Mapping[str, Any]) -> dict[str, Any]:
    quantity = decimal_of("qty", row["qty"])
    side = _word(row.get("side")).lower() or ("short" if quantity < 0 else "long")
    names = ("avg_entry_price", "current_price", "market_value", "unrealized_pl")
    return _position(row["symbol"], side, qty=absolute(quantity), **{name: row.get(name) for name in names})


# ---- ccxt ----


class CcxtVenue:
    """An account at an exchange of ccxt.

    Args:
        exchange: a synchronous one.

    Raises:
        BadConfig: an asynchronous one.
    """

    def __init__(self, exchange: Any) -> None:
        if inspect.iscoroutinefunction(exchange.fetch_balance):
            msg = (
                "venue: an asynchronous exchange cannot answer here; hand in one of ccxt itself, not ccxt.async_support"
            )
            raise BadConfig(msg)
        self.name = str(getattr(exchange, "id", "ccxt"))
        self._exchange = exchange

    def account(self) -> dict[str, Any]:
        """Return the balances by asset; ccxt knows no equity. ``cash`` is left to who knows the currency."""
        found = self._ask("fetch_balance")
        try:
            parts = {part: found.get(part) or {} for part in ("total", "free", "used")}
            assets = sorted(asset for asset, held in parts["total"].items() if held)
            balances = {
                asset: {part: _figure(part, held.get(asset)) for part, held in parts.items()} for asset in assets
            }
        except _UNREADABLE as problem:
            raise _strange("a balance", problem) from problem
        return {**dict.fromkeys((*_MONEY, "currency")), "status": "", "balances": balances}

    def positions(self) -> list[dict[str, Any]]:
        """Return what is held.

        Raises:
            InputError: the exchange knows no positions, only balances.
        """
        try:
            return [_of_ccxt(row) for row in _held(self._ask("fetch_positions"))]
        except _UNREADABLE as problem:
            if isinstance(problem, InputError):
                raise
            raise _strange("a position", problem) from problem

    def _ask(self, method: str) -> Any:
        errors = ccxt_rows.library().BaseError
        try:
            return getattr(self._exchange, method)()
        except errors as problem:
            raise ccxt_rows.ours(problem, getattr(self._exchange, "last_response_headers", None)) from problem


def _held(rows: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    return (row for row in rows if _figure("contracts", row.get("contracts")))


def _figure(name: str, value: Any) -> Decimal | None:
    return None if absent(value) else ccxt_rows.decimal_of(name, value)


def _of_ccxt(row: Mapping[str, Any]) -> dict[str, Any]:
    quantity = _figure("contracts", row["contracts"]) or Decimal(0)
    side = row.get("side") or ("short" if quantity < 0 else "long")
    figures = {
        "avg_entry_price": row.get("entryPrice"),
        "current_price": row.get("markPrice"),
        "market_value": row.get("notional"),
        "unrealized_pl": row.get("unrealizedPnl"),
    }
    return _position(row["symbol"], side, qty=absolute(quantity), **figures)


def _strange(what: str, problem: Exception) -> BadPayload:
    return BadPayload(f"{what} of the venue cannot be read: {type(problem).__name__}: {problem}")
