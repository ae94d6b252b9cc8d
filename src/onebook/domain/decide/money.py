"""Facts that move money or units without a trade: cash, funding, opening balances, settlement, reassignment."""

from onebook.domain import facts
from onebook.domain.decide.arriving import begin, into, move_cash, movement_of
from onebook.domain.decide.booking import check_price
from onebook.domain.holdings import Holding
from onebook.domain.numbers import absolute
from onebook.domain.state import Decision, Stamp, State
from onebook.errors import RuleError


def record_cash_movement(state: State, fact: facts.CashMovement, stamp: Stamp) -> Decision:
    """Money in or out: of an instrument's P&L when it names one, else of the account's other cash."""
    start = begin(
        state,
        fact,
        stamp,
        id_field="movement_id",
        event="cash_moved",
        account=fact.account,
        instrument=fact.instrument or "",
        strategy=fact.strategy,
    )
    if start.repeat:
        return start.decision
    if fact.instrument is None:
        move_cash(state, start, fact.account, fact.currency, fact.amount, "other", stamp)
        return start.decision
    ledger = state.ledger(fact.account, fact.instrument)
    kind = "payment" if fact.kind == "dividend" else "cash"
    movement = movement_of(
        state,
        ledger,
        start,
        stamp,
        kind,
        strategy=fact.strategy,
        leg=fact.leg,
        amount=fact.amount,
        currency=fact.currency,
        category=fact.kind,
    )
    return into(state, start, ledger, movement, stamp)


def record_funding(state: State, fact: facts.FundingPayment, stamp: Stamp) -> Decision:
    """Funding of a contract, of one strategy or split over all that hold it."""
    start = begin(
        state,
        fact,
        stamp,
        id_field="funding_id",
        event="funding_paid",
        account=fact.account,
        instrument=fact.instrument,
        strategy=fact.strategy or "",
    )
    if start.repeat:
        return start.decision
    ledger = state.ledger(fact.account, fact.instrument)
    movement = movement_of(
        state,
        ledger,
        start,
        stamp,
        "funding",
        strategy=fact.strategy,
        leg=fact.leg,
        amount=fact.amount,
        currency=fact.currency or ledger.terms.settle,
    )
    return into(state, start, ledger, movement, stamp)


def record_opening_balance(state: State, fact: facts.OpeningBalance, stamp: Stamp) -> Decision:
    """What was there before the book began: money, or units with or without a known price."""
    start = begin(
        state,
        fact,
        stamp,
        id_field="balance_id",
        event="opening_balance_recorded",
        account=fact.account,
        instrument=fact.instrument or "",
        strategy=fact.strategy,
    )
    if start.repeat:
        return start.decision
    if fact.instrument is None:
        assert fact.currency is not None  # noqa: S101  by its record
        move_cash(state, start, fact.account, fact.currency, fact.amount, "opening", stamp)
        return start.decision
    ledger = state.ledger(fact.account, fact.instrument)
    if fact.price is not None:
        check_price(ledger.terms, fact.price)
    movement = movement_of(
        state,
        ledger,
        start,
        stamp,
        "opening",
        strategy=fact.strategy,
        leg=fact.leg,
        quantity=fact.quantity,
        price=fact.price,
    )
    return into(state, start, ledger, movement, stamp)


def record_settlement(state: State, fact: facts.Settlement, stamp: Stamp) -> Decision:
    """A contract ended: every position in it closes at the settlement price."""
    start = begin(
        state,
        fact,
        stamp,
        id_field="settlement_id",
        event="settlement_recorded",
        account=fact.account,
        instrument=fact.instrument,
    )
    if start.repeat:
        return start.decision
    ledger = state.ledger(fact.account, fact.instrument)
    check_price(ledger.terms, fact.price)
    movement = movement_of(
        state, ledger, start, stamp, "settlement", price=fact.price, close_reason="expiry", category=fact.kind
    )
    return into(state, start, ledger, movement, stamp)


def record_reassign(state: State, fact: facts.Reassign, stamp: Stamp) -> Decision:
    """Move quantity between strategies. More than is held is refused: this is our own wish."""
    start = begin(
        state,
        fact,
        stamp,
        id_field="reassign_id",
        event="reassigned",
        account=fact.account,
        instrument=fact.instrument,
        strategy=fact.from_strategy,
    )
    if start.repeat:
        return start.decision
    ledger = state.ledger(fact.account, fact.instrument)
    if fact.price is not None:
        check_price(ledger.terms, fact.price)
    leg = fact.leg if ledger.terms.hedging else ""
    held = ledger.holdings.get((fact.from_strategy, leg)) or Holding(fact.from_strategy, leg)
    if absolute(held.quantity) < fact.quantity:
        msg = (
            f"strategy {fact.from_strategy!r} holds {held.quantity} {fact.instrument};"
            f" {fact.quantity} cannot be moved from it"
        )
        raise RuleError(msg, held=held.quantity, asked=fact.quantity)
    movement = movement_of(
        state,
        ledger,
        start,
        stamp,
        "reassign",
        strategy=fact.from_strategy,
        to_strategy=fact.to_strategy,
        leg=fact.leg,
        quantity=fact.quantity,
        price=fact.price,
    )
    return into(state, start, ledger, movement, stamp)
