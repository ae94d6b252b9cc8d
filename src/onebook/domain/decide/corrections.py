"""Bust and correction of fills, and notes on round trips."""

from typing import Any

from onebook.domain import commands, facts
from onebook.domain.decide import orders, signals
from onebook.domain.decide.fills import HISTORY, check_price
from onebook.domain.decide.placing import Refold
from onebook.domain.decide.repeats import is_busted, newest_version, revise, standing
from onebook.domain.identity import fill_identity
from onebook.domain.movements import Movement
from onebook.domain.numbers import plain
from onebook.domain.shapes import Data, fact_data, plain_value
from onebook.domain.state import Decision, EventDraft, Record, Stamp, State, StoredFact
from onebook.errors import AmbiguousLot, InputError, RuleError

_FIXED = frozenset({"raw"})
ANNOTATION = "annotation"


def _held(state: State, which: tuple[int, int]) -> StoredFact:
    held = state.fact(*which)
    if held.kind != "fill":
        msg = f"{which[0]}.{which[1]} is a {held.kind}, not a fill; only fills are busted or corrected"
        raise InputError(msg, which=which)
    return held


def _start(state: State, held: StoredFact) -> Decision:
    fill = newest_version(state, held).fact
    decision = Decision(fill.account, fill.instrument, fill.strategy)
    decision.ledger = state.ledger(fill.account, fill.instrument)
    decision.identity = fill_identity(held.fact, f"{held.sequence}.{held.ordinal}")
    decision.first = held.sequence
    decision.occurred_ns = fill.occurred_ns or 0
    return decision


def bust(state: State, command: commands.Bust, stamp: Stamp) -> Decision:
    """Take a fill back. A busted fill stays busted: the same bust again is success."""
    held = _held(state, command.which)
    if not command.reason:
        msg = "reason: is missing; say why the fill is taken back"
        raise InputError(msg, field="reason")
    decision = _start(state, held)
    if is_busted(state, held):
        decision.status = "exists"
        return decision
    take_back(state, decision, held, command.reason, stamp)
    return decision


def take_back(state: State, decision: Decision, held: StoredFact, reason: str, stamp: Stamp) -> None:
    """Add to a decision that a fill no longer stands, and fold without it."""
    version = newest_version(state, held)
    ledger = state.ledger(version.fact.account, version.fact.instrument)
    movement = standing(state, ledger, held, version)
    data = fact_data(version.fact) | {"reason": reason, "trade_id": decision.identity}
    data["fills"] = [held.sequence, held.ordinal]
    decision.tally["other_entries"] = 1
    decision.events.append(EventDraft("trade_busted", data))
    decision.records.append(_busted(state, held, version.fact))
    if movement is None:
        return
    refold = Refold(state, decision, stamp)
    refold.plan(ledger, removed=[movement])
    refold.run("bust", reason)
    orders.filled(decision, orders.of_fill(state, version.fact), version.fact, movement, sign=-1)
    signals.follow(state, decision, changed={(held.sequence, held.ordinal): None})
    _pass_note_on(state, decision, movement, ledger.id)


def _busted(state: State, held: StoredFact, fill: facts.Fill) -> Record:
    key = f"{held.sequence}.{held.ordinal}"
    history = state.record(HISTORY, held.fact.account, key)
    body: Data = dict(history.body) if history is not None else {}
    at = fill.occurred_ns or 0
    return Record(HISTORY, held.fact.account, key, at, body, fill.instrument, fill.strategy, "busted")


def _pass_note_on(state: State, decision: Decision, busted: Movement, ledger: int) -> None:
    """Notes hang on a fact; when it is busted they go to the next fact of the same position."""
    note = state.record(ANNOTATION, decision.account, str(busted.sequence))
    if note is None or not note.body:
        return
    for movement in state.movements(ledger, busted.order):
        if movement.strategy == busted.strategy and movement.leg == busted.leg:
            body = dict(note.body)
            key = str(movement.sequence)
            decision.events.append(EventDraft("annotated", {"fact": movement.sequence} | body))
            decision.records.append(
                Record(ANNOTATION, decision.account, key, movement.order[0], body, decision.instrument)
            )
            return


def correct(state: State, command: commands.Correct, stamp: Stamp) -> Decision:
    """Replace fields of a fill. The same correction again is success."""
    held = _held(state, command.which)
    if not command.reason:
        msg = "reason: is missing; say why the fill is corrected"
        raise InputError(msg, field="reason")
    if not command.changes:
        msg = "nothing to correct; name the fields and their right values"
        raise InputError(msg)
    fixed = sorted(_FIXED & set(command.changes))
    if fixed:
        msg = f"{fixed[0]}: cannot be corrected; bust the fill and record it anew"
        raise InputError(msg, field=fixed[0])
    decision = _start(state, held)
    if is_busted(state, held):
        msg = f"fill {held.sequence}.{held.ordinal} was busted; record it anew instead"
        raise RuleError(msg, which=command.which)
    version = newest_version(state, held)
    new = version.fact.replaced(**command.changes)
    changes = _changed(version.fact, new, command.changes)
    if not changes:
        decision.status = "exists"
        return decision
    check_price(state.ledger(new.account, new.instrument).terms, new.price)
    revise(state, decision, held, changes, command.reason, stamp)
    return decision


def _changed(old: facts.Fill, new: facts.Fill, asked: dict[str, Any]) -> dict[str, Any]:
    names = {"occurred_ns" if name == "occurred_at" else name for name in asked}
    return {name: getattr(new, name) for name in sorted(names) if getattr(new, name) != getattr(old, name)}


def order_of_revision(state: State, decision: Decision, old: facts.Fill, new: facts.Fill, movement: Movement) -> None:
    """Let the order of a corrected fill follow: off with the old, on with the new."""
    if _of_order(old) == _of_order(new):
        return
    before = orders.of_fill(state, old)
    orders.filled(decision, before, old, movement, sign=-1)
    after = orders.of_fill(state, new)
    if before is not None and after is not None and (before.account, before.id) == (after.account, after.id):
        after = next(item for item in decision.records if (item.kind, item.id) == (orders.ORDER, before.id))
        decision.events.pop()
    orders.filled(decision, after, new, movement)


def _of_order(fill: facts.Fill) -> tuple[Any, ...]:
    """Return what of a fill its order goes by."""
    return fill.quantity, fill.price, fill.client_order_id, fill.account


def take_note_along(state: State, decision: Decision, held: StoredFact, old: facts.Fill, new: facts.Fill) -> None:
    """Notes hang on a fact: when it turns out to be another account's they go there with it."""
    key = str(held.sequence)
    note = state.record(ANNOTATION, old.account, key)
    if note is None or not note.body or new.account == old.account:
        return
    at = new.occurred_ns or 0
    decision.records.append(Record(ANNOTATION, old.account, key, note.occurred_ns, {}, note.instrument))
    decision.records.append(Record(ANNOTATION, new.account, key, at, dict(note.body), new.instrument))


def annotate(state: State, command: commands.Annotate, stamp: Stamp) -> Decision:
    """Hang notes and tags on the fact that opens a round trip."""
    held = state.fact(command.round_trip_id, 1)
    fact = newest_version(state, held).fact if held.kind == "fill" else held.fact
    account = fact.account
    decision = Decision(account, getattr(fact, "instrument", "") or "", getattr(fact, "strategy", "") or "")
    if not decision.instrument:
        msg = f"{command.round_trip_id} opens no round trip; see onebook round-trips"
        raise AmbiguousLot(msg, which=command.round_trip_id)
    decision.occurred_ns = stamp.recorded_ns
    key = str(command.round_trip_id)
    note = state.record(ANNOTATION, account, key)
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
        Record(ANNOTATION, account, key, fact.occurred_ns or stamp.recorded_ns, body, decision.instrument)
    )
    return decision


__all__ = ["annotate", "bust", "correct", "order_of_revision", "plain", "take_back", "take_note_along"]
