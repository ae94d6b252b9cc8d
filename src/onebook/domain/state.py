"""What a decision may look at, and what it says shall change.

:class:`State` is all that :func:`onebook.domain.decide.decide` reads: facts that are in the log already, as
ledgers, definitions, rates and records. A :class:`Decision` is what it returns: the events of one entry, and
the rows that the read models gain or close. Nothing here writes.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from onebook.domain.cash import Cash
from onebook.domain.days import Days
from onebook.domain.facts import Account, BookSettings, Fill, Instrument
from onebook.domain.holdings import ClosedTrip, Holding, Key
from onebook.domain.instruments import Terms
from onebook.domain.movements import FIRST, Movement, Order
from onebook.domain.numbers import ZERO
from onebook.domain.rates import KnownRate

POINT_EVERY = 64
"""Movements between two fold points of a ledger."""


@dataclass(slots=True)
class Ledger:
    """One instrument in one account, at the head of the log.

    ``last`` is the place of its newest movement, ``shared`` of its newest one that looks at several
    positions, ``point`` of its newest fold point, and ``since_point`` how many movements came after that.
    """

    id: int
    account: str
    instrument: str
    name: str
    terms: Terms
    holdings: dict[Key, Holding] = field(default_factory=dict)
    last: Order = FIRST
    shared: Order = FIRST
    point: Order = FIRST
    since_point: int = 0


@dataclass(slots=True)
class CashLedger:
    """One currency in one account, at the head of the log."""

    id: int
    account: str
    currency: str
    cash: Cash


@dataclass(slots=True)
class Stamp:
    """What the log says of an entry beside its events."""

    sequence: int
    recorded_ns: int
    actor: str = ""
    correlation_id: str = ""


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A fact as the log holds it. ``timed``: the caller gave the time, not our clock."""

    sequence: int
    ordinal: int
    kind: str
    fact: Any
    timed: bool
    movement_data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """One version of what the book knows of an order, a signal, a transfer and so on.

    ``body`` is plain data. (kind, account, id) names it; a newer version closes the one before.
    """

    kind: str
    account: str
    id: str
    occurred_ns: int
    body: dict[str, Any]
    instrument: str = ""
    strategy: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class OpenOrder(Record):
    """The record of an order that may still fill, with what decisions look at in its body.

    ``rest`` is how much may still fill, unsigned, in units. ``opens`` says that it is known and not ``reduce_only``,
    so that it may open or add where it is no exit of its parent's.
    """

    side: str = ""
    leg: str = ""
    group_id: str = ""
    parent_id: str = ""
    rest: Decimal = ZERO
    opens: bool = False


@dataclass(slots=True)
class EventDraft:
    """An event before it has a place in the log. None stands for what the entry's envelope says."""

    type: str
    data: Any
    strategy: str | None = None
    account: str | None = None
    instrument: str | None = None


DayKey = tuple[str, str, int, str, str, str]
"""(day, account, level, strategy, basis, currency): level 0 is the account's total, 1 a strategy; basis is
``native`` for the settlement currency, ``base`` for the book's base currency."""


@dataclass(slots=True)
class DayDelta:
    """What a decision adds to one row of the daily P&L."""

    gross: Decimal
    fees: Decimal
    funding: Decimal
    income: Decimal
    fills: int = 0
    round_trips: int = 0
    restated: bool = False


@dataclass(frozen=True, slots=True)
class FoldPoint:
    """The state of a ledger's positions after the movement at ``order``."""

    ledger: int
    order: Order
    holdings: tuple[Holding, ...]


@dataclass(slots=True)
class Decision:
    """What an accepted command does: one entry's events, and the rows it adds to and closes in read models.

    ``status`` is ``recorded``, ``exists`` or ``conflict``; ``first`` the sequence of the first report for the
    last two. ``named`` is the fill, and its ordinal, whose identity is the decision's where ``identity`` is empty:
    few ask, so it is put into words when somebody does. ``answer`` is what the caller gets back where a receipt does
    not say it. A decision without events writes nothing.
    """

    account: str = ""
    instrument: str = ""
    strategy: str = ""
    occurred_ns: int = 0
    status: str = "recorded"
    first: int = 0
    identity: str = ""
    named: tuple[Fill, int] | None = None
    ledger: Ledger | None = None
    position: Holding | None = None
    events: list[EventDraft] = field(default_factory=list)
    cash_ledgers: list[tuple[CashLedger, Cash]] = field(default_factory=list)
    identities: list[tuple[str, str, int]] = field(default_factory=list)
    added: list[tuple[int, Movement]] = field(default_factory=list)
    ended: list[tuple[int, Movement]] = field(default_factory=list)
    holdings: list[tuple[Ledger, Holding]] = field(default_factory=list)
    trips_added: list[tuple[int, ClosedTrip]] = field(default_factory=list)
    trips_ended: list[tuple[int, ClosedTrip]] = field(default_factory=list)
    points_added: list[FoldPoint] = field(default_factory=list)
    points_ended: list[tuple[int, Order]] = field(default_factory=list)
    days: dict[DayKey, DayDelta] = field(default_factory=dict)
    answer: Any = None
    records: list[Record] = field(default_factory=list)
    progress: dict[int, tuple[Order, Order, Order, int]] = field(default_factory=dict)
    definitions: bool = False
    rates: list[tuple[str, str, KnownRate]] = field(default_factory=list)
    tally: dict[str, int] = field(default_factory=dict)


class State(Protocol):
    """Everything a decision may read. All of it is in the log; ``now`` is not."""

    @property
    def settings(self) -> BookSettings:
        """The book's settings in force."""

    @property
    def days(self) -> Days:
        """The book's own calendar."""

    def account(self, name: str) -> Account:
        """Return the account's definition in force; a plain one when there is none."""

    def defined_account(self, name: str) -> Account | None:
        """Return the account's definition in force, if there is one."""

    def definition(self, symbol: str) -> Instrument | None:
        """Return the instrument's definition in force, if there is one."""

    def account_venue(self, account: str) -> str:
        """Return the venue an account is at: as defined, else that of its first fill that named one."""

    def names(self, account: str, symbol: str) -> list[str]:
        """Return every name of the instrument that this symbol names in an account, the oldest first."""

    def ledger(self, account: str, symbol: str) -> Ledger:
        """Return the ledger; a new empty one, with an id of its own, when there is none."""

    def ledgers(self, account: str | None = None, *, unvalued: bool = False) -> Iterable[Ledger]:
        """Return all ledgers of an account or the book, or those with something unvalued."""

    def cash(self, account: str, currency: str) -> CashLedger:
        """Return the cash ledger; a new empty one when there is none."""

    def cash_ledgers(self, *, unvalued: bool = False) -> Iterable[CashLedger]:
        """Return all cash ledgers, or those with something unvalued."""

    def identities(self, scope: str, key: str) -> list[tuple[int, int]]:
        """Return (sequence, ordinal) of the facts that hold this identity."""

    def fact(self, sequence: int, ordinal: int) -> StoredFact:
        """Return the fact that an event holds."""

    def record(self, kind: str, account: str, key: str) -> Record | None:
        """Return the newest version of a record."""

    def records_under(self, kind: str, prefix: str) -> Iterator[Record]:
        """Return the newest versions of a kind's records without an account whose ids go on after a prefix, by id."""

    def find_rate(self, base: str, quote: str, at: int) -> KnownRate | None:
        """Return the newest recorded rate of this pair at or before, not older than seven days."""

    def rate_pairs(self) -> Collection[tuple[str, str]]:
        """Return all pairs that have rates."""

    def movements(self, ledger: int, after: Order = FIRST) -> Iterator[Movement]:
        """Return a ledger's movements that stand, after a place, in their order."""

    def movement(self, ledger: int, order: Order) -> Movement | None:
        """Return the movement that stands at this place."""

    def fold_point(self, ledger: int, before: Order) -> FoldPoint | None:
        """Return the newest fold point before a place."""

    def open_orders(self, account: str | None, instrument: str | None) -> Iterable[OpenOrder]:
        """Return the records of orders that are not at their end: of an instrument, of an account, or all."""

    def open_breaks(self, account: str, instrument: str) -> int:
        """Return how many differences of an instrument wait for somebody."""

    def recent_orders(self, since_ns: int) -> Iterable[Record]:
        """Return the records of orders placed at a moment or after."""

    def protections(self) -> Collection[str]:
        """Return the ids of the stops and targets in force."""

    def seen(self, account: str, instrument: str) -> tuple[Decimal | None, Decimal | None]:
        """Return the highest and lowest mark that the command brings along, if any."""
