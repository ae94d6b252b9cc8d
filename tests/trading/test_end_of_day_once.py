"""Done once, whoever does it, however often it is asked, and wherever it is killed; and cheap to ask."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.trading.closing import Floor, at, at_eight, terms
from tests.trading.conftest import Begin

import onebook
from onebook import Order
from onebook.errors import BookError
from onebook.market.calendars import Exchange
from onebook.testing import FakeClock
from onebook.trading.gate import Gate
from onebook.trading.outbox import Outbox

DUE = "2024-06-03T19:55:00Z"
ROOT = Path(__file__).resolve().parents[2]


def prepared(path: str) -> None:
    """A book with two positions, a resting order and a signal, five minutes before the close."""
    clock = FakeClock("2024-06-03T14:00:00Z")
    with onebook.open(path, clock=clock) as book:
        here = Floor(book, clock)
        here.hold(10)
        here.hold(-3, "MSFT", strategy="short")
        here.order("stop", "sell", 10, kind="stop", stop_price=90)
        here.signal("idle")


def logged(book: onebook.Book) -> list[tuple[Any, ...]]:
    """What the log says, without when it was written."""
    return [(event.id, event.type, event.account, event.instrument, event.data) for event in book.events()]


def ended(path: str, *, restarts: int = 1) -> list[Any]:
    """Finish what was begun, and return what the log holds of it."""
    clock = FakeClock(DUE)
    with onebook.open(path, clock=clock) as book:
        here = Floor(book, clock, [at_eight()], number=100)
        for second in range(restarts + 1):
            here.restart()
            here.go(f"2024-06-03T19:55:{10 + second}Z")
        sent = [(item.client_order_id, str(item.order.quantity)) for item in here.exits()]
        wishes = [
            event.data["client_order_id"]
            for event in book.events(types="order_updated")
            if event.data.get("status") == "pending_cancel"
        ]
        here.venue()
        here.go("2024-06-03T20:10:00Z")
        assert book.positions() == []
        assert here.alerts() == []
        report = book.verify()
        assert report.ok, report.problems
        return [sent, wishes, here.done(), len(list(book.events(types="signal_expired"))), book.breaks(), logged(book)]


def test_a_kill_anywhere_forgets_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    prepared(str(tmp_path / "whole.db"))
    wanted = ended(str(tmp_path / "whole.db"))
    assert [len(part) if isinstance(part, list) else part for part in wanted[:5]] == [2, 1, 1, 1, 0]
    for number in range(1, 20):
        path = str(tmp_path / f"{number}.db")
        prepared(path)
        command = [sys.executable, "-m", "tests.trading.closing_child", path, DUE, str(number)]
        code = subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode
        assert code in {0, 9}
        assert ended(path) == wanted, number
        if code == 0:
            break
    assert number > 3


def test_many_at_once_close_once(tmp_path: Path) -> None:
    path = str(tmp_path / "book.db")
    prepared(path)
    gate = threading.Barrier(4)
    problems: list[BookError] = []

    def close() -> None:
        try:
            with onebook.open(path, clock=FakeClock(DUE)) as book:
                eod = book.trading.end_of_day([at_eight()])
                gate.wait()
                for second in range(5):
                    eod.look(at(DUE) + second * 1_000_000_000)
        except BookError as problem:
            problems.append(problem)

    threads = [threading.Thread(target=close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    sent, wishes, done, expired, breaks, _ = ended(path)
    assert (len(sent), wishes, len(done), expired, breaks) == (2, ["stop"], 1, 1, [])


def test_a_fill_of_another_process_between_look_and_exit_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "book.db")
    prepared(path)
    clock = FakeClock(DUE)
    place = Gate.place
    with onebook.open(path, clock=clock) as book, onebook.open(path, clock=clock) as other:
        here, there = Floor(book, clock), Floor(other, clock)
        there.number = 100
        turns = iter((5, 2))

        def late(self: Gate, *args: Any, **more: Any) -> Any:
            more_bought = next(turns, 0)
            if more_bought:
                there.hold(more_bought)
            return place(self, *args, **more)

        monkeypatch.setattr(Gate, "place", late)
        here.go(DUE)
        assert sorted(str(item.order.quantity) for item in here.exits()) == ["17", "3"]
        assert book.breaks() == []


def test_a_book_that_never_rests_is_closed_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "book.db")
    prepared(path)
    clock = FakeClock(DUE)
    place = Gate.place
    with onebook.open(path, clock=clock) as book, onebook.open(path, clock=clock) as other:
        here = Floor(book, clock)

        def busy(self: Gate, *args: Any, **more: Any) -> Any:
            other.publish("busy.elsewhere")
            return place(self, *args, **more)

        monkeypatch.setattr(Gate, "place", busy)
        here.go(DUE)
        assert len(here.exits()) == 2


def test_a_day_with_a_restart_after_every_event_is_the_same_day(tmp_path: Path) -> None:
    logs = []
    for restarts in (False, True):
        clock = FakeClock("2024-06-03T14:00:00Z")
        with onebook.open(str(tmp_path / f"{restarts}.db"), clock=clock) as book:
            here = Floor(book, clock)
            here.hold(10)
            here.signal("idle")
            clock.set("2024-06-03T19:54:58Z")
            for step in range(1400):
                clock.advance(0.25)
                if step % 170 == 3:
                    here.hold(step % 7 - 3 or 5, strategy=f"s{step % 3}", instrument=("AAPL", "MSFT")[step % 2])
                if step % 31 == 7:
                    here.venue()
                if step % 400 == 77:
                    here.signal(f"i{step}")
                if step % 250 == 133:
                    for item in here.exits(is_open=True)[:1]:
                        here.says(item.client_order_id, "rejected", reason="busy")
                if restarts and step % 9 == 0:
                    here.restart()
                here.eod.look(clock.now)
            here.go("2024-06-04T15:00:00Z")
            here.mark("AAPL", "MSFT")
            here.go("2024-06-04T15:00:01Z")
            logs.append([*logged(book), [event.recorded_at for event in book.events()]])
    assert len(logs[0]) > 40
    assert logs[0] == logs[1]


def test_asking_costs_nothing_until_something_is_due(
    book: onebook.Book, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Floor(book, clock, (terms(), terms(name="other", minutes_before_close=10)))
    here.go("2024-06-03T12:00:00Z")
    here.hold(1)
    here.go("2024-06-03T13:30:00Z")
    with monkeypatch.context() as patch:
        patch.setattr(type(book), "positions", None)
        patch.setattr(type(book.wakeups), "look", None)
        patch.setattr(Exchange, "session_of", None)
        for second in range(0, 20_000, 7):
            assert here.eod.look(here.clock.now + second * 1_000_000_000) == []
    assert len(here.go("2024-06-03T19:50:00Z")) == 1


def test_orders_at_a_paper_venue_end_and_the_position_too(begin: Begin, clock: FakeClock, book: onebook.Book) -> None:
    clock.set("2024-06-03T14:00:00Z")
    scene = begin()
    outbox = Outbox(book, {"paper": scene.broker})
    outbox.start()
    eod = book.trading.end_of_day([terms(accounts=("paper",))])
    scene.print(100)
    book.trading.place(
        Order(instrument="AAPL", side="buy", quantity=10, client_order_id="e", account="paper", strategy="s"),
        Order(instrument="AAPL", side="sell", quantity=10, kind="stop", stop_price=95, client_order_id="x",
              account="paper", strategy="s", parent_id="e", group_id="g", reduce_only=True),
        Order(instrument="AAPL", side="sell", quantity=10, kind="limit", limit_price=110, client_order_id="t",
              account="paper", strategy="s", parent_id="e", group_id="g", reduce_only=True, time_in_force="DAY"),
    )  # fmt: skip
    outbox.pump()
    scene.print(100)
    outbox.pump()
    assert scene.held() == 10
    clock.set("2024-06-03T19:54:59Z")
    scene.print(101)
    eod.look(clock.now)
    outbox.pump()
    scene.print(102)
    eod.look(clock.now)
    outbox.pump()
    assert scene.held() == 0
    assert [scene.status(name) for name in ("x", "t")] == ["canceled", "canceled"]
    (trip,) = book.round_trips(account="paper")
    assert (trip.close_reason, trip.net) == ("end_of_day", 20)
    clock.set("2024-06-03T20:01:00Z")
    eod.look(clock.now)
    assert list(book.events(types="alert_raised")) == []
    outbox.close()
