"""JSON of the service as the records of a book, and facts as JSON: exact decimals, aware times, nothing rounded."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from onebook.domain import facts, reports, times
from onebook.domain.reports import as_plain
from onebook.errors import BadPayload, BookError
from onebook.remote.problems import error_of

Record = TypeVar("Record")
Take = Callable[[Any], Any]

_PARTS: Mapping[tuple[type[Any], str], type[Any]] = {
    (reports.RecordedFill, "fill"): facts.Fill,
    (reports.OrderState, "order"): facts.Order,
    (reports.SignalState, "signal"): facts.Signal,
}
"""Records whose fields stand among those of the record that they are part of."""


def data_of(body: bytes) -> Any:
    """Return JSON as data.

    Raises:
        BadPayload: it is none.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as problem:
        msg = f"the answer is no JSON ({problem}); is this the address of an onebook service?"
        raise BadPayload(msg, body=body[:200]) from None


def body_of(value: Any) -> bytes:
    """Return plain data as JSON."""
    return msgspec.json.encode(value)


def record_of(kind: type[Record], data: Any) -> Record:
    """Return a record of what the service answered; fields that this release does not know are left out.

    Raises:
        BadPayload: it is none.
    """
    try:
        kept: Any = kind
        found: Record = _whole(kept)(data)
    except (ArithmeticError, AttributeError, BookError, LookupError, TypeError, ValueError) as problem:
        msg = f"the service answered with no {kind.__name__} that this release can read: {problem!r:.200}"
        raise BadPayload(msg) from None
    return found


@cache
def _whole(kind: type[Any]) -> Take:
    """Return what makes a record of JSON."""
    if issubclass(kind, facts.Fact):
        names = [item.name for item in fields(kind) if item.name != "occurred_ns"]
        return lambda data: kind(**{name: data[name] for name in names if name in data})
    hints = get_type_hints(kind)
    plan: list[tuple[str, str, Take, bool]] = []
    for item in fields(kind):
        part = _PARTS.get((kind, item.name))
        needed = item.default is MISSING and item.default_factory is MISSING
        if part is not None:
            record: Any = part
            plan.append((item.name, "", _whole(record), True))
        elif item.name.endswith("_ns"):
            plan.append((item.name, f"{item.name[:-3]}_at", _nanoseconds, needed))
        else:
            plan.append((item.name, item.name, _taking(hints[item.name]), needed))

    def take(data: Any) -> Any:
        given = {}
        for name, key, convert, needed in plan:
            if not key:
                given[name] = convert(data)
            elif needed or key in data:
                given[name] = convert(data[key])
        return kind(**given)

    return take


def _taking(hint: Any) -> Take:
    """Return what makes a value of a type of JSON."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        inner = _taking(next(part for part in parts if part is not NoneType))
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        if len(parts) == 2 and parts[1] is Ellipsis:
            each = _taking(parts[0])
            return lambda values: tuple([each(value) for value in values])
        several = [_taking(part) for part in parts]
        return lambda values: tuple([take(value) for take, value in zip(several, values, strict=True)])
    for kind, take in _SIMPLE.items():
        if hint is kind:
            return take
    return _whole(hint) if is_dataclass(hint) and isinstance(hint, type) else _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _number(value: Any) -> Decimal:
    if isinstance(value, str):
        return Decimal(value)
    msg = f"{value!r} is not a number as text"
    raise TypeError(msg)


def _nanoseconds(value: str | None) -> int | None:
    return None if value is None else times.from_text("time", value)


def _failure(value: Any) -> Exception:
    return error_of(str(value["code"]), str(value["message"]))


_SIMPLE: Mapping[Any, Take] = {
    Decimal: _number,
    datetime: lambda value: times.to_datetime(times.from_text("time", value)),
    date: date.fromisoformat,
    Exception: _failure,
}


# ---- facts ----


def stated(fact: Any) -> dict[str, Any]:
    """Return a fact as the service takes it: what is at its default is left out."""
    found: dict[str, Any] = {}
    for item in fields(fact):
        value = getattr(fact, item.name)
        if item.name == "occurred_ns" or (item.default is not MISSING and value == item.default):
            continue
        if item.default_factory is not MISSING and not value:
            continue
        found[item.name] = as_plain(value)
    ns = getattr(fact, "occurred_ns", None)
    if ns is not None:
        found["occurred_at"] = times.to_text(ns)
    return found
