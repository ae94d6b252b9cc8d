"""The log for event loops: ``async for event in book.aio.events()``. No event loop waits on a disk for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Protocol

from onebook.book.log import WHOLE, Filter, make_filter, place_after
from onebook.book.logged import Place
from onebook.book.wakeups import Wakeups
from onebook.domain.reports import Event
from onebook.errors import StoreClosed
from onebook.feed.follower import Follower

if TYPE_CHECKING:
    from onebook.book.aio import AsyncDoor
    from onebook.book.receipts import Receipt
    from onebook.domain.facts import AnyFact
    from onebook.feed.feed import Feed


class Followed(Protocol):
    """A book with a feed."""

    wakeups: Wakeups

    @property
    def feed(self) -> "Feed":
        """All who follow it."""

    def async_door(self) -> "AsyncDoor":
        """The way in for event loops."""


class AsyncBook:
    """A book's calls for event loops.

    Args:
        book: which; its feed is made when somebody follows.
    """

    def __init__(self, book: "Followed") -> None:
        self._book = book

    async def record(self, fact: "AnyFact") -> "Receipt":
        """Take in a fact; it is durable when this returns.

        Raises:
            InputError: it is malformed.
            RuleError: a rule refuses it.
            StoreError: it is not there; trying again is safe for a fact with an identity.
        """
        return await self._book.async_door().record(fact)

    def events(
        self,
        *,
        after: int | str | None = None,
        types: Any = None,
        follow: bool = True,
        **filters: Any,
    ) -> AsyncIterator[Event]:
        """Return an async iterator over the events after a place, and over those that come.

        Args:
            after: a sequence or event id; None: what is recorded from now on.
            types: names or patterns such as ``trade_*``.
            follow: wait for more at the end; False ends there.
            filters: ``instruments``, ``accounts``, ``strategies``, ``min_quantity``, ``min_amount``.

        Raises:
            InputError: no such place, or a filter that cannot be.
        """
        wanted = make_filter(types, **filters)
        end = self._book.wakeups.look()
        place = (end, WHOLE) if after is None else place_after(after)
        return self._events(wanted, place, None if follow else end)

    async def _events(self, wanted: Filter, place: Place, end: int | None) -> AsyncIterator[Event]:
        loop, bell = asyncio.get_running_loop(), asyncio.Event()
        feed = self._book.feed
        tail = await asyncio.to_thread(feed.tail)

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(bell.set)

        follower = Follower(tail, wanted, place, wake)
        with feed.following(follower):
            while not feed.closed:
                try:
                    page = await self._page(follower)
                except StoreClosed:
                    return
                for entry in page:
                    for event in follower.finds(entry):
                        yield event
                        follower.place = event.place
                    follower.place = (entry.sequence, WHOLE)
                if end is not None and follower.position >= end:
                    return
                if follower.rest():
                    await bell.wait()
                    bell.clear()

    @staticmethod
    async def _page(follower: Follower) -> Any:
        found = follower.tail.kept_after(follower.position)
        return found if found is not None else await asyncio.to_thread(follower.tail.after, follower.position)
