"""Reading the tables of a document B database: another program's SQLite file, opened read-only for one moment."""

from pathlib import Path
from typing import Any

import apsw

from onebook.errors import InputError, StoreError
from onebook.store.sql import statements
from onebook.store.sqlite.errors import ours
from onebook.store.sqlite.store import APPLICATION_ID

_QUERIES = statements("onebook.compat", "old_database.sql")
_NEEDED = ("id", "symbol", "direction", "entry_price", "position_size", "entry_time")

Rows = list[dict[str, Any]]


def read_tables(path: str) -> tuple[Rows, Rows]:
    """Return the rows of ``paper_trades`` and of ``signals``; a file without ``signals`` has none.

    Raises:
        InputError: it is a book, or has no ``paper_trades`` with the documented columns.
        StoreError: it cannot be read.
    """
    if not Path(path).is_file():
        msg = f"{path} does not exist"
        raise StoreError(msg, path=path)
    with ours(path):
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.set_busy_timeout(5000)
            if connection.pragma("application_id") == APPLICATION_ID:
                msg = f"{path} is a book already; open it with onebook.open({path!r})"
                raise InputError(msg, path=path)
            return _read(connection, path)
        finally:
            connection.close()


def _read(connection: apsw.Connection, path: str) -> tuple[Rows, Rows]:
    there = {str(row[0]) for row in connection.execute(_QUERIES["tables"])}
    if "paper_trades" not in there:
        msg = f"{path} has no table paper_trades"
        raise InputError(msg, path=path)
    names, trades = _all(connection, "paper_trades")
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        msg = f"{path}: paper_trades has no column {missing[0]}"
        raise InputError(msg, path=path, field=missing[0])
    return trades, _all(connection, "signals")[1] if "signals" in there else []


def _all(connection: apsw.Connection, table: str) -> tuple[list[str], Rows]:
    names = [str(row[0]) for row in connection.execute(_QUERIES["columns"], (table,))]
    if "id" not in names:
        return names, []
    return names, [dict(zip(names, row, strict=True)) for row in connection.execute(_QUERIES[table])]
