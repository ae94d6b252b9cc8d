"""Market orders, brackets and trails on real minutes of a perpetual give the same book whole and in pieces."""

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.market.conftest import MARKET
from tests.trading.conftest import recorder
from tests.trading.test_paper_restart import without_places

import onebook
from onebook import Instrument, Order
from onebook.domain import times
from onebook.domain.market import Bar
from onebook.domain.matching import FixedBps, Rules
from onebook.market.providers.files import FileSource, FileTerms
from onebook.testing import FakeClock
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.brokers.paper_account import open_paper_account
from onebook.trading.brokers.paper_rules import Fees, PaperRules

D = Decimal
SYMBOL = "BTC/USDT:USDT"
SKIP, MINUTES = 600, 360
TICK = D("0.1")


def rules(market_on: str) -> PaperRules:
    slips = FixedBps(bps=D(2), random_ratio=D(1))
    return PaperRules(
        matching=Rules(market_on=market_on, slippage=slips, trail_step=D(5)),
        fees=Fees(maker_ratio=D("0.0002"), taker_ratio=D("0.0005")),
        seed=11,
    )


@cache
def minutes() -> tuple[Bar, ...]:
    path = MARKET / "btc_perp_1m.csv.gz"
    if not path.exists():
        pytest.skip(f"NOT TRIED on real minutes: {path.name} is not at {MARKET}")
    source = FileSource([FileTerms(path=path, instrument=SYMBOL)])
    bars = (bar for bar in source.events() if isinstance(bar, Bar))
    return tuple(islice(bars, SKIP, SKIP + MINUTES))


def wishes(number: int, bar: Bar) -> list[Order]:
    """What is sent after a bar: market orders, brackets and trails behind them, each a pure function of it."""
    side, other = ("buy", "sell") if number % 2 else ("sell", "buy")
    sign = 1 if side == "buy" else -1

    def order(name: str, side: str, quantity: str, **more: Any) -> Order:
        return Order(
            instrument=SYMBOL,
            side=side,
            quantity=quantity,
            client_order_id=f"{name}{number}",
            account="paper",
            strategy="minutes",
            occurred_ns=bar.at_ns,
            **more,
        )

    near, far = (bar.close * part // TICK * TICK for part in (D("0.0008"), D("0.0016")))
    exits: dict[str, Any] = {"parent_id": f"entry{number}", "group_id": f"exits{number}"}
    if number % 12 == 0:
        return [order("market", side, "1")]
    if number % 12 == 5:
        return [
            order("entry", side, "2"),
            order("target", other, "2", kind="limit", limit_price=bar.close + sign * far, **exits),
            order("stop", other, "2", kind="stop", stop_price=bar.close - sign * near, **exits),
        ]
    if number % 12 == 8:
        return [
            order("entry", side, "1"),
            order("trail", other, "1", kind="trailing_stop", trail_amount=near, parent_id=f"entry{number}"),
        ]
    return []


def run(place: str, market_on: str, begins_again: Callable[[int], bool]) -> dict[str, Any]:
    """Play the minutes; after some of them close the book and open it again, with a venue that knows nothing else."""
    bars = minutes()
    clock = FakeClock("2021-01-01T00:00:00Z")
    clock.now = bars[0].opened_ns
    book = onebook.open(place, clock=clock)
    open_paper_account(book, "paper", "USDT", "5000")
    book.record(Instrument(symbol=SYMBOL, kind="perpetual", contract_size="0.01", tick_size="0.1", lot_size="1"))

    def venue() -> PaperBroker:
        made = PaperBroker(book, "paper", rules(market_on), clock=clock)
        made.start(recorder(book))
        return made

    broker = venue()
    for number, bar in enumerate(bars):
        clock.now = bar.at_ns
        broker.see(bar)
        for order in wishes(number, bar):
            book.record(order)
            broker.submit(order)
        if begins_again(number):
            if place != ":memory:":
                book.close()
                book = onebook.open(place, clock=clock)
            broker = venue()
            broker.see(bar)
    found = {
        "positions": book.positions(account="paper", is_open=None),
        "orders": [(item, item.order) for item in book.orders()],
        "fills": [(item.sequence, item.identity, item.fill) for item in book.fills()],
        "trips": book.round_trips(account="paper"),
        "cash": book.balances(account="paper"),
        "head": book.status().head_hash,
    }
    assert book.verify().ok
    book.close()
    return found


@cache
def whole(market_on: str) -> dict[str, Any]:
    return run(":memory:", market_on, lambda number: False)


@pytest.mark.parametrize("market_on", ["next_open", "this_close"])
def test_real_minutes_in_pieces_give_the_book_of_the_whole(market_on: str) -> None:
    once = whole(market_on)
    reasons = {item.order.client_order_id[:4] for item, _ in once["orders"] if item.status == "filled"}
    assert {"mark", "entr", "stop", "targ", "trai"} <= reasons
    assert len(once["fills"]) > 100
    assert run(":memory:", market_on, lambda number: True) == once


@pytest.mark.parametrize("market_on", ["next_open", "this_close"])
def test_real_minutes_with_the_file_closed_between_give_the_same_answers(tmp_path: Path, market_on: str) -> None:
    once = whole(market_on)
    again = run(str(tmp_path / "book.db"), market_on, lambda number: number % 12 in {0, 5, 6, 8})
    for name in set(once) - {"head"}:
        assert without_places(again[name]) == without_places(once[name]), name


def test_the_stretch_is_a_real_one() -> None:
    bars = minutes()
    assert len(bars) == MINUTES
    assert all(later.opened_ns == bar.at_ns for bar, later in pairwise(bars))
    assert bars[-1].at_ns - bars[0].opened_ns == MINUTES * times.MINUTE
