"""What only a SQLite file can be: another program's, too new, read-only, damaged, copied."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from onebook.errors import BookError, CorruptLog, NotABook, SchemaTooNew, StoreBusy, StoreClosed, StoreError
from onebook.store.port import Batch
from onebook.store.sqlite.store import MIGRATIONS, SqliteStore
from onebook.testing import FaultVFS
from onebook.testing.store_rows import append, everything, one_of_each


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "trading.db")


def filled(path: str, entries: int = 3) -> SqliteStore:
    store = SqliteStore(path)
    append(store, entries)
    return store


# ---- what is not a book ----


@pytest.mark.parametrize("read_only", [False, True])
def test_another_programs_database_is_refused_and_left_alone(path: str, *, read_only: bool) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE trades (id INTEGER PRIMARY KEY)")
    other.close()
    before = Path(path).read_bytes()
    with pytest.raises(NotABook, match=r"another program's database.* import FILE\.csv"):
        SqliteStore(path, read_only=read_only)
    assert Path(path).read_bytes() == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"date,side,price\n" * 1000, "a CSV file, not a book.*onebook --db BOOK import"),
        ("größe;preis;stück\n".encode() * 1000, "a CSV file"),
        (b'{"type": "fill"}\n', "a JSON file.*import"),
        (b"buy low, sell high", "a text file"),
        (b"x", "a text file"),
        (b"\x00", "binary data, not a book.*restore BACKUP"),
        (b"\xff", "binary data"),
        (bytes(5000), "binary data"),
        (bytes(reversed(range(256))) * 20, "binary data"),
        (b"PK\x03\x04" + bytes(99), "a ZIP archive"),
        (b"PAR1" + bytes(99), "a Parquet file"),
    ],
    ids=lambda part: part if isinstance(part, str) else f"{len(part)} bytes",
)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    path: str, content: bytes, says: str, *, read_only: bool
) -> None:
    Path(path).write_bytes(content)
    with pytest.raises(NotABook, match=says):
        SqliteStore(path, read_only=read_only)
    assert [file.name for file in Path(path).parent.iterdir()] == ["trading.db"]
    assert Path(path).read_bytes() == content


def test_an_empty_file_becomes_a_book_but_not_read_only(path: str) -> None:
    Path(path).touch()
    with pytest.raises(NotABook, match=f"is empty.*onebook --db {path} demo"):
        SqliteStore(path, read_only=True)
    filled(path).close()


def test_a_newer_schema_is_refused(path: str) -> None:
    filled(path).close()
    connection = apsw.Connection(path)
    connection.pragma("user_version", len(MIGRATIONS) + 1)
    connection.close()
    for read_only in (False, True):
        with pytest.raises(SchemaTooNew, match="upgrade onebook") as caught:
            SqliteStore(path, read_only=read_only)
        assert caught.value.schema == len(MIGRATIONS) + 1


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="folder"):
        SqliteStore(str(tmp_path))


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="its folder cannot be made"):
        SqliteStore(str(tmp_path / "file" / "trading.db"))


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
@pytest.mark.parametrize("read_only", [False, True])
def test_a_name_that_no_file_can_have(tmp_path: Path, name: str, *, read_only: bool) -> None:
    with pytest.raises(StoreError, match="check the path"):
        SqliteStore(str(tmp_path / name), read_only=read_only)


def test_a_device_is_refused() -> None:
    with pytest.raises(StoreError, match="neither a file nor a folder"):
        SqliteStore("/dev/null")


def test_a_path_that_may_not_be_looked_at(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object, **_named: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(StoreError, match=r"cannot be read \(Permission denied\); check the path and its permissions"):
        SqliteStore(path)


def test_opening_what_is_no_book_leaves_the_locks_of_an_open_book(path: str) -> None:
    """POSIX takes a process's locks on a file away when it closes any handle of it."""
    store = filled(path)
    for read_only in (False, True):
        SqliteStore(path, read_only=read_only).close()
    script = (
        "import apsw, sys; c = apsw.Connection(sys.argv[1]); c.pragma('locking_mode', 'exclusive');"
        "print(c.execute('SELECT count(*) FROM entries').fetchall())"
    )
    found = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert "BusyError" in found.stderr
    store.close()


def test_a_folder_that_may_not_be_made(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object, **_named: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StoreError, match=r"its folder cannot be made \(Permission denied\)"):
        SqliteStore(path)


def test_a_disk_that_does_not_let_the_file_be_opened(path: str) -> None:
    vfs = FaultVFS()
    vfs.fail("xOpen", 1)
    with pytest.raises(StoreError, match="may be read, and its folder written"):
        SqliteStore(path, vfs=vfs.name)


def test_folders_are_made(tmp_path: Path) -> None:
    filled(str(tmp_path / "a" / "b" / "trading.db")).close()
    assert (tmp_path / "a" / "b" / "trading.db").exists()


def test_a_damaged_page_is_said_clearly(path: str) -> None:
    store = filled(path, 2000)
    store.close()
    with Path(path).open("r+b") as file:
        for page in range(1, Path(path).stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 64)
    with pytest.raises(CorruptLog, match="restore BACKUP --replace"):
        SqliteStore(path).head()


# ---- read only ----


def test_read_only_needs_a_file(path: str) -> None:
    with pytest.raises(StoreError, match=f"no book at that path.*onebook --db {path} import FILE"):
        SqliteStore(path, read_only=True)
    assert not Path(path).exists()


def test_a_file_without_write_permission(path: str) -> None:
    filled(path).close()
    Path(path).chmod(0o444)
    Path(path).parent.chmod(0o555)
    try:
        if os.access(path, os.W_OK):
            pytest.skip("this user may write every file")
        with pytest.raises(StoreError):
            SqliteStore(path)
    finally:
        Path(path).parent.chmod(0o755)


def test_a_read_only_store_leaves_no_traces(path: str) -> None:
    filled(path).close()
    before = Path(path).read_bytes()
    store = SqliteStore(path, read_only=True)
    assert store.head()[0] == 3
    with pytest.raises(StoreError, match="read_only"):
        store.begin()
    store.close()
    assert Path(path).read_bytes() == before


# ---- the log cannot be edited ----


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = '{}' WHERE sequence = 2",
        "UPDATE entries SET sequence = 9 WHERE sequence = 3",
        "DELETE FROM entries WHERE sequence = 3",
        "DELETE FROM entries",
        "INSERT INTO entries (sequence, body, hash) VALUES (5, '{}', zeroblob(32))",
        "INSERT OR REPLACE INTO entries (sequence, body, hash) VALUES (3, '{}', zeroblob(32))",
        "INSERT INTO entries (sequence, body, hash) VALUES (4, '{}', zeroblob(31))",
        "INSERT INTO entries (sequence, body, hash) VALUES (4, 5.5, NULL)",
    ],
)
def test_no_other_program_edits_the_log(path: str, statement: str) -> None:
    store = filled(path)
    before = store.entries(0, 10)
    other = apsw.Connection(path)
    with pytest.raises(apsw.ConstraintError):
        other.execute(statement)
    other.close()
    assert store.entries(0, 10) == before
    store.close()


# ---- several connections ----


def test_a_second_writer_waits_and_then_is_told(path: str) -> None:
    store, other = filled(path), SqliteStore(path, busy_ms=50)
    store.begin()
    with pytest.raises(StoreBusy) as caught:
        other.begin()
    assert caught.value.retryable
    store.rollback()
    append(other, 1)
    assert store.head()[0] == 4
    for each in (store, other):
        each.close()


def test_changes_of_another_connection_are_noticed(path: str) -> None:
    store, other = filled(path), SqliteStore(path)
    before = store.changed()
    append(store, 1)
    assert store.changed() == before
    append(other, 1)
    assert store.changed() != before
    for each in (store, other):
        each.close()


def test_a_reader_lent_over_the_close_still_answers(path: str) -> None:
    store = filled(path)
    with store.reading() as reader:
        store.close()
        assert reader.head()[0] == 3
    with pytest.raises(StoreClosed):
        reader.head()


# ---- copies and questions ----


def test_a_backup_is_the_same_book(path: str, tmp_path: Path) -> None:
    store = filled(path)
    store.begin()
    store.write(Batch(tally=[("fills", 1)]))
    store.commit()
    copy = str(tmp_path / "copy.db")
    store.backup(copy)
    append(store, 1)
    with pytest.raises(StoreError, match="exists already"):
        store.backup(copy)
    other = SqliteStore(copy)
    assert (other.head()[0], store.head()[0]) == (3, 4)
    assert other.entries(0, 9) == store.entries(0, 3)
    assert other.tally() == {"fills": 1}
    append(other, 1)
    assert other.head() == store.head()
    for each in (store, other):
        each.close()
    assert not list(tmp_path.glob("*.partial"))


def test_a_backup_of_an_open_transaction_holds_what_is_committed(path: str, tmp_path: Path) -> None:
    store = SqliteStore(path)
    before = everything(store)
    store.begin()
    store.write(one_of_each(store))
    store.backup(str(tmp_path / "copy.db"))
    store.commit()
    copy = SqliteStore(str(tmp_path / "copy.db"))
    assert everything(copy) == before
    for each in (store, copy):
        each.close()


def test_a_backup_into_a_missing_folder_is_refused(path: str, tmp_path: Path) -> None:
    store = filled(path)
    with pytest.raises(StoreError):
        store.backup(str(tmp_path / "missing" / "copy.db"))
    store.close()
    with pytest.raises(StoreClosed):
        store.backup(str(tmp_path / "copy.db"))
    assert [file.name for file in tmp_path.iterdir()] == ["trading.db"]


def test_questions_in_sql_are_read_only(path: str) -> None:
    store = filled(path)
    names, rows = store.query("SELECT sequence, length(hash) AS bytes FROM entries WHERE sequence > ?", (1,))
    assert (names, list(rows)) == (["sequence", "bytes"], [(2, 32), (3, 32)])
    for wrong in ("DELETE FROM tally", "SELECT * FROM nothing", "not sql", "SELECT ?"):
        with pytest.raises(BookError):
            list(store.query(wrong)[1])
    assert store.query("SELECT 1 AS one WHERE 0")[0] == ["one"]
    store.close()


def test_every_view_can_be_read(path: str) -> None:
    store = SqliteStore(path)
    store.begin()
    store.write(one_of_each(store))
    store.commit()
    names = [row[0] for row in store.query("SELECT name FROM sqlite_schema WHERE type = 'view'")[1]]
    assert {"fills", "orders", "paper_trades", "paper_trades_exact", "signals"} <= set(names)
    for name in names:
        columns, rows = store.query(f'SELECT * FROM "{name}"')  # noqa: S608  names from the schema itself
        assert all(len(row) == len(columns) for row in rows)
    store.close()
