"""How far a subscriber got, and when that is written down: with others' commits where there are any.

A lease says which process serves a subscriber. Whoever lost it, or whose checkpoint somebody moved, is told so by
the first write that finds another lease or generation there.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, time_ns

from onebook.book.log import events_of
from onebook.book.logged import LoggedEvent, Place
from onebook.errors import InputError
from onebook.feed.follower import Rate
from onebook.store.codec import decode_raw
from onebook.store.port import Store
from onebook.store.subscribers import DeadLetter, Progress, SubscriberRow, SubscriberRows

SAVE_EVERY = 100
SAVE_SECONDS = 1.0
SAVE_GAP_SECONDS = 0.01
"""Handlers so fast that 100 events take less are not held up by writing each hundred down."""

LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.5
LETTERS = 500
"""Dead letters read at a time."""

_NS = 1_000_000_000


class Superseded(Exception):
    """Another process serves the subscriber, or somebody moved its checkpoint."""


class Checkpoint:
    """What one subscriber has to write down.

    Args:
        store: of the book.
        name: of the subscriber.
        holder: who serves it here.
        place: gives the place up to which everything is done.
    """

    def __init__(self, store: Store, name: str, holder: str, place: Callable[[], Place]) -> None:
        self._store = store
        self.name = name
        self.holder = holder
        self._place = place
        self._saving = threading.Lock()
        self._taken: tuple[int, int, Place] | None = None
        self._saved: Place = (0, 0)
        self._saved_at = 0.0
        self.generation = 0
        self.held = False
        self.state = "running"
        self.attempts = 0
        self.handled = 0
        self.errors = 0
        self.last_error = ""
        self.rate = Rate()

    # ---- the lease ----

    def claim(self, start: Place) -> SubscriberRow:
        """Make the subscriber if it is new, and take its lease if that is free."""
        now = time_ns()
        until = now + int(LEASE_SECONDS * _NS)
        row = self._store.aside(lambda rows: rows.claim(self.name, self.holder, start, now, until))
        self.held = row.holder == self.holder
        if self.held:
            self.generation, self.state, self.attempts = row.generation, row.state, row.attempts
            self._saved, self._saved_at = (row.sequence, row.ordinal), monotonic()
        return row

    def stored(self) -> Place:
        """Return the checkpoint as it is written down."""
        with self._store.reading() as reader:
            row = reader.subscriber(self.name)
        return (0, 0) if row is None else (row.sequence, row.ordinal)

    def is_free(self) -> bool:
        """Say whether the lease can be taken, without writing."""
        with self._store.reading() as reader:
            row = reader.subscriber(self.name)
        return row is None or row.holder in {"", self.holder} or row.lease_until_ns < time_ns()

    def release(self) -> None:
        """Write down what is done, and give the lease back."""
        if self.held:
            self.save(lambda rows: rows.release(self.name, self.holder))
            self.held = False

    # ---- what is due ----

    def is_full(self) -> bool:
        """Say whether so much was handled that it is to be written even when nobody commits."""
        return self.handled >= SAVE_EVERY and monotonic() - self._saved_at >= SAVE_GAP_SECONDS

    def due(self) -> bool:
        """Say whether it is time to write."""
        if not self.held:
            return False
        since = monotonic() - self._saved_at
        changed = self._place() != self._saved or self.errors
        return since >= RENEW_SECONDS or (bool(changed) and (since >= SAVE_SECONDS or self.handled >= SAVE_EVERY))

    def save(self, also: Callable[[SubscriberRows], None] | None = None) -> bool:
        """Write now, in a transaction of its own; False when somebody else serves it, or moved it.

        Args:
            also: writes something more in the same transaction, only if the checkpoint could be saved.
        """
        with self._saving:
            progress = self._take()

            def work(rows: SubscriberRows) -> bool:
                saved = rows.save(progress)
                if saved and also is not None:
                    also(rows)
                return saved

            try:
                self._settle(self._store.aside(work))
            except BaseException:
                self._taken = None
                raise
        return self.held

    # ---- going along with a commit ----

    def write(self, rows: SubscriberRows) -> bool:
        """Write inside somebody's transaction, if nobody else is at it; the outcome must be told to :meth:`ended`."""
        if not self._saving.acquire(blocking=False):
            return False
        saved = False
        try:
            saved = rows.save(self._take())
            if not saved:
                self._settle(held=False)
        finally:
            if not saved:
                self._taken = None
                self._saving.release()
        return saved

    def ended(self, *, durable: bool) -> None:
        """Take in what became of the transaction."""
        if durable:
            self._settle(held=True)
        self._taken = None
        self._saving.release()

    @contextmanager
    def along(self, place: Place | None) -> Iterator[Callable[[SubscriberRows], None]]:
        """Give what writes, inside the transaction of its effects, that an event up to a place is done.

        Args:
            place: of the event; None leaves the checkpoint where it is, for a dead letter that is tried again.

        Raises:
            Superseded: somebody else serves the subscriber, or moved it; the transaction must not commit.
        """

        def write(rows: SubscriberRows) -> None:
            if not rows.save(self._take(place, handled=1)):
                self.held = False
                raise Superseded

        with self._saving:
            try:
                yield write
            finally:
                taken, self._taken = self._taken, None
            if taken is not None:
                self._taken = taken
                self._settle(held=True)
                self.handled -= 1  # it is written already, and counted when the event is done

    # ---- dead letters ----

    def letters(self) -> Iterator[DeadLetter]:
        """Yield the dead letters that are to be tried again, in the order of the log."""
        after = ("", 0, 0)
        while True:
            with self._store.reading() as reader:
                page = reader.dead_letters(self.name, after, LETTERS)
            yield from (item for item in page if item.again)
            if len(page) < LETTERS:
                return
            after = (page[-1].subscriber, page[-1].sequence, page[-1].ordinal)

    def event(self, letter: DeadLetter) -> LoggedEvent:
        """Return the event that became a dead letter."""
        with self._store.reading() as reader:
            row = reader.entry(letter.sequence)
        if row is None:
            msg = f"{letter.sequence}: the log has no such entry any more; drop this dead letter"
            raise InputError(msg, sequence=letter.sequence)
        return events_of(letter.sequence, decode_raw(letter.sequence, row[1]))[letter.ordinal - 1]

    def letter(self, place: Place, name: str) -> DeadLetter:
        """Return an event as a dead letter, with the newest error as its reason."""
        return DeadLetter(self.name, *place, name, self.last_error[:2000], self.attempts, time_ns(), 0)

    def _take(self, place: Place | None = None, *, handled: int = 0) -> Progress:
        now = time_ns()
        done = place or self._place()
        self._taken = (self.handled, self.errors, done)
        return Progress(
            self.name,
            self.holder,
            self.generation,
            *done,
            self.state,
            self.attempts,
            self.handled + handled,
            self.errors,
            self.last_error[:2000],
            now if self.errors else 0,
            now + int(LEASE_SECONDS * _NS),
            now,
            self.rate.per_second,
            self.rate.mean_seconds,
        )

    def _settle(self, held: bool) -> None:  # noqa: FBT001  an outcome, passed on
        """Count down what is written; the lease is gone when it could not be."""
        taken, self._taken = self._taken, None
        self.held = held
        if held and taken is not None:
            self.handled -= taken[0]
            self.errors -= taken[1]
            self._saved, self._saved_at = taken[2], monotonic()
