"""Alerts of any program: names of a message become fields of a signal or a fill, as the hook's mapping says."""

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from typing import Any

from onebook.domain import facts
from onebook.domain.facts import Hook
from onebook.errors import InputError, NotAllowed
from onebook.intake.hooks.messages import content_id, given_id, moment, stated, value_at

RECORDS: Mapping[str, type[facts.Signal] | type[facts.Fill]] = {"signal": facts.Signal, "fill": facts.Fill}
NAMES: Mapping[str, tuple[str, ...]] = {
    "record": ("record",),
    "id": ("id", "alert_id"),
    "time": ("time", "occurred_at", "timestamp"),
    "instrument": ("instrument", "symbol", "ticker", "pair"),
    "action": ("action", "side"),
    "price": ("price", "close"),
    "quantity": ("quantity", "contracts", "qty"),
}
"""Field -> names under which it is looked for where the mapping names none; other fields have one name, their own."""

BESIDE = frozenset({"close"})
"""Names that speak of something else where their field is there by another name: a bar's close is no order's price."""

ACTIONS = {"long": "buy", "short": "sell", "close_long": "sell", "close_short": "buy"}
"""Other words for a side."""

MESSAGE = """{
  "record": "signal",
  "id": "a-1",
  "time": "2026-01-31T09:30:00Z",
  "instrument": "BTC/USDT",
  "action": "buy",
  "price": "60000"
}"""
"""What to send; ``id`` and ``time`` are the sender's own."""

CONSTANT = "="
"""Begins the value itself in a mapping, instead of a name: ``instrument`` -> ``=BTC/USDT``."""

_ANY_TIME = 2**62
_OWN = frozenset({"raw", "account", "strategy", "occurred_at", "occurred_ns", "client_fill_id", "signal_id", "side"})
_NEEDED = frozenset({"instrument", "action", "quantity"})


def fields_of(record: str) -> tuple[str, ...]:
    """Return the fields of a record that an alert may state."""
    own = _OWN if record == "signal" else _OWN - {"signal_id"}
    names = [each.name for each in fields(RECORDS[record]) if each.name not in own]
    return tuple(names) if "action" in names else ("action", *names)


def known_fields() -> tuple[str, ...]:
    """Return all that a mapping may name."""
    return tuple(dict.fromkeys(("record", "id", "time", *fields_of("signal"), *fields_of("fill"))))


def found_in(message: Mapping[str, Any], mapping: Mapping[str, Any], field: str, *, is_needed: bool = False) -> Any:
    """Return what a message says of a field; None where it says nothing.

    Raises:
        InputError: it is needed and stands for a placeholder that was not filled in, or two names of it say different
            things.
    """
    key = mapping.get(field)
    if isinstance(key, str):
        if key.startswith(CONSTANT):
            return stated(field, key.removeprefix(CONSTANT))
        return stated(field, value_at(message, key), is_needed=is_needed)
    said: list[tuple[str, Any]] = []
    for name in NAMES.get(field, (field,)):
        value = stated(field, value_at(message, name), is_needed=is_needed and not said)
        if value is not None and not (said and name in BESIDE):
            said.append((name, value))
    for name, value in said[1:]:
        if _plain(field, value) != _plain(field, said[0][1]):
            first, one, other = said[0][0], str(said[0][1])[:40], str(value)[:40]
            msg = f"{field}: {first} says {one!r} and {name} says {other!r}; send one of them, or map {field} to it"
            raise InputError(msg, field=field, value=value)
    return said[0][1] if said else None


def _plain(field: str, value: Any) -> Any:
    """Return a value so that the same said in two ways is the same: numbers by worth, sides in one word, moments."""
    text = str(value).strip().lower()
    if field == "action":
        return ACTIONS.get(text, text)
    if field == "time":
        return moment(field, value, _ANY_TIME)
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def facts_from(message: dict[str, Any], hook: Hook, at: int) -> tuple[facts.AnyFact, ...]:
    """Return the fact of a message.

    Args:
        message: what was sent, by name.
        hook: which came by.
        at: the book's clock, in nanoseconds since 1970 UTC.

    Raises:
        InputError: a field is missing or malformed, or nothing tells a repeat from a new alert.
        NotAllowed: it speaks of another strategy or account than the hook.
    """
    own_only(message, hook)
    mapping = hook.mapping
    record = str(found_in(message, mapping, "record") or "signal").lower()
    if record not in RECORDS:
        msg = f"record: {record[:60]!r} is none of {', '.join(RECORDS)}"
        raise InputError(msg, field="record", value=record)
    id_, time = found_in(message, mapping, "id"), found_in(message, mapping, "time")
    if id_ is None and time is None:
        msg = "time: is missing; an alert needs an id or a time, so that a repeat is told from a new one"
        raise InputError(msg, field="time")
    given: dict[str, Any] = {}
    for name in fields_of(record):
        value = found_in(message, mapping, name, is_needed=name in _NEEDED or (name == "price" and record == "fill"))
        if value is not None:
            given["action" if name == "action" else name] = value
    if time is not None:
        given["occurred_ns"] = moment("time", time, at)
    identity = content_id(hook.name, message) if id_ is None else given_id(hook.name, id_)
    return (made(record, hook, message, identity, given),)


def own_only(message: Mapping[str, Any], hook: Hook) -> None:
    """Refuse a message of another strategy or account.

    Raises:
        NotAllowed: it names one.
    """
    for name, own in (("strategy", hook.strategy), ("account", hook.account)):
        given = message.get(name)
        if isinstance(given, str) and given.strip() not in {"", own}:
            msg = f"{name}: this hook records for {own} only, not for {given.strip()[:60]}; leave it out"
            raise NotAllowed(msg, field=name)


def made(
    record: str, hook: Hook, message: Mapping[str, Any], identity: str, given: dict[str, Any]
) -> facts.Signal | facts.Fill:
    """Return a record of the hook's strategy, with the message as it came.

    Args:
        record: ``signal`` or ``fill``.
        hook: whose strategy and account it gets.
        message: kept with it.
        identity: tells a repeat.
        given: its fields; ``action`` is the side of a fill too.

    Raises:
        InputError: a field is missing or malformed.
    """
    needed = ("instrument", "action") if record == "signal" else ("instrument", "action", "quantity", "price")
    for name in needed:
        if given.get(name) is None:
            msg = f"{name}: is missing; a {record} needs it. There are {', '.join(message)[:200] or 'no names'}"
            raise InputError(msg, field=name)
    action = str(given.pop("action")).strip().lower()
    action = ACTIONS.get(action, action)
    if action not in facts.SIDES:
        msg = f"action: {action[:60]!r} is none of buy, sell, {', '.join(ACTIONS)}"
        raise InputError(msg, field="action", value=action)
    texts = {name: _text(name, value) for name, value in given.items()}
    texts |= {"account": hook.account, "strategy": hook.strategy, "raw": dict(message)}
    if record == "fill":
        return facts.Fill(side=action, client_fill_id=identity, **texts)
    return facts.Signal(action=action, signal_id=identity, **texts)


def _text(name: str, value: Any) -> Any:
    """Return a value as the record takes it: a name that was sent as a number is text."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number and name != "occurred_ns" else value
