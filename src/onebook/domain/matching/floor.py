"""The orders of one step while it runs: fills, triggers, moves and ends, and what each does to other orders."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from onebook.domain import times
from onebook.domain.matching.model import (
    STOP_KINDS,
    Activated,
    Canceled,
    Expired,
    Filled,
    Held,
    Moved,
    Outcome,
    Resized,
    Rules,
    Step,
    Triggered,
    Working,
)
from onebook.domain.matching.prices import on_step, trail_level
from onebook.domain.matching.slippage import Moment, slipped
from onebook.domain.numbers import ZERO, absolute, add, multiply, subtract

AT_ONCE = frozenset({"IOC", "FOK"})


class Supply:
    """How much of what was seen our orders may still fill."""

    def __init__(
        self, buys: Decimal | None, sells: Decimal | None, *, shared: bool, moments: tuple[Moment, Moment]
    ) -> None:
        """Take what buys and sells may fill (None: any quantity), whether both share it, and each one's moment."""
        self._left = {"buy": buys, "sell": sells}
        self._shared = shared
        self._moments = moments

    def left(self, side: str) -> Decimal | None:
        """Return how much a side may still fill; None: any quantity."""
        return self._left[side]

    def moment(self, side: str) -> Moment:
        """Return what slippage needs to know for a side."""
        return self._moments[side == "sell"]

    def take(self, side: str, quantity: Decimal) -> None:
        """Take a fill's quantity off."""
        for each in ("buy", "sell") if self._shared else (side,):
            before = self._left[each]
            if before is not None:
                self._left[each] = subtract(before, quantity)


def same_supply(volume: Decimal, share: Decimal | None) -> Supply:
    """Return the supply that buys and sells share: a part of what was traded, or any quantity without a share."""
    most = None if share is None else multiply(volume, share)
    moment = Moment(volume=volume)
    return Supply(most, most, shared=True, moments=(moment, moment))


class Floor:
    """The orders of one step while it runs.

    ``entered`` holds the children that this step has activated, with the price of their parent's fill.
    """

    def __init__(self, working: Iterable[Working], rules: Rules, held: Held, at_ns: int) -> None:
        """Take the orders, oldest first, and the signed positions by (strategy, leg)."""
        self.orders = {order.id: order for order in working}
        self.rules = rules
        self.at_ns = at_ns
        self.supply = same_supply(ZERO, None)
        self.entered: dict[str, Decimal] = {}
        self._held = dict(held)
        self._outcomes: list[Outcome] = []

    def done(self) -> Step:
        """Return what came of it."""
        return Step(working=tuple(self.orders.values()), outcomes=tuple(self._outcomes))

    def say(self, outcome: Outcome) -> None:
        """Add an outcome."""
        self._outcomes.append(outcome)

    # ---- one order ----

    def trade(self, order: Working, price: Decimal, *, maker: bool) -> None:
        """Fill an order at a price as far as supply and position allow; a maker's price is final, a taker's slips."""
        wanted = self.wanted(order)
        side = order.order.side
        left = self.supply.left(side)
        quantity = wanted if left is None or left >= wanted else on_step(left, self.rules.lot_size, up=False)
        if order.order.time_in_force == "FOK" and quantity < wanted:
            self.end(Canceled(client_order_id=order.id, reason="fill_or_kill"))
            return
        if quantity > 0:
            self.supply.take(side, quantity)
            at = price if maker else self._taken(order, price, quantity)
            self._fill(order, quantity, at, "maker" if maker else "taker", seen=price)
        if order.order.time_in_force in AT_ONCE:
            self.give_up(order.id)

    def wanted(self, order: Working) -> Decimal:
        """Return how much of an order may fill now: what is left, of a ``reduce_only`` one at most what it reduces."""
        return min(order.left, self._reducible(order)) if order.order.reduce_only else order.left

    def give_up(self, order_id: str) -> None:
        """Cancel what is left of an order that had to fill at once."""
        order = self.orders.get(order_id)
        if order is not None:
            reason = "fill_or_kill" if order.order.time_in_force == "FOK" else "immediate_or_cancel"
            self.end(Canceled(client_order_id=order_id, reason=reason))

    def trigger(self, order: Working) -> Working:
        """Reach a stop's level."""
        after = self.orders[order.id] = replace(order, triggered=True)
        self.say(Triggered(client_order_id=order.id))
        return after

    def trail(self, order: Working, price: Decimal) -> None:
        """Move a trailing stop's level after a price, if that moves it its way by a step; set it if it is not set."""
        level, before = trail_level(order.order, price, self.rules.tick_size), order.stop_price
        if before is not None:
            gained = subtract(level, before) if order.order.side == "sell" else subtract(before, level)
            if gained <= 0 or gained < self.rules.trail_step:
                return
        self.orders[order.id] = replace(order, stop_price=level)
        self.say(Moved(client_order_id=order.id, stop_price=level))

    def end(self, outcome: Canceled | Expired) -> None:
        """Take an order off, and with it or down to what it filled its children."""
        if self.orders.pop(outcome.client_order_id, None) is not None:
            self.say(outcome)
            self._parent_ended(outcome.client_order_id)

    # ---- sweeps ----

    def expire(self, now_ns: int, *, day_ended: bool) -> None:
        """End the orders whose time is over."""
        for order in tuple(self.orders.values()):
            over = day_ended and order.order.time_in_force == "DAY" and order.accepted_ns <= now_ns
            if not over:
                until = expires_ns(order)
                over = until is not None and until <= now_ns
            if over:
                self.end(Expired(client_order_id=order.id))

    def cancel_idle(self) -> None:
        """Cancel the ``reduce_only`` orders that have nothing left to reduce, nor will get any from their parent."""
        for order in tuple(self.orders.values()):
            idle = order.order.reduce_only and not order.waiting and not self._reducible(order)
            if idle and not self._parent_opens(order):
                self.end(Canceled(client_order_id=order.id, reason="nothing_to_reduce"))

    # ---- what one order does to others ----

    def _fill(self, order: Working, quantity: Decimal, price: Decimal, liquidity: str, *, seen: Decimal) -> None:
        after = replace(order, filled=add(order.filled, quantity), fills=order.fills + 1)
        self.say(
            Filled(client_order_id=order.id, quantity=quantity, price=price, liquidity=liquidity, number=after.fills)
        )
        sent = order.order
        key = (sent.strategy, sent.leg)
        signed = quantity if sent.side == "buy" else subtract(ZERO, quantity)
        self._held[key] = add(self._held.get(key, ZERO), signed)
        complete = after.filled >= after.quantity
        if complete:
            del self.orders[order.id]
        else:
            self.orders[order.id] = after
        if sent.group_id:
            self._group_filled(after, quantity, complete=complete)
        self._release(order.id, quantity, seen)
        if complete:
            self._parent_ended(order.id)

    def _group_filled(self, order: Working, quantity: Decimal, *, complete: bool) -> None:
        for other_id in tuple(self.orders):
            other = self.orders.get(other_id)
            if other is None or other_id == order.id or other.order.group_id != order.order.group_id:
                continue
            rest = subtract(other.quantity, quantity)
            if complete or self.rules.oco == "cancel" or rest <= other.filled:
                self.end(Canceled(client_order_id=other.id, reason="group_filled"))
                continue
            released = None if other.released is None else subtract(other.released, quantity)
            self.orders[other.id] = replace(other, quantity=rest, released=released)
            self.say(Resized(client_order_id=other.id, quantity=rest))

    def _release(self, parent_id: str, quantity: Decimal, price: Decimal) -> None:
        for child in tuple(self.orders.values()):
            if child.order.parent_id != parent_id:
                continue
            after = replace(child, released=add(child.released or ZERO, quantity))
            if child.waiting:
                takes = _crosses(after, price)
                after = replace(after, waiting=False, accepted_ns=self.at_ns, takes=takes)
                self.entered[child.id] = price
                self.say(Activated(client_order_id=child.id, takes=takes))
            self.orders[child.id] = after

    def _parent_ended(self, parent_id: str) -> None:
        for child_id in tuple(self.orders):
            child = self.orders.get(child_id)
            if child is None or child.order.parent_id != parent_id:
                continue
            most = child.released or ZERO
            if most <= child.filled:
                self.end(Canceled(client_order_id=child.id, reason="parent_ended"))
            elif most < child.quantity:
                self.orders[child.id] = replace(child, quantity=most)
                self.say(Resized(client_order_id=child.id, quantity=most))

    def _parent_opens(self, order: Working) -> bool:
        """Say whether the rest of an order's parent may still open what the order closes."""
        parent = self.orders.get(order.order.parent_id)
        return parent is not None and parent.order.side != order.order.side

    def _reducible(self, order: Working) -> Decimal:
        held = self._held.get((order.order.strategy, order.order.leg), ZERO)
        reduces = held < 0 if order.order.side == "buy" else held > 0
        return absolute(held) if reduces else ZERO

    def _taken(self, order: Working, price: Decimal, quantity: Decimal) -> Decimal:
        side, limit = order.order.side, order.limit_price
        uniform = self.rules.uniform(order.id, order.fills + 1) if self.rules.uniform is not None else ZERO
        at = slipped(self.rules.slippage, price, side, quantity, self.supply.moment(side), uniform)
        at = on_step(at, self.rules.tick_size, up=side == "buy")
        if limit is None or not is_limit(order):
            return at
        return min(at, limit) if side == "buy" else max(at, limit)


def expires_ns(order: Working) -> int | None:
    """Return when a good-till-date order's time is over; None: it has no such time."""
    sent = order.order
    if sent.time_in_force != "GTD" or sent.expires_at is None:
        return None
    return times.from_datetime("expires_at", sent.expires_at)


def is_limit(order: Working) -> bool:
    """Say whether it is a limit order by now: sent as one, or a stop-limit after its level."""
    return order.order.kind == "limit" or (order.order.kind == "stop_limit" and order.triggered)


def is_stop(order: Working) -> bool:
    """Say whether it still waits for a level."""
    return order.order.kind in STOP_KINDS and not order.triggered


def _crosses(order: Working, price: Decimal) -> bool:
    if order.order.kind != "limit" or order.limit_price is None:
        return False
    return price < order.limit_price if order.order.side == "buy" else price > order.limit_price
