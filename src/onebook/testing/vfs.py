"""A disk that fails on purpose: a SQLite VFS that breaks the N-th call, and forgets what was not synced.

It counts every open, read, write, sync, truncate and delete. Beside the real files it keeps what would be on
the disk after a power loss: a write is there for certain only once its file was synced. It never touches the
shared memory of the WAL index, which a crash empties anyway.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Literal

import apsw

Kind = Literal["xOpen", "xRead", "xWrite", "xSync", "xTruncate", "xDelete"]
How = Literal["io_error", "disk_full", "read_only", "short_read"]

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""

_CODES: dict[Kind, int] = {
    "xOpen": apsw.SQLITE_CANTOPEN,
    "xRead": apsw.SQLITE_IOERR_READ,
    "xWrite": apsw.SQLITE_IOERR_WRITE,
    "xSync": apsw.SQLITE_IOERR_FSYNC,
    "xTruncate": apsw.SQLITE_IOERR_TRUNCATE,
    "xDelete": apsw.SQLITE_IOERR_DELETE,
}
_ALWAYS: dict[How, int] = {"disk_full": apsw.SQLITE_FULL, "read_only": apsw.SQLITE_READONLY}
_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Change:
    """One change to a file that no sync has covered yet.

    ``data`` None cuts the file at ``offset``; an offset of -1 deletes it.
    """

    offset: int
    data: bytes | None

    def on(self, image: bytes | None) -> bytes | None:
        """Return the file after the change; None is no file."""
        if self.offset < 0:
            return None
        found = image or b""
        if self.data is None:
            return found[: self.offset].ljust(self.offset, b"\0")
        return found[: self.offset].ljust(self.offset, b"\0") + self.data + found[self.offset + len(self.data) :]

    def torn(self, rng: random.Random) -> "Change":
        """Return the write as a disk leaves it that stopped at a sector's edge."""
        if self.data is None:
            return self
        first = SECTOR - self.offset % SECTOR
        edges = [0, *range(first, len(self.data), SECTOR)]
        return Change(self.offset, self.data[: rng.choice(edges)])


@dataclass(frozen=True, slots=True)
class Wreck:
    """What a power loss leaves of each file: what was synced, and perhaps some of what was not."""

    files: dict[str, tuple[bytes | None, tuple[Change, ...]]]

    def write(self, folder: Path | str, seed: int = 0) -> None:
        """Write the files into a folder.

        Args:
            folder: an empty folder.
            seed: 0 loses all that was not synced, 1 keeps it except for a tear in the last write, any other
                keeps a random part and tears one write of it. Since any part may be missing, later writes
                may be there without earlier ones.
        """
        Path(folder).mkdir(parents=True, exist_ok=True)
        rng = random.Random(seed)  # noqa: S311  a seed that replays, not a secret
        for path, (image, pending) in sorted(self.files.items()):
            found = image
            for change in _surviving(pending, seed, rng):
                found = change.on(found)
            if found is not None:
                Path(folder, Path(path).name).write_bytes(found)


def _surviving(pending: tuple[Change, ...], seed: int, rng: random.Random) -> list[Change]:
    if seed == 0 or not pending:
        return []
    share = 1.0 if seed == 1 else rng.choice((0.2, 0.5, 0.9))
    kept = [change for change in pending if rng.random() < share]
    if kept:
        place = len(kept) - 1 if seed == 1 else rng.randrange(len(kept))
        kept[place] = kept[place].torn(rng)
    return kept


class FaultVFS(apsw.VFS):
    """A VFS under a name of its own; hand ``name`` to the store.

    ``calls`` counts calls by kind. ``before_sync``, when set, is called with the path before a sync counts.

    Example:
        >>> vfs = FaultVFS()
        >>> vfs.fail("xWrite", 3, "disk_full")
    """

    def __init__(self) -> None:
        self.name = f"onebook-faults-{next(_numbers)}"
        self.calls: Counter[str] = Counter()
        self.failed = 0
        self.before_sync: Callable[[str], None] | None = None
        self._faults: dict[Kind, tuple[int, int, How]] = {}
        self._crashed = False
        self._lock = threading.RLock()
        self._images: dict[str, bytes | None] = {}
        self._pending: dict[str, list[Change]] = {}
        super().__init__(self.name, "")

    # ---- what a test asks for ----

    def fail(self, kind: Kind, number: int, how: How = "io_error", *, times: int = 1) -> None:
        """Let calls of a kind fail, instead of those of this kind that were to fail.

        Args:
            kind: which calls.
            number: 1 is the next call of this kind.
            how: with which error; ``short_read`` gives half the bytes and is for reads.
            times: how many calls from there on.
        """
        first = self.calls[kind] + number
        self._faults[kind] = (first, first + times, how)

    def heal(self) -> None:
        """Let no further call fail."""
        self._faults.clear()

    def wreck(self) -> Wreck:
        """Return what a power loss at this moment leaves."""
        with self._lock:
            return Wreck({path: (image, tuple(self._pending[path])) for path, image in self._images.items()})

    def crash(self, folder: Path | str, seed: int = 0) -> None:
        """Lose power: write what is left into a folder, and let every further call fail.

        Args:
            folder: an empty folder.
            seed: which part of what was not synced is left; see :meth:`Wreck.write`.
        """
        with self._lock:
            self._crashed = True
            self.wreck().write(folder, seed)

    # ---- what SQLite asks for ----

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  SQLite's name
        """Open a file."""
        self.count("xOpen")
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is not None:
            with self._lock:
                if path not in self._images:
                    self._images[path] = Path(path).read_bytes() if Path(path).exists() else None
                    self._pending[path] = []
        return FaultFile(self, path, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: FBT001, N802  SQLite's signature
        """Delete a file."""
        self.count("xDelete")
        super().xDelete(filename, syncdir)
        self.changed(filename, Change(-1, None))
        if syncdir:
            self.folder_synced()

    def excepthook(
        self,
        etype: type[BaseException] | None,  # noqa: ARG002  apsw's signature
        evalue: BaseException | None,
        etraceback: TracebackType | None,  # noqa: ARG002  apsw's signature
    ) -> bool:
        """Say nothing of errors that SQLite swallows: they are planted."""
        return isinstance(evalue, apsw.Error)

    # ---- what its files tell ----

    def count(self, kind: Kind) -> How | None:
        """Count a call; raise the error planted for it, or return ``short_read``."""
        with self._lock:
            self.calls[kind] += 1
            first, last, how = self._faults.get(kind, (0, 0, "io_error"))
            how = "io_error" if self._crashed else how
            if not (first <= self.calls[kind] < last or self._crashed):
                return None
            self.failed += 1
        if how == "short_read":
            return how
        problem = apsw.exception_for(_ALWAYS.get(how, _CODES[kind]))
        problem.args = (f"planted: call {self.calls[kind]} of {kind}",)
        raise problem

    def changed(self, path: str | None, change: Change) -> None:
        """Take note of a change that is not synced."""
        if path is not None:
            with self._lock:
                self._pending.setdefault(path, []).append(change)
                self._images.setdefault(path, None)

    def synced(self, path: str | None) -> None:
        """Take note that all changes to a file are on the disk."""
        if path is not None:
            with self._lock:
                for change in self._pending[path]:
                    self._images[path] = change.on(self._images[path])
                self._pending[path].clear()

    def folder_synced(self) -> None:
        """Take note that files deleted so far are gone for certain."""
        with self._lock:
            for path, pending in self._pending.items():
                gone = [place for place, change in enumerate(pending) if change.offset < 0]
                if gone:
                    del pending[: gone[-1] + 1]
                    self._images[path] = None


class FaultFile(apsw.VFSFile):
    """A file of a :class:`FaultVFS`."""

    def __init__(self, vfs: FaultVFS, path: str | None, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._vfs = vfs
        self._path = path
        created, kind = flags[0] & apsw.SQLITE_OPEN_CREATE, flags[0] & _JOURNALS
        self._new_journal = bool(created and kind)
        self._read_only = bool(flags[0] & apsw.SQLITE_OPEN_READONLY)

    def xLock(self, level: int) -> None:  # noqa: N802  SQLite's name
        """Lock. A file that is only read cannot be locked for writing; SQLite asks for it when it closes a WAL."""
        if self._read_only and level > apsw.SQLITE_LOCK_SHARED:
            raise apsw.BusyError("it was opened to be read")
        super().xLock(level)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802  SQLite's name
        """Read, perhaps too little."""
        how = self._vfs.count("xRead")
        found = super().xRead(amount, offset)
        return found[: len(found) // 2] if how == "short_read" else found

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  SQLite's name
        """Write; a write that fails leaves its first half."""
        whole = bytes(data)
        try:
            self._vfs.count("xWrite")
        except apsw.Error:
            self._write(whole[: len(whole) // 2], offset)
            raise
        self._write(whole, offset)

    def _write(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._vfs.changed(self._path, Change(offset, data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802  SQLite's name
        """Cut or lengthen."""
        self._vfs.count("xTruncate")
        super().xTruncate(newsize)
        self._vfs.changed(self._path, Change(newsize, None))

    def xSync(self, flags: int) -> None:  # noqa: ARG002, N802  SQLite's signature
        """Let all changes count; the first sync of a new journal or WAL covers its folder, as on Unix.

        The real file is not synced: the test's own machine keeps running.
        """
        self._vfs.count("xSync")
        if self._vfs.before_sync is not None and self._path is not None:
            self._vfs.before_sync(self._path)
        self._vfs.synced(self._path)
        if self._new_journal:
            self._vfs.folder_synced()
            self._new_journal = False

    def excepthook(
        self,
        etype: type[BaseException] | None,  # noqa: ARG002  apsw's signature
        evalue: BaseException | None,
        etraceback: TracebackType | None,  # noqa: ARG002  apsw's signature
    ) -> bool:
        """Say nothing of errors that SQLite swallows: they are planted."""
        return isinstance(evalue, apsw.Error)
