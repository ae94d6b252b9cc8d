"""The mixin beside a strategy of freqtrade's shape, without freqtrade: what it records, and that it disturbs nobody."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

import onebook
import onebook.freqtrade
from onebook.errors import StoreFull
from onebook.intake.adapters.recorder import OrderSeen, Recorder

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


class IStrategy:
    """freqtrade's interface, as far as a bot calls it."""

    timeframe = "5m"

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def bot_start(self, **kwargs: Any) -> None: ...

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None: ...

    def confirm_trade_entry(
        self, pair: str, order_type: str, amount: float, rate: float, time_in_force: str, current_time: datetime,
        entry_tag: str | None, side: str, **kwargs: Any,
    ) -> bool:  # fmt: skip
        return True

    def order_filled(self, pair: str, trade: Any, order: Any, current_time: datetime, **kwargs: Any) -> None: ...

    def check_entry_timeout(self, pair: str, trade: Any, order: Any, current_time: datetime, **kwargs: Any) -> bool:
        return False

    def ft_bot_cleanup(self) -> None: ...


class Strategy(onebook.freqtrade.Recording, IStrategy):
    """Nothing of its own."""


def config(tmp_path: Path, runmode: str = "live") -> dict[str, Any]:
    return {
        "runmode": SimpleNamespace(value=runmode),
        "stake_currency": "USDT",
        "exchange": {"name": "kraken"},
        "user_data_dir": tmp_path,
    }


def trade_of(**more: Any) -> Any:
    base = {
        "id": 1, "pair": "ETH/USDT", "entry_side": "buy", "exit_side": "sell", "is_short": False, "leverage": 1.0,
        "fee_open": 0.001, "fee_close": 0.001, "exit_reason": None, "contract_size": None, "close_profit_abs": None,
    }  # fmt: skip
    return SimpleNamespace(**(base | more))


def order_of(**more: Any) -> Any:
    base = {
        "order_id": "o-1", "ft_order_side": "buy", "status": "closed", "order_type": "limit", "price": 3000.1,
        "average": 3000.1, "amount": 0.3, "ft_amount": 0.3, "ft_price": 3000.1, "filled": 0.3, "stop_price": None,
        "order_date": NOW.replace(tzinfo=None), "order_filled_date": NOW.replace(tzinfo=None, second=2),
        "order_update_date": None, "ft_fee_base": None, "ft_order_tag": None, "funding_fee": 0.0,
    }  # fmt: skip
    return SimpleNamespace(**(base | more))


def fill(strategy: Any, trade: Any, order: Any) -> None:
    strategy.order_filled(pair=trade.pair, trade=trade, order=order, current_time=NOW)


@pytest.fixture(autouse=True)
def book_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEBOOK_URL", str(tmp_path / "book.db"))
    for name in ("ONEBOOK_STRATEGY", "ONEBOOK_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)


def test_an_entry_and_its_exit_are_a_round_trip(tmp_path: Path) -> None:
    strategy = Strategy(config(tmp_path))
    strategy.bot_start()
    assert strategy.confirm_trade_entry("ETH/USDT", "limit", 0.3, 3000.1, "GTC", NOW, "dip", "long") is True
    fill(strategy, trade_of(), order_of())
    done = trade_of(exit_reason="stop_loss")
    stop = {"order_id": "o-2", "ft_order_side": "stoploss", "order_type": "stop_loss_limit", "stop_price": 2900.0}
    fill(strategy, done, order_of(price=2890.5, average=2895.25, **stop))
    strategy.ft_bot_cleanup()
    with onebook.open(tmp_path / "book.db") as book:
        [trip] = book.round_trips()
        assert (trip.close_reason, trip.signal_id) == ("stop_loss", "ETH/USDT|long|2026-03-02T14:30:00Z")
        assert trip.gross == Decimal("-31.455")
        assert trip.fees == Decimal("1.768605")
        kinds = [(state.order.kind, state.order.limit_price, state.order.stop_price) for state in book.orders()]
        assert kinds == [("limit", Decimal("3000.1"), None), ("stop_limit", Decimal("2890.5"), Decimal(2900))]
        [signal] = book.signals()
        assert (signal.status, signal.signal.confluences, signal.signal.timeframe) == ("CLOSED", ("dip",), "5m")
        assert [(item.name, item.kind, item.currency) for item in book.facts("account")] == [("main", "live", "USDT")]


def test_the_same_report_again_adds_nothing(tmp_path: Path) -> None:
    for _ in range(3):  # as after restarts
        strategy = Strategy(config(tmp_path))
        fill(strategy, trade_of(), order_of())
        fill(strategy, trade_of(), order_of())
        strategy.ft_bot_cleanup()
    with onebook.open(tmp_path / "book.db") as book:
        assert len(book.fills()) == 1
        assert book.status().conflicts == 0


def test_a_fee_kept_by_the_exchange_is_in_the_base(tmp_path: Path) -> None:
    strategy = Strategy(config(tmp_path))
    fill(strategy, trade_of(), order_of(ft_fee_base=0.0003))
    strategy.ft_bot_cleanup()
    with onebook.open(tmp_path / "book.db") as book:
        held = book.position("ETH/USDT")
        assert held is not None
        assert (held.quantity, held.cost_basis) == (Decimal("0.2997"), Decimal("900.03"))


def test_a_definition_that_is_there_stays(tmp_path: Path) -> None:
    with onebook.open(tmp_path / "book.db") as book:
        book.record(onebook.Account(name="main", venue="kraken", currency="EUR"))
        book.record(onebook.Instrument(symbol="ETH/USDT:USDT", contract_size="0.1", tick_size="0.01"))
    strategy = Strategy(config(tmp_path))
    fill(strategy, trade_of(pair="ETH/USDT:USDT", contract_size=0.1), order_of())
    strategy.ft_bot_cleanup()
    with onebook.open(tmp_path / "book.db") as book:
        assert [item.currency for item in book.facts("account")] == ["EUR"]
        assert [item.tick_size for item in book.facts("instrument")] == [Decimal("0.01")]
        assert [found.fill.quantity for found in book.fills()] == [Decimal(3)]


def test_callbacks_run_once_each_and_record_once_whether_or_not_super_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[OrderSeen] = []
    take = Recorder.take

    def counting(self: Recorder, items: Any) -> None:
        given = list(items)
        taken.extend(item for item in given if isinstance(item, OrderSeen))
        take(self, given)

    monkeypatch.setattr(Recorder, "take", counting)

    class Middle(onebook.freqtrade.Recording, IStrategy):
        def order_filled(self, *args: Any, **kwargs: Any) -> None:
            calls.append("middle")
            super().order_filled(*args, **kwargs)

    class Polite(Middle):
        def order_filled(self, *args: Any, **kwargs: Any) -> None:
            calls.append("polite")
            super().order_filled(*args, **kwargs)

    class Rude(IStrategy, onebook.freqtrade.Recording):
        def order_filled(self, *args: Any, **kwargs: Any) -> None:
            calls.append("rude")

    calls: list[str] = []
    kinds: tuple[Any, ...] = (Polite, Rude)
    for number, kind in enumerate(kinds):
        strategy: Any = kind(config(tmp_path))
        fill(strategy, trade_of(), order_of(order_id=f"o-{number}"))
        strategy.ft_bot_cleanup()
    assert calls == ["polite", "middle", "rude"]
    assert [item.venue_order_id for item in taken] == ["o-0", "o-1"]
    with onebook.open(tmp_path / "book.db") as book:
        assert [found.fill.strategy for found in book.fills()] == ["Polite", "Rude"]


def test_names_come_from_the_class_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Named(onebook.freqtrade.Recording, IStrategy):
        onebook_url: ClassVar[str] = str(tmp_path / "other.db")
        onebook_strategy = "dips"

    monkeypatch.setenv("ONEBOOK_STRATEGY", "not this one")
    monkeypatch.setenv("ONEBOOK_ACCOUNT", "kraken-main")
    strategy = Named(config(tmp_path, "dry_run"))
    fill(strategy, trade_of(), order_of())
    strategy.ft_bot_cleanup()
    with onebook.open(tmp_path / "other.db") as book:
        assert [(item.strategy, item.account) for item in book.positions()] == [("dips", "kraken-main-dry-run")]


@pytest.mark.parametrize("runmode", ["backtest", "hyperopt", "plot", "other"])
def test_nothing_but_trading_is_recorded(tmp_path: Path, runmode: str) -> None:
    strategy = Strategy(config(tmp_path, runmode))
    strategy.bot_start()
    fill(strategy, trade_of(), order_of())
    strategy.ft_bot_cleanup()
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_read_never_reaches_the_bot(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    strategy: Any = Strategy(config(tmp_path))
    fill(strategy, trade_of(), order_of(average="rubbish"))
    strategy.order_filled(pair="ETH/USDT", trade=None, order=None, current_time=None)
    fill(strategy, trade_of(), order_of())
    strategy.ft_bot_cleanup()
    with onebook.open(tmp_path / "book.db") as book:
        assert len(book.fills()) == 1
        assert [event.data["what"] for event in book.events(types=["break_found"])] == ["order"]
    assert "could not be recorded" in caplog.text


def test_a_book_that_fails_gets_it_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: Any, **_named: Any) -> Any:
        msg = "the disk is full"
        raise StoreFull(msg)

    strategy = Strategy(config(tmp_path))
    strategy.bot_start()
    with monkeypatch.context() as patch:
        patch.setattr("onebook.book.commit.Committer.submit", full)
        fill(strategy, trade_of(), order_of())
        strategy.ft_bot_cleanup()
    assert list(tmp_path.glob("*.spool"))
    again = Strategy(config(tmp_path))
    again.bot_start()
    again.ft_bot_cleanup()
    with onebook.open(tmp_path / "book.db") as book:
        assert len(book.fills()) == 1
    assert not list(tmp_path.glob("*.spool"))


def test_the_mixin_alone_opens_no_book(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from onebook.intake.adapters import freqtrade

    class Bare(freqtrade.Recording, IStrategy):
        """From below the public door."""

    strategy = Bare(config(tmp_path))
    fill(strategy, trade_of(), order_of())
    assert "take Recording from onebook.freqtrade" in caplog.text
