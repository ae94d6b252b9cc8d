"""A copy of the book after everything that a runner writes: going on from each one ends in the same book."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import get_ident
from typing import Any

import apsw
import pytest
from tests.trading.closing import terms
from tests.trading.running import EVEN, D, Scene, models_of, printed

from onebook.book.core import Core
from onebook.book.marks import Marks
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


class Rides(Strategy):
    """Opens at the third bar, and lets the book trail once so many bars have closed."""

    side = "buy"
    after = 3

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        number = bar.at_ns // times.MINUTE % 60
        if number == 2:
            (ctx.buy if self.side == "buy" else ctx.sell)("AAPL", 10)
        if number == self.after - 1:  # the place is kept with it: what was seen before is not seen again
            ctx.buy("AAPL", 1, kind="limit", limit_price=1)
        if number == self.after:
            ctx.protect("AAPL", trail_ratio="0.02")


class RidesLate(Rides):
    """The same with a trail that begins at a mark of long before it."""

    after = 6


class RidesDown(Rides):
    """The same with a short position."""

    side = "sell"
    after = 6


class Waits(Rides):
    """The same with a trail that is set before its position opens."""

    after = 2


class Holds(Strategy):
    """Opens late, under a stop that the book watches."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if bar.at_ns // times.MINUTE % 60 == 4:
            ctx.buy("AAPL", 10)

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        if fill.side == "buy":
            ctx.protect("AAPL", stop_loss="107.5")


def flat(*closes: str) -> Sequence[Seen]:
    """Bars whose open, high, low and close are one."""
    return minutes(closes, high="0", low="0")


def minutes(
    closes: Sequence[str] = ("100", "100", "100.02", "100.04", "100.05", "100.05", "100.03", "100"),
    *,
    high: str = "0.03",
    low: str = "0.01",
) -> Sequence[Seen]:
    """A rise in small steps, whose highs no close reaches, and a fall that only the highest trail meets."""
    begin = times.from_text("t", "2024-03-04T15:00:00Z")
    found = []
    for number, close in enumerate(closes):
        most = D(close) + (D(high) if number < 6 else 0)
        opened = begin + number * times.MINUTE
        prices: dict[str, Any] = {"open": D(close), "high": most, "low": D(close) - D(low), "close": D(close)}
        at = opened + times.MINUTE
        found.append(Bar(instrument="AAPL", timeframe="1m", opened_ns=opened, at_ns=at, **prices, volume=D(1000)))
    return found


SCENES: dict[str, tuple[tuple[type[Strategy], ...], Callable[[], Sequence[Seen]]]] = {
    "end of day": ((Patient,), lambda: printed(["100"] * 12, since="2023-11-24T17:57:54Z")),
    "expiry": ((Expires,), lambda: printed(["100"] * 10)),
    "trail": ((Trails,), minutes),
    "trail set at the first mark": ((Rides,), lambda: flat("100", "100", "110", "107.5", "107", "106", "106")),
    "trail set late": (
        (RidesLate,),
        lambda: flat("100", "100", "104", "110", "109", "108.5", "108", "107.5", "106", "106"),
    ),
    "trail set late below": (
        (RidesDown,),
        lambda: flat("100", "100", "96", "90", "91", "91.5", "91.7", "92", "94", "94"),
    ),
    "trail set before": ((Waits,), lambda: flat("100", "100", "110", "107.5", "107", "106", "106")),
    "stops of one moment": ((Holds, Rides), lambda: flat("100", "100", "110", "110", "109", "109", "106", "106")),
}


def life(scene: Scene, name: str, wall: int) -> str:
    kinds, shown = SCENES[name]
    events = shown()
    book = scene.open(events[0].at_ns - times.MINUTE)
    try:
        scene.define()
        eod = [book.trading.end_of_day([terms(accounts=("paper",), minutes_before_close=2)])]
        runner = scene.runner(
            [kind(f"s{number}", "paper", instruments=["AAPL"]) for number, kind in enumerate(kinds)],
            moments=eod if name == "end of day" else [],
            wall=lambda: wall,
        )
        return runner.replay(events)
    finally:
        book.close()


def comparable(place: str) -> dict[str, Any]:
    return {
        name: [{key: value for key, value in row.items() if key not in OBSERVED} for row in rows]
        for name, rows in models_of(place).items()
    }


@pytest.mark.parametrize("shares", [True, False])
@pytest.mark.parametrize("name", SCENES)
def test_a_kill_after_any_write_changes_nothing(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, *, shares: bool
) -> None:
    scene = Scene(str(tmp_path / "whole.db"), rules=EVEN)
    copies: list[str] = []
    here = get_ident()

    def copied(inner: Callable[..., Any]) -> Callable[..., Any]:
        def write(self: Any, *given: Any, **more: Any) -> Any:
            found = inner(self, *given, **more)
            if get_ident() != here:  # who says that the runner lives, and who shares marks, write beside it
                return found
            copies.append(str(tmp_path / f"copy{len(copies)}.db"))
            source, target = apsw.Connection(scene.place), apsw.Connection(copies[-1])
            with target.backup("main", source, "main") as backup:
                backup.step()
            source.close()
            target.close()
            return found

        return write

    with monkeypatch.context() as patched:
        if not shares:  # the kill comes before marks, highs and lows were kept for others
            share = Marks.share
            patched.setattr(Marks, "share", lambda self, *, wait=False: share(self, wait=True) if wait else None)
            patched.setattr(Marks, "_tell_extremes", lambda _self: None)
        for owner, method in ((Core, "submit"), (Core, "record"), (Outbox, "_cancel"), (Outbox, "_submit")):
            patched.setattr(owner, method, copied(getattr(owner, method)))
        store = type(scene.open(0).store)
        scene.book.close()
        patched.setattr(store, "aside", copied(store.aside))
        assert life(scene, name, WALL) == "end of the data"
    once = comparable(scene.place)
    assert len(copies) > 20
    assert {row["status"] for row in once["orders"]} & {"canceled", "filled"}
    assert not name.startswith("trail set") or [row["close_reason"] for row in once["round_trips"]] == ["trailing_stop"]
    for number, place in enumerate(copies):
        assert life(Scene(place, rules=EVEN), name, WALL + 10**12) == "end of the data"
        again = comparable(place)
        for kind, rows in once.items():
            assert again[kind] == rows, f"{kind} differ after write {number} of {len(copies)}"
