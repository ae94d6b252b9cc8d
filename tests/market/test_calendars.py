"""Sessions: crypto, the FX week, exchanges with holidays, early closes and both changes of the clock."""

import csv
import gzip
import io
import sys
from datetime import date, timedelta
from importlib.resources import files
from itertools import pairwise

import pytest
from tests.market.bar_making import at

from onebook.domain import times
from onebook.errors import BadConfig, InputError
from onebook.market.calendars import Always, Calendar, Exchange, FxWeek, Session, calendar_for, exchange, week_of


@pytest.fixture(scope="module")
def new_york() -> Exchange:
    return exchange("XNYS")


# ---- exchanges ----


def test_the_day_after_thanksgiving_closes_early(new_york: Exchange) -> None:
    session = new_york.session_on(date(2023, 11, 24))
    assert session == Session(
        day=date(2023, 11, 24),
        opens_ns=at("2023-11-24T14:30:00Z"),
        closes_ns=at("2023-11-24T18:00:00Z"),  # 13:00 New York
        is_early_close=True,
    )
    assert new_york.closes_at(date(2023, 11, 24)) == session.closes_ns
    assert new_york.session_of(at("2023-11-24T18:00:00Z")) is None
    assert new_york.session_of(at("2023-11-24T17:59:59Z")) == session
    day_before = new_york.session_on(date(2023, 11, 22))
    assert day_before is not None
    assert not day_before.is_early_close


@pytest.mark.parametrize("day", ["2023-11-23", "2023-12-25", "2024-01-01", "2024-03-29", "2024-07-04", "2001-09-11"])
def test_holidays_have_no_session(new_york: Exchange, day: str) -> None:
    assert new_york.session_on(date.fromisoformat(day)) is None
    assert new_york.closes_at(date.fromisoformat(day)) is None
    assert new_york.session_of(at(f"{day}T15:00:00Z")) is None


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        ("2024-03-08", "14:30", "21:00"),
        ("2024-03-11", "13:30", "20:00"),  # clocks went forward on the 10th
        ("2024-11-01", "13:30", "20:00"),
        ("2024-11-04", "14:30", "21:00"),  # and back on the 3rd
    ],
)
def test_sessions_follow_the_changes_of_the_clock(new_york: Exchange, day: str, opens: str, closes: str) -> None:
    session = new_york.session_on(date.fromisoformat(day))
    assert session is not None
    assert (session.opens_ns, session.closes_ns) == (at(f"{day}T{opens}:00Z"), at(f"{day}T{closes}:00Z"))


def test_the_neighbours_of_a_moment_are_found(new_york: Exchange) -> None:
    saturday = at("2024-06-08T12:00:00Z")
    before, after = new_york.previous_session(saturday), new_york.next_session(saturday)
    assert before is not None
    assert after is not None
    assert (before.day, after.day) == (date(2024, 6, 7), date(2024, 6, 10))
    assert new_york.next_session(before.opens_ns) == after
    assert new_york.previous_session(after.opens_ns) == before
    assert new_york.next_session(before.opens_ns - 1) == before
    assert new_york.previous_session(before.closes_ns) == before
    found = list(new_york.sessions(before.closes_ns - 1, after.opens_ns + 1))
    assert found == [before, after]
    assert list(new_york.sessions(before.closes_ns, after.opens_ns)) == []


def test_all_sessions_of_the_bundled_stock_are_those_of_the_exchange(new_york: Exchange) -> None:
    packed = (files("onebook.demo") / "data" / "us_stocks_daily.csv.gz").read_bytes()
    with gzip.open(io.BytesIO(packed), "rt", encoding="utf-8", newline="") as text:
        days = [date.fromisoformat(row["Date"]) for row in csv.DictReader(text) if row["Ticker"] == "AAPL"]
    begin, end = new_york.session_on(days[0]), new_york.session_on(days[-1])
    assert begin is not None
    assert end is not None
    assert len(days) == 3270
    assert [session.day for session in new_york.sessions(begin.opens_ns, end.closes_ns)] == days


def test_what_lies_outside_of_the_known_days_is_refused_not_guessed() -> None:
    year = exchange("XNYS", start=date(2023, 1, 1), end=date(2023, 12, 31))
    assert year.session_of(at("2023-12-31T23:00:00Z")) is None
    for ask in (year.session_of, year.next_session, year.previous_session):
        with pytest.raises(InputError, match="from 2023-01-01 to 2023-12-31"):
            ask(at("2024-01-02T15:00:00Z"))
    with pytest.raises(InputError, match="2022-12-30"):
        year.session_on(date(2022, 12, 30))
    with pytest.raises(InputError, match="from 2023-01-01"):
        year.next_session(at("2023-12-30T12:00:00Z"))
    with pytest.raises(InputError, match="from 2023-01-01"):
        list(year.sessions(at("2023-12-28T00:00:00Z"), at("2024-02-01T00:00:00Z")))


def test_an_exchange_is_known_by_its_other_names() -> None:
    assert exchange("NYSE", start=date(2024, 1, 1)).session_on(date(2024, 6, 5)) is not None


def test_an_unknown_exchange_is_refused_with_the_nearest() -> None:
    with pytest.raises(BadConfig, match="did you mean XNYS"):
        exchange("XNYSE")
    with pytest.raises(BadConfig, match="ask for other days"):
        exchange("XNYS", start=date(2024, 1, 1), end=date(2023, 1, 1))


def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(BadConfig, match=r'pip install "onebook\[calendars\]"'):
        exchange("XNYS")


# ---- currencies ----


def test_the_fx_week_goes_from_sunday_to_friday_evening_in_new_york() -> None:
    week = FxWeek()
    assert week.session_of(at("2024-06-09T20:59:59.999999999Z")) is None
    sunday = week.session_of(at("2024-06-09T21:00:00Z"))
    assert sunday is not None
    assert (sunday.day, sunday.closes_ns) == (date(2024, 6, 10), at("2024-06-10T21:00:00Z"))
    friday = week.session_of(at("2024-06-14T20:59:59Z"))
    assert friday is not None
    assert friday.day == date(2024, 6, 14)
    assert week.session_of(at("2024-06-14T21:00:00Z")) is None
    assert week.previous_session(at("2024-06-15T12:00:00Z")) == friday
    assert week.previous_session(friday.closes_ns) == friday
    after = week.next_session(friday.opens_ns)
    assert after is not None
    assert after.opens_ns == at("2024-06-16T21:00:00Z")
    assert week_of(week, friday) == (sunday.opens_ns, friday.closes_ns)
    assert week.session_on(date(2024, 6, 15)) is None
    assert week.closes_at(date(2024, 6, 16)) is None


@pytest.mark.parametrize(
    ("friday", "sunday", "hours"),
    [
        ("2024-03-08T22:00:00Z", "2024-03-10T21:00:00Z", 47),  # clocks go forward in between
        ("2024-11-01T21:00:00Z", "2024-11-03T22:00:00Z", 49),  # and back
        ("2024-06-07T21:00:00Z", "2024-06-09T21:00:00Z", 48),
    ],
)
def test_the_fx_weekend_is_an_hour_shorter_or_longer_at_changes_of_the_clock(
    friday: str, sunday: str, hours: int
) -> None:
    week = FxWeek()
    after = week.next_session(at(friday))
    before = week.previous_session(at(friday))
    assert after is not None
    assert before is not None
    assert (before.closes_ns, after.opens_ns) == (at(friday), at(sunday))
    assert after.opens_ns - before.closes_ns == hours * 3600 * times.SECOND


# ---- crypto ----


def test_crypto_never_closes() -> None:
    always = Always()
    assert always.never_closes
    found = list(always.sessions(at("2024-06-07T12:00:00Z"), at("2024-06-10T00:00:00Z")))
    assert [session.day for session in found] == [date(2024, 6, 7), date(2024, 6, 8), date(2024, 6, 9)]
    assert all(one.closes_ns == other.opens_ns for one, other in pairwise(found))
    assert always.session_of(found[0].closes_ns) == found[1]
    assert always.next_session(found[0].opens_ns) == found[1]
    assert always.previous_session(found[1].opens_ns) == found[0]


def test_days_of_crypto_may_roll_elsewhere_and_have_23_hours() -> None:
    session = Always("Europe/Berlin").session_on(date(2024, 3, 31))
    assert session is not None
    assert session.closes_ns - session.opens_ns == 23 * 3600 * times.SECOND


# ---- all of them ----


@pytest.mark.parametrize("calendar", [Always(), FxWeek(), "XNYS"], ids=["always", "fx", "XNYS"])
def test_a_year_of_sessions_agrees_with_every_way_of_asking(calendar: Calendar | str) -> None:
    asked: Calendar = exchange(calendar) if isinstance(calendar, str) else calendar
    begin, end = at("2024-01-02T12:00:00Z"), at("2025-01-02T12:00:00Z")
    listed = list(asked.sessions(begin, end))
    assert len(listed) > 250
    for before, session in pairwise(listed):
        assert before.closes_ns <= session.opens_ns < session.closes_ns
        assert asked.session_on(session.day) == session
        assert asked.closes_at(session.day) == session.closes_ns
        assert asked.session_of(session.opens_ns) == asked.session_of(session.closes_ns - 1) == session
        assert asked.next_session(before.opens_ns) == session
        assert asked.previous_session(session.opens_ns) == before
    by_day = {session.day for session in listed}
    days = [listed[0].day + timedelta(days=number) for number in range((listed[-1].day - listed[0].day).days + 1)]
    assert by_day == {day for day in days if asked.session_on(day) is not None}


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        ("spot", None, "always"),
        ("perpetual", None, "always"),
        ("fx", None, "fx"),
        ("equity", None, "XNYS"),
        ("equity", "XLON", "XLON"),
        ("future", "always", "always"),
        ("future", "CMES", "CMES"),
        ("equity", "ALWAYS", "always"),
    ],
)
def test_the_kind_or_a_name_says_which_calendar(kind: str, name: str | None, found: str) -> None:
    assert calendar_for(kind, name).name == found


@pytest.mark.parametrize("kind", ["future", "option", "", "bond"])
def test_a_kind_that_does_not_tell_is_refused(kind: str) -> None:
    with pytest.raises(BadConfig, match="name one"):
        calendar_for(kind)
