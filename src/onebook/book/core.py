"""The core of a book: one door in, queries out. It knows no feed, market or trading."""

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onebook.book.acting import Acting
from onebook.book.asof import AsOf
from onebook.book.kept_points import KeptPoints
from onebook.book.marking import CLOSED, MarkHook, Marking
from onebook.book.marks import LiveMark, Marks
from onebook.book.reading import Moment, Reading, moment_ns
from onebook.book.subscribers import subscriber_states
from onebook.book.upkeep import Upkeep
from onebook.book.wakeups import Wakeups
from onebook.clock import Clock
from onebook.domain import times
from onebook.domain.decide.trading import STATES, TRADING
from onebook.domain.facts import AnyFact
from onebook.domain.fields import required, text
from onebook.domain.identity import identity_text
from onebook.domain.reports import Backup, BatchReport, Status
from onebook.errors import InputError, StoreClosed
from onebook.store.codec import decode_entry
from onebook.store.port import Store
from onebook.store.sqlite.store import SqliteStore
from onebook.store.subscribers import Heartbeat

if TYPE_CHECKING:
    from onebook.book.aio import AsyncDoor
    from onebook.book.commit import Committer
    from onebook.book.door import Door
    from onebook.book.receipts import Receipt
    from onebook.book.state_store import Write
    from onebook.domain.commands import ChangeState, Command
    from onebook.domain.state import Decision, Stamp

MAX_HEARTBEAT_SECONDS = 604_800


class Core(Marking, Reading, Upkeep):
    """A book over a store.

    Args:
        store: where it is kept.
        actor: who records, for the log.
        clock: nanoseconds since 1970 UTC.
    """

    def __init__(self, store: Store, *, actor: str, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._acting = Acting(text("actor", actor))
        self.wakeups = Wakeups(store)
        self._marks = Marks(store, clock, self._exposures)
        self._opened: Door | None = None
        self.snapshot_folder = None if store.url == ":memory:" else Path(f"{store.url}.snapshots").absolute()
        self._mark_hooks: tuple[MarkHook, ...] = ()
        self._opening = threading.Lock()
        self._points = KeptPoints()
        self._closed = False
        with store.reading() as reader:
            self._marks.head = self.wakeups.head = reader.head()[0]

    # ---- the point of view: now ----

    def now(self) -> int:
        """Return the moment by the book's own clock, in nanoseconds since 1970 UTC."""
        return self._clock()

    def _now(self) -> int:
        return self._clock()

    def _kept_points(self) -> KeptPoints:
        return self._points

    def _mark(self, instrument: str) -> LiveMark | None:
        return self._marks.get(instrument)

    # ---- in ----

    @property
    def actor(self) -> str:
        """Who records here and now, for the log."""
        return self._acting.name()

    def acting(self, name: str) -> AbstractContextManager[None]:
        """Let somebody else record, in this task or thread, until the block ends: ``with book.acting("maria"): …``.

        Args:
            name: who it is, for the log.

        Raises:
            InputError: no name.
        """
        return self._acting.named(name)

    @property
    def _door(self) -> "Door":
        """The way in, made at the first write: a book that is only read does without it."""
        if self._opened is None:
            if self._closed:
                raise StoreClosed(CLOSED)
            from onebook.book.door import Door

            with self._opening:
                if self._opened is None:
                    self._opened = Door(self._store, self._clock, self._marks, self._acting, self._committed)
        return self._opened

    def record(self, fact: AnyFact, *, correlation_id: str = "") -> "Receipt":
        """Take in a fact; it is durable when this returns.

        Args:
            fact: a Fill, Order, Transfer and so on.
            correlation_id: what it belongs to, for the log.

        Raises:
            InputError: it is malformed.
            RuleError: a rule refuses it (our own wishes only; facts are never refused).
            StoreError: it is not there; trying again is safe for a fact with an identity.
        """
        return self._door.record(fact, correlation_id)

    def record_many(self, facts: Iterable[AnyFact], *, progress: Callable[[int], None] | None = None) -> BatchReport:
        """Take in many facts, one entry each; bad ones are refused alone and listed.

        Args:
            facts: any iterable; it is read in pieces.
            progress: called with how many were handled so far.
        """
        given: object = facts
        if not isinstance(given, Iterable):
            msg = f"facts: {facts!r} is not an iterable of facts; write [fact, …]"
            raise InputError(msg, field="facts", value=facts)
        return self._door.record_many(facts, progress)

    def bust(self, which: int | str, *, reason: str) -> "Receipt":
        """Take a fill back: the venue says it never happened.

        Args:
            which: its sequence, event id (``"57.2"``) or identity.
            reason: why, for the log.
        """
        return self._door.bust(which, reason)

    def correct(self, which: int | str, *, reason: str, **changes: Any) -> "Receipt":
        """Replace fields of a fill by what is right.

        Args:
            which: its sequence, event id or identity.
            reason: why, for the log.
            changes: the fields of ``Fill`` with their right values.
        """
        return self._door.correct(which, reason, changes)

    def annotate(self, round_trip_id: int, *, notes: str | None = None, tags: Iterable[str] | None = None) -> "Receipt":
        """Hang notes and tags on a round trip; None leaves them as they are."""
        return self._door.annotate(round_trip_id, notes, tags)

    def publish(
        self,
        type: str,  # noqa: A002  the word of every event
        data: Mapping[str, object] | None = None,
        *,
        account: str = "",
        instrument: str = "",
        strategy: str = "",
    ) -> int:
        """Write an event of your own into the log, and return its sequence. It changes no figure.

        Args:
            type: its name: small letters, digits and underscores, in parts with dots; none of the book's own types.
            data: what it says, under text keys; values as in the state, at most 64 KiB as JSON.
            account: whose.
            instrument: about what.
            strategy: whose.

        Raises:
            InputError: the type or the data cannot be kept.
            StoreError: it is not there; trying again is safe, and may write it twice if it was.
        """
        from onebook.domain.state_commands import publish_command

        command = publish_command(type, data, account=account, instrument=instrument, strategy=strategy)
        return self._door.publish(command)

    def note(
        self,
        name: str,
        data: dict[str, Any],
        *,
        instrument: str = "",
        strategy: str = "",
    ) -> bool:
        """Write one of the book's own events that change no figure, for the floors above.

        Args:
            name: the type.
            data: what it says; a ``key`` in it makes it happen once.
            instrument: about what.
            strategy: whose.

        Returns:
            False when one with the same key is in the log already.
        """
        from onebook.domain.commands import Note

        return self._door.note(Note(name, data, "", instrument, strategy))

    def submit(
        self, *wanted: "Command", along: "Callable[[Store], None] | None" = None
    ) -> "list[tuple[Decision, Stamp]]":
        """Commit commands, for the floors above: one like any other, several in one transaction, all or nothing.

        Args:
            wanted: one entry each, unless the book has it already.
            along: writes something beside the log inside the transaction.

        Returns:
            The decision on each and its place in the log.

        Raises:
            BookError: one of them is refused, or the store failed; nothing is there.
        """
        return self._door.submit(wanted, along)

    def ask(self, command: "Command") -> "Decision":
        """Return what a command would do now, for the floors above; nothing is written.

        Raises:
            BookError: it would be refused, or the store failed.
        """
        return self._door.ask(command)

    def heartbeat(self, strategy: str, every_seconds: float) -> None:
        """Say that a bot is alive and when its next sign of life is due; it is kept beside the log, not in it.

        Whatever a bot records counts as a sign of life too. When none comes in time, ``bot_silent`` is recorded once
        by whoever watches the book.

        Args:
            strategy: the bot's.
            every_seconds: when the next is due at the latest, 0.1 to 604,800; 0 says that the bot ends on purpose.

        Raises:
            InputError: no strategy, or no such time.
            StoreError: it could not be kept.
        """
        name = required("strategy", strategy)
        given: object = every_seconds
        seconds = -1.0
        if isinstance(given, int | float | Decimal) and not isinstance(given, bool):
            with suppress(OverflowError, ValueError):  # far too much, or a signalling NaN
                seconds = float(given)
        if not (seconds == 0 or 0.1 <= seconds <= MAX_HEARTBEAT_SECONDS):
            msg = f"every_seconds: {every_seconds!r} is neither 0 nor from 0.1 to {MAX_HEARTBEAT_SECONDS}"
            raise InputError(msg, field="every_seconds", value=every_seconds)
        if seconds == 0:
            self._store.aside(lambda rows: rows.drop_heartbeat(name))
            return
        beat = Heartbeat(name, int(seconds * times.SECOND), self._clock())
        self._store.aside(lambda rows: rows.put_heartbeat(beat))

    def _state_writer(self) -> "Write":
        return self._change_state

    def _change_state(self, command: "ChangeState") -> "Decision":
        return self._door.change(command)

    def async_door(self) -> "AsyncDoor":
        """Return the same door for event loops.

        Raises:
            StoreClosed: the book is closed.
        """
        return self._door.aio

    @property
    def store(self) -> Store:
        """Where the book is kept, for the floors above; only the door writes records to it."""
        return self._store

    @property
    def committer(self) -> "Committer":
        """The one door to the log, for the floors above.

        Raises:
            StoreClosed: the book is closed.
        """
        return self._door.committer

    def trading_state(self, account: str = "", strategy: str = "") -> str:
        """Return the strictest state that covers an account's strategy; empty texts ask for the whole book's."""
        places = {("", ""), (account, ""), ("", strategy), (account, strategy)}
        with self._store.reading() as reader:
            found = [reader.record(TRADING, "", identity_text(*place), None) for place in places]
        return max((str(row[4]) for row in found if row is not None), key=STATES.index, default="ACTIVE")

    def _committed(self, head: int) -> None:
        self._marks.grew(head)
        self.wakeups.grew(head)

    # ---- as of ----

    def as_of(self, sequence: int | None = None, *, moment: Moment = None, known: int | None = None) -> AsOf:
        """Return the book at another point, read-only, with the same queries.

        Args:
            sequence: as it was known after this entry.
            moment: only what had happened by then, as known now.
            known: with ``moment``: as known after this entry.

        Raises:
            InputError: neither or both, or a sequence that the log does not have.
        """
        if (sequence is None) == (moment is None):
            msg = "as_of takes a sequence, or moment=... (and known=...)"
            raise InputError(msg)
        limit = known if sequence is None else sequence
        if limit is not None and type(limit) is not int:
            name = "known" if sequence is None else "sequence"
            msg = f"{name}: {limit!r} is not a sequence of the log"
            raise InputError(msg, field=name, value=limit)
        now = self._clock()
        self._share_marks()
        if limit is not None:
            with self._store.reading() as reader:
                row = reader.entry(limit) if limit else None
                head = reader.head()[0]
            if not 0 <= limit <= head:
                msg = f"the log ends at {head}; {limit} is beyond it"
                raise InputError(msg, sequence=limit)
            now = decode_entry(limit, row[1]).at if row is not None else 0
        until = moment_ns("moment", moment)
        return AsOf(self._store, limit, until, now if until is None else until, self.snapshot_folder)

    # ---- following ----

    def _wait(self, position: int, timeout: float | None) -> bool:
        """Wait until the log is longer than a position; False when it did not grow in time, or closed."""
        with self.wakeups as wakeups:
            wakeups.look()
            return wakeups.wait(position, timeout)

    # ---- about the book ----

    def status(self) -> Status:
        """Return the book in numbers."""
        self._share_marks()
        with self._store.reading() as reader:
            sequence, digest = reader.head()
            tally = reader.tally()
            about = reader.about()
            waiting = len(reader.positions(None, unvalued=True))
            marks = len(reader.marks())
            listed = subscriber_states(reader)
            opened = sum(1 for row in reader.records("break", None, (-1, "", ""), 100_000) if row[6] == "open")
        backup = about.get("last_backup_ns")
        return Status(
            url=self._store.url,
            entries=sequence,
            facts=sequence - tally.get("other_entries", 0),
            fills_without_identity=tally.get("fills_without_identity", 0),
            conflicts=tally.get("conflicts", 0),
            breaks=opened,
            unvalued=waiting,
            marks=marks,
            last_backup_at=None if backup is None else times.to_datetime(int(backup)),
            subscribers=tuple(listed),
            trading_state=self.trading_state(),
            head_hash=digest.hex(),
        )

    def sql(self, query: str, params: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Run a read-only query on the book's own tables and views; rows as dictionaries."""
        names, found = self._store.query(query, params)
        return [dict(zip(names, row, strict=True)) for row in found]

    # ---- keeping ----

    def backup(self, path: str | os.PathLike[str]) -> Backup:
        """Write a consistent copy to a new file and check that it opens with the same head.

        Raises:
            StoreError: the file exists, or cannot be written.
        """
        target = os.fspath(path)
        self._share_marks()
        self._store.backup(target)
        copy = SqliteStore(target, read_only=True)
        try:
            head, digest = copy.head()
        finally:
            copy.close()
        self._door.committer.about("last_backup_ns", str(self._clock()))
        return Backup(path=target, entries=head, head_hash=digest.hex(), size=Path(target).stat().st_size)

    def frame(self, what: str, *, library: str = "polars", **filters: Any) -> Any:
        """Return a query's answer as a frame: positions, fills, round_trips, balances, daily_pnl and so on.

        Args:
            what: the name of the query.
            library: ``polars`` or ``pandas``; both come with the extra ``analytics``.
            filters: as for the query.
        """
        from onebook.book.frames import frame

        return frame(self, what, library, filters)

    def close(self) -> None:
        """Finish what waits, share the marks, and give everything back."""
        if self._closed:
            return
        self._closed = True
        with self._opening:
            door = self._opened
        if door is not None:
            door.close()
        self.wakeups.close()
        self._marks.close()
        self._store.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()
