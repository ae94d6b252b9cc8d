"""Do the end of day of a book, and die right after the n-th write.

Arguments: the book's path, the moment, the number of the write.
"""

import os
import sys
from typing import Any

from tests.trading.closing import at, at_eight

import onebook
from onebook.book.core import Core
from onebook.store.sqlite.store import SqliteStore
from onebook.testing import FakeClock

WRITES = ((Core, "submit"), (Core, "record_many"), (Core, "note"), (SqliteStore, "aside"))
ENDED = 9


def main() -> None:
    path, moment, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    seen = 0

    def deadly(write: Any) -> Any:
        def call(self: Any, *args: Any, **more: Any) -> Any:
            nonlocal seen
            seen += 1
            mine = seen
            answer = write(self, *args, **more)
            if mine == number:
                os._exit(ENDED)
            return answer

        return call

    for owner, name in WRITES:
        setattr(owner, name, deadly(getattr(owner, name)))
    with onebook.open(path, clock=FakeClock(moment)) as book:
        book.trading.end_of_day([at_eight()]).look(at(moment))


main()
