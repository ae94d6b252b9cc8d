"""Lengths of bars and the bar that a moment belongs to."""

import pytest
from tests.market.bar_making import at

from onebook.domain import times
from onebook.errors import InputError
from onebook.market.calendars import FxWeek, exchange
from onebook.market.timeframes import TIMEFRAMES, floor, length_ns, parse


@pytest.mark.parametrize("text", TIMEFRAMES)
def test_a_usual_timeframe_is_written_as_it_is(text: str) -> None:
    assert parse(text) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1Min", "1m"),
        ("5Min", "5m"),
        ("1Hour", "1h"),
        ("1Day", "1d"),
        ("1Week", "1w"),
        ("15 minutes", "15m"),
        ("60m", "1h"),
        ("24h", "1d"),
        ("7d", "1w"),
        ("1H", "1h"),
        ("1D", "1d"),
        ("90s", "90s"),
        (" 4h ", "4h"),
    ],
)
def test_other_spellings_are_the_same_timeframe(text: str, written: str) -> None:
    assert parse(text) == written


@pytest.mark.parametrize("text", ["", "m", "1", "1M", "1Month", "7m", "0m", "-1m", "2d", "2w", "1.5h", "1m 2", "9999w"])
def test_what_is_no_timeframe_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="timeframe"):
        parse(text)


def test_lengths_are_nanoseconds() -> None:
    assert [length_ns(text) // times.SECOND for text in TIMEFRAMES] == [
        *(1, 60, 300, 900, 1800),
        *(3600, 14_400, 86_400, 604_800),
    ]


@pytest.mark.parametrize(
    ("timeframe", "opened"),
    [
        ("1s", "2024-06-05T13:47:21Z"),
        ("5m", "2024-06-05T13:45:00Z"),
        ("1h", "2024-06-05T13:00:00Z"),
        ("4h", "2024-06-05T12:00:00Z"),
        ("1d", "2024-06-05T00:00:00Z"),
        ("1w", "2024-06-03T00:00:00Z"),
    ],
)
def test_a_moment_belongs_to_the_bar_that_opened_last(timeframe: str, opened: str) -> None:
    moment = at("2024-06-05T13:47:21.5Z")
    assert floor(timeframe, moment) == at(opened)
    assert floor(timeframe, at(opened)) == at(opened)
    assert floor(timeframe, at(opened) - 1) < at(opened)


def test_a_moment_before_1970_is_floored_down_too() -> None:
    assert floor("1w", at("1969-12-31T00:00:00Z")) == at("1969-12-29T00:00:00Z")


def test_days_follow_the_sessions_of_a_calendar() -> None:
    week = FxWeek()
    assert floor("1d", at("2024-03-10T21:30:00Z"), week) == at("2024-03-10T21:00:00Z")
    assert floor("1d", at("2024-03-10T20:59:59Z"), week) == at("2024-03-07T22:00:00Z")  # closed: Friday's session
    assert floor("1w", at("2024-03-13T12:00:00Z"), week) == at("2024-03-10T21:00:00Z")
    assert floor("1h", at("2024-03-10T21:30:00Z"), week) == at("2024-03-10T21:00:00Z")


def test_days_of_an_exchange_open_with_it() -> None:
    new_york = exchange("XNYS")
    assert floor("1d", at("2024-06-05T15:00:00Z"), new_york) == at("2024-06-05T13:30:00Z")
    assert floor("1d", at("2024-06-08T15:00:00Z"), new_york) == at("2024-06-07T13:30:00Z")
    assert floor("1w", at("2024-05-30T15:00:00Z"), new_york) == at("2024-05-28T13:30:00Z")  # Monday was a holiday
