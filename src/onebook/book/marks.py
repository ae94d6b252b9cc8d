"""Prices of now: the newest mark per instrument, what it makes of the open positions, and their highs and lows.

Marks are observations: they never enter the log by themselves. Each process keeps the newest in memory, writes
them to a table at most once a second per instrument, and takes newer ones from it. The unrealized total moves
with each tick by the difference the tick makes, whatever the number of positions.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from onebook.domain import times
from onebook.domain.instruments import Terms
from onebook.domain.numbers import ONE, ZERO, add, multiply, plain, quotient, subtract
from onebook.errors import StoreError
from onebook.store.port import Row, Store

WRITE_EVERY = times.SECOND
STALE_AFTER = 60 * times.SECOND
MAX_STRETCHES = 256


@dataclass(slots=True)
class LiveMark:
    """The newest price of an instrument, and what was seen of it, in stretches.

    ``high`` and ``low`` are of the stretch that began at ``since``; a stretch ends at each fill, so that the marks
    since a position opened are those of whole stretches. ``past`` holds the ended ones: (since, high, low).
    """

    price: Decimal
    at: int
    source: str
    written: int = 0
    since: int = 0
    high: Decimal = ZERO
    low: Decimal = ZERO
    past: list[tuple[int, Decimal, Decimal]] = field(default_factory=list)
    cut: bool = False

    def extremes(self, since: int) -> tuple[Decimal, Decimal] | None:
        """Return the highest and lowest mark of the stretches that began at or after a moment."""
        seen = [(high, low) for begun, high, low in self.past if begun >= since]
        if not self.cut and self.since >= since:
            seen.append((self.high, self.low))
        if not seen:
            return None
        return max(high for high, _ in seen), min(low for _, low in seen)


@dataclass(slots=True)
class Exposure:
    """What the open positions of an instrument are worth per price: unrealized = worth at the mark − cost.

    ``units`` signed, times contract size; ``cost`` signed with the quantity, in the settlement currency.
    """

    currency: str
    units: Decimal
    cost: Decimal
    inverse: bool

    def unrealized(self, price: Decimal) -> Decimal:
        """Return the unrealized P&L at a price."""
        if self.inverse:
            return subtract(self.cost, quotient(self.units, price)) if price else ZERO
        return subtract(multiply(self.units, price), self.cost)


class Marks:
    """The board of marks of one open book.

    Args:
        store: where they are shared with other processes.
        clock: the moment, for ages.
        load: reads the open positions' exposures per instrument when the head has moved.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], int],
        load: Callable[[], tuple[int, dict[str, list[Exposure]]]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._load = load
        self._lock = threading.Lock()
        self._marks: dict[str, LiveMark] = {}
        self._pending: dict[str, LiveMark] = {}
        self._exposures: dict[str, list[Exposure]] = {}
        self._totals: dict[str, Decimal] = {}
        self._loaded_at = -1
        self._fetched = 0
        self.head = 0

    def put(self, instrument: str, price: Decimal, at: int, source: str) -> Decimal | None:
        """Take a tick in; return the price before it. An older tick than the newest changes nothing."""
        with self._lock:
            if self._loaded_at != self.head:
                self._reload()
            mark = self._marks.get(instrument)
            if mark is None:
                old = None
                mark = self._marks[instrument] = LiveMark(price, at, source, 0, at, price, price)
            else:
                if at < mark.at:
                    return mark.price
                old = mark.price
                mark.price, mark.at, mark.source = price, at, source
                if mark.cut:
                    mark.cut, mark.since, mark.high, mark.low = False, at, price, price
                elif price > mark.high:
                    mark.high = price
                elif price < mark.low:
                    mark.low = price
            exposures = self._exposures.get(instrument)
            if exposures:
                for exposure in exposures:
                    self._move(exposure, old, price)
            if at - mark.written >= WRITE_EVERY or at < mark.written:
                mark.written = at
                self._pending[instrument] = mark
                self._write()
        return old

    def _move(self, exposure: Exposure, old: Decimal | None, price: Decimal) -> None:
        total = self._totals.get(exposure.currency, ZERO)
        if old is None:
            total = add(total, exposure.unrealized(price))
        elif exposure.inverse:
            total = add(total, subtract(exposure.unrealized(price), exposure.unrealized(old)))
        else:
            total = add(total, multiply(exposure.units, subtract(price, old)))
        self._totals[exposure.currency] = total

    def _reload(self) -> None:
        self._loaded_at, self._exposures = self._load()
        totals: dict[str, Decimal] = {}
        for instrument, exposures in self._exposures.items():
            mark = self._marks.get(instrument)
            if mark is not None:
                for exposure in exposures:
                    worth = exposure.unrealized(mark.price)
                    totals[exposure.currency] = add(totals.get(exposure.currency, ZERO), worth)
        self._totals = totals

    def totals(self) -> dict[str, Decimal]:
        """Return the unrealized P&L of all open positions that have a mark, by settlement currency."""
        with self._lock:
            if self._loaded_at != self.head:
                self._reload()
            return dict(self._totals)

    def _write(self) -> None:
        """Share pending marks; when another process writes just now, the next tick tries again."""
        if self._store.read_only:
            return
        rows: list[Row] = []
        samples: list[Row] = []
        for instrument, mark in self._pending.items():
            rows.append((instrument, plain(mark.price), mark.at, mark.source, self._clock()))
            if instrument in self._exposures:
                samples.append((instrument, mark.at // times.MINUTE, plain(mark.price), mark.at))
        try:
            self._store.put_marks(rows, samples)
        except StoreError:
            return
        self._pending.clear()

    def flush(self) -> None:
        """Share the newest marks now: at close."""
        with self._lock:
            self._pending = {
                name: mark for name, mark in self._marks.items() if mark.written != mark.at
            } | self._pending
            if self._pending:
                self._write()

    def all(self) -> dict[str, LiveMark]:
        """Return the newest marks, with those of other processes at most a second old."""
        now = self._clock()
        with self._lock:
            if not self._fetched or abs(now - self._fetched) >= WRITE_EVERY:
                self._fetched = now
                self._fetch()
            return dict(self._marks)

    def _fetch(self) -> None:
        with self._store.reading() as reader:
            found = reader.marks()
        changed = False
        for instrument, price, at, source, _ in found:
            mine = self._marks.get(instrument)
            if mine is None or mine.at < at:
                value = Decimal(price)
                if mine is None:
                    self._marks[instrument] = LiveMark(value, at, source, at, at, value, value)
                else:
                    mine.price, mine.at, mine.source, mine.written = value, at, source, at
                    mine.high, mine.low = max(mine.high, value), min(mine.low, value)
                changed = True
        if changed:
            self._reload()

    def knows(self, instrument: str) -> bool:
        """Say whether an instrument has a mark here."""
        return instrument in self._marks

    def extremes(self, instrument: str, since: int | None) -> tuple[Decimal, Decimal] | None:
        """Return the highest and lowest mark seen here since a position opened; None for a flat one."""
        if since is None:
            return None
        with self._lock:
            mark = self._marks.get(instrument)
            return None if mark is None else mark.extremes(since)

    def cut(self, instrument: str) -> None:
        """End a stretch at a fill. The oldest stretches are joined when there are too many."""
        with self._lock:
            mark = self._marks.get(instrument)
            if mark is None or mark.cut:
                return
            mark.past.append((mark.since, mark.high, mark.low))
            mark.cut = True
            if len(mark.past) > MAX_STRETCHES:
                (since, high, low), (_, other_high, other_low) = mark.past[:2]
                mark.past[:2] = [(since, max(high, other_high), min(low, other_low))]


def exposure_of(terms: Terms, quantity: Decimal, cost: Decimal) -> Exposure:
    """Return what a position is worth per price."""
    units = quantity if terms.contract_size == ONE else multiply(quantity, terms.contract_size)
    signed = cost if quantity > ZERO else subtract(ZERO, cost)
    return Exposure(terms.settle, units, signed, terms.inverse)
