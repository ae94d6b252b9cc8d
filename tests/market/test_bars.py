"""The database of bars: what goes in comes out, what is missing is known and fetched."""

import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.market.bar_making import START, at, bar, btc_bars

from onebook.domain import times
from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.errors import BadConfig, BadPayload, InputError, PrecisionLost, SourceError, SourceTimeout, StoreError
from onebook.market.bars import BarStore, ranges
from onebook.market.bars.store import PAGE_BARS
from onebook.market.calendars import Always, FxWeek, exchange
from onebook.market.port import MarketData, Price, Subscription
from onebook.testing.clock import FakeClock

MINUTE = times.MINUTE
DAY = times.DAY
BTC = "BTC/USDT"


class Source:
    """A source of minute bars that remembers what it was asked for."""

    name = "venue"

    def __init__(self, bars: list[Bar]) -> None:
        self.all = bars
        self.asked: list[tuple[int, int]] = []
        self.fails_after: int | None = None

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        if self.fails_after is not None and len(self.asked) >= self.fails_after:
            msg = "venue: no answer"
            raise SourceTimeout(msg)
        self.asked.append((since_ns, until_ns))
        return [one for one in self.all if since_ns <= one.opened_ns < until_ns]

    def price(self, instrument: str) -> Price:
        raise SourceError(instrument)

    def quote(self, instrument: str) -> Quote:
        raise SourceError(instrument)

    def prints(self, instrument: str, since_ns: int, until_ns: int) -> Iterator[Print]:
        raise SourceError(instrument)

    def stream(self, instruments: Collection[str], deliver: Callable[[Seen], None]) -> Subscription:
        raise SourceError(str(instruments))

    def close(self) -> None:
        self.asked.clear()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock("2025-01-01T00:00:00Z")


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[BarStore]:
    opened = BarStore(":memory:" if request.param == "memory" else str(tmp_path / "book.bars.db"), clock=clock)
    yield opened
    opened.close()


def everything(store: BarStore, instrument: str = BTC, timeframe: str = "1m") -> list[Bar]:
    return store.read(instrument, timeframe, 0, 2**62)


# ---- put and read ----


def test_bars_come_back_as_they_went_in(store: BarStore) -> None:
    bars = [bar(number) for number in range(10)]
    assert store.put(reversed(bars)) == 10
    assert everything(store) == bars
    assert store.put(bars) == 0
    assert store.read(BTC, "1m", bars[2].opened_ns, bars[5].opened_ns) == bars[2:5]
    assert store.read(BTC, "1Min", bars[2].opened_ns, 2**62, limit=3) == bars[2:5]
    assert store.read("ETH/USDT", "1m", 0, 2**62) == store.read(BTC, "5m", 0, 2**62) == []


def test_real_bars_come_back_exactly(store: BarStore) -> None:
    bars = btc_bars(5000)
    assert store.put(bars) == 5000
    assert everything(store, "BTC/USD:BTC") == bars


@given(
    price=st.decimals(0, 10**9, places=18, allow_nan=False),
    volume=st.decimals(0, 10**12, places=8, allow_nan=False),
)
def test_prices_and_volumes_are_kept_to_the_last_digit(price: Decimal, volume: Decimal) -> None:
    store = BarStore(":memory:")
    one = bar(open=price, high=price, low=price, close=price, volume=volume)
    store.put([one])
    assert everything(store) == [one]
    store.close()


def test_the_newest_bars_are_found(store: BarStore) -> None:
    bars = [bar(number) for number in range(10)]
    assert store.last(BTC, "1m") is None
    store.put(bars)
    assert store.last(BTC, "1Min") == bars[-1]
    assert store.newest(BTC, "1m", 3) == bars[-3:]
    assert store.newest(BTC, "1m", 3, before_ns=bars[5].opened_ns) == bars[2:5]
    assert store.newest(BTC, "1m", 99) == bars
    assert store.newest(BTC, "1m", 0) == []


def test_a_running_bar_gives_way_and_a_final_one_stays(store: BarStore) -> None:
    running = bar(is_final=False, close=Decimal(100))
    later = replace(running, close=Decimal(101))
    final = replace(later, is_final=True)
    for one, written in ((running, 1), (later, 1), (later, 0), (final, 1), (running, 0), (final, 0)):
        assert store.put([one]) == written
    assert everything(store) == [final]
    assert store.stats()["changed"] == 0


def test_a_final_bar_that_says_something_else_is_replaced_and_counted(store: BarStore) -> None:
    store.put([bar(number) for number in range(3)])
    other = bar(1, volume=Decimal(7))
    assert store.put([bar(0), other]) == 1
    assert everything(store)[1] == other
    assert store.put([replace(other, volume=Decimal("7.00"))]) == 0  # the same number
    assert store.stats()["changed"] == 1
    assert store.stats()["series"][0]["changed"] == 1


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"low": Decimal(200)}, InputError, "do not enclose"),
        ({"close": Decimal(99999)}, InputError, "do not enclose"),
        ({"volume": Decimal(-1)}, InputError, "below 0"),
        ({"at_ns": START}, InputError, "ends before it opened"),
        ({"instrument": ""}, InputError, "no instrument"),
        ({"timeframe": "7m"}, InputError, "timeframe"),
        ({"open": 100.5}, PrecisionLost, "float"),
        ({"close": Decimal("NaN")}, InputError, "close"),
    ],
)
def test_what_is_no_bar_is_refused_and_nothing_of_it_stored(
    store: BarStore, changes: dict[str, Any], error: type[InputError], says: str
) -> None:
    with pytest.raises(error, match=says):
        store.put([bar(1), replace(bar(0), **changes)])
    assert store.stats()["bars"] == 0


def test_pruning_forgets_bars_and_what_was_known(store: BarStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onebook.market.bars.store.BATCH", 7)
    bars = [bar(number) for number in range(50)]
    store.put([*bars, *(bar(number, instrument="ETH/USDT") for number in range(5))])
    assert store.prune(bars[30].opened_ns) == 35
    assert everything(store) == bars[30:]
    assert store.gaps(BTC, "1m", START, bars[-1].at_ns) == [(START, bars[30].opened_ns)]
    assert [each["bars"] for each in store.stats()["series"]] == [20, 0]
    assert store.prune(bars[30].opened_ns) == 0


# ---- gaps ----


def test_what_nobody_fetched_is_a_gap(store: BarStore) -> None:
    bars = [bar(number) for number in range(10)]
    assert store.gaps(BTC, "1m", START, START + DAY) == [(START, START + DAY)]
    store.put([*bars[:3], *bars[6:8], bar(9, is_final=False)])
    assert store.gaps(BTC, "1m", START, START + 10 * MINUTE) == [
        (bars[3].opened_ns, bars[6].opened_ns),
        (bars[8].opened_ns, bars[9].at_ns),  # the running one is not known yet
    ]
    assert store.gaps(BTC, "1m", bars[1].opened_ns, bars[3].opened_ns) == []
    store.put(bars)
    assert store.gaps(BTC, "1m", START, START + 10 * MINUTE) == []
    assert store.stats()["tables"]["covered"] == 1


def test_the_future_is_no_gap(store: BarStore, clock: FakeClock) -> None:
    clock.now = START + 5 * MINUTE
    assert store.gaps(BTC, "1m", START, START + DAY) == [(START, START + 5 * MINUTE)]
    assert store.gaps(BTC, "1m", START + DAY, START + 2 * DAY) == []
    assert store.gaps(BTC, "1m", START, START) == []


def test_closed_hours_are_no_gap(store: BarStore) -> None:
    week = FxWeek()
    friday, sunday = at("2024-06-07T21:00:00Z"), at("2024-06-09T21:00:00Z")
    assert store.gaps("EUR/USD", "1m", friday, sunday, week) == []
    assert store.gaps("EUR/USD", "1m", friday - MINUTE, sunday, week) == [(friday - MINUTE, friday)]
    assert store.gaps("EUR/USD", "1m", friday, sunday + MINUTE, week) == [(sunday, sunday + MINUTE)]
    assert store.gaps(BTC, "1m", friday, sunday, Always()) == [(friday, sunday)]
    new_york = exchange("XNYS", start=date(2023, 1, 1))
    begin, end = at("2023-11-23T00:00:00Z"), at("2023-11-27T00:00:00Z")
    session = (at("2023-11-24T14:30:00Z"), at("2023-11-24T18:00:00Z"))
    assert store.gaps("AAPL", "1m", begin, end, new_york) == [session]
    assert store.gaps("AAPL", "1d", begin, end, new_york) == [
        (at("2023-11-24T00:00:00Z"), at("2023-11-25T00:00:00Z"))  # wherever in it the bar opens
    ]
    assert store.gaps("AAPL", "1d", at("2023-11-25T00:00:00Z"), end, new_york) == []
    assert store.gaps("EUR/USD", "1d", friday + DAY // 2, sunday + MINUTE, week) == [(sunday, sunday + MINUTE)]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 8)), max_size=12))
def test_gaps_are_exactly_what_is_in_no_known_stretch(stretches: list[tuple[int, int]]) -> None:
    store = BarStore(":memory:")
    known = set()
    for begin, length in stretches:
        known |= set(range(begin, begin + length))
        store.put([bar(number) for number in range(begin, begin + length)])
    missing = store.gaps(BTC, "1m", START, START + 60 * MINUTE)
    assert {
        minute for from_ns, to_ns in missing for minute in range((from_ns - START) // MINUTE, (to_ns - START) // MINUTE)
    } == set(range(60)) - known
    assert all(one[1] < other[0] for one, other in pairwise(missing))
    assert store.stats()["tables"]["covered"] == sum(minute - 1 not in known for minute in known)
    store.close()


def test_a_stretch_is_cut_by_what_is_known() -> None:
    assert ranges.without((10, 20), []) == [(10, 20)]
    assert ranges.without((10, 20), [(0, 10), (12, 14), (20, 30)]) == [(10, 12), (14, 20)]
    assert ranges.without((10, 20), [(0, 15), (18, 40)]) == [(15, 18)]
    assert ranges.without((10, 20), [(5, 25)]) == []


# ---- fill ----


def test_only_what_is_missing_is_fetched(store: BarStore) -> None:
    source = Source([bar(number) for number in range(60)])
    store.put(source.all[20:30])
    assert store.fill(source, BTC, "1Min", START, START + 60 * MINUTE) == source.all
    assert source.asked == [(START, START + 20 * MINUTE), (START + 30 * MINUTE, START + 60 * MINUTE)]
    assert store.fill(source, BTC, "1m", START, START + 60 * MINUTE) == source.all
    assert len(source.asked) == 2


def test_an_empty_stretch_between_two_bars_that_were_fetched_is_no_gap(store: BarStore) -> None:
    source = Source([bar(0), bar(50)])
    assert store.fill(source, BTC, "1m", START, START + 60 * MINUTE) == source.all
    assert store.gaps(BTC, "1m", START, START + 60 * MINUTE) == [(START + 51 * MINUTE, START + 60 * MINUTE)]
    store.fill(source, BTC, "1m", START, START + 51 * MINUTE)
    assert len(source.asked) == 1
    assert everything(store) == source.all  # nothing was made up in between


def test_bars_are_fetched_in_pages(store: BarStore) -> None:
    source = Source([])
    store.fill(source, BTC, "1m", START, START + 2500 * MINUTE)
    assert [to_ns - from_ns for from_ns, to_ns in source.asked] == [
        PAGE_BARS * MINUTE,
        PAGE_BARS * MINUTE,
        500 * MINUTE,
    ]


def test_a_source_that_fails_leaves_what_came_before(store: BarStore) -> None:
    source = Source([bar(number) for number in range(2000)])
    source.fails_after = 1
    with pytest.raises(SourceTimeout):
        store.fill(source, BTC, "1m", START, START + 2000 * MINUTE)
    assert everything(store) == source.all[:1000]
    assert store.gaps(BTC, "1m", START, START + 2000 * MINUTE) == [(START + 1000 * MINUTE, START + 2000 * MINUTE)]
    source.fails_after = None
    assert len(store.fill(source, BTC, "1m", START, START + 2000 * MINUTE)) == 2000
    assert source.asked[1:] == [(START + 1000 * MINUTE, START + 2000 * MINUTE)]


def test_the_running_bar_is_fetched_again_until_it_is_final(store: BarStore, clock: FakeClock) -> None:
    clock.now = START + 10 * MINUTE + MINUTE // 2
    running = bar(10, is_final=False)
    source = Source([*(bar(number) for number in range(10)), running])
    assert store.fill(source, BTC, "1m", START, START + DAY)[-1] == running
    source.all[-1] = bar(10)
    clock.now = START + 11 * MINUTE
    assert store.fill(source, BTC, "1m", START, START + DAY)[-1] == bar(10)
    assert source.asked[-1] == (START + 10 * MINUTE, START + 11 * MINUTE)


def test_a_bar_that_comes_late_is_not_taken_for_missing(store: BarStore, clock: FakeClock) -> None:
    clock.now = START + 10 * MINUTE + 1
    source = Source([bar(number) for number in range(9)])  # the tenth has ended, the venue has not got it yet
    store.fill(source, BTC, "1m", START, clock.now)
    source.all.append(bar(9))
    assert store.fill(source, BTC, "1m", START, clock.now)[-1] == bar(9)


def test_closed_hours_are_not_asked_for(store: BarStore) -> None:
    source = Source([])
    saturday, sunday = at("2024-06-08T00:00:00Z"), at("2024-06-09T12:00:00Z")
    assert store.fill(source, "EUR/USD", "1m", saturday, sunday, calendar=FxWeek()) == []
    assert source.asked == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (bar(1, instrument="ETH/USDT"), "asked for BTC/USDT 1m, it gave ETH/USDT 1m"),
        (bar(0, "5m"), "it gave BTC/USDT 5m"),
        (bar(1, low=Decimal(999)), "do not enclose"),
    ],
)
def test_a_source_that_gives_something_else_is_not_believed(store: BarStore, wrong: Bar, says: str) -> None:
    with pytest.raises(BadPayload, match=f"venue: .*{says}"):
        store.fill(Source([bar(0), wrong]), BTC, "1m", START, START + 5 * MINUTE)
    assert everything(store) == []
    assert store.gaps(BTC, "1m", START, START + MINUTE) == [(START, START + MINUTE)]


def test_what_a_source_gives_beside_the_stretch_is_left_out(store: BarStore) -> None:
    class Generous(Source):
        def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
            super().bars(instrument, timeframe, since_ns, until_ns)
            return self.all

    source: MarketData = Generous([bar(number) for number in range(10)])
    store.fill(source, BTC, "1m", START + 3 * MINUTE, START + 5 * MINUTE)
    assert everything(store) == [bar(3), bar(4)]


def test_a_stretch_without_end_is_refused_before_anything_is_fetched(store: BarStore) -> None:
    source = Source([])
    with pytest.raises(InputError, match=r"more than 10,000,000 bars"):
        store.fill(source, BTC, "1s", 0, START)
    assert source.asked == []


# ---- frames and figures ----


def test_bars_come_as_a_pandas_frame(store: BarStore) -> None:
    store.put([bar(number) for number in range(3)])
    frame = store.frame(BTC, "1m")
    assert list(frame.columns) == ["open", "high", "low", "close", "volume"]
    assert str(frame.index[0]) == "2024-06-03 00:00:00+00:00"
    assert frame.index.name == "time"
    assert frame.low.tolist() == [98.5, 99.5, 100.5]
    exact = store.frame(BTC, "1m", START + MINUTE, START + 2 * MINUTE, exact=True)
    assert exact.low.tolist() == [Decimal("99.5")]
    assert store.frame("ETH/USDT", "1m").empty


def test_bars_come_as_a_polars_frame(store: BarStore) -> None:
    store.put([bar(number) for number in range(3)])
    frame = store.frame(BTC, "1m", kind="polars")
    assert frame.columns == ["time", "open", "high", "low", "close", "volume"]
    assert frame["time"][1].isoformat() == "2024-06-03T00:01:00+00:00"
    assert frame["low"].to_list() == [98.5, 99.5, 100.5]
    exact = store.frame(BTC, "1m", kind="polars", exact=True)
    assert exact["low"].to_list() == [Decimal("98.5"), Decimal("99.5"), Decimal("100.5")]
    assert store.frame("ETH/USDT", "1m", kind="polars").height == 0


def test_a_frame_of_another_kind_or_without_its_library_is_refused(
    store: BarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="neither pandas nor polars"):
        store.frame(BTC, "1m", kind="numpy")
    for library in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(BadConfig, match=r"onebook\[analytics\]"):
            store.frame(BTC, "1m", kind=library)


def test_the_figures_tell_how_the_database_stands(store: BarStore) -> None:
    store.put([bar(number) for number in range(3)])
    store.put([bar(0, "1h", "ETH/USDT")])
    store.read(BTC, "1m", 0, 2**62)
    found = store.stats()
    assert found["tables"] == {"series": 2, "bars": 4, "covered": 2}
    assert found["series"] == [
        {"instrument": BTC, "timeframe": "1m", "bars": 3, "changed": 0}
        | {"first_ns": START, "last_ns": START + 2 * MINUTE},
        {"instrument": "ETH/USDT", "timeframe": "1h", "bars": 1, "changed": 0} | {"first_ns": START, "last_ns": START},
    ]
    assert found["pool"]["size"] == (1 if store.path == ":memory:" else 10)
    assert found["pool"]["free"] == found["pool"]["size"]
    assert (found["file_bytes"] > 0) == (store.path != ":memory:")
    assert found["writes"]["count"] >= 2
    assert found["reads"]["count"] >= 1
    assert found["reads"]["mean_seconds"] > 0


def test_fewer_than_one_read_connection_is_refused() -> None:
    with pytest.raises(InputError, match="read_connections"):
        BarStore(":memory:", read_connections=0)


def test_a_closed_store_says_so(store: BarStore) -> None:
    store.close()
    store.close()
    for call in (lambda: store.put([bar()]), lambda: everything(store), store.stats):
        with pytest.raises(StoreError, match="are closed; open them again"):
            call()
