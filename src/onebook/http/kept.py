"""Places that the service keeps for clients of a socket: checkpoints that are moved by what a client acknowledges."""

import asyncio
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

from onebook.book.log import WHOLE
from onebook.book.logged import Place
from onebook.errors import InputError, NotAllowed, StoreBusy
from onebook.feed.checkpoint import LEASE_SECONDS, Checkpoint

if TYPE_CHECKING:
    from onebook.app import Book

MOST_NAMES = 100
"""Names that one caller may have places kept under."""

_LONGEST = 100


class KeptPlace:
    """The place of one client's subscription, kept under a name while this process serves it.

    Args:
        book: in which it is kept.
        caller: whose it is; another caller has names of its own.
        name: given by the client.
        holder: who serves it here.
    """

    def __init__(self, book: "Book", caller: str, name: str, holder: str) -> None:
        if not 0 < len(name) <= _LONGEST or not name.isprintable():
            msg = f"name: {name[:60]!r} is no name; give one of at most {_LONGEST} characters"
            raise InputError(msg, field="name", value=name[:60])
        self._book = book
        self._prefix = f"socket.{caller}."
        self.done: Place = (0, WHOLE)
        self._told: Place = (0, WHOLE)
        self._checkpoint = Checkpoint(book.store, self._prefix + name, holder, lambda: self.done)

    @property
    def name(self) -> str:
        """As subscribers of the book are listed."""
        return self._checkpoint.name

    async def open(self, start: Place) -> Place:
        """Take it up, and return the place up to which everything was acknowledged.

        Args:
            start: of one that is new.

        Raises:
            StoreBusy: another process serves it.
            NotAllowed: the caller has too many.
            StoreError: the book is read_only.
        """
        found = await asyncio.to_thread(self._claim, start)
        self.done = self._told = found
        return found

    def _claim(self, start: Place) -> Place:
        with self._book.store.reading() as reader:
            if reader.subscriber(self.name) is None:
                mine = sum(1 for row in reader.subscribers() if row.name.startswith(self._prefix))
                if mine >= MOST_NAMES:
                    msg = f"name: {mine} places are kept for this caller; onebook subscribers remove NAME forgets one"
                    raise NotAllowed(msg, field="name")
        row = self._checkpoint.claim(start)
        if not self._checkpoint.held:
            msg = f"{self.name} is served by {row.holder}; try again in {LEASE_SECONDS:.0f} s"
            raise StoreBusy(msg, name=self.name)
        return row.sequence, row.ordinal

    def acknowledge(self, place: Place) -> None:
        """Take everything up to a place as done; it is written down soon."""
        if place > self.done:
            self.done = place
            self._checkpoint.handled += 1

    def start_over(self, place: Place) -> None:
        """Go back to a place: the one that was kept is not in this log."""
        self.done = place

    async def keep(self) -> tuple[bool, Place | None]:
        """Write down what was acknowledged; return whether it is still served here, and the place when it is new."""
        done = self.done
        if done == self._told and not self._checkpoint.due():
            return True, None
        held = await asyncio.to_thread(self._checkpoint.save)
        new = done if held and done != self._told else None
        self._told = done
        return held, new

    async def close(self) -> None:
        """Write down what was acknowledged, and let others serve it."""
        await asyncio.to_thread(self._checkpoint.release)


class Holders:
    """Names for who serves a place in this process, another one for each subscription."""

    def __init__(self) -> None:
        self._mine = uuid4().hex[:12]
        self._numbers = count(1)

    def next(self) -> str:
        """Return another one."""
        return f"service:{self._mine}:{next(self._numbers)}"
