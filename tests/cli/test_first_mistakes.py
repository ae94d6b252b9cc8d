"""The mistakes of a first hour: each is one line with what was wrong and what to do, and leaves nothing behind."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from onebook.store.sqlite.store import SqliteStore
from onebook.testing import FaultVFS

Cli = Callable[..., Any]

FILL = "record fill --instrument X --side buy --price 1 --quantity 1"
PARTS = ("--instrument", "X", "--side", "buy", "--quantity", "1", "--price", "1")


def given(*, without: str = "", **changes: str) -> list[str]:
    """A fill on the command line, with changes."""
    fields = dict(zip(PARTS[::2], PARTS[1::2], strict=True)) | {f"--{name}": value for name, value in changes.items()}
    return ["record", "fill", *(word for name, value in fields.items() if name != without for word in (name, value))]


def state(folder: Path) -> dict[str, bytes]:
    """What each file holds; SQLite's own helpers may stand empty beside a file that was read."""
    found = {item.name: item.read_bytes() for item in folder.iterdir() if item.is_file() and "-shm" not in item.name}
    return {name: content for name, content in found.items() if content or not name.endswith("-wal")}


def check(cli: Cli, folder: Path, words: list[str], code: int, *says: str) -> None:
    """It is refused with one line, the same as JSON, and nothing in the folder changes."""
    before = state(folder)
    for form in ([], ["--json"]):
        shown = cli(*words, *form)
        assert (shown.code, shown.out) == (code, ""), shown.err
        assert shown.err.count("\n") == 1
        assert shown.err.startswith('{"code": "' if form else "error: ")
        for said in says:
            assert said in shown.err
    assert state(folder) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (given(quantity="0.1e"), ("quantity: '0.1e' is not a number",)),
        (given(without="--instrument"), ("instrument: is missing; a fill needs it",)),
        (given(**{"occurred-at": "2026-03-01T12:00:00"}), ("has no zone", "2026-03-01T12:00:00Z")),
        (given(quantity="-1"), ("quantity: -1 is not above 0", "the side says the direction")),
        (given(price="1e400"), ("more than 20 digits before the point",)),
        (given(price="0.1234567890123456789"), ("at most 18 are kept exactly",)),
    ],
    ids=["no number", "no instrument", "naive time", "negative", "1e400", "too fine"],
)
def test_a_fill_that_is_not_one(filled: Cli, tmp_path: Path, words: list[str], says: tuple[str, ...]) -> None:
    check(filled, tmp_path, words, 2, *says)


def test_a_wrong_first_fact_makes_a_book_without_it(cli: Cli) -> None:
    assert cli(*given(price="1e400")).code == 2
    assert cli("status", "--json").json["entries"] == 0


@pytest.mark.parametrize("words", [["positions"], FILL.split(), ["mark", "X", "1"], ["verify"], ["export", "a.csv"]])
def test_what_is_no_book(cli: Cli, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "rows.csv").write_text("instrument,side,quantity\nX,buy,1\n")
    (tmp_path / "folder").mkdir()
    theirs = sqlite3.connect(tmp_path / "theirs.db")
    theirs.execute("CREATE TABLE trades (id)")
    theirs.close()
    cli("--db", "newer.db", *FILL.split())
    newer = apsw.Connection(str(tmp_path / "newer.db"))
    newer.pragma("user_version", 99)
    newer.close()
    check(cli, tmp_path, ["--db", "folder", *words], 5, "is a folder; name a file in it, such as folder/trading.db")
    check(cli, tmp_path, ["--db", "theirs.db", *words], 5, "another program's database", "import FILE.csv")
    check(cli, tmp_path, ["--db", "newer.db", *words], 5, "newer onebook", "pip install --upgrade onebook")
    check(cli, tmp_path, ["--db", "rows.csv", *words], 5, "a CSV file", "onebook --db BOOK import rows.csv")
    check(cli, tmp_path, ["--db", "rows.csv/x.db", *words], 5, "rows.csv/x.db")
    assert not [item for item in tmp_path.iterdir() if "partial" in item.name]


WITHOUT_A_BOOK = (
    "positions", "fills", "status", "verify", "doctor", "tail", "journal", "export a.csv", "rebuild",
    "backup b.db", "mark X 1", "bust 1 --reason x", "correct 1 --reason x --set price=1",
    "reassign X 1 --from a --to b", "import --undo r.json",
)  # fmt: skip


@pytest.mark.parametrize("words", WITHOUT_A_BOOK)
def test_no_command_but_those_that_bring_facts_in_makes_a_book(cli: Cli, tmp_path: Path, words: str) -> None:
    (tmp_path / "r.json").write_text('{"fills": []}')
    (tmp_path / "none.db").touch()
    for name, said in (
        ("typo.db", "no book at that path"),
        ("typo/t.db", "no book at that path"),
        ("none.db", "empty"),
    ):
        check(cli, tmp_path, ["--db", name, *words.split()], 5, said, f"onebook --db {name} import FILE", "demo")
    assert not (tmp_path / "typo").exists()


def test_an_empty_file_becomes_a_book(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "none.db").touch()
    assert cli("--db", "none.db", *FILL.split()).code == 0
    assert cli("--db", "none.db", "verify").out.startswith("sound: 1 entries")


def test_a_dry_run_makes_no_book(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("instrument,side,quantity,price,occurred_at\nX,buy,1,2,2026-01-01T00:00Z\n")
    assert cli("import", "rows.csv", "--dry-run").code == 0
    assert not (tmp_path / "book.db").exists()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultVFS]:
    """The disk under every book of the command line."""
    vfs = FaultVFS()
    defaults = SqliteStore.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "vfs", vfs.name)
    yield vfs
    vfs.heal()


def test_a_full_disk(filled: Cli, tmp_path: Path, disk: FaultVFS) -> None:
    rows = "instrument,side,quantity,price,occurred_at\n" + "X,buy,1,2,2026-01-01T00:00Z\n" * 20
    (tmp_path / "rows.csv").write_text(rows)
    for words in (FILL.split(), ["import", "rows.csv"], ["bust", "1", "--reason", "x"]):
        disk.fail("xWrite", 1, "disk_full", times=10**6)
        shown = filled(*words)
        assert (shown.code, shown.out) == (5, "")
        assert shown.err.startswith("error: ")
        assert "the disk is full; nothing was written. Make room and try again" in shown.err
        disk.heal()
        assert filled("status", "--json").json["entries"] == 3
    assert filled("verify").code == 0
    assert filled("import", "rows.csv", "--json").json["recorded"] == 20


def test_a_full_disk_under_a_new_book(cli: Cli, disk: FaultVFS) -> None:
    disk.fail("xWrite", 1, "disk_full", times=10**6)
    shown = cli(*FILL.split())
    assert shown.code == 5
    assert "the disk is full" in shown.err
    disk.heal()
    assert cli(*FILL.split()).code == 0
    assert cli("verify").out.startswith("sound: 1 entries")


def test_two_processes_at_once(filled: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEBOOK_BOOK__BUSY_SECONDS", "0.05")
    other = apsw.Connection(str(tmp_path / "book.db"))
    other.execute("BEGIN IMMEDIATE")
    for words in (FILL.split(), ["bust", "1", "--reason", "x"], ["rebuild"], ["mark", "X", "5"]):
        shown = filled(*words)
        assert (shown.code, shown.out) == (5, "")
        assert shown.err == "error: {}: another process is writing; try again in a moment\n".format(
            tmp_path / "book.db"
        )
    assert filled("positions").code == 0
    other.execute("ROLLBACK")
    other.close()
    assert filled(*FILL.split()).code == 0
    assert filled("status", "--json").json["entries"] == 4
    assert filled("verify").code == 0
