"""Prices and levels of orders: which is better for whom, on which tick, and where a trail lies."""

from decimal import Decimal

from onebook.domain.facts import Order
from onebook.domain.market import Bar, Print, Seen
from onebook.domain.numbers import CONTEXT, ONE, ZERO, add, multiply, quotient, subtract


def on_step(value: Decimal, step: Decimal | None, *, up: bool) -> Decimal:
    """Return the nearest multiple of a step, at or above the value or at or below it; no step: 18 places."""
    if step is None:
        return quotient(value, ONE)
    rest = CONTEXT.remainder(value, step)
    if not rest:
        return value
    down = subtract(value, rest)
    return add(down, step) if up else down


def trade_prices(seen: Seen) -> tuple[Decimal | None, Decimal | None]:
    """Return what a buy pays and a sell gets at the last moment seen; None: nobody is there."""
    if isinstance(seen, Print):
        return seen.price, seen.price
    if isinstance(seen, Bar):
        return seen.close, seen.close
    return seen.ask or None, seen.bid or None


def crossed(side: str, limit: Decimal, seen: Seen | None) -> bool:
    """Say whether an arriving limit order would be filled by what was seen last; True when nothing was seen.

    A quote's other side at the limit fills it, a last price at the limit does not.
    """
    if seen is None:
        return True
    ask, bid = trade_prices(seen)
    price = ask if side == "buy" else bid
    if price is None:
        return False
    if isinstance(seen, Print | Bar):
        return price < limit if side == "buy" else price > limit
    return price <= limit if side == "buy" else price >= limit


def reached(side: str, level: Decimal, price: Decimal) -> bool:
    """Say whether a price triggers a stop: a buy's at or above its level, a sell's at or below."""
    return price >= level if side == "buy" else price <= level


def fills(side: str, limit: Decimal, price: Decimal, *, through: bool) -> bool:
    """Say whether a price fills a limit order: at the limit or better, or only better where it must go through."""
    if price == limit:
        return not through
    return price < limit if side == "buy" else price > limit


def trail_level(order: Order, price: Decimal, tick: Decimal | None) -> Decimal:
    """Return the level of a trailing stop after a best price: 0 or more, rounded away from the price."""
    amount, ratio = order.trail_amount, order.trail_ratio
    trail = multiply(price, ratio or ZERO) if amount is None else amount
    if order.side == "buy":
        return on_step(add(price, trail), tick, up=True)
    return max(on_step(subtract(price, trail), tick, up=False), ZERO)
