"""The one data service: prices marked into the book, bars through the store, the stream, and the documented health."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from tests.market.sources import Told, bar

import onebook
from onebook.domain import times
from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.errors import SourceError, StoreBusy, StoreClosed
from onebook.market.caches import Caches
from onebook.market.circuits import Circuits
from onebook.market.data import Data
from onebook.market.port import MarketData, Price
from onebook.testing.clock import FakeClock


class Shelf:
    """A bars store that keeps what it fetches in a list."""

    def __init__(self) -> None:
        self.kept: list[Bar] = []

    def put(self, bars: Iterable[Bar]) -> None:
        self.kept.extend(bars)

    def read(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        return [kept for kept in self.kept if kept.instrument == instrument]

    def fill(self, source: MarketData, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        if not self.read(instrument, timeframe, since_ns, until_ns):
            self.put(source.bars(instrument, timeframe, since_ns, until_ns))
        return self.read(instrument, timeframe, since_ns, until_ns)

    def stats(self) -> dict[str, Any]:
        return {"bars": len(self.kept)}


class Marks:
    """What was marked; refuses when told to."""

    def __init__(self) -> None:
        self.put: list[tuple[str, Decimal, int, str]] = []
        self.refuses = False

    def __call__(self, instrument: str, price: Decimal, at_ns: int, source: str) -> None:
        if self.refuses:
            raise StoreBusy("held by another process")
        self.put.append((instrument, price, at_ns, source))


@pytest.fixture
def source(clock: FakeClock) -> Told:
    return Told(clock)


@pytest.fixture
def marks() -> Marks:
    return Marks()


@pytest.fixture
def data(clock: FakeClock, caches: Caches, source: Told, marks: Marks) -> Data:
    return Data(source, clock=clock, caches=caches, circuits=Circuits(clock), bars=Shelf(), mark=marks)


def test_a_price_is_marked_once_and_a_stale_one_never(data: Data, source: Told, marks: Marks, clock: FakeClock) -> None:
    first = data.latest_price("AAPL")
    data.latest_price("AAPL")
    assert marks.put == [("AAPL", first.price, first.at_ns, "venue")]
    source.price = lambda instrument: Price(  # type: ignore[method-assign]
        instrument=instrument, price=Decimal(1), at_ns=clock() + 5, source="venue", is_stale=True
    )
    assert data.latest_price("AAPL").is_stale
    assert len(marks.put) == 1


def test_bars_go_through_the_store_and_kept_ones_ask_nobody(data: Data, source: Told) -> None:
    assert data.kept_bars("AAPL", "1m", 0, 1) == []
    assert data.bars("AAPL", "1m", 0, 1) == [bar("AAPL")]
    source.always = SourceError("down")
    assert data.bars("AAPL", "1m", 0, 1) == data.kept_bars("AAPL", "1m", 0, 1) == [bar("AAPL")]
    with pytest.raises(SourceError):
        data.bars("MSFT", "1m", 0, 1)


def test_without_a_store_bars_come_from_the_source(clock: FakeClock, caches: Caches, source: Told) -> None:
    data = Data(source, clock=clock, caches=caches, circuits=Circuits(clock))
    assert data.bars("AAPL", "1m", 7, 8) == [bar("AAPL", 7)]
    assert data.kept_bars("AAPL", "1m", 7, 8) == []


def test_a_stream_marks_what_is_newer_and_tells_who_listens(data: Data, source: Told, marks: Marks) -> None:
    heard: list[Seen] = []
    data.start_stream(["AAPL"], heard.append)
    data.start_stream(["MSFT"])
    data.add(["IBM"])
    data.remove(["AAPL"])
    assert source.streamed == {"MSFT", "IBM"}
    assert source.calls == ["stream"]
    assert source.deliver is not None
    quote = Quote(instrument="IBM", at_ns=5, bid=Decimal(1), ask=Decimal(2))
    for seen in (quote, quote, Print(instrument="IBM", at_ns=4, price=Decimal(9), quantity=Decimal(1))):
        source.deliver(seen)
    assert marks.put == [("IBM", Decimal("1.5"), 5, "venue")]
    assert len(heard) == 3
    data.stop_stream()
    data.stop_stream()
    assert source.closed == 1
    data.remove(["IBM"])


def test_a_book_that_is_busy_stops_neither_price_nor_stream(
    data: Data, source: Told, marks: Marks, caplog: pytest.LogCaptureFixture
) -> None:
    marks.refuses = True
    assert data.latest_price("AAPL").price == 101
    assert "the book did not take the mark of AAPL: held by another process" in caplog.text


def test_health_has_the_documented_keys_and_plain_values(data: Data, source: Told, clock: FakeClock) -> None:
    before = data.health()
    assert list(before) == [
        "api_initialized",
        "streaming",
        "last_update",
        "cache_stats",
        "database_stats",
        "circuit_breakers",
    ]
    assert (before["api_initialized"], before["streaming"], before["last_update"]) == (True, False, "")
    data.latest_price("AAPL")
    data.start_stream(["AAPL"])
    after = data.health()
    assert (after["streaming"], after["last_update"]) == (True, times.to_text(clock()))
    assert after["database_stats"] == {"bars": 0}
    assert json.loads(json.dumps(after)) == after


def test_health_shows_caches_and_breakers(clock: FakeClock, caches: Caches, source: Told) -> None:
    circuits = Circuits(clock)
    circuits.get("venue")
    caches.get("venue.prices").set("AAPL", 1)
    health = Data(source, clock=clock, caches=caches, circuits=circuits).health()
    assert health["cache_stats"]["venue.prices"]["size"] == 1
    assert health["circuit_breakers"]["venue"]["state"] == "closed"


def test_closing_ends_stream_and_source_and_refuses_the_rest(data: Data, source: Told) -> None:
    data.start_stream(["AAPL"])
    data.close()
    data.close()
    assert source.closed == 2, "the stream and the source, once each"
    assert data.health()["api_initialized"] is False
    with pytest.raises(StoreClosed, match="is closed"):
        data.latest_price("AAPL")


def test_marks_reach_a_real_book(clock: FakeClock, caches: Caches, source: Told) -> None:
    with onebook.open(":memory:", clock=clock) as book:

        def mark(instrument: str, price: Decimal, at_ns: int, source: str) -> None:
            book.mark(instrument, price, at=times.to_datetime(at_ns), source=source)

        data = Data(source, clock=clock, caches=caches, circuits=Circuits(clock), mark=mark)
        data.latest_price("AAPL")
        assert [(found.instrument, found.price, found.source) for found in book.marks()] == [("AAPL", 101, "venue")]
