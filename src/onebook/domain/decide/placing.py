"""Putting movements into ledgers: at the end by one step, anywhere else by folding again.

The usual movement is the newest of its ledger and takes one step of the fold. Anything else (late, busted,
corrected, valued later, under new terms) folds the ledger again from the last fold point before it, beside
the way it was, so that daily figures, round trips and linked transfers move by exactly the difference.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from heapq import merge
from typing import Any

from onebook.domain.daily import add_days, add_delta, add_difference
from onebook.domain.ended_trips import ended_trip_data
from onebook.domain.facts import BookSettings
from onebook.domain.holdings import Change, ClosedTrip, Holding, Key
from onebook.domain.instruments import Terms
from onebook.domain.movements import FIRST, SHARED, Movement, Order
from onebook.domain.numbers import ZERO, negate, plain
from onebook.domain.positions import fold
from onebook.domain.rates import valuation
from onebook.domain.shapes import position_data
from onebook.domain.state import (
    POINT_EVERY,
    DayDelta,
    DayKey,
    Decision,
    EventDraft,
    FoldPoint,
    Ledger,
    Stamp,
    State,
)
from onebook.domain.units import sent

_FIGURES = (
    ("quantity", "quantity"),
    ("cost", "cost_basis"),
    ("gross", "realized_pnl_gross"),
    ("fees", "fees"),
    ("fees_in_base", "fees_in_base"),
    ("funding", "funding"),
    ("income", "income"),
)


def is_shared(movement: Movement) -> bool:
    """Say whether a movement looks at more than one position of its ledger."""
    if movement.kind == "funding":
        return movement.strategy is None
    return movement.kind in SHARED


def append(state: State, decision: Decision, ledger: Ledger, movement: Movement) -> list[Change] | None:
    """Take one step with a movement that commutes with all that comes after it; None when it does not."""
    order = movement.order
    if order <= ledger.point or order <= ledger.shared:
        return None
    shared = is_shared(movement)
    if order <= ledger.last:
        if shared:
            return None
        held = ledger.holdings.get(_key(ledger.terms, movement))
        if held is not None and order <= held.last:
            return None
    changes = fold(ledger.terms, ledger.holdings, movement)
    decision.added.append((ledger.id, movement))
    for change in changes:
        decision.holdings.append((ledger, change.after))
        for closed in change.closed:
            decision.trips_added.append((ledger.id, closed))
    add_days(state, decision.days, ledger, movement, changes, sign=1)
    last = max(order, ledger.last)
    point, since = ledger.point, ledger.since_point + 1
    if since >= POINT_EVERY:
        holdings = dict(ledger.holdings)
        for change in changes:
            holdings[change.after.key] = change.after
        decision.points_added.append(FoldPoint(ledger.id, last, tuple(holdings.values())))
        point, since = last, 0
    decision.progress[ledger.id] = (last, order if shared else ledger.shared, point, since)
    return changes


def _key(terms: Terms, movement: Movement) -> Key:
    return (movement.strategy or "", movement.leg if terms.hedging else "")


def position_events(decision: Decision, change: Change, cause: str, account: str | None = None) -> None:
    """Add what happened to a position: updated, closed, or (a flip) closed and updated.

    ``account`` is whose it is where that is not the entry's own, as at the far end of a transfer.
    """
    after = change.after
    extra: dict[str, Any] = {} if cause == "fill" else {"cause": cause}
    if change.dust:
        extra["dust"] = plain(change.dust)
    if change.excess:
        extra["excess"] = plain(change.excess)
    strategy = None if after.strategy == decision.strategy else after.strategy
    ended = extra
    if change.closed:
        ended = extra | {"ended": ended_trip_data(change.closed[-1], decision.occurred_ns)}
    if change.closed and after.quantity:
        between = after.copy()
        between.quantity = between.cost = between.unbased = ZERO
        if after.trip is not None:
            between.gross, between.fees = after.trip.gross, after.trip.fees
        between.trip, between.opened_ns = None, None
        told = position_data(between, decision.occurred_ns)
        decision.events.append(EventDraft("position_closed", told | ended, strategy, account))
        ended = extra
    kind = "position_updated" if ended is extra else "position_closed"
    decision.events.append(EventDraft(kind, position_data(after, decision.occurred_ns) | ended, strategy, account))


@dataclass(slots=True)
class _Plan:
    """What shall differ in one ledger, and what folding it so gave."""

    ledger: Ledger
    terms: Terms
    removed: dict[Order, Movement] = field(default_factory=dict)
    added: dict[Order, Movement] = field(default_factory=dict)
    everything: bool = False
    done: bool = False
    before: dict[Key, Holding] = field(default_factory=dict)
    after: dict[Key, Holding] = field(default_factory=dict)
    old_trips: list[ClosedTrip] = field(default_factory=list)
    new_trips: list[ClosedTrip] = field(default_factory=list)
    revised: list[tuple[Movement, Movement]] = field(default_factory=list)
    points: list[FoldPoint] = field(default_factory=list)
    days: dict[DayKey, DayDelta] = field(default_factory=dict)
    start: Order = FIRST
    last: Order = FIRST
    shared: Order = FIRST
    point: Order = FIRST
    since: int = 0


class Refold:
    """Ledgers to be folded again within one decision, until nothing linked differs any more.

    Args:
        state: what may be read.
        decision: what the result is added to.
        stamp: the entry in the making.
        revalue: also value anew, in the book's base currency under these settings, what folds.
    """

    def __init__(self, state: State, decision: Decision, stamp: Stamp, *, revalue: BookSettings | None = None) -> None:
        self._state = state
        self._decision = decision
        self._stamp = stamp
        self._revalue = revalue
        self._plans: dict[int, _Plan] = {}

    def plan(
        self,
        ledger: Ledger,
        *,
        removed: Iterable[Movement] = (),
        added: Iterable[Movement] = (),
        terms: Terms | None = None,
    ) -> None:
        """Say what shall differ in a ledger: movements that no longer stand, new ones, other terms."""
        plan = self._plans.get(ledger.id)
        if plan is None:
            plan = self._plans[ledger.id] = _Plan(ledger, ledger.terms)
        plan.done = False
        if terms is not None:
            plan.terms, plan.everything = terms, True
        for movement in removed:
            if movement.order in plan.added:
                del plan.added[movement.order]
            else:
                plan.removed[movement.order] = movement
        for movement in added:
            plan.added[movement.order] = movement

    def run(self, cause: str, reason: str) -> None:
        """Fold, follow the links until nothing differs, and add the outcome to the decision."""
        for _ in range(1000):
            todo = [plan for plan in self._plans.values() if not plan.done]
            if not todo:
                break
            for plan in todo:
                self._fold(plan)
        for plan in list(self._plans.values()):
            self._conclude(plan, cause, reason)

    def _fold(self, plan: _Plan) -> None:
        fresh = _Plan(plan.ledger, plan.terms, plan.removed, plan.added, plan.everything, done=True)
        self._plans[plan.ledger.id] = plan = fresh
        plan.start = FIRST if plan.everything or self._revalue else min((*plan.removed, *plan.added), default=FIRST)
        point = self._state.fold_point(plan.ledger.id, plan.start) if plan.start > FIRST else None
        old: dict[Key, Holding] = {}
        begin = FIRST
        if point is not None:
            begin = point.order
            old = {holding.key: holding.copy() for holding in point.holdings}
        plan.point = plan.last = begin
        new = dict(old)
        diverged = False
        for movement, was, now in self._rows(plan, begin):
            if not diverged and movement.order >= plan.start:
                diverged, new = True, dict(old)
            if not diverged:
                self._step(plan, plan.terms, old, movement)
                continue
            undone: list[Change] = []
            if was:
                undone = self._step(None, plan.ledger.terms, old, movement)
                plan.old_trips += [closed for change in undone for closed in change.closed]
            if not now:
                add_days(self._state, plan.days, plan.ledger, movement, undone, sign=-1, terms=plan.ledger.terms)
            else:
                kept = self._valued(plan, movement) if was else movement
                giver = new.get((kept.strategy or "", kept.leg if plan.terms.hedging else ""))
                changes = self._step(plan, plan.terms, new, kept)
                plan.new_trips += [closed for change in changes for closed in change.closed]
                same = kept is movement and not plan.everything
                if not same or not add_difference(self._state, plan.days, plan.ledger, movement, undone, changes):
                    add_days(self._state, plan.days, plan.ledger, movement, undone, sign=-1, terms=plan.ledger.terms)
                    add_days(self._state, plan.days, plan.ledger, kept, changes, sign=1, terms=plan.terms)
                if kept.kind == "transfer" and kept.to_account:
                    self._carry(plan, kept, giver)
                if plan.since >= POINT_EVERY:
                    plan.points.append(FoldPoint(plan.ledger.id, plan.last, tuple(new.values())))
                    plan.point, plan.since = plan.last, 0
        if not diverged:
            new = dict(old)
        plan.before, plan.after = plan.ledger.holdings, new
        plan.shared = max(plan.shared, plan.ledger.shared if plan.ledger.shared <= begin else FIRST)

    def _rows(self, plan: _Plan, begin: Order) -> Iterator[tuple[Movement, bool, bool]]:
        standing = ((row, True, row.order not in plan.removed) for row in self._state.movements(plan.ledger.id, begin))
        coming = ((plan.added[order], False, True) for order in sorted(plan.added))
        return merge(standing, coming, key=lambda item: (item[0].order, item[0].known_from))

    def _step(self, plan: _Plan | None, terms: Terms, holdings: dict[Key, Holding], movement: Movement) -> list[Change]:
        changes = fold(terms, holdings, movement)
        for change in changes:
            holdings[change.after.key] = change.after
        if plan is not None:
            plan.last = max(plan.last, movement.order)
            plan.since += 1
            if is_shared(movement):
                plan.shared = movement.order
        return changes

    def _valued(self, plan: _Plan, movement: Movement) -> Movement:
        """Return the movement with the valuations it lacked and rates now allow; a made one stays."""
        settings = self._revalue or self._state.settings
        terms = plan.terms
        base, worth = movement.base, movement.worth
        if self._revalue is not None:
            base = None
        at = movement.order[0]
        if base is None and terms.settle != settings.base_currency:
            base = valuation(self._state.find_rate, self._state.rate_pairs(), terms.settle, settings.base_currency, at)
        foreign = foreign_currency(terms, movement)
        if worth is None and foreign:
            worth = valuation(self._state.find_rate, self._state.rate_pairs(), foreign, terms.settle, at)
        if base == movement.base and worth == movement.worth:
            return movement
        revised = replace(movement, base=base, worth=worth, known_from=self._stamp.sequence)
        plan.revised.append((movement, revised))
        return revised

    def _carry(self, plan: _Plan, out: Movement, giver: Holding | None) -> None:
        """Let the other end of a transfer between own accounts take along what this end gave."""
        assert out.quantity is not None  # noqa: S101  by its record
        cost, unbased = sent(giver or Holding("", ""), negate(out.quantity))
        other = self._state.ledger(out.to_account, plan.ledger.name)
        pending = self._plans.get(other.id)
        arrival = None
        if pending is not None:
            arrival = next((row for row in pending.added.values() if row.sequence == out.sequence), None)
        if arrival is None:
            place = (out.paid_ns if out.paid_ns is not None else -1, out.order[1], out.order[2], out.sequence)
            arrival = next(
                (row for row in self._state.movements(other.id, (*place, -1)) if row.sequence == out.sequence),
                None,
            )
        if arrival is None or (arrival.amount == cost and (arrival.unbased or ZERO) == unbased):
            return
        revised = replace(arrival, amount=cost, unbased=unbased or None, known_from=self._stamp.sequence)
        self.plan(other, removed=[arrival], added=[revised])

    def _conclude(self, plan: _Plan, cause: str, reason: str) -> None:
        decision, ledger = self._decision, plan.ledger
        for movement in plan.removed.values():
            decision.ended.append((ledger.id, movement))
        for movement in plan.added.values():
            decision.added.append((ledger.id, movement))
        for old, new in plan.revised:
            decision.ended.append((ledger.id, old))
            decision.added.append((ledger.id, new))
        old_trips = {(trip.id, trip.strategy, trip.leg, trip.last): trip for trip in plan.old_trips}
        new_trips = {(trip.id, trip.strategy, trip.leg, trip.last): trip for trip in plan.new_trips}
        for place, trip in old_trips.items():
            if new_trips.get(place) != trip:
                decision.trips_ended.append((ledger.id, trip))
        for place, trip in new_trips.items():
            if old_trips.get(place) != trip:
                decision.trips_added.append((ledger.id, trip))
        decision.points_ended.append((ledger.id, plan.start))
        decision.points_added += plan.points
        decision.progress[ledger.id] = (plan.last, plan.shared, plan.point, plan.since)
        self._conclude_days(plan)
        for key in sorted({*plan.before, *plan.after}):
            before = plan.before.get(key) or Holding(*key)
            after = plan.after.get(key) or Holding(*key)
            after.sequence = before.sequence
            if after == before:
                continue
            after = plan.after[key] = after.copy()
            after.sequence = max(before.sequence, self._stamp.sequence)
            decision.holdings.append((ledger, after))
            change = Change(before, after)
            self._position_event(plan, change, cause)
            self._restated_event(ledger, change, reason)

    def _conclude_days(self, plan: _Plan) -> None:
        today = self._state.days.of(self._stamp.recorded_ns).isoformat()
        for key, delta in plan.days.items():
            moved = delta.gross or delta.fees or delta.funding or delta.income
            if moved or delta.fills or delta.round_trips:
                restated = key[0] < today and bool(moved or delta.round_trips)
                add_delta(self._decision.days, key, replace(delta, restated=restated))

    def _position_event(self, plan: _Plan, change: Change, cause: str) -> None:
        decision, after = self._decision, change.after
        kind, data = "position_updated", position_data(after, decision.occurred_ns)
        if cause != "fill":
            data["cause"] = cause
        if change.before.quantity and not after.quantity:
            kind = "position_closed"
            trips = [trip for trip in plan.new_trips if (trip.strategy, trip.leg) == after.key]
            if trips:
                data["ended"] = ended_trip_data(trips[-1], decision.occurred_ns)
        decision.events.append(_draft(decision, plan.ledger, kind, data, after))

    def _restated_event(self, ledger: Ledger, change: Change, reason: str) -> None:
        figures = [
            {
                "name": shown,
                "old": plain(getattr(change.before, name)),
                "new": plain(getattr(change.after, name)),
            }
            for name, shown in _FIGURES
            if getattr(change.before, name) != getattr(change.after, name)
        ]
        if figures:
            data = {"figures": figures, "reason": reason, "cause_sequence": self._stamp.sequence}
            if change.after.leg:
                data["leg"] = change.after.leg
            self._decision.events.append(_draft(self._decision, ledger, "position_restated", data, change.after))


def _draft(decision: Decision, ledger: Ledger, kind: str, data: object, holding: Holding) -> EventDraft:
    """Return an event that says only what differs from its entry's envelope."""
    return EventDraft(
        kind,
        data,
        None if holding.strategy == decision.strategy else holding.strategy,
        None if ledger.account == decision.account else ledger.account,
        None if ledger.name == decision.instrument else ledger.name,
    )


def foreign_currency(terms: Terms, movement: Movement) -> str:
    """Return the currency of a movement that must be valued to count, or an empty text."""
    if movement.kind == "fill":
        if not movement.fee or movement.fee_currency == terms.settle:
            return ""
        if terms.moves_base and movement.fee_currency == terms.base:
            return ""
        return movement.fee_currency
    if movement.currency and movement.currency != terms.settle:
        return movement.currency
    return ""


def place(state: State, decision: Decision, ledger: Ledger, movement: Movement, stamp: Stamp, reason: str) -> None:
    """Put one new movement into its ledger, with all that follows."""
    changes = append(state, decision, ledger, movement)
    if changes is not None:
        other = None if ledger.account == decision.account else ledger.account
        for change in changes:
            position_events(decision, change, movement.kind, other)
        return
    refold = Refold(state, decision, stamp)
    refold.plan(ledger, added=[movement])
    refold.run(movement.kind, reason)
