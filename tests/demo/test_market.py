"""What the runner is shown, and what the bots make of it when shares are split."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise

import pytest

import onebook
from onebook.demo.history import Session, load_sessions
from onebook.demo.market import CLOSES, INTRADAY, OPENS, OVERNIGHT, calendar, observations
from onebook.demo.replay import Replay
from onebook.domain import times
from onebook.domain.market import Bar, Print
from onebook.trading.runner.clock import ReplayClock


@pytest.fixture(scope="module")
def sessions() -> tuple[Session, ...]:
    return load_sessions(date(2012, 5, 1), date(2012, 7, 31))


def test_of_one_instrument_there_is_one_kind_in_order_of_time(sessions: tuple[Session, ...]) -> None:
    seen = list(observations(sessions))
    kinds = {(item.instrument, type(item)) for item in seen}
    assert kinds == {(name, Print) for name in INTRADAY} | {(name, Bar) for name in OVERNIGHT}
    assert all(before.at_ns <= after.at_ns for before, after in pairwise(seen))


def test_a_session_is_shown_with_its_open_and_its_close(sessions: tuple[Session, ...]) -> None:
    first = sessions[0]
    prints = [item for item in observations([first]) if isinstance(item, Print)]
    clocks = [times.to_datetime(item.at_ns).strftime("%H:%M") for item in prints]
    assert clocks == ["13:30", "13:31", "19:56", "19:58"]
    google = first.bars["GOOG"]
    assert [item.price for item in prints] == [google.open, google.open, google.close, google.close]


def test_the_calendar_is_the_datas_and_needs_no_library(sessions: tuple[Session, ...]) -> None:
    found = calendar(sessions)
    assert found.session_on(date(2012, 7, 4)) is None
    third = found.session_on(date(2012, 7, 3))
    assert third is not None
    assert (third.opens_ns, third.closes_ns) == tuple(
        next(session for session in sessions if session.day == third.day).at_ns(clock) for clock in (OPENS, CLOSES)
    )
    assert times.to_datetime(third.closes_ns) == datetime(2012, 7, 3, 20, tzinfo=UTC)


def test_exits_follow_a_split() -> None:
    clock = ReplayClock()
    split = date(2005, 2, 28)
    with onebook.open(":memory:", clock=clock) as book:
        replay = Replay(book, clock, load_sessions(date(2004, 8, 2), date(2005, 3, 1)))
        before: dict[str, Decimal] = {}

        def ended(session: Session) -> bool:
            if session.day < split:
                before.clear()
                before.update(
                    {row.strategy or "": row.quantity for row in book.positions(account="demo", instrument="AAPL")}
                )
            return session.day < split

        replay.run(ended)
        after = {row.strategy or "": row.quantity for row in book.positions(account="demo", instrument="AAPL")}
        exits = [order for order in book.orders(account="demo", is_open=True) if order.instrument == "AAPL"]
        assert before
        assert after == {name: quantity * 2 for name, quantity in before.items()}
        assert {order.strategy: order.quantity for order in exits if order.stop_price} == after
        mark = next(mark.price for mark in book.marks() if mark.instrument == "AAPL")
        assert all(mark / 2 < order.stop_price < mark for order in exits if order.stop_price)
