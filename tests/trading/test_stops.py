"""What marks and bars do to stops and targets, in one process, in several, and after a restart."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trading.desks import child, fill, no, place, together, types, until, whole

import onebook
from onebook.domain import times
from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.errors import StoreBusy
from onebook.testing import FakeClock

STOPS = ("stop_set", "stop_moved", "stop_triggered", "stop_removed")


def bar(book: onebook.Book, opened: str, *prices: Any) -> None:
    """Show a bar of one minute: open, high, low, close."""
    began = times.from_text("opened", opened)
    a, high, low, close = (Decimal(price) for price in prices)
    seen = Bar(
        instrument="AAPL", timeframe="1m", opened_ns=began, at_ns=began + 60 * times.SECOND,
        open=a, high=high, low=low, close=close, volume=Decimal(1),
    )  # fmt: skip
    book.trading.stops.see(seen)


def triggered(book: onebook.Book) -> list[tuple[str, str, str]]:
    """(kind, level, mark) of every trigger."""
    return [
        (event.data["kind"], event.data["level"], event.data["mark"]) for event in book.events(types="stop_triggered")
    ]


# ---- marks ----


@pytest.mark.parametrize(
    ("side", "figures", "marks", "expected"),
    [
        ("buy", {"stop_loss": 90}, [100, "90.01", 90], ("stop_loss", "90", "90")),
        ("buy", {"stop_loss": 90}, [100, 85], ("stop_loss", "90", "85")),
        ("sell", {"stop_loss": 110}, [100, "109.99", 110], ("stop_loss", "110", "110")),
        ("buy", {"take_profit": 120}, [100, "119.99", 121], ("take_profit", "120", "121")),
        ("sell", {"take_profit": 80}, [100, "80.01", 80], ("take_profit", "80", "80")),
        ("buy", {"trail_amount": 5}, [100, 110, 106, 108, 105], ("trailing_stop", "105", "105")),
        ("sell", {"trail_amount": 5}, [100, 90, 94, 92, 95], ("trailing_stop", "95", "95")),
        ("buy", {"trail_ratio": "0.1"}, [100, 200, 181, 180], ("trailing_stop", "180", "180")),
        ("sell", {"trail_ratio": "0.1"}, [100, 50, "54.9", 55], ("trailing_stop", "55", "55")),
        (
            "buy",
            {"trail_amount": 5, "activates_at": 110},
            [100, 109, 90, 110, 106, 104],
            ("trailing_stop", "105", "104"),
        ),
        ("sell", {"trail_amount": 5, "activates_at": 90}, [100, 91, 150, 90, 94, 95], ("trailing_stop", "95", "95")),
        ("buy", {"trail_amount": 5, "stop_loss": 97}, [100, 98, 97], ("stop_loss", "97", "97")),
        ("buy", {"trail_amount": 5, "stop_loss": 97}, [100, 104, 99], ("trailing_stop", "99", "99")),
    ],
)
@pytest.mark.parametrize("after_restart", [False, True])
def test_what_marks_reach_is_triggered_once(
    tmp_path: Path,
    clock: FakeClock,
    side: str,
    figures: dict[str, Any],
    marks: Sequence[Any],
    expected: tuple[str, str, str],
    after_restart: bool,
) -> None:
    path = tmp_path / "book.db"
    book = onebook.open(path, clock=clock)
    fill(book, side, 5)
    book.trading.protect("AAPL", **figures)
    for number, mark in enumerate([*marks, marks[-1], 1, 1000]):
        assert bool(triggered(book)) == (number >= len(marks)), mark
        clock.advance(1)
        book.mark("AAPL", mark)
        if after_restart:
            book.close()
            book = onebook.open(path, clock=clock)
    assert triggered(book) == [expected]
    whole(book)
    book.close()


def test_a_trail_set_late_counts_from_the_best_mark_since_the_position_opened(
    book: onebook.Book, clock: FakeClock
) -> None:
    book.mark("AAPL", 500)
    clock.advance(1)
    fill(book, "buy", 5)
    book.mark("AAPL", 100)
    book.mark("AAPL", 130)
    book.mark("AAPL", 128)
    book.trading.protect("AAPL", trail_amount=5)
    book.mark("AAPL", 126)
    assert not triggered(book)
    book.mark("AAPL", 125)
    assert triggered(book) == [("trailing_stop", "125", "125")]


def test_a_trail_is_written_by_steps_and_at_close(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path, clock=clock) as book:
        fill(book, "buy", 5)
        book.trading.protect("AAPL", trail_amount=5)
        for number in range(100):
            book.mark("AAPL", Decimal(100) + Decimal(number) / 100)
        moves = [event.data["level"] for event in book.events(types="stop_moved")]
        assert moves == sorted(moves, key=Decimal)
        assert 2 < len(moves) < 15
    with onebook.open(path, clock=clock) as book:
        assert [event.data["level"] for event in book.events(types="stop_moved")][-1] == "95.99"
        assert book.trading.stops.levels() == {("main", "AAPL", "", ""): Decimal("95.99")}


def test_a_partial_exit_does_not_loosen_a_trail_that_is_not_written_yet(book: onebook.Book, clock: FakeClock) -> None:
    fill(book, "buy", 5)
    book.trading.protect("AAPL", trail_amount=5)
    place_of = ("main", "AAPL", "", "")
    clock.advance(60)
    bar(book, "2024-06-03T12:00:00Z", 100, 100, 99, 100)
    clock.advance(60)
    bar(book, "2024-06-03T12:01:00Z", 100, "100.05", 99, 100)
    assert book.trading.stops.levels() == {place_of: Decimal("95.05")}
    fill(book, "sell", 1)
    assert book.trading.stops.levels() == {place_of: Decimal("95.05")}


def test_prints_and_quotes_are_marks(book: onebook.Book) -> None:
    at = book.now()
    shown: tuple[Seen, ...] = (
        Print(instrument="AAPL", at_ns=at, price=Decimal(90), quantity=Decimal(1)),
        Quote(instrument="AAPL", at_ns=at, bid=Decimal(89), ask=Decimal(91)),
    )
    for number, seen in enumerate(shown):
        fill(book, "buy", 5, strategy=str(number))
        book.trading.protect("AAPL", stop_loss=90, strategy=str(number))
        book.trading.stops.see(seen)
    assert [item[:2] for item in triggered(book)] == [("stop_loss", "90")] * 2


# ---- bars ----


@pytest.mark.parametrize(
    ("side", "figures", "bars", "expected"),
    [
        # a gap beyond the stop or the target counts at the open
        ("buy", {"stop_loss": 90}, [(85, 95, 80, 90)], ("stop_loss", "90", "85")),
        ("buy", {"take_profit": 120}, [(125, 130, 119, 121)], ("take_profit", "120", "125")),
        ("sell", {"stop_loss": 110}, [(115, 120, 105, 110)], ("stop_loss", "110", "115")),
        ("sell", {"take_profit": 80}, [(75, 90, 70, 80)], ("take_profit", "80", "75")),
        # inside a bar a level is reached at the level itself
        ("buy", {"stop_loss": 90}, [(100, 105, 80, 101)], ("stop_loss", "90", "90")),
        ("buy", {"take_profit": 120}, [(100, 130, 99, 110)], ("take_profit", "120", "120")),
        # both inside one bar: the stop
        ("buy", {"stop_loss": 90, "take_profit": 120}, [(100, 125, 85, 119)], ("stop_loss", "90", "90")),
        ("sell", {"stop_loss": 110, "take_profit": 80}, [(100, 115, 75, 81)], ("stop_loss", "110", "110")),
        # the old trail against the low before the high raises it
        ("buy", {"trail_amount": 5}, [(100, 102, 98, 102), (102, 120, 99, 119)], None),
        ("buy", {"trail_amount": 5}, [(100, 102, 98, 102), (102, 120, 97, 119)], ("trailing_stop", "97", "97")),
        ("sell", {"trail_amount": 5}, [(100, 102, 98, 98), (98, 101, 80, 81)], None),
        ("sell", {"trail_amount": 5}, [(100, 102, 98, 98), (98, 103, 80, 81)], ("trailing_stop", "103", "103")),
        # the close may lie under the trail that the high raised
        ("buy", {"trail_amount": 5}, [(100, 120, 98, 115)], ("trailing_stop", "115", "115")),
        ("buy", {"trail_amount": 5}, [(100, 120, 98, 116)], None),
    ],
)
def test_bars_reach_levels_in_the_order_of_the_house(
    book: onebook.Book,
    side: str,
    figures: dict[str, Any],
    bars: Sequence[tuple[Any, ...]],
    expected: tuple[str, str, str] | None,
) -> None:
    fill(book, side, 5)
    book.trading.protect("AAPL", **figures)
    for number, prices in enumerate(bars):
        bar(book, f"2024-06-03T12:0{number + 1}:00Z", *prices)
    assert triggered(book) == ([] if expected is None else [expected])


def test_in_the_bar_of_the_entry_only_the_stop_can_be_reached(book: onebook.Book, clock: FakeClock) -> None:
    clock.set("2024-06-03T12:00:30Z")
    fill(book, "buy", 5)
    book.trading.protect("AAPL", stop_loss=90, take_profit=120)
    bar(book, "2024-06-03T12:00:00Z", 85, 125, 91, 121)
    assert not triggered(book)
    bar(book, "2024-06-03T12:00:00Z", 100, 125, 89, 121)
    assert triggered(book) == [("stop_loss", "90", "90")]


@pytest.mark.parametrize("entered", ["12:01:00", "12:01:01", "12:05:00"])
def test_a_bar_that_ended_before_the_entry_says_nothing(book: onebook.Book, clock: FakeClock, entered: str) -> None:
    clock.set(f"2024-06-03T{entered}Z")
    fill(book, "buy", 5)
    book.trading.protect("AAPL", stop_loss=90, take_profit=120, trail_amount=50)
    bar(book, "2024-06-03T12:00:00Z", 100, 500, 80, 400)
    assert not triggered(book)
    assert book.trading.stops.levels() == {("main", "AAPL", "", ""): 90}


# ---- orders ----


def test_a_stop_that_acts_places_its_exit_in_the_same_transaction(book: onebook.Book) -> None:
    fill(book, "buy", 5, strategy="a")
    book.trading.protect("AAPL", strategy="a", stop_loss=90, act="order")
    for mark in (89, 88, 200):
        book.mark("AAPL", mark)
    (order,) = book.orders()
    assert (order.side, order.quantity, order.kind, order.reduce_only) == ("sell", 5, "market", True)
    assert (order.strategy, order.close_reason, order.status) == ("a", "stop_loss", "pending_new")
    (event,) = book.events(types="stop_triggered")
    assert order.sequence == event.sequence + 1
    whole(book)


def test_a_store_that_is_busy_loses_no_stop(book: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(book, "buy", 5)
    book.trading.protect("AAPL", stop_loss=90, trail_amount=20, act="order")
    book.mark("AAPL", 100)
    submit = book.submit

    def busy(*wanted: Any, **more: Any) -> Any:
        raise StoreBusy("somebody else writes")

    monkeypatch.setattr(book, "submit", busy)
    book.mark("AAPL", 105)
    with pytest.raises(StoreBusy):
        book.mark("AAPL", 85)
    monkeypatch.setattr(book, "submit", submit)
    book.mark("AAPL", 85)
    assert triggered(book) == [("stop_loss", "90", "85")]
    assert len(book.orders()) == 1


def test_a_stop_that_another_process_took_away_places_nothing(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path, clock=clock) as one, onebook.open(path, clock=clock) as other:
        fill(one, "buy", 5)
        one.trading.protect("AAPL", stop_loss=90, act="order")
        other.mark("AAPL", 100)
        one.trading.unprotect("AAPL")
        other.mark("AAPL", 89)
        one.trading.protect("AAPL", stop_loss=50, act="order")
        other.mark("AAPL", 88)
        assert not one.orders()
        assert types(one, *STOPS) == ["stop_set", "stop_removed", "stop_set"]
        whole(one)


def test_two_books_on_one_file_place_one_exit(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path, clock=clock) as one, onebook.open(path, clock=clock) as other:
        fill(one, "buy", 5)
        one.trading.protect("AAPL", stop_loss=90, act="order")
        for book in (one, other):
            book.mark("AAPL", 100)
        for book in (one, other, one, other):
            book.mark("AAPL", 89)
        assert [item.quantity for item in one.orders()] == [5]
        assert not one.breaks()
        assert len(triggered(one)) == 1


def test_two_processes_place_one_exit(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path) as book:
        fill(book, "buy", 5)
        book.trading.protect("AAPL", trail_amount=5, act="order")
        prices = [str(price) for price in (100, 101, 103, 110, 107, 105, 104)]
        together(child(path, "marks", *prices), child(path, "marks", *prices))
        assert [item.quantity for item in book.orders()] == [5]
        assert len(triggered(book)) == 1
        assert not book.breaks()
        whole(book)


def test_a_protection_set_here_is_watched_soon_where_the_marks_are(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path) as book:
        fill(book, "buy", 5)
        other = child(path, "watch", "3", "89")
        try:
            assert other.stdout is not None
            assert other.stdin is not None
            assert other.stdout.readline() == "ready\n"
            other.stdin.write("go\n")
            other.stdin.flush()
            book.trading.protect("AAPL", stop_loss=90)
            until(lambda: triggered(book))
            (event,) = book.events(types="stop_triggered")
            (was_set,) = book.events(types="stop_set")
            assert (event.recorded_at - was_set.recorded_at).total_seconds() < 5
        finally:
            other.kill()
            other.communicate()


def test_a_stop_that_acts_waits_while_trading_is_halted_and_is_told_once(book: onebook.Book) -> None:
    fill(book, "buy", 5)
    book.trading.protect("AAPL", stop_loss=90, act="order")
    book.trading.halt("x")
    for price in (89, 88, 87):
        book.mark("AAPL", price)
    assert triggered(book) == []
    (alert,) = book.events(types="alert_raised")
    assert (alert.data["kind"], alert.instrument) == ("stop_held_back", "AAPL")
    assert [item.status for item in book.trading.protections()] == ["active"]
    no(place(book, "sell", 5, reduce_only=True), "halted")
    book.trading.resume("y")
    book.mark("AAPL", 88)
    assert len(triggered(book)) == 1
    assert [item.status for item in book.orders()] == ["denied", "pending_new"]


def test_a_stop_that_only_tells_does_so_while_trading_is_halted(book: onebook.Book) -> None:
    fill(book, "buy", 5)
    book.trading.protect("AAPL", stop_loss=90)
    book.trading.halt("x")
    book.mark("AAPL", 89)
    assert len(triggered(book)) == 1


# ---- many ----


@dataclass
class Naive:
    """One protection by the words of the house, and nothing else."""

    long: bool
    stop: int | None
    target: int | None
    trail: int | None
    best: int | None = None
    done: str = ""

    def mark(self, price: int) -> None:
        if self.done:
            return
        way = 1 if self.long else -1
        levels = [] if self.stop is None else [(way * self.stop, "stop_loss")]
        if self.trail is not None and self.best is not None:
            levels.append((way * self.best - self.trail, "trailing_stop"))
        if levels and way * price <= max(levels)[0]:
            self.done = f"{max(level for level, _ in levels) * way} {price}"
        elif self.target is not None and way * price >= way * self.target:
            self.done = f"{self.target} {price}"
        elif self.best is None or way * price > way * self.best:
            self.best = price


@given(st.integers(0, 10**6))
@settings(max_examples=5)
def test_two_hundred_protections_do_what_a_naive_model_says(seed: int) -> None:
    chance = random.Random(seed)
    with onebook.open(":memory:", clock=FakeClock()) as book:
        naive: dict[str, Naive] = {}
        for number in range(200):
            name, is_long = f"s{number}", chance.random() < 0.5
            way = 1 if is_long else -1
            near, far = chance.randint(1, 60), chance.randint(1, 60)
            item = Naive(
                is_long,
                1000 - way * near if chance.random() < 0.6 else None,
                1000 + way * far if chance.random() < 0.6 else None,
                chance.randint(1, 60) if chance.random() < 0.6 else None,
            )
            if (item.stop, item.target, item.trail) == (None, None, None):
                continue
            fill(book, "buy" if is_long else "sell", 1, 1000, strategy=name)
            book.trading.protect(
                "AAPL", strategy=name, stop_loss=item.stop, take_profit=item.target, trail_amount=item.trail
            )
            naive[name] = item
        price = 1000
        for _ in range(80):
            price += chance.randint(-12, 12)
            book.mark("AAPL", price)
            for item in naive.values():
                item.mark(price)
        done = {
            event.strategy: f"{event.data['level']} {event.data['mark']}"
            for event in book.events(types="stop_triggered")
        }
        assert done == {name: item.done for name, item in naive.items() if item.done}
        left = {item.strategy: item for item in book.trading.protections()}
        assert left.keys() == {name for name, item in naive.items() if not item.done}
        assert book.verify().ok
