"""The whole replay, once: what the demo promises happens, and docs/demo.txt shows these very figures."""

import io
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import onebook
from onebook.demo.ending import Ending, as_json, tell
from onebook.demo.main import Wanted, replay_into

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("whole") / "demo.db")


@pytest.fixture(scope="module")
def ending(place: str) -> Ending:
    return replay_into(Wanted(as_json=True), place)


@pytest.fixture
def book(place: str, ending: Ending) -> Iterator[onebook.Book]:
    assert ending.verified.ok
    with onebook.open(place, read_only=True) as opened:
        yield opened


def told(ending: Ending) -> str:
    text = io.StringIO()
    tell(ending, Console(file=text, width=100, force_terminal=False))
    return text.getvalue()


def without_timings(text: str) -> list[str]:
    """Lines without what differs from run to run: how long it took, where the book lies."""
    text = re.sub(r"[\d.,]+ s, [\d,]+ entries/s", "", text)
    text = re.sub(r"\S+demo\.db.*", "", text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_the_text_in_docs_shows_these_figures(ending: Ending) -> None:
    shown = (ROOT / "docs" / "demo.txt").read_text(encoding="utf-8")
    _, _, recorded = shown.partition('$ make demo ARGS="--once"\n')
    assert without_timings(recorded) == without_timings(told(ending))


def test_every_way_out_happens(ending: Ending) -> None:
    reasons = Counter((trip.strategy, trip.close_reason) for trip in ending.trips)
    assert {
        ("trend", "stop_loss"),
        ("trend", "take_profit"),
        ("trend", "signal"),
        ("breakout", "trailing_stop"),
        ("reversal", "stop_loss"),
        ("reversal", "end_of_day"),
    } <= set(reasons)
    assert {strategy for strategy, reason in reasons if reason == "end_of_day"} == {"reversal"}


def test_nothing_of_the_bot_that_trades_within_the_day_stays_overnight(book: onebook.Book) -> None:
    trips = book.round_trips(account="demo", strategy="reversal")
    assert trips
    assert all(trip.closed_at is not None and trip.opened_at.date() == trip.closed_at.date() for trip in trips)
    assert not list(book.events(types="alert_raised"))


def test_one_bad_day_reaches_the_limit_and_a_person_resumes_with_a_reason(book: onebook.Book) -> None:
    (breach,) = book.events(types="daily_loss_breached")
    assert (breach.strategy, breach.occurred_at.date()) == ("breakout", date(2010, 5, 6))
    assert Decimal(breach.data["loss"]) >= Decimal(breach.data["limit"])
    reduced, resumed = book.events(types="trading_state_changed")
    assert (reduced.data["state"], resumed.data["state"]) == ("REDUCING", "ACTIVE")
    assert resumed.data["reason"].startswith("scripted: ")
    orders = book.orders(account="demo", strategy="breakout", since=reduced.occurred_at, until=resumed.occurred_at)
    opening = [order for order in orders if not order.reduce_only and order.occurred_at > reduced.occurred_at]
    assert {order.status for order in opening} <= {"denied"}
    assert [order.status for order in book.orders(account="demo", strategy="breakout")].count("denied") >= 2


def test_splits_dividends_and_rates_are_in_the_book(book: onebook.Book, ending: Ending) -> None:
    actions = Counter(fact.kind for fact in book.facts("corporate_action", account="demo"))
    assert actions == {"split": 3, "dividend": 92}
    assert ending.happened["euro rates"] == sum(1 for _ in book.facts("rate"))
    paid = [move for move in book.facts("cash_movement", account="demo") if move.kind == "dividend"]
    assert any(move.amount > 0 for move in paid)
    assert any(move.amount < 0 for move in paid), "a short position pays the dividend"


def test_the_whole_again_records_nothing(ending: Ending, place: str) -> None:
    again = replay_into(Wanted(as_json=True), place)
    assert again.recorded == 0
    first, second = as_json(ending), as_json(again)
    changing: set[str] = {"recorded", "seconds", "entries_per_second"}
    same: dict[str, Any] = {name: value for name, value in first.items() if name not in changing}
    assert {name: second[name] for name in same} == same
