"""A sink that appends a row per event to a file: exactly one for each, whatever crashes in between.

The file itself is the memory: its last rows say how far it is, so nothing is kept beside it. Events come at least
once; those that have their row are passed over. One that comes late (a dead letter sent again) is looked up in
the files and appended when it is not there. What was delivered is on the disk when ``deliver`` returns.
"""

import fcntl
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from onebook.domain.reports import Event
from onebook.errors import BadPayload, SourceError
from onebook.feed.sink import Around
from onebook.feed.sinks.file_end import Form, Places, Row, book_and_epoch, place_of, read_tail, sequence_of
from onebook.feed.sinks.rotated import Rotated, Rotation, put_aside, rotated_files, tidy
from onebook.store.disk import sync_folder, unwritten


class Lines(Form, Protocol):
    """How events are written as lines, and which are."""

    def line(self, event: Event, book_id: str) -> bytes | None:
        """Return an event's line with its end, or None when it has none."""


class GrowingFile:
    """A sink that appends to a file.

    It holds a lock only while it writes, and looks first whether another process has written since: where several
    serve one route, each goes on behind the other.

    Args:
        around: what it may look at.
        path: the file; its folder is made when it is first written.
        form: how events are written.
        rotation: when it is full.

    Raises:
        BadPayload: there is a file that is not ours, or another book's.
    """

    max_batch = 500

    def __init__(self, around: Around, path: Path, form: Lines, rotation: Rotation) -> None:
        self._around = around
        self._path = path
        self._form = form
        self._rotation = rotation
        self._name, self._epoch = book_and_epoch(around.book_id)
        self._file: FileIO | None = None
        self._size = 0
        self._last = -1
        self._day = ""
        self._again: Places | None = None
        self._again_from = 0
        self._restores: dict[int, int] | None = None
        if path.is_file():
            try:
                with path.open("rb") as file:
                    self._furthest(read_tail(file, path, form, self._name).rows)
            except OSError as problem:
                raise unwritten(path, problem) from None

    # ---- the sink ----

    def deliver(self, events: Sequence[Event], *, more: bool) -> bool:  # noqa: ARG002  nothing is kept in mind
        """Append the rows that are not there yet, and wait for the disk.

        Raises:
            StoreFull: the disk is full.
            SourceError: it cannot be written, or another process is writing it.
            BadPayload: somebody else changed it.
        """
        try:
            self._hold()
            self._write(events)
            fcntl.flock(self._held, fcntl.LOCK_UN)
        except OSError as problem:
            self.close()
            raise unwritten(self._path, problem) from None
        except (EOFError, zlib.error) as problem:
            self.close()
            msg = f"{self._path}: a compressed file beside it is damaged ({problem}); move it away"
            raise BadPayload(msg, path=str(self._path)) from None
        except BaseException:
            self.close()
            raise
        return True

    def close(self) -> None:
        """Close the file, and with it give up the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # ---- the file ----

    @property
    def _held(self) -> FileIO:
        assert self._file is not None  # noqa: S101  _hold has opened it
        return self._file

    def _hold(self) -> None:
        """Lock the file; read its end, unless it is just as it was left."""
        if self._file is not None:
            self._lock(self._file)
            if self._is_live(self._file) and self._file.seek(0, os.SEEK_END) == self._size:
                return
            self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._opened()
        if not self._is_live(self._file):
            msg = f"{self._path}: was put aside while it was opened; it is opened anew the next time"
            raise SourceError(msg, path=str(self._path))
        self._go_on(self._file)

    def _opened(self) -> FileIO:
        file = FileIO(self._path, "a+")
        try:
            self._lock(file)
        except BaseException:
            file.close()
            raise
        return file

    def _lock(self, file: FileIO) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"{self._path}: another process writes it just now; a path belongs to one route of one book"
            raise SourceError(msg, path=str(self._path)) from None

    def _is_live(self, file: FileIO) -> bool:
        """Say whether the path still leads to this file: another process may have put it aside."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(file.fileno()))
        except FileNotFoundError:
            return False

    def _go_on(self, file: FileIO) -> None:
        """Cut what a crash tore, and find out how far the file is. Full files of an earlier run count too."""
        tail = read_tail(cast("BinaryIO", file), self._path, self._form, self._name)
        rows = tail.rows
        tidy(self._path, self._rotation)
        for full in rotated_files(self._path)[-1:]:
            with full.opened() as before:
                rows = read_tail(before, full.path, self._form, self._name).rows + rows
        self._last = self._furthest(rows)
        self._day = max((row.day for row in rows), default="")
        self._again = None
        if tail.end < file.seek(0, os.SEEK_END):
            file.truncate(tail.end)
        self._size = tail.end
        if tail.end == 0:
            self._begin()

    def _begin(self) -> None:
        """Make a new file durable, with its header."""
        self._append(self._form.header)
        os.fsync(self._held.fileno())
        sync_folder(self._path.parent)

    def _rotate(self) -> None:
        put_aside(self._path, self._day)
        new = self._opened()
        self._held.close()
        self._file, self._size = new, 0
        self._begin()
        tidy(self._path, self._rotation)

    def _append(self, body: bytes) -> None:
        if not body:
            return
        left = memoryview(body)
        while left:
            left = left[os.write(self._held.fileno(), left) :]
        os.fsync(self._held.fileno())
        self._size += len(body)

    # ---- rows ----

    def _write(self, events: Sequence[Event]) -> None:
        waiting: list[bytes] = []
        size = self._size
        for event in events:
            place = place_of(event.id)
            line = None if self._is_there(place) else self._form.line(event, self._around.book_id)
            if line is None:
                continue
            day = f"{event.recorded_at:%Y%m%d}"
            if self._is_full(size, len(line), day):
                self._append(b"".join(waiting))
                waiting.clear()
                self._rotate()
                size = self._size
            waiting.append(line)
            size += len(line)
            self._count(place, day)
        self._append(b"".join(waiting))

    def _is_full(self, size: int, more: int, day: str) -> bool:
        """Say whether a row belongs into a new file. A late row of an earlier day goes where we are."""
        if size <= len(self._form.header):
            return False
        limit = self._rotation.rotate_bytes
        return bool(limit and size + more > limit) or (self._rotation.rotate_daily and day > self._day)

    def _count(self, place: int, day: str) -> None:
        self._last = max(self._last, place)
        self._day = max(self._day, day)
        if self._again is not None:
            self._again.add(place)

    def _is_there(self, place: int) -> bool:
        """Say whether an event has its row. Only those that come again need a look into the files."""
        if place > self._last:
            self._again = None
            return False
        if self._again is None or place < self._again_from:
            self._again, self._again_from = self._places_since(place), place
        return place in self._again

    def _places_since(self, place: int) -> Places:
        """Return the places of all rows, in the files that may hold this one and in later ones."""
        needed: list[Rotated] = []
        for file in [Rotated("", 0, self._path), *reversed(rotated_files(self._path))]:
            needed.append(file)
            if next(self._places_in(file), place + 1) <= place:
                break
        return Places(found for file in reversed(needed) for found in self._places_in(file))

    def _places_in(self, file: Rotated) -> Iterator[int]:
        with file.opened() as opened:
            opened.seek(len(self._form.header))
            for line in opened:
                row = self._form.row(line.removesuffix(b"\n"))
                place = None if row is None else self._place(row)
                if place is not None:
                    yield place

    def _furthest(self, rows: Iterable[Row]) -> int:
        return max((place for row in rows if (place := self._place(row)) is not None), default=-1)

    def _place(self, row: Row) -> int | None:
        """Return the place of a row in this log; None when a restore undid it, or when it is another book's."""
        name, epoch = book_and_epoch(row.book_id)
        if name != self._name:
            return None
        if epoch > self._epoch:
            msg = f"{self._path}: was written after a restore that this copy of the book ({self._around.book_id}) lacks"
            raise BadPayload(f"{msg}; open the restored book, or name another file", path=str(self._path))
        place = place_of(row.event_id)
        return None if epoch < self._epoch and sequence_of(place) >= self._fork(epoch) else place

    def _fork(self, epoch: int) -> int:
        """Return the sequence from which on an earlier epoch has other events than this log."""
        if self._restores is None:
            restores = self._around.book.events(types="book_restored")
            self._restores = {int(event.data["epoch"]): event.sequence for event in restores}
        return min((sequence for later, sequence in self._restores.items() if later > epoch), default=0)
