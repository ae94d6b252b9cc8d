"""What queries answer with: frozen records, money in the settlement currency unless a currency stands beside it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from onebook.domain import times
from onebook.domain.facts import Order as OrderFact
from onebook.domain.lots import ClosedLot as _ClosedLot
from onebook.domain.lots import Lot as _Lot
from onebook.domain.numbers import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One position, or the sum of an account's.

    ``quantity`` is signed; ``average_price`` per unit (None when flat, or when strategies point both ways);
    ``cost_basis`` 0 or more, of the open part. ``realized_pnl`` = gross − fees + funding + income, over the
    position's whole life. ``unrealized_pnl`` is None without a mark; ``stale`` says whether the mark is old.
    ``unvalued`` holds (currency, amount) that no rate could value, signed as the balance moved.
    """

    account: str
    instrument: str
    strategy: str | None
    leg: str = ""
    basis: str = "sum"
    quantity: Decimal
    average_price: Decimal | None
    cost_basis: Decimal
    currency: str
    realized_pnl_gross: Decimal
    fees: Decimal
    fees_in_base: Decimal
    funding: Decimal
    income: Decimal
    realized_pnl: Decimal
    opened_at: datetime | None
    updated_at: datetime | None
    mark: Decimal | None = None
    marked_at: datetime | None = None
    mark_source: str = ""
    stale: bool | None = None
    unrealized_pnl: Decimal | None = None
    highest: Decimal | None = None
    lowest: Decimal | None = None
    unvalued: tuple[tuple[str, Decimal], ...] = ()
    flags: tuple[str, ...] = ()
    sequence: int = 0

    @property
    def side(self) -> str:
        """``long``, ``short`` or ``flat``."""
        return "long" if self.quantity > 0 else "short" if self.quantity < 0 else "flat"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """A position from flat until flat again. ``id`` is the sequence of the fact that opened it.

    ``quantity`` is the largest held, unsigned; prices are weighted; ``net`` = gross − fees + funding + income.
    """

    id: int
    account: str
    instrument: str
    strategy: str
    leg: str
    direction: str
    quantity: Decimal
    entry_price: Decimal | None
    exit_price: Decimal | None
    opened_at: datetime
    closed_at: datetime | None
    currency: str
    gross: Decimal
    fees: Decimal
    funding: Decimal
    income: Decimal
    net: Decimal
    close_reason: str
    signal_id: str
    stop_loss: Decimal | None
    take_profit: Decimal | None
    risk_amount: Decimal | None
    highest: Decimal | None
    lowest: Decimal | None
    notes: str
    tags: tuple[str, ...]
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFill:
    """A fill that stands, with its place in the log. All fields of a ``Fill`` are there too."""

    sequence: int
    id: str
    identity: str
    fill: Any
    flags: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fill, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderState:
    """An order as sent (``order``), and how far it is."""

    order: OrderFact
    status: str
    filled_quantity: Decimal
    average_price: Decimal | None
    venue_order_id: str
    reason: str
    sequence: int
    flags: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return self.status not in {"denied", "rejected", "canceled", "expired", "filled"}

    @property
    def is_in_doubt(self) -> bool:
        """Whether its venue has said nothing of it yet, so that nobody knows whether it arrived."""
        return self.status in {"pending_new", "unknown"} or "in_doubt" in self.flags

    def __getattr__(self, name: str) -> Any:
        return getattr(self.order, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalState:
    """A signal as seen (``signal``), its status, and the round trip it led to."""

    signal: Any
    status: str
    round_trip: int | None
    reason: str
    sequence: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.signal, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lots:
    """The lots of an instrument under one method, ``open`` and ``closed``, oldest first."""

    instrument: str
    account: str
    strategy: str | None
    method: str
    currency: str
    open: tuple[_Lot, ...]
    closed: tuple[_ClosedLot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How much of an asset an account holds: the sum of its movements."""

    account: str
    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Equity:
    """What the book is worth in one currency, and where it came from: the parts add up to ``amount``.

    ``unvalued`` lists what stands outside on both sides, as (currency or instrument, amount).
    """

    currency: str
    amount: Decimal
    opening: Decimal
    transfers: Decimal
    realized: Decimal
    other: Decimal
    unrealized: Decimal
    revaluation: Decimal
    unvalued: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPoint:
    """Equity at a moment; ``marks_age_seconds`` is the age of the oldest mark it used."""

    at: datetime
    amount: Decimal
    marks_age_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyPnl:
    """What one day realized. ``restated``: changed after the day had ended."""

    day: str
    currency: str
    gross: Decimal
    fees: Decimal
    funding: Decimal
    income: Decimal
    net: Decimal
    fills: int
    round_trips: int
    restated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pnl:
    """The sum of a span of days in one currency."""

    currency: str
    gross: Decimal
    fees: Decimal
    funding: Decimal
    income: Decimal
    net: Decimal
    fills: int
    round_trips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One amount that is part of a figure. All amounts of an explanation sum to the figure exactly."""

    sequence: int
    occurred_at: datetime
    kind: str
    amount: Decimal
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The newest price of an instrument."""

    instrument: str
    price: Decimal
    at: datetime
    source: str
    stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A difference that waits for somebody."""

    id: str
    kind: str
    account: str
    instrument: str
    quantity: Decimal | None
    amount: Decimal | None
    first_seen: datetime
    last_seen: datetime
    state: str
    proposed: str = ""
    resolver: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Event:
    """One event of the log. ``id`` is ``sequence.ordinal``; ``data`` is plain JSON data."""

    id: str
    sequence: int
    type: str
    version: int
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    correlation_id: str
    account: str
    instrument: str
    strategy: str
    data: dict[str, Any]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in Event.__dataclass_fields__)

    __hash__ = None  # type: ignore[assignment]  # its data is a dictionary


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberState:
    """A durable subscriber.

    Attributes:
        name: under which its checkpoint is kept.
        state: ``running``, ``retrying``, ``halted`` until somebody acts, ``skipping``, or ``stopped``: not served.
        checkpoint: everything up to this sequence or event id is done.
        lag: entries after that.
        rate: events a second, fading with a half-life of a minute.
        mean_seconds: how long handling one took on average.
        handled: events handled in all.
        errors: failures in all.
        dead_letters: events that were put aside.
        last_error: what the last failure said.
        last_error_at: when that was.
        holder: which process serves it.
        updated_at: when the checkpoint was last written down.
    """

    name: str
    state: str
    checkpoint: str
    lag: int
    rate: float
    mean_seconds: float
    handled: int
    errors: int
    dead_letters: int
    last_error: str
    last_error_at: datetime | None
    holder: str
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterState:
    """An event that a subscriber could not handle; ``retrying`` when it is to be tried once more."""

    subscriber: str
    event_id: str
    type: str
    reason: str
    attempts: int
    at: datetime
    retrying: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The book in numbers."""

    url: str
    entries: int
    facts: int
    fills_without_identity: int
    conflicts: int
    breaks: int
    unvalued: int
    marks: int
    last_backup_at: datetime | None
    subscribers: tuple[SubscriberState, ...]
    trading_state: str
    head_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that verify found: where, and what differs."""

    kind: str
    sequence: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What verify found. ``corrupt``: the log itself is damaged, not only what is derived from it.

    ``snapshot`` is the sequence of the snapshot that a rebuild began at; 0: it folded everything.
    """

    ok: bool
    problems: tuple[Problem, ...]
    entries: int
    head_hash: str
    corrupt: bool = False
    snapshot: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the book held at an entry, in a file; a cache, never the truth. ``size`` in bytes.

    An ``anchor`` says of every read model what it was: ``rebuild`` can begin there.
    """

    path: str
    sequence: int
    head_hash: str
    at: datetime
    size: int
    anchor: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy that was written and opened again. ``size`` in bytes."""

    path: str
    entries: int
    head_hash: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A fact of a batch that was not taken: its place in the batch, and why."""

    index: int
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """What became of many facts. The counts add up to how many were handed in."""

    recorded: int
    exists: int
    conflicts: int
    refused: tuple[Refusal, ...]
    first_sequence: int | None
    last_sequence: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePath:
    """What is known of a path: how often it changed, when last, by whom and why."""

    path: str
    version: int
    updated_at: datetime
    actor: str
    sequence: int
    source: str


_AS_IT_IS = frozenset({str, int, float, bool, type(None)})
_SPREAD = frozenset({"fill", "order", "signal"})
"""Fields that hold a fact, whose own fields stand in the place of it."""


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))


def as_plain(value: Any) -> Any:
    """Return an answer as plain JSON data: money as text, times RFC 3339, tuples as lists."""
    kind: Any = type(value)
    if kind in _AS_IT_IS:
        return value
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return times.to_text(times.from_datetime("", value))
    if hasattr(value, "__dataclass_fields__"):
        shown: dict[str, Any] = {}
        for name in _names(kind):
            part = getattr(value, name)
            if name in _SPREAD and hasattr(part, "__dataclass_fields__"):
                shown |= as_plain(part)
            elif name.endswith("_ns"):
                shown[name[:-3] + "_at"] = None if part is None else times.to_text(part)
            else:
                shown[name] = part if type(part) in _AS_IT_IS else as_plain(part)
        return shown
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_plain(item) for item in value]
    if isinstance(value, Exception):
        return {"code": type(value).__name__, "message": str(value)}
    if isinstance(value, str | int | float):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def as_json(value: Any) -> str:
    """Return an answer as JSON on one line."""
    return json.dumps(as_plain(value), ensure_ascii=False)
