"""Values of the state: plain JSON, and exact numbers, times and dates beside it.

A ``Decimal`` is kept as ``{"$decimal": "1.5"}``, an aware ``datetime`` as ``{"$time": "2026-01-31T09:30:00Z"}``, a
``date`` as ``{"$date": "2026-01-31"}``; everything else as JSON has it. What cannot be kept exactly is refused.
"""

import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, final

from onebook.domain import times
from onebook.domain.numbers import plain
from onebook.errors import InputError, NaiveTime, PrecisionLost

MAX_VALUE = 256 * 1024
"""Bytes of one value as JSON."""

MAX_DEPTH = 32
MAX_DIGITS = 100
"""Digits of a ``Decimal`` before and after the point."""


FIRST_YEAR = 1000
"""Earlier times have no text that reads back."""


@final
class Missing:
    """The type of :data:`MISSING`."""

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()
"""Stands where there is no value; None is one."""


def kept(field: str, value: object) -> Any:
    """Return a value as it is kept: plain JSON.

    Args:
        field: its name, for the message.
        value: None, bool, int, float, text, Decimal, an aware datetime, a date, or a list, tuple or mapping of these.

    Raises:
        InputError: it holds anything else, a key that is no text or begins with ``$``, or is nested deeper than 32.
        NaiveTime: a time without a zone.
        PrecisionLost: a number that cannot be kept exactly.
    """
    return _kept(field, value, 0)


def _kept(field: str, value: object, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    for kind, take in _LEAVES:
        if isinstance(value, kind):
            return take(field, value)
    if depth >= MAX_DEPTH:
        msg = f"{field}: nested deeper than {MAX_DEPTH}; put the inner part at a path of its own"
        raise InputError(msg, field=field)
    if isinstance(value, Mapping):
        return {_key(field, key): _kept(f"{field}.{key}", item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_kept(f"{field}[{place}]", item, depth + 1) for place, item in enumerate(value)]
    hint = "write sorted(value)" if isinstance(value, set | frozenset) else "give text, numbers, lists and dicts"
    if isinstance(value, bytes | bytearray | memoryview):
        hint = "write value.hex(), or base64 text"
    msg = f"{field}: {type(value).__name__} cannot be kept; {hint}"
    raise InputError(msg, field=field, value=value)


def _key(field: str, key: object) -> str:
    if not isinstance(key, str) or key[:1] == "$":
        why = f"begins with $, which marks types; write {key[1:60]!r}" if isinstance(key, str) else "is not text"
        msg = f"{field}: the key {key!r:.60} {why}"
        raise InputError(msg, field=field, value=key)
    return _text(field, key)


def _text(field: str, value: str) -> str:
    text = str.__str__(value)
    if not text.isascii() and any(0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        msg = f"{field}: {text[:60]!r} is not valid text: it holds half of a character"
        raise InputError(msg, field=field, value=value)
    return text


def _whole(field: str, value: int) -> int:
    if not -(2**63) <= value < 2**63:
        msg = f"{field}: {value} does not fit into 64 bits; write Decimal({value})"
        raise PrecisionLost(msg, field=field, value=value)
    return int(value)


def _real(field: str, value: float) -> float:
    if not math.isfinite(value):
        msg = f"{field}: {value} is not a number that JSON has; write None"
        raise InputError(msg, field=field, value=value)
    return float(value)


def _decimal(field: str, value: Decimal) -> dict[str, str]:
    if not value.is_finite():
        msg = f"{field}: {value} is not a finite number; write None"
        raise InputError(msg, field=field, value=value)
    exponent = value.as_tuple().exponent
    if (value and abs(value.adjusted()) > MAX_DIGITS) or int(exponent) < -MAX_DIGITS:
        msg = f"{field}: more than {MAX_DIGITS} digits before or after the point"
        raise PrecisionLost(msg, field=field, value=value)
    return {"$decimal": plain(value) if value else "0"}


def _moment(field: str, value: datetime) -> dict[str, str]:
    if value.utcoffset() is None:
        msg = f"{field}: {value.isoformat()} has no zone; give it tzinfo=UTC, or the zone that it was read in"
        raise NaiveTime(msg, field=field, value=value)
    if value.year < FIRST_YEAR:
        msg = f"{field}: {value.isoformat()} is before the year {FIRST_YEAR}; write None where there is no time"
        raise InputError(msg, field=field, value=value)
    return {"$time": times.to_text(times.from_datetime(field, value))}


def _day(_field: str, value: date) -> dict[str, str]:
    return {"$date": value.isoformat()}


_LEAVES: tuple[tuple[type, Callable[[str, Any], Any]], ...] = (
    (str, _text),
    (int, _whole),
    (float, _real),
    (Decimal, _decimal),
    (datetime, _moment),
    (date, _day),
)

_TYPED: dict[str, Callable[[str], Any]] = {
    "$decimal": Decimal,
    "$time": lambda text: times.to_datetime(times.from_text("$time", text)),
    "$date": date.fromisoformat,
}


def given(value: Any) -> Any:
    """Return a kept value as it was handed in: Decimal, datetime and date again; tuples stay lists."""
    if isinstance(value, dict):
        if is_object(value):
            return {name: given(item) for name, item in value.items()}
        [(mark, text)] = value.items()
        return _TYPED[mark](text)
    return [given(item) for item in value] if isinstance(value, list) else value


def is_object(value: Any) -> bool:
    """Say whether a kept value has names of its own; a typed number or time has none."""
    return isinstance(value, dict) and next(iter(value), "")[:1] != "$"


def same(one: Any, other: Any) -> bool:
    """Say whether two kept values are equal, types included: 1, 1.0 and True are three values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(item, other[name]) for name, item in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def depth_of(value: Any) -> int:
    """Return how deeply a kept value is nested; 0 for a plain one."""
    inner = value.values() if isinstance(value, dict) and is_object(value) else value if isinstance(value, list) else ()
    return max((depth_of(item) + 1 for item in inner), default=int(isinstance(value, list) or is_object(value)))


def size_of(value: Any) -> int:
    """Return how many bytes a kept value has as JSON."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def check_size(field: str, value: Any, limit: int = MAX_VALUE) -> int:
    """Return how many bytes a kept value has.

    Raises:
        InputError: more than the limit.
    """
    size = size_of(value)
    if size > limit:
        msg = f"{field}: {size} bytes as JSON, at most {limit}; split it over several paths, or keep it in a file"
        raise InputError(msg, field=field, size=size, limit=limit)
    return size


# ---- inside a value ----


def inside(value: Any, names: tuple[str, ...]) -> Any:
    """Return what a kept value holds at names, one below the other; MISSING when there is nothing."""
    for name in names:
        if not is_object(value) or name not in value:
            return MISSING
        value = value[name]
    return value


def with_inside(value: Any, names: tuple[str, ...], part: Any) -> Any:
    """Return a copy of an object with a part at names; MISSING when something on the way is no object."""
    if not names:
        return part
    if not is_object(value):
        return MISSING
    inner = with_inside(value.get(names[0], {}), names[1:], part)
    return inner if inner is MISSING else {**value, names[0]: inner}


def without_inside(value: Any, names: tuple[str, ...]) -> Any:
    """Return a copy of an object without what stands at names, which is there."""
    if len(names) == 1:
        return {name: item for name, item in value.items() if name != names[0]}
    return {**value, names[0]: without_inside(value[names[0]], names[1:])}


def merged(mine: Any, winning: Any) -> Any:
    """Return two values shown at one path as one: objects are put together, and where both say something one wins."""
    if mine is MISSING or winning is MISSING:
        return winning if mine is MISSING else mine
    if isinstance(mine, dict) and isinstance(winning, dict):
        return {name: merged(mine.get(name, MISSING), winning.get(name, MISSING)) for name in {**mine, **winning}}
    return winning
