"""The end of day in a runner: a strategy that never stops buying, an early close, and restarts in between."""

from pathlib import Path
from typing import Any

import pytest
from tests.trading.closing import terms
from tests.trading.running import EVEN, Scene, models_of, printed

from onebook import Order
from onebook.domain.market import Print, Seen
from onebook.trading.end_of_day import EndOfDay
from onebook.trading.runner.runner import Runner
from onebook.trading.runner.strategy import Strategy


class Buys(Strategy):
    """Buys with every tenth print, with a stop far away."""

    def on_print(self, ctx: Any, print_: Print) -> None:
        if int(print_.at_ns // 1_000_000_000) % 10 == 0:
            ctx.bracket(
                Order(instrument="AAPL", side="buy", quantity=1, account="paper", strategy=self.name), stop_loss="50"
            )


def life(scene: Scene, events: list[Seen], most: int) -> str:
    scene.open(events[0].at_ns - 60_000_000_000)
    try:
        scene.define()
        eod: EndOfDay = scene.book.trading.end_of_day([terms(accounts=("paper",), minutes_before_close=2)])
        runner: Runner = scene.runner(
            [Buys("buys", "paper", instruments=["AAPL"])],
            moments=[eod],
            progress=lambda done, _at: runner.stop("enough") if most and done >= most else None,
        )
        return runner.replay(events)
    finally:
        scene.book.close()


@pytest.fixture
def day() -> list[Seen]:
    before = printed(["100", "101", "102"] * 50, since="2023-11-24T17:57:45Z")  # to 18:00:14, 13:00 in New York
    return [*before, *printed(["103"] * 5, since="2023-11-24T18:00:35Z")]


def test_a_runner_is_flat_at_an_early_close_whatever_its_strategy_does(tmp_path: Path, day: list[Seen]) -> None:
    scene = Scene(str(tmp_path / "whole.db"), rules=EVEN)
    until = [item for item in day if item.at_ns < 1_700_848_800_000_000_000]  # 18:00:00
    life(scene, until, 0)
    with scene.open(day[0].at_ns) as book:
        assert [item.quantity for item in book.positions()] == []
        trips = book.round_trips(account="paper")
        assert len(trips) > 5
        assert {trip.close_reason for trip in trips} == {"end_of_day"}
        assert {row["status"] for row in book.sql("SELECT status FROM paper_trades")} == {"EOD_CLOSE"}
        assert [item for item in book.orders(is_open=True) if not item.order.reduce_only] == []
        assert [event.data["early_close"] for event in book.events(types="end_of_day_done")] == [True]
        report = book.verify()
        assert report.ok, report.problems


@pytest.mark.parametrize("most", [23])
def test_a_day_in_pieces_is_the_same_day(tmp_path: Path, day: list[Seen], most: int) -> None:
    whole, pieces = Scene(str(tmp_path / "whole.db"), rules=EVEN), Scene(str(tmp_path / "pieces.db"), rules=EVEN)
    life(whole, day, 0)
    for _ in range(len(day) // most + 3):
        life(pieces, day, most)
    assert models_of(whole.place) == models_of(pieces.place)
