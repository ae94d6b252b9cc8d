"""A remote book answers as a book does: the same records, the same receipts, the same errors."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime
from decimal import Decimal
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
    assert empty == {"a position that never was", "no fills", "protections", "about nothing", *UPDATES}


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
