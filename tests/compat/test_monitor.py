"""The documents' position monitor: asks for the prices of what is open, and minds stops and targets."""

import threading
from collections.abc import Iterator

import pytest
from tests.compat.waiting import eventually
from tests.market.sources import Told

import onebook
from onebook.compat.managers import get_trade_manager
from onebook.compat.monitor import PositionMonitor
from onebook.compat.trades import create_trade
from onebook.testing import FakeClock

SOON = 0.005


@pytest.fixture
def monitor(book: onebook.Book) -> Iterator[PositionMonitor]:
    found = PositionMonitor(object(), {}, trade_manager=get_trade_manager(), check_interval=SOON, notifier=None)
    yield found
    found.stop()


def hold(symbol: str, side: str = "buy") -> None:
    get_trade_manager().record_trade(create_trade(symbol, side, 1, 100))


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "onebook-position-monitor"]


def test_what_is_open_is_asked_for_and_marked(
    asked: Told, monitor: PositionMonitor, clock: FakeClock, book: onebook.Book
) -> None:
    hold("AAPL")
    monitor.start()
    monitor.start()
    assert len(threads()) == 1
    eventually(lambda: get_trade_manager().price_cache.get("AAPL") == 101)
    assert monitor.is_running()
    hold("TSLA")
    eventually(lambda: "TSLA" in get_trade_manager().price_cache)
    position = monitor.get_position("AAPL")
    assert position is not None
    assert sorted(monitor.positions) == ["AAPL", "TSLA"]
    assert asked.calls == ["price AAPL", "price TSLA"]
    monitor.stop()
    monitor.stop()
    assert threads() == []
    assert not monitor.is_running()
    monitor.start()
    eventually(monitor.is_running)


def test_a_stop_that_a_price_reaches_is_told(
    asked: Told, monitor: PositionMonitor, clock: FakeClock, book: onebook.Book
) -> None:
    hold("AAPL", "sell")
    book.trading.protect("AAPL", stop_loss=103)
    monitor.start()
    for calls in (1, 2, 3):
        eventually(lambda calls=calls: len(asked.calls) >= calls)  # type: ignore[misc]
        clock.advance(10)
    eventually(lambda: list(book.events(types="stop_triggered")))
    (event,) = book.events(types="stop_triggered")
    assert event.instrument == "AAPL"
    assert book.position("AAPL") is not None


def test_without_a_source_the_programs_own_marks_count(
    monitor: PositionMonitor, book: onebook.Book, caplog: pytest.LogCaptureFixture
) -> None:
    hold("AAPL")
    book.trading.protect("AAPL", stop_loss=90)
    monitor.start()
    eventually(lambda: "no source of market data" in caplog.text)
    get_trade_manager().update_price("AAPL", 89)
    assert len(list(book.events(types="stop_triggered"))) == 1
    monitor.stop()
    assert caplog.text.count("no source of market data") == 1


def test_a_source_that_fails_is_said_once_and_asked_again(
    asked: Told, monitor: PositionMonitor, caplog: pytest.LogCaptureFixture
) -> None:
    asked.always = onebook.BadPayload("odd")
    hold("AAPL")
    hold("TSLA")
    monitor.start()
    eventually(lambda: len(asked.calls) >= 4)
    assert monitor.is_running()
    asked.always = None
    monitor.stop()
    assert caplog.text.count("AAPL: odd") == 1
    assert caplog.text.count("TSLA: odd") == 1


def test_it_ends_with_the_book(asked: Told, monitor: PositionMonitor, book: onebook.Book) -> None:
    monitor.start()
    book.close()
    eventually(lambda: not monitor.is_running())


def test_an_interval_of_nothing_is_refused() -> None:
    with pytest.raises(onebook.InputError, match="check_interval"):
        PositionMonitor(check_interval=0)
