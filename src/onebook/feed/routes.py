"""Routes: which events go to which sink, as the configuration says.

Everything is checked here before a sink is made, and a mistake names its line. Notification targets and the event
log of the older documents are routes too, made from their sections.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from onebook.book.log import Filter, make_filter, place_after
from onebook.config import Config, Given, Key, RawRoute, unknown, without_passwords
from onebook.config.files import given_tree
from onebook.config.keys import ROUTES
from onebook.config.values import choice, count, names, refused, text
from onebook.domain.event_types import KEPT_TYPES, OWN_TYPES
from onebook.domain.numbers import number, plain
from onebook.domain.reports import Event
from onebook.errors import BadConfig, InputError
from onebook.feed.importance import is_alert
from onebook.feed.policy import ON_FAILURE, Policy
from onebook.feed.sinks import SINKS, options_of

EVENT_LOG = "event_log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where some events go.

    Attributes:
        name: as in the configuration.
        to: a name of :data:`onebook.feed.sinks.SINKS`.
        filter: which events.
        alerts_only: of these only what is an alert by default.
        options: all of the sink's, taken; some are secrets.
        start: ``now``, ``beginning``, a sequence or an event id; counts only for a name without a checkpoint.
        on_failure: ``dead_letter`` or ``halt``, after the last attempt.
        attempts: how often an event is tried; None: for ever.
        built_in: made from another section than ``routes``.
        where: its place in the configuration.
    """

    name: str
    to: str
    filter: Filter = Filter()
    alerts_only: bool = False
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    start: int | str = "now"
    on_failure: str = "dead_letter"
    attempts: int | None = None
    built_in: bool = False
    where: str = ""

    @property
    def subscriber(self) -> str:
        """The name of the durable subscriber that serves it."""
        return self.name if self.built_in else f"route.{self.name}"

    @property
    def policy(self) -> Policy:
        """What its subscriber does about failures."""
        return Policy(attempts=self.attempts, on_failure=self.on_failure)


def _names_or_unnamed(key: str, value: Any) -> tuple[str, ...]:
    """Take names; empty text is the strategy without a name."""
    return ("",) if value == "" else names(key, value)


def _size(key: str, value: Any) -> Decimal:
    """Take a quantity or an amount, exactly."""
    place, _, name = key.rpartition(": ")
    try:
        found = number(name, value)
    except InputError as problem:
        raise BadConfig(f"{place}: {problem}" if place else str(problem), key=name) from None
    if found < 0:
        raise refused(key, plain(found), "is below 0")
    return found


def _start(key: str, value: Any) -> int | str:
    """Take where a route begins."""
    given = str(value) if isinstance(value, Decimal) else value
    given = given.strip().lower() if isinstance(given, str) else given
    if given in {"now", "beginning"}:
        return str(given)
    try:
        place_after(given)
    except InputError:
        raise refused(key, value, "is neither now, beginning, a sequence nor an event id such as 57.1") from None
    if isinstance(given, int):
        if given >= 0:
            return given
        raise refused(key, value, "is no sequence; the first one is 1")
    return int(given) if given.isdecimal() else str(given)


def _attempts(key: str, value: Any) -> int | None:
    """Take a number of tries, or ``forever``."""
    if isinstance(value, str) and value.strip().lower() == "forever":
        return None
    tries: int = count(1, 1_000_000)(key, value)
    return tries


COMMON: dict[str, Key] = {
    "to": Key(take=text, default=None, help="the sink", needed=True),
    "types": Key(take=names, default=None, help="types of events, or patterns such as trade_*"),
    "accounts": Key(take=names, default=None, help="only these"),
    "instruments": Key(take=names, default=None, help="only these"),
    "strategies": Key(take=_names_or_unnamed, default=None, help='only these; "" is the one without a name'),
    "min_quantity": Key(take=_size, default=None, help="leaves smaller fills out"),
    "min_amount": Key(take=_size, default=None, help="leaves fills with a smaller quantity × price out"),
    "start": Key(take=_start, default="now", help="now, beginning, a sequence or an event id"),
    "on_failure": Key(take=choice(*ON_FAILURE), default="dead_letter", help="after the last attempt"),
    "attempts": Key(take=_attempts, default=None, help="how often an event is tried; none: until it succeeds"),
}
"""What every route takes, whatever its sink."""


def routes_of(config: Config) -> tuple[Route, ...]:
    """Return the routes of a configuration: its own in the order of the file, then the event log and the targets.

    Args:
        config: the configuration in force.

    Raises:
        BadConfig: a sink or an option there is not, a value it cannot have, or one that is missing; with the line.
    """
    own = tuple(_route(raw) for raw in config.routes)
    found = own + _event_log(config, own) + _notifications(config)
    _refuse_shared_files(found)
    return found


def _refuse_shared_files(routes: tuple[Route, ...]) -> None:
    """Refuse two routes that would write into one file."""
    writers: dict[Any, Route] = {}
    for route in routes:
        path = route.options.get("path")
        if path is None:
            continue
        other = writers.setdefault(path, route)
        if other is not route:
            msg = f"{route.where}: {ROUTES}.{route.name}: writes to {path}, as {other.name} does ({other.where})"
            raise BadConfig(f"{msg}; give each a file of its own", key=f"{ROUTES}.{route.name}.path")


def _route(raw: RawRoute) -> Route:
    place = f"{ROUTES}.{raw.name}"
    to = _sink(raw, place)
    theirs = options_of(to)
    for name, given in raw.options.items():
        if name not in COMMON and name not in theirs:
            raise unknown(f"{place}.{name}", given.where, known=(*theirs, *COMMON))
    common = {name: _taken(place, name, key, raw.options.get(name)) for name, key in COMMON.items()}
    options = {name: _taken(place, name, key, raw.options.get(name)) for name, key in theirs.items()}
    for name, key in theirs.items():
        if key.needed and options[name] is None:
            msg = f"{raw.where}: {place}: {name} is missing: {key.help}"
            raise BadConfig(msg, key=f"{place}.{name}")
    return Route(
        name=raw.name,
        to=to,
        filter=make_filter(
            common["types"],
            common["instruments"],
            common["accounts"],
            common["strategies"],
            min_quantity=common["min_quantity"],
            min_amount=common["min_amount"],
        ),
        options=options,
        start=common["start"],
        on_failure=common["on_failure"],
        attempts=common["attempts"],
        where=raw.where,
    )


def _sink(raw: RawRoute, place: str) -> str:
    given = raw.options.get("to")
    if given is None or given.value is None:
        msg = f"{raw.where}: {place}: does not say where to; write `to:` and one of {', '.join(SINKS)}"
        raise BadConfig(msg, key=f"{place}.to")
    name = text(f"{given.where}: {place}.to", given.value)
    if name in SINKS:
        return name
    near = difflib.get_close_matches(name.lower(), SINKS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(SINKS)}"
    msg = f"{given.where}: {place}.to: there is no sink {name!r:.80}; {hint}"
    raise BadConfig(msg, key=f"{place}.to")


def _taken(place: str, name: str, key: Key, given: Given | None) -> Any:
    """Return an option's value, or its default; what a message shows of it has no passwords."""
    if given is None or given.value is None:
        return key.default
    try:
        return key.take(f"{given.where}: {place}.{name}", given.plain)
    except BadConfig as problem:
        raise BadConfig(without_passwords(str(problem)), key=f"{place}.{name}") from None


# ---- made from other sections ----


def _event_log(config: Config, own: tuple[Route, ...]) -> tuple[Route, ...]:
    """Return the route behind ``event_bus.persist_events``: everything, from the beginning."""
    if not (config.get("event_bus.enabled") and config.get("event_bus.persist_events")):
        return ()
    taken = next((route for route in own if route.name == EVENT_LOG), None)
    if taken is not None:
        place = f"{taken.where}: {ROUTES}.{EVENT_LOG}"
        msg = f"{place}: event_bus.persist_events makes a route of this name; choose another"
        raise BadConfig(msg, key=f"{ROUTES}.{EVENT_LOG}")
    file = config.setting("event_bus.event_log_file")
    options = {name: key.default for name, key in options_of("jsonl").items()}
    options["path"] = _taken("event_bus", "event_log_file", options_of("jsonl")["path"], Given(file.value, file.source))
    where = config.setting("event_bus.persist_events").source
    log = Route(
        name=EVENT_LOG, to="jsonl", options=options, start="beginning", attempts=None, built_in=True, where=where
    )
    return (log,)


def _notifications(config: Config) -> tuple[Route, ...]:
    """Return a route to each notification target, so that one that is down does not hold up the others.

    They try for ever: a target that is down for a day loses nothing.
    """
    targets = config.setting("notify.targets")
    if not targets.value:
        return ()
    keys = options_of("notify")
    options = {name: key.default for name, key in keys.items()}
    for name, key in keys.items():
        section_key = f"notify.{name}"
        if any(item.key == section_key for item in config.settings) and config.is_given(section_key):
            setting = config.setting(section_key)
            options[name] = _taken("notify", name, key, given_tree(setting.value, setting.source))
    return tuple(
        Route(
            name=f"notify.{position}",
            to="notify",
            alerts_only=options["minimum"] in {"warning", "critical"},
            options=options | {"target": _taken("notify", "target", keys["target"], Given(target, targets.source))},
            attempts=None,
            built_in=True,
            where=targets.source,
        )
        for position, target in enumerate(targets.value, 1)
    )


# ---- which events go where ----


def matches(route: Route, event: Event) -> bool:
    """Say whether a route hands an event to its sink."""
    return route.filter.wants(event) and (not route.alerts_only or is_alert(event))


def doubts(route: Route) -> tuple[str, ...]:
    """Return what looks like a mistake but may be meant: types close to one of the book's own."""
    known = sorted(OWN_TYPES | KEPT_TYPES)
    found = []
    for name in route.filter.types or ():
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if near and name not in known and not set("*?[") & set(name):
            found.append(f"the book has no events {name}; did you mean {near[0]}?")
    return tuple(found)


def described(route: Route) -> str:
    """Return a route's filter in words; empty when everything passes."""
    wanted = route.filter
    parts = [
        f"{name} {', '.join(sorted(item or '(unnamed)' for item in chosen))}"
        for name, chosen in _listed(wanted)
        if chosen is not None
    ]
    parts += [f"{name} {plain(least)}" for name, least in _least(wanted) if least is not None]
    return "; ".join((["alerts"] if route.alerts_only else []) + parts)


def _listed(wanted: Filter) -> tuple[tuple[str, Any], ...]:
    return (
        ("types", wanted.types),
        ("accounts", wanted.accounts),
        ("instruments", wanted.instruments),
        ("strategies", wanted.strategies),
    )


def _least(wanted: Filter) -> tuple[tuple[str, Decimal | None], ...]:
    return ("min_quantity", wanted.min_quantity), ("min_amount", wanted.min_amount)
