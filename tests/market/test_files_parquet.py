"""Parquet as a source: decimals, texts and floats exactly, times in each unit and zone."""

import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from onebook.domain import times
from onebook.domain.market import Bar
from onebook.errors import BadConfig, BadPayload
from onebook.market.providers.files import FileSource, FileTerms

pa = pytest.importorskip("pyarrow", reason="left out: pyarrow is not installed")
pq = pytest.importorskip("pyarrow.parquet")

MOMENT = datetime(2024, 6, 3, 14, tzinfo=UTC)


def write(path: Path, **columns: Any) -> Path:
    given = {"timestamp": pa.array([MOMENT]), "open": ["0.1"], "high": ["0.3"], "low": ["0.1"], "close": ["0.2"]}
    pq.write_table(pa.table({**given, **columns}), path)
    return path


def only(path: Path, **terms: Any) -> Bar:
    (found,) = FileSource([FileTerms(path=path, **terms)]).events()
    assert isinstance(found, Bar)
    return found


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([0.2]), "0.2"),
        (pa.array([0.2], pa.float32()), "0.2"),
        (pa.array([0.1234567], pa.float32()), "0.1234567"),
        (pa.array([Decimal("0.20")]), "0.20"),
        (pa.array(["0.200"]), "0.200"),
    ],
)
def test_numbers_are_taken_exactly_and_floats_by_their_shortest_decimal(
    tmp_path: Path, values: Any, expected: str
) -> None:
    assert str(only(write(tmp_path / "a_1m.parquet", close=values)).close) == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize(("zone", "hours"), [("UTC", 0), ("America/New_York", 0), (None, 4)])
def test_times_of_every_unit_and_zone(tmp_path: Path, unit: str, zone: str | None, hours: int) -> None:
    stored = pa.array([MOMENT]).cast(pa.timestamp("us", "UTC")).cast(pa.timestamp(unit, zone) if zone else pa.int64())
    if zone is None:
        seconds = int(MOMENT.timestamp())
        stored = pa.array([seconds * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]]).cast(pa.timestamp(unit))
    bar = only(write(tmp_path / "a_1m.parquet", timestamp=stored), zone="America/New_York")
    assert bar.opened_ns == times.from_datetime("at", MOMENT) + hours * 3600 * times.SECOND


def test_dates_are_sessions_and_an_instrument_column_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "bars.parquet", timestamp=[date(2024, 6, 3)], symbol=["AAPL"], volume=[7])
    bar = only(path)
    assert (bar.instrument, bar.timeframe, bar.volume) == ("AAPL", "1d", 7)
    assert times.to_text(bar.at_ns) == "2024-06-03T20:00:00Z"


def test_a_frame_of_pandas_reads_back(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas", reason="left out: pandas is not installed")
    frame = pd.DataFrame(
        {"open": [1.1, 2.2], "high": [1.3, 2.4], "low": [1.0, 2.1], "close": [1.2, 2.3], "volume": [5, 6]},
        index=pd.date_range("2024-06-03 14:00", periods=2, freq="1min", tz="UTC", name="timestamp"),
    )
    frame.to_parquet(tmp_path / "AAPL_1m.parquet")
    bars = FileSource(tmp_path).bars("AAPL", "1m", 0, 1 << 62)
    assert [str(bar.close) for bar in bars] == ["1.2", "2.3"]
    assert bars[1].opened_ns - bars[0].opened_ns == times.MINUTE


def test_what_cannot_be_read_is_refused_with_file_and_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a_1m.parquet", close=pa.array([float("nan")]))
    with pytest.raises(BadPayload, match=r"a_1m\.parquet:1: "):
        only(path)
    with pytest.raises(BadPayload, match=r"a_1m\.parquet:1: close: NoneType is not a number"):
        only(write(path, close=pa.array([None], pa.float64())))
    path.write_bytes(b"PAR1 and nothing else PAR1")
    with pytest.raises(BadPayload, match="not Parquet that can be read"):
        only(path)
    path = write(tmp_path / "b_1m.parquet", timestamp=pa.array([5]))
    with pytest.raises(BadPayload, match="bare number"):
        only(path)


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a_1m.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadConfig, match=r'pip install "onebook\[analytics\]"'):
        only(path)
