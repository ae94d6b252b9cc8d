"""A file of the first schema is brought forward, and read as it is by who may not write."""

from pathlib import Path

import apsw
import pytest

import onebook
from onebook.store.sql import statements
from onebook.store.sqlite import store as sqlite
from onebook.store.sqlite.store import MIGRATIONS, SqliteStore
from onebook.testing.clock import FakeClock


@pytest.fixture
def old(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> str:
    """A book as the first release kept it: its migration and the views, two fills of one round trip."""
    path = str(tmp_path / "old.db")
    with monkeypatch.context() as first:
        first.setattr(sqlite, "MIGRATIONS", MIGRATIONS[:1])
        with onebook.open(path, clock=clock) as book:
            for number, side in enumerate(("buy", "sell"), 1):
                book.record(
                    onebook.Fill(
                        instrument="BTC/USD", side=side, quantity=1, price=100 * number, venue_fill_id=str(number)
                    )
                )
    assert schema(path)[0] == 1
    return path


def schema(path: str) -> tuple[int, set[str]]:
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        found = connection.execute("SELECT sql FROM sqlite_schema WHERE sql NOTNULL").fetchall()
        return int(connection.pragma("user_version")), {str(row[0]) for row in found}
    finally:
        connection.close()


def trips(book: onebook.Book) -> list[tuple[object, ...]]:
    found = book.sql("SELECT symbol, direction, status, exit_price FROM paper_trades")
    return [tuple(row.values()) for row in found]


def test_it_is_brought_forward(old: str, tmp_path: Path) -> None:
    heard: list[str] = []
    with onebook.open(old) as book:
        assert trips(book) == [("BTC/USD", "LONG", "CLOSED", 200.0)]
        assert book.verify().ok
        book.subscribe("audit", lambda event: heard.append(event.id), start="beginning")
    with onebook.open(tmp_path / "new.db"):
        pass
    assert schema(old) == schema(str(tmp_path / "new.db")), "from scratch and brought forward are the same"


def test_who_may_not_write_reads_it_as_it_is(old: str) -> None:
    with onebook.open(old, read_only=True) as book:
        assert trips(book) == [("BTC/USD", "LONG", "CLOSED", 200.0)]
        assert (book.subscribers(), list(book.subscribers.dead_letters()), book.status().subscribers) == ([], [], ())
        assert [event.type for event in book.events(types="trade_*")] == ["trade_executed"] * 2
        assert book.verify().ok
    assert schema(old)[0] == 1


def test_a_migration_that_fails_half_way_leaves_the_old_file(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = schema(old)
    real = statements

    def broken(package: str, name: str) -> dict[str, str]:
        found = dict(real(package, name))
        return found | {"last": "CREATE TABLE heartbeats (x)"} if name == MIGRATIONS[-1] else found

    with monkeypatch.context() as faulty:
        faulty.setattr(sqlite, "statements", broken)
        with pytest.raises(onebook.StoreError):
            SqliteStore(old)
    assert schema(old) == before
    SqliteStore(old).close()
    assert schema(old)[0] == len(MIGRATIONS)
