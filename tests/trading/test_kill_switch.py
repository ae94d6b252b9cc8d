"""After trading was halted nothing that opens reaches a broker, and what was not sent yet can be taken back."""

import signal as signals
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.trading.desks import fill, held, no, ok, place, status, update, whole
from tests.trading.running import EVEN, Scene, printed
from tests.trading.venues import Deaf, said

import onebook
from onebook import Order, Signal
from onebook.book.core import Core
from onebook.domain import times
from onebook.domain.market import Print
from onebook.errors import SourceError
from onebook.feed.expiring import Expiring
from onebook.testing import FakeClock
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.brokers.port import Found
from onebook.trading.outbox import Outbox
from onebook.trading.runner import Strategy
from onebook.trading.runner.context import Context
from onebook.trading.runner.crew import Heard, Hired

EXPIRES = "2030-01-01T00:00:00Z"


@pytest.fixture
def venue() -> Deaf:
    return Deaf()


@pytest.fixture
def box(book: onebook.Book, venue: Deaf) -> Iterator[Outbox]:
    book.mark("AAPL", 100)
    made = Outbox(book, {"main": venue})
    yield made
    made.close()


def reason(book: onebook.Book, name: str) -> str:
    return next(item.reason for item in book.orders() if item.client_order_id == name)


def signal(book: onebook.Book, name: str) -> tuple[str, str]:
    return next((item.status, item.reason) for item in book.signals() if item.signal_id == name)


# ---- what was placed and not sent ----


@pytest.mark.parametrize("begins", [True, False], ids=["live", "after a restart"])
@pytest.mark.parametrize("is_certain", [True, False], ids=["certain", "uncertain"])
def test_what_opens_is_not_sent_once_trading_is_halted(
    book: onebook.Book, venue: Deaf, box: Outbox, *, begins: bool, is_certain: bool, clock: FakeClock
) -> None:
    venue.is_certain = is_certain
    fill(book, "buy", 3)
    if begins:
        box.start()
    book.record(Signal(instrument="AAPL", action="buy", signal_id="why"))
    ok(place(book, "buy", 1, client_order_id="opens", signal_id="why"))
    ok(place(book, "sell", 3, client_order_id="leaves"))
    book.trading.halt("enough")
    if begins:
        box.pump()
    else:
        clock.advance(61)
        box.start()
    assert venue.sent == (["leaves"] if begins or is_certain else [])
    if begins or is_certain:
        assert (status(book, "opens"), reason(book, "opens")) == ("canceled", "trading was HALTED before it was sent")
        assert signal(book, "why") == (
            "EXPIRED",
            "its order was never sent: trading was HALTED before it was sent",
        )
    else:
        assert status(book, "opens") == "rejected"
    whole(book)


@pytest.mark.parametrize("where", [{}, {"account": "main"}, {"strategy": "s"}], ids=["all", "account", "strategy"])
@pytest.mark.parametrize("switch", ["halt", "reduce"])
def test_every_switch_that_covers_an_order_keeps_it_back(
    book: onebook.Book, venue: Deaf, box: Outbox, switch: str, where: dict[str, str]
) -> None:
    box.start()
    for strategy in ("s", "other"):
        ok(place(book, "buy", 1, client_order_id=strategy, strategy=strategy))
    getattr(book.trading, switch)("enough", **where)
    box.pump()
    assert venue.sent == (["other"] if "strategy" in where else [])
    assert status(book, "s") == "canceled"


def test_a_child_of_what_was_not_sent_is_not_sent_either(book: onebook.Book, venue: Deaf, box: Outbox) -> None:
    box.start()
    ok(place(book, "buy", 1, client_order_id="entry"))
    ok(place(book, "sell", 1, client_order_id="stop", parent_id="entry", kind="stop", stop_price=90))
    book.trading.halt("enough")
    box.pump()
    assert (venue.sent, status(book, "entry"), status(book, "stop")) == ([], "canceled", "canceled")


def test_a_signal_goes_on_while_another_of_its_orders_does(book: onebook.Book, venue: Deaf, box: Outbox) -> None:
    box.start()
    book.record(Signal(instrument="AAPL", action="buy", signal_id="why"))
    ok(place(book, "buy", 1, client_order_id="one", signal_id="why"))
    ok(place(book, "buy", 1, client_order_id="two", signal_id="why"))
    book.trading.cancel("one", reason="too much")
    box.pump()
    assert venue.sent == ["two"]
    assert reason(book, "one") == "taken back before it was sent: too much"
    assert signal(book, "why")[0] == "GENERATED"


def test_a_limit_of_loss_that_flattens_takes_back_what_was_not_sent(
    book: onebook.Book, venue: Deaf, box: Outbox
) -> None:
    box.start()
    book.trading.limits.set(max_daily_loss=10, flatten=True)
    fill(book, "buy", 1)
    ok(place(book, "buy", 1, client_order_id="more"))
    book.mark("AAPL", 80)
    book.trading.check()
    box.pump()
    assert status(book, "more") == "canceled"
    (sent,) = venue.sent
    assert sent.startswith("loss-")


@pytest.mark.parametrize("deed", ["cancel", "flatten"])
@pytest.mark.parametrize("certain", [True, False])
def test_what_is_taken_back_before_it_was_sent_is_closed(
    book: onebook.Book, venue: Deaf, box: Outbox, deed: str, *, certain: bool
) -> None:
    venue.is_certain = certain
    box.start()
    ok(place(book, "buy", 1, client_order_id="a"))
    if deed == "cancel":
        assert book.trading.cancel("a").status == "pending_cancel"
    else:
        book.trading.flatten("get out")
    assert (box.pump() > 0, status(book, "a")) == (True, "canceled")
    assert (venue.sent, venue.canceled) == ([], [])
    whole(book)


# ---- what may have been sent ----


def test_after_a_restart_what_was_taken_back_is_asked_for_and_never_sent(
    book: onebook.Book, venue: Deaf, box: Outbox, clock: FakeClock
) -> None:
    for name in ("there", "nowhere"):
        ok(place(book, "buy", 1, client_order_id=name))
    book.trading.flatten("get out")
    no(place(book, "buy", 1), "unknown_order")
    venue.knows["there"] = Found(updates=(said("there", "new"),))
    (found,) = box.start()
    assert (found.found, found.unknown) == (("there",), ("nowhere",))
    assert venue.canceled == ["there"]
    assert (status(book, "there"), status(book, "nowhere")) == ("pending_cancel", "pending_cancel")
    clock.advance(61)
    box.pump()
    assert (status(book, "nowhere"), reason(book, "nowhere")) == ("rejected", "unknown at venue")
    assert venue.sent == []
    whole(book)


def test_a_certain_venue_says_at_once_that_it_never_arrived(book: onebook.Book, venue: Deaf, box: Outbox) -> None:
    venue.is_certain = True
    ok(place(book, "buy", 1, client_order_id="a"))
    book.trading.flatten("get out")
    (found,) = box.start()
    assert (found.canceled, status(book, "a"), venue.sent) == (("a",), "canceled", [])
    assert reason(book, "a") == "taken back before it was sent: get out"


def test_desk_recover_cancels_what_it_finds_and_sends_nothing_that_was_taken_back(
    book: onebook.Book, venue: Deaf
) -> None:
    book.mark("AAPL", 100)
    for name in ("there", "nowhere"):
        ok(place(book, "buy", 1, client_order_id=name))
    for name in ("there", "nowhere"):
        book.trading.cancel(name)
    venue.is_certain = True
    venue.knows["there"] = Found(updates=(said("there", "new"),))
    done = book.trading.recover(venue)
    assert (done.found, done.canceled, venue.canceled, venue.sent) == (("there",), ("nowhere",), ["there"], [])


def test_a_crash_after_it_was_found_and_before_it_was_canceled_forgets_nothing(
    book: onebook.Book, venue: Deaf, box: Outbox
) -> None:
    ok(place(book, "buy", 1, client_order_id="a"))
    book.trading.flatten("get out")
    update(book, "a", "new", venue_order_id="v-a", occurred_at="2024-06-03T12:00:00Z")  # and died
    assert status(book, "a") == "pending_cancel"
    venue.knows["a"] = Found(updates=(said("a", "new", occurred_at="2024-06-03T12:00:00Z"),))
    box.start()
    assert venue.canceled == ["a"]


@pytest.mark.parametrize("before", ["pending_new", "unknown"])
def test_what_was_sent_and_not_answered_is_canceled_once_more_when_it_is_there(
    book: onebook.Book, venue: Deaf, box: Outbox, clock: FakeClock, before: str
) -> None:
    box.start()
    ok(place(book, "buy", 1, client_order_id="a"))
    venue.problem = SourceError("no line") if before == "unknown" else None
    box.pump()
    venue.problem = None
    assert status(book, "a") == before
    book.trading.flatten("get out")
    box.pump()
    assert (venue.canceled, status(book, "a")) == (["a"], "pending_cancel")
    update(book, "a", "new")  # the wish was there before the order
    assert status(book, "a") == "pending_cancel"
    clock.advance(3)
    box.pump()
    assert venue.canceled == ["a", "a"]
    update(book, "a", "canceled")
    clock.advance(100)
    assert (box.pump(), venue.canceled) == (0, ["a", "a"])
    whole(book)


@pytest.mark.parametrize("answer", ["rejected", "canceled", "expired", "filled"])
def test_the_end_of_what_was_taken_back_unanswered_is_the_venues_to_say(book: onebook.Book, answer: str) -> None:
    book.mark("AAPL", 100)
    ok(place(book, "buy", 1, client_order_id="a"))
    book.trading.cancel("a")
    update(book, "a", answer)
    assert (status(book, "a"), book.orders()[0].flags) == (answer, ())
    ok(place(book, "buy", 1))
    whole(book)


def test_a_change_that_was_wished_for_before_does_not_end_the_wish_to_take_it_back(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    ok(place(book, "buy", 1, client_order_id="a", kind="limit", limit_price=90))
    update(book, "a", "new")
    book.trading.replace("a", limit_price=91)
    book.trading.flatten("get out")
    update(book, "a", "new", limit_price=91)
    assert (status(book, "a"), book.orders()[0].limit_price) == ("pending_cancel", 91)
    update(book, "a", "new", occurred_at="2024-06-03T12:00:00Z")  # it refuses to take it back
    assert status(book, "a") == "new"
    whole(book)


def test_a_person_may_settle_what_was_taken_back_unanswered(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    ok(place(book, "buy", 1, client_order_id="a"))
    book.trading.cancel("a")
    assert book.trading.settle("a", "canceled", "seen on the website").status == "canceled"


# ---- at every write ----


class Busy(Strategy):
    """Always in or on its way in, with exits that wait, and takes back what is left."""

    def on_print(self, ctx: Context, print_: Print) -> None:
        if ctx.quantity("AAPL"):
            return
        left = [order.client_order_id for order in ctx.open_orders()]
        if left:
            for name in left:
                ctx.cancel(name)
            return
        why = ctx.signal("AAPL", "buy", expires_after_seconds=30)
        entry = Order(instrument="AAPL", side="buy", quantity=1, signal_id=why)
        ctx.bracket(entry, stop_loss=90, take_profit=102)
        ctx.buy("AAPL", 1, kind="limit", limit_price=95)


class Watched(PaperBroker):
    """A paper venue that notes what it gets that could open while trading is halted."""

    opened: list[str]

    def submit(self, order: Order) -> None:
        if not order.reduce_only and self._book.trading_state(order.account, order.strategy) != "ACTIVE":
            self.opened.append(order.client_order_id)
        super().submit(order)


PRICES = ["100", "100", "103", "103", "100", "94", "100", "103", "100"]


def life(scene: Scene) -> list[str]:
    """One life of a runner; returns what reached the venue though it should not have."""
    events = printed(PRICES)
    book = scene.open(events[0].at_ns - times.MINUTE)
    try:
        scene.define()
        broker = Watched(book, ("paper",), scene.rules, clock=scene.clock)
        broker.opened = []
        runner = scene.runner([Busy("s", "paper", instruments=["AAPL"])], broker=broker)
        runner.replay(events)
        return broker.opened
    finally:
        book.close()


def after_writes(monkeypatch: pytest.MonkeyPatch, then: Callable[[Core], None]) -> None:
    """Do something after everything that is written, and around everything that is sent."""

    def watched(inner: Callable[..., Any]) -> Callable[..., Any]:
        def write(self: Any, *given: Any, **more: Any) -> Any:
            if isinstance(self, Outbox):
                then(self._book)
            found = inner(self, *given, **more)
            then(self if isinstance(self, Core) else self._book)
            return found

        return write

    for owner, method in ((Core, "submit"), (Core, "record"), (Outbox, "_cancel"), (Outbox, "_submit")):
        monkeypatch.setattr(owner, method, watched(getattr(owner, method)))


def opening(book: onebook.Book) -> list[str]:
    return [item.client_order_id for item in book.orders(is_open=True) if not item.reduce_only]


def flat(book: onebook.Book) -> bool:
    return not opening(book) and not held(book, account="paper", strategy="s")


@pytest.mark.parametrize("flattens", [True, False])
def test_a_halt_after_any_write_lets_nothing_more_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, flattens: bool
) -> None:
    at, done = 0, False
    while not done:
        at += 1
        count, is_in = 0, False

        def then(book: Core, *, wanted: int = at) -> None:
            nonlocal count, is_in
            if is_in:
                return
            count += 1
            if count == wanted:
                is_in = True
                book.trading.halt("enough")  # type: ignore[attr-defined]
                if flattens:
                    book.trading.flatten("get out")  # type: ignore[attr-defined]
                is_in = False

        path = str(tmp_path / f"halted{at}.db")
        with monkeypatch.context() as patched:
            after_writes(patched, then)
            assert life(Scene(path, rules=EVEN)) == [], f"halted after write {at}"
        with onebook.open(path) as book:
            done = book.trading.state == "ACTIVE"
            assert done or not flattens or not opening(book), f"halted after write {at}"
            assert book.verify().ok
    assert at > 40


def test_a_kill_after_any_write_and_a_halt_before_the_restart_let_nothing_more_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, copies = Scene(str(tmp_path / "whole.db"), rules=EVEN), list[str]()

    def copy(_book: Core) -> None:
        copies.append(str(tmp_path / f"copy{len(copies)}.db"))
        source, target = apsw.Connection(scene.place), apsw.Connection(copies[-1])
        with target.backup("main", source, "main") as backup:
            backup.step()
        source.close()
        target.close()

    with monkeypatch.context() as patched:
        after_writes(patched, copy)
        life(scene)
    assert len(copies) > 40
    unsent = 0
    for number, path in enumerate(copies):
        again = Scene(path, rules=EVEN)
        book = again.open(printed(PRICES)[-1].at_ns)
        unsent += any(item.status == "pending_new" for item in book.orders(is_open=True))
        book.trading.halt("enough")
        if number % 2:
            book.trading.flatten("get out")
        book.close()
        assert life(again) == [], f"killed after write {number}"
        with onebook.open(path) as book:
            assert not number % 2 or flat(book), f"killed after write {number}"
            assert book.verify().ok
    assert unsent


DIES = """
import os, signal, sys
from onebook.trading.outbox import Outbox
from tests.trading.running import EVEN, Scene
from tests.trading.test_kill_switch import life
setattr(Outbox, sys.argv[2], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
life(Scene(sys.argv[1], rules=EVEN))
"""


@pytest.mark.parametrize("deed", ["halt", "flatten", "cancel"])
@pytest.mark.parametrize("moment", ["_submit", "_cancel"])
def test_a_process_that_was_killed_with_orders_unsent_sends_none_after_a_halt(
    tmp_path: Path, deed: str, moment: str
) -> None:
    path = str(tmp_path / "book.db")
    died = subprocess.run([sys.executable, "-c", DIES, path, moment], timeout=60, check=False)
    assert died.returncode == -signals.SIGKILL
    scene = Scene(path, rules=EVEN)
    book = scene.open(printed(PRICES)[-1].at_ns)
    fills = len(book.fills())
    waiting = [item.client_order_id for item in book.orders(is_open=True) if item.status == "pending_new"]
    assert waiting or moment == "_cancel"
    if deed == "cancel":
        for name in waiting:
            book.trading.cancel(name)
    book.trading.halt("enough")
    if deed == "flatten":
        book.trading.flatten("get out")
    book.close()
    assert life(scene) == []
    with onebook.open(path) as book:
        assert len(book.fills()) == fills
        assert {status(book, name) for name in waiting} <= {"canceled"}
        assert not opening(book)
        assert book.verify().ok


# ---- strategies that fail, signals that expire ----


class Fails(Strategy):
    """Raises at the third print."""

    prints = 0

    def on_print(self, ctx: Context, print_: Print) -> None:
        self.prints += 1
        if self.prints == 3:
            raise ValueError("oh")


@pytest.mark.parametrize("on_error", ["stop", "flatten"])
def test_a_strategy_that_fails_takes_back_what_was_not_sent(
    place: str, on_error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(place, rules=EVEN)
    events = printed(["100"] * 5)
    book = scene.open(events[0].at_ns - times.MINUTE)
    scene.define()
    runner = scene.runner(
        [Hired(strategy=Fails("s", "paper", instruments=["AAPL"]), on_error=on_error), Busy("good", "paper")]
    )
    hears = runner._engine.crew.hear

    def placed_elsewhere(heard: Heard) -> Any:
        if heard.now_ns == events[2].at_ns:
            book.trading.place(
                Order(instrument="AAPL", side="buy", quantity=1, account="paper", strategy="s", client_order_id="late")
            )
        return hears(heard)

    monkeypatch.setattr(runner._engine.crew, "hear", placed_elsewhere)
    runner.replay(events)
    (late,) = book.orders()
    assert (late.status, late.reason) == (
        "canceled",
        "taken back before it was sent: its strategy failed: ValueError: oh",
    )
    book.close()


def test_a_signal_that_expires_takes_back_what_was_not_sent(
    book: onebook.Book, venue: Deaf, box: Outbox, clock: FakeClock
) -> None:
    box.start()
    book.record(Signal(instrument="AAPL", action="buy", signal_id="why", strategy="s", expires_at=EXPIRES))
    ok(place(book, "buy", 1, client_order_id="a", strategy="s", signal_id="why"))
    waiting = Expiring(book, [("main", "s")])
    waiting.read()
    clock.set(EXPIRES)
    assert waiting.look(book.now() + 1) == 1
    box.pump()
    assert (venue.sent, status(book, "a")) == ([], "canceled")
    assert signal(book, "why")[0] == "EXPIRED"
