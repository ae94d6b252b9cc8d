"""Transfers between own accounts and the world; what is sent and not received is in transit."""

from typing import Any

from onebook.domain import facts, times
from onebook.domain.decide.arriving import Start, begin, move_cash, movement_of
from onebook.domain.decide.placing import Refold, place
from onebook.domain.decide.replay import holding_before
from onebook.domain.decide.signal_status import follow
from onebook.domain.holdings import Holding
from onebook.domain.movements import RANK, Movement, tie_text
from onebook.domain.numbers import negate
from onebook.domain.state import Decision, EventDraft, Record, Stamp, State
from onebook.domain.units import sent


def record_transfer(state: State, fact: facts.Transfer, stamp: Stamp) -> Decision:
    """Money or units between own accounts or the world; what is sent and not received is in transit."""
    start = begin(
        state,
        fact,
        stamp,
        id_field="transfer_id",
        event="transfer_recorded",
        account=fact.account,
        instrument=fact.instrument or "",
        strategy=fact.strategy,
    )
    received = None if fact.received_at is None else times.from_datetime("received_at", fact.received_at)
    if start.repeat:
        return _arrived(state, start, fact, received, stamp)
    _charge(state, start, fact, stamp)
    if fact.instrument is None:
        _transfer_cash(state, start, fact, received, stamp)
        return start.decision
    arrives = bool(fact.to_account) and (received is not None or not fact.from_account)
    if fact.from_account:
        out = [_units_out(state, start, fact, received, stamp)]
        if arrives:
            out.append(_arrival(state, start, fact, received, stamp))
        _place_out(state, start, fact, out, stamp)
    if arrives:
        _units_in(state, start, fact, received, stamp)
    follow(state, start.decision)
    return start.decision


def _place_out(state: State, start: Start, fact: facts.Transfer, out: list[Movement], stamp: Stamp) -> None:
    assert fact.instrument is not None  # noqa: S101  asked before
    ledger = state.ledger(fact.from_account, fact.instrument)
    if len(out) == 1:
        place(state, start.decision, ledger, out[0], stamp, "late transfer")
        return
    refold = Refold(state, start.decision, stamp)
    refold.plan(ledger, added=out)
    refold.run("transfer", "late transfer")


def _charge(state: State, start: Start, fact: facts.Transfer, stamp: Stamp) -> None:
    if fact.fee:
        payer = fact.from_account or fact.to_account
        move_cash(state, start, payer, fact.fee_currency or fact.asset, negate(fact.fee), "other", stamp, ordinal=3)


def _transfer_cash(state: State, start: Start, fact: facts.Transfer, received: int | None, stamp: Stamp) -> None:
    internal = bool(fact.from_account and fact.to_account)
    category = "internal" if internal else "transfers"
    if fact.from_account:
        move_cash(state, start, fact.from_account, fact.asset, negate(fact.amount), category, stamp)
    if fact.to_account and (received is not None or not internal):
        move_cash(
            state,
            start,
            fact.to_account,
            fact.asset,
            fact.amount,
            category,
            stamp,
            at=received,
            ordinal=2,
        )


def _transfer_tie(fact: facts.Transfer) -> str:
    return tie_text(fact.transfer_id, "", "")


def _units_out(state: State, start: Start, fact: facts.Transfer, received: int | None, stamp: Stamp) -> Movement:
    assert fact.instrument is not None  # noqa: S101  asked before
    ledger = state.ledger(fact.from_account, fact.instrument)
    start.decision.ledger = ledger
    return movement_of(
        state,
        ledger,
        start,
        stamp,
        "transfer",
        tie=_transfer_tie(fact),
        strategy=fact.strategy,
        quantity=negate(fact.amount),
        price=fact.price,
        to_account=fact.to_account,
        paid_ns=received if fact.to_account else None,
    )


def _units_in(state: State, start: Start, fact: facts.Transfer, received: int | None, stamp: Stamp) -> None:
    assert fact.instrument is not None  # noqa: S101  asked before
    ledger = state.ledger(fact.to_account, fact.instrument)
    parts: dict[str, Any] = {"price": fact.price}
    if fact.from_account:
        giver = _giver(state, start, fact)
        cost, unbased = sent(giver, fact.amount)
        parts = {"amount": cost, "unbased": unbased or None, "currency": ledger.terms.settle}
    else:
        start.decision.ledger = ledger
    movement = movement_of(
        state,
        ledger,
        start,
        stamp,
        "transfer",
        at=start.at if received is None else received,
        tie=_transfer_tie(fact),
        ordinal=2,
        strategy=fact.strategy,
        quantity=fact.amount,
        **parts,
    )
    place(state, start.decision, ledger, movement, stamp, "late transfer")


def _arrival(state: State, start: Start, fact: facts.Transfer, received: int | None, stamp: Stamp) -> Movement:
    """Return what tells the sender's ledger that units on their way have arrived."""
    assert fact.instrument is not None  # noqa: S101  asked before
    ledger = state.ledger(fact.from_account, fact.instrument)
    return movement_of(
        state,
        ledger,
        start,
        stamp,
        "arrival",
        at=start.at if received is None else received,
        tie=_transfer_tie(fact),
        ordinal=3,
        strategy=fact.strategy,
        category=str(start.decision.first or stamp.sequence),
    )


def _giver(state: State, start: Start, fact: facts.Transfer) -> Holding:
    """Return the giving position as it stood just before the transfer."""
    assert fact.instrument is not None  # noqa: S101  asked before
    ledger = state.ledger(fact.from_account, fact.instrument)
    order = (start.at, RANK["transfer"], _transfer_tie(fact), -1, 0)
    return holding_before(state, ledger, order, fact.strategy)


def _arrived(state: State, start: Start, fact: facts.Transfer, received: int | None, stamp: Stamp) -> Decision:
    """A second report that says when a transfer arrived completes it."""
    decision = start.decision
    held = state.record("transfer", decision.account, decision.identity.split("|")[-1])
    if held is None or decision.status != "exists" or received is None or "received_at" in held.body:
        return decision
    if not (fact.from_account and fact.to_account):
        return decision
    start.at = held.occurred_ns
    body = dict(held.body) | {"received_at": start.data["received_at"]}
    data = {name: item for name, item in body.items() if name != "first"} | {
        "fact": "transfer",
        "reason": "completed",
    }
    decision.events.append(EventDraft("transfer_recorded", data))
    decision.records.append(
        Record("transfer", held.account, held.id, held.occurred_ns, body, held.instrument, held.strategy)
    )
    if fact.instrument is None:
        move_cash(state, start, fact.to_account, fact.asset, fact.amount, "internal", stamp, at=received, ordinal=2)
    else:
        _place_out(state, start, fact, [_arrival(state, start, fact, received, stamp)], stamp)
        _units_in(state, start, fact, received, stamp)
    return decision
