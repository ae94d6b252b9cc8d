"""Fills: the same one again, a new one, a late one; and the order-level fills that executions replace."""

from decimal import Decimal

from onebook.domain import facts, times
from onebook.domain.decide import orders, signals
from onebook.domain.decide.placing import Refold, append, foreign_currency, position_events
from onebook.domain.holdings import flag_bit, flag_names
from onebook.domain.identity import (
    Content,
    agrees,
    client_scope,
    completes,
    content,
    fill_scope,
    scope,
)
from onebook.domain.instruments import Terms
from onebook.domain.movements import RANK, Movement, tie_text
from onebook.domain.numbers import negate, plain
from onebook.domain.rates import valuation
from onebook.domain.shapes import Data, fact_data, valuation_data
from onebook.domain.state import Decision, EventDraft, Ledger, Record, Stamp, State, StoredFact
from onebook.errors import InputError

FAR_AHEAD = 5 * times.MINUTE
"""How far in the future a given time may be before it is flagged."""

HISTORY = "fill"
"""Kind of the record that a fill gets once it is busted, corrected, completed or in conflict."""

SYNTHETIC = "synthetic"
"""Kind of the record that lists an order's fills made from its cumulative quantity."""

RANK_OF_FILL = RANK["fill"]
MIXED = flag_bit("account_mixed")
AHEAD = flag_bit("time_ahead")
_SYNTHETIC = flag_bit("synthetic")


def record_fill(state: State, fill: facts.Fill, stamp: Stamp) -> Decision:
    """Decide on a fill: recorded, seen before, or in conflict with the first report."""
    ledger = state.ledger(fill.account, fill.instrument)
    check_price(ledger.terms, fill.price)
    found = find(state, fill, ledger)
    if found:
        from onebook.domain.decide.repeats import repeated

        return repeated(state, fill, found, ledger, stamp)
    return new_fill(state, fill, ledger, stamp)


def check_price(terms: Terms, price: Decimal) -> None:
    """Refuse a price of 0 where the value is a quotient of it."""
    if terms.inverse and not price:
        msg = f"price: 0 values nothing on {terms.instrument}, an inverse contract"
        raise InputError(msg, field="price", value=price)


def find(state: State, fill: facts.Fill, ledger: Ledger) -> list[StoredFact]:
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
    from onebook.domain.decide.repeats import newest_version

    if fill.side != held.fact.side and fill.side != newest_version(state, held).fact.side:
        return False
    order_id = held.fact.venue_order_id or newest_version(state, held).fact.venue_order_id
    if order_id == fill.venue_order_id:
        return True
    if order_id and fill.venue_order_id:
        return False
    mine = content(fill, timed=fill.occurred_ns is not None)
    return any(agrees(known, mine, settle) for known in contents(state, held, settle))


def contents(state: State, held: StoredFact, settle: str) -> list[Content]:
    """Return every content that a fill has had, the first one first; one that a later one completes is that one."""
    known = [content(held.fact, timed=held.timed)]
    history = state.record(HISTORY, held.fact.account, f"{held.sequence}.{held.ordinal}")
    if history is not None:
        known += [content_from(item) for item in history.body.get("contents", ())]
    return [
        item
        for index, item in enumerate(known)
        if not any(agrees(item, later, settle) and completes(item, later) for later in known[index + 1 :])
    ]


def content_data(known: Content) -> list[str | int | None]:
    """Return a content as plain data."""
    quantity, price, fee, currency, at = known
    return [plain(quantity), plain(price), None if fee is None else plain(fee), currency, at]


def content_from(data: list[str | int | None]) -> Content:
    """Return the content that this data was made from."""
    quantity, price, fee, currency, at = data
    return (
        Decimal(str(quantity)),
        Decimal(str(price)),
        None if fee is None else Decimal(str(fee)),
        None if currency is None else str(currency),
        None if at is None else int(at),
    )


def new_fill(state: State, fill: facts.Fill, ledger: Ledger, stamp: Stamp) -> Decision:
    """Book an execution that nobody reported before."""
    decision = Decision(fill.account, fill.instrument, fill.strategy, ledger=ledger)
    if fill.venue_order_id and not fill.venue_fill_id.startswith("order:"):
        replaced = state.record(SYNTHETIC, fill.account, fill.venue_order_id)
        if replaced is not None and replaced.body["fills"]:
            from onebook.domain.decide.synthetic import replace_synthetic

            return replace_synthetic(state, fill, ledger, replaced, decision, stamp)
    movement = book_fill(state, decision, fill, ledger, stamp)
    changes = append(state, decision, ledger, movement)
    if changes is None:
        refold = Refold(state, decision, stamp)
        refold.plan(ledger, added=[movement])
        refold.run("fill", "late fill")
    else:
        for change in changes:
            position_events(decision, change, "fill")
    signals.follow(state, decision, fill)
    return decision


def book_fill(state: State, decision: Decision, fill: facts.Fill, ledger: Ledger, stamp: Stamp) -> Movement:
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
        _list_synthetic(state, decision, fill, stamp, ordinal)
    if not fill.venue_fill_id and not fill.client_fill_id:
        decision.tally["fills_without_identity"] = 1
    return movement


def hold_identities(decision: Decision, fill: facts.Fill, ordinal: int) -> None:
    """Let the fill hold its ids, and name the decision after them."""
    if fill.venue_fill_id:
        decision.identities.append((fill_scope(fill.venue, fill.account, fill.instrument), fill.venue_fill_id, ordinal))
    if fill.client_fill_id:
        decision.identities.append((client_scope(fill.account), fill.client_fill_id, ordinal))
    if fill.signal_id:
        decision.identities.append((scope(signals.NAMED, fill.account), fill.signal_id, ordinal))
    decision.named = (fill, ordinal)


def prepare(
    state: State, fill: facts.Fill, ledger: Ledger, stamp: Stamp, *, ordinal: int, flags: int = 0
) -> tuple[Movement, EventDraft]:
    """Return a fill's movement, with rates and flags, and its event."""
    terms = ledger.terms
    at = fill.occurred_ns
    timed = at is not None
    if at is None:
        at = own_time(ledger, fill, stamp)
    elif at > stamp.recorded_ns + FAR_AHEAD:
        flags |= AHEAD
    if fill.venue:
        venue = state.account_venue(fill.account)
        if venue and venue != fill.venue:
            flags |= MIXED
    if fill.venue_fill_id.startswith("order:"):
        flags |= _SYNTHETIC
    high, low = state.seen(fill.account, fill.instrument)
    movement = Movement(
        order=(
            at,
            RANK_OF_FILL,
            tie_text(fill.venue_fill_id, fill.venue_order_id, fill.side),
            stamp.sequence,
            ordinal,
        ),
        kind="fill",
        strategy=fill.strategy,
        leg=fill.leg,
        quantity=fill.quantity if fill.side == "buy" else negate(fill.quantity),
        price=fill.price,
        fee=fill.fee,
        fee_currency=fill.fee_currency or terms.settle,
        signal_id=fill.signal_id,
        close_reason=fill.close_reason,
        high=high,
        low=low,
        ahead=bool(flags & AHEAD),
        flags=flags,
        known_from=stamp.sequence,
        content=ordinal,
    )
    value(state, terms, movement)
    data = fact_data(fill)
    movement.shown = (
        data["quantity"] if fill.side == "buy" else f"-{data['quantity']}",
        data["price"],
        data.get("fee"),
    )
    if not timed:
        data["own_time"] = True
    annotate_data(data, movement)
    return movement, EventDraft("trade_executed", data)


def annotate_data(data: Data, movement: Movement) -> None:
    """Add to a fill's event what its movement found: rates used, marks seen, flags."""
    if movement.worth is not None:
        data["worth"] = valuation_data(movement.worth)
    if movement.base is not None:
        data["base"] = valuation_data(movement.base)
    if movement.high is not None:
        data["high"] = plain(movement.high)
    if movement.low is not None:
        data["low"] = plain(movement.low)
    if movement.flags:
        data["flags"] = list(flag_names(movement.flags))


def own_time(ledger: Ledger, fill: facts.Fill, stamp: Stamp) -> int:
    """Return the moment of recording, after the position's newest movement that is not ahead of its time."""
    key = (fill.strategy, fill.leg if ledger.terms.hedging else "")
    held = ledger.holdings.get(key)
    if held is None or stamp.recorded_ns > held.updated_ns:
        return stamp.recorded_ns
    return held.updated_ns + 1


def value(state: State, terms: Terms, movement: Movement) -> None:
    """Find the rates that a movement needs: foreign amounts to settlement, settlement to base currency."""
    pairs = state.rate_pairs()
    if not pairs:
        return
    foreign = foreign_currency(terms, movement)
    if foreign:
        movement.worth = valuation(state.find_rate, state.rate_pairs(), foreign, terms.settle, movement.order[0])
    base = state.settings.base_currency
    if terms.settle != base:
        movement.base = valuation(state.find_rate, state.rate_pairs(), terms.settle, base, movement.order[0])


def _list_synthetic(state: State, decision: Decision, fill: facts.Fill, stamp: Stamp, ordinal: int) -> None:
    order_id = fill.venue_fill_id.split(":")[1]
    found = state.record(SYNTHETIC, fill.account, order_id)
    listed = list(found.body["fills"]) if found is not None else []
    listed.append([stamp.sequence, ordinal, plain(fill.quantity)])
    decision.records.append(
        Record(SYNTHETIC, fill.account, order_id, decision.occurred_ns, {"fills": listed}, fill.instrument)
    )
