"""A book to test with, in every store, under a clock that moves when it is told to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import onebook
from onebook.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock("2024-06-03T12:00:00Z")


@pytest.fixture(params=["sqlite", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return ":memory:" if request.param == "memory" else str(tmp_path / "book.db")


@pytest.fixture
def book(place: str, clock: FakeClock) -> Iterator[onebook.Book]:
    with onebook.open(place, clock=clock) as opened:
        yield opened
        report = opened.verify()
        assert report.ok, report.problems
