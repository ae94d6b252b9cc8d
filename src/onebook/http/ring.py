"""The newest entries of the log as frames, and older ones read from the store: one reading for all who are there."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

from onebook.book.log import WHOLE, Filter
from onebook.book.logged import Place
from onebook.feed.tail import Tail, TailEntry
from onebook.http.frames import Batch, EntryFrames, gathered

KEPT = 1024
KEPT_BYTES = 8_000_000
"""Entries that stay as frames at most, and about how many bytes of them."""

SHARED_BYTES = 8_000_000
"""How many bytes of batches are kept for others who are at the same place."""

AT_ONCE = 16
"""So many new entries are made into frames on the event loop; more of them off it."""

SEARCHED_PAGES = 16
"""So many pages of the log one reading of older entries goes through before it says how far it is."""


def position_of(place: Place) -> int:
    """Return the sequence after which the entries of a place begin."""
    sequence, ordinal = place
    return sequence if ordinal == WHOLE else max(sequence - 1, 0)


class Channel:
    """What all readers with the same filter share.

    Args:
        number: its name among the others.
        wanted: the filter.
    """

    __slots__ = ("number", "wanted")

    def __init__(self, number: int, wanted: Filter) -> None:
        self.number = number
        self.wanted = wanted


class Ring:
    """What readers are sent, made once; for one event loop.

    Args:
        tail: of the log.
        away: does work off the event loop.
    """

    def __init__(self, tail: Tail, away: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self._tail = tail
        self._away = away
        self._kept: deque[EntryFrames] = deque()
        self._size = 0
        self._shared: OrderedDict[tuple[int, Place], Batch] = OrderedDict()
        self._shared_size = 0
        self._reading: dict[tuple[int, Place], asyncio.Future[Batch]] = {}
        self.end = tail.head

    # ---- growing ----

    async def grow(self, wanted: list[Filter]) -> list[EntryFrames] | None:
        """Take the next entries, at most a page, and return them; None when more came than are kept.

        Args:
            wanted: what is made into frames off the event loop when there is much of it.
        """
        new = self._tail.kept_after(self.end)
        if new is None:  # fallen behind: who is between reads from the store
            self._kept.clear()
            self._size = 0
            self.end = self._tail.head
            return None
        made = [EntryFrames(entry) for entry in new]
        if len(made) > AT_ONCE:
            await self._away(lambda: [each.after((0, 0), filter_) for each in made for filter_ in wanted])
        if made:
            self._kept.extend(made)
            self._size += sum(each.size for each in made)
            while self._kept and (len(self._kept) > KEPT or self._size > KEPT_BYTES):
                self._size -= self._kept.popleft().size
            self.end = made[-1].entry.sequence
        return made

    # ---- giving out ----

    def ready(self, channel: Channel, place: Place) -> Batch | None:
        """Return what comes after a place; None when that is to be read from the store.

        A batch without frames at the end says that there is nothing.
        """
        position = position_of(place)
        if position >= self.end:
            return Batch((), b"", place)
        shared = self._shared.get((channel.number, place))
        if shared is not None:
            return shared
        first = self._kept[0].entry.sequence if self._kept else self.end + 1
        if position + 1 < first:
            return None
        batch = gathered(islice(self._kept, position + 1 - first, None), place, channel.wanted)
        self._share((channel.number, place), batch)
        return batch

    async def older(self, channel: Channel, place: Place) -> Batch:
        """Read what comes after a place from the store; who asks for the same meanwhile waits for the same answer.

        Raises:
            StoreError: it cannot be read just now.
        """
        key = (channel.number, place)
        reading = self._reading.get(key)
        if reading is None:
            reading = asyncio.ensure_future(self._away(lambda: self._read(channel.wanted, place)))
            self._reading[key] = reading
            reading.add_done_callback(lambda done: self._was_read(key, done))
        return await asyncio.shield(reading)

    def _was_read(self, key: tuple[int, Place], reading: "asyncio.Future[Batch]") -> None:
        del self._reading[key]
        if not reading.cancelled() and reading.exception() is None:
            self._share(key, reading.result())

    def _read(self, wanted: Filter, place: Place) -> Batch:
        batch = Batch((), b"", place)
        for _ in range(SEARCHED_PAGES):
            page: list[TailEntry] = self._tail.after(position_of(batch.place))
            batch = gathered((EntryFrames(entry) for entry in page), batch.place, wanted)
            if batch.frames or not page:
                break
        return batch

    def _share(self, key: tuple[int, Place], batch: Batch) -> None:
        """Keep a batch for who comes to the same place; one at the end is short, and the next begins behind it."""
        if batch.place == key[1] or key in self._shared:
            return
        self._shared[key] = batch
        self._shared_size += len(batch.sse) + 100
        while self._shared_size > SHARED_BYTES:
            _, gone = self._shared.popitem(last=False)
            self._shared_size -= len(gone.sse) + 100
