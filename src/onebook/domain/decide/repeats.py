"""A fill that was reported before: the same, completed, claimed by its strategy, or in conflict."""

from dataclasses import replace
from typing import Any

from onebook.domain import facts
from onebook.domain.decide import signals
from onebook.domain.decide.facts_again import conflict
from onebook.domain.decide.fills import (
    AHEAD,
    FAR_AHEAD,
    HISTORY,
    MIXED,
    RANK_OF_FILL,
    annotate_data,
    content_data,
    contents,
    value,
)
from onebook.domain.decide.placing import Refold
from onebook.domain.identity import (
    Content,
    agrees,
    client_scope,
    completes,
    content,
    fill_identity,
    fill_scope,
    scope,
)
from onebook.domain.movements import Movement, tie_text
from onebook.domain.numbers import negate
from onebook.domain.shapes import Data, fact_data
from onebook.domain.state import Decision, EventDraft, Ledger, Record, Stamp, State, StoredFact


def repeated(state: State, fill: facts.Fill, found: list[StoredFact], ledger: Ledger, stamp: Stamp) -> Decision:
    """Answer a report of a fill that the book holds already."""
    held = found[0]
    decision = Decision(fill.account, fill.instrument, held.fact.strategy, ledger=ledger)
    decision.occurred_ns = held.fact.occurred_ns
    decision.first = held.sequence
    decision.status = "exists"
    decision.identity = fill_identity(held.fact, f"{held.sequence}.{held.ordinal}")
    mine = content(fill, timed=fill.occurred_ns is not None)
    if len(found) > 1:
        two = [fill_identity(item.fact, f"{item.sequence}.{item.ordinal}") for item in found]
        return _conflicting(state, decision, stamp, {"kind": "fill", "two_fills": two})
    known = contents(state, held, ledger.terms.settle)
    now = newest_version(state, held).fact
    names = state.names(fill.account, fill.instrument)
    elsewhere = held.fact.instrument not in names and now.instrument not in names
    wrong_side = fill.side not in {held.fact.side, now.side} or elsewhere
    settle = ledger.terms.settle
    if wrong_side or not any(agrees(item, mine, settle) for item in known):
        shown = fact_data(fill)
        if wrong_side:
            shown["instrument"] = fill.instrument
        return _conflicting(state, decision, stamp, {"kind": "fill"} | _content_shown(shown, fill))
    if agrees(known[-1], mine, settle):
        _complete(state, decision, held, fill, known[-1], mine, stamp)
    return decision


def _content_shown(data: Data, fill: facts.Fill) -> Data:
    kept: Data = {
        name: data[name] for name in ("instrument", "side", "quantity", "price", "fee", "fee_currency") if name in data
    }
    if fill.occurred_ns is not None:
        kept["occurred_ns"] = fill.occurred_ns
    return kept


def _conflicting(state: State, decision: Decision, stamp: Stamp, shown: Data) -> Decision:
    decision.status = "conflict"
    conflict(state, decision, stamp, shown)
    return decision


def _complete(  # noqa: PLR0913  the parts of one row or query
    state: State,
    decision: Decision,
    held: StoredFact,
    fill: facts.Fill,
    known: Content,
    mine: Content,
    stamp: Stamp,
) -> None:
    """Add what the first report left out: fee, time, an id; or move it to the strategy that claims it."""
    now = newest_version(state, held).fact
    changes: dict[str, Any] = {}
    if completes(known, mine):
        if known[2] is None and mine[2] is not None:
            changes |= {"fee": fill.fee, "fee_currency": fill.fee_currency}
        if known[4] is None and mine[4] is not None:
            changes |= {"occurred_ns": fill.occurred_ns}
    for name in ("venue_fill_id", "client_fill_id"):
        given = getattr(fill, name)
        if given and not getattr(now, name):
            changes[name] = given
            if name == "venue_fill_id":
                changes |= {"venue": fill.venue, "venue_order_id": fill.venue_order_id}
    if now.strategy == facts.EXTERNAL and fill.strategy not in {"", facts.EXTERNAL}:
        changes["strategy"] = fill.strategy
    if changes and not is_busted(state, held):
        reason = "claimed" if set(changes) == {"strategy"} else "completed"
        revise(state, decision, held, changes, reason, stamp)


def is_busted(state: State, held: StoredFact) -> bool:
    """Say whether a fill was taken back."""
    history = state.record(HISTORY, held.fact.account, f"{held.sequence}.{held.ordinal}")
    return history is not None and history.status == "busted"


def standing(state: State, ledger: Ledger, held: StoredFact, version: StoredFact) -> Movement | None:
    """Return the movement that a fill has now."""
    fact = version.fact
    order = (
        fact.occurred_ns,
        RANK_OF_FILL,
        tie_text(fact.venue_fill_id, fact.venue_order_id, fact.side),
        held.sequence,
        held.ordinal,
    )
    return state.movement(ledger.id, order)


def newest_version(state: State, held: StoredFact) -> StoredFact:
    """Return the fill as it stands after its corrections."""
    history = state.record(HISTORY, held.fact.account, f"{held.sequence}.{held.ordinal}")
    if history is None or "version" not in history.body:
        return held
    return state.fact(*history.body["version"])


def revise(
    state: State, decision: Decision, held: StoredFact, changes: dict[str, Any], reason: str, stamp: Stamp
) -> None:
    """Replace a fill by one with other fields, in the same entry: its movement, its history, its order.

    The entry is about the fill as it is now; where another account or instrument loses it, its event says which.
    """
    from onebook.domain.decide.corrections import order_of_revision, take_note_along

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
        order_of_revision(state, decision, old, new, moved)
        take_note_along(state, decision, held, old, new)
    _remember(state, decision, held, new, timed=timed, version=(stamp.sequence, ordinal))
    signals.follow(state, decision, changed={(held.sequence, held.ordinal): new})


def _revised_data(held: StoredFact, old: facts.Fill, new: facts.Fill, changes: dict[str, Any]) -> Data:
    data = fact_data(new) | {"fills": [held.sequence, held.ordinal], "changed": sorted(changes)}
    for name in ("account", "instrument"):
        if getattr(old, name) != getattr(new, name):
            data[f"from_{name}"] = getattr(old, name)
    return data


def _hold_ids(state: State, decision: Decision, held: StoredFact, new: facts.Fill) -> None:
    """Let the fill hold the ids it has now, beside those it had."""
    for space, key in (
        (fill_scope(new.venue, new.account, new.instrument), new.venue_fill_id),
        (client_scope(new.account), new.client_fill_id),
        (scope(signals.NAMED, new.account), new.signal_id),
    ):
        if key and (held.sequence, held.ordinal) not in state.identities(space, key):
            decision.identities.append((space, key, -1))


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
        moved.ahead = (new.occurred_ns or 0) > stamp.recorded_ns + FAR_AHEAD
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


def _remember(
    state: State,
    decision: Decision,
    held: StoredFact,
    new: facts.Fill,
    *,
    timed: bool,
    version: tuple[int, int],
) -> None:
    key = f"{held.sequence}.{held.ordinal}"
    history = state.record(HISTORY, held.fact.account, key)
    body: Data = dict(history.body) if history is not None else {}
    seen = list(body.get("contents", ()))
    seen.append(content_data(content(new, timed=timed)))
    body |= {"contents": seen, "version": list(version)}
    decision.records.append(
        Record(HISTORY, held.fact.account, key, new.occurred_ns or 0, body, new.instrument, new.strategy, "corrected")
    )
