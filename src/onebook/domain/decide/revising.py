"""A fill gets other fields: its movement, event, ids, history, order, notes and signals follow in one entry."""

from dataclasses import replace
from typing import Any

from onebook.domain import facts, times
from onebook.domain.decide import orders
from onebook.domain.decide.booking import AHEAD, MIXED, annotate_data, value
from onebook.domain.decide.history import add_version, newest_version, standing
from onebook.domain.decide.notes import take_note_along
from onebook.domain.decide.placing import Refold
from onebook.domain.decide.signal_status import follow
from onebook.domain.decide.signals import NAMED
from onebook.domain.identity import client_scope, fill_scope, scope
from onebook.domain.movements import Movement, tie_text
from onebook.domain.numbers import negate
from onebook.domain.shapes import Data, fact_data
from onebook.domain.state import Decision, EventDraft, Ledger, Record, Stamp, State, StoredFact


def revise(
    state: State, decision: Decision, held: StoredFact, changes: dict[str, Any], reason: str, stamp: Stamp
) -> None:
    """Replace a fill by one with other fields, in the same entry: its movement, its history, its order.

    The entry is about the fill as it is now; where another account or instrument loses it, its event says which.
    """
    version = newest_version(state, held)
    old = version.fact
    new: facts.Fill = old.replaced(**changes)
    ledger = state.ledger(old.account, old.instrument)
    target = state.ledger(new.account, new.instrument)
    was = standing(state, ledger, held, version)
    ordinal = len(decision.events) + 1
    timed = version.timed or "occurred_ns" in changes
    decision.account, decision.instrument, decision.strategy = new.account, new.instrument, new.strategy
    decision.ledger, decision.occurred_ns = target, new.occurred_ns or 0
    data = _revised_data(held, old, new, changes) | {"reason": reason, "trade_id": decision.identity}
    if not timed:
        data["own_time"] = True
    decision.events.append(EventDraft("trade_corrected", data))
    decision.tally["other_entries"] = 1
    _hold_ids(state, decision, held, new)
    if was is not None:
        moved = _moved(was, new, target, stamp, ordinal)
        _mark_again(state, decision, moved, old, new, stamp)
        _value_again(state, moved, was, target, elsewhere=target is not ledger)
        annotate_data(data, moved)
        refold = Refold(state, decision, stamp)
        refold.plan(ledger, removed=[was])
        refold.plan(target, added=[moved])
        refold.run("correction", reason)
        _order_of_revision(state, decision, old, new, moved)
        take_note_along(state, decision, held, old, new)
    add_version(state, decision, held, new, timed=timed, version=(stamp.sequence, ordinal))
    follow(state, decision, changed={(held.sequence, held.ordinal): new})


def _revised_data(held: StoredFact, old: facts.Fill, new: facts.Fill, changes: dict[str, Any]) -> Data:
    data = fact_data(new) | {"fills": [held.sequence, held.ordinal], "changed": sorted(changes)}
    for name in ("account", "instrument"):
        if getattr(old, name) != getattr(new, name):
            data[f"from_{name}"] = getattr(old, name)
    return data


def _hold_ids(state: State, decision: Decision, held: StoredFact, new: facts.Fill) -> None:
    """Let the fill hold the ids it has now, beside those it had."""
    for space, key in ids_of_fill(new):
        if (held.sequence, held.ordinal) not in state.identities(space, key):
            decision.identities.append((space, key, -1))


def ids_of_fill(fill: facts.Fill) -> list[tuple[str, str]]:
    """Return the spaces and ids that a fill with these fields holds."""
    found = (
        (fill_scope(fill.venue, fill.account, fill.instrument), fill.venue_fill_id),
        (client_scope(fill.account), fill.client_fill_id),
        (scope(NAMED, fill.account), fill.signal_id),
    )
    return [(space, key) for space, key in found if key]


def _moved(was: Movement, new: facts.Fill, target: Ledger, stamp: Stamp, ordinal: int) -> Movement:
    """Return the movement of a revised fill; its marks stay behind with another instrument."""
    return replace(
        was,
        shown=None,
        order=(
            new.occurred_ns or 0,
            was.order[1],
            tie_text(new.venue_fill_id, new.venue_order_id, new.side),
            was.order[3],
            was.order[4],
        ),
        strategy=new.strategy,
        leg=new.leg,
        quantity=new.quantity if new.side == "buy" else negate(new.quantity),
        price=new.price,
        fee=new.fee,
        fee_currency=new.fee_currency or target.terms.settle,
        signal_id=new.signal_id,
        close_reason=new.close_reason,
        known_from=stamp.sequence,
        content=ordinal,
    )


def _mark_again(
    state: State, decision: Decision, moved: Movement, old: facts.Fill, new: facts.Fill, stamp: Stamp
) -> None:
    """Flag a revised fill anew for its time, account and venue; another instrument's marks are not its own."""
    if new.occurred_ns != old.occurred_ns:
        moved.ahead = (new.occurred_ns or 0) > stamp.recorded_ns + times.FAR_AHEAD
        moved.flags = moved.flags | AHEAD if moved.ahead else moved.flags & ~AHEAD
    if new.instrument not in state.names(old.account, old.instrument):
        moved.high = moved.low = None
    if (new.account, new.venue) != (old.account, old.venue):
        venue = state.account_venue(new.account)
        mixed = bool(new.venue and venue and venue != new.venue)
        moved.flags = moved.flags | MIXED if mixed else moved.flags & ~MIXED
        if new.venue and not venue:
            first = {"venue": new.venue}
            decision.records.append(Record("account_venue", new.account, "", moved.order[0], first))


def _value_again(state: State, moved: Movement, was: Movement, target: Ledger, *, elsewhere: bool) -> None:
    """Find the rates of a revised fill: those it had stay where it is the same amount at the same time."""
    if moved.fee_currency != was.fee_currency or moved.order[0] != was.order[0] or elsewhere:
        moved.worth = moved.base = None
        value(state, target.terms, moved)
    elif moved.worth is None or moved.base is None:
        kept = moved.worth, moved.base
        value(state, target.terms, moved)
        moved.worth, moved.base = kept[0] or moved.worth, kept[1] or moved.base


def _order_of_revision(state: State, decision: Decision, old: facts.Fill, new: facts.Fill, movement: Movement) -> None:
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
