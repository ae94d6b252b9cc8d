"""Matching at one moment: a print, a quote, or the open of a bar."""

from collections.abc import Iterable
from decimal import Decimal

from onebook.domain.matching.floor import AT_ONCE, Floor, is_limit, is_stop
from onebook.domain.matching.model import Working
from onebook.domain.matching.prices import fills, reached
from onebook.domain.numbers import ZERO, negate, subtract


def match_point(
    floor: Floor, due: Iterable[str], buy_at: Decimal | None, sell_at: Decimal | None, *, is_open: bool = False
) -> None:
    """Match orders at what a buy would pay and a sell would get now; None: nobody is there.

    First who takes, oldest first: market orders and stops whose level is reached. Then limit orders, the best price
    first. Then trails move.

    Args:
        floor: the orders of this step, with the supply of this moment.
        due: the orders that may fill now, oldest first.
        buy_at: per unit.
        sell_at: per unit.
        is_open: of a bar: a resting limit order that it has jumped over fills at the open, and market orders wait where
            they are filled at the close.
    """
    prices = {"buy": buy_at, "sell": sell_at}
    limits = []
    for order_id in due:
        order = floor.orders.get(order_id)
        price = None if order is None else prices[order.order.side]
        if order is None or price is None:
            continue
        taken = _take(floor, order, price, is_open=is_open)
        if taken is not None:
            limits.append((taken, price))
    for order_id in _best_first(floor, limits):
        order = floor.orders.get(order_id)
        price = None if order is None else prices[order.order.side]
        if order is not None and price is not None:
            meet_limit(floor, order, price, is_open=is_open)


def _take(floor: Floor, order: Working, price: Decimal, *, is_open: bool) -> str | None:
    """Fill what takes at this price, and move trails; return the id of an order that is a limit order by now."""
    if is_stop(order):
        level = order.stop_price
        if level is None or not reached(order.order.side, level, price):
            if order.order.kind == "trailing_stop":
                floor.trail(order, price)
            return None
        order = floor.trigger(order)
        if is_limit(order):
            if takes_limit(order, price):
                floor.trade(order, price, maker=False)
                return None
            return order.id
    if is_limit(order):
        return order.id
    waits = is_open and order.order.kind == "market" and floor.rules.market_on == "this_close"
    if not waits:
        floor.trade(order, price, maker=False)
    return None


def _best_first(floor: Floor, limits: list[tuple[str, Decimal]]) -> list[str]:
    """Return the limit orders, each given with the price it meets: who would pay most for it first, then the oldest."""

    def gain(item: tuple[str, Decimal]) -> Decimal:
        order = floor.orders.get(item[0])
        if order is None or order.limit_price is None:
            return ZERO
        beyond = subtract(order.limit_price, item[1])
        return beyond if order.order.side == "buy" else negate(beyond)

    return [order_id for order_id, _ in sorted(limits, key=gain, reverse=True)]


def meet_limit(floor: Floor, order: Working, price: Decimal, *, is_open: bool) -> None:
    """Fill a limit order at a moment's price, as a taker when it comes now, at its limit when it rested."""
    limit, side = order.limit_price, order.order.side
    if limit is None:
        return
    if order.order.time_in_force in AT_ONCE:
        if takes_limit(order, price):
            floor.trade(order, price, maker=False)
        else:
            floor.give_up(order.id)
    elif order.takes and not order.fills and takes_limit(order, price):
        floor.trade(order, price, maker=False)
    elif fills(side, limit, price, through=floor.rules.limit_on == "through"):
        floor.trade(order, price if is_open else limit, maker=True)


def takes_limit(order: Working, price: Decimal) -> bool:
    """Say whether a limit order that comes now would be filled at this price."""
    return order.limit_price is not None and fills(order.order.side, order.limit_price, price, through=False)
