"""What fills and round trips do to the signals they name: EXECUTED by a fill, CLOSED with its round trip.

Where a fill was taken back, changed or came late, the fills that stand are asked. A signal that no fill names any
more is what it was before: GENERATED, or what an update said of it. One that is named is EXECUTED while a position
it led to is open, and CLOSED when that round trip has ended. A closed one stays closed for as long as its round trip
does.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from onebook.domain import facts
from onebook.domain.decide import protecting
from onebook.domain.decide.history import is_busted, newest_version
from onebook.domain.decide.signals import EVENTS, NAMED, SAID, SIGNAL
from onebook.domain.holdings import ClosedTrip, Trip
from onebook.domain.identity import scope
from onebook.domain.shapes import Data
from onebook.domain.state import Decision, EventDraft, Record, State

_KEPT = frozenset({"known", "first", "trip", SAID, "own_time"})
"""What the book keeps beside a signal's own fields."""

_Changed = Mapping[tuple[int, int], facts.Fill | None]
"""Fills recorded before, by (sequence, ordinal), as they stand after a decision: None for a busted one."""

_NOTHING: _Changed = MappingProxyType({})

_Name = tuple[str, str]
"""(account, signal_id)."""


def follow(state: State, decision: Decision, *fills: facts.Fill, changed: _Changed = _NOTHING) -> None:
    """Move the signals that a decision's new fills and its round trips name, in the same entry.

    Where it folded again, the fills that stand are asked. Stops of positions that closed end with them.
    """
    protecting.settle(state, decision)
    if decision.points_ended:
        _settle(state, decision, fills, changed)
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
            _move(decision, held, account, signal_id, status, trip_was if trip_id is None else trip_id)


def _open_trip(decision: Decision, signal_id: str) -> int | None:
    for _, holding in decision.holdings:
        if holding.trip is not None and holding.trip.signal_id == signal_id:
            return holding.trip.id
    return None


def _move(
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
            EVENTS[status],
            data,
            None if strategy == decision.strategy else strategy,
            None if account == decision.account else account,
            None if instrument == decision.instrument else instrument,
        )
    )


def _settle(state: State, decision: Decision, new: tuple[facts.Fill, ...], changed: _Changed) -> None:
    """Move every signal that a decision which folded again has to do with.

    Args:
        state: what may be read; it knows nothing of the decision yet.
        decision: whose positions and round trips are made; the signals' records and events are added.
        new: fills that the decision books.
        changed: the fills recorded before that the decision changes.
    """
    trips = _Trips(decision)
    fills = [*new, *changed.values(), *(_as_it_stood(state, place) for place in changed)]
    names = {*trips.now, *trips.before, *trips.closed, *trips.ended}
    names |= {(each.account, each.signal_id) for each in fills if each is not None and each.signal_id}
    for name in sorted(names):
        _settle_one(state, decision, trips, name, _naming(state, new, changed, name))


class _Trips:
    """The round trips of each signal that a decision changes: ids, in the order in which they came."""

    def __init__(self, decision: Decision) -> None:
        accounts = {ledger.id: ledger.account for ledger, _ in decision.holdings}
        self.now: dict[_Name, list[int]] = {}
        self.before: dict[_Name, list[int]] = {}
        self.closed: dict[_Name, list[int]] = {}
        self.ended: dict[_Name, list[int]] = {}
        for ledger, holding in decision.holdings:
            _add(self.now, ledger.account, holding.trip)
            earlier = ledger.holdings.get(holding.key)
            _add(self.before, ledger.account, None if earlier is None else earlier.trip)
        for found, changed in ((self.closed, decision.trips_added), (self.ended, decision.trips_ended)):
            for number, trip in sorted(changed, key=lambda item: (item[1].closed_ns, item[1].id)):
                _add(found, accounts.get(number, decision.account), trip)


def _add(found: dict[_Name, list[int]], account: str, trip: Trip | ClosedTrip | None) -> None:
    if trip is not None and trip.signal_id:
        found.setdefault((account, trip.signal_id), []).append(trip.id)


def _settle_one(state: State, decision: Decision, trips: _Trips, name: _Name, naming: Iterator[facts.Fill]) -> None:
    held = state.record(SIGNAL, *name)
    body = {} if held is None else held.body
    was, trip_was, said = body.get("status"), body.get("trip"), body.get(SAID, "GENERATED")
    first = next(naming, None)
    if first is None:
        status, trip = said, None
    elif said == "CLOSED" or (was == "CLOSED" and _lasts(trip_was, trips.ended, trips.closed, name)):
        return
    elif name in trips.now:
        status, trip = "EXECUTED", trips.now[name][-1]
    elif name in trips.closed:
        status, trip = "CLOSED", trips.closed[name][-1]
    elif was == "EXECUTED" and _lasts(trip_was, trips.before, trips.now, name):
        return
    else:
        is_open = any(_in_open_trip(state, decision, each) for each in (first, *naming))
        status, trip = "EXECUTED" if is_open else "CLOSED", None
    if (was, trip_was) != (status, trip) and (held is not None or status != "GENERATED"):
        _move(decision, held, *name, status, trip)


def _lasts(trip: int | None, gone: dict[_Name, list[int]], come: dict[_Name, list[int]], name: _Name) -> bool:
    """Say whether a signal's round trip is still what it was."""
    return trip is not None and (trip not in gone.get(name, ()) or trip in come.get(name, ()))


def _naming(state: State, new: tuple[facts.Fill, ...], changed: _Changed, name: _Name) -> Iterator[facts.Fill]:
    """Yield the fills that stand after a decision and name a signal, the newest first."""
    for each in (*new, *changed.values()):
        if each is not None and (each.account, each.signal_id) == name:
            yield each
    account, signal_id = name
    for place in reversed(state.identities(scope(NAMED, account), signal_id)):
        if place in changed:
            continue
        each = _as_it_stood(state, place)
        if each is not None and (each.account, each.signal_id) == name:
            yield each


def _as_it_stood(state: State, place: tuple[int, int]) -> facts.Fill | None:
    """Return a fill as it stood before the decision; None when it was busted."""
    held = state.fact(*place)
    if is_busted(state, held):
        return None
    found: facts.Fill = newest_version(state, held).fact
    return found


def _in_open_trip(state: State, decision: Decision, fill: facts.Fill) -> bool:
    """Say whether the position that a fill is in has been open since."""
    ledger = state.ledger(fill.account, fill.instrument)
    key = (fill.strategy, fill.leg if ledger.terms.hedging else "")
    holding = ledger.holdings.get(key)
    for owner, after in decision.holdings:
        if owner.id == ledger.id and after.key == key:
            holding = after
    if holding is None or holding.trip is None or not holding.quantity:
        return False
    return fill.occurred_ns is None or fill.occurred_ns >= holding.trip.opened_ns
