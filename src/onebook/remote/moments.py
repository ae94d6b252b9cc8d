"""When facts without a time were first queued: a file beside the spool, so that a repeat is given the same time."""

import fcntl
import hashlib
import os
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

from onebook.errors import StoreError, StoreFull

MAX_BYTES = 1024 * 1024
"""Most that the file holds, of some 50 bytes for each fact; then the older half is forgotten."""


class Moments:
    """Remembers moments by identity, over restarts and for all processes on one spool.

    Args:
        path: the file; made when the first comes.
        max_bytes: most that it holds.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._path, self._max_bytes = path, max_bytes

    def of(self, identities: Sequence[str], now: int) -> list[int]:
        """Return the moment of each, in nanoseconds since 1970 UTC: when it was first asked for, on the disk by now.

        Raises:
            StoreFull: the disk is full.
            StoreError: the file cannot be read or written.
        """
        try:
            with self._path.open("a+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                return self._found(file, identities, now)
        except OSError as problem:
            kind = StoreFull if problem.errno in {28, 122} else StoreError  # no space, over quota
            msg = f"{self._path}: {problem.strerror or problem}; the time of a fact cannot be kept there"
            raise kind(msg, path=str(self._path)) from None

    def _found(self, file: FileIO, identities: Sequence[str], now: int) -> list[int]:
        file.seek(0)
        known = file.read() or b""
        if known and not known.endswith(b"\n"):
            known = known[: known.rfind(b"\n") + 1]  # what a kill cut off
            file.truncate(len(known))
        found, fresh = [], bytearray()
        for identity in identities:
            name = hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest().encode()
            place = known.find(name)
            if place < 0 and fresh.find(name) < 0:
                fresh += b"%b %d\n" % (name, now)
            found.append(now if place < 0 else int(known[place + len(name) : known.index(b"\n", place)]))
        if len(known) + len(fresh) > self._max_bytes:
            known = known[known.find(b"\n", len(known) - self._max_bytes // 2) + 1 :]
            file.truncate(0)
            fresh = bytearray(known) + fresh
        if fresh:
            _written(file, fresh)
        return found


def _written(file: FileIO, data: bytearray) -> None:
    done = 0
    while done < len(data):
        done += file.write(data[done:])
    os.fsync(file.fileno())
