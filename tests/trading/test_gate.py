"""The order gate: what opens is refused when anything is unclear, with figures and a sentence; exits pass."""

from decimal import Decimal
from typing import Any

import pytest
from tests.trading.desks import fill, held, may, no, ok, order, place, status, tables, types, update, whole

import onebook
from onebook import Account, Fill, Instrument, Limits, Rate
from onebook.errors import InputError
from onebook.testing import FakeClock


def test_an_order_that_opens_needs_a_mark(book: onebook.Book) -> None:
    refused = no(place(book, "buy"), "no_mark")
    assert "book.mark('AAPL'" in refused.text
    assert status(book, refused.order.client_order_id) == "denied"
    book.mark("AAPL", 100)
    assert ok(place(book, "buy")).quantity == 1


def test_a_mark_that_is_too_old_is_none(book: onebook.Book, clock: FakeClock) -> None:
    book.mark("AAPL", 100)
    clock.advance(60)
    ok(place(book, "buy"))
    clock.advance(0.5)
    refused = no(place(book, "buy"), "stale_mark", mark_age_seconds="60.5", max_mark_age_seconds="60")
    assert refused.text == "the mark of AAPL is 60.5 s old, older than 60 s"
    book.trading.limits.set(max_mark_age_seconds=0)
    ok(place(book, "buy"))
    book.trading.limits.set(max_mark_age_seconds=5, instrument="AAPL")
    no(place(book, "buy"), "stale_mark", max_mark_age_seconds="5")


def test_where_any_age_of_a_mark_will_do_a_price_of_the_order_stands_in(book: onebook.Book) -> None:
    book.trading.limits.set(max_mark_age_seconds=0, max_notional=1000)
    ok(place(book, "buy", 10, kind="limit", limit_price=100))
    no(place(book, "buy", 11, kind="limit", limit_price=100), "max_notional")
    no(place(book, "buy", 1), "no_mark")


def test_the_strictest_age_of_a_mark_counts(book: onebook.Book, clock: FakeClock) -> None:
    book.trading.limits.set(max_mark_age_seconds=5, instrument="AAPL")
    book.trading.limits.set(max_mark_age_seconds=10)
    book.mark("AAPL", 100)
    clock.advance(6)
    no(place(book, "buy"), "stale_mark", mark_age_seconds="6", max_mark_age_seconds="5")


def test_halted_lets_only_a_flatten_through(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    fill(book, "buy", 5)
    assert book.trading.halt("fire drill") == "HALTED"
    no(place(book, "buy"), "halted", state="HALTED")
    no(place(book, "sell", 5, reduce_only=True), "halted")
    no(place(book, "sell", 5), "halted")
    (answer,) = book.trading.flatten("fire drill")
    assert (ok(answer).quantity, ok(answer).reduce_only, ok(answer).close_reason) == (5, True, "kill_switch")
    whole(book)


def test_reducing_lets_only_exits_through(book: onebook.Book) -> None:
    fill(book, "buy", 5, strategy="a")
    assert book.trading.reduce("late") == "REDUCING"
    no(place(book, "buy", 1, strategy="a"), "reducing", state="REDUCING")
    no(place(book, "sell", 6, strategy="a"), "reducing")
    no(place(book, "sell", 1, strategy="b"), "reducing")
    ok(place(book, "sell", 5, strategy="a"))
    book.trading.resume("again")
    book.mark("AAPL", 100)
    ok(place(book, "buy", 1, strategy="a"))


def test_a_state_holds_for_its_scope_only_and_the_strictest_counts(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    book.trading.halt("a is odd", strategy="a")
    book.trading.reduce("main is odd", account="main")
    assert book.trading.state == "ACTIVE"
    assert book.trading.state_of("main", "a") == "HALTED"
    assert book.trading.state_of("main", "b") == "REDUCING"
    assert book.trading.state_of("other", "b") == "ACTIVE"
    no(place(book, "buy", strategy="a"), "halted")
    no(place(book, "buy", strategy="b"), "reducing")
    ok(place(book, "buy", account="other", strategy="b"))
    book.trading.halt("this one", account="other", strategy="b")
    no(place(book, "buy", account="other", strategy="b"), "halted")
    ok(place(book, "buy", account="other", strategy="c"))


def test_an_exit_passes_whatever_is_stale_or_broken(book: onebook.Book, clock: FakeClock) -> None:
    fill(book, "buy", 5, strategy="a", venue="v", venue_fill_id="1")
    fill(book, "buy", 6, strategy="a", venue="v", venue_fill_id="1")
    assert len(book.breaks()) == 1
    book.mark("MSFT", 5)
    ok(place(book, "buy", 1, "MSFT", client_order_id="lost", strategy="a"))
    fill(book, "buy", 1, 5, instrument="MSFT", strategy="a")
    update(book, "lost", "unknown")
    book.trading.limits.set(max_position=0, max_notional=0, max_exposure=0, max_orders=1, per_seconds=60)
    book.trading.limits.set(account="main", instruments=["BTC/*"])
    clock.advance(3600)
    for side in ("sell", "buy"):
        answer = place(book, side, 5, strategy="a", client_order_id=side)
        assert answer.ok == (side == "sell"), answer
    ok(place(book, "sell", 1, "MSFT", strategy="a"))
    book.trading.reduce("x")
    ok(place(book, "sell", 9, strategy="a", reduce_only=True))


def test_an_open_break_on_the_instrument_keeps_openings_back(book: onebook.Book) -> None:
    fill(book, "buy", 5, venue="v", venue_fill_id="1")
    fill(book, "buy", 6, venue="v", venue_fill_id="1")
    book.mark("AAPL", 100)
    book.mark("MSFT", 100)
    refused = no(place(book, "buy"), "open_break", breaks=1)
    assert refused.text == "1 open break on AAPL; settle that first: onebook breaks"
    ok(place(book, "buy", 1, "MSFT"))
    ok(place(book, "buy", 1, account="other"))


def test_an_order_whose_fate_nobody_knows_keeps_openings_back(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    ok(place(book, "buy", client_order_id="lost"))
    update(book, "lost", "unknown")
    refused = no(place(book, "buy"), "unknown_order", order="lost")
    assert "onebook orders settle lost" in refused.text
    ok(place(book, "buy", account="other"))
    book.trading.settle("lost", "rejected", "the venue says so")
    ok(place(book, "buy"))


def test_an_order_that_nobody_recorded_blocks_nothing(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    fill(book, "buy", 5, client_order_id="of another program", venue_order_id="7")
    update(book, "never heard of", "unknown")
    update(book, "never heard of either", "new")
    ok(place(book, "buy"))
    ok(place(book, "sell", 5))


def test_allowed_instruments_are_names_and_patterns(book: onebook.Book) -> None:
    for name in ("AAPL", "BTC/USDT", "ETH/EUR"):
        book.mark(name, 100)
    book.trading.limits.set(strategy="a", instruments=["AAPL", "*/USDT"])
    ok(place(book, "buy", 1, "AAPL", strategy="a"))
    ok(place(book, "buy", 1, "BTC/USDT", strategy="a"))
    refused = no(place(book, "buy", 1, "ETH/EUR", strategy="a"), "instrument_not_allowed", allowed=["AAPL", "*/USDT"])
    assert refused.text == "ETH/EUR is none of the instruments allowed of a"
    ok(place(book, "buy", 1, "ETH/EUR", strategy="b"))


def test_a_child_needs_its_parent(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    no(place(book, "sell", parent_id="nobody"), "parent_unknown", parent="nobody")
    book.trading.reduce("only for now")
    no(place(book, "buy", 1, client_order_id="entry"), "reducing")
    book.trading.resume("on")
    no(place(book, "sell", parent_id="entry"), "parent_denied", parent="entry")
    ok(place(book, "buy", 1, client_order_id="other"))
    ok(place(book, "sell", 1, parent_id="other", client_order_id="child"))
    update(book, "other", "canceled")
    no(place(book, "sell", 1, parent_id="other"), "parent_denied")


def test_nothing_to_reduce_says_what_is_held(book: onebook.Book) -> None:
    refused = no(place(book, "sell", 1, reduce_only=True, strategy="a"), "nothing_to_reduce", held="0")
    assert refused.text == "nothing to reduce: a holds 0 AAPL"
    fill(book, "sell", 3, strategy="a")
    no(place(book, "sell", 1, reduce_only=True, strategy="a"), "nothing_to_reduce", held="-3")
    assert ok(place(book, "buy", 9, reduce_only=True, strategy="a")).quantity == 3


def test_a_refusal_is_an_entry_with_its_reason_and_what_was_seen(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    book.trading.limits.set(max_notional=50)
    refused = no(place(book, "buy", 1, strategy="a"), "max_notional", would_be="100", max_notional="50")
    (event,) = list(book.events(types="order_updated"))
    assert event.sequence == refused.sequence
    gate = event.data["gate"]
    assert event.data["status"] == "denied"
    assert (gate["denied"], gate["text"], gate["figures"]) == ("max_notional", refused.text, refused.figures)
    assert gate["marks"]["AAPL"][0] == "100"
    (kept,) = book.orders()
    assert (kept.status, kept.reason, kept.is_open) == ("denied", refused.text, False)
    whole(book)


def test_the_same_order_again_gets_the_same_answer(book: onebook.Book, clock: FakeClock) -> None:
    book.mark("AAPL", 100)
    fill(book, "buy", 3, strategy="a")
    book.trading.limits.set(max_position=10)
    wishes = [
        order("buy", 5, strategy="a", client_order_id="one"),
        order("buy", 50, strategy="a", client_order_id="two"),
        order("sell", 9, strategy="a", client_order_id="three", reduce_only=True),
    ]
    first = book.trading.place(*wishes)
    update(book, "one", "new")
    before = book.status().entries
    clock.advance(3600)
    book.trading.halt("even now")
    again = book.trading.place(*wishes)
    assert isinstance(first, tuple)
    assert again == first
    assert book.status().entries == before + 1
    assert [type(book.trading.place(wish)) for wish in wishes] == [type(item) for item in first]
    whole(book)


def test_the_same_id_with_other_terms_is_a_conflict(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    ok(place(book, "buy", 5, client_order_id="one"))
    refused = no(place(book, "buy", 6, client_order_id="one"), "conflict")
    assert refused.text == "order one was placed before with other terms"
    assert status(book, "one") == "pending_new"
    assert len(book.breaks()) == 1


def test_an_order_whose_terms_the_venue_changed_is_still_the_same_when_placed_again(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    wish = order("buy", 5, kind="limit", limit_price=90, client_order_id="one")
    trail = order("sell", 5, kind="trailing_stop", trail_amount=3, client_order_id="two", parent_id="one")
    first = book.trading.place(wish, trail)
    update(book, "one", "new")
    update(book, "two", "new", stop_price=88)
    book.trading.replace("one", limit_price=91, quantity=4)
    assert book.trading.place(wish, trail) == first
    update(book, "one", "new", limit_price=91, quantity=4)
    update(book, "two", "new", stop_price=89)
    assert book.trading.place(wish, trail) == first
    assert not book.breaks()
    (changed,) = [item for item in book.orders() if item.client_order_id == "one"]
    assert (changed.order.quantity, changed.order.limit_price) == (4, 91)
    whole(book)


def test_may_writes_nothing(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    fill(book, "buy", 5, strategy="a")
    book.trading.limits.set(max_position=7, max_exposure=10_000, max_daily_loss=500)
    before, entries = tables(book), book.status().entries
    ok(may(book, "buy", 2, strategy="a"))
    no(may(book, "buy", 3, strategy="a"), "max_position")
    assert ok(may(book, "sell", 9, strategy="a", reduce_only=True)).quantity == 5
    no(may(book, "buy", 1, "NEVER/SEEN", account="new", strategy="b"), "no_mark")
    assert ok(may(book, "buy", 2, strategy="a")).client_order_id == ""
    assert tables(book) == before
    assert book.status().entries == entries
    first = fill(book, "buy", 1, instrument="NEVER/SEEN", account="newer")
    assert first.sequence == entries + 1
    whole(book)


def test_may_of_an_order_that_was_placed_gives_the_answer_that_was_given(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    wish = order("buy", 5, client_order_id="one")
    ok(book.trading.place(wish))
    ok(book.trading.may(wish))
    entries = book.status().entries
    no(book.trading.may(order("buy", 6, client_order_id="one")), "conflict")
    assert book.status().entries == entries
    assert not book.breaks()


def test_several_orders_are_decided_in_order_and_together(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    book.trading.limits.set(max_position=10)
    entry = order("buy", 8, client_order_id="entry", strategy="a")
    stop = order("sell", 8, kind="stop", stop_price=90, parent_id="entry", group_id="g", strategy="a")
    target = order("sell", 8, kind="limit", limit_price=120, parent_id="entry", group_id="g", strategy="a")
    more = order("buy", 3, strategy="b")
    answers = book.trading.place(entry, stop, target, more)
    assert isinstance(answers, tuple)
    assert [item.ok for item in answers] == [True, True, True, False]
    no(answers[3], "max_position", would_be="11", max_position="10")
    whole(book)


def test_an_exit_is_placed_in_reducing_with_its_bracket_and_counts_once(book: onebook.Book) -> None:
    fill(book, "buy", 8, strategy="a")
    book.trading.reduce("x")
    ok(place(book, "sell", 5, kind="stop", stop_price=90, group_id="g", strategy="a"))
    ok(place(book, "sell", 5, kind="limit", limit_price=120, group_id="g", strategy="a"))
    ok(place(book, "sell", 3, strategy="a"))
    no(place(book, "sell", 1, strategy="a"), "reducing")
    ok(place(book, "sell", 5, kind="limit", limit_price=130, group_id="g", strategy="a"))


def test_two_exits_cannot_flip_a_position(book: onebook.Book) -> None:
    for side, strategy in (("buy", "long"), ("sell", "short")):
        fill(book, side, 5, strategy=strategy)
    book.trading.reduce("x")
    for other, strategy in (("sell", "long"), ("buy", "short")):
        ok(place(book, other, 3, strategy=strategy, kind="limit", limit_price=1))
        no(place(book, other, 3, strategy=strategy), "reducing")
        ok(place(book, other, 2, strategy=strategy))
        no(place(book, other, 1, strategy=strategy), "reducing")


def test_children_of_a_filled_parent_are_exits_of_what_is_held_now(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    ok(place(book, "buy", 5, client_order_id="entry", strategy="a"))
    fill(book, "buy", 5, client_order_id="entry", strategy="a", venue_fill_id="1", venue="v")
    book.trading.reduce("x")
    ok(place(book, "sell", 5, parent_id="entry", strategy="a", client_order_id="child", kind="limit", limit_price=9))
    no(place(book, "sell", 5, strategy="a"), "reducing")
    update(book, "child", "canceled")
    fill(book, "sell", 5, strategy="a")
    no(place(book, "sell", 5, parent_id="entry", strategy="a"), "reducing")
    no(place(book, "sell", 5, parent_id="entry", strategy="a", reduce_only=True), "nothing_to_reduce")


def test_children_together_take_off_no_more_than_their_parent_opens(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    ok(place(book, "buy", 5, client_order_id="entry", strategy="a"))
    book.trading.reduce("x")
    ok(place(book, "sell", 3, parent_id="entry", strategy="a"))
    no(place(book, "sell", 3, parent_id="entry", strategy="a"), "reducing")
    ok(place(book, "sell", 2, parent_id="entry", strategy="a"))
    fill(book, "buy", 2, strategy="a")
    ok(place(book, "sell", 2, strategy="a"))
    no(place(book, "sell", 1, strategy="a"), "reducing")


def test_a_child_on_its_parents_side_opens_and_counts_against_limits(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    book.trading.limits.set(max_position=10)
    ok(place(book, "buy", 4, client_order_id="entry"))
    ok(place(book, "buy", 4, parent_id="entry"))
    no(place(book, "buy", 3), "max_position", would_be="11")
    ok(place(book, "buy", 2))


def test_a_spot_account_sells_no_more_than_it_holds(book: onebook.Book) -> None:
    fill(book, "buy", 5, instrument="BTC/USDT", strategy="a")
    fill(book, "sell", 2, instrument="BTC/USDT", strategy="EXTERNAL")
    book.trading.reduce("x")
    assert ok(place(book, "sell", 5, "BTC/USDT", strategy="a", reduce_only=True, client_order_id="a")).quantity == 3
    update(book, "a", "rejected")
    answer = place(book, "sell", 5, "BTC/USDT", strategy="a", client_order_id="b")
    assert ok(answer).quantity == 3
    assert book.trading.place(order("sell", 5, "BTC/USDT", strategy="a", client_order_id="b")) == answer
    fill(book, "sell", 3, instrument="BTC/USDT", strategy="EXTERNAL")
    no(place(book, "sell", 5, "BTC/USDT", strategy="a", reduce_only=True), "nothing_to_reduce", held="0")
    whole(book)


def test_a_contract_account_may_be_short_so_only_the_strategys_own_position_counts(book: onebook.Book) -> None:
    name = "BTC/USDT:USDT"
    fill(book, "buy", 5, instrument=name, strategy="a")
    fill(book, "sell", 5, instrument=name, strategy="b")
    book.trading.reduce("x")
    assert ok(place(book, "sell", 5, name, strategy="a", reduce_only=True)).quantity == 5
    assert ok(place(book, "buy", 7, name, strategy="b", reduce_only=True)).quantity == 5
    no(place(book, "buy", 1, name, strategy="a"), "reducing")


def test_legs_of_a_hedging_account_are_positions_of_their_own(book: onebook.Book) -> None:
    name = "BTC/USDT:USDT"
    book.record(Account(name="main", mode="hedging", currency="USDT"))
    book.mark(name, 100)
    fill(book, "buy", 5, instrument=name, leg="long")
    fill(book, "sell", 4, instrument=name, leg="short")
    book.trading.limits.set(max_position=6)
    ok(place(book, "buy", 1, name, leg="long"))
    no(place(book, "buy", 1, name, leg="long"), "max_position", would_be="7")
    ok(place(book, "sell", 2, name, leg="short"))
    no(place(book, "sell", 1, name, leg="short"), "max_position", would_be="7")
    book.trading.reduce("x")
    assert ok(place(book, "sell", 9, name, leg="long", reduce_only=True)).quantity == 5
    assert ok(place(book, "buy", 9, name, leg="short", reduce_only=True)).quantity == 4
    no(place(book, "buy", 1, name, leg="long"), "reducing")
    no(place(book, "sell", 5, name, leg="short", client_order_id="z"), "reducing")
    assert held(book, name) == 1


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"kind": "limit"}, "limit_price"),
        ({"kind": "stop"}, "stop_price"),
        ({"kind": "stop_limit", "limit_price": 5}, "stop_price"),
        ({"kind": "stop_limit", "stop_price": 5}, "limit_price"),
        ({"kind": "trailing_stop"}, "trail_amount"),
        ({"kind": "trailing_stop", "trail_amount": 1, "trail_ratio": "0.1"}, "trail_amount"),
        ({"time_in_force": "GTD"}, "expires_at"),
    ],
)
def test_an_order_that_no_venue_could_understand_is_refused_before_anything(
    book: onebook.Book, more: dict[str, Any], field: str
) -> None:
    for ask in (book.trading.may, book.trading.place):
        with pytest.raises(InputError) as refused:
            ask(order("buy", **more))
        assert refused.value.field == field
    assert book.status().entries == 0


def test_what_is_no_order_is_refused(book: onebook.Book) -> None:
    things: tuple[Any, ...] = ({"side": "buy"}, Fill(instrument="AAPL", side="buy", quantity=1, price=1), None)
    for wrong in things:
        with pytest.raises(InputError) as refused:
            book.trading.place(wrong)
        assert refused.value.field == "order"


def test_cancel_and_replace_are_wishes_in_the_log(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    ok(place(book, "buy", 5, kind="limit", limit_price=90, client_order_id="one"))
    with pytest.raises(onebook.errors.InvalidTransition):
        book.trading.replace("one", limit_price=91)
    update(book, "one", "new")
    after = book.trading.replace("one", limit_price=91)
    assert (after.status, after.order.limit_price) == ("pending_replace", Decimal(90))
    update(book, "one", "new", limit_price=91)
    assert book.trading.cancel("one", reason="enough").status == "pending_cancel"
    entries = book.status().entries
    assert book.trading.cancel("one").status == "pending_cancel"
    assert book.status().entries == entries
    for wrong, account in (("nobody", None), ("", None), ("one", "x")):
        with pytest.raises(InputError) as refused:
            book.trading.cancel(wrong, account=account)
        assert refused.value.field == "client_order_id"
    whole(book)


def test_an_id_of_two_accounts_needs_the_account(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    for account in ("main", "other"):
        ok(place(book, "buy", client_order_id="one", account=account))
        update(book, "one", "new", account=account)
    with pytest.raises(InputError) as refused:
        book.trading.cancel("one")
    assert refused.value.field == "account"
    assert book.trading.cancel("one", account="other").account == "other"


def test_as_of_shows_orders_and_states_as_they_were(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    answer = place(book, "buy", client_order_id="one")
    update(book, "one", "new")
    book.trading.halt("x")
    then = book.as_of(answer.sequence)
    assert [item.status for item in then.orders()] == ["pending_new"]
    assert [item.status for item in then.orders(is_open=True)] == ["pending_new"]
    assert types(book, "trading_state_changed") == ["trading_state_changed"]


def test_limits_and_rates_of_facts_reach_the_gate(book: onebook.Book) -> None:
    book.record(Limits(max_notional=100, account="main"))
    book.record(Instrument(symbol="SAP", kind="equity", base="SAP", quote="EUR"))
    book.record(Rate(base="EUR", quote="USD", price=2))
    book.mark("SAP", 10)
    ok(place(book, "buy", 5, "SAP"))
    no(place(book, "buy", 1, "SAP"), "max_notional", would_be="120")
