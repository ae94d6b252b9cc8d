"""What holds for every test: how hard hypothesis tries, and a book in every store under a clock that is moved.

The default `fast` tries the same examples each time, so that a red run says something of the change before it.
`make explore` looks for new ones, under the profile `new`; `full` tries a thousand of each. A failing example prints a
blob that replays it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import onebook
from onebook.testing.clock import FakeClock

settings.register_profile("new", max_examples=200, deadline=None, derandomize=False, print_blob=True)
settings.register_profile("full", settings.get_profile("new"), max_examples=1000)
settings.register_profile("fast", settings.get_profile("new"), max_examples=50, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


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
