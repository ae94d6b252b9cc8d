"""Other terms of an order, terms that its kind does not have, and exits that stay exits."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.trading.desks import fill, no, ok, order, place, update
from tests.trading.running import EVEN, Scene, printed

import onebook
from onebook import InputError, Order, OrderRefused, TradingHalted
from onebook.domain.market import Print
from onebook.trading.runner.context import Context
from onebook.trading.runner.strategy import Strategy


@pytest.fixture
def book() -> onebook.Book:
    found = onebook.open(":memory:")
    found.mark("AAPL", 100)
    return found


def rest(book: onebook.Book, side: str, quantity: int, **more: Any) -> str:
    name = ok(place(book, side, quantity, kind="limit", **more)).client_order_id
    update(book, name, "new")
    return name


def test_other_terms_go_through_the_gate(book: onebook.Book) -> None:
    book.trading.limits.set(max_position=10, max_notional=2000)
    name = rest(book, "buy", 1, limit_price=50)
    with pytest.raises(OrderRefused, match="keeps its terms"):
        book.trading.replace(name, quantity=500, limit_price=110)
    assert book.orders()[0].quantity == 1
    assert book.trading.replace(name, quantity=10).status == "pending_replace"
    assert book.verify().ok


@pytest.mark.parametrize(("deed", "error"), [("halt", TradingHalted), ("reduce", OrderRefused)])
def test_an_entry_is_not_enlarged_while_trading_is_not_active(
    book: onebook.Book, deed: str, error: type[onebook.BookError]
) -> None:
    name = rest(book, "buy", 1, limit_price=90)
    getattr(book.trading, deed)("careful")
    wishes: tuple[dict[str, Any], ...] = ({"quantity": 300}, {"limit_price": 100})
    for terms in wishes:
        with pytest.raises(error, match="keeps its terms") as caught:
            book.trading.replace(name, **terms)
        assert type(caught.value) is error
    assert book.orders()[0].status == "new"


def test_halted_where_the_order_is_refuses_its_exits_too_and_another_account_goes_on(book: onebook.Book) -> None:
    fill(book, "buy", 10)
    name = rest(book, "sell", 5, limit_price=110)
    book.trading.halt("careful", account="other")
    assert book.trading.replace(name, limit_price=109).status == "pending_replace"
    update(book, name, "new", limit_price=109)
    book.trading.halt("careful", account="main")
    with pytest.raises(TradingHalted, match="resume it first") as caught:
        book.trading.replace(name, limit_price=108)
    assert (caught.value.code, caught.value.http_status, caught.value.exit_code) == ("TradingHalted", 409, 3)
    assert (caught.value.order, caught.value.reason) == (name, "halted")


def test_an_exit_is_replaced_while_trading_only_reduces_and_never_beyond_what_is_held(book: onebook.Book) -> None:
    fill(book, "buy", 10)
    name = rest(book, "sell", 5, limit_price=110)
    book.trading.reduce("careful")
    book.trading.replace(name, quantity=10, limit_price=105)
    update(book, name, "new", quantity=10, limit_price=105)
    with pytest.raises(OrderRefused):
        book.trading.replace(name, quantity=11)
    assert book.verify().ok


def test_the_stop_of_an_entry_that_filled_in_part_is_moved_though_it_is_for_all_of_it(book: onebook.Book) -> None:
    entry = order("buy", 5, client_order_id="entry")
    stop = order("sell", 5, kind="stop", stop_price=90, reduce_only=True, parent_id="entry", client_order_id="stop")
    book.trading.place(entry, stop)
    update(book, "stop", "new")
    fill(book, "buy", 1, 100, client_order_id="entry")
    update(book, "entry", "canceled")
    assert book.trading.replace("stop", stop_price=95).status == "pending_replace"
    update(book, "stop", "new", stop_price=95)
    assert book.trading.replace("stop", quantity=4, stop_price=96).status == "pending_replace"
    update(book, "stop", "new", quantity=4, stop_price=96)
    with pytest.raises(OrderRefused, match="only 1 is held"):
        book.trading.replace("stop", quantity=6)
    assert book.verify().ok


def test_less_than_has_filled_is_refused(book: onebook.Book) -> None:
    name = rest(book, "buy", 10, limit_price=90)
    fill(book, "buy", 6, 90, client_order_id=name)
    with pytest.raises(OrderRefused, match="has filled"):
        book.trading.replace(name, quantity=5)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("market", "limit_price"),
        ("market", "stop_price"),
        ("limit", "stop_price"),
        ("stop", "limit_price"),
        ("trailing_stop", "limit_price"),
        ("stop_limit", "trail_amount"),
    ],
)
def test_a_term_that_the_kind_does_not_have_is_refused(book: onebook.Book, kind: str, field: str) -> None:
    needed = {"limit": {"limit_price": 90}, "stop": {"stop_price": 90}, "trailing_stop": {"trail_amount": 1}}
    terms: dict[str, Any] = {"stop_limit": {"stop_price": 90, "limit_price": 90}, **needed}.get(kind, {})
    order = Order(instrument="AAPL", side="buy", quantity=1, kind=kind, **(terms | {field: 95}))
    with pytest.raises(InputError, match=field):
        book.trading.place(order)


def test_what_passes_as_an_exit_only_reduces_from_then_on(book: onebook.Book) -> None:
    fill(book, "buy", 10)
    book.trading.reduce("careful")
    assert ok(place(book, "sell", 10, kind="limit", limit_price=101)).client_order_id
    ok(place(book, "sell", 10, kind="stop", stop_price=99, reduce_only=True))
    assert [item.reduce_only for item in book.orders()] == [True, True]
    assert book.verify().ok


def test_the_same_exit_again_gets_the_same_answer(book: onebook.Book) -> None:
    fill(book, "buy", 10)
    order = Order(instrument="AAPL", side="sell", quantity=10, client_order_id="x")
    first, again = book.trading.place(order), book.trading.place(order)
    assert (ok(first).quantity, ok(again).quantity, first.sequence) == (Decimal(10), Decimal(10), again.sequence)
    assert len(book.orders()) == 1


def test_an_order_that_flips_counts_as_if_the_position_had_been_closed(book: onebook.Book) -> None:
    book.trading.limits.set(max_position=10)
    fill(book, "buy", 10)
    no(place(book, "sell", 20, kind="limit", limit_price=102), "max_position")
    ok(place(book, "sell", 20))


def test_a_market_order_that_flips_is_not_spared_what_open_exits_take(book: onebook.Book) -> None:
    book.trading.limits.set(max_position=10)
    fill(book, "buy", 10)
    ok(place(book, "sell", 10, kind="stop", stop_price=99, reduce_only=True))
    no(place(book, "sell", 20), "max_position")
    ok(place(book, "sell", 10, reduce_only=True))


class Enlarges(Strategy):
    """Rests an order and wishes for ever more of it."""

    def on_print(self, ctx: Context, print_: Print) -> None:
        resting = ctx.open_orders()
        if resting:
            ctx.replace(resting[0].client_order_id, quantity=500, limit_price=110)
        else:
            ctx.buy(print_.instrument, 1, kind="limit", limit_price=50)


def test_a_strategys_wish_for_other_terms_goes_through_the_gate_too(tmp_path: Path) -> None:
    scene = Scene(str(tmp_path / "limited.db"), rules=EVEN)
    scene.open(0)
    scene.book.trading.limits.set(max_position=10)
    scene.book.close()
    scene.run(lambda: [Enlarges("e", "paper", instruments=("AAPL",))], printed([100, 101, 100, 101, 100]))
    with onebook.open(scene.place) as book:
        assert {(item.quantity, item.limit_price) for item in book.orders()} == {(1, 50)}
