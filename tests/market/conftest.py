"""Sources of market data that do as they are told, and the real data where they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from onebook.market.caches import Caches
from onebook.testing.clock import FakeClock

MARKET = Path(__file__).resolve().parents[3] / "shared" / "data" / "market"


@pytest.fixture
def market() -> Path:
    """The folder with the real data, which are not part of the project."""
    if not MARKET.is_dir():
        pytest.skip(f"left out: the real market data are not at {MARKET}")
    return MARKET


@pytest.fixture
def caches(clock: FakeClock) -> Iterator[Caches]:
    made = Caches(clock)
    yield made
    made.close()
