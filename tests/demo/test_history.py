"""The bundled data say what their origin says: rows, splits, dividends, rates."""

import hashlib
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.resources import files

import pytest

from onebook.demo.history import Session, load_sessions


@pytest.fixture(scope="module")
def sessions() -> tuple[Session, ...]:
    return load_sessions()


@pytest.mark.parametrize("name", ["us_stocks_daily.csv.gz", "ecb_fx_daily.csv.gz"])
def test_files_are_the_ones_whose_origin_is_noted(name: str) -> None:
    folder = files("onebook.demo") / "data"
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert digest in (folder / "ORIGIN.md").read_text()


def test_every_session_and_bar_is_there(sessions: tuple[Session, ...]) -> None:
    assert len(sessions) == 3270
    assert (sessions[0].day, sessions[-1].day) == (date(2000, 3, 1), date(2013, 3, 1))
    assert sum(len(session.bars) for session in sessions) == 12_154
    assert [session.number for session in sessions] == list(range(1, 3271))


def test_exactly_the_three_splits(sessions: tuple[Session, ...]) -> None:
    found = [(split.instrument, split.day, split.numerator, split.denominator) for s in sessions for split in s.splits]
    assert found == [
        ("AAPL", date(2000, 6, 21), 2, 1),
        ("MSFT", date(2003, 2, 18), 2, 1),
        ("AAPL", date(2005, 2, 28), 2, 1),
    ]


def test_dividends_as_paid(sessions: tuple[Session, ...]) -> None:
    found = {(each.instrument, each.day): each.amount for s in sessions for each in s.dividends}
    assert Counter(name for name, _ in found) == {"IBM": 52, "MSFT": 37, "AAPL": 3}
    assert found["IBM", date(2000, 5, 8)] == Decimal("0.13")
    assert found["MSFT", date(2003, 2, 19)] == Decimal("0.08")
    assert found["MSFT", date(2004, 11, 15)] == Decimal("3.08")
    assert {amount for (name, _), amount in found.items() if name == "AAPL"} == {Decimal("2.65")}


def test_a_fall_by_half_is_no_split(sessions: tuple[Session, ...]) -> None:
    (fall,) = [session for session in sessions if session.day == date(2000, 9, 29)]
    assert fall.bars["AAPL"].close == Decimal("25.75")
    assert not fall.splits


def test_rates_are_known_before_the_opening_of_their_day(sessions: tuple[Session, ...]) -> None:
    first, second = sessions[0].rates, sessions[1].rates
    assert first[-1].at == datetime(2000, 3, 1, 13, 15, tzinfo=UTC)
    assert (first[-1].price, second[-1].price) == (Decimal("0.9667"), Decimal("0.9725"))
    times = [rate.at for session in sessions for rate in session.rates]
    assert times == sorted(set(times))


def test_a_span_begins_and_ends_where_it_is_told() -> None:
    days = [session.day for session in load_sessions(date(2003, 2, 14), date(2003, 2, 20))]
    assert days == [date(2003, 2, day) for day in (14, 18, 19, 20)]
