"""Reads of a book in memory, over ordered tables. They change nothing."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from itertools import islice, takewhile
from typing import Any, TypeVar, cast

from onebook.errors import StoreClosed
from onebook.store.codec import decode
from onebook.store.memory_cutting import versions
from onebook.store.memory_subscribers import TABLES as SUBSCRIBER_TABLES
from onebook.store.port import GENESIS, LAST_LETTER, TABLES, Head, Order, Row, Standing
from onebook.store.subscribers import DeadLetter, Heartbeat, Observation, SubscriberRow
from onebook.store.tables import Key, Table

NAMES = (
    *(name for name in TABLES if not name.endswith("_ends")),
    "scopes",
    "scope_names",
    "ledger_names",
    "records_by_time",
    "records_open",
    "breaks_open",
    "marks",
    "mark_samples",
    "about",
    *SUBSCRIBER_TABLES,
)
"""Every table: the parts of a batch, numbers of identity spaces, and what finds rows by something else."""

_SHARED = ("split", "dividend", "reassign", "payment", "settlement")
_NOTHING: Order = (-1, 0, "", 0, 0)
_MINUTE = 60_000_000_000
_FAR = 2**62
_UNTIL = 16
"""Where a movement row keeps the sequence that closed it."""


@dataclass(slots=True)
class Place:
    """Where a book in memory is kept: its committed rows, their lock, and how often they changed."""

    tables: dict[str, Table] = field(default_factory=lambda: {name: Table() for name in NAMES})
    lock: Any = field(default_factory=threading.RLock)
    writes: int = 0


_Method = TypeVar("_Method", bound=Callable[..., object])


def locked(method: _Method) -> _Method:
    """Let a method run alone, and only while the book is open."""

    @wraps(method)
    def wrapper(self: "MemoryReader", *args: object, **kwargs: object) -> object:
        with self.place.lock:
            if self.closed:
                raise StoreClosed("the book is closed; open it again", url=self.url)
            return method(self, *args, **kwargs)

    return cast("_Method", wrapper)


def _stands(row: Row, known: int | None, known_from: int, until: int) -> bool:
    """Say whether a version stands at a sequence; the last two say where the row keeps its own."""
    ended = row[until]
    if known is None:
        return ended is None
    return bool(row[known_from] <= known and (ended is None or ended > known))


class MemoryReader:
    """The reading half of the port, over what is committed.

    Args:
        place: where the book is kept.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._tables: Mapping[str, Table] = place.tables
        self.closed = False
        self.url = ":memory:"

    @locked
    def head(self) -> Head:
        """Return the newest entry's sequence and hash."""
        return next(((row[0], row[2]) for _, row in self._tables["entries"].down((_FAR,))), GENESIS)

    @locked
    def entries(self, after: int, limit: int) -> list[Row]:
        """Return (sequence, body, hash) of the entries after a sequence."""
        return [row for _, row in islice(self._tables["entries"].up((after + 1,)), limit)]

    @locked
    def entry(self, sequence: int) -> Row | None:
        """Return one entry."""
        return self._tables["entries"].get((sequence,))

    @locked
    def scope(self, name: str) -> int | None:
        """Return the number of an identity space."""
        found = self._tables["scope_names"].get((name,))
        return None if found is None else found[0]

    @locked
    def identities(self, scope: int, key: str, upto: int) -> list[tuple[int, int]]:
        """Return (sequence, ordinal) of who holds an id."""
        return [row[2:] for row in self._under("identities", (scope, key)) if row[2] <= upto]

    @locked
    def identities_of(self, wanted: list[tuple[int, str]]) -> list[Row]:
        """Return who holds any of these ids."""
        found = [row for place in wanted for row in self._under("identities", place)]
        return sorted(found, key=lambda row: (row[2], row[3]))

    @locked
    def ledgers(self) -> list[Row]:
        """Return all ledgers."""
        return self._under("ledgers", ())

    @locked
    def positions(self, ledger: int | None, *, is_open: bool = False, unvalued: bool = False) -> list[Row]:
        """Return position rows."""
        rows = self._under("positions", () if ledger is None else (ledger,))
        if ledger is not None or not (is_open or unvalued):
            return rows
        return [row for row in rows if row[3 if is_open else 4] == 1]

    @locked
    def movements(
        self, ledger: int, after: Order, known: int | None, limit: int, until_ns: int | None = None
    ) -> list[Row]:
        """Return movement rows after a place."""
        far = _FAR if until_ns is None else until_ns
        rows = takewhile(lambda row: row[1] <= far, self._after(ledger, after, known))
        return [row[1:_UNTIL] for row in islice(rows, limit)]

    @locked
    def moved(self, ledger: int, known: int | None, until_ns: int | None = None) -> list[Row]:
        """Return what movements were ever about."""
        last, far = (_FAR if limit is None else limit for limit in (known, until_ns))
        rows = self._under("movements", (ledger,))
        return sorted({row[8:10] for row in rows if row[6] <= last and row[1] <= far and row[10] == "fill"})

    def _after(self, ledger: int, place: Sequence[Any], known: int | None) -> Iterator[Row]:
        for key, row in self._tables["movements"].up((ledger, *place, _FAR)):
            if key[0] != ledger:
                return
            if _stands(row, known, 6, _UNTIL):
                yield row

    def _newest(self, name: str, ledger: int, before: Sequence[Any], known: int | None) -> Iterator[Row]:
        until = _UNTIL if name == "movements" else 8
        for key, row in self._tables[name].down((ledger, *before)):
            if key[0] != ledger:
                return
            if _stands(row, known, 6, until):
                yield row

    @locked
    def movement(self, ledger: int, order: Order) -> Row | None:
        """Return the movement row at a place."""
        rows = self._under("movements", (ledger, *order))
        return next((row[1:_UNTIL] for row in rows if row[_UNTIL] is None), None)

    @locked
    def last_movements(self, ledger: int) -> tuple[Order, Order, int]:
        """Return the newest place, the newest shared place, and the count after the newest fold point."""
        last = next((row[1:6] for row in self._newest("movements", ledger, (_FAR,), None)), _NOTHING)
        rows = (row for row in self._newest("movements", ledger, (_FAR,), None) if _shared(row))
        shared = next((row[1:6] for row in rows), _NOTHING)
        point = self.point(ledger, (_FAR, 0, "", 0, 0), None)
        count = sum(1 for _ in self._after(ledger, point[:5] if point else _NOTHING, None))
        return last, shared, count

    @locked
    def point(self, ledger: int, before: Order, known: int | None) -> Row | None:
        """Return the newest fold point before a place."""
        rows = self._newest("points", ledger, before, known)
        return next(((*row[1:6], row[7]) for row in rows), None)

    @locked
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
        far = _FAR if until is None else until
        start = max((since or 0, -1), (*(after or (-1, -1)), _FAR))
        found = takewhile(lambda pair: pair[0][0] < far, self._tables["trips"].up(start))
        rows = (
            (row[2], row[1], row[3], row[4], row[6], row[0], row[7])
            for _, row in found
            if _stands(row, known, 5, 8) and (ledgers is None or row[2] in ledgers)
        )
        return list(islice(rows, limit))

    @locked
    def days(self, level: int, basis: str, **filters: str | None) -> list[Row]:
        """Return daily rows."""
        since, until = filters.get("since") or "", filters.get("until") or "9"
        wanted = [(place, filters.get(name)) for place, name in enumerate(("account", "strategy", "currency"), 3)]
        return [
            row[2:]
            for row in self._under("days", (level, basis))
            if since <= row[2] < until and all(value is None or row[place] == value for place, value in wanted)
        ]

    @locked
    def day(self, key: Row) -> Row | None:
        """Return one daily row."""
        row = self._tables["days"].get(tuple(key))
        return None if row is None else row[6:]

    @locked
    def record(self, kind: str, account: str, key: str, known: int | None) -> Row | None:
        """Return one record row."""
        place = (kind, account, key)
        for found, row in self._tables["records"].down((*place, _FAR)):
            if found[:3] != place:
                break
            if _stands(row, known, 3, 9):
                return _record(row)[2:]
        return None

    @locked
    def records_under(self, kind: str, prefix: str, known: int | None, after: str, limit: int) -> list[Row]:
        """Return record rows of a kind without an account whose ids go on after a prefix."""
        end, table = prefix + LAST_LETTER, self._tables["records"]
        rows: list[Row] = []
        place = max(prefix, after)
        while len(rows) < limit:
            key = next((key for key, _ in table.up((kind, "", place, _FAR))), None)
            if key is None or key[:2] != (kind, "") or key[2] >= end:
                break
            place = key[2]
            row = self.record(kind, "", place, known)
            if row is not None:
                rows.append((place, *row))
        return rows

    @locked
    def records(self, kind: str, known: int | None, after: tuple[int, str, str], limit: int) -> list[Row]:
        """Return record rows of a kind in time."""
        rows = self._found("records_by_time", (kind,), (kind, *after, _FAR))
        return [_record(row) for row in islice((row for row in rows if _stands(row, known, 3, 9)), limit)]

    @locked
    def open_orders(self, account: str | None, instrument: str | None) -> list[Row]:
        """Return orders that may still fill: of an instrument, of an account, or all."""
        place = () if account is None else (account,) if instrument is None else (account, instrument)
        found = [_record(row) for row in self._found("records_open", place, place)]
        return found if instrument is not None else sorted(found, key=lambda row: (row[2], row[0], row[1]))

    @locked
    def open_breaks(self, account: str, instrument: str) -> int:
        """Return how many differences of an instrument wait for somebody."""
        place = (account, instrument)
        return sum(1 for _ in self._found("breaks_open", place, place))

    def _found(self, name: str, prefix: Key, start: Key) -> Iterator[Row]:
        """Yield the records that a table of keys points to."""
        records = self._tables["records"]
        for key, where in self._tables[name].up(start):
            if key[: len(prefix)] != prefix:
                return
            row = records.get(where)
            if row is not None:
                yield row

    @locked
    def rate(self, base: str, quote: str, at: int, oldest: int, known: int | None) -> Row | None:
        """Return (price, at_ns, source) of the newest rate of a pair in a span."""
        for key, row in self._tables["rates"].down((base, quote, at + 1)):
            if key[:2] != (base, quote) or key[2] < oldest:
                break
            if row[5] <= (_FAR if known is None else known):
                return row[4], row[2], row[3]
        return None

    @locked
    def rate_pairs(self, known: int | None) -> list[Row]:
        """Return all pairs that have rates."""
        far = _FAR if known is None else known
        return sorted({row[:2] for _, row in self._tables["rates"].up() if row[5] <= far})

    @locked
    def tally(self) -> dict[str, int]:
        """Return the counters."""
        return dict(self._under("tally", ()))

    @locked
    def marks(self) -> list[Row]:
        """Return the newest marks."""
        return self._under("marks", ())

    @locked
    def mark_at(self, instrument: str, at_ns: int) -> Row | None:
        """Return the newest sample or mark at or before a moment."""
        newest = self._tables["marks"].get((instrument,))
        if newest is not None and newest[2] <= at_ns:
            return newest[1], newest[2]
        for key, row in self._tables["mark_samples"].down((instrument, at_ns // _MINUTE + 1)):
            if key[0] != instrument:
                break
            if row[3] <= at_ns:
                return row[2], row[3]
        return None

    @locked
    def mark_after(self, instrument: str, at_ns: int) -> Row | None:
        """Return the first sample at or after a moment."""
        for key, row in self._tables["mark_samples"].up((instrument, at_ns // _MINUTE)):
            if key[0] != instrument:
                break
            if row[3] >= at_ns:
                return row[2], row[3]
        return None

    @locked
    def marks_between(self, instrument: str, since_ns: int, until_ns: int, limit: int) -> list[Row]:
        """Return the samples at or after a moment and before another, oldest first."""
        found: list[Row] = []
        for key, row in self._tables["mark_samples"].up((instrument, since_ns // _MINUTE)):
            if key[0] != instrument or row[3] >= until_ns or len(found) >= limit:
                break
            if row[3] >= since_ns:
                found.append((row[2], row[3]))
        return found

    @locked
    def about(self) -> dict[str, str]:
        """Return what is kept about this book."""
        return dict(self._under("about", ()))

    @locked
    def subscribers(self) -> list[SubscriberRow]:
        """Return all subscribers by name."""
        return [SubscriberRow(*row) for row in self._under("subscribers", ())]

    @locked
    def subscriber(self, name: str) -> SubscriberRow | None:
        """Return one subscriber."""
        row = self._tables["subscribers"].get((name,))
        return None if row is None else SubscriberRow(*row)

    @locked
    def dead_letters(self, name: str | None, after: tuple[str, int, int], limit: int) -> list[DeadLetter]:
        """Return dead letters."""
        rows = (row for key, row in self._tables["dead_letters"].up(after) if key > after)
        return [DeadLetter(*row) for row in islice((row for row in rows if name in {None, row[0]}), limit)]

    @locked
    def count_dead_letters(self) -> dict[str, int]:
        """Return how many dead letters each subscriber has."""
        counts: dict[str, int] = {}
        for row in self._under("dead_letters", ()):
            counts[row[0]] = counts.get(row[0], 0) + 1
        return counts

    @locked
    def heartbeats(self) -> list[Heartbeat]:
        """Return all signs of life."""
        return [Heartbeat(*row) for row in self._under("heartbeats", ())]

    @locked
    def observations(self, kind: str) -> list[Observation]:
        """Return what was kept of a kind, by name."""
        return [Observation(*row) for row in self._under("observations", (kind,))]

    @locked
    def changed(self) -> int:
        """Return a number that differs when another connection has written."""
        return self.place.writes

    @locked
    def digest_rows(self, table: str) -> Iterator[Row]:
        """Return all rows of a read model."""
        rows = self._under(table, ())
        if table == "identities":
            names = self._tables["scopes"]
            rows = [((names.get(row[:1]) or (None,))[0], *row[1:]) for row in rows]
        return iter(rows)

    @locked
    def standing(self) -> Standing:
        """Return the head, and every row of the models that keep no versions, as of one moment."""
        rows = {name: self._under(name, ()) for name in Standing.TABLES}
        return Standing(head=self.head(), **rows)

    @locked
    def versions(self, table: str, known: int, after: Row | None, limit: int) -> list[Row]:
        """Return rows of a versioned read model by their keys."""
        return versions(self._tables, table, known, after, limit)

    def _under(self, name: str, prefix: Key) -> list[Row]:
        """Return the rows whose keys begin so."""
        found, size = [], len(prefix)
        for key, row in self._tables[name].up(prefix):
            if key[:size] != prefix:
                break
            found.append(row)
        return found


def _shared(row: Row) -> bool:
    return row[10] in _SHARED or (row[10] == "funding" and bool(decode(row[15] or "{}").get("shared")))


def _record(row: Row) -> Row:
    return (row[1], row[2], row[4], row[8], row[5], row[6], row[7], row[3])
