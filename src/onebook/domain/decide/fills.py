"""Fills: the same one again, a new one, or a late one."""

from decimal import Decimal

from onebook.domain import facts
from onebook.domain.commands import Compared
from onebook.domain.decide import orders
from onebook.domain.decide.booking import check_price, hold_identities, prepare
from onebook.domain.decide.history import contents, newest_version
from onebook.domain.decide.placing import Refold, append, position_events
from onebook.domain.decide.repeats import repeated
from onebook.domain.decide.signal_status import follow
from onebook.domain.decide.synthetic import SYNTHETIC, list_synthetic, replace_synthetic
from onebook.domain.identity import agrees, client_scope, content, fill_scope
from onebook.domain.movements import Movement
from onebook.domain.state import Decision, Ledger, Record, Stamp, State, StoredFact
from onebook.errors import ConflictError


def record_fill(state: State, fill: facts.Fill, stamp: Stamp) -> Decision:
    """Decide on a fill: recorded, seen before, or in conflict with the first report."""
    fill = orders.of_its_sender(state, fill)
    ledger = state.ledger(fill.account, fill.instrument)
    check_price(ledger.terms, fill.price)
    found = _find(state, fill, ledger)
    if found:
        return repeated(state, fill, found, ledger, stamp)
    return _new_fill(state, fill, ledger, stamp)


def check_compared(state: State, fill: facts.Fill, compared: Compared) -> None:
    """Check that an order-level fill still is what is missing of its order.

    Raises:
        ConflictError: somebody booked of the order meanwhile; reckon it anew.
    """
    order = orders.of_fill(state, fill)
    if order is not None:
        stands = Decimal(order.body.get("filled_quantity", "0")) == compared.filled
    else:
        ledger = state.ledger(fill.account, fill.instrument)
        stands = not any(
            movement.kind == "fill"
            and movement.order[3] > compared.after
            and newest_version(state, state.fact(*movement.order[3:])).fact.venue_order_id == fill.venue_order_id
            for movement in state.movements(ledger.id, (compared.since_ns, 0, "", 0, 0))
        )
    if not stands:
        msg = f"order {fill.venue_order_id or fill.client_order_id}: more of it was booked meanwhile; compare again"
        raise ConflictError(msg, account=fill.account, venue_order_id=fill.venue_order_id)


def _find(state: State, fill: facts.Fill, ledger: Ledger) -> list[StoredFact]:
    """Return the facts that this report may be a repeat of: by the venue's id, then by the caller's."""
    found: list[StoredFact] = []
    if fill.venue_fill_id:
        names = state.names(fill.account, fill.instrument)
        for name in names:
            for place in state.identities(fill_scope(fill.venue, fill.account, name), fill.venue_fill_id):
                held = state.fact(*place)
                if _same_execution(state, fill, held, ledger.terms.settle):
                    found.append(held)
        if len(found) > 1:  # one id on both sides: a corrected side gives way to the one recorded under it
            found = [held for held in found if held.fact.side == fill.side] or found
    if fill.client_fill_id:
        for place in state.identities(client_scope(fill.account), fill.client_fill_id):
            if all((held.sequence, held.ordinal) != place for held in found):
                found.append(state.fact(*place))
    return found


def _same_execution(state: State, fill: facts.Fill, held: StoredFact, settle: str) -> bool:
    if fill.side != held.fact.side and fill.side != newest_version(state, held).fact.side:
        return False
    order_id = held.fact.venue_order_id or newest_version(state, held).fact.venue_order_id
    if order_id == fill.venue_order_id:
        return True
    if order_id and fill.venue_order_id:
        return False
    mine = content(fill, timed=fill.occurred_ns is not None)
    return any(agrees(known, mine, settle) for known in contents(state, held, settle))


def _new_fill(state: State, fill: facts.Fill, ledger: Ledger, stamp: Stamp) -> Decision:
    """Book an execution that nobody reported before."""
    decision = Decision(fill.account, fill.instrument, fill.strategy, ledger=ledger)
    if fill.venue_order_id and not fill.venue_fill_id.startswith("order:"):
        replaced = state.record(SYNTHETIC, fill.account, fill.venue_order_id)
        if replaced is not None and replaced.body["fills"]:
            return replace_synthetic(state, fill, ledger, replaced, decision, stamp)
    movement = _book_fill(state, decision, fill, ledger, stamp)
    changes = append(state, decision, ledger, movement)
    if changes is None:
        refold = Refold(state, decision, stamp)
        refold.plan(ledger, added=[movement])
        refold.run("fill", "late fill")
    else:
        for change in changes:
            position_events(decision, change, "fill")
    follow(state, decision, fill)
    return decision


def _book_fill(state: State, decision: Decision, fill: facts.Fill, ledger: Ledger, stamp: Stamp) -> Movement:
    """Add a fill's event, its ids and its order's progress to a decision; return what must be placed."""
    ordinal = len(decision.events) + 1
    order = orders.of_fill(state, fill)
    flags = orders.flags(order, fill)
    movement, draft = prepare(state, fill, ledger, stamp, ordinal=ordinal, flags=flags)
    decision.occurred_ns = movement.order[0]
    decision.events.append(draft)
    hold_identities(decision, fill, ordinal)
    if fill.venue and not state.account_venue(fill.account):
        first = {"venue": fill.venue}
        decision.records.append(Record("account_venue", fill.account, "", movement.order[0], first))
    orders.filled(decision, order, fill, movement)
    if fill.venue_fill_id.startswith("order:"):
        list_synthetic(state, decision, fill, stamp, ordinal)
    if not fill.venue_fill_id and not fill.client_fill_id:
        decision.tally["fills_without_identity"] = 1
    return movement
