"""eventsourcing: domain events saved through its own application and SQLite recorder; events only, no read model.

Arguments: the file, and the kind of sync.
"""

import os
import sys
from decimal import Decimal
from importlib.metadata import version
from time import perf_counter
from typing import Any

from lines import serve  # type: ignore[import-not-found]

PATH, SYNCHRONOUS = sys.argv[1], sys.argv[2]
os.environ.update(PERSISTENCE_MODULE="eventsourcing.sqlite", SQLITE_DBNAME=PATH)

from eventsourcing.application import Application  # type: ignore[import-not-found]  # noqa: E402
from eventsourcing.domain import Aggregate, event  # type: ignore[import-not-found]  # noqa: E402


class Position(Aggregate):  # type: ignore[misc]
    """The smallest aggregate that takes fills."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.last: tuple[object, ...] = ()

    @event("Filled")  # type: ignore[untyped-decorator]
    def fill(self, side: str, quantity: Decimal, price: Decimal, fee: Decimal, venue_fill_id: str) -> None:
        """Take a fill in."""
        self.last = (side, quantity, price, fee, venue_fill_id)


APPLICATION = Application()
POSITIONS = [Position(f"COIN{number}/USDT") for number in range(100)]
APPLICATION.save(*POSITIONS)
with APPLICATION.recorder.datastore.get_connection(commit=True) as _connection:
    _connection.cursor().execute(f"PRAGMA synchronous={SYNCHRONOUS}")
_MADE = [0]


def take(number: int) -> Position:
    """Trigger a fill's event on its position."""
    held = POSITIONS[number % len(POSITIONS)]
    held.fill(
        side="buy" if number % 2 else "sell", quantity=Decimal("1.5"), price=Decimal("100.25"), fee=Decimal("0.05"),
        venue_fill_id=str(number),
    )  # fmt: skip
    return held


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Do one round: one save per event, or one save for all, or say how large the file is."""
    count = question["count"]
    if question["work"] == "bytes":
        with APPLICATION.recorder.datastore.get_connection(commit=True) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return {"bytes": os.path.getsize(PATH)}  # noqa: PTH202  the peer's own environment, plain tools
    first = _MADE[0]
    _MADE[0] += count
    begun = perf_counter()
    if question["work"] == "single":
        for number in range(first, first + count):
            APPLICATION.save(take(number))
    else:
        for number in range(first, first + count):
            take(number)
        APPLICATION.save(*POSITIONS)
    return {"count": count, "seconds": perf_counter() - begun}


if __name__ == "__main__":
    serve({"eventsourcing": version("eventsourcing")}, answer)
