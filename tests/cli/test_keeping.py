"""Verify, backup, restore, doctor and bench."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from onebook.config import KEYS
from onebook.store.sqlite.store import SqliteStore

Cli = Callable[..., Any]


def test_backup_restore_and_verify(filled: Cli, tmp_path: Path) -> None:
    assert filled("verify").out.startswith("sound: 3 entries, head ")
    assert filled("backup", "copy.db").code == 0
    assert filled("backup", "copy.db").code != 0
    assert filled("--db", "new.db", "restore", "copy.db").code == 0
    assert filled("--db", "new.db", "restore", "copy.db").code == 5
    assert filled("--db", "new.db", "restore", "copy.db", "--replace").code == 0
    assert filled("--db", "new.db", "verify", "--json").json["ok"]
    assert filled("fills", "--json").json == filled("fills", "--json", "--db", "new.db").json
    assert filled("rebuild").code == 0


def test_snapshots_and_a_rebuild_from_one(filled: Cli, tmp_path: Path) -> None:
    assert filled("snapshot", "--list").err == "no snapshots\n"
    assert filled("snapshot").out.startswith("snapshot of 3 entries in ")
    assert filled("snapshot", "mine.gz", "--json").json["sequence"] == 4
    assert (tmp_path / "mine.gz").is_file()
    [row] = filled("snapshot", "--list", "--json").json
    assert (row["sequence"], row["anchor"]) == (3, True)
    assert "snapshot-000000000003.jsonl.gz" in filled("snapshot", "--list").out
    assert filled("snapshot", "x.gz", "--list").code == 2
    (tmp_path / "onebook.yaml").write_text("snapshots:\n  folder: elsewhere\n", encoding="utf-8")
    assert filled("snapshot", "--config", "onebook.yaml").code == 0
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1
    (tmp_path / "onebook.yaml").unlink()
    damage = SqliteStore(str(tmp_path / "book.db"))
    damage.connection.execute("UPDATE tally SET count = count + 1").fetchall()
    damage.close()
    assert filled("verify").code == 1
    assert filled("rebuild").out.startswith("rebuilt from the snapshot at 3 and what follows, 6 entries")
    assert filled("verify").code == 0
    assert filled("rebuild", "--from-zero").out.startswith("rebuilt from 6 entries")


def test_a_damaged_log_is_70(filled: Cli, tmp_path: Path) -> None:
    data = bytearray((tmp_path / "book.db").read_bytes())
    place = data.index(b'"price":"61000"')
    data[place : place + 15] = b'"price":"61001"'
    (tmp_path / "bad.db").write_bytes(data)
    shown = filled("--db", "bad.db", "verify")
    assert shown.code == 70
    assert "restore" in shown.out
    assert filled("--db", "bad.db", "doctor").code == 70


def test_the_doctor_says_what_to_do(filled: Cli) -> None:
    well = filled("doctor")
    assert well.code == 0
    assert "onebook mark ETH/USDT PRICE" in well.out
    filled(
        "record",
        "fill",
        *["--instrument", "BTC/USDT", "--side", "sell", "--quantity", "9", "--price", "1", "--venue", "x"],
    )
    filled("record", "fill", *["--instrument", "Z/USD:Z", "--side", "sell", "--quantity", "9", "--price", "1"])
    ill = filled("doctor")
    assert ill.code == 1
    assert "onebook record instrument --symbol Z/USD:Z" in ill.out
    assert "came without an id" in ill.out
    found = filled("doctor", "--json")
    assert found.code == 1
    assert '"ok": false' in found.out


def test_bench_measures_and_leaves_nothing(filled: Cli, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    rows = filled("bench", "--count", "10", "--bulk", "50", "--json").json
    assert [row["count"] for row in rows] == [10, 10, 50, 10]
    assert sorted(tmp_path.iterdir()) == before


def test_help_and_version(cli: Cli) -> None:
    shown = cli("--help")
    assert shown.code == 0
    for command in ("positions", "record", "import", "doctor", "bench"):
        assert command in shown.out
    assert cli("--version").out.startswith("onebook ")
    assert cli().code == 0


def test_the_reference_names_every_command_and_setting() -> None:
    from onebook.cli.words import COMMANDS

    reference = Path(__file__).resolve().parents[2] / "docs" / "reference"
    shown = (reference / "cli.md").read_text() + (reference / "config.md").read_text()
    missing = [name for name in (*COMMANDS, *KEYS) if f"`{name}" not in shown]
    assert not missing
