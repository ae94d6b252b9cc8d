"""A bot that must be flat at every close: its file, three real sessions of prices, and its strategies.

The sessions are those of New York around Thanksgiving 2023: a whole day, an early close, and a whole day.
"""

import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from onebook import Order
from onebook.domain import times
from onebook.domain.market import Bar
from onebook.trading.runner import Strategy
from onebook.trading.runner.context import Context

D = Decimal
DAYS = {"2023-11-22": "21:00", "2023-11-24": "18:00", "2023-11-27": "21:00"}
"""When each session closes, UTC."""

OPENING_MINUTES, CLOSING_MINUTES = 40, 20
"""Of each session only its first and last minutes are shown."""

BOT = """\
name: flat
book: {url: flat.db}
accounts:
  paper:
    currency: USD
    opening: 100000
    calendar: XNYS
    fees: {taker_ratio: 0.0005, maker_ratio: 0.0002}
instruments:
  AAPL: {kind: equity, quote: USD, tick_size: 0.01, lot_size: 1}
  MSFT: {kind: equity, quote: USD, tick_size: 0.01, lot_size: 1}
market:
  source: files
  files: [AAPL_1m.csv, MSFT_1m.csv]
strategies:
  long: {use: "tests.tortures.flat_bot:Long", instruments: [AAPL, MSFT]}
  short: {use: "tests.tortures.flat_bot:Short", instruments: [AAPL, MSFT]}
  guarded: {use: "tests.tortures.flat_bot:Guarded", instruments: [AAPL, MSFT]}
  undecided: {use: "tests.tortures.flat_bot:Undecided", instruments: [AAPL]}
limits:
  all: {max_mark_age_seconds: 600}
end_of_day:
  stocks: {calendar: XNYS, minutes_before_close: 5, accounts: [paper]}
"""


# ---- its strategies ----


def may_enter(ctx: Context, bar: Bar, every: int) -> bool:
    """Say whether a strategy opens now: not in the last four minutes of an hour, which may be those of a session."""
    minute = bar.at_ns // times.MINUTE
    is_late = minute % 60 > 55 or minute % 60 == 0
    return not (is_late or minute % every or ctx.quantity(bar.instrument) or ctx.open_orders(bar.instrument))


class Long(Strategy):
    """Buys with a stop and a target at the venue, also after the end of day has begun."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if may_enter(ctx, bar, 5):
            entry = Order(instrument=bar.instrument, side="buy", quantity=10)
            stop, target = (ctx.price(bar.instrument, bar.close * D(ratio)) for ratio in ("0.995", "1.004"))
            ctx.bracket(entry, stop_loss=stop, take_profit=target)


class Short(Strategy):
    """Sells short behind a trail at the venue."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if may_enter(ctx, bar, 6):
            ctx.bracket(Order(instrument=bar.instrument, side="sell", quantity=5), trail_ratio="0.003")


class Guarded(Strategy):
    """Buys and lets the book watch a stop, which is far away on every other day."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if may_enter(ctx, bar, 8):
            ctx.buy(bar.instrument, 3)

    def on_fill(self, ctx: Context, fill: Any) -> None:
        if fill.side == "buy":
            ratio = D("0.90") if fill.occurred_ns // times.DAY % 2 else D("0.997")
            ctx.protect(fill.instrument, stop_loss=ctx.price(fill.instrument, fill.price * ratio))


class Undecided(Strategy):
    """Sees something and does not act on it; one order waits far away."""

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        if may_enter(ctx, bar, 10):
            ctx.signal(bar.instrument, "buy", confidence="0.5")
            waits = ctx.signal(bar.instrument, "buy", confidence="0.4")
            ctx.buy(bar.instrument, 1, kind="limit", limit_price=1, signal_id=waits)


# ---- its files ----


def closes_ns() -> list[int]:
    """When the sessions close."""
    return [times.from_text("close", f"{day}T{at}:00Z") for day, at in DAYS.items()]


def bars(seed: int) -> Iterator[str]:
    """Yield the lines of a file of bars of a minute that go up and down by chance."""
    rng, price = random.Random(seed), 15_000
    yield "timestamp,open,high,low,close,volume"
    for day, closes in zip(DAYS, closes_ns(), strict=True):
        opens = times.from_text("open", f"{day}T14:30:00Z")
        last = (closes - opens) // times.MINUTE
        for minute in (*range(OPENING_MINUTES), *range(last - CLOSING_MINUTES, last)):
            opened, price = price, price + rng.randint(-30, 30)
            high, low = max(opened, price) + rng.randint(0, 9), min(opened, price) - rng.randint(0, 9)
            figures = ",".join(str(D(item) / 100) for item in (opened, high, low, price))
            yield f"{times.to_text(opens + minute * times.MINUTE)},{figures},100000"


def write_bot(folder: Path) -> Path:
    """Write what the bot needs; return its file."""
    for seed, name in enumerate(("AAPL", "MSFT")):
        (folder / f"{name}_1m.csv").write_text("\n".join(bars(seed)) + "\n")
    path = folder / "bot.yaml"
    path.write_text(BOT)
    return path
