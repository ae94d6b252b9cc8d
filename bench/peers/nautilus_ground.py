"""A nautilus_trader ExecutionEngine with its cache, portfolio and one margin account, and fills for it."""

from typing import Any

from nautilus_trader.cache.cache import Cache  # type: ignore[import-not-found]
from nautilus_trader.common.component import MessageBus, TestClock  # type: ignore[import-not-found]
from nautilus_trader.core.uuid import UUID4  # type: ignore[import-not-found]
from nautilus_trader.execution.engine import ExecutionEngine  # type: ignore[import-not-found]
from nautilus_trader.model.currencies import BTC, USDT  # type: ignore[import-not-found]
from nautilus_trader.model.enums import (  # type: ignore[import-not-found]
    AccountType,
    LiquiditySide,
    OrderSide,
    OrderType,
)
from nautilus_trader.model.events import AccountState, OrderFilled, OrderSubmitted  # type: ignore[import-not-found]
from nautilus_trader.model.identifiers import (  # type: ignore[import-not-found]
    AccountId,
    ClientOrderId,
    InstrumentId,
    PositionId,
    StrategyId,
    Symbol,
    TradeId,
    TraderId,
    Venue,
    VenueOrderId,
)
from nautilus_trader.model.instruments import CryptoPerpetual  # type: ignore[import-not-found]
from nautilus_trader.model.objects import AccountBalance, Money, Price, Quantity  # type: ignore[import-not-found]
from nautilus_trader.model.orders import MarketOrder  # type: ignore[import-not-found]
from nautilus_trader.portfolio.portfolio import Portfolio  # type: ignore[import-not-found]

TRADER = TraderId("BENCH-001")
STRATEGY = StrategyId("S-001")
ACCOUNT = AccountId("SIM-001")
VENUE = Venue("SIM")


class Ground:
    """One engine, nothing durable behind it."""

    def __init__(self) -> None:
        self.clock = TestClock()
        self.bus = MessageBus(trader_id=TRADER, clock=self.clock)
        self.cache = Cache(database=None)
        self.portfolio = Portfolio(msgbus=self.bus, cache=self.cache, clock=self.clock)
        self.engine = ExecutionEngine(msgbus=self.bus, cache=self.cache, clock=self.clock)
        self.instrument = perpetual("BTCUSDT-PERP")
        self.cache.add_instrument(self.instrument)
        self.portfolio.update_account(opening())
        self.made = 0

    def filled(self, *, buys: bool, quantity: str, price: str, position: bool = False) -> Any:
        """Return an order's fill; the order is in the cache and submitted."""
        self.made += 1
        order_id = ClientOrderId(f"O-{self.made}")
        side = OrderSide.BUY if buys else OrderSide.SELL
        amount = Quantity.from_str(quantity)
        if not position:
            order = MarketOrder(TRADER, STRATEGY, self.instrument.id, order_id, side, amount, UUID4(), 0)
            self.cache.add_order(order, None)
            order.apply(OrderSubmitted(TRADER, STRATEGY, self.instrument.id, order_id, ACCOUNT, UUID4(), 0, 0))
            self.cache.update_order(order)
        return OrderFilled(
            trader_id=TRADER,
            strategy_id=STRATEGY,
            instrument_id=self.instrument.id,
            client_order_id=order_id,
            venue_order_id=VenueOrderId(f"V-{self.made}"),
            account_id=ACCOUNT,
            trade_id=TradeId(f"T-{self.made}"),
            position_id=PositionId("P-1") if position else None,
            order_side=side,
            order_type=OrderType.MARKET,
            last_qty=amount,
            last_px=Price.from_str(price),
            currency=USDT,
            commission=Money("0.01", USDT),
            liquidity_side=LiquiditySide.TAKER,
            event_id=UUID4(),
            ts_event=self.made,
            ts_init=self.made,
        )


def perpetual(symbol: str) -> Any:
    """Return a linear perpetual."""
    return CryptoPerpetual(
        instrument_id=InstrumentId(Symbol(symbol), VENUE),
        raw_symbol=Symbol(symbol),
        base_currency=BTC,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=2,
        size_precision=2,
        price_increment=Price.from_str("0.01"),
        size_increment=Quantity.from_str("0.01"),
        ts_event=0,
        ts_init=0,
    )


def opening() -> Any:
    """Return the account's opening state."""
    total = Money(1_000_000_000, USDT)
    return AccountState(
        account_id=ACCOUNT,
        account_type=AccountType.MARGIN,
        base_currency=None,
        reported=True,
        balances=[AccountBalance(total, Money(0, USDT), total)],
        margins=[],
        info={},
        event_id=UUID4(),
        ts_event=0,
        ts_init=0,
    )
