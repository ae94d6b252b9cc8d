"""Snapshots as files: whole or not there, never used when damaged, and only so many of them."""

import errno
import gzip
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.book.snapshot_books import fill, harm, record

import onebook
from onebook.book import snapshot_files
from onebook.book.snapshots import LEFTOVER_SECONDS, Folder, take
from onebook.domain import times
from onebook.errors import SourceError, StoreError, StoreFull
from onebook.store.sqlite.store import SqliteStore


def test_what_a_snapshot_says(kept: onebook.Book) -> None:
    kept.state.set("bots.one", {"size": Decimal("1.5")})
    taken = kept.snapshot()
    assert kept.snapshot_folder is not None
    assert Path(taken.path).parent == kept.snapshot_folder
    assert Path(taken.path).name == f"snapshot-{taken.sequence:012d}.jsonl.gz"
    assert (taken.anchor, taken.size) == (True, Path(taken.path).stat().st_size)
    assert kept.snapshots() == [taken]
    told = list(kept.events(types="snapshot_taken"))
    assert [event.data["sequence"] for event in told] == [taken.sequence]
    assert kept.status().entries == taken.sequence + 1
    lines = [json.loads(line) for line in gzip.decompress(Path(taken.path).read_bytes()).splitlines()]
    assert lines[0]["hash"] == taken.head_hash
    assert [list(line) for line in lines[1:]] == [
        ["ledgers"], ["positions"], ["days"], ["tally"], ["state"], ["digests"], ["sha256"],
    ]  # fmt: skip
    assert lines[5]["state"] == [["bots.one", {"size": {"$decimal": "1.5"}}]]


def test_a_file_of_ones_own(kept: onebook.Book, tmp_path: Path) -> None:
    taken = kept.snapshot(tmp_path / "mine.gz")
    assert Path(taken.path) == tmp_path / "mine.gz"
    assert snapshot_files.read(tmp_path / "mine.gz").header.sequence == taken.sequence
    assert kept.snapshots() == []


def test_refusals(tmp_path: Path, kept: onebook.Book) -> None:
    with onebook.open(":memory:") as book:
        book.record(fill(1))
        with pytest.raises(StoreError, match="no folder"):
            book.snapshot()
        assert book.snapshots() == []
        book.snapshot(tmp_path / "memory.gz")
    with onebook.open(str(tmp_path / "empty.db")) as book, pytest.raises(StoreError, match="nothing is recorded"):
        book.snapshot()
    with pytest.raises(SourceError, match="cannot be written"):
        kept.snapshot(tmp_path / "no folder" / "x.gz")
    (tmp_path / "file").touch()
    kept.snapshot_folder = tmp_path / "file"
    with pytest.raises(SourceError, match="cannot be written"):
        kept.snapshot()


def test_a_read_only_book_says_nothing_in_its_log(kept: onebook.Book) -> None:
    assert isinstance(kept.store, SqliteStore)
    with onebook.open(kept.store.path, read_only=True) as book:
        assert book.snapshot().sequence == book.status().entries


def damaged(data: bytes) -> Iterator[bytes]:
    for part in range(20):
        yield data[: len(data) * part // 20]
    for place in range(0, len(data), max(1, len(data) // 400)):
        for bit in (0, 3, 7):
            yield data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
    yield data + b"x"
    yield data + data
    yield b'{"format": 1}\n'
    yield gzip.compress(b"")
    yield gzip.compress(b"[]\n{}\n")
    yield gzip.compress(b'{"format": 2}\n')


def test_a_damaged_file_is_never_used(kept: onebook.Book, caplog: pytest.LogCaptureFixture) -> None:
    """Cut short, or a bit flipped: it says the same as before, or nothing."""
    older = kept.snapshot()
    taken = kept.snapshot()
    path = Path(taken.path)
    data = path.read_bytes()
    right = snapshot_files.read(path)
    refused = 0
    for wrong in damaged(data):
        path.write_bytes(wrong)
        try:
            assert snapshot_files.read(path) == right
        except snapshot_files.Damaged:
            refused += 1
    assert refused > 1000
    path.write_bytes(data[:-9])
    caplog.set_level(logging.WARNING)
    assert kept.snapshots() == [older]
    assert f"{path} is passed over" in caplog.text
    harm(kept, "DELETE FROM positions")
    assert kept.rebuild().snapshot == older.sequence


def test_another_checksum_is_damage(kept: onebook.Book) -> None:
    """Whole and well packed, but not what was written."""
    path = Path(kept.snapshot().path)
    text = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(text.replace(b'"tally"', b'"talli"')))
    with pytest.raises(snapshot_files.Damaged, match="checksum"):
        snapshot_files.read(path)


class Crash(BaseException):
    """The end of the process: nothing after it is done."""


def crashing(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let everything that reaches the disk count, and the process end at one of them; nothing is cleaned up then."""
    done = 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal done
            done += 1
            if done >= step:
                raise Crash
            return real(*args, **kwargs)

        return call

    monkeypatch.setattr(gzip.GzipFile, "write", counted(gzip.GzipFile.write))
    monkeypatch.setattr(gzip.GzipFile, "close", counted(gzip.GzipFile.close))
    monkeypatch.setattr(os, "fsync", counted(os.fsync))
    monkeypatch.setattr(Path, "replace", counted(Path.replace))
    monkeypatch.setattr(Path, "unlink", counted(Path.unlink))


def test_a_crash_while_writing_leaves_the_whole_ones(kept: onebook.Book) -> None:
    older = kept.snapshot()
    assert kept.snapshot_folder is not None
    folder = Folder(kept.snapshot_folder)
    record(kept, 40)
    leftovers = finished = 0
    for step in range(1, 40):
        with pytest.MonkeyPatch.context() as patched:
            crashing(patched, step)
            try:
                take(kept.store, kept.now(), folder.path)
                finished += 1
            except Crash:
                pass
        found = folder.listed()
        assert found[-1] == older
        assert len(found) in {1, 2}
        leftovers += len(list(folder.path.glob(".*")))
        now = kept.now()
        for path in folder.path.glob(".*"):
            folder.prune(keep=100, keep_days=0, now_ns=now)
            assert path.exists()  # it may be somebody's who is at it
            os.utime(path, (0, 0))
        folder.prune(keep=100, keep_days=0, now_ns=now)
        assert not list(folder.path.glob(".*"))
        for path in folder.files()[:-1]:
            path.unlink()
        if finished:
            break
    assert leftovers >= 8
    assert finished
    assert LEFTOVER_SECONDS > 60


def test_what_is_written_is_on_the_disk_before_it_has_its_name(
    kept: onebook.Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    def replaced(self: Path, target: Path) -> Path:
        done.append("name")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    take(kept.store, kept.now(), kept.snapshot_folder)
    assert done == ["file", "name", "folder"]


def test_a_full_disk_is_told(kept: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFull, match="the disk is full"):
        take(kept.store, kept.now(), kept.snapshot_folder)
    monkeypatch.undo()
    assert kept.snapshot_folder is not None
    assert list(kept.snapshot_folder.iterdir()) == []


# ---- keeping ----


def put(folder: Folder, sequence: int, day: int, *, anchor: bool = False) -> str:
    path = folder.place(sequence)
    header = snapshot_files.Header(
        sequence=sequence, hash="00", rules=1, at=day * times.DAY + sequence, epoch=1, anchor=anchor
    )
    snapshot_files.write(path, header, [])
    return path.name


def test_what_is_kept(tmp_path: Path) -> None:
    """The newest few; and of each day the newest anchor, or the newest where there is none."""
    folder = Folder(tmp_path)
    rows = [
        # sequence, day, anchor, kept because
        (1, 1, True, ""),
        (2, 5, False, ""),
        (3, 5, False, "newest of its day"),
        (4, 6, True, ""),
        (5, 6, True, "newest anchor of its day"),
        (6, 6, False, ""),
        (7, 7, True, "anchor of its day"),
        (8, 7, False, ""),
        (9, 7, False, "newest two"),
        (10, 7, False, "newest two"),
    ]
    names = {put(folder, sequence, day, anchor=anchor): why for sequence, day, anchor, why in rows}
    gone = folder.prune(keep=2, keep_days=4, now_ns=8 * times.DAY)
    assert {path.name for path in gone} == {name for name, why in names.items() if not why}
    assert [path.name for path in folder.files()] == sorted((name for name, why in names.items() if why), reverse=True)
    assert folder.prune(keep=2, keep_days=4, now_ns=8 * times.DAY) == []


def test_a_file_without_a_first_line_is_thinned_out(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.place(1).write_bytes(b"")
    put(folder, 2, 7)
    assert [path.name for path in folder.prune(keep=1, keep_days=9, now_ns=8 * times.DAY)] == [folder.place(1).name]
