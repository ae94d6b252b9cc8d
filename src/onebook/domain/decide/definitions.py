"""Definitions and rates: facts that change how others count."""

from dataclasses import replace
from typing import Any

from onebook.domain import facts
from onebook.domain.cash import Cash, cash_data
from onebook.domain.days import Days
from onebook.domain.decide.facts_again import conflict
from onebook.domain.decide.placing import Refold, foreign_currency
from onebook.domain.decide.signal_status import follow
from onebook.domain.identity import identity_text, scope
from onebook.domain.instruments import terms_of
from onebook.domain.movements import Movement
from onebook.domain.numbers import add, plain, subtract
from onebook.domain.rates import MAX_AGE, KnownRate, valuation
from onebook.domain.shapes import Data, fact_data
from onebook.domain.state import CashLedger, Decision, EventDraft, Ledger, Record, Stamp, State
from onebook.errors import RuleError


def _define(  # noqa: PLR0913  the parts of one row or query
    state: State, fact: Any, stamp: Stamp, *, key: str, event: str, instrument: str = "", account: str = "",
    strategy: str = "",
) -> Decision:  # fmt: skip
    """Prepare the decision on a definition; without an event when it is the one in force already."""
    decision = Decision(account, instrument, strategy)
    decision.identity = identity_text(fact.KIND, key)
    decision.occurred_ns = stamp.recorded_ns
    data = fact_data(fact)
    held = state.record(fact.KIND, "", key)
    if held is not None and held.body["definition"] == data:
        decision.status, decision.first = "exists", int(held.body["first"])
        return decision
    decision.events.append(EventDraft(event, data | {"fact": fact.KIND}))
    body = {"definition": data, "first": stamp.sequence}
    decision.records.append(Record(fact.KIND, "", key, stamp.recorded_ns, body))
    decision.definitions = True
    return decision


def define_instrument(state: State, fact: facts.Instrument, stamp: Stamp) -> Decision:
    """Define an instrument; ledgers that folded under other terms fold again."""
    decision = _define(state, fact, stamp, key=fact.symbol, event="instrument_defined", instrument=fact.symbol)
    if decision.status == "exists":
        return decision
    refold = Refold(state, decision, stamp)
    for ledger in list(state.ledgers()):
        names = state.names(ledger.account, ledger.instrument)
        if fact.symbol in names and fact.symbol == _defining(state, names, fact.symbol):
            terms = terms_of(fact, ledger.terms.instrument, state.account(ledger.account))
            if terms != ledger.terms:
                refold.plan(ledger, terms=terms)
    refold.run("definition", f"{fact.symbol} defined")
    follow(state, decision)
    return decision


def _defining(state: State, names: list[str], fresh: str) -> str:
    """Return the name whose definition counts for an instrument of several names: the newest defined."""
    for name in reversed(names):
        if name == fresh or state.definition(name) is not None:
            return name
    return fresh


def define_account(state: State, fact: facts.Account, stamp: Stamp) -> Decision:
    """Define an account; its ledgers fold again under another currency or mode."""
    decision = _define(state, fact, stamp, key=fact.name, event="account_defined", account=fact.name)
    if decision.status == "exists":
        return decision
    refold = Refold(state, decision, stamp)
    for ledger in list(state.ledgers(fact.name)):
        definition = next(
            (
                found
                for name in reversed(state.names(ledger.account, ledger.instrument))
                if (found := state.definition(name)) is not None
            ),
            None,
        )
        terms = terms_of(definition, ledger.terms.instrument, fact)
        if terms != ledger.terms:
            refold.plan(ledger, terms=terms)
    refold.run("definition", f"account {fact.name} defined")
    follow(state, decision)
    return decision


def define_settings(state: State, fact: facts.BookSettings, stamp: Stamp) -> Decision:
    """Set the book's base currency, zone and roll; figures kept by them are made anew."""
    Days(fact.zone, fact.rolls_at)
    decision = _define(state, fact, stamp, key="book", event="settings_defined")
    if decision.status == "exists":
        return decision
    old = state.settings
    if old.base_currency != fact.base_currency:
        refold = Refold(state, decision, stamp, revalue=fact)
        for ledger in list(state.ledgers()):
            refold.plan(ledger)
        refold.run("definition", f"base currency {fact.base_currency}")
        for cash_ledger in list(state.cash_ledgers()):
            _revalue_cash(state, decision, cash_ledger, fact.base_currency, stamp, everything=True)
        decision.days.clear()
    decision.tally["days_anew"] = 1
    return decision


def define_limits(state: State, fact: facts.Limits, stamp: Stamp) -> Decision:
    """Set what the order gate lets through; no figure follows from it."""
    place = (fact.account, fact.strategy, fact.instrument)
    decision = _define(
        state,
        fact,
        stamp,
        key=identity_text(*place),
        event="limits_defined",
        instrument=fact.instrument,
        account=fact.account,
        strategy=fact.strategy,
    )
    decision.identity = identity_text(fact.KIND, *place)
    decision.definitions = False
    return decision


def define_token(state: State, fact: facts.Token, stamp: Stamp) -> Decision:
    """Say who may use the service, and for what; no figure follows from it."""
    decision = _define(state, fact, stamp, key=fact.name, event="token_defined", strategy=fact.strategy)
    decision.definitions = False
    return decision


def define_hook(state: State, fact: facts.Hook, stamp: Stamp) -> Decision:
    """Open an address for alerts, or close it; no figure follows from it."""
    decision = _define(
        state, fact, stamp, key=fact.name, event="hook_defined", account=fact.account, strategy=fact.strategy
    )
    decision.definitions = False
    return decision


def record_rate(state: State, fact: facts.Rate, stamp: Stamp) -> Decision:
    """Take in a rate; what had none until now is valued, what was valued stays."""
    at = stamp.recorded_ns if fact.occurred_ns is None else fact.occurred_ns
    key = identity_text(fact.base, fact.quote, str(at), fact.source)
    decision = Decision()
    decision.identity = identity_text("rate", key)
    decision.occurred_ns = at
    held = state.record("rate", "", key)
    if held is not None:
        decision.first = int(held.body["first"])
        decision.status = "exists"
        if held.body["price"] != plain(fact.price):
            decision.status = "conflict"
            conflict(state, decision, stamp, {"kind": "rate", "price": plain(fact.price)})
        return decision
    data: Data = fact_data(fact) | {"fact": "rate"}
    if fact.occurred_ns is None:
        data["own_time"] = True
    decision.events.append(EventDraft("rate_recorded", data))
    body = fact_data(fact) | {"first": stamp.sequence}
    decision.records.append(Record("rate", "", key, at, body))
    decision.identities.append((scope("rate"), key, 1))
    known = KnownRate(fact.price, at, fact.source)
    decision.rates.append((fact.base, fact.quote, known))
    _value_what_waits(_WithRate(state, fact.base, fact.quote, known), decision, at, stamp)
    return decision


class _WithRate:
    """A state that knows one more rate than is recorded yet."""

    def __init__(self, state: State, base: str, quote: str, known: KnownRate) -> None:
        self._state = state
        self._pair = (base, quote)
        self._known = known

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    def find_rate(self, base: str, quote: str, at: int) -> KnownRate | None:
        found = self._state.find_rate(base, quote, at)
        if (base, quote) != self._pair or not at - MAX_AGE <= self._known.at <= at:
            return found
        return self._known if found is None or self._known.at > found.at else found

    def rate_pairs(self) -> set[tuple[str, str]]:
        return {*self._state.rate_pairs(), self._pair}


def _value_what_waits(state: Any, decision: Decision, at: int, stamp: Stamp) -> None:
    refold = Refold(state, decision, stamp)
    planned = False
    for ledger in list(state.ledgers(unvalued=True)):
        pairs = list(_valuable(state, ledger, at, stamp))
        if pairs:
            planned = True
            refold.plan(ledger, removed=[old for old, _ in pairs], added=[new for _, new in pairs])
    if planned:
        refold.run("rate", "valued by a later rate")
        follow(state, decision)
    for cash_ledger in list(state.cash_ledgers(unvalued=True)):
        _revalue_cash(state, decision, cash_ledger, state.settings.base_currency, stamp, since=at)


def _valuable(state: Any, ledger: Ledger, at: int, stamp: Stamp) -> Any:
    base_currency = state.settings.base_currency
    begin = (at, -1, "", 0, 0)
    for movement in state.movements(ledger.id, begin):
        when = movement.order[0]
        if when > at + MAX_AGE:
            return
        worth, base = movement.worth, movement.base
        foreign = foreign_currency(ledger.terms, movement)
        if worth is None and foreign:
            worth = valuation(state.find_rate, state.rate_pairs(), foreign, ledger.terms.settle, when)
        if base is None and ledger.terms.settle != base_currency:
            base = valuation(state.find_rate, state.rate_pairs(), ledger.terms.settle, base_currency, when)
        if worth != movement.worth or base != movement.base:
            yield movement, replace(movement, worth=worth, base=base, known_from=stamp.sequence)


def _revalue_cash(  # noqa: PLR0913  one ledger's parts
    state: Any,
    decision: Decision,
    ledger: CashLedger,
    base_currency: str,
    stamp: Stamp,
    *,
    since: int = 0,
    everything: bool = False,
) -> None:
    """Value the movements of a cash ledger that had no rate, or all of them in another base currency."""
    cash = ledger.cash
    native, base, missing = dict(cash.native), dict(cash.base), dict(cash.missing)
    if everything:
        base, missing = {}, {}
    changed = False
    for movement in state.movements(ledger.id, (since - 1, 99, "", 0, 0) if since else (-1, 0, "", 0, 0)):
        if not everything and movement.order[0] > since + MAX_AGE:
            break
        if movement.base is not None and not everything:
            continue
        rate = None
        if ledger.currency != base_currency:
            rate = valuation(state.find_rate, state.rate_pairs(), ledger.currency, base_currency, movement.order[0])
        category, amount = movement.category, movement.amount
        if everything and ledger.currency != base_currency:
            target = missing if rate is None else base
            worth = amount if rate is None else rate.value(amount)
            target[category] = add(target.get(category, amount - amount), worth)
        elif not everything:
            if rate is None:
                continue
            missing[category] = subtract(missing[category], amount)
            base[category] = add(base.get(category, amount - amount), rate.value(amount))
        changed = True
        if rate != movement.base:
            decision.ended.append((ledger.id, movement))
            decision.added.append((ledger.id, replace(movement, base=rate, known_from=stamp.sequence)))
    if changed or everything:
        after = Cash(native, base, missing, cash.updated_ns, stamp.sequence)
        decision.cash_ledgers.append((ledger, after))


def change_symbol(
    state: State, decision: Decision, fact: facts.CorporateAction, ledger: Ledger, at: int, stamp: Stamp
) -> Decision:
    """Give an instrument another name: one ledger under both, whichever name a fact came under."""
    names = state.names(fact.account, fact.instrument)
    if fact.new_symbol in names:
        msg = f"{fact.new_symbol} is a name of {fact.instrument} already"
        raise RuleError(msg, instrument=fact.instrument)
    body = {"names": [*names, fact.new_symbol], "canonical": ledger.instrument}
    decision.definitions = True
    decision.ledger = ledger
    for name in [*names, fact.new_symbol]:
        decision.records.append(Record("alias", fact.account, name, at, body))
    other = state.ledger(fact.account, fact.new_symbol)
    rows: list[Movement] = list(state.movements(other.id))
    refold = Refold(state, decision, stamp)
    if rows:
        refold.plan(other, removed=rows)
        refold.plan(ledger, added=[replace(row, known_from=stamp.sequence) for row in rows])
    definition = state.definition(fact.new_symbol)
    if definition is not None:
        terms = terms_of(definition, ledger.terms.instrument, state.account(fact.account))
        if terms != ledger.terms:
            refold.plan(ledger, terms=terms)
    refold.run("symbol change", f"{fact.instrument} is now {fact.new_symbol}")
    follow(state, decision)
    return decision


__all__ = ["cash_data"]
