"""Rows by key, in order, in memory; and changes to them that nobody else sees until they are applied.

It knows keys and rows, never what they mean.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from heapq import merge
from typing import Any

Key = tuple[Any, ...]
Row = tuple[Any, ...]
Pair = tuple[Key, Row]


class Table:
    """Rows by key, in the order of their keys."""

    def __init__(self) -> None:
        self._rows: dict[Key, Row] = {}
        self._keys: list[Key] = []

    def get(self, key: Key) -> Row | None:
        """Return the row of a key, or None."""
        return self._rows.get(key)

    def put(self, key: Key, row: Row | None) -> None:
        """Put a row in the place of the one before; None removes it."""
        if row is None:
            if self._rows.pop(key, None) is not None:
                del self._keys[bisect_left(self._keys, key)]
            return
        if key not in self._rows:
            if self._keys and key < self._keys[-1]:
                insort(self._keys, key)
            else:
                self._keys.append(key)
        self._rows[key] = row

    def clear(self) -> None:
        """Remove all rows."""
        self._rows.clear()
        self._keys.clear()

    def up(self, start: Key = ()) -> Iterator[Pair]:
        """Yield (key, row) from a key on, upwards."""
        for place in range(bisect_left(self._keys, start), len(self._keys)):
            key = self._keys[place]
            yield key, self._rows[key]

    def down(self, stop: Key) -> Iterator[Pair]:
        """Yield (key, row) before a key, downwards."""
        for place in range(bisect_left(self._keys, stop) - 1, -1, -1):
            key = self._keys[place]
            yield key, self._rows[key]


class Draft(Table):
    """Changes to a table that are not applied yet: reads show the table as it would be.

    Args:
        base: the table; it does not change before :meth:`apply`.
    """

    def __init__(self, base: Table) -> None:
        super().__init__()
        self._base = base
        self._gone: set[Key] = set()
        self._wiped = False

    def get(self, key: Key) -> Row | None:
        """Return the row of a key, or None."""
        row = super().get(key)
        return row if row is not None or self._wiped or key in self._gone else self._base.get(key)

    def put(self, key: Key, row: Row | None) -> None:
        """Put a row in the place of the one before; None removes it."""
        super().put(key, row)
        if row is None:
            self._gone.add(key)
        else:
            self._gone.discard(key)

    def clear(self) -> None:
        """Remove all rows."""
        super().clear()
        self._wiped = True

    def up(self, start: Key = ()) -> Iterator[Pair]:
        """Yield (key, row) from a key on, upwards."""
        below, own = self._base.up(start), super().up(start)
        return merge(self._left(below), own, key=_key) if self._touched() else below

    def down(self, stop: Key) -> Iterator[Pair]:
        """Yield (key, row) before a key, downwards."""
        below, own = self._base.down(stop), super().down(stop)
        return merge(self._left(below), own, key=_key, reverse=True) if self._touched() else below

    def _touched(self) -> bool:
        return bool(self._keys or self._gone or self._wiped)

    def _left(self, pairs: Iterator[Pair]) -> Iterator[Pair]:
        """Yield what no change hides."""
        if self._wiped:
            return iter(())
        return (pair for pair in pairs if pair[0] not in self._rows and pair[0] not in self._gone)

    def apply(self) -> None:
        """Make the changes in the table."""
        if self._wiped:
            self._base.clear()
        for key in self._gone:
            self._base.put(key, None)
        for key in self._keys:
            self._base.put(key, self._rows[key])


def _key(pair: Pair) -> Key:
    return pair[0]
