"""Order-level fills give way to executions.

A bot that sees only an order's cumulative quantity books differences under ``order:{id}:{cumulative}``. When a
real execution of that order arrives, one entry busts the oldest of them, books the execution, and books what
is left of the busted one under ``order:{id}:{cumulative}:{left}`` at its old price.
"""

from decimal import Decimal

from onebook.domain import facts
from onebook.domain.decide import orders
from onebook.domain.decide.booking import hold_identities, prepare
from onebook.domain.decide.history import busted_record, newest_version, standing
from onebook.domain.decide.placing import Refold
from onebook.domain.decide.signal_status import follow
from onebook.domain.identity import fill_identity
from onebook.domain.movements import Movement
from onebook.domain.numbers import ZERO, plain, share, subtract
from onebook.domain.shapes import fact_data
from onebook.domain.state import Decision, EventDraft, Ledger, Record, Stamp, State

SYNTHETIC = "synthetic"
"""Kind of the record that lists an order's fills made from its cumulative quantity."""


def list_synthetic(state: State, decision: Decision, fill: facts.Fill, stamp: Stamp, ordinal: int) -> None:
    """List an order-level fill that a decision books, for the executions that may replace it."""
    order_id = fill.venue_fill_id.split(":")[1]
    found = state.record(SYNTHETIC, fill.account, order_id)
    listed = list(found.body["fills"]) if found is not None else []
    listed.append([stamp.sequence, ordinal, plain(fill.quantity)])
    decision.records.append(
        Record(SYNTHETIC, fill.account, order_id, decision.occurred_ns, {"fills": listed}, fill.instrument)
    )


def replace_synthetic(
    state: State, fill: facts.Fill, ledger: Ledger, listed: Record, decision: Decision, stamp: Stamp
) -> Decision:
    """Book an execution whose quantity was booked before from its order's cumulative figure."""
    order = orders.of_fill(state, fill)
    movement, draft = prepare(state, fill, ledger, stamp, ordinal=1, flags=0)
    decision.occurred_ns = movement.order[0]
    decision.events.append(draft)
    hold_identities(decision, fill, 1)
    refold = Refold(state, decision, stamp)
    refold.plan(ledger, added=[movement])
    remaining = list(listed.body["fills"])
    wanted = fill.quantity
    replaced: list[facts.Fill] = []
    changed: dict[tuple[int, int], None] = {}
    left_over: facts.Fill | None = None
    while remaining and wanted > ZERO:
        sequence, ordinal, text = remaining.pop(0)
        held = state.fact(sequence, ordinal)
        version = newest_version(state, held)
        was = standing(state, ledger, held, version)
        if was is None:
            continue
        trade_id = fill_identity(held.fact, f"{sequence}.{ordinal}")
        data = fact_data(version.fact) | {"reason": "execution arrived", "trade_id": trade_id}
        owner = None if version.fact.strategy == decision.strategy else version.fact.strategy
        decision.events.append(EventDraft("trade_busted", data | {"fills": [sequence, ordinal]}, owner))
        decision.records.append(busted_record(state, held, version.fact))
        refold.plan(ledger, removed=[was])
        replaced.append(version.fact)
        changed[sequence, ordinal] = None
        left = subtract(Decimal(text), wanted)
        wanted = subtract(wanted, Decimal(text))
        if left > ZERO:
            left_over = _left(version.fact, left)
            number = len(decision.events) + 1
            rest, rest_draft = prepare(state, left_over, ledger, stamp, ordinal=number)
            rest_draft.strategy = owner
            if rest.order[0] != decision.occurred_ns:
                rest_draft.data["occurred_ns"] = rest.order[0]
            decision.events.append(rest_draft)
            hold_identities(decision, left_over, number)
            refold.plan(ledger, added=[rest])
            remaining.insert(0, [stamp.sequence, number, plain(left)])
    decision.named = (fill, 1)
    refold.run("fill", "execution replaces order-level fills")
    decision.records.append(
        Record(SYNTHETIC, fill.account, listed.id, decision.occurred_ns, {"fills": remaining}, fill.instrument)
    )
    _order(decision, order, fill, replaced, left_over, movement)
    booked = (fill,) if left_over is None else (fill, left_over)
    follow(state, decision, *booked, changed=changed)
    return decision


def _left(fill: facts.Fill, left: Decimal) -> facts.Fill:
    """Return what is left of an order-level fill, with its share of the fee."""
    parts = fill.venue_fill_id.split(":")
    fee = None if fill.fee is None else share(fill.fee, left, fill.quantity)
    return fill.replaced(quantity=left, fee=fee, venue_fill_id=":".join([*parts[:3], plain(left)]), client_fill_id="")


def _order(
    decision: Decision,
    order: Record | None,
    fill: facts.Fill,
    replaced: list[facts.Fill],
    left_over: facts.Fill | None,
    movement: Movement,
) -> None:
    """Move the order's progress by the difference, with one event."""
    if order is None:
        return
    steps = [(item, -1) for item in replaced] + ([(left_over, 1)] if left_over else []) + [(fill, 1)]
    events = len(decision.events)
    for item, sign in steps:
        orders.filled(decision, order, item, movement, sign=sign)
        name = order.id
        order = next(row for row in decision.records if (row.kind, row.id) == (orders.ORDER, name))
        del decision.events[events:-1]
