"""What becomes of a strategy that fails, whatever it raises, and of wishes that cannot be."""

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.trading.desks import until
from tests.trading.running import Scene, printed

from onebook.domain import times
from onebook.domain.market import Print, Seen
from onebook.errors import ConflictError, InputError
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.brokers.paper_account import open_paper_account
from onebook.trading.brokers.paper_rules import PaperRules
from onebook.trading.runner import Strategy
from onebook.trading.runner import runner as runner_module
from onebook.trading.runner.calling import said_by
from onebook.trading.runner.context import Context
from onebook.trading.runner.crew import Hired
from onebook.trading.runner.lease import Lease
from onebook.trading.runner.runner import Runner

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


def test_an_exit_that_a_person_asked_for_elsewhere_keeps_no_failed_strategy_from_being_flattened(scene: Scene) -> None:
    script: dict[int, Callable[[Context], Any]] = {
        1: lambda ctx: (ctx.buy("AAPL", 5), ctx.buy("MSFT", 3)),
        3: lambda _ctx: scene.book.trading.flatten("odd", instrument="MSFT"),
        4: raises(ValueError("oh")),
    }
    seconds = printed([10] * 8)
    msft = printed([10] * 8, instrument="MSFT")
    seen = [msft[0], seconds[1], msft[2], *seconds[3:]]
    scene.runner([Hired(strategy=Scripted(script), on_error="flatten"), Scripted({}, "good")]).replay(seen)
    assert [item.instrument for item in scene.book.positions()] == ["MSFT"]  # its exit waits for a price
    exits = [item for item in scene.book.orders(instrument="MSFT") if item.reduce_only]
    assert [(item.status, item.order.quantity) for item in exits] == [("new", 3)]


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
        lambda ctx: ctx.protect("AAPL", stop_loss=D(9), leg="long"),
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


def test_a_stop_that_contradicts_the_position_fails_the_strategy_and_opens_nothing_without_one(scene: Scene) -> None:
    def adds(ctx: Context) -> None:
        ctx.buy("AAPL", 5)
        ctx.protect("AAPL", stop_loss=12, take_profit=9)

    scene.runner([Scripted({1: lambda ctx: ctx.buy("AAPL", 1), 4: adds})]).replay(printed([10] * 7))
    (position,) = scene.book.positions()
    assert position.quantity == 1
    (alert,) = scene.book.events(types="alert_raised")
    assert "the position is long: its stop_loss belongs below its take_profit" in alert.data["text"]


def test_the_legs_of_a_hedging_account_are_seen_and_protected_apart(place: str) -> None:
    scene = Scene(place, rules=PaperRules())
    scene.open(times.from_text("t", "2024-03-04T14:59:00Z"))
    scene.define()
    open_paper_account(scene.book, "legs", "USD", 10_000, mode="hedging")
    held: list[Any] = []

    def enter(ctx: Context) -> None:
        ctx.buy("AAPL", 5, leg="long")
        ctx.sell("AAPL", 2, leg="short")

    def guard(ctx: Context) -> None:
        held.extend([ctx.quantity("AAPL", leg="long"), ctx.quantity("AAPL", leg="short"), ctx.quantity("AAPL")])
        with pytest.raises(InputError, match="long or short"):
            ctx.protect("AAPL", stop_loss=9)
        with pytest.raises(InputError, match="short"):
            ctx.protect("AAPL", stop_loss=9, take_profit=12, leg="short")
        ctx.protect("AAPL", stop_loss=12, take_profit=8, leg="short")

    strategy = Scripted({1: enter, 4: guard})
    strategy.account = "legs"
    broker = PaperBroker(scene.book, ("legs",), clock=scene.clock)
    Runner(scene.book, [strategy], {"legs": broker}, clock=scene.clock).replay(printed([10, 10, 10, 10, 12, 12, 12]))
    assert held == [5, -2, 3]
    assert [(item.leg, item.quantity) for item in scene.book.positions()] == [("long", 5)]
    scene.book.close()


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


# ---- the last one to fail ----


def enters_and_fails(at: int) -> dict[int, Callable[[Context], Any]]:
    return {1: lambda ctx: ctx.buy("AAPL", 5), at: raises(ValueError("oh"))}


def exits(scene: Scene) -> list[tuple[str, str]]:
    return [(item.order.instrument, item.status) for item in scene.book.orders() if item.reduce_only]


def test_when_all_have_failed_what_is_to_be_flattened_is_closed_before_it_ends(scene: Scene) -> None:
    hired = [
        Hired(strategy=Scripted(enters_and_fails(3), "one"), on_error="flatten"),
        Hired(strategy=Scripted(enters_and_fails(2), "two"), on_error="stop"),
    ]
    runner = scene.runner(hired)
    apart = printed([10, 10, 10, 10, 9, 10, 10, 10])
    apart[3] = printed([50] * 4, instrument="MSFT")[3]
    assert runner.replay(apart) == "all strategies have failed"
    assert (runner.events, runner.is_well) == (5, False)  # to the next price of what it held, and no further
    assert exits(scene) == [("AAPL", "filled")]
    assert [(item.strategy, item.quantity) for item in scene.book.positions()] == [("two", 5)]
    stopped = [event.data["reason"] for event in scene.book.events(types="runner_stopped")]
    assert stopped == ["strategy_failed", "strategy_failed", "all strategies have failed"]


def test_history_that_ends_before_the_exit_is_filled_ends_it_for_the_same_reason(scene: Scene) -> None:
    runner = scene.runner([Hired(strategy=Scripted(enters_and_fails(3)), on_error="flatten")])
    seen = [*printed([10, 10, 10]), *printed([50] * 5, instrument="MSFT")[3:]]
    assert runner.replay(seen) == "all strategies have failed"
    assert (runner.events, runner.is_well) == (5, False)
    assert exits(scene) == [("AAPL", "new")]


class Market:
    """A source that shows what it is told to, on a thread of its own, and then nothing more."""

    name = "market"

    def __init__(self, seen: list[Seen]) -> None:
        self.seen = seen

    def bars(self, *_what: Any) -> list[Any]:
        return []

    def stream(self, _instruments: Any, deliver: Callable[[Seen], None]) -> "Market":
        self.thread = threading.Thread(target=lambda: list(map(deliver, self.seen)))
        self.thread.start()
        return self

    def close(self) -> None:
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.mark.parametrize(
    ("prices", "leave_ns", "became"),
    [([10, 10, 10, 9], runner_module.LEAVE_NS, "filled"), ([10, 10, 10], 1, "new")],
    ids=["a price comes", "none comes in time"],
)
def test_live_the_exit_gets_the_next_price_or_its_time_is_over(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, prices: list[int], leave_ns: int, became: str
) -> None:
    monkeypatch.setattr(runner_module, "LEAVE_NS", leave_ns)
    broker = PaperBroker(scene.book, ("paper",), scene.rules, clock=scene.clock)
    hired = Hired(strategy=Scripted(enters_and_fails(3)), on_error="flatten")
    runner = Runner(scene.book, [hired], {"paper": broker})
    late: list[bool] = []

    def give_up() -> None:
        late.append(True)
        runner.stop()

    bound = threading.Timer(60, give_up)
    bound.start()
    assert runner.live(Market(printed(prices))) == "all strategies have failed"  # type: ignore[arg-type]
    bound.cancel()
    assert not late
    assert not runner.is_well
    assert exits(scene) == [("AAPL", became)]


# ---- in on_stop ----


class StopsBadly(Scripted):
    """Raises when it is to end."""

    def on_stop(self, ctx: Context, reason: str) -> None:
        raise ValueError(f"cannot end: {reason}")


def test_one_that_raises_in_on_stop_is_told_and_keeps_what_it_has(scene: Scene) -> None:
    bad = StopsBadly({1: lambda ctx: ctx.buy("AAPL", 5)}, "bad")
    runner = scene.runner([Hired(strategy=bad, on_error="flatten"), Scripted({}, "good")])
    assert runner.replay(printed([10, 10, 10])) == "end of the data"
    assert runner.is_well
    (alert,) = scene.book.events(types="alert_raised")
    assert (alert.data["kind"], alert.data["subject"], alert.strategy) == ("strategy_failed", "bad", "bad")
    assert alert.data["text"] == "in on_stop: ValueError: cannot end: end of the data"
    assert [item.quantity for item in scene.book.positions()] == [5]
    assert not exits(scene)
    assert [event.data["reason"] for event in scene.book.events(types="runner_stopped")] == ["end of the data"]
