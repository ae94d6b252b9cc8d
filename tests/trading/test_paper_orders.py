"""Every kind of order on paper, end to end: from the book through the venue into the book, to the cent."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.trading.conftest import Begin, Scene

import onebook
from onebook import Order
from onebook.domain.matching import FixedBps, Rules
from onebook.errors import InputError, RuleError
from onebook.trading.brokers.paper_rules import Fees, PaperRules
from onebook.trading.brokers.port import Broker, Found

D = Decimal
FEES = PaperRules(fees=Fees(maker_ratio=D("0.0002"), taker_ratio=D("0.0005")))


def test_a_market_order_fills_at_the_next_print(begin: Begin) -> None:
    scene = begin(FEES)
    scene.print("100")
    name = scene.order("buy", 10)
    assert scene.status(name) == "new"
    scene.print("101")
    assert scene.status(name) == "filled"
    assert scene.fills() == [("buy", "10", "101", "taker")]
    assert scene.cash() == D("10000") - D("1010") - D("0.505")
    assert scene.held() == 10


def test_a_market_order_on_a_quote_pays_the_ask(begin: Begin) -> None:
    scene = begin()
    scene.order("buy", 10)
    scene.quote("99.90", "100.10")
    scene.order("sell", 4)
    scene.quote("99.80", "100.20")
    assert scene.fills() == [("buy", "10", "100.1", "taker"), ("sell", "4", "99.8", "taker")]


def test_a_market_order_on_bars_fills_at_the_next_open(begin: Begin) -> None:
    scene = begin()
    scene.bar("100", "101", "99", "100.50")
    scene.order("buy", 10)
    scene.bar("100.70", "102", "100", "101")
    assert scene.fills() == [("buy", "10", "100.7", "taker")]


def test_a_market_order_fills_at_this_close_when_the_rules_say_so(begin: Begin) -> None:
    scene = begin(PaperRules(matching=Rules(market_on="this_close")))
    scene.bar("100", "101", "99", "100.50")
    name = scene.order("buy", 10)
    assert scene.fills() == [("buy", "10", "100.5", "taker")]
    assert scene.status(name) == "filled"


def test_a_resting_limit_order_pays_the_makers_fee(begin: Begin) -> None:
    scene = begin(FEES)
    scene.print("100")
    name = scene.order("buy", 10, kind="limit", limit_price="99.50")
    scene.print("99.60")
    assert scene.status(name) == "new"
    scene.print("99.40")
    assert scene.fills() == [("buy", "10", "99.5", "maker")]
    assert scene.cash() == D("10000") - D("995") - D("0.199")


def test_a_limit_order_that_comes_into_the_market_takes(begin: Begin) -> None:
    scene = begin(FEES)
    scene.print("100")
    scene.order("buy", 10, kind="limit", limit_price="102")
    scene.print("100.20")
    assert scene.fills() == [("buy", "10", "100.2", "taker")]


def test_an_order_fills_in_parts_as_the_market_trades(begin: Begin) -> None:
    scene = begin(FEES)
    scene.print("100")
    name = scene.order("buy", 10, kind="limit", limit_price="99")
    for quantity, status in (("4", "partially_filled"), ("4", "partially_filled"), ("9", "filled")):
        scene.print("98.90", quantity)
        assert scene.status(name) == status
    assert [fill[1] for fill in scene.fills()] == ["4", "4", "2"]
    assert [item.fill.venue_fill_id for item in scene.book.fills()] == [f"{name}-{number}" for number in (1, 2, 3)]
    assert scene.cash() == D("10000") - D("990") - D("0.198")


def test_a_stop_triggers_and_fills_at_the_market(begin: Begin) -> None:
    scene = begin()
    scene.order("buy", 10)
    scene.print("100")
    name = scene.order("sell", 10, kind="stop", stop_price="95", reduce_only=True, close_reason="stop_loss")
    scene.print("95.10")
    assert scene.status(name) == "new"
    scene.print("94.70")
    assert scene.status(name) == "filled"
    (trip,) = scene.book.round_trips(account="paper")
    assert (trip.net, trip.close_reason) == (D("-53"), "stop_loss")


def test_a_stop_limit_rests_after_its_level(begin: Begin) -> None:
    scene = begin()
    scene.order("buy", 10)
    scene.print("100")
    name = scene.order("sell", 10, kind="stop_limit", stop_price="95", limit_price="94.50")
    scene.print("94")
    assert scene.status(name) == "triggered"
    scene.restart()
    scene.print("94.60")
    assert scene.status(name) == "filled"
    assert scene.fills()[-1] == ("sell", "10", "94.5", "maker")


@pytest.mark.parametrize(("trail", "level"), [({"trail_amount": "5"}, "105"), ({"trail_ratio": "0.1"}, "99")])
def test_a_trailing_stop_moves_one_way_and_its_level_is_in_the_book(
    begin: Begin, trail: dict[str, str], level: str
) -> None:
    scene = begin()
    scene.order("buy", 10)
    scene.print("100")
    name = scene.order("sell", 10, kind="trailing_stop", close_reason="trailing_stop", **trail)
    for price in ("102", "110", "107"):
        scene.print(price)
    (state,) = scene.book.orders(is_open=True)
    assert state.order.stop_price == D(level)
    scene.restart()
    scene.print(level)
    assert scene.status(name) == "filled"
    assert scene.fills()[-1] == ("sell", "10", level, "taker")


def test_a_trails_level_moves_by_steps_where_the_rules_ask_for_them(begin: Begin) -> None:
    scene = begin(PaperRules(matching=Rules(trail_step=D(2))))
    scene.order("buy", 10)
    scene.print("100")
    scene.order("sell", 10, kind="trailing_stop", trail_amount="5")
    for price in ("101", "101.90", "102.10", "103"):
        scene.print(price)
    (state,) = scene.book.orders(is_open=True)
    assert state.order.stop_price == D("97.1")
    scene.restart()
    scene.print("104")
    scene.restart()
    scene.print("104.10")
    (state,) = scene.book.orders(is_open=True)
    assert state.order.stop_price == D("99.1")
    assert len([event for event in scene.book.events(types="order_updated") if "stop_price" in event.data]) == 3


def bracket(begin: Begin) -> tuple[Scene, str, str, str]:
    scene = begin()
    scene.print("100")
    entry = scene.order("buy", 10, kind="limit", limit_price="99", client_order_id="e")
    target = scene.order(
        "sell", 10, kind="limit", limit_price="105", parent_id="e", group_id="g", close_reason="take_profit"
    )
    stop = scene.order("sell", 10, kind="stop", stop_price="95", parent_id="e", group_id="g", close_reason="stop_loss")
    return scene, entry, target, stop


@pytest.mark.parametrize(("last", "reason", "net"), [("106", "take_profit", "60"), ("94", "stop_loss", "-50")])
def test_a_bracket_closes_by_one_of_its_exits(begin: Begin, last: str, reason: str, net: str) -> None:
    scene, entry, target, stop = bracket(begin)
    scene.print("106")
    assert {scene.status(name) for name in (entry, target, stop)} == {"new"}
    scene.print("98.50")
    assert scene.status(entry) == "filled"
    assert scene.held() == 10
    scene.restart()
    scene.print(last)
    (trip,) = scene.book.round_trips(account="paper")
    assert (trip.close_reason, trip.net) == (reason, D(net))
    assert sorted([scene.status(target), scene.status(stop)]) == ["canceled", "filled"]
    assert not scene.book.orders(is_open=True)


def test_a_brackets_exits_end_with_an_entry_that_is_canceled(begin: Begin) -> None:
    scene, entry, target, stop = bracket(begin)
    scene.broker.cancel("paper", entry)
    assert [scene.status(name) for name in (entry, target, stop)] == ["canceled"] * 3
    assert scene.reason(stop) == "parent_ended"
    assert scene.cash() == 10_000


def test_entry_and_stop_in_one_bar_fold_in_their_order(begin: Begin) -> None:
    scene, _, _, stop = bracket(begin)
    scene.bar("100", "100.50", "94", "96")
    (trip,) = scene.book.round_trips(account="paper")
    assert (trip.direction, trip.net, trip.close_reason) == ("long", D("-40"), "stop_loss")
    first, second = (item.fill.occurred_ns for item in scene.book.fills())
    assert second == first + 1
    assert scene.status(stop) == "filled"


def test_one_of_two_orders_cancels_the_other(begin: Begin) -> None:
    scene = begin()
    scene.print("100")
    low = scene.order("buy", 10, kind="limit", limit_price="98", group_id="either")
    high = scene.order("buy", 10, kind="stop", stop_price="103", group_id="either")
    scene.print("103.20")
    assert (scene.status(low), scene.status(high)) == ("canceled", "filled")
    assert scene.reason(low) == "group_filled"


def test_immediate_or_cancel_takes_what_is_there(begin: Begin) -> None:
    scene = begin()
    scene.print("100")
    name = scene.order("buy", 10, kind="limit", limit_price="101", time_in_force="IOC")
    scene.print("100", "6")
    assert scene.status(name) == "canceled"
    assert scene.held() == 6


def test_fill_or_kill_takes_all_or_nothing(begin: Begin) -> None:
    scene = begin()
    scene.print("100")
    name = scene.order("buy", 10, kind="limit", limit_price="101", time_in_force="FOK")
    scene.print("100", "6")
    assert (scene.status(name), scene.held()) == ("canceled", 0)


def test_a_day_order_ends_with_the_session_and_another_does_not(begin: Begin) -> None:
    scene = begin()
    scene.print("100")
    day = scene.order("buy", 10, kind="limit", limit_price="90", time_in_force="DAY")
    good = scene.order("buy", 10, kind="limit", limit_price="91")
    scene.restart()
    scene.clock.advance(3600)
    scene.broker.session_ended(scene.clock.now)
    assert (scene.status(day), scene.status(good)) == ("expired", "new")


def test_an_order_good_until_a_moment_ends_there(begin: Begin) -> None:
    scene = begin()
    scene.print("100")
    until = datetime.fromtimestamp(scene.clock.now // 10**9, UTC) + timedelta(seconds=10)
    name = scene.order("buy", 10, kind="limit", limit_price="90", time_in_force="GTD", expires_at=until)
    scene.print("95")
    assert scene.status(name) == "new"
    scene.print("80", seconds=30)
    assert (scene.status(name), scene.fills()) == ("expired", [])


def test_slippage_goes_against_the_trader(begin: Begin) -> None:
    scene = begin(PaperRules(matching=Rules(slippage=FixedBps(bps=D(10)))))
    scene.order("buy", 10)
    scene.print("100")
    scene.order("sell", 10)
    scene.print("100")
    assert [fill[2] for fill in scene.fills()] == ["100.1", "99.9"]


def test_chance_is_a_pure_function_of_seed_order_and_fill(begin: Begin) -> None:
    slips = Rules(slippage=FixedBps(bps=D(50), random_ratio=D(1)))
    first, again, other = (PaperRules(matching=slips, seed=seed).matching_for(None).uniform for seed in (1, 1, 2))
    assert first is not None
    assert again is not None
    assert other is not None
    drawn = [first(f"o{number}", 1) for number in range(100)]
    assert drawn == [again(f"o{number}", 1) for number in range(100)]
    assert drawn != [other(f"o{number}", 1) for number in range(100)]
    assert all(0 <= item < 1 for item in drawn)
    assert D("0.4") < sum(drawn) / 100 < D("0.6")
    assert first("o1", 1) != first("o1", 2)


def test_latency_keeps_an_order_away_from_what_comes_too_soon(begin: Begin) -> None:
    scene = begin(PaperRules(latency_ns=1_500_000_000))
    scene.order("buy", 10)
    scene.print("100")
    assert scene.fills() == []
    scene.restart()
    scene.print("101")
    assert scene.fills() == [("buy", "10", "101", "taker")]


def test_other_terms_are_in_the_book_and_are_matched(begin: Begin) -> None:
    scene = begin()
    scene.print("100")
    name = scene.order("buy", 10, kind="limit", limit_price="90")
    scene.broker.replace("paper", name, quantity=D(6), limit_price=D("97"))
    (state,) = scene.book.orders(is_open=True)
    assert (state.order.quantity, state.order.limit_price, state.status) == (6, 97, "new")
    scene.restart()
    scene.print("96.50")
    assert scene.fills() == [("buy", "6", "97", "maker")]
    assert scene.status(name) == "filled"


def test_terms_that_cannot_be_are_answered_with_a_reason(begin: Begin) -> None:
    scene = begin()
    scene.print("100")
    name = scene.order("buy", 10, kind="limit", limit_price="90")
    scene.print("89", "4")
    scene.broker.replace("paper", name, quantity=D(3))
    assert (scene.status(name), scene.reason(name)) == ("partially_filled", "quantity_filled_already")
    scene.clock.advance(1)
    scene.broker.replace("paper", name, quantity=D(100_000))
    assert scene.reason(name).startswith("not_enough_buying_power")
    (state,) = scene.book.orders(is_open=True)
    assert state.order.quantity == 10


def test_a_bar_that_still_runs_fills_nothing(begin: Begin) -> None:
    from dataclasses import replace

    from onebook.domain.market import Bar

    scene = begin()
    bar = scene.bar("100", "101", "99", "100.50")
    assert isinstance(bar, Bar)
    scene.order("buy", 10)
    scene.broker.see(replace(bar, opened_ns=bar.at_ns, at_ns=bar.at_ns + 10**9, is_final=False))
    assert scene.fills() == []


def test_the_venue_knows_what_it_has_answered_to(begin: Begin) -> None:
    scene = begin()
    fact = Order(instrument="AAPL", side="buy", quantity=1, client_order_id="x", account="paper")
    assert scene.broker.find("paper", "x") is None
    scene.book.record(fact)
    assert scene.broker.find("paper", "x") is None
    scene.broker.submit(fact)
    assert scene.broker.find("paper", "x") == Found()
    head = scene.book.status().entries
    scene.broker.submit(fact)
    scene.restart()
    scene.broker.submit(fact)
    assert scene.book.status().entries == head


def test_what_does_not_work_here_stays_as_it_is(begin: Begin) -> None:
    scene = begin()
    name = scene.order("buy", 1)
    scene.print("100")
    head = scene.book.status().entries
    scene.broker.cancel("paper", name)
    scene.broker.cancel("paper", "nobody")
    scene.broker.replace("paper", name, quantity=D(2))
    assert scene.book.status().entries == head


def test_an_order_that_ended_in_the_book_fills_no_more(begin: Begin) -> None:
    scene = begin()
    name = scene.order("buy", 1)
    scene.book.record(onebook.OrderUpdate(account="paper", client_order_id=name, status="canceled"))
    scene.print("100")
    assert scene.fills() == []


def test_a_child_whose_parent_was_ended_by_hand_ends_at_the_next_start(begin: Begin) -> None:
    scene, entry, target, stop = bracket(begin)
    scene.book.record(onebook.OrderUpdate(account="paper", client_order_id=entry, status="canceled"))
    scene.restart()
    assert (scene.status(target), scene.status(stop), scene.reason(stop)) == ("canceled", "canceled", "parent_ended")


def test_exits_that_come_after_their_entry_has_filled_work_at_once(begin: Begin) -> None:
    scene = begin()
    entry = scene.order("buy", 10)
    scene.print("100")
    stop = scene.order("sell", 10, kind="stop", stop_price="95", parent_id=entry)
    scene.restart()
    scene.print("95")
    assert (scene.status(stop), scene.held()) == ("filled", 0)


def test_a_limit_order_that_takes_still_does_after_a_restart(begin: Begin) -> None:
    scene = begin(FEES)
    scene.print("100")
    scene.order("buy", 10, kind="limit", limit_price="102")
    scene.restart()
    scene.print("100.20")
    assert scene.fills() == [("buy", "10", "100.2", "taker")]


def test_a_limit_order_after_a_restart_is_judged_by_the_books_mark(begin: Begin) -> None:
    scene = begin()
    scene.print("100")
    scene.restart()
    scene.order("buy", 10, kind="limit", limit_price="102")
    scene.print("100.20")
    assert scene.fills() == [("buy", "10", "100.2", "taker")]


def test_it_is_a_broker_like_any_other(begin: Begin) -> None:
    broker: Broker = begin().broker
    assert (broker.venue, broker.accounts) == ("paper", frozenset({"paper"}))


def test_a_level_that_was_reached_stays_so_while_a_cancel_is_on_its_way(begin: Begin) -> None:
    scene = begin()
    name = scene.order("buy", 10, kind="stop_limit", stop_price="100", limit_price="99")
    scene.print("101")
    assert scene.status(name) == "triggered"
    scene.book.record(onebook.OrderUpdate(account="paper", client_order_id=name, status="pending_cancel"))
    scene.restart()
    scene.print("99")
    assert scene.fills() == [("buy", "10", "99", "maker")]


def test_wrong_calls_are_refused_plainly(begin: Begin) -> None:
    scene = begin()
    with pytest.raises(RuleError, match="record it first"):
        scene.broker.submit(Order(instrument="AAPL", side="buy", quantity=1, client_order_id="x", account="paper"))
    with pytest.raises(InputError, match="not of this venue"):
        scene.broker.submit(Order(instrument="AAPL", side="buy", quantity=1, client_order_id="x", account="main"))
    scene.broker.close()
    with pytest.raises(RuleError, match="not started"):
        scene.broker.cancel("paper", "x")
