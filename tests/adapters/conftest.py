"""A venue on loopback, and a book that a test can make fail."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.adapters.venue_ccxt import Venue

import onebook


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
