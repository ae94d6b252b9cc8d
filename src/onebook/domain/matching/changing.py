"""Orders that work are canceled, replaced, or end with their time."""

from dataclasses import replace as changed
from decimal import Decimal

from onebook.domain.market import Seen
from onebook.domain.matching.arriving import comes_crossed, off_step
from onebook.domain.matching.floor import Floor
from onebook.domain.matching.model import NOTHING_HELD, Canceled, Refused, Replaced, Rules, Step, Working

_NO_RULES = Rules()


def cancel(working: tuple[Working, ...], client_order_id: str, reason: str = "canceled") -> Step:
    """Return what canceling an order makes of the orders: its children end too, or are reduced to what it filled.

    Args:
        working: one account's orders in this instrument, oldest first.
        client_order_id: of the order.
        reason: goes into the outcome.
    """
    floor = Floor(working, _NO_RULES, NOTHING_HELD, 0)
    if client_order_id in floor.orders:
        floor.end(Canceled(client_order_id=client_order_id, reason=reason))
    else:
        floor.say(Refused(client_order_id=client_order_id, reason="not_working"))
    return floor.done()


def replace(  # noqa: PLR0913 - the new terms are three, each may be left out
    working: tuple[Working, ...],
    client_order_id: str,
    at_ns: int,
    last: Seen | None,
    rules: Rules,
    *,
    quantity: Decimal | None = None,
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
) -> Step:
    """Return what new terms for an order make of the orders; it fills on nothing that was seen before them.

    Args:
        working: one account's orders in this instrument, oldest first.
        client_order_id: of the order.
        at_ns: when the new terms reach the venue.
        last: what the market showed last: it tells whether a limit order takes at its new price.
        rules: of the venue.
        quantity: the whole one, what was filled included, above that; None: as it is.
        limit_price: None: as it is.
        stop_price: the level of a trailing stop too, which goes on trailing from there; None: as it is.
    """
    floor = Floor(working, rules, NOTHING_HELD, at_ns)
    order = floor.orders.get(client_order_id)
    reason = (
        "not_working"
        if order is None
        else _refusal(order, rules, quantity=quantity, limit=limit_price, stop=stop_price)
    )
    if order is None or reason:
        floor.say(Refused(client_order_id=client_order_id, reason=reason))
        return floor.done()
    limit = order.limit_price if limit_price is None else limit_price
    after = changed(
        order,
        quantity=order.quantity if quantity is None else quantity,
        limit_price=limit,
        stop_price=order.stop_price if stop_price is None else stop_price,
        accepted_ns=max(at_ns, order.accepted_ns),
        takes=not order.waiting and not order.fills and comes_crossed(order.order.kind, order.order.side, limit, last),
    )
    floor.orders[order.id] = after
    floor.say(
        Replaced(
            client_order_id=order.id,
            quantity=after.quantity,
            limit_price=after.limit_price,
            stop_price=after.stop_price,
            takes=after.takes,
        )
    )
    return floor.done()


def _refusal(
    order: Working, rules: Rules, *, quantity: Decimal | None, limit: Decimal | None, stop: Decimal | None
) -> str:
    kind = order.order.kind
    if quantity is not None and quantity <= order.filled:
        return "quantity_filled_already"
    if limit is not None and kind not in {"limit", "stop_limit"}:
        return "limit_price_not_used"
    if stop is not None and kind in {"market", "limit"}:
        return "stop_price_not_used"
    if stop is not None and order.triggered:
        return "triggered_already"
    return off_step(quantity, limit, stop, rules)


def expire(working: tuple[Working, ...], now_ns: int, *, day_ended: bool = False) -> Step:
    """Return what the time makes of the orders: good-till-date ones end at theirs, day orders with the session.

    Args:
        working: one account's orders in this instrument, oldest first.
        now_ns: the moment.
        day_ended: the session of the instrument has ended; what came after that moment is for the next one.
    """
    floor = Floor(working, _NO_RULES, NOTHING_HELD, now_ns)
    floor.expire(now_ns, day_ended=day_ended)
    return floor.done()
