"""The real alpaca-py against a venue on loopback: REST calls, shortest decimals, paging, errors."""

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal

import pytest
from tests.market.venues.alpaca import KEY, SECRET, Alpaca
from tests.market.venues.serving import Fault

from onebook.domain.market import Bar, Print, Quote
from onebook.domain.times import DAY, MINUTE, SECOND, from_text, to_text
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
from onebook.market.providers import alpaca
from onebook.market.providers.alpaca import AlpacaSource
from onebook.market.streams import StreamRules
from onebook.testing.clock import FakeClock

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets")

AT = from_text("at", "2024-06-03T14:30:00.123456789Z")


@pytest.fixture
def venue() -> Iterator[Alpaca]:
    with closing(Alpaca()) as started:
        yield started


@pytest.fixture
def source(venue: Alpaca) -> Iterator[AlpacaSource]:
    clock = FakeClock("2024-06-03T15:00:00Z")
    with closing(AlpacaSource(KEY, SECRET, base_url=venue.http, stream_url=venue.stream, clock=clock)) as made:
        yield made


def bar(number: int) -> dict[str, object]:
    opened = AT // MINUTE * MINUTE + number * MINUTE
    return {"t": to_text(opened), "o": 189.1, "h": 190, "l": 188.05, "c": 189.3, "v": 1234, "n": 5, "vw": 189.2}


def test_a_price_is_the_shortest_decimal_at_its_nanosecond(source: AlpacaSource, venue: Alpaca) -> None:
    venue.trade(1, AT, 0.1 + 0.2)
    found = source.price("AAPL")
    assert (str(found.price), found.at_ns, found.source) == ("0.30000000000000004", AT, "alpaca")


def test_a_quote_has_both_sides(source: AlpacaSource, venue: Alpaca) -> None:
    venue.quote = {"t": to_text(AT), "bp": 189.1, "bs": 3, "ap": 189.12, "as": 4, "bx": "V", "ax": "V", "c": ["R"]}
    assert source.quote("AAPL") == Quote(
        instrument="AAPL",
        at_ns=AT,
        bid=Decimal("189.1"),
        ask=Decimal("189.12"),
        bid_quantity=Decimal(3),
        ask_quantity=Decimal(4),
    )
    venue.quote["ap"] = 0
    with pytest.raises(BadPayload, match="no bid or no ask"):
        source.quote("AAPL")


def test_bars_are_fetched_page_by_page(source: AlpacaSource, venue: Alpaca) -> None:
    venue.page = 7
    venue.bars = [bar(number) for number in range(40)]
    first = AT // MINUTE * MINUTE
    bars = source.bars("AAPL", "1m", first + 2 * MINUTE, first + 31 * MINUTE)
    assert [item.opened_ns for item in bars] == [first + number * MINUTE for number in range(2, 31)]
    assert [item.is_final for item in bars[-2:]] == [True, False], "it is 15:00"
    assert bars[0] == Bar(
        instrument="AAPL",
        timeframe="1m",
        opened_ns=first + 2 * MINUTE,
        at_ns=first + 3 * MINUTE,
        open=Decimal("189.1"),
        high=Decimal(190),
        low=Decimal("188.05"),
        close=Decimal("189.3"),
        volume=Decimal(1234),
    )


@pytest.mark.parametrize(
    ("timeframe", "asked"), [("1m", "1Min"), ("15m", "15Min"), ("4h", "4Hour"), ("1d", "1Day"), ("1w", "1Week")]
)
def test_timeframes_are_asked_for_as_alpaca_writes_them(
    source: AlpacaSource, venue: Alpaca, timeframe: str, asked: str
) -> None:
    source.bars("AAPL", timeframe, AT, AT + DAY)
    assert f"timeframe={asked}" in venue.asked[-1]


@pytest.mark.parametrize("timeframe", ["1s", "2m30s", "1M"])
def test_a_timeframe_that_alpaca_lacks_is_refused(source: AlpacaSource, timeframe: str) -> None:
    with pytest.raises(InputError):
        source.bars("AAPL", timeframe, AT, AT + DAY)


def test_prints_are_fetched_page_by_page(source: AlpacaSource, venue: Alpaca, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alpaca, "PAGE", 10)
    for number in range(45):
        venue.trade(number, AT + (number // 4) * 1000)
    prints = list(source.prints("AAPL", AT, AT + 11_000))
    assert [item.id.rsplit("-", 1)[1] for item in prints] == [str(number) for number in range(44)]
    assert prints[0] == Print(
        instrument="AAPL", at_ns=AT, price=Decimal("189.1"), quantity=Decimal(100), id=f"{AT // DAY}-V-0"
    )


@pytest.mark.parametrize(
    ("fault", "error", "is_retryable"),
    [
        (Fault(429, '{"message":"too many requests."}', Retry_After="3"), RateLimited, True),
        (Fault(500, "oops"), SourceError, True),
        (Fault(503, "<html/>"), SourceError, True),
        (Fault(504, ""), SourceTimeout, True),
        (Fault(403, '{"message":"forbidden."}'), BadConfig, False),
        (Fault(400, '{"message":"invalid symbol: AAPL"}'), UnknownInstrument, False),
        (Fault(422, '{"message":"start is wrong"}'), InputError, False),
        (Fault(200, '{"trades":{"AAPL":'), BadPayload, False),
        (Fault(200, "<html>maintenance</html>"), BadPayload, False),
        (Fault(200, '{"trades":{"AAPL":{"p":"x","s":1,"t":"2024-06-03T14:30:00Z"}}}'), BadPayload, False),
        (Fault(200, '{"trades":{"AAPL":{"p":1,"s":1}}}'), BadPayload, False),
        (Fault(200, '{"nothing":1}'), BadPayload, False),
        (Fault(200, "[]"), BadPayload, False),
        (Fault(200, ""), BadPayload, False),
    ],
)
def test_errors_of_the_venue_become_ours(
    source: AlpacaSource, venue: Alpaca, fault: Fault, error: type[BookError], is_retryable: bool
) -> None:
    venue.trade(1, AT)
    venue.faults = [fault]
    with pytest.raises(error) as caught:
        source.price("AAPL")
    assert (type(caught.value), caught.value.retryable) == (error, is_retryable)
    assert source.price("AAPL").price == Decimal("189.1")


def test_a_refusal_is_answered_at_once_and_says_how_long_to_wait(source: AlpacaSource, venue: Alpaca) -> None:
    venue.faults = [Fault(429, "slow down", Retry_After="3")]
    with pytest.raises(RateLimited) as caught:
        source.price("AAPL")
    assert caught.value.retry_seconds == 3
    assert len(venue.asked) == 1


def test_a_venue_that_does_not_answer_times_out(venue: Alpaca) -> None:
    venue.is_hanging = True
    made = AlpacaSource(KEY, SECRET, base_url=venue.http, timeout_seconds=0.1)
    with closing(made) as source, pytest.raises(SourceTimeout):
        source.price("AAPL")


def test_a_venue_that_is_gone_is_a_source_error() -> None:
    made = AlpacaSource(KEY, SECRET, base_url="http://127.0.0.1:1")
    with closing(made) as source, pytest.raises(SourceError, match="cannot be reached"):
        source.price("AAPL")


def test_an_instrument_of_which_nothing_is_known_is_unknown(source: AlpacaSource) -> None:
    with pytest.raises(UnknownInstrument, match="NOPE"):
        source.price("NOPE")


def test_history_of_a_quiet_stock_is_empty(source: AlpacaSource) -> None:
    assert source.bars("AAPL", "1m", AT, AT + SECOND) == []
    assert list(source.prints("AAPL", AT, AT + SECOND)) == []


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(BadConfig, match="key"):
        AlpacaSource("", "")
    with pytest.raises(InputError, match="feed"):
        AlpacaSource(KEY, SECRET, feed="otc")
    with pytest.raises(InputError, match="1m only"):
        AlpacaSource(KEY, SECRET, rules=StreamRules(kinds=("5m",)))
