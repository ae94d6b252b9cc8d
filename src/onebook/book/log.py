"""Reading the log as events, and waiting for more of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from onebook.book.shown import shown_data
from onebook.domain import times
from onebook.domain.reports import Event
from onebook.errors import InputError
from onebook.store.codec import EntryBody, EventBody, decode_entry
from onebook.store.port import Row

PAGE = 512


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted: patterns of types such as ``trade_*``, and names; None lets all through."""

    types: tuple[str, ...] | None = None
    instruments: frozenset[str] | None = None
    accounts: frozenset[str] | None = None
    strategies: frozenset[str] | None = None

    def wants(self, event: Event) -> bool:
        """Say whether an event passes."""
        return (
            (self.types is None or any(fnmatchcase(event.type, pattern) for pattern in self.types))
            and (self.instruments is None or event.instrument in self.instruments)
            and (self.accounts is None or event.account in self.accounts)
            and (self.strategies is None or event.strategy in self.strategies)
        )


def make_filter(types: Any, instruments: Any, accounts: Any, strategies: Any) -> Filter:
    """Return a filter from what callers give: a text with commas, an iterable of names, or None."""
    wanted = _names(types)
    return Filter(tuple(wanted) if wanted else None, _set(instruments), _set(accounts), _set(strategies))


def _set(value: Any) -> frozenset[str] | None:
    names = _names(value)
    return None if names is None else frozenset(names or [""])


def _names(value: Any) -> list[str] | None:
    if value is None:
        return None
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [str(item) for item in value]


def after_sequence(after: int | str) -> tuple[int, int]:
    """Return (sequence, ordinal) after which to read: a sequence or an event's id.

    Raises:
        InputError: neither.
    """
    if isinstance(after, int):
        return after, 10**9
    head, _, tail = after.partition(".")
    if head.isdecimal() and (not tail or tail.isdecimal()):
        return int(head), int(tail) if tail else 10**9
    msg = f"after: {after!r} is neither a sequence nor an event id such as 57.1"
    raise InputError(msg, field="after", value=after)


def events_of(row: Row) -> Iterator[Event]:
    """Return the events of one entry."""
    sequence, body, _ = row
    entry = decode_entry(sequence, body)
    for ordinal, event in enumerate(entry.events, 1):
        yield _event(sequence, ordinal, entry, event)


def _event(sequence: int, ordinal: int, entry: EntryBody, event: EventBody) -> Event:
    return Event(
        id=f"{sequence}.{ordinal}",
        sequence=sequence,
        type=event.type,
        version=event.version,
        occurred_at=times.to_datetime(entry.occurred),
        recorded_at=times.to_datetime(entry.at),
        actor=entry.actor,
        correlation_id=entry.correlation_id,
        account=entry.account if event.account is None else event.account,
        instrument=entry.instrument if event.instrument is None else event.instrument,
        strategy=entry.strategy if event.strategy is None else event.strategy,
        data=shown_data(event, f"{sequence}.{ordinal}", entry.account, entry.instrument, entry.occurred),
    )


def read_events(
    fetch: Callable[[int, int], list[Row]],
    after: int | str,
    wanted: Filter,
    upto: int | None,
    wait: Callable[[int], bool] | None,
) -> Iterator[Event]:
    """Return events page by page; with ``wait``, go on for as long as it says there is more."""
    sequence, ordinal = after_sequence(after)
    partial = sequence - 1 if ordinal < 10**9 else sequence
    position = max(partial, 0)
    while True:
        page = fetch(position, PAGE)
        for row in page:
            position = row[0]
            if upto is not None and position > upto:
                return
            for event in events_of(row):
                if event.sequence == sequence and int(event.id.partition(".")[2]) <= ordinal:
                    continue
                if wanted.wants(event):
                    yield event
        if len(page) < PAGE and (wait is None or not wait(position)):
            return
