"""A day's loss where not all can be valued: what is certain trips the limit, and a person hears of the rest."""

from pathlib import Path

from tests.trading.desks import fill, no, ok, order, place, types, whole

import onebook
from onebook import Rate
from onebook.domain.reports import Event
from onebook.feed.importance import is_alert
from onebook.testing import FakeClock


def alerts(book: onebook.Book) -> list[Event]:
    return list(book.events(types="alert_raised"))


def test_a_fee_that_nothing_values_does_not_switch_the_limit_off(book: onebook.Book) -> None:
    book.trading.limits.set(max_daily_loss=100, flatten=True)
    fill(book, "buy", 10, 100, fee="0.01", fee_currency="BNB")
    book.mark("AAPL", "90.01")
    (standing,) = book.trading.check()
    assert (standing.unvalued, standing.one_sided) == (("BNB",), ())
    assert book.trading.state == "ACTIVE"
    book.mark("AAPL", 90)
    book.trading.check()
    assert book.trading.state == "REDUCING"
    (event,) = book.events(types="daily_loss_breached")
    assert (event.data["loss"], event.data["unvalued"]) == ("100", ["BNB"])
    assert [item.order.quantity for item in book.orders()] == [10]
    no(place(book, "buy"), "reducing")
    whole(book)


def test_what_has_no_price_hides_no_loss_of_the_rest(book: onebook.Book) -> None:
    book.trading.limits.set(max_daily_loss=100, max_drawdown=1000)
    fill(book, "buy", 10, 100, instrument="MSFT")
    fill(book, "buy", 10, 100)
    fill(book, "sell", 10, 90)
    book.trading.check()
    assert types(book, "daily_loss_breached", "drawdown_breached") == ["daily_loss_breached"]
    (event,) = book.events(types="daily_loss_breached")
    assert event.data["unvalued"] == ["MSFT"]


def test_a_drawdown_trips_too(book: onebook.Book, clock: FakeClock) -> None:
    book.trading.limits.set(max_drawdown=100)
    fill(book, "buy", 10, 100)
    book.mark("AAPL", 110)
    book.trading.check()
    clock.advance(2)
    fill(book, "buy", 1, 50, instrument="MSFT")
    book.mark("AAPL", 100)
    book.trading.check()
    assert types(book, "drawdown_breached") == ["drawdown_breached"]


def test_a_person_hears_once_a_day_of_what_nothing_values(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "book.db"
    for _ in range(2):
        with onebook.open(path, clock=clock) as book:
            if not book.fills():
                book.trading.limits.set(max_daily_loss=100, account="main", strategy="a")
                book.trading.check()
                assert not alerts(book)
                fill(book, "buy", 10, 100, strategy="a")
            book.mark("MSFT", 10)
            no(place(book, "buy", 1, "MSFT", strategy="a"), "loss_unknown")
            book.trading.check()
    with onebook.open(path, clock=clock) as book:
        (event,) = alerts(book)
    data = event.data
    assert (data["kind"], data["subject"], data["unvalued"], data["account"]) == (
        "loss_unknown",
        "a of main",
        ["AAPL"],
        "main",
    )
    assert data["text"] == (
        "the loss of a of main is not known as a whole, and nothing may be opened: no price or rate values AAPL; "
        "give one with onebook mark or onebook record rate"
    )
    assert is_alert(event)
    with onebook.open(path, clock=clock) as book:
        fill(book, "buy", 1, 100, strategy="a", instrument="BTC/EUR")
        book.trading.check()
        assert [item.data["unvalued"] for item in alerts(book)] == [["AAPL"], ["AAPL", "BTC/EUR", "EUR"]]
        clock.advance(86_400)
        book.trading.check()
        book.trading.check()
        assert len(alerts(book)) == 3
        whole(book)


def test_asking_raises_no_alert_and_neither_does_a_book_that_is_only_read(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path, clock=clock) as book:
        book.trading.limits.set(max_daily_loss=100)
        fill(book, "buy", 10, 100)
        book.trading.may(order("buy"))
    with onebook.open(path, clock=clock, read_only=True) as book:
        assert book.trading.check()[0].unvalued == ("AAPL",)
        assert not alerts(book)


def test_what_only_the_days_beginning_cannot_value_is_no_loss_to_act_on(book: onebook.Book, clock: FakeClock) -> None:
    book.trading.limits.set(max_daily_loss=100)
    fill(book, "buy", 10, 100)
    clock.advance(86_400)
    fill(book, "sell", 10, 80)
    (standing,) = book.trading.check()
    assert (standing.unvalued, standing.one_sided, standing.result.loss) == (("AAPL",), ("AAPL",), 200)
    assert book.trading.state == "ACTIVE"
    assert [item.data["unvalued"] for item in alerts(book)] == [["AAPL"]]
    no(place(book, "buy", 1, "AAPL"), "no_mark")
    book.mark("AAPL", 85)
    book.trading.check()
    assert book.trading.standing().result.loss == 50
    ok(place(book, "buy"))


def test_a_rate_that_comes_after_a_limit_was_armed_again_makes_no_loss(book: onebook.Book, clock: FakeClock) -> None:
    book.trading.limits.set(max_daily_loss=100)
    fill(book, "buy", 10, 100, instrument="BTC/EUR")
    fill(book, "sell", 10, 50, instrument="BTC/EUR")
    clock.advance(10)
    book.trading.halt("look")
    book.trading.resume("go")
    clock.advance(10)
    book.record(Rate(base="EUR", quote="USD", price="1.1"))
    (standing,) = book.trading.check()
    assert (standing.unvalued, standing.result.loss) == ((), 0)
    assert book.trading.state == "ACTIVE"
