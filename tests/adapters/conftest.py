"""A venue on loopback, and a book that a test can make fail."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.adapters.venue_ccxt import Venue

import onebook
from onebook.intake.adapters.recorder import Recorder


@pytest.fixture
def venue() -> Iterator[Venue]:
    with Venue() as running:
        yield running


@pytest.fixture
def bot_book(tmp_path: Path) -> Iterator[onebook.Book]:
    with onebook.open(tmp_path / "bot.db") as opened:
        yield opened
        report = opened.verify()
        assert report.ok, report.problems


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the book more time than a bot does by default: a slow disk is no failure here. Tests of it set their own."""
    monkeypatch.setitem(Recorder.__init__.__kwdefaults__, "patience_seconds", 30.0)  # type: ignore[arg-type]
