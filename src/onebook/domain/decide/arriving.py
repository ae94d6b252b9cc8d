"""What facts that are no fill have in common on their way in: identity, time, event, record, movement."""

from dataclasses import dataclass
from typing import Any

from onebook.domain import facts, times
from onebook.domain.cash import Cash, fold_cash
from onebook.domain.decide.booking import value
from onebook.domain.decide.facts_again import generated, seen_before
from onebook.domain.decide.placing import place
from onebook.domain.decide.signal_status import follow
from onebook.domain.holdings import flag_bit
from onebook.domain.identity import identity_text, scope
from onebook.domain.movements import RANK, Movement
from onebook.domain.rates import valuation
from onebook.domain.shapes import Data, fact_data, valuation_data
from onebook.domain.state import CashLedger, Decision, EventDraft, Ledger, Record, Stamp, State

_AHEAD = flag_bit("time_ahead")


@dataclass(slots=True)
class Start:
    """A fact on its way in: its decision so far, its place in time, and whether it was there before."""

    decision: Decision
    at: int
    data: Data
    repeat: bool
    ahead: bool


def begin(  # noqa: PLR0913  one fact's parts
    state: State,
    fact: Any,
    stamp: Stamp,
    *,
    id_field: str,
    event: str,
    account: str,
    instrument: str = "",
    strategy: str = "",
    key: str = "",
) -> Start:
    """Check a fact's identity, and prepare its event and record."""
    given = key or getattr(fact, id_field)
    name = given or generated(fact.KIND, stamp)
    decision = Decision(account, instrument, strategy)
    decision.identity = identity_text(fact.KIND, account, name)
    kept = fact if getattr(fact, id_field) or key else fact.replaced(**{id_field: name})
    data = fact_data(kept)
    held = state.record(fact.KIND, account, name)
    if held is not None:
        given_ns = None if fact.KIND == "corporate_action" else fact.occurred_ns
        seen_before(state, decision, held, data, stamp, given_ns=given_ns)
        return Start(decision, decision.occurred_ns, data, repeat=True, ahead=False)
    at = fact.occurred_ns
    ahead = False
    if at is None:
        at = _own_time(state, fact, stamp, account, instrument, strategy)
        data["own_time"] = True
    elif at > stamp.recorded_ns + times.FAR_AHEAD:
        ahead = True
        data["flags"] = ["time_ahead"]
    decision.occurred_ns = at
    decision.events.append(EventDraft(event, data | {"fact": fact.KIND}))
    decision.identities.append((scope(fact.KIND, account), name, 1))
    body = {field: item for field, item in data.items() if field != "raw"} | {"first": stamp.sequence}
    decision.records.append(Record(fact.KIND, account, name, at, body, instrument, strategy))
    if name == generated(fact.KIND, stamp):
        decision.tally["facts_without_identity"] = 1
    return Start(decision, at, data, repeat=False, ahead=ahead)


def _own_time(state: State, fact: Any, stamp: Stamp, account: str, instrument: str, strategy: str) -> int:
    """Return the moment of recording, never before the newest movement of what the fact touches."""
    newest = 0
    if instrument and not isinstance(fact, facts.Transfer):
        holdings = state.ledger(account, instrument).holdings
        for key, holding in holdings.items():
            if not strategy or key[0] == strategy:
                newest = max(newest, holding.updated_ns)
    return max(stamp.recorded_ns, newest + 1) if newest else stamp.recorded_ns


def movement_of(state: State, ledger: Ledger, start: Start, stamp: Stamp, kind: str, **parts: Any) -> Movement:
    """Return the movement of a fact in a ledger, with the rates it needs."""
    movement = Movement(
        order=(
            parts.pop("at", start.at),
            RANK[kind],
            parts.pop("tie", ""),
            stamp.sequence,
            parts.pop("ordinal", 1),
        ),
        kind=kind,
        strategy=parts.pop("strategy", ""),
        known_from=stamp.sequence,
        content=1,
        ahead=start.ahead,
        flags=_AHEAD if start.ahead else 0,
        **parts,
    )
    value(state, ledger.terms, movement)
    if movement.worth is not None or movement.base is not None:
        _keep_rates(start, movement)
    return movement


def _keep_rates(start: Start, movement: Movement) -> None:
    data = start.decision.events[0].data
    if movement.worth is not None:
        data["worth"] = valuation_data(movement.worth)
    if movement.base is not None:
        data["base"] = valuation_data(movement.base)


def into(state: State, start: Start, ledger: Ledger, movement: Movement, stamp: Stamp) -> Decision:
    """Put the movement into its ledger and follow its signals."""
    decision = start.decision
    decision.ledger = decision.ledger or ledger
    place(state, decision, ledger, movement, stamp, f"late {movement.kind}")
    follow(state, decision)
    return decision


def move_cash(  # noqa: PLR0913  the parts of one row or query
    state: State, start: Start, account: str, currency: str, amount: Any, category: str, stamp: Stamp,
    *, at: int | None = None, ordinal: int = 1,
) -> None:  # fmt: skip
    """Add a signed amount to a cash ledger."""
    decision = start.decision
    ledger, cash = _newest(state, decision, account, currency)
    when = start.at if at is None else at
    base_currency = state.settings.base_currency
    movement = Movement(
        order=(when, RANK["cash"], "", stamp.sequence, ordinal),
        kind="cash",
        strategy="",
        amount=amount,
        currency=currency,
        category=category,
        known_from=stamp.sequence,
        content=1,
        ahead=start.ahead,
    )
    if currency != base_currency:
        movement.base = valuation(state.find_rate, state.rate_pairs(), currency, base_currency, when)
        if movement.base is not None:
            _keep_rates(start, movement)
    after = fold_cash(cash, movement, valued=currency != base_currency)
    decision.added.append((ledger.id, movement))
    decision.cash_ledgers = [item for item in decision.cash_ledgers if item[0].id != ledger.id]
    decision.cash_ledgers.append((ledger, after))


def _newest(state: State, decision: Decision, account: str, currency: str) -> tuple[CashLedger, Cash]:
    for ledger, cash in decision.cash_ledgers:
        if (ledger.account, ledger.currency) == (account, currency):
            return ledger, cash
    ledger = state.cash(account, currency)
    return ledger, ledger.cash
