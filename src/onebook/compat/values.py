"""How values of the older programs are taken and shown: floats, times without a zone, plain JSON shapes.

Elsewhere floats and bare times are refused. Here they come from programs that know nothing else, so a float
counts as the shortest decimal that reads back as it, and a time without a zone as UTC, which those programs wrote.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from onebook.domain import times
from onebook.domain.numbers import exact, multiply, number
from onebook.errors import InputError

_MILLISECONDS_FROM = 100_000_000_000
"""Numbers from here on are milliseconds since 1970, smaller ones seconds."""


def decimal_of(name: str, value: Any) -> Decimal:
    """Take a number; a float by its shortest decimal.

    Raises:
        PrecisionLost: it has more digits than are kept.
        InputError: it is not a number.
    """
    return exact(value) if isinstance(value, float) else number(name, value)


def absent(value: Any) -> bool:
    """Say whether a value stands for not given: None, or empty text."""
    return value is None or (isinstance(value, str) and not value.strip())


def optional_decimal(name: str, value: Any) -> Decimal | None:
    """Take a number, None where it is not given."""
    return None if absent(value) else decimal_of(name, value)


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its IANA name.

    Raises:
        InputError: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        msg = f"zone: {name!r} is not a time zone; use an IANA name such as Europe/Berlin"
        raise InputError(msg, field="zone", value=name) from None


def moment_of(name: str, value: Any, zone: tzinfo = UTC) -> datetime:
    """Take a time: a datetime, ISO text, or seconds or milliseconds since 1970; aware UTC comes back.

    Args:
        name: what it is, for the message.
        value: the time.
        zone: the zone of a time that names none.

    Raises:
        InputError: it is not a time.
    """
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        amount = decimal_of(name, value)
        step = times.SECOND // 1000 if abs(amount) >= _MILLISECONDS_FROM else times.SECOND
        return times.to_datetime(int(multiply(amount, Decimal(step))))
    else:
        try:
            moment = datetime.fromisoformat(str(value).strip())
        except ValueError:
            msg = f"{name}: {value!r:.60} is not a time; write it as 2026-01-31T09:30:00+00:00"
            raise InputError(msg, field=name, value=value) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(UTC)


def as_float(value: Any) -> Any:
    """Return a shape with every number a float and every time ISO text, as the older programs printed it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: as_float(item) for name, item in value.items()}
    return [as_float(item) for item in value] if isinstance(value, list) else value


def as_written(value: Any) -> Any:
    """Return a shape as the older state file holds it: exact numbers, times as UTC text without a zone."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat()
    if isinstance(value, dict):
        return {name: as_written(item) for name, item in value.items()}
    return [as_written(item) for item in value] if isinstance(value, list) else value


def storable(value: Any) -> Any:
    """Return what an older program hands over as the book can keep it.

    A time without a zone counts as UTC, a set becomes a list, an enum its value, a record its fields, and what has
    ``to_dict`` what that gives. Anything else is left as it is, for the book to take or refuse.
    """
    if isinstance(value, Enum):
        return storable(value.value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value
    if isinstance(value, Mapping):
        return {str(name): storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((storable(item) for item in value), key=str)
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: storable(getattr(value, item.name)) for item in fields(value)}
    for name in ("shape", "to_dict"):
        if callable(given := getattr(value, name, None)) and not isinstance(value, type):
            return storable(given())
    return value
