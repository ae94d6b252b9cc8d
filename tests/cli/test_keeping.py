"""Verify, backup, restore, doctor, config and bench."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onebook.config import KEYS, load
from onebook.errors import BadConfig

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


def test_config_says_where_values_come_from(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEBOOK_URL")
    (tmp_path / "c.yaml").write_text("book:\n  url: postgresql://me:hidden@h/db\n  busy_seconds: 3\n")
    monkeypatch.setenv("ONEBOOK_BOOK__SYNCHRONOUS", "NORMAL")
    rows = {row["key"]: row for row in cli("config", "--config", "c.yaml", "--json").json}
    assert rows["book.url"] == {"key": "book.url", "value": "postgresql://me:***@h/db", "source": "c.yaml"}
    assert rows["book.busy_seconds"]["value"] == 3.0
    assert rows["book.synchronous"]["value"] == "normal"
    assert rows["book.synchronous"]["source"] == "environment ONEBOOK_BOOK__SYNCHRONOUS"
    assert set(rows) == set(KEYS)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.yaml", "book:\n  bussy_seconds: 3\n", "did you mean book.busy_seconds"),
        ("c.yaml", "boook:\n  url: x\n", "did you mean book.url"),
        ("c.yaml", "book: [1]\n", "unknown setting book"),
        ("c.yaml", "book:\n  busy_seconds: soon\n", "number of seconds"),
        ("c.yaml", "book:\n  synchronous: maybe\n", "neither full"),
        ("c.yaml", "{", "is not YAML"),
        ("c.yaml", "3", "expected sections"),
        ("c.toml", "[book", "is not TOML"),
        ("c.toml", "[book]\nurl = 3\n", "is not text"),
    ],
)
def test_a_wrong_config_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadConfig, match=said):
        load(str(tmp_path / name), {})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[book]\nurl = "a.db"\nbusy_seconds = 1\n')
    found = load(None, {"ONEBOOK_CONFIG": str(tmp_path / "c.toml"), "ONEBOOK_URL": "b.db"})
    assert (found.get("book.url"), found.get("book.busy_seconds")) == ("b.db", 1.0)
    with pytest.raises(BadConfig, match=r"ONEBOOK_BOOK__URRL.*book\.url"):
        load(None, {"ONEBOOK_BOOK__URRL": "x"})


def test_an_empty_config_is_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("# nothing\nbook:\n")
    assert {item.source for item in load(str(tmp_path / "c.yaml"), {}).settings} == {"default"}


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
