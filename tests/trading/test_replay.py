"""History at once, and in pieces with a stop and a restart after every event: the same read models."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.trading.running import BTC, Scene, btc_bars, models_of, printed, stock_bars

from onebook.domain.market import Bar, Print, Seen
from onebook.errors import BadConfig, ConflictError
from onebook.trading.examples import Breakout, Reversal, Trend
from onebook.trading.runner.clock import ReplayClock
from onebook.trading.runner.context import Context
from onebook.trading.runner.lease import Lease
from onebook.trading.runner.runner import Runner
from onebook.trading.runner.strategy import Strategy


def three(*names: str, timeframe: str = "1d", wide: int = 1) -> list[Strategy]:
    """The examples, quick enough to trade within some hundred bars."""
    wanted: dict[str, object] = {"instruments": names, "timeframe": timeframe}
    return [
        Trend("trend", "paper", **wanted, fast=3, slow=9, stop_ratio="0.002" if wide == 1 else "0.03", short=True),  # type: ignore[arg-type]
        Reversal("reversal", "paper", **wanted, bars=12, fall_ratio="0.0008" if wide == 1 else "0.01", patience_bars=6),  # type: ignore[arg-type]
        Breakout("breakout", "paper", **wanted, bars=15, trail_ratio="0.001" if wide == 1 else "0.02", holds=2),  # type: ignore[arg-type]
    ]


def stocks() -> list[Strategy]:
    return three("AAPL", "MSFT", wide=20)


def minutes() -> list[Strategy]:
    return three(BTC, timeframe="1m")


def in_pieces(place: str, make: object, events: Sequence[Seen]) -> int:
    lives = 1
    while Scene(place).run(make, events, most=1) == "enough":  # type: ignore[arg-type]
        lives += 1
        assert lives < 2 * len(events)
    return lives


def check_same(folder: Path, make: object, events: Sequence[Seen], *, fills: int) -> None:
    whole, pieces = str(folder / "whole.db"), str(folder / "pieces.db")
    assert Scene(whole).run(make, events) == "end of the data"  # type: ignore[arg-type]
    assert in_pieces(pieces, make, events) == len(events) + 1
    once, again = models_of(whole), models_of(pieces)
    for name, rows in once.items():
        assert again[name] == rows, name
    assert len(once["fills"]) >= fills
    assert len(once["round_trips"]) >= fills // 3


def test_daily_stocks_in_pieces(tmp_path: Path) -> None:
    check_same(tmp_path, stocks, stock_bars(40), fills=20)


@pytest.mark.skipif(not btc_bars(), reason="the real minutes are not there")
def test_real_minutes_in_pieces(tmp_path: Path) -> None:
    check_same(tmp_path, minutes, btc_bars(0, 90), fills=6)


def test_the_comparison_sees_one_fill_too_many(tmp_path: Path) -> None:
    one, other = str(tmp_path / "one.db"), str(tmp_path / "other.db")
    Scene(one).run(stocks, stock_bars(60))
    Scene(other).run(stocks, stock_bars(60)[:-1])
    assert models_of(one) != models_of(other)


# ---- bars that are put together ----


class Collector(Strategy):
    """Keeps what it hears."""

    def __init__(self, *given: object, **more: object) -> None:
        super().__init__(*given, **more)  # type: ignore[arg-type]
        self.heard: list[Seen] = []
        self.reached: list[int] = []

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.heard.append(bar)
        self.reached.append(len(ctx.history(bar.instrument, self.warm_up)))

    def on_print(self, ctx: Context, print_: Print) -> None:
        self.heard.append(print_)


def test_longer_bars_are_put_together_from_shorter_ones_over_a_restart() -> None:
    bars = [bar for bar in stock_bars(40) if bar.instrument == "AAPL"]
    weeks = Collector("c", "paper", instruments=["AAPL"], timeframe="1w", warm_up=3)
    scene = Scene(":memory:")
    scene.open(bars[0].opened_ns)
    scene.define()
    scene.runner([weeks]).replay(bars)
    made = [bar for bar in weeks.heard if isinstance(bar, Bar)]
    assert len(made) >= 6
    full = made[2]
    inside = [bar for bar in bars if full.opened_ns <= bar.opened_ns < full.opened_ns + 7 * 86_400 * 10**9]
    assert (full.open, full.close) == (inside[0].open, inside[-1].close)
    assert (full.high, full.low) == (max(bar.high for bar in inside), min(bar.low for bar in inside))
    assert full.volume == sum(bar.volume for bar in inside)
    assert weeks.reached[:4] == [1, 2, 3, 3]
    later = Collector("c", "paper", instruments=["AAPL"], timeframe="1w", warm_up=3)
    scene.runner([later], name="other").replay(bars, since_ns=bars[25].at_ns)
    assert later.heard == [bar for bar in made if bar.at_ns > bars[25].opened_ns]
    assert later.reached[0] == 3
    scene.book.close()


def test_bars_are_made_from_prints() -> None:
    seen = printed([10, 12, 9, 11, *[10] * 60])
    made = Collector("c", "paper", instruments=["AAPL"], timeframe="1m")
    scene = Scene(":memory:")
    scene.open(seen[0].at_ns)
    scene.define()
    scene.runner([made]).replay(seen)
    (bar,) = [item for item in made.heard if isinstance(item, Bar)]
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (10, 12, 9, 10, 60_000)
    assert len(made.heard) == len(seen) + 1
    scene.book.close()


# ---- how fast, from when, until when ----


def test_since_only_warms_up_and_until_is_left_out() -> None:
    bars = [bar for bar in stock_bars(30) if bar.instrument == "AAPL"]
    made = Collector("c", "paper", instruments=["AAPL"], timeframe="1d", warm_up=5)
    scene = Scene(":memory:")
    scene.open(bars[0].opened_ns)
    scene.define()
    runner = scene.runner([made])
    assert runner.replay(bars, since_ns=bars[10].at_ns, until_ns=bars[20].at_ns) == "end of the data"
    assert made.heard == bars[10:20]
    assert made.reached[0] == 5
    assert runner.events == 10
    scene.book.close()


def test_the_speed_is_kept_and_a_stop_ends_the_wait(tmp_path: Path) -> None:
    seen = printed([10, 11, 12])
    scene = Scene(":memory:")
    scene.open(seen[0].at_ns)
    scene.define()
    runner = scene.runner([Collector("c", "paper", instruments=["AAPL"])])
    runner._progress = lambda done, at_ns: runner.stop("enough") if done == 2 else None
    assert runner.replay(seen, speed=50) == "enough"
    assert runner.events == 2
    scene.book.close()


# ---- one of a name ----


def test_only_one_runner_of_a_name_at_a_time() -> None:
    scene = Scene(":memory:")
    seen = printed([10])
    scene.open(seen[0].at_ns)
    scene.define()
    now = 10**18
    other = Lease(scene.book, "test", "another-process", lambda: now)
    other.take()
    runner = scene.runner([Collector("c", "paper", instruments=["AAPL"])], wall=lambda: now, lease_seconds=5)
    with pytest.raises(ConflictError, match="runs on this book already in another process"):
        runner.replay(seen)
    assert not list(scene.book.events(types="runner_started"))
    other.release()
    assert runner.replay(seen) == "end of the data"
    scene.book.close()


def test_who_lost_the_lease_writes_nothing_more() -> None:
    scene = Scene(":memory:")
    seen = printed([10, 11, 12])
    scene.open(seen[0].at_ns)
    scene.define()
    now = [10**18]
    runner = scene.runner([Collector("c", "paper", instruments=["AAPL"])], wall=lambda: now[0], lease_seconds=5)

    def lose(done: int, at_ns: int) -> None:
        now[0] += 6 * 10**9
        Lease(scene.book, "test", "another-process", lambda: now[0]).take()

    runner._progress = lose
    with pytest.raises(ConflictError):
        runner.replay(seen)
    assert runner.events == 1
    assert not list(scene.book.events(types="runner_stopped"))
    scene.book.close()


def test_a_replay_needs_the_clock_of_its_book() -> None:
    scene = Scene(":memory:")
    scene.open()
    scene.define()
    runner = scene.runner([Collector("c", "paper")])
    for clock, says in ((None, "needs one"), (ReplayClock(5), "another clock")):
        runner._clock = clock
        with pytest.raises(BadConfig, match=says):
            runner.replay([])
    with pytest.raises(BadConfig, match="nobody trades account 'cash'"):
        Runner(scene.book, [Collector("c", "cash")], {})
    with pytest.raises(BadConfig, match="two of that name"):
        scene.runner([Collector("c", "paper"), Collector("c", "paper")])
    scene.book.close()
