"""A folder of its own, no book from the environment, and the older names withdrawn after each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.market.sources import Told

import onebook
from onebook import compat
from onebook.testing import FakeClock


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    for name in ("ONEBOOK_URL", "ONEBOOK_DATA", "APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "APCA_API_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
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


@pytest.fixture
def source(clock: FakeClock) -> Told:
    """A source of prices that does as it is told, and is handed in."""
    return Told(clock)


@pytest.fixture
def asked(book: onebook.Book, source: Told) -> Told:
    """The same, as the one that the older data manager asks."""
    compat.install(data=source)
    return source
