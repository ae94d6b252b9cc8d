"""Bust and correction of fills."""

from typing import Any

from onebook.domain import commands, facts
from onebook.domain.decide import orders
from onebook.domain.decide.booking import check_price
from onebook.domain.decide.history import busted_record, is_busted, newest_version, standing
from onebook.domain.decide.notes import pass_note_on
from onebook.domain.decide.placing import Refold
from onebook.domain.decide.revising import revise
from onebook.domain.decide.signal_status import follow
from onebook.domain.identity import fill_identity
from onebook.domain.shapes import fact_data
from onebook.domain.state import Decision, EventDraft, Stamp, State, StoredFact
from onebook.errors import InputError, RuleError

_FIXED = frozenset({"raw"})


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
    _take_back(state, decision, held, command.reason, stamp)
    return decision


def _take_back(state: State, decision: Decision, held: StoredFact, reason: str, stamp: Stamp) -> None:
    """Add to a decision that a fill no longer stands, and fold without it."""
    version = newest_version(state, held)
    ledger = state.ledger(version.fact.account, version.fact.instrument)
    movement = standing(state, ledger, held, version)
    data = fact_data(version.fact) | {"reason": reason, "trade_id": decision.identity}
    data["fills"] = [held.sequence, held.ordinal]
    decision.tally["other_entries"] = 1
    decision.events.append(EventDraft("trade_busted", data))
    decision.records.append(busted_record(state, held, version.fact))
    if movement is None:
        return
    refold = Refold(state, decision, stamp)
    refold.plan(ledger, removed=[movement])
    refold.run("bust", reason)
    orders.filled(decision, orders.of_fill(state, version.fact), version.fact, movement, sign=-1)
    follow(state, decision, changed={(held.sequence, held.ordinal): None})
    pass_note_on(state, decision, movement, ledger.id)


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


def _changed(old: facts.Fill, new: facts.Fill, asked: dict[str, Any]) -> dict[str, Any]:
    names = {"occurred_ns" if name == "occurred_at" else name for name in asked}
    return {name: getattr(new, name) for name in sorted(names) if getattr(new, name) != getattr(old, name)}
