"""Runs the command line in this process against real books in a temporary folder."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from onebook.cli import main

SHARED = Path(__file__).resolve().parents[3] / "shared"


class Ran(NamedTuple):
    """What a call of the command line left: its exit code, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


Cli = Callable[..., Ran]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONEBOOK_URL", str(tmp_path / "book.db"))
    monkeypatch.setenv("ONEBOOK_HOME", str(tmp_path / "home"))

    def run(*words: str, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = main(list(words))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Ran(code, out, err)

    return run


@pytest.fixture
def filled(cli: Cli) -> Cli:
    """The same, with a round trip and an open position in the book."""
    for side, quantity, price, number in (("buy", "0.5", "60000", 1), ("sell", "0.5", "61000", 2)):
        words = f"--side {side} --quantity {quantity} --price {price} --fee 1.5 --venue-fill-id {number}"
        given = f"--instrument BTC/USDT --venue binance --occurred-at 2026-03-0{number}T12:00:00Z {words}"
        assert cli("record", "fill", *given.split()).code == 0
    given = "--instrument ETH/USDT --side buy --quantity 2 --price 3000 --client-fill-id e1 --strategy trend"
    assert cli("record", "fill", "--occurred-at", "2026-03-03T00:00:00Z", *given.split()).code == 0
    return cli


@pytest.fixture
def shared_fills() -> Path:
    path = SHARED / "data" / "fills" / "pyfolio_transactions.csv"
    if not path.is_file():
        pytest.skip("LEFT OUT: the pyfolio fills are not in ../shared/data/fills; the import of real data is untested")
    return path
