"""The end of day: what is closed, when, how often, and what is told of what stays."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.trading.closing import Floor, at, terms

import onebook
from onebook import Account, Fill
from onebook.errors import BadConfig
from onebook.testing import FakeClock

Open = Callable[..., Floor]


@pytest.fixture
def floor(book: onebook.Book, clock: FakeClock) -> Open:
    def make(*rules: Any, start: str = "2024-06-03T14:00:00Z") -> Floor:
        clock.set(start)
        return Floor(book, clock, rules or (terms(),))

    return make


# ---- a usual day ----


def test_what_is_held_is_closed_some_minutes_before_the_close(floor: Open) -> None:
    here = floor()
    here.hold(10)
    here.hold(-4, "MSFT", strategy="short")
    assert here.go("2024-06-03T19:54:59Z") == []
    here.mark("AAPL", "MSFT")
    (closed,) = here.go("2024-06-03T19:55:00Z")
    assert (closed.day, closed.late, closed.kept, [item.ok for item in closed.answers]) == (
        "2024-06-03",
        False,
        (),
        [True, True],
    )
    assert [(item.order.side, item.order.quantity, item.order.strategy) for item in here.exits()] == [
        ("sell", 10, ""),
        ("buy", 4, "short"),
    ]
    here.venue()
    assert [item.close_reason for item in here.book.round_trips()] == ["end_of_day", "end_of_day"]
    assert here.done() == [("2024-06-03", False)]
    for time in ("19:57:00", "19:59:59", "20:00:00", "20:00:31", "23:00:00"):
        assert here.go(f"2024-06-03T{time}Z") == []
    assert here.alerts() == []
    assert len(here.exits()) == 2


def test_a_paper_trade_that_was_closed_so_reads_eod_close(floor: Open) -> None:
    here = floor()
    here.book.record(Account(name="practice", currency="USD", kind="paper"))
    here.hold(3, account="practice")
    here.clock.set("2024-06-03T19:55:00Z")
    here.mark()
    here.go("2024-06-03T19:55:00Z")
    here.venue()
    if here.book.status().url != ":memory:":  # views are the file's
        assert [row["status"] for row in here.book.sql("SELECT status FROM paper_trades")] == ["EOD_CLOSE"]
    assert [item.close_reason for item in here.book.round_trips(account="practice")] == ["end_of_day"]


def test_an_early_close_is_known(floor: Open) -> None:
    here = floor(start="2023-11-24T15:00:00Z")
    here.hold(1)
    assert here.go("2023-11-24T17:54:59Z") == []
    assert len(here.go("2023-11-24T17:55:00Z")) == 1  # 13:00 in New York is the close
    (event,) = here.book.events(types="end_of_day_done")
    assert (event.data["closes_at"], event.data["early_close"]) == ("2023-11-24T18:00:00Z", True)


@pytest.mark.parametrize(
    ("day", "due"),
    [("2024-03-08", "20:55"), ("2024-03-11", "19:55"), ("2024-11-01", "19:55"), ("2024-11-04", "20:55")],
)
def test_the_close_follows_both_changes_of_the_clock(floor: Open, day: str, due: str) -> None:
    here = floor(start=f"{day}T15:00:00Z")
    here.hold(1)
    assert here.go(f"{day}T{due[:3]}54:59Z") == []
    assert len(here.go(f"{day}T{due}:00Z")) == 1


@pytest.mark.parametrize("day", ["2023-11-23", "2024-07-04", "2024-06-08"])
def test_without_a_session_there_is_nothing_to_do(floor: Open, day: str) -> None:
    here = floor(start=f"{day}T10:00:00Z")
    here.hold(1)
    for hour in ("14", "18", "20", "21"):
        assert here.go(f"{day}T{hour}:00:00Z") == []
    assert (here.exits(), here.alerts(), here.done()) == ([], [], [])


def test_minutes_before_the_close_are_a_setting(floor: Open) -> None:
    here = floor(terms(minutes_before_close=30.5))
    here.hold(1)
    assert here.go("2024-06-03T19:29:29Z") == []
    assert len(here.go("2024-06-03T19:29:30Z")) == 1


def test_more_minutes_than_the_session_has_begin_at_its_open(floor: Open) -> None:
    here = floor(terms(minutes_before_close=1440), start="2024-06-03T13:00:00Z")
    assert here.go("2024-06-03T13:29:59Z") == []
    assert len(here.go("2024-06-03T13:30:00Z")) == 1


def test_only_what_a_rule_covers_is_touched(floor: Open) -> None:
    here = floor(terms(strategies=("day",), instruments=("A*",)))
    here.hold(1, strategy="day")
    here.hold(2, strategy="keep")
    here.hold(3, "MSFT", strategy="day")
    here.order("stop", "sell", kind="stop", stop_price=90, strategy="day")
    here.order("other", "sell", kind="stop", stop_price=90, strategy="keep")
    here.signal("covered", strategy="day")
    here.signal("not", strategy="keep")
    (closed,) = here.go("2024-06-03T19:56:00Z")
    assert [item.order.quantity for item in here.exits()] == [1]
    assert here.statuses(["stop", "other"]) == ["pending_cancel", "new"]
    assert closed.expired == ("covered",)


def test_rules_of_several_markets_close_each_at_its_own_time(floor: Open) -> None:
    from onebook.market.calendars import Always

    here = floor(
        terms(instruments=("AAPL",)),
        terms(name="coins", calendar=Always("America/New_York", "17:00"), instruments=("*/USD",)),
    )
    here.hold(1)
    here.hold(2, "BTC/USD")
    assert [item.rule for item in here.go("2024-06-03T19:55:00Z")] == ["stocks"]
    assert [item.rule for item in here.go("2024-06-03T20:55:00Z")] == ["coins"]
    assert [item.order.instrument for item in here.exits()] == ["AAPL", "BTC/USD"]


def test_two_rules_about_one_position_close_it_once(floor: Open) -> None:
    here = floor(terms(), terms(name="again", minutes_before_close=6))
    here.hold(10)
    here.go("2024-06-03T19:56:00Z")
    here.go("2024-06-03T19:57:00Z")
    assert [item.order.quantity for item in here.exits()] == [10]
    assert len(here.done()) == 2


def test_the_week_of_currencies_ends_on_friday_and_every_day_at_five(floor: Open) -> None:
    from onebook.market.calendars import FxWeek

    here = floor(terms(calendar=FxWeek()), start="2024-06-06T12:00:00Z")
    here.hold(1, "EUR/USD")
    assert len(here.go("2024-06-06T20:55:00Z")) == 1
    here.venue()
    here.go("2024-06-06T21:01:00Z")
    here.hold(1, "EUR/USD")
    (friday,) = here.go("2024-06-07T20:55:00Z")
    here.venue()
    assert (friday.day, len(friday.answers)) == ("2024-06-07", 1)
    for moment in ("2024-06-07T21:01:00Z", "2024-06-08T12:00:00Z", "2024-06-09T20:59:59Z"):
        assert here.go(moment) == []
    here.clock.set("2024-06-09T21:30:00Z")
    here.hold(1, "EUR/USD")
    assert here.go("2024-06-10T20:54:59Z") == []
    assert len(here.go("2024-06-10T20:55:00Z")) == 1
    assert here.alerts() == []


def test_legs_and_accounts_are_closed_each_for_itself(floor: Open) -> None:
    here = floor()
    here.book.record(Account(name="legs", currency="USD", mode="hedging"))
    here.hold(5, account="legs", leg="long")
    here.hold(-3, account="legs", leg="short")
    here.hold(2)
    here.order("out", "sell", 2, account="legs", leg="long", reduce_only=True)
    here.go("2024-06-03T19:55:00Z")
    found = {(item.order.account, item.order.side, item.order.leg, item.order.quantity) for item in here.exits()}
    assert found == {("legs", "sell", "long", 3), ("legs", "buy", "short", 3), ("main", "sell", "", 2)}
    here.says("out", "canceled", account="legs")
    here.venue()
    here.go("2024-06-03T19:56:00Z")
    here.venue()
    assert [item.quantity for item in here.book.positions()] == []


# ---- orders ----


def test_open_orders_are_taken_back_and_exits_at_the_market_are_let_go(floor: Open) -> None:
    here = floor()
    here.hold(10)
    here.order("stop", "sell", 10, kind="stop", stop_price=90)
    here.order("entry", "buy", 5, kind="limit", limit_price=80, instrument="MSFT", time_in_force="DAY")
    here.order("leaves", "sell", 4)
    here.order("sent", "sell", 1, kind="limit", limit_price=120, status="pending_new")
    here.go("2024-06-03T19:55:00Z")
    assert here.statuses(["stop", "entry", "leaves", "sent"]) == [
        "pending_cancel",
        "pending_cancel",
        "new",
        "pending_cancel",
    ]
    assert [item.order.quantity for item in here.exits()] == [6]
    here.says("sent", "new")
    here.go("2024-06-03T19:56:00Z")
    assert here.statuses(["sent"]) == ["pending_cancel"]
    assert len(here.exits()) == 1


def test_a_market_order_that_waits_for_its_parent_does_not_count_as_an_exit(floor: Open) -> None:
    here = floor()
    here.hold(10)
    here.order("parent", "buy", 4, kind="limit", limit_price=80)
    here.order("child", "sell", 4, parent_id="parent")
    here.go("2024-06-03T19:55:00Z")
    assert here.statuses(["parent", "child"]) == ["pending_cancel", "pending_cancel"]
    assert [item.order.quantity for item in here.exits()] == [10]


def test_an_exit_that_is_partly_filled_is_not_doubled(floor: Open) -> None:
    here = floor()
    here.hold(10)
    here.go("2024-06-03T19:55:00Z")
    (item,) = here.exits()
    here.says(item.client_order_id, "new")
    here.fill(item, 4)
    here.go("2024-06-03T19:57:00Z")
    assert len(here.exits()) == 1
    here.says(item.client_order_id, "canceled")
    here.go("2024-06-03T19:58:00Z")
    assert [item.order.quantity for item in here.exits(is_open=True)] == [6]


def test_what_opens_after_the_exits_is_closed_too(floor: Open) -> None:
    here = floor()
    here.hold(10)
    here.go("2024-06-03T19:55:00Z")
    here.venue()
    here.clock.set("2024-06-03T19:57:00Z")
    here.hold(7)
    here.hold(2, "MSFT")
    (more,) = here.go("2024-06-03T19:57:00Z")
    here.venue()
    assert [(item.order.instrument, item.order.quantity) for item in more.answers] == [("AAPL", 7), ("MSFT", 2)]
    assert here.go("2024-06-03T19:59:00Z") == []
    here.go("2024-06-03T20:01:00Z")
    assert (here.book.positions(), here.alerts(), len(here.done())) == ([], [], 1)


# ---- trading states ----


def test_reducing_lets_the_exits_through(floor: Open) -> None:
    here = floor()
    here.hold(10)
    here.book.trading.reduce("enough")
    (closed,) = here.go("2024-06-03T19:55:00Z")
    assert [item.ok for item in closed.answers] == [True]


def test_halted_trading_refuses_them_and_that_is_told_once(floor: Open) -> None:
    here = floor()
    here.hold(10)
    here.book.trading.halt("odd prices")
    (closed,) = here.go("2024-06-03T19:55:00Z")
    assert ([item.ok for item in closed.answers], closed.kept) == ([False], ("AAPL",))
    for second in range(10, 60):
        assert here.go(f"2024-06-03T19:55:{second}Z") == []
    assert [item.status for item in here.exits()] == ["denied"]
    (text,) = here.alerts("end_of_day_kept")
    assert text.startswith("AAPL cannot be closed before the close of 2024-06-03: trading is halted")
    here.book.trading.resume("all is well")
    (closed,) = here.go("2024-06-03T19:58:00Z")
    assert [item.ok for item in closed.answers] == [True]
    assert [item.status for item in here.exits()] == ["denied", "pending_new"]


def test_halted_over_the_close_is_told_once_and_closed_when_trading_resumes(floor: Open) -> None:
    here = floor()
    here.hold(10)
    here.book.trading.halt("odd prices")
    for moment in ("2024-06-03T19:55:00Z", "2024-06-03T20:01:00Z", "2024-06-04T13:30:00Z"):
        here.go(moment)
    here.mark()
    here.go("2024-06-04T13:31:00Z")
    assert len(here.alerts()) == 1
    here.book.trading.resume("all is well")
    (closed,) = here.go("2024-06-04T13:32:00Z")
    assert (closed.late, [item.ok for item in closed.answers]) == (True, [True])


# ---- what cannot be closed ----


def test_what_has_not_traded_in_the_session_is_reported_and_kept(floor: Open) -> None:
    here = floor(terms(missed="report"), start="2024-05-31T15:00:00Z")
    here.hold(1)
    here.hold(1, "MSFT")
    here.clock.set("2024-06-03T15:00:00Z")
    here.mark("MSFT")
    (closed,) = here.go("2024-06-03T19:55:00Z")
    assert (closed.kept, [item.order.instrument for item in closed.answers]) == (("AAPL",), ["MSFT"])
    here.venue()
    here.go("2024-06-03T19:56:00Z")
    here.go("2024-06-03T20:02:00Z")
    assert here.alerts("end_of_day_kept") == [
        "AAPL cannot be closed before the close of 2024-06-03: it has not traded in this session"
    ]
    (event,) = (item for item in here.book.events(types="alert_raised") if item.data["kind"] == "end_of_day_kept")
    assert (event.account, event.instrument, event.data["subject"]) == ("main", "AAPL", "AAPL")


def test_it_is_closed_when_it_trades_again_before_the_close(floor: Open) -> None:
    here = floor(start="2024-05-31T15:00:00Z")
    here.hold(1)
    for second in range(3):
        here.go(f"2024-06-03T19:55:0{second}Z")
    assert here.exits() == []
    here.clock.set("2024-06-03T19:58:00Z")
    here.mark()
    (closed,) = here.go("2024-06-03T19:58:01Z")
    assert [item.ok for item in closed.answers] == [True]


def test_an_exit_that_the_venue_refuses_is_tried_again_and_in_the_end_reported(floor: Open) -> None:
    here = floor(terms(missed="report"))
    here.hold(1)
    here.go("2024-06-03T19:55:00Z")
    for second in range(1, 200):
        for item in here.exits(is_open=True):
            here.says(item.client_order_id, "rejected", reason="no borrow")
        here.go(f"2024-06-03T19:5{5 + second // 60}:{second % 60:02}Z")
        assert len(here.exits()) == min(5, 1 + second // 10)
    assert [item.status for item in here.exits()] == ["rejected"] * 5
    assert here.alerts() == []
    here.go("2024-06-03T20:00:10Z")
    assert here.alerts() == []  # a fill may still come
    here.go("2024-06-03T20:00:30Z")
    (text,) = here.alerts("end_of_day_kept")
    assert text.startswith("AAPL stayed open over the close of 2024-06-03: its exit eod-20240603-")
    assert text.endswith("-5 was rejected: no borrow")


def test_an_exit_that_has_not_filled_by_the_close_is_reported(floor: Open) -> None:
    here = floor(terms(missed="report"))
    here.hold(1)
    here.go("2024-06-03T19:55:00Z")
    here.go("2024-06-03T20:05:00Z")
    (text,) = here.alerts()
    assert text.endswith("has not filled")
    assert here.held() == "1"


def test_a_fill_that_comes_right_after_the_close_is_no_trouble(floor: Open) -> None:
    here = floor()
    here.hold(1)
    here.go("2024-06-03T19:55:00Z")
    here.go("2024-06-03T20:00:00Z")
    here.clock.set("2024-06-03T20:00:12Z")
    here.venue()
    here.go("2024-06-03T20:01:00Z")
    assert here.alerts() == []


# ---- signals ----


def test_signals_that_nothing_executed_expire_and_the_others_do_not(floor: Open) -> None:
    here = floor()
    here.signal("idle")
    here.signal("taken")
    here.book.record(Fill(instrument="AAPL", side="buy", quantity=1, price=100, signal_id="taken", client_fill_id="t"))
    here.mark()
    (closed,) = here.go("2024-06-03T19:55:00Z")
    assert closed.expired == ("idle",)
    here.clock.set("2024-06-03T19:58:00Z")
    here.signal("late")
    here.venue()
    here.go("2024-06-03T19:59:00Z")
    here.go("2024-06-03T20:01:00Z")
    here.clock.set("2024-06-03T22:00:00Z")
    here.signal("tomorrow")
    here.restart()
    here.go("2024-06-03T22:01:00Z")
    found = {item.signal.signal_id: item.status for item in here.book.signals()}
    assert found == {"idle": "EXPIRED", "taken": "CLOSED", "late": "EXPIRED", "tomorrow": "GENERATED"}
    assert len(list(here.book.events(types="signal_expired"))) == 2


def test_a_signal_that_is_recorded_late_expires_the_next_day_whoever_restarts(floor: Open) -> None:
    here = floor()
    here.go("2024-06-03T19:55:00Z")
    here.go("2024-06-03T20:01:00Z")
    here.signal("late", occurred_ns=at("2024-06-03T19:00:00Z"))
    here.restart()
    here.go("2024-06-03T21:00:00Z")
    assert here.book.signals()[0].status == "GENERATED"
    (closed,) = here.go("2024-06-04T19:55:00Z")
    assert closed.expired == ("late",)


def test_signals_may_be_left_alone(floor: Open) -> None:
    here = floor(terms(expire_signals=False))
    here.signal("idle")
    (closed,) = here.go("2024-06-03T19:55:00Z")
    here.go("2024-06-03T20:01:00Z")
    assert (closed.expired, here.book.signals()[0].status) == ((), "GENERATED")


def test_old_signals_are_not_read_every_day(floor: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    here = floor()
    here.signal("old")
    here.go("2024-06-03T19:55:00Z")
    here.go("2024-06-03T20:01:00Z")
    asked: list[Any] = []
    read = type(here.book).signals

    def signals(self: onebook.Book, **more: Any) -> list[Any]:
        asked.append(more["since"])
        return read(self, **more)

    monkeypatch.setattr(type(here.book), "signals", signals)
    here.restart()
    here.clock.set("2024-06-05T14:00:00Z")
    here.signal("new")
    here.go("2024-06-05T19:55:00Z")
    monkeypatch.undo()
    assert asked
    assert all(since is not None and since.timestamp() * 1e9 >= at("2024-06-02T20:00:00Z") for since in asked)
    assert here.book.signals(status="GENERATED") == []


# ---- rules ----


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"minutes_before_close": -1}, {"missed": "ignore"}, {"accounts": "main"}, {"instruments": "AAPL"}],
)
def test_rules_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadConfig, match="end of day"):
        terms(**wrong)


def test_two_rules_need_two_names(floor: Open) -> None:
    with pytest.raises(BadConfig, match="one name"):
        floor(terms(), terms())


def test_what_is_bought_while_an_exit_fills_is_all_that_is_added(floor: Open) -> None:
    here = floor()
    here.hold(10)
    here.go("2024-06-03T19:55:00Z")
    here.fill(here.exits()[0], 4)
    here.hold(3)
    here.go("2024-06-03T19:57:00Z")
    assert [item.order.quantity for item in here.exits()] == [10, 3]
