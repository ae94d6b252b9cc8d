"""How far a runner is in what the market showed; written together with what came of it."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from onebook.book.core import Core
from onebook.clock import Clock
from onebook.domain import times
from onebook.errors import CorruptLog
from onebook.store.port import Store
from onebook.store.subscribers import Observation, SubscriberRows
from onebook.trading.runner.bests import Bests
from onebook.trading.stops import Stops

CURSOR = "cursor"
PROMISED = "promised"
TRAILS = "trails"
BESTS = "bests"
KEEP_NS = times.SECOND
"""How often it is written while nothing comes of events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in what a runner sees.

    Attributes:
        at_ns: time of the event, nanoseconds since 1970 UTC; -1 before the first.
        number: of the event among those of the same moment, from 1.
        matched: how many brokers have matched it.
        is_decided: the strategies have heard it, and what they wished for is placed.
        is_watched: the stops of positions have seen it; a trail that it moved is not tested against it again.
        heard: sequence of the log up to which the strategies have heard of fills.
    """

    at_ns: int = -1
    number: int = 0
    matched: int = 0
    is_decided: bool = True
    is_watched: bool = False
    heard: int = 0

    @property
    def place(self) -> tuple[int, int]:
        """(at_ns, number): the order of events."""
        return self.at_ns, self.number


class Keeper:
    """Keeps one runner's cursor, and what it has promised to do besides.

    Args:
        book: beside whose log it is written.
        name: of the runner.
        wall: the real time, nanoseconds since 1970 UTC; it only says how often.
        stops: whose best marks are kept with every cursor: they are those of its place.
        bests: the best marks of open positions, kept in the same way.
    """

    def __init__(
        self, book: Core, name: str, wall: Clock, stops: Stops | None = None, bests: Bests | None = None
    ) -> None:
        self._book = book
        self._name = name
        self._wall = wall
        self._kept_ns = 0
        self._stored: Cursor | None = None
        self._stops = stops
        self._trails_kept = -1
        self._bests = bests
        self._bests_kept = 0

    def load(self) -> Cursor | None:
        """Return the cursor as it was written last; None where the runner never ran on this book."""
        text = self._read(CURSOR)
        if text is None:
            return None
        try:
            self._stored = Cursor(**json.loads(text))
        except (ValueError, TypeError):
            msg = f"the cursor of runner {self._name} cannot be read: {text[:80]!r}"
            raise CorruptLog(msg, runner=self._name) from None
        return self._stored

    def promised(self) -> str:
        """Return what was promised with the last orders and may not be done; empty for nothing."""
        return self._read(PROMISED) or ""

    def trails(self) -> str:
        """Return how far the trails of stops had come at the cursor; empty for nothing."""
        return self._read(TRAILS) or ""

    def bests(self) -> str:
        """Return the best marks of open positions at the cursor; empty for nothing."""
        return self._read(BESTS) or ""

    def _read(self, kind: str) -> str | None:
        with self._book.store.reading() as reader:
            return {item.name: item.value for item in reader.observations(kind)}.get(self._name)

    def along(self, cursor: Cursor, *, promise: str = "", done: bool = False) -> Callable[[Store], None]:
        """Return what writes a cursor inside somebody's transaction.

        Args:
            cursor: which.
            promise: what is to be done right after, kept with it.
            done: what was promised is done in this transaction.
        """
        write_moved = self._moved()  # now: inside the transaction nobody waits for the stops' lock

        def write(store: Store) -> None:
            rows = store.subscriber_rows()
            rows.put_observation(self._row(cursor))
            write_moved(rows)
            if promise:
                rows.put_observation(Observation(PROMISED, self._name, promise, self._book.now()))
            elif done:
                rows.drop_observation(PROMISED, self._name)
            self._kept_ns, self._stored = self._wall(), cursor

        return write

    def put(self, cursor: Cursor) -> None:
        """Write a cursor now, in a transaction of its own."""
        if cursor == self._stored and self.has_trails and self._has_bests:
            return
        write_moved = self._moved()

        def write(rows: SubscriberRows) -> None:
            rows.put_observation(self._row(cursor))
            write_moved(rows)

        self._book.store.aside(write)
        self._kept_ns, self._stored = self._wall(), cursor

    def put_sometimes(self, cursor: Cursor) -> None:
        """Write a cursor if that was not done within the last second."""
        if self._wall() - self._kept_ns >= KEEP_NS:
            self.put(cursor)

    @property
    def has_trails(self) -> bool:
        """Whether the trails of stops are kept as they are now."""
        return self._stops is None or self._stops.moves == self._trails_kept

    @property
    def _has_bests(self) -> bool:
        return self._bests is None or self._bests.moves == self._bests_kept

    def _moved(self) -> Callable[[SubscriberRows], None]:
        """Return what writes the best marks as they are now, where they have moved since they were written."""
        trails = None if self._stops is None or self.has_trails else self._stops.trails()
        bests = None if self._bests is None or self._has_bests else (self._bests.moves, self._bests.text())
        now = self._book.now()

        def write(rows: SubscriberRows) -> None:
            if trails is not None:
                rows.put_observation(Observation(TRAILS, self._name, trails[1], now))
                self._trails_kept = trails[0]
            if bests is not None:
                rows.put_observation(Observation(BESTS, self._name, bests[1], now))
                self._bests_kept = bests[0]

        return write

    def _row(self, cursor: Cursor) -> Observation:
        return Observation(CURSOR, self._name, json.dumps(asdict(cursor)), cursor.at_ns)
