"""An order placed under an id that is taken: the answer of then, a conflict, or a refusal where it must not be sent."""

from typing import Any

import pytest
from tests.trading.desks import fill, may, no, ok, order, place, update, whole

import onebook


@pytest.mark.parametrize("strategy", ["grid", ""])
def test_an_id_of_anothers_order_passes_nobody_by_the_gate(book: onebook.Book, strategy: str) -> None:
    book.mark("AAPL", 100)
    book.trading.limits.set(strategy="grid", max_position=1)
    ok(place(book, "buy", 5, strategy="trend", client_order_id="one"))
    for _ in range(2):
        refused = no(place(book, "buy", 5, strategy=strategy, client_order_id="one"), "conflict")
        assert refused.text == "order one is of the strategy trend; place this one under an id of its own"
    no(may(book, "buy", 5, strategy=strategy, client_order_id="one"), "conflict")
    (kept,) = book.orders()
    assert (kept.strategy, kept.status) == ("trend", "pending_new")
    assert len(book.breaks()) == 1
    whole(book)


def test_an_id_of_another_account_is_another_order(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    book.trading.limits.set(account="second", max_position=1)
    ok(place(book, "buy", 5, client_order_id="one"))
    no(place(book, "buy", 5, account="second", client_order_id="one"), "max_position")


@pytest.mark.parametrize(
    "terms",
    [
        {"kind": "limit", "limit_price": 90},
        {"kind": "stop", "stop_price": 110},
        {"time_in_force": "IOC"},
        {"leg": "long"},
        {"parent_id": "other"},
        {"reduce_only": True},
    ],
    ids=lambda terms: next(iter(terms)),
)
def test_a_term_that_only_one_of_two_orders_has_makes_them_two(book: onebook.Book, terms: dict[str, Any]) -> None:
    book.mark("AAPL", 100)
    ok(place(book, "buy", 5, client_order_id="plain"))
    no(place(book, "buy", 5, client_order_id="plain", **terms), "conflict")
    book.record(order("buy", 5, client_order_id="special", **terms))
    if "reduce_only" in terms:  # the gate makes it so too, so it may be the same; the answer says what may be sent
        assert ok(place(book, "buy", 5, client_order_id="special")).reduce_only
    else:
        no(place(book, "buy", 5, client_order_id="special"), "conflict")
    whole(book)


def test_what_passes_as_an_exit_is_to_be_sent_as_one(book: onebook.Book) -> None:
    fill(book, "buy", 3)
    first = ok(place(book, "sell", 3, client_order_id="out"))
    assert first.reduce_only
    assert ok(place(book, "sell", 3, client_order_id="out")) == first


@pytest.mark.parametrize(("stop", "reason"), [("halt", "halted"), ("reduce", "reducing")])
def test_what_nobody_sent_before_trading_was_stopped_is_not_approved_again(
    book: onebook.Book, stop: str, reason: str
) -> None:
    book.mark("AAPL", 100)
    fill(book, "buy", 3)
    wishes = [order("buy", 1, client_order_id="in"), order("sell", 1, client_order_id="out", reduce_only=True)]
    ok(place(book, "buy", 1, client_order_id="sent"))
    first = book.trading.place(*wishes)
    update(book, "sent", "new")
    getattr(book.trading, stop)("enough")
    entries = book.status().entries
    assert isinstance(first, tuple)
    assert no(book.trading.place(wishes[0]), reason).sequence == first[0].sequence
    no(book.trading.may(wishes[0]), reason)
    ok(book.trading.place(wishes[1]))
    ok(place(book, "buy", 1, client_order_id="sent"))
    assert book.status().entries == entries
    book.trading.resume("again")
    assert book.trading.place(*wishes) == first
    whole(book)


@pytest.mark.parametrize("ending", ["pending_cancel", "canceled", "rejected", "expired"])
def test_what_was_approved_and_has_ended_is_not_approved_again(book: onebook.Book, ending: str) -> None:
    book.mark("AAPL", 100)
    wish = order("buy", 1, client_order_id="one")
    ok(book.trading.place(wish))
    update(book, "one", ending, reason="why not")
    refused = no(book.trading.place(wish), "ended")
    assert f"is {ending} now (why not)" in refused.text
    no(book.trading.may(wish), "ended")
    assert not book.breaks()


def test_what_has_filled_gets_the_answer_that_it_got(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    wish = order("buy", 1, client_order_id="one")
    first = book.trading.place(wish)
    fill(book, "buy", 1, client_order_id="one")
    book.trading.halt("enough")
    assert book.trading.place(wish) == first
