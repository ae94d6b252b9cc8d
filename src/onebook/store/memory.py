"""A book in memory, with the same meaning and the same errors as one in a file; it ends with the process.

A transaction writes drafts that only the writer sees; a commit applies them all under the lock. It keeps no
file, so it refuses to be copied and answers no SQL.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from onebook.errors import StoreClosed, StoreError
from onebook.store.memory_cutting import cut, drop_ledgers
from onebook.store.memory_reader import NAMES, MemoryReader, Place, locked
from onebook.store.memory_subscribers import TABLES as SUBSCRIBER_TABLES
from onebook.store.memory_subscribers import MemorySubscribers
from onebook.store.port import TABLES, Batch, Row
from onebook.store.subscribers import SubscriberRows
from onebook.store.tables import Draft, Key

_LASTING = ("entries", "marks", "mark_samples", "about", *SUBSCRIBER_TABLES)
_Result = TypeVar("_Result")
_ENDED = ("denied", "rejected", "canceled", "expired", "filled")
_FAR = 2**62
_HASH_BYTES = 32


class MemoryStore(MemoryReader):
    """A book that ends with the process.

    Args:
        beside: another book in memory, whose committed rows this one shows and never changes.
    """

    def __init__(self, *, beside: "MemoryStore | None" = None) -> None:
        super().__init__(Place() if beside is None else beside.place)
        self.read_only = beside is not None
        self._drafts: dict[str, Draft] = {}
        self._put: dict[str, Callable[[Row], None]] = {name: getattr(self, f"_put_{name}") for name in TABLES}

    @contextmanager
    def reading(self) -> Iterator[MemoryReader]:
        """Lend a reader of what is committed."""
        if self.closed:
            raise StoreClosed("the book is closed; open it again", url=self.url)
        yield MemoryReader(self.place)

    @locked
    def changed(self) -> int:
        """Return a number that differs when another connection has written."""
        return self.place.writes if self.read_only else 0

    # ---- transactions ----

    @locked
    def begin(self) -> None:
        """Begin a write transaction."""
        if self.read_only:
            raise StoreError(f"{self.url} was opened read_only", url=self.url)
        if self._drafts:
            raise StoreError(f"{self.url}: a transaction has begun already", url=self.url)
        self._drafts = {name: Draft(self.place.tables[name]) for name in NAMES}
        self._tables = self._drafts

    @locked
    def commit(self) -> None:
        """Let every reader see what was written."""
        self._begun()
        for draft in self._drafts.values():
            draft.apply()
        self.place.writes += 1
        self.rollback()

    def rollback(self) -> None:
        """Forget what was written since begin."""
        with self.place.lock:
            self._drafts = {}
            self._tables = self.place.tables

    def close(self) -> None:
        """Give everything back; rows stay as long as another store is beside this one."""
        self.rollback()
        self.closed = True

    def _begun(self) -> None:
        if not self._drafts:
            raise StoreError(f"{self.url}: no transaction has begun", url=self.url)

    # ---- writing ----

    @locked
    def write(self, batch: Batch) -> None:
        """Write rows."""
        self._begun()
        for name in TABLES:
            put = self._put[name]
            for row in getattr(batch, name):
                put(tuple(row))

    @locked
    def new_scope(self, name: str) -> int:
        """Give an identity space a number."""
        self._begun()
        number = next((int(key[0]) for key, _ in self._drafts["scopes"].down((_FAR,))), 0) + 1
        self._insert("scope_names", (name,), (number,))
        self._insert("scopes", (number,), (name,))
        return number

    @locked
    def put_marks(self, marks: Iterable[Row], samples: Iterable[Row], *, wait: bool = False) -> None:  # noqa: ARG002  the lock is all there is to wait for
        """Write marks, in a transaction of their own."""
        self.begin()
        try:
            for row in marks:
                self._put_newer("marks", row[:1], row, at=2)
            for row in samples:
                self._put_newer("mark_samples", row[:2], row, at=3)
            self.commit()
        finally:
            self.rollback()

    @locked
    def subscriber_rows(self) -> SubscriberRows:
        """Return what changes subscribers' rows inside the transaction."""
        self._begun()
        return MemorySubscribers(self._drafts)

    @locked
    def aside(self, work: Callable[[SubscriberRows], _Result]) -> _Result:
        """Run work in a transaction of its own, beside the records'."""
        if self.read_only:
            raise StoreError(f"{self.url} was opened read_only", url=self.url)
        drafts = {name: Draft(self.place.tables[name]) for name in SUBSCRIBER_TABLES}
        found = work(MemorySubscribers(drafts))
        for draft in drafts.values():
            draft.apply()
        return found

    @locked
    def put_about(self, name: str, value: str) -> None:
        """Keep something about this book, inside the transaction."""
        self._begun()
        self._drafts["about"].put((name,), (name, value))

    @locked
    def wipe_days(self) -> None:
        """Empty the daily rows, inside the transaction."""
        self._begun()
        self._drafts["days"].clear()

    @locked
    def wipe_models(self) -> None:
        """Empty every read model; the log stays."""
        self._begun()
        for name, draft in self._drafts.items():
            if name not in _LASTING:
                draft.clear()

    @locked
    def cut(self, known: int, gained: Iterable[Row]) -> None:
        """Bring the versioned read models back to an entry, inside the transaction."""
        self._begun()
        cut(self._drafts, known, gained, self._change)

    @locked
    def drop_ledgers(self, kept: Iterable[int]) -> None:
        """Forget all ledgers but these, and empty positions, days and counters, inside the transaction."""
        self._begun()
        for name in ("positions", "days", "tally"):
            self._drafts[name].clear()
        drop_ledgers(self._drafts, kept)

    @locked
    def backup(self, path: str) -> None:
        """Refuse: there is no file to copy."""
        msg = f"{self.url}: a book in memory has no file to copy to {path}; keep it in a file to back it up"
        raise StoreError(msg, url=self.url)

    @locked
    def query(self, sql: str, params: Sequence[Any] = ()) -> tuple[list[str], Iterator[Row]]:
        """Refuse: there is no SQL here."""
        asked = f"{sql[:40]!r} with {len(params)} values"
        msg = f"{self.url}: a book in memory answers no SQL; keep it in a file to ask {asked}"
        raise StoreError(msg, url=self.url)

    # ---- rows ----

    def _insert(self, name: str, key: Key, row: Row) -> None:
        if self._drafts[name].get(key) is not None:
            raise StoreError(f"{self.url}: {name} has a row {key} already", url=self.url)
        self._drafts[name].put(key, row)

    def _put_in_ledger(self, name: str, ledger: int, key: Key, row: Row) -> None:
        if self._drafts["ledgers"].get((ledger,)) is None:
            raise StoreError(f"{self.url}: {name} of a ledger {ledger} that is not there", url=self.url)
        self._drafts[name].put(key, row)

    def _put_newer(self, name: str, key: Key, row: Row, *, at: int) -> None:
        earlier = self._drafts[name].get(key)
        if earlier is None or row[at] >= earlier[at]:
            self._drafts[name].put(key, row)

    def _put_entries(self, row: Row) -> None:
        if row[0] != self.head()[0] + 1:
            raise StoreError(f"{self.url}: the log has no gaps: the next sequence must follow the last", url=self.url)
        if len(row[2]) != _HASH_BYTES:
            raise StoreError(f"{self.url}: a hash has {_HASH_BYTES} bytes", url=self.url)
        self._drafts["entries"].put(row[:1], row)

    def _put_identities(self, row: Row) -> None:
        if self._drafts["scopes"].get(row[:1]) is None:
            raise StoreError(f"{self.url}: no identity space {row[0]}", url=self.url)
        self._insert("identities", row, row)

    def _put_ledgers(self, row: Row) -> None:
        number, account, instrument, kind = row
        self._insert("ledgers", (number,), row)
        self._insert("ledger_names", (account, kind, instrument), (number,))

    def _put_movements(self, row: Row) -> None:
        key = row[:7]
        if self._drafts["movements"].get(key) is not None:
            raise StoreError(f"{self.url}: a movement stands at {key} already", url=self.url)
        self._put_in_ledger("movements", row[0], key, (*row, None))

    def _put_movement_ends(self, row: Row) -> None:
        found = self._drafts["movements"].get(row[1:])
        if found is not None:
            self._drafts["movements"].put(row[1:], (*found[:-1], row[0]))

    def _put_positions(self, row: Row) -> None:
        self._put_in_ledger("positions", row[0], row[:3], row)

    def _put_trips(self, row: Row) -> None:
        self._put_in_ledger("trips", row[2], row[:6], (*row, None))

    def _put_trip_ends(self, row: Row) -> None:
        self._end("trips", row[1:], row[0])

    def _put_points(self, row: Row) -> None:
        self._put_in_ledger("points", row[0], row[:7], (*row, None))

    def _put_point_ends(self, row: Row) -> None:
        until, ledger, *place = row
        standing = [
            (key, found)
            for key, found in self._drafts["points"].up((ledger, *place))
            if key[0] == ledger and found[-1] is None
        ]
        for key, found in standing:
            self._drafts["points"].put(key, (*found[:-1], until))

    def _put_days(self, row: Row) -> None:
        self._drafts["days"].put(row[:6], row)

    def _put_record_ends(self, row: Row) -> None:
        for key, found in self._drafts["records"].down((*row[1:], _FAR)):
            if key[:3] != row[1:]:
                return
            if found[-1] is None:
                self._change("records", key, (*found[:-1], row[0]))
                return

    def _put_records(self, row: Row) -> None:
        self._change("records", row[:4], row)

    def _put_rates(self, row: Row) -> None:
        self._insert("rates", row[:4], row)

    def _put_tally(self, row: Row) -> None:
        earlier = self._drafts["tally"].get(row[:1])
        self._drafts["tally"].put(row[:1], (row[0], row[1] + (earlier[1] if earlier else 0)))

    def _end(self, name: str, prefix: Key, until: int) -> None:
        """Close the versions that stand under a key; a row's last field says until when it stood."""
        for row in self._under(name, prefix):
            if row[-1] is None:
                self._change(name, (*prefix, row[len(prefix)]), (*row[:-1], until))

    def _change(self, name: str, key: Key, row: Row | None) -> None:
        """Put a row or remove it; with a record goes what finds it by time and, for an open order, by instrument."""
        if name == "records":
            earlier = self._drafts[name].get(key)
            for found, where in ((earlier, None), (row, key)):
                for index, place in _places(found):
                    self._drafts[index].put(place, where)
        self._drafts[name].put(key, row)


def _places(row: Row | None) -> Iterator[tuple[str, Key]]:
    """Yield the keys under which a record is found."""
    if row is None:
        return
    kind, account, name, known_from, occurred_ns, instrument, _, status, _, known_until = row
    yield "records_by_time", (kind, occurred_ns, account, name, known_from)
    if kind == "order" and known_until is None and status not in _ENDED:
        yield "records_open", (account, instrument, occurred_ns, name, known_from)
    if kind == "break" and known_until is None and status == "open":
        yield "breaks_open", (account, instrument, occurred_ns, name, known_from)
