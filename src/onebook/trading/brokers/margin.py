"""What an account can still afford: read from the book's balances and positions, and never kept apart.

An account has one **pool** per settlement currency: its cash there, what its positions add at their marks, what
they ask as margin, and what open orders reserve. Amounts are in the pool's currency, ratios from 0 on.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from onebook.book.core import Core
from onebook.domain.instruments import Terms
from onebook.domain.numbers import ZERO, absolute, add, multiply, negate, plain, share, subtract
from onebook.domain.steps import notional
from onebook.trading.brokers.paper_rules import Margin

PriceOf = Callable[[str], Decimal | None]
Place = tuple[str, str, str]
"""(instrument, strategy, leg): where a position is held."""


@dataclass(slots=True)
class Held:
    """One open position: ``quantity`` signed; ``cost`` signed with it, in the settlement currency."""

    terms: Terms
    margin: Margin
    quantity: Decimal = ZERO
    cost: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """An account in one currency.

    Attributes:
        cash: its balance.
        equity: cash and what the positions add at their marks; shorts take away what it costs to buy them back.
        initial: what the positions ask to have been opened.
        maintenance: what they ask to be kept.
    """

    cash: Decimal
    equity: Decimal
    initial: Decimal
    maintenance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an order that works may still trade.

    ``quantity`` above 0 is left, ``price`` is what it reckons with, ``fee`` what it will cost, 0 or more.
    """

    place: Place
    side: str
    quantity: Decimal
    price: Decimal | None
    group: str = ""
    fee: Decimal = ZERO


@dataclass(slots=True)
class Purse:
    """An account's balances and positions at one moment; fills move it along.

    Attributes:
        account: whose.
        terms: symbol -> what it means in this account.
        margin_for: the margin that the venue asks.
        balances: asset -> amount.
        held: its open positions.
    """

    account: str
    terms: Callable[[str], Terms]
    margin_for: Callable[[Terms], Margin]
    balances: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    held: dict[Place, Held] = field(default_factory=dict)

    def copy(self) -> "Purse":
        """Return one that moves on its own."""
        held = {place: Held(item.terms, item.margin, item.quantity, item.cost) for place, item in self.held.items()}
        balances = defaultdict(lambda: ZERO, self.balances)
        return Purse(self.account, self.terms, self.margin_for, balances, held)

    def quantity(self, place: Place) -> Decimal:
        """Return the signed quantity held at a place."""
        found = self.held.get(place)
        return ZERO if found is None else found.quantity

    def total(self, instrument: str) -> Decimal:
        """Return the signed quantity that all strategies hold of an instrument together."""
        return sum((item.quantity for place, item in self.held.items() if place[0] == instrument), ZERO)

    def closes(self, place: Place, side: str) -> Decimal:
        """Return how much of a side takes off what the account holds there, of all strategies together: 0 or more."""
        same = (item.quantity for at, item in self.held.items() if (at[0], at[2]) == (place[0], place[2]))
        quantity = sum(same, ZERO)
        return max(quantity if side == "sell" else negate(quantity), ZERO)

    # ---- what moves it ----

    def filled(self, place: Place, side: str, quantity: Decimal, price: Decimal, fee: tuple[Decimal, str]) -> None:
        """Move it by an execution, as the book will."""
        found = self.held.get(place)
        terms = self.terms(place[0]) if found is None else found.terms
        signed = quantity if side == "buy" else negate(quantity)
        self.balances[fee[1]] = subtract(self.balances[fee[1]], fee[0])
        if terms.pays_notional:
            self.balances[terms.settle] = subtract(self.balances[terms.settle], notional(terms, signed, price))
        if terms.moves_base:
            self.balances[terms.base] = add(self.balances[terms.base], signed)
        if found is None:
            found = self.held[place] = Held(terms, self.margin_for(terms))
        if found.quantity and (found.quantity > 0) != (signed > 0):
            taken = min(absolute(signed), absolute(found.quantity))
            part = taken if found.quantity > 0 else negate(taken)
            cost = (
                found.cost if taken == absolute(found.quantity) else share(found.cost, taken, absolute(found.quantity))
            )
            if not terms.pays_notional:
                gain = subtract(notional(terms, part, price), cost)
                gain = negate(gain) if terms.inverse else gain
                self.balances[terms.settle] = add(self.balances[terms.settle], gain)
            found.quantity, found.cost = subtract(found.quantity, part), subtract(found.cost, cost)
            signed = add(signed, part)
        found.quantity = add(found.quantity, signed)
        found.cost = add(found.cost, notional(terms, signed, price))
        if not found.quantity:
            del self.held[place]

    # ---- what it is worth ----

    def pool(self, currency: str, price_of: PriceOf) -> Pool:
        """Return the account in one currency; a position without a price counts at its cost.

        Margin is asked for what the account holds of an instrument, not for each strategy; legs count apart.
        """
        cash = equity = self.balances[currency]
        netted: dict[tuple[str, str], tuple[Decimal, Margin]] = {}
        for place, item in self.held.items():
            if item.terms.settle != currency:
                continue
            price = price_of(place[0])
            worth = item.cost if not price else notional(item.terms, item.quantity, price)
            if item.terms.pays_notional:
                equity = add(equity, worth)
            else:
                gain = subtract(worth, item.cost)
                equity = add(equity, negate(gain) if item.terms.inverse else gain)
            before = netted.get((place[0], place[2]), (ZERO, item.margin))[0]
            netted[place[0], place[2]] = add(before, worth), item.margin
        initial = maintenance = ZERO
        for worth, margin in netted.values():
            initial = add(initial, multiply(absolute(worth), margin.initial_ratio))
            maintenance = add(maintenance, multiply(absolute(worth), margin.maintenance_ratio))
        return Pool(cash=cash, equity=equity, initial=initial, maintenance=maintenance)

    def needed(self, wish: Wish, price_of: PriceOf) -> Decimal:
        """Return what an order reserves: margin and fee of what it opens or adds; what it reduces is free."""
        price = wish.price or price_of(wish.place[0])
        opening = subtract(wish.quantity, min(wish.quantity, self.closes(wish.place, wish.side)))
        if not price or opening <= 0:
            return ZERO
        terms = self.terms(wish.place[0])
        value = absolute(notional(terms, opening, price))
        return add(multiply(value, self.margin_for(terms).initial_ratio), wish.fee)

    def available(self, currency: str, wishes: Iterable[Wish], price_of: PriceOf) -> Decimal:
        """Return what is free for more, after what positions ask and open orders reserve; below 0 in a breach.

        Orders of one group reserve once: the dearest of them.
        """
        pool = self.pool(currency, price_of)
        free = subtract(pool.equity, pool.initial)
        grouped: dict[str, Decimal] = {}
        for wish in wishes:
            if self.terms(wish.place[0]).settle != currency:
                continue
            needed = self.needed(wish, price_of)
            if wish.group:
                grouped[wish.group] = max(grouped.get(wish.group, ZERO), needed)
            else:
                free = subtract(free, needed)
        for needed in grouped.values():
            free = subtract(free, needed)
        return free

    def refusal(self, wish: Wish, others: Iterable[Wish], price_of: PriceOf) -> str:
        """Return why an order cannot be afforded beside the others; empty when it can."""
        terms = self.terms(wish.place[0])
        margin = self.margin_for(terms)
        if not margin.short and wish.side == "sell":
            return self._nothing_to_sell(wish, list(others), terms)
        needed = self.needed(wish, price_of)
        if not needed:
            return ""
        beside = [other for other in others if not wish.group or other.group != wish.group]
        free = self.available(terms.settle, beside, price_of)
        if needed <= free:
            return ""
        return f"not_enough_buying_power: needs {plain(needed)} {terms.settle}, {plain(max(free, ZERO))} is free"

    def _nothing_to_sell(self, wish: Wish, others: list[Wish], terms: Terms) -> str:
        there = self.balances[terms.base] if terms.moves_base else self.total(wish.place[0])
        taken: dict[str, Decimal] = {}
        for number, other in enumerate(others):
            same = self.terms(other.place[0]).base == terms.base
            if same and other.side == "sell" and not (wish.group and other.group == wish.group):
                name = other.group or f"\x1f{number}"
                taken[name] = max(taken.get(name, ZERO), other.quantity)
        free = subtract(there, sum(taken.values(), ZERO))
        if wish.quantity <= free:
            return ""
        return f"not_enough_to_sell: needs {plain(wish.quantity)} {terms.base}, {plain(max(free, ZERO))} is free"


def read_purse(book: Core, account: str, terms: Callable[[str], Terms], margin_for: Callable[[Terms], Margin]) -> Purse:
    """Read an account's balances and open positions from the book."""
    purse = Purse(account, terms, margin_for)
    for balance in book.balances(account=account):
        purse.balances[balance.asset] = balance.amount
    for position in book.positions(account=account):
        meaning = terms(position.instrument)
        cost = position.cost_basis if position.quantity > 0 else negate(position.cost_basis)
        place = (position.instrument, position.strategy or "", position.leg)
        purse.held[place] = Held(meaning, margin_for(meaning), position.quantity, cost)
    return purse
