"""A trend follower: in with a crossing of two means of closes, out by a bracket of stop and target."""

from decimal import Decimal

from onebook.domain.facts import Order
from onebook.domain.market import Bar
from onebook.errors import InputError
from onebook.trading.runner.context import Context
from onebook.trading.runner.strategy import Strategy, parameter

_FULL = Decimal("0.95")


def mean(bars: tuple[Bar, ...]) -> Decimal:
    """Return the mean of the closes."""
    return sum((bar.close for bar in bars), Decimal()) / len(bars)


class Trend(Strategy):
    """Buys when the short mean crosses above the long one, and sells short at the opposite crossing if that is wanted.

    It enters at the market with a bracket: a stop at ``stop_ratio`` from the close that made it enter, and a target at
    ``reward`` times that distance. What neither reaches is left at the opposite crossing. The quantity is
    ``equity_ratio`` of the account's equity at that close.

    Attributes:
        fast: bars of the short mean.
        slow: bars of the long mean.
        stop_ratio: distance of the stop from the close, as a part of it.
        reward: distance of the target in distances of the stop.
        equity_ratio: how much of the equity one position costs.
        short: also sells short.
    """

    fast: int = parameter(20, least=2, most=1000)
    slow: int = parameter(60, least=3, most=5000)
    stop_ratio: Decimal = parameter(Decimal("0.02"), least=Decimal("0.0001"), most=Decimal("0.5"))
    reward: Decimal = parameter(Decimal(2), least=Decimal("0.1"), most=Decimal(50))
    equity_ratio: Decimal = parameter(Decimal("0.2"), least=Decimal("0.001"), most=Decimal(5))
    short: bool = parameter(default=False)

    def check(self) -> None:
        """Refuse means that cannot cross."""
        if self.fast >= self.slow:
            msg = f"fast: {self.fast} is not below slow: {self.slow}"
            raise InputError(msg, field="fast", value=self.fast)

    def needs(self) -> int:
        """Return the bars of the long mean, and one before them."""
        return self.slow + 1

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Look for a crossing."""
        bars = ctx.history(bar.instrument, self.slow + 1)
        if len(bars) <= self.slow:
            return
        before, now = bars[:-1], bars[1:]
        was_above = mean(before[-self.fast :]) > mean(before)
        is_above = mean(now[-self.fast :]) > mean(now)
        if is_above == was_above:
            return
        held = ctx.quantity(bar.instrument)
        if held and (held > 0) != is_above:
            self._leave(ctx, bar, held)
        elif not held and not ctx.open_orders(bar.instrument) and (is_above or self.short):
            self._enter(ctx, bar, is_long=is_above)

    def _enter(self, ctx: Context, bar: Bar, *, is_long: bool) -> None:
        quantity = ctx.lots(bar.instrument, ctx.equity() * self.equity_ratio / bar.close)
        if quantity <= 0:
            return
        distance = bar.close * self.stop_ratio * (1 if is_long else -1)
        stop = ctx.price(bar.instrument, bar.close - distance)
        target = ctx.price(bar.instrument, bar.close + distance * self.reward)
        side = "buy" if is_long else "sell"
        signal = ctx.signal(
            bar.instrument,
            side,
            price=bar.close,
            stop_loss=stop,
            take_profit=target,
            confidence=min(_FULL, Decimal(1) / (1 + self.reward)).quantize(Decimal("0.01")),
            confluences=(f"mean {self.fast} crossed mean {self.slow}",),
            expires_after_seconds=7 * 86_400,
        )
        entry = Order(instrument=bar.instrument, side=side, quantity=quantity, signal_id=signal)
        ctx.bracket(entry, stop_loss=stop, take_profit=target)

    def _leave(self, ctx: Context, bar: Bar, held: Decimal) -> None:
        """Leave at the market, and take the bracket's exits back."""
        for order in ctx.open_orders(bar.instrument):
            ctx.cancel(order.client_order_id, reason="the means crossed back")
        leave = ctx.sell if held > 0 else ctx.buy
        leave(bar.instrument, abs(held), reduce_only=True, close_reason="signal")
