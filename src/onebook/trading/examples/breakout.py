"""A breakout: waits with a stop order above the highest high, and rides behind a trailing stop."""

from decimal import Decimal

from onebook.domain.facts import Order
from onebook.domain.market import Bar
from onebook.domain.numbers import Number
from onebook.domain.reports import OrderState
from onebook.trading.runner.context import Context
from onebook.trading.runner.strategy import Strategy, parameter


class Breakout(Strategy):
    """Keeps one buy stop order above the highest high of ``bars`` bars, with a trailing stop that waits for its fill.

    When the highest high moves, the entry is taken back and placed anew; it is a bracket, so its exit goes with it.
    Of several instruments only the ``holds`` that rose most over the window are waited for.

    Attributes:
        bars: of the window.
        trail_ratio: distance of the trailing stop from the best price since the entry, as a part of it.
        holds: how many positions and waiting entries there are at most.
        equity_ratio: how much of the equity one position costs.
    """

    bars: int = parameter(60, least=2, most=5000)
    trail_ratio: Decimal = parameter(Decimal("0.01"), least=Decimal("0.0001"), most=Decimal("0.5"))
    holds: int = parameter(1, least=1, most=100)
    equity_ratio: Decimal = parameter(Decimal("0.2"), least=Decimal("0.001"), most=Decimal(5))

    def needs(self) -> int:
        """Return the bars of the window."""
        return self.bars

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Keep the entry above the window."""
        if ctx.quantity(bar.instrument):
            return
        seen = ctx.history(bar.instrument, self.bars)
        if len(seen) < self.bars:
            return
        waiting = [order for order in ctx.open_orders(bar.instrument) if not order.parent_id]
        level = ctx.price(bar.instrument, max(item.high for item in seen))
        if not self._leads(ctx, bar.instrument):
            self._take_back(ctx, waiting)
        elif not waiting:
            self._enter(ctx, bar, level)
        elif waiting[0].stop_price != level and waiting[0].status == "new":
            self._take_back(ctx, waiting)

    def _leads(self, ctx: Context, instrument: str) -> bool:
        """Say whether an instrument is among those that rose most, beside those that are held."""
        moves: dict[str, Decimal] = {}
        held = 0
        for name in self.instruments:
            if name != instrument and ctx.quantity(name):
                held += 1
                continue
            seen = ctx.history(name, self.bars)
            if len(seen) == self.bars:
                moves[name] = seen[-1].close / seen[0].open
        best = sorted(moves, key=lambda name: (-moves[name], name))
        return instrument in best[: max(self.holds - held, 0)]

    def _take_back(self, ctx: Context, waiting: list[OrderState]) -> None:
        for order in waiting:
            ctx.cancel(order.client_order_id, reason="the level moved")

    def _enter(self, ctx: Context, bar: Bar, level: Decimal) -> None:
        quantity: Number = ctx.lots(bar.instrument, ctx.equity() * self.equity_ratio / level)
        if not quantity:
            return
        signal = ctx.signal(
            bar.instrument,
            "buy",
            price=level,
            confluences=(f"above the high of {self.bars} bars",),
        )
        entry = Order(
            instrument=bar.instrument, side="buy", quantity=quantity, kind="stop", stop_price=level, signal_id=signal
        )
        ctx.bracket(entry, trail_ratio=self.trail_ratio)
