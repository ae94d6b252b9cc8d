"""A file for facts that wait for their book: append-only lines with checksums, safe against a kill at any byte.

It begins with a line that says what it is. Every other line is ``<crc32 of the rest, 8 hex digits> <JSON object>``.
What is appended is on the disk when ``append`` returns. A file that is no spool is neither read nor written. A line
that a kill cut off, or that is damaged, is moved to ``<path>.torn`` when the spool is drained. Several
processes may use one spool: each operation holds a lock for its short length. Draining gives at least once; facts
have identities, so the book takes each once.
"""

import fcntl
import json
import logging
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

from onebook.errors import StoreError, StoreFull

MAX_BYTES = 64 * 1024 * 1024
MARK = b"onebook spool 1\n"
CHUNK_BYTES = 1024 * 1024
"""How much is drained at a time; a longer line is taken whole."""

_log = logging.getLogger("onebook.recorder")


class SpoolUnreadable(StoreError):
    """The spool's own file cannot be read or emptied; the book may be well."""


class Spool:
    """Rows of plain data in a file, oldest first.

    Args:
        path: the file; made when the first row comes, gone when all are drained.
        max_bytes: most that it holds.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> None:
        self.path = Path(path)
        self.max_bytes = max_bytes

    @property
    def size(self) -> int:
        """How many bytes wait; 0 when there is nothing."""
        with suppress(OSError):
            return self.path.stat().st_size
        return 0

    @property
    def changed(self) -> float:
        """When something was last put into it, in seconds since 1970 UTC; 0 when there is nothing."""
        with suppress(OSError):
            return self.path.stat().st_mtime
        return 0.0

    def is_spool(self) -> bool:
        """Say whether there is a spool, or nothing yet; what cannot be read just now may be one."""
        try:
            with self.path.open("rb", buffering=0) as file:
                return _begins_as_spool(file)
        except IsADirectoryError:
            return False
        except OSError:
            return True

    def move_away(self) -> None:
        """Move what is at this place aside, where a person may look at it."""
        aside = self._aside()
        _log.warning("%s is no spool, or is damaged; it is kept as %s", self.path, aside)
        with suppress(OSError):
            self.path.replace(aside if not aside.exists() else aside.with_name(f"{aside.name}.{os.getpid()}"))

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows, all or none of them; they are on the disk when this returns.

        Raises:
            StoreFull: the spool is at its limit, or the disk is full.
            StoreError: the file cannot be written.
        """
        data = b"".join(map(_line, rows))
        try:
            with self._locked(), self.path.open("a+b", buffering=0) as file:
                self._add(file, data)
        except OSError as problem:
            kind = StoreFull if problem.errno in {28, 122} else StoreError  # no space, over quota
            msg = f"{self.path}: {problem.strerror or problem}; facts cannot be put aside there"
            raise kind(msg, path=str(self.path)) from None

    def _add(self, file: FileIO, data: bytes) -> None:
        if not _begins_as_spool(file):
            msg = f"{self.path} is no spool; facts cannot be put aside there, name another file"
            raise StoreError(msg, path=str(self.path))
        before = file.seek(0, os.SEEK_END)
        if 0 < before < len(MARK):  # a kill cut the mark off
            file.truncate(0)
            before = 0
        if before + len(data) > self.max_bytes:
            msg = (
                f"{self.path} holds {before} bytes and takes no more than {self.max_bytes};"
                " make the book writable again, and it empties by itself"
            )
            raise StoreFull(msg, path=str(self.path))
        if not before:
            data = MARK + data
        elif not _ends_whole(self.path, before):
            data = b"\n" + data  # what a kill cut off stays a line of its own
        try:
            written = 0
            while written < len(data):
                written += file.write(data[written:])
            os.fsync(file.fileno())
        except OSError:
            file.truncate(before)
            raise
        if not before:
            self._sync_folder()

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def drain(self, take: Callable[[list[dict[str, Any]]], None]) -> int:
        """Hand over all rows in order, a piece at a time, and empty the spool; return how many there were.

        Nothing is lost when ``take`` raises: the next call begins with the first row again.

        Raises:
            SpoolUnreadable: the file cannot be read or emptied, or is no spool. Whatever ``take`` raises goes through.
        """
        count = 0
        try:
            file = self.path.open("rb", buffering=0)
        except (FileNotFoundError, NotADirectoryError):
            return 0
        except OSError as problem:
            raise self._unreadable(problem) from None
        with file:
            if not _begins_as_spool(file):
                msg = f"{self.path} is no spool; it is left as it is"
                raise SpoolUnreadable(msg, path=str(self.path))
            position = 0
            while True:
                try:
                    data, position, ended = self._piece(file, position)
                except OSError as problem:
                    raise self._unreadable(problem) from None
                rows, torn = _rows(data)
                if torn:
                    self.keep_torn(torn)
                if rows:
                    take(rows)
                    count += len(rows)
                if ended:
                    return count

    def _unreadable(self, problem: OSError) -> SpoolUnreadable:
        msg = f"{self.path}: {problem.strerror or problem}; what waits there cannot be booked"
        return SpoolUnreadable(msg, path=str(self.path))

    def _piece(self, file: FileIO, position: int) -> tuple[bytes, int, bool]:
        """Return the next whole lines, where they end, and whether the spool is empty now and gone."""
        with self._locked():
            size = os.fstat(file.fileno()).st_size
            if position >= size:
                with suppress(FileNotFoundError):
                    if os.path.samestat(self.path.stat(), os.fstat(file.fileno())):
                        self.path.unlink()
                        self._sync_folder()
                return b"", position, True
            file.seek(position)
            data = file.read(min(CHUNK_BYTES, size - position))
            while b"\n" not in data and position + len(data) < size:
                data += file.read(min(CHUNK_BYTES, size - position - len(data)))
            if position + len(data) < size:
                data = data[: data.rindex(b"\n") + 1]
            return data, position + len(data), False

    def _aside(self) -> Path:
        return self.path.with_name(self.path.name + ".torn")

    def keep_torn(self, torn: Sequence[bytes]) -> None:
        """Put lines that nobody can read or book beside the spool, where a person may look at them."""
        aside = self._aside()
        _log.warning("%s: %d lines are cut off or damaged; they are kept in %s", self.path, len(torn), aside)
        with suppress(OSError), aside.open("ab") as file:
            if file.tell() < self.max_bytes:
                file.write(b"".join(line + b"\n" for line in torn))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes and threads out."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(self.path.name + ".lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _line(row: Mapping[str, Any]) -> bytes:
    body = json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    return b"%08x %b\n" % (zlib.crc32(body), body)


def _rows(data: bytes) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Return the rows of whole lines, and the lines that are none."""
    rows, torn = [], []
    for line in data.split(b"\n"):
        if not line or MARK.startswith(line):
            continue
        row = _row(line)
        if row is None:
            torn.append(line)
        else:
            rows.append(row)
    return rows, torn


def _row(line: bytes) -> dict[str, Any] | None:
    """Return the row of a line; None when it is none."""
    if not _is_sound(line):
        return None
    try:
        row = json.loads(line[9:])
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _is_sound(line: bytes) -> bool:
    return line[8:9] == b" " and line[:8] == b"%08x" % zlib.crc32(line[9:])


def _begins_as_spool(file: FileIO) -> bool:
    """Say whether a file is empty, begins with the mark or as much of it as a kill left, or with a sound line."""
    file.seek(0)
    begin = file.read(len(MARK)) or b""
    if MARK.startswith(begin):
        return True
    if begin[8:9] != b" ":
        return False
    while b"\n" not in begin and (more := file.read(CHUNK_BYTES)):
        begin += more
    return _is_sound(begin.partition(b"\n")[0])


def _ends_whole(path: Path, size: int) -> bool:
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read(1) == b"\n"


def waiting_beside(url: str) -> list[Spool]:
    """Return the spools beside a book's file in which facts wait."""
    place = Path(url)
    found: list[Path] = []
    with suppress(OSError):
        beside = sorted(place.parent.iterdir())
        found += [path for path in beside if path.name.startswith(f"{place.name}.") and path.suffix == ".spool"]
    return [spool for spool in map(Spool, found) if spool.size]
