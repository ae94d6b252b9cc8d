"""Durable subscribers as people see them: state, checkpoint, lag."""

from time import time_ns

from onebook.book.log import WHOLE
from onebook.book.logged import Place
from onebook.domain import times
from onebook.domain.reports import SubscriberState
from onebook.store.port import Reader
from onebook.store.subscribers import SubscriberRow


def subscriber_states(reader: Reader) -> list[SubscriberState]:
    """Return all subscribers by name, as people see them."""
    head, letters, now = reader.head()[0], reader.count_dead_letters(), time_ns()
    return [_state(row, head, letters.get(row.name, 0), now) for row in reader.subscribers()]


def _state(row: SubscriberRow, head: int, letters: int, now: int) -> SubscriberState:
    served = bool(row.holder) and row.lease_until_ns > now
    state = row.state if row.state != "running" else "running" if served else "stopped"
    return SubscriberState(
        name=row.name,
        state="retrying" if state == "running" and row.attempts else state,
        checkpoint=shown_place((row.sequence, row.ordinal)),
        lag=max(head - (row.sequence if row.ordinal == WHOLE else row.sequence - 1), 0),
        rate=round(row.rate, 2) if served else 0.0,
        mean_seconds=row.mean_seconds,
        handled=row.handled,
        errors=row.errors,
        dead_letters=letters,
        last_error=row.last_error,
        last_error_at=times.to_datetime(row.last_error_ns) if row.last_error_ns else None,
        holder=row.holder if served else "",
        updated_at=times.to_datetime(row.updated_ns) if row.updated_ns else None,
    )


def shown_place(place: Place) -> str:
    """Return a place in the log as a sequence, or as an event's id."""
    return str(place[0]) if place[1] == WHOLE else f"{place[0]}.{place[1]}"
