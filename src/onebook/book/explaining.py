"""Explain a figure by the exact facts that make it, and list lots: both fold a ledger from its beginning."""

from decimal import Decimal

from onebook.book.lens import LedgerInfo, Lens
from onebook.book.positions import as_one
from onebook.domain import times
from onebook.domain.holdings import Change, Holding, Key
from onebook.domain.instruments import Terms
from onebook.domain.lots import Lots as LotFold
from onebook.domain.lots import Parcel
from onebook.domain.movements import Movement, Order
from onebook.domain.numbers import ZERO, absolute, add, canonical, negate, subtract
from onebook.domain.positions import fold
from onebook.domain.reports import Explanation
from onebook.domain.steps import notional
from onebook.errors import InputError

_PARTS: dict[str, tuple[tuple[str, int, str], ...]] = {
    "realized_pnl": (
        ("gross", 1, "gross"),
        ("fees", -1, "fee"),
        ("funding", 1, "funding"),
        ("income", 1, "income"),
    ),
    "realized_pnl_gross": (("gross", 1, "gross"),),
    "fees": (("fees", 1, "fee"),),
    "fees_in_base": (("fees_in_base", 1, "fee"),),
    "funding": (("funding", 1, "funding"),),
    "income": (("income", 1, "income"),),
    "quantity": (("quantity", 1, "quantity"),),
    "cost_basis": (("cost", 1, "cost"),),
}
FIGURES = tuple(_PARTS)


def explain(
    lens: Lens, infos: list[LedgerInfo], strategy: str | None, figure: str, leg: str | None = None
) -> list[Explanation]:
    """Return one row per fact and part of a figure; the amounts sum to it exactly.

    Raises:
        InputError: no such figure.
    """
    if figure not in _PARTS:
        msg = f"figure: {figure!r} is none of {', '.join(FIGURES)}"
        raise InputError(msg, field="figure", value=figure)
    found = []
    for info in infos:
        terms = lens.terms(info)
        holdings: dict[Key, Holding] = {}
        for movement in lens.movements(info.id):
            for change in fold(terms, holdings, movement):
                holdings[change.after.key] = change.after
                if strategy in {None, change.after.strategy} and leg in {None, change.after.leg}:
                    found += _explained(movement, change, figure)
    return found


def _explained(movement: Movement, change: Change, figure: str) -> list[Explanation]:
    rows = []
    for name, sign, kind in _PARTS[figure]:
        amount = subtract(getattr(change.after, name), getattr(change.before, name))
        if amount:
            rows.append(
                Explanation(
                    sequence=movement.order[3],
                    occurred_at=times.to_datetime(movement.order[0]),
                    kind=kind,
                    amount=canonical(amount if sign > 0 else negate(amount)),
                    note=_note(movement, change, kind),
                )
            )
    return rows


def _note(movement: Movement, change: Change, kind: str) -> str:
    parts = [movement.kind]
    if movement.kind == "fill" and movement.quantity is not None and movement.price is not None:
        deed = "buy" if movement.quantity > ZERO else "sell"
        parts = [f"{deed} {absolute(movement.quantity):f} @ {movement.price:f}"]
    if movement.category:
        parts.append(movement.category)
    if kind == "fee" and movement.worth is not None:
        rate = movement.worth
        parts.append(f"at {rate.times:f}/{rate.over:f} of {times.to_text(rate.at)} {rate.source}".rstrip())
    if change.dust:
        parts.append(f"dust {change.dust:f}")
    return ", ".join(parts)


def fold_lots(
    lens: Lens,
    info: LedgerInfo,
    strategy: str | None,
    method: str,
    before: Order | None = None,
    leg: str | None = None,
) -> LotFold:
    """Return the lots of one ledger: of one strategy, or of the account as one (strategy None); of one leg or both."""
    terms = lens.terms(info)
    lots: dict[Key, LotFold] = {}
    holdings: dict[Key, Holding] = {}
    for movement in lens.movements(info.id):
        if before is not None and movement.order >= before:
            break
        counted = as_one(movement) if strategy is None else movement
        changes = fold(terms, holdings, counted)
        for change in changes:
            holdings[change.after.key] = change.after
        if counted.kind == "reassign" and len(changes) == 2:
            _reassign(terms, lots, counted, changes, method)
            continue
        for change in changes:
            _step(lens, info, terms, lots, counted, change, strategy, method)
    wanted = [fold for key, fold in lots.items() if key[0] == (strategy or "") and leg in {None, key[1]}]
    result = LotFold(terms, method)
    for found in wanted:
        result.parcels += found.parcels
        result.closed += found.closed
    result.closed.sort(key=lambda lot: (lot.closed_ns, lot.close_sequence))
    return result


def _of(lots: dict[Key, LotFold], terms: Terms, holding: Holding, method: str) -> LotFold:
    found = lots.get(holding.key)
    if found is None:
        found = lots[holding.key] = LotFold(terms, method)
    return found


def _step(  # noqa: PLR0913  one movement's parts
    lens: Lens,
    info: LedgerInfo,
    terms: Terms,
    lots: dict[Key, LotFold],
    movement: Movement,
    change: Change,
    strategy: str | None,
    method: str,
) -> None:
    mine = _of(lots, terms, change.after, method)
    moved = subtract(change.after.quantity, change.before.quantity)
    if movement.kind == "split":
        ratio = Decimal(movement.numerator), Decimal(movement.denominator)
        whole = subtract(change.after.quantity, _paid_out(change))
        mine.split(*ratio, whole)
        if _paid_out(change):
            mine.trade(movement, _paid_out(change), movement.cash_in_lieu or ZERO)
        return
    if not moved:
        return
    if movement.kind == "transfer" and moved < ZERO:
        _leave(mine, movement, absolute(moved))
        return
    if movement.kind == "transfer" and movement.amount is not None:
        if mine.quantity < ZERO:
            mine.trade(movement, moved, movement.amount)
            return
        mine.bring(_from_other_account(lens, info, movement, strategy, method))
        return
    mine.trade(movement, moved, _value(terms, movement, moved))


def _leave(mine: LotFold, movement: Movement, size: Decimal) -> None:
    """Take units out with their cost; what was not there is owed, at a cost nobody knows."""
    known = min(size, max(mine.quantity, ZERO))
    if known:
        mine.take(known)
    if known < size:
        mine.bring([Parcel(subtract(known, size), None, movement.order[0], movement.order[3])])


def _paid_out(change: Change) -> Decimal:
    """Return the fraction that a split paid out, signed as it left."""
    return subtract(change.after.adjusted, change.before.adjusted)


def _value(terms: Terms, movement: Movement, moved: Decimal) -> Decimal | None:
    if movement.kind == "fill":
        assert movement.quantity is not None and movement.price is not None  # noqa: S101,PT018
        if (moved > ZERO) != (movement.quantity > ZERO):
            return ZERO
        return absolute(notional(terms, movement.quantity, movement.price))
    if movement.price is None:
        return None
    return absolute(notional(terms, moved, movement.price))


def _reassign(terms: Terms, lots: dict[Key, LotFold], movement: Movement, changes: list[Change], method: str) -> None:
    """Parcels go over as they are when nothing is realized, else they close and open at the price."""
    giver = _of(lots, terms, changes[0].after, method)
    taker = _of(lots, terms, changes[1].after, method)
    moved = subtract(changes[1].after.quantity, changes[1].before.quantity)
    if movement.price is not None:
        value = absolute(notional(terms, moved, movement.price))
        giver.trade(movement, negate(moved), value)
        taker.trade(movement, moved, value)
        return
    taken = giver.take(absolute(moved))
    held = taker.quantity
    if held and (held > ZERO) != (moved > ZERO):
        total = ZERO
        for _, _, cost in taken:
            total = add(total, cost or ZERO)
        taker.trade(movement, moved, total)
        return
    taker.bring(
        [
            Parcel(size if moved > ZERO else negate(size), cost, parcel.opened_ns, parcel.sequence)
            for parcel, size, cost in taken
        ]
    )


def _from_other_account(
    lens: Lens, info: LedgerInfo, movement: Movement, strategy: str | None, method: str
) -> list[Parcel]:
    """Return the parcels that left the other account with this transfer, with their dates."""
    assert movement.quantity is not None  # noqa: S101  by its record
    for other in lens.ledgers("position", None, info.name):
        if other.account == info.account:
            continue
        for row in lens.movements(other.id):
            if row.order[3] == movement.order[3] and row.to_account == info.account:
                source = fold_lots(lens, other, strategy, method, row.order)
                known = min(movement.quantity, max(source.quantity, ZERO))
                parcels = [
                    Parcel(size, cost, parcel.opened_ns, parcel.sequence)
                    for parcel, size, cost in (source.take(known) if known else ())
                ]
                if known < movement.quantity:
                    rest = subtract(movement.quantity, known)
                    parcels.append(Parcel(rest, None, movement.order[0], movement.order[3]))
                return parcels
    return [Parcel(movement.quantity, movement.amount, movement.order[0], movement.order[3])]
