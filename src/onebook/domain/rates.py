"""Which recorded rate values an amount: the newest at or before the fact, no older than seven days.

Directly, the other way round, or across one third currency that has rates to both. Only recorded rates count:
a stored figure never depends on a mark.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal

from onebook.domain import times
from onebook.domain.movements import Valuation
from onebook.domain.numbers import ONE, multiply

MAX_AGE = 7 * times.DAY

RateFinder = Callable[[str, str, int], "KnownRate | None"]
"""(base, quote, at_ns) -> the newest recorded rate of exactly this pair at or before, and not too old."""


@dataclass(frozen=True, slots=True)
class KnownRate:
    """A recorded rate: units of the quote for one base, when and by whom."""

    price: Decimal
    at: int
    source: str


def valuation(
    find: RateFinder, pairs: Collection[tuple[str, str]], source: str, target: str, at: int
) -> Valuation | None:
    """Return how to value ``source`` in ``target`` at a moment, or None when no rate is fit.

    Args:
        find: looks up one pair.
        pairs: all pairs (base, quote) that have rates.
        source: the currency the amount is in.
        target: the currency wanted.
        at: the moment, nanoseconds.
    """
    if source == target:
        return Valuation(ONE, ONE, at, "")
    if not pairs:
        return None
    direct = _one_step(find, source, target, at)
    if direct is not None:
        return direct
    known = set(pairs)
    middles = sorted(
        {name for pair in known for name in pair if source in pair}
        & {name for pair in known for name in pair if target in pair}
    )
    best: Valuation | None = None
    for middle in middles:
        if middle in {source, target}:
            continue
        first, second = _one_step(find, source, middle, at), _one_step(find, middle, target, at)
        if first is None or second is None:
            continue
        crossed = Valuation(
            multiply(first.times, second.times),
            multiply(first.over, second.over),
            min(first.at, second.at),
            f"{first.source} via {middle}".strip(),
        )
        if best is None or crossed.at > best.at:
            best = crossed
    return best


def _one_step(find: RateFinder, source: str, target: str, at: int) -> Valuation | None:
    straight, inverse = find(source, target, at), find(target, source, at)
    if straight is not None and (inverse is None or straight.at >= inverse.at):
        return Valuation(straight.price, ONE, straight.at, straight.source)
    if inverse is not None:
        return Valuation(ONE, inverse.price, inverse.at, inverse.source)
    return None
