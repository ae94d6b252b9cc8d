"""Subscribers whose sink takes events by the batch: what is kept in mind, put off, skipped, or fails in the middle."""

from collections.abc import Callable, Sequence

import pytest
from tests.feed.waiting import ids, record, until

import onebook
from onebook.book.log import make_filter
from onebook.feed import subscriber as serving
from onebook.feed.policy import Policy
from onebook.feed.sink import Later
from onebook.feed.subscriber import Subscriber

ALL = make_filter("*")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Policy, "wait", lambda self, attempts, chance: 0.001)
    monkeypatch.setattr(serving, "ASK_SECONDS", 0.01)


class Batches:
    """A sink that remembers every call, after something that may raise, and answers what it is told to."""

    def __init__(self, max_batch: int, before: Callable[[list[str]], bool | None] = lambda _: None) -> None:
        self.max_batch = max_batch
        self.calls: list[list[str]] = []
        self.before = before

    def deliver(self, events: Sequence[onebook.Event], *, more: bool) -> bool:
        found = [event.id for event in events]
        answer = self.before(found)
        self.calls.append(found)
        return True if answer is None else answer

    def close(self) -> None:
        """Hold nothing."""

    @property
    def out(self) -> list[str]:
        return [item for call in self.calls for item in call]


def served(book: onebook.Book, sink: Batches, **policy: object) -> Subscriber:
    made = Policy(**policy)  # type: ignore[arg-type]
    return book.feed.subscribe("batches", lambda _: sink, ALL, start="beginning", policy=made)


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_no_batch_is_empty_or_too_large(book: onebook.Book, most: int) -> None:
    record(book, 1, 40)
    sink = Batches(most)
    subscriber = served(book, sink)
    until(lambda: subscriber.lag == 0)
    assert sink.out == ids(*range(1, 41))
    assert {len(call) for call in sink.calls} <= set(range(1, most + 1))
    until(lambda: book.subscribers()[0].handled == 80)


def test_the_one_that_fails_is_found_in_its_batch(book: onebook.Book) -> None:
    record(book, 1, 3)

    def before(found: list[str]) -> None:
        if "2.1" in found:
            raise ValueError

    sink = Batches(100, before)
    subscriber = served(book, sink, attempts=2)
    until(lambda: subscriber.lag == 0)
    assert sink.out == [item for item in ids(1, 2, 3) if item != "2.1"]
    until(lambda: [letter.event_id for letter in book.subscribers.dead_letters()] == ["2.1"])


def test_what_is_kept_in_mind_holds_the_checkpoint_back(book: onebook.Book) -> None:
    record(book, 1, 3)
    sink = Batches(2, lambda _: False)
    subscriber = served(book, sink)
    until(lambda: len(sink.calls) > 5)
    assert sink.out == ids(1, 2, 3)
    assert sink.calls[3:] == [[]] * len(sink.calls[3:]), "it is only asked whether it is time"
    assert (subscriber.lag, book.subscribers()[0].checkpoint) == (3, "0")
    sink.before = lambda _: True
    until(lambda: subscriber.lag == 0)
    until(lambda: book.subscribers()[0].checkpoint == "3")


def test_what_was_kept_in_mind_comes_again_after_a_stop(book: onebook.Book) -> None:
    record(book, 1, 2)
    first, second = Batches(9, lambda _: False), Batches(9)
    with served(book, first):
        until(lambda: first.out == ids(1, 2))
    until(lambda: served(book, second).lag == 0)
    assert second.out == ids(1, 2)


def test_later_is_no_failure(book: onebook.Book) -> None:
    record(book, 1, 2)
    turns = iter(range(5))

    def before(found: list[str]) -> None:
        if next(turns, None) is not None:
            raise Later(0.001)

    sink = Batches(9, before)
    subscriber = served(book, sink, attempts=1)
    until(lambda: sink.out == ids(1, 2))
    assert (subscriber.errors, list(book.subscribers.dead_letters())) == (0, [])


@pytest.mark.parametrize("at", ["1.1", "2.2"])
def test_skipping_hands_nothing_over_for_what_is_skipped(book: onebook.Book, at: str) -> None:
    record(book, 1, 2)

    def before(found: list[str]) -> None:
        if at in found:
            raise ValueError

    sink = Batches(1, before)
    served(book, sink, attempts=1, on_failure="halt")
    until(lambda: book.subscribers()[0].state == "halted")
    book.subscribers.skip("batches")
    until(lambda: book.subscribers()[0].lag == 0)
    assert sink.calls == [[item] for item in ids(1, 2) if item != at]


def test_what_is_kept_in_mind_is_never_given_up(book: onebook.Book) -> None:
    record(book, 1, 3)
    asked, mended = [0], [False]

    def before(found: list[str]) -> bool | None:
        if found:
            return False
        asked[0] += 1
        if not mended[0]:
            raise ValueError
        return True

    subscriber = served(book, Batches(100, before), attempts=2)
    until(lambda: asked[0] > 5)
    assert subscriber.lag == 3
    mended[0] = True
    until(lambda: subscriber.lag == 0)
    assert list(book.subscribers.dead_letters()) == []


def test_only_what_failed_itself_is_put_aside(book: onebook.Book) -> None:
    """A sink that fails for a while, and takes one event in the middle of that, loses none but the one it failed at."""
    record(book, 1, 3)
    tries = [0]

    def before(found: list[str]) -> None:
        tries[0] += 1
        if tries[0] != 3 and tries[0] < 6:
            raise ValueError

    sink = Batches(100, before)
    subscriber = served(book, sink, attempts=2)
    until(lambda: subscriber.lag == 0)
    assert list(book.subscribers.dead_letters()) == []
    assert sorted(set(sink.out)) == ids(1, 2, 3)
