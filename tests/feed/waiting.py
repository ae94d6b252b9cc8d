"""Waiting for what other threads and processes do, never longer than ten seconds; and fills to be told of."""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from threading import Event as Flag
from typing import Any

import onebook
from onebook import Event, Fill

LIMIT_SECONDS = 30.0


def until(holds: Callable[[], Any], *, seconds: float = LIMIT_SECONDS) -> None:
    """Return as soon as something holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"it never held: {holds}"
        time.sleep(0.002)


def happened(flag: Flag) -> None:
    assert flag.wait(LIMIT_SECONDS), "it never happened"


def fill(number: int = 1, **changes: Any) -> Fill:
    given: dict[str, Any] = {"instrument": "BTC/USD", "side": "buy", "quantity": Decimal(1), "price": Decimal(100)}
    return Fill(**(given | {"venue": "test", "venue_fill_id": str(number), "strategy": "trend"} | changes))


def record(book: onebook.Book, first: int, count: int) -> None:
    """Record fills number first to first + count - 1; each is an entry of two events."""
    for number in range(first, first + count):
        book.record(fill(number))


class Heard:
    """A handler that remembers what it was told, and can be made to raise, a limited number of times or for ever."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.calls = 0
        self.failing: dict[str, int] = {}
        self.problem: Callable[[], BaseException] = lambda: ValueError("not today")

    def __call__(self, event: Event) -> None:
        self.calls += 1
        left = self.failing.get(event.id, 0)
        if left:
            self.failing[event.id] = left - 1
            raise self.problem()
        self.events.append(event)

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.events]

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]


def ids(*sequences: int) -> list[str]:
    """The ids of both events of fills."""
    return [f"{sequence}.{ordinal}" for sequence in sequences for ordinal in (1, 2)]


def in_order(found: Sequence[str]) -> bool:
    places = [tuple(int(part) for part in item.split(".")) for item in found]
    return all(before < after for before, after in pairwise(places))
