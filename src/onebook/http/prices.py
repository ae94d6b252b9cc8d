"""Prices for many readers: at one pace each instrument's newest is made into bytes once, and all take the same.

Nothing queues: what was not sent before the next price of an instrument is not sent at all.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from time import monotonic
from typing import Any, Protocol, TypeVar

from onebook.book.log import Filter
from onebook.domain import times
from onebook.domain.reports import Event, Mark, Position
from onebook.errors import StoreError
from onebook.feed.live import position_event, price_event
from onebook.http.frames import Frame, framed

LOOK_SECONDS = 1.0
"""How often to look for marks of other processes."""

FEW = 4
"""So many changed instruments have their positions read one by one; more are read in one go."""

MAX_PER_SECOND = 20

_Result = TypeVar("_Result")
Away = Callable[[Callable[[], _Result]], Awaitable[_Result]]
"""Does work off the event loop."""


class Priced(Protocol):
    """What prices are asked of: a book."""

    def hook_marks(self, hook: Callable[[str, Decimal, int, str], None], *, on: bool) -> None:
        """Call a function with every mark of this process, or no more."""

    def marks(self) -> list[Mark]:
        """Return the newest prices, of other processes too."""

    def positions(self, *, instrument: str | None = None) -> list[Position]:
        """Return the open positions."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest price of an instrument; ``version`` grows with every price of any."""

    version: int
    price: Decimal
    at: int
    source: str


class Prices:
    """The newest prices, at the paces that readers wish.

    Args:
        book: whose marks and positions they are.
        away: does work off the event loop.
    """

    def __init__(self, book: Priced, away: Away[Any]) -> None:
        self._book = book
        self._away = away
        self._newest: dict[str, Newest] = {}
        self._version = 0
        self._lanes: dict[int, Lane] = {}
        self._looking: asyncio.Task[None] | None = None
        self._hooked = False

    def join(self, per_second: int) -> "Lane":
        """Return the lane of a pace; whoever joins leaves it again."""
        lane = self._lanes.get(per_second)
        if lane is None:
            lane = self._lanes[per_second] = Lane(self, per_second)
        lane.members += 1
        if not self._hooked:
            self._hooked = True
            self._book.hook_marks(self.take, on=True)
            self._looking = asyncio.create_task(self._look())
        return lane

    def leave(self, lane: "Lane") -> None:
        """End a lane that nobody is in any more."""
        lane.members -= 1
        if lane.members:
            return
        lane.end()
        self._lanes.pop(lane.per_second, None)
        if not self._lanes:
            self.end()

    def end(self) -> None:
        """Take no more prices."""
        for lane in self._lanes.values():
            lane.end()
        if self._hooked:
            self._hooked = False
            self._book.hook_marks(self.take, on=False)
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def take(self, instrument: str, price: Decimal, at: int, source: str) -> None:
        """Keep the newest price; from any thread."""
        known = self._newest.get(instrument)
        if known is None or at >= known.at:
            self._version += 1
            self._newest[instrument] = Newest(self._version, price, at, source)

    def since(self, version: int) -> tuple[int, list[tuple[str, Newest]]]:
        """Return the newest version, and the prices after one."""
        upto = self._version
        return upto, [item for item in list(self._newest.items()) if item[1].version > version]

    async def events(self, changed: list[tuple[str, Newest]], told: dict[str, Decimal]) -> list["Live"]:
        """Return what readers are told of prices that changed, and remember the prices as told."""
        found: list[Live] = await self._away(lambda: self._made(changed, told))
        return found

    def _made(self, changed: list[tuple[str, Newest]], told: dict[str, Decimal]) -> list["Live"]:
        positions = self._positions([name for name, _ in changed])
        made = []
        for name, new in changed:
            events = [price_event(name, told.get(name), new.price, new.at, new.source)]
            events += [position_event(position, new.at) for position in positions.get(name, ())]
            told[name] = new.price
            made.append(Live(name, tuple((event, framed(event)) for event in events)))
        return made

    def _positions(self, names: list[str]) -> dict[str, list[Position]]:
        if len(names) <= FEW:
            return {name: self._book.positions(instrument=name) for name in names}
        found: dict[str, list[Position]] = {}
        for position in self._book.positions():
            found.setdefault(position.instrument, []).append(position)
        return found

    async def _look(self) -> None:
        """Take the marks of other processes; those that were there at first are no news."""
        first = True
        while True:
            try:
                marks: list[Mark] = await self._away(self._book.marks)
            except StoreError:
                marks = []
            for mark in marks:
                self._seen(mark, is_news=not first)
            first = False
            await asyncio.sleep(LOOK_SECONDS)

    def _seen(self, mark: Mark, *, is_news: bool) -> None:
        at = times.from_datetime("at", mark.at)
        known = self._newest.get(mark.instrument)
        if known is None and not is_news:
            self._newest[mark.instrument] = Newest(0, mark.price, at, mark.source)
        elif known is None or at > known.at:  # a mark of this process has nanoseconds, and is never behind
            self.take(mark.instrument, mark.price, at, mark.source)


@dataclass(frozen=True, slots=True)
class Live:
    """What one instrument's newest price is told as: itself, and the positions it moves."""

    instrument: str
    told: tuple[tuple[Event, Frame], ...]


class Lane:
    """The prices at one pace.

    Args:
        prices: where they come from.
        per_second: how often an instrument is told at most.
    """

    def __init__(self, prices: Prices, per_second: int) -> None:
        self._prices = prices
        self.per_second = per_second
        self.members = 0
        self.generation = 0
        self.wake: set[Callable[[], None]] = set()
        self._seen, _ = prices.since(0)
        self._told: dict[str, Decimal] = {}
        self._newest: OrderedDict[str, tuple[int, Live]] = OrderedDict()
        self._made: dict[tuple[Filter, int], list[Frame]] = {}
        self._task = asyncio.create_task(self._run())

    def end(self) -> None:
        """Tell no more."""
        self._task.cancel()

    def frames(self, wanted: Filter, seen: int) -> list[Frame]:
        """Return the newest of what is wanted and came after a generation."""
        place = (wanted, seen)
        found = self._made.get(place)
        if found is None:
            found = self._made[place] = [frame for event, frame in self._after(seen) if wanted.wants(event)]
        return found

    def _after(self, seen: int) -> Iterable[tuple[Event, Frame]]:
        fresh = []
        for generation, live in reversed(self._newest.values()):
            if generation <= seen:
                break
            fresh.append(live)
        for live in reversed(fresh):
            yield from live.told

    async def _run(self) -> None:
        every = 1 / self.per_second
        due = monotonic()
        while True:
            due = max(due + every, monotonic())
            await asyncio.sleep(max(due - monotonic(), 0))
            upto, changed = self._prices.since(self._seen)
            if not changed:
                continue
            try:
                made = await self._prices.events(changed, self._told)
            except StoreError:
                continue  # the book cannot be read just now: the newest are told at the next step
            self._seen = upto
            self.generation += 1
            self._made.clear()
            for live in made:
                self._newest[live.instrument] = (self.generation, live)
                self._newest.move_to_end(live.instrument)
            for wake in list(self.wake):
                wake()
