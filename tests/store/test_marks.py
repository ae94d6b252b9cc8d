"""Marks in a SQLite file: no sync, a connection of their own, and no other write waits or fails because of them."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from onebook.errors import StoreBusy, StoreError
from onebook.store.port import Row
from onebook.store.sqlite.store import SqliteStore
from onebook.testing import FaultVFS
from onebook.testing.store_rows import append

MARK: Row = ("A", "1", 1, "x", 1)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "book.db")


def test_marks_are_written_without_a_sync_and_records_with_one(path: str) -> None:
    vfs = FaultVFS()
    store = SqliteStore(path, vfs=vfs.name)
    append(store, 1)
    store.put_marks([MARK], [])
    before = vfs.calls["xSync"]
    for number in range(2, 50):
        store.put_marks([("A", str(number), number, "x", 1)], [("A", number, "1", number)])
    assert vfs.calls["xSync"] == before
    append(store, 1)
    assert vfs.calls["xSync"] > before
    assert store.marks() == [("A", "49", 49, "x", 1)]
    store.close()


def test_a_transaction_that_begins_while_marks_are_written_waits_for_them(path: str) -> None:
    store = SqliteStore(path, busy_ms=0)
    problems: list[BaseException] = []
    begun = threading.Event()

    def record() -> None:
        begun.set()
        try:
            append(store, 1)
        except StoreError as problem:
            problems.append(problem)

    thread = threading.Thread(target=record)

    def rows() -> Iterator[Row]:
        thread.start()
        assert begun.wait(30)
        thread.join(0.05)
        assert thread.is_alive()
        yield MARK

    store.put_marks(rows(), [])
    thread.join(30)
    assert not problems
    assert (store.head()[0], store.marks()) == (1, [MARK])
    store.close()


def test_marks_give_way_at_once_or_wait_when_asked_to(path: str) -> None:
    store, other = SqliteStore(path), SqliteStore(path)
    other.begin()
    began = time.perf_counter()
    with pytest.raises(StoreBusy) as caught:
        store.put_marks([MARK], [])
    assert caught.value.retryable
    assert time.perf_counter() - began < 5  # asked to wait it would take ten
    timer = threading.Timer(0.05, other.rollback)
    timer.start()
    store.put_marks([MARK], [], wait=True)
    timer.join()
    assert store.marks() == [MARK]
    for each in (store, other):
        each.close()


def test_marks_after_a_full_disk(path: str) -> None:
    vfs = FaultVFS()
    store = SqliteStore(path, vfs=vfs.name)
    store.put_marks([MARK], [])
    vfs.fail("xWrite", 1, "disk_full", times=10**6)
    with pytest.raises(StoreError, match="disk is full"):
        store.put_marks([("B", "2", 1, "x", 1)], [])
    vfs.heal()
    append(store, 1)
    store.put_marks([("B", "2", 1, "x", 1)], [])
    assert sorted(store.marks()) == [MARK, ("B", "2", 1, "x", 1)]
    store.close()
