"""The SQLite store: one write connection, a pool of readers, WAL, ``synchronous=FULL``.

What a commit answered is on the disk. Another process may write too: a transaction begins IMMEDIATE, waits a
bounded time for the lock, and ends as StoreBusy beyond it. Marks go in through a connection of their own, which waits
for no disk and gives way to every other writer.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, TypeVar

import apsw

from onebook.errors import SchemaTooNew, StoreBusy, StoreClosed, StoreError
from onebook.store.port import TABLES, Batch, Row
from onebook.store.sql import statements
from onebook.store.sqlite import cutting
from onebook.store.sqlite.asking import ask
from onebook.store.sqlite.errors import ours
from onebook.store.sqlite.opening import look, patiently
from onebook.store.sqlite.place import another_programs, check_place, empty, is_too_short, other_file, place_of
from onebook.store.sqlite.reader import SqliteReader, guarded
from onebook.store.sqlite.subscribers import SqliteSubscribers
from onebook.store.subscribers import SubscriberRows

WRITES = statements("onebook.store.sqlite", "writes.sql")
APPLICATION_ID = 0x1B00C
MIGRATIONS = ("0001_book.sql", "0002_feed.sql", "0003_trading.sql")
BUSY_MS = 10_000
CHECKPOINT_PAGES = 4000
MARKS_CHECKPOINT_PAGES = 4 * CHECKPOINT_PAGES
"""Later than the records' own, which so find the work done by their commits; a process that only marks does it here."""

MARKS_WAIT_SECONDS = 1.0
ASIDE_WAIT_SECONDS = 2.0
_Result = TypeVar("_Result")
_WIPES = (
    *("identities", "movements", "positions", "points", "trips", "days", "records", "rates", "tally"),
    *("ledgers", "scopes"),
)


class SqliteStore(SqliteReader):
    """A book in a file.

    Args:
        path: the file; it is made when it does not exist, with its folders.
        read_only: never write, and refuse to.
        create: make the book when there is none.
        synchronous: ``full`` (durable against power loss) or ``normal`` (against a crash of the program).
        vfs: the name of the SQLite VFS to use, for tests of faults.
        busy_ms: how long to wait for another process that writes.

    Raises:
        NotABook: the file is something else.
        SchemaTooNew: a newer release made it.
        StoreError: it cannot be opened.
    """

    def __init__(
        self,
        path: str,
        *,
        read_only: bool = False,
        create: bool = True,
        synchronous: str = "full",
        vfs: str | None = None,
        busy_ms: int = BUSY_MS,
    ) -> None:
        self.path = path
        self._file = str(Path(path).absolute())  # the process may change its folder while the book is open
        self.read_only = read_only
        self._synchronous = synchronous
        self._vfs = vfs
        self._busy_ms = busy_ms
        self._idle: SimpleQueue[SqliteReader] = SimpleQueue()
        self._turn = Lock()
        self._aside: apsw.Connection | None = None
        self._closed = False
        self._may_make = create and not read_only
        check_place(path, make=self._may_make)
        with ours(path):
            super().__init__(self._connect(writing=not read_only), path)
            try:
                patiently(self._prepare, busy_ms / 1000)
            except apsw.NotADBError:
                self.connection.close(force=True)
                raise other_file(path) from None
            except BaseException:
                self.connection.close(force=True)
                raise
        self._place = place_of(self._file)

    def _connect(self, *, writing: bool) -> apsw.Connection:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE if writing else apsw.SQLITE_OPEN_READONLY
        connection = apsw.Connection(self._file, flags=flags, vfs=self._vfs, statementcachesize=256)
        connection.set_busy_timeout(self._busy_ms)
        return connection

    def _prepare(self) -> None:
        connection = self.connection
        found = look(connection)
        if found.application_id != APPLICATION_ID:
            if found.made:
                raise another_programs(self.path)
            if is_too_short(self.path):
                raise other_file(self.path)
            if not self._may_make:
                raise empty(self.path)
        if found.version > len(MIGRATIONS):
            raise SchemaTooNew(
                f"{self.path} was written by a newer onebook (schema {found.version}, this one knows"
                f" {len(MIGRATIONS)}); upgrade onebook: pip install --upgrade onebook",
                url=self.path,
                schema=found.version,
            )
        self._tune(connection)
        if not self.read_only and found.version < len(MIGRATIONS):
            self._migrate()

    def _tune(self, connection: apsw.Connection) -> None:
        if not self.read_only:
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", self._synchronous)
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}").fetchall()
        connection.execute("PRAGMA foreign_keys = ON").fetchall()
        connection.pragma("temp_store", "memory")
        connection.pragma("cache_size", -65536)
        connection.pragma("trusted_schema", 0)

    def _migrate(self) -> None:
        """Bring the schema forward, all steps in one transaction."""
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE").fetchall()
        try:
            version = connection.pragma("user_version")  # another process may have been first
            for number, name in enumerate(MIGRATIONS[version:], version + 1):
                for statement in statements("onebook.store.sqlite.migrations", name).values():
                    connection.execute(statement).fetchall()
                connection.execute(f"PRAGMA user_version = {number}").fetchall()
            for view, *_ in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view'").fetchall():
                connection.execute(f'DROP VIEW "{view}"').fetchall()
            for statement in statements("onebook.store.sqlite", "views.sql").values():
                connection.execute(statement).fetchall()
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}").fetchall()
            connection.execute("COMMIT").fetchall()
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK").fetchall()
            raise

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("the book is closed; open it again", url=self.path)

    # ---- reading ----

    @contextmanager
    def reading(self) -> Iterator[SqliteReader]:
        """Lend a reader; it goes back to the pool afterwards."""
        self._check_open()
        try:
            reader = self._idle.get_nowait()
        except Empty:
            reader = self._new_reader()
        try:
            yield reader
        finally:
            if self._closed:
                reader.connection.close()
            else:
                self._idle.put(reader)

    def _new_reader(self) -> SqliteReader:
        with ours(self.path):
            connection = self._connect(writing=False)
            try:
                connection.pragma("temp_store", "memory")
                connection.pragma("query_only", 1)
                connection.pragma("cache_size", -16384)
            except apsw.Error:
                connection.close(force=True)
                raise
        return SqliteReader(connection, self.path)

    # ---- writing ----

    @guarded
    def begin(self) -> None:
        """Begin a write transaction."""
        self._check_open()
        if self.read_only:
            raise StoreError(f"{self.path} was opened read_only", url=self.path)
        if self._vfs is None and place_of(self._file) != self._place:
            raise StoreError(
                f"{self.path} was removed, moved or replaced while it was open; nothing was written. Close this book,"
                " look what became of the file, and open it again",
                url=self.path,
            )
        with self._turn:
            self.connection.execute("BEGIN IMMEDIATE")

    @guarded
    def write(self, batch: Batch) -> None:
        """Write rows."""
        run = self.connection.executemany
        for name in TABLES:
            rows = getattr(batch, name)
            if rows:
                run(WRITES[name], rows)

    @guarded
    def new_scope(self, name: str) -> int:
        """Give an identity space a number."""
        number: int = self.connection.execute(WRITES["new_scope"], (name,)).fetchall()[0][0]  # type: ignore[assignment]
        return number

    @guarded
    def commit(self) -> None:
        """Make it durable."""
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        """Forget what was written since begin."""
        if self._closed:
            return
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        except apsw.Error:
            # SQLite has rolled back by itself, or the connection is beyond it: begin() will tell.
            return

    @guarded
    def put_marks(self, marks: Iterable[Row], samples: Iterable[Row], *, wait: bool = False) -> None:
        """Write marks through a connection of their own: no sync, and nobody waits for it, nor it for anybody."""
        self._check_open()
        if self.read_only:
            raise StoreError(f"{self.path} was opened read_only", url=self.path)

        def put(connection: apsw.Connection) -> None:
            connection.executemany(WRITES["put_mark"], marks)
            connection.executemany(WRITES["put_mark_sample"], samples)

        self._beside(put, MARKS_WAIT_SECONDS if wait else 0)

    def subscriber_rows(self) -> SubscriberRows:
        """Return what changes subscribers' rows inside the transaction."""
        return SqliteSubscribers(self.connection, self.path)

    @guarded
    def aside(self, work: Callable[[SubscriberRows], _Result]) -> _Result:
        """Run work in a transaction of its own, beside the records'."""
        self._check_open()
        if self.read_only:
            raise StoreError(f"{self.path} was opened read_only", url=self.path)
        return self._beside(lambda connection: work(SqliteSubscribers(connection, self.path)), ASIDE_WAIT_SECONDS)

    def _beside(self, work: Callable[[apsw.Connection], _Result], wait_seconds: float) -> _Result:
        """Write through the connection that waits for no disk."""
        if not self._turn.acquire(timeout=wait_seconds):
            raise StoreBusy(f"{self.path}: another thread is writing; try again in a moment", url=self.path)
        try:
            if self._aside is None:
                self._aside = self._aside_connection()
            self._aside.set_busy_timeout(int(wait_seconds * 1000))
            self._aside.execute("BEGIN IMMEDIATE")
            try:
                found = work(self._aside)
                self._aside.execute("COMMIT")
            except BaseException:
                self._aside.close(force=True)
                self._aside = None
                raise
            return found
        finally:
            self._turn.release()

    def _aside_connection(self) -> apsw.Connection:
        connection = self._connect(writing=True)
        try:
            connection.pragma("synchronous", "off" if self._synchronous == "off" else "normal")
            connection.execute(f"PRAGMA wal_autocheckpoint = {MARKS_CHECKPOINT_PAGES}").fetchall()
            connection.execute("PRAGMA foreign_keys = ON").fetchall()
            connection.pragma("cache_size", -1024)
        except apsw.Error:
            connection.close(force=True)
            raise
        return connection

    @guarded
    def put_about(self, name: str, value: str) -> None:
        """Keep something about this file, inside the transaction."""
        self.connection.execute(WRITES["put_about"], (name, value))

    @guarded
    def wipe_days(self) -> None:
        """Empty the daily rows, inside the transaction."""
        self.connection.execute(WRITES["wipe_days"])

    @guarded
    def wipe_models(self) -> None:
        """Empty every read model; the log stays."""
        self.connection.pragma("defer_foreign_keys", 1)
        for name in _WIPES:
            self.connection.execute(WRITES[f"wipe_{name}"])

    @guarded
    def cut(self, known: int, gained: Iterable[Row]) -> None:
        """Bring the versioned read models back to an entry, inside the transaction."""
        cutting.cut(self.connection, known, gained)

    @guarded
    def drop_ledgers(self, kept: Iterable[int]) -> None:
        """Forget all ledgers but these, and empty positions, days and counters, inside the transaction."""
        for name in ("positions", "days", "tally"):
            self.connection.execute(WRITES[f"wipe_{name}"])
        cutting.drop_ledgers(self.connection, kept)

    @guarded
    def checkpoint(self) -> None:
        """Bring everything from the write-ahead log into the file."""
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def backup(self, path: str) -> None:
        """Write a consistent copy to a new file, synced, without holding up the writer."""
        if Path(path).exists():
            msg = f"{path} exists already; name a new file"
            raise StoreError(msg, url=path)
        partial = f"{path}.partial"
        with ours(path):
            try:
                target = apsw.Connection(partial)
                with self.reading() as reader, target.backup("main", reader.connection, "main") as copy:
                    while not copy.done:
                        copy.step(2000)
                target.pragma("journal_mode", "delete")
                target.close()
                _sync(partial)
                Path(partial).replace(path)
                _sync(str(Path(path).absolute().parent))
            except BaseException:
                Path(partial).unlink(missing_ok=True)
                raise

    def query(self, sql: str, params: Sequence[Any] = ()) -> tuple[list[str], Iterator[Row]]:
        """Run read-only SQL on a connection of its own."""
        self._check_open()
        with ours(self.path):
            connection = self._connect(writing=False)
            connection.pragma("query_only", 1)
            return ask(connection, self.path, sql, params)

    def close(self) -> None:
        """Give every connection back."""
        if self._closed:
            return
        self._closed = True
        with ours(self.path), ExitStack() as closing:
            closing.callback(self.connection.close)
            if self._turn.acquire(timeout=ASIDE_WAIT_SECONDS):  # a reader's last checkpoint may be on its way
                closing.callback(self._turn.release)
            if self._aside is not None:
                closing.callback(self._aside.close)
            with suppress(Empty):
                while True:
                    closing.callback(self._idle.get_nowait().connection.close)


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
