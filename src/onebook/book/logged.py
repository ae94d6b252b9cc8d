"""An event of the log, read from its entry no further than somebody looks."""

from datetime import datetime
from typing import Any

from onebook.book.shown import shown_data
from onebook.domain import times
from onebook.domain.reports import Event
from onebook.store.codec import EventBody, RawEntry, RawEvent, decode

Place = tuple[int, int]
"""(sequence, ordinal) of an event."""


class LoggedEvent(Event):
    """An event that is read from its entry as far as it is looked at."""

    __slots__ = ("_entry", "_event", "_place", "_shown")
    __qualname__ = "Event"  # it prints as what it is to who reads it

    _place: Place
    _entry: RawEntry
    _event: RawEvent
    _shown: dict[str, Any] | None

    def __init__(self, place: Place, entry: RawEntry, event: RawEvent) -> None:
        object.__setattr__(self, "_place", place)
        object.__setattr__(self, "_entry", entry)
        object.__setattr__(self, "_event", event)
        object.__setattr__(self, "_shown", None)

    def __reduce__(self) -> tuple[Any, ...]:
        return _plain_event, (tuple(getattr(self, name) for name in _FIELDS),)

    @property
    def place(self) -> Place:
        """(sequence, ordinal)."""
        return self._place

    @property
    def id(self) -> str:
        """``sequence.ordinal``."""
        return f"{self._place[0]}.{self._place[1]}"

    @property
    def sequence(self) -> int:
        """The entry's place in the log."""
        return self._place[0]

    @property
    def type(self) -> str:
        """What happened."""
        return self._event.type

    @property
    def version(self) -> int:
        """The version of the type."""
        return self._event.version

    @property
    def occurred_at(self) -> datetime:
        """When it happened."""
        return times.to_datetime(self._entry.occurred)

    @property
    def recorded_at(self) -> datetime:
        """When the book learned it."""
        return times.to_datetime(self._entry.at)

    @property
    def actor(self) -> str:
        """Who recorded it."""
        return self._entry.actor

    @property
    def correlation_id(self) -> str:
        """What it belongs to."""
        return self._entry.correlation_id

    @property
    def account(self) -> str:
        """Whose it is."""
        return self._entry.account if self._event.account is None else self._event.account

    @property
    def instrument(self) -> str:
        """What it is about."""
        return self._entry.instrument if self._event.instrument is None else self._event.instrument

    @property
    def strategy(self) -> str:
        """Why it happened."""
        return self._entry.strategy if self._event.strategy is None else self._event.strategy

    @property
    def data(self) -> dict[str, Any]:
        """Plain JSON data."""
        found = self._shown
        if found is None:
            entry, event = self._entry, self._event
            body = EventBody(event.type, decode(event.data))
            found = shown_data(body, self.id, entry.account, entry.instrument, entry.occurred)
            object.__setattr__(self, "_shown", found)
        return found


_FIELDS = tuple(Event.__dataclass_fields__)


def _plain_event(values: tuple[Any, ...]) -> Event:
    return Event(**dict(zip(_FIELDS, values, strict=True)))
