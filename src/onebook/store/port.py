"""The port: what a book asks of the place it is kept in. SQLite and memory answer alike.

Rows are plain tuples in the order of their tables' columns; states travel as JSON text. A movement, record,
round trip or fold point is never overwritten: a newer version closes it with the sequence that replaced it
(``known_until``), so that every read can be made as of a sequence. ``known`` None means now.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

from onebook.store.subscribers import DeadLetter, Heartbeat, Observation, SubscriberRow, SubscriberRows

_Result = TypeVar("_Result")
Row = tuple[Any, ...]
Order = tuple[int, int, str, int, int]
Head = tuple[int, bytes]
"""(sequence of the newest entry, its hash); (0, 32 zero bytes) for an empty log."""

GENESIS: Head = (0, bytes(32))
LAST_LETTER = "\U0010ffff"
"""What no id holds: every id that begins with a prefix comes before the prefix followed by this."""


@dataclass(slots=True)
class Batch:
    """Everything one transaction writes.

    ``entries`` (sequence, body, hash) · ``identities`` (scope, id, sequence, ordinal) · ``ledgers``
    (id, account, instrument, kind) · ``movements`` and ``movement_ends`` · ``positions`` · ``trips`` and
    ``trip_ends`` · ``points`` and ``point_ends`` · ``days`` · ``records`` · ``tally`` (name, count to add) ·
    ``marks`` (instrument, price, at_ns, source, written_ns) · ``mark_samples`` (instrument, minute, price,
    at_ns): see ``sqlite/writes.sql`` for the columns.
    """

    entries: list[Row] = field(default_factory=list)
    identities: list[Row] = field(default_factory=list)
    ledgers: list[Row] = field(default_factory=list)
    movements: list[Row] = field(default_factory=list)
    movement_ends: list[Row] = field(default_factory=list)
    positions: list[Row] = field(default_factory=list)
    trips: list[Row] = field(default_factory=list)
    trip_ends: list[Row] = field(default_factory=list)
    points: list[Row] = field(default_factory=list)
    point_ends: list[Row] = field(default_factory=list)
    days: list[Row] = field(default_factory=list)
    record_ends: list[Row] = field(default_factory=list)
    records: list[Row] = field(default_factory=list)
    rates: list[Row] = field(default_factory=list)
    tally: list[Row] = field(default_factory=list)

    def clear(self) -> None:
        """Forget all rows."""
        for name in TABLES:
            getattr(self, name).clear()


TABLES = (
    "entries",
    "identities",
    "ledgers",
    "movement_ends",
    "movements",
    "positions",
    "trip_ends",
    "trips",
    "point_ends",
    "points",
    "days",
    "record_ends",
    "records",
    "rates",
    "tally",
)
"""The parts of a batch in the order in which they are written."""


VERSIONED = {"identities": 4, "movements": 7, "points": 7, "trips": 6, "records": 4, "rates": 4}
"""The read models whose rows say when they came: how many of a row's first fields are its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Every row of the models that keep no versions, and the head of the log, as of one moment.

    ``ledgers`` (id, account, instrument, kind) · ``positions`` · ``days`` · ``tally`` (name, count).
    """

    TABLES: ClassVar[tuple[str, ...]] = ("ledgers", "positions", "days", "tally")

    head: Head
    ledgers: list[Row]
    positions: list[Row]
    days: list[Row]
    tally: list[Row]


class Reader(Protocol):
    """Reads. Each call sees one consistent state; long answers come in pages."""

    def head(self) -> Head:
        """Return the newest entry's sequence and hash."""

    def entries(self, after: int, limit: int) -> list[Row]:
        """Return (sequence, body, hash) of the entries after a sequence, at most so many."""

    def entry(self, sequence: int) -> Row | None:
        """Return (sequence, body, hash) of one entry."""

    def scope(self, name: str) -> int | None:
        """Return the number of an identity space, if it has one."""

    def identities(self, scope: int, key: str, upto: int) -> list[tuple[int, int]]:
        """Return (sequence, ordinal) of the facts up to a sequence that hold this identity."""

    def identities_of(self, wanted: list[tuple[int, str]]) -> list[Row]:
        """Return (scope, key, sequence, ordinal) of the facts that hold any of these ids."""

    def ledgers(self) -> list[Row]:
        """Return (id, account, instrument, kind) of all ledgers."""

    def positions(self, ledger: int | None, *, is_open: bool = False, unvalued: bool = False) -> list[Row]:
        """Return the position rows at the head: of one ledger or all, the open or the unvalued ones only."""

    def movements(
        self, ledger: int, after: Order, known: int | None, limit: int, until_ns: int | None = None
    ) -> list[Row]:
        """Return the movement rows that stand, after a place and in order, at most so many."""

    def moved(self, ledger: int, known: int | None, until_ns: int | None = None) -> list[Row]:
        """Return (strategy, leg) of all fills ever booked, those included that no longer stand."""

    def movement(self, ledger: int, order: Order) -> Row | None:
        """Return the movement row that stands at a place now."""

    def last_movements(self, ledger: int) -> tuple[Order, Order, int]:
        """Return the newest place, the newest shared one, and how many came after the newest fold point."""

    def point(self, ledger: int, before: Order, known: int | None) -> Row | None:
        """Return the newest fold point row before a place."""

    def trips(
        self,
        ledgers: Sequence[int] | None,
        since: int | None,
        until: int | None,
        after: tuple[int, int] | None,
        known: int | None,
        limit: int,
    ) -> list[Row]:
        """Return ended round trips by (closed_ns, id)."""

    def days(self, level: int, basis: str, **filters: str | None) -> list[Row]:
        """Return daily rows of a level and basis; filters: since, until, account, strategy, currency."""

    def day(self, key: Row) -> Row | None:
        """Return one daily row."""

    def record(self, kind: str, account: str, key: str, known: int | None) -> Row | None:
        """Return one record row."""

    def records(self, kind: str, known: int | None, after: tuple[int, str, str], limit: int) -> list[Row]:
        """Return record rows of a kind by (occurred_ns, account, id)."""

    def records_under(self, kind: str, prefix: str, known: int | None, after: str, limit: int) -> list[Row]:
        """Return (id, occurred_ns, body, instrument, strategy, status, known_from) of a kind's records, by id.

        Only those without an account whose id begins with a prefix and goes on after it; at most so many. How many
        versions a record had does not count.

        Args:
            kind: which.
            prefix: how the ids begin; empty for all.
            known: as they stood at this sequence; None for now.
            after: only ids behind this one, the last of the page before; empty for the first page.
            limit: at most so many.
        """

    def open_orders(self, account: str | None, instrument: str | None) -> list[Row]:
        """Return the order rows whose status is not an end: of an instrument, of an account, or all."""

    def open_breaks(self, account: str, instrument: str) -> int:
        """Return how many differences of an instrument wait for somebody."""

    def rate(self, base: str, quote: str, at: int, oldest: int, known: int | None) -> Row | None:
        """Return (price, at_ns, source) of the newest rate of a pair in a span."""

    def rate_pairs(self, known: int | None) -> list[Row]:
        """Return all pairs that have rates."""

    def about(self) -> dict[str, str]:
        """Return what is kept about this book's place."""

    def tally(self) -> dict[str, int]:
        """Return the book's counters."""

    def marks(self) -> list[Row]:
        """Return (instrument, price, at_ns, source, written_ns) of the newest marks."""

    def mark_at(self, instrument: str, at_ns: int) -> Row | None:
        """Return (price, at_ns) of the newest sample or mark at or before a moment."""

    def mark_after(self, instrument: str, at_ns: int) -> Row | None:
        """Return (price, at_ns) of the first sample at or after a moment."""

    def marks_between(self, instrument: str, since_ns: int, until_ns: int, limit: int) -> list[Row]:
        """Return (price, at_ns) of the samples at or after a moment and before another, oldest first."""

    def changed(self) -> int:
        """Return a number that differs when another connection than this reader's has written."""

    def standing(self) -> Standing:
        """Return the head, and every row of the models that keep no versions, as of one moment."""

    def versions(self, table: str, known: int, after: Row | None, limit: int) -> list[Row]:
        """Return rows of a versioned read model by their keys, after one, at most so many.

        Args:
            table: one of :data:`VERSIONED`; an identity has the name of its space as a fifth field.
            known: only versions made by this sequence; what closed them may be later.
            after: the last row of the page before; None for the first page.
            limit: at most so many.
        """

    def subscribers(self) -> list[SubscriberRow]:
        """Return all subscribers by name."""

    def subscriber(self, name: str) -> SubscriberRow | None:
        """Return one subscriber."""

    def dead_letters(self, name: str | None, after: tuple[str, int, int], limit: int) -> list[DeadLetter]:
        """Return dead letters of one subscriber or of all, by (subscriber, sequence, ordinal)."""

    def count_dead_letters(self) -> dict[str, int]:
        """Return how many dead letters each subscriber has."""

    def heartbeats(self) -> list[Heartbeat]:
        """Return all signs of life."""

    def observations(self, kind: str) -> list[Observation]:
        """Return what was kept of a kind, by name."""


class Store(Reader, Protocol):
    """A book's place. One writer at a time, in this process and among all."""

    url: str
    read_only: bool

    def reading(self) -> AbstractContextManager[Reader]:
        """Lend a reader for one short read."""

    def begin(self) -> None:
        """Begin a write transaction, waiting for other processes no longer than allowed.

        Raises:
            StoreBusy: the wait was longer.
        """

    def write(self, batch: Batch) -> None:
        """Write rows inside the transaction."""

    def new_scope(self, name: str) -> int:
        """Give an identity space a number, inside the transaction."""

    def commit(self) -> None:
        """Make it durable."""

    def rollback(self) -> None:
        """Forget what was written since begin."""

    def put_marks(self, marks: Iterable[Row], samples: Iterable[Row], *, wait: bool = False) -> None:
        """Write marks, in a transaction of their own that no other write waits for; not safe from a loss of power.

        Args:
            marks: (instrument, price, at_ns, source, written_ns).
            samples: (instrument, minute, price, at_ns).
            wait: wait up to a second for another writer; else give up at once.

        Raises:
            StoreBusy: another writer was first.
        """

    def wipe_models(self) -> None:
        """Empty every read model, inside the transaction; the log stays."""

    def wipe_days(self) -> None:
        """Empty the daily rows, inside the transaction."""

    def cut(self, known: int, gained: Iterable[Row]) -> None:
        """Bring the versioned read models back to how they were at an entry, inside the transaction.

        Versions made later go, those closed later stand again, and identity spaces without ids go. The other models
        stay as they are.

        Args:
            known: the entry's sequence.
            gained: (scope, key, sequence, ordinal) of ids that facts up to there came by later.
        """

    def drop_ledgers(self, kept: Iterable[int]) -> None:
        """Forget all ledgers but these, inside the transaction, and empty positions, days and counters."""

    def put_about(self, name: str, value: str) -> None:
        """Keep something about this place, inside the transaction."""

    def subscriber_rows(self) -> SubscriberRows:
        """Return what changes subscribers' rows inside the transaction."""

    def aside(self, work: Callable[[SubscriberRows], _Result]) -> _Result:
        """Run work in a transaction of its own, beside the records'; not safe from a loss of power.

        Args:
            work: is run once, with what changes subscribers' rows; when it raises, nothing is changed.

        Raises:
            StoreBusy: another writer did not end within two seconds.
        """

    def backup(self, path: str) -> None:
        """Write a consistent copy to a new file."""

    def query(self, sql: str, params: Sequence[Any] = ()) -> tuple[list[str], Iterator[Row]]:
        """Run read-only SQL: column names and rows."""

    def digest_rows(self, table: str) -> Iterator[Row]:
        """Return all rows of a read model, for comparison."""

    def close(self) -> None:
        """Give everything back. Further calls raise StoreClosed."""
