"""What every fill goes through on its way in: its movement, its event, its ids, its rates and its flags."""

from decimal import Decimal

from onebook.domain import facts, times
from onebook.domain.decide.placing import foreign_currency
from onebook.domain.decide.signals import NAMED
from onebook.domain.holdings import flag_bit, flag_names
from onebook.domain.identity import client_scope, fill_scope, scope
from onebook.domain.instruments import Terms
from onebook.domain.movements import RANK, Movement, tie_text
from onebook.domain.numbers import negate, plain
from onebook.domain.rates import valuation
from onebook.domain.shapes import Data, fact_data, valuation_data
from onebook.domain.state import Decision, EventDraft, Ledger, Stamp, State
from onebook.errors import InputError

MIXED = flag_bit("account_mixed")
AHEAD = flag_bit("time_ahead")
_SYNTHETIC = flag_bit("synthetic")
_RANK_OF_FILL = RANK["fill"]


def check_price(terms: Terms, price: Decimal) -> None:
    """Refuse a price of 0 where the value is a quotient of it."""
    if terms.inverse and not price:
        msg = f"price: 0 values nothing on {terms.instrument}, an inverse contract"
        raise InputError(msg, field="price", value=price)


def prepare(
    state: State, fill: facts.Fill, ledger: Ledger, stamp: Stamp, *, ordinal: int, flags: int = 0
) -> tuple[Movement, EventDraft]:
    """Return a fill's movement, with rates and flags, and its event."""
    terms = ledger.terms
    at = fill.occurred_ns
    timed = at is not None
    if at is None:
        at = _own_time(ledger, fill, stamp)
    elif at > stamp.recorded_ns + times.FAR_AHEAD:
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
            _RANK_OF_FILL,
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


def _own_time(ledger: Ledger, fill: facts.Fill, stamp: Stamp) -> int:
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


def hold_identities(decision: Decision, fill: facts.Fill, ordinal: int) -> None:
    """Let the fill hold its ids, and name the decision after them."""
    if fill.venue_fill_id:
        decision.identities.append((fill_scope(fill.venue, fill.account, fill.instrument), fill.venue_fill_id, ordinal))
    if fill.client_fill_id:
        decision.identities.append((client_scope(fill.account), fill.client_fill_id, ordinal))
    if fill.signal_id:
        decision.identities.append((scope(NAMED, fill.account), fill.signal_id, ordinal))
    decision.named = (fill, ordinal)
