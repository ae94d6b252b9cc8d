"""Commands that read: tables, JSON, filters, as of."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

READS = [
    "positions", "fills", "orders", "signals", "round-trips", "balances", "equity", "pnl", "journal",
    "status", "lots BTC/USDT", "explain BTC/USDT", "tail", "config",
]  # fmt: skip


@pytest.mark.parametrize("command", READS)
def test_every_read_answers_as_text_and_as_json(filled: Cli, command: str) -> None:
    assert filled(*command.split()).code == 0
    shown = filled(*command.split(), "--json")
    assert shown.code == 0
    assert shown.out.lstrip()[0] in "[{"
    assert filled(*command.split(), "--help").code == 0


def test_positions_say_what_is_held(filled: Cli) -> None:
    (row,) = filled("positions", "--json").json
    assert (row["instrument"], row["quantity"], row["average_price"]) == ("ETH/USDT", "2", "3000")
    both = filled("--json", "positions", "--all").json
    assert [row["realized_pnl"] for row in both] == ["497", "0"]


def test_global_options_stand_before_or_after(filled: Cli, tmp_path: Path) -> None:
    filled(
        "--db", "other.db", "record", "fill", *["--instrument", "X", "--side", "buy", "--quantity", "1", "--price", "1"]
    )
    before = filled("--db", "other.db", "--json", "fills").json
    after = filled("fills", "--json", f"--db={tmp_path / 'other.db'}").json
    assert before == after
    assert len(before) == 1


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("--instrument BTC/USDT", 2),
        ("--strategy trend", 1),
        ("--account other", 0),
        ("--since 2026-03-02T00:00Z", 2),
        ("--until 2026-03-02T00:00Z", 1),
        ("--limit 1", 1),
        ("--as-of 2", 2),
        ("--as-of 0", 0),
        ("--as-of 2026-03-01T13:00Z", 1),
        ("--as-of 2026-03-05T00:00Z --known 2", 2),
    ],
)
def test_filters_choose(filled: Cli, words: str, count: int) -> None:
    assert len(filled("fills", "--json", *words.split()).json) == count


def test_days_and_totals(filled: Cli) -> None:
    days = filled("pnl", "--json").json
    assert [(row["day"], row["net"]) for row in days][:2] == [("2026-03-01", "-1.5"), ("2026-03-02", "498.5")]
    assert filled("pnl", "--total", "--json").json[0]["net"] == "497"
    assert len(filled("pnl", "--since", "2026-03-02", "--until", "2026-03-03", "--json").json) == 1


def test_explanation_sums_to_the_figure(filled: Cli) -> None:
    shown = filled("explain", "BTC/USDT")
    assert shown.out.splitlines()[-1] == "realized_pnl: 497"


def test_lots_are_listed(filled: Cli) -> None:
    found = filled("lots", "BTC/USDT", "--method", "fifo", "--json").json
    assert [lot["gain"] for lot in found["closed"]] == ["500"]
    assert "closed lots" in filled("lots", "BTC/USDT").out


def test_equity_curve(filled: Cli) -> None:
    words = "equity --since 2026-03-01T00:00Z --until 2026-03-03T00:00Z --every 86400 --json"
    assert len(filled(*words.split()).json) == 3
    assert filled("equity", "--every", "60").code == 2


def test_journal_shows_the_traders_page(cli: Cli) -> None:
    signal = "--instrument BTC/USDT --action buy --signal-id s1 --confidence 0.7 --confluences trend,volume"
    cli("record", "signal", *signal.split(), "--stop-loss", "59000", "--occurred-at", "2026-03-01T11:00:00Z")
    for side, price, hour in (("buy", "60000", 12), ("sell", "61000", 13)):
        fill = f"--instrument BTC/USDT --side {side} --quantity 1 --price {price} --signal-id s1"
        cli("record", "fill", *fill.split(), "--occurred-at", f"2026-03-01T{hour}:00:00Z")
    page = cli("journal", "--day", "2026-03-01").out
    for text in ("BTC/USDT long 1", "confidence 0.7", "trend, volume", "entry         60000", "stop 59000"):
        assert text in page
    assert cli("journal", "--day", "2026-03-02", "--json").json == []


def test_tail_filters_and_resumes(filled: Cli) -> None:
    lines = filled("tail", "--types", "trade_*", "--after", "1").out.splitlines()
    assert [line.split()[0] for line in lines] == ["2.1", "3.1"]


def test_nothing_there_is_said_on_stderr(cli: Cli) -> None:
    cli("record", "account", "--name", "main")
    shown = cli("fills")
    assert (shown.code, shown.out, shown.err) == (0, "", "no fills\n")


def test_control_characters_and_markup_are_harmless(cli: Cli) -> None:
    fill = ["--instrument", "[red]X[/red]", "--side", "buy", "--quantity", "1", "--price", "1"]
    cli("record", "fill", *fill, "--note", "a\x1b[31mb")
    shown = cli("fills").out
    assert "[red]X[/red]" in shown
    assert "\x1b" not in shown


def test_a_narrow_terminal_gets_fewer_columns(filled: Cli) -> None:
    master, slave = pty.openpty()
    environment = os.environ | {"COLUMNS": "60", "TERM": "xterm", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "onebook", "fills"], stdout=slave, stderr=subprocess.PIPE, env=environment, check=True
    )
    os.close(slave)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", os.read(master, 100_000).decode())
    os.close(master)
    assert all(len(line) <= 60 for line in shown.splitlines())
    assert "Instrument" in shown
    assert b"not shown here" in done.stderr


def test_a_read_loads_neither_pydantic_nor_yaml(filled: Cli) -> None:
    words = [sys.executable, "-X", "importtime", "-m", "onebook", "positions"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "ETH/USDT" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"pydantic", "yaml", "rich.progress", "polars"}


def test_a_closed_pipe_is_quiet(filled: Cli) -> None:
    command = f"{sys.executable} -m onebook fills --json | head -c 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_tail_leaves_small_fills_out(cli: Cli) -> None:
    for number, quantity in enumerate(("1", "5", "2.5")):
        cli("record", "fill", "--instrument", "X", "--side", "buy", "--quantity", quantity, "--price", "10",
            "--venue-fill-id", str(number))  # fmt: skip
    for words in (("--min-quantity", "2.5"), ("--min-amount", "25")):
        ran = cli("--json", "tail", "--types", "trade_*", *words)
        assert [json.loads(line)["data"]["quantity"] for line in ran.out.splitlines()] == ["5", "2.5"]
    assert cli("tail", "--min-amount", "much").code == 2
