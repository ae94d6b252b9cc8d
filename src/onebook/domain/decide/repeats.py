"""A fill that was reported before: the same, completed, claimed by its strategy, or in conflict."""

from dataclasses import replace
from typing import Any

from onebook.domain import facts
from onebook.domain.decide import signals
from onebook.domain.decide.facts_again import conflict
from onebook.domain.decide.fills import (
    HISTORY,
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
)
from onebook.domain.movements import Movement
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
    sides = {held.fact.side, newest_version(state, held).fact.side}
    wrong_side = fill.side not in sides or held.fact.instrument not in state.names(fill.account, fill.instrument)
    settle = ledger.terms.settle
    if wrong_side or not any(agrees(item, mine, settle) for item in known):
        shown = fact_data(fill)
        if wrong_side:
            shown["instrument"] = fill.instrument
        return _conflicting(state, decision, stamp, {"kind": "fill"} | _content_shown(shown, fill))
    if agrees(known[-1], mine, settle):
        _complete(state, decision, held, fill, known[-1], mine, ledger, stamp)
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
    ledger: Ledger,
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
    if changes and not _busted(state, held):
        reason = "claimed" if set(changes) == {"strategy"} else "completed"
        revise(state, decision, held, changes, reason, stamp, ledger)


def _busted(state: State, held: StoredFact) -> bool:
    history = state.record(HISTORY, held.fact.account, f"{held.sequence}.{held.ordinal}")
    return history is not None and history.status == "busted"


def standing(state: State, ledger: Ledger, held: StoredFact, version: StoredFact) -> Movement | None:
    """Return the movement that a fill has now."""
    from onebook.domain.decide.fills import RANK_OF_FILL
    from onebook.domain.movements import tie_text

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


def revise(  # noqa: PLR0913  the parts of one row or query
    state: State,
    decision: Decision,
    held: StoredFact,
    changes: dict[str, Any],
    reason: str,
    stamp: Stamp,
    ledger: Ledger,
) -> None:
    """Replace a fill by one with other fields, in the same entry: its movement, its history, its order."""
    from onebook.domain.decide.corrections import order_of_revision
    from onebook.domain.movements import tie_text
    from onebook.domain.numbers import negate

    version = newest_version(state, held)
    was = standing(state, ledger, held, version)
    new = version.fact.replaced(**changes)
    target = state.ledger(new.account, new.instrument)
    ordinal = len(decision.events) + 1
    timed = version.timed or "occurred_ns" in changes
    data = fact_data(new) | {"reason": reason, "trade_id": decision.identity}
    data["fills"] = [held.sequence, held.ordinal]
    data["changed"] = sorted(name for name in changes)
    if not timed:
        data["own_time"] = True
    decision.occurred_ns = new.occurred_ns
    decision.strategy = new.strategy
    decision.events.append(EventDraft("trade_corrected", data))
    decision.tally["other_entries"] = 1
    for name, scope_name in (
        ("venue_fill_id", fill_scope(new.venue, new.account, new.instrument)),
        ("client_fill_id", client_scope(new.account)),
    ):
        if changes.get(name):
            decision.identities.append((scope_name, changes[name], -1))
    if was is not None:
        moved = replace(
            was,
            shown=None,
            order=(
                new.occurred_ns,
                was.order[1],
                tie_text(new.venue_fill_id, new.venue_order_id, new.side),
                held.sequence,
                held.ordinal,
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
        if moved.fee_currency != was.fee_currency or moved.order[0] != was.order[0] or target is not ledger:
            moved.worth = moved.base = None
            value(state, target.terms, moved)
        elif moved.worth is None or moved.base is None:
            kept = moved.worth, moved.base
            value(state, target.terms, moved)
            moved.worth, moved.base = kept[0] or moved.worth, kept[1] or moved.base
        annotate_data(data, moved)
        refold = Refold(state, decision, stamp)
        refold.plan(ledger, removed=[was])
        refold.plan(target, added=[moved])
        refold.run(reason, reason)
        order_of_revision(state, decision, version.fact, new, moved)
    signals.follow(state, decision)
    _remember(state, decision, held, new, timed=timed, version=(stamp.sequence, ordinal))


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
        Record(HISTORY, new.account, key, new.occurred_ns or 0, body, new.instrument, new.strategy, "corrected")
    )
