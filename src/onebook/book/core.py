"""The core of a book: one door in, queries out. It knows no feed, market or trading."""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

from onebook.book.aio import AsyncDoor
from onebook.book.asof import AsOf
from onebook.book.batches import BatchRequest, receipt_of, report_of
from onebook.book.commit import Committer, Request
from onebook.book.installing import BookState
from onebook.book.lens import Lens
from onebook.book.marks import Exposure, LiveMark, Marks, exposure_of
from onebook.book.positions import based
from onebook.book.reading import Moment, Reading, moment_ns
from onebook.book.receipts import Receipt
from onebook.book.verifying import Verifier, rebuild
from onebook.clock import Clock
from onebook.domain import commands, times
from onebook.domain.facts import AnyFact, Fill
from onebook.domain.fields import note as take_note
from onebook.domain.fields import required, text
from onebook.domain.fields import tags as take_tags
from onebook.domain.identity import client_scope, fill_scope, identity_parts, scope
from onebook.domain.numbers import number
from onebook.domain.reports import Backup, BatchReport, Mark, Status, Verification
from onebook.errors import AmbiguousLot, InputError
from onebook.store.codec import decode_entry
from onebook.store.port import Store
from onebook.store.sqlite.store import SqliteStore

CHUNK = 10_000
POLL_SECONDS = 0.02


class Core(Reading):
    """A book over a store.

    Args:
        store: where it is kept.
        actor: who records, for the log.
        clock: nanoseconds since 1970 UTC.
    """

    def __init__(self, store: Store, *, actor: str, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.actor = text("actor", actor)
        self._changed = threading.Condition()
        self._marks = Marks(store, clock, self._exposures)
        self._committer = Committer(store, clock, self._observe, self._committed)
        self._async: AsyncDoor | None = None
        self._closed = False
        with store.reading() as reader:
            self._marks.head = reader.head()[0]

    # ---- the point of view: now ----

    def _now(self) -> int:
        return self._clock()

    def _mark(self, instrument: str) -> LiveMark | None:
        return self._marks.all().get(instrument)

    # ---- in ----

    def record(self, fact: AnyFact, *, correlation_id: str = "") -> Receipt:
        """Take in a fact; it is durable when this returns.

        Args:
            fact: a Fill, Order, Transfer and so on.
            correlation_id: what it belongs to, for the log.

        Raises:
            InputError: it is malformed.
            RuleError: a rule refuses it (our own wishes only; facts are never refused).
            StoreError: it is not there; trying again is safe for a fact with an identity.
        """
        return self._submit(commands.Record(fact), correlation_id)

    def _submit(self, command: commands.Command, correlation_id: str = "") -> Receipt:
        request = Request([command], self.actor, correlation_id)
        return receipt_of(self._committer.submit(request)[0])

    def record_many(self, facts: Iterable[AnyFact], *, progress: Callable[[int], None] | None = None) -> BatchReport:
        """Take in many facts, one entry each; bad ones are refused alone and listed.

        Args:
            facts: any iterable; it is read in pieces.
            progress: called with how many were handled so far.
        """
        done: list[BatchRequest] = []
        handled = 0
        source = iter(facts)
        while chunk := [commands.Record(fact) for fact in islice(source, CHUNK)]:
            request = BatchRequest(chunk, self.actor, before=handled)
            self._committer.submit(request)
            handled += len(chunk)
            request.commands = ()
            done.append(request)
            if progress is not None:
                progress(handled)
        return report_of(done)

    def bust(self, which: int | str, *, reason: str) -> Receipt:
        """Take a fill back: the venue says it never happened.

        Args:
            which: its sequence, event id (``"57.2"``) or identity.
            reason: why, for the log.
        """
        return self._submit(commands.Bust(self._find(which), take_note("reason", reason)))

    def correct(self, which: int | str, *, reason: str, **changes: Any) -> Receipt:
        """Replace fields of a fill by what is right.

        Args:
            which: its sequence, event id or identity.
            reason: why, for the log.
            changes: the fields of ``Fill`` with their right values.
        """
        return self._submit(commands.Correct(self._find(which), take_note("reason", reason), changes))

    def annotate(self, round_trip_id: int, *, notes: str | None = None, tags: Iterable[str] | None = None) -> Receipt:
        """Hang notes and tags on a round trip; None leaves them as they are."""
        kept = None if tags is None else take_tags("tags", tags)
        note = None if notes is None else take_note("notes", notes)
        return self._submit(commands.Annotate(round_trip_id, note, kept))

    def _find(self, which: int | str) -> tuple[int, int]:
        """Return (sequence, ordinal) of the fill that a sequence, event id or identity names."""
        if isinstance(which, int) and not isinstance(which, bool) and 0 < which < 2**63:
            return which, self._only_fill(which)
        if not isinstance(which, str) or not which:
            msg = f"{which!r} names no fill; give a sequence, an event id such as 57.1, or an identity"
            raise InputError(msg, which=which)
        head, dot, tail = which.partition(".")
        if head.isdecimal() and len(head) < 19 and (not dot or (tail.isdecimal() and len(tail) < 9)):
            return int(head), int(tail) if dot else self._only_fill(int(head))
        return self._by_identity(which)

    def _only_fill(self, sequence: int) -> int:
        with self._store.reading() as reader:
            row = reader.entry(sequence)
        if row is None:
            msg = f"{sequence}: the log has no such entry; see onebook fills"
            raise InputError(msg, which=sequence)
        events = decode_entry(sequence, row[1]).events
        fills = [ordinal for ordinal, event in enumerate(events, 1) if event.type == "trade_executed"]
        if len(fills) > 1:
            msg = f"entry {sequence} holds {len(fills)} fills; name one: {sequence}.{fills[0]}, …"
            raise AmbiguousLot(msg, which=sequence, fills=fills)
        return fills[0] if fills else 1

    def _by_identity(self, which: str) -> tuple[int, int]:
        kind, *parts = identity_parts(which)
        if kind == "event" and len(parts) == 1:
            return self._find(parts[0])
        places: list[tuple[int, int]] = []
        with self._store.reading() as reader:
            if kind == "client" and len(parts) == 2:
                number_of = reader.scope(client_scope(parts[0]))
                places = [] if number_of is None else reader.identities(number_of, parts[1], 2**62)
            elif kind == "fill" and len(parts) == 6:
                venue, account, instrument, order_id, fill_id, side = parts
                number_of = reader.scope(fill_scope(venue, account, instrument))
                found = [] if number_of is None else reader.identities(number_of, fill_id, 2**62)
                for place in found:
                    fact = read_stored(reader, place)
                    if fact.side == side and order_id in {"", fact.venue_order_id}:
                        places.append(place)
            elif len(parts) == 2:
                number_of = reader.scope(scope(kind, parts[0]))
                places = [] if number_of is None else reader.identities(number_of, parts[1], 2**62)
        if not places:
            msg = f"{which!r} names no fill of this book; see onebook fills"
            raise InputError(msg, which=which)
        if len(places) > 1:
            msg = f"{which!r} names {len(places)} fills; give the sequence of one: {places}"
            raise AmbiguousLot(msg, which=which, places=places)
        return places[0]

    @property
    def aio(self) -> AsyncDoor:
        """The same door for event loops: ``await book.aio.record(fact)``."""
        if self._async is None:
            self._async = AsyncDoor(self._committer, self.actor)
        return self._async

    # ---- marks ----

    def mark(self, instrument: str, price: Any, *, at: Moment = None, source: str = "") -> None:
        """Say what an instrument costs now. Marks value positions and are never stored as truth.

        Args:
            instrument: a symbol, or a pair such as ``EUR/USD`` for converting live figures.
            price: above 0, in the quote currency.
            at: when it was so; None for now.
            source: who says so.
        """
        value = number("price", price)
        if value < 0:
            msg = f"price: {value} is below 0"
            raise InputError(msg, field="price", value=price)
        moment = moment_ns("at", at)
        name = instrument if type(instrument) is str and instrument else required("instrument", instrument)
        self._marks.put(name, value, self._clock() if moment is None else moment, source)

    def marks(self) -> list[Mark]:
        """Return the newest prices."""
        now = self._clock()
        return [
            Mark(
                instrument=name,
                price=mark.price,
                at=times.to_datetime(mark.at),
                source=mark.source,
                stale=now - mark.at > 60 * times.SECOND,
            )
            for name, mark in sorted(self._marks.all().items())
        ]

    def unrealized(self) -> dict[str, Any]:
        """Return the unrealized P&L of all open positions with a mark, by settlement currency, as of this tick."""
        return self._marks.totals()

    def _exposures(self) -> tuple[int, dict[str, list[Exposure]]]:
        head = self._marks.head
        found: dict[str, list[Exposure]] = {}
        with self._store.reading() as reader:
            lens = Lens(reader)
            for info, holdings in lens.all_holdings(is_open=True):
                terms = lens.terms(info)
                for holding in holdings.values():
                    quantity = based(holding)
                    if quantity:
                        found.setdefault(info.name, []).append(exposure_of(terms, quantity, holding.cost))
        return head, found

    def _observe(self, state: BookState, command: commands.Command) -> None:
        """Let a fill bring along the marks seen since the position's last movement."""
        if not isinstance(command, commands.Record) or not isinstance(command.fact, Fill):
            return
        fill = command.fact
        state.observe(fill.account, fill.instrument, self._marks.extremes(fill.instrument))

    def _committed(self, head: int) -> None:
        self._marks.head = head
        with self._changed:
            self._changed.notify_all()

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
        now = self._clock()
        if limit is not None:
            with self._store.reading() as reader:
                row = reader.entry(limit) if limit else None
                head = reader.head()[0]
            if not 0 <= limit <= head:
                msg = f"the log ends at {head}; {limit} is beyond it"
                raise InputError(msg, sequence=limit)
            now = decode_entry(limit, row[1]).at if row is not None else 0
        until = moment_ns("moment", moment)
        return AsOf(self._store, limit, until, now if until is None else until)

    # ---- following ----

    def _wait(self, position: int, timeout: float | None) -> bool:
        """Wait until the log is longer than a position; False when it did not grow in time, or closed."""
        deadline = None if timeout is None else monotonic() + timeout
        while not self._closed:
            with self._store.reading() as reader:
                if reader.head()[0] > position:
                    return True
            left = POLL_SECONDS if deadline is None else min(POLL_SECONDS, deadline - monotonic())
            if left <= 0:
                return False
            with self._changed:
                self._changed.wait(left)
        return False

    # ---- about the book ----

    def status(self) -> Status:
        """Return the book in numbers."""
        with self._store.reading() as reader:
            sequence, digest = reader.head()
            tally = reader.tally()
            about = reader.about()
            waiting = len(reader.positions(None, unvalued=True))
            marks = len(reader.marks())
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
            subscribers=(),
            trading_state="ACTIVE",
            head_hash=digest.hex(),
        )

    def sql(self, query: str, params: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Run a read-only query on the book's own tables and views; rows as dictionaries."""
        names, found = self._store.query(query, params)
        return [dict(zip(names, row, strict=True)) for row in found]

    # ---- keeping ----

    def verify(self, *, progress: Callable[[int, int], None] | None = None) -> Verification:
        """Check every hash, fold everything again from zero and compare; it never raises for what it finds.

        Args:
            progress: called with entries done and entries in all.
        """
        return Verifier(self._store, progress).run()

    def rebuild(self, *, progress: Callable[[int, int], None] | None = None) -> Verification:
        """Make every read model anew from the log; nothing else is written meanwhile."""
        with self._committer.exclusively():
            return rebuild(self._store, self._committer.state, progress)

    def backup(self, path: str | os.PathLike[str]) -> Backup:
        """Write a consistent copy to a new file and check that it opens with the same head.

        Raises:
            StoreError: the file exists, or cannot be written.
        """
        target = os.fspath(path)
        self._store.backup(target)
        copy = SqliteStore(target, read_only=True)
        try:
            head, digest = copy.head()
        finally:
            copy.close()
        self._committer.about("last_backup_ns", str(self._clock()))
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
        if self._async is not None:
            self._async.close()
        with self._committer.exclusively():
            self._committer.closed = True
            self._marks.flush()
            self._store.close()
        with self._changed:
            self._changed.notify_all()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()


def read_stored(reader: Any, place: tuple[int, int]) -> Any:
    """Return the fact at a place of the log."""
    from onebook.book.state import read_fact

    return read_fact(reader, *place).fact
