"""A split is no fall in price: windows and histories are in the units of now, whole and after a restart."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trading.running import Scene

from onebook import CorporateAction
from onebook.domain import times
from onebook.domain.market import Bar, Print, Seen
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.runner.context import Context
from onebook.trading.runner.strategy import Strategy
from onebook.trading.runner.windows import Window, Windows
from onebook.trading.splits import Split

D = Decimal
BEGIN = times.from_text("begin", "2024-06-03T13:30:00Z")
HOUR = 60 * times.MINUTE
SPLIT_ON = date(2024, 6, 6)


def bar(number: int, price: Any, *, timeframe: str = "1d", every_ns: int = times.DAY, begin: int = BEGIN) -> Bar:
    opened, close = begin + number * every_ns, D(price)
    return Bar(
        instrument="AAPL",
        timeframe=timeframe,
        opened_ns=opened,
        at_ns=opened + every_ns // 4,
        open=close,
        high=close + 3,
        low=close - 3,
        close=close,
        volume=D(12),
    )


def two_for_one(at_ns: int = BEGIN, instrument: str = "AAPL") -> Split:
    return Split(instrument=instrument, at_ns=at_ns, numerator=D(2), denominator=D(1))


# ---- windows ----


def test_bars_of_before_a_split_are_kept_in_the_units_of_after_it() -> None:
    windows = Windows()
    windows.want("AAPL", "1d", 10)
    for number in range(3):
        windows.see(bar(number, 90))
    windows.split([two_for_one(BEGIN + 2 * times.DAY)])
    windows.split([two_for_one(BEGIN + 2 * times.DAY), two_for_one(instrument="MSFT")])
    found = windows.last("AAPL", "1d", 10)
    assert [(item.close, item.high, item.volume) for item in found] == [(45, D("46.5"), 24)] * 2 + [(90, 93, 12)]


def test_a_bar_of_before_a_split_that_comes_after_it_is_heard_in_new_units() -> None:
    windows = Windows()
    windows.want("AAPL", "1d", 10)
    windows.split([two_for_one(BEGIN + times.DAY)])
    (late,) = windows.see(bar(0, 90))
    (new,) = windows.see(bar(1, 44))
    assert (late.close, new.close) == (45, 44)


def test_a_bar_in_the_making_goes_on_in_new_units() -> None:
    windows = Windows()
    windows.want("AAPL", "1h", 10)
    begin = BEGIN // HOUR * HOUR
    for number, price in enumerate((100, 104, 51, 53)):
        if number == 2:
            windows.split([two_for_one(begin + 2 * times.MINUTE)])
        at = begin + number * times.MINUTE
        windows.see(Print(instrument="AAPL", at_ns=at, price=D(price), quantity=D(10)))
    (found,) = windows.tick(begin + HOUR)
    assert (found.open, found.high, found.low, found.close, found.volume) == (50, 53, 50, 53, 60)


@given(
    st.lists(st.decimals("0.01", "100000", places=2), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from([(2, 1), (3, 2), (7, 1), (1, 4), (20, 1)])), max_size=3),
)
def test_the_order_in_which_bars_and_splits_come_is_the_same(
    prices: list[Decimal], splits: list[tuple[int, tuple[int, int]]]
) -> None:
    """A restart knows the splits first and sees the bars then; a run hears of each in its night."""
    known = sorted(
        {
            Split(instrument="AAPL", at_ns=BEGIN + day * times.DAY, numerator=D(top), denominator=D(low))
            for day, (top, low) in splits
        },
        key=lambda item: (item.at_ns, item.numerator, item.denominator),
    )
    run, restarted = Windows(), Windows()
    for windows in (run, restarted):
        windows.want("AAPL", "1d", 20)
    restarted.split(known)
    for number, price in enumerate(prices):
        seen = bar(number, price)
        run.split(item for item in known if item.at_ns <= seen.opened_ns)
        assert run.see(seen) == [seen]
        restarted.see(seen)
    run.split(known)
    assert run.last("AAPL", "1d", 20) == restarted.last("AAPL", "1d", 20)


def test_a_window_keeps_its_size_over_a_split() -> None:
    window = Window("AAPL", "1d", 3)
    for number in range(3):
        window.see(bar(number, 90))
    window.split(two_for_one(BEGIN + times.DAY * 9))
    window.see(bar(3, 45))
    assert len(window.bars) == 3


# ---- the runner ----


class Listener(Strategy):
    """Keeps what it is told at each bar."""

    heard: list[list[Decimal]]

    def needs(self) -> int:
        return 4

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.heard.append([item.close for item in ctx.history(bar.instrument, 4)])


class Night(PaperBroker):
    """A venue that hears of a split with the first that it sees of its day, in two accounts of the book."""

    def see(self, seen: Seen) -> None:
        if times.to_datetime(seen.at_ns).date() >= SPLIT_ON:
            for account in ("paper", "other"):
                self._book.record(
                    CorporateAction(
                        kind="split",
                        account=account,
                        instrument="AAPL",
                        effective_on=SPLIT_ON,
                        numerator=2,
                        denominator=1,
                    )
                )
        super().see(seen)


def run(place: str, events: Sequence[Seen], *, most: int) -> list[list[Decimal]]:
    """Lives of at most so many events each, on one book; return what the strategy heard in all of them."""
    heard: list[list[Decimal]] = []
    while True:
        before = len(heard)
        scene = Scene(place)
        scene.open(events[0].at_ns - times.MINUTE)
        try:
            scene.define()
            strategy = Listener("ear", "paper", instruments=("AAPL",), timeframe="1d")
            strategy.heard = heard
            venue = Night(scene.book, ("paper",), scene.rules, clock=scene.clock)
            runner = scene.runner([strategy], broker=venue)

            def progress(done: int, _at_ns: int, runner: Any = runner) -> None:
                if done >= most:
                    runner.stop("enough")
                    assert runner.is_stopping

            runner._progress = progress
            assert not runner.is_stopping
            runner.replay(events)
        finally:
            scene.book.close()
        if len(heard) == before:
            return heard


@pytest.mark.parametrize("most", [1, 2, 100])
def test_a_strategy_hears_no_crash_at_a_split(tmp_path: Path, most: int) -> None:
    prices = [100, 102, 104, 52, 53, 54]
    heard = run(str(tmp_path / "book.db"), [bar(number, price) for number, price in enumerate(prices)], most=most)
    assert heard == [
        [100],
        [100, 102],
        [100, 102, 104],
        [50, 51, 52, 52],
        [51, 52, 52, 53],
        [52, 52, 53, 54],
    ]
