"""Notes: events that change no figure; and notes and tags on round trips, which hang on the fact that opens one."""

from onebook.domain import commands, facts
from onebook.domain.decide.history import newest_version
from onebook.domain.identity import identity_text, scope
from onebook.domain.movements import Movement
from onebook.domain.shapes import Data, plain_value
from onebook.domain.state import Decision, EventDraft, Record, Stamp, State, StoredFact
from onebook.errors import AmbiguousLot

_ANNOTATION = "annotation"
BREAK = "break"
"""The kind of record in which a difference waits for somebody."""


def note(state: State, command: commands.Note, stamp: Stamp) -> Decision:
    """Write an event that changes no figure; one with a ``key`` in its data is written once."""
    decision = Decision(command.account, command.instrument, command.strategy)
    decision.occurred_ns = stamp.recorded_ns
    key = command.data.get("key")
    if key is not None:
        name = identity_text(command.type, str(key))
        decision.identity = identity_text("note", name)
        held = state.identities(scope("note"), name)
        if held:
            decision.status, decision.first = "exists", held[0][0]
            return decision
        decision.identities.append((scope("note"), name, 1))
    decision.events.append(EventDraft(command.type, dict(command.data)))
    if command.type == "book_restored":
        epoch = str(command.data["epoch"])
        decision.records.append(Record("epoch", "", epoch, stamp.recorded_ns, dict(command.data)))
    if command.type == "break_found":
        _open_break(decision, command, stamp)
    elif command.type == "break_resolved":
        _close_break(state, decision, command, stamp)
    decision.tally["other_entries"] = 1
    return decision


def _open_break(decision: Decision, command: commands.Note, stamp: Stamp) -> None:
    """Put a difference on the break desk: nothing is opened in its instrument until somebody settles it."""
    data = command.data
    decision.account = str(data.get("account", "")) or command.account or "main"
    body: Data = {
        "break_kind": data["kind"],
        "identity": str(data.get("reason", "")),
        "first_seen": stamp.recorded_ns,
        "last_seen": stamp.recorded_ns,
        "state": "open",
    }
    key = f"break-{stamp.sequence}"
    decision.records.append(
        Record(BREAK, decision.account, key, stamp.recorded_ns, body, command.instrument, command.strategy, "open")
    )


def _close_break(state: State, decision: Decision, command: commands.Note, stamp: Stamp) -> None:
    """Settle a difference that is open: named by its id, or by the key under which it was found."""
    data = command.data
    decision.account = str(data.get("account", "")) or command.account or "main"
    name = str(data.get("break", ""))
    if not name:
        found = state.identities(scope("note"), identity_text("break_found", str(data.get("key", ""))))
        name = f"break-{found[0][0]}" if found else ""
    held = state.record(BREAK, decision.account, name)
    if held is None or held.status != "open":
        return
    body = dict(held.body) | {"state": "resolved", "last_seen": stamp.recorded_ns, "resolver": stamp.actor}
    if data.get("reason"):
        body["identity"] = str(data["reason"])
    place = (held.occurred_ns, body, held.instrument, held.strategy, "resolved")
    decision.records.append(Record(BREAK, decision.account, name, *place))


def annotate(state: State, command: commands.Annotate, stamp: Stamp) -> Decision:
    """Hang notes and tags on the fact that opens a round trip."""
    held = state.fact(command.round_trip_id, 1)
    fact = newest_version(state, held).fact if held.kind == "fill" else held.fact
    account = getattr(fact, "account", "")
    decision = Decision(account, getattr(fact, "instrument", "") or "", getattr(fact, "strategy", "") or "")
    if not decision.instrument:
        msg = f"{command.round_trip_id} opens no round trip; see onebook round-trips"
        raise AmbiguousLot(msg, which=command.round_trip_id)
    decision.occurred_ns = stamp.recorded_ns
    key = str(command.round_trip_id)
    note = state.record(_ANNOTATION, account, key)
    body: Data = dict(note.body) if note is not None else {}
    if command.notes is not None:
        body["notes"] = command.notes
    if command.tags is not None:
        body["tags"] = plain_value(command.tags)
    decision.identity = f"round_trip|{command.round_trip_id}"
    if note is not None and note.body == body:
        decision.status, decision.first = "exists", held.sequence
        return decision
    decision.events.append(EventDraft("annotated", {"fact": command.round_trip_id} | body))
    decision.tally["other_entries"] = 1
    decision.records.append(
        Record(_ANNOTATION, account, key, fact.occurred_ns or stamp.recorded_ns, body, decision.instrument)
    )
    return decision


def pass_note_on(state: State, decision: Decision, busted: Movement, ledger: int) -> None:
    """Notes hang on a fact; when it is busted they go to the next fact of the same position."""
    note = state.record(_ANNOTATION, decision.account, str(busted.sequence))
    if note is None or not note.body:
        return
    for movement in state.movements(ledger, busted.order):
        if movement.strategy == busted.strategy and movement.leg == busted.leg:
            body = dict(note.body)
            key = str(movement.sequence)
            decision.events.append(EventDraft("annotated", {"fact": movement.sequence} | body))
            decision.records.append(
                Record(_ANNOTATION, decision.account, key, movement.order[0], body, decision.instrument)
            )
            return


def take_note_along(state: State, decision: Decision, held: StoredFact, old: facts.Fill, new: facts.Fill) -> None:
    """Notes hang on a fact: when it turns out to be another account's they go there with it."""
    key = str(held.sequence)
    note = state.record(_ANNOTATION, old.account, key)
    if note is None or not note.body or new.account == old.account:
        return
    at = new.occurred_ns or 0
    decision.records.append(Record(_ANNOTATION, old.account, key, note.occurred_ns, {}, note.instrument))
    decision.records.append(Record(_ANNOTATION, new.account, key, at, dict(note.body), new.instrument))
