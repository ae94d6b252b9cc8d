"""Longer bars from shorter ones, exactly."""

from collections import defaultdict
from decimal import Decimal

import pytest
from tests.market.bar_making import at, bar, btc_bars

from onebook.domain import times
from onebook.domain.market import Bar
from onebook.errors import InputError
from onebook.market.bars import resample
from onebook.market.calendars import Always, FxWeek, exchange


def minutes(begin: str, end: str) -> list[Bar]:
    first, last = at(begin), at(end)
    return [
        bar(number, opened_ns=opened, at_ns=opened + times.MINUTE)
        for number, opened in enumerate(range(first, last, times.MINUTE))
    ]


def test_an_hour_is_made_of_its_minutes() -> None:
    (hour,) = resample([bar(number) for number in range(60)], "1Hour")
    assert hour == bar(
        timeframe="1h",
        open=Decimal(100),
        high=Decimal(108),
        low=Decimal("98.5"),
        close=Decimal(104),
        volume=Decimal(15),
    )


def test_volumes_add_up_exactly() -> None:
    (hour,) = resample([bar(number, volume=Decimal("0.1")) for number in range(60)], "1h")
    assert hour.volume == Decimal(6)
    wide = [bar(0, volume=Decimal(12345678901234567890)), bar(1, volume=Decimal("0.000000000000000001"))]
    assert resample(wide, "1h")[0].volume == Decimal("12345678901234567890.000000000000000001")


def test_real_minutes_make_the_hours_that_plain_grouping_makes() -> None:
    source = btc_bars(10_000)
    groups: dict[str, list[Bar]] = defaultdict(list)
    for one in source:
        groups[times.to_text(one.opened_ns)[:13]].append(one)
    found = resample(source, "1h")
    assert len(found) == len(groups) > 100
    for hour, parts in zip(found, groups.values(), strict=True):
        assert (hour.open, hour.close) == (parts[0].open, parts[-1].close)
        assert (hour.high, hour.low) == (max(part.high for part in parts), min(part.low for part in parts))
        assert hour.volume == sum(part.volume for part in parts)
    assert resample(found, "1d") == resample(source, "1d")


def test_the_last_bar_runs_until_its_time_is_known() -> None:
    source = [bar(number) for number in range(90)]
    assert [hour.is_final for hour in resample(source, "1h")] == [True, False]
    assert [hour.is_final for hour in resample(source, "1h", known_until_ns=bar(119).at_ns)] == [True, True]
    running = [bar(number, is_final=number < 59) for number in range(60)]
    assert [hour.is_final for hour in resample(running, "1h")] == [False]


def test_a_stretch_without_bars_has_none() -> None:
    found = resample([bar(0), bar(60 * 3)], "1h")
    assert [hour.opened_ns for hour in found] == [bar(0).opened_ns, bar(180).opened_ns]
    assert [hour.is_final for hour in found] == [True, False]


def test_days_of_an_exchange_are_its_sessions_and_leave_out_other_hours() -> None:
    source = minutes("2023-11-22T12:00:00Z", "2023-11-24T23:00:00Z")
    found = resample(source, "1d", calendar=exchange("XNYS"))
    assert [(times.to_text(day.opened_ns), times.to_text(day.at_ns)) for day in found] == [
        ("2023-11-22T14:30:00Z", "2023-11-22T21:00:00Z"),
        ("2023-11-24T14:30:00Z", "2023-11-24T18:00:00Z"),  # the 23rd is a holiday, the 24th closes early
    ]
    assert found[1].volume == Decimal("0.25") * 210
    opening = next(one for one in source if one.opened_ns == found[1].opened_ns)
    assert found[1].open == opening.open
    assert all(day.is_final for day in found)


def test_fx_days_roll_at_another_hour_of_utc_when_the_clocks_go_forward() -> None:
    found = resample(minutes("2024-03-07T22:00:00Z", "2024-03-11T21:00:00Z"), "1d", calendar=FxWeek())
    assert [(day.at_ns - day.opened_ns) // times.MINUTE for day in found] == [1440, 1440]
    assert [times.to_text(day.opened_ns) for day in found] == ["2024-03-07T22:00:00Z", "2024-03-10T21:00:00Z"]


def test_weeks_are_made_of_daily_bars_that_open_at_midnight_or_with_the_session() -> None:
    new_york = exchange("XNYS")
    days = ["2024-05-28", "2024-05-29", "2024-05-30", "2024-05-31", "2024-06-03"]
    midnight = [bar(timeframe="1d", opened_ns=at(f"{day}T04:00:00Z"), at_ns=at(f"{day}T23:00:00Z")) for day in days]
    session = [bar(timeframe="1d", opened_ns=at(f"{day}T13:30:00Z"), at_ns=at(f"{day}T20:00:00Z")) for day in days]
    for source in (midnight, session):
        weeks = resample(source, "1w", calendar=new_york)
        assert [times.to_text(week.opened_ns) for week in weeks] == ["2024-05-28T13:30:00Z", "2024-06-03T13:30:00Z"]
        assert [week.volume for week in weeks] == [Decimal(1), Decimal("0.25")]
        assert [week.is_final for week in weeks] == [True, False]


def test_a_market_that_never_closes_has_the_days_of_utc() -> None:
    source = [bar(number, "1h") for number in range(24 * 9)]
    assert resample(source, "1d", calendar=Always()) == resample(source, "1d")
    assert resample(source, "1w", calendar=Always()) == resample(source, "1w")


def test_nothing_makes_nothing() -> None:
    assert resample([], "1h") == []


@pytest.mark.parametrize(
    ("source", "timeframe", "says"),
    [
        ([bar(0, "1h")], "1m", "do not make up 1m"),
        ([bar(0, "15m"), bar(1, "15m")], "20m", "do not make up"),
        ([bar(0), bar(1, instrument="ETH/USDT")], "1h", "ETH/USDT 1m among"),
        ([bar(1), bar(0)], "1h", "oldest first"),
        ([bar(1), bar(1)], "1h", "oldest first"),
    ],
)
def test_what_cannot_be_joined_is_refused(source: list[Bar], timeframe: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        resample(source, timeframe)
