"""Signals: GENERATED, then EXECUTED by a fill, CLOSED with its round trip, or EXPIRED."""

from collections.abc import Mapping
from types import MappingProxyType

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

_EVENTS = {
    "GENERATED": "signal_detected",
    "EXECUTED": "signal_executed",
    "EXPIRED": "signal_expired",
    "CLOSED": "signal_closed",
}
_KEPT = frozenset({"known", "first", "trip", SAID, "own_time"})
"""What the book keeps beside a signal's own fields."""

_NEXT = {
    "GENERATED": {"EXECUTED", "EXPIRED", "CLOSED"},
    "EXECUTED": {"CLOSED"},
    "EXPIRED": set(),
    "CLOSED": set(),
}


Changed = Mapping[tuple[int, int], facts.Fill | None]
"""Fills recorded before, by (sequence, ordinal), as they stand after a decision: None for a busted one."""
_NOTHING: Changed = MappingProxyType({})


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


def follow(state: State, decision: Decision, *fills: facts.Fill, changed: Changed = _NOTHING) -> None:
    """Move the signals that a decision's new fills and its round trips name, in the same entry.

    Where it folded again the fills that stand are asked: see :mod:`onebook.domain.decide.signals_again`.
    """
    if decision.points_ended:
        from onebook.domain.decide.signals_again import settle

        settle(state, decision, fills, changed)
        return
    names = fills[0].signal_id if fills else ""  # there is one at most where nothing folded again
    if not names and not decision.trips_added:
        return
    moved: dict[tuple[str, str], tuple[str, int | None]] = {}
    if names:
        moved[fills[0].account, names] = ("EXECUTED", _open_trip(decision, names))
    for number, trip in decision.trips_added:
        if trip.signal_id:
            account = next(ledger.account for ledger, _ in decision.holdings if ledger.id == number)
            moved[account, trip.signal_id] = ("CLOSED", trip.id)
    for (account, signal_id), (status, trip_id) in sorted(moved.items()):
        held = state.record(SIGNAL, account, signal_id)
        was, trip_was = ("", None) if held is None else (held.body["status"], held.body.get("trip"))
        if was == "CLOSED" and status == "EXECUTED":
            continue
        if was != status or (trip_id is not None and trip_was != trip_id):
            move(decision, held, account, signal_id, status, trip_was if trip_id is None else trip_id)


def _open_trip(decision: Decision, signal_id: str) -> int | None:
    for _, holding in decision.holdings:
        if holding.trip is not None and holding.trip.signal_id == signal_id:
            return holding.trip.id
    return None


def move(
    decision: Decision, held: Record | None, account: str, signal_id: str, status: str, trip_id: int | None
) -> None:
    """Put a signal into a status and a round trip, with an event when the status is another one."""
    body: Data = dict(held.body) if held is not None else {"signal_id": signal_id, "known": False}
    was = body.get("status")
    body["status"] = status
    body.pop("trip", None)
    if trip_id is not None:
        body["trip"] = trip_id
    at, instrument, strategy = decision.occurred_ns, decision.instrument, decision.strategy
    if held is not None:
        at, instrument, strategy = held.occurred_ns, held.instrument, held.strategy
    decision.records.append(Record(SIGNAL, account, signal_id, at, body, instrument, strategy, status))
    if was == status:
        return
    data: Data = {"signal_id": signal_id, "status": status}
    if trip_id is not None:
        data["round_trip"] = trip_id
    if status == "GENERATED":  # it is as it was when it was detected, so its event says what that one said
        data = {name: value for name, value in body.items() if name not in _KEPT}
    decision.events.append(
        EventDraft(
            _EVENTS[status],
            data,
            None if strategy == decision.strategy else strategy,
            None if account == decision.account else account,
            None if instrument == decision.instrument else instrument,
        )
    )
