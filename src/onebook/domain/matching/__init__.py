"""The matching of one account's orders in one instrument at one venue: pure functions.

::

    accept(working, order, at_ns, last, rules, held=…, ended=…) -> Step      a new order arrives
    step(working, seen, rules, held=…) -> Step                               the market shows something
    cancel(working, id, reason) -> Step
    replace(working, id, at_ns, last, rules, quantity=…, limit_price=…, stop_price=…) -> Step
    expire(working, now_ns, day_ended=…) -> Step
    rebuild(kept) -> working                                                 after a restart, from what a book keeps
    reach_of(working, rules) -> Reach                                        tells cheaply what leaves them as they are

A ``Step`` holds the orders that still work and what happened, in order. Reasons of ``Canceled``: ``group_filled``,
``parent_ended``, ``nothing_to_reduce``, ``immediate_or_cancel``, ``fill_or_kill``, or the caller's. Of ``Rejected``:
``no_limit_price``, ``no_stop_price``, ``no_trail``, ``two_trails``, ``trail_ratio_too_large``, ``no_expiry``,
``expired_already``, ``price_off_tick``, ``quantity_off_lot``, ``unknown_parent``, ``parent_ended``, ``group_filled``,
``nothing_to_reduce``. Of ``Refused``: ``not_working``, ``quantity_filled_already``, ``triggered_already``,
``limit_price_not_used``, ``stop_price_not_used``, ``price_off_tick``, ``quantity_off_lot``.

The rules, one each with a golden table below ``tests/golden/matching/``:

- An order fills on nothing that was seen before ``accepted_ns``: a print or quote of that moment or later counts, a bar
  that opened then or later. A bar that still runs is not matched at all.
- Prints: takers fill at the print. A limit order that the market would have filled when it came takes, at the price
  seen; a resting one fills at its limit. All of our orders together get ``fill_share`` of the print's quantity.
- Quotes: buys at the ask, sells at the bid, together at most what is shown there.
- Bars: what the open reaches or has jumped over fills at the open, stops and targets alike. Then, by ``inside_bar``,
  stops at their level and limits at their price. In the bar of the entry only stops of its children can be hit; along a
  ``path`` whatever lies on the rest of it can. A trailing stop is tested against the bar at its old level, which
  only the open may have moved; then the high (of a buy the low) moves it. When the entry came after the high, or nobody
  knows, the close moves it instead.
- A stop is a market order from its level on, a stop-limit a limit order. Immediate-or-cancel and fill-or-kill are
  judged at the first price after acceptance, of a stop when it triggers.
- Takers slip against the trader, are rounded to the tick against the trader, and never get worse than their limit.
- A group (OCO): a complete fill cancels the others; a partial one takes its quantity off them (rule ``oco``). An order
  of a group that is canceled or expires leaves the others.
- A child (OTO) works from its parent's first fill, for as much as the parent has filled. When the parent ends, the
  child is reduced to that, or canceled where it is nothing.
- ``reduce_only`` fills at most what is held, and is canceled when nothing is left to reduce.
"""

from onebook.domain.matching.arriving import accept
from onebook.domain.matching.changing import cancel, expire, replace
from onebook.domain.matching.model import (
    NOTHING_HELD,
    Accepted,
    Activated,
    Canceled,
    Expired,
    Filled,
    Held,
    Moved,
    Outcome,
    Refused,
    Rejected,
    Replaced,
    Resized,
    Rules,
    Step,
    Triggered,
    Uniform,
    Working,
)
from onebook.domain.matching.reach import Reach, reach_of
from onebook.domain.matching.rebuilding import Kept, rebuild
from onebook.domain.matching.slippage import FixedBps, HalfSpread, NoSlippage, Slippage, VolumeShare
from onebook.domain.matching.stepping import step

__all__ = [
    "NOTHING_HELD",
    "Accepted",
    "Activated",
    "Canceled",
    "Expired",
    "Filled",
    "FixedBps",
    "HalfSpread",
    "Held",
    "Kept",
    "Moved",
    "NoSlippage",
    "Outcome",
    "Reach",
    "Refused",
    "Rejected",
    "Replaced",
    "Resized",
    "Rules",
    "Slippage",
    "Step",
    "Triggered",
    "Uniform",
    "VolumeShare",
    "Working",
    "accept",
    "cancel",
    "expire",
    "reach_of",
    "rebuild",
    "replace",
    "step",
]
