"""``bot.yaml`` with the real ccxt against a venue on loopback: live prices, paper fills, and a breaker that opens."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.market.venues.binance import Binance
from tests.market.venues.serving import until

import onebook
from onebook.trading.runner.bot import run_bot
from onebook.trading.runner.runner import Runner

STRATEGY = """
from onebook.trading.runner import Strategy

class BuysOnce(Strategy):
    def on_print(self, ctx, print_):
        if not ctx.position(print_.instrument) and not ctx.open_orders():
            ctx.buy(print_.instrument, "0.001")
"""


@pytest.fixture
def venue() -> Iterator[Binance]:
    with closing(Binance()) as started:
        yield started


def bot(folder: Path, venue: Binance) -> Path:
    (folder / "mine.py").write_text(STRATEGY)
    market: dict[str, Any] = {"source": "ccxt", "exchange": "binance", "base_url": venue.http}
    market |= {"stream_url": venue.stream, "options": venue.options}
    said = {
        "name": "desk",
        "book": {"url": str(folder / "desk.db")},
        "accounts": {"paper": {"broker": "paper", "currency": "USDT", "opening": 1000}},
        "market": market,
        "strategies": {"once": {"use": "mine.py:BuysOnce", "account": "paper", "instruments": ["BTC/USDT"]}},
    }
    path = folder / "bot.yaml"
    path.write_text(yaml.safe_dump(said))
    return path


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def seen(runner: Runner, count: int) -> None:
    until(lambda: runner.events >= count)


def test_live_prices_of_a_venue_become_fills_on_paper(tmp_path: Path, venue: Binance) -> None:
    runners: list[Runner] = []
    codes: list[int] = []
    path = bot(tmp_path, venue)
    thread = threading.Thread(target=lambda: codes.append(run_bot(path, onebook.open, began=runners.append)))
    thread.start()
    try:
        until(lambda: bool(runners) and venue.is_streaming())
        for number in range(1, 4):
            venue.trade(number, now_ms())
            seen(runners[0], number)
    finally:
        until(lambda: bool(runners))
        runners[0].stop("enough")
        thread.join(timeout=20)
    assert (thread.is_alive(), codes) == (False, [0])
    with onebook.open(tmp_path / "desk.db") as book:
        (fill,) = book.fills()
        assert (fill.instrument, fill.account, fill.strategy) == ("BTC/USDT", "paper", "once")
        assert [event.data["reason"] for event in book.events(types="runner_stopped")] == ["enough"]
        assert book.verify().ok


def test_a_venue_that_does_not_answer_is_a_source_error_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with closing(Binance()) as gone:
        path = bot(tmp_path, gone)
    said = yaml.safe_load(path.read_text())
    said["replay"] = {"since": "2026-03-02T10:00Z", "until": "2026-03-02T11:00Z"}
    said["strategies"]["once"]["timeframe"] = "1m"
    path.write_text(yaml.safe_dump(said))
    with pytest.raises(onebook.SourceError):
        run_bot(path, onebook.open)
    assert not (tmp_path / "desk.db").exists()
