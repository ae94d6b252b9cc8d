"""Books that snapshots are taken of, and what is done to them."""

from typing import Any

from tests.book.histories import moment

import onebook
from onebook import Fill
from onebook.book.verifying import MODELS, ledger_names, model_rows
from onebook.store.sqlite.store import SqliteStore

START = "2024-07-01T00:00:00Z"


def fill(number: int, **changes: Any) -> Fill:
    given = {
        "instrument": "AAPL",
        "side": "buy" if number % 3 else "sell",
        "quantity": number,
        "price": 100 + number,
        "venue": "v",
        "venue_fill_id": str(number),
        "occurred_at": moment(number),
    }
    return Fill(**(given | changes))


def record(book: onebook.Book, number: int, **changes: Any) -> int:
    return book.record(fill(number, **changes)).sequence


def models(book: onebook.Book) -> dict[str, list[str]]:
    """Every read model, row by row, with ledgers by name."""
    with book.store.reading() as reader:
        names = ledger_names(reader)
        found = {table: sorted(repr(row) for row in model_rows(reader, table, names)) for table in MODELS}
        found["ledgers"] = sorted(repr(row[1:]) for row in reader.ledgers())
    return found


def harm(book: onebook.Book, sql: str) -> None:
    """Change what is derived behind the book's back."""
    assert isinstance(book.store, SqliteStore)
    book.store.connection.execute("PRAGMA foreign_keys = OFF").fetchall()
    book.store.connection.execute(sql).fetchall()
    assert book.store.connection.changes(), sql
    book.store.connection.execute("PRAGMA foreign_keys = ON").fetchall()
