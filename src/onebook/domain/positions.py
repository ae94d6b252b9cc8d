"""The fold of one ledger: what each movement does to the positions in it.

Average cost, kept as quantity and cost: a partial close removes cost × closed ÷ quantity, what is left stays
with the rest, and a full close is exact. Linear contracts are worth quantity × contract_size × price; inverse
ones quantity × contract_size ÷ price, in the coin. Fees in the base asset of a spot pair change the quantity;
fees in a third currency count at a recorded rate or stay unvalued. Nothing here looks at a mark.

Source: ``docs/reference/positions.md`` and the golden tables beside it.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from onebook.domain.holdings import ASSUMED, LEG_EXCEEDED, OVERSOLD, Change, Holding, Key, Receivable
from onebook.domain.instruments import Terms
from onebook.domain.movements import Movement, Valuation
from onebook.domain.numbers import ZERO, absolute, add, multiply, negate, share, split_parts, subtract
from onebook.domain.steps import held_in, notional, trade
from onebook.domain.units import fold_arrival, fold_opening, fold_reassign, fold_settlement, fold_split, fold_transfer


def fold(terms: Terms, holdings: Mapping[Key, Holding], movement: Movement) -> list[Change]:
    """Apply one movement to a ledger's positions and return what changed. The mapping is not touched."""
    kind = movement.kind
    if kind == "fill":
        changes = [_fold_fill(terms, held_in(terms, holdings, movement), movement)]
    elif kind == "funding":
        changes = _fold_funding(terms, holdings, movement)
    elif kind == "cash":
        changes = [_fold_cash(terms, held_in(terms, holdings, movement), movement)]
    else:
        changes = _RARE[kind](terms, holdings, movement)
    for change in changes:
        after = change.after
        occurred = movement.order[0]
        if occurred > after.updated_ns and not movement.ahead:
            after.updated_ns = occurred
        after.flags |= movement.flags
        after.sequence = max(after.sequence, movement.order[3])
        after.last = max(after.last, movement.order)
        if terms.assumed:
            after.flags |= ASSUMED
        if movement.base is not None or after.realized_base or after.realized_missing:
            _value_in_base(change, movement.base)
    return changes


def _value_in_base(change: Change, rate: Valuation | None) -> None:
    before, after = change.before, change.after
    delta = subtract(after.realized, before.realized)
    if delta:
        if rate is None:
            after.realized_missing = add(after.realized_missing, delta)
        else:
            after.realized_base = add(after.realized_base, rate.value(delta))
    for name in ("opening", "transfers"):
        moved = subtract(getattr(after, name), getattr(before, name))
        if moved:
            part = f"{name}_missing" if rate is None else f"{name}_base"
            setattr(after, part, add(getattr(after, part), moved if rate is None else rate.value(moved)))


def _with(amounts: dict[str, Decimal], currency: str, amount: Decimal) -> dict[str, Decimal]:
    """Return the amounts with one of them moved; none that is 0 is kept."""
    total = add(amounts.get(currency, ZERO), amount)
    kept = {name: value for name, value in amounts.items() if name != currency}
    if total:
        kept[currency] = total
    return kept


def _fold_fill(terms: Terms, before: Holding, movement: Movement) -> Change:
    after = before.copy()
    change = Change(before, after)
    quantity, price, fee = movement.quantity, movement.price, movement.fee
    assert quantity is not None and price is not None  # noqa: S101,PT018  a fill has both, by its record
    value = notional(terms, quantity, price)
    charged = ZERO
    if fee:
        if movement.fee_currency == terms.settle:
            charged = fee
        elif terms.moves_base and movement.fee_currency == terms.base:
            after.fees_in_base = add(after.fees_in_base, fee)
            quantity = subtract(quantity, fee)
            rest = add(before.quantity, quantity)
            if before.quantity > ZERO > rest and negate(rest) <= fee:
                change.dust = negate(rest)
                after.adjusted = add(after.adjusted, change.dust)
                quantity = negate(before.quantity)
        else:
            charged = _foreign(after, movement, negate(fee), None)
    if terms.pays_notional:
        after.cash = subtract(after.cash, value)
    if charged and movement.fee_currency == terms.settle:
        after.cash = subtract(after.cash, charged)
    if not quantity or (quantity > ZERO) != (movement.quantity > ZERO):  # type: ignore[operator]
        after.gross = subtract(after.gross, value)  # the fee took all that was bought: the price paid for nothing
        value = ZERO
    if terms.hedging and movement.leg:
        quantity, value = _within_leg(change, movement, quantity, value)
    trade(terms, change, movement, quantity, absolute(value), charged)
    if movement.high is not None and after.quantity and after.opened_ns != movement.order[0]:
        after.highest = movement.high if after.highest is None else max(after.highest, movement.high)
    if movement.low is not None and after.quantity and after.opened_ns != movement.order[0]:
        after.lowest = movement.low if after.lowest is None else min(after.lowest, movement.low)
    if terms.moves_base and after.quantity < ZERO and quantity < ZERO:
        after.flags |= OVERSOLD
    return change


def _within_leg(change: Change, movement: Movement, quantity: Decimal, value: Decimal) -> tuple[Decimal, Decimal]:
    """Cap what closes a hedging leg at what it holds; the excess is flagged and taken off the books."""
    held = change.before.quantity
    after = add(held, quantity)
    wrong = after < ZERO if movement.leg == "long" else after > ZERO
    if not wrong:
        return quantity, value
    change.after.flags |= LEG_EXCEEDED
    change.excess = negate(after)
    change.after.adjusted = add(change.after.adjusted, change.excess)
    return negate(held), share(value, held, quantity) if held else ZERO


def _foreign(after: Holding, movement: Movement, amount: Decimal, currency: str | None) -> Decimal:
    """Book a signed amount in another currency; return minus its value in the settlement currency."""
    name = movement.fee_currency if currency is None else currency
    after.other_cash = _with(after.other_cash, name, amount)
    if movement.worth is None:
        after.unvalued = _with(after.unvalued, name, amount)
        return ZERO
    value = movement.worth.value(amount)
    after.foreign = add(after.foreign, value)
    return negate(value)


def _fold_funding(terms: Terms, holdings: Mapping[Key, Holding], movement: Movement) -> list[Change]:
    amount = movement.amount
    assert amount is not None  # noqa: S101  by its record
    if movement.strategy is not None:
        return [_pay(terms, held_in(terms, holdings, movement), movement, amount, "funding")]
    leg = movement.leg if terms.hedging else ""
    holders = [
        holding for _, holding in sorted(holdings.items()) if holding.quantity and (not leg or holding.leg == leg)
    ]
    net = ZERO
    for holding in holders:
        net = add(net, holding.quantity)
    if not net:
        unnamed = holdings.get(("", leg)) or Holding("", leg)
        return [_pay(terms, unnamed, movement, amount, "funding")]
    parts = split_parts(amount, [holding.quantity for holding in holders])
    return [
        _pay(terms, holding, movement, part, "funding") for holding, part in zip(holders, parts, strict=True) if part
    ]


def _pay(terms: Terms, before: Holding, movement: Movement, amount: Decimal, figure: str) -> Change:
    """Book a signed amount of money into one figure of a position."""
    after = before.copy()
    if movement.currency == terms.settle:
        after.cash = add(after.cash, amount)
        value = amount
    else:
        value = negate(_foreign(after, movement, amount, movement.currency))
    if figure == "fees":
        after.fees = subtract(after.fees, value)
    else:
        setattr(after, figure, add(getattr(after, figure), value))
    return Change(before, after)


def _fold_cash(terms: Terms, before: Holding, movement: Movement) -> Change:
    assert movement.amount is not None  # noqa: S101  by its record
    figure = "fees" if movement.category in {"fee", "rebate"} else "income"
    return _pay(terms, before, movement, movement.amount, figure)


def _fold_dividend(terms: Terms, holdings: Mapping[Key, Holding], movement: Movement) -> list[Change]:
    """Income on what is held when the ex-date begins: earned now, cash when it is paid."""
    changes = []
    assert movement.amount is not None  # noqa: S101  by its record
    for _, before in sorted(holdings.items()):
        if not before.quantity:
            continue
        after = before.copy()
        amount = multiply(before.quantity, movement.amount)
        if movement.currency == terms.settle:
            after.income = add(after.income, amount)
        elif movement.worth is not None:
            value = movement.worth.value(amount)
            after.income = add(after.income, value)
            after.foreign = add(after.foreign, value)
        else:
            after.unvalued = _with(after.unvalued, movement.currency, amount)
        due = Receivable(movement.order[3], amount, movement.currency, movement.paid_ns)
        after.receivables = (*after.receivables, due)
        changes.append(Change(before, after))
    return changes


def _fold_payment(terms: Terms, holdings: Mapping[Key, Holding], movement: Movement) -> list[Change]:
    """The broker's total for a dividend replaces what was computed for the newest one still open."""
    assert movement.amount is not None  # noqa: S101  by its record
    open_ones = [
        (due.reference, holding, due)
        for _, holding in sorted(holdings.items())
        for due in holding.receivables
        if due.currency == movement.currency
    ]
    if not open_ones:
        return [_fold_cash(terms, held_in(terms, holdings, movement), movement)]
    newest = max(reference for reference, _, _ in open_ones)
    paid = [(holding, due) for reference, holding, due in open_ones if reference == newest]
    total = ZERO
    for _, due in paid:
        total = add(total, due.amount)
    weights = [due.amount for _, due in paid] if total else [absolute(due.amount) for _, due in paid]
    changes = []
    for (before, due), part in zip(paid, split_parts(movement.amount, weights), strict=True):
        change = _pay(terms, before, movement, subtract(part, due.amount), "income")
        after = change.after
        after.receivables = tuple(item for item in before.receivables if item is not due)
        if movement.currency == terms.settle:
            after.cash = add(after.cash, due.amount)
        else:
            after.other_cash = _with(after.other_cash, movement.currency, due.amount)
        changes.append(change)
    return changes


_RARE: dict[str, Callable[[Terms, Mapping[Key, Holding], Movement], list[Change]]] = {
    "split": fold_split,
    "opening": fold_opening,
    "dividend": _fold_dividend,
    "payment": _fold_payment,
    "transfer": fold_transfer,
    "arrival": fold_arrival,
    "reassign": fold_reassign,
    "settlement": fold_settlement,
}
