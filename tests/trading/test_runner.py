"""Strategies at work: what they hear and may wish for, what becomes of one that fails, and how a runner ends."""

import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.trading.running import Scene, printed, read_models

from onebook import Order
from onebook.domain import times
from onebook.domain.facts import Fill
from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.errors import InputError, RuleError, SourceError
from onebook.market.calendars import Always
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.brokers.paper_rules import PaperRules
from onebook.trading.runner import Strategy, parameter
from onebook.trading.runner.bot import stopped_by_signals
from onebook.trading.runner.context import Bracket, Context
from onebook.trading.runner.crew import Hired
from onebook.trading.runner.runner import Runner
from onebook.trading.runner.timers import Timers

D = Decimal


def nothing(ctx: Context) -> None:
    """Wish for nothing."""


class Scripted(Strategy):
    """Does what the script says at the n-th print, from 1, and notes what it hears."""

    def __init__(self, script: dict[int, Callable[[Context], Any]], name: str = "s", **more: Any) -> None:
        super().__init__(name, "paper", instruments=["AAPL"], **more)
        self.script = script
        self.prints = 0
        self.heard: list[str] = []

    def on_start(self, ctx: Context) -> None:
        self.heard.append("start")
        self.script.get(0, nothing)(ctx)

    def on_print(self, ctx: Context, print_: Print) -> None:
        self.prints += 1
        self.heard.append(f"print {print_.price}")
        self.script.get(self.prints, nothing)(ctx)

    def on_quote(self, ctx: Context, quote: Quote) -> None:
        self.heard.append(f"quote {quote.bid}")

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        self.heard.append(f"{fill.side} {fill.quantity} at {fill.price}")

    def on_timer(self, ctx: Context, name: str) -> None:
        self.heard.append(f"timer {name}")

    def on_stop(self, ctx: Context, reason: str) -> None:
        self.heard.append(f"stop: {reason}")


@pytest.fixture
def scene(place: str) -> Iterator[Scene]:
    made = Scene(place, rules=PaperRules())
    made.open(times.from_text("t", "2024-03-04T14:59:00Z"))
    made.define()
    yield made
    made.book.close()


def run(scene: Scene, prices: list[Any], *strategies: Strategy | Hired, **more: Any) -> str:
    return scene.runner(strategies, **more).replay(printed(prices))


def statuses(scene: Scene) -> list[tuple[str, str]]:
    found = sorted(scene.book.orders(), key=lambda item: item.sequence)
    return [(item.order.close_reason or item.order.kind, item.status) for item in found]


# ---- hearing and wishing ----


def test_fills_are_heard_before_the_event_that_came_with_them(scene: Scene) -> None:
    one = Scripted({1: lambda ctx: ctx.buy("AAPL", 5), 3: lambda ctx: ctx.sell("AAPL", ctx.quantity("AAPL"))})
    assert run(scene, [10, 11, 12, 13], one) == "end of the data"
    assert one.heard == [
        *("start", "print 10", "buy 5 at 11", "print 11", "print 12", "sell 5 at 13", "print 13"),
        "stop: end of the data",
    ]
    (trip,) = scene.book.round_trips()
    assert (trip.net, trip.strategy) == (10, "s")


def test_strategies_do_not_hear_of_each_other(scene: Scene) -> None:
    one, other = Scripted({1: lambda ctx: ctx.buy("AAPL", 5)}, "one"), Scripted({}, "other")
    run(scene, [10, 11], one, other)
    assert "buy 5 at 11" in one.heard
    assert other.heard == ["start", "print 10", "print 11", "stop: end of the data"]


def test_the_context_shows_the_book_and_the_moment(scene: Scene) -> None:
    seen: dict[str, Any] = {}

    def look(ctx: Context) -> None:
        held = ctx.position("AAPL")
        seen.update(now=ctx.now, equity=ctx.equity(), mark=ctx.mark("AAPL"), quantity=ctx.quantity("AAPL"))
        seen.update(held=held and held.average_price, orders=[item.kind for item in ctx.open_orders()])
        seen.update(price=ctx.price("AAPL", D("10.126")), lots=ctx.lots("AAPL", D("3.9")), none=ctx.mark("X"))

    def order(ctx: Context) -> None:
        ctx.buy("AAPL", 5)
        ctx.buy("AAPL", 1, kind="limit", limit_price=5)

    run(scene, [10, 11, 12], Scripted({1: order, 3: look}))
    assert seen == {
        "now": times.to_datetime(printed([0, 0, 0])[-1].at_ns),
        "equity": D(100_005),
        "mark": D(12),
        "quantity": D(5),
        "held": D(11),
        "orders": ["limit"],
        "price": D("10.13"),
        "lots": D(3),
        "none": None,
    }


def test_a_bracket_leaves_by_one_of_its_exits(scene: Scene) -> None:
    made: list[Bracket] = []

    def enter(ctx: Context) -> None:
        made.append(ctx.bracket(Order(instrument="AAPL", side="buy", quantity=5), stop_loss=9, take_profit=12))

    run(scene, [10, 10, 13, 14], Scripted({1: enter}))
    assert statuses(scene) == [("market", "filled"), ("stop_loss", "canceled"), ("take_profit", "filled")]
    orders = {item.client_order_id: item.order for item in scene.book.orders()}
    (bracket,) = made
    assert {orders[bracket.stop].parent_id, orders[bracket.target].parent_id} == {bracket.entry}
    assert orders[bracket.stop].group_id == orders[bracket.target].group_id != ""
    assert scene.book.round_trips()[0].close_reason == "take_profit"


def test_orders_are_canceled_and_replaced(scene: Scene) -> None:
    ids: list[str] = []
    done: list[bool] = []
    script = {
        1: lambda ctx: ids.extend(ctx.buy("AAPL", 5, kind="limit", limit_price=price) for price in (5, 6)),
        2: lambda ctx: done.extend([ctx.cancel(ids[0]), ctx.cancel(ids[0]), ctx.cancel("nothing")]),
        3: lambda ctx: done.append(ctx.replace(ids[1], limit_price=D(11))),
    }
    run(scene, [10, 10, 10, 10, 10], Scripted(script))
    assert done == [True, False, False, True]
    assert statuses(scene) == [("limit", "canceled"), ("limit", "filled")]


def test_a_position_is_protected_by_the_book(scene: Scene) -> None:
    script = {1: lambda ctx: ctx.buy("AAPL", 5), 2: lambda ctx: ctx.protect("AAPL", stop_loss=D(9))}
    run(scene, [10, 10, 10, D("8.5"), 8], Scripted(script))
    assert [event.data["kind"] for event in scene.book.events(types="stop_triggered")] == ["stop_loss"]
    (trip,) = scene.book.round_trips()
    assert (trip.close_reason, trip.exit_price) == ("stop_loss", 8)


def test_an_order_that_the_gate_refuses_is_denied_with_the_reason(scene: Scene) -> None:
    scene.book.trading.limits.set(account="paper", max_position=3)
    one = Scripted({1: lambda ctx: ctx.bracket(Order(instrument="AAPL", side="buy", quantity=5), stop_loss=9)})
    run(scene, [10, 11], one)
    assert statuses(scene) == [("market", "denied"), ("stop_loss", "denied")]
    assert "the limit is 3" in min(scene.book.orders(), key=lambda item: item.sequence).reason


def test_timers_are_due_at_multiples_of_their_time(scene: Scene) -> None:
    one = Scripted({0: lambda ctx: ctx.timer("two", 2)})
    run(scene, [10] * 5, one)
    assert [item for item in one.heard if item.startswith("timer")] == ["timer two"] * 2
    timers = Timers()
    timers.set("a", 60)
    assert timers.due(-1, 10**18) == []
    assert timers.due(59 * times.SECOND, 61 * times.SECOND) == ["a"]
    assert timers.due(60 * times.SECOND, 119 * times.SECOND) == []
    timers.set("a", 0)
    assert timers.due(0, 10**18) == []
    with pytest.raises(InputError, match="every_seconds"):
        timers.set("a", -1)


def test_nothing_is_ordered_at_the_start_and_too_much_is_refused(scene: Scene) -> None:
    problems: list[Exception] = []

    def early(ctx: Context) -> None:
        with pytest.raises(RuleError, match="on_start"):
            ctx.buy("AAPL", 1)

    def much(ctx: Context) -> None:
        for wish in (
            lambda: ctx.history("AAPL", 9),
            lambda: ctx.bracket(Order(instrument="AAPL", side="buy", quantity=1)),
            lambda: ctx.bracket(Order(instrument="AAPL", side="buy", quantity=1), stop_loss=1, trail_ratio="0.1"),
            lambda: ctx.protect("AAPL", stop=D(1)),
            lambda: [ctx.buy("AAPL", 1) for _ in range(300)],
        ):
            with pytest.raises(InputError) as caught:
                wish()
            problems.append(caught.value)

    run(scene, [10], Scripted({0: early, 1: much}, warm_up=3))
    assert len(problems) == 5
    assert "warm_up of 3" in str(problems[0])


def test_parameters_are_checked() -> None:
    class Mine(Strategy):
        bars: int = parameter(5, least=1, most=9)
        ratio: Decimal = parameter(D("0.5"))
        way: str = parameter("up", choices=("up", "down"))

    made = Mine("a", ratio="0.25", bars=9)
    assert (made.bars, made.ratio, made.way) == (9, D("0.25"), "up")
    for wrong in ({"bars": 0}, {"bars": "5"}, {"bars": True}, {"way": "left"}, {"ratio": 0.1}, {"warm_up": -1}):
        with pytest.raises(InputError):
            Mine("a", **wrong)
    with pytest.raises(InputError, match="did you mean bars"):
        Mine("a", barz=1)


def test_orders_good_for_the_day_end_with_the_session(scene: Scene) -> None:
    script = {1: lambda ctx: ctx.buy("AAPL", 5, kind="limit", limit_price=5, time_in_force="DAY")}
    seen = [*printed([10, 10]), *printed([4], since="2024-03-05T15:00:00Z")]
    scene.runner([Scripted(script)], sessions={"paper": Always()}).replay(seen)
    assert statuses(scene) == [("limit", "expired")]


# ---- signals ----


def test_a_signal_goes_from_detected_to_closed_with_its_order(scene: Scene) -> None:
    def enter(ctx: Context) -> None:
        signal = ctx.signal("AAPL", "buy", price=10, confidence="0.7", confluences=["two means"])
        entry = Order(instrument="AAPL", side="buy", quantity=5, signal_id=signal)
        ctx.bracket(entry, stop_loss=9, take_profit=12)

    run(scene, [10, 10, 12, 12], Scripted({1: enter}))
    events = [event.type for event in scene.book.events(types=["signal_*", "trade_executed", "order_updated"])]
    assert events[:2] == ["signal_detected", "order_updated"]
    told = [(event.sequence, event.type) for event in scene.book.events(types=["signal_*", "trade_executed"])]
    fills = [sequence for sequence, kind in told if kind == "trade_executed"]
    assert [(fills[0], "signal_executed"), (fills[1], "signal_closed")] == [
        item for item in told if item[1] in {"signal_executed", "signal_closed"}
    ]
    (signal,) = scene.book.signals()
    (trip,) = scene.book.round_trips()
    assert (signal.status, signal.round_trip, trip.signal_id) == ("CLOSED", trip.id, signal.signal_id)


def test_a_signal_that_nothing_executes_expires_and_its_order_is_taken_back(scene: Scene) -> None:
    def enter(ctx: Context) -> None:
        signal = ctx.signal("AAPL", "buy", expires_after_seconds=2)
        ctx.buy("AAPL", 5, kind="limit", limit_price=5, signal_id=signal)

    run(scene, [10, 10, 10, 10, 4], Scripted({1: enter}))
    (signal,) = scene.book.signals()
    assert (signal.status, signal.reason) == ("EXPIRED", "nothing executed it in time")
    assert statuses(scene) == [("limit", "canceled")]
    assert not scene.book.fills()


# ---- trouble ----


def explode(ctx: Context) -> None:
    ctx.buy("AAPL", 1)
    raise ZeroDivisionError("oh")


@pytest.mark.parametrize("on_error", ["stop", "flatten"])
def test_a_strategy_that_raises_is_stopped_and_the_others_go_on(
    scene: Scene, on_error: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad = Scripted({1: lambda ctx: ctx.buy("AAPL", 5), 3: explode}, "bad")
    good = Scripted({4: lambda ctx: ctx.buy("AAPL", 2)}, "good")
    runner = scene.runner([Hired(strategy=bad, on_error=on_error), good])
    assert runner.replay(printed([10, 10, 10, 10, 10])) == "end of the data"
    assert runner.is_well
    assert bad.heard[-1] == "print 10"
    assert len(bad.heard) == 5
    assert good.heard[-1] == "stop: end of the data"
    held = {item.strategy: item.quantity for item in scene.book.positions()}
    assert held == ({"good": 2} if on_error == "flatten" else {"bad": 5, "good": 2})
    (alert,) = scene.book.events(types="alert_raised")
    assert (alert.data["kind"], alert.data["subject"], alert.strategy) == ("strategy_failed", "bad", "bad")
    assert "ZeroDivisionError: oh" in alert.data["text"]
    stopped = [(event.strategy, event.data["reason"]) for event in scene.book.events(types="runner_stopped")]
    assert stopped == [("bad", "strategy_failed"), ("", "end of the data")]
    assert "ZeroDivisionError" in caplog.text


def test_a_wish_that_cannot_be_fails_only_its_strategy(scene: Scene) -> None:
    bad = Scripted({1: lambda ctx: ctx.buy("AAPL", 5, kind="limit")}, "bad")
    good = Scripted({1: lambda ctx: ctx.buy("AAPL", 2)}, "good")
    run(scene, [10, 10], bad, good)
    assert [(item.strategy, item.status) for item in scene.book.orders()] == [("good", "filled")]
    assert [event.strategy for event in scene.book.events(types="runner_stopped")] == ["bad", ""]


def test_when_all_have_failed_it_ends(scene: Scene) -> None:
    runner = scene.runner([Scripted({1: explode})])
    assert runner.replay(printed([10, 10, 10])) == "all strategies have failed"
    assert (runner.events, runner.is_well) == (1, False)


def test_a_source_that_breaks_ends_it_with_the_reason(scene: Scene) -> None:
    def broken() -> Iterator[Seen]:
        yield from printed([10, 11])
        raise SourceError("the tape is torn")

    one = Scripted({})
    with pytest.raises(SourceError):
        scene.runner([one]).replay(broken())
    assert one.heard[-1] == "stop: SourceError: the tape is torn"
    assert [event.data["reason"] for event in scene.book.events(types="runner_stopped")] == [
        "SourceError: the tape is torn"
    ]
    assert run(scene, [10, 11, 12], Scripted({})) == "end of the data"


def test_a_loss_that_reaches_its_limit_ends_opening(scene: Scene) -> None:
    scene.book.trading.limits.set(account="paper", max_daily_loss=20, flatten=True)
    script = {1: lambda ctx: ctx.buy("AAPL", 5), 5: lambda ctx: ctx.buy("AAPL", 1)}
    run(scene, [10, 10, 9, 5, 5, 5], Scripted(script))
    assert scene.book.trading.state_of("paper", "s") == "REDUCING"
    assert statuses(scene) == [("market", "filled"), ("kill_switch", "filled"), ("market", "denied")]
    assert not scene.book.positions()


# ---- live ----


class Market:
    """A source that shows what it is told to, on a thread of its own."""

    name = "market"

    def __init__(self, seen: list[Seen], bars: list[Bar]) -> None:
        self.seen, self.history = seen, bars
        self.closed = False

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        return [bar for bar in self.history if since_ns <= bar.opened_ns < until_ns]

    def stream(self, instruments: Collection[str], deliver: Callable[[Seen], None]) -> "Market":
        assert list(instruments) == ["AAPL"]
        self.thread = threading.Thread(target=lambda: list(map(deliver, self.seen)))
        self.thread.start()
        return self

    def close(self) -> None:
        self.thread.join(30)
        assert not self.thread.is_alive()
        self.closed = True


def test_live_the_same_strategy_runs_with_the_same_steps(scene: Scene) -> None:
    seen = printed([10, 11, 12])
    begin = seen[0].at_ns
    bars = [
        Bar(
            instrument="AAPL",
            timeframe="1m",
            opened_ns=begin - (number + 1) * times.MINUTE,
            at_ns=begin - number * times.MINUTE,
            open=D(9),
            high=D(9),
            low=D(9),
            close=D(9),
        )
        for number in (3, 2, 1)
    ]
    scene.clock.move(begin + times.MINUTE)
    found: list[int] = []
    one = Scripted(
        {1: lambda ctx: ctx.buy("AAPL", 5), 2: lambda ctx: found.append(len(ctx.history("AAPL", 3)))}, warm_up=3
    )
    beats: list[str] = []

    def progress(done: int, at_ns: int) -> None:
        beats.extend(scene.book.state.get("runners", {}))
        if done == 3:
            runner.stop("enough")

    broker = PaperBroker(scene.book, ("paper",), scene.rules, clock=scene.clock)
    runner = Runner(scene.book, [one], {"paper": broker}, name="live", progress=progress)
    market = Market(seen, bars)
    assert runner.live(market) == "enough"  # type: ignore[arg-type]
    assert market.closed
    assert one.heard[0] == "start"
    assert one.heard[-1] == "stop: enough"
    assert found == [3]
    assert set(beats) == {"s"}
    assert not scene.book.state.get("runners", {})
    assert [event.data["mode"] for event in scene.book.events(types="runner_started")] == ["live"]
    assert [(item.status, item.strategy) for item in scene.book.orders()] in [[("new", "s")], [("filled", "s")]]


# ---- the end ----


def test_a_signal_of_the_system_stops_it_after_the_event(scene: Scene) -> None:
    one = Scripted({2: lambda ctx: os.kill(os.getpid(), signal.SIGTERM)})
    runner = scene.runner([one])
    before = signal.getsignal(signal.SIGTERM)
    with stopped_by_signals(runner):
        assert runner.replay(printed([10, 11, 12, 13])) == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) is before
    assert one.heard[-2:] == ["print 11", "stop: SIGTERM"]
    two = Scripted({})
    assert run(scene, [10, 11, 12, 13], two) == "end of the data"
    assert two.heard[1:3] == ["print 12", "print 13"]


def test_it_says_in_the_log_that_it_starts_and_stops(scene: Scene) -> None:
    run(scene, [10], Scripted({}))
    (started,) = scene.book.events(types="runner_started")
    assert {name: started.data[name] for name in ("runner", "mode", "strategies")} == {
        "runner": "test",
        "mode": "replay",
        "strategies": ["s"],
    }
    assert read_models(scene.book)["orders"] == []
