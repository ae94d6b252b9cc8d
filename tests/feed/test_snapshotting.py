"""Snapshots by themselves: when one is due, of one process only; and nothing that is read back is sent anywhere."""

import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

import onebook
from onebook import Fill
from onebook.book import snapshots
from onebook.book.snapshots import Folder
from onebook.domain import times
from onebook.errors import StoreError
from onebook.feed import snapshotting
from onebook.feed.sink import Around
from onebook.feed.snapshotting import LEASE_NS, NAME, Snapshotting
from onebook.store.subscribers import SubscriberRows
from onebook.testing.clock import FakeClock

MINUTE = 60.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock("2024-07-01T00:00:00Z")


@pytest.fixture
def book(tmp_path: Path, clock: FakeClock) -> Iterator[onebook.Book]:
    with onebook.open(str(tmp_path / "book.db"), clock=clock) as opened:
        yield opened


def record(book: onebook.Book, number: int) -> None:
    book.record(Fill(instrument="AAPL", side="buy", quantity=1, price=number, venue="v", venue_fill_id=str(number)))


def maker(book: onebook.Book, clock: FakeClock, **given: Any) -> Snapshotting:
    wanted: dict[str, Any] = {"every_minutes": 5, "every_entries": 10, "clock": clock}
    return Snapshotting(book, **(wanted | given))


def sequence(made: Any) -> int | None:
    return None if made is None else made.sequence


def test_when_one_is_due(book: onebook.Book, clock: FakeClock) -> None:
    """At once, then after minutes if anything was recorded, or after entries; never for nothing new."""
    making = maker(book, clock)
    assert making.look() is None  # nothing is recorded
    record(book, 1)
    assert sequence(making.look()) == 1
    clock.advance(100 * MINUTE)
    assert making.look() is None  # what says that the first of the day was taken is nothing new
    record(book, 2)
    assert sequence(making.look()) == 3
    record(book, 3)
    clock.advance(4 * MINUTE)
    assert making.look() is None
    clock.advance(MINUTE)
    assert sequence(making.look()) == 4
    for number in range(4, 13):
        record(book, number)
    assert making.look() is None
    record(book, 13)
    assert sequence(making.look()) == 14
    assert [taken.sequence for taken in book.snapshots()] == [14, 4, 3, 1]
    assert all(taken.anchor for taken in book.snapshots())


def test_neither_by_time_nor_by_entries(book: onebook.Book, clock: FakeClock) -> None:
    record(book, 1)
    by_time = maker(book, clock, every_entries=0)
    assert sequence(by_time.look()) == 1
    for number in range(2, 50):
        record(book, number)
    assert by_time.look() is None
    by_entries = maker(book, clock, every_minutes=0)
    clock.advance(600 * MINUTE)
    assert sequence(by_entries.look()) == 50
    record(book, 50)
    clock.advance(600 * MINUTE)
    assert by_entries.look() is None


def test_one_a_day_is_told_and_anchors_grow_rare(
    book: onebook.Book, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshotting, "ANCHOR_ENTRIES", 3)
    making = maker(book, clock)
    for number in range(1, 9):
        record(book, number)
        assert making.look() is not None
        clock.advance(6 * 60 * MINUTE)
    anchors = [taken.sequence for taken in reversed(book.snapshots()) if taken.anchor]
    assert anchors == [1, 3, 6]  # the first two of a short log, then the first of the second day
    assert [event.data["sequence"] for event in book.events(types="snapshot_taken")] == [1, 6]


def test_old_ones_go(book: onebook.Book, clock: FakeClock) -> None:
    making = maker(book, clock, keep=2, keep_days=2)
    for number in range(1, 7):
        record(book, number)
        making.look()
        clock.advance(12 * 60 * MINUTE)
    assert len(book.snapshots()) == 3  # the newest two, and one of the day before


def test_a_folder_of_ones_own(book: onebook.Book, clock: FakeClock, tmp_path: Path) -> None:
    record(book, 1)
    maker(book, clock, folder=str(tmp_path / "there")).look()
    assert len(Folder(tmp_path / "there").files()) == 1
    assert book.snapshots() == []


def test_a_book_in_memory_needs_a_folder(clock: FakeClock, tmp_path: Path) -> None:
    with onebook.open(":memory:", clock=clock) as book:
        record(book, 1)
        with pytest.raises(StoreError, match="say where its snapshots go"):
            maker(book, clock).start()
        assert maker(book, clock).look() is None
        assert maker(book, clock, folder=str(tmp_path)).look() is not None


def test_one_process_takes_them(book: onebook.Book, clock: FakeClock, tmp_path: Path) -> None:
    """Who finds another at it leaves it to that; a dead one's turn ends with its lease."""
    with onebook.open(str(tmp_path / "book.db"), clock=clock) as second:
        mine, other = maker(book, clock), maker(second, clock)
        record(book, 1)
        assert mine.look() is not None
        assert other.look() is None  # it is there already
        record(book, 2)
        clock.advance(5 * MINUTE)

        def claim(rows: SubscriberRows) -> None:
            now = clock()
            rows.claim(NAME, "somebody", (0, 0), now, now + LEASE_NS)

        book.store.aside(claim)
        assert (mine.look(), other.look()) == (None, None)
        clock.advance(LEASE_NS / times.SECOND + 1)
        assert other.look() is not None
        assert mine.look() is None
    with book.store.reading() as reader:
        row = reader.subscriber(NAME)
    assert row is not None
    assert (row.holder, row.handled, row.sequence) == ("", 2, 3)


def test_who_comes_late_finds_it_done(
    book: onebook.Book, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and having the turn another process took one."""
    with onebook.open(str(tmp_path / "book.db"), clock=clock) as second:
        record(book, 1)
        taken: list[Any] = []
        aside = book.store.aside

        def after_another(work: Any) -> Any:
            if not taken:
                taken.append(maker(second, clock).look())
            return aside(work)

        monkeypatch.setattr(book.store, "aside", after_another)
        assert maker(book, clock).look() is None
        assert [sequence(found) for found in taken] == [1]


def test_a_failure_gives_the_turn_back(book: onebook.Book, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise StoreError("no")

    record(book, 1)
    with monkeypatch.context() as patched:
        patched.setattr(snapshotting, "take", failing)
        with pytest.raises(StoreError):
            maker(book, clock).look()
    assert sequence(maker(book, clock).look()) == 1


def test_it_runs_beside_the_book(book: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshotting, "LOOK_SECONDS", 0.01)
    making = Snapshotting(book, every_entries=1)
    record(book, 1)
    making.start()
    until = monotonic() + 20
    while not book.snapshots() and monotonic() < until:
        sleep(0.02)
    making.close()
    making.close()
    assert book.snapshots()
    assert "onebook-snapshots" not in {thread.name for thread in threading.enumerate()}


def test_the_thread_survives_a_failure(
    book: onebook.Book, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(snapshotting, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(snapshotting, "RETRY_SECONDS", 0.01)
    tries = []

    def failing(*given: Any, **more: Any) -> Any:
        tries.append(given)
        if len(tries) < 3:
            raise StoreError("not now")
        return real(*given, **more)

    real = snapshots.take
    monkeypatch.setattr(snapshotting, "take", failing)
    record(book, 1)
    making = Snapshotting(book)
    making.start()
    until = monotonic() + 20
    while not book.snapshots() and monotonic() < until:
        sleep(0.02)
    making.close()
    assert len(tries) == 3
    assert "no snapshot was taken" in caplog.text


# ---- nothing is sent when the past is read back ----


class Heard:
    """A listener, a subscriber and a sink in one: what it was told."""

    max_batch = 10

    def __init__(self) -> None:
        self.events: list[str] = []

    def __call__(self, event: onebook.Event) -> None:
        self.events.append(event.id)


def settled(heard: Heard, wanted: int) -> list[str]:
    until = monotonic() + 20
    while len(heard.events) < wanted and monotonic() < until:
        sleep(0.01)
    sleep(0.1)
    return list(heard.events)


def test_rebuild_verify_and_restore_tell_nobody(tmp_path: Path) -> None:
    """Listeners, subscribers and sinks hear what is recorded, once, whatever is folded again."""
    path = str(tmp_path / "book.db")
    listener, subscriber = Heard(), Heard()
    config = {"routes": {"all": {"to": "jsonl", "path": str(tmp_path / "events.jsonl"), "start": "beginning"}}}
    with onebook.open(path, config=config) as book:
        book.listen(listener)
        book.subscribe("mine", subscriber, start="beginning")
        for number in range(1, 6):
            record(book, number)
        book.snapshot()
        told = 11  # five fills with their positions, and the snapshot
        assert len(settled(listener, told)) == len(settled(subscriber, told)) == told
        for from_zero in (False, True):
            assert book.rebuild(from_zero=from_zero).ok
            assert book.verify().ok
        book.backup(str(tmp_path / "backup.db"))
        record(book, 9)
        assert len(settled(listener, told + 2)) == len(settled(subscriber, told + 2)) == told + 2
        assert len(set(listener.events)) == len(set(subscriber.events)) == told + 2
        onebook.restore(str(tmp_path / "backup.db"), str(tmp_path / "restored.db"))
        sleep(0.3)  # long enough for what a restore would tell
        assert len(listener.events) == len(subscriber.events) == told + 2
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert len(lines) == told + 2


def test_a_restore_ends_all_leases_and_keys_differ(tmp_path: Path) -> None:
    """Who served a name on the day of the backup does not hold it in the restored book; its checkpoint stays."""
    from onebook.book.keeping import book_id

    path, restored = str(tmp_path / "book.db"), str(tmp_path / "restored.db")
    heard, again = Heard(), Heard()
    with onebook.open(path) as book:
        subscriber = book.subscribe("mine", heard, start="beginning")
        record(book, 1)
        settled(heard, 2)
        until = monotonic() + 20
        while subscriber.lag and monotonic() < until:
            sleep(0.01)
        subscriber._save()
        book.backup(str(tmp_path / "backup.db"))
        before = book_id(book.store)
        record(book, 2)
        first = next(iter(book.events()))
        keys = {Around(name="x", book=book, clock=book.now, book_id=before).key(first)}
    onebook.restore(str(tmp_path / "backup.db"), restored)
    with onebook.open(restored) as book:
        with book.store.reading() as reader:
            row = reader.subscriber("mine")
        assert row is not None
        assert (row.holder, row.lease_until_ns, row.sequence) == ("", 0, 1)
        assert book_id(book.store) != before
        keys.add(Around(name="x", book=book, clock=book.now, book_id=book_id(book.store)).key(first))
        assert len(keys) == 2
        book.subscribe("mine", again, start="beginning")
        record(book, 3)
        assert settled(again, 3) == ["2.1", "3.1", "3.2"]  # the restore, and what came after it
