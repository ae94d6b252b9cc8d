"""Signals: GENERATED, then EXECUTED by a fill, CLOSED with its round trip, or EXPIRED."""

from onebook.domain import facts
from onebook.domain.decide.facts_again import generated, seen_before
from onebook.domain.identity import identity_text, scope
from onebook.domain.shapes import Data, fact_data
from onebook.domain.state import Decision, EventDraft, Record, Stamp, State
from onebook.errors import InvalidTransition

SIGNAL = "signal"
_EVENTS = {
    "GENERATED": "signal_detected",
    "EXECUTED": "signal_executed",
    "EXPIRED": "signal_expired",
    "CLOSED": "signal_closed",
}
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
    if "trip" in earlier:
        body["trip"] = earlier["trip"]
    record = Record(SIGNAL, signal.account, signal_id, at, body, signal.instrument, signal.strategy, status)
    decision.records.append(record)
    if status != "GENERATED":
        decision.events.append(EventDraft(_EVENTS[status], {"signal_id": signal_id, "status": status}))
    if not signal.signal_id:
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
    decision.events.append(EventDraft(_EVENTS[update.status], data))
    decision.identities.append((updates, key, 1))
    body: Data = dict(held.body) if held is not None else {"signal_id": update.signal_id, "known": False}
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


def follow(state: State, decision: Decision, fill: facts.Fill | None = None) -> None:
    """Move the signals that a decision's fill and round trips name, in the same entry."""
    if not decision.trips_added and not decision.trips_ended and (fill is None or not fill.signal_id):
        return
    moved: dict[str, tuple[str, int | None]] = {}
    if fill is not None and fill.signal_id:
        moved[fill.signal_id] = ("EXECUTED", _open_trip(decision, fill.signal_id))
    for _, trip in decision.trips_ended:
        if trip.signal_id:
            moved[trip.signal_id] = ("EXECUTED", trip.id)
    for _, trip in decision.trips_added:
        if trip.signal_id:
            moved[trip.signal_id] = ("CLOSED", trip.id)
    for signal_id, (status, trip_id) in sorted(moved.items()):
        _move(state, decision, signal_id, status, trip_id)


def _open_trip(decision: Decision, signal_id: str) -> int | None:
    for _, holding in decision.holdings:
        if holding.trip is not None and holding.trip.signal_id == signal_id:
            return holding.trip.id
    return None


def _move(state: State, decision: Decision, signal_id: str, status: str, trip_id: int | None) -> None:
    held = state.record(SIGNAL, decision.account, signal_id)
    body: Data = dict(held.body) if held is not None else {"signal_id": signal_id, "known": False}
    was = body.get("status")
    ended = any(trip.signal_id == signal_id for _, trip in decision.trips_ended)
    if was == "CLOSED" and status == "EXECUTED" and not ended:
        return
    if was == status and (trip_id is None or body.get("trip") == trip_id):
        return
    body["status"] = status
    if trip_id is not None:
        body["trip"] = trip_id
    decision.records.append(
        Record(
            SIGNAL,
            decision.account,
            signal_id,
            held.occurred_ns if held is not None else decision.occurred_ns,
            body,
            held.instrument if held is not None else decision.instrument,
            held.strategy if held is not None else decision.strategy,
            status,
        )
    )
    if was != status:
        data: Data = {"signal_id": signal_id, "status": status}
        if trip_id is not None:
            data["round_trip"] = trip_id
        decision.events.append(EventDraft(_EVENTS[status], data))
