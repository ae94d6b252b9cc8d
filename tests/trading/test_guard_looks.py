"""The guard looks again only where something may have changed, and trips at the very event at which it always would."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trading.desks import fill, order

import onebook
from onebook import CashMovement, CorporateAction, Rate
from onebook.errors import BookError
from onebook.testing import FakeClock
from onebook.trading.results import Results
from onebook.trading.unchanged import Unchanged

NAMES = st.sampled_from(["AAPL", "MSFT"])
STRATEGIES = st.sampled_from(["a", "b"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("mark"), NAMES, st.integers(85, 110)),
        st.tuples(st.just("fill"), NAMES, STRATEGIES, st.sampled_from(["buy", "sell"]), st.integers(90, 105)),
        st.tuples(st.just("order"), NAMES),
        st.tuples(st.just("cash"), st.integers(-40, 40), st.sampled_from(["USD", "EUR"])),
        st.tuples(st.just("rate"), st.integers(8, 14)),
        st.tuples(st.just("split"), NAMES),
        st.tuples(st.just("bust"), st.integers(1, 12)),
        st.tuples(st.just("wait"), st.sampled_from([1, 90, 3600, 86_400, 8 * 86_400])),
        st.tuples(st.just("resume"), STRATEGIES),
        st.tuples(st.just("limit"), st.integers(20, 120), STRATEGIES),
        st.tuples(st.just("nothing")),
    ),
    min_size=5,
    max_size=40,
)


def do(book: onebook.Book, clock: FakeClock, step: tuple[Any, ...]) -> None:
    match step:
        case ("mark", name, price):
            book.mark(name, price)
        case ("fill", name, strategy, side, price):
            fill(book, side, 5, price, instrument=name, strategy=strategy)
        case ("order", name):
            book.record(order("buy", 1, name))
        case ("cash", amount, currency) if amount:
            book.record(CashMovement(currency=currency, amount=amount, kind="adjustment"))
        case ("rate", tenths):
            book.record(Rate(base="EUR", quote="USD", price=f"1.{tenths:02}"))
        case ("split", name):
            book.record(CorporateAction(kind="split", instrument=name, numerator=2, denominator=1))
        case ("bust", sequence):
            book.bust(sequence, reason="never happened")
        case ("wait", seconds):
            clock.advance(seconds)
        case ("resume", strategy):
            book.trading.resume("seen", strategy=strategy)
        case ("limit", most, strategy):
            book.trading.limits.set(max_drawdown=most, strategy=strategy)


def trips(steps: list[Any]) -> list[Any]:
    """After each step, what the guard says and has done so far."""
    clock = FakeClock("2024-06-03T13:00:00Z")
    found: list[Any] = []
    with onebook.open(":memory:", clock=clock) as book:
        book.trading.limits.set(max_daily_loss=60)
        book.trading.limits.set(max_daily_loss=30, strategy="a", flatten=True)
        for step in steps:
            try:
                do(book, clock, step)
            except BookError as problem:
                found.append(problem.code)
            standings = [(item.day, item.result, item.unvalued) for item in book.trading.check()]
            breaches = [(event.type, event.strategy) for event in book.events(types=["*_breached"])]
            found.append((sorted(standings, key=repr), breaches, len(book.orders())))
    return found


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_it_trips_at_the_same_event_as_a_guard_that_always_looks(steps: list[Any]) -> None:
    with patch.object(Unchanged, "__bool__", lambda _self: False):
        always = trips(steps)
    assert trips(steps) == always


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every time that standings are computed."""
    counted: list[Any] = []
    compute = Results.standings

    def standings(self: Results, scopes: Any) -> Any:
        counted.append(scopes)
        return compute(self, scopes)

    monkeypatch.setattr(Results, "standings", standings)
    return counted


def test_what_the_scope_does_not_hold_costs_no_look(book: onebook.Book, clock: FakeClock, looks: list[Any]) -> None:
    book.trading.limits.set(max_daily_loss=100, strategy="a")
    fill(book, "buy", 10, 100, strategy="a")
    book.mark("AAPL", 100)
    book.trading.check()
    before = len(looks)
    for _ in range(3):
        clock.advance(60)
        book.mark("MSFT", 50)
        book.record(order("buy", 1, "MSFT"))
        book.trading.check()
    assert len(looks) == before
    book.mark("AAPL", 90)
    assert book.trading.check()[0].result.loss == 100
    assert len(looks) == before + 1
    assert [event.type for event in book.events(types="daily_loss_breached")] == ["daily_loss_breached"]


def test_a_look_that_failed_is_done_again(book: onebook.Book) -> None:
    book.trading.limits.set(max_daily_loss=100, flatten=True)
    fill(book, "buy", 10, 100)
    book.mark("AAPL", 90)
    with patch.object(Results, "standings", side_effect=KeyError), pytest.raises(KeyError):
        book.trading.check()
    book.trading.check()
    assert [item.quantity for item in book.orders()] == [10]


def test_a_loss_that_another_process_books_is_seen(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path, clock=clock) as one, onebook.open(path, clock=clock) as other:
        one.trading.limits.set(max_daily_loss=100)
        one.trading.check()
        fill(other, "buy", 10, 100)
        fill(other, "sell", 10, 90)
        one.trading.check()
        assert [event.type for event in one.events(types="daily_loss_breached")] == ["daily_loss_breached"]
