"""From an entry of the log back to the decision that made it: what rebuild and verify stand on.

An entry holds its fact first, then the outcome. The fact is decided again, over a state that has everything
before it and nothing after, with the entry's own stamp; the outcome must come out the same, byte for byte.
"""

from collections.abc import Iterable
from dataclasses import fields
from decimal import Decimal
from typing import Any

from onebook.book.installing import BookState
from onebook.book.state import read_fact
from onebook.domain import commands
from onebook.domain.decide import decide
from onebook.domain.decide.facts_again import conflict, generated
from onebook.domain.decide.placed_orders import GATE, observed_from
from onebook.domain.decide.protecting import COMMANDS as TRADING_COMMANDS
from onebook.domain.decide.revising import revise
from onebook.domain.event_types import FACT_TYPES, PUBLISHED, STATE_CHANGED, is_users
from onebook.domain.identity import fill_identity, fill_scope
from onebook.domain.shapes import fact_from
from onebook.domain.state import Decision, Stamp
from onebook.domain.state_paths import path_from
from onebook.store.codec import EntryBody, EventBody

_ID_FIELDS = {
    "order": "client_order_id",
    "signal": "signal_id",
    "transfer": "transfer_id",
    "cash_movement": "movement_id",
    "funding": "funding_id",
    "opening_balance": "balance_id",
    "settlement": "settlement_id",
    "reassign": "reassign_id",
}


def ids_of(entries: Iterable[EntryBody]) -> list[tuple[str, str]]:
    """Return the venues' fill ids that entries report, with their spaces, to be looked up at once."""
    found = []
    for entry in entries:
        first = entry.events[0]
        if first.type == "trade_executed" and "venue_fill_id" in first.data:
            space = fill_scope(first.data.get("venue", ""), entry.account, entry.instrument)
            found.append((space, first.data["venue_fill_id"]))
    return found


def decide_again(state: BookState, sequence: int, entry: EntryBody) -> Decision:
    """Return the decision that an entry's fact leads to now."""
    stamp = Stamp(sequence, entry.at, entry.actor, entry.correlation_id)
    first = entry.events[0]
    if first.type == "trade_conflicted":
        return _conflict(state, entry, first, stamp)
    if first.type == "trade_corrected":
        return _revision(state, entry, first, stamp)
    return decide(state, _command(state, entry, first, stamp), stamp)


def _command(state: BookState, entry: EntryBody, first: EventBody, stamp: Stamp) -> commands.Command:
    data = first.data
    if first.type == "trade_executed":
        _observe(state, entry, data)
        return commands.Record(_fact("fill", entry, first, stamp))
    if first.type == "trade_busted":
        return commands.Bust((data["fills"][0], data["fills"][1]), data["reason"])
    if first.type == "annotated":
        tags = data.get("tags")
        return commands.Annotate(data["fact"], data.get("notes"), None if tags is None else tuple(tags))
    if first.type == STATE_CHANGED:
        return _state_change(entry)
    if first.type in TRADING_COMMANDS:
        return TRADING_COMMANDS[first.type](entry)
    if first.type == PUBLISHED:
        return commands.Publish(data["type"], data["data"], *_envelope(entry), as_published=True)
    if is_users(first.type):
        return commands.Publish(first.type, data, *_envelope(entry))
    kind = data.get("fact") if first.type in FACT_TYPES else None
    if kind == "order" and GATE in data:
        return _placed(_fact(kind, entry, first, stamp), data[GATE])
    if kind == "order_update" and GATE in data:
        return commands.Replace(update=_fact(kind, entry, first, stamp), observed=observed_from(data[GATE]))
    if isinstance(kind, str):
        return commands.Record(_fact(kind, entry, first, stamp))
    return commands.Note(first.type, data, entry.account, entry.instrument, entry.strategy)


def _placed(order: Any, gate: dict[str, Any]) -> commands.Place:
    if "asked" in gate:
        order = order.replaced(quantity=gate["asked"])
    return commands.Place(order=order, observed=observed_from(gate), operator=gate.get("operator", False))


def _state_change(entry: EntryBody) -> commands.ChangeState:
    changes = tuple(
        commands.StateChange(path_from(item["path"]), item.get("value"), item.get("deleted", False))
        for item in (event.data for event in entry.events)
    )
    return commands.ChangeState(changes, entry.events[0].data.get("source", ""))


def _envelope(entry: EntryBody) -> tuple[str, str, str]:
    return entry.account, entry.instrument, entry.strategy


def _observe(state: BookState, entry: EntryBody, data: dict[str, Any]) -> None:
    marks = None
    if "high" in data and "low" in data:
        marks = (Decimal(data["high"]), Decimal(data["low"]))
    state.observe(entry.account, entry.instrument, marks)


def _fact(kind: str, entry: EntryBody, event: EventBody, stamp: Stamp) -> Any:
    fact = fact_from(
        kind,
        event.data,
        account=entry.account,
        instrument=entry.instrument,
        strategy=entry.strategy,
        occurred_ns=entry.occurred,
    )
    changes: dict[str, Any] = {}
    if event.data.get("own_time"):
        changes["occurred_ns"] = None
    id_field = _ID_FIELDS.get(kind)
    if id_field is not None and getattr(fact, id_field) == generated(kind, stamp):
        changes[id_field] = ""
    if not changes:
        return fact
    kept = {item.name: getattr(fact, item.name) for item in fields(fact) if item.name != "occurred_at"}
    return type(fact)(**(kept | changes))


def _conflict(state: BookState, entry: EntryBody, event: EventBody, stamp: Stamp) -> Decision:
    decision = Decision(entry.account, entry.instrument, entry.strategy, entry.occurred, "conflict")
    decision.identity = event.data["trade_id"]
    decision.first = event.data["first_sequence"]
    conflict(state, decision, stamp, event.data["content"])
    return decision


def _revision(state: BookState, entry: EntryBody, event: EventBody, stamp: Stamp) -> Decision:
    sequence, ordinal = event.data["fills"]
    held = state.fact(sequence, ordinal)
    decision = Decision(entry.account, entry.instrument, held.fact.strategy)
    decision.first = sequence
    decision.identity = fill_identity(held.fact, f"{sequence}.{ordinal}")
    decision.occurred_ns = entry.occurred
    new = _fact("fill", entry, event, stamp)
    changes = {name: entry.occurred if name == "occurred_ns" else getattr(new, name) for name in event.data["changed"]}
    revise(state, decision, held, changes, event.data["reason"], stamp)
    return decision


__all__ = ["decide_again", "read_fact"]
