"""What a print, a quote or a bar does to the orders that work."""

from decimal import Decimal

from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.domain.matching.bars import match_bar
from onebook.domain.matching.floor import Floor, Supply, same_supply
from onebook.domain.matching.model import NOTHING_HELD, Held, Rules, Step, Working
from onebook.domain.matching.points import match_point
from onebook.domain.matching.slippage import Moment


def step(working: tuple[Working, ...], seen: Seen, rules: Rules, *, held: Held = NOTHING_HELD) -> Step:
    """Return what the market's print, quote or bar makes of the orders.

    Orders whose good-till-date is over by then expire first. Everything seen is handed in once, in the order of its
    times; one kind of it per instrument, for a bar made of prints that were matched would be matched again.

    Args:
        working: one account's orders in this instrument, oldest first.
        seen: what the market shows. A bar that still runs does nothing.
        rules: of the venue.
        held: signed positions before it, by (strategy, leg).
    """
    if isinstance(seen, Bar) and not seen.is_final:
        return Step(working=working)
    floor = Floor(working, rules, held, seen.at_ns)
    floor.expire(seen.opened_ns if isinstance(seen, Bar) else seen.at_ns, day_ended=False)
    floor.cancel_idle()
    if isinstance(seen, Bar):
        match_bar(floor, seen)
    elif isinstance(seen, Print):
        floor.supply = same_supply(seen.quantity, rules.fill_share)
        _match_moment(floor, seen.price, seen.price)
    else:
        floor.supply = _shown(seen)
        _match_moment(floor, seen.ask or None, seen.bid or None)
    floor.cancel_idle()
    floor.expire(seen.at_ns, day_ended=False)
    return floor.done()


def _shown(quote: Quote) -> Supply:
    asked = Moment(volume=quote.ask_quantity, quoted=True)
    bidden = Moment(volume=quote.bid_quantity, quoted=True)
    return Supply(quote.ask_quantity or None, quote.bid_quantity or None, shared=False, moments=(asked, bidden))


def _match_moment(floor: Floor, buy_at: Decimal | None, sell_at: Decimal | None) -> None:
    due = [order.id for order in floor.orders.values() if not order.waiting and order.accepted_ns <= floor.at_ns]
    match_point(floor, due, buy_at, sell_at)
    for child_id in floor.entered:
        child = floor.orders.get(child_id)
        price = None if child is None else buy_at if child.order.side == "buy" else sell_at
        if child is not None and price is not None and child.order.kind == "trailing_stop":
            floor.trail(child, price)
