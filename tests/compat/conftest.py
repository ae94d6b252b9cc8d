"""A folder of its own, no book from the environment, and the older names withdrawn after each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import onebook
from onebook import compat
from onebook.testing import FakeClock


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ONEBOOK_URL", raising=False)
    yield tmp_path
    compat.uninstall()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock("2026-01-05T09:00:00Z")


@pytest.fixture
def book(place: Path, clock: FakeClock) -> Iterator[onebook.Book]:
    with onebook.open(place / "trading.db", clock=clock) as opened:
        compat.install(opened)
        yield opened
