"""The same fact again, for everything that is not a fill: it exists, or it says otherwise."""

from decimal import Decimal, InvalidOperation
from typing import Any

from onebook.domain.identity import identity_parts
from onebook.domain.shapes import Data
from onebook.domain.state import Decision, EventDraft, Record, Stamp, State

_SILENT = frozenset(
    {
        "strategy",
        "note",
        "tags",
        "raw",
        "status",
        "first",
        "own_time",
        "known",
        "fact",
        "group_id",
        "asked",
        "denied",
        "figures",
        "reason",
    }
    | {"resting", "venue_order_id", "filled_quantity", "filled_value", "average_price", "reason"}
    | {"venue_filled", "odd_updates", "trip", "close_reason", "occurred_ns", "conflicts"}
)
"""Fields that never make a conflict: names, remarks, and what the book itself keeps beside a fact."""


def generated(kind: str, stamp: Stamp) -> str:
    """Return the id of a fact that came without one: a function of its place in the log.

    One that comes with this very id counts as one without, since the log cannot tell the two apart.
    """
    return f"{kind}-{stamp.sequence}"


def differences(first: Data, second: Data) -> dict[str, tuple[Any, Any]]:
    """Return the fields in which two reports of one fact contradict each other, with both values."""
    return {
        name: (first[name], value)
        for name, value in second.items()
        if name not in _SILENT and name in first and not _equal(first[name], value)
    }


def _equal(first: Any, second: Any) -> bool:
    if first == second:
        return True
    if isinstance(first, str) and isinstance(second, str):
        try:
            return Decimal(first) == Decimal(second)
        except InvalidOperation:
            return False
    return False


def seen_before(  # noqa: PLR0913  the two reports, and what is known of them
    state: State,
    decision: Decision,
    held: Record,
    data: Data,
    stamp: Stamp,
    *,
    given_ns: int | None,
    also: dict[str, tuple[Any, Any]] | None = None,
) -> Decision:
    """Answer a fact whose id is taken: the same is success, anything else a conflict recorded once.

    Args:
        state: what may be read.
        decision: names the fact; is filled in and returned.
        held: the record of the first report.
        data: the second report.
        stamp: the entry in the making.
        given_ns: the time the second report states, if it states one.
        also: more in which they contradict each other.
    """
    decision.first = int(held.body["first"])
    decision.status = "exists"
    decision.occurred_ns = held.occurred_ns
    different = differences(held.body, data) | (also or {})
    if given_ns is not None and not held.body.get("own_time") and given_ns != held.occurred_ns:
        different["occurred_ns"] = (held.occurred_ns, given_ns)
    if not different:
        return decision
    decision.status = "conflict"
    conflict(
        state,
        decision,
        stamp,
        {
            "kind": identity_parts(decision.identity)[0],
            "differences": {name: [old, new] for name, (old, new) in sorted(different.items())},
        },
    )
    return decision


def conflict(state: State, decision: Decision, stamp: Stamp, content: Data) -> None:
    """Record a contradiction once per content, and put it on the break desk."""
    known = state.record("conflicts", decision.account, decision.identity)
    seen = list(known.body["contents"]) if known is not None else []
    if content in seen:
        return
    seen.append(content)
    data = {
        "trade_id": decision.identity,
        "reason": "another content under the same identity",
        "first_sequence": decision.first,
        "content": content,
    }
    decision.events.append(EventDraft("trade_conflicted", data))
    decision.records.append(
        Record("conflicts", decision.account, decision.identity, decision.occurred_ns, {"contents": seen})
    )
    body = {
        "break_kind": "conflict",
        "identity": decision.identity,
        "first_sequence": decision.first,
        "content": content,
        "first_seen": stamp.recorded_ns,
        "last_seen": stamp.recorded_ns,
        "state": "open",
    }
    decision.records.append(
        Record(
            "break",
            decision.account,
            f"break-{stamp.sequence}",
            decision.occurred_ns,
            body,
            decision.instrument,
            decision.strategy,
            "open",
        )
    )
    decision.tally["conflicts"] = decision.tally["other_entries"] = 1
