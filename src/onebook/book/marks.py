"""Prices of now: the newest mark per instrument, what it makes of the open positions, and their highs and lows.

Marks are observations: they never enter the log by themselves. Each process keeps the newest in memory, shares
them through a table at most once a second, and takes newer ones from it. A thread of its own does the sharing while
marks come, so that a tick never waits for the disk or for another process. The unrealized total moves with each tick
by the difference the tick makes, whatever the number of positions.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from time import monotonic

from onebook.book.exposures import Exposure, in_new_units, joined
from onebook.domain import times
from onebook.domain.numbers import ZERO, add, plain, subtract
from onebook.errors import StoreError
from onebook.store.codec import decode, encode_text
from onebook.store.port import Row, Store
from onebook.store.subscribers import Observation, SubscriberRows

EXTREMES = "extremes"
"""The kind of observation that keeps highs and lows over a restart, after a kill to the second."""

FETCH_EVERY = times.SECOND
SHARE_EVERY_SECONDS = 1.0
STALE_AFTER = 60 * times.SECOND
MAX_STRETCHES = 256
HURRY_AT = 1_000
"""Minutes' last marks that are shared without waiting for the second to end: a replay is faster than the clock."""

QUIET_FOR = times.SECOND // 4
"""How long, in the marks' own time, an instrument may be quiet before those who watch are asked again."""

MAX_SAMPLES = 100_000
"""Most minutes' last marks that wait for a store that is busy; the oldest are given up beyond that."""


@dataclass(slots=True)
class LiveMark:
    """The newest price of an instrument, and what was seen of it, in stretches.

    ``high`` and ``low`` are of the stretch that began at ``since``; a stretch ends at each fill, so that the marks
    since a position opened are those of whole stretches. ``past`` holds the ended ones: (since, high, low).
    ``minute_ends`` is the first moment after the minute of ``at``; 0 for a mark that another process took.

    While the instrument is quiet, a price between ``floor`` and ``ceiling``, both left out, seen before ``until``,
    changes nothing but the price and the total of ``currency``, by ``units`` times the difference; ``units`` is None
    where nothing is added up. ``turn`` counts how often the bounds of those who watch were taken back.
    """

    price: Decimal
    at: int
    source: str
    since: int = 0
    high: Decimal = ZERO
    low: Decimal = ZERO
    past: list[tuple[int, Decimal, Decimal]] = field(default_factory=list)
    cut: bool = False
    minute_ends: int = 0
    floor: Decimal = ZERO
    ceiling: Decimal = ZERO
    until: int = 0
    units: Decimal | None = None
    currency: str = ""
    turn: int = 0

    def move(self, price: Decimal, at: int, source: str) -> None:
        """Take the next price."""
        self.price, self.at, self.source = price, at, source
        if self.cut:
            self.cut, self.since, self.high, self.low = False, at, price, price
        elif price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price

    def join(self) -> None:
        """Join the oldest stretches where there are too many."""
        while len(self.past) > MAX_STRETCHES:
            (since, high, low), (_, other_high, other_low) = self.past[:2]
            self.past[:2] = [(since, max(high, other_high), min(low, other_low))]

    def extremes(self, since: int) -> tuple[Decimal, Decimal] | None:
        """Return the highest and lowest mark of the stretches that began at or after a moment."""
        seen = [(high, low) for begun, high, low in self.past if begun >= since]
        if not self.cut and self.since >= since:
            seen.append((self.high, self.low))
        if not seen:
            return None
        return max(high for high, _ in seen), min(low for _, low in seen)


Quiet = dict[str, LiveMark]
Turn = tuple[Quiet, int]
"""What was in force when a mark came: bounds that were learned for it count only where nothing has changed since."""


class Marks:
    """The board of marks of one open book.

    Args:
        store: where they are shared with other processes.
        clock: the moment, for ages.
        load: reads the open positions' exposures per instrument when the head has moved, and the names of which
            marks are kept minute by minute: what is held, and the pairs that value it in the book's base currency.

    Attributes:
        lock: held while anything here changes, save ``head`` and ``quiet``, which are put in place as a whole.
        quiet: the marks that may be moved without asking anybody, within their bounds; a new dictionary is put here
            whenever all of them are to be asked about again.
        sums: unrealized P&L by settlement currency, as of ``quiet``'s marks; changed in place by one currency at once.
        head: the last entry of the log.
        loaded_at: the entry up to which positions are in ``sums``; while it is ``head``, and the clock is at or after
            ``fetched`` and before ``fetch_due``, ``sums`` may be copied without the lock.
        fetched: when newer marks of other processes were taken.
        fetch_due: when they are to be taken again.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], int],
        load: Callable[[], tuple[int, dict[str, list[Exposure]], frozenset[str]]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._load = load
        self.lock = threading.Lock()
        self._marks: dict[str, LiveMark] = {}
        self.quiet: Quiet = {}
        self._sharing = threading.Lock()
        self._wake = threading.Event()
        self._sharer: threading.Thread | None = None
        self._closed = False
        self._pending: set[str] = set()
        self._samples: dict[tuple[str, int], Row] = {}
        self._exposures: dict[str, list[Exposure]] = {}
        self._sampled: frozenset[str] = frozenset()
        self.sums: dict[str, Decimal] = {}
        self.loaded_at = -1
        self.fetched = self.fetch_due = 0
        self._kept: dict[str, str] | None = None
        self._told: dict[str, str] = {}
        self.head = 0

    def grew(self, head: int) -> None:
        """Take it that the log holds entries up to a sequence: all that was learned of the marks may be otherwise."""
        self.head = head
        self.quiet = {}

    def put(self, instrument: str, price: Decimal, at: int, source: str) -> Turn:
        """Take a tick in; return what ``hush`` wants to know. An older tick than the newest changes nothing."""
        with self.lock:
            mark = self._marks.get(instrument)
            old_at = at
            if mark is None:
                old = None
                mark = self._marks[instrument] = self._first(instrument, price, at, source)
            else:
                if at < mark.at:
                    return self.quiet, mark.turn
                old, old_at = mark.price, mark.at
                if at >= mark.minute_ends > 0:
                    self._keep_minute(instrument, mark)
                mark.move(price, at, source)
            if self.loaded_at == self.head and instrument in self._exposures:
                self._add_up(self._exposures[instrument], old, old_at, price, at)
            if at >= mark.minute_ends:
                mark.minute_ends = (at // times.MINUTE + 1) * times.MINUTE
            if instrument not in self._pending:
                self._pending.add(instrument)
                self._start_sharing()
            return self.quiet, mark.turn

    def _add_up(self, exposures: list[Exposure], old: Decimal | None, old_at: int, price: Decimal, at: int) -> None:
        """Move the totals with a price, all at once for who reads them meanwhile."""
        totals = self.sums.copy()
        for exposure in exposures:
            before = ZERO if old is None else exposure.unrealized(in_new_units(old, old_at, exposure.splits))
            worth = exposure.unrealized(in_new_units(price, at, exposure.splits))
            totals[exposure.currency] = add(totals.get(exposure.currency, ZERO), subtract(worth, before))
        self.sums = totals

    def hush(self, instrument: str, turn: Turn, low: Decimal, high: Decimal) -> None:
        """Let ticks of an instrument be taken quietly for a while, where that is possible.

        Args:
            instrument: which.
            turn: what ``put`` returned, before those who watch were asked.
            low: nobody wants to know of a price between this one
            high: and this one, both left out.
        """
        quiet, count = turn
        with self.lock:
            mark = self._marks[instrument]
            exposures = self._exposures.get(instrument, ()) if self.loaded_at == self.head else ()
            if self._closed or mark.cut or mark.turn != count or self.quiet is not quiet or len(exposures) > 1:
                return
            mark.units = None
            for exposure in exposures:
                if exposure.inverse or exposure.splits:
                    return
                mark.units, mark.currency = exposure.units, exposure.currency
            mark.floor, mark.ceiling = max(low, mark.low), min(high, mark.high)
            mark.until = min(mark.minute_ends, mark.at + QUIET_FOR)
            quiet[instrument] = mark

    def unhush(self, instrument: str | None) -> None:
        """Take back what ``hush`` was told of an instrument, or of all for None."""
        with self.lock:
            mark = self._marks.get(instrument) if instrument is not None else None
            if instrument is None:
                self.quiet = {}
            elif mark is not None:
                mark.turn += 1
                self.quiet.pop(instrument, None)

    def _load_positions(self) -> None:
        """Read the open positions again and add up what they are worth, when the log has grown since."""
        if self.loaded_at == self.head:
            return
        loaded_at, exposures, self._sampled = self._load()
        self._exposures = {name: joined(items) for name, items in exposures.items()}
        totals: dict[str, Decimal] = {}
        for instrument, items in self._exposures.items():
            mark = self._marks.get(instrument)
            if mark is not None:
                for exposure in items:
                    worth = exposure.unrealized(in_new_units(mark.price, mark.at, exposure.splits))
                    totals[exposure.currency] = add(totals.get(exposure.currency, ZERO), worth)
        self.sums = totals
        self.loaded_at = loaded_at  # after the totals: who reads them without the lock looks at this first
        self.quiet = {}

    def totals(self) -> dict[str, Decimal]:
        """Return the unrealized P&L of all open positions that have a mark, by settlement currency."""
        with self.lock:
            self._look()
            self._load_positions()
            return self.sums.copy()

    # ---- sharing ----

    def _keep_minute(self, instrument: str, mark: LiveMark) -> None:
        """Keep the last mark of a minute that is over, of an instrument held or a pair that values one."""
        self._load_positions()
        if self._store.read_only or instrument not in self._sampled:
            return
        minute = mark.at // times.MINUTE
        self._samples[instrument, minute] = (instrument, minute, plain(mark.price), mark.at)
        if len(self._samples) > MAX_SAMPLES:
            del self._samples[next(iter(self._samples))]
        if len(self._samples) % HURRY_AT == 0:
            self._wake.set()

    def _start_sharing(self) -> None:
        """Let a thread share what is pending, and go on for as long as marks come."""
        if self._sharer is None and not self._closed and not self._store.read_only:
            self._sharer = threading.Thread(target=self._share_on, name="onebook-marks", daemon=True)
            self._sharer.start()

    def _share_on(self) -> None:
        told = monotonic() - SHARE_EVERY_SECONDS
        while True:
            with suppress(StoreError):
                self.share()
                if monotonic() - told >= SHARE_EVERY_SECONDS:
                    told = monotonic()
                    self._tell_extremes()
            self._wake.wait(SHARE_EVERY_SECONDS)
            with self.lock:
                self._wake.clear()
                if self._closed or not self._pending:
                    self._sharer = None
                    return

    def share(self, *, wait: bool = False) -> None:
        """Write the marks that no other process has seen yet; what cannot be written stays for the next time.

        Args:
            wait: wait up to a second for another writer; else give up at once.

        Raises:
            StoreError: it could not.
        """
        if self._store.read_only:
            return
        with self._sharing:
            pending, rows, samples = self._taken()
            if not rows and not samples:
                return
            try:
                self._store.put_marks(rows, samples.values(), wait=wait)
            except StoreError:
                self._give_back(pending, samples)
                raise

    def _give_back(self, pending: set[str], samples: dict[tuple[str, int], Row]) -> None:
        """Let what could not be written wait for the next time."""
        with self.lock:
            self._pending |= pending
            self._samples = samples | self._samples
            for place in list(islice(self._samples, max(len(self._samples) - MAX_SAMPLES, 0))):
                del self._samples[place]
            self._start_sharing()

    def _taken(self) -> tuple[set[str], list[Row], dict[tuple[str, int], Row]]:
        """Take over what is pending: names, their marks, and the last marks of minutes."""
        now = self._clock()
        with self.lock:
            if self._pending:
                self._load_positions()
            self.quiet = {}  # the next tick of each is to be shared again
            pending, self._pending = self._pending, set()
            samples, self._samples = self._samples, {}
            rows: list[Row] = []
            for instrument in pending:
                mark = self._marks[instrument]
                price = plain(mark.price)
                rows.append((instrument, price, mark.at, mark.source, now))
                if instrument in self._sampled:
                    minute = mark.at // times.MINUTE
                    samples[instrument, minute] = (instrument, minute, price, mark.at)
        return pending, rows, samples

    def close(self) -> None:
        """Share the newest marks and end the thread. Marks that come later are not shared."""
        with self.lock:
            self._closed = True
            self.quiet = {}
            sharer = self._sharer
        self._wake.set()
        if sharer is not None:
            sharer.join()
        with suppress(StoreError):
            self.share(wait=True)
            self._keep_extremes()

    # ---- over a restart ----

    def _first(self, instrument: str, price: Decimal, at: int, source: str) -> LiveMark:
        """Return the first mark that this process has of an instrument, with what was seen before a clean close."""
        mark = LiveMark(price, at, source, at, price, price)
        kept = self._load_kept().pop(instrument, None)
        if kept is not None:
            since, high, low, is_cut, past = decode(kept)
            if not is_cut and since <= at:  # whether a fill came before the end nobody knows: a new stretch begins
                past.append((since, high, low))
            mark.past = [(begun, Decimal(most), Decimal(least)) for begun, most, least in past]
            mark.join()
        return mark

    def _load_kept(self) -> dict[str, str]:
        if self._kept is None:
            with self._store.reading() as reader:
                self._kept = {item.name: item.value for item in reader.observations(EXTREMES)}
        return self._kept

    def _tell_extremes(self) -> None:
        """Keep the highs and lows of what is held where they have changed, so that a kill takes a second of them.

        Who shares at the same time waits for it: a look at the past must not miss this process's own marks.
        """
        with self.lock:
            self._load_positions()
            found = {
                name: (_extremes_text(mark), mark.at) for name, mark in self._marks.items() if name in self._sampled
            }
        rows = [
            Observation(EXTREMES, name, text, at) for name, (text, at) in found.items() if self._told.get(name) != text
        ]
        if rows:
            with self._sharing:
                self._store.aside(lambda changes: _put_all(changes, rows))
            self._told = {name: text for name, (text, _) in found.items()}

    def _keep_extremes(self) -> None:
        """Keep the highs and lows of what is held: a process that opens the book next goes on with them."""
        if self._store.read_only:
            return
        with self.lock:
            self._load_positions()
            rows = [
                Observation(EXTREMES, name, _extremes_text(mark), mark.at)
                for name, mark in self._marks.items()
                if name in self._sampled
            ]
            rows += [Observation(EXTREMES, name, value, 0) for name, value in (self._kept or {}).items()]
        with self._store.reading() as reader:
            known = {item.name: item.value for item in reader.observations(EXTREMES)}
        if {row.name: row.value for row in rows} != known:
            self._store.aside(lambda changes: _replace_extremes(changes, known, rows))

    # ---- reading ----

    def all(self) -> dict[str, LiveMark]:
        """Return the newest marks, with those of other processes at most a second old."""
        with self.lock:
            self._look()
            return dict(self._marks)

    def get(self, instrument: str) -> LiveMark | None:
        """Return the newest mark of an instrument, with those of other processes at most a second old."""
        with self.lock:
            self._look()
            return self._marks.get(instrument)

    def _look(self) -> None:
        """Take newer marks and positions of other processes, when the last look is a second ago."""
        now = self._clock()
        if -FETCH_EVERY < now - self.fetched < FETCH_EVERY:
            return
        self.fetched, self.fetch_due = now, now + FETCH_EVERY
        self._fetch()

    def _fetch(self) -> None:
        """Take newer marks and positions of other processes."""
        with self._store.reading() as reader:
            found = reader.marks()
            head = reader.head()[0]
        if head > self.head:
            self.grew(head)
        for instrument, price, at, source, _ in found:
            mine = self._marks.get(instrument)
            if mine is None or mine.at < at:
                value = Decimal(price)
                if mine is None:
                    self._marks[instrument] = self._first(instrument, value, at, source)
                else:
                    if at >= mine.minute_ends > 0:
                        self._keep_minute(instrument, mine)
                    mine.price, mine.at, mine.source, mine.minute_ends = value, at, source, 0
                    mine.high, mine.low = max(mine.high, value), min(mine.low, value)
                self.loaded_at = -1
                self.quiet = {}

    def knows(self, instrument: str) -> bool:
        """Say whether an instrument has a mark here; what was kept at a close counts from the first question on."""
        if self._kept is None:
            with self.lock:
                self._load_kept()
                self._fetch()
        return instrument in self._marks

    def extremes(self, instrument: str, since: int | None) -> tuple[Decimal, Decimal] | None:
        """Return the highest and lowest mark seen here since a position opened; None for a flat one."""
        if since is None:
            return None
        with self.lock:
            mark = self._marks.get(instrument)
            return None if mark is None else mark.extremes(since)

    def cut(self, instrument: str) -> None:
        """End a stretch at a fill. The oldest stretches are joined when there are too many."""
        with self.lock:
            mark = self._marks.get(instrument)
            if mark is None or mark.cut:
                return
            mark.past.append((mark.since, mark.high, mark.low))
            mark.cut = True
            self.quiet.pop(instrument, None)
            mark.join()


def _extremes_text(mark: LiveMark) -> str:
    past = [[since, plain(high), plain(low)] for since, high, low in mark.past]
    return encode_text([mark.since, plain(mark.high), plain(mark.low), mark.cut, past])


def _put_all(changes: SubscriberRows, rows: Iterable[Observation]) -> None:
    for row in rows:
        changes.put_observation(row)


def _replace_extremes(changes: SubscriberRows, known: Iterable[str], rows: Iterable[Observation]) -> None:
    for name in known:
        changes.drop_observation(EXTREMES, name)
    _put_all(changes, rows)
