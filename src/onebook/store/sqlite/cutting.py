"""Read models in SQLite as of an entry: read page by page, and brought back to it."""

from collections.abc import Iterable

import apsw

from onebook.store.codec import encode
from onebook.store.port import GENESIS, VERSIONED, Row, Standing
from onebook.store.sql import statements

SQL = statements("onebook.store.sqlite", "snapshots.sql")
_LEAST = -(2**63)
_BEFORE_ALL: dict[str, Row] = {
    "identities": (_LEAST, "", 0, 0),
    "movements": (_LEAST, 0, 0, "", 0, 0, 0),
    "points": (_LEAST, 0, 0, "", 0, 0, 0),
    "trips": (_LEAST, 0, 0, "", "", 0),
    "records": ("", "", "", _LEAST),
    "rates": ("", "", _LEAST, ""),
}
_CLOSED = ("movements", "points", "trips", "records")


def versions(connection: apsw.Connection, table: str, known: int, after: Row | None, limit: int) -> list[Row]:
    """Return a page of a versioned read model."""
    place = _BEFORE_ALL[table] if after is None else after[: VERSIONED[table]]
    return connection.execute(SQL[f"versions_{table}"], (known, *place, limit)).fetchall()


def standing(connection: apsw.Connection, reads: dict[str, str]) -> Standing:
    """Return the head and every row of the models that keep no versions, as of one moment."""
    connection.execute(SQL["begin_reading"]).fetchall()
    try:
        head = connection.execute(reads["head"]).fetchall()
        rows = {name: connection.execute(reads[f"digest_{name}"]).fetchall() for name in Standing.TABLES}
    finally:
        connection.execute(SQL["end_reading"]).fetchall()
    return Standing(head=(head[0][0], head[0][1]) if head else GENESIS, **rows)  # type: ignore[arg-type]


def cut(connection: apsw.Connection, known: int, gained: Iterable[Row]) -> None:
    """Bring the versioned read models back to an entry."""
    connection.pragma("defer_foreign_keys", 1)
    for name in VERSIONED:
        connection.execute(SQL[f"cut_{name}"], (known,))
    connection.executemany(SQL["cut_identity"], gained)
    connection.execute(SQL["cut_scopes"])
    for name in _CLOSED:
        connection.execute(SQL[f"reopen_{name}"], (known,))


def drop_ledgers(connection: apsw.Connection, kept: Iterable[int]) -> None:
    """Forget all ledgers but these."""
    connection.execute(SQL["drop_ledgers"], (encode(list(kept)).decode(),))
