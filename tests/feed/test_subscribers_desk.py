"""What a person does about durable subscribers, from the same book or from another process."""

import threading
from pathlib import Path

import pytest
from tests.feed.waiting import Heard, happened, ids, record, until

import onebook
from onebook.domain.reports import SubscriberState
from onebook.feed.policy import Policy
from onebook.feed.subscriber import Subscriber


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Policy, "wait", lambda self, attempts, chance: 0.001)


def halted(book: onebook.Book, heard: Heard, at: str) -> Subscriber:
    heard.failing = {at: 2}
    subscriber = book.subscribe("audit", heard, start="beginning", attempts=2, on_failure="halt")
    until(lambda: book.subscribers()[0].state == "halted")
    return subscriber


def row(book: onebook.Book) -> SubscriberState:
    (found,) = book.subscribers()
    return found


def test_what_it_lists(book: onebook.Book) -> None:
    heard = Heard()
    subscriber = book.subscribe("audit", heard, start="beginning", types="trade_*")
    record(book, 1, 150)
    until(lambda: row(book).lag == 0)
    found = row(book)
    assert (found.name, found.state, found.checkpoint, found.handled) == ("audit", "running", "150", 150)
    assert found.rate > 0
    assert found.mean_seconds > 0
    assert (found.errors, found.dead_letters, found.last_error, found.last_error_at) == (0, 0, "", None)
    assert found.holder
    assert found.updated_at is not None
    subscriber.close()
    assert (row(book).state, row(book).rate, row(book).holder) == ("stopped", 0, "")
    assert book.status().subscribers == (row(book),)


def test_halted_until_somebody_retries(book: onebook.Book) -> None:
    record(book, 1, 3)
    heard = Heard()
    subscriber = halted(book, heard, "2.1")
    assert (heard.ids, subscriber.lag, subscriber.state, heard.calls) == (ids(1), 2, "halted", 4)
    assert row(book).lag == 2
    assert book.subscribers.retry("audit") == 0
    until(lambda: heard.ids == ids(1, 2, 3))
    until(lambda: row(book).state == "running")


def test_halted_until_somebody_skips(book: onebook.Book) -> None:
    record(book, 1, 3)
    heard = Heard()
    halted(book, heard, "2.1")
    book.subscribers.skip("audit")
    until(lambda: heard.ids == [*ids(1), "2.2", *ids(3)])
    until(lambda: (row(book).state, row(book).lag) == ("running", 0))
    assert heard.calls == 7


def test_the_last_event_is_skipped(book: onebook.Book) -> None:
    record(book, 1, 1)
    heard = Heard()
    halted(book, heard, "1.2")
    book.subscribers.skip("audit")
    until(lambda: (row(book).state, row(book).lag) == ("running", 0))
    assert heard.ids == ["1.1"]


def test_a_move_is_noticed_while_records_come_in(book: onebook.Book) -> None:
    """Checkpoints then ride along with commits, which must not hide that somebody acted."""
    record(book, 1, 1)
    heard, over = Heard(), threading.Event()
    halted(book, heard, "1.1")

    def work() -> None:
        number = 10
        while not over.wait(0.001):
            number += 1
            record(book, number, 1)

    busy = threading.Thread(target=work)
    busy.start()
    try:
        book.subscribers.skip("audit")
        until(lambda: heard.ids[:2] == ["1.2", "2.1"])
    finally:
        over.set()
        busy.join()


def test_nothing_to_skip(book: onebook.Book) -> None:
    heard = Heard()
    book.subscribe("audit", heard, start="beginning")
    record(book, 1, 1)
    until(lambda: row(book).lag == 0)
    with pytest.raises(onebook.InputError, match=r"does not stand still: nothing to skip\. It is done up to 1"):
        book.subscribers.skip("audit")


@pytest.mark.parametrize(
    ("to", "wanted"),
    [("beginning", ids(1, 2, 3)), (1, ids(2, 3)), ("2.1", ["2.2", *ids(3)]), ("now", [])],
)
def test_reset(book: onebook.Book, to: int | str, wanted: list[str]) -> None:
    record(book, 1, 3)
    heard = Heard()
    book.subscribe("audit", heard, start="beginning")
    until(lambda: heard.ids == ids(1, 2, 3))
    until(lambda: row(book).lag == 0)
    book.subscribers.reset("audit", to)
    until(lambda: (len(heard.ids), row(book).lag) == (6 + len(wanted), 0))
    assert heard.ids[6:] == wanted


@pytest.mark.parametrize("to", [4, "4.1", "yesterday", "", None])
def test_reset_to_nowhere_is_refused(book: onebook.Book, to: str) -> None:
    record(book, 1, 3)
    book.subscribe("audit", print, types="order_*")
    with pytest.raises(onebook.InputError):
        book.subscribers.reset("audit", to)


def dead(book: onebook.Book, heard: Heard, *events: str, attempts: int = 1) -> None:
    heard.failing = dict.fromkeys(events, attempts)
    book.subscribe("audit", heard, start="beginning", attempts=attempts)
    until(lambda: row(book).dead_letters == len(events))
    until(lambda: row(book).lag == 0)


def letters(book: onebook.Book) -> list[str]:
    return [letter.event_id for letter in book.subscribers.dead_letters("audit")]


def test_dead_letters_are_brought_again(book: onebook.Book) -> None:
    record(book, 1, 3)
    heard = Heard()
    dead(book, heard, "1.2", "2.1", "3.1")
    assert letters(book) == ["1.2", "2.1", "3.1"]
    assert book.subscribers.retry("audit", "2.1") == 1
    until(lambda: letters(book) == ["1.2", "3.1"])
    assert book.subscribers.retry("audit") == 2
    until(lambda: not letters(book))
    assert heard.ids == ["1.1", "2.2", "3.2", "2.1", "1.2", "3.1"]
    assert row(book).lag == 0


def test_a_dead_letter_that_fails_again_stays_with_the_newest_reason(book: onebook.Book) -> None:
    record(book, 1, 2)
    heard = Heard()
    dead(book, heard, "1.1")
    heard.failing, heard.problem = {"1.1": 1}, lambda: KeyError("gone")
    book.subscribers.retry("audit")
    until(lambda: [letter.reason for letter in book.subscribers.dead_letters()] == ["KeyError: 'gone'"])
    (letter,) = book.subscribers.dead_letters("audit")
    assert (letter.attempts, letter.retrying) == (2, False)
    record(book, 3, 1)
    until(lambda: heard.ids[-1] == "3.2")


def test_dead_letters_are_dropped(book: onebook.Book) -> None:
    record(book, 1, 3)
    heard = Heard()
    dead(book, heard, "1.2", "2.1", "3.1")
    assert book.subscribers.drop("audit", "2.1") == 1
    assert letters(book) == ["1.2", "3.1"]
    assert book.subscribers.drop("audit") == 2
    assert (letters(book), book.subscribers.drop("audit"), book.subscribers.retry("audit")) == ([], 0, 0)


def test_more_dead_letters_than_a_page(book: onebook.Book) -> None:
    record(book, 1, 260)
    heard = Heard()
    every = ids(*range(1, 261))
    dead(book, heard, *every)
    assert letters(book) == every
    assert book.subscribers.retry("audit", "260.2") == 1
    until(lambda: heard.ids == ["260.2"])
    assert book.subscribers.retry("audit") == 519
    until(lambda: heard.ids[1:] == every[:-1])
    until(lambda: not letters(book))


@pytest.mark.parametrize("act", ["retry", "drop"])
def test_a_letter_that_is_not_there(book: onebook.Book, act: str) -> None:
    book.subscribe("audit", print, types="order_*")
    with pytest.raises(
        onebook.InputError, match=r"1\.1 is no dead letter of audit; see: onebook subscribers dead audit"
    ):
        getattr(book.subscribers, act)("audit", "1.1")
    for wrong in ("1", "yesterday"):
        with pytest.raises(onebook.InputError, match=r"neither a sequence|no event id such as 57\.1"):
            getattr(book.subscribers, act)("audit", wrong)


@pytest.mark.parametrize("act", ["skip", "retry", "drop", "reset", "remove"])
def test_a_name_that_is_not_there(book: onebook.Book, act: str) -> None:
    given = ("audit", "now") if act == "reset" else ("audit",)
    with pytest.raises(onebook.InputError, match="'audit' is no subscriber of this book; there are none yet"):
        getattr(book.subscribers, act)(*given)
    book.subscribe("other", print, types="order_*")
    with pytest.raises(onebook.InputError, match="there are other"):
        getattr(book.subscribers, act)(*given)


def test_removed_when_nobody_serves_it(book: onebook.Book) -> None:
    record(book, 1, 1)
    heard = Heard()
    dead(book, heard, "1.1")
    with pytest.raises(onebook.StoreError, match=r"audit is being served by .*; stop that first"):
        book.subscribers.remove("audit")
    book.feed.subscribers[0].close()
    book.subscribers.remove("audit")
    assert (book.subscribers(), list(book.subscribers.dead_letters())) == ([], [])


def test_from_another_book_on_the_same_file(tmp_path: Path) -> None:
    heard = Heard()
    with onebook.open(tmp_path / "book.db") as book, onebook.open(tmp_path / "book.db") as person:
        record(book, 1, 3)
        halted(book, heard, "2.1")
        assert row(person).last_error == "ValueError: not today"
        person.subscribers.skip("audit")
        until(lambda: row(person).lag == 0)
        assert heard.ids == [*ids(1), "2.2", *ids(3)]
        person.subscribers.reset("audit", 2)
        until(lambda: heard.ids[5:] == ids(3))


def test_moved_while_its_handler_is_busy(book: onebook.Book) -> None:
    inside, go, heard = threading.Event(), threading.Event(), Heard()

    def handler(event: onebook.Event) -> None:
        heard(event)
        if len(heard.ids) == 1:
            inside.set()
            happened(go)

    record(book, 1, 3)
    book.subscribe("audit", handler, start="beginning")
    happened(inside)
    book.subscribers.reset("audit", 2)
    go.set()
    until(lambda: row(book).lag == 0)
    until(lambda: heard.ids[-2:] == ids(3))
    until(lambda: row(book).checkpoint == "3")
