"""What a shell and a terminal can do to the command line: pipes that close, full disks, Ctrl-C, few columns."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

import onebook
from onebook import Fill, Order, Signal

Cli = Callable[..., Any]

PROGRAM = f"{sys.executable} -W error -m onebook"
COMMANDS = ("positions", "fills", "orders", "signals", "round-trips", "journal", "tail --after 0", "pnl", "--help")


@pytest.fixture
def odd(cli: Cli, tmp_path: Path) -> Cli:
    """A book with everything wide: other scripts, long notes, long names, large numbers."""
    with onebook.open(tmp_path / "book.db") as book:
        many: dict[str, Any] = {
            "strategy": "策略一号 trend-following",
            "venue": "币安",
            "quantity": "0.123456789012345678",
        }
        at = 1_767_603_600_000_000_000
        book.record(Fill(instrument="BTC/USDT", side="buy", price="60000.123456789", note="长" * 3000,
                         tags=("тег", "🏷️"), venue_fill_id="1", occurred_ns=at, **many))  # fmt: skip
        book.record(Fill(instrument="BTC/USDT", side="sell", price="61000", note="é" * 9000 + "\x1b[31m\nx",
                         venue_fill_id="2", occurred_ns=at + 1, **many))  # fmt: skip
        book.record(Fill(instrument="1000000PEPE/USDT:USDT", side="sell", price="1", quantity=Decimal(10**17),
                         strategy="שלום", venue_fill_id="3", occurred_ns=at + 2))  # fmt: skip
        book.record(Order(instrument="BTC/USDT", side="buy", quantity=1, client_order_id="o" * 100))
        book.record(Signal(instrument="BTC/USDT", action="buy", signal_id="信号" * 20, confluences=("a" * 200,)))
        book.annotate(1, notes="очень длинная заметка " * 100, tags=["🚀"])
    return cli


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("as_json", ["", "--json"])
def test_text_of_any_script_is_shown_and_nothing_controls_the_terminal(odd: Cli, command: str, as_json: str) -> None:
    shown = odd(*command.split(), *as_json.split())
    assert shown.code == 0, shown.err
    assert "\x1b" not in shown.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_table_fits_sixty_columns(odd: Cli, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("onebook.cli.tail.get_terminal_size", lambda: os.terminal_size((60, 24)))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    shown = odd(*command.split())
    assert shown.code == 0, shown.err
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.out).splitlines()
    wide = [line for line in lines if cell_len(line) > 60]
    assert not wide or command == "journal"
    dropped = command in {"positions", "fills", "signals", "round-trips"}
    assert ("not shown here" in shown.err) == dropped or command in {"orders", "pnl"}


def into_nobody(command: str, stream: str) -> tuple[int, str]:
    """Run with a stream whose reader has gone; return the exit code and what the other stream said."""
    reader, writer = os.pipe()
    os.close(reader)
    out, err = (writer, subprocess.PIPE) if stream == "stdout" else (subprocess.PIPE, writer)
    words = [*PROGRAM.split(), *command.split()]
    try:
        ran = subprocess.run(words, stdout=out, stderr=err, text=True, timeout=60, check=False)
    finally:
        os.close(writer)
    return ran.returncode, ran.stderr if stream == "stdout" else ran.stdout


@pytest.mark.parametrize(
    "command",
    ["positions", "fills", "fills --json", "tail --after 0", "--help", "record fill --help", "status", "verify",
     "export /dev/stdout --form jsonl"],
)  # fmt: skip
def test_a_pipe_that_nobody_reads_is_quiet(odd: Cli, command: str) -> None:
    assert into_nobody(command, "stdout") == (0, "")


def test_errors_that_nobody_reads(cli: Cli) -> None:
    code, out = into_nobody("demo --once", "stderr")
    assert (code, out) == (0, "")
    assert into_nobody("fillls", "stderr") == (2, "")


@pytest.mark.parametrize("command", ["positions", "fills --json", "status", "verify"])
def test_an_answer_that_finds_no_room_is_said(filled: Cli, command: str) -> None:
    ran = shell(f"{PROGRAM} {command} >/dev/full")
    assert ran.returncode == 5
    assert "the disk is full" in ran.stderr
    assert "ignored" not in ran.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_that_a_shell_closed(filled: Cli, closed: str) -> None:
    assert shell(f"{sys.executable} -m onebook positions {closed}").returncode == 0
    assert shell(f"{sys.executable} -m onebook fill {closed}").returncode == 2


def interrupted(*words: str, when: Callable[[subprocess.Popen[str]], object]) -> tuple[int, str, str]:
    command = [sys.executable, "-W", "error", "-m", "onebook", *words]
    running = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        when(running)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
        running.wait()
    return running.returncode, out, err


def wait(true: Callable[[], bool]) -> Callable[[object], None]:
    """Return what waits, bounded, until something is so."""

    def waiting(_running: object) -> None:
        end = time.monotonic() + 60
        while not true():
            assert time.monotonic() < end, "it never was so"

    return waiting


def test_ctrl_c_in_an_import_keeps_what_was_booked(cli: Cli, tmp_path: Path) -> None:
    row = '{{"instrument": "X", "side": "buy", "quantity": 1, "price": 1, "client_fill_id": "{}"}}\n'
    (tmp_path / "one.jsonl").write_text(row.format(0))
    assert cli("import", "one.jsonl").code == 0
    big = tmp_path / "big.jsonl"
    big.write_text("".join(row.format(number) for number in range(200_000)))

    some = wait(lambda: cli("status", "--json").json["entries"] > 1)
    code, out, err = interrupted("import", "big.jsonl", when=some)
    assert (code, out) == (130, "")
    assert "Traceback" not in err
    assert "interrupted" in err
    assert "the same again books the rest" in err
    assert cli("verify").code == 0
    assert 1 < cli("status", "--json").json["entries"] < 200_000


@pytest.mark.parametrize("words", [("demo", "--once"), ("demo", "--once", "--json")])
def test_ctrl_c_in_the_demo(cli: Cli, tmp_path: Path, words: tuple[str, ...]) -> None:
    some = wait(lambda: cli("--db", "demo.db", "fills", "--limit", "1", "--json").out.count("price") > 0)
    code, out, err = interrupted("--db", "demo.db", *words, when=some)
    assert (code, out) == (130, "")
    assert "Traceback" not in err
    assert "what it recorded stays in the book" in err
    assert cli("--db", "demo.db", "verify").code == 0


def test_ctrl_c_while_stdin_is_read(cli: Cli) -> None:
    def one(running: subprocess.Popen[str]) -> None:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write('{"instrument": "X", "side": "buy", "quantity": 1, "price": 1}\n')
        running.stdin.write('{"instrument": "X", "side": "buy", "quantity": 1, "price": 1}\n')
        running.stdin.flush()
        wait(lambda: cli("fills", "--json").out.count("price") > 0)(running)

    code, _, err = interrupted("record", "fill", "-", when=one)
    assert (code, err) == (130, "")
    assert cli("verify").code == 0
