"""Run strategies over real stocks and die at a chosen kind of moment, or at a random one.

Arguments: the book's path, a seed, the kind of moment (``entry send sent filled decided random none``), and how often
such a moment is the last. It ends by itself, with 0, once it has gone over everything.
"""

import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from tests.trading.running import EVEN, D, Scene, stock_bars

from onebook.domain import times
from onebook.domain.facts import Order
from onebook.domain.market import Bar, Seen
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.desk import TradingDesk
from onebook.trading.examples import Breakout, Reversal, Trend
from onebook.trading.runner import Strategy
from onebook.trading.runner.context import Context

DAYS = 140
MOMENTS = ("entry", "send", "sent", "filled", "decided", "random")
FAR = 30.0


class Guarded(Strategy):
    """Buys every seventh session and lets the book watch a stop and a target."""

    timeframe = "1d"

    def on_start(self, ctx: Context) -> None:
        ctx.timer("week", 7 * 86_400)

    def on_timer(self, ctx: Context, name: str) -> None:
        for instrument in self.instruments:
            if not ctx.quantity(instrument) and not ctx.open_orders(instrument):
                ctx.buy(instrument, 10)

    def on_fill(self, ctx: Context, fill: Any) -> None:
        if fill.side == "buy":
            stop, target = (ctx.price(fill.instrument, fill.price * ratio) for ratio in (D("0.98"), D("1.03")))
            ctx.protect(fill.instrument, stop_loss=stop, take_profit=target)


class Riding(Strategy):
    """Rides behind a trail that the book watches; else an order far away waits for as long as its signal."""

    timeframe = "1d"

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if ctx.quantity(bar.instrument) or ctx.open_orders(bar.instrument):
            return
        if bar.close > bar.open:
            ctx.buy(bar.instrument, 10)
            return
        signal = ctx.signal(bar.instrument, "buy", expires_after_seconds=2 * 86_400)
        ctx.buy(bar.instrument, 1, kind="limit", limit_price=1, signal_id=signal)

    def on_fill(self, ctx: Context, fill: Any) -> None:
        if fill.side == "buy":
            ctx.protect(fill.instrument, trail_ratio="0.02")


def crew() -> Sequence[Strategy]:
    """The strategies that every life runs."""
    names = ["AAPL", "MSFT"]
    return [
        Trend("trend", "paper", instruments=names, timeframe="1d", fast=3, slow=8, stop_ratio="0.03", short=True),
        Reversal("reversal", "paper", instruments=names, timeframe="1d", bars=10, fall_ratio="0.01", patience_bars=4),
        Breakout("breakout", "paper", instruments=names, timeframe="1d", bars=12, trail_ratio="0.02", holds=2),
        Guarded("guarded", "paper", instruments=names),
        Riding("riding", "paper", instruments=names),
    ]


def events() -> Sequence[Bar]:
    """What every life goes over."""
    return stock_bars(DAYS, "AAPL", "MSFT")


class Fate:
    """Decides when this process ends."""

    def __init__(self, seed: int, moment: str, chance: float) -> None:
        self._rng = random.Random(seed)
        self._moment = moment
        self._chance = chance
        if moment == "random" and chance:
            threading.Timer(self._rng.choice((self._rng.random() * 0.6, FAR)), self.die).start()

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def at(self, *moments: str) -> None:
        """Maybe end now, if this is such a moment; with ``random`` every moment is."""
        is_one = self._moment in moments or (self._moment == "random" and self._rng.random() < 0.1)
        if is_one and self._rng.random() < self._chance:
            self.die()


class Broker(PaperBroker):
    """A paper venue near which the process dies."""

    fate: Fate

    def start(self, reports: Callable[[Any], None]) -> None:
        def told(facts: Any) -> None:
            reports(facts)
            if any(type(fact).__name__ == "Fill" for fact in facts):
                self.fate.at("filled")

        super().start(told)

    def submit(self, order: Order) -> None:
        self.fate.at("send")
        super().submit(order)
        self.fate.at("sent")

    def see(self, seen: Seen) -> None:
        self.fate.at("entry")
        super().see(seen)


class Desk(TradingDesk):
    """A desk near which the process dies."""

    fate: Fate

    def place(self, *orders: Order, **more: Any) -> Any:
        self.fate.at("entry", "decided")
        found = super().place(*orders, **more)
        self.fate.at("decided", "send")
        return found


def main() -> None:
    place, seed, moment, chance = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
    fate = Fate(seed, moment, chance)
    scene = Scene(place, rules=EVEN)
    book = scene.open(events()[0].at_ns - times.MINUTE)
    scene.define()
    broker = Broker(book, ("paper",), scene.rules, clock=scene.clock)
    book._trading = desk = Desk(book)
    broker.fate = desk.fate = fate
    scene.runner(crew(), broker=broker).replay(events())
    book.close()
    os._exit(0)


if __name__ == "__main__":
    main()
