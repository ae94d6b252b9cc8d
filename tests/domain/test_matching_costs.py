"""Fees, slippage and settings of the matching: the figures, and what is refused."""

from decimal import Decimal
from typing import Any

import pytest

from onebook.domain import matching
from onebook.domain.facts import Account, Order
from onebook.domain.instruments import self_defined, terms_of
from onebook.domain.market import Print
from onebook.domain.matching import FixedBps, HalfSpread, NoSlippage, Rules, VolumeShare, Working
from onebook.domain.matching.costs import Fees
from onebook.domain.matching.slippage import Moment, slipped
from onebook.errors import InputError

HUNDRED = Decimal(100)
SHARE = terms_of(None, "AAPL", Account(name="main"))


@pytest.mark.parametrize(
    ("schedule", "quantity", "price", "liquidity", "expected"),
    [
        ({"taker_ratio": "0.001"}, "2", "100", "taker", "0.2"),
        ({"taker_ratio": "0.001", "maker_ratio": "-0.0002"}, "2", "100", "maker", "-0.04"),
        ({"per_unit": "0.005"}, "300", "30", "taker", "1.5"),
        ({"per_unit": "0.005", "taker_ratio": "0.001"}, "300", "30", "taker", "10.5"),
        ({"per_unit": "0.005", "least": "1"}, "10", "30", "taker", "1"),
        ({"per_unit": "0.005", "most": "2"}, "1000", "1", "taker", "2"),
        ({"least": "1"}, "10", "30", "maker", "1"),
        ({"maker_ratio": "-0.001", "least": "1"}, "1", "100", "maker", "-0.1"),
        ({"taker_ratio": "0.001"}, "1", "100", "", "0.1"),
        ({"per_unit": "0.005", "least": "1", "step": "0.01"}, "333", "50", "taker", "1.66"),
        ({"taker_ratio": "0.001"}, "0.00000123", "1", "taker", "0"),
        ({}, "1", "100", "taker", "0"),
    ],
)
def test_a_fee_follows_its_schedule(
    schedule: dict[str, str], quantity: str, price: str, liquidity: str, expected: str
) -> None:
    fees = Fees(**{name: Decimal(value) for name, value in schedule.items()})  # type: ignore[arg-type]
    charged = fees.charged(SHARE, "sell", Decimal(quantity), Decimal(price), liquidity)
    assert charged == (Decimal(expected), "USD")


@pytest.mark.parametrize(
    ("symbol", "size", "side", "expected"),
    [
        ("BTC/USD", "1", "buy", ("0.002", "BTC")),
        ("BTC/USD", "1", "sell", ("100", "USD")),
        ("BTC/USD:USD", "0.1", "buy", ("10", "USD")),
        ("BTC/USD:BTC", "100", "buy", ("0.000004", "BTC")),
        ("AAPL", "1", "buy", ("100", "USD")),
    ],
)
def test_a_fee_is_of_what_the_contract_is_worth_and_in_its_currency(
    symbol: str, size: str, side: str, expected: tuple[str, str]
) -> None:
    shape = self_defined(symbol).replaced(contract_size=size)
    terms = terms_of(shape, symbol, Account(name="main"))
    fees = Fees(taker_ratio=Decimal("0.001"), in_base_on_buy=True)
    amount, currency = fees.charged(terms, side, Decimal(2), Decimal(50_000), "taker")
    assert (amount, currency) == (Decimal(expected[0]), expected[1])


@pytest.mark.parametrize(
    "terms",
    [
        {"maker_ratio": Decimal(1)},
        {"taker_ratio": Decimal(5)},
        {"least": Decimal(-1)},
        {"least": Decimal(2), "most": Decimal(1)},
        {"step": Decimal(0)},
    ],
)
def test_fees_that_mean_nothing_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Fees(**terms)


@pytest.mark.parametrize(
    ("model", "side", "moment", "uniform", "expected"),
    [
        (NoSlippage(), "buy", Moment(), "0", "100"),
        (FixedBps(bps=Decimal(10)), "buy", Moment(), "0", "100.1"),
        (FixedBps(bps=Decimal(10)), "sell", Moment(), "0.9", "99.9"),
        (FixedBps(bps=Decimal(10), random_ratio=Decimal("0.5")), "buy", Moment(), "0.5", "100.075"),
        (HalfSpread(spread=Decimal(3)), "sell", Moment(), "0", "98.5"),
        (HalfSpread(spread=Decimal(3)), "sell", Moment(quoted=True), "0", "100"),
        (HalfSpread(spread=Decimal(300)), "sell", Moment(), "0", "0"),
        (VolumeShare(impact=Decimal("0.1")), "buy", Moment(volume=Decimal(10)), "0", "102.5"),
        (VolumeShare(impact=Decimal("0.1")), "buy", Moment(), "0", "110"),
        (VolumeShare(impact=Decimal("0.1"), most=Decimal("0.5")), "buy", Moment(volume=Decimal(1)), "0", "102.5"),
    ],
)
def test_slippage_is_against_the_trader(model: Any, side: str, moment: Moment, uniform: str, expected: str) -> None:
    assert slipped(model, HUNDRED, side, Decimal(5), moment, Decimal(uniform)) == Decimal(expected)


@pytest.mark.parametrize(
    "make",
    [
        lambda: FixedBps(bps=Decimal(-1)),
        lambda: FixedBps(bps=Decimal(1), random_ratio=Decimal(2)),
        lambda: HalfSpread(spread=Decimal(-1)),
        lambda: VolumeShare(impact=Decimal(-1)),
        lambda: VolumeShare(most=Decimal(2)),
        lambda: Rules(inside_bar="stop first"),
        lambda: Rules(limit_on="maybe"),
        lambda: Rules(market_on="open"),
        lambda: Rules(oco="both"),
        lambda: Rules(fill_share=Decimal(2)),
        lambda: Rules(bar_share=Decimal(-1)),
        lambda: Rules(tick_size=Decimal(0)),
        lambda: Rules(lot_size=Decimal(0)),
        lambda: Rules(trail_step=Decimal(-1)),
    ],
)
def test_rules_that_mean_nothing_are_refused(make: Any) -> None:
    with pytest.raises(InputError):
        make()


@pytest.mark.parametrize(
    ("side", "trail", "level", "extreme"),
    [
        ("sell", {"trail_amount": 5}, 95, 100),
        ("buy", {"trail_amount": 5}, 105, 100),
        ("sell", {"trail_ratio": "0.02"}, 98, 100),
        ("buy", {"trail_ratio": "0.02"}, 102, 100),
    ],
)
def test_the_best_price_follows_from_the_level(side: str, trail: dict[str, Any], level: int, extreme: int) -> None:
    order = Order(instrument="X", client_order_id="S", side=side, quantity=1, kind="trailing_stop", **trail)
    assert Working(order=order, quantity=order.quantity).extreme is None
    assert Working(order=order, quantity=order.quantity, stop_price=Decimal(level)).extreme == extreme


def test_an_order_without_an_id_is_refused() -> None:
    with pytest.raises(InputError, match="client_order_id"):
        matching.accept((), Order(instrument="X", side="buy", quantity=1), 0, None, Rules())


def test_numbers_of_many_places_stay_exact() -> None:
    order = Order(instrument="X", client_order_id="B", side="buy", quantity="3.123456789012345678", kind="market")
    seen = Print(
        instrument="X", at_ns=1, price=Decimal("0.123456789012345678"), quantity=Decimal("1.000000000000000001")
    )
    rules = Rules(fill_share=Decimal("0.123456789"))
    step = matching.step(matching.accept((), order, 0, None, rules).working, seen, rules)
    assert step.outcomes == (
        matching.Filled(
            client_order_id="B",
            quantity=Decimal("0.123456789000000000"),
            price=Decimal("0.123456789012345678"),
            liquidity="taker",
            number=1,
        ),
    )
