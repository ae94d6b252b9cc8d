"""What ccxt returns, as domain records; and its errors, as ours. No connection is made here.

Over REST every number is read as its text. Over websockets ccxt itself reads bars, and numbers that a venue writes
without quotes, as binary floats; these are taken by their shortest decimal, which is the venue's text up to 15 digits.
Times of ccxt are whole milliseconds.
"""

from collections.abc import Mapping
from decimal import Decimal
from importlib import import_module
from typing import Any

from onebook.domain.market import Bar, Print, Quote
from onebook.domain.numbers import ZERO, exact, number
from onebook.errors import (
    BadConfig,
    BadPayload,
    BookError,
    InputError,
    RateLimited,
    SourceError,
    SourceTimeout,
    UnknownInstrument,
)
from onebook.market.retrying import asked_pause
from onebook.market.timeframes import length_ns

MILLISECOND = 1_000_000
UNREADABLE = (TypeError, KeyError, IndexError, ValueError, AttributeError, ArithmeticError)
"""What ccxt and these functions raise on an answer of another shape than expected."""


def library(name: str = "ccxt") -> Any:
    """Return ccxt, or a part of it.

    Raises:
        BadConfig: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as problem:
        raise BadConfig('ccxt is not installed; run: pip install "onebook[ccxt]"', extra="ccxt") from problem


def decimal_of(field: str, value: object) -> Decimal:
    """Return a number of ccxt exactly.

    Raises:
        BadPayload: it is none.
    """
    try:
        return exact(value) if isinstance(value, float) else number(field, value)
    except InputError as problem:
        msg = f"{field}: the venue sent {value!r}, which is no number"
        raise BadPayload(msg, field=field, value=value) from problem


def print_of(trade: Mapping[str, Any]) -> Print:
    """Return a public trade of ccxt.

    Raises:
        BadPayload: it lacks time, price or quantity.
    """
    try:
        return Print(
            instrument=trade["symbol"],
            at_ns=int(trade["timestamp"]) * MILLISECOND,
            price=decimal_of("price", trade["price"]),
            quantity=decimal_of("quantity", trade["amount"]),
            side=trade.get("side") or "",
            id=trade.get("id") or "",
        )
    except UNREADABLE as problem:
        msg = f"a trade cannot be read: {str(trade)[:200]}"
        raise BadPayload(msg, value=trade) from problem


def quote_of(instrument: str, ticker: Mapping[str, Any], now_ns: int) -> Quote | None:
    """Return the best prices of a ticker of ccxt; None where one side is empty.

    Args:
        instrument: of what.
        ticker: what ccxt returned.
        now_ns: the moment, where the venue gives none.

    Raises:
        BadPayload: a number cannot be read.
    """
    if not ticker.get("bid") or not ticker.get("ask"):
        return None
    at_ms = ticker.get("timestamp")
    return Quote(
        instrument=instrument,
        at_ns=now_ns if at_ms is None else int(at_ms) * MILLISECOND,
        bid=decimal_of("bid", ticker["bid"]),
        ask=decimal_of("ask", ticker["ask"]),
        bid_quantity=decimal_of("bid_quantity", ticker.get("bidVolume") or ZERO),
        ask_quantity=decimal_of("ask_quantity", ticker.get("askVolume") or ZERO),
    )


def bar_of(instrument: str, timeframe: str, row: list[Any], now_ns: int | None) -> Bar:
    """Return a candle of ccxt.

    Args:
        instrument: of what.
        timeframe: its length.
        row: opening time in milliseconds, open, high, low, close, volume.
        now_ns: the moment, by which it is final or runs; None: it runs.

    Raises:
        BadPayload: it cannot be read.
    """
    try:
        opened_ns = int(row[0]) * MILLISECOND
        at_ns = opened_ns + length_ns(timeframe)
        return Bar(
            instrument=instrument,
            timeframe=timeframe,
            opened_ns=opened_ns,
            at_ns=at_ns,
            open=decimal_of("open", row[1]),
            high=decimal_of("high", row[2]),
            low=decimal_of("low", row[3]),
            close=decimal_of("close", row[4]),
            volume=decimal_of("volume", row[5] or ZERO),
            is_final=now_ns is not None and at_ns <= now_ns,
        )
    except UNREADABLE as problem:
        msg = f"a candle cannot be read: {str(row)[:200]}"
        raise BadPayload(msg, value=row) from problem


def ours(problem: Exception, headers: Mapping[str, str] | None = None) -> BookError:
    """Return an error of ccxt as one of ours.

    Args:
        problem: what ccxt raised.
        headers: of the answer, for how long the venue asks to wait.
    """
    ccxt, text = library(), _text(problem)
    if isinstance(problem, ccxt.RequestTimeout):
        return SourceTimeout(f"no answer in time: {text}")
    if isinstance(problem, ccxt.RateLimitExceeded | ccxt.DDoSProtection) or _status(problem) in {418, 429}:
        wait = asked_pause(headers or _cause_headers(problem))
        asked = f"; it asks to wait {wait:g} seconds" if wait is not None else ""
        return RateLimited(f"the venue asks for fewer calls{asked}: {text}", retry_seconds=wait)
    if isinstance(problem, ccxt.BadSymbol):
        return UnknownInstrument(f"the venue does not have it: {text}")
    if isinstance(problem, ccxt.AuthenticationError):
        return BadConfig(f"the venue refuses the keys: {text}")
    if isinstance(problem, ccxt.NotSupported | ccxt.ArgumentsRequired | ccxt.BadRequest):
        return InputError(f"the venue cannot do this: {text}")
    if isinstance(problem, ccxt.BadResponse | ccxt.NullResponse):
        return BadPayload(f"the answer cannot be read: {text}")
    return SourceError(f"the venue failed: {text}")


def _text(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"[:300]


def _cause(problem: Exception) -> object:
    """The error of the websocket's handshake that ccxt hands on as the first argument of its own."""
    return problem.args[0] if problem.args else None


def _status(problem: Exception) -> int | None:
    status = getattr(_cause(problem), "status", None)
    return status if isinstance(status, int) else None


def _cause_headers(problem: Exception) -> Mapping[str, str]:
    return getattr(_cause(problem), "headers", None) or {}
