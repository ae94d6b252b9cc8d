"""How followers learn that the log grew: in the process, and between processes on one file."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.feed.waiting import Heard, fill, ids, in_order, record, until

import onebook
from onebook.book.commit import Request
from onebook.book.wakeups import Wakeups
from onebook.errors import StoreError
from onebook.store.memory import MemoryStore

CHILD = Path(__file__).with_name("following_child.py")


class Child:
    """A process that follows a book; see its file."""

    def __init__(self, path: Path, *given: str) -> None:
        command = [sys.executable, str(CHILD), str(path), *given]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        until(lambda: self.lines or self.process.poll() is not None)
        assert self.lines
        assert self.lines.pop(0) == "ready"

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reading.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def children() -> Iterator[list[Child]]:
    made: list[Child] = []
    yield made
    for child in made:
        child.kill()


@pytest.mark.parametrize("how", ["listen", "events", "aio"])
def test_another_process_hears_everything_in_order(tmp_path: Path, children: list[Child], how: str) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path) as book:
        record(book, 1, 2)
        child = Child(path, how)
        children.append(child)
        threads = [threading.Thread(target=record, args=(book, 1000 * number, 25)) for number in range(1, 5)]
        for thread in threads:
            thread.start()
        book.record_many([fill(number) for number in range(10_000, 10_700)])
        for thread in threads:
            thread.join()
        until(lambda: child.lines and child.lines[-1] == "802.2")
        assert child.lines == ids(*range(3, 803))


def test_two_processes_write_and_both_hear_both(tmp_path: Path, children: list[Child]) -> None:
    path, heard = tmp_path / "book.db", Heard()
    with onebook.open(path) as book:
        book.listen(heard)
        child = Child(path, "record", "60")
        children.append(child)
        record(book, 1, 60)
        until(lambda: len(heard.ids) == 240)
        until(lambda: len(child.lines) == 240)
        assert heard.ids == child.lines == ids(*range(1, 121))


def test_the_holder_of_a_name_is_killed_and_another_takes_over(tmp_path: Path, children: list[Child]) -> None:
    path, heard = tmp_path / "book.db", Heard()
    with onebook.open(path) as book:
        child = Child(path, "subscribe")
        children.append(child)
        subscriber = book.subscribe("audit", heard, start="beginning")
        assert (subscriber.state, subscriber.lag) == ("waiting", 0)
        record(book, 1, 5)
        until(lambda: child.lines == ids(*range(1, 6)))
        assert heard.ids == []
        child.kill()
        record(book, 6, 5)
        until(lambda: subscriber.state == "running", seconds=20)
        until(lambda: heard.ids[-1:] == ["10.2"])
        assert in_order(heard.ids)
        assert set(ids(*range(6, 11))) <= set(heard.ids)
        assert os.getpid() == int(book.subscribers()[0].holder.split(":")[1])


# ---- in the process ----


def test_wait_ends_when_the_log_grew_or_the_book_closed() -> None:
    wakeups = Wakeups(MemoryStore())
    assert not wakeups.wait(0, 0.0)
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(wakeups.wait(0, None))) for _ in range(3)]
    for thread in threads:
        thread.start()
    wakeups.grew(1)
    for thread in threads:
        thread.join(30)
    assert found == [True] * 3
    last = threading.Thread(target=lambda: found.append(wakeups.wait(1, None)))
    last.start()
    wakeups.close()
    last.join(30)
    assert found[3:] == [False]


def test_the_head_never_goes_back() -> None:
    wakeups = Wakeups(MemoryStore())
    wakeups.grew(5)
    wakeups.grew(4)
    assert (wakeups.head, wakeups.wait(4, 0.0)) == (5, True)


def test_the_poll_outlives_a_file_that_cannot_be_read_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, path, broken = Heard(), tmp_path / "book.db", threading.Event()
    with onebook.open(path) as writer, onebook.open(path) as book:
        from onebook.store.sqlite.reader import SqliteReader

        real = SqliteReader.changed

        def changed(reader: SqliteReader) -> int:
            if not broken.is_set():
                broken.set()
                raise StoreError("the disk is away")
            return real(reader)

        monkeypatch.setattr(SqliteReader, "changed", changed)
        book.listen(heard)
        assert broken.wait(30)
        record(writer, 1, 1)
        until(lambda: heard.ids == ids(1))


def test_what_is_announced_is_committed(book: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that runs ahead of the log would keep its readers turning in vain."""
    ahead: list[int] = []
    leave, commit = book.committer._leave, book.store.commit

    def leave_and_linger(own: Request) -> None:
        leave(own)
        time.sleep(0.002)

    def commit_slowly() -> None:
        time.sleep(0.002)
        commit()

    monkeypatch.setattr(book.committer, "_leave", leave_and_linger)
    monkeypatch.setattr(book.store, "commit", commit_slowly)
    real = book.wakeups.grew

    def grew(head: int) -> None:
        with book.store.reading() as reader:
            if reader.head()[0] < head:
                ahead.append(head)
        real(head)

    book.wakeups.grew = grew  # type: ignore[method-assign]
    book.subscribe("shadow", lambda event, tx: tx.publish("shadow.made"), in_book=True, types="trade_*")
    threads = [threading.Thread(target=record, args=(book, 1000 * number, 10)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: book.status().entries == 80)
    assert not ahead


def test_a_start_that_is_interrupted_does_not_spoil_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: threading.Thread) -> None:
        raise KeyboardInterrupt

    wakeups = Wakeups(MemoryStore())
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(KeyboardInterrupt), wakeups:
            pass
    wakeups.close()
    assert wakeups.closed
