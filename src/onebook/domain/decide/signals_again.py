"""Signals whose fills were taken back, changed or came late: what they are now is asked of the fills that stand.

A signal that no fill names any more is what it was before: GENERATED, or what an update said of it. One that is
named is EXECUTED while a position it led to is open, and CLOSED when that round trip has ended. A closed one stays
closed for as long as its round trip does.
"""

from collections.abc import Iterator

from onebook.domain import facts
from onebook.domain.decide.repeats import is_busted, newest_version
from onebook.domain.decide.signals import NAMED, SAID, SIGNAL, Changed, move
from onebook.domain.holdings import ClosedTrip, Trip
from onebook.domain.identity import scope
from onebook.domain.state import Decision, State

Name = tuple[str, str]
"""(account, signal_id)."""


def settle(state: State, decision: Decision, new: tuple[facts.Fill, ...], changed: Changed) -> None:
    """Move every signal that a decision which folded again has to do with.

    Args:
        state: what may be read; it knows nothing of the decision yet.
        decision: whose positions and round trips are made; the signals' records and events are added.
        new: fills that the decision books.
        changed: the fills recorded before that the decision changes.
    """
    trips = _Trips(decision)
    fills = [*new, *changed.values(), *(_standing(state, place) for place in changed)]
    names = {*trips.now, *trips.before, *trips.closed, *trips.ended}
    names |= {(each.account, each.signal_id) for each in fills if each is not None and each.signal_id}
    for name in sorted(names):
        _settle(state, decision, trips, name, _naming(state, new, changed, name))


class _Trips:
    """The round trips of each signal that a decision changes: ids, in the order in which they came."""

    def __init__(self, decision: Decision) -> None:
        accounts = {ledger.id: ledger.account for ledger, _ in decision.holdings}
        self.now: dict[Name, list[int]] = {}
        self.before: dict[Name, list[int]] = {}
        self.closed: dict[Name, list[int]] = {}
        self.ended: dict[Name, list[int]] = {}
        for ledger, holding in decision.holdings:
            _add(self.now, ledger.account, holding.trip)
            earlier = ledger.holdings.get(holding.key)
            _add(self.before, ledger.account, None if earlier is None else earlier.trip)
        for found, changed in ((self.closed, decision.trips_added), (self.ended, decision.trips_ended)):
            for number, trip in sorted(changed, key=lambda item: (item[1].closed_ns, item[1].id)):
                _add(found, accounts.get(number, decision.account), trip)


def _add(found: dict[Name, list[int]], account: str, trip: Trip | ClosedTrip | None) -> None:
    if trip is not None and trip.signal_id:
        found.setdefault((account, trip.signal_id), []).append(trip.id)


def _settle(state: State, decision: Decision, trips: _Trips, name: Name, naming: Iterator[facts.Fill]) -> None:
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
        move(decision, held, *name, status, trip)


def _lasts(trip: int | None, gone: dict[Name, list[int]], come: dict[Name, list[int]], name: Name) -> bool:
    """Say whether a signal's round trip is still what it was."""
    return trip is not None and (trip not in gone.get(name, ()) or trip in come.get(name, ()))


def _naming(state: State, new: tuple[facts.Fill, ...], changed: Changed, name: Name) -> Iterator[facts.Fill]:
    """Yield the fills that stand after a decision and name a signal, the newest first."""
    for each in (*new, *changed.values()):
        if each is not None and (each.account, each.signal_id) == name:
            yield each
    account, signal_id = name
    for place in reversed(state.identities(scope(NAMED, account), signal_id)):
        if place in changed:
            continue
        each = _standing(state, place)
        if each is not None and (each.account, each.signal_id) == name:
            yield each


def _standing(state: State, place: tuple[int, int]) -> facts.Fill | None:
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
