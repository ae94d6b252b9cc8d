"""The three examples on real data: they trade, they leave, and they refuse what makes no sense."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from tests.trading.running import BTC, Scene, btc_bars, stock_bars

from onebook.domain import times
from onebook.domain.market import Seen
from onebook.errors import InputError
from onebook.trading.examples import Breakout, Reversal, Trend
from onebook.trading.runner.strategy import Strategy


def ran(events: Sequence[Seen], *strategies: Strategy) -> dict[str, Any]:
    """Run on a fresh book; what it says of it in the end."""
    scene = Scene(":memory:")
    with scene.open(events[0].at_ns - times.MINUTE) as book:
        scene.define()
        assert scene.runner(strategies).replay(events) == "end of the data"
        assert not list(book.events(types="alert_raised"))
        assert book.verify().ok
        return {
            "trips": book.round_trips(is_open=False),
            "orders": book.orders(),
            "signals": book.signals(),
            "positions": book.positions(),
        }


def stocks(**more: Any) -> dict[str, Any]:
    return {"instruments": ["AAPL", "MSFT"], "timeframe": "1d"} | more


def test_trend_trades_with_brackets_on_stocks() -> None:
    found = ran(
        stock_bars(120), Trend("t", "paper", **stocks(fast=5, slow=15, stop_ratio="0.02", reward=1, short=True))
    )
    reasons = {trip.close_reason for trip in found["trips"]}
    assert reasons == {"stop_loss", "take_profit", "signal"}
    assert {trip.direction for trip in found["trips"]} == {"long", "short"}
    entries = [order for order in found["orders"] if not order.parent_id and not order.reduce_only]
    children = [order for order in found["orders"] if order.parent_id]
    assert len(children) == 2 * len(entries)
    assert all(signal.stop_loss and signal.take_profit for signal in found["signals"])


def test_reversal_bids_and_leaves_in_time_on_stocks() -> None:
    strategy = Reversal("r", "paper", **stocks(bars=10, fall_ratio="0.02", patience_bars=4))
    found = ran(stock_bars(250), strategy)
    assert {trip.close_reason for trip in found["trips"]} == {"stop_loss", "take_profit", "signal"}
    longest = max(trip.closed_at - trip.opened_at for trip in found["trips"])
    assert longest.days <= 7  # four sessions over a weekend
    assert {signal.status for signal in found["signals"]} >= {"CLOSED", "EXPIRED"}


def test_breakout_waits_with_a_stop_and_trails_on_stocks() -> None:
    found = ran(stock_bars(250), Breakout("b", "paper", **stocks(bars=20, trail_ratio="0.03", holds=1)))
    assert {trip.close_reason for trip in found["trips"]} == {"trailing_stop"}
    assert len(found["trips"]) >= 5
    moments = sorted((trip.opened_at, trip.closed_at) for trip in found["trips"])
    assert sum(1 for one, other in pairwise(moments) if other[0] < one[1]) <= len(moments) // 3


@pytest.mark.skipif(not btc_bars(), reason="the real minutes are not there")
def test_all_three_trade_real_minutes() -> None:
    terms: dict[str, Any] = {"instruments": [BTC], "timeframe": "5m"}
    found = ran(
        btc_bars(0, 2000),
        Trend("t", "paper", **terms, fast=4, slow=12, stop_ratio="0.003", reward="1.5", short=True),
        Reversal("r", "paper", **terms, bars=12, fall_ratio="0.002", stop_ratio="0.003", patience_bars=12),
        Breakout("b", "paper", **terms, bars=12, trail_ratio="0.003"),
    )
    assert {trip.strategy for trip in found["trips"]} == {"t", "r", "b"}
    assert len(found["trips"]) > 30
    assert not [order for order in found["orders"] if order.status in {"pending_new", "rejected", "unknown"}]


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (Trend, {"fast": 9, "slow": 9}),
        (Trend, {"stop_ratio": "0"}),
        (Reversal, {"entry_bars": 9, "patience_bars": 3}),
        (Reversal, {"fall_ratio": "0.9"}),
        (Breakout, {"holds": 0}),
        (Breakout, {"trail_ratio": "1"}),
        (Breakout, {"bars": 1}),
    ],
)
def test_parameters_that_make_no_sense_are_refused(kind: type[Strategy], wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        kind("a", "paper", **wrong)


def test_what_they_look_back_on_follows_from_their_parameters() -> None:
    assert Trend("a", slow=80).warm_up == 81
    assert Reversal("a", bars=44).warm_up == 44
    assert Breakout("a", bars=33, warm_up=50).warm_up == 50
