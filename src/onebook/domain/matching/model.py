"""What matching takes and gives: orders as a venue holds them, its rules, and what comes of them.

Everything here is one account's orders in one instrument at one venue. Prices are per unit in the quote currency,
quantities above 0 in units of the instrument (a position's is signed), times nanoseconds since 1970 UTC.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from onebook.domain.facts import Order
from onebook.domain.matching.slippage import NoSlippage, Slippage
from onebook.domain.numbers import ONE, ZERO, add, quotient, subtract
from onebook.errors import InputError

STOP_KINDS = frozenset({"stop", "stop_limit", "trailing_stop"})
"""Kinds that wait for a level to be reached."""

Uniform = Callable[[str, int], Decimal]
"""Chance, handed in: (client_order_id, number of the fill) to a number from 0 to below 1, always the same one."""

Held = Mapping[tuple[str, str], Decimal]
"""Signed position by (strategy, leg): above 0 long. What is not in it is 0. It bounds ``reduce_only`` orders."""

NOTHING_HELD: Held = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """An order as the venue holds it.

    It can be built again from what a book keeps, by :func:`~onebook.domain.matching.rebuilding.rebuild`.

    Attributes:
        order: as it was sent.
        quantity: as it is now, after replacements and reductions; what was filled is part of it.
        limit_price: as it is now.
        stop_price: as it is now; of a trailing stop the level, None until it is first set.
        filled: quantity so far.
        fills: how many.
        triggered: a stop's level was reached; from then on it is a market or limit order.
        waiting: for its parent's first fill.
        accepted_ns: it fills on nothing seen before: when it was accepted, replaced, or activated by its parent's first
            fill, the latest of them.
        takes: a limit order that the market would fill when it came: its first fill is a taker's, at the price seen.
        released: of an order with a parent, how much it may fill altogether: what the parent has filled, less what
            others of its group have; None without a parent.
        restated: how much more what it filled before a split of the instrument is in the units of now.
    """

    order: Order
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    filled: Decimal = ZERO
    fills: int = 0
    triggered: bool = False
    waiting: bool = False
    accepted_ns: int = 0
    takes: bool = False
    released: Decimal | None = None
    restated: Decimal = ZERO

    @property
    def id(self) -> str:
        """The client_order_id."""
        return self.order.client_order_id

    @property
    def counts(self) -> Decimal:
        """What was filled, in the units of now: so much it has released, and taken off its group."""
        return add(self.filled, self.restated) if self.restated else self.filled

    @property
    def left(self) -> Decimal:
        """How much may still fill now, 0 or more: the parent's fills bound it."""
        most = self.quantity if self.released is None else min(self.quantity, self.released)
        return max(subtract(most, self.filled), ZERO)

    @property
    def extreme(self) -> Decimal | None:
        """The best price that a trailing stop's level stands for, at most 18 places; None before it is set.

        It follows from the level: plus the amount, or divided by 1 less the ratio (buys mirrored). The level itself
        only moves one way, so nothing else needs to be kept.
        """
        level, order = self.stop_price, self.order
        if order.kind != "trailing_stop" or level is None:
            return None
        if order.trail_amount is not None:
            return add(level, order.trail_amount) if order.side == "sell" else subtract(level, order.trail_amount)
        ratio = order.trail_ratio or ZERO
        return quotient(level, subtract(ONE, ratio) if order.side == "sell" else add(ONE, ratio))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the venue matches.

    Attributes:
        inside_bar: which comes first where a bar touches both a stop and a target: ``stop_first`` (the pessimistic
            one), ``target_first``, or ``path``: open, the nearer of low and high, the other, close; where both are
            equally near, the one that hurts a long first, the low.
        limit_on: a resting limit order fills when the price only touches it, ``touch``, or must go ``through``.
        market_on: market orders on bars fill at the ``next_open``, or at ``this_close``: the close of the bar just
            seen, or of the bar in which they came.
        fill_share: how much of a print's quantity our orders may fill, 0 to 1; None: whatever they want.
        bar_share: the same of a bar's volume. A source may count it in another unit, so it is None unless asked for.
        oco: a partial fill of one order ``reduce`` the others of its group by as much, or ``cancel`` them. A complete
            fill always cancels them.
        slippage: of takers.
        uniform: chance for the slippage; None takes nothing off.
        tick_size: prices of fills and levels lie on it, rounded against the trader; None: 18 places.
        lot_size: quantities of partial fills lie on it, rounded down; None: 18 places.
        trail_step: a trailing stop's level moves by at least this much, in the quote currency; 0: by any.
    """

    inside_bar: str = "stop_first"
    limit_on: str = "touch"
    market_on: str = "next_open"
    fill_share: Decimal | None = ONE
    bar_share: Decimal | None = None
    oco: str = "reduce"
    slippage: Slippage = field(default_factory=NoSlippage)
    uniform: Uniform | None = None
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    trail_step: Decimal = ZERO

    def __post_init__(self) -> None:
        """Refuse words and numbers that mean nothing."""
        _one_of("inside_bar", self.inside_bar, ("stop_first", "target_first", "path"))
        _one_of("limit_on", self.limit_on, ("touch", "through"))
        _one_of("market_on", self.market_on, ("next_open", "this_close"))
        _one_of("oco", self.oco, ("reduce", "cancel"))
        for name in ("fill_share", "bar_share"):
            share = getattr(self, name)
            if share is not None and not 0 <= share <= 1:
                msg = f"{name}: {share} is not between 0 and 1"
                raise InputError(msg, field=name, value=share)
        for name in ("tick_size", "lot_size"):
            size = getattr(self, name)
            if size is not None and size <= 0:
                msg = f"{name}: {size} is not above 0; leave it out where there is none"
                raise InputError(msg, field=name, value=size)
        if self.trail_step < 0:
            msg = f"trail_step: {self.trail_step} is below 0"
            raise InputError(msg, field="trail_step", value=self.trail_step)


def _one_of(name: str, value: str, words: tuple[str, ...]) -> None:
    if value not in words:
        msg = f"{name}: {value!r:.40} is none of {', '.join(words)}"
        raise InputError(msg, field=name, value=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The order works from now on, or waits for its parent. ``takes`` must be kept: see :class:`Working`."""

    client_order_id: str
    takes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """One execution: ``liquidity`` is ``maker`` or ``taker``, ``number`` counts the order's fills from 1."""

    client_order_id: str
    quantity: Decimal
    price: Decimal
    liquidity: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggered:
    """A stop's level was reached."""

    client_order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A trailing stop's level is set, or has moved."""

    client_order_id: str
    stop_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Resized:
    """The order's whole quantity from now on, filled part included: others of its group filled, or its parent ended."""

    client_order_id: str
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Activated:
    """The parent has filled for the first time: the order works from now on. ``takes`` must be kept."""

    client_order_id: str
    takes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """The order's terms from now on. ``takes`` must be kept: see :class:`Working`."""

    client_order_id: str
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    takes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Canceled:
    """The order has ended; what it filled stands. Reasons are words of :mod:`onebook.domain.matching`."""

    client_order_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """The order's time is over; what it filled stands."""

    client_order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The venue does not take the order; it never worked."""

    client_order_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The venue does not cancel or replace; the order, if there is one, stands as it was."""

    client_order_id: str
    reason: str


Outcome = (
    Accepted | Filled | Triggered | Moved | Resized | Activated | Replaced | Canceled | Expired | Rejected | Refused
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What came of it: the orders that still work, oldest first, and what happened, in order."""

    working: tuple[Working, ...]
    outcomes: tuple[Outcome, ...] = ()
