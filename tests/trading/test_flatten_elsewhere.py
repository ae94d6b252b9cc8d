"""A person's deeds from another process, whose clock is the real one while the runner replays the past."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.trading.conftest import Begin
from tests.trading.desks import fill, ok, types, whole
from tests.trading.running import Scene, printed

import onebook
from onebook import Order
from onebook.domain.market import Seen
from onebook.testing import FakeClock
from onebook.trading.runner.context import Context
from onebook.trading.runner.strategy import Strategy

FALLING = printed([100] * 5 + [Decimal(100) - Decimal(n) / 2 for n in range(1, 60)])


class Holds(Strategy):
    """Buys ten whenever it has nothing, and once rests an order far away."""

    def on_print(self, ctx: Context, print_: Seen) -> None:
        if not ctx.quantity("AAPL") and not ctx.open_orders("AAPL"):
            ctx.buy("AAPL", 10)
        elif len(ctx.open_orders("AAPL")) == 0:
            ctx.buy("AAPL", 1, kind="limit", limit_price=1)


def holds() -> list[Strategy]:
    return [Holds("holds", "paper", instruments=("AAPL",))]


def elsewhere(place: Path, deed: Callable[[onebook.Book], Any]) -> Any:
    """Do it as another process would: by the real clock."""
    with onebook.open(place, actor="cli") as book:
        return deed(book)


def exits(book: onebook.Book) -> list[tuple[Decimal, str]]:
    return [(item.fill.quantity, item.fill.close_reason) for item in book.fills() if item.fill.side == "sell"]


# ---- flatten ----


@pytest.mark.parametrize("most", [20, 21])
def test_a_flatten_from_another_process_fills_at_the_next_print_of_a_replay(tmp_path: Path, most: int) -> None:
    place = tmp_path / "book.db"
    scene = Scene(str(place))
    assert scene.run(holds, FALLING, most=most) == "enough"
    (answer,) = elsewhere(place, lambda book: book.trading.flatten("out"))
    assert ok(answer).quantity == 10
    elsewhere(place, lambda book: book.trading.halt("stay out"))
    assert scene.run(holds, FALLING, most=3) == "enough"
    with onebook.open(place) as book:
        assert exits(book) == [(10, "kill_switch")]
        (sold,) = [item.fill for item in book.fills() if item.fill.side == "sell"]
        assert FALLING[most - 1].at_ns < sold.occurred_ns <= FALLING[most + 1].at_ns
        assert not book.positions()
        assert [item.status for item in book.orders() if item.order.kind == "limit"] == ["canceled"]
        whole(book)


def test_a_paper_venue_accepts_by_its_own_clock_what_carries_a_later_time(begin: Begin) -> None:
    scene = begin()
    scene.print(100)
    order = Order(
        instrument="AAPL",
        side="buy",
        quantity=1,
        account="paper",
        client_order_id="late",
        occurred_ns=scene.clock.now + 10**17,
    )
    scene.book.record(order)
    scene.broker.submit(order)
    (event,) = [event for event in scene.book.events(types="order_updated") if event.data["status"] == "new"]
    assert event.data["raw"]["accepted_ns"] == scene.clock.now
    scene.restart()
    scene.print(101)
    assert scene.fills() == [("buy", "1", "101", "taker")]


# ---- limits of loss ----


def lost(place: Path, *, lives: tuple[int, ...]) -> list[tuple[str, str, str]]:
    """Reach a limit, let a person resume by the real clock, go on in so many lives; return what was breached."""
    scene = Scene(str(place))
    scene.open(FALLING[0].at_ns)
    scene.define()
    scene.book.trading.limits.set(account="paper", max_daily_loss=50, flatten=True)
    scene.book.close()
    scene.run(holds, FALLING, most=20)
    assert elsewhere(place, lambda book: book.trading.state_of("paper")) == "REDUCING"
    assert elsewhere(place, lambda book: book.trading.resume("seen", account="paper")) == "ACTIVE"
    for most in lives:
        scene.run(holds, FALLING, most=most)
    with onebook.open(place) as book:
        whole(book)
        return [
            (str(event.occurred_at), event.data["loss"], event.data["gained_before"])
            for event in book.events(types="daily_loss_breached")
        ]


def test_a_limit_armed_again_from_another_process_counts_on_over_restarts(tmp_path: Path) -> None:
    once = lost(tmp_path / "once.db", lives=(30,))
    assert [(loss, before) for _, loss, before in once] == [("50.7001", "0"), ("50.6576", "-56.27255")]
    assert lost(tmp_path / "often.db", lives=(5,) * 6) == once


def test_a_limit_armed_ahead_of_the_clock_counts_from_the_roll_again_on_the_next_day(
    tmp_path: Path, clock: FakeClock
) -> None:
    place = tmp_path / "book.db"
    with onebook.open(place, clock=clock) as book:
        book.trading.limits.set(max_daily_loss=100)
        fill(book, "buy", 10, 100)
        book.mark("AAPL", 80)
        book.trading.check()
    elsewhere(place, lambda book: book.trading.resume("seen"))
    for hours, price, loss in ((1, 79, 10), (2, 75, 50), (24, 74, 10)):
        clock.advance(hours * 3600)
        with onebook.open(place, clock=clock) as book:
            if hours == 24:
                before = clock.now
                clock.now = before - before % (86_400 * 10**9) + 1
                assert book.trading.standing().result.loss == 0
            book.mark("AAPL", price)
            (standing,) = book.trading.check()
            assert standing.result.loss == loss
            assert types(book, "daily_loss_breached") == ["daily_loss_breached"]
