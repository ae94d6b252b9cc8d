"""The paper venue goes on with the book's orders after a split: brackets, halves, trails, whole and over a restart."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trading.conftest import Begin, Scene

import onebook
from onebook import CorporateAction, Instrument
from onebook.domain import times
from onebook.domain.numbers import share
from onebook.domain.reports import OrderState
from onebook.testing import FakeClock
from onebook.trading.brokers.paper_account import open_paper_account

D = Decimal
DAY_SECONDS = 86_400
BOTH = pytest.mark.parametrize("restarts", [False, True])


def split(scene: Scene, numerator: int, denominator: int = 1, *, restarts: bool = False) -> None:
    """A night later the shares are split; with a restart the venue knows nothing but the book."""
    scene.clock.advance(DAY_SECONDS)
    day = times.to_datetime(scene.clock.now).date()
    scene.book.record(
        CorporateAction(
            kind="split",
            account="paper",
            instrument="AAPL",
            effective_on=day,
            numerator=numerator,
            denominator=denominator,
        )
    )
    if restarts:
        scene.restart()


def bracket(scene: Scene, quantity: int = 10, **entry: Any) -> None:
    """An entry with a target at 120 and a stop at 90."""
    scene.order("buy", quantity, client_order_id="entry", **entry)
    exits: dict[str, Any] = {"parent_id": "entry", "group_id": "exits", "reduce_only": True}
    scene.order("sell", quantity, client_order_id="target", kind="limit", limit_price=120, **exits)
    scene.order("sell", quantity, client_order_id="stop", kind="stop", stop_price=90, **exits)


def order(scene: Scene, name: str) -> OrderState:
    found = scene.book.order(name, account="paper")
    assert found is not None
    return found


@BOTH
def test_a_stop_sells_all_the_new_shares_of_its_parents_fill(begin: Begin, restarts: bool) -> None:
    scene = begin()
    bracket(scene)
    scene.print(100)
    split(scene, 2, restarts=restarts)
    assert (order(scene, "stop").quantity, order(scene, "stop").stop_price) == (20, 45)
    scene.print("45.10")
    assert scene.status("stop") == "new"
    scene.print("44.90")
    assert scene.fills()[1:] == [("sell", "20", "44.9", "taker")]
    assert (scene.status("stop"), scene.status("target"), scene.held()) == ("filled", "canceled", 0)


@BOTH
def test_three_for_two_keeps_a_broken_share_out_of_it(begin: Begin, restarts: bool) -> None:
    scene = begin()
    bracket(scene, 11)
    scene.print(100)
    split(scene, 3, 2, restarts=restarts)
    assert (order(scene, "stop").quantity, order(scene, "stop").stop_price) == (D("16.5"), 60)
    held = scene.held()
    scene.print("60")
    assert scene.fills()[1:] == [("sell", str(held), "60", "taker")]
    scene.print("59")
    assert scene.held() == 0
    assert not scene.book.orders(account="paper", is_open=True)


@BOTH
def test_a_reverse_split_leaves_nothing_at_the_venue(begin: Begin, restarts: bool) -> None:
    scene = begin()
    bracket(scene, 12)
    scene.order("buy", 5, kind="limit", limit_price=80, client_order_id="more")
    scene.print(100)
    split(scene, 1, 4, restarts=restarts)
    assert {scene.status(name) for name in ("target", "stop", "more")} == {"canceled"}
    for price in (400, 80, 500):
        scene.print(price)
    assert len(scene.fills()) == 1
    assert scene.held() == 3
    scene.order("sell", 3, kind="stop", stop_price=350, reduce_only=True, client_order_id="again")
    scene.print(340)
    assert (scene.status("again"), scene.held()) == ("filled", 0)


@BOTH
def test_a_bracket_of_which_half_is_in_goes_on_in_new_shares(begin: Begin, restarts: bool) -> None:
    scene = begin()
    bracket(scene, 10, kind="limit", limit_price=100)
    scene.print(100, 4)
    split(scene, 2, restarts=restarts)
    entry = order(scene, "entry")
    assert (entry.quantity, entry.filled_quantity, entry.limit_price) == (16, 4, 50)
    scene.print("49.90", 3)
    assert scene.status("entry") == "partially_filled"
    scene.print("49.90", 50)
    assert (scene.status("entry"), scene.held()) == ("filled", 20)
    assert [fill[1] for fill in scene.fills()] == ["4", "3", "9"]
    scene.print("44")
    assert (scene.status("stop"), scene.held()) == ("filled", 0)


@BOTH
def test_half_a_bracket_is_protected_when_the_rest_of_its_entry_is_let_go(begin: Begin, restarts: bool) -> None:
    scene = begin()
    bracket(scene, 10, kind="limit", limit_price=100)
    scene.print(100, 4)
    split(scene, 2, restarts=restarts)
    scene.broker.cancel("paper", "entry")
    assert order(scene, "stop").quantity == 8
    scene.print("44")
    assert (scene.status("stop"), scene.held()) == ("filled", 0)


@BOTH
def test_an_exit_that_was_half_filled_sells_what_is_left(begin: Begin, restarts: bool) -> None:
    scene = begin()
    bracket(scene)
    scene.print(100)
    scene.print(89, 4)
    split(scene, 2, restarts=restarts)
    stop = order(scene, "stop")
    assert (stop.status, stop.quantity, stop.filled_quantity) == ("partially_filled", 16, 4)
    scene.print(44)
    assert (scene.status("stop"), scene.held()) == ("filled", 0)
    assert [fill[1] for fill in scene.fills()] == ["10", "4", "12"]


@BOTH
def test_what_the_target_took_before_a_split_is_not_sold_again(begin: Begin, restarts: bool) -> None:
    scene = begin()
    bracket(scene)
    scene.print(100)
    scene.print(120, 4)
    split(scene, 2, restarts=restarts)
    assert order(scene, "stop").quantity == 12
    scene.print(44)
    assert [fill[1] for fill in scene.fills()] == ["10", "4", "12"]
    assert (scene.status("stop"), scene.held()) == ("filled", 0)


@BOTH
@pytest.mark.parametrize(
    ("trail", "level", "after"),
    [({"trail_amount": 10}, "50", "53"), ({"trail_ratio": "0.1"}, "49.5", "52.2")],
)
def test_a_trailing_stop_goes_on_from_its_level_in_new_units(
    begin: Begin, restarts: bool, trail: dict[str, Any], level: str, after: str
) -> None:
    scene = begin()
    scene.order("buy", 10)
    scene.print(100)
    scene.order("sell", 10, kind="trailing_stop", reduce_only=True, client_order_id="trail", **trail)
    scene.print(110)
    split(scene, 2, restarts=restarts)
    assert (order(scene, "trail").quantity, order(scene, "trail").stop_price) == (20, D(level))
    scene.print("53")
    assert order(scene, "trail").stop_price == D(level)
    scene.print("58")
    assert order(scene, "trail").stop_price == D(after)
    scene.print(after)
    assert (scene.status("trail"), scene.held()) == ("filled", 0)


@BOTH
def test_a_trail_that_waits_for_its_entry_waits_in_new_shares(begin: Begin, restarts: bool) -> None:
    scene = begin()
    scene.print(100)
    scene.order("buy", 10, kind="limit", limit_price=90, client_order_id="entry")
    scene.order(
        "sell", 10, kind="trailing_stop", trail_amount=10, parent_id="entry", reduce_only=True, client_order_id="trail"
    )
    split(scene, 2, restarts=restarts)
    scene.print("45")
    assert scene.held() == 20
    scene.print("46")
    assert order(scene, "trail").stop_price == 41
    scene.print("41")
    assert (scene.status("trail"), scene.held()) == ("filled", 0)


@BOTH
def test_a_price_of_before_a_split_sets_no_level_after_it(begin: Begin, restarts: bool) -> None:
    scene = begin()
    scene.order("buy", 10)
    scene.print(100)
    split(scene, 2, restarts=restarts)
    scene.order("sell", 20, kind="trailing_stop", trail_amount=5, reduce_only=True, client_order_id="trail")
    assert order(scene, "trail").stop_price == 45
    scene.order("sell", 1, kind="limit", limit_price=60, client_order_id="target")
    scene.print(61, 1)
    assert scene.fills()[-1] == ("sell", "1", "60", "maker")


def test_a_split_of_another_account_or_instrument_changes_nothing(begin: Begin) -> None:
    scene = begin()
    bracket(scene)
    scene.print(100)
    for account, instrument in (("main", "AAPL"), ("paper", "MSFT")):
        scene.book.record(
            CorporateAction(kind="split", account=account, instrument=instrument, numerator=2, denominator=1)
        )
    scene.print(89)
    assert [fill[1] for fill in scene.fills()] == ["10", "10"]


def test_an_order_that_only_fills_name_does_not_stop_a_split(begin: Begin) -> None:
    scene = begin()
    scene.book.record(
        onebook.Fill(instrument="AAPL", side="buy", quantity=10, price=100, account="paper", client_order_id="not ours")
    )
    split(scene, 2)
    assert scene.held() == 20
    assert scene.book.verify().ok


def test_the_same_order_again_is_known_after_a_split(begin: Begin) -> None:
    scene = begin()
    at = scene.clock.now
    more: dict[str, Any] = {"kind": "stop", "stop_price": 90, "client_order_id": "s", "account": "paper"}
    fact = onebook.Order(instrument="AAPL", side="sell", quantity=10, occurred_ns=at, **more)
    scene.book.record(fact)
    split(scene, 2)
    again = scene.book.record(fact)
    assert again.status == "exists"
    assert order(scene, "s").quantity == 20


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("print"), st.integers(80, 125), st.integers(1, 12)),
        st.tuples(st.just("split"), st.sampled_from([(2, 1), (3, 1), (3, 2), (5, 4), (1, 4)]), st.booleans()),
    ),
    max_size=14,
)


def played(steps: list[Any], *, restarts: bool) -> list[Any]:
    """Go over prints, in hundredths of the first price, and splits; return what the book says of it."""
    clock = FakeClock("2024-06-03T13:00:00Z")
    with onebook.open(":memory:", clock=clock) as book:
        open_paper_account(book, "paper", "USD", "10000")
        book.record(Instrument(symbol="AAPL", kind="equity", base="AAPL", quote="USD"))
        scene = Scene(book, clock)
        bracket(scene, 10, kind="limit", limit_price=100)
        scale = D(1)
        for what, first, second in steps:
            if what == "print":
                scene.print(share(D(first), D(1), scale), second)
            else:
                split(scene, *first, restarts=restarts)
                scale *= D(first[0]) / D(first[1])
            check(scene)
        for _ in range(3):  # the entry fills, the stop with the next, and what has nothing to reduce ends
            scene.print(share(D(80), D(1), scale), 100_000)
            check(scene)
        assert scene.held() == 0 or scene.status("stop") == "canceled"
        assert not scene.book.orders(account="paper", is_open=True)
        assert book.verify().ok
        states = [(item.client_order_id, item.status, item.quantity, item.filled_quantity) for item in book.orders()]
        return [scene.fills(), states, scene.held()]


def check(scene: Scene) -> None:
    """No order is sold beyond what it asks for, none is whole and open, and nothing is short."""
    assert scene.held() >= 0
    for item in scene.book.orders(account="paper"):
        assert item.filled_quantity <= item.quantity
        assert (item.filled_quantity == item.quantity) == (item.status == "filled")


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_splits_leave_no_order_hanging_and_a_restart_changes_nothing(steps: list[Any]) -> None:
    assert played(steps, restarts=False) == played(steps, restarts=True)
