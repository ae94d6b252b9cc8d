"""What other processes see of a live run, and what a run does that others did meanwhile: breakers, fills, signals."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.market.venues.binance import Binance
from tests.market.venues.serving import until
from tests.trading.running import Scene, printed

import onebook
from onebook import Order, OrderUpdate
from onebook.domain import times
from onebook.domain.market import Bar, Print, Seen
from onebook.feed.expiring import Expiring
from onebook.market.standing import OpenBreaker, open_breakers
from onebook.testing import FakeClock
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.brokers.paper_rules import PaperRules
from onebook.trading.runner import Strategy
from onebook.trading.runner.bot import run_bot
from onebook.trading.runner.context import Context
from onebook.trading.runner.runner import Runner

BEGIN = times.from_text("t", "2024-03-04T14:59:00Z")

# ---- breakers ----


def bot(folder: Path, venue: Binance) -> Path:
    """A bot whose breaker opens at the first failure."""
    market: dict[str, Any] = {"source": "ccxt", "exchange": "binance"}
    market |= {"base_url": venue.http, "stream_url": venue.stream}
    market |= {"options": venue.options, "attempts": 1, "breaker_failures": 1}
    (folder / "mine.py").write_text(
        "from onebook.trading.runner import Strategy\nclass Looks(Strategy):\n    timeframe = '1m'\n    warm_up = 2\n"
    )
    said = {
        "name": "desk",
        "book": {"url": str(folder / "desk.db")},
        "accounts": {"paper": {"currency": "USDT", "opening": 1000}},
        "market": market,
        "strategies": {"looks": {"use": "mine.py:Looks", "instruments": ["BTC/USDT"]}},
    }
    path = folder / "bot.yaml"
    path.write_text(yaml.safe_dump(said))
    return path


def standing(folder: Path) -> list[OpenBreaker]:
    with onebook.open(folder / "desk.db") as book, book.store.reading() as reader:
        return open_breakers(reader)


def test_a_breaker_of_a_live_run_is_seen_by_the_book_until_the_next_run(tmp_path: Path) -> None:
    with closing(Binance()) as gone:
        path = bot(tmp_path, gone)
    with pytest.raises(onebook.SourceError):
        run_bot(path, onebook.open)
    (seen,) = standing(tmp_path)
    assert (seen.who, seen.name, seen.state, seen.failures) == ("desk", "binance", "open", 1)
    assert seen.last_error
    runners: list[Runner] = []
    with closing(Binance()) as venue:
        path = bot(tmp_path, venue)
        thread = threading.Thread(target=run_bot, args=(path, onebook.open), kwargs={"began": runners.append})
        thread.start()
        try:
            until(venue.is_streaming)
            assert standing(tmp_path) == []
        finally:
            until(lambda: bool(runners))
            runners[0].stop("enough")
            thread.join(20)
    assert not thread.is_alive()


# ---- a live run over prints ----


@pytest.fixture
def scene(place: str) -> Iterator[Scene]:
    made = Scene(place, rules=PaperRules())
    made.open(BEGIN)
    made.define()
    yield made
    made.book.close()


class Market:
    """Shows some prints on a thread of its own."""

    name = "market"

    def __init__(self, seen: list[Seen]) -> None:
        self.seen = seen
        self.thread = threading.Thread()

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        return []

    def stream(self, instruments: Collection[str], deliver: Callable[[Seen], None]) -> "Market":
        self.thread = threading.Thread(target=lambda: list(map(deliver, self.seen)))
        self.thread.start()
        return self

    def close(self) -> None:
        self.thread.join(30)
        assert not self.thread.is_alive()


def live(scene: Scene, strategy: Strategy, prices: list[Any], look: Callable[[int, FakeClock], None]) -> None:
    """Run live over some prints; after each one look, with the real time in hand."""
    seen = printed(prices)
    wall = FakeClock("2024-03-04T15:00:00Z")
    scene.clock.move(seen[-1].at_ns)

    def progress(done: int, _at_ns: int) -> None:
        look(done, wall)
        if done == len(seen):
            runner.stop("enough")

    broker = PaperBroker(scene.book, ("paper",), scene.rules, clock=scene.clock)
    runner = Runner(
        scene.book, [strategy], {"paper": broker}, name="live", wall=wall, lease_seconds=600, progress=progress
    )
    assert runner.live(Market(seen)) == "enough"  # type: ignore[arg-type]


def test_a_live_run_finds_fills_that_do_not_come(scene: Scene) -> None:
    book = scene.book
    book.record(Order(instrument="BTC/USD", side="buy", quantity=1, client_order_id="o1"))
    book.record(OrderUpdate(client_order_id="o1", status="new"))
    found: list[int] = []

    def look(done: int, wall: FakeClock) -> None:
        found.append(len(book.breaks()))
        if done == 1:
            book.record(OrderUpdate(client_order_id="o1", status="canceled", filled="0.5"))
        seconds = (1, 60, 1, 1)[done - 1]
        wall.advance(seconds)
        scene.clock.move(scene.clock() + seconds * times.SECOND)

    live(scene, Strategy("s", "paper", instruments=["AAPL"]), [10, 11, 12, 13], look)
    assert found == [0, 0, 1, 1]
    assert [item.kind for item in book.breaks()] == ["fill_missing"]


class Rests(Strategy):
    """Buys far below the market for a signal that expires."""

    def on_print(self, ctx: Context, print_: Print) -> None:
        if not ctx.open_orders() and not ctx.position("AAPL"):
            signal = ctx.signal("AAPL", "buy", expires_after_seconds=20)
            ctx.buy("AAPL", 5, kind="limit", limit_price=1, signal_id=signal)


@pytest.mark.parametrize("restarts", [False, True])
def test_what_rests_of_a_signal_that_another_process_let_expire_is_taken_back(scene: Scene, restarts: bool) -> None:
    book = scene.book

    def look(done: int, wall: FakeClock) -> None:
        if done == 1:
            scene.clock.move(scene.clock() + 30 * times.SECOND)
            other = Expiring(book)  # as the watchman of another process does
            other.follow()
            assert other.look(scene.clock()) == 1
            assert [order.status for order in book.orders()] == ["new"]

    if restarts:
        live(scene, Rests("s", "paper", instruments=["AAPL"]), [10], look)
        assert [order.status for order in book.orders()] == ["new"]
        live(scene, Strategy("s", "paper", instruments=["AAPL"]), [10, 10, 10], lambda done, wall: None)
    else:
        live(scene, Rests("s", "paper", instruments=["AAPL"]), [10, 10], look)
    assert len(list(book.events(types="signal_expired"))) == 1
    assert book.orders()[0].status == "canceled"
