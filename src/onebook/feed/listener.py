"""Live listeners: told what happens from now on, each on a thread of its own. They have no checkpoint.

A listener that raises is never removed: the error is counted and logged, and the next event comes.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic, perf_counter
from typing import Self

from onebook.book.log import WHOLE, Filter
from onebook.book.logged import Place
from onebook.domain.reports import Event
from onebook.errors import BookError, StoreClosed
from onebook.feed.calling import Caller, Handler, join, tried
from onebook.feed.follower import NEWS_SECONDS, Bell, Follower, Rate, Seldom
from onebook.feed.live import LivePrices
from onebook.feed.tail import Tail, TailEntry

_log = logging.getLogger("onebook.feed")
CLOSE_SECONDS = 5.0
AGAIN_SECONDS = 0.25

Told = Callable[[Event], Iterable[object]]
"""Makes of an event what a handler is called with."""


class Listener:
    """A handle on a live listener.

    Args:
        name: for messages.
        handler: called with each event, one at a time, in order; may be ``async def``.
        tail: of the log.
        wanted: which events.
        place: from where on.
        live: prices and what they do to positions, None for a listener that does not want them.
        told: makes of an event what the handler is called with, none or several; None: the event.
        closed: called once it is closed.
    """

    def __init__(  # noqa: PLR0913  the parts of a reader
        self,
        name: str,
        handler: Handler,
        tail: Tail,
        wanted: Filter,
        place: Place,
        *,
        live: LivePrices | None,
        told: Told | None,
        closed: Callable[["Listener"], None],
    ) -> None:
        self.name = name
        self._call = Caller(handler)
        self._live = live
        self._told = told
        self._closed_by = closed
        self._bell = Bell()
        self._follower = Follower(tail, wanted, place, self._bell.ring)
        self._closing = False
        self.errors = 0
        self.last_error = ""
        self.rate = Rate()
        self._news = Seldom(NEWS_SECONDS)
        self._thread = threading.Thread(target=self._run, name=f"onebook-{name}", daemon=True)
        self._thread.start()

    @property
    def wants_prices(self) -> bool:
        """Whether it is told prices."""
        return self._live is not None

    @property
    def lag(self) -> int:
        """Entries that it was not told yet."""
        return self._follower.lag

    def offer(self, entry: TailEntry) -> None:
        """Say that an entry is there."""
        self._follower.offer(entry)

    def stir(self) -> None:
        """Let it look whether there is something to do."""
        self._follower.stir()

    def offer_price(self, instrument: str, price: object, at: int, source: str) -> None:
        """Say that a price is there; of several before it is told only the last counts."""
        if self._live is not None and self._live.take(instrument, price, at, source):
            self._follower.stir()

    def close(self) -> None:
        """Stop listening; what is being handled ends first."""
        if self._closing:
            return
        self._closing = True
        self._follower.stir()
        self._closed_by(self)
        if not self.is_here:
            join(self._thread, CLOSE_SECONDS, self.give_up)

    def give_up(self) -> None:
        """Give a coroutine up that cannot go on while who calls this waits."""
        self._call.give_up()

    def release(self) -> None:
        """Do nothing: it keeps nothing that others wait for."""

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closing

    @property
    def is_here(self) -> bool:
        """Whether its handler is who asks."""
        return self._thread is threading.current_thread()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closing:
            try:
                self._read()
                wait = self._tell_prices()
            except StoreClosed:
                break
            except BookError as problem:  # the store cannot be read just now
                self._failed(problem, "reading the book")
                self._bell.wait(AGAIN_SECONDS)
                continue
            if self._follower.rest():
                self._bell.wait(wait)
        self._call.close()

    def _read(self) -> None:
        """Tell the events of a page of the log; an entry that cannot be read is passed over."""
        follower = self._follower
        for entry in follower.tail.after(follower.position):
            try:
                events = follower.finds(entry)
            except BookError as problem:
                self._failed(problem, str(entry.sequence))
                events = []
            for event in events:
                self._tell(event)
                follower.place = event.place
                if self._closing:
                    return
            follower.place = (entry.sequence, WHOLE)

    def _tell_prices(self) -> float | None:
        """Tell the prices that wait; return in how many seconds to look again, None for not before one comes."""
        if self._live is None:
            return None
        for event in self._live.events(monotonic()):
            self._tell(event)
            if self._closing:
                break
        return self._live.due(monotonic())

    def _tell(self, event: Event) -> None:
        started = perf_counter()
        _, problem = tried(partial(self._call_with, event))
        if problem is not None:
            self._failed(problem, f"{event.id} {event.type}")
        self.rate.add(1, perf_counter() - started)

    def _failed(self, problem: BaseException, where: str) -> None:
        self.errors += 1
        self.last_error = f"{type(problem).__name__}: {problem}"
        if self._news.due():
            _log.warning("listener %s failed at %s: %s (%d times)", self.name, where, self.last_error, self.errors)

    def _call_with(self, event: Event) -> None:
        for item in (event,) if self._told is None else self._told(event):
            self._call(item)
