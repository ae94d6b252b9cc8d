"""The sinks, by the name that routes call them. A module is imported when a route needs it."""

import importlib
from typing import Any

from onebook.config import Key
from onebook.feed.sink import Around, Sink

SINKS = {
    "csv": "csv_audit",
    "json_state": "json_state",
    "jsonl": "jsonl",
    "notify": "notify",
    "syslog": "syslog",
    "webhook": "webhook",
}
"""Name in a route -> module here."""


def options_of(kind: str) -> dict[str, Key]:
    """Return the options that a sink takes.

    Args:
        kind: a name of :data:`SINKS`.
    """
    found: dict[str, Key] = _module(kind).OPTIONS
    return found


def make_sink(kind: str, around: Around, options: dict[str, Any]) -> Sink:
    """Return a sink.

    Args:
        kind: a name of :data:`SINKS`.
        around: what it may look at.
        options: all of its options, taken.

    Raises:
        BadConfig: it cannot work with these options.
        SourceError: what it needs is not there.
    """
    made: Sink = _module(kind).make(around, options)
    return made


def _module(kind: str) -> Any:
    return importlib.import_module(f"onebook.feed.sinks.{SINKS[kind]}")
