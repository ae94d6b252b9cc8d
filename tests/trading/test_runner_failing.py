"""What becomes of a strategy that fails, whatever it raises, and of wishes that cannot be."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.trading.desks import until
from tests.trading.running import Scene, printed

from onebook.domain import times
from onebook.domain.market import Print
from onebook.errors import ConflictError, InputError
from onebook.trading.brokers.paper_rules import PaperRules
from onebook.trading.runner import Strategy
from onebook.trading.runner.calling import said_by
from onebook.trading.runner.context import Context
from onebook.trading.runner.crew import Hired
from onebook.trading.runner.lease import Lease

D = Decimal


def nothing(ctx: Context) -> None:
    """Wish for nothing."""


class Scripted(Strategy):
    """Does what the script says at the n-th print, from 1."""

    def __init__(self, script: dict[int, Callable[[Context], Any]], name: str = "s") -> None:
        super().__init__(name, "paper", instruments=["AAPL"])
        self.script, self.prints = script, 0

    def on_print(self, ctx: Context, print_: Print) -> None:
        self.prints += 1
        self.script.get(self.prints, nothing)(ctx)


class Untold(Exception):
    """One that cannot even be told."""

    def __str__(self) -> str:
        raise ValueError("no text")


def raises(problem: BaseException) -> Callable[[Context], None]:
    def explode(_ctx: Context) -> None:
        raise problem

    return explode


@pytest.fixture
def scene(place: str) -> Iterator[Scene]:
    made = Scene(place, rules=PaperRules())
    made.open(times.from_text("t", "2024-03-04T14:59:00Z"))
    made.define()
    yield made
    made.book.close()


@pytest.mark.parametrize("on_error", ["stop", "flatten"])
@pytest.mark.parametrize(
    "problem",
    [
        ValueError("two\nlines \x00"),
        ValueError("long " * 500),
        SystemExit(3),
        GeneratorExit(),
        Untold(),
        KeyError(),
    ],
    ids=["lines", "long", "exit", "generator", "untold", "empty"],
)
def test_whatever_it_raises_ends_only_itself(scene: Scene, problem: BaseException, on_error: str) -> None:
    bad = Scripted({1: lambda ctx: ctx.buy("AAPL", 5), 3: raises(problem)}, "bad")
    good = Scripted({4: lambda ctx: ctx.buy("AAPL", 2)}, "good")
    runner = scene.runner([Hired(strategy=bad, on_error=on_error), good])
    assert runner.replay(printed([10, 10, 10, 10, 10, 10])) == "end of the data"
    held = {item.strategy: item.quantity for item in scene.book.positions()}
    assert held == ({"good": 2} if on_error == "flatten" else {"bad": 5, "good": 2})
    (alert,) = scene.book.events(types="alert_raised")
    assert alert.data["text"].startswith(type(problem).__name__)
    assert scene.book.verify().ok


def test_orders_that_would_open_are_taken_back_and_exits_stay(scene: Scene) -> None:
    def enter(ctx: Context) -> None:
        ctx.buy("AAPL", 5)
        ctx.buy("AAPL", 1, kind="limit", limit_price=5)
        ctx.buy("AAPL", 1, kind="limit", limit_price=4)

    def leave(ctx: Context) -> None:
        ctx.sell("AAPL", 5, kind="limit", limit_price=20, reduce_only=True)

    bad = Scripted({1: enter, 2: leave, 4: raises(ValueError("oh"))}, "bad")
    scene.runner([bad, Scripted({}, "good")]).replay(printed([10] * 6))
    found = sorted(scene.book.orders(), key=lambda item: item.sequence)
    assert [item.status for item in found] == ["filled", "canceled", "canceled", "new"]
    wishes = [event for event in scene.book.events(types="order_updated") if event.data["status"] == "pending_cancel"]
    assert {event.data["reason"] for event in wishes} == {"its strategy failed: ValueError: oh"}


def test_what_was_raised_is_told_on_one_line() -> None:
    assert said_by(ValueError("two\n  lines\ud800")) == "ValueError: two lines"
    assert said_by(KeyError()) == "KeyError"
    assert len(said_by(ValueError("x" * 9999))) == 500


@pytest.mark.parametrize(
    "wish",
    [
        lambda ctx: ctx.protect("AAPL", stop_loss=9.5),
        lambda ctx: ctx.protect("AAPL", stop_loss=D(-1)),
        lambda ctx: ctx.protect("AAPL", trail_ratio=D(1)),
        lambda ctx: ctx.protect("AAPL", trail_ratio=D("0.1"), trail_amount=D(1)),
        lambda ctx: ctx.protect("AAPL", activates_at=D(9)),
        lambda ctx: ctx.protect("AAPL", stop_loss=D(9), leg="up"),
        lambda ctx: ctx.replace("x", limit_price=9.5),
        lambda ctx: ctx.replace("x", quantity=0),
        lambda ctx: ctx.replace("x"),
    ],
)
def test_wishes_are_checked_where_they_are_made(scene: Scene, wish: Callable[[Context], Any]) -> None:
    found: list[InputError] = []

    def wrong(ctx: Context) -> None:
        with pytest.raises(InputError) as caught:
            wish(ctx)
        found.append(caught.value)

    scene.runner([Scripted({2: wrong})]).replay(printed([10, 10, 10]))
    assert len(found) == 1


def test_text_and_whole_numbers_are_taken(scene: Scene) -> None:
    ids: list[str] = []
    script: dict[int, Callable[[Context], Any]] = {
        1: lambda ctx: ids.append(ctx.buy("AAPL", 5, kind="limit", limit_price=5)),
        2: lambda ctx: ctx.replace(ids[0], limit_price="10.5"),
        4: lambda ctx: ctx.protect("AAPL", stop_loss="9", take_profit=12),
    }
    scene.runner([Scripted(script)]).replay(printed([10, 10, 10, 10, 10, D("8.5"), 8]))
    assert [trip.close_reason for trip in scene.book.round_trips()] == ["stop_loss"]


def test_a_strategy_that_takes_its_time_keeps_the_name(tmp_path: Any) -> None:
    scene = Scene(str(tmp_path / "book.db"), rules=PaperRules())
    seen = printed([10, 11])
    scene.open(seen[0].at_ns)
    scene.define()
    told: list[bool] = []

    def slow(_ctx: Context) -> None:
        renewed = lease._renewed
        until(lambda: lease._renewed > renewed)
        with pytest.raises(ConflictError):
            Lease(scene.book, "test", "another-process", lease._wall, seconds=1).take()
        told.append(True)

    runner = scene.runner([Scripted({1: slow})], lease_seconds=1)
    lease = runner._lease
    assert runner.replay(seen) == "end of the data"
    assert told == [True]
    scene.book.close()
