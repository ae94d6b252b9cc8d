"""What alpaca-py returns raw, as domain records; and its errors, as ours.

Alpaca writes numbers as JSON or msgpack numbers, which the library reads as binary floats: each is taken by its
shortest decimal, which is what Alpaca wrote, up to 15 digits. Times keep their nanoseconds.
"""

from collections.abc import Mapping
from decimal import Decimal
from importlib import import_module
from typing import Any

from onebook.domain.market import Bar, Print, Quote
from onebook.domain.numbers import exact, number
from onebook.domain.times import DAY, SECOND, from_text
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

UNREADABLE = (TypeError, KeyError, IndexError, ValueError, AttributeError, ArithmeticError, InputError)
"""What the library and these functions raise on an answer of another shape than expected."""


def library(name: str) -> Any:
    """Return a module of alpaca-py, or of what it stands on.

    Raises:
        BadConfig: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as problem:
        raise BadConfig('alpaca-py is not installed; run: pip install "onebook[alpaca]"', extra="alpaca") from problem


def _decimal(field: str, value: object) -> Decimal:
    return exact(value) if isinstance(value, float) else number(field, value)


def _at_ns(value: Any) -> int:
    """RFC 3339 text over REST, a timestamp of msgpack in the stream."""
    return from_text("t", value) if isinstance(value, str) else int(value.seconds) * SECOND + int(value.nanoseconds)


def print_of(instrument: str, raw: Mapping[str, Any]) -> Print:
    """Return a trade.

    Its id is made of day, exchange and the exchange's number, which counts anew each day.

    Raises:
        BadPayload: it cannot be read.
    """
    try:
        at_ns = _at_ns(raw["t"])
        named = raw.get("i")
        return Print(
            instrument=instrument,
            at_ns=at_ns,
            price=_decimal("p", raw["p"]),
            quantity=_decimal("s", raw["s"]),
            id="" if named is None else f"{at_ns // DAY}-{raw.get('x', '')}-{named}",
        )
    except UNREADABLE as problem:
        msg = f"a trade cannot be read: {str(raw)[:200]}"
        raise BadPayload(msg, value=raw) from problem


def quote_of(instrument: str, raw: Mapping[str, Any]) -> Quote | None:
    """Return the best prices; None where one side is empty.

    Raises:
        BadPayload: they cannot be read.
    """
    try:
        if not raw["bp"] or not raw["ap"]:
            return None
        return Quote(
            instrument=instrument,
            at_ns=_at_ns(raw["t"]),
            bid=_decimal("bp", raw["bp"]),
            ask=_decimal("ap", raw["ap"]),
            bid_quantity=_decimal("bs", raw["bs"]),
            ask_quantity=_decimal("as", raw["as"]),
        )
    except UNREADABLE as problem:
        msg = f"a quote cannot be read: {str(raw)[:200]}"
        raise BadPayload(msg, value=raw) from problem


def bar_of(instrument: str, timeframe: str, raw: Mapping[str, Any], now_ns: int | None) -> Bar:
    """Return a bar.

    Args:
        instrument: of what.
        timeframe: its length.
        raw: as Alpaca wrote it.
        now_ns: the moment, by which it is final or runs; None: it is final.

    Raises:
        BadPayload: it cannot be read.
    """
    try:
        opened_ns = _at_ns(raw["t"])
        at_ns = opened_ns + length_ns(timeframe)
        return Bar(
            instrument=instrument,
            timeframe=timeframe,
            opened_ns=opened_ns,
            at_ns=at_ns,
            open=_decimal("o", raw["o"]),
            high=_decimal("h", raw["h"]),
            low=_decimal("l", raw["l"]),
            close=_decimal("c", raw["c"]),
            volume=_decimal("v", raw["v"]),
            is_final=now_ns is None or at_ns <= now_ns,
        )
    except UNREADABLE as problem:
        msg = f"a bar cannot be read: {str(raw)[:200]}"
        raise BadPayload(msg, value=raw) from problem


def by_status(status: int | None, text: str, headers: Mapping[str, str]) -> BookError:
    """Return the error for a status of HTTP.

    Args:
        status: of the answer; None where it did not come so far.
        text: what the venue said.
        headers: of the answer, for how long it asks to wait.
    """
    said = text[:200]
    if status == 429:
        return RateLimited(f"Alpaca asks for fewer calls: {said}", retry_seconds=asked_pause(headers))
    if status in {401, 403}:
        return BadConfig(f"Alpaca refuses the keys, or what they may see: {status} {said}")
    if status == 404 or (status in {400, 422} and "symbol" in said.lower()):
        return UnknownInstrument(f"Alpaca does not have it: {said}")
    if status in {400, 422}:
        return InputError(f"Alpaca refuses the question: {said}")
    if status in {408, 504}:
        return SourceTimeout(f"Alpaca did not answer in time: {status} {said}")
    return SourceError(f"Alpaca failed: {status} {said}")
