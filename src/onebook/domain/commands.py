"""What can be asked of a book: imperative, checked when made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from onebook.domain.facts import AnyFact, Order, OrderUpdate


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What an order-level fill was reckoned from: it is recorded only while that holds.

    Attributes:
        filled: how much of the order was booked.
        after: the newest entry then.
        since_ns: no execution of the order is older by the venue's clock, nanoseconds since 1970 UTC.
    """

    filled: Decimal
    after: int
    since_ns: int


@dataclass(frozen=True, slots=True)
class Record:
    """Take in a fact; with ``compared``, only when nobody booked of its order meanwhile."""

    fact: AnyFact
    compared: Compared | None = None


@dataclass(frozen=True, slots=True)
class Bust:
    """Take a fill back: the venue says it never happened. ``which`` is its (sequence, ordinal)."""

    which: tuple[int, int]
    reason: str


@dataclass(frozen=True, slots=True)
class Correct:
    """Replace fields of a fill by what is right. ``which`` is its (sequence, ordinal)."""

    which: tuple[int, int]
    reason: str
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Annotate:
    """Hang notes and tags on a round trip; None leaves them as they are."""

    round_trip_id: int
    notes: str | None = None
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Write an event that changes no figure: a restore, a snapshot, a user's own type."""

    type: str
    data: dict[str, Any]
    account: str = ""
    instrument: str = ""
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class StateChange:
    """One path of the state and its new value, as it is kept; or that it is taken away."""

    path: tuple[str, ...]
    value: Any = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class ChangeState:
    """Change the state at several paths, all or nothing.

    ``expected`` are (path, version) pairs that must hold; the empty path stands for all that users keep.
    """

    changes: tuple[StateChange, ...]
    source: str = ""
    expected: tuple[tuple[tuple[str, ...], int], ...] = ()


@dataclass(frozen=True, slots=True)
class Publish:
    """Write a user's own event. ``as_published``: as ``published`` with the type inside, whatever it is called."""

    type: str
    data: dict[str, Any]
    account: str = ""
    instrument: str = ""
    strategy: str = ""
    as_published: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an account or strategy stands against its limits of loss, in the book's base currency.

    ``loss`` since the day's roll, without transfers, and ``drawdown`` from the highest result: above 0 for a loss.
    """

    loss: Decimal
    drawdown: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the order gate saw beside the log: it is kept with its answer.

    Attributes:
        marks: instrument -> (price, nanoseconds since 1970 UTC).
        rates: settlement currency -> how much of the book's base currency one unit is.
        results: (account, strategy) of limits of loss -> how they stand.
    """

    marks: Mapping[str, tuple[Decimal, int]] = field(default_factory=dict)
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    results: Mapping[tuple[str, str], Result] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Ask the order gate for an order, and record it as approved or denied.

    ``operator``: a person's flatten, which passes when trading is halted. ``after_stop``: the sequence that set the
    stop whose exit this is; nothing is done unless that very stop was triggered.
    """

    order: Order
    observed: Observed
    operator: bool = False
    after_stop: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Ask for other terms of an order: an update of status ``pending_replace`` that goes through the gate."""

    update: OrderUpdate
    observed: Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTrading:
    """Put trading into a state, for the book, an account, a strategy, or one of both.

    Attributes:
        state: ``ACTIVE``, ``REDUCING`` or ``HALTED``.
        reason: why.
        account: whose; empty for all.
        strategy: whose; empty for all.
        cause: ``manual``, or the limit that was reached: ``daily_loss``, ``drawdown``.
        figures: of the limit that was reached, as plain JSON data; ``day`` among them. With ``ACTIVE``: ``marks``,
            instrument -> [price, nanoseconds since 1970 UTC], from which a limit of loss counts anew.
    """

    state: str
    reason: str
    account: str = ""
    strategy: str = ""
    cause: str = "manual"
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protect:
    """Set the stop and target of a position, or take them away where all five figures are None.

    Prices per unit in the quote currency; ``trail_ratio`` between 0 and 1. ``act`` is ``notify`` or ``order``.
    ``carries``: a trail set anew in an open position goes on from the best mark so far. ``best`` is the best mark since
    the position opened that whoever sets it knows of, None for none: a trail begins there.
    """

    account: str
    instrument: str
    strategy: str = ""
    leg: str = ""
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trail_amount: Decimal | None = None
    trail_ratio: Decimal | None = None
    activates_at: Decimal | None = None
    act: str = "notify"
    reason: str = ""
    carries: bool = True
    best: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveStop:
    """Keep how far a trailing stop has moved: its level, and the best mark that it trails."""

    account: str
    instrument: str
    strategy: str
    leg: str
    level: Decimal | None
    best: Decimal
    set_at: int
    """The sequence that set the protection; 0 for whichever is in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerStop:
    """Say that a mark reached a level: ``kind`` is ``stop_loss``, ``take_profit`` or ``trailing_stop``."""

    account: str
    instrument: str
    strategy: str
    leg: str
    kind: str
    level: Decimal
    mark: Decimal
    marked_ns: int
    set_at: int
    """The sequence that set the protection."""


Command = (
    Record
    | Bust
    | Correct
    | Annotate
    | Note
    | ChangeState
    | Publish
    | Place
    | Replace
    | SetTrading
    | Protect
    | MoveStop
    | TriggerStop
)
