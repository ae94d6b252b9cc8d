"""Where a bar leaves a position: at the level, at the open beyond it, or not at all."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from onebook.demo.actions import Split
from onebook.demo.bars import Bar
from onebook.demo.bots import Exits, Wish
from onebook.demo.history import Session
from onebook.demo.venue import MIDDAY, OPENS, Venue, fee, find_hit
from onebook.domain.facts import Fill, Order
from onebook.domain.reports import Position

DAY = date(2003, 1, 2)


def bar(opened: str, high: str, low: str, close: str) -> Bar:
    prices = {"open": opened, "high": high, "low": low, "close": close, "adjusted": close}
    return Bar(instrument="IBM", day=DAY, **{name: Decimal(price) for name, price in prices.items()})


def held(quantity: str) -> Position:
    zero = Decimal()
    return Position(
        account="demo", instrument="IBM", strategy="trend", quantity=Decimal(quantity), average_price=Decimal(100),
        cost_basis=zero, currency="USD", realized_pnl_gross=zero, fees=zero, fees_in_base=zero, funding=zero,
        income=zero, realized_pnl=zero, opened_at=None, updated_at=datetime(2003, 1, 1, tzinfo=UTC),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "stop", "target", "opened", "high", "low", "entered", "price", "reason"),
    [
        ("10", "95", None, "100", "101", "96", False, None, None),
        ("10", "95", None, "100", "101", "95", False, "95", "stop_loss"),
        ("10", "95", None, "94", "99", "93", False, "94", "stop_loss"),
        ("10", None, "105", "100", "105", "99", False, "105", "take_profit"),
        ("10", None, "105", "107", "108", "101", False, "107", "take_profit"),
        ("10", "95", "105", "100", "106", "94", False, "95", "stop_loss"),
        ("10", "95", "105", "100", "106", "96", True, None, None),
        ("10", "95", "105", "100", "106", "94", True, "95", "stop_loss"),
        ("-10", "105", None, "100", "104", "99", False, None, None),
        ("-10", "105", None, "100", "105", "99", False, "105", "stop_loss"),
        ("-10", "105", None, "106", "107", "99", False, "106", "stop_loss"),
        ("-10", None, "95", "100", "101", "94", False, "95", "take_profit"),
    ],
)
def test_which_level_a_bar_hits(
    quantity: str, stop: str | None, target: str | None, opened: str, high: str, low: str,
    entered: bool, price: str | None, reason: str | None,
) -> None:  # fmt: skip
    exits = Exits(stop=Decimal(stop) if stop else None, target=Decimal(target) if target else None)
    hit = find_hit(held(quantity), exits, bar(opened, high, low, "100"), entered=entered)
    found = (str(hit.price), hit.reason) if hit else (None, None)
    assert found == (price, reason)
    if hit:
        assert hit.clock == (OPENS if price == opened else MIDDAY)


def session(one: Bar) -> Session:
    return Session(number=1, day=DAY, first_of_month=True, bars={"IBM": one}, splits=(), dividends=(), rates=())


def wish(quantity: str, *, at_close: bool = False) -> Wish:
    return Wish(
        strategy="trend", instrument="IBM", side="buy", quantity=Decimal(quantity), price=Decimal(99),
        stop_loss=Decimal("91.01"), at_close=at_close,
    )  # fmt: skip


def test_a_large_order_fills_in_several_executions_with_ids_of_their_own() -> None:
    venue = Venue()
    order, *fills = venue.trade_wish(wish("450"), "s1", session(bar("100", "101", "99", "100.5")))
    assert isinstance(order, Order)
    assert order.quantity == 450
    executions = [fill for fill in fills if isinstance(fill, Fill)]
    assert [f"{fill.quantity} @ {fill.price}, {fill.fee}" for fill in executions] == [
        "200 @ 100, 1",
        "200 @ 100, 1",
        "50 @ 100, 1",
    ]
    assert [fill.venue_fill_id for fill in executions] == ["20030102-0001", "20030102-0002", "20030102-0003"]
    assert {fill.client_order_id for fill in executions} == {order.client_order_id}
    assert {fill.occurred_at for fill in executions} == {datetime(2003, 1, 2, 14, 30, tzinfo=UTC)}


def test_a_wish_for_the_close_fills_at_the_close() -> None:
    _, fill = Venue().trade_wish(wish("5", at_close=True), "s1", session(bar("100", "101", "99", "100.5")))
    assert isinstance(fill, Fill)
    assert fill.price == Decimal("100.5")
    assert fill.occurred_at == datetime.combine(DAY, time(21), UTC)


def test_a_wish_follows_a_split() -> None:
    after = wish("10").after(Split(instrument="IBM", day=DAY, numerator=2))
    assert (after.quantity, after.price) == (Decimal(20), Decimal("49.5"))
    assert after.stop_loss == Decimal("45.50")


def test_fees_have_a_least_amount() -> None:
    assert [fee(Decimal(shares)) for shares in (1, 200, 1000)] == [1, 1, 5]
