"""The real ccxt against a venue on loopback: REST calls, exact numbers, paging, errors."""

import importlib
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from tests.market.venues.binance import Binance
from tests.market.venues.serving import Fault

from onebook.domain.market import Bar, Print, Quote
from onebook.domain.times import MINUTE, SECOND
from onebook.errors import (
    BadConfig,
    BadPayload,
    BookError,
    InputError,
    RateLimited,
    SourceError,
    SourceTimeout,
    UnknownInstrument,
)
from onebook.market.providers.ccxt import CcxtSource
from onebook.testing.clock import FakeClock

DAY_MS = 1723161240000  # 2024-08-08T23:54:00Z
MS = 1_000_000


@pytest.fixture
def venue() -> Iterator[Binance]:
    with closing(Binance()) as started:
        yield started


@pytest.fixture
def source(venue: Binance) -> Iterator[CcxtSource]:
    clock = FakeClock("2024-08-09T00:00:00Z")
    made = CcxtSource("binance", base_url=venue.http, stream_url=venue.stream, options=venue.options, clock=clock)
    with closing(made):
        yield made


def kline(number: int, close: str = "61837.63000000") -> list[Any]:
    opened = DAY_MS + number * 60_000
    tail = [opened + 59_999, "100.0", 3, "0.5", "50.0", "0"]
    return [opened, "61837.10000000", "61900.00000000", "61800.00000000", close, "1.23456789", *tail]


def test_a_price_is_the_venues_text_exactly(source: CcxtSource, venue: Binance) -> None:
    venue.last["lastPrice"] = "0.000000012345678901"
    price = source.price("BTC/USDT")
    assert (price.price, price.at_ns) == (Decimal("0.000000012345678901"), 1723161255342 * MS)
    assert (price.source, price.is_stale) == ("binance", False)


def test_a_number_without_quotes_keeps_its_digits(source: CcxtSource, venue: Binance) -> None:
    source.price("BTC/USDT")
    body = '{"symbol":"BTCUSDT","lastPrice":61837.6300000000012345,"closeTime":1723161255342}'
    venue.faults = [Fault(200, body, Content_Type="application/json")]
    assert source.price("BTC/USDT").price == Decimal("61837.6300000000012345")


def test_a_quote_without_a_time_was_seen_now(source: CcxtSource) -> None:
    now = FakeClock("2024-08-09T00:00:00Z").now
    expected = {"bid": Decimal("61837.63"), "ask": Decimal("61837.64"), "bid_quantity": Decimal("1.5")}
    assert source.quote("BTC/USDT") == Quote(instrument="BTC/USDT", at_ns=now, ask_quantity=Decimal(2), **expected)


def test_a_quote_with_an_empty_side_is_refused(source: CcxtSource, venue: Binance) -> None:
    venue.book |= {"askPrice": "0.00000000", "askQty": "0.00000000"}
    with pytest.raises(BadPayload, match="no bid or no ask"):
        source.quote("BTC/USDT")


def test_bars_are_read_exactly_and_the_running_one_says_so(source: CcxtSource, venue: Binance) -> None:
    venue.klines = [kline(0), kline(5), kline(6)]
    bars = source.bars("BTC/USDT", "1m", DAY_MS * MS, (DAY_MS + 7 * 60_000) * MS)
    assert [bar.is_final for bar in bars] == [True, True, False], "the clock stands at midnight"
    assert bars[0] == Bar(
        instrument="BTC/USDT",
        timeframe="1m",
        opened_ns=DAY_MS * MS,
        at_ns=DAY_MS * MS + MINUTE,
        open=Decimal("61837.10"),
        high=Decimal(61900),
        low=Decimal(61800),
        close=Decimal("61837.63"),
        volume=Decimal("1.23456789"),
    )


def test_bars_are_fetched_page_by_page(source: CcxtSource, venue: Binance) -> None:
    venue.klines = [kline(number) for number in range(-2500, 0)]
    since = (DAY_MS - 2400 * 60_000) * MS
    bars = source.bars("BTC/USDT", "1m", since, (DAY_MS - 60_000) * MS)
    assert len(bars) == 2399
    assert (bars[0].opened_ns, bars[-1].opened_ns) == (since, (DAY_MS - 120_000) * MS)
    assert sum("klines" in url for url in venue.asked) == 3


@pytest.mark.parametrize("window", [100, 0], ids=["a short window", "none"])
def test_no_bar_is_skipped_behind_a_stretch_without_any(window: int) -> None:
    class Venue(Binance):
        """Answers for a hundred minutes from the asked one on only, as some venues do."""

        async def _klines(self, request: web.Request) -> web.Response:
            begin = int(request.query["startTime"])
            end = begin + window * 60_000 if window else DAY_MS
            return web.json_response([row for row in self.klines if begin <= row[0] < end])

    with closing(Venue()) as venue:
        venue.klines = [kline(number) for number in (-2000, -1500, -1350, -1349, -10)]
        clock = FakeClock("2024-08-09T00:00:00Z")
        with closing(CcxtSource("binance", base_url=venue.http, options=venue.options, clock=clock)) as source:
            bars = source.bars("BTC/USDT", "1m", (DAY_MS - 2400 * 60_000) * MS, DAY_MS * MS)
    assert [(bar.opened_ns // MS - DAY_MS) // 60_000 for bar in bars] == [-2000, -1500, -1350, -1349, -10]


def test_a_venue_that_begins_behind_the_asked_stretch_is_asked_once(source: CcxtSource, venue: Binance) -> None:
    venue.klines = [kline(number) for number in range(-720, 0)]
    since, until = ((DAY_MS - number * 60_000) * MS for number in (9000, 8000))
    assert source.bars("BTC/USDT", "1m", since, until) == []
    assert sum("klines" in url for url in venue.asked) == 1


@pytest.mark.parametrize("name", ["urls", "has", "markets", "options", "timeframes"])
def test_options_that_ccxt_cannot_be_made_with_are_refused(name: str) -> None:
    with pytest.raises(BadConfig, match=f"options: .*{name}"):
        CcxtSource("kraken", options={name: 5})


def test_prints_are_fetched_page_by_page_though_hundreds_share_a_moment(source: CcxtSource, venue: Binance) -> None:
    for number in range(2500):
        venue.trade(number, DAY_MS + (0 if number < 1800 else number))
    prints = list(source.prints("BTC/USDT", DAY_MS * MS, (DAY_MS + 2400) * MS))
    assert [item.id for item in prints] == [str(number) for number in range(2400)]
    assert prints[0] == Print(
        instrument="BTC/USDT",
        at_ns=DAY_MS * MS,
        price=Decimal("61837.63"),
        quantity=Decimal("0.02"),
        side="sell",
        id="0",
    )


def test_prints_are_found_behind_hours_without_any(source: CcxtSource, venue: Binance) -> None:
    venue.trade(1, DAY_MS - 1000)
    assert [item.id for item in source.prints("BTC/USDT", (DAY_MS - 5 * 3_600_000) * MS, DAY_MS * MS)] == ["1"]


GARBAGE = Fault(200, '{"symbol":"BTCUSDT","lastPr', Content_Type="application/json")


@pytest.mark.parametrize(
    ("fault", "error", "is_retryable"),
    [
        (Fault(429, '{"code":-1003,"msg":"Too many requests"}', Retry_After="7"), RateLimited, True),
        (Fault(418, "banned", Retry_After="60"), RateLimited, True),
        (Fault(500, "<html>oops</html>"), SourceError, True),
        (Fault(502, "{broken"), SourceError, True),
        (Fault(503, ""), SourceError, True),
        (Fault(504, ""), SourceTimeout, True),
        (Fault(400, '{"code":-1121,"msg":"Invalid symbol."}'), UnknownInstrument, False),
        (Fault(401, '{"code":-2014,"msg":"API-key format invalid."}'), BadConfig, False),
        (Fault(400, '{"code":-1100,"msg":"Illegal characters"}'), InputError, False),
        (GARBAGE, BadPayload, False),
        (Fault(200, "<html>maintenance</html>", Content_Type="text/html"), BadPayload, False),
        (Fault(200, "[1,2]", Content_Type="application/json"), BadPayload, False),
        (Fault(200, '{"symbol":"BTCUSDT","lastPrice":"abc"}'), BadPayload, False),
        (Fault(200, '{"symbol":"BTCUSDT"}'), BadPayload, False),
    ],
)
def test_errors_of_the_venue_become_ours(
    source: CcxtSource, venue: Binance, fault: Fault, error: type[BookError], is_retryable: bool
) -> None:
    source.price("BTC/USDT")
    venue.faults = [fault]
    with pytest.raises(error) as caught:
        source.price("BTC/USDT")
    assert caught.value.retryable == is_retryable
    if error is not SourceError:
        assert type(caught.value) is error
    source.price("BTC/USDT")


def test_the_wait_that_the_venue_asks_for_is_handed_on(source: CcxtSource, venue: Binance) -> None:
    source.price("BTC/USDT")
    venue.faults = [Fault(429, "{}", Retry_After="7")]
    with pytest.raises(RateLimited, match="wait 7 seconds") as caught:
        source.price("BTC/USDT")
    assert caught.value.retry_seconds == 7


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("bars", '[[1723161240000,"x","1","1","1","1"]]'),
        ("bars", '[[1723161240000,null,"1","1","1","1"]]'),
        ("prints", '{"a":1}'),
        ("prints", "[null]"),
        ("prints", '[{"a":1,"T":1723161240000,"p":"x","q":"1"}]'),
    ],
)
def test_garbage_in_history_is_refused(source: CcxtSource, venue: Binance, method: str, body: str) -> None:
    source.price("BTC/USDT")
    venue.faults = [Fault(200, body, Content_Type="application/json")]
    with pytest.raises(BadPayload):
        ask_history(source, method)


def ask_history(source: CcxtSource, method: str) -> None:
    if method == "bars":
        source.bars("BTC/USDT", "1m", DAY_MS * MS, (DAY_MS + 60_000) * MS)
    else:
        list(source.prints("BTC/USDT", DAY_MS * MS, (DAY_MS + 1000) * MS))


def test_a_venue_that_does_not_answer_times_out(venue: Binance) -> None:
    venue.is_hanging = True
    options = venue.options | {"timeout": 100}
    made = CcxtSource("binance", base_url=venue.http, options=options)
    with closing(made) as source, pytest.raises(SourceTimeout):
        source.price("BTC/USDT")


def test_a_venue_that_is_gone_is_a_source_error(venue: Binance) -> None:
    made = CcxtSource("binance", base_url="http://127.0.0.1:1", options=venue.options)
    with closing(made) as source, pytest.raises(SourceError, match="NetworkError"):
        source.price("BTC/USDT")


def test_an_instrument_that_the_venue_does_not_have_is_unknown(source: CcxtSource) -> None:
    with pytest.raises(UnknownInstrument, match="no market of binance"):
        source.price("NOPE/USDT")
    with pytest.raises(UnknownInstrument):
        source.stream(["NOPE/USDT"], lambda seen: None)


def test_an_exchange_that_ccxt_does_not_know_is_refused() -> None:
    with pytest.raises(BadConfig, match="no exchange"):
        CcxtSource("nope")


def test_a_base_that_is_no_address_is_refused() -> None:
    with pytest.raises(InputError, match="no address"):
        CcxtSource("binance", base_url="localhost:80")


@pytest.mark.parametrize("exchange", ["okx", "bybit", "kraken", "coinbase", "binanceusdm", "hyperliquid"])
def test_every_address_of_an_exchange_is_moved(exchange: str) -> None:
    http, ws = "http://127.0.0.1:1", "ws://127.0.0.1:2"
    with closing(CcxtSource(exchange, base_url=http, stream_url=ws)) as source:
        live = source._make(importlib.import_module("ccxt.pro"), is_live=True)
        found = [*texts(source._client.urls["api"]), *texts(live.urls["api"])]
    assert found
    assert all(url.startswith((http, ws)) for url in found)


def texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for item in tree.values():
            yield from texts(item)
    elif isinstance(tree, str):
        yield tree


def test_second_bars_are_a_timeframe_too(source: CcxtSource, venue: Binance) -> None:
    venue.klines = [kline(0)]
    (bar,) = source.bars("BTC/USDT", "1s", DAY_MS * MS, DAY_MS * MS + SECOND)
    assert bar.at_ns - bar.opened_ns == SECOND
