"""Effects in the book because of an event commit with the checkpoint: exactly once."""

import threading
from collections.abc import Callable

import pytest
from tests.feed.waiting import Heard, fill, record, until

import onebook
from onebook.book.logged import Place
from onebook.feed.checkpoint import Checkpoint
from onebook.feed.handling import Tx
from onebook.feed.policy import Policy
from onebook.store.subscribers import Progress

Handler = Callable[[onebook.Event, Tx], None]


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Policy, "wait", lambda self, attempts, chance: 0.001)


def shadow(event: onebook.Event, tx: Tx) -> None:
    tx.record(fill(0, venue_fill_id="", instrument=f"SHADOW{event.sequence}/USD"))


def test_in_book_effects_commit_with_the_checkpoint(book: onebook.Book) -> None:
    book.subscribe("shadow", shadow, in_book=True, instruments="BTC/USD", types="trade_*")
    record(book, 1, 30)
    until(lambda: len(book.positions()) == 31)
    until(lambda: book.subscribers()[0].lag == 0)
    assert all(position.quantity == 1 for position in book.positions() if position.instrument != "BTC/USD")
    assert {event.actor for event in book.events(after=30) if event.instrument != "BTC/USD"} == {"subscriber shadow"}


def test_nothing_of_a_handler_that_raises_afterwards_is_there(book: onebook.Book) -> None:
    failures = Heard()
    failures.failing = {"2.1": 2}

    def handler(event: onebook.Event, tx: Tx) -> None:
        shadow(event, tx)
        failures(event)

    record(book, 1, 3)
    book.subscribe("shadow", handler, in_book=True, start="beginning", instruments="BTC/USD", types="trade_*")
    until(lambda: failures.ids == ["1.1", "2.1", "3.1"])
    until(lambda: len(book.positions()) == 4)
    assert book.status().entries == 6


def test_a_fact_that_is_refused_takes_its_neighbours_along_and_becomes_a_dead_letter(book: onebook.Book) -> None:
    def handler(event: onebook.Event, tx: Tx) -> None:
        shadow(event, tx)
        if event.id == "2.1":
            tx.record(fill(0, venue_fill_id="", quantity="1e-30"))

    record(book, 1, 3)
    book.subscribe("shadow", handler, in_book=True, start="beginning", instruments="BTC/USD", types="trade_*")
    until(lambda: book.subscribers()[0].dead_letters == 1)
    until(lambda: len(book.positions()) == 3)
    (letter,) = book.subscribers.dead_letters()
    assert letter.event_id == "2.1"
    assert {position.instrument for position in book.positions()} == {"BTC/USD", "SHADOW1/USD", "SHADOW3/USD"}


def test_one_name_served_twice_in_one_process(book: onebook.Book) -> None:
    first = book.subscribe("shadow", shadow, in_book=True, instruments="BTC/USD", types="trade_*")
    second = book.subscribe("shadow", shadow, in_book=True, instruments="BTC/USD", types="trade_*")
    assert (first.state, second.state) == ("running", "waiting")
    record(book, 1, 20)
    until(lambda: second.lag == 0)
    first.close()
    record(book, 21, 20)
    until(lambda: second.state == "running")
    until(lambda: len(book.positions()) == 41)
    until(lambda: second.lag == 0)
    assert book.status().entries == 80


def test_a_dead_letter_brought_again_takes_effect_once(book: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> None:
    healed, places = threading.Event(), []
    take = Checkpoint._take

    def taken(checkpoint: Checkpoint, place: Place | None = None, *, handled: int = 0) -> Progress:
        found = take(checkpoint, place, handled=handled)
        places.append((found.sequence, found.ordinal))
        return found

    monkeypatch.setattr(Checkpoint, "_take", taken)

    def handler(event: onebook.Event, tx: Tx) -> None:
        shadow(event, tx)
        if event.id == "1.1" and not healed.is_set():
            raise ValueError

    book.subscribe("shadow", handler, in_book=True, instruments="BTC/USD", types="trade_*", attempts=2)
    record(book, 1, 2)
    until(lambda: book.subscribers()[0].dead_letters == 1)
    before = len(places)
    healed.set()
    assert book.subscribers.retry("shadow") == 1
    until(lambda: book.subscribers()[0].dead_letters == 0)
    until(lambda: len(book.positions()) == 3)
    assert book.status().entries == 4
    assert min(places[before:]) >= (2, 1), "a crash then would bring again what had taken effect"


def test_a_tx_is_over_when_its_handler_returns(book: onebook.Book) -> None:
    kept: list[Tx] = []
    with book.subscribe("kept", lambda _, tx: kept.append(tx), types="trade_*", in_book=True):
        record(book, 1, 1)
        until(lambda: kept and kept[0].commands.ended)
    calls: list[Callable[[], None]] = [
        lambda: kept[0].record(fill(2)),
        lambda: kept[0].state.set("a", 1),
        lambda: kept[0].publish("a.b"),
    ]
    for late in calls:
        with pytest.raises(onebook.RuleError, match="is over"):
            late()
