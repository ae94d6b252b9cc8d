"""nautilus_trader: single orders that rest, through its simulated exchange, along quotes or trades.

Reads one run a line: ``{"quotes": [[bid, ask, bid size, ask size], …]}`` or ``{"prints": [[price, size], …]}``, with
``"order"``: the ``tick`` after which it is sent, ``side``, ``quantity`` and one of ``limit``, ``stop`` (prices) or
``trail`` (an amount). Writes one line each: ``[[tick, price, quantity], …]`` of its fills, ticks counted from 0. Trades
have no aggressor, so that both sides of the book stand at their price.
"""

import json
import sys
from decimal import Decimal
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine  # type: ignore[import-not-found]
from nautilus_trader.config import BacktestEngineConfig, LoggingConfig  # type: ignore[import-not-found]
from nautilus_trader.model.currencies import BTC, USDT  # type: ignore[import-not-found]
from nautilus_trader.model.data import QuoteTick, TradeTick  # type: ignore[import-not-found]
from nautilus_trader.model.enums import (  # type: ignore[import-not-found]
    AccountType,
    AggressorSide,
    OmsType,
    OrderSide,
    TrailingOffsetType,
    TriggerType,
)
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue  # type: ignore[import-not-found]
from nautilus_trader.model.instruments import CryptoPerpetual  # type: ignore[import-not-found]
from nautilus_trader.model.objects import Money, Price, Quantity  # type: ignore[import-not-found]
from nautilus_trader.trading.strategy import Strategy  # type: ignore[import-not-found]

STEP = 1_000_000
ID = InstrumentId(Symbol("BTCUSDT-PERP"), Venue("SIM"))
PERP = CryptoPerpetual(
    instrument_id=ID,
    raw_symbol=Symbol("BTCUSDT"),
    base_currency=BTC,
    quote_currency=USDT,
    settlement_currency=USDT,
    is_inverse=False,
    price_precision=2,
    size_precision=3,
    price_increment=Price.from_str("0.10"),
    size_increment=Quantity.from_str("0.001"),
    ts_event=0,
    ts_init=0,
)


class Plan(Strategy):  # type: ignore[misc]
    """Sends its order after a tick."""

    def __init__(self, order: dict[str, Any], *, quotes: bool) -> None:
        super().__init__()
        self.plan = order
        self.quotes = quotes
        self.fills: list[list[Any]] = []
        self.seen = -1

    def on_start(self) -> None:
        """Ask for the ticks."""
        if self.quotes:
            self.subscribe_quote_ticks(ID)
        else:
            self.subscribe_trade_ticks(ID)

    def on_quote_tick(self, tick: Any) -> None:
        """Count."""
        self.count()

    def on_trade_tick(self, tick: Any) -> None:
        """Count."""
        self.count()

    def count(self) -> None:
        """Send the order when it is due."""
        self.seen += 1
        if self.seen == self.plan["tick"]:
            self.submit_order(self.order())

    def order(self) -> Any:
        """Return the order."""
        side = OrderSide.BUY if self.plan["side"] == "buy" else OrderSide.SELL
        quantity = Quantity.from_str(self.plan["quantity"])
        if "limit" in self.plan:
            return self.order_factory.limit(ID, side, quantity, Price.from_str(self.plan["limit"]))
        if "stop" in self.plan:
            level = Price.from_str(self.plan["stop"])
            return self.order_factory.stop_market(ID, side, quantity, level, trigger_type=TriggerType.BID_ASK)
        return self.order_factory.trailing_stop_market(
            ID,
            side,
            quantity,
            trailing_offset=Decimal(self.plan["trail"]),
            trailing_offset_type=TrailingOffsetType.PRICE,
            trigger_type=TriggerType.BID_ASK,
        )

    def on_order_filled(self, event: Any) -> None:
        """Note a fill."""
        self.fills.append([event.ts_event // STEP - 1, str(event.last_px), str(event.last_qty)])


def tick_of(row: list[str], number: int) -> Any:
    """Return a quote of four numbers, or a trade of two."""
    at = (number + 1) * STEP
    if len(row) == 2:
        price, size = Price.from_str(row[0]), Quantity.from_str(row[1])
        return TradeTick(ID, price, size, AggressorSide.NO_AGGRESSOR, TradeId(str(number)), at, at)
    prices, sizes = (Price.from_str(text) for text in row[:2]), (Quantity.from_str(text) for text in row[2:])
    return QuoteTick(ID, *prices, *sizes, at, at)


def run(question: dict[str, Any]) -> list[list[Any]]:
    """Return the fills of one run."""
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        venue=Venue("SIM"),
        oms_type=OmsType.HEDGING,
        account_type=AccountType.MARGIN,
        starting_balances=[Money(1_000_000_000, USDT)],
        trade_execution=True,
        reject_stop_orders=False,
    )
    engine.add_instrument(PERP)
    rows = question.get("quotes") or question["prints"]
    engine.add_data([tick_of(row, number) for number, row in enumerate(rows)])
    plan = Plan(question["order"], quotes="quotes" in question)
    engine.add_strategy(plan)
    engine.run()
    engine.dispose()
    return plan.fills


def main() -> None:
    """Answer every line."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
