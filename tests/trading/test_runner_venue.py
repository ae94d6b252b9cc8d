"""``bot.yaml`` with the real ccxt and alpaca-py against venues on loopback: live prices, histories, paper fills."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.market.venues.alpaca import KEY, SECRET, Alpaca
from tests.market.venues.binance import Binance
from tests.market.venues.serving import until

import onebook
from onebook.domain.times import MINUTE, from_text
from onebook.trading.runner.bot import run_bot
from onebook.trading.runner.runner import Runner

STRATEGY = """
from onebook.trading.runner import Strategy

class BuysOnce(Strategy):
    def on_print(self, ctx, print_):
        if not ctx.position(print_.instrument) and not ctx.open_orders():
            ctx.buy(print_.instrument, "0.001")
"""


BARS = """
from onebook.trading.runner import Strategy

class FollowsTheClose(Strategy):
    def on_bar(self, ctx, bar):
        held = ctx.position(bar.instrument)
        if bar.close > bar.open and not held:
            ctx.buy(bar.instrument, "0.5")
        elif bar.close < bar.open and held:
            ctx.sell(bar.instrument, "0.5")
"""


@pytest.fixture
def venue() -> Iterator[Binance]:
    with closing(Binance()) as started:
        yield started


def binance(venue: Binance) -> dict[str, Any]:
    """What a bot.yaml says of it."""
    market = {"source": "ccxt", "exchange": "binance", "base_url": venue.http}
    return market | {"stream_url": venue.stream, "options": venue.options}


def bot(folder: Path, market: dict[str, Any], *, instrument: str = "BTC/USDT", **more: Any) -> Path:
    (folder / "mine.py").write_text(STRATEGY)
    (folder / "bars.py").write_text(BARS)
    hired = {"use": "mine.py:BuysOnce", "account": "paper", "instruments": [instrument]}
    said = {
        "name": "desk",
        "book": {"url": str(folder / "desk.db")},
        "accounts": {"paper": {"broker": "paper", "currency": "USDT", "opening": 1000}},
        "market": market,
        "strategies": {"once": hired},
    }
    path = folder / "bot.yaml"
    path.write_text(yaml.safe_dump(said | more))
    return path


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def seen(runner: Runner, count: int) -> None:
    until(lambda: runner.events >= count)


@contextmanager
def running(path: Path, is_streaming: Callable[[], bool], **more: Any) -> Iterator[Runner]:
    """A bot in a thread of its own, from when it hears of the market until it has stopped well."""
    runners: list[Runner] = []
    codes: list[int] = []
    work = lambda: codes.append(run_bot(path, onebook.open, began=runners.append, **more))  # noqa: E731
    thread = threading.Thread(target=work)
    thread.start()
    try:
        until(lambda: bool(runners) and is_streaming())
        yield runners[0]
    finally:
        until(lambda: bool(runners))
        runners[0].stop("enough")
        thread.join(timeout=20)
    assert (thread.is_alive(), codes) == (False, [0])


def test_live_prices_of_a_venue_become_fills_on_paper(tmp_path: Path, venue: Binance) -> None:
    with running(bot(tmp_path, binance(venue)), venue.is_streaming) as runner:
        for number in range(1, 4):
            venue.trade(number, now_ms())
            seen(runner, number)
    with onebook.open(tmp_path / "desk.db") as book:
        (fill,) = book.fills()
        assert (fill.instrument, fill.account, fill.strategy) == ("BTC/USDT", "paper", "once")
        assert [event.data["reason"] for event in book.events(types="runner_stopped")] == ["enough"]
        assert book.verify().ok


@pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets")
def test_live_prices_of_alpaca_become_fills_on_paper(tmp_path: Path) -> None:
    with closing(Alpaca()) as alpaca:
        market = {"source": "alpaca", "key_from": "DESK_KEY", "secret_from": "DESK_SECRET", "feed": "iex"}
        market |= {"base_url": alpaca.http, "stream_url": alpaca.stream}
        path = bot(tmp_path, market, instrument="AAPL", accounts={"paper": {"broker": "paper", "opening": 1000}})
        with pytest.raises(onebook.BadConfig, match="DESK_KEY"):
            run_bot(path, onebook.open, environ={"DESK_SECRET": SECRET})
        keys = {"DESK_KEY": KEY, "DESK_SECRET": SECRET}
        with running(path, alpaca.is_streaming, environ=keys) as runner:
            for number in range(1, 4):
                alpaca.trade(number, time.time_ns())
                seen(runner, number)
    with onebook.open(tmp_path / "desk.db") as book:
        (fill,) = book.fills()
        assert (fill.instrument, fill.strategy, fill.fill.price) == ("AAPL", "once", Decimal("189.1"))
        assert book.verify().ok


def test_the_candles_of_a_venue_are_gone_over_as_files_are(tmp_path: Path, venue: Binance) -> None:
    since = from_text("since", "2026-03-02T10:00Z")
    closes = [101, 103, 102, 100, 104, 103]
    for number, (opened, close) in enumerate(zip([100, *closes], closes, strict=False)):
        at = (since + number * MINUTE) // 1_000_000
        row = [at, str(opened), str(max(opened, close)), str(min(opened, close)), str(close), "5", at + 59_999]
        venue.klines.append([*row, "0", 1, "0", "0", "0"])
    span = {"since": "2026-03-02T10:00Z", "until": "2026-03-02T10:05Z"}
    hired = {"use": "bars.py:FollowsTheClose", "account": "paper", "instruments": ["BTC/USDT"], "timeframe": "1m"}
    path = bot(tmp_path, binance(venue), replay=span, strategies={"follows": hired})
    assert [run_bot(path, onebook.open) for _ in range(2)] == [0, 0]
    with onebook.open(tmp_path / "desk.db") as book:
        fills = [(fill.fill.side, fill.fill.price, str(fill.fill.occurred_at.time())) for fill in book.fills()]
        assert fills == [("buy", Decimal(101), "10:02:00"), ("sell", Decimal(102), "10:04:00")]
        assert book.verify().ok


def test_a_venue_that_does_not_answer_is_a_source_error_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with closing(Binance()) as gone:
        path = bot(tmp_path, binance(gone))
    said = yaml.safe_load(path.read_text())
    said["replay"] = {"since": "2026-03-02T10:00Z", "until": "2026-03-02T11:00Z"}
    said["strategies"]["once"]["timeframe"] = "1m"
    path.write_text(yaml.safe_dump(said))
    with pytest.raises(onebook.SourceError):
        run_bot(path, onebook.open)
    assert not (tmp_path / "desk.db").exists()
