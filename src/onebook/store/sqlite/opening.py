"""What several processes that open one new file at the same moment need: one look at it, and patience.

SQLite waits by itself for a lock that it asks for first. It does not wait when it reads already and then wants to
write, as when a file changes to a write-ahead log: that answers busy at once, and is tried again here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

import apsw

_PAUSE_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Found:
    """Whose a file is: the program that marked it, its schema's version, and how much is in it (0: nothing yet)."""

    application_id: int
    version: int
    made: int


def look(connection: apsw.Connection) -> Found:
    """Return whose a file is, all of one moment: another process may be making it just now."""
    with connection:
        mark: Any = connection.pragma("application_id")
        version: Any = connection.pragma("user_version")
        made: Any = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()[0][0]
    return Found(mark, version, made)


def patiently(work: Callable[[], None], seconds: float) -> None:
    """Do something that may be done again, until SQLite is not busy.

    Args:
        work: what to do; once it fails with a busy file, nothing of it counts.
        seconds: how long to go on.

    Raises:
        apsw.BusyError: it was still busy then.
    """
    until = monotonic() + seconds
    while True:
        try:
            work()
        except apsw.BusyError:
            if monotonic() >= until:
                raise
        else:
            return
        sleep(_PAUSE_SECONDS)
