"""Daily bars of real stocks, read from the bundled file: prices as traded, in USD per share, never adjusted."""

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.resources import files

STOCKS_FILE = "us_stocks_daily.csv.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One session of one stock. Prices in USD per share as traded that day.

    ``adjusted`` is the close adjusted for all splits and dividends that the source knows, later ones too.
    """

    instrument: str
    day: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    adjusted: Decimal


def rows_of(name: str) -> Iterator[dict[str, str]]:
    """Return the rows of a bundled gzipped table, as text by column name."""
    packed = (files("onebook.demo") / "data" / name).read_bytes()
    with gzip.open(io.BytesIO(packed), "rt", encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


def load_bars() -> dict[str, list[Bar]]:
    """Return the bars of each stock, oldest first."""
    found: dict[str, list[Bar]] = {}
    for row in rows_of(STOCKS_FILE):
        bar = Bar(
            instrument=row["Ticker"],
            day=date.fromisoformat(row["Date"]),
            open=Decimal(row["Open"]),
            high=Decimal(row["High"]),
            low=Decimal(row["Low"]),
            close=Decimal(row["Close"]),
            adjusted=Decimal(row["Adj Close"]),
        )
        found.setdefault(bar.instrument, []).append(bar)
    return found
