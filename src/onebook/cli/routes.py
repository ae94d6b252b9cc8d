"""``onebook routes``: where events go by the configuration, and where a given one would go."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from onebook.cli.groups import grouped
from onebook.cli.running import run
from onebook.cli.session import Session, session
from onebook.cli.tables import answer, columns
from onebook.errors import InputError

STDIN = "-"
MAX_BYTES = 10_000_000
ROUTES = columns("Route=name", "To=to", "Filters=filters", "Subscriber=subscriber", "Note=note 1")
VERDICTS = columns("Event=event", "Route=route", "To=to", "Goes=goes", "Why not=why_not")
_NONE = "no routes; write them under routes: in onebook.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One route on the screen."""

    name: str
    to: str
    filters: str
    subscriber: str
    note: str


def _list(ctx: typer.Context) -> None:
    """Where events go by the configuration. `routes test FILE` says where a given event would go."""
    from onebook.feed.routes import described, doubts, routes_of

    here = session(ctx)
    rows = [
        _Row(
            name=route.name,
            to=route.to,
            filters=described(route),
            subscriber=route.subscriber,
            note="; ".join(doubts(route)),
        )
        for route in routes_of(here.config)
    ]
    answer(here, rows, ROUTES, empty=_NONE)


def _test(
    ctx: typer.Context,
    path: Annotated[
        str, typer.Argument(metavar="EVENT.json", help="An event as tail --json prints it, or a list; - is stdin.")
    ],
) -> None:
    """Which routes an event would take, and why not the others. Nothing is sent."""
    from onebook.feed.routes import routes_of
    from onebook.feed.trying_routes import events_in, explain_routes

    here = session(ctx)
    routes = routes_of(here.config)
    found = [verdict for event in events_in(_read(here, path)) for verdict in explain_routes(routes, event)]
    answer(here, found, VERDICTS, empty=_NONE)


def _read(here: Session, path: str) -> str:
    if path == STDIN:
        if sys.stdin.isatty():
            here.say("reading an event from the terminal; end it with Ctrl-D")
        return sys.stdin.read(MAX_BYTES)
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            return file.read(MAX_BYTES)
    except UnicodeDecodeError:
        msg = f"{path}: is not UTF-8 text"
        raise InputError(msg, field="path", value=path) from None


routes = grouped("routes", _list, {"test": _test, "run": run}, "Keeping")
