"""A mean reverter: buys what fell too far below its mean, with a target, a stop, and an end to its patience."""

from decimal import Decimal

from onebook.domain import times
from onebook.domain.facts import Order
from onebook.domain.market import Bar
from onebook.errors import InputError
from onebook.trading.examples.trend import mean
from onebook.trading.runner.context import Context
from onebook.trading.runner.strategy import Strategy, parameter


class Reversal(Strategy):
    """Bids below a close that fell ``fall_ratio`` under the mean; the target is the mean, the stop lies as far below.

    The entry is a limit order at the close, which its signal takes back when it has not filled after
    ``entry_bars`` bars. A position that reaches neither stop nor target within ``patience_bars`` bars is sold.

    Attributes:
        bars: of the mean.
        fall_ratio: how far below the mean the close must be, as a part of it.
        stop_ratio: distance of the stop from the entry, as a part of it.
        entry_bars: how long the entry rests.
        patience_bars: how long a position is held at most.
        equity_ratio: how much of the equity one position costs.
    """

    bars: int = parameter(30, least=2, most=5000)
    fall_ratio: Decimal = parameter(Decimal("0.01"), least=Decimal("0.0001"), most=Decimal("0.5"))
    stop_ratio: Decimal = parameter(Decimal("0.02"), least=Decimal("0.0001"), most=Decimal("0.5"))
    entry_bars: int = parameter(3, least=1, most=1000)
    patience_bars: int = parameter(60, least=1, most=10_000)
    equity_ratio: Decimal = parameter(Decimal("0.2"), least=Decimal("0.001"), most=Decimal(5))

    def check(self) -> None:
        """Refuse a position that would end before its entry does."""
        if self.patience_bars < self.entry_bars:
            msg = f"patience_bars: {self.patience_bars} is below entry_bars: {self.entry_bars}"
            raise InputError(msg, field="patience_bars", value=self.patience_bars)

    def needs(self) -> int:
        """Return the bars of the mean."""
        return self.bars

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Leave what took too long, and look for a fall."""
        held = ctx.position(bar.instrument)
        if held is not None and held.quantity:
            if self._is_tired(ctx, bar, held.opened_at):
                self._leave(ctx, bar, held.quantity)
            return
        seen = ctx.history(bar.instrument, self.bars)
        if len(seen) < self.bars or ctx.open_orders(bar.instrument):
            return
        middle = mean(seen)
        if bar.close <= middle * (1 - self.fall_ratio):
            self._enter(ctx, bar, middle)

    def _enter(self, ctx: Context, bar: Bar, middle: Decimal) -> None:
        price, target = ctx.price(bar.instrument, bar.close), ctx.price(bar.instrument, middle)
        stop = ctx.price(bar.instrument, bar.close * (1 - self.stop_ratio))
        quantity = ctx.lots(bar.instrument, ctx.equity() * self.equity_ratio / bar.close)
        if quantity <= 0 or not stop < price < target:
            return
        fall = 1 - bar.close / middle
        signal = ctx.signal(
            bar.instrument,
            "buy",
            price=price,
            stop_loss=stop,
            take_profit=target,
            confidence=min(Decimal("0.95"), fall * 10).quantize(Decimal("0.01")),
            confluences=(f"{fall * 100:.2f} % below mean {self.bars}",),
            expires_after_seconds=self._seconds(bar) * self.entry_bars,
        )
        entry = Order(
            instrument=bar.instrument, side="buy", quantity=quantity, kind="limit", limit_price=price, signal_id=signal
        )
        ctx.bracket(entry, stop_loss=stop, take_profit=target)

    def _is_tired(self, ctx: Context, bar: Bar, opened_at: object) -> bool:
        opened = times.to_ns("opened_at", opened_at)
        return ctx.now_ns - opened >= self._seconds(bar) * self.patience_bars * times.SECOND

    def _seconds(self, bar: Bar) -> float:
        return (bar.at_ns - bar.opened_ns) / times.SECOND

    def _leave(self, ctx: Context, bar: Bar, held: Decimal) -> None:
        orders = ctx.open_orders(bar.instrument)
        if any(order.kind == "market" for order in orders):
            return  # it is on its way out
        for order in orders:
            ctx.cancel(order.client_order_id, reason="it took too long")
        ctx.sell(bar.instrument, held, reduce_only=True, close_reason="signal")
