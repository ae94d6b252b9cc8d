"""Bars for tests, made and real."""

import csv
import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from onebook.domain import times
from onebook.domain.market import Bar
from onebook.market.timeframes import length_ns

BTC = Path(__file__).resolve().parents[3] / "shared" / "data" / "market" / "btc_perp_1m.csv.gz"
START = times.from_text("start", "2024-06-03T00:00:00Z")


def at(text: str) -> int:
    return times.from_text("at", text)


def bar(number: int = 0, timeframe: str = "1m", instrument: str = "BTC/USDT", **changes: Any) -> Bar:
    """Return the n-th bar after the start of 3 June 2024."""
    length = length_ns(timeframe)
    opened = START + number * length
    price = Decimal(100 + number % 7)
    figures: dict[str, Any] = {
        "opened_ns": opened,
        "at_ns": opened + length,
        "open": price,
        "high": price + 2,
        "low": price - Decimal("1.5"),
        "close": price + 1,
        "volume": Decimal("0.25"),
    }
    return Bar(instrument=instrument, timeframe=timeframe, **(figures | changes))


def btc_bars(count: int) -> list[Bar]:
    """Return the first real bars of a BTC perpetual, one a minute, from 2021-12-31 23:01 UTC."""
    if not BTC.exists():
        pytest.skip("LEFT OUT: the minute bars are not in ../shared/data/market; bars of a real market are untested")
    return list(_btc(count))


def _btc(count: int) -> Iterator[Bar]:
    with gzip.open(BTC, "rt", encoding="utf-8", newline="") as text:
        for row, _ in zip(csv.DictReader(text), range(count), strict=False):
            opened = at(row["timestamp"] + "Z")
            yield Bar(
                instrument="BTC/USD:BTC",
                timeframe="1m",
                opened_ns=opened,
                at_ns=opened + times.MINUTE,
                open=Decimal(row["open"]),
                high=Decimal(row["high"]),
                low=Decimal(row["low"]),
                close=Decimal(row["close"]),
                volume=Decimal(row["volume"]),
            )
