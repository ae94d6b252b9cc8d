"""A copy of the book after everything that a runner writes: going on from each one ends in the same book."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.trading.closing import terms
from tests.trading.running import EVEN, D, Scene, models_of, printed

from onebook.book.core import Core
from onebook.domain import times
from onebook.domain.facts import Fill
from onebook.domain.market import Bar, Print, Seen
from onebook.trading.outbox import Outbox
from onebook.trading.runner import Strategy
from onebook.trading.runner.context import Context

WALL = 10**18
OBSERVED = {"highest", "lowest", "mark", "marked_at", "unrealized_pnl", "stale", "best"}
"""What may lag after a kill; the level that a trail had when it was reached may not."""


class Patient(Strategy):
    """Has one order far away at all times; where it hears an event twice, it sees that the first one is gone."""

    expires: float | None = None

    def on_print(self, ctx: Context, print_: Print) -> None:
        if ctx.open_orders() or ctx.quantity("AAPL"):
            return
        signal = ctx.signal("AAPL", "buy", expires_after_seconds=self.expires)
        ctx.buy("AAPL", 1, kind="limit", limit_price=5, signal_id=signal)


class Expires(Patient):
    """The same with signals that end."""

    expires = 3.0


class Trails(Strategy):
    """Buys, and lets the book trail by steps that are too small for an entry each."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if bar.close == 100 and not ctx.quantity("AAPL"):
            ctx.buy("AAPL", 10)

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        if fill.side == "buy":
            ctx.protect("AAPL", trail_amount=D("0.08"))


def minutes() -> Sequence[Seen]:
    """A rise in small steps, whose highs no close reaches, and a fall that only the highest trail meets."""
    begin = times.from_text("t", "2024-03-04T15:00:00Z")
    found = []
    for number, close in enumerate(["100", "100", "100.02", "100.04", "100.05", "100.05", "100.03", "100"]):
        high = D(close) + (D("0.03") if number < 6 else 0)
        opened = begin + number * times.MINUTE
        prices: dict[str, Any] = {"open": D(close), "high": high, "low": D(close) - D("0.01"), "close": D(close)}
        at = opened + times.MINUTE
        found.append(Bar(instrument="AAPL", timeframe="1m", opened_ns=opened, at_ns=at, **prices, volume=D(1000)))
    return found


SCENES: dict[str, tuple[type[Strategy], Callable[[], Sequence[Seen]]]] = {
    "end of day": (Patient, lambda: printed(["100"] * 12, since="2023-11-24T17:57:54Z")),
    "expiry": (Expires, lambda: printed(["100"] * 10)),
    "trail": (Trails, minutes),
}


def life(scene: Scene, name: str, wall: int) -> str:
    kind, shown = SCENES[name]
    events = shown()
    book = scene.open(events[0].at_ns - times.MINUTE)
    try:
        scene.define()
        eod = [book.trading.end_of_day([terms(accounts=("paper",), minutes_before_close=2)])]
        runner = scene.runner(
            [kind("s", "paper", instruments=["AAPL"])], moments=eod if name == "end of day" else [], wall=lambda: wall
        )
        return runner.replay(events)
    finally:
        book.close()


def comparable(place: str) -> dict[str, Any]:
    return {
        name: [{key: value for key, value in row.items() if key not in OBSERVED} for row in rows]
        for name, rows in models_of(place).items()
    }


@pytest.mark.parametrize("name", SCENES)
def test_a_kill_after_any_write_changes_nothing(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(str(tmp_path / "whole.db"), rules=EVEN)
    copies: list[str] = []

    def copied(inner: Callable[..., Any]) -> Callable[..., Any]:
        def write(self: Any, *given: Any, **more: Any) -> Any:
            found = inner(self, *given, **more)
            copies.append(str(tmp_path / f"copy{len(copies)}.db"))
            source, target = apsw.Connection(scene.place), apsw.Connection(copies[-1])
            with target.backup("main", source, "main") as backup:
                backup.step()
            source.close()
            target.close()
            return found

        return write

    with monkeypatch.context() as patched:
        for owner, method in ((Core, "submit"), (Core, "record"), (Outbox, "_cancel"), (Outbox, "_submit")):
            patched.setattr(owner, method, copied(getattr(owner, method)))
        store = type(scene.open(0).store)
        scene.book.close()
        patched.setattr(store, "aside", copied(store.aside))
        assert life(scene, name, WALL) == "end of the data"
    once = comparable(scene.place)
    assert len(copies) > 20
    assert {row["status"] for row in once["orders"]} & {"canceled", "filled"}
    for number, place in enumerate(copies):
        assert life(Scene(place, rules=EVEN), name, WALL + 10**12) == "end of the data"
        again = comparable(place)
        for kind, rows in once.items():
            assert again[kind] == rows, f"{kind} differ after write {number} of {len(copies)}"
