"""What is said of a table counts: names that are none are refused, and so are two rows that say two things."""

from pathlib import Path
from typing import Any

import pytest

from onebook.domain.market import Bar
from onebook.errors import BadConfig, BadPayload
from onebook.market.providers.files import FileSource, FileTerms
from onebook.market.providers.files_tables import zone_note

HEADER = "timestamp,open,high,low,close,adj close,volume\n"
ROWS = [f"2026-03-02T14:0{number}:00Z,1,2,0.5,1.5,0.75,10\n" for number in range(4)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path, "".join(ROWS))


def write(folder: Path, rows: str, name: str = "AAPL_1m.csv") -> Path:
    path = folder / name
    path.write_text(HEADER + rows)
    return path


def bars(path: Path, **terms: Any) -> list[Bar]:
    return [seen for seen in FileSource([FileTerms(path=path, **terms)]).events() if isinstance(seen, Bar)]


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"columns": {"clsoe": "adj close"}}, "columns: 'clsoe' is none of ours; did you mean close"),
        ({"columns": {"zzz": "adj close"}}, "there are timestamp, open"),
        ({"columns": {"close": "adjclose"}}, "no column 'adjclose'; did you mean 'adj close'"),
        ({"timeframe": "7m"}, "AAPL_1m.csv: timeframe: a day is not a whole number of '7m'"),
        ({"timeframe": "8d"}, "a day is not a whole number of '8d'"),
    ],
)
def test_what_names_nothing_is_refused_and_the_nearest_named(path: Path, terms: dict[str, Any], says: str) -> None:
    with pytest.raises(BadConfig, match=says):
        bars(path, **terms)


def test_a_name_of_a_file_that_says_a_timeframe_that_no_bar_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"AAPL_7m\.csv: timeframe: a day is not a whole number of '7m'"):
        bars(write(tmp_path, ROWS[0], "AAPL_7m.csv"))


def test_timeframes_are_written_as_ours_are(path: Path) -> None:
    (bar,) = bars(write(path.parent, ROWS[0], "AAPL_60m.csv"))
    assert bar.timeframe == "1h"
    source = FileSource(path.parent / "AAPL_60m.csv")
    assert source.bars("AAPL", "60m", 0, 2**62) == source.bars("AAPL", "1h", 0, 2**62) == [bar]


def test_a_row_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    path = write(tmp_path, "".join([*ROWS, ROWS[1], ROWS[3]]))
    assert len(bars(path)) == 4
    assert len(FileSource(path).bars("AAPL", "1m", 0, 2**62)) == 4


def test_two_rows_that_say_two_things_of_one_time_are_refused_with_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "".join(ROWS) + ROWS[1].replace("1.5", "1.25"))
    with pytest.raises(BadPayload, match=r"AAPL_1m\.csv:6: .*AAPL at 2026-03-02T14:01:00Z than line 3; keep one"):
        bars(path)


@pytest.mark.parametrize(
    ("stamp", "terms", "says"),
    [
        ("2026-03-02T14:00:00Z", {}, ""),
        ("2026-03-02T14:00:00+01:00", {}, ""),
        ("2026-03-02", {}, ""),
        ("2026-03-02 14:00:00", {}, "AAPL.csv: its times have no zone; they were read as UTC"),
        ("2026-03-02 14:00:00", {"zone": "Europe/Berlin"}, "read as Europe/Berlin"),
        ("1772409600", {"epoch_unit": "s"}, ""),
    ],
)
def test_how_times_without_a_zone_are_read_can_be_said(
    tmp_path: Path, stamp: str, terms: dict[str, Any], says: str
) -> None:
    path = write(tmp_path, f"{stamp},1,2,0.5,1.5,0.75,10\n", "AAPL.csv")
    found = zone_note(FileTerms(path=path, **terms))
    assert says in found
    assert bool(found) == bool(says)
