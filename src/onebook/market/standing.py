"""Open breakers beside the log, so that other processes see who does not answer just now."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from onebook.book.core import Core
from onebook.breaker import BreakerChange
from onebook.domain import times
from onebook.errors import StoreError
from onebook.store.port import Reader
from onebook.store.subscribers import Observation, SubscriberRows

_log = logging.getLogger("onebook.market")
KIND = "breaker"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBreaker:
    """A breaker of some process that was not closed when that process last told.

    Attributes:
        who: the process, as it calls itself.
        name: of what the breaker guards.
        state: ``open`` or ``half_open``.
        failures: in a row.
        last_error: of the latest failure.
        at: since when, aware UTC.
    """

    who: str
    name: str
    state: str
    failures: int
    last_error: str
    at: datetime


def keep_breakers(book: Core, who: str) -> Callable[[BreakerChange], None]:
    """Return a listener that keeps open breakers beside the log; what ``who`` left there before goes.

    A store that fails is logged and stops nothing.

    Args:
        book: beside whose log.
        who: names the process, such as a runner's name.
    """
    begins = f"{who}/"

    def forget() -> None:
        with book.store.reading() as reader:
            left = [item.name for item in reader.observations(KIND) if item.name.startswith(begins)]
        book.store.aside(lambda rows: _drop(rows, left))

    def tell(change: BreakerChange) -> None:
        name = begins + change.name
        shown = {"state": _STATES.get(change.kind, ""), "failures": change.failures, "last_error": change.last_error}
        row = Observation(KIND, name, json.dumps(shown), change.at_ns)
        try:
            if shown["state"]:
                book.store.aside(lambda rows: rows.put_observation(row))
            else:
                book.store.aside(lambda rows: rows.drop_observation(KIND, name))
        except StoreError as problem:
            _log.warning("the state of breaker %s was not kept: %s", change.name, problem)

    forget()
    return tell


def _drop(rows: SubscriberRows, names: list[str]) -> None:
    for name in names:
        rows.drop_observation(KIND, name)


_STATES = {"opened": "open", "half_open": "half_open"}


def open_breakers(reader: Reader) -> list[OpenBreaker]:
    """Return the breakers that are kept, by process and name."""
    found = []
    for item in reader.observations(KIND):
        who, _, name = item.name.partition("/")
        found.append(OpenBreaker(who=who, name=name, at=times.to_datetime(item.at_ns), **json.loads(item.value)))
    return found
