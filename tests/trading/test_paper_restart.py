"""A paper venue that begins again after every observation, or is killed in one, gives the same book on real bars."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import onebook
from onebook import Instrument, Order
from onebook.demo.bars import STOCKS_FILE, rows_of
from onebook.domain import times
from onebook.domain.market import Bar
from onebook.domain.matching import FixedBps, Rules
from onebook.testing import FakeClock
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.brokers.paper_account import open_paper_account
from onebook.trading.brokers.paper_rules import Fees, PaperRules

D = Decimal
DAYS = 120
SYMBOL = "AAPL"
RULES = PaperRules(
    matching=Rules(slippage=FixedBps(bps=D(5), random_ratio=D(1)), bar_share=D("0.000004")),
    fees=Fees(maker_ratio=D("0.0001"), taker_ratio=D("0.0003"), step=D("0.01")),
    seed=7,
)


@cache
def real_bars() -> tuple[Bar, ...]:
    found = []
    for row in islice((row for row in rows_of(STOCKS_FILE) if row["Ticker"] == SYMBOL), DAYS):
        opened = times.from_text("day", f"{row['Date']}T14:30:00Z")
        found.append(
            Bar(
                instrument=SYMBOL,
                timeframe="1d",
                opened_ns=opened,
                at_ns=opened + 6 * 3600 * times.SECOND,
                open=D(row["Open"]),
                high=D(row["High"]),
                low=D(row["Low"]),
                close=D(row["Close"]),
                volume=D(row["Volume"]),
            )
        )
    return tuple(found)


def cents(value: Decimal) -> Decimal:
    return value.quantize(D("0.01"))


def wishes(number: int, bar: Bar) -> list[Order]:
    """What is sent after a bar: a pure function of it, so that sending it again doubles nothing."""

    def order(name: str, side: str, quantity: int, **more: Any) -> Order:
        return Order(
            instrument=SYMBOL,
            side=side,
            quantity=quantity,
            client_order_id=f"{name}{number}",
            account="paper",
            strategy="test",
            occurred_ns=bar.at_ns,
            **more,
        )

    close, entry = bar.close, f"entry{number}"
    exits: dict[str, Any] = {"parent_id": entry, "group_id": f"exits{number}"}
    found: dict[int, list[Order]] = {
        0: [
            order("entry", "buy", 60, kind="limit", limit_price=cents(close * D("0.995"))),
            order("target", "sell", 60, kind="limit", limit_price=cents(close * D("1.04")), **exits),
            order("stop", "sell", 60, kind="stop", stop_price=cents(close * D("0.96")), **exits),
        ],
        3: [order("market", "buy", 50, time_in_force="GTC")],
        4: [
            order("trail", "sell", 50, kind="trailing_stop", trail_ratio="0.03", reduce_only=True),
            order("amount", "sell", 10, kind="trailing_stop", trail_amount="4", reduce_only=True),
        ],
        6: [
            order("break", "buy", 20, kind="stop_limit", stop_price=cents(close), limit_price=cents(close * D("1.01"))),
            order("day", "buy", 30, kind="limit", limit_price=cents(close * D("0.98")), time_in_force="DAY"),
        ],
        8: [order("at-once", "sell", 15, time_in_force="IOC"), order("all", "buy", 15, time_in_force="FOK")],
    }
    return found.get(number % 10, [])


class Run:
    """One run over the bars, with a venue that is made anew whenever ``begins_again`` says so."""

    def __init__(self, place: str, *, begins_again: Callable[[int], bool] = lambda number: False) -> None:
        self.place = place
        self.begins_again = begins_again
        self.clock = FakeClock("2000-01-01T00:00:00Z")
        self.book = onebook.open(place, clock=self.clock)
        open_paper_account(self.book, "paper", "USD", "9000")
        self.book.record(Instrument(symbol=SYMBOL, kind="equity", base=SYMBOL, quote="USD", tick_size="0.01"))
        self.reports: Callable[[Sequence[Any]], None] = self.record
        self.open_venue()

    def record(self, facts: Sequence[Any]) -> None:
        done = self.book.record_many(facts)
        assert not done.refused, done.refused

    def open_venue(self) -> None:
        self.broker = PaperBroker(self.book, "paper", RULES, clock=self.clock)
        self.broker.start(self.report)

    def report(self, facts: Sequence[Any]) -> None:
        self.reports(facts)

    def reopen(self) -> None:
        if self.place != ":memory:":
            self.book.close()
            self.book = onebook.open(self.place, clock=self.clock)
        self.open_venue()

    def bar(self, number: int, bar: Bar) -> None:
        """Show a bar, then send what it asks for, change one order and cancel another."""
        self.clock.now = max(self.clock.now, bar.at_ns)
        self.book.mark(SYMBOL, bar.close, at=bar.at_ns)
        self.broker.see(bar)
        for order in wishes(number, bar):
            self.book.record(order)
            self.broker.submit(order)
        if number % 10 == 5:
            self.broker.replace("paper", f"entry{number - 5}", quantity=D(45), limit_price=cents(bar.close))
        if number % 20 == 9:
            self.broker.cancel("paper", f"entry{number - 9}")
            self.broker.session_ended(bar.at_ns)

    def all(self) -> "Run":
        for number, bar in enumerate(real_bars()):
            self.bar(number, bar)
            if self.begins_again(number):
                self.reopen()
        return self

    def told(self) -> dict[str, Any]:
        """Everything that the book answers, and what its read models hold."""
        book = self.book
        found = {
            "positions": book.positions(account="paper", is_open=None),
            "orders": [(item, item.order) for item in book.orders()],
            "fills": [(item.sequence, item.identity, item.fill) for item in book.fills()],
            "trips": book.round_trips(account="paper"),
            "cash": book.balances(account="paper"),
            "days": book.daily_pnl(account="paper"),
            "head": book.status().head_hash,
        }
        assert book.verify().ok
        return found


@cache
def whole() -> dict[str, Any]:
    run = Run(":memory:").all()
    found = run.told()
    run.book.close()
    return found


def test_the_run_is_worth_comparing() -> None:
    found = whole()
    statuses = {item.status for item, _ in found["orders"]}
    assert {"filled", "canceled", "expired"} <= statuses
    reasons = {item.reason.partition(":")[0] for item, _ in found["orders"]}
    assert {"group_filled", "parent_ended", "nothing_to_reduce", "not_enough_buying_power"} <= reasons
    assert len(found["fills"]) > 100
    assert len(found["trips"]) > 3
    assert any(item.filled_quantity and item.filled_quantity < item.order.quantity for item, _ in found["orders"])
    assert any(fill.venue_fill_id.endswith("-3") for _, _, fill in found["fills"])


def test_a_restart_after_every_bar_changes_no_byte() -> None:
    run = Run(":memory:", begins_again=lambda number: True).all()
    assert run.told() == whole()
    run.book.close()


def test_a_file_closed_and_opened_again_all_along_changes_no_answer(tmp_path: Path) -> None:
    run = Run(str(tmp_path / "book.db"), begins_again=lambda number: number % 3 == 1).all()
    found = run.told()
    for name in set(found) - {"head"}:  # an entry's marks seen since the fill before it are gone with the process
        assert without_places(found[name]) == without_places(whole()[name]), name
    run.book.close()


class KilledError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("when", ["before the reports", "after the reports"])
def test_a_kill_in_every_report_and_doing_it_again_doubles_nothing(when: str) -> None:
    run = Run(":memory:")
    kills: list[int] = []
    dies = True

    def dying(facts: Sequence[Any]) -> None:
        if dies and when == "before the reports":
            kills.append(len(facts))
            raise KilledError
        run.record(facts)
        if dies:
            kills.append(len(facts))
            raise KilledError

    run.reports = dying
    for number, bar in enumerate(real_bars()):
        for _ in range(40):
            try:
                run.bar(number, bar)
            except KilledError:
                run.reopen()
                dies = when == "after the reports"
            else:
                break
        dies = True
    assert len(kills) > 100
    found = run.told()
    for name in ("positions", "fills", "trips", "cash", "days", "orders"):
        assert without_places(found[name]) == without_places(whole()[name]), name
    run.book.close()


def without_places(found: Any) -> list[Any]:
    """The answers without sequences, highest and lowest: after a kill they may be others."""
    from dataclasses import replace

    shown: list[Any] = []
    for item in found:
        if isinstance(item, tuple) and len(item) == 3:
            shown.append(item[1:])
        elif isinstance(item, tuple):
            shown.append((item[0].status, item[0].filled_quantity, item[0].average_price, item[0].reason, item[1]))
        elif hasattr(item, "sequence"):
            shown.append(replace(item, sequence=0, highest=None, lowest=None))
        elif hasattr(item, "id"):
            shown.append(replace(item, id=0, highest=None, lowest=None))
        else:
            shown.append(item)
    return shown


def test_the_last_days_seen_again_after_a_restart_book_nothing() -> None:
    run = Run(":memory:")
    for number, bar in enumerate(real_bars()[:100]):
        run.bar(number, bar)
    head = run.book.status().entries
    run.reopen()
    for bar in real_bars()[90:100]:
        run.broker.see(bar)
        run.broker.see(bar)
    assert run.book.status().entries == head
    run.book.close()
