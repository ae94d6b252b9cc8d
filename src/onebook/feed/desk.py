"""What a person does about durable subscribers: look at them, skip, retry, reset, drop. It works from any process.

Whoever serves a subscriber notices within two seconds that its checkpoint was moved, and goes on from there.
"""

from collections.abc import Callable, Iterator
from time import time_ns
from typing import Any

from onebook.book.log import WHOLE, place_after
from onebook.book.logged import Place
from onebook.book.subscribers import shown_place, subscriber_states
from onebook.domain import times
from onebook.domain.event_types import SUBSCRIBER_CHANGED
from onebook.domain.reports import DeadLetterState, SubscriberState
from onebook.errors import InputError, StoreError
from onebook.store.port import Store
from onebook.store.subscribers import DeadLetter, SubscriberRow

PAGE = 500


class Desk:
    """The durable subscribers of a book.

    Args:
        store: of the book.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    # ---- looking ----

    def __call__(self) -> list[SubscriberState]:
        """Return all subscribers by name."""
        with self._store.reading() as reader:
            return subscriber_states(reader)

    def dead_letters(
        self, name: str | None = None, *, after: tuple[str, str] | None = None
    ) -> Iterator[DeadLetterState]:
        """Return the events that one subscriber, or any, could not handle, by subscriber and in the order of the log.

        Args:
            name: of the subscriber; None for all.
            after: the subscriber and the event id of the last one seen; None: from the first on.

        Raises:
            InputError: there is no such subscriber, or ``after`` holds no event id.
        """
        if name is not None:
            self._known(name)
        return self._letters(name, ("", 0, 0) if after is None else (after[0], *_place(after[1])))

    def _letters(self, name: str | None, place: tuple[str, int, int]) -> Iterator[DeadLetterState]:
        while True:
            with self._store.reading() as reader:
                page = reader.dead_letters(name, place, PAGE)
            for letter in page:
                yield _letter_state(letter)
            if len(page) < PAGE:
                return
            place = (page[-1].subscriber, page[-1].sequence, page[-1].ordinal)

    # ---- acting ----

    def skip(self, name: str) -> None:
        """Let a subscriber pass over the event at which it stands still, and go on.

        Raises:
            InputError: there is no such subscriber, or it does not stand still.
        """
        row = self._known(name)
        if row.state == "running" and not row.attempts:
            done = shown_place((row.sequence, row.ordinal))
            msg = f"{name} does not stand still: nothing to skip. It is done up to {done}"
            raise InputError(msg, name=name)
        self._store.aside(lambda rows: rows.skip(name))

    def retry(self, name: str, event_id: str | None = None) -> int:
        """Let dead letters be delivered again, and a halted subscriber try again; return how many dead letters.

        Args:
            name: of the subscriber.
            event_id: which one; None for all.

        Raises:
            InputError: there is no such subscriber or dead letter.
        """
        row = self._known(name)
        place = None if event_id is None else _place(event_id)
        if event_id is None and row.state == "halted":
            self._store.aside(lambda rows: rows.move(name, (row.sequence, row.ordinal), time_ns()))
        found = self._store.aside(lambda rows: rows.try_dead_letters(name, place))
        if place is not None and not found:
            raise _no_letter(name, event_id)
        return found

    def drop(self, name: str, event_id: str | None = None) -> int:
        """Forget dead letters for good; the events stay in the log. Return how many.

        Args:
            name: of the subscriber.
            event_id: which one; None for all.

        Raises:
            InputError: there is no such subscriber or dead letter.
        """
        self._known(name)
        wanted = None if event_id is None else _place(event_id)
        found = [place for letter in self.dead_letters(name) if wanted in {None, place := place_after(letter.event_id)}]
        if wanted is not None and not found:
            raise _no_letter(name, event_id)
        for place in found:
            self._store.aside(lambda rows, place=place: rows.drop_dead_letter(name, place))  # type: ignore[misc]
        return len(found)

    def reset(self, name: str, to: int | str) -> None:
        """Move a subscriber's checkpoint: what comes after it is delivered, again or not at all.

        Args:
            name: of the subscriber.
            to: ``now``, ``beginning``, a sequence or an event id, behind which it goes on.

        Raises:
            InputError: there is no such subscriber, or no such place in the log.
        """
        self._known(name)
        with self._store.reading() as reader:
            head = reader.head()[0]
        place = (head, WHOLE) if to == "now" else (0, WHOLE) if to == "beginning" else _to(to)
        if place[0] > head:
            msg = f"to: the log ends at {head}; {to} is beyond it"
            raise InputError(msg, field="to", value=to)
        self._store.aside(lambda rows: rows.move(name, place, time_ns()))

    def remove(self, name: str) -> None:
        """Forget a subscriber, its checkpoint and its dead letters.

        Raises:
            InputError: there is no such subscriber.
            StoreError: a process serves it.
        """
        row = self._known(name)
        if row.holder and row.lease_until_ns > time_ns():
            msg = f"{name} is being served by {row.holder}; stop that first"
            raise StoreError(msg, name=name)
        self._store.aside(lambda rows: rows.remove(name))

    def _known(self, name: str) -> SubscriberRow:
        with self._store.reading() as reader:
            row = reader.subscriber(name)
            names = [item.name for item in reader.subscribers()] if row is None else []
        if row is None:
            known = f"there are {', '.join(names)}" if names else "there are none yet"
            msg = f"{name!r} is no subscriber of this book; {known}"
            raise InputError(msg, name=name)
        return row


def note_deed(
    note: Callable[[str, dict[str, Any]], bool],
    name: str,
    deed: str,
    *,
    event_id: str | None = None,
    to: str | int | None = None,
    count: int | None = None,
) -> None:
    """Write into the log what a person did about a subscriber; who it was stands beside it as the actor.

    Args:
        note: the book's.
        name: of the subscriber.
        deed: the call: ``skip``, ``retry``, ``drop``, ``reset`` or ``remove``.
        event_id: of the one dead letter that it was about.
        to: where the checkpoint was moved.
        count: how many dead letters.
    """
    said = {"event_id": event_id, "to": to, "count": count}
    kept = {key: value for key, value in said.items() if value is not None}
    note(SUBSCRIBER_CHANGED, {"subscriber": name, "deed": deed, **kept})


def _letter_state(letter: DeadLetter) -> DeadLetterState:
    return DeadLetterState(
        subscriber=letter.subscriber,
        event_id=f"{letter.sequence}.{letter.ordinal}",
        type=letter.type,
        reason=letter.reason,
        attempts=letter.attempts,
        at=times.to_datetime(letter.at_ns),
        retrying=bool(letter.again),
    )


def _to(to: int | str) -> Place:
    try:
        return place_after(to)
    except InputError:
        msg = f"to: {to!r} is neither now, beginning, a sequence nor an event id such as 57.1"
        raise InputError(msg, field="to", value=to) from None


def _place(event_id: str) -> Place:
    place = place_after(event_id)
    if place[1] == WHOLE:
        msg = f"{event_id!r} is no event id such as 57.1"
        raise InputError(msg, field="event_id", value=event_id)
    return place


def _no_letter(name: str, event_id: str | None) -> InputError:
    return InputError(f"{event_id} is no dead letter of {name}; see: onebook subscribers dead {name}", name=name)
