"""Reading a growing file of rows, one event a line: its end, to go on from there, and all of it, to find a row.

A row carries the book's id and the event's, so that a file says itself what it holds. A last line without its
end was torn by a crash and is cut. What is not ours is refused, never written over.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from onebook.errors import BadPayload

BLOCK = 65_536
"""Bytes read from a file's end at first; more when a row is longer."""

_ORDINALS = 20


@dataclass(frozen=True, slots=True)
class Row:
    """What a row says of itself: its book (name and epoch), its event's id, its UTC day as ``20260131``."""

    book_id: str
    event_id: str
    day: str


class Form(Protocol):
    """How events are written as lines.

    Attributes:
        header: the first line with its end; empty for none.
    """

    header: bytes

    def begins(self, book: str) -> bytes:
        """Return how each row of a book begins, whatever its epoch."""

    def row(self, line: bytes) -> Row | None:
        """Return what a line without its end says; None when it is not one of ours."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a file: its last rows, and where the last whole one ends."""

    rows: tuple[Row, ...]
    end: int


def read_tail(file: BinaryIO, path: Path, form: Form, book: str) -> Tail:
    """Return the end of a file.

    Args:
        file: open for reading.
        path: its name, for messages.
        form: how its lines are written.
        book: the name of the book, without its epoch.

    Raises:
        BadPayload: it holds something else, or another book.
    """
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(len(form.header)) != form.header:
        file.seek(0)
        if size < len(form.header) and form.header.startswith(file.read(size)):
            return Tail((), 0)
        raise _not_ours(path, "its first line is another one")
    lines, torn, end = _last_lines(file, len(form.header), size)
    begins = form.begins(book)
    if not begins.startswith(torn[: len(begins)]):
        raise _not_ours(path, f"it ends with {_shown(torn)}")
    return Tail(tuple(_row(path, form, line, book) for line in lines), end)


def _last_lines(file: BinaryIO, start: int, size: int) -> tuple[list[bytes], bytes, int]:
    """Return the last whole lines, what is left behind them, and where they end.

    A power cut may leave zeros where a row was: nothing behind the first of them counts.
    """
    block = BLOCK
    while True:
        begin = max(start, size - block)
        file.seek(begin)
        data = file.read(size - begin).partition(b"\0")[0]
        first = 0 if begin == start else data.find(b"\n") + 1
        last = data.rfind(b"\n") + 1
        if begin == start or 0 < first < last:
            return data[first:last].split(b"\n")[:-1], data[last:], begin + last
        block *= 4


def _row(path: Path, form: Form, line: bytes, book: str) -> Row:
    row = form.row(line)
    if row is None:
        raise _not_ours(path, f"it has the line {_shown(line)}")
    found = book_and_epoch(row.book_id)[0]
    if found != book:
        msg = f"{path}: holds rows of another book ({found}; this one is {book}); name another file for this book"
        raise BadPayload(msg, path=str(path))
    return row


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("utf-8", "replace"))


def _not_ours(path: Path, why: str) -> BadPayload:
    msg = f"{path}: was not written here, or was changed since ({why})"
    return BadPayload(f"{msg}; it is left as it is: move it away, or name another file", path=str(path))


def book_and_epoch(book_id: str) -> tuple[str, int]:
    """Return the name and the epoch of a book's id, ``name:epoch``; the epoch is 0 where none stands."""
    name, _, epoch = book_id.rpartition(":")
    return (name, int(epoch)) if name and epoch.isdecimal() else (book_id, 0)


def place_of(event_id: str) -> int:
    """Return a number that orders event ids as the log does."""
    sequence, _, ordinal = event_id.partition(".")
    return int(sequence) << _ORDINALS | int(ordinal)


def sequence_of(place: int) -> int:
    """Return the sequence of a place in the log."""
    return place >> _ORDINALS


class Places:
    """Many places in the log, eight bytes each while they come in order."""

    def __init__(self, places: Iterable[int] = ()) -> None:
        self._in_order = array("Q")
        self._late: set[int] = set()
        for place in places:
            self.add(place)

    def add(self, place: int) -> None:
        """Take one in."""
        if not self._in_order or place > self._in_order[-1]:
            self._in_order.append(place)
        elif place not in self:
            self._late.add(place)

    def __contains__(self, place: int) -> bool:
        index = bisect_left(self._in_order, place)
        return (index < len(self._in_order) and self._in_order[index] == place) or place in self._late
