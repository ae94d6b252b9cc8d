"""Watching state paths: at them, below them, above them, and what read models show."""

from decimal import Decimal

import pytest
from tests.feed.waiting import fill, until

import onebook
from onebook.feed.watching import PathChange


def test_a_path_is_watched_with_what_lies_below_and_above(book: onebook.Book) -> None:
    seen: list[PathChange] = []
    everything: list[str] = []
    with book.state.watch("a.b", seen.append), book.state.watch("*", lambda change: everything.append(change.path)):
        book.state.set("a.b", 1, source="me")
        book.state.set("a.c", 2)
        book.state.set("a.b", {"x": Decimal("1.50")})
        book.state.set("a.b.y", True)
        book.state.delete("a")
        book.state.set("other", 1)
        until(lambda: len(everything) == 6 and len(seen) == 4)
    assert [(change.path, change.value, change.old, change.deleted) for change in seen] == [
        ("a.b", 1, None, False),
        ("a.b", {"x": Decimal("1.50")}, 1, False),
        ("a.b.y", True, None, False),
        ("a", None, {"b": {"x": Decimal("1.50"), "y": True}, "c": 2}, True),
    ]
    assert everything == ["a.b", "a.c", "a.b", "a.b.y", "a", "other"]
    assert (seen[0].source, seen[0].version, seen[0].sequence) == ("me", 1, 1)


def test_what_read_models_show_is_watched_through_their_events(book: onebook.Book) -> None:
    seen: list[PathChange] = []
    with book.state.watch("positions.main", seen.append):
        book.record(fill())
        until(lambda: seen)
    (change,) = seen
    assert (change.path, change.value["quantity"], change.old, change.version) == (
        "positions.main.BTC/USD", Decimal(1), None, 0
    )  # fmt: skip


def test_a_watcher_that_raises_is_told_of_the_next_change(book: onebook.Book) -> None:
    seen: list[object] = []

    def picky(change: PathChange) -> None:
        if change.value == 1:
            raise ValueError
        seen.append(change.value)

    with book.state.watch("a", picky) as handle:
        book.state.set("a", 1)
        book.state.set("a", 2)
        until(lambda: seen)
        assert (seen, handle.errors) == ([2], 1)


def test_a_watched_path_that_is_none_is_refused(book: onebook.Book) -> None:
    with pytest.raises(onebook.InputError):
        book.state.watch("a..b", print)


def test_changes_of_a_subscriber_commit_with_its_checkpoint(book: onebook.Book) -> None:
    def count(event: onebook.Event, tx: object) -> None:
        tx.state.update({"count": tx.state.get("count", 0) + 1, "last": event.id}, delete=["gone"])  # type: ignore[attr-defined]
        tx.publish("counted", {"event": event.id}, strategy="trend")  # type: ignore[attr-defined]

    book.state.set("gone", 1)
    with book.subscribe("count", count, types="trade_*", in_book=True) as handle:
        for number in range(20):
            book.record(fill(number))
        until(lambda: book.state.get("count") == 20)
        assert handle.errors == 0
    assert (book.state.get("last"), book.state.get("gone")) == ([*book.events(types="trade_*")][-1].id, None)
    assert [event.data["event"] for event in book.events(types="counted")] == [
        event.id for event in book.events(types="trade_*")
    ]


@pytest.mark.parametrize(("section", "what"), [("event_bus", "bus"), ("state_store", "state")])
def test_what_the_configuration_switches_off_says_so_and_the_book_goes_on(section: str, what: str) -> None:
    with onebook.open(":memory:", config={section: {"enabled": False}}) as book:
        with pytest.raises(onebook.NotAllowed, match=f"{section}.enabled is off"):
            getattr(book, what)
        book.record(fill())
        assert (len(book.positions()), book.verify().ok) == (1, True)
