"""The documents' database of bars: frames in, frames out, exactly."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pytest
from tests.market.sources import together

import onebook
from onebook.compat import market
from onebook.compat.bars import bars_in, close_database, get_database
from onebook.testing import FakeClock

COLUMNS = ["open", "high", "low", "close", "volume"]
START = "2026-01-05T08:00:00"


def frame(rows: int = 3, *, zone: str | None = "UTC", price: Any = 1.1, **columns: Any) -> pd.DataFrame:
    index = pd.date_range(START, periods=rows, freq="1min", tz=zone)
    given = {name: [price] * rows for name in COLUMNS[:4]} | {"volume": [2] * rows} | columns
    return pd.DataFrame(given, index=index)


def test_a_frame_is_stored_and_comes_back(book: onebook.Book) -> None:
    db = get_database()
    assert db.store_historical_data("AAPL", "1Min", frame()) == 3
    assert db.store_historical_data("AAPL", "1Min", frame()) == 0
    assert db.store_historical_data("AAPL", "1m", frame(price=1.2)) == 3
    found = db.get_historical_data("AAPL", "1Min")
    assert list(found.columns) == COLUMNS
    assert (found.index.name, str(found.index.tz)) == ("timestamp", "UTC")
    assert list(found["close"]) == [1.2] * 3
    assert market.bars().read("AAPL", "1m", 0, 2**62)[0].close == Decimal("1.2")


def test_both_ends_of_a_stretch_count(book: onebook.Book) -> None:
    db = get_database()
    db.store_historical_data("AAPL", "1Min", frame(5))

    def rows(start: Any, end: Any) -> int:
        return len(db.get_historical_data("AAPL", "1Min", start, end))

    assert rows(datetime(2026, 1, 5, 8, 1, tzinfo=UTC), datetime(2026, 1, 5, 8, 3)) == 3  # noqa: DTZ001
    assert rows("2026-01-05T08:01:00+00:00", "2026-01-05 08:01:30") == 1
    assert rows(date(2026, 1, 5), date(2026, 1, 6)) == 5
    assert rows(None, pd.Timestamp("2026-01-05T09:01:00+01:00")) == 2
    assert rows(date(2026, 1, 6), None) == 0


def test_statistics_say_how_the_database_stands(book: onebook.Book) -> None:
    db = get_database()
    db.store_historical_data("AAPL", "1Min", frame())
    stats = db.get_database_stats()
    assert (stats["bars"], stats["tables"]["series"], stats["pool"]["size"]) == (3, 1, 10)
    assert stats["series"][0]["instrument"] == "AAPL"
    assert stats["writes"]["count"] >= 1


def test_closing_gives_the_file_back_and_the_next_call_opens_it(book: onebook.Book) -> None:
    get_database().store_historical_data("AAPL", "1Min", frame())
    first = market.bars()
    close_database()
    close_database()
    with pytest.raises(onebook.StoreClosed):
        first.read("AAPL", "1m", 0, 1)
    assert len(get_database().get_historical_data("AAPL", "1Min")) == 3


@pytest.mark.parametrize(
    "given",
    [
        frame(zone=None),
        frame().rename(columns=str.title),
        frame().rename_axis("Timestamp").reset_index(),
        frame().assign(timestamp=[1767600000 + 60 * row for row in range(3)]).reset_index(drop=True),
        frame().assign(time=[f"2026-01-05T08:0{row}:00Z" for row in range(3)]).reset_index(drop=True),
        pl.from_pandas(frame().rename_axis("time").reset_index()),
    ],
    ids=["no zone", "other letters", "a column", "seconds", "text", "polars"],
)
def test_times_may_be_said_in_many_ways(given: Any, book: onebook.Book) -> None:
    found = bars_in("AAPL", "1Min", given)
    assert [bar.opened_ns for bar in found] == [(1767600000 + 60 * row) * 10**9 for row in range(3)]
    assert {bar.close for bar in found} == {Decimal("1.1")}
    assert all(bar.is_final for bar in found)


def test_numbers_are_taken_by_their_shortest_decimal(book: onebook.Book) -> None:
    short = frame().astype("float32")
    shapes = (frame(), short, pl.from_pandas(short.rename_axis("time").reset_index()))
    for given in (*shapes, frame(price=Decimal("1.1")), frame(price="1.1")):
        assert bars_in("AAPL", "1Min", given)[0].open == Decimal("1.1")
    assert bars_in("AAPL", "1Min", frame(price=3))[0].open == 3
    assert bars_in("AAPL", "1Min", frame().drop(columns="volume"))[0].volume == 0


def test_the_bar_of_now_is_not_final(book: onebook.Book, clock: FakeClock) -> None:
    clock.set("2026-01-05T08:02:30Z")
    assert [bar.is_final for bar in bars_in("AAPL", "1Min", frame())] == [True, True, False]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (frame().drop(columns="low"), "no column 'low'"),
        (frame(close=[1.1, None, 1.1]), "row 1 has no close"),
        (frame().reset_index(drop=True), "says no times"),
        (frame().assign(timestamp=pd.Series([pd.NaT] * 3, dtype="datetime64[ns, UTC]")), "a time is missing"),
        (frame(low=[9] * 3), "low 9"),
        (None, "no column 'open'"),
        (frame(close=["x"] * 3), "close"),
    ],
    ids=["a column", "a number", "times", "a time", "a bar", "nothing", "text"],
)
def test_what_is_no_bar_is_refused_whole(given: Any, said: str, book: onebook.Book) -> None:
    with pytest.raises(onebook.InputError, match=said):
        get_database().store_historical_data("AAPL", "1Min", given)
    assert get_database().get_database_stats()["bars"] == 0


def test_many_threads_read_and_write(book: onebook.Book) -> None:
    def work(number: int) -> int:
        db = get_database()
        db.store_historical_data(f"S{number % 4}", "1Min", frame(5))
        return len(db.get_historical_data(f"S{number % 4}", "1Min"))

    assert together(16, work) == [5] * 16
    assert get_database().get_database_stats()["bars"] == 20
