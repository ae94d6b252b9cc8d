"""The day's loss and the drawdown: computed from the book, so that restarts, transfers and late facts fake nothing."""

from decimal import Decimal
from pathlib import Path

import pytest
from tests.trading.desks import fill, no, ok, place, types, whole

import onebook
from onebook import BookSettings, CashMovement, OpeningBalance, Rate, Transfer
from onebook.testing import FakeClock

BREACHES = ("daily_loss_breached", "drawdown_breached")


def breaches(book: onebook.Book) -> list[str]:
    return types(book, *BREACHES)


def new_york(book: onebook.Book) -> None:
    book.record(BookSettings(zone="America/New_York", rolls_at="17:00"))


def test_a_loss_trips_once_and_a_person_arms_it_again(book: onebook.Book, clock: FakeClock) -> None:
    book.trading.limits.set(max_daily_loss=100)
    fill(book, "buy", 10, 100)
    book.mark("AAPL", "90.01")
    assert book.trading.check()[0].result.loss == Decimal("99.9")
    ok(place(book, "buy"))
    book.mark("AAPL", 90)
    (standing,) = book.trading.check()
    assert (standing.day, standing.result.loss) == ("2024-06-03", 100)
    assert book.trading.state == "REDUCING"
    no(place(book, "buy"), "reducing")
    ok(place(book, "sell", 10))
    for _ in range(3):
        book.trading.check()
    assert breaches(book) == ["daily_loss_breached"]
    (event,) = book.events(types="daily_loss_breached")
    assert (event.data["loss"], event.data["limit"], event.data["day"]) == ("100", "100", "2024-06-03")
    clock.advance(30)
    assert book.trading.resume("I have looked") == "ACTIVE"
    book.trading.check()
    ok(place(book, "buy"))
    assert book.trading.standing().result.loss == 0
    book.mark("AAPL", 81)
    ok(place(book, "buy"))
    book.mark("AAPL", 80)
    no(place(book, "buy"), "reducing")
    assert breaches(book) == ["daily_loss_breached"] * 2
    whole(book)


def test_arming_again_counts_from_the_marks_of_that_moment(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path, clock=clock) as book:
        book.trading.limits.set(max_daily_loss=100)
        fill(book, "buy", 10, 100)
        book.mark("AAPL", 100)
        clock.set("2024-06-03T13:00:10Z")
        book.mark("AAPL", 80)
        book.trading.check()
        clock.set("2024-06-03T13:00:30Z")
        book.trading.resume("seen")
        clock.set("2024-06-03T13:00:50Z")
        book.mark("AAPL", 79)
    with onebook.open(path, clock=clock) as book:
        assert book.trading.check()[0].result.loss == 10
        assert book.trading.state == "ACTIVE"
        clock.advance(600)
        book.mark("AAPL", 71)
        assert book.trading.check()[0].result.loss == 90
        assert breaches(book) == ["daily_loss_breached"]
        whole(book)


def test_it_survives_a_restart_and_counts_on(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path, clock=clock) as book:
        book.trading.limits.set(max_daily_loss=100, account="main")
        fill(book, "buy", 10, 100)
        fill(book, "sell", 10, 94)
        ok_standing = book.trading.standing("main")
        assert ok_standing.result.loss == 60
    with onebook.open(path, clock=clock) as book:
        book.mark("AAPL", 94)
        ok(place(book, "buy"))
        fill(book, "buy", 10, 100)
        fill(book, "sell", 10, 95)
        no(place(book, "buy"), "reducing")
        assert book.trading.state_of("main") == "REDUCING"
    with onebook.open(path, clock=clock) as book:
        book.trading.check()
        assert book.trading.state_of("main") == "REDUCING"
        assert breaches(book) == ["daily_loss_breached"]
        clock.advance(24 * 3600)
        book.mark("AAPL", 95)
        no(place(book, "buy"), "reducing")
        assert book.trading.standing("main").result.loss == 0
        book.trading.resume("a new day", account="main")
        ok(place(book, "buy"))


def test_money_that_comes_and_goes_is_no_gain_and_no_loss(book: onebook.Book) -> None:
    book.trading.limits.set(max_daily_loss=100, max_drawdown=100)
    book.record(OpeningBalance(currency="USD", amount=1000))
    book.record(Transfer(asset="USD", amount=900, from_account="main"))
    book.mark("AAPL", 100)
    ok(place(book, "buy"))
    book.record(Transfer(asset="USD", amount=5000, to_account="main"))
    fill(book, "buy", 10, 100)
    fill(book, "sell", 10, 90)
    no(place(book, "buy"), "reducing")
    standing = book.trading.standing()
    assert (standing.result.loss, standing.result.drawdown) == (100, 100)


def test_fees_and_costs_of_the_account_are_losses(book: onebook.Book) -> None:
    book.trading.limits.set(max_daily_loss=10)
    book.mark("AAPL", 100)
    fill(book, "buy", 1, 100, fee=4)
    assert book.trading.standing().result.loss == 4
    book.record(CashMovement(currency="USD", amount=-6, kind="fee"))
    no(place(book, "buy"), "reducing")


@pytest.mark.parametrize(
    ("before", "after", "day", "next_day", "hours"),
    [
        ("2024-03-09T21:59:59Z", "2024-03-09T22:00:00Z", "2024-03-09", "2024-03-10", 23),
        ("2024-11-02T20:59:59Z", "2024-11-02T21:00:00Z", "2024-11-02", "2024-11-03", 25),
        ("2024-06-03T20:59:59Z", "2024-06-03T21:00:00Z", "2024-06-03", "2024-06-04", 24),
    ],
)
def test_the_day_rolls_at_17_in_new_york_on_days_of_23_and_25_hours(
    tmp_path: Path, before: str, after: str, day: str, next_day: str, hours: int
) -> None:
    clock = FakeClock(before)
    with onebook.open(tmp_path / "book.db", clock=clock) as book:
        new_york(book)
        book.trading.limits.set(max_daily_loss=100, max_mark_age_seconds=0)
        fill(book, "buy", 10, 100)
        book.mark("AAPL", 91)
        standing = book.trading.standing()
        assert (standing.day, standing.result.loss) == (day, 90)
        clock.set(after)
        standing = book.trading.standing()
        assert (standing.day, standing.result.loss) == (next_day, 0)
        began = standing.since_ns
        clock.advance(hours * 3600 - 1)
        book.mark("AAPL", 82)
        standing = book.trading.standing()
        assert (standing.day, standing.result.loss, standing.since_ns) == (next_day, 90, began)
        ok(place(book, "buy"))
        clock.advance(1)
        standing = book.trading.standing()
        assert standing.since_ns == began + hours * 3600 * 10**9
        assert standing.result.loss == 0
        book.mark("AAPL", 72)
        no(place(book, "buy"), "reducing")
        (event,) = book.events(types="daily_loss_breached")
        assert (event.data["day"], event.data["loss"]) == (standing.day, "100")


def test_a_mark_of_the_last_moment_of_the_day_is_where_the_next_one_begins(book: onebook.Book) -> None:
    clock: FakeClock = book._clock  # type: ignore[assignment]
    clock.set("2024-06-03T23:58:00Z")
    fill(book, "buy", 10, 100)
    book.mark("AAPL", 100)
    clock.set("2024-06-03T23:59:59.5Z")
    book.mark("AAPL", 150)
    clock.set("2024-06-04T00:00:00Z")
    assert book.trading.standing().result.loss == 0
    book.mark("AAPL", 149)
    assert book.trading.standing().result.loss == 10


@pytest.mark.parametrize("looked", [True, False])
def test_a_late_fill_or_bust_of_yesterday_is_no_loss_of_today(
    book: onebook.Book, clock: FakeClock, looked: bool
) -> None:
    fill(book, "buy", 10, 100, venue="v", venue_fill_id="1")
    fill(book, "sell", 10, 150, venue="v", venue_fill_id="2")
    clock.advance(24 * 3600)
    book.trading.limits.set(max_daily_loss=100)
    if looked:
        assert book.trading.standing().result.loss == 0
    book.bust(2, reason="never happened")
    book.mark("AAPL", 100)
    assert book.trading.standing().result.loss == 0 or not looked
    fill(book, "sell", 10, 50, venue="v", venue_fill_id="3", occurred_at="2024-06-03T12:00:01Z")
    fill(book, "buy", 10, 100, instrument="MSFT", occurred_at="2024-06-03T12:30:00Z")
    fill(book, "sell", 10, 50, instrument="MSFT", occurred_at="2024-06-03T12:31:00Z")
    book.trading.check()
    assert book.trading.standing().result.loss == 0
    ok(place(book, "buy"))
    assert not breaches(book)


def test_scopes_are_the_book_an_account_a_strategy_or_one_of_both(book: onebook.Book) -> None:
    limits = book.trading.limits
    limits.set(max_daily_loss=1000)
    limits.set(max_daily_loss=100, strategy="a")
    limits.set(max_daily_loss=50, account="main", strategy="b")
    limits.set(max_daily_loss=300, account="other")
    book.mark("AAPL", 100)
    fill(book, "buy", 10, 100, strategy="a")
    fill(book, "sell", 10, 90, strategy="a")
    fill(book, "buy", 10, 100, strategy="b", account="other")
    fill(book, "sell", 10, 80, strategy="b", account="other")
    no(place(book, "buy", strategy="a"), "reducing")
    no(place(book, "buy", strategy="a", account="third"), "reducing")
    ok(place(book, "buy", strategy="b"))
    ok(place(book, "buy", strategy="b", account="other"))
    fill(book, "buy", 10, 100, strategy="c", account="other")
    fill(book, "sell", 10, 90, strategy="c", account="other")
    no(place(book, "buy", strategy="z", account="other"), "reducing")
    ok(place(book, "buy", strategy="b"))
    fill(book, "buy", 10, 100, strategy="z")
    fill(book, "sell", 10, 40, strategy="z")
    no(place(book, "buy", strategy="b"), "reducing")
    assert [event.data["limit"] for event in book.events(types=BREACHES)] == ["100", "300", "1000"]
    assert book.trading.state == "REDUCING"
    whole(book)


def test_without_a_mark_the_loss_is_not_known_and_nothing_opens(book: onebook.Book) -> None:
    book.trading.limits.set(max_daily_loss=100, flatten=True)
    fill(book, "buy", 10, 100, instrument="MSFT")
    fill(book, "buy", 10, 100)
    book.mark("AAPL", 100)
    refused = no(place(book, "buy"), "loss_unknown")
    assert refused.text.startswith("the day's result of the book is not known")
    book.mark("AAPL", "90.01")
    assert book.trading.check()[0].unvalued == ("MSFT",)
    assert not breaches(book)
    ok(place(book, "sell", 1))
    book.mark("MSFT", 100)
    ok(place(book, "buy"))


def test_a_currency_that_nothing_values_makes_the_loss_unknown(book: onebook.Book) -> None:
    book.trading.limits.set(max_daily_loss=100)
    fill(book, "buy", 1, 100, instrument="BTC/EUR")
    book.mark("BTC/EUR", 100)
    book.mark("AAPL", 100)
    no(place(book, "buy"), "loss_unknown")
    book.record(Rate(base="EUR", quote="USD", price="1.1"))
    ok(place(book, "buy"))


def test_a_loss_may_flatten_what_it_covers_once(book: onebook.Book) -> None:
    book.trading.limits.set(max_daily_loss=100, strategy="a", flatten=True)
    fill(book, "buy", 10, 100, strategy="a")
    fill(book, "buy", 10, 100, strategy="b")
    book.mark("AAPL", 90)
    for _ in range(3):
        book.trading.check()
    (order,) = book.orders()
    assert (order.strategy, order.side, order.quantity, order.close_reason) == ("a", "sell", 10, "kill_switch")
    assert breaches(book) == ["daily_loss_breached"]
    whole(book)


def test_a_program_that_ends_between_the_breach_and_the_exits_flattens_at_its_next_look(
    tmp_path: Path, clock: FakeClock
) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path, clock=clock) as book:
        book.trading.limits.set(max_daily_loss=100, strategy="a")
        fill(book, "buy", 10, 100, strategy="a")
        book.mark("AAPL", 90)
        book.trading.check()  # as if it had ended here: nothing is flattened
        assert not book.orders()
        book.trading.limits.set(flatten=True, strategy="a")
    orders: list[onebook.OrderState] = []
    for _ in range(2):
        with onebook.open(path, clock=clock) as book:
            book.trading.check()
            orders = book.orders()
            assert [(item.side, item.quantity) for item in orders] == [("sell", 10)]
    with onebook.open(path, clock=clock) as one, onebook.open(path, clock=clock) as other:
        one.record(onebook.OrderUpdate(client_order_id=orders[0].client_order_id, status="rejected"))
        one.trading.check()
        other.trading.check()
        assert len(one.orders()) == 1


def test_a_loss_flattens_nothing_while_halted(book: onebook.Book) -> None:
    book.trading.limits.set(max_daily_loss=100, flatten=True)
    fill(book, "buy", 10, 100)
    book.mark("AAPL", 90)
    book.trading.halt("mine")
    book.trading.check()
    assert book.trading.state == "HALTED"
    assert [item.status for item in book.orders()] == ["denied"]


def test_two_books_on_one_file_trip_once(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path, clock=clock) as one, onebook.open(path, clock=clock) as other:
        one.trading.limits.set(max_daily_loss=100, flatten=True)
        fill(one, "buy", 10, 100)
        clock.advance(2)
        for each in (one, other):
            each.mark("AAPL", 90)
        for each in (one, other, one):
            each.trading.check()
        assert breaches(one) == ["daily_loss_breached"]
        assert [item.quantity for item in one.orders()] == [10]
        assert not one.breaks()


# ---- drawdown ----


def test_the_drawdown_is_measured_from_the_highest_result_over_restarts(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path, clock=clock) as book:
        book.trading.limits.set(max_drawdown=100, max_mark_age_seconds=0)
        fill(book, "buy", 10, 100)
        book.mark("AAPL", 100)
        book.trading.check()
        clock.advance(2)
        book.mark("AAPL", 120)
        book.trading.check()
    clock.advance(48 * 3600)
    with onebook.open(path, clock=clock) as book:
        book.mark("AAPL", 111)
        assert book.trading.check()[0].result.drawdown == 90
        ok(place(book, "buy"))
        book.mark("AAPL", 110)
        no(place(book, "buy"), "reducing")
        (event,) = book.events(types="drawdown_breached")
        assert (event.data["drawdown"], event.data["highest"]) == ("100", "200")
        book.trading.resume("from here")
        ok(place(book, "buy"))
        book.mark("AAPL", 101)
        ok(place(book, "buy"))
        book.mark("AAPL", 100)
        no(place(book, "buy"), "reducing")
        assert breaches(book) == ["drawdown_breached"] * 2
        whole(book)


def test_the_highest_result_of_another_process_counts(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path, clock=clock) as one, onebook.open(path, clock=clock) as other:
        one.trading.limits.set(max_drawdown=100)
        fill(one, "buy", 10, 100)
        one.mark("AAPL", 100)
        one.share_marks()
        one.trading.check()
        clock.advance(2)
        other.trading.check()
        one.mark("AAPL", 130)
        one.trading.check()
        clock.advance(2)
        other.mark("AAPL", 125)
        assert other.trading.check()[0].result.drawdown == 50
        other.close()
    with onebook.open(path, clock=clock) as again:
        assert again.trading.check()[0].peak == 300


def test_a_result_that_is_not_known_is_no_height_to_fall_from(book: onebook.Book, clock: FakeClock) -> None:
    book.trading.limits.set(max_drawdown=100)
    fill(book, "buy", 10, 100, instrument="MSFT")
    fill(book, "buy", 10, 100)
    book.mark("AAPL", 200)
    book.trading.check()
    clock.advance(2)
    book.mark("MSFT", 1)
    assert book.trading.check()[0].result.drawdown == 0


# ---- where a limit is asked for without being acted on ----


def test_may_refuses_by_the_loss_itself(book: onebook.Book) -> None:
    book.trading.limits.set(max_daily_loss=100)
    fill(book, "buy", 10, 100)
    book.mark("AAPL", 80)
    wish = onebook.Order(instrument="AAPL", side="buy", quantity=1)
    refused = no(book.trading.may(wish), "daily_loss", loss="200", max_daily_loss="100")
    assert refused.text == "the day's loss of the book is 200, the limit is 100"
    book.trading.limits.set(max_daily_loss=None, max_drawdown=100)
    book.mark("AAPL", 150)
    book.trading.standing()
    book.mark("AAPL", 130)
    refused = no(book.trading.may(wish), "drawdown", drawdown="200", max_drawdown="100")
    assert refused.text == "the drawdown of the book is 200, the limit is 100"
    assert not breaches(book)
