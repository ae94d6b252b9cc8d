"""The prices of one instrument at which something of a protection happens, in order: a tick looks at the nearest.

A long position's stop lies below the mark and its target above; a new best mark, which moves a trail, is above too.
For a short one all of it is mirrored.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from onebook.domain.numbers import multiply, subtract
from onebook.trading.protections import Protection

Place = tuple[str, str, str, str]
"""(account, instrument, strategy, leg)."""

_LOWEST = Decimal("-Infinity")
_HIGHEST = Decimal("Infinity")


@dataclass(slots=True)
class Armed:
    """A protection whose position is open.

    Attributes:
        terms: as set.
        is_long: the position's direction.
        opened_ns: when the position opened.
        best: the best mark since, None before the first.
        kept: the level that the log has, None for none.
        below: the price at or under which something happens, None for none.
        above: the price at or over which something happens, None for none.
        is_told: a person was told that it was reached while trading was halted.
    """

    terms: Protection
    is_long: bool
    opened_ns: int
    best: Decimal | None = None
    kept: Decimal | None = None
    below: Decimal | None = None
    above: Decimal | None = None
    is_told: bool = False

    @property
    def trails(self) -> bool:
        """Whether it has a trailing stop."""
        return self.terms.trail_amount is not None or self.terms.trail_ratio is not None

    def level(self) -> Decimal | None:
        """Return the trailing stop's level after the best mark; None while it does not trail."""
        best, starts = self.best, self.terms.activates_at
        if best is None or not self.trails:
            return None
        if starts is not None and (best < starts if self.is_long else best > starts):
            return None
        ratio = self.terms.trail_ratio
        trail = multiply(best, ratio) if ratio is not None else self.terms.trail_amount
        assert trail is not None  # noqa: S101  one of the two is there
        return subtract(best, trail) if self.is_long else best + trail

    def stop(self) -> tuple[Decimal, str] | None:
        """Return the stop in force and what it is: the nearer of the fixed and the trailing one."""
        found = []
        if self.terms.stop_loss is not None:
            found.append((self.terms.stop_loss, "stop_loss"))
        level = self.level()
        if level is not None:
            found.append((level, "trailing_stop"))
        if not found:
            return None
        return max(found) if self.is_long else min(found)

    def set_edges(self) -> None:
        """Say from which prices on something happens."""
        stop = self.stop()
        target = self.terms.take_profit
        fresh = self.best if self.trails else None
        losing = None if stop is None else stop[0]
        sides = [price for price in (target, fresh) if price is not None]
        if self.is_long:
            self.below, self.above = losing, min(sides, default=None)
        else:
            self.above, self.below = losing, max(sides, default=None)
        if self.trails and self.best is None:
            self.below, self.above = _HIGHEST, _LOWEST  # the first mark counts, whatever it is

    def reached(self, price: Decimal, *, target: bool = True) -> tuple[Decimal, str] | None:
        """Return the level that a price reaches and what it is; the stop goes before the target."""
        stop = self.stop()
        if stop is not None and (price <= stop[0] if self.is_long else price >= stop[0]):
            return stop
        wanted = self.terms.take_profit
        if target and wanted is not None and (price >= wanted if self.is_long else price <= wanted):
            return wanted, "take_profit"
        return None

    def take(self, price: Decimal) -> bool:
        """Take a mark as the best one if it is; say whether it was."""
        if not self.trails:
            return False
        better = self.best is None or (price > self.best if self.is_long else price < self.best)
        if better:
            self.best = price
        return better


class Edges:
    """The armed protections of one instrument, by the prices at which something happens.

    ``low`` and ``high`` are the nearest ones: between them a tick changes nothing.

    Args:
        name: the instrument's.
    """

    __slots__ = ("_above", "_below", "armed", "high", "low", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.armed: dict[Place, Armed] = {}
        self._below: list[tuple[Decimal, Place]] = []
        self._above: list[tuple[Decimal, Place]] = []
        self.low, self.high = _LOWEST, _HIGHEST

    def put(self, item: Armed) -> None:
        """Arm a protection, or take its edges anew; who looks meanwhile sees the old nearest ones or the new."""
        self._take_out(item.terms.place)
        item.set_edges()
        self.armed[item.terms.place] = item
        if item.below is not None:
            insort(self._below, (item.below, item.terms.place))
        if item.above is not None:
            insort(self._above, (item.above, item.terms.place))
        self._nearest()

    def drop(self, place: Place) -> Armed | None:
        """Disarm one."""
        item = self._take_out(place)
        self._nearest()
        return item

    def _take_out(self, place: Place) -> Armed | None:
        item = self.armed.pop(place, None)
        if item is None:
            return None
        for ordered, price in ((self._below, item.below), (self._above, item.above)):
            if price is not None:
                del ordered[bisect_left(ordered, (price, place))]
        return item

    def in_order(self) -> list[Armed]:
        """Return all that are armed in the order of their names: after a restart they were armed in another one."""
        return [self.armed[place] for place in sorted(self.armed)]

    def crossed(self, price: Decimal) -> Iterator[Armed]:
        """Yield those for which a price means something, in the order of their names."""
        places = set()
        for edge, place in reversed(self._below):
            if price > edge:
                break
            places.add(place)
        for edge, place in self._above:
            if price < edge:
                break
            places.add(place)
        for place in sorted(places):
            item = self.armed.get(place)
            if item is not None:
                yield item

    def _nearest(self) -> None:
        self.low = self._below[-1][0] if self._below else _LOWEST
        self.high = self._above[0][0] if self._above else _HIGHEST
