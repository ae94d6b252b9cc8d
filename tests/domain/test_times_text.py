"""Every moment that can be said is written as text that says the same moment again."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import onebook
from onebook.domain import times

FIRST, LAST = times.to_ns("first", "0001-01-01T00:00:00Z"), times.to_ns("last", "9999-12-31T23:59:59.999999999Z")


@given(st.integers(FIRST, LAST))
def test_text_says_the_moment_again(ns: int) -> None:
    text = times.to_text(ns)
    assert times.to_ns("at", text) == ns
    assert datetime.fromisoformat(text[:19]).replace(tzinfo=UTC) <= times.to_datetime(ns)


@pytest.mark.parametrize("year", ["0001", "0999", "1600", "9999"])
def test_a_book_with_such_a_year_verifies(year: str) -> None:
    when = f"{year}-02-03T04:05:06Z"
    with onebook.open(":memory:") as book:
        terms: dict[str, Any] = {"instrument": "BTC/USDT", "side": "buy", "quantity": 1}
        book.record(onebook.Order(**terms, client_order_id="1", kind="market", time_in_force="GTD", expires_at=when))
        book.record(onebook.Signal(instrument="BTC/USDT", action="buy", signal_id="s", expires_at=when))
        assert [event.data["expires_at"] for event in book.events()] == [when, when]
        report = book.verify()
        assert report.ok, report.problems
