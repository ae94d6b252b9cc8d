"""Files as a source, on the real data: every row of the bundled files, and of the ones that may not be copied."""

from collections import Counter
from decimal import Decimal
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

from onebook.demo.bars import load_bars
from onebook.domain import times
from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.market.providers.files import FileSource, FileTerms

BUNDLED = Path(str(files("onebook.demo") / "data"))


def ns(text: str) -> int:
    return times.from_text("at", text)


def in_order(events: list[Seen]) -> bool:
    return all(before.at_ns <= after.at_ns for before, after in pairwise(events))


@pytest.fixture(scope="module")
def stocks() -> list[Bar]:
    return [bar for bar in FileSource(BUNDLED / "us_stocks_daily.csv.gz").events() if isinstance(bar, Bar)]


def test_all_stocks_come_session_by_session_as_the_demo_reads_them(stocks: list[Bar]) -> None:
    assert len(stocks) == 12_154
    assert in_order(list(stocks))
    read = {name: iter(bars) for name, bars in load_bars().items()}
    for bar in stocks:
        other = next(read[bar.instrument])
        assert (bar.open, bar.high, bar.low, bar.close) == (other.open, other.high, other.low, other.close)
        assert times.to_datetime(bar.at_ns).date() == other.day
    assert [bar.instrument for bar in stocks[-5:]] == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert stocks[0].at_ns == ns("2000-03-01T21:00:00Z")
    assert (stocks[0].timeframe, str(stocks[0].close), stocks[0].volume) == ("1d", "130.31", 9_616_100)


def test_stocks_as_bars_of_one_instrument() -> None:
    source = FileSource(BUNDLED / "us_stocks_daily.csv.gz")
    bars = source.bars("IBM", "1d", ns("2013-02-25T00:00:00Z"), ns("2013-03-01T00:00:00Z"))
    assert [times.to_text(bar.opened_ns)[:10] for bar in bars] == [f"2013-02-{day}" for day in (25, 26, 27, 28)]
    assert source.price("FB").price == Decimal("27.78")


def test_the_rates_of_the_central_bank() -> None:
    rates = list(FileSource(BUNDLED / "ecb_fx_daily.csv.gz").events())
    assert in_order(rates)
    found = Counter(bar.instrument for bar in rates)
    assert (found["EUR/USD"], found["EUR/CNY"], found["EUR/INR"]) == (7126, 7126 - 1599, 7126 - 2560)
    assert len(found) == 12
    first = rates[0]
    assert isinstance(first, Bar)
    assert (first.instrument, str(first.close), first.at_ns) == ("EUR/USD", "1.1789", ns("1999-01-04T13:15:00Z"))


def test_both_bundled_files_merge_the_same_every_time(stocks: list[Bar]) -> None:
    source = FileSource([FileTerms(path=BUNDLED / name) for name in ("us_stocks_daily.csv.gz", "ecb_fx_daily.csv.gz")])
    until = ns("2001-01-01T00:00:00Z")
    once = list(source.events(until_ns=until))
    assert in_order(once)
    assert once == list(source.events(until_ns=until))
    assert [seen for seen in once if not seen.instrument.startswith("EUR/")] == [
        bar for bar in stocks if bar.at_ns < until
    ]


def test_minutes_of_a_perpetual(market: Path) -> None:
    bars = [bar for bar in FileSource(market / "btc_perp_1m.csv.gz").events() if isinstance(bar, Bar)]
    assert len(bars) == 45_031
    assert {bar.instrument for bar in bars} == {"btc_perp"}
    assert all(after.opened_ns == before.at_ns for before, after in pairwise(bars)), "every minute, none double"
    assert (times.to_text(bars[0].opened_ns), str(bars[0].volume)) == ("2021-12-31T23:01:00Z", "2300413.7295")
    assert sum(before.close != after.open for before, after in pairwise(bars)) == 4293


@pytest.mark.parametrize(
    ("name", "trades", "quotes", "quantity", "value", "sells"),
    [
        ("spot", 9757, 28_040, "212.03315", "13084074.1123886", 5654),
        ("usdm", 21_313, 66_089, "2429.366", "149845680.8898", 11_697),
    ],
)
def test_the_recorded_feeds_add_up(
    market: Path, name: str, trades: int, quotes: int, quantity: str, value: str, sells: int
) -> None:
    path = market / f"binance_btcusdt_{name}_20240808.gz"
    seen = list(FileSource([FileTerms(path=path, names={"BTCUSDT": "BTC/USDT"})]).events())
    assert in_order(seen)
    prints = [one for one in seen if isinstance(one, Print)]
    assert len(prints) == trades
    assert sum(isinstance(one, Quote) for one in seen) == quotes
    assert sum(one.quantity for one in prints) == Decimal(quantity)
    assert sum(one.quantity * one.price for one in prints) == Decimal(value)
    assert sum(one.side == "sell" for one in prints) == sells
    assert {one.instrument for one in seen} == {"BTC/USDT"}
    assert sorted(int(one.id) for one in prints) == list(range(int(prints[0].id), int(prints[0].id) + trades))


def test_the_spot_feed_in_the_order_in_which_it_came(market: Path) -> None:
    """Its quotes have no time of the venue, and the receiver's clock was slow: only one clock gives one order."""
    path = market / "binance_btcusdt_spot_20240808.gz"
    received = FileTerms(path=path, feed_times="received", window=1)
    by_receiver = list(FileSource([received]).events())
    assert isinstance(by_receiver[0], Quote)
    assert isinstance(by_receiver[1], Print)
    assert by_receiver[0].at_ns == 1723161254087891268
    first_print = next(i for i, one in enumerate(FileSource(path).events()) if isinstance(one, Print))
    assert first_print > 50, "with both clocks mixed the quotes run ahead of the trades by more than a second"


def test_everything_real_in_one_stream(market: Path) -> None:
    count, last, kinds = 0, 0, Counter[str]()
    for one in FileSource(market).events():
        assert one.at_ns >= last
        count, last = count + 1, one.at_ns
        kinds[type(one).__name__] += 1
    assert kinds["Print"] == 9757 + 21_313
    assert kinds["Quote"] == 28_040 + 66_089
    assert kinds["Bar"] == 12_154 + 45_031 + 12 * 7126 - 1599 - 2560
    assert count == sum(kinds.values())
