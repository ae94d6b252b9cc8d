"""nautilus_trader: sequences of fills through its ExecutionEngine.

Reads one sequence a line: ``{"kind", "contract_size", "fills": [[side, quantity, price, fee], …]}``, kinds
``spot linear inverse``. Writes one line each: after every fill ``[quantity, average price, realized]``, where
realized is the sum of the cycles that PositionClosed ended and of the open one. Currencies have 16 decimals.
"""

import json
import sys
from typing import Any

from nautilus_trader.cache.cache import Cache  # type: ignore[import-not-found]
from nautilus_trader.common.component import MessageBus, TestClock  # type: ignore[import-not-found]
from nautilus_trader.core.uuid import UUID4  # type: ignore[import-not-found]
from nautilus_trader.execution.engine import ExecutionEngine  # type: ignore[import-not-found]
from nautilus_trader.model.enums import (  # type: ignore[import-not-found]
    AccountType,
    CurrencyType,
    LiquiditySide,
    OrderSide,
    OrderType,
)
from nautilus_trader.model.events import (  # type: ignore[import-not-found]
    AccountState,
    OrderFilled,
    OrderSubmitted,
    PositionClosed,
)
from nautilus_trader.model.identifiers import (  # type: ignore[import-not-found]
    AccountId,
    ClientOrderId,
    InstrumentId,
    StrategyId,
    Symbol,
    TradeId,
    TraderId,
    Venue,
    VenueOrderId,
)
from nautilus_trader.model.instruments import CryptoPerpetual, CurrencyPair  # type: ignore[import-not-found]
from nautilus_trader.model.objects import (  # type: ignore[import-not-found]
    AccountBalance,
    Currency,
    Money,
    Price,
    Quantity,
)
from nautilus_trader.model.orders import MarketOrder  # type: ignore[import-not-found]
from nautilus_trader.portfolio.portfolio import Portfolio  # type: ignore[import-not-found]

TRADER, STRATEGY, ACCOUNT = TraderId("ORACLE-001"), StrategyId("S-001"), AccountId("SIM-001")
COIN = Currency("OBC", 16, 0, "coin", CurrencyType.CRYPTO)
QUOTE = Currency("OBQ", 16, 0, "quote", CurrencyType.CRYPTO)
for _currency in (COIN, QUOTE):
    Currency.register(_currency, overwrite=True)
PRICE_DIGITS, SIZE_DIGITS = 4, 3


def instrument(kind: str, contract_size: str) -> Any:
    """Return the instrument of a sequence."""
    common = {
        "instrument_id": InstrumentId(Symbol("OBCOBQ"), Venue("SIM")),
        "raw_symbol": Symbol("OBCOBQ"),
        "base_currency": COIN,
        "quote_currency": QUOTE,
        "price_precision": PRICE_DIGITS,
        "size_precision": SIZE_DIGITS,
        "price_increment": Price.from_str("0.0001"),
        "size_increment": Quantity.from_str("0.001"),
        "ts_event": 0,
        "ts_init": 0,
    }
    if kind == "spot":
        return CurrencyPair(**common)
    settles = {"settlement_currency": COIN if kind == "inverse" else QUOTE, "is_inverse": kind == "inverse"}
    return CryptoPerpetual(**common, **settles, multiplier=Quantity.from_str(contract_size))


class Engine:
    """One engine for one sequence."""

    def __init__(self, kind: str, contract_size: str) -> None:
        clock = TestClock()
        self.bus = MessageBus(trader_id=TRADER, clock=clock)
        self.cache = Cache(database=None)
        self.portfolio = Portfolio(msgbus=self.bus, cache=self.cache, clock=clock)
        self.engine = ExecutionEngine(msgbus=self.bus, cache=self.cache, clock=clock)
        self.instrument = instrument(kind, contract_size)
        self.fee_currency = COIN if kind == "inverse" else QUOTE
        self.cache.add_instrument(self.instrument)
        self.portfolio.update_account(_opening())
        self.closed = 0.0
        self.bus.subscribe(topic="events.position.*", handler=self._position)
        self.made = 0

    def _position(self, event: Any) -> None:
        if isinstance(event, PositionClosed):
            self.closed += float(event.realized_pnl.as_decimal())

    def take(self, side: str, quantity: str, price: str, fee: str) -> list[float]:
        """Take a fill in; return signed quantity, average price (0 when flat), realized P&L."""
        self.made += 1
        order_id = ClientOrderId(f"O-{self.made}")
        order_side = OrderSide.BUY if side == "buy" else OrderSide.SELL
        amount = Quantity(float(quantity), SIZE_DIGITS)
        order = MarketOrder(TRADER, STRATEGY, self.instrument.id, order_id, order_side, amount, UUID4(), 0)
        self.cache.add_order(order, None)
        order.apply(OrderSubmitted(TRADER, STRATEGY, self.instrument.id, order_id, ACCOUNT, UUID4(), 0, 0))
        self.cache.update_order(order)
        self.engine.process(
            OrderFilled(
                trader_id=TRADER,
                strategy_id=STRATEGY,
                instrument_id=self.instrument.id,
                client_order_id=order_id,
                venue_order_id=VenueOrderId(f"V-{self.made}"),
                account_id=ACCOUNT,
                trade_id=TradeId(f"T-{self.made}"),
                position_id=None,
                order_side=order_side,
                order_type=OrderType.MARKET,
                last_qty=amount,
                last_px=Price(float(price), PRICE_DIGITS),
                currency=QUOTE,
                commission=Money(fee, self.fee_currency),
                liquidity_side=LiquiditySide.TAKER,
                event_id=UUID4(),
                ts_event=self.made,
                ts_init=self.made,
            )
        )
        held = self.cache.positions_open()
        if not held:
            return [0.0, 0.0, self.closed]
        (position,) = held
        return [position.signed_qty, position.avg_px_open, self.closed + float(position.realized_pnl.as_decimal())]


def _opening() -> Any:
    totals = [Money(10_000_000, COIN), Money(10_000_000, QUOTE)]
    return AccountState(
        account_id=ACCOUNT,
        account_type=AccountType.MARGIN,
        base_currency=None,
        reported=True,
        balances=[AccountBalance(total, Money(0, total.currency), total) for total in totals],
        margins=[],
        info={},
        event_id=UUID4(),
        ts_event=0,
        ts_init=0,
    )


def main() -> None:
    """Answer every line."""
    for line in sys.stdin:
        sequence = json.loads(line)
        engine = Engine(sequence["kind"], sequence["contract_size"])
        sys.stdout.write(json.dumps([engine.take(*fill) for fill in sequence["fills"]]) + "\n")


if __name__ == "__main__":
    main()
