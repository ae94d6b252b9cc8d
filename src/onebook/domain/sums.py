"""What all positions of a ledger come to: a lean fold of plain fills and payments, for figures at many moments.

It keeps of each position only its quantity and its cost, and of the ledger its cash; what needs more to be told is
refused, and is to be folded by :func:`onebook.domain.positions.fold`, whose results these are.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from onebook.domain.holdings import Holding
from onebook.domain.instruments import Terms
from onebook.domain.movements import FIRST, Order
from onebook.domain.numbers import ZERO, absolute, add, multiply, share, subtract
from onebook.domain.steps import notional

_HARMLESS = frozenset({"high", "low", "signal_id", "close_reason", "ahead", "flags"})
"""What a fill may say beside its figures without moving money or units."""


class Sums:
    """The positions of a ledger in sums.

    ``cash`` is signed (+ in), in the settlement currency; ``last`` the place of the newest movement that they are of.

    Args:
        terms: of the ledger; neither inverse nor hedging.
        needs_rate: whether each movement must have a rate to the book's base currency.
    """

    __slots__ = ("_held", "_needs_rate", "_terms", "cash", "last")

    def __init__(self, terms: Terms, *, needs_rate: bool) -> None:
        self._terms = terms
        self._needs_rate = needs_rate
        self._held: dict[str, tuple[Decimal, Decimal]] = {}
        self.cash = ZERO
        self.last: Order = FIRST

    def is_open(self) -> bool:
        """Say whether any of them is not flat."""
        return any(held for held, _ in self._held.values())

    def _totals(self) -> tuple[Decimal, Decimal]:
        """Return the quantity and the cost of all, the cost signed with the quantity."""
        quantity = cost = ZERO
        for held, paid in self._held.values():
            quantity = add(quantity, held)
            cost = add(cost, paid) if held > ZERO else subtract(cost, paid)
        return quantity, cost

    def put(self, holdings: Iterable[Holding]) -> bool:
        """Begin with positions as they are folded; False where one of them is more than its sums."""
        for item in holdings:
            if (
                item.unbased
                or item.transit
                or item.receivables
                or item.other_cash
                or item.unvalued
                or item.splits
                or item.realized_missing
                or item.opening_missing
                or item.transfers_missing
            ):
                return False
            self._held[item.strategy] = (item.quantity, item.cost)
            self.cash = add(self.cash, item.cash)
            self.last = max(self.last, item.last)
        return True

    def fill(
        self, strategy: str, quantity: Decimal, price: Decimal, fee: Decimal | None, currency: str, extra: Any
    ) -> bool:
        """Take a fill; False where it is more than plain. Signs and units are those of a movement.

        Args:
            strategy: whose.
            quantity: signed.
            price: per unit.
            fee: a cost is positive.
            currency: of the fee.
            extra: what else it says; None for nothing.
        """
        if not self._is_plain(extra):
            return False
        terms = self._terms
        held, cost = self._held.get(strategy, (ZERO, ZERO))
        value = notional(terms, quantity, price)
        if terms.pays_notional:
            self.cash = subtract(self.cash, value)
        if fee:
            if currency == terms.settle:
                self.cash = subtract(self.cash, fee)
            elif terms.moves_base and currency == terms.base and held >= ZERO and quantity > fee and quantity > ZERO:
                quantity = subtract(quantity, fee)
            else:
                return False
        self._held[strategy] = self._traded(held, cost, quantity, price, absolute(value))
        return True

    def _traded(
        self, held: Decimal, cost: Decimal, quantity: Decimal, price: Decimal, value: Decimal
    ) -> tuple[Decimal, Decimal]:
        """Return the quantity and the cost after a trade at a value, unsigned, for all of it."""
        if not held or (held > ZERO) == (quantity > ZERO):
            return add(held, quantity), add(cost, value)
        size, closing = absolute(held), absolute(quantity)
        if closing <= size:
            removed = share(cost, closing, size)
            self._gain(value, removed, is_long=held > ZERO)
            return add(held, quantity), subtract(cost, removed)
        part = notional(self._terms, size, price)
        self._gain(part, cost, is_long=held > ZERO)
        return add(held, quantity), subtract(value, part)

    def _gain(self, value: Decimal, cost: Decimal, *, is_long: bool) -> None:
        if not self._terms.pays_notional:
            self.cash = add(self.cash, subtract(value, cost) if is_long else subtract(cost, value))

    def pay(self, amount: Decimal, currency: str, extra: Any) -> bool:
        """Take a payment in or out, whoever's it is; False where it is in another currency, or without a rate."""
        if currency != self._terms.settle or (self._needs_rate and "base" not in extra):
            return False
        self.cash = add(self.cash, amount)
        return True

    def _is_plain(self, extra: Any) -> bool:
        if extra is None:
            return not self._needs_rate
        if self._needs_rate:
            return "base" in extra and all(name in _HARMLESS or name == "base" for name in extra)
        return all(name in _HARMLESS for name in extra)

    def settled(self) -> Decimal:
        """Return the cash, and what is open at its cost where that was paid."""
        return add(self.cash, self._totals()[1]) if self._terms.pays_notional else self.cash

    def gain(self, price: Decimal) -> Decimal:
        """Return what closing all of it at a price would realize."""
        quantity, cost = self._totals()
        units = multiply(quantity, self._terms.contract_size)
        return subtract(multiply(units, price), cost)


def can_sum(terms: Terms) -> bool:
    """Say whether the positions under such terms add up without rounding."""
    return not terms.inverse and not terms.hedging
