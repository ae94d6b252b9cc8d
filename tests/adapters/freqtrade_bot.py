"""Runs trades through freqtrade's own bot code, in freqtrade's environment, with a recorded strategy.

Reads ``{"user_data": …, "futures": …, "trades": [{…}]}`` on stdin, writes what freqtrade says of each trade. The
exchange fills every order at once, at the price asked for; prices, amounts and funding are made up by the test.
"""

import json
import sys
from typing import Any, ClassVar
from unittest.mock import MagicMock

from freqtrade.enums import ExitCheckTuple, ExitType, MarginMode, RunMode, TradingMode  # type: ignore[import-not-found]
from freqtrade.exchange import Exchange  # type: ignore[import-not-found]
from freqtrade.freqtradebot import FreqtradeBot  # type: ignore[import-not-found]
from freqtrade.persistence import PairLocks, Trade, init_db  # type: ignore[import-not-found]
from freqtrade.persistence.trade_model import Order  # type: ignore[import-not-found]
from freqtrade.strategy import IStrategy  # type: ignore[import-not-found]

import onebook.freqtrade

CALLS: list[str] = []


class Base(IStrategy):  # type: ignore[misc]
    timeframe = "5m"
    stoploss = -0.5
    minimal_roi: ClassVar[dict[str, float]] = {}
    can_short = True

    def populate_indicators(self, dataframe: Any, metadata: Any) -> Any:
        return dataframe

    populate_entry_trend = populate_exit_trend = populate_indicators


class Quiet(onebook.freqtrade.Recording, Base):
    """A strategy without callbacks of its own."""


class Loud(Base, onebook.freqtrade.Recording):
    """The mixin behind, and callbacks that do not call super()."""

    def order_filled(self, pair: str, trade: Any, order: Any, current_time: Any, **kwargs: Any) -> None:
        CALLS.append(f"order_filled {pair} {order.ft_order_side}")
        msg = "the strategy's own fault"
        raise ValueError(msg)

    def confirm_trade_entry(self, pair: str, *args: Any, **kwargs: Any) -> bool:
        CALLS.append(f"confirm {pair} {kwargs.get('side')}")
        return "DENIED" not in pair


class FakeExchange:
    """Fills every order at once."""

    id, name, precisionMode, precision_mode_price = "binance", "Binance", 4, 4  # noqa: N815  freqtrade's names
    order_has_fee = staticmethod(Exchange.order_has_fee)

    def __init__(self) -> None:
        self.count, self.fee, self.funding, self.size, self.futures = 0, 0.001, 0.0, 1.0, False
        self.margin_mode = MarginMode.NONE
        self.average: float | None = None

    def __getattr__(self, name: str) -> Any:
        return MagicMock(return_value=None)

    def check_order_canceled_empty(self, order: Any) -> bool:
        return bool(order["status"] != "open" and order["filled"] == 0.0)

    def extract_cost_curr_rate(self, fee: Any, *_: Any) -> Any:
        return fee["cost"], fee["currency"], fee["rate"]

    def get_pair_base_currency(self, pair: str) -> str:
        return pair.partition("/")[0]

    def get_contract_size(self, _pair: str) -> float:
        return self.size

    def get_fee(self, **_: Any) -> float:
        return self.fee

    def get_funding_fees(self, **_: Any) -> float:
        funding, self.funding = self.funding, 0.0
        return funding

    def get_max_leverage(self, *_: Any) -> float:
        return 20.0

    def get_max_pair_stake_amount(self, *_: Any) -> float:
        return 1e9

    def create_order(self, *, pair: str, ordertype: str, side: str, amount: float, rate: float, **_: Any) -> Any:
        self.count += 1
        amount = round(amount, 8)  # to the exchange's step
        price = self.average or rate
        quote = pair.partition("/")[2].partition(":")[0]
        cost = amount * price
        return {
            "id": f"dry_run_{side}_{pair}_{self.count}", "symbol": pair, "type": ordertype, "side": side,
            "price": rate, "average": price, "amount": amount, "filled": amount, "remaining": 0.0, "cost": cost,
            "status": "closed", "timestamp": 1772461800000 + self.count * 1000,
            "lastTradeTimestamp": 1772461800500 + self.count * 1000,
            "fee": {"cost": cost * self.fee, "currency": quote, "rate": self.fee},
        }  # fmt: skip


def bot_of(asked: dict[str, Any], strategy: Any, exchange: FakeExchange) -> Any:
    bot = FreqtradeBot.__new__(FreqtradeBot)
    wallets = MagicMock()
    wallets.get_available_stake_amount.return_value = 1e9
    wallets.get_free.return_value = 1e9
    wallets.get_used.return_value = 0.0
    wallets.validate_stake_amount.side_effect = lambda *, stake_amount, **_: stake_amount
    bot.strategy, bot.exchange, bot.wallets, bot.config = strategy, exchange, wallets, strategy.config
    bot.rpc, bot.protections = MagicMock(), MagicMock()
    bot.protections.stop_per_pair.return_value = bot.protections.global_stop.return_value = None
    bot.trading_mode = TradingMode.FUTURES if asked["futures"] else TradingMode.SPOT
    bot.margin_mode = MarginMode.NONE
    bot._exit_reason_cache = {}
    bot._notify_enter = bot._notify_exit = lambda *_, **__: None
    return bot


def run(bot: Any, exchange: FakeExchange, made: dict[str, Any]) -> Any:
    """Let freqtrade enter, add to and leave a trade; return the trade."""
    exchange.fee, exchange.size = made.get("fee", 0.001), made.get("size", 1.0)
    trade: Any = None
    for step in made["steps"]:
        exchange.funding = step.get("funding", 0.0)
        exchange.average = step.get("average")
        price, amount = step["price"], step["amount"]
        leverage = made.get("leverage", 1.0)
        if step["kind"] == "entry":
            done = bot.execute_entry(
                made["pair"], price * amount / leverage, price, is_short=made.get("short", False),
                enter_tag=step.get("tag", "trend"), trade=trade, mode="pos_adjust" if trade else "initial",
                leverage_=leverage,
            )  # fmt: skip
            if not done:
                return None
            trade = Trade.get_trades([Trade.pair == made["pair"]]).all()[-1]
        else:
            check = ExitCheckTuple(exit_type=ExitType(step["type"]), exit_reason=step.get("tag", step["type"]))
            part = None if step.get("all") else amount
            assert bot.execute_trade_exit(trade, price, check, sub_trade_amt=part)
    return trade


def partly(bot: Any, exchange: FakeExchange, pair: str) -> None:
    """An entry that fills in two steps, seen by the time-out check, and is then cancelled."""
    trade = Trade(
        pair=pair, stake_amount=100.0, amount=0, is_open=True, fee_open=0.001, fee_close=0.001, open_rate=10.0,
        exchange="binance", leverage=1.0, is_short=False, strategy="Quiet", trading_mode=bot.trading_mode,
        amount_requested=10.0, stake_currency="USDT", base_currency="PART", max_rate=0,
    )  # fmt: skip
    said = exchange.create_order(pair=pair, ordertype="limit", side="buy", amount=10.0, rate=10.0)
    said |= {"status": "open", "filled": 2.0, "remaining": 8.0}
    order = Order.parse_from_ccxt_object(said, pair, "buy", 10.0, 10.0)
    trade.orders.append(order)
    Trade.session.add(trade)
    Trade.commit()
    bot.strategy.ft_check_timed_out(trade, order, order.order_date_utc)
    said |= {"filled": 5.0, "remaining": 5.0, "average": 9.98}
    order.update_from_ccxt_object(said)
    bot.strategy.ft_check_timed_out(trade, order, order.order_date_utc)
    bot.update_trade_state(trade, order.order_id, said | {"status": "canceled"})


def main() -> None:
    asked = json.load(sys.stdin)
    init_db("sqlite://")
    PairLocks.timeframe = "5m"
    config = {
        "runmode": RunMode(asked.get("runmode", "live")), "stake_currency": "USDT", "dry_run": False,
        "exchange": {"name": "binance"}, "user_data_dir": asked["user_data"], "timeframe": "5m",
        "candle_type_def": "spot", "unfilledtimeout": {"entry": 100_000_000, "exit": 100_000_000, "unit": "minutes"},
    }  # fmt: skip
    strategy: Any = {"Quiet": Quiet, "Loud": Loud}[asked.get("strategy", "Quiet")](config)
    exchange = FakeExchange()
    bot = bot_of(asked, strategy, exchange)
    strategy.ft_bot_start()
    strategy.bot_loop_start(current_time=None)
    figures = []
    for made in asked["trades"]:
        trade = run(bot, exchange, made)
        names = ("pair", "is_open", "close_profit_abs", "realized_profit", "funding_fees", "amount", "exit_reason")
        figures.append(None if trade is None else {name: getattr(trade, name) for name in names})
    if asked.get("partly"):
        partly(bot, exchange, asked["partly"])
    strategy.ft_bot_cleanup()
    sys.stdout.write(json.dumps({"figures": figures, "calls": CALLS}) + "\n")


if __name__ == "__main__":
    main()
