"""Facts that the service refused: kept in a file beside the spool, a line of JSON each, for a person to look at."""

import json
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from onebook.clock import system_clock
from onebook.domain import times
from onebook.errors import BookError, StoreError, StoreFull

_log = logging.getLogger("onebook.remote")


class Refused:
    """A file of what was refused, and why.

    Args:
        path: the file; made when the first comes.
        max_bytes: most that it holds.
        alert: called with a sentence for each.
    """

    def __init__(self, path: Path, max_bytes: int, alert: Callable[[str], None] | None) -> None:
        self.path, self._max_bytes, self._alert = path, max_bytes, alert
        self._known: set[str] | None = None

    def __len__(self) -> int:
        """How many there are."""
        return len(self._ids())

    def put(self, row: Mapping[str, Any], problem: BookError) -> None:
        """Keep a fact once, and raise an alert.

        Raises:
            StoreFull: the file is at its limit, or the disk is full.
            StoreError: it cannot be written.
        """
        known = self._ids()
        if row["id"] in known:
            return
        kept = {"at": times.to_text(system_clock()), "code": problem.code, "reason": str(problem), **row}
        line = json.dumps(kept, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        try:
            with self.path.open("ab", buffering=0) as file:
                self._write(file, line)
        except OSError as failure:
            kind = StoreFull if failure.errno in {28, 122} else StoreError  # no space, over quota
            msg = f"{self.path}: {failure.strerror or failure}; a refused fact cannot be kept there"
            raise kind(msg, path=str(self.path)) from None
        known.add(str(row["id"]))
        self._tell(f"a {row['kind']} was refused ({problem.code}: {problem}); it is kept in {self.path}")

    def _write(self, file: Any, line: bytes) -> None:
        before = file.seek(0, os.SEEK_END)
        if before + len(line) > self._max_bytes:
            msg = f"{self.path} holds {before} bytes of refused facts; look at them, and move the file away"
            raise StoreFull(msg, path=str(self.path))
        if before and not _ends_whole(self.path, before):
            line = b"\n" + line  # what a kill cut off stays a line of its own
        try:
            file.write(line)
            os.fsync(file.fileno())
        except OSError:
            file.truncate(before)
            raise

    def _ids(self) -> set[str]:
        if self._known is None:
            found = set()
            with suppress(FileNotFoundError), self.path.open("rb") as file:
                for line in file:
                    with suppress(ValueError, KeyError, TypeError):
                        found.add(str(json.loads(line)["id"]))
            self._known = found
        return self._known

    def _tell(self, text: str) -> None:
        _log.error("%s", text)
        if self._alert is not None:
            from onebook.feed.calling import tried

            alert = self._alert
            _, problem = tried(lambda: alert(text))
            if problem is not None:
                _log.error("the alert failed: %r", problem)


def _ends_whole(path: Path, size: int) -> bool:
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read(1) == b"\n"
