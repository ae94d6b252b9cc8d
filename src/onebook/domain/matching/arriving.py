"""A new order arrives at the venue: whether it is taken, and what it is from then on."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from onebook.domain import times
from onebook.domain.facts import Order
from onebook.domain.market import Bar, Seen
from onebook.domain.matching.floor import Floor, same_supply
from onebook.domain.matching.model import NOTHING_HELD, Accepted, Held, Rejected, Resized, Rules, Step, Working
from onebook.domain.matching.prices import crossed, trade_prices
from onebook.domain.matching.rebuilding import Kept
from onebook.domain.numbers import CONTEXT, ONE, ZERO, add, subtract
from onebook.errors import InputError


def accept(  # noqa: PLR0913 - five that every arrival needs, two that most leave out
    working: tuple[Working, ...],
    order: Order,
    at_ns: int,
    last: Seen | None,
    rules: Rules,
    *,
    held: Held = NOTHING_HELD,
    ended: Iterable[Kept] = (),
) -> Step:
    """Return what a new order makes of the orders that work.

    It is never filled by what was seen before, save a market order by the close just seen, where the rules say so.
    An order that works already under its id changes nothing.

    Args:
        working: one account's orders in this instrument, oldest first.
        order: with its client_order_id.
        at_ns: when it reaches the venue.
        last: what the market showed last; None: nothing yet. It tells whether a limit order takes, and where a trail
            starts.
        rules: of the venue.
        held: signed positions by (strategy, leg).
        ended: of orders that work no more, the parent and the group of this one.

    Raises:
        InputError: the order has no client_order_id.
    """
    if not order.client_order_id:
        raise InputError("client_order_id: is empty; an order is known by it at the venue", field="client_order_id")
    if any(other.id == order.client_order_id for other in working):
        return Step(working=working)
    floor = Floor(working, rules, held, at_ns)
    fresh, reason = _placed(order, working, tuple(ended), rules)
    reason = wrong_terms(order, rules) or _wrong_time(order, at_ns) or reason
    if not reason and order.reduce_only and not fresh.waiting and not floor.wanted(fresh):
        reason = "nothing_to_reduce"
    if reason:
        floor.say(Rejected(client_order_id=order.client_order_id, reason=reason))
        return floor.done()
    takes = not fresh.waiting and comes_crossed(order.kind, order.side, fresh.limit_price, last)
    fresh = replace(fresh, accepted_ns=at_ns, takes=takes)
    floor.orders[fresh.id] = fresh
    floor.say(Accepted(client_order_id=fresh.id, takes=takes))
    if fresh.quantity != order.quantity:
        floor.say(Resized(client_order_id=fresh.id, quantity=fresh.quantity))
    if last is not None and not fresh.waiting:
        _begin(floor, fresh, at_ns, last)
    return floor.done()


def comes_crossed(kind: str, side: str, limit: Decimal | None, last: Seen | None) -> bool:
    """Say whether an order that comes now is a limit order that the market would fill."""
    return kind == "limit" and limit is not None and crossed(side, limit, last)


def _placed(order: Order, working: tuple[Working, ...], ended: tuple[Kept, ...], rules: Rules) -> tuple[Working, str]:
    """Return the order as the venue would hold it, after what its parent and its group have filled; why not, if not."""
    fresh = Working(order=order, quantity=order.quantity, limit_price=order.limit_price, stop_price=order.stop_price)
    taken, complete = _of_group(order, working, ended)
    if complete or (taken and (rules.oco == "cancel" or taken >= order.quantity)):
        return fresh, "group_filled"
    fresh = replace(fresh, quantity=subtract(order.quantity, taken))
    if not order.parent_id:
        return fresh, ""
    parent = next((other.counts for other in working if other.id == order.parent_id), None)
    if parent is not None:
        return replace(fresh, waiting=not parent, released=subtract(parent, taken)), ""
    gone = next((other for other in ended if other.order.client_order_id == order.parent_id), None)
    if gone is None:
        return fresh, "unknown_parent"
    released = subtract(gone.counts, taken)
    if released <= 0:
        return fresh, "group_filled" if gone.filled else "parent_ended"
    return replace(fresh, quantity=min(fresh.quantity, released), released=released), ""


def _of_group(order: Order, working: tuple[Working, ...], ended: tuple[Kept, ...]) -> tuple[Decimal, bool]:
    """Return how much the others of an order's group have filled, and whether one of them has filled completely."""
    if not order.group_id:
        return ZERO, False
    taken, complete = ZERO, False
    for other in working:
        if other.order.group_id == order.group_id:
            taken = add(taken, other.counts)
    for gone in ended:
        if gone.order.group_id == order.group_id:
            taken = add(taken, gone.counts)
            complete = complete or gone.status == "filled"
    return taken, complete


def _begin(floor: Floor, order: Working, at_ns: int, last: Seen) -> None:
    """Start a trail at the last price, and fill a market order by the close just seen, where the rules say so."""
    sent = order.order
    if sent.kind == "trailing_stop" and order.stop_price is None:
        ask, bid = trade_prices(last)
        price = ask if sent.side == "buy" else bid
        if price is not None:
            floor.trail(order, price)
    at_close = sent.kind == "market" and floor.rules.market_on == "this_close"
    if at_close and isinstance(last, Bar) and last.is_final and last.at_ns <= at_ns < 2 * last.at_ns - last.opened_ns:
        floor.supply = same_supply(last.volume, floor.rules.bar_share)
        floor.trade(order, last.close, maker=False)


# ---- what a venue does not take ----


def wrong_terms(order: Order, rules: Rules) -> str:
    """Return why a venue does not take an order with these terms, or nothing."""
    if order.kind in {"limit", "stop_limit"} and order.limit_price is None:
        return "no_limit_price"
    if order.kind in {"stop", "stop_limit"} and order.stop_price is None:
        return "no_stop_price"
    if order.kind == "trailing_stop":
        trails = (order.trail_amount is not None) + (order.trail_ratio is not None)
        if trails != 1:
            return "two_trails" if trails else "no_trail"
        if order.trail_ratio is not None and order.trail_ratio >= ONE:
            return "trail_ratio_too_large"
    return off_step(order.quantity, order.limit_price, order.stop_price, rules)


def off_step(quantity: Decimal | None, limit: Decimal | None, stop: Decimal | None, rules: Rules) -> str:
    """Return whether a price is off the tick or a quantity off the lot, or nothing; None is not looked at."""
    tick, lot = rules.tick_size, rules.lot_size
    if tick is not None and any(price is not None and CONTEXT.remainder(price, tick) for price in (limit, stop)):
        return "price_off_tick"
    if lot is not None and quantity is not None and CONTEXT.remainder(quantity, lot):
        return "quantity_off_lot"
    return ""


def _wrong_time(order: Order, at_ns: int) -> str:
    if order.time_in_force != "GTD":
        return ""
    if order.expires_at is None:
        return "no_expiry"
    return "expired_already" if times.from_datetime("expires_at", order.expires_at) <= at_ns else ""
