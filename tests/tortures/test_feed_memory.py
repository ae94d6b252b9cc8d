"""Ten listeners, three slow, one stuck, one raising, while much is recorded: memory is flat and nothing missed."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import onebook

CHUNK = 5_000
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SHORT_BYTES = 40_000_000
"""While SQLite fills its caches; events kept for those who lag would take twice that."""

LONG_BYTES = 16_000_000
"""Once they are full; events kept would take forty times that."""

LIMIT_SECONDS = 300


class Listeners:
    """Ten handlers, and what the five good ones were told."""

    def __init__(self, book: onebook.Book) -> None:
        self.go = threading.Event()
        self.counts = [0] * 5
        self.last = [(0, 0)] * 5
        self.wrong: list[str] = []
        for _ in range(3):
            book.listen(lambda _: time.sleep(0.05))
        self.stuck = book.listen(lambda _: self.go.wait())
        self.raising = book.listen(self._raise)
        for number in range(5):
            book.listen(self._counting(number))

    @staticmethod
    def _raise(_: onebook.Event) -> None:
        raise ValueError

    def _counting(self, number: int) -> Callable[[onebook.Event], None]:
        def count(event: onebook.Event) -> None:
            place = (event.sequence, int(event.id.partition(".")[2]))
            if place <= self.last[number]:
                self.wrong.append(event.id)
            self.last[number] = place
            self.counts[number] += 1

        return count


def fills(first: int, count: int) -> Iterator[onebook.Fill]:
    for number in range(first, first + count):
        yield onebook.Fill(
            instrument=f"COIN{number % 20}/USD",
            side="sell" if number % 3 == 2 else "buy",
            quantity=1 + number % 3,
            price=100 + number % 7,
            venue_fill_id=str(number),
        )


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def grown(path: Path, count: int) -> int:
    """Record so many fills in front of the ten; return by how many bytes the process grew after its first fifth."""
    book = onebook.open(path)
    listeners = Listeners(book)
    seen: list[int] = []
    try:
        for first in range(0, count, CHUNK):
            book.record_many(fills(first, CHUNK))
            wait_for(listeners, book, ahead=2 * CHUNK)
            seen.append(resident())
        wait_for(listeners, book, ahead=0)
        events = sum(1 for _ in book.events())
        assert listeners.counts == [events] * 5
        assert not listeners.wrong
        assert listeners.raising.errors + listeners.raising.lag >= count
        assert listeners.stuck.lag == count
    finally:
        listeners.go.set()
        book.close()
    return max(seen) - seen[len(seen) // 5]


def wait_for(listeners: Listeners, book: onebook.Book, ahead: int) -> None:
    """Let the good ones come near: how fast they are is not what is tested."""
    head, end = book.status().entries, time.monotonic() + LIMIT_SECONDS
    while min(place[0] for place in listeners.last) < head - ahead:
        assert time.monotonic() < end, f"they stand still at {listeners.last} of {head}"
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_memory_is_flat_over_80_000_events(tmp_path: Path) -> None:
    assert grown(tmp_path / "book.db", 40_000) < SHORT_BYTES


@pytest.mark.torture
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_memory_is_flat_over_a_million_events(tmp_path: Path) -> None:
    assert grown(tmp_path / "book.db", 500_000) < LONG_BYTES
