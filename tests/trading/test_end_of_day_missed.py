"""Closes that nobody did in time, clocks that jump, and calendars that end."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from tests.trading.closing import Floor, terms

import onebook
from onebook.errors import InputError
from onebook.market.calendars import Always, exchange
from onebook.testing import FakeClock

Open = Callable[..., Floor]


@pytest.fixture
def floor(book: onebook.Book, clock: FakeClock) -> Open:
    def make(*rules: Any, start: str = "2024-06-03T14:00:00Z") -> Floor:
        clock.set(start)
        return Floor(book, clock, rules or (terms(),))

    return make


def test_a_missed_close_is_reported_once_and_done_when_the_next_session_trades(floor: Open) -> None:
    here = floor()
    here.hold(10)
    here.hold(2, "MSFT")
    here.order("stop", "sell", 10, kind="stop", stop_price=90)
    here.signal("idle")
    here.restart()
    assert here.go("2024-06-04T03:00:00Z") == []
    (text,) = here.alerts("end_of_day_missed")
    assert text == "AAPL, MSFT stayed open over the close of 2024-06-03: nobody ran the end of day"
    assert here.book.signals()[0].status == "EXPIRED"
    assert here.go("2024-06-04T13:29:59Z") == []
    assert here.go("2024-06-04T13:30:00Z") == []  # the marks are of yesterday
    assert (here.exits(), here.done()) == ([], [])
    here.clock.set("2024-06-04T13:30:07Z")
    here.mark("AAPL")
    (closed,) = here.go("2024-06-04T13:30:07Z")
    assert (closed.late, closed.day, closed.kept) == (True, "2024-06-03", ("MSFT",))
    assert here.statuses(["stop"]) == ["pending_cancel"]
    here.venue()
    here.clock.set("2024-06-04T13:31:00Z")
    here.mark("MSFT")
    (closed,) = here.go("2024-06-04T13:31:00Z")
    assert [item.order.instrument for item in closed.answers] == ["MSFT"]
    here.venue()
    here.hold(5)
    here.restart()
    assert here.go("2024-06-04T13:40:00Z") == []
    assert here.held() == "5"
    assert here.done() == [("2024-06-03", True)]
    (closed,) = here.go("2024-06-04T19:55:00Z")
    assert (closed.late, [item.order.quantity for item in closed.answers]) == (False, [5])
    assert len(here.alerts()) == 1


def test_a_missed_close_may_only_be_reported(floor: Open) -> None:
    here = floor(terms(missed="report"))
    here.hold(10)
    for moment in ("2024-06-04T13:30:00Z", "2024-06-04T15:00:00Z"):
        here.restart()
        here.clock.set(moment)
        here.mark()
        assert here.go(moment) == []
    assert (len(here.alerts("end_of_day_missed")), here.exits()) == (1, [])
    assert len(here.go("2024-06-04T19:55:00Z")) == 1
    assert len(here.exits()) == 1


def test_a_close_missed_before_a_holiday_waits_for_the_next_session(floor: Open) -> None:
    here = floor(start="2023-11-22T15:00:00Z")
    here.hold(1)
    here.go("2023-11-22T21:10:00Z")
    for moment in ("2023-11-23T15:00:00Z", "2023-11-24T14:29:59Z"):
        here.clock.set(moment)
        here.mark()
        assert here.go(moment) == []
    here.clock.set("2023-11-24T14:30:01Z")
    here.mark()
    (closed,) = here.go("2023-11-24T14:30:01Z")
    assert (closed.late, closed.day) == (True, "2023-11-22")
    assert len(here.alerts()) == 1


def test_after_weeks_the_last_close_is_the_one_that_was_missed(floor: Open) -> None:
    here = floor()
    here.hold(1)
    here.go("2024-06-28T15:00:00Z")
    (text,) = here.alerts()
    assert "the close of 2024-06-27" in text


def test_what_was_opened_since_the_close_is_not_closed_late(floor: Open) -> None:
    here = floor()
    here.hold(1)
    here.clock.set("2024-06-04T13:45:00Z")
    here.hold(5, "MSFT")
    here.order("own", "buy", kind="limit", limit_price=80, instrument="MSFT")
    here.mark()
    (closed,) = here.go("2024-06-04T13:45:00Z")
    assert [item.order.instrument for item in closed.answers] == ["AAPL"]
    assert here.statuses(["own"]) == ["new"]


def test_what_could_not_be_closed_is_closed_late_without_a_second_alert(floor: Open) -> None:
    here = floor()
    here.hold(1)
    here.go("2024-06-03T19:55:00Z")
    (item,) = here.exits()
    here.says(item.client_order_id, "canceled", reason="venue closed")
    here.clock.set("2024-06-04T13:30:00Z")
    here.mark()
    (closed,) = here.go("2024-06-04T13:30:00Z")
    assert (closed.late, len(closed.answers)) == (True, 1)
    assert [text.partition(":")[0] for text in here.alerts()] == ["AAPL stayed open over the close of 2024-06-03"]
    assert len(here.exits(is_open=True)) == 1


def test_an_exit_of_yesterday_that_still_works_is_not_doubled_today(floor: Open) -> None:
    here = floor()
    here.hold(1)
    here.go("2024-06-03T19:55:00Z")
    here.restart()
    here.clock.set("2024-06-04T13:30:00Z")
    here.mark()
    here.go("2024-06-04T13:30:00Z")
    here.go("2024-06-04T19:55:00Z")
    assert len(here.exits()) == 1


def test_a_market_that_never_closes_ends_its_day_at_the_roll(floor: Open) -> None:
    rule = terms(calendar=Always("America/New_York", "17:00"))
    here = floor(rule, start="2024-03-09T12:00:00Z")
    here.hold(1, "BTC/USD")
    assert len(here.go("2024-03-09T21:55:00Z")) == 1
    here.venue()
    here.go("2024-03-09T22:01:00Z")
    here.hold(1, "BTC/USD")
    assert here.go("2024-03-10T20:54:59Z") == []  # clocks went forward: the day has 23 hours
    assert len(here.go("2024-03-10T20:55:00Z")) == 1
    here.venue()
    here.go("2024-03-10T21:00:10Z")
    here.hold(2, "BTC/USD")
    here.restart()
    here.clock.set("2024-03-12T12:00:00Z")
    here.mark("BTC/USD")
    (closed,) = here.go("2024-03-12T12:00:00Z")
    assert (closed.late, closed.day, len(here.alerts())) == (True, "2024-03-11", 1)


def test_a_clock_that_jumps_over_the_close_misses_it(floor: Open) -> None:
    here = floor()
    here.hold(1)
    assert here.go("2024-06-03T19:54:00Z") == []
    assert here.go("2024-06-03T20:00:31Z") == []
    assert len(here.alerts("end_of_day_missed")) == 1


def test_a_clock_that_jumps_back_wakes_it_and_doubles_nothing(floor: Open) -> None:
    here = floor()
    here.hold(10)
    here.go("2024-06-03T19:55:00Z")
    here.venue()
    here.go("2024-06-03T20:01:00Z")
    here.clock.set("2024-06-03T15:00:00Z")
    here.hold(3)
    assert here.go("2024-06-03T15:00:00Z") == []
    (closed,) = here.go("2024-06-03T19:55:00Z")
    assert [item.order.quantity for item in closed.answers] == [3]
    here.venue()
    assert here.go("2024-06-03T19:55:01Z") == []
    assert (len(here.done()), here.alerts()) == (1, [])


def test_a_small_step_back_wakes_nothing(floor: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    here = floor()
    here.hold(10)
    here.go("2024-06-03T15:00:00Z")
    monkeypatch.setattr(type(here.book), "positions", None)
    for number in range(2000):
        here.eod.look(here.clock.now + (number % 3 - 1) * 1_000_000)


def test_a_calendar_may_begin_and_end(floor: Open) -> None:
    short = exchange("XNYS", start=date(2024, 6, 3), end=date(2024, 6, 4))
    here = floor(terms(calendar=short))
    here.hold(1)
    assert here.go("2024-06-03T14:30:00Z") == []
    assert len(here.go("2024-06-03T19:55:00Z")) == 1
    here.venue()
    assert len(here.go("2024-06-04T19:55:00Z")) == 1
    assert here.go("2024-06-04T20:10:00Z") == []
    with pytest.raises(InputError, match="sessions are known from"):
        here.go("2024-06-06T15:00:00Z")


def test_what_is_halted_the_next_day_too_costs_nothing_to_wait_for(
    floor: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = floor()
    here.hold(10)
    here.go("2024-06-04T13:30:00Z")
    here.go("2024-06-04T13:30:01Z")
    with monkeypatch.context() as patch:
        patch.setattr(type(here.book), "positions", None)
        for second in range(10, 60):
            assert here.go(f"2024-06-04T14:00:{second}Z") == []
    here.mark()
    assert len(here.go("2024-06-04T14:01:00Z")) == 1


def test_a_signal_that_is_executed_meanwhile_does_not_stop_the_others(
    floor: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = floor()
    here.signal("idle")
    here.signal("taken")
    submit = type(here.book).submit

    def late(book: onebook.Book, *commands: Any, **more: Any) -> Any:
        if commands:
            monkeypatch.undo()
            here.hold(1, signal_id="taken")
        return submit(book, *commands, **more)

    monkeypatch.setattr(type(here.book), "submit", late)
    (closed,) = here.go("2024-06-03T19:55:00Z")
    assert closed.expired == ("idle",)
    assert {item.signal.signal_id: item.status for item in here.book.signals()} == {
        "idle": "EXPIRED",
        "taken": "EXECUTED",
    }
    assert [event.data["expired"] for event in here.book.events(types="end_of_day_done")] == [1]


def test_many_old_signals_expire_in_pieces(floor: Open) -> None:
    here = floor()
    for number in range(520):
        here.signal(f"s{number}")
    (closed,) = here.go("2024-06-03T19:55:00Z")
    assert len(set(closed.expired)) == 520
    assert here.book.signals(status="GENERATED") == []
    (event,) = here.book.events(types="end_of_day_done")
    assert event.data["expired"] == 520
