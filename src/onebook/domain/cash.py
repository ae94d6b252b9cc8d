"""What one currency of one account holds outside its positions, by where it came from.

A cash ledger only adds up, so the order of its movements does not matter and nothing is folded again.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from onebook.domain.movements import Movement
from onebook.domain.numbers import ZERO, add, plain

CATEGORIES = ("opening", "transfers", "internal", "other")
"""Where money comes from: there before the book, from outside, from an own account, all else."""

Amounts = dict[str, Decimal]


@dataclass(slots=True)
class Cash:
    """Signed amounts (+ in) per category, in the currency itself.

    ``base`` holds the same in the book's base currency and ``missing`` what had no rate to it; both stay
    empty where the two currencies are one.
    """

    native: Amounts = field(default_factory=dict)
    base: Amounts = field(default_factory=dict)
    missing: Amounts = field(default_factory=dict)
    updated_ns: int = 0
    sequence: int = 0

    @property
    def balance(self) -> Decimal:
        """The amount that is here, whichever way it came."""
        total = ZERO
        for value in self.native.values():
            total = add(total, value)
        return total


def fold_cash(cash: Cash, movement: Movement, *, valued: bool) -> Cash:
    """Return the state after a movement of ``amount`` in ``category``.

    Args:
        cash: the state before; it is not touched.
        movement: with its amount.
        valued: False where the currency is the base currency itself.
    """
    amount = movement.amount or ZERO
    after = Cash(
        dict(cash.native),
        dict(cash.base),
        dict(cash.missing),
        max(cash.updated_ns, 0 if movement.ahead else movement.order[0]),
        max(cash.sequence, movement.order[3]),
    )
    _move(after.native, movement.category, amount)
    if valued:
        if movement.base is None:
            _move(after.missing, movement.category, amount)
        else:
            _move(after.base, movement.category, movement.base.value(amount))
    return after


def _move(amounts: Amounts, category: str, amount: Decimal) -> None:
    amounts[category] = add(amounts.get(category, ZERO), amount)


def cash_data(cash: Cash) -> dict[str, Any]:
    """Return the state as plain data."""
    data: dict[str, Any] = {}
    for part in ("native", "base", "missing"):
        amounts = {name: plain(value) for name, value in sorted(getattr(cash, part).items()) if value}
        if amounts:
            data[part] = amounts
    return data | {"updated_ns": cash.updated_ns, "sequence": cash.sequence}


def cash_from(data: dict[str, Any]) -> Cash:
    """Return the state that this data was made from."""
    native, base, missing = (
        {name: Decimal(value) for name, value in data.get(part, {}).items()} for part in ("native", "base", "missing")
    )
    return Cash(native, base, missing, data["updated_ns"], data["sequence"])
