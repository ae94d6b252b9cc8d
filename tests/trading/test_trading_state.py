"""ACTIVE, REDUCING, HALTED: in the log, for every process, until a person says otherwise."""

from pathlib import Path

import pytest
from tests.trading.desks import fill, no, ok, place, status, types, update, whole

import onebook
from onebook.errors import InputError
from onebook.testing import FakeClock


def test_a_state_survives_a_restart_and_holds_in_another_book_on_the_file(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path, clock=clock) as one, onebook.open(path, clock=clock) as other:
        one.mark("AAPL", 100)
        other.mark("AAPL", 100)
        ok(place(other, "buy"))
        assert one.trading.halt("fire") == "HALTED"
        no(place(other, "buy"), "halted")
        assert other.trading.state == other.status().trading_state == "HALTED"
    with onebook.open(path, clock=clock) as again:
        assert again.trading.state == "HALTED"
        again.mark("AAPL", 100)
        assert again.trading.resume("out") == "ACTIVE"
        ok(place(again, "buy"))
        whole(again)


def test_the_same_state_again_is_no_entry(book: onebook.Book) -> None:
    book.trading.halt("one")
    entries = book.status().entries
    assert book.trading.halt("two") == "HALTED"
    assert book.status().entries == entries
    (event,) = book.events(types="trading_state_changed")
    assert event.data == {"state": "HALTED", "previous": "ACTIVE", "reason": "one", "cause": "manual"}
    book.trading.resume("x")
    assert book.trading.resume("x") == "ACTIVE"
    assert book.status().entries == entries + 1


def test_resuming_the_book_leaves_a_strategys_own_state(book: onebook.Book) -> None:
    book.trading.reduce("odd", strategy="a")
    book.trading.resume("all")
    assert book.trading.state_of("main", "a") == "REDUCING"
    assert book.trading.resume("a is well", strategy="a") == "ACTIVE"


@pytest.mark.parametrize("reason", ["", "   "])
def test_every_switch_needs_a_reason(book: onebook.Book, reason: str) -> None:
    for switch in (book.trading.halt, book.trading.reduce, book.trading.resume, book.trading.flatten):
        with pytest.raises(InputError) as refused:
            switch(reason)
        assert refused.value.field == "reason"
    with pytest.raises(InputError) as refused:
        book.trading.halt("x", account=5)  # type: ignore[arg-type]
    assert refused.value.field == "account"
    assert book.status().entries == 0


def test_a_state_asked_for_at_an_earlier_entry_is_the_one_of_then(book: onebook.Book) -> None:
    book.trading.halt("x")
    book.trading.resume("y")
    states = [event.data["state"] for event in book.events(types="trading_state_changed")]
    assert states == ["HALTED", "ACTIVE"]


def test_orders_may_be_taken_back_when_trading_is_halted(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    ok(place(book, "buy", kind="limit", limit_price=90, client_order_id="one"))
    update(book, "one", "new")
    book.trading.halt("x")
    assert book.trading.cancel("one").status == "pending_cancel"


# ---- flatten ----


def test_flatten_closes_all_sides_and_takes_orders_back(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    fill(book, "buy", 5, strategy="a")
    fill(book, "sell", 3, instrument="MSFT", strategy="b")
    ok(place(book, "buy", 1, client_order_id="rests", kind="limit", limit_price=1))
    ok(place(book, "buy", 1, client_order_id="fresh"))
    update(book, "rests", "new")
    answers = book.trading.flatten("over")
    assert sorted((item.order.side, item.order.quantity, item.order.strategy) for item in answers) == [
        ("buy", 3, "b"),
        ("sell", 5, "a"),
    ]
    assert [status(book, "rests"), status(book, "fresh")] == ["pending_cancel", "pending_cancel"]
    whole(book)


def test_flatten_twice_doubles_no_exit(book: onebook.Book) -> None:
    fill(book, "buy", 5, strategy="a")
    (first,) = book.trading.flatten("over")
    assert book.trading.flatten("over") == []
    name = first.order.client_order_id
    update(book, name, "new")
    fill(book, "sell", 2, strategy="a", client_order_id=name)
    assert book.trading.flatten("over") == []
    fill(book, "buy", 1, strategy="a")
    (more,) = book.trading.flatten("over")
    assert ok(more).quantity == 1
    update(book, name, "canceled")
    (rest,) = book.trading.flatten("over")
    assert ok(rest).quantity == 3


def test_an_exit_whose_fate_is_not_known_does_not_keep_the_next_one_back(book: onebook.Book) -> None:
    fill(book, "buy", 5, strategy="a")
    (first,) = book.trading.flatten("over")
    update(book, first.order.client_order_id, "unknown")
    (second,) = book.trading.flatten("over")
    assert ok(second).quantity == 5


def test_flatten_chooses_by_account_strategy_and_instrument(book: onebook.Book) -> None:
    for account in ("main", "other"):
        for strategy in ("a", "b"):
            fill(book, "buy", 1, strategy=strategy, account=account)
            fill(book, "buy", 1, strategy=strategy, account=account, instrument="MSFT")
    (one,) = book.trading.flatten("x", account="main", strategy="a", instrument="AAPL", close_reason="manual")
    assert (one.order.account, one.order.strategy, one.order.instrument) == ("main", "a", "AAPL")
    assert one.order.close_reason == "manual"
    assert len(book.trading.flatten("x", strategy="a")) == 3
    assert len(book.trading.flatten("x")) == 4
    assert book.trading.flatten("x", account="nobody") == []


def test_flatten_of_a_spot_account_sells_what_it_holds(book: onebook.Book) -> None:
    fill(book, "buy", 5, instrument="BTC/USDT", strategy="a")
    fill(book, "sell", 1, instrument="BTC/USDT", strategy="EXTERNAL")
    answers = book.trading.flatten("x", strategy="a")
    assert [ok(item).quantity for item in answers] == [4]


def test_flatten_of_legs(book: onebook.Book) -> None:
    name = "BTC/USDT:USDT"
    book.record(onebook.Account(name="main", mode="hedging", currency="USDT"))
    fill(book, "buy", 5, instrument=name, leg="long")
    fill(book, "sell", 4, instrument=name, leg="short")
    book.trading.halt("x")
    answers = book.trading.flatten("x")
    assert sorted((ok(item).leg, item.order.side, item.order.quantity) for item in answers) == [
        ("long", "sell", 5),
        ("short", "buy", 4),
    ]
    assert types(book, "order_updated") == ["order_updated"] * 2
