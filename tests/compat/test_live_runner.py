"""The documents' live runner: strategies on the book, on a thread of its own."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.compat.waiting import eventually
from tests.market.sources import Told

import onebook
from onebook import compat
from onebook.compat import current
from onebook.compat.event_bus import get_event_bus
from onebook.compat.live_runner import LiveStrategyRunner
from onebook.compat.managers import get_trade_manager
from onebook.domain.market import Print
from onebook.testing import FakeClock
from onebook.trading.runner import Strategy


class BuysOnce(Strategy):
    """Buys one at the first print."""

    def on_print(self, ctx: Any, print_: Print) -> None:
        if ctx.position(print_.instrument) is None and not ctx.open_orders():
            ctx.buy(print_.instrument, 1)


@pytest.fixture
def runner(asked: Told, book: onebook.Book) -> Iterator[LiveStrategyRunner]:
    book.record(onebook.Account(name="sandbox", kind="paper", currency="USDT"))
    book.record(onebook.OpeningBalance(account="sandbox", currency="USDT", amount=10_000))
    strategy = BuysOnce("first", "sandbox", instruments=["BTC/USDT"])
    found = LiveStrategyRunner(strategy)
    yield found
    found.stop()


def show(source: Told, clock: FakeClock, price: int) -> None:
    assert source.deliver is not None
    clock.advance(1)
    source.deliver(Print(instrument="BTC/USDT", at_ns=clock(), price=Decimal(price), quantity=Decimal(5)))


def test_a_strategy_trades_on_paper_until_it_is_stopped(
    runner: LiveStrategyRunner, asked: Told, clock: FakeClock, book: onebook.Book
) -> None:
    assert not runner.is_running()
    assert runner.get_status()["events"] == 0
    assert runner.start()
    assert not runner.start()
    eventually(lambda: asked.deliver is not None)
    assert asked.streamed == {"BTC/USDT"}
    show(asked, clock, 100)
    eventually(lambda: runner.get_status()["events"] == 1)
    show(asked, clock, 101)
    eventually(lambda: book.fills(account="sandbox"))
    status = runner.get_status()
    assert list(status) == [
        *("is_running", "name", "strategies", "events", "ended", "problem", "trading_state", "positions_count"),
    ]
    assert (status["is_running"], status["strategies"], status["trading_state"]) == (True, ["first"], "ACTIVE")
    assert runner.stop("enough")
    assert not runner.stop()
    status = runner.get_status()
    assert (status["is_running"], status["ended"], status["problem"]) == (False, "enough", "")
    assert status["positions_count"] == 1
    told = [event["type"] for event in get_event_bus().get_event_history()]
    assert (told.count("runner_started"), told.count("trade_executed"), told.count("runner_stopped")) == (1, 1, 1)


def test_it_can_start_again(runner: LiveStrategyRunner, asked: Told, clock: FakeClock) -> None:
    for _ in range(2):
        asked.deliver = None
        assert runner.start()
        eventually(lambda: asked.deliver is not None)
        assert runner.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "onebook-live-runner"]


def test_a_source_that_does_not_answer_is_a_problem(runner: LiveStrategyRunner, asked: Told) -> None:
    asked.always = onebook.BadPayload("odd")
    runner.start()
    eventually(lambda: not runner.is_running())
    assert runner.get_status()["problem"] == "BadPayload: odd"


def test_it_keeps_a_book_of_the_older_names_open_while_it_runs(place: Path, source: Told) -> None:
    compat.install(data=source)
    book = current.current_book()
    book.record(onebook.Account(name="sandbox", kind="paper", currency="USDT"))
    runner = LiveStrategyRunner(BuysOnce("first", "sandbox", instruments=["BTC/USDT"]))
    runner.start()
    eventually(lambda: source.deliver is not None)
    get_trade_manager().shutdown()
    assert current.current_book() is book
    assert runner.stop()
    get_trade_manager().shutdown()
    assert current.current_book() is not book


def test_an_account_that_is_not_on_paper_needs_a_broker(asked: Told, book: onebook.Book) -> None:
    runner = LiveStrategyRunner([BuysOnce("first", "main", instruments=["BTC/USDT"])])
    with pytest.raises(onebook.RuleError):
        runner.start()
    book.record(onebook.Account(name="main", kind="live"))
    with pytest.raises(onebook.RuleError):
        runner.start()
    assert not runner.is_running()


def test_without_strategies_or_source_it_is_refused(book: onebook.Book) -> None:
    nothing: Any
    for nothing in ([], [object()]):
        with pytest.raises(onebook.BadConfig, match="strategies"):
            LiveStrategyRunner(nothing)
    with pytest.raises(onebook.BadConfig, match="no source of market data"):
        LiveStrategyRunner(BuysOnce("first", "sandbox", instruments=["BTC/USDT"])).start()
