"""Durable subscribers: at least once, in order, over restarts; failures, dead letters, leases."""

import threading
from pathlib import Path

import pytest
from tests.feed.waiting import Heard, fill, happened, ids, record, until

import onebook
from onebook.errors import StoreBusy
from onebook.feed import checkpoint
from onebook.feed.policy import Policy

QUICK = 0.001


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let retries come quickly; how long they wait is tested by itself."""
    monkeypatch.setattr(Policy, "wait", lambda self, attempts, chance: QUICK)


def told(book: onebook.Book, heard: Heard, upto: int) -> None:
    until(lambda: heard.ids and heard.ids[-1] == f"{upto}.2")


# ---- where it starts, and goes on ----


@pytest.mark.parametrize(
    ("start", "wanted"), [("now", ids(4)), ("beginning", ids(1, 2, 3, 4)), (2, ids(3, 4)), ("2.1", ["2.2", *ids(3, 4)])]
)
def test_start(book: onebook.Book, start: int | str, wanted: list[str]) -> None:
    record(book, 1, 3)
    heard = Heard()
    subscriber = book.subscribe("audit", heard, start=start)
    record(book, 4, 1)
    told(book, heard, 4)
    until(lambda: subscriber.lag == 0)
    assert heard.ids == wanted


@pytest.mark.parametrize("start", ["yesterday", "", "1.2.3", True, 4, "4.1"])
def test_an_unknown_start_is_refused(book: onebook.Book, start: str) -> None:
    record(book, 1, 3)
    with pytest.raises(onebook.InputError, match="start"):
        book.subscribe("audit", print, start=start)
    assert book.subscribers() == []


def test_a_name_is_needed_and_a_policy_that_can_be(book: onebook.Book) -> None:
    with pytest.raises(onebook.InputError, match="name"):
        book.subscribe("", print)
    with pytest.raises(onebook.BadConfig, match="on_failure: 'shrug' is neither dead_letter nor halt"):
        book.subscribe("audit", print, on_failure="shrug")
    for attempts in (0, -1, True, 1.5):
        with pytest.raises(onebook.BadConfig, match="attempts"):
            book.subscribe("audit", print, attempts=attempts)  # type: ignore[arg-type]
    assert book.subscribers() == []


def test_the_checkpoint_survives_and_start_counts_no_more(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    first, second = Heard(), Heard()
    with onebook.open(path) as book:
        record(book, 1, 2)
        book.subscribe("audit", first, start="beginning")
        until(lambda: first.ids == ids(1, 2))
    with onebook.open(path) as book:
        record(book, 3, 1)
        go = threading.Event()

        def handler(event: onebook.Event) -> None:
            happened(go)
            second(event)

        assert book.subscribe("audit", handler, start="beginning").lag == 1
        go.set()
        until(lambda: second.ids == ids(3))
        until(lambda: book.subscribers()[0].lag == 0)


@pytest.mark.parametrize("burst", [1, 7, 150, 1200])
def test_stopped_right_after_a_burst(tmp_path: Path, burst: int) -> None:
    """Nothing is lost and nothing comes twice at the next start."""
    path, heard = tmp_path / "book.db", Heard()
    with onebook.open(path) as book:
        book.subscribe("audit", heard, types="trade_*")
        book.record_many([fill(number) for number in range(1, burst + 1)])
    before = len(heard.ids)
    with onebook.open(path) as book:
        book.subscribe("audit", heard, types="trade_*")
        until(lambda: len(heard.ids) >= burst)
    assert heard.ids == [f"{number}.1" for number in range(1, burst + 1)], f"{before} before the stop"


def test_lag_is_right_from_the_call(book: onebook.Book) -> None:
    record(book, 1, 5)
    go = threading.Event()
    subscriber = book.subscribe("audit", lambda _: happened(go), start="2.1")
    assert subscriber.lag == 4
    book.record(fill(6))
    assert subscriber.lag == 5
    go.set()
    until(lambda: subscriber.lag == 0)


def test_lag_counts_what_is_passed_over_as_done(book: onebook.Book) -> None:
    subscriber = book.subscribe("audit", print, types="order_*", start="beginning")
    record(book, 1, 700)
    until(lambda: subscriber.lag == 0)


def test_added_and_removed_while_running(book: onebook.Book) -> None:
    one, other = Heard(), Heard()
    first = book.subscribe("one", one)
    record(book, 1, 1)
    until(lambda: one.ids == ids(1))
    with book.subscribe("other", other):
        record(book, 2, 1)
        until(lambda: other.ids == ids(2))
    record(book, 3, 1)
    until(lambda: one.ids == ids(1, 2, 3))
    first.close()
    assert (other.ids, book.feed.subscribers) == (ids(2), ())
    assert [(row.name, row.state) for row in book.subscribers()] == [("one", "stopped"), ("other", "stopped")]


def test_added_and_closed_from_its_own_handler(book: onebook.Book) -> None:
    heard, inner = Heard(), Heard()

    def handler(event: onebook.Event) -> None:
        heard(event)
        book.subscribe("inner", inner, start=event.id)
        subscriber.close()

    subscriber = book.subscribe("outer", handler, start="beginning")
    record(book, 1, 2)
    until(lambda: inner.ids == ["1.2", *ids(2)])
    until(lambda: book.subscribers()[1].state == "stopped")
    assert heard.ids == ["1.1"]
    assert book.subscribers()[1].checkpoint == "1.1"


def test_closing_the_book_from_inside_a_handler_keeps_what_is_done(tmp_path: Path) -> None:
    path, heard, ended = tmp_path / "book.db", Heard(), threading.Event()

    def handler(event: onebook.Event) -> None:
        if event.id == "2.1":
            book.close()
            ended.set()
        heard(event)

    book = onebook.open(path)
    book.subscribe("audit", handler)
    record(book, 1, 3)
    happened(ended)
    again = Heard()
    with onebook.open(path) as book:
        assert [(row.state, row.checkpoint) for row in book.subscribers()] == [("stopped", "1")]
        book.subscribe("audit", again)
        until(lambda: again.ids == ids(2, 3))


def test_closing_the_book_with_a_stuck_handler_ends(place: str) -> None:
    inside, go = threading.Event(), threading.Event()

    def stuck(_: onebook.Event) -> None:
        inside.set()
        go.wait(60)

    book = onebook.open(place)
    book.subscribe("audit", stuck, start="beginning")
    record(book, 1, 1)
    happened(inside)
    closing = threading.Thread(target=book.close, daemon=True)
    closing.start()
    closing.join(30)
    assert not closing.is_alive()
    go.set()


def test_a_read_only_book_lets_listen_and_refuses_subscribe(tmp_path: Path) -> None:
    path, heard = tmp_path / "book.db", Heard()
    with onebook.open(path) as writer, onebook.open(path, read_only=True) as reader:
        reader.listen(heard)
        with pytest.raises(onebook.StoreError, match="read_only, and a checkpoint is kept in the book; use listen"):
            reader.subscribe("audit", print)
        record(writer, 1, 2)
        until(lambda: heard.ids == ids(1, 2))
        assert writer.subscribers() == reader.subscribers() == []


# ---- what fails ----


def test_one_that_raises_is_tried_again_and_stays(book: onebook.Book) -> None:
    heard = Heard()
    heard.failing = {"1.2": 3, "2.1": 1}
    subscriber = book.subscribe("audit", heard, start="beginning")
    record(book, 1, 3)
    told(book, heard, 3)
    assert (heard.ids, heard.calls) == (ids(1, 2, 3), 10)
    assert (subscriber.errors, subscriber.last_error) == (4, "ValueError: not today")
    until(lambda: book.subscribers()[0].state == "running")
    row = book.subscribers()[0]
    assert (row.last_error, row.dead_letters, row.errors) == ("ValueError: not today", 0, 4)


@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize("event_id", ["1.1", "2.2", "3.2"])
def test_after_the_last_attempt_it_is_a_dead_letter(book: onebook.Book, attempts: int, event_id: str) -> None:
    heard = Heard()
    heard.failing = {event_id: 99}
    book.subscribe("audit", heard, start="beginning", attempts=attempts)
    record(book, 1, 3)
    until(lambda: heard.calls == 5 + attempts)
    until(lambda: book.subscribers()[0].lag == 0)
    assert heard.ids == [item for item in ids(1, 2, 3) if item != event_id]
    assert heard.failing == {event_id: 99 - attempts}
    (letter,) = book.subscribers.dead_letters("audit")
    assert (letter.subscriber, letter.event_id, letter.attempts) == ("audit", event_id, attempts)
    assert (letter.reason, letter.retrying) == ("ValueError: not today", False)
    assert book.subscribers()[0].dead_letters == 1


def test_what_no_trying_helps_is_not_tried_again(book: onebook.Book) -> None:
    heard = Heard()
    heard.failing, heard.problem = {"1.1": 9}, lambda: onebook.InputError("malformed")
    book.subscribe("audit", heard, start="beginning", types="trade_*")
    record(book, 1, 2)
    until(lambda: heard.ids == ["2.1"])
    assert heard.calls == 2


def test_attempts_without_end(book: onebook.Book) -> None:
    heard = Heard()
    heard.failing = {"1.1": 40}
    book.subscribe("audit", heard, start="beginning", attempts=None)
    record(book, 1, 1)
    until(lambda: heard.ids == ids(1))
    assert not list(book.subscribers.dead_letters())


def test_attempts_are_counted_over_restarts(tmp_path: Path) -> None:
    path, heard = tmp_path / "book.db", Heard()
    heard.failing = {"1.1": 9}
    with onebook.open(path) as book:
        book.subscribe("audit", heard, start="beginning", attempts=3, on_failure="halt")
        record(book, 1, 1)
        until(lambda: book.subscribers()[0].state == "halted")
    with onebook.open(path) as book:
        subscriber = book.subscribe("audit", heard, attempts=3, on_failure="halt")
        assert (subscriber.state, subscriber.lag) == ("halted", 1)
    assert heard.calls == 3


# ---- when checkpoints are written ----


def test_checkpoints_ride_along_with_records(book: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that ten subscribers do not cost ten transactions; what is undone with one rides with the next."""
    monkeypatch.setattr(checkpoint, "SAVE_SECONDS", 0.0)
    heard, commit, refusals = Heard(), book.store.commit, [StoreBusy("one")]

    def refuse(_: object) -> None:
        raise StoreBusy("beside the records nothing is written")

    def commit_or_fail() -> None:
        if refusals:
            raise refusals.pop()
        commit()

    subscriber = book.subscribe("audit", heard)
    with monkeypatch.context() as riding:
        riding.setattr(book.store, "aside", refuse)
        for number in range(1, 20):
            if number == 9:
                riding.setattr(book.store, "commit", commit_or_fail)
                with pytest.raises(StoreBusy):
                    book.record(fill(number))
            book.record(fill(number))
            until(lambda: subscriber.lag == 0)
            assert heard.ids == ids(*range(1, number + 1))
        assert book.subscribers()[0].checkpoint == "18"
        assert book.subscribers()[0].handled == 36
    subscriber.close()
    assert [(row.state, row.checkpoint, row.handled) for row in book.subscribers()] == [("stopped", "19", 38)]


def test_a_checkpoint_that_cannot_ride_leaves_the_others_free(
    book: onebook.Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SAVE_SECONDS", 0.0)
    first, second = book.subscribe("first", Heard()), book.subscribe("second", Heard())
    record(book, 1, 1)
    until(lambda: (first.lag, second.lag) == (0, 0))

    def fail(_: object) -> bool:
        raise StoreBusy("not now")

    with monkeypatch.context() as failing:
        failing.setattr(second, "ride", fail)
        with pytest.raises(StoreBusy, match="not now"):
            record(book, 2, 1000)
    first.close()
    second.close()
    assert not first.checkpoint.held
    assert {row.state for row in book.subscribers()} == {"stopped"}
