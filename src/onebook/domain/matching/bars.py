"""Matching along a bar: its open first, then by rule what lies between its low and its high, then its close."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from onebook.domain.market import Bar
from onebook.domain.matching.floor import AT_ONCE, Floor, expires_ns, is_limit, is_stop, same_supply
from onebook.domain.matching.model import Working
from onebook.domain.matching.points import match_point, takes_limit
from onebook.domain.matching.prices import fills, reached
from onebook.domain.numbers import absolute, subtract


@dataclass(frozen=True, slots=True)
class Hit:
    """An order that the bar reaches, and at which price."""

    order: Working
    price: Decimal
    is_stop: bool


@dataclass(slots=True)
class Course:
    """A bar while it is matched: what was tried already, and until when trails of children know their way.

    Attributes:
        bar: the bar.
        due: orders that worked when it opened.
        tried: (order, as a stop or not) that need not be looked at again.
        high_after: children whose parent filled before the high was seen, for sure.
        low_after: the same for the low.
    """

    bar: Bar
    due: list[str]
    tried: set[tuple[str, bool]] = field(default_factory=set)
    high_after: set[str] = field(default_factory=set)
    low_after: set[str] = field(default_factory=set)


def match_bar(floor: Floor, bar: Bar) -> None:
    """Match a whole bar."""
    floor.supply = same_supply(bar.volume, floor.rules.bar_share)
    due = [order.id for order in floor.orders.values() if not order.waiting and order.accepted_ns <= bar.opened_ns]
    came_inside = [
        order.id
        for order in floor.orders.values()
        if not order.waiting and bar.opened_ns < order.accepted_ns < bar.at_ns
    ]
    match_point(floor, due, bar.open, bar.open, is_open=True)
    course = Course(bar, [order_id for order_id in due if _lives_on(floor, order_id, bar)])
    course.high_after |= set(floor.entered)
    course.low_after |= set(floor.entered)
    _start_trails(floor, set())
    if floor.rules.inside_bar == "path":
        _walk(floor, course)
    else:
        _range(floor, course)
        _move_trails(floor, course)
    if floor.rules.market_on == "this_close":
        _close(floor, due + came_inside, bar)


def _lives_on(floor: Floor, order_id: str, bar: Bar) -> bool:
    """Say whether an order works until the bar has ended: of one that expires in it only the open is certain."""
    order = floor.orders.get(order_id)
    until = None if order is None else expires_ns(order)
    return order is not None and (until is None or until >= bar.at_ns)


def _start_trails(floor: Floor, before: set[str]) -> None:
    """Set the first level of trailing stops that were activated just now, from their parent's price."""
    for child_id, price in tuple(floor.entered.items()):
        child = floor.orders.get(child_id)
        if child is not None and child_id not in before and child.order.kind == "trailing_stop":
            floor.trail(child, price)


def _close(floor: Floor, ids: list[str], bar: Bar) -> None:
    for order_id in ids:
        order = floor.orders.get(order_id)
        if order is not None and order.order.kind == "market" and _lives_on(floor, order_id, bar):
            floor.trade(order, bar.close, maker=False)


# ---- which comes first is not known: by rule ----


def _range(floor: Floor, course: Course) -> None:
    """Fill what lies between low and high, stops or targets first as the rules say, the nearest to the open first."""
    stops_first = floor.rules.inside_bar == "stop_first"

    def rank(hit: Hit) -> tuple[bool, Decimal]:
        return hit.is_stop != stops_first, absolute(subtract(hit.price, course.bar.open))

    while hits := list(_range_hits(floor, course)):
        _strike(floor, course, min(hits, key=rank))


def _range_hits(floor: Floor, course: Course) -> Iterator[Hit]:
    bar = course.bar
    for order_id in course.due:
        order = floor.orders.get(order_id)
        inside = order is not None and is_limit(order) and (order_id, True) in course.tried
        if order is not None and not inside:  # a stop-limit that the range triggered: what comes after is not known
            yield from _hit(floor, course, order, bar.low, bar.high)
    for child_id, entry in floor.entered.items():
        child = floor.orders.get(child_id)
        if child is not None and is_stop(child):
            yield from _hit(floor, course, child, bar.low, bar.high, at=entry)


def _hit(
    floor: Floor, course: Course, order: Working, low: Decimal, high: Decimal, *, at: Decimal | None = None
) -> Iterator[Hit]:
    """Yield how an order is hit between two prices, if it is; not better than the price ``at`` which they start."""
    side, stops = order.order.side, is_stop(order)
    buys = side == "buy"
    price = order.stop_price if stops else order.limit_price if is_limit(order) else None
    if price is None or (order.id, stops) in course.tried:
        return
    if stops:
        if reached(side, price, high if buys else low):
            worst = price if at is None else max(price, at) if buys else min(price, at)
            yield Hit(order, worst, is_stop=True)
    elif fills(side, price, low if buys else high, through=floor.rules.limit_on == "through"):
        best = price if at is None else min(price, at) if buys else max(price, at)
        yield Hit(order, best, is_stop=False)


def _strike(floor: Floor, course: Course, hit: Hit) -> None:
    """Trigger or fill what was hit, and remember for its children which of high and low must have come later."""
    before = set(floor.entered)
    order = hit.order
    course.tried.add((order.id, hit.is_stop))
    if hit.is_stop:
        order = floor.trigger(order)
        if not is_limit(order) or takes_limit(order, hit.price):
            floor.trade(order, hit.price, maker=False)
        elif order.order.time_in_force in AT_ONCE:
            floor.give_up(order.id)
    else:
        floor.trade(order, hit.price, maker=hit.price == order.limit_price)
    came_up = (order.order.side == "buy") == hit.is_stop
    after = course.high_after if came_up else course.low_after
    after |= set(floor.entered) - before
    _start_trails(floor, before)


def _move_trails(floor: Floor, course: Course) -> None:
    """Move the trails that were not hit by the bar's best price, or by what is known to have come after the entry."""
    bar = course.bar
    for order_id in (*course.due, *floor.entered):
        order = floor.orders.get(order_id)
        if order is None or order.order.kind != "trailing_stop" or order.triggered:
            continue
        sells = order.order.side == "sell"
        known = order_id not in floor.entered or order_id in (course.high_after if sells else course.low_after)
        best = (bar.high if sells else bar.low) if known else bar.close
        floor.trail(order, best)


# ---- along a path that is taken for the true one ----


def path(bar: Bar) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Return the prices that a bar is taken to pass: its open, the nearer of low and high, the other, its close."""
    up, down = subtract(bar.high, bar.open), subtract(bar.open, bar.low)
    first, second = (bar.high, bar.low) if up < down else (bar.low, bar.high)
    return bar.open, first, second, bar.close


def _walk(floor: Floor, course: Course) -> None:
    for start, end in pairwise(path(course.bar)):
        course.tried.clear()
        at = start
        while hits := list(_path_hits(floor, course, at, end)):
            hit = _first_on_way(hits, at)
            at = hit.price
            _strike(floor, course, hit)
        _trail_to(floor, course, end)


def _first_on_way(hits: list[Hit], at: Decimal) -> Hit:
    return min(hits, key=lambda hit: (absolute(subtract(hit.price, at)), not hit.is_stop))


def _path_hits(floor: Floor, course: Course, at: Decimal, end: Decimal) -> Iterator[Hit]:
    for order_id in (*course.due, *floor.entered):
        order = floor.orders.get(order_id)
        if order is not None:
            yield from _hit(floor, course, order, min(at, end), max(at, end), at=at)


def _trail_to(floor: Floor, course: Course, price: Decimal) -> None:
    for order_id in (*course.due, *floor.entered):
        order = floor.orders.get(order_id)
        if order is not None and order.order.kind == "trailing_stop" and not order.triggered:
            level = order.stop_price
            if level is None or not reached(order.order.side, level, price):
                floor.trail(order, price)
