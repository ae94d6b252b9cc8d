"""The one door in: commands from callers to the committer, and what became of them back."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onebook.book.acting import Acting
from onebook.book.batches import BatchRequest, receipt_of, report_of
from onebook.book.commit import Committer, Outcome, Request
from onebook.book.installing import BookState
from onebook.book.marks import Marks
from onebook.book.receipts import Receipt
from onebook.book.state import read_fact
from onebook.clock import Clock
from onebook.domain import commands
from onebook.domain.facts import AnyFact, CorporateAction, Fill
from onebook.domain.fields import note as take_note
from onebook.domain.fields import tags as take_tags
from onebook.domain.identity import client_scope, fill_scope, identity_parts, scope
from onebook.domain.reports import BatchReport, Verification
from onebook.domain.state import Decision, Stamp
from onebook.errors import AmbiguousLot, InputError
from onebook.store.codec import decode, decode_entry
from onebook.store.port import Reader, Store

if TYPE_CHECKING:
    from onebook.book.aio import AsyncDoor

CHUNK = 10_000
"""Facts of a batch that are taken from their source at a time."""


class Door:
    """Where facts come in.

    Args:
        store: where they go.
        clock: the moment of recording.
        marks: what was seen of prices, for fills to bring along.
        acting: who records.
        committed: called once per durable transaction with the newest sequence.
    """

    def __init__(
        self, store: Store, clock: Clock, marks: Marks, acting: Acting, committed: Callable[[int], None]
    ) -> None:
        self._store = store
        self._marks = marks
        self._acting = acting
        self._async: AsyncDoor | None = None
        self.committer = Committer(store, clock, self._observe, committed)

    def _observe(self, state: BookState, command: commands.Command) -> None:
        """Let a fill bring along the marks seen since its position opened."""
        if type(command) is not commands.Record:
            return
        if type(command.fact) is CorporateAction:
            self._marks.cut(command.fact.instrument)
        if type(command.fact) is not Fill:
            return
        fill = command.fact
        if self._marks.knows(fill.instrument):
            since = state.opened_ns(fill)
            state.observe(fill.account, fill.instrument, self._marks.extremes(fill.instrument, since))
            self._marks.cut(fill.instrument)

    def record(self, fact: AnyFact, correlation_id: str) -> Receipt:
        """Take in a fact."""
        return self._submit(commands.Record(fact), correlation_id)

    def _submit(self, command: commands.Command, correlation_id: str = "") -> Receipt:
        request = Request([command], self._acting.name(), correlation_id)
        return receipt_of(self.committer.submit(request)[0])

    def record_many(self, facts: Iterable[AnyFact], progress: Callable[[int], None] | None) -> BatchReport:
        """Take in many facts."""
        done: list[BatchRequest] = []
        handled = 0
        source = iter(facts)
        while chunk := [commands.Record(fact) for fact in islice(source, CHUNK)]:
            request = BatchRequest(chunk, self._acting.name(), before=handled)
            self.committer.submit(request)
            handled += len(chunk)
            request.commands = ()
            done.append(request)
            if progress is not None:
                progress(handled)
        return report_of(done)

    def bust(self, which: int | str, reason: str) -> Receipt:
        """Take a fill back."""
        return self._submit(commands.Bust(self._find(which), take_note("reason", reason)))

    def correct(self, which: int | str, reason: str, changes: dict[str, Any]) -> Receipt:
        """Replace fields of a fill."""
        return self._submit(commands.Correct(self._find(which), take_note("reason", reason), changes))

    def annotate(self, round_trip_id: int, notes: str | None, tags: Iterable[str] | None) -> Receipt:
        """Hang notes and tags on a round trip."""
        kept = None if tags is None else take_tags("tags", tags)
        note = None if notes is None else take_note("notes", notes)
        return self._submit(commands.Annotate(round_trip_id, note, kept))

    def change(self, command: commands.ChangeState) -> Decision:
        """Change the state; the decision answers with the versions of the command's paths."""
        return self._decided(command)[0]

    def publish(self, command: commands.Publish) -> int:
        """Write a user's own event; its sequence comes back."""
        return self._decided(command)[1].sequence

    def note(self, command: commands.Note) -> bool:
        """Write an event that changes no figure; False when one with its key is there already."""
        return self._decided(command)[0].status == "recorded"

    def _decided(self, command: commands.Command) -> tuple[Decision, Stamp]:
        return _settled(self.committer.submit(Request([command], self._acting.name()))[0])

    def submit(
        self, wanted: Sequence[commands.Command], along: Callable[[Store], None] | None
    ) -> list[tuple[Decision, Stamp]]:
        """Commit commands: one like any other, several in one transaction of their own."""
        if len(wanted) == 1 and along is None:
            return [self._decided(wanted[0])]
        outcomes = self.committer.together(wanted, self._acting.name(), along or (lambda _store: None))
        return [_settled(outcome) for outcome in outcomes]

    def ask(self, command: commands.Command) -> Decision:
        """Return what a command would do; nothing is written."""
        return self.committer.ask(command, self._acting.name())

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
                    for fact in _versions(reader, *place):
                        if fact.side == side and order_id in {"", fact.venue_order_id} and place not in places:
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
    def aio(self) -> "AsyncDoor":
        """The same door for event loops."""
        if self._async is None:
            from onebook.book.aio import AsyncDoor

            self._async = AsyncDoor(self.committer, self._acting)
        return self._async

    def rebuild(
        self, progress: Callable[[int, int], None] | None, folder: Path | None, *, from_zero: bool
    ) -> Verification:
        """Make every read model anew, from the newest fit snapshot of a folder, or from zero."""
        from onebook.book.rebuilding import Rebuild

        with self.committer.exclusively():
            return Rebuild(self._store, self.committer.state, progress).run(folder, from_zero=from_zero)

    def close(self) -> None:
        """Answer who waits, then take nothing more."""
        if self._async is not None:
            self._async.close()
        with self.committer.exclusively():
            self.committer.closed = True


def _settled(outcome: Outcome) -> tuple[Decision, Stamp]:
    if outcome.error is not None:
        raise outcome.error
    assert outcome.decision is not None and outcome.stamp is not None  # noqa: S101,PT018  without an error both are
    return outcome.decision, outcome.stamp


def _versions(reader: Reader, sequence: int, ordinal: int) -> list[Any]:
    """Return a fill as it was reported, and as it stands after its corrections."""
    first = read_fact(reader, sequence, ordinal).fact
    history = reader.record("fill", first.account, f"{sequence}.{ordinal}", None)
    version = None if history is None else decode(history[1]).get("version")
    return [first] if version is None else [first, read_fact(reader, *version).fact]
