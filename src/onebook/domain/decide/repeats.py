"""A fill that was reported before: the same, completed, claimed by its strategy, or in conflict."""

from typing import Any

from onebook.domain import facts
from onebook.domain.decide.facts_again import conflict
from onebook.domain.decide.history import contents, is_busted, newest_version
from onebook.domain.decide.revising import revise
from onebook.domain.identity import Content, agrees, completes, content, fill_identity
from onebook.domain.shapes import Data, fact_data
from onebook.domain.state import Decision, Ledger, Stamp, State, StoredFact


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
