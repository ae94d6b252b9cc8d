"""How trading went: figures over ended round trips and daily results, gathered one by one, so that memory stays small.

Currencies are never added up: each has figures of its own. A win is a round trip with a net above 0, a loss one below;
what ended at exactly 0 is neither.
"""

import decimal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from onebook.domain.numbers import CONTEXT, ZERO, add, canonical, quotient, subtract
from onebook.domain.reports import DailyPnl, Pnl
from onebook.domain.times import SECOND

MAX_GROUPS = 500
"""Most groups of one kind that are named; the rest is one group without a name."""

MAX_BUCKETS = 20
"""Most buckets of a distribution."""

_CELLS = 4096
_FINEST = -18
_FLOOR = decimal.Context(prec=200, rounding=decimal.ROUND_FLOOR, Emin=-9999, Emax=9999)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsGroup:
    """What the round trips of one name made; ``net`` signed. ``name`` is None for the rest of too many names."""

    name: str | None
    count: int
    wins: int
    losses: int
    net: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How the nets of round trips are spread: ``counts[i]`` of them are from ``edges[i]`` to below ``edges[i + 1]``.

    Edges lie on multiples of 1, 2 or 5 times a power of ten, so that no bucket holds wins and losses.
    """

    edges: tuple[Decimal, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """The deepest fall of the sum of daily results below a height that it had before.

    ``amount`` is above 0. ``since`` is the day at whose end it stood highest, None for the beginning; ``until`` the day
    at whose end it stood lowest.
    """

    amount: Decimal
    since: str | None
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Figures of one currency over the round trips that ended in a span, and over its days.

    ``gross fees funding income net`` are sums of the round trips; net = gross − fees + funding + income, and the groups
    of each kind add up to it. ``realized`` is the sum of the days: beside the round trips it holds what open positions
    realized. ``win_rate`` is a part of 1, ``expectancy`` the net per round trip, ``profit_factor`` the sum of wins by
    the sum of losses, unsigned; each is None where it would be divided by nothing. Losses are below 0.
    """

    currency: str
    count: int
    wins: int
    losses: int
    win_rate: Decimal | None
    expectancy: Decimal | None
    profit_factor: Decimal | None
    average_win: Decimal | None
    average_loss: Decimal | None
    average_hold_seconds: Decimal | None
    largest_win: Decimal | None
    largest_loss: Decimal | None
    gross: Decimal
    fees: Decimal
    funding: Decimal
    income: Decimal
    net: Decimal
    realized: Pnl
    max_drawdown: Drawdown | None
    distribution: Distribution
    by_strategy: tuple[StatisticsGroup, ...]
    by_instrument: tuple[StatisticsGroup, ...]
    by_month: tuple[StatisticsGroup, ...]
    by_reason: tuple[StatisticsGroup, ...]


class EndedTrip(NamedTuple):
    """What the figures need of an ended round trip: ``month`` as ``2026-03``, money signed but for fees."""

    currency: str
    strategy: str
    instrument: str
    month: str
    reason: str
    hold_ns: int
    gross: Decimal
    fees: Decimal
    funding: Decimal
    income: Decimal
    net: Decimal


def statistics_of(trips: Iterable[EndedTrip], days: Sequence[DailyPnl], sums: Sequence[Pnl]) -> list[Statistics]:
    """Return the figures, one record per currency, in the order of their names.

    Args:
        trips: ended round trips in any order, read once.
        days: daily results, oldest first.
        sums: the same, one per currency.
    """
    tallies: dict[str, _Tally] = {}
    for trip in trips:
        tally = tallies.get(trip.currency)
        if tally is None:
            tally = tallies[trip.currency] = _Tally()
        tally.take(trip)
    realized = {row.currency: row for row in sums}
    names = sorted({*tallies, *realized})
    return [_shown(name, tallies.get(name) or _Tally(), realized.get(name), days) for name in names]


# ---- gathering ----


@dataclass(slots=True)
class _Group:
    """A group in the making."""

    count: int = 0
    wins: int = 0
    losses: int = 0
    net: Decimal = ZERO

    def take(self, other: "_Group") -> None:
        """Add another one to it."""
        self.count += other.count
        self.wins += other.wins
        self.losses += other.losses
        self.net = add(self.net, other.net)


class _Spread:
    """Counts numbers in cells of one width, a power of ten that grows while there are too many cells."""

    __slots__ = ("cells", "power")

    def __init__(self) -> None:
        self.cells: dict[int, int] = {}
        self.power = _FINEST

    def take(self, value: Decimal) -> None:
        """Count a number."""
        place = int(_FLOOR.to_integral_value(CONTEXT.scaleb(value, -self.power)))
        self.cells[place] = self.cells.get(place, 0) + 1
        while len(self.cells) > _CELLS:
            self._widen()

    def _widen(self) -> None:
        self.power += 1
        wider: dict[int, int] = {}
        for place, count in self.cells.items():
            wider[place // 10] = wider.get(place // 10, 0) + count
        self.cells = wider

    def shown(self) -> Distribution:
        """Return the counts in few buckets of a round width."""
        if not self.cells:
            return Distribution(edges=(), counts=())
        low, high = min(self.cells), max(self.cells)
        width = _width(low, high)
        first, last = low // width, high // width
        counts = [0] * (last - first + 1)
        for place, count in self.cells.items():
            counts[place // width - first] += count
        edges = [CONTEXT.scaleb(Decimal(place * width), self.power) for place in range(first, last + 2)]
        return Distribution(edges=tuple(map(canonical, edges)), counts=tuple(counts))


def _width(low: int, high: int) -> int:
    """Return how many cells a bucket has: 1, 2 or 5 times a power of ten."""
    width: int = 10 ** (len(str(abs(low))) - 1) if low == high else 1
    while True:
        for factor in (1, 2, 5):
            if high // (width * factor) - low // (width * factor) < MAX_BUCKETS:
                return width * factor
        width *= 10


Place = tuple[str, str, str, str]
"""(strategy, instrument, month, reason)."""


@dataclass(slots=True)
class _Tally:
    """The figures of one currency in the making; ``places`` go to the groups of each kind when they are many."""

    won: Decimal = ZERO
    largest_win: Decimal = ZERO
    largest_loss: Decimal = ZERO
    hold_ns: int = 0
    gross: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    income: Decimal = ZERO
    spread: _Spread = field(default_factory=_Spread)
    places: dict[Place, _Group] = field(default_factory=dict)
    kinds: tuple[dict[str, _Group], ...] = field(default_factory=lambda: ({}, {}, {}, {}))

    def take(self, trip: EndedTrip) -> None:
        net = trip.net
        if net > ZERO:
            self.won = add(self.won, net)
            self.largest_win = max(self.largest_win, net)
        elif net < self.largest_loss:
            self.largest_loss = net
        self.hold_ns += trip.hold_ns
        self.gross = add(self.gross, trip.gross)
        self.fees = add(self.fees, trip.fees)
        if trip.funding:
            self.funding = add(self.funding, trip.funding)
        if trip.income:
            self.income = add(self.income, trip.income)
        self.spread.take(net)
        place = trip[1:5]
        group = self.places.get(place)
        if group is None:
            if len(self.places) >= _CELLS:
                self.gather()
            group = self.places[place] = _Group()
        group.count += 1
        group.wins += net > ZERO
        group.losses += net < ZERO
        group.net = add(group.net, net)

    def gather(self) -> None:
        """Add the places to the groups of each kind."""
        for place, found in self.places.items():
            for groups, name in zip(self.kinds, place, strict=True):
                groups.setdefault(name, _Group()).take(found)
        self.places = {}


# ---- showing ----


def _shown(currency: str, tally: _Tally, realized: Pnl | None, days: Sequence[DailyPnl]) -> Statistics:
    tally.gather()
    strategies, instruments, months, reasons = tally.kinds
    whole = _summed(months.values())
    lost = subtract(whole.net, tally.won)
    return Statistics(
        currency=currency,
        count=whole.count,
        wins=whole.wins,
        losses=whole.losses,
        win_rate=_by(Decimal(whole.wins), whole.count),
        expectancy=_by(whole.net, whole.count),
        profit_factor=canonical(quotient(tally.won, CONTEXT.abs(lost))) if lost else None,
        average_win=_by(tally.won, whole.wins),
        average_loss=_by(lost, whole.losses),
        average_hold_seconds=_by(Decimal(tally.hold_ns), whole.count * SECOND),
        largest_win=canonical(tally.largest_win) if whole.wins else None,
        largest_loss=canonical(tally.largest_loss) if whole.losses else None,
        gross=canonical(tally.gross),
        fees=canonical(tally.fees),
        funding=canonical(tally.funding),
        income=canonical(tally.income),
        net=canonical(whole.net),
        realized=realized or _nothing(currency),
        max_drawdown=_drawdown([row for row in days if row.currency == currency]),
        distribution=tally.spread.shown(),
        by_strategy=_groups(strategies),
        by_instrument=_groups(instruments),
        by_month=_groups(months),
        by_reason=_groups(reasons),
    )


def _summed(groups: Iterable[_Group]) -> _Group:
    whole = _Group()
    for group in groups:
        whole.take(group)
    return whole


def _by(amount: Decimal, count: int) -> Decimal | None:
    return canonical(quotient(amount, Decimal(count))) if count else None


def _nothing(currency: str) -> Pnl:
    return Pnl(
        currency=currency, gross=ZERO, fees=ZERO, funding=ZERO, income=ZERO, net=ZERO, fills=0, round_trips=0
    )  # fmt: skip


def _drawdown(days: Sequence[DailyPnl]) -> Drawdown | None:
    """Return the deepest fall, the first of those as deep; None where it never fell."""
    total = peak = deepest = ZERO
    top: str | None = None
    found: Drawdown | None = None
    for row in days:
        total = add(total, row.net)
        if total >= peak:
            peak, top = total, row.day
        elif subtract(peak, total) > deepest:
            deepest = subtract(peak, total)
            found = Drawdown(amount=canonical(deepest), since=top, until=row.day)
    return found


def _groups(groups: dict[str, _Group]) -> tuple[StatisticsGroup, ...]:
    """Return groups by name; of too many those with the most round trips, and the rest as one."""
    named = sorted(groups, key=lambda name: (-groups[name].count, name))
    kept = [_group(name, groups[name]) for name in sorted(named[:MAX_GROUPS])]
    rest = _summed(groups[name] for name in named[MAX_GROUPS:])
    return (*kept, _group(None, rest)) if rest.count else tuple(kept)


def _group(name: str | None, group: _Group) -> StatisticsGroup:
    return StatisticsGroup(
        name=name, count=group.count, wins=group.wins, losses=group.losses, net=canonical(group.net)
    )  # fmt: skip
