"""What a paper venue is like: how it matches, what it charges, what it asks as margin, and when funding is paid."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256

from onebook.domain.facts import Instrument
from onebook.domain.instruments import Terms
from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.domain.matching import Rules
from onebook.domain.matching.costs import Fees
from onebook.domain.numbers import ONE, ZERO
from onebook.errors import BadConfig

__all__ = ["CASH", "MARGIN", "Fees", "Margin", "PaperRules", "funding_price", "price_shown", "uniform_of"]

_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """How much of a position's notional must be there: 1 is all of it, a cash account.

    Attributes:
        initial_ratio: to open, above 0.
        maintenance_ratio: to keep it, 0 to ``initial_ratio``; 0: it is never called.
        short: whether it may be sold short. On spot without it the asset must be there to be sold.
    """

    initial_ratio: Decimal = ONE
    maintenance_ratio: Decimal = ZERO
    short: bool = True

    def __post_init__(self) -> None:
        """Refuse ratios that mean nothing."""
        if not self.initial_ratio > 0 or not 0 <= self.maintenance_ratio <= self.initial_ratio:
            msg = (
                f"margin: initial_ratio {self.initial_ratio}, maintenance_ratio {self.maintenance_ratio}:"
                " the first must be above 0, the second from 0 to the first; 10 % is 0.1"
            )
            raise BadConfig(msg, field="initial_ratio", value=self.initial_ratio)


CASH = Margin(short=False)
MARGIN: Mapping[str, Margin] = {
    "spot": CASH,
    "fx": Margin(initial_ratio=Decimal("0.05"), maintenance_ratio=Decimal("0.025")),
    "equity": Margin(initial_ratio=Decimal("0.5"), maintenance_ratio=Decimal("0.25")),
    "future": Margin(initial_ratio=Decimal("0.1"), maintenance_ratio=Decimal("0.05")),
    "perpetual": Margin(initial_ratio=Decimal("0.1"), maintenance_ratio=Decimal("0.05")),
    "option": Margin(),
}
"""By kind of instrument, where the rules do not say otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRules:
    """What a paper venue is like. Nothing here is kept in the book: open it with the same rules again.

    Attributes:
        venue: its name, in every fill.
        matching: how orders meet the market; slippage, fill share, the rule inside one bar and the steps of trailing
            stops are there.
        fees: where ``fees_of`` says nothing else.
        fees_of: by symbol, or by kind of instrument.
        margin_of: by symbol, or by kind of instrument; else as in ``MARGIN``.
        liquidate: close an account's positions in a currency when its equity there is below the maintenance margin.
        funding: perpetual's symbol -> the rates paid, as (nanoseconds since 1970 UTC, rate), in the order of time;
            longs pay a rate above 0, shorts get it.
        latency_ns: how long after an order's time it reaches the venue; 0: at once.
        seed: of chance. The same seed, orders and data give the same fills.
        instruments: symbols that are traded here; None for whatever has a meaning.
    """

    venue: str = "paper"
    matching: Rules = field(default_factory=Rules)
    fees: Fees = field(default_factory=Fees)
    fees_of: Mapping[str, Fees] = field(default_factory=dict)
    margin_of: Mapping[str, Margin] = field(default_factory=dict)
    liquidate: bool = False
    funding: Mapping[str, tuple[tuple[int, Decimal], ...]] = field(default_factory=dict)
    latency_ns: int = 0
    seed: int = 0
    instruments: frozenset[str] | None = None

    def __post_init__(self) -> None:
        """Refuse a venue without a name and a latency that goes back."""
        if not self.venue:
            raise BadConfig("venue: is empty; every fill names its venue", field="venue")
        if self.latency_ns < 0:
            msg = f"latency_ns: {self.latency_ns} is below 0; it is a wait in nanoseconds"
            raise BadConfig(msg, field="latency_ns", value=self.latency_ns)

    def matching_for(self, definition: Instrument | None) -> Rules:
        """Return how orders of an instrument match: with its steps where it is defined with some, and with chance."""
        base = self.matching
        tick = None if definition is None else definition.tick_size
        lot = None if definition is None else definition.lot_size
        return replace(
            base,
            uniform=base.uniform or uniform_of(self.seed),
            tick_size=tick or base.tick_size,
            lot_size=lot or base.lot_size,
        )

    def fees_for(self, terms: Terms) -> Fees:
        """Return the fee schedule of an instrument."""
        return self.fees_of.get(terms.instrument) or self.fees_of.get(terms.kind) or self.fees

    def margin_for(self, terms: Terms) -> Margin:
        """Return the margin of an instrument."""
        return self.margin_of.get(terms.instrument) or self.margin_of.get(terms.kind) or MARGIN.get(terms.kind, CASH)


def uniform_of(seed: int) -> Callable[[str, int], Decimal]:
    """Return chance as a pure function: (client_order_id, n-th fill) to a number from 0 to below 1."""

    def uniform(client_order_id: str, number: int) -> Decimal:
        digest = sha256(f"{seed}\x1f{client_order_id}\x1f{number}".encode()).digest()
        return Decimal(int.from_bytes(digest[:8], "big") % 10**_DIGITS).scaleb(-_DIGITS)

    return uniform


def price_shown(seen: Seen) -> Decimal | None:
    """Return the price that what was seen tells last, above 0: of a quote the middle, or the only side; None: none."""
    if isinstance(seen, Quote):
        sides = [side for side in (seen.bid, seen.ask) if side > 0]
        return sum(sides, ZERO) / len(sides) if sides else None
    prices = (seen.price,) if isinstance(seen, Print) else (seen.low, seen.high, seen.open, seen.close)
    return prices[-1] if min(prices) > 0 else None


def funding_price(seen: Seen) -> Decimal:
    """Return the price at which funding that is due is valued: the first that what was seen tells."""
    return seen.open if isinstance(seen, Bar) else price_shown(seen) or ZERO
