"""What people get wrong: a clean exit code, a sentence, never a traceback."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

FILL = "record fill --instrument X --side buy --quantity 1 --price 1"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("record fill --side buy --quantity 1 --price 1", 2, "instrument: is missing"),
        (f"{FILL} --occurred-at 2026-01-01T10:00", 2, "has no zone"),
        ("record fill --instrument X --side buy --quantity -1 --price 1", 2, "quantity: -1 is not above 0"),
        ("record fill --instrument X --side buy --quantity 1 --price 1e400", 2, "20 digits"),
        ("record fill --instrument X --side buy --quantity 1 --price nan", 2, "price"),
        ("record fill --instrument X --side buy --quantity 1,5 --price 1", 2, "is not a number"),
        ("record fill --instrument X --side long --quantity 1 --price 1", 2, "is none of buy, sell"),
        (f"{FILL} --prise 1", 2, "--price"),
        (f"{FILL} --raw nojson", 2, "raw: is not JSON"),
        (f"{FILL} stray", 2, "stray"),
        ("record fil", 2, "'fill'"),
        ("record", 2, "Missing command"),
        ("fill", 2, "'fills'"),
        ("fills --limit 0", 2, "--limit"),
        ("fills --since yesterday", 2, "is not a time"),
        ("positions --as-of 99", 2, "beyond"),
        ("positions --as-of 99999999999999999999", 2, "--as-of"),
        ("positions --known 1", 2, "--known goes with"),
        ("lots ETH/USDT --method best", 2, "none of average"),
        ("explain ETH/USDT --figure luck", 2, "none of"),
        ("journal --day tomorrow", 2, "is not a date"),
        ("bust 99 --reason x", 2, "no such entry"),
        ("bust 1", 2, "--reason"),
        ("bust nobody --reason x", 2, "names no fill"),
        ("correct 1 --reason x --set price", 2, "FIELD=VALUE"),
        ("correct 1 --reason x --set prise=1", 2, "did you mean price"),
        ("reassign ETH/USDT 99 --from trend --to b", 3, "cannot be moved"),
        ("mark ETH/USDT dear", 2, "is not a number"),
        ("tail --after soon", 2, "neither a sequence"),
        ("--db . positions", 5, "is a folder"),
        ("--db missing.db positions", 5, "Make one by recording (onebook --db missing.db record"),
        ("--db notes.txt positions", 5, "is a text file, not a book"),
        ("--db theirs.db positions", 5, "another program's database"),
        (f"--db theirs.db {FILL}", 5, "another program's database"),
        ("--db mysql://h/x positions", 2, "mysql"),
        ("import missing.csv", 2, "cannot be read"),
        ("import .", 2, "is a folder"),
        ("import notes.txt", 2, "no column for instrument"),
        ("import empty.csv", 2, "is empty"),
        ("import latin.csv", 2, "is not UTF-8"),
        ("import theirs.db", 2, "is a SQLite database, not text"),
        ("import", 2, "name the files"),
        ("import bad.csv --from cake", 2, "none of fill"),
        ("import bad.csv --map quantty=a", 2, "did you mean quantity"),
        ("import bad.csv --map nobody", 2, "no map is kept"),
        ("import bad.csv --map ../x", 2, "map name"),
        ("import --undo notes.txt", 2, "not the report"),
        ("import good.csv --report nowhere/r.json", 2, "nothing was recorded"),
        ("export book.xlsx", 2, ".jsonl"),
        ("export nowhere/a.csv", 2, "nowhere"),
        ("backup .", 5, ""),
        ("restore missing.db --db new.db", 5, "does not exist"),
        ("--config missing.yaml config", 2, "cannot be read"),
    ],
)
def test_it_is_said(filled: Cli, tmp_path: Path, words: str, code: int, said: str) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "latin.csv").write_bytes("instrument;größe\n".encode("latin-1"))
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    (tmp_path / "good.csv").write_text("instrument,side,quantity,price,occurred_at\nX,buy,1,2,2026-01-01T00:00Z\n")
    with sqlite3.connect(tmp_path / "theirs.db") as theirs:
        theirs.execute("CREATE TABLE trades (id)")
    theirs.close()
    shown = filled(*words.split())
    assert (shown.code, shown.out) == (code, ""), shown.err
    assert shown.err.startswith("error: ")
    assert said in shown.err
    with_json = filled("--json", *words.split())
    assert with_json.code == code
    assert with_json.err.startswith('{"code": "')


def test_an_empty_place_is_not_the_default_book(filled: Cli) -> None:
    for words in (("--db", "", "positions"), ("--db=", "status"), ("positions", "--db", "")):
        assert filled(*words).err.startswith("error: Invalid value: --db is empty"), filled(*words)
        shown = filled("--json", *words)
        assert (shown.code, shown.out) == (2, "")
        assert '"UsageError"' in shown.err


def test_equity_names_at_most_ten_things_that_it_cannot_value(cli: Cli) -> None:
    for number in range(12):
        cli("record", "cash-movement", "--currency", f"C{number:02}", "--amount", "5")
    line = next(line for line in cli("equity").out.splitlines() if line.startswith("not valued"))
    assert line.endswith("C08 5, C09 5, … and 2 more")
    assert len(cli("equity", "--json").json["unvalued"]) == 12


def test_a_bad_row_is_named_and_the_others_are_booked(cli: Cli, tmp_path: Path) -> None:
    rows = "instrument,side,quantity,price,occurred_at\n"
    rows += "X,buy,1,10,2026-01-01T00:00:00Z\nX,buy,one,10,2026-01-01T00:00:00Z\nX,sell,1,11,2026-01-02T00:00:00Z\n"
    (tmp_path / "rows.csv").write_text(rows)
    shown = cli("import", "rows.csv")
    assert shown.code == 2
    assert shown.err == "error: rows.csv, line 3: quantity: 'one' is not a number\n"
    assert shown.out == "3 rows: 2 recorded, 0 there already, 0 in conflict, 1 refused\n"


def test_ctrl_c_is_quiet(filled: Cli) -> None:
    words = [sys.executable, "-m", "onebook", "tail", "--follow", "--after", "0"]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline()
    running.send_signal(2)
    _, err = running.communicate(timeout=20)
    assert (running.returncode, err) == (130, "")
