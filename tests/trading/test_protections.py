"""Stops and targets as the log has them: bound to a position, they end, begin anew and follow it."""

from decimal import Decimal
from typing import Any

import pytest
from tests.trading.desks import fill, ok, types, whole

import onebook
from onebook import Account, CorporateAction, Reassign
from onebook.domain.commands import MoveStop, Protect
from onebook.errors import InputError
from onebook.testing import FakeClock

STOPS = ("stop_set", "stop_moved", "stop_triggered", "stop_removed")


def said(book: onebook.Book) -> list[str]:
    return types(book, *STOPS)


def test_a_protection_is_bound_to_its_position_and_ends_with_it(book: onebook.Book) -> None:
    fill(book, "buy", 5)
    kept = book.trading.protect("AAPL", stop_loss=90, take_profit=120)
    assert (kept.stop_loss, kept.take_profit, kept.direction, kept.act, kept.status) == (
        90,
        120,
        "long",
        "notify",
        "active",
    )
    fill(book, "sell", 4)
    assert book.trading.protections() == [kept]
    fill(book, "sell", 1)
    assert book.trading.protections() == []
    (gone,) = book.trading.protections(status="removed")
    assert gone.set_at == kept.set_at
    (event,) = book.events(types="stop_removed")
    assert event.data == {"reason": "position closed"}
    book.mark("AAPL", 80)
    assert said(book) == ["stop_set", "stop_removed"]
    whole(book)


def test_set_while_flat_it_waits_for_the_next_position(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    kept = book.trading.protect("AAPL", stop_loss=90)
    book.mark("AAPL", 80)
    assert (kept.direction, book.trading.protections()) == ("", [kept])
    fill(book, "buy", 5)
    assert book.trading.protections()[0].direction == "long"
    book.mark("AAPL", 91)
    book.mark("AAPL", 90)
    assert said(book) == ["stop_set", "stop_triggered"]
    whole(book)


def test_a_waiting_trail_follows_a_short_position_down(book: onebook.Book) -> None:
    book.trading.protect("AAPL", trail_amount=5)
    fill(book, "sell", 5)
    book.mark("AAPL", 100)
    book.mark("AAPL", 90)
    assert book.trading.protections()[0].level == 95
    assert book.trading.protections()[0].direction == "short"
    book.mark("AAPL", 95)
    assert book.trading.protections(status="triggered")[0].triggered == "trailing_stop"
    whole(book)


@pytest.mark.parametrize(("opens", "closes", "stop"), [("buy", "sell", 90), ("sell", "buy", 110)])
def test_at_a_flip_fixed_prices_end(book: onebook.Book, opens: str, closes: str, stop: int) -> None:
    fill(book, opens, 5)
    book.trading.protect("AAPL", stop_loss=stop)
    fill(book, closes, 8)
    assert book.trading.protections() == []
    (event,) = book.events(types="stop_removed")
    assert event.data == {"reason": "position flipped"}
    whole(book)


def test_at_a_flip_a_trail_begins_anew_on_the_other_side(book: onebook.Book) -> None:
    fill(book, "buy", 5)
    book.trading.protect("AAPL", stop_loss=90, trail_amount=5, activates_at=110, act="order")
    book.mark("AAPL", 120)
    fill(book, "sell", 8, 118)
    (now,) = book.trading.protections()
    assert (now.direction, now.trail_amount, now.act) == ("short", 5, "order")
    assert (now.stop_loss, now.activates_at, now.level, now.best) == (None, None, None, None)
    book.mark("AAPL", 118)
    book.mark("AAPL", 110)
    book.mark("AAPL", 116)
    (order,) = book.orders()
    assert (order.side, order.quantity, order.close_reason) == ("buy", 3, "trailing_stop")
    whole(book)


def test_adding_and_taking_off_a_part_change_nothing(book: onebook.Book) -> None:
    fill(book, "buy", 5)
    book.trading.protect("AAPL", trail_amount=5)
    book.mark("AAPL", 110)
    fill(book, "buy", 5, 110)
    fill(book, "sell", 2, 110)
    (now,) = book.trading.protections()
    assert (now.level, now.best, now.status) == (105, 110, "active")
    book.mark("AAPL", 106)
    book.mark("AAPL", 105)
    (event,) = book.events(types="stop_triggered")
    assert (event.data["quantity"], event.data["level"], event.data["mark"]) == ("8", "105", "105")
    whole(book)


def test_a_bust_that_leaves_nothing_ends_it(book: onebook.Book) -> None:
    first = fill(book, "buy", 5, venue="v", venue_fill_id="1")
    book.trading.protect("AAPL", stop_loss=90)
    book.bust(first.sequence, reason="never was")
    assert book.trading.protections() == []
    fill(book, "buy", 5)
    book.mark("AAPL", 80)
    assert "stop_triggered" not in said(book)
    whole(book)


def test_a_late_fill_that_turns_the_position_ends_fixed_prices(book: onebook.Book, clock: FakeClock) -> None:
    fill(book, "buy", 5)
    book.trading.protect("AAPL", stop_loss=90)
    clock.advance(5)
    fill(book, "sell", 9, occurred_at="2024-06-03T11:00:00Z")
    assert book.trading.protections() == []
    whole(book)


def test_a_position_that_moves_to_another_strategy_takes_no_stop_along(book: onebook.Book) -> None:
    fill(book, "buy", 5, strategy="a")
    book.trading.protect("AAPL", stop_loss=90, strategy="a")
    book.record(Reassign(instrument="AAPL", quantity=5, from_strategy="a", to_strategy="b"))
    assert book.trading.protections() == []
    whole(book)


def test_a_split_changes_prices_with_the_position(book: onebook.Book, clock: FakeClock) -> None:
    fill(book, "buy", 5, 100)
    book.trading.protect("AAPL", stop_loss=80, take_profit=200, trail_amount=10, activates_at=110)
    book.trading.protect("AAPL", stop_loss=80, strategy="waits")
    book.mark("AAPL", 120)
    clock.advance(24 * 3600)
    book.record(CorporateAction(kind="split", instrument="AAPL", numerator=4, denominator=1))
    now, waits = sorted(book.trading.protections(), key=lambda item: item.strategy)
    assert (waits.stop_loss, waits.strategy) == (20, "waits")
    assert (now.stop_loss, now.take_profit, now.trail_amount, now.activates_at) == (
        20,
        50,
        Decimal("2.5"),
        Decimal("27.5"),
    )
    assert (now.level, now.best) == (Decimal("27.5"), 30)
    clock.advance(1)
    book.mark("AAPL", "27.6")
    assert said(book)[-1] == "stop_set"
    book.mark("AAPL", "27.5")
    (event,) = book.events(types="stop_triggered")
    assert (event.data["quantity"], event.data["level"], event.data["kind"]) == ("20", "27.5", "trailing_stop")
    whole(book)


def test_a_split_leaves_prices_that_were_set_after_it(book: onebook.Book, clock: FakeClock) -> None:
    fill(book, "buy", 5, 100)
    clock.advance(3600)
    book.trading.protect("AAPL", stop_loss=20)
    book.record(CorporateAction(kind="split", instrument="AAPL", numerator=4, denominator=1))
    assert book.trading.protections()[0].stop_loss == 20
    whole(book)


def test_a_stop_follows_its_instrument_to_another_name(book: onebook.Book, clock: FakeClock) -> None:
    fill(book, "buy", 5, instrument="FB")
    book.trading.protect("FB", stop_loss=90, act="order")
    book.mark("FB", 100)
    clock.advance(1)
    book.record(CorporateAction(kind="symbol_change", instrument="FB", new_symbol="META"))
    clock.advance(1)
    fill(book, "buy", 1, instrument="META")
    book.mark("META", 91)
    book.mark("META", 90)
    (order,) = book.orders()
    assert (order.instrument, order.quantity, order.side) == ("META", 6, "sell")
    whole(book)


def test_after_a_change_of_name_a_protection_may_be_set_under_either(book: onebook.Book, clock: FakeClock) -> None:
    fill(book, "buy", 5, instrument="FB")
    clock.advance(1)
    book.record(CorporateAction(kind="symbol_change", instrument="FB", new_symbol="META"))
    for name in ("FB", "META"):
        kept = book.trading.protect(name, stop_loss=90 if name == "FB" else 80)
        assert kept.instrument == "META"
    (one,) = book.trading.protections()
    assert one.stop_loss == 80
    book.trading.unprotect("FB")
    assert not book.trading.protections()


def test_legs_have_stops_of_their_own(book: onebook.Book) -> None:
    name = "BTC/USDT:USDT"
    book.record(Account(name="main", mode="hedging", currency="USDT"))
    fill(book, "buy", 5, instrument=name, leg="long")
    fill(book, "sell", 4, instrument=name, leg="short")
    book.trading.protect(name, leg="long", stop_loss=90, act="order")
    book.trading.protect(name, leg="short", stop_loss=110, act="order")
    book.mark(name, 110)
    book.mark(name, 90)
    assert [(item.leg, item.side, item.quantity) for item in book.orders()] == [
        ("long", "sell", 5),
        ("short", "buy", 4),
    ]
    whole(book)


def test_the_same_again_is_no_entry_and_other_figures_set_it_anew(book: onebook.Book) -> None:
    fill(book, "buy", 5)
    first = book.trading.protect("AAPL", stop_loss=90, trail_ratio="0.05")
    book.mark("AAPL", 100)
    entries = book.status().entries
    assert book.trading.protect("AAPL", stop_loss="90.0", trail_ratio="0.05").set_at == first.set_at
    assert book.status().entries == entries
    other = book.trading.protect("AAPL", stop_loss=91)
    assert (other.trail_ratio, other.best, other.set_at) == (None, None, entries + 1)
    book.trading.unprotect("AAPL")
    book.trading.unprotect("AAPL")
    assert book.status().entries == entries + 2


@pytest.mark.parametrize(
    ("side", "marks", "level", "figures"),
    [
        ("buy", (100, 120), 108, {"trail_ratio": "0.1", "take_profit": 200}),
        ("sell", (100, 80), 88, {"trail_ratio": "0.1", "take_profit": 20}),
        ("buy", (100, 120), 115, {"trail_amount": 5}),
        ("buy", (100, 120), 108, {"trail_ratio": "0.1", "activates_at": 110}),
        ("buy", (100, 120), None, {"trail_ratio": "0.1", "activates_at": 130}),
        ("buy", (100, 120), None, {"stop_loss": 90}),
    ],
)
def test_a_trail_set_anew_goes_on_from_its_best_mark_in_the_log(
    book: onebook.Book, side: str, marks: tuple[int, ...], level: int | None, figures: dict[str, Any]
) -> None:
    fill(book, side, 5)
    before = book.trading.protect("AAPL", trail_ratio="0.2")
    book.mark("AAPL", marks[0])
    best = Decimal(marks[1])  # inside a bar, or a mark that went with a kill: only the log knows of it
    moved = MoveStop(
        account="main", instrument="AAPL", strategy="", leg="", level=None, best=best, set_at=before.set_at
    )
    book.submit(moved)
    kept = book.trading.protect("AAPL", **figures)
    trails = "stop_loss" not in figures
    assert (kept.level, kept.best) == (level, best if trails else None)
    whole(book)


@pytest.mark.parametrize(
    ("side", "known", "figures", "level"),
    [
        ("buy", 120, {"trail_amount": 5}, 115),
        ("sell", 80, {"trail_ratio": "0.1"}, 88),
        ("buy", 120, {"trail_amount": 5, "activates_at": 130}, None),
    ],
)
def test_a_trail_begins_at_the_best_mark_that_who_sets_it_knows_of(
    book: onebook.Book, side: str, known: int, figures: dict[str, Any], level: int | None
) -> None:
    fill(book, side, 5)
    terms: dict[str, Any] = {name: Decimal(value) for name, value in figures.items()}
    book.submit(Protect(account="main", instrument="AAPL", best=Decimal(known), **terms))
    (kept,) = book.trading.protections()
    assert (kept.best, kept.level) == (known, level)
    whole(book)


@pytest.mark.parametrize(("side", "mark", "level"), [("buy", 110, 105), ("sell", 90, 95)])
def test_a_trail_set_anew_begins_at_the_better_one_of_the_logs_best_mark_and_the_one_said(
    book: onebook.Book, side: str, mark: int, level: int
) -> None:
    fill(book, side, 5)
    book.trading.protect("AAPL", trail_amount=50)
    book.mark("AAPL", mark)
    book.submit(Protect(account="main", instrument="AAPL", trail_amount=Decimal(5), best=Decimal(100)))
    (kept,) = book.trading.protections()
    assert (kept.best, kept.level) == (mark, level)
    whole(book)


@pytest.mark.parametrize(("is_held", "figures"), [(False, {"trail_amount": 5}), (True, {"stop_loss": 90})])
def test_a_best_mark_means_nothing_without_a_position_or_a_trail(
    book: onebook.Book, is_held: bool, figures: dict[str, Any]
) -> None:
    if is_held:
        fill(book, "buy", 5)
    terms: dict[str, Any] = {name: Decimal(value) for name, value in figures.items()}
    book.submit(Protect(account="main", instrument="AAPL", best=Decimal(120), **terms))
    (kept,) = book.trading.protections()
    assert (kept.best, kept.level) == (None, None)
    assert "best" not in [event.data for event in book.events(types="stop_set")][-1]
    whole(book)


def test_a_trail_of_an_older_log_that_began_anew_is_decided_again_as_it_was(book: onebook.Book) -> None:
    fill(book, "buy", 5)
    book.trading.protect("AAPL", trail_ratio="0.2")
    book.mark("AAPL", 120)
    book.submit(Protect(account="main", instrument="AAPL", trail_ratio=Decimal("0.1"), carries=False))
    assert "best" not in [event.data for event in book.events(types="stop_set")][-1]
    whole(book)


def test_a_stop_that_was_triggered_may_be_armed_again(book: onebook.Book) -> None:
    fill(book, "buy", 5)
    for _ in range(2):
        book.trading.protect("AAPL", stop_loss=90, act="order")
        book.mark("AAPL", 95)
        book.mark("AAPL", 89)
        book.mark("AAPL", 88)
    assert said(book) == ["stop_set", "stop_triggered"] * 2
    orders = book.orders()
    assert len({item.client_order_id for item in orders}) == 2
    assert [item.quantity for item in orders] == [5, 5]
    whole(book)


@pytest.mark.parametrize(
    ("figures", "field"),
    [
        ({}, "stop_loss"),
        ({"stop_loss": 0}, "stop_loss"),
        ({"stop_loss": -5}, "stop_loss"),
        ({"stop_loss": 90.5}, "stop_loss"),
        ({"take_profit": "much"}, "take_profit"),
        ({"trail_amount": 5, "trail_ratio": "0.1"}, "trail_ratio"),
        ({"trail_ratio": 1}, "trail_ratio"),
        ({"trail_ratio": 5}, "trail_ratio"),
        ({"activates_at": 5}, "activates_at"),
        ({"activates_at": 5, "stop_loss": 90}, "activates_at"),
        ({"stop_loss": 120, "take_profit": 110}, "stop_loss"),
        ({"stop_loss": 90, "act": "sell"}, "act"),
        ({"stop_loss": 90, "leg": "up"}, "leg"),
        ({"stop_loss": 90, "leg": "long"}, "leg"),
        ({"stop_loss": 90, "account": ""}, "account"),
        ({"stop_loss": 90, "instrument": ""}, "instrument"),
    ],
)
def test_figures_that_cannot_be_are_refused(book: onebook.Book, figures: dict[str, Any], field: str) -> None:
    fill(book, "buy", 5)
    entries = book.status().entries
    with pytest.raises(InputError) as refused:
        book.trading.protect(**({"instrument": "AAPL"} | figures))
    assert refused.value.field == field
    assert book.status().entries == entries


def test_a_hedging_account_needs_the_leg(book: onebook.Book) -> None:
    book.record(Account(name="main", mode="hedging", currency="USDT"))
    with pytest.raises(InputError) as refused:
        book.trading.protect("BTC/USDT:USDT", stop_loss=90)
    assert refused.value.field == "leg"


def test_the_stop_of_a_short_position_belongs_above(book: onebook.Book) -> None:
    fill(book, "sell", 5)
    with pytest.raises(InputError) as refused:
        book.trading.protect("AAPL", stop_loss=90, take_profit=110)
    assert str(refused.value) == "the position is short: its stop_loss belongs above its take_profit"
    assert book.trading.protect("AAPL", stop_loss=110, take_profit=90).direction == "short"


def test_an_order_of_a_stop_is_capped_to_what_is_held_in_a_spot_account(book: onebook.Book) -> None:
    fill(book, "buy", 5, instrument="BTC/USDT", strategy="a")
    fill(book, "sell", 2, instrument="BTC/USDT", strategy="EXTERNAL")
    book.trading.protect("BTC/USDT", strategy="a", stop_loss=90, act="order")
    book.mark("BTC/USDT", 90)
    (order,) = book.orders()
    assert (order.status, order.quantity) == ("pending_new", 3)
    assert ok(book.trading.place(order.order.replaced(quantity=5))).quantity == 3
