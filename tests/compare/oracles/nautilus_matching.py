"""nautilus_trader: brackets and trailing stops through its simulated exchange, along bars.

Reads one run a line: ``{"bars": [[open, high, low, close, volume], …], "orders": [{…}, …]}``; an order has a ``name``,
the ``bar`` after whose close it is sent, ``side`` of the entry, ``quantity``, and either ``stop`` and ``target``
(prices of a bracket around a market entry, ``limit`` for a limit entry), or ``trail`` (an amount) or ``trail_bps``
behind a market entry. Writes one line each: ``[[name and leg, bar, price], …]`` of all fills, legs ``E T S``, bars
counted from 0. Bars are executed open, then the nearer of high and low, the other, close.
"""

import json
import sys
from decimal import Decimal
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine  # type: ignore[import-not-found]
from nautilus_trader.config import BacktestEngineConfig, LoggingConfig  # type: ignore[import-not-found]
from nautilus_trader.model.currencies import BTC, USDT  # type: ignore[import-not-found]
from nautilus_trader.model.data import Bar, BarType  # type: ignore[import-not-found]
from nautilus_trader.model.enums import (  # type: ignore[import-not-found]
    AccountType,
    OmsType,
    OrderSide,
    OrderType,
    TrailingOffsetType,
    TriggerType,
)
from nautilus_trader.model.identifiers import ClientOrderId, InstrumentId, Symbol, Venue  # type: ignore[import-not-found]
from nautilus_trader.model.instruments import CryptoPerpetual  # type: ignore[import-not-found]
from nautilus_trader.model.objects import Money, Price, Quantity  # type: ignore[import-not-found]
from nautilus_trader.trading.strategy import Strategy  # type: ignore[import-not-found]

MINUTE = 60_000_000_000
ID = InstrumentId(Symbol("BTCUSDT-PERP"), Venue("SIM"))
KIND = BarType.from_str("BTCUSDT-PERP.SIM-1-MINUTE-LAST-EXTERNAL")
PERP = CryptoPerpetual(
    instrument_id=ID,
    raw_symbol=Symbol("BTCUSDT"),
    base_currency=BTC,
    quote_currency=USDT,
    settlement_currency=USDT,
    is_inverse=False,
    price_precision=1,
    size_precision=3,
    price_increment=Price.from_str("0.1"),
    size_increment=Quantity.from_str("0.001"),
    ts_event=0,
    ts_init=0,
)


class Plan(Strategy):  # type: ignore[misc]
    """Sends each order after its bar."""

    def __init__(self, orders: list[dict[str, Any]]) -> None:
        super().__init__()
        self.plan: dict[int, list[dict[str, Any]]] = {}
        for order in orders:
            self.plan.setdefault(order["bar"], []).append(order)
        self.trails: dict[str, dict[str, Any]] = {}
        self.fills: list[list[Any]] = []
        self.seen = -1

    def on_start(self) -> None:
        """Ask for the bars."""
        self.subscribe_bars(KIND)

    def on_bar(self, bar: Any) -> None:
        """Send what is due."""
        self.seen += 1
        for order in self.plan.get(self.seen, ()):
            if "stop" in order:
                self.submit_order_list(self.bracket(order))
            else:
                self.trails[f"{order['name']}-E"] = order
                self.submit_order(self.entry(order))

    def entry(self, order: dict[str, Any]) -> Any:
        """Return a market entry."""
        name = ClientOrderId(f"{order['name']}-E")
        return self.order_factory.market(ID, _side(order["side"]), _quantity(order), client_order_id=name)

    def bracket(self, order: dict[str, Any]) -> Any:
        """Return an entry with its stop and target."""
        limit = {}
        if "limit" in order:
            limit = {"entry_order_type": OrderType.LIMIT, "entry_price": Price.from_str(order["limit"])}
        return self.order_factory.bracket(
            instrument_id=ID,
            order_side=_side(order["side"]),
            quantity=_quantity(order),
            tp_price=Price.from_str(order["target"]),
            tp_post_only=False,
            sl_trigger_price=Price.from_str(order["stop"]),
            entry_client_order_id=ClientOrderId(f"{order['name']}-E"),
            tp_client_order_id=ClientOrderId(f"{order['name']}-T"),
            sl_client_order_id=ClientOrderId(f"{order['name']}-S"),
            **limit,
        )

    def on_order_filled(self, event: Any) -> None:
        """Note a fill; a trailing stop follows its entry."""
        name = str(event.client_order_id)
        bar = event.ts_event // MINUTE - 1
        self.fills.append([name, bar, str(event.last_px)])
        order = self.trails.get(name)
        if order is None:
            return
        by_amount = "trail" in order
        stop = self.order_factory.trailing_stop_market(
            ID,
            OrderSide.SELL if order["side"] == "buy" else OrderSide.BUY,
            _quantity(order),
            trailing_offset=Decimal(order["trail"] if by_amount else order["trail_bps"]),
            trailing_offset_type=TrailingOffsetType.PRICE if by_amount else TrailingOffsetType.BASIS_POINTS,
            trigger_type=TriggerType.BID_ASK,
            client_order_id=ClientOrderId(f"{order['name']}-S"),
        )
        self.submit_order(stop, position_id=event.position_id)


def _side(side: str) -> Any:
    return OrderSide.BUY if side == "buy" else OrderSide.SELL


def _quantity(order: dict[str, Any]) -> Any:
    return Quantity.from_str(order["quantity"])


def run(bars: list[list[str]], orders: list[dict[str, Any]]) -> list[list[Any]]:
    """Return the fills of one run."""
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        venue=Venue("SIM"),
        oms_type=OmsType.HEDGING,
        account_type=AccountType.MARGIN,
        starting_balances=[Money(1_000_000_000, USDT)],
        bar_adaptive_high_low_ordering=True,
        reject_stop_orders=False,
    )
    engine.add_instrument(PERP)
    engine.add_data(
        [
            Bar(
                KIND,
                *(Price(float(price), 1) for price in bar[:4]),
                Quantity(max(float(bar[4]), 1000), 3),
                (index + 1) * MINUTE,
                (index + 1) * MINUTE,
            )
            for index, bar in enumerate(bars)
        ]
    )
    plan = Plan(orders)
    engine.add_strategy(plan)
    engine.run()
    engine.dispose()
    return plan.fills


def main() -> None:
    """Answer every line."""
    for line in sys.stdin:
        question = json.loads(line)
        sys.stdout.write(json.dumps(run(question["bars"], question["orders"])) + "\n")


if __name__ == "__main__":
    main()
