"""Questions in SQL: one statement that reads, on a connection of its own."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apsw

from onebook.errors import BookError, InputError
from onebook.store.port import Row
from onebook.store.sqlite.errors import translated

_READS = frozenset({apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE})
_ABOUT = frozenset(
    {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"}
    | {"foreign_key_check", "integrity_check", "quick_check"}
)
"""Pragmas whose value says what to look at; a value of any other sets something."""

_ACTS = frozenset({"incremental_vacuum", "optimize", "shrink_memory", "wal_checkpoint"})
"""Pragmas that do something without a value."""


def ask(connection: apsw.Connection, url: str, sql: str, params: Sequence[Any]) -> tuple[list[str], Iterator[Row]]:
    """Return a query's column names and its rows; the connection is closed after the last, or when it fails.

    Raises:
        InputError: it is not one statement that reads.
    """
    names: list[str] = []
    try:
        connection.authorizer = _reads_only
        cursor = connection.cursor()
        cursor.exec_trace = _columns_into(names, sql)
        cursor.execute(sql, params)
    except (apsw.Error, InputError, TypeError, ValueError) as problem:
        connection.close()
        raise _refused(problem, url, sql) from None
    return names, _drain(connection, cursor, url, sql)


def _reads_only(action: int, name: str | None, value: str | None, _database: str | None, _trigger: str | None) -> int:
    pragma = (name or "").lower()
    reads = action in _READS or (
        action == apsw.SQLITE_PRAGMA and (pragma in _ABOUT if value is not None else pragma not in _ACTS)
    )
    return apsw.SQLITE_OK if reads else apsw.SQLITE_DENY


def _columns_into(names: list[str], whole: str) -> Callable[[apsw.Cursor, str, Any], bool]:
    """Return what takes the statement's column names before its first row, and refuses a second statement."""
    begun = False

    def take(cursor: apsw.Cursor, _sql: str, _params: object) -> bool:
        nonlocal begun
        columns = [item[0] for item in cursor.get_description()]
        if begun and columns:  # a comment has none
            raise _only_reads(whole, "one statement at a time")
        if not begun:
            names[:] = columns
        begun = True
        return True

    return take


def _drain(connection: apsw.Connection, cursor: apsw.Cursor, url: str, sql: str) -> Iterator[Row]:
    try:
        yield from cursor
    except apsw.Error as problem:
        raise _refused(problem, url, sql) from None
    finally:
        connection.close()


def _refused(problem: Exception, url: str, sql: str) -> BookError:
    """Return the error to raise instead of what a query ended with."""
    if isinstance(problem, BookError):
        return problem
    if isinstance(problem, apsw.AuthError | apsw.ReadOnlyError) or "not authorized" in str(problem):
        return _only_reads(sql, "facts go in with book.record, and wrong ones are put right with book.correct")
    if isinstance(problem, apsw.SQLError | apsw.BindingsError | TypeError | ValueError):
        msg = f"sql: {problem}; the tables and views are those of docs/reference/sql.md"
        return InputError(msg, field="sql", value=sql)
    return translated(problem, url)


def _only_reads(sql: str, why: str) -> InputError:
    return InputError(f"sql: only reads; {why}", field="sql", value=sql)
