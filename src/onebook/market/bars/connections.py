"""The file of bars: one connection that writes, a pool of connections that read, and who may have one when."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, LifoQueue
from threading import Lock
from time import perf_counter

import apsw

from onebook.errors import SchemaTooNew, StoreError
from onebook.market.bars.errors import busy, closed, not_bars, ours
from onebook.store.sql import statements
from onebook.store.sqlite.opening import look, patiently

SQL = statements("onebook.market.bars", "connections.sql")
APPLICATION_ID = 0x1B0BA
MIGRATIONS = ("0001_bars.sql",)
MEMORY = ":memory:"
_HEADER_BYTES = 100


class Timings:
    """How often something was done, and how long it took on average."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        with self._lock:
            self._count += 1
            self._seconds += seconds

    def as_dict(self) -> dict[str, float]:
        """Return ``count`` and ``mean_seconds``; 0 before the first."""
        with self._lock:
            return {"count": self._count, "mean_seconds": self._seconds / self._count if self._count else 0.0}


class Connections:
    """Connections to one file of bars; safe to use from many threads.

    Args:
        path: the file; it is made with its folders. ``:memory:`` keeps the bars in memory, on one connection.
        read_connections: how many may read at once.
        busy_seconds: how long to wait for a turn, and for other processes that write.

    Raises:
        StoreError: the file is something else, or cannot be opened.
        SchemaTooNew: a newer release made it.
    """

    def __init__(self, path: str, read_connections: int, busy_seconds: float) -> None:
        self.path = path
        self.size = 1 if path == MEMORY else read_connections
        self.reads, self.writes = Timings(), Timings()
        self._file = path if path == MEMORY else str(Path(path).absolute())
        self._wait = busy_seconds
        self._is_closed = False
        self._turn, self._counting = Lock(), Lock()
        self._seats: LifoQueue[apsw.Connection | None] = LifoQueue()
        self._opened = 0
        if path != MEMORY:
            _check_place(path)
        with ours(path, busy_seconds):
            self._writer = self._connect(writing=True)
            try:
                patiently(self._prepare, busy_seconds)
            except BaseException:
                self._writer.close(force=True)
                raise
        for _ in range(self.size):
            self._seats.put(None)

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """Lend a connection that reads one consistent state.

        Raises:
            StoreBusy: all were lent for longer than the wait allowed.
            StoreClosed: the store is closed.
        """
        self._check_open()
        if self.path == MEMORY:
            with self._writers_turn(), self._timed(self._writer):
                yield self._writer
            return
        try:
            seat = self._seats.get(timeout=self._wait)
        except Empty:
            raise busy(self.path, self._wait) from None
        try:
            self._check_open()
            if seat is None:
                seat = self._reader()
            with self._timed(seat):
                yield seat
        finally:
            if self._is_closed and seat is not None:
                seat.close()
                seat = None
            self._seats.put(seat)

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """Lend the connection that writes, inside a transaction: kept at the end, rolled back when something fails.

        Raises:
            StoreBusy: another thread or process wrote for longer than the wait allowed.
            StoreClosed: the store is closed.
        """
        self._check_open()
        with self._writers_turn():
            self._check_open()
            started = perf_counter()
            with ours(self.path, self._wait):
                self._writer.execute(SQL["begin"]).fetchall()
                try:
                    yield self._writer
                    self._writer.execute(SQL["keep"]).fetchall()
                except BaseException:
                    if self._writer.in_transaction:
                        self._writer.execute(SQL["undo"]).fetchall()
                    raise
            self.writes.add(perf_counter() - started)

    def pool(self) -> dict[str, int]:
        """Return how the pool stands: ``size``, how many were ``opened``, how many are ``free``."""
        with self._counting:
            return {"size": self.size, "opened": self._opened, "free": self._seats.qsize()}

    def file_bytes(self) -> int:
        """Return how many bytes the file and its write-ahead log take; 0 in memory."""
        names = [] if self.path == MEMORY else [self._file, f"{self._file}-wal"]
        total = 0
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(name).stat().st_size
        return total

    def close(self) -> None:
        """Give every connection back; those that are lent just now, when they come back."""
        with self._turn:
            if self._is_closed:
                return
            self._is_closed = True
            with ours(self.path, self._wait):
                self._writer.close()
                for seat in self._free_seats():
                    if seat is not None:
                        seat.close()
                    self._seats.put(None)  # whoever waits for one is told

    def _free_seats(self) -> list[apsw.Connection | None]:
        found = []
        with suppress(Empty):
            while True:
                found.append(self._seats.get_nowait())
        return found

    @contextmanager
    def _writers_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=self._wait):
            raise busy(self.path, self._wait)
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _timed(self, connection: apsw.Connection) -> Iterator[None]:
        started = perf_counter()
        with ours(self.path, self._wait), connection:  # one transaction: several statements see the same
            yield
        self.reads.add(perf_counter() - started)

    def _check_open(self) -> None:
        if self._is_closed:
            raise closed(self.path)

    def _reader(self) -> apsw.Connection:
        with ours(self.path, self._wait):
            connection = self._connect(writing=False)
            connection.pragma("query_only", 1)
            connection.pragma("cache_size", -4096)
        with self._counting:
            self._opened += 1
        return connection

    def _connect(self, *, writing: bool) -> apsw.Connection:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE if writing else apsw.SQLITE_OPEN_READONLY
        connection = apsw.Connection(self._file, flags=flags)
        connection.set_busy_timeout(int(self._wait * 1000))
        return connection

    def _prepare(self) -> None:
        connection = self._writer
        found = look(connection)
        if found.application_id != APPLICATION_ID and found.made:
            raise not_bars(self.path, "another program's database")
        if found.version > len(MIGRATIONS):
            raise SchemaTooNew(
                f"{self.path} was written by a newer onebook (schema {found.version}, this one knows"
                f" {len(MIGRATIONS)}); upgrade onebook: pip install --upgrade onebook",
                url=self.path,
                schema=found.version,
            )
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "normal")  # a power cut may take the newest bars: they are fetched again
        connection.pragma("temp_store", "memory")
        connection.pragma("trusted_schema", 0)
        connection.pragma("foreign_keys", 1)
        if found.version < len(MIGRATIONS):
            self._migrate()

    def _migrate(self) -> None:
        with self.writing() as connection:
            version = connection.pragma("user_version")  # another process may have been first
            for number, name in enumerate(MIGRATIONS[version:], version + 1):
                for statement in statements("onebook.market.bars.migrations", name).values():
                    connection.execute(statement).fetchall()
                connection.pragma("user_version", number)
            connection.pragma("application_id", APPLICATION_ID)


def _check_place(path: str) -> None:
    """Refuse what cannot become a file of bars; make the folder of a new one."""
    target = Path(path)
    if "\0" in path:
        msg = f"{path!r}: no file has such a name; check the path"
        raise StoreError(msg, url=path)
    try:
        if target.exists() and not target.is_file():
            raise not_bars(path, "a folder" if target.is_dir() else "no plain file")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
        elif 0 < target.stat().st_size < _HEADER_BYTES:
            raise not_bars(path, "too short for a database")
    except OSError as problem:
        msg = f"{path}: cannot be opened ({problem.strerror}); check the path and its permissions"
        raise StoreError(msg, url=path) from None
