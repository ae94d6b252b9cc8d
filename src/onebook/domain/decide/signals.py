"""Signals that strategies report: GENERATED, and moved on by hand, usually to EXPIRED.

What fills and round trips do to a signal stands in :mod:`onebook.domain.decide.signal_status`.
"""

from onebook.domain import facts
from onebook.domain.decide.facts_again import generated, seen_before
from onebook.domain.identity import identity_text, scope
from onebook.domain.shapes import Data, fact_data
from onebook.domain.state import Decision, EventDraft, Record, Stamp, State
from onebook.errors import InvalidTransition

SIGNAL = "signal"
NAMED = "signal_fill"
"""Space in which a signal's id finds the fills that name it or ever did."""

SAID = "said"
"""Where a signal's record keeps the status that an update said: what it is where no fill executes it."""

EVENTS = {
    "GENERATED": "signal_detected",
    "EXECUTED": "signal_executed",
    "EXPIRED": "signal_expired",
    "CLOSED": "signal_closed",
}
"""The event that puts a signal into a status."""

_NEXT = {
    "GENERATED": {"EXECUTED", "EXPIRED", "CLOSED"},
    "EXECUTED": {"CLOSED"},
    "EXPIRED": set(),
    "CLOSED": set(),
}


def record_signal(state: State, signal: facts.Signal, stamp: Stamp) -> Decision:
    """Take in a signal. A fill that named it before makes it executed at once."""
    signal_id = signal.signal_id or generated("signal", stamp)
    decision = Decision(signal.account, signal.instrument, signal.strategy)
    decision.identity = identity_text("signal", signal.account, signal_id)
    held = state.record(SIGNAL, signal.account, signal_id)
    data = fact_data(signal.replaced(signal_id=signal_id))
    if held is not None and held.body.get("known", True):
        return seen_before(state, decision, held, data, stamp, given_ns=signal.occurred_ns)
    at = stamp.recorded_ns if signal.occurred_ns is None else signal.occurred_ns
    decision.occurred_ns = at
    if signal.occurred_ns is None:
        data["own_time"] = True
    earlier = held.body if held is not None else {}
    status = str(earlier.get("status", "GENERATED"))
    decision.events.append(EventDraft("signal_detected", data | {"fact": "signal", "status": "GENERATED"}))
    decision.identities.append((scope("signal", signal.account), signal_id, 1))
    body = {name: value for name, value in data.items() if name != "raw"}
    body |= {"status": status, "first": stamp.sequence}
    body |= {name: earlier[name] for name in ("trip", SAID) if name in earlier}
    record = Record(SIGNAL, signal.account, signal_id, at, body, signal.instrument, signal.strategy, status)
    decision.records.append(record)
    if status != "GENERATED":
        decision.events.append(EventDraft(EVENTS[status], {"signal_id": signal_id, "status": status}))
    if signal_id == generated("signal", stamp):
        decision.tally["facts_without_identity"] = 1
    return decision


def record_signal_update(state: State, update: facts.SignalUpdate, stamp: Stamp) -> Decision:
    """Move a signal on by hand: usually to EXPIRED."""
    held = state.record(SIGNAL, update.account, update.signal_id)
    decision = Decision(update.account, held.instrument if held else "", held.strategy if held else "")
    at = stamp.recorded_ns if update.occurred_ns is None else update.occurred_ns
    decision.occurred_ns = at
    given = "" if update.occurred_ns is None else str(update.occurred_ns)
    key = identity_text(update.signal_id, update.status, given)
    decision.identity = identity_text("signal_update", update.account, key)
    updates = scope("signal_update", update.account)
    places = state.identities(updates, key)
    status = str(held.body["status"]) if held is not None else "GENERATED"
    if places:
        decision.status, decision.first = "exists", places[0][0]
        return decision
    if status != update.status and update.status not in _NEXT[status]:
        msg = f"signal {update.signal_id} is {status} and cannot become {update.status}"
        raise InvalidTransition(msg, signal=update.signal_id, status=status, asked=update.status)
    data = fact_data(update) | {"fact": "signal_update"}
    if update.occurred_ns is None:
        data["own_time"] = True
    decision.events.append(EventDraft(EVENTS[update.status], data))
    decision.identities.append((updates, key, 1))
    body: Data = dict(held.body) if held is not None else {"signal_id": update.signal_id, "known": False}
    if status != update.status or held is None:
        body[SAID] = update.status
    body["status"] = update.status
    if update.reason:
        body["reason"] = update.reason
    decision.records.append(
        Record(
            SIGNAL,
            update.account,
            update.signal_id,
            held.occurred_ns if held is not None else at,
            body,
            decision.instrument,
            decision.strategy,
            update.status,
        )
    )
    return decision
