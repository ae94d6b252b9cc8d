"""The demo through the real book on a short span: same figures every time, and they add up."""

import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

import onebook
from onebook.demo.desk import Desk, ReplayClock
from onebook.demo.ending import as_json
from onebook.demo.history import load_sessions
from onebook.demo.main import Wanted, perform, replay_into
from onebook.demo.player import Silence, play
from onebook.demo.replay import OPENING, Replay, bots
from onebook.demo.scene import Observer, strategy_money
from onebook.demo.view import draw

UNTIL = date(2001, 2, 28)
TIMINGS = {"book", "seconds", "facts_per_second"}
NAMES = tuple(bot.name for bot in bots())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("demo") / "demo.db")


@pytest.fixture(scope="module")
def first(place: str) -> dict[str, object]:
    return as_json(replay_into(Wanted(url=place, as_json=True, until=UNTIL)))


def without_timings(figures: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in figures.items() if name not in TIMINGS}


def test_two_runs_give_the_same_figures_down_to_the_hash(first: dict[str, object], tmp_path: Path) -> None:
    second = as_json(replay_into(Wanted(url=str(tmp_path / "again.db"), as_json=True, until=UNTIL)))
    assert without_timings(second) == without_timings(first)
    assert first["verify"] == {"ok": True, "problems": []}
    assert first["exists"] == 0
    assert first["recorded"] == first["entries"]


def test_a_second_run_on_the_same_book_records_nothing_new(first: dict[str, object], place: str) -> None:
    again = as_json(replay_into(Wanted(url=place, as_json=True, until=UNTIL)))
    assert (again["recorded"], again["exists"]) == (0, first["entries"])
    for name in ("entries", "fills", "round_trips", "realized", "equity", "by_strategy", "verify", "head_hash"):
        assert again[name] == first[name]


def test_a_broken_off_run_is_continued(first: dict[str, object], tmp_path: Path) -> None:
    url = str(tmp_path / "half.db")
    half = replay_into(Wanted(url=url, as_json=True, until=date(2000, 9, 15)))
    whole = as_json(replay_into(Wanted(url=url, as_json=True, until=UNTIL)))
    assert whole["exists"] == half.entries
    for name in ("fills", "round_trips", "realized", "equity"):
        assert whole[name] == first[name]


def test_a_book_of_somebody_else_is_refused(tmp_path: Path) -> None:
    url = str(tmp_path / "mine.db")
    with onebook.open(url) as book:
        book.record(onebook.Fill(instrument="BTC/USDT", side="buy", quantity=Decimal(1), price=Decimal(60000)))
    with pytest.raises(onebook.RuleError, match="other facts"):
        replay_into(Wanted(url=url, until=UNTIL))


@pytest.mark.usefixtures("first")
def test_money_adds_up_from_the_facts_alone(place: str) -> None:
    with onebook.open(place, read_only=True) as book:
        fills = book.fills(account="demo")
        paid = sum(move.amount for move in book.facts("cash_movement", account="demo"))
        spent = sum(fill.quantity * fill.price * (1 if fill.side == "buy" else -1) for fill in fills)
        cash = {row.asset: row.amount for row in book.balances(account="demo")}
        assert cash == {"USD": OPENING - spent - sum(fill.fee for fill in fills) + paid}
        equity = book.equity(account="demo")
        assert equity.amount == OPENING + equity.realized + equity.unrealized
        assert equity.realized == sum(row.usd for row in strategy_money(book, NAMES))


@pytest.mark.usefixtures("first")
def test_shares_follow_the_split(place: str) -> None:
    split = date(2000, 6, 21)
    held: dict[tuple[str, str], Decimal] = {}
    with onebook.open(place, read_only=True) as book:
        for fill in book.fills(account="demo"):
            ratio = 2 if fill.instrument == "AAPL" and fill.occurred_at.date() < split else 1
            signed = fill.quantity * ratio * (1 if fill.side == "buy" else -1)
            held[fill.strategy, fill.instrument] = held.get((fill.strategy, fill.instrument), Decimal()) + signed
        found = {(row.strategy, row.instrument): row.quantity for row in book.positions(account="demo", is_open=None)}
    assert found == held


@pytest.mark.usefixtures("first")
def test_every_way_out_is_seen_and_each_fill_has_its_order(place: str) -> None:
    with onebook.open(place, read_only=True) as book:
        reasons = {trip.close_reason for trip in book.round_trips(account="demo", is_open=False)}
        orders = book.orders(account="demo")
        assert {order.status for order in orders} == {"filled"}
        assert sum(order.filled_quantity for order in orders) == sum(fill.quantity for fill in book.fills())
        assert book.status().fills_without_identity == 0
    assert {"stop_loss", "take_profit", "trailing_stop", "end_of_day"} <= reasons


def test_json_is_one_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert perform(Wanted(url=":memory:", once=True, as_json=True, until=date(2000, 4, 20))) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["verify"]["ok"] is True
    assert set(figures["realized"]) == {"USD", "EUR"}
    assert isinstance(figures["equity"]["EUR"], str)


def test_for_people_it_tells_trips_years_and_where_the_book_lies(capsys: pytest.CaptureFixture[str]) -> None:
    assert perform(Wanted(url=":memory:", once=True, until=date(2001, 1, 10))) == 0
    shown = capsys.readouterr()
    for words in ("last round trips", "Realized by year", "verify: ok", "positions", "explain", "journal"):
        assert words in shown.out
    assert "2000-12-29" in shown.err


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (160, 50)])
def test_the_picture_fits_the_terminal(width: int, height: int) -> None:
    clock = ReplayClock()
    with onebook.open(":memory:", clock=clock) as book:
        desk = Desk(book)
        replay = Replay(desk, clock, load_sessions(last=date(2000, 7, 14)))
        observer = Observer(desk, replay.sessions)
        last = play(replay, observer, Silence())
        assert last is not None
        scene = observer.scene(last, tuple(strategy_money(book, NAMES)))
    text = io.StringIO()
    Console(file=text, width=width, height=height, force_terminal=False).print(draw(scene, "state"), end="")
    lines = text.getvalue().splitlines()
    assert len(lines) == height
    assert {len(line) for line in lines} == {width}
    for words in ("EUR/USD", "positions", "realized P&L", "events", "reversal", "Fri 14 Jul 2000"):
        assert words in text.getvalue()
