"""Corporate actions: splits, dividends and symbol changes."""

from decimal import Decimal

from onebook.domain import facts, times
from onebook.domain.decide import protecting
from onebook.domain.decide.arriving import begin, into, movement_of
from onebook.domain.decide.definitions import change_symbol
from onebook.domain.decide.orders import take_terms
from onebook.domain.identity import identity_text
from onebook.domain.numbers import add, plain, share, subtract
from onebook.domain.shapes import Data
from onebook.domain.state import Decision, EventDraft, Ledger, Record, Stamp, State


def record_corporate_action(state: State, fact: facts.CorporateAction, stamp: Stamp) -> Decision:
    """A split, dividend or symbol change: it counts before everything else of its day."""
    day = fact.effective_on
    if day is None:
        day = state.days.date_of(stamp.recorded_ns if fact.occurred_ns is None else fact.occurred_ns)
    key = identity_text(fact.instrument, fact.kind, day.isoformat(), fact.action_id)
    start = begin(
        state,
        fact.replaced(effective_on=day),
        stamp,
        id_field="action_id",
        event="corporate_action_applied",
        account=fact.account,
        instrument=fact.instrument,
        key=key,
    )
    if start.repeat:
        return start.decision
    start.at = state.days.midnight(day)
    ledger = state.ledger(fact.account, fact.instrument)
    if fact.kind == "symbol_change":
        return change_symbol(state, start.decision, fact, ledger, start.at, stamp)
    if fact.kind == "split":
        movement = movement_of(
            state,
            ledger,
            start,
            stamp,
            "split",
            numerator=fact.numerator,
            denominator=fact.denominator,
            cash_in_lieu=fact.cash_in_lieu,
        )
        _adjust_orders(state, start.decision, fact, ledger)
        protecting.split(state, start.decision, fact, ledger, start.at)
    else:
        paid = None if fact.paid_at is None else times.from_datetime("paid_at", fact.paid_at)
        movement = movement_of(
            state,
            ledger,
            start,
            stamp,
            "dividend",
            amount=fact.amount,
            currency=fact.currency or ledger.terms.settle,
            paid_ns=paid,
        )
    return into(state, start, ledger, movement, stamp)


def _adjust_orders(state: State, decision: Decision, fact: facts.CorporateAction, ledger: Ledger) -> None:
    """Open orders follow a split: buy limits and sell stops are adjusted, a reverse split cancels all.

    What an order has filled stands in the units of then; what is left of it is in the new ones.
    """
    assert fact.numerator is not None and fact.denominator is not None  # noqa: S101,PT018  by its record
    top, low = Decimal(fact.numerator), Decimal(fact.denominator)
    for record in state.open_orders(fact.account, ledger.instrument):
        body = dict(record.body)
        if not body.get("known", True):  # only fills name it: nobody knows what was ordered
            continue
        status = str(body["status"])
        if top < low:
            body |= {"status": "canceled", "reason": "reverse split"}
            status = "canceled"
        else:
            wanted = (body["side"] == "buy" and "limit_price" in body) or (
                body["side"] == "sell" and ("stop_price" in body or body.get("kind") == "trailing_stop")
            )
            if not wanted:
                continue
            take_terms(body, _terms_after(body, top, low))
            body["reason"] = "split"
        shown = {name: value for name, value in body.items() if name != "placed"}
        decision.events.append(EventDraft("order_updated", shown, record.strategy or None))
        decision.records.append(
            Record(
                "order",
                record.account,
                record.id,
                record.occurred_ns,
                body,
                record.instrument,
                record.strategy,
                status,
            )
        )


def _terms_after(body: Data, top: Decimal, low: Decimal) -> Data:
    """Return the terms of an order after a split."""
    filled = Decimal(body.get("filled_quantity", "0"))
    left = share(subtract(Decimal(body["quantity"]), filled), top, low)
    prices = [name for name in ("limit_price", "stop_price", "trail_amount") if name in body]
    return {"quantity": plain(add(filled, left))} | {
        name: plain(share(Decimal(body[name]), low, top)) for name in prices
    }
