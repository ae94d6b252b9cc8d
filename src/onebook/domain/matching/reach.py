"""How far the market may go before anything happens to the orders that work: a guard, derived from them.

Most of what a market shows is near no order's price. A reach is computed once for the orders as they stand, and tells
with a few comparisons that a print, a quote or a bar would leave them as they are. It may say too often that something
could happen, never too seldom.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from onebook.domain.market import Bar, Print, Seen
from onebook.domain.matching.floor import AT_ONCE, expires_ns, is_limit, is_stop
from onebook.domain.matching.model import Held, Rules, Working
from onebook.domain.numbers import ONE, ZERO, add, quotient, subtract

_NO_HIGH = Decimal("Infinity")
_NO_LOW = Decimal("-Infinity")


@dataclass(slots=True)
class Span:
    """The prices between which nothing happens to the orders of one side, both ends left out."""

    low: Decimal = _NO_LOW
    high: Decimal = _NO_HIGH

    def falls_to(self, price: Decimal) -> None:
        """Something happens at this price and below."""
        self.low = max(self.low, price)

    def rises_to(self, price: Decimal) -> None:
        """Something happens at this price and above."""
        self.high = min(self.high, price)


@dataclass(frozen=True, slots=True)
class Reach:
    """When something may happen to some orders.

    Attributes:
        restless: at whatever is seen next: a market order works, or a trail has no level yet.
        buys: of the orders that buy, along what a buy pays.
        sells: of the orders that sell, along what a sell gets.
        until: the first moment at which an order's time is over; None: no order has one.
        exits: (strategy, leg, side) of the orders that only reduce.
    """

    restless: bool = False
    buys: Span = field(default_factory=Span)
    sells: Span = field(default_factory=Span)
    until: int | None = None
    exits: frozenset[tuple[str, str, str]] = frozenset()

    def meets(self, seen: Seen) -> bool:
        """Say whether what the market shows may touch an order. What only reduces is told by :meth:`idles`."""
        if self.restless or (self.until is not None and seen.at_ns >= self.until):
            return True
        if isinstance(seen, Print):
            price = seen.price
            return self._crossed(self.buys, price, price) or self._crossed(self.sells, price, price)
        if isinstance(seen, Bar):
            low, high = min(seen.low, seen.open, seen.close), max(seen.high, seen.open, seen.close)
            return self._crossed(self.buys, low, high) or self._crossed(self.sells, low, high)
        asked, bidden = seen.ask, seen.bid
        return bool(asked and self._crossed(self.buys, asked, asked)) or bool(
            bidden and self._crossed(self.sells, bidden, bidden)
        )

    def idles(self, held: Held) -> bool:
        """Say whether an order that only reduces has nothing left to reduce."""
        for strategy, leg, side in self.exits:
            quantity = held.get((strategy, leg), ZERO)
            if quantity >= 0 if side == "buy" else quantity <= 0:
                return True
        return False

    @staticmethod
    def _crossed(span: Span, low: Decimal, high: Decimal) -> bool:
        return low <= span.low or high >= span.high


def reach_of(working: Iterable[Working], rules: Rules) -> Reach:
    """Return when something may happen to some orders; children that wait are moved by their parents only."""
    buys, sells = Span(), Span()
    restless, until = False, None
    exits = set()
    for order in working:
        over = expires_ns(order)
        if over is not None:
            until = over if until is None else min(until, over)
        if order.waiting:
            continue
        sent = order.order
        if sent.reduce_only:
            exits.add((sent.strategy, sent.leg, sent.side))
        restless = _mark(order, buys if sent.side == "buy" else sells, rules) or restless
    return Reach(restless, buys, sells, until, frozenset(exits))


def _mark(order: Working, span: Span, rules: Rules) -> bool:
    """Note where an order is touched; say whether anything that is seen touches it."""
    buys = order.order.side == "buy"
    if is_stop(order):
        level = order.stop_price
        if level is None:
            return True
        (span.rises_to if buys else span.falls_to)(level)
        if order.order.kind == "trailing_stop":
            (span.falls_to if buys else span.rises_to)(_moves_at(order, level, rules.trail_step))
        return False
    if not is_limit(order) or order.limit_price is None or order.order.time_in_force in AT_ONCE:
        return True
    (span.falls_to if buys else span.rises_to)(order.limit_price)
    return False


def _moves_at(order: Working, level: Decimal, step: Decimal) -> Decimal:
    """Return the price from which on a trail's level moves."""
    sent = order.order
    moved = subtract(level, step) if sent.side == "buy" else add(level, step)
    if sent.trail_amount is not None:
        return subtract(moved, sent.trail_amount) if sent.side == "buy" else add(moved, sent.trail_amount)
    ratio = sent.trail_ratio or ZERO
    return quotient(moved, add(ONE, ratio) if sent.side == "buy" else subtract(ONE, ratio))
