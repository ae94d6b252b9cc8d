"""What a paper account can afford: cash, margin, reservations, funding, liquidation; and apart from live."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from tests.trading.conftest import Begin, Scene, recorder

import onebook
from onebook import Account, Fill, Instrument, OpeningBalance
from onebook.errors import BadConfig, RuleError
from onebook.testing import FakeClock
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.brokers.paper_account import open_paper_account
from onebook.trading.brokers.paper_rules import Fees, Margin, PaperRules

D = Decimal
SPOT = "BTC/USD"
PERP = "BTC/USDT:USDT"


def perpetual(begin: Begin, rules: PaperRules) -> Scene:
    scene = begin(rules)
    scene.book.record(
        OpeningBalance(account="paper", balance_id="usdt", currency="USDT", amount=1_000, occurred_ns=scene.clock.now)
    )
    scene.book.record(
        Instrument(symbol=PERP, kind="perpetual", base="BTC", quote="USDT", settle="USDT", contract_size="0.01")
    )
    scene.restart()
    return scene


# ---- spot ----


def test_spot_needs_the_cash(begin: Begin) -> None:
    scene = begin()
    scene.print("60000", instrument=SPOT)
    name = scene.order("buy", "0.2", SPOT)
    assert scene.status(name) == "rejected"
    assert scene.reason(name) == "not_enough_buying_power: needs 12000 USD, 10000 is free"


def test_open_orders_reserve_the_cash(begin: Begin) -> None:
    scene = begin(PaperRules(fees=Fees(taker_ratio=D("0.001"))))
    scene.print("60000", instrument=SPOT)
    first = scene.order("buy", "0.1", SPOT, kind="limit", limit_price="50000")
    second = scene.order("buy", "0.1", SPOT, kind="limit", limit_price="50000")
    assert scene.reason(second) == "not_enough_buying_power: needs 5005 USD, 4995 is free"
    scene.restart()
    third = scene.order("buy", "0.1", SPOT, kind="limit", limit_price="49950")
    assert scene.status(third) == "rejected"
    scene.broker.cancel("paper", first)
    assert scene.status(scene.order("buy", "0.1", SPOT, kind="limit", limit_price="50000")) == "new"


def test_a_group_reserves_once(begin: Begin) -> None:
    scene = begin()
    scene.print("60000", instrument=SPOT)
    for limit in ("59000", "58000"):
        name = scene.order("buy", "0.1", SPOT, kind="limit", limit_price=limit, group_id="either")
        assert scene.status(name) == "new"
    assert scene.status(scene.order("buy", "0.1", SPOT, kind="limit", limit_price="41000")) == "new"
    assert scene.status(scene.order("buy", "0.1", SPOT, kind="limit", limit_price="41000")) == "rejected"


def test_spot_needs_the_asset_to_sell(begin: Begin) -> None:
    scene = begin()
    scene.print("60000", instrument=SPOT)
    assert scene.status(scene.order("sell", "0.1", SPOT)) == "rejected"
    scene.order("buy", "0.1", SPOT)
    scene.print("60000", instrument=SPOT)
    rests = scene.order("sell", "0.06", SPOT, kind="limit", limit_price="70000")
    short = scene.order("sell", "0.05", SPOT)
    assert scene.status(rests) == "new"
    assert scene.reason(short) == "not_enough_to_sell: needs 0.05 BTC, 0.04 is free"


def test_two_exits_of_a_group_sell_the_same_asset(begin: Begin) -> None:
    scene = begin()
    scene.order("buy", "0.1", SPOT)
    scene.print("60000", instrument=SPOT)
    for more in ({"kind": "limit", "limit_price": "70000"}, {"kind": "stop", "stop_price": "50000"}):
        assert scene.status(scene.order("sell", "0.1", SPOT, group_id="exit", **more)) == "new"


def test_a_fee_in_the_asset_bought_is_taken_from_it(begin: Begin) -> None:
    scene = begin(PaperRules(fees=Fees(taker_ratio=D("0.001"), in_base_on_buy=True)))
    scene.order("buy", "0.1", SPOT)
    scene.print("60000", instrument=SPOT)
    assert (scene.cash("USD"), scene.cash("BTC"), scene.held(SPOT)) == (4_000, D("0.0999"), D("0.0999"))


def test_a_price_that_ran_away_ends_the_order_instead_of_the_account(begin: Begin) -> None:
    scene = begin()
    scene.print("60000", instrument=SPOT)
    name = scene.order("buy", "0.16", SPOT)
    scene.print("65000", instrument=SPOT)
    assert (scene.status(name), scene.cash()) == ("canceled", 10_000)
    assert scene.reason(name) == "not_enough_buying_power: 400 USD missing when it filled"


def test_a_children_of_an_entry_that_cannot_be_paid_end_with_it(begin: Begin) -> None:
    scene = begin()
    scene.print("60000", instrument=SPOT)
    scene.order("buy", "0.16", SPOT, client_order_id="e")
    child = scene.order("sell", "0.16", SPOT, kind="stop", stop_price="50000", parent_id="e")
    scene.print("65000", instrument=SPOT)
    assert (scene.status(child), scene.reason(child)) == ("canceled", "parent_ended")


# ---- margin ----


def test_shares_may_be_bought_on_margin_and_sold_short(begin: Begin) -> None:
    scene = begin()
    scene.print("100")
    assert scene.status(scene.order("buy", 201)) == "rejected"
    assert scene.status(scene.order("buy", 200)) == "new"
    scene.print("100")
    assert (scene.cash(), scene.held()) == (-10_000, 200)
    assert scene.status(scene.order("buy", 1)) == "rejected"
    assert scene.status(scene.order("sell", 200)) == "new"


def test_a_cash_account_buys_what_it_can_pay(begin: Begin) -> None:
    scene = begin(PaperRules(margin_of={"equity": Margin(short=False)}))
    scene.print("100")
    assert scene.status(scene.order("buy", 101)) == "rejected"
    assert scene.status(scene.order("buy", 100)) == "new"
    scene.print("100")
    assert scene.status(scene.order("sell", 101)) == "rejected"
    assert scene.status(scene.order("sell", 100)) == "new"


def test_contracts_need_their_initial_margin_and_gains_give_more(begin: Begin) -> None:
    scene = perpetual(begin, PaperRules())
    scene.print("50000", instrument=PERP)
    assert scene.status(scene.order("buy", 21, PERP)) == "rejected"
    assert scene.status(scene.order("buy", 20, PERP)) == "new"
    scene.print("50000", instrument=PERP)
    assert scene.status(scene.order("buy", 1, PERP)) == "rejected"
    scene.print("51000", instrument=PERP)
    assert scene.status(scene.order("buy", 1, PERP)) == "new"
    assert scene.cash("USDT") == 1_000


def test_a_breach_of_maintenance_liquidates(begin: Begin) -> None:
    rules = PaperRules(liquidate=True, fees=Fees(taker_ratio=D("0.0005")))
    scene = perpetual(begin, rules)
    scene.order("buy", 19, PERP, strategy="swing")
    scene.print("50000", instrument=PERP)
    rests = scene.order("sell", 19, PERP, kind="limit", limit_price="60000", strategy="swing")
    scene.print("47500", instrument=PERP)
    assert scene.held(PERP) == 19
    scene.restart()
    scene.print("47000", instrument=PERP)
    assert (scene.held(PERP), scene.status(rests), scene.reason(rests)) == (0, "canceled", "liquidation")
    (trip,) = scene.book.round_trips(account="paper")
    assert (trip.close_reason, trip.strategy, trip.gross) == ("liquidation", "swing", -570)
    assert scene.cash("USDT") == D(1_000) - 570 - D("4.75") - D("4.465")


def test_without_it_nothing_is_liquidated(begin: Begin) -> None:
    scene = perpetual(begin, PaperRules())
    scene.order("buy", 19, PERP)
    scene.print("50000", instrument=PERP)
    scene.print("40000", instrument=PERP)
    assert scene.held(PERP) == 19


def test_funding_is_paid_once_by_longs(begin: Begin, clock: FakeClock) -> None:
    hour = 3_600 * 10**9
    first = (clock.now // hour + 1) * hour
    rates = tuple((first + number * hour, rate) for number, rate in enumerate((D("0.0001"), D("-0.0002"), D("0.0001"))))
    scene = perpetual(begin, PaperRules(funding={PERP: rates}))
    scene.order("buy", 10, PERP)
    scene.print("50000", instrument=PERP)
    for _ in range(8):
        scene.print("60000", instrument=PERP, seconds=1_200)
        scene.restart()
    paid = [(item.funding_id, item.amount, item.occurred_ns) for item in scene.book.funding(account="paper")]
    assert paid == [
        (f"funding-{PERP}-{rates[0][0]}", D("-0.6"), rates[0][0]),
        (f"funding-{PERP}-{rates[1][0]}", D("1.2"), rates[1][0]),
    ]
    assert scene.cash("USDT") == D("1000.6")


# ---- orders that are not taken ----


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"kind": "limit"}, "no_limit_price"),
        ({"kind": "stop"}, "no_stop_price"),
        ({"kind": "limit", "limit_price": "99.005"}, "price_off_tick"),
        ({"quantity": "1.5"}, "quantity_off_lot"),
        ({"side": "sell", "reduce_only": True}, "nothing_to_reduce"),
        ({"instrument": "MSFT"}, "no_such_instrument"),
        ({"instrument": "OLD"}, "instrument_expired"),
        ({"instrument": "ETH/USD", "quantity": "0.001"}, "below_min_notional"),
        ({"parent_id": "nobody"}, "unknown_parent"),
    ],
)
def test_an_order_that_cannot_be_is_rejected_with_a_reason(begin: Begin, order: dict[str, str], reason: str) -> None:
    scene = begin(PaperRules(instruments=frozenset({"AAPL", "OLD", "ETH/USD"})))
    scene.book.record(Instrument(symbol="OLD", kind="future", base="X", quote="USD", expires_at="2024-01-01T00:00:00Z"))
    scene.book.record(Instrument(symbol="ETH/USD", kind="spot", base="ETH", quote="USD", min_notional="10"))
    scene.print("100")
    scene.print("3000", instrument="ETH/USD")
    name = scene.order(**({"side": "buy", "quantity": "1"} | order))
    assert (scene.status(name), scene.reason(name).partition(":")[0]) == ("rejected", reason)


def test_an_exit_is_capped_by_what_is_held(begin: Begin) -> None:
    scene = begin()
    scene.order("buy", 10)
    scene.print("100")
    scene.order("sell", 25, reduce_only=True)
    scene.print("101")
    assert scene.held() == 0
    assert scene.fills()[-1] == ("sell", "10", "101", "taker")


# ---- apart from live ----


def test_a_live_account_is_refused(book: onebook.Book, clock: FakeClock) -> None:
    book.record(Account(name="real", venue="kraken"))
    for name, words in (("real", "live account"), ("nobody", "not defined")):
        with pytest.raises(RuleError, match=words):
            PaperBroker(book, name, clock=clock)
    with pytest.raises(RuleError, match="live account"):
        open_paper_account(book, "real")


def test_an_account_is_opened_once(book: onebook.Book) -> None:
    first = open_paper_account(book, "paper", "USD", "500", occurred_at="2024-01-01T00:00:00Z")
    head = book.status().entries
    assert open_paper_account(book, "paper", "USD", "500", occurred_at="2024-01-01T00:00:00Z") == first
    assert book.status().entries == head
    with pytest.raises(RuleError, match="other money"):
        open_paper_account(book, "paper", "USD", "600", occurred_at="2024-01-01T00:00:00Z")
    with pytest.raises(RuleError, match="netting in the book and cannot become hedging"):
        open_paper_account(book, "paper", "USD", "500", mode="hedging", occurred_at="2024-01-01T00:00:00Z")


def test_paper_never_touches_live_totals(begin: Begin) -> None:
    scene = begin()
    scene.book.record(Account(name="real", venue="nyse"))
    scene.book.record(
        OpeningBalance(account="real", currency="USD", amount=777, balance_id="x", occurred_ns=scene.clock.now)
    )
    scene.book.record(
        Fill(instrument="AAPL", side="buy", quantity=1, price=100, account="real", occurred_ns=scene.clock.now)
    )
    scene.print("100")
    before = (scene.book.equity(), scene.book.unrealized(), scene.book.daily_pnl(), scene.book.pnl())
    scene.order("buy", 100)
    scene.print("100")
    scene.order("sell", 40)
    scene.print("100")
    assert scene.held() == 60
    assert (scene.book.equity(), scene.book.unrealized(), scene.book.daily_pnl(), scene.book.pnl()) == before
    assert scene.cash(account="real") == 677


def test_two_accounts_trade_apart(begin: Begin) -> None:
    scene = begin()
    open_paper_account(scene.book, "second", "USD", "10000")
    scene.accounts = ("paper", "second")
    scene.restart()
    calls: list[int] = []
    record = recorder(scene.book)

    def counted(facts: Sequence[Any]) -> None:
        calls.append(len(facts))
        record(facts)

    scene.broker.start(counted)
    first = scene.order("buy", 10, client_order_id="same")
    scene.order("buy", 20, client_order_id="same", account="second")
    scene.print("100")
    assert (scene.held(), scene.held(account="second")) == (10, 20)
    assert scene.status(first, "second") == "filled"
    assert calls == [1, 1, 2]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Margin(initial_ratio=D(0)),
        lambda: Margin(initial_ratio=D("0.1"), maintenance_ratio=D("0.2")),
        lambda: PaperRules(venue=""),
        lambda: PaperRules(latency_ns=-1),
    ],
)
def test_rules_that_mean_nothing_are_refused(make: object) -> None:
    with pytest.raises(BadConfig):
        make()  # type: ignore[operator]
