"""Promises of the runner that no other test would miss: signs of life, names of the dead, accounts side by side."""

import threading
from collections.abc import Callable, Collection, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.trading.running import Scene, printed

import onebook
from onebook import Fill
from onebook.domain import times
from onebook.domain.market import Bar, Print, Seen
from onebook.domain.matching import FixedBps
from onebook.errors import ConflictError
from onebook.intake.adapters.recorder_positions import Positions
from onebook.intake.adapters.recorder_seen import PositionSeen
from onebook.market.calendars import Always
from onebook.testing import FakeClock
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.brokers.paper_rules import PaperRules
from onebook.trading.end_of_day import EndOfDayTerms
from onebook.trading.runner import Strategy
from onebook.trading.runner.bot import run_bot
from onebook.trading.runner.config import load_bot
from onebook.trading.runner.context import Context
from onebook.trading.runner.lease import Lease
from onebook.trading.runner.runner import Runner

BEGIN = times.from_text("t", "2024-03-04T14:59:00Z")


@pytest.fixture
def scene(place: str) -> Iterator[Scene]:
    made = Scene(place, rules=PaperRules())
    made.open(BEGIN)
    made.define()
    yield made
    made.book.close()


class Market:
    """Shows some prints on a thread of its own."""

    name = "market"

    def __init__(self, seen: list[Seen]) -> None:
        self.seen = seen
        self.thread = threading.Thread()

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        return []

    def stream(self, instruments: Collection[str], deliver: Callable[[Seen], None]) -> "Market":
        self.thread = threading.Thread(target=lambda: list(map(deliver, self.seen)))
        self.thread.start()
        return self

    def close(self) -> None:
        self.thread.join(30)
        assert not self.thread.is_alive()


class BuysAtOnce(Strategy):
    """Buys at its first print."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "paper", instruments=["AAPL"])

    def on_print(self, ctx: Context, print_: Print) -> None:
        if not ctx.position("AAPL") and not ctx.open_orders():
            ctx.buy("AAPL", 5)


class Listens(Strategy):
    """Hears prints; raises at the n-th one, where one is named."""

    def __init__(self, name: str, *, raises_at: int = 0) -> None:
        super().__init__(name, "paper", instruments=["AAPL"])
        self.raises_at, self.prints = raises_at, 0
        self.filled: list[str] = []

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        self.filled.append(fill.account)

    def on_print(self, ctx: Context, print_: Print) -> None:
        self.prints += 1
        if self.prints == self.raises_at:
            raise ZeroDivisionError


Look = Callable[[int, FakeClock], None]


def live(scene: Scene, strategies: list[Strategy], prices: list[Any], look: Look) -> None:
    """Run live over some prints; after each one look, with the real time in hand."""
    seen = printed(prices)
    wall = FakeClock("2024-03-04T15:00:00Z")
    scene.clock.move(seen[-1].at_ns)

    def progress(done: int, _at_ns: int) -> None:
        look(done, wall)
        if done == len(seen):
            runner.stop("enough")

    broker = PaperBroker(scene.book, ("paper",), scene.rules, clock=scene.clock)
    runner = Runner(
        scene.book, strategies, {"paper": broker}, name="live", wall=wall, lease_seconds=600, progress=progress
    )
    assert runner.live(Market(seen)) == "enough"  # type: ignore[arg-type]


def test_live_a_sign_of_life_is_given_every_ten_seconds(scene: Scene) -> None:
    beats: list[int] = []

    def look(done: int, wall: FakeClock) -> None:
        beaten = times.from_datetime("at", scene.book.state.get("runners.s.last_beat_at"))
        beats.append((beaten - scene.clock()) // times.SECOND)
        wall.advance(10 if done == 1 else 9)
        scene.clock.move(scene.clock() + 10 * times.SECOND)

    live(scene, [Listens("s")], [10, 11, 12], look)
    assert beats == [0, 0, -10]


def test_a_strategy_that_failed_promises_no_further_sign_of_life(scene: Scene) -> None:
    seen: list[set[str]] = []

    def look(_done: int, wall: FakeClock) -> None:
        seen.append(set(scene.book.state.get("runners", {})))
        wall.advance(10)

    live(scene, [Listens("bad", raises_at=2), Listens("good")], [10, 11, 12], look)
    assert seen == [{"bad", "good"}, {"good"}, {"good"}]


def test_live_the_end_of_the_day_does_not_wait_for_a_price(scene: Scene) -> None:
    rule = EndOfDayTerms(name="nightly", calendar=Always(), minutes_before_close=5)
    seen = printed([10, 11])
    scene.clock.move(seen[-1].at_ns)

    def progress(done: int, _at_ns: int) -> None:
        if done == len(seen):  # nothing more is shown: only the clock goes on
            scene.clock.move(times.from_text("t", "2024-03-04T23:55:00Z"))

    broker = PaperBroker(scene.book, ("paper",), scene.rules, clock=scene.clock)
    moments = [scene.book.trading.end_of_day([rule])]
    runner = Runner(scene.book, [BuysAtOnce("s")], {"paper": broker}, name="live", moments=moments, progress=progress)
    done = scene.book.listen(lambda _event: runner.stop("closed"), types="end_of_day_done")
    late = threading.Timer(20, runner.stop, ["too late"])
    late.start()
    assert runner.live(Market(seen)) == "closed"  # type: ignore[arg-type]
    late.cancel()
    late.join()
    done.close()
    assert [order.close_reason for order in scene.book.orders()] == ["", "end_of_day"]


def test_what_another_account_fills_under_a_strategys_name_is_not_heard(scene: Scene) -> None:
    listens = Listens("s")
    fill = Fill(instrument="AAPL", side="buy", quantity=1, price=10, account="elsewhere", strategy="s")

    def progress(done: int, _at_ns: int) -> None:
        if done == 1:
            scene.book.record(fill)
            scene.book.record(fill.replaced(account="paper"))

    assert scene.runner([listens], progress=progress).replay(printed([10, 11, 12])) == "end of the data"
    assert listens.filled == ["paper"]


def test_a_position_is_other_than_the_venues_for_thirty_seconds_before_it_is_a_break(
    book: onebook.Book, clock: FakeClock
) -> None:
    positions = Positions(book, "grid", "main", "okx")
    found = []
    for _ in range(4):
        positions.compare(PositionSeen(instrument="BTC/USDT:USDT", quantity=Decimal(2), occurred_ns=clock.now))
        found.append(len(list(book.events(types="break_found"))))
        clock.advance(10)
    assert found == [0, 0, 0, 1]
    (waiting,) = book.breaks()
    assert (waiting.kind, waiting.account, waiting.instrument) == ("position_difference", "main", "BTC/USDT:USDT")


def test_the_name_of_a_runner_that_was_killed_is_free_after_five_seconds(book: onebook.Book) -> None:
    wall = FakeClock("2024-03-04T15:00:00Z")
    Lease(book, "desk", "killed", wall).take()
    wall.advance(4.9)
    with pytest.raises(ConflictError):
        Lease(book, "desk", "next", wall).take()
    wall.advance(0.2)
    Lease(book, "desk", "next", wall).take()


BOT = """\
name: desk
book: {url: FOLDER/desk.db}
settings: {base_currency: EUR, zone: America/New_York, rolls_at: "17:00"}
accounts:
  cash: {currency: USD, opening: 1000, fees: {taker_ratio: 0.001}}
  legs: {currency: USD, opening: 5000, mode: hedging, rules: {venue: other}}
  away: {currency: USD, opening: 100, calendar: always, rules: {latency_ms: 90000}}
instruments:
  ACME: {kind: equity, quote: USD, lot_size: 1}
market: {source: files, files: ACME_1m.csv}
strategies:
  one: {use: "mine.py:BuysOnce", instruments: [ACME], timeframe: 1m}
  two: {use: "mine.py:BuysOnce", account: legs, instruments: [ACME], timeframe: 1m, parameters: {leg: long}}
"""

MINE = """\
from onebook.trading.runner import Strategy, parameter

class BuysOnce(Strategy):
    leg: str = parameter("")

    def on_bar(self, ctx, bar):
        if not ctx.position(bar.instrument) and not ctx.open_orders():
            ctx.buy(bar.instrument, 2, leg=self.leg)
"""

DAY_ORDERS = """\
from onebook.trading.runner import Strategy

class BuysOnce(Strategy):
    def on_bar(self, ctx, bar):
        if not ctx.open_orders() and bar.opened_ns < 1709600000000000000:
            ctx.buy(bar.instrument, 1, kind="limit", limit_price=5, time_in_force="DAY")
"""

BARS = """\
timestamp,open,high,low,close,volume
2024-03-04T15:00:00Z,10,10,10,10,1000
2024-03-04T15:01:00Z,10,10,10,10,1000
2024-03-04T15:02:00Z,10,10,10,10,1000
"""


def test_strategies_of_one_process_trade_accounts_with_rules_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "ACME_1m.csv").write_text(BARS)
    (tmp_path / "bot.yaml").write_text(BOT.replace("FOLDER", str(tmp_path)))
    assert run_bot(tmp_path / "bot.yaml", onebook.open) == 0
    with onebook.open(tmp_path / "desk.db") as book:
        found = {item.strategy: (item.account, item.fill.venue, item.fill.leg, item.fill.fee) for item in book.fills()}
        assert found == {
            "one": ("cash", "paper", "", Decimal("0.02")),
            "two": ("legs", "other", "long", Decimal(0)),
        }
        cash = {item.account: item.amount for item in book.balances() if item.asset == "USD"}
        assert cash == {"cash": Decimal("979.98"), "legs": Decimal(4980), "away": Decimal(100)}
        assert {item.name: (item.mode, item.kind) for item in book.facts("account")} == {
            "cash": ("netting", "paper"),
            "legs": ("hedging", "paper"),
            "away": ("netting", "paper"),
        }
        (settings,) = book.facts("settings")
        assert (settings.base_currency, settings.zone, settings.rolls_at) == ("EUR", "America/New_York", "17:00")
        assert book.verify().ok


def test_latency_chance_and_sessions_are_those_that_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "ACME_1m.csv").write_text(BARS)
    more = "  chance: {currency: USD, slippage_bps: 5, rules: {random_ratio: 0.5}}\ninstruments:"
    (tmp_path / "bot.yaml").write_text(BOT.replace("FOLDER", str(tmp_path)).replace("instruments:", more, 1))
    accounts = load_bot(tmp_path / "bot.yaml").accounts
    assert accounts["away"].rules.latency_ns == 90 * times.SECOND
    assert accounts["chance"].rules.matching.slippage == FixedBps(bps=Decimal(5), random_ratio=Decimal("0.5"))
    assert [name for name, account in accounts.items() if account.calendar is not None] == ["away"]


def test_orders_good_for_the_day_end_with_the_sessions_of_their_accounts_calendar(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(DAY_ORDERS)
    (tmp_path / "ACME_1m.csv").write_text(BARS + "2024-03-05T15:00:00Z,10,10,10,10,1000\n")
    said = (
        BOT.replace("FOLDER", str(tmp_path))
        .replace("account: legs", "account: away")
        .replace("parameters: {leg: long}", "")
    )
    (tmp_path / "bot.yaml").write_text(said.replace(", parameters", "").replace("1m, }", "1m}"))
    assert run_bot(tmp_path / "bot.yaml", onebook.open) == 0
    with onebook.open(tmp_path / "desk.db") as book:
        found = {(order.strategy, order.status) for order in book.orders(until="2024-03-05T00:00:00Z")}
        assert found == {("one", "new"), ("two", "expired")}


def test_a_run_whose_strategies_have_all_failed_says_so(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE.replace("if not", "raise ValueError\n        if not"))
    (tmp_path / "ACME_1m.csv").write_text(BARS)
    (tmp_path / "bot.yaml").write_text(BOT.replace("FOLDER", str(tmp_path)))
    assert run_bot(tmp_path / "bot.yaml", onebook.open) == 1
    with onebook.open(tmp_path / "desk.db") as book:
        stopped = [(event.strategy, event.data["reason"]) for event in book.events(types="runner_stopped")]
    assert stopped == [("one", "strategy_failed"), ("two", "strategy_failed"), ("", "all strategies have failed")]
