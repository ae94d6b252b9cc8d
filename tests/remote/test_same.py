"""A remote book answers as a book does: the same records, the same receipts, the same errors."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from datetime import datetime
from decimal import Decimal
from inspect import signature
from typing import Any

import pytest
from tests.http.conftest import Serve
from tests.remote.conftest import Connect
from tests.remote.scene import DAY, FACTS, NOW, QUESTIONS, WRONG

import onebook
from onebook import Approved, Fill, Order, Refused
from onebook.errors import BookError
from onebook.remote.book import RemoteBook
from onebook.testing import FakeClock

UPDATES = ("facts: order_update", "facts: signal_update")
"""What was said of orders and signals is in them, and no record of its own."""

Pair = tuple[onebook.Book, RemoteBook]


@pytest.fixture
def twins(serve: Serve, connect: Connect) -> Iterator[Pair]:
    """A book, and a remote book on another one that is served; both are empty and their clocks stand."""
    with onebook.open(":memory:", clock=FakeClock(NOW)) as local, onebook.open(":memory:", clock=FakeClock(NOW)) as far:
        yield local, connect(serve(far).url)


def told(book: Any) -> None:
    """Record the scene, and what is kept beside it."""
    for fact in FACTS:
        book.record(fact)
    book.state.set("bots.trend", {"level": Decimal("61000.50"), "since": datetime.fromisoformat(NOW), "n": [1, 2.5]})
    book.state.set("bots.gone", 1)
    book.state.delete("bots.gone")
    for name, price in (("BTC/USDT", "62000.01"), ("AAPL", "97"), ("BTC/USDT:USDT", "62010")):
        book.mark(name, price, source="desk", at=f"{DAY}11:59:30Z")


@pytest.fixture
def looked(serve: Serve, connect: Connect) -> Iterator[Pair]:
    """A book in which much happened, and a remote book on the same."""
    with onebook.open(":memory:", clock=FakeClock(NOW)) as book:
        told(book)
        yield book, connect(serve(book).url)


def test_questions_are_answered_alike(looked: Pair) -> None:
    local, remote = looked
    for name, ask in QUESTIONS.items():
        wanted, found = ask(local), ask(remote)
        assert found == wanted, name
        assert repr(found) == repr(wanted), name


def test_every_kind_of_answer_is_compared(looked: Pair) -> None:
    local, _ = looked
    empty = {name for name, ask in QUESTIONS.items() if ask(local) in ([], None, {})}
    nothing = {"a position that never was", "no fills", "no order", "protections", "about nothing"}
    assert empty == {*nothing, "an explanation of a leg", "subscribers", "dead letters", *UPDATES}


def test_answers_are_exact_and_aware(looked: Pair) -> None:
    _, remote = looked
    [fill] = [item for item in remote.fills() if item.venue_fill_id]
    assert fill.price == Decimal("60000.125")
    assert fill.fill.occurred_ns % 1_000_000_000 == 1
    assert fill.occurred_at.utcoffset() is not None
    assert fill.raw == {"x": [1, 2.5, None, "é"]}


def test_recording_is_answered_alike(twins: Pair) -> None:
    local, remote = twins
    for fact in (*FACTS, *FACTS):
        wanted, found = local.record(fact), remote.record(fact)
        assert isinstance(found, onebook.Receipt)
        assert (found.status, found.sequence, found.identity) == (wanted.status, wanted.sequence, wanted.identity)
        assert found.position == wanted.position, fact
        assert [plain(event) for event in found.events] == [plain(event) for event in wanted.events]
        if wanted.status == "recorded" or hasattr(fact, "instrument"):
            assert str(found) == str(wanted)


def plain(event: Any) -> dict[str, Any]:
    """An event without who recorded it."""
    return {item.name: getattr(event, item.name) for item in fields(onebook.Event) if item.name != "actor"}


def test_many_are_answered_alike(twins: Pair) -> None:
    local, remote = twins
    given = [*FACTS, 7, FACTS[11], onebook.OrderUpdate(client_order_id="o-1", status="pending_new")]
    handled: list[int] = []
    wanted, found = local.record_many(given), remote.record_many(iter(given), progress=handled.append)  # type: ignore[arg-type]
    assert handled == [len(given)]
    for name in ("recorded", "exists", "conflicts", "first_sequence", "last_sequence"):
        assert getattr(found, name) == getattr(wanted, name), name
    assert [(item.index, repr(item.error)) for item in found.refused] == [
        (item.index, repr(item.error)) for item in wanted.refused
    ]
    assert [plain(event) for event in remote.events()] == [plain(event) for event in local.events()]


def test_mistakes_are_mended_alike(twins: Pair) -> None:
    for book in twins:
        told(book)
    answers = []
    for book in twins:
        trip = book.round_trips(is_open=False)[0]
        [broken] = book.breaks(state="open")
        done: list[Any] = [
            book.bust("client|main|2", reason="the venue says so"),
            book.bust("client|main|2", reason="the venue says so"),
            book.correct("client|main|3", reason="typed wrongly", price=Decimal("190.25"), tags=["x"]),
            book.annotate(trip.id, notes="early", tags=("plan", "a")),
        ]
        shown = [(str(item), item.position, [plain(event) for event in item.events]) for item in done]
        settled = replace(book.resolve_break(broken.id, reason="booked by hand"), resolver="")
        answers.append([shown, settled, book.positions(is_open=None)])
    assert answers[0] == answers[1]


def test_values_are_kept_alike(twins: Pair) -> None:
    answers = []
    for book in twins:
        state = book.state
        answers.append(
            [
                state.set("a.b", {"price": Decimal("1.50"), "day": datetime.fromisoformat(NOW).date()}),
                state.set("a.b", {"price": Decimal("1.50"), "day": datetime.fromisoformat(NOW).date()}),
                state.set("a.b", 2, expected_version=1, source="desk"),
                state.set("c", None, expected_version=0),
                state.get("a"),
                state.delete("a.b"),
                state.delete("a.b"),
                state.get("a.b", "gone"),
                state.version("a.b"),
                state.set("a.b", [True, 0.1]),
                state.delete("a.b", expected_version=4),
            ]
        )
    assert answers[0] == answers[1]


def test_trading_is_decided_alike(twins: Pair) -> None:
    buy = Order(instrument="MSFT", side="buy", quantity="5", client_order_id="n-1", occurred_at=NOW)
    far = buy.replaced(client_order_id="n-2", quantity="500")
    answers = []
    for book in twins:
        told(book)
        book.mark("MSFT", "400")
        desk = book.trading
        desk.limits.set(max_position="100")
        made = [
            desk.may(buy), desk.place(buy), desk.place(buy), desk.may(far), desk.place(far, buy.replaced(
                client_order_id="n-3")), desk.halt("storm", strategy="trend"), desk.reduce("calmer"), desk.state,
            desk.place(buy.replaced(client_order_id="n-4")), desk.resume("calm"),
            sorted(desk.limits, key=repr), len(desk.limits),
        ]  # fmt: skip
        desk.limits.clear()
        exits = [item for item in desk.flatten("storm", instrument="BTC/USDT") if item.ok]
        answers.append([*made, list(desk.limits), [(item.order.side, item.order.quantity) for item in exits]])
    assert answers[0] == answers[1]
    assert isinstance(answers[1][0], Approved)
    assert isinstance(answers[1][3], Refused)


def test_orders_and_stops_that_stand_are_changed_alike(twins: Pair) -> None:
    answers = []
    for book in twins:
        told(book)
        desk = book.trading
        book.record(onebook.OrderUpdate(client_order_id="o-2", status="new", occurred_at=NOW))
        answers.append(
            [
                desk.replace("o-2", quantity="0.05", limit_price=Decimal(91000)),
                desk.cancel("o-2", account="main", reason="by hand"),
                desk.cancel("o-2"),
                desk.protect("BTC/USDT", strategy="trend", stop_loss="50000", take_profit=Decimal(70000)),
                desk.protect("BTC/USDT", strategy="trend", trail_ratio="0.05", activates_at="63000", act="order"),
                desk.protections(),
                desk.unprotect("BTC/USDT", strategy="trend", reason="by hand"),
                desk.protections(),
            ]
        )
    assert answers[0] == answers[1]


def test_subscribers_are_acted_on_alike(twins: Pair, serve: Serve, connect: Connect) -> None:
    with onebook.open(":memory:") as book:
        for number in range(3):
            book.record(Fill(instrument="AAPL", side="buy", quantity="1", price="2", client_fill_id=str(number)))

        def full(_: onebook.Event) -> None:
            raise OSError("the disk is full")

        handle = book.subscribe("audit", full, types="trade_*", start="beginning", attempts=1)
        seen(lambda: len(list(book.subscribers.dead_letters())) == 3)
        handle.close()
        remote = connect(serve(book).url)
        assert remote.subscribers() == book.subscribers()
        assert remote.subscribers.dead_letters() == list(book.subscribers.dead_letters())
        assert [item.event_id for item in remote.subscribers.dead_letters("audit", after=("audit", "1.1"))] == [
            item.event_id for item in book.subscribers.dead_letters("audit", after=("audit", "1.1"))
        ]
        assert remote.subscribers.retry("audit", "2.1") == 1
        assert [item.retrying for item in remote.subscribers.dead_letters()] == [False, True, False]
        assert remote.subscribers.drop("audit", "1.1") == 1
        assert (remote.subscribers.drop("audit"), remote.subscribers.dead_letters()) == (2, [])
        remote.subscribers.reset("audit", 2)
        assert remote.subscribers()[0].checkpoint == "2"
        with pytest.raises(onebook.InputError, match="does not stand still"):
            remote.subscribers.skip("audit")
        remote.subscribers.remove("audit")
        assert asyncio.run(remote.aio.subscribers()) == []


def seen(what: Callable[[], bool]) -> None:
    for _ in range(2000):
        if what():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


# ---- every call ----

OF_THE_MACHINE = "it reads or writes files of the machine on which the book is"
OF_THE_PROCESS = "it is for the process that has the book open"
OF_THE_PARTS = "it is for the floors above the book, not for its users"
LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "book": {
        **dict.fromkeys(("backup", "export", "rebuild", "snapshot", "snapshots", "sql", "entries"), OF_THE_MACHINE),
        **dict.fromkeys(("bus", "feed", "frame", "run", "settings", "share_marks"), OF_THE_PROCESS),
        **dict.fromkeys(("acting", "actor", "ask", "async_door", "committer", "hook_marks", "note"), OF_THE_PARTS),
        **dict.fromkeys(("submit", "trading_state", "unrealized", "watch_again", "rate", "result"), OF_THE_PARTS),
        "publish": "events of one's own come in on the machine of the book",
    },
    "as of": dict.fromkeys(("entries", "rate", "result"), OF_THE_PARTS),
    "trading": {
        **dict.fromkeys(("close", "end_of_day", "recover", "settle", "stops", "check"), OF_THE_PROCESS),
        **dict.fromkeys(("replacing", "standing"), OF_THE_PARTS),
    },
    "state": {
        **dict.fromkeys(("restore", "upgrade", "schema_version", "update"), OF_THE_PROCESS),
        "touched": OF_THE_PARTS,
    },
    "subscribers": {},
}
"""Whose calls a remote book has not, and why: whatever is new in a book has to be in one of both."""

NO_PARAMETER: Mapping[str, set[str]] = {
    "verify": {"progress"},
    "funding": {"after"},
    "transfers": {"after"},
    "breaks": {"after"},
    "place": {"along"},
    "flatten": {"close_reason"},
}
"""Parameters of a book's call that a remote book's has not."""


def calls(kind: object) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def parameters(kind: object, call: str) -> set[str]:
    """The names of a call's parameters; none for one that hands them on by whatever name they have."""
    found = signature(getattr(kind, call)).parameters.values()
    return set() if any(item.kind is item.VAR_KEYWORD for item in found) else {item.name for item in found}


def test_a_remote_book_has_every_call_that_a_book_has(looked: Pair) -> None:
    local, remote = looked
    pairs: dict[str, tuple[Any, Any]] = {
        "book": (type(local), type(remote)),
        "as of": (type(local.as_of(1)), type(remote.as_of(1))),
        "trading": (type(local.trading), type(remote.trading)),
        "state": (type(local.state), type(remote.state)),
        "subscribers": (type(local.subscribers), type(remote.subscribers)),
    }
    on_both = {"trading", "state", "store", "subscribe"}  # the last two refuse
    for name, (mine, others) in pairs.items():
        missing = calls(mine) - calls(others) - on_both
        assert missing == set(LEFT_OUT[name]), name
        for call in calls(mine) & calls(others) - on_both:
            if callable(getattr(mine, call)):
                handed = parameters(others, call) or parameters(mine, call)
                assert parameters(mine, call) - handed <= NO_PARAMETER.get(call, set()), (name, call)


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_alike(looked: Pair, name: str) -> None:
    local, remote = looked
    problems = []
    for book in (local, remote):
        with pytest.raises(BookError) as caught:
            WRONG[name](book)
        problems.append(caught.value)
    wanted, found = problems
    assert type(found) is type(wanted), (wanted, found)
    assert (found.code, found.retryable, found.exit_code) == (wanted.code, wanted.retryable, wanted.exit_code)
    field = wanted.details.get("field")
    if field is not None:
        assert found.field == field


def test_a_fact_without_a_name_is_given_one(twins: Pair) -> None:
    _, remote = twins
    given = Fill(instrument="AAPL", side="buy", quantity="1", price="2")
    first, second = remote.record(given), remote.record(given)
    assert (first.status, second.status) == ("recorded", "recorded")
    assert first.identity.startswith("client|main|")
    assert remote.fills()[0].client_fill_id
    rate = onebook.Rate(base="EUR", quote="USD", price="1.1")
    assert remote.record(rate).status == "recorded"
