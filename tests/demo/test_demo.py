"""The demo through the runner on a short span: same figures every time, they add up, and what is promised happens."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import onebook
from onebook.demo.bots import NAMES
from onebook.demo.ending import as_json
from onebook.demo.history import load_sessions
from onebook.demo.main import Wanted, perform, replay_into
from onebook.demo.replay import OPENING, Replay
from onebook.demo.scene import strategy_money
from onebook.trading.runner.clock import ReplayClock

HALF = date(2000, 9, 15)
UNTIL = date(2000, 12, 29)
TIMINGS = {"book", "seconds", "entries_per_second"}
FIGURES = ("fills", "round_trips", "happened", "realized", "equity", "by_strategy", "positions", "last_round_trips")


def figures_of(place: str | Path, until: date) -> dict[str, Any]:
    return as_json(replay_into(Wanted(url=str(place), as_json=True, until=until), str(place)))


def unnumbered(figures: Any) -> Any:
    """Figures without places in the log: the runner writes when it starts and stops."""
    if isinstance(figures, dict):
        return {name: unnumbered(value) for name, value in figures.items() if name not in {"id", "sequence"}}
    return [unnumbered(value) for value in figures] if isinstance(figures, list) else figures


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("demo") / "demo.db")


@pytest.fixture(scope="module")
def first(place: str) -> dict[str, Any]:
    return figures_of(place, UNTIL)


@pytest.fixture
def book(place: str, first: dict[str, Any]) -> Iterator[onebook.Book]:
    assert first["verify"]["ok"]
    with onebook.open(place, read_only=True) as opened:
        yield opened


def test_two_runs_give_the_same_figures_down_to_the_hash(first: dict[str, Any], tmp_path: Path) -> None:
    second = figures_of(tmp_path / "again.db", UNTIL)
    assert {name: value for name, value in second.items() if name not in TIMINGS} == {
        name: value for name, value in first.items() if name not in TIMINGS
    }
    assert first["verify"] == {"ok": True, "problems": []}
    assert first["recorded"] == first["entries"]


def test_a_second_run_on_the_same_book_records_nothing_new(first: dict[str, Any], place: str) -> None:
    again = figures_of(place, UNTIL)
    assert again["recorded"] == 0
    for name in ("entries", "verify", "head_hash", *FIGURES):
        assert again[name] == first[name]


def test_a_run_that_was_stopped_in_the_middle_goes_on_to_the_same_figures(
    first: dict[str, Any], tmp_path: Path
) -> None:
    place = tmp_path / "stopped.db"
    clock = ReplayClock()
    with onebook.open(str(place), actor="demo", clock=clock) as book:
        replay = Replay(book, clock, load_sessions(last=UNTIL))
        why = replay.run(lambda session: session.day < HALF)
        half = book.status().entries
    assert why == "left by its watcher"
    whole = figures_of(place, UNTIL)
    assert 0 < half < whole["entries"]
    assert whole["recorded"] == whole["entries"] - half
    for name in FIGURES:
        assert unnumbered(whole[name]) == unnumbered(first[name])


def test_a_book_of_somebody_else_is_refused(tmp_path: Path) -> None:
    url = str(tmp_path / "mine.db")
    with onebook.open(url) as book:
        book.record(onebook.Fill(instrument="BTC/USDT", side="buy", quantity=Decimal(1), price=Decimal(60000)))
    with pytest.raises(onebook.RuleError, match="other facts"):
        replay_into(Wanted(url=url, until=UNTIL), url)


def test_money_adds_up_from_the_facts_alone(book: onebook.Book) -> None:
    fills = book.fills(account="demo")
    paid = sum(move.amount for move in book.facts("cash_movement", account="demo"))
    spent = sum(fill.quantity * fill.price * (1 if fill.side == "buy" else -1) for fill in fills)
    cash = {row.asset: row.amount for row in book.balances(account="demo")}
    assert cash == {"USD": OPENING - spent - sum(fill.fee for fill in fills) + paid}
    equity = book.equity(account="demo")
    assert equity.amount == OPENING + equity.realized + equity.unrealized
    assert equity.realized == sum(row.usd for row in strategy_money(book, NAMES))


def test_shares_follow_the_split(book: onebook.Book) -> None:
    split = date(2000, 6, 21)
    held: Counter[tuple[str, str]] = Counter()
    for fill in book.fills(account="demo"):
        ratio = 2 if fill.instrument == "AAPL" and fill.occurred_at.date() < split else 1
        held[fill.strategy, fill.instrument] += int(fill.quantity) * ratio * (1 if fill.side == "buy" else -1)
    found = {(row.strategy, row.instrument): row.quantity for row in book.positions(account="demo", is_open=None)}
    assert found == dict(held)


def test_each_fill_has_its_order_and_each_order_its_end(book: onebook.Book) -> None:
    orders = book.orders(account="demo")
    assert sum(order.filled_quantity for order in orders) == sum(fill.quantity for fill in book.fills(account="demo"))
    assert book.status().fills_without_identity == 0
    held = {(row.strategy, row.instrument) for row in book.positions(account="demo")}
    exits = {(order.strategy, order.instrument) for order in orders if order.is_open and order.reduce_only}
    assert held <= exits, "a position without an order that would leave it"


def test_the_way_from_a_signal_to_a_closed_trip_is_in_the_book(book: onebook.Book) -> None:
    statuses = Counter(signal.status for signal in book.signals(account="demo"))
    assert statuses["CLOSED"] == len(book.round_trips(account="demo", is_open=False))
    reasons = Counter(trip.close_reason for trip in book.round_trips(account="demo", is_open=False))
    assert {"stop_loss", "take_profit", "trailing_stop"} <= set(reasons)


def test_json_is_one_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert perform(Wanted(url=":memory:", once=True, as_json=True, until=date(2000, 4, 20))) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["verify"]["ok"] is True
    assert set(figures["realized"]) == {"USD", "EUR"}
    assert isinstance(figures["equity"]["EUR"], str)


def test_for_people_it_tells_trips_years_and_where_the_book_lies(
    first: dict[str, Any], place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert perform(Wanted(url=place, once=True, until=UNTIL)) == 0
    shown = capsys.readouterr()
    for words in ("last round trips", "Realized by year", "verify: ok", "positions", "explain", "journal"):
        assert words in shown.out
    assert f"0 entries beside {first['entries']:,} that were there already" in shown.out
