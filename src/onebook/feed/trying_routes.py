"""Trying routes on an event that somebody wrote down: where would it go, and why not elsewhere."""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from onebook.book.log import Filter, place_after
from onebook.domain import times
from onebook.domain.numbers import number
from onebook.domain.reports import Event
from onebook.errors import InputError
from onebook.feed.importance import DAILY_SUMMARY, Importance, importance
from onebook.feed.routes import Route, matches

_NAMES = tuple(item.name for item in fields(Event))
_FILLS = frozenset({"trade_executed", "trade_busted", "trade_corrected"})
_EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an event goes along a route.

    Attributes:
        event: its id and type.
        route: the route's name.
        to: its sink.
        goes: whether it goes there.
        why_not: the reasons, empty when it goes.
    """

    event: str
    route: str
    to: str
    goes: bool
    why_not: str


def explain_routes(routes: Iterable[Route], event: Mapping[str, Any]) -> list[Verdict]:
    """Return for each route whether an event goes along it.

    Args:
        routes: which.
        event: as ``onebook tail --json`` prints it; only ``type`` has to be there, and ``data`` for a fill.

    Raises:
        InputError: something of the event is missing or is not what it should be.
    """
    read = event_of(event)
    found = []
    for route in routes:
        why_not = _reasons(route, read)
        found.append(
            Verdict(
                event=f"{read.id} {read.type}",
                route=route.name,
                to=route.to,
                goes=not why_not,
                why_not="; ".join(why_not),
            )
        )
    return found


def events_in(text: str) -> list[Any]:
    """Return the events of a text: one JSON object, a list of them, or one on each line.

    Raises:
        InputError: it is none of these.
    """
    try:
        found = json.loads(text, parse_float=Decimal)
    except ValueError as problem:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            msg = f"event: is not JSON: {problem}"
            raise InputError(msg, field="event") from None
        return [_line(position, line) for position, line in enumerate(lines, 1)]
    except RecursionError:
        msg = "event: is nested too deeply to be an event"
        raise InputError(msg, field="event") from None
    return found if isinstance(found, list) else [found]


def _line(position: int, text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError as problem:
        msg = f"event: line {position} is not JSON: {problem}"
        raise InputError(msg, field="event") from None


def event_of(given: Any) -> Event:
    """Return the event that a mapping in the shape of ``onebook tail --json`` describes.

    Args:
        given: the mapping; only ``type`` has to be there.

    Raises:
        InputError: something is missing, unknown, or not what it should be.
    """
    if not isinstance(given, Mapping):
        msg = f"event: {given!r:.60} is not an object such as onebook tail --json prints"
        raise InputError(msg, field="event")
    for name in given:
        if name not in _NAMES:
            near = difflib.get_close_matches(str(name), _NAMES, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"an event has {', '.join(_NAMES)}"
            msg = f"event: has no field {name!r:.60}; {hint}"
            raise InputError(msg, field=str(name))
    if not given.get("type"):
        msg = 'event: type is missing; write "type": "trade_executed"'
        raise InputError(msg, field="type")
    kind = _text(given, "type")
    place = _text(given, "id") or "1.1"
    place_after(place)
    data = given.get("data") or {}
    if not isinstance(data, Mapping):
        msg = f"event: data: {data!r:.60} is not an object"
        raise InputError(msg, field="data")
    return Event(
        id=place,
        sequence=int(place.partition(".")[0]),
        type=kind,
        version=1,
        occurred_at=_moment(given, "occurred_at"),
        recorded_at=_moment(given, "recorded_at"),
        data=dict(data),
        **{name: _text(given, name) for name in ("actor", "correlation_id", "account", "instrument", "strategy")},
    )


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    msg = f"event: {name}: {value!r:.60} is not text"
    raise InputError(msg, field=name)


def _moment(given: Mapping[str, Any], name: str) -> datetime:
    return times.to_datetime(times.from_text(f"event: {name}", _text(given, name) or _EPOCH))


def _reasons(route: Route, event: Event) -> list[str]:
    """Return why an event does not go along a route; nothing when it does."""
    _check_sizes(route.filter, event)
    found = [*_by_name(route.filter, event), *_by_size(route.filter, event)]
    if route.alerts_only and not found and not matches(route, event):
        found.append("is no alert")
    elif route.to == "notify" and not found:
        found += _by_importance(route, event)
    return found


def _by_name(wanted: Filter, event: Event) -> list[str]:
    found = [] if wanted.wants_type(event.type) else [f"type {event.type} is none of {', '.join(wanted.types or ())}"]
    for name, chosen, value in (
        ("account", wanted.accounts, event.account),
        ("instrument", wanted.instruments, event.instrument),
        ("strategy", wanted.strategies, event.strategy),
    ):
        if chosen is not None and value not in chosen:
            listed = ", ".join(sorted(item or "(unnamed)" for item in chosen))
            found.append(f"{name} {value or '(none)'} is none of {listed}")
    return found


def _by_size(wanted: Filter, event: Event) -> list[str]:
    only_sizes = Filter(min_quantity=wanted.min_quantity, min_amount=wanted.min_amount)
    if only_sizes.wants(event):
        return []
    large = Filter(min_quantity=wanted.min_quantity).wants(event)
    return ["quantity × price is below min_amount" if large else "quantity is below min_quantity"]


def _check_sizes(wanted: Filter, event: Event) -> None:
    """Refuse a fill whose size is asked for and not there."""
    if event.type not in _FILLS or (wanted.min_quantity is None and wanted.min_amount is None):
        return
    for name in ("quantity", "price"):
        if name not in event.data:
            msg = f"event: data.{name} is missing; a route asks for it"
            raise InputError(msg, field=name)
        number(f"event: data.{name}", event.data[name])


def _by_importance(route: Route, event: Event) -> list[str]:
    """Return why the notification sink would not send it."""
    least = Importance[str(route.options["minimum"]).upper()]
    if importance(event) >= least or (event.type == DAILY_SUMMARY and route.options["daily_summary"]):
        return []
    return [f"importance {importance(event).name.lower()} is below minimum {least.name.lower()}"]
