"""The bus of the documents: publish, subscribe, history, as a face over the log."""

import threading

import pytest
from tests.feed.waiting import Heard, happened, ids, record, until

import onebook


def test_what_is_published_is_in_the_log_and_heard(book: onebook.Book) -> None:
    heard = Heard()
    book.bus.subscribe("regime.*", heard)
    sequence = book.bus.publish("regime.changed", {"to": "bear", "odds": [1, None, "x"]}, strategy="trend")
    until(lambda: heard.events)
    (event,) = heard.events
    assert (event.sequence, event.type, event.strategy) == (sequence, "regime.changed", "trend")
    assert event.data == {"to": "bear", "odds": [1, None, "x"]}
    assert [item.id for item in book.events(types="regime.changed")] == [event.id]


@pytest.mark.parametrize("name", ["trade_executed", "position_updated", "", "Has Blanks", "price_updated"])
def test_the_books_own_types_are_not_for_users(book: onebook.Book, name: str) -> None:
    with pytest.raises(onebook.InputError):
        book.bus.publish(name, {})
    assert book.status().entries == 0


def test_data_has_a_limit(book: onebook.Book) -> None:
    with pytest.raises(onebook.InputError):
        book.bus.publish("much.data", {"text": "x" * 70_000})


def test_unsubscribed_while_events_come(book: onebook.Book) -> None:
    by_handle, by_handler, rest = Heard(), Heard(), Heard()
    handle = book.bus.subscribe("*", by_handle)
    book.bus.subscribe("trade_*", by_handler)
    book.bus.subscribe(["position_*"], by_handler)
    book.bus.subscribe("*", rest)
    record(book, 1, 1)
    until(lambda: len(by_handler.ids) == 2)
    until(lambda: len(by_handle.ids) == 2)
    assert (book.bus.unsubscribe(handle), book.bus.unsubscribe(by_handler)) == (1, 2)
    assert (book.bus.unsubscribe(handle), book.bus.unsubscribe(print)) == (0, 0)
    record(book, 2, 1)
    until(lambda: rest.ids == ids(1, 2))
    assert (by_handle.ids, sorted(by_handler.ids)) == (ids(1), ids(1))


def test_history_is_bounded_and_comes_oldest_first(book: onebook.Book) -> None:
    record(book, 1, 600)
    assert [event.id for event in book.bus.history("trade_*", limit=3)] == ["598.1", "599.1", "600.1"]
    assert [event.id for event in book.bus.history(limit=3)] == ["599.2", "600.1", "600.2"]
    assert [event.id for event in book.bus.history("trade_*", limit=10_000)] == [f"{each}.1" for each in range(1, 601)]
    assert len(book.bus.history()) == 1000
    assert book.bus.history(limit=0) == book.bus.history("order_*") == []
    for limit in (-1, 100_001, "3", True):
        with pytest.raises(onebook.InputError, match="limit"):
            book.bus.history(limit=limit)  # type: ignore[arg-type]


def test_statistics(book: onebook.Book) -> None:
    heard, go, inside = Heard(), threading.Event(), threading.Event()
    heard.failing = {"2.1": 1}

    def stuck(_: onebook.Event) -> None:
        inside.set()
        happened(go)

    book.bus.subscribe("trade_*", heard)
    closed = book.bus.subscribe("*", print)
    closed.close()
    book.bus.subscribe("trade_*", stuck)
    record(book, 1, 3)
    happened(inside)
    until(lambda: len(heard.ids) == 2)
    found = book.bus.statistics()
    assert (found.published, found.subscribers, found.errors, found.lag) == (3, 2, 1, 3)
    go.set()
    until(lambda: book.bus.statistics().lag == 0)
    until(lambda: book.bus.statistics().delivered == 6)
    assert book.bus.statistics().handler_seconds > 0
    assert book.bus.statistics().events_per_second > 0
