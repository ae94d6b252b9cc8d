"""The picture fits the terminal and says what the book says; an event reads as one line."""

import decimal
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

import onebook
from onebook.demo import words
from onebook.demo.bots import NAMES
from onebook.demo.history import load_sessions
from onebook.demo.player import Silence, play
from onebook.demo.replay import Replay
from onebook.demo.scene import Exits, Happening, Observer, Scene, strategy_money
from onebook.demo.view import draw
from onebook.demo.words import event_line
from onebook.domain.numbers import number
from onebook.domain.reports import Event
from onebook.trading.runner.clock import ReplayClock


@pytest.fixture(scope="module")
def scene() -> Scene:
    clock = ReplayClock()
    with onebook.open(":memory:", clock=clock) as book:
        replay = Replay(book, clock, load_sessions(last=date(2000, 9, 7)))
        observer = Observer(replay)
        last, why = play(replay, observer, Silence())
        assert last is not None
        assert why == "end of the data"
        return observer.scene(last, tuple(strategy_money(book, NAMES)))


@pytest.mark.parametrize("state", ["state", "state\ndashboard http://127.0.0.1:8321/"])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 32), (160, 50)])
def test_the_picture_fits_the_terminal(scene: Scene, width: int, height: int, state: str) -> None:
    text = io.StringIO()
    Console(file=text, width=width, height=height, force_terminal=False).print(draw(scene, state), end="")
    lines = text.getvalue().splitlines()
    assert len(lines) == height
    assert {len(line) for line in lines} == {width}
    parts = ("EUR/USD", "positions", "realized P&L", "events", "breakout", "trading ACTIVE", "Thu 07 Sep 2000")
    for part in (*parts, *state.split("\n")):
        assert part in text.getvalue()


def test_each_position_is_shown_with_the_stop_that_rests_at_the_venue(scene: Scene) -> None:
    assert scene.positions
    for held in scene.positions:
        assert held.strategy is not None
        assert held.mark is not None
        stop = scene.exits[held.strategy, held.instrument].stop
        assert stop is not None
        assert (stop < held.mark) == (held.quantity > 0)


def line_of(kind: str, exits: Exits, data: dict[str, Any]) -> str:
    at = datetime(2008, 9, 29, 20, tzinfo=UTC)
    event = Event(
        id="1.1", sequence=1, type=kind, version=1, occurred_at=at, recorded_at=at, actor="demo", correlation_id="",
        account="demo", instrument="IBM", strategy="trend", data=data,
    )  # fmt: skip
    return event_line(Happening(event=event, exits=exits)).plain


BRACKET = Exits(stop=number("stop", "81.2"), target=number("target", "94.1"))
ORDER = {"side": "buy", "quantity": "178", "kind": "market", "status": "pending_new"}
DENIED = ORDER | {"status": "denied", "gate": {"denied": "reducing"}}
SPLIT = {"kind": "split", "numerator": 2, "denominator": 1}
FILL = {"side": "sell", "quantity": "178", "price": "81.2", "close_reason": "stop_loss"}
REDUCING = {"state": "REDUCING", "reason": "too much"}


@pytest.mark.parametrize(
    ("line", "kind", "exits", "data"),
    [
        ("◇ trend wants to buy IBM at 87.20", "signal_detected", Exits(), {"action": "buy", "price": "87.2"}),
        ("○ trend buy 178 IBM, stop 81.20, target 94.10", "order_updated", BRACKET, ORDER),
        ("○ trend may not buy IBM: reducing", "order_updated", Exits(), DENIED),
        ("● trend sold 178 IBM @ 81.20, stop", "trade_executed", Exits(), FILL),
        ("■ trend IBM flat, trip −1,041", "position_closed", Exits(), {"round_trip": {"net": "-1041.3"}}),
        ("▲ trend lost 6,241 today, limit 6,000", "daily_loss_breached", Exits(), {"loss": "6240.7", "limit": "6000"}),
        ("▲ trend is REDUCING: too much", "trading_state_changed", Exits(), REDUCING),
        ("◆ trend IBM splits 2:1", "corporate_action_applied", Exits(), SPLIT),
    ],
)  # fmt: skip
def test_an_event_reads_as_a_line(line: str, kind: str, exits: Exits, data: dict[str, Any]) -> None:
    assert line_of(kind, exits, data) == f"09-29 {line}"


def test_amounts_are_rounded_the_same_whatever_a_library_did_to_the_process() -> None:
    with decimal.localcontext(decimal.Context(prec=3, rounding=decimal.ROUND_HALF_UP)):
        assert words.amount(Decimal("-21695.605")) == "−21,695.60"
        assert words.signed(Decimal("21695.615")).plain == "+21,695.62"
        assert words.units(Decimal("12345.600")) == "12,345.6"
