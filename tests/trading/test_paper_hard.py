"""What goes wrong on paper when nobody looks: legs, netting, wishes that cross, one moment twice, and prices of 0."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.trading.conftest import Begin, Scene

from onebook import Account, CashMovement, Fill, Instrument, OpeningBalance, Order, OrderUpdate, Transfer
from onebook.domain.market import Print, Quote
from onebook.domain.matching import Rules
from onebook.trading.brokers.margin import read_purse
from onebook.trading.brokers.paper_account import open_paper_account
from onebook.trading.brokers.paper_rules import Fees, Margin, PaperRules, price_shown

D = Decimal
SPOT = "BTC/USD"
PERP = "BTC/USDT:USDT"
INVERSE = "BTC/USD:BTC"
CASH = {"equity": Margin(short=False)}


def funded(begin: Begin, rules: PaperRules, *, currency: str, amount: Any, account: str = "paper") -> Scene:
    scene = begin(rules)
    if account != "paper":
        open_paper_account(scene.book, account, "USD", mode="hedging")
        scene.accounts = (account,)
    money = OpeningBalance(
        account=account, balance_id=currency, currency=currency, amount=amount, occurred_ns=scene.clock.now
    )
    scene.book.record(money)
    scene.book.record(
        Instrument(symbol=PERP, kind="perpetual", base="BTC", quote="USDT", settle="USDT", contract_size="0.01")
    )
    scene.book.record(
        Instrument(
            symbol=INVERSE,
            kind="perpetual",
            base="BTC",
            quote="USD",
            settle="BTC",
            contract_size="100",
        )
    )
    scene.restart()
    return scene


# ---- money ----


def test_a_fee_never_takes_a_cash_account_below_nothing(begin: Begin) -> None:
    scene = begin(PaperRules(fees=Fees(taker_ratio=D("0.001")), margin_of=CASH))
    scene.print("99")
    name = scene.order("buy", 100)
    scene.print("100")
    assert (scene.status(name), scene.cash()) == ("canceled", 10_000)
    assert scene.reason(name) == "not_enough_buying_power: 10 USD missing when it filled"


def test_money_that_left_meanwhile_is_missed_when_it_fills(begin: Begin) -> None:
    scene = begin(PaperRules(margin_of=CASH))
    open_paper_account(scene.book, "second", "USD", "0")
    scene.print("100")
    name = scene.order("buy", 100, kind="limit", limit_price="99")
    scene.book.record(
        Transfer(
            from_account="paper",
            to_account="second",
            asset="USD",
            amount=5_000,
            transfer_id="t",
            occurred_ns=scene.clock.now,
        )
    )
    scene.print("98")
    assert (scene.status(name), scene.cash(), scene.held()) == ("canceled", 5_000, 0)


def test_a_cash_account_sells_what_its_strategies_hold_together(begin: Begin) -> None:
    scene = begin(PaperRules(margin_of=CASH))
    scene.order("buy", 10, strategy="a")
    scene.print("100")
    name = scene.order("sell", 10, strategy="b")
    scene.print("100")
    assert (scene.status(name), scene.held()) == ("filled", 0)
    assert scene.status(scene.order("sell", 1, strategy="a")) == "rejected"


def test_margin_is_asked_for_what_the_account_holds_not_for_each_strategy(begin: Begin) -> None:
    scene = funded(begin, PaperRules(liquidate=True), currency="USDT", amount=1_000)
    scene.order("buy", 20, PERP, strategy="a")
    scene.print("50000", instrument=PERP)
    assert scene.status(scene.order("buy", 1, PERP, strategy="a")) == "rejected"
    other = scene.order("sell", 20, PERP, strategy="b")
    assert scene.status(other) == "new"
    scene.restart()
    scene.print("50000", instrument=PERP)
    assert scene.status(other) == "filled"
    assert scene.status(scene.order("buy", 20, PERP, kind="limit", limit_price="50000", strategy="c")) == "new"
    scene.print("150000", instrument=PERP)
    held = {item.strategy: item.quantity for item in scene.book.positions(account="paper")}
    assert held == {"a": 20, "b": -20}


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_an_inverse_contract_is_margined_and_liquidated_in_its_coin(begin: Begin, side: str) -> None:
    scene = funded(begin, PaperRules(liquidate=True), currency="BTC", amount="0.1")
    scene.print("50000", instrument=INVERSE)
    assert scene.status(scene.order(side, 501, INVERSE)) == "rejected"
    assert scene.status(scene.order(side, 500, INVERSE)) == "new"
    scene.print("50000", instrument=INVERSE)
    assert scene.status(scene.order(side, 1, INVERSE)) == "rejected"
    holds, breaks = ("47800", "47600") if side == "buy" else ("52700", "52800")
    scene.print(holds, instrument=INVERSE)
    assert abs(scene.held(INVERSE)) == 500
    scene.restart()
    scene.print(breaks, instrument=INVERSE)
    assert scene.held(INVERSE) == 0
    lost = D(50_000) / D(50_000) - D(50_000) / D(breaks)
    assert scene.cash("BTC") == (D("0.1") + (lost if side == "buy" else -lost)).quantize(D("1E-18"))


# ---- legs ----


def test_a_leg_is_closed_and_never_exceeded(begin: Begin) -> None:
    scene = funded(begin, PaperRules(), currency="USDT", amount=1_000, account="hedge")
    more: dict[str, Any] = {"account": "hedge", "instrument": PERP}
    scene.print("50000", instrument=PERP)
    assert scene.status(scene.order("sell", 3, leg="long", **more), "hedge") == "rejected"
    scene.order("buy", 5, leg="long", **more)
    scene.order("sell", 4, leg="short", **more)
    scene.print("50000", instrument=PERP)
    name = scene.order("sell", 9, leg="long", **more)
    scene.restart()
    scene.print("51000", instrument=PERP)
    held = {item.leg: item.quantity for item in scene.book.positions(account="hedge")}
    assert held == {"short": -4}
    assert scene.status(name, "hedge") == "canceled"
    assert scene.fills("hedge")[-1][1] == "5"
    assert scene.book.positions(account="hedge", is_open=False)[0].flags == ()


def test_legs_ask_margin_apart(begin: Begin) -> None:
    scene = funded(begin, PaperRules(), currency="USDT", amount=1_000, account="hedge")
    more: dict[str, Any] = {"account": "hedge", "instrument": PERP}
    scene.print("50000", instrument=PERP)
    scene.order("buy", 10, leg="long", **more)
    scene.order("sell", 10, leg="short", **more)
    scene.print("50000", instrument=PERP)
    assert scene.status(scene.order("buy", 1, leg="long", **more), "hedge") == "rejected"


def test_a_leg_means_nothing_in_a_netting_account(begin: Begin) -> None:
    scene = begin()
    scene.order("buy", 10, leg="long")
    scene.print("100")
    name = scene.order("sell", 10, kind="stop", stop_price="95", leg="long", reduce_only=True)
    assert scene.status(name) == "new"
    scene.restart()
    scene.print("95")
    assert (scene.status(name), scene.held()) == ("filled", 0)


# ---- only reducing ----


def test_two_exits_without_a_group_close_a_position_once(begin: Begin) -> None:
    scene = begin()
    scene.order("buy", 10)
    scene.print("100")
    first = scene.order("sell", 10, kind="stop", stop_price="95", reduce_only=True)
    second = scene.order("sell", 10, kind="stop", stop_price="96", reduce_only=True)
    scene.print("94")
    assert (scene.status(first), scene.status(second), scene.held()) == ("filled", "canceled", 0)
    assert scene.reason(second) == "nothing_to_reduce"


def test_an_exit_whose_position_was_closed_by_hand_ends_though_the_market_is_far(begin: Begin) -> None:
    scene = begin()
    scene.order("buy", 10)
    scene.print("100")
    name = scene.order("sell", 10, kind="limit", limit_price="150", reduce_only=True)
    scene.print("100")
    assert scene.status(name) == "new"
    by_hand = Fill(
        instrument="AAPL", side="sell", quantity=10, price=100, account="paper", occurred_ns=scene.clock.now + 1
    )
    scene.book.record(by_hand)
    scene.print("101")
    assert (scene.status(name), scene.reason(name)) == ("canceled", "nothing_to_reduce")


def test_an_exit_is_free_where_nothing_else_is(begin: Begin) -> None:
    scene = begin()
    scene.print("100")
    scene.order("buy", 200)
    scene.print("100")
    scene.print("60")
    assert scene.status(scene.order("buy", 1)) == "rejected"
    name = scene.order("sell", 200, reduce_only=True)
    scene.print("45")
    assert (scene.status(name), scene.cash()) == ("filled", -1_000)


def test_a_group_shrinks_with_each_part_and_after_each_restart(begin: Begin) -> None:
    scene = begin()
    scene.order("buy", 10)
    scene.print("100")
    target = scene.order("sell", 10, kind="limit", limit_price="105", group_id="g")
    stop = scene.order("sell", 10, kind="stop", stop_price="95", group_id="g")
    for quantity in ("3", "2"):
        scene.print("106", quantity)
        scene.restart()
    scene.print("94", "4")
    scene.restart()
    scene.print("94")
    assert (scene.status(target), scene.status(stop), scene.held()) == ("canceled", "filled", 0)
    assert [fill[1] for fill in scene.fills()] == ["10", "3", "2", "4", "1"]


# ---- wishes ----


def test_a_cancel_that_overtakes_its_order_ends_it(begin: Begin) -> None:
    scene = begin()
    name = "early"
    scene.book.record(
        Order(
            instrument="AAPL",
            side="buy",
            quantity=1,
            client_order_id=name,
            account="paper",
            occurred_ns=scene.clock.now,
        )
    )
    scene.broker.cancel("paper", name)
    assert scene.status(name) == "canceled"
    scene.print("100")
    assert scene.fills() == []


@pytest.mark.parametrize("terms", [{"quantity": D(0)}, {"limit_price": D("90")}, {"stop_price": D("1")}])
def test_every_wish_for_other_terms_is_answered_however_often_in_one_moment(
    begin: Begin, terms: dict[str, Decimal]
) -> None:
    scene = begin()
    scene.print("100")
    name = scene.order("buy", 10, kind="limit", limit_price="90")

    def reports(facts: Sequence[Any]) -> None:  # what looks like something said before may be reported again
        scene.book.record_many(facts)

    scene.broker.start(reports)
    for _ in range(3):
        scene.book.record(OrderUpdate(account="paper", client_order_id=name, status="pending_replace"))
        scene.broker.replace("paper", name, **terms)
        assert scene.status(name) == "new"


def test_an_order_is_not_made_smaller_than_what_it_filled(begin: Begin) -> None:
    scene = begin()
    scene.print("100")
    name = scene.order("buy", 10, kind="limit", limit_price="99")
    scene.print("98", "4")
    for quantity in ("3", "4"):
        scene.broker.replace("paper", name, quantity=D(quantity))
        scene.restart()
        assert (scene.status(name), scene.reason(name)) == ("partially_filled", "quantity_filled_already")
        scene.clock.advance(1)
    scene.broker.replace("paper", name, quantity=D(5))
    scene.print("98")
    assert (scene.status(name), scene.held()) == ("filled", 5)


# ---- time ----


def test_a_day_order_of_the_next_session_outlives_an_end_that_is_told_late(begin: Begin) -> None:
    scene = begin()
    scene.print("100")
    before = scene.order("buy", 1, kind="limit", limit_price="90", time_in_force="DAY")
    ended = scene.clock.now + 1
    scene.clock.advance(3_600)
    after = scene.order("buy", 1, kind="limit", limit_price="90", time_in_force="DAY")
    scene.restart()
    scene.broker.session_ended(ended)
    assert (scene.status(before), scene.status(after)) == ("expired", "new")


@pytest.mark.parametrize(("seconds", "status"), [(9, "filled"), (10, "expired"), (11, "expired")])
def test_good_till_date_ends_with_its_moment(begin: Begin, seconds: int, status: str) -> None:
    scene = begin()
    scene.print("100")
    until = datetime.fromtimestamp(scene.clock.now // 10**9 + 10, UTC)
    more: dict[str, Any] = {"time_in_force": "GTD", "expires_at": until}
    name = scene.order("buy", 1, kind="limit", limit_price="99", **more)
    scene.restart()
    scene.print("98", seconds=seconds)
    assert scene.status(name) == status
    if seconds >= 10:
        assert scene.reason(scene.order("buy", 1, kind="limit", limit_price="99", **more)) == "expired_already"


def test_prints_of_one_moment_are_told_apart_and_none_counts_twice(begin: Begin) -> None:
    scene = begin()
    scene.print("100")
    name = scene.order("buy", 9, kind="limit", limit_price="99")
    scene.clock.advance(1)
    prints = [
        Print(instrument="AAPL", at_ns=scene.clock.now, price=D(98), quantity=D(2), id=str(number))
        for number in range(3)
    ]
    for seen in prints:
        scene.see(seen)
        scene.restart()
    for seen in prints:
        scene.broker.see(seen)
    assert (scene.status(name), scene.held()) == ("partially_filled", 6)


def test_a_child_that_comes_alive_in_the_moment_it_came_takes_after_a_restart_too(begin: Begin) -> None:
    scene = begin(PaperRules(fees=Fees(maker_ratio=D("0.01"), taker_ratio=D("0.02"))))
    scene.print("100")
    scene.order("buy", 1, client_order_id="e")
    child = scene.order("sell", 1, kind="limit", limit_price="95", parent_id="e")
    scene.print("101", seconds=0)
    scene.restart()
    scene.print("99")
    assert scene.status(child) == "filled"
    assert scene.fills()[-1] == ("sell", "1", "99", "taker")


# ---- prices and steps ----


def test_a_price_of_nothing_is_not_a_price(begin: Begin) -> None:
    scene = begin()
    name = scene.order("buy", 10)
    scene.clock.advance(1)
    scene.broker.see(Print(instrument="AAPL", at_ns=scene.clock.now, price=D(0), quantity=D(5)))
    assert (scene.status(name), scene.fills()) == ("new", [])
    quote = Quote(instrument="AAPL", at_ns=scene.clock.now, bid=D(0), ask=D(100))
    assert price_shown(quote) == 100
    scene.broker.see(quote)
    assert scene.fills() == [("buy", "10", "100", "taker")]
    assert price_shown(Quote(instrument="AAPL", at_ns=1, bid=D(0), ask=D(0))) is None


def test_a_bar_without_volume_fills_nothing_where_volume_bounds_what_fills(begin: Begin) -> None:
    from dataclasses import replace

    from onebook.domain.market import Bar

    scene = begin(PaperRules(matching=Rules(bar_share=D("0.1"))))
    name = scene.order("buy", 10)
    bar = scene.bar("100", "101", "99", "100")
    assert isinstance(bar, Bar)
    assert scene.status(name) == "filled"
    second = scene.order("sell", 10)
    later = replace(bar, opened_ns=bar.at_ns, at_ns=2 * bar.at_ns - bar.opened_ns, volume=D(0))
    scene.see(later)
    assert scene.status(second) == "new"


def test_parts_lie_on_the_lot_and_levels_on_the_tick(begin: Begin) -> None:
    scene = begin(PaperRules(matching=Rules(fill_share=D("0.5"))))
    scene.print("100")
    name = scene.order("buy", 10, kind="limit", limit_price="99")
    scene.print("98", "1")
    assert scene.status(name) == "new"
    scene.print("98", "7")
    assert scene.held() == 3
    trail = scene.order("sell", 3, kind="trailing_stop", trail_ratio="0.0333")
    (state,) = [item for item in scene.book.orders(is_open=True) if item.client_order_id == trail]
    assert state.order.stop_price == D("94.73")


def test_numbers_of_fills_go_on_where_the_log_is_not_read_so_far_back(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = begin()
    scene.print("100")
    name = scene.order("buy", 10, kind="limit", limit_price="99")
    for _ in range(3):
        scene.print("98", "2")
    monkeypatch.setattr("onebook.trading.brokers.paper_memory.LOOKS_BACK", 1)
    scene.restart()
    scene.print("98", "2")
    assert [item.fill.venue_fill_id for item in scene.book.fills()] == [f"{name}-{number}" for number in range(1, 5)]


def test_what_an_account_has_follows_the_log_whatever_is_written_into_it(begin: Begin) -> None:
    scene = begin(PaperRules(fees=Fees(taker_ratio=D("0.001"))))
    scene.book.record(Account(name="other"))
    scene.print("100")
    for number in range(60):
        side = "buy" if number % 7 < 4 else "sell"
        scene.order(side, 1 + number % 3, strategy="ab"[number % 2])
        scene.print(str(100 + number % 5))
        if number % 10 == 3:
            scene.book.record(
                CashMovement(
                    account="paper",
                    amount="-1.5",
                    currency="USD",
                    kind="interest",
                    movement_id=str(number),
                    occurred_ns=scene.clock.now,
                )
            )
        if number % 10 == 6:  # by hand, and earlier than what is there
            scene.book.record(
                Fill(
                    instrument="AAPL",
                    side="buy",
                    quantity=1,
                    price=90,
                    account="paper",
                    strategy="a",
                    client_fill_id=str(number),
                    occurred_ns=scene.clock.now - 5 * 10**9,
                )
            )
        if number == 40:
            scene.book.record(Instrument(symbol="AAPL", kind="equity", base="AAPL", quote="USD", lot_size="1"))
        assert_known(scene)


def assert_known(scene: Scene) -> None:
    """What the venue takes an account to have is what the book says."""
    means = scene.broker._means
    known = means.purse("paper")
    fresh = read_purse(scene.book, "paper", lambda name: means.terms("paper", name), PaperRules().margin_for)
    assert {name: amount for name, amount in known.balances.items() if amount} == dict(fresh.balances)
    assert {place: (item.quantity, item.cost) for place, item in known.held.items()} == {
        place: (item.quantity, item.cost) for place, item in fresh.held.items()
    }


def test_what_an_account_has_after_fees_in_the_asset_follows_the_log(begin: Begin) -> None:
    scene = begin(PaperRules(fees=Fees(taker_ratio=D("0.001"), in_base_on_buy=True)))
    scene.print("60000", instrument=SPOT)
    for side, quantity in (("buy", "0.1"), ("buy", "0.03"), ("sell", "0.05"), ("buy", "0.01")):
        scene.order(side, quantity, SPOT)
        assert_known(scene)
        scene.print("60000", instrument=SPOT)
        assert_known(scene)
