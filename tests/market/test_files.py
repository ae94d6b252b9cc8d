"""Files as a source: exact numbers, errors with file and line, one order of time, no looking ahead."""

import gzip
import itertools
import random
import threading
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.feed.waiting import until

from onebook.domain import times
from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.errors import BadConfig, BadPayload, StoreClosed, UnknownInstrument
from onebook.market.providers.files import FileSource, FileTerms
from onebook.market.providers.files_order import in_window, merged, sorted_beside
from onebook.testing.clock import FakeClock

HEADER = "timestamp,open,high,low,close,volume\n"
ROW = "2024-06-03 14:00:00,1,2,0.5,1.50,10\n"
FEED = (
    '1000 {"stream":"btcusdt@depth","data":{"e":"depthUpdate"}}\n'
    '2000 {"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"9.10","B":"3","a":"9.20","A":"1.5"}}\n'
    '2500 {"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":7,"p":"9.2","q":"0.5","T":5,"m":false}}\n'
)


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def only(path: Path, **terms: Any) -> Bar:
    (found,) = FileSource([FileTerms(path=path, **terms)]).events()
    assert isinstance(found, Bar)
    return found


def ns(text: str) -> int:
    return times.from_text("at", text)


@pytest.mark.parametrize("name", ["AAPL_1m.csv", "AAPL-1m.csv.gz"])
def test_a_plain_file_says_instrument_and_timeframe_by_its_name(tmp_path: Path, name: str) -> None:
    bar = only(write(tmp_path / name, HEADER + ROW))
    assert bar == Bar(
        instrument="AAPL",
        timeframe="1m",
        opened_ns=ns("2024-06-03T14:00:00Z"),
        at_ns=ns("2024-06-03T14:01:00Z"),
        open=Decimal(1),
        high=Decimal(2),
        low=Decimal("0.5"),
        close=Decimal("1.50"),
        volume=Decimal(10),
    )
    assert str(bar.close) == "1.50", "exactly as it was written"


def test_other_columns_and_names_are_said(tmp_path: Path) -> None:
    text = "T,Sym,O,H,L,Last\n1717423200000,BTCUSDT,1,2,1,2\n"
    columns = {"timestamp": "t", "instrument": "Sym", "open": "O", "high": "H", "low": "L", "close": "Last"}
    path = write(tmp_path / "odd.csv", text)
    bar = only(path, columns=columns, timeframe="5m", epoch_unit="ms", names={"BTCUSDT": "BTC/USDT"}, stamps="closed")
    assert (bar.instrument, bar.volume, bar.at_ns) == ("BTC/USDT", 0, ns("2024-06-03T14:00:00Z"))
    assert bar.opened_ns == ns("2024-06-03T13:55:00Z")


@pytest.mark.parametrize(
    ("stamp", "terms", "opened"),
    [
        ("2024-06-03T14:00:00.123456789Z", {}, "2024-06-03T14:00:00.123456789Z"),
        ("2024-06-03T14:00:00+02:00", {}, "2024-06-03T12:00:00Z"),
        ("2024-06-03 10:00", {"zone": "America/New_York"}, "2024-06-03T14:00:00Z"),
        ("2024-01-03 10:00", {"zone": "America/New_York"}, "2024-01-03T15:00:00Z"),
        ("1717423200", {"epoch_unit": "s"}, "2024-06-03T14:00:00Z"),
    ],
)
def test_times_are_read_in_their_zone(tmp_path: Path, stamp: str, terms: dict[str, Any], opened: str) -> None:
    path = write(tmp_path / "AAPL_1m.csv", HEADER + f"{stamp},1,2,0.5,1.5,10\n")
    assert only(path, **terms).opened_ns == ns(opened)


def test_a_date_is_a_session_that_closes_when_it_is_said_to(tmp_path: Path) -> None:
    rows = "2024-01-03,1,2,0.5,1.5,10\n2024-06-03,1,2,0.5,1.5,10\n"
    path = write(tmp_path / "AAPL.csv", HEADER + rows)
    winter, summer = FileSource(path).events()
    assert isinstance(winter, Bar)
    assert (winter.timeframe, winter.opened_ns) == ("1d", ns("2024-01-03T14:30:00Z"))
    assert (winter.at_ns, summer.at_ns) == (ns("2024-01-03T21:00:00Z"), ns("2024-06-03T20:00:00Z"))
    tokyo = FileTerms(path=path, opens_at="09:00", closes_at="15:30", session_zone="Asia/Tokyo")
    assert next(FileSource([tokyo]).events()).at_ns == ns("2024-01-03T06:30:00Z")


BROKEN = [
    ("AAPL_1m.csv", HEADER + ROW + "2024-06-03 14:01:00,1,2,0.5,x,10\n", ":3: close: 'x' is not a number"),
    ("AAPL_1m.csv", HEADER + "2024-06-03 14:01:00,1,2,0.5,nan,10\n", ":2: close: "),
    ("AAPL_1m.csv", HEADER + "2024-06-03 14:01:00,1,2,0.5,1\n", ":2: 5 cells, but the header has 6"),
    ("AAPL_1m.csv", HEADER + "yesterday,1,2,0.5,1,10\n", ":2: timestamp: 'yesterdayZ' is not a time"),
    ("AAPL_1m.csv", HEADER + "1717423200,1,2,0.5,1,10\n", ":2: timestamp: 1717423200 is a bare number; say epoch_unit"),
    ("AAPL_1m.csv", HEADER + "2024-06-03 14:01:00,1,2,1.5,1,10\n", ":2: open 1 and close 1 are not between low 1.5"),
    ("AAPL_1m.csv", HEADER + "2024-06-03 14:01:00,1,2,1,1,-10\n", ":2: the volume -10 is negative"),
    ("AAPL_1m.csv", HEADER + "2024-06-03,1,2,1,1,10\n", ":2: timestamp: 2024-06-03 is a date, but the bars are of 1m"),
    ("AAPL_1m.csv", HEADER + '2024-06-03,"1', ":2: not CSV"),
    ("AAPL_1m.csv", HEADER.replace("high", "Close") + ROW, ":1: two columns are named 'close'; take one of them out"),
    ("feed.gz", FEED + "3000 {@trade\n", ":4: not JSON"),
    ("feed.gz", FEED + '3000 {"stream":"x@trade","data":{"e":"trade"}}\n', ":4: not a trade or bookTicker of Binance"),
    ("feed.gz", FEED + "{}\n", ":4: does not begin with the time of receipt"),
    ("rates.csv", "date,USD\n1999-01-04,1.1\nsoon,1.1\n", ":3: date: 'soon' is not a date"),
    ("rates.csv", "date,USD\n1999-01-04,-\n", ":2: EUR/USD: '-' is not a number"),
]


def test_a_table_in_which_nothing_is_yet_shows_nothing(tmp_path: Path) -> None:
    assert list(FileSource(write(tmp_path / "AAPL_1m.csv", HEADER)).events()) == []


@pytest.mark.parametrize(("name", "text", "says"), BROKEN)
def test_what_cannot_be_read_is_refused_with_file_and_line(tmp_path: Path, name: str, text: str, says: str) -> None:
    path = write(tmp_path / name, text)
    with pytest.raises(BadPayload) as caught:
        list(FileSource(path).events())
    assert str(caught.value).startswith(f"{path}{says}")
    assert caught.value.file == str(path)


def test_a_damaged_packed_file_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "AAPL_1m.csv.gz", HEADER + ROW * 1000)
    whole = path.read_bytes()
    source = FileSource(path)
    path.write_bytes(whole[:-20])
    with pytest.raises(BadPayload, match=r"csv\.gz:\d+: the packed file is damaged or cut off"):
        list(source.events())
    plain = write(tmp_path / "AAPL_1m.csv", HEADER)
    plain.write_bytes(HEADER.encode() + b"\xff\xfe\n")
    with pytest.raises(BadPayload, match="not text in UTF-8"):
        list(FileSource([FileTerms(path=plain, kind="bars")]).events())


@pytest.mark.parametrize(
    ("text", "terms", "says"),
    [
        (HEADER + ROW, {"timeframe": "soon"}, "'soon' is not a timeframe"),
        (HEADER + ROW, {"kind": "prices"}, "kind is 'prices'; it may be bars, feed, rates, stocks"),
        (HEADER + ROW, {"zone": "Mars"}, "'Mars' is not a time zone"),
        (HEADER + ROW, {"closes_at": "late"}, "closes_at: 'late' is not a time of day"),
        (HEADER + ROW, {"columns": {"close": "last"}}, r"x\.csv:1: no column 'last'; there is timestamp, open"),
        ("a,b\n1,2\n", {}, "neither bars, stocks, rates nor a feed"),
        (HEADER + "2024-06-03 14:00:00,1,2,1,1,1\n", {}, "of which timeframe are the bars"),
    ],
)
def test_what_has_not_been_said_well_is_refused(tmp_path: Path, text: str, terms: dict[str, Any], says: str) -> None:
    path = write(tmp_path / "x.csv", text)
    with pytest.raises((BadConfig, BadPayload), match=says):
        list(FileSource([FileTerms(path=path, **terms)]).events())


@pytest.mark.parametrize("stamp", ["2024-11-03 01:30:00", "2024-03-10 02:30:00"])
def test_a_local_time_that_came_twice_or_never_is_refused(tmp_path: Path, stamp: str) -> None:
    path = write(tmp_path / "AAPL_1m.csv", HEADER + f"{stamp},1,2,0.5,1.5,10\n")
    with pytest.raises(BadPayload, match=r":2: .* is not one moment in America/New_York"):
        only(path, zone="America/New_York")


def test_missing_files_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="there is no such file"):
        FileSource(tmp_path / "none.csv")
    with pytest.raises(BadConfig, match="holds no file that ends in"):
        FileSource(tmp_path)
    with pytest.raises(BadConfig, match="no files were named"):
        FileSource([])


def test_a_feed_takes_the_venues_time_or_the_receivers(tmp_path: Path) -> None:
    path = write(tmp_path / "feed.gz", FEED)
    names = {"BTCUSDT": "BTC/USDT"}
    assert list(FileSource([FileTerms(path=path, names=names)]).events()) == [
        Quote(
            instrument="BTC/USDT",
            at_ns=2000,
            bid=Decimal("9.10"),
            ask=Decimal("9.20"),
            bid_quantity=Decimal(3),
            ask_quantity=Decimal("1.5"),
        ),
        Print(
            instrument="BTC/USDT", at_ns=5_000_000, price=Decimal("9.2"), quantity=Decimal("0.5"), side="buy", id="7"
        ),
    ]
    received = FileTerms(path=path, feed_times="received", behind_seconds=0.000001)
    assert [seen.at_ns for seen in FileSource([received]).events()] == [3000, 3500]


def test_files_are_merged_in_time_and_at_one_moment_in_their_order(tmp_path: Path) -> None:
    for name, minutes in (("b_1m.csv", (0, 2, 3)), ("a_1m.csv", (1, 2))):
        rows = "".join(f"2024-06-03 14:0{minute}:00,1,2,0.5,1.5,10\n" for minute in minutes)
        write(tmp_path / name, HEADER + rows)
    by_name = [seen.instrument for seen in FileSource(tmp_path).events()]
    assert by_name == ["b", "a", "a", "b", "b"]
    given = FileSource([tmp_path / "b_1m.csv", tmp_path / "a_1m.csv"])
    assert [seen.instrument for seen in given.events()] == ["b", "a", "b", "a", "b"]
    since, before = ns("2024-06-03T14:02:00Z"), ns("2024-06-03T14:03:00Z")
    assert [seen.at_ns for seen in given.events(instruments={"a"}, since_ns=since, until_ns=before)] == [since]


def test_the_source_knows_nothing_after_its_clock(tmp_path: Path, clock: FakeClock) -> None:
    clock.set("2024-06-03T14:02:30Z")
    rows = "".join(f"2024-06-03 14:0{minute}:00,1,9,0.5,{minute + 1},10\n" for minute in range(4))
    path = write(tmp_path / "a_1m.csv", HEADER + rows)
    source = FileSource([path, write(tmp_path / "feed.gz", FEED)], clock=clock)
    price = source.price("a")
    assert (price.price, price.at_ns, price.source) == (2, ns("2024-06-03T14:02:00Z"), "files")
    assert [bar.close for bar in source.bars("a", "1m", 0, 1 << 62)] == [1, 2]
    assert source.bars("a", "1m", ns("2024-06-03T14:01:00Z"), ns("2024-06-03T14:02:00Z"))[0].close == 2
    assert source.quote("BTCUSDT").bid == Decimal("9.10")
    assert [print_.id for print_ in source.prints("BTCUSDT", 0, 1 << 62)] == ["7"]
    assert source.instruments() == ("BTCUSDT", "a")
    with pytest.raises(UnknownInstrument, match="no bars of a with timeframe 5m; there are 1m"):
        source.bars("a", "5m", 0, 1 << 62)
    for call in (source.price, source.quote):
        with pytest.raises(UnknownInstrument, match="nothing is known of ZZZ"):
            call("ZZZ")
    source.close()
    with pytest.raises(StoreClosed):
        source.price("a")


def test_a_stream_delivers_what_is_wanted_until_it_is_closed(tmp_path: Path) -> None:
    rows = "".join(f"2024-06-03 14:0{minute}:00,1,2,0.5,1.5,10\n" for minute in range(3))
    for name in ("a_1m.csv", "b_1m.csv"):
        write(tmp_path / name, HEADER + rows)
    seen: list[Seen] = []

    def deliver(one: Seen) -> None:
        seen.append(one)
        if len(seen) == 1:
            ready.wait(30)
            stream.add(["b"])
            stream.remove(["a"])

    ready = threading.Event()
    stream = FileSource(tmp_path).stream(["a"], deliver)
    ready.set()
    until(lambda: len(seen) == 4)
    stream.close()
    assert [one.instrument for one in seen] == ["a", "b", "b", "b"]
    write(tmp_path / "b_1m.csv", HEADER + "soon,1,2,0.5,1.5,10\n")
    broken = FileSource(tmp_path).stream(["a"], seen.append)
    until(lambda: broken.problem is not None)
    assert isinstance(broken.problem, BadPayload)
    broken.close()


def shown(moments: list[int]) -> Iterator[tuple[int, Seen]]:
    for line, at in enumerate(moments, 2):
        yield line, Print(instrument="a", at_ns=at, price=Decimal(line), quantity=Decimal(1))


@given(files=st.lists(st.lists(st.integers(0, 50), max_size=60), max_size=4), run=st.integers(1, 7))
def test_any_order_is_sorted_the_same_in_memory_and_beside(files: list[list[int]], run: int) -> None:
    found = list(merged([sorted_beside("x", shown(moments), run) for moments in files]))
    rows = [[seen for _, seen in shown(moments)] for moments in files]
    expected = sorted(itertools.chain(*rows), key=lambda seen: seen.at_ns)
    assert found == expected, "at one moment as it stands, file after file"
    assert found == list(merged([in_window("x", shown(moments), 60) for moments in files]))


def test_a_row_further_back_than_the_window_is_refused_and_more_than_can_be_sorted_too() -> None:
    assert [at for at, _, _ in in_window("x", shown([5, 3, 4, 9]), 2)] == [3, 4, 5, 9]
    with pytest.raises(BadPayload, match=r"x:5: older than a row more than 2 rows before; say is_ordered=False"):
        list(in_window("x", shown([5, 6, 7, 3]), 2))
    with pytest.raises(BadConfig, match="more than 200 rows out of order"):
        list(sorted_beside("x", shown(list(range(300))), 1))


def test_memory_does_not_grow_with_the_file() -> None:
    chance = random.Random(1)

    def peak(rows: int, *, is_ordered: bool) -> int:
        moments = (at + chance.randrange(20) for at in range(rows))
        tracemalloc.start()
        seen = ((0, Print(instrument="a", at_ns=at, price=Decimal(1), quantity=Decimal(1))) for at in moments)
        found = in_window("x", seen, 100) if is_ordered else sorted_beside("x", seen, 500)
        assert sum(1 for _ in found) == rows
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    for is_ordered in (True, False):
        assert peak(20_000, is_ordered=is_ordered) < 3 * peak(2000, is_ordered=is_ordered) < 3_000_000
