"""The SQLite store: one write connection, a pool of readers, WAL, ``synchronous=FULL``.

What a commit answered is on the disk. Another process may write too: a transaction begins IMMEDIATE, waits a
bounded time for the lock, and ends as StoreBusy beyond it.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import apsw

from onebook.errors import NotABook, SchemaTooNew, StoreClosed, StoreError
from onebook.store.port import TABLES, Batch, Row
from onebook.store.sql import statements
from onebook.store.sqlite.errors import ours, translated
from onebook.store.sqlite.reader import SqliteReader, guarded

WRITES = statements("onebook.store.sqlite", "writes.sql")
APPLICATION_ID = 0x1B00C
MIGRATIONS = ("0001_book.sql",)
BUSY_MS = 10_000
CHECKPOINT_PAGES = 4000
_WIPES = (
    *("identities", "movements", "positions", "points", "trips", "days", "records", "rates", "tally"),
    *("ledgers", "scopes"),
)


class SqliteStore(SqliteReader):
    """A book in a file.

    Args:
        path: the file; it is made when it does not exist, with its folders.
        read_only: never write, and refuse to.
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
        synchronous: str = "full",
        vfs: str | None = None,
        busy_ms: int = BUSY_MS,
    ) -> None:
        self.path = path
        self.read_only = read_only
        self._synchronous = synchronous
        self._vfs = vfs
        self._busy_ms = busy_ms
        self._idle: SimpleQueue[SqliteReader] = SimpleQueue()
        self._closed = False
        target = Path(path)
        if target.is_dir():
            msg = f"{path} is a folder; name a file in it, such as {target / 'trading.db'}"
            raise StoreError(msg, url=path)
        if read_only and not target.exists():
            msg = f"{path} does not exist; open it without read_only to make it"
            raise StoreError(msg, url=path)
        if not read_only:
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except OSError as problem:
                msg = f"{path}: its folder cannot be made: {problem}"
                raise StoreError(msg, url=path) from None
        with ours(path):
            super().__init__(self._connect(writing=not read_only), path)
            try:
                self._prepare()
            except BaseException:
                self.connection.close(force=True)
                raise

    def _connect(self, *, writing: bool) -> apsw.Connection:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE if writing else apsw.SQLITE_OPEN_READONLY
        connection = apsw.Connection(self.path, flags=flags, vfs=self._vfs, statementcachesize=256)
        connection.set_busy_timeout(self._busy_ms)
        return connection

    def _prepare(self) -> None:
        connection = self.connection
        marked = connection.pragma("application_id")
        version = connection.pragma("user_version")
        if marked != APPLICATION_ID:
            if connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()[0][0]:
                raise NotABook(
                    f"{self.path} is another program's database; to take in its data run: onebook import {self.path}",
                    url=self.path,
                )
            if self.read_only:
                raise NotABook(f"{self.path} holds no book yet", url=self.path)
        if version > len(MIGRATIONS):
            raise SchemaTooNew(
                f"{self.path} was written by a newer onebook (schema {version}, this one knows"
                f" {len(MIGRATIONS)}); upgrade onebook",
                url=self.path,
                schema=version,
            )
        self._tune(connection)
        if not self.read_only and version < len(MIGRATIONS):
            self._migrate(version)

    def _tune(self, connection: apsw.Connection) -> None:
        if not self.read_only:
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", self._synchronous)
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}").fetchall()
        connection.execute("PRAGMA foreign_keys = ON").fetchall()
        connection.pragma("temp_store", "memory")
        connection.pragma("cache_size", -65536)
        connection.pragma("trusted_schema", 0)

    def _migrate(self, version: int) -> None:
        """Bring the schema forward, all steps in one transaction."""
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE").fetchall()
        try:
            version = connection.pragma("user_version")
            for number, name in enumerate(MIGRATIONS[version:], version + 1):
                for statement in statements("onebook.store.sqlite.migrations", name).values():
                    connection.execute(statement).fetchall()
                connection.execute(f"PRAGMA user_version = {number}").fetchall()
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
        if not self._closed and self.connection.in_transaction:
            try:
                self.connection.execute("ROLLBACK")
            except apsw.Error:
                # SQLite has rolled back by itself, or the connection is beyond it: begin() will tell.
                return

    @guarded
    def put_marks(self, marks: Iterable[Row], samples: Iterable[Row]) -> None:
        """Write marks without waiting for the disk's sync to be asked for twice."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            self.connection.executemany(WRITES["put_mark"], marks)
            self.connection.executemany(WRITES["put_mark_sample"], samples)
            self.connection.execute("COMMIT")
        except apsw.Error:
            self.rollback()
            raise

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
            try:
                names: list[str] = []
                cursor = connection.cursor()
                cursor.exec_trace = _columns_into(names)
                cursor.execute(sql, params)
            except apsw.Error:
                connection.close()
                raise
        return names, _drain(connection, cursor, self.path)

    def close(self) -> None:
        """Give every connection back."""
        if self._closed:
            return
        self._closed = True
        with ours(self.path), ExitStack() as closing:
            closing.callback(self.connection.close)
            with suppress(Empty):
                while True:
                    closing.callback(self._idle.get_nowait().connection.close)


def _columns_into(names: list[str]) -> Callable[[apsw.Cursor, str, Any], bool]:
    """Return what takes a statement's column names before its first row, for answers without rows."""

    def take(cursor: apsw.Cursor, _sql: str, _params: object) -> bool:
        names[:] = [item[0] for item in cursor.get_description()]
        return True

    return take


def _drain(connection: apsw.Connection, cursor: apsw.Cursor, url: str) -> Iterator[Row]:
    try:
        yield from cursor
    except apsw.Error as problem:
        raise translated(problem, url) from None
    finally:
        connection.close()


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
