"""The body of an alert as named values: JSON, a form, or lines of text. Numbers keep their exact digits."""

import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from onebook.domain import times
from onebook.domain.fields import json_value
from onebook.errors import InputError
from onebook.intake.bodies import check_body

MAX_BYTES = 65_536
"""Of one alert."""
MAX_KEYS = 200
LONGEST_ID = 120
"""Characters of an id that is kept as it is; a longer one is kept as its digest."""
AHEAD_NS = 3600 * times.SECOND
"""So far an alert's time may lie ahead of the book's clock."""

FORM = "application/x-www-form-urlencoded"
_EXACT = msgspec.json.Decoder(float_hook=Decimal)
_LINE = re.compile(r"\s*([A-Za-z_][\w.-]{0,63})\s*[:=]\s*(.*?)\s*")
_PLACEHOLDER = re.compile(r"\{\{[^{}]*\}\}")
_NOTHING = frozenset({"", "none", "null", "nan", "n/a", "na"})
_UNITS = {10: times.SECOND, 13: 1_000_000, 16: 1_000, 19: 1}
"""Digits of a moment since 1970 -> nanoseconds of its unit."""


def read(payload: bytes, content_type: str) -> dict[str, Any]:
    """Return what an alert says, by name.

    Args:
        payload: the body as it came.
        content_type: as its sender calls it; a body that begins with ``{`` is JSON whatever it is called.

    Raises:
        InputError: it is too large, empty, no text, or nothing that has names.
    """
    if len(payload) > MAX_BYTES:
        msg = f"body: {len(payload)} bytes; an alert has {MAX_BYTES} at most"
        raise InputError(msg, field="body")
    try:
        text = payload.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise InputError("body: is not UTF-8 text; send JSON, a form or lines of text", field="body") from None
    if not text:
        raise InputError("body: is empty; paste the message that onebook hook create prints", field="body")
    kind = content_type.partition(";")[0].strip().lower()
    if text.startswith(("{", "[")) or kind == "application/json" or kind.endswith("+json"):
        return _from_json(text)
    return _once(_pairs_of_form(text) if kind == FORM else _pairs_of_lines(text))


def _from_json(text: str) -> dict[str, Any]:
    try:
        found = _EXACT.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError) as problem:
        unfilled = _PLACEHOLDER.search(text)
        hint = f"; {unfilled[0]} was not filled in" if unfilled else "; write texts in double quotes"
        msg = f"body: is not JSON: {problem}{hint}"
        raise InputError(msg, field="body") from None
    check_body(text.encode(), found)
    if not isinstance(found, dict):
        msg = "body: an alert is one JSON object with names and values; send each by itself"
        raise InputError(msg, field="body")
    if len(found) > MAX_KEYS:
        msg = f"body: {len(found)} names; an alert has {MAX_KEYS} at most"
        raise InputError(msg, field="body")
    kept: dict[str, Any] = json_value("body", found, 1)
    return kept


def _pairs_of_form(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=MAX_KEYS, errors="strict")
    except ValueError:
        msg = f"body: is not a form with {MAX_KEYS} names at most: write name=value&name=value"
        raise InputError(msg, field="body") from None


def _pairs_of_lines(text: str) -> list[tuple[str, str]]:
    found = []
    for line in text.splitlines():
        if not line.strip():
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            msg = f"body: {line.strip()[:60]!r} is no line such as price: 100; write one name: value on each, or JSON"
            raise InputError(msg, field="body")
        found.append((match[1], match[2]))
    if len(found) > MAX_KEYS:
        msg = f"body: {len(found)} names; an alert has {MAX_KEYS} at most"
        raise InputError(msg, field="body")
    return found


def _once(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"{twice[:60]}: stands there twice; give it once"
        raise InputError(msg, field=twice[:60])
    return found


# ---- single values ----


def value_at(message: Mapping[str, Any], key: str) -> Any:
    """Return the value under a key, or under a path such as ``order.price``; None where there is nothing."""
    if key in message:
        return message[key]
    found: Any = message
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def stated(name: str, value: Any, *, is_needed: bool = False) -> Any:
    """Return a value that says something: text is trimmed; None for what stands for nothing.

    Raises:
        InputError: it is needed and a placeholder stands in its place, or it is a list or an object.
    """
    if isinstance(value, str):
        value = value.strip()
        unfilled = _PLACEHOLDER.search(value)
        if unfilled is not None and is_needed:
            msg = (
                f"{name}: {unfilled[0][:60]} was not filled in; TradingView fills those of strategies in alerts of "
                "strategies only: write the value itself"
            )
            raise InputError(msg, field=name, value=value)
        return None if unfilled is not None or value.lower() in _NOTHING else value
    if isinstance(value, Mapping | list):
        msg = f"{name}: is a list or an object; name the value within it as name.of.value"
        raise InputError(msg, field=name)
    return value


def moment(name: str, value: Any, at: int, *, is_utc: bool = False) -> int:
    """Return a time in nanoseconds since 1970 UTC.

    Args:
        name: of the value, for the message.
        value: text with a zone, or a count of seconds, milli-, micro- or nanoseconds since 1970.
        at: the book's clock, in nanoseconds.
        is_utc: text without a zone is UTC.

    Raises:
        InputError: it is no time, or more than an hour ahead.
    """
    text = str(value).strip()
    if text.isascii() and text.isdigit():
        unit = _UNITS.get(len(text))
        if unit is None:
            msg = f"{name}: {text[:30]} is no time; write 2026-01-31T09:30:00Z, or seconds or milliseconds since 1970"
            raise InputError(msg, field=name, value=value)
        found = int(text) * unit
    else:
        bare = is_utc and re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?", text) is not None
        found = times.from_text(name, f"{text}Z" if bare else text)
    if found > at + AHEAD_NS:
        msg = f"{name}: {text[:40]} is more than an hour ahead of the book's clock; send the time in UTC"
        raise InputError(msg, field=name, value=value)
    return found


def given_id(hook_name: str, value: Any) -> str:
    """Return the identity of an alert that has an id: of this hook, so that two hooks may count alike."""
    text = str(value)
    if len(text) > LONGEST_ID or not text.isprintable():
        text = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{hook_name[:60]}:{text}"


def content_id(hook_name: str, message: Mapping[str, Any]) -> str:
    """Return the identity of an alert from all that it says, its time among it."""
    told = json.dumps(message, sort_keys=True, ensure_ascii=True, default=str)
    return f"{hook_name[:60]}:{hashlib.sha256(told.encode()).hexdigest()[:32]}"
