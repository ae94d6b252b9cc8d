"""The state of a position: what it holds, what it realized, and the round trip it is in."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from onebook.domain.movements import FIRST, Order
from onebook.domain.numbers import ONE, ZERO, add, subtract

Key = tuple[str, str]
"""(strategy, leg): which position of a ledger."""

Splits = tuple[tuple[int, int, int], ...]
"""Splits that a position went through: (moment in nanoseconds, numerator, denominator)."""

FLAGS = (
    "contract_size_assumed",
    "account_mixed",
    "oversold",
    "unknown_order",
    "overfilled",
    "leg_exceeded",
    "time_ahead",
    "odd_update",
    "fraction_kept",
    "synthetic",
)


@dataclass(slots=True)
class Trip:
    """The round trip a position is in: from flat until flat again.

    Money in the settlement currency; ``gross`` to ``income`` are the position's totals when it began, so
    that a trip's own figures are differences. ``contract_size`` and ``inverse`` are the instrument's. The two texts
    are what its prices read as, where somebody asked since its entries or its exits last changed.
    """

    id: int
    opened_ns: int
    direction: str
    largest: Decimal = ZERO
    entry_quantity: Decimal = ZERO
    entry_value: Decimal = ZERO
    exit_quantity: Decimal = ZERO
    exit_value: Decimal = ZERO
    gross: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    income: Decimal = ZERO
    signal_id: str = ""
    contract_size: Decimal = ONE
    inverse: bool = False
    entry_text: str | None = field(default=None, compare=False)
    exit_text: str | None = field(default=None, compare=False)

    def copy(self) -> "Trip":
        """Return another one with the same figures."""
        return Trip(
            self.id,
            self.opened_ns,
            self.direction,
            self.largest,
            self.entry_quantity,
            self.entry_value,
            self.exit_quantity,
            self.exit_value,
            self.gross,
            self.fees,
            self.funding,
            self.income,
            self.signal_id,
            self.contract_size,
            self.inverse,
            self.entry_text,
            self.exit_text,
        )


@dataclass(slots=True)
class ClosedTrip:
    """A round trip that ended. The largest quantity held, unsigned; money in the settlement currency.

    Prices are weighted means, rounded at 18 places, None where nothing was paid for; ``contract_size`` and
    ``inverse`` are the instrument's when it ended.
    """

    id: int
    strategy: str
    leg: str
    direction: str
    quantity: Decimal
    entry_price: Decimal | None
    exit_price: Decimal | None
    opened_ns: int
    closed_ns: int
    gross: Decimal
    fees: Decimal
    funding: Decimal
    income: Decimal
    close_reason: str
    signal_id: str
    highest: Decimal | None
    lowest: Decimal | None
    last: Order
    contract_size: Decimal = ONE
    inverse: bool = False

    @property
    def net(self) -> Decimal:
        """Gross − fees + funding + income, in the settlement currency."""
        return add(add(subtract(self.gross, self.fees), self.funding), self.income)


@dataclass(slots=True, frozen=True)
class Receivable:
    """A dividend that was earned and not yet paid. Amount signed, in ``currency``."""

    reference: int
    amount: Decimal
    currency: str
    paid_ns: int | None


@dataclass(slots=True, frozen=True)
class Transit:
    """Units on their way to another own account: unsigned, with the cost they took along."""

    reference: int
    quantity: Decimal
    cost: Decimal


@dataclass(slots=True)
class Holding:
    """The state of one position of a ledger after its newest movement.

    ``quantity`` is signed. ``cost`` is the open part's, 0 or more, in the settlement currency, for the units
    whose basis is known; ``unbased`` units (0 or more) have none. ``gross fees funding income`` run over the
    position's whole life. ``adjusted`` is what dust and excess added to the quantity beside the fills.
    ``cash`` is what moved in the settlement currency, ``other_cash`` in others. ``foreign`` is the part of
    the realized P&L that was valued from other currencies. ``opening`` and ``transfers`` are the flows, in
    the settlement currency, that brought units in or took them out without a trade; what is in ``transit`` to
    another own account has not left yet. ``splits`` are those it went through.
    ``*_base`` are the same in the book's base currency and ``*_missing`` what had no rate to it; both stay 0 where the
    two currencies are one.
    """

    strategy: str
    leg: str
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    unbased: Decimal = ZERO
    gross: Decimal = ZERO
    fees: Decimal = ZERO
    fees_in_base: Decimal = ZERO
    funding: Decimal = ZERO
    income: Decimal = ZERO
    adjusted: Decimal = ZERO
    cash: Decimal = ZERO
    foreign: Decimal = ZERO
    opening: Decimal = ZERO
    transfers: Decimal = ZERO
    realized_base: Decimal = ZERO
    realized_missing: Decimal = ZERO
    opening_base: Decimal = ZERO
    opening_missing: Decimal = ZERO
    transfers_base: Decimal = ZERO
    transfers_missing: Decimal = ZERO
    highest: Decimal | None = None
    lowest: Decimal | None = None
    opened_ns: int | None = None
    updated_ns: int = 0
    sequence: int = 0
    flags: int = 0
    trip: Trip | None = None
    unvalued: dict[str, Decimal] = field(default_factory=dict)
    other_cash: dict[str, Decimal] = field(default_factory=dict)
    receivables: tuple[Receivable, ...] = ()
    transit: tuple[Transit, ...] = ()
    splits: Splits = ()
    last: Order = FIRST

    def copy(self) -> "Holding":
        """Return another one with the same figures, safe to change."""
        return _copy_of(self)

    @property
    def realized(self) -> Decimal:
        """Gross − fees + funding + income, in the settlement currency."""
        return add(add(subtract(self.gross, self.fees), self.funding), self.income)

    @property
    def key(self) -> Key:
        """Which position of its ledger this is."""
        return self.strategy, self.leg

    @property
    def untouched(self) -> bool:
        """Whether nothing stands that moved it: a bust or a late fill can leave a position that never was."""
        return self.last == FIRST


def _copier() -> Callable[[Holding], Holding]:
    """Return a function that copies a holding field by field: written out, it takes a third of the time."""
    lines = "".join(f"    new.{item.name} = old.{item.name}\n" for item in fields(Holding))
    space: dict[str, Any] = {"make": object.__new__, "Holding": Holding}
    exec(f"def copy(old):\n    new = make(Holding)\n{lines}    return new\n", space)  # noqa: S102  our own names
    made: Callable[[Holding], Holding] = space["copy"]
    return made


_copy_of = _copier()


@dataclass(slots=True)
class Change:
    """What one movement did to one position.

    ``closed`` holds the round trips it ended; ``dust`` and ``excess`` the units it took off the books without a
    fill, signed as they moved the quantity.
    """

    before: Holding
    after: Holding
    closed: tuple[ClosedTrip, ...] = ()
    dust: Decimal = ZERO
    excess: Decimal = ZERO


def flag_bit(name: str) -> int:
    """Return the bit that stands for a flag."""
    return 1 << FLAGS.index(name)


def flag_names(bits: int) -> tuple[str, ...]:
    """Return the flags that are set, in the order of :data:`FLAGS`."""
    return tuple(name for index, name in enumerate(FLAGS) if bits >> index & 1)


OVERSOLD = flag_bit("oversold")
LEG_EXCEEDED = flag_bit("leg_exceeded")
ASSUMED = flag_bit("contract_size_assumed")
FRACTION_KEPT = flag_bit("fraction_kept")
