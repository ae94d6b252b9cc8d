"""The three bots: the example strategies of the runner on daily bars."""

from decimal import Decimal

from onebook.demo.market import INTRADAY, OVERNIGHT
from onebook.domain.market import Print
from onebook.trading.examples.breakout import Breakout
from onebook.trading.examples.reversal import Reversal
from onebook.trading.examples.trend import Trend
from onebook.trading.runner.context import Context
from onebook.trading.runner.strategy import Strategy

ACCOUNT = "demo"
NAMES = ("trend", "reversal", "breakout")
WITHIN_THE_DAY = "reversal"
"""The bot that keeps nothing overnight: the end of the day closes what it holds."""


def bots() -> list[Strategy]:
    """Return the three bots."""
    return [
        Trend(
            "trend", ACCOUNT, instruments=OVERNIGHT, timeframe="1d",
            stop_ratio=Decimal("0.08"), equity_ratio=Decimal("0.2"), short=True,
        ),
        ReversalBot(
            WITHIN_THE_DAY, ACCOUNT, instruments=INTRADAY, timeframe="1d",
            bars=20, fall_ratio=Decimal("0.04"), stop_ratio=Decimal("0.03"), equity_ratio=Decimal("0.3"),
        ),
        Breakout(
            "breakout", ACCOUNT, instruments=OVERNIGHT, timeframe="1d",
            bars=100, trail_ratio=Decimal("0.15"), holds=2, equity_ratio=Decimal("0.2"),
        ),
    ]  # fmt: skip


class ReversalBot(Reversal):
    """The mean reverter. What the open does not fill it takes back: the data goes on at the close."""

    def on_print(self, ctx: Context, print_: Print) -> None:
        """Take back an entry that the open did not fill."""
        for order in ctx.open_orders(print_.instrument):
            if order.status == "new" and not order.reduce_only and ctx.now_ns > (order.occurred_ns or 0):
                ctx.cancel(order.client_order_id, reason="the open did not fill it")
