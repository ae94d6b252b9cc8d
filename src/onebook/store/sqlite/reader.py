"""Reads over one SQLite connection. Every statement is short; long answers come in pages."""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, TypeVar

import apsw

from onebook.store.codec import encode
from onebook.store.port import GENESIS, LAST_LETTER, Head, Order, Row, Standing
from onebook.store.sql import statements
from onebook.store.sqlite import cutting
from onebook.store.sqlite.errors import translated
from onebook.store.sqlite.subscribers import SQL as SUBSCRIBERS
from onebook.store.subscribers import DeadLetter, Heartbeat, Observation, SubscriberRow

READS = statements("onebook.store.sqlite", "reads.sql") | {
    name: SUBSCRIBERS[name]
    for name in ("subscriber", "subscribers", "dead_letters", "count_dead_letters", "heartbeats", "observations")
}
FEED_SCHEMA = 2
TRADING_SCHEMA = 3
"""The first schema that has subscribers."""

_FAR = 2**62
_Result = TypeVar("_Result")


def guarded(method: Callable[..., _Result]) -> Callable[..., _Result]:
    """Let a method raise our errors instead of apsw's."""

    @wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> _Result:
        try:
            return method(self, *args, **kwargs)
        except apsw.Error as problem:
            raise translated(problem, self.url) from None

    return wrapper


class SqliteReader:
    """The reading half of the port."""

    def __init__(self, connection: apsw.Connection, url: str) -> None:
        self.connection = connection
        self.url = url

    def _rows(self, name: str, *params: Any) -> list[Row]:
        try:
            return self.connection.execute(READS[name], params).fetchall()
        except apsw.Error as problem:
            raise translated(problem, self.url) from None

    def _row(self, name: str, *params: Any) -> Row | None:
        rows = self._rows(name, *params)
        return rows[0] if rows else None

    def head(self) -> Head:
        """Return the newest entry's sequence and hash."""
        row = self._row("head")
        return GENESIS if row is None else (row[0], row[1])

    def entries(self, after: int, limit: int) -> list[Row]:
        """Return (sequence, body, hash) of the entries after a sequence."""
        return self._rows("entries", after, limit)

    def entry(self, sequence: int) -> Row | None:
        """Return one entry."""
        return self._row("entry", sequence)

    def scope(self, name: str) -> int | None:
        """Return the number of an identity space."""
        row = self._row("scope", name)
        return None if row is None else row[0]

    def identities(self, scope: int, key: str, upto: int) -> list[tuple[int, int]]:
        """Return (sequence, ordinal) of who holds an id."""
        return self._rows("identities", scope, key, upto)

    def identities_of(self, wanted: list[tuple[int, str]]) -> list[Row]:
        """Return (scope, key, sequence, ordinal) of who holds any of these ids."""
        return self._rows("identities_of", encode(wanted).decode()) if wanted else []

    def ledgers(self) -> list[Row]:
        """Return all ledgers."""
        return self._rows("ledgers")

    def positions(self, ledger: int | None, *, is_open: bool = False, unvalued: bool = False) -> list[Row]:
        """Return position rows."""
        if ledger is not None:
            return self._rows("positions_of", ledger)
        name = "positions_open" if is_open else "positions_unvalued" if unvalued else "positions_all"
        return self._rows(name)

    def movements(
        self, ledger: int, after: Order, known: int | None, limit: int, until_ns: int | None = None
    ) -> list[Row]:
        """Return movement rows after a place."""
        until = _FAR if until_ns is None else until_ns
        if known is None:
            return self._rows("movements", ledger, *after, limit, until)
        return self._rows("movements_known", ledger, *after, limit, until, known)

    def moved(self, ledger: int, known: int | None, until_ns: int | None = None) -> list[Row]:
        """Return whose fills were ever booked."""
        return self._rows("moved", ledger, _FAR if known is None else known, _FAR if until_ns is None else until_ns)

    def movement(self, ledger: int, order: Order) -> Row | None:
        """Return the movement row at a place."""
        return self._row("movement", ledger, *order)

    def last_movements(self, ledger: int) -> tuple[Order, Order, int]:
        """Return the newest place, the newest shared place, and the count after the newest fold point."""
        nothing = (-1, 0, "", 0, 0)
        last = self._row("last_movement", ledger) or nothing
        shared = self._row("last_shared", ledger) or nothing
        point = self._row("point", ledger, _FAR, 0, "", 0, 0)
        count = self._rows("count_since", ledger, *(point[:5] if point else nothing))[0][0]
        return last, shared, count

    def point(self, ledger: int, before: Order, known: int | None) -> Row | None:
        """Return the newest fold point before a place."""
        if known is None:
            return self._row("point", ledger, *before)
        return self._row("point_known", ledger, *before, known)

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
        begin = max(after or (-1, -1), (-1 if since is None else since, -1))
        span = (*begin, _FAR if until is None else until, _FAR if known is None else known, limit)
        if ledgers is None:
            return self._rows("trips", *span)
        found = [row for ledger in ledgers for row in self._rows("trips_of", *span, ledger)]
        return sorted(found, key=lambda row: (row[5], row[1]))[:limit]

    def days(self, level: int, basis: str, **filters: str | None) -> list[Row]:
        """Return daily rows."""
        return self._rows(
            "days",
            level,
            basis,
            filters.get("since") or "",
            filters.get("until") or "9",
            filters.get("account"),
            filters.get("strategy"),
            filters.get("currency"),
        )

    def day(self, key: Row) -> Row | None:
        """Return one daily row."""
        return self._row("day", *key)

    def record(self, kind: str, account: str, key: str, known: int | None) -> Row | None:
        """Return one record row."""
        if known is None:
            return self._row("record", kind, account, key)
        return self._row("record_known", kind, account, key, known)

    def records_under(self, kind: str, prefix: str, known: int | None, after: str, limit: int) -> list[Row]:
        """Return record rows of a kind without an account whose ids go on after a prefix."""
        end = prefix + LAST_LETTER
        return self._rows("records_under", kind, max(prefix, after), end, _FAR if known is None else known, limit)

    def records(self, kind: str, known: int | None, after: tuple[int, str, str], limit: int) -> list[Row]:
        """Return record rows of a kind in time."""
        return self._rows("records", kind, *after, _FAR if known is None else known, limit)

    def open_orders(self, account: str | None, instrument: str | None) -> list[Row]:
        """Return orders of an instrument that may still fill."""
        if account is None:
            return self._rows("open_orders_all")
        if instrument is None:
            return self._rows("open_orders_of", account)
        return self._rows("open_orders", account, instrument)

    def open_breaks(self, account: str, instrument: str) -> int:
        """Return how many differences of an instrument wait for somebody."""
        return int(self._rows("open_breaks", account, instrument)[0][0])

    def rate(self, base: str, quote: str, at: int, oldest: int, known: int | None) -> Row | None:
        """Return (price, at_ns, source) of the newest rate of a pair in a span."""
        return self._row("rate", base, quote, at, oldest, _FAR if known is None else known)

    def rate_pairs(self, known: int | None) -> list[Row]:
        """Return all pairs that have rates."""
        return self._rows("rate_pairs", _FAR if known is None else known)

    def tally(self) -> dict[str, int]:
        """Return the counters."""
        return dict(self._rows("tally"))

    def marks(self) -> list[Row]:
        """Return the newest marks."""
        return self._rows("marks")

    def mark_at(self, instrument: str, at_ns: int) -> Row | None:
        """Return the newest sample or mark at or before a moment."""
        return self._row("mark_at", instrument, at_ns // 60_000_000_000, at_ns)

    def mark_after(self, instrument: str, at_ns: int) -> Row | None:
        """Return the first sample at or after a moment."""
        return self._row("mark_after", instrument, at_ns // 60_000_000_000, at_ns)

    def marks_between(self, instrument: str, since_ns: int, until_ns: int, limit: int) -> list[Row]:
        """Return the samples at or after a moment and before another, oldest first."""
        minutes = since_ns // 60_000_000_000, until_ns // 60_000_000_000
        return self._rows("marks_between", instrument, *minutes, since_ns, until_ns, limit)

    def about(self) -> dict[str, str]:
        """Return what is kept about this file."""
        return dict(self._rows("about"))

    def changed(self) -> int:
        """Return a number that differs when another connection has written."""
        try:
            found: int = self.connection.pragma("data_version")
        except apsw.Error as problem:
            raise translated(problem, self.url) from None
        return found

    def subscribers(self) -> list[SubscriberRow]:
        """Return all subscribers by name."""
        return [SubscriberRow(*row) for row in self._feed_rows("subscribers")]

    def subscriber(self, name: str) -> SubscriberRow | None:
        """Return one subscriber."""
        rows = self._feed_rows("subscriber", name)
        return SubscriberRow(*rows[0]) if rows else None

    def dead_letters(self, name: str | None, after: tuple[str, int, int], limit: int) -> list[DeadLetter]:
        """Return dead letters."""
        return [DeadLetter(*row) for row in self._feed_rows("dead_letters", name, *after, limit)]

    def count_dead_letters(self) -> dict[str, int]:
        """Return how many dead letters each subscriber has."""
        return dict(self._feed_rows("count_dead_letters"))

    def heartbeats(self) -> list[Heartbeat]:
        """Return all signs of life."""
        return [Heartbeat(*row) for row in self._feed_rows("heartbeats")]

    def _feed_rows(self, name: str, *params: Any) -> list[Row]:
        """Return rows of tables that a book of the first schema, opened read_only, does not have."""
        if self.connection.pragma("user_version") < FEED_SCHEMA:
            return []
        return self._rows(name, *params)

    def observations(self, kind: str) -> list[Observation]:
        """Return what was kept of a kind, by name."""
        if self.connection.pragma("user_version") < TRADING_SCHEMA:
            return []
        return [Observation(*row) for row in self._feed_rows("observations", kind)]

    def digest_rows(self, table: str) -> Iterator[Row]:
        """Return all rows of a read model, one by one."""
        try:
            yield from self.connection.execute(READS[f"digest_{table}"])
        except apsw.Error as problem:
            raise translated(problem, self.url) from None

    @guarded
    def standing(self) -> Standing:
        """Return the head, and every row of the models that keep no versions, as of one moment."""
        return cutting.standing(self.connection, READS)

    @guarded
    def versions(self, table: str, known: int, after: Row | None, limit: int) -> list[Row]:
        """Return rows of a versioned read model by their keys."""
        return cutting.versions(self.connection, table, known, after, limit)
