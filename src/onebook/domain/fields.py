"""How a value handed in becomes a field of a record: one small function per kind of field.

Each takes the field's name, for the message, and the value, and returns what is kept. What cannot be kept
exactly is refused; nothing is cut or rounded.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from onebook.domain import times
from onebook.domain.numbers import ZERO, number, plain
from onebook.errors import InputError

MAX_TEXT = 200
MAX_NOTE = 20_000
MAX_TAGS = 64
MAX_RAW_DEPTH = 32
MAX_COUNT = 2**53
DIGEST_DIGITS = 64

Convert = Callable[[str, Any], Any]


def text(field: str, value: object) -> str:
    """Take an id or a name: printable text of at most 200 characters."""
    if type(value) is not str:
        if isinstance(value, str):
            value = str.__str__(value)
        else:
            msg = f"{field}: {value!r:.60} is not text; write {field}={str(value)[:60]!r}"
            raise InputError(msg, field=field, value=value)
    if not value.isprintable() or len(value) > MAX_TEXT:
        msg = f"{field}: {value[:60]!r} holds characters that cannot be shown, or is longer than {MAX_TEXT}"
        raise InputError(msg, field=field, value=value)
    if value and (value[0] == " " or value[-1] == " "):
        msg = f"{field}: {value[:60]!r} begins or ends with a space"
        raise InputError(msg, field=field, value=value)
    return value


def required(field: str, value: object) -> str:
    """Take a name that must not be empty."""
    result = text(field, value)
    if not result:
        msg = f"{field}: is missing; give {field}='...'"
        raise InputError(msg, field=field, value=value)
    return result


def note(field: str, value: object) -> str:
    """Take free text of at most 20,000 characters; line breaks are welcome."""
    if not isinstance(value, str):
        msg = f"{field}: {value!r:.60} is not text"
        raise InputError(msg, field=field, value=value)
    if len(value) > MAX_NOTE or "\x00" in value or (not value.isascii() and _has_surrogate(value)):
        msg = f"{field}: longer than {MAX_NOTE} characters, or not valid text"
        raise InputError(msg, field=field, value=value)
    return value


def _has_surrogate(value: str) -> bool:
    return any(0xD800 <= ord(letter) <= 0xDFFF for letter in value)


def tags(field: str, value: object) -> tuple[str, ...]:
    """Take tags: an iterable of names, or one text with commas."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, Iterable):
        msg = f"{field}: {value!r:.60} is not a list of names"
        raise InputError(msg, field=field, value=value)
    result = tuple(required(field, item) for item in value)
    if len(result) > MAX_TAGS:
        msg = f"{field}: {len(result)} of them; at most {MAX_TAGS} are kept"
        raise InputError(msg, field=field, value=value)
    return result


def raw(field: str, value: object) -> dict[str, Any]:
    """Take the source's own payload: anything JSON can hold, under text keys."""
    if not isinstance(value, Mapping):
        msg = f"{field}: {type(value).__name__} is not a mapping"
        raise InputError(msg, field=field, value=value)
    kept: dict[str, Any] = json_value(field, value, 0)
    return kept


def json_value(field: str, value: object, depth: int) -> Any:
    """Return the value as JSON can hold it; decimals and times become text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return note(field, str.__str__(value)) if not value.isascii() or "\x00" in value else str.__str__(value)
    if isinstance(value, int) and abs(value) < 2**63:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Decimal):
        return plain(value) if value.is_finite() else str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if depth < MAX_RAW_DEPTH:
        if isinstance(value, Mapping):
            return {str(key): json_value(field, item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [json_value(field, item, depth + 1) for item in value]
    msg = f"{field}: {type(value).__name__} cannot be kept as JSON"
    raise InputError(msg, field=field, value=value)


def positive(field: str, value: object) -> Decimal:
    """Take a number above 0."""
    result = number(field, value)
    if result <= ZERO:
        msg = f"{field}: {plain(result)} is not above 0" + (
            "; the side says the direction" if field == "quantity" else ""
        )
        raise InputError(msg, field=field, value=value)
    return result


def not_negative(field: str, value: object) -> Decimal:
    """Take a number of 0 or more."""
    result = number(field, value)
    if result < ZERO:
        msg = f"{field}: {plain(result)} is below 0"
        raise InputError(msg, field=field, value=value)
    return result


def not_zero(field: str, value: object) -> Decimal:
    """Take a signed number that is not 0."""
    result = number(field, value)
    if not result:
        msg = f"{field}: is 0"
        raise InputError(msg, field=field, value=value)
    return result


def count(field: str, value: object) -> int:
    """Take a whole number of 1 or more."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) <= len(str(MAX_COUNT)):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < MAX_COUNT:
        msg = f"{field}: {value!r:.60} is not a whole number of 1 or more"
        raise InputError(msg, field=field, value=value)
    return value


def flag(field: str, value: object) -> bool:
    """Take yes or no."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false", "yes", "no", "1", "0"}:
        return value.strip().lower() in {"true", "yes", "1"}
    msg = f"{field}: {value!r:.60} is neither true nor false"
    raise InputError(msg, field=field, value=value)


def digest(field: str, value: object) -> str:
    """Take a SHA-256 as 64 hexadecimal digits, kept in small letters. The message does not show it."""
    given = value.strip().lower() if isinstance(value, str) else ""
    if len(given) != DIGEST_DIGITS or not given.isascii() or any(letter not in "0123456789abcdef" for letter in given):
        msg = f"{field}: is not the SHA-256 of a secret as 64 hexadecimal digits"
        raise InputError(msg, field=field)
    return given


LATEST = times.from_text("", "2262-01-01T00:00:00Z")
"""Times of facts lie before this, in nanoseconds since 1970 UTC."""


def moment(field: str, value: object) -> datetime:
    """Take a time and keep it as an aware UTC datetime."""
    return times.to_datetime(times.to_ns(field, value))


def dated(field: str, value: object) -> datetime:
    """Take a time by which facts are ordered, from 1970 to 2261: what lies outside cannot be kept as nanoseconds."""
    ns = times.to_ns(field, value)
    if not 0 <= ns < LATEST:
        msg = f"{field}: before 1970 or after 2261"
        raise InputError(msg, field=field, value=value)
    return times.to_datetime(ns)


def day(field: str, value: object) -> date:
    """Take a calendar date."""
    return times.to_date(field, value)


def choice(*names: str) -> Convert:
    """Return a field that is one of these names; capitals do not matter."""
    allowed = frozenset(names)

    def convert(field: str, value: object) -> str:
        if isinstance(value, str):
            kept = str.__str__(value)
            if kept in allowed:
                return kept
            lowered = kept.strip().lower()
            if lowered in allowed:
                return lowered
            uppered = kept.strip().upper()
            if uppered in allowed:
                return uppered
        msg = f"{field}: {value!r:.60} is none of {', '.join(name or repr('') for name in names)}"
        raise InputError(msg, field=field, value=value)

    return convert


def optional(convert: Convert) -> Convert:
    """Return the same field, where None stands for not given."""

    def convert_or_none(field: str, value: object) -> Any:
        return None if value is None else convert(field, value)

    return convert_or_none
