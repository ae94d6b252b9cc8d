"""How accounts and strategies stand against their limits of loss.

The loss of a day is what was gained up to its roll less what was gained up to now; openings and transfers are no
gain. Both are computed from the book, so a restart forgets nothing. Where a person armed a limit again that day, it is
what was gained up to that entry of the log: their clock may be another than the book's. The highest result, for the
drawdown, is an observation: it is kept beside the log.
"""

import threading
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from onebook.book.core import Core
from onebook.book.lens import Lens
from onebook.book.marks import LiveMark
from onebook.domain import times
from onebook.domain.commands import Result
from onebook.domain.days import Days
from onebook.domain.decide.trading import TRADING
from onebook.domain.identity import identity_text
from onebook.domain.numbers import ZERO, plain
from onebook.errors import StoreError
from onebook.store.codec import decode
from onebook.store.subscribers import Observation

PEAK = "peak"
KEEP_PEAK_NS = times.SECOND
MANY_ENTRIES = 1_000
"""With more new entries than that the past is computed again without looking at them."""

_CHANGES_THE_PAST = (
    "account_defined",
    "cash_moved",
    "corporate_action_applied",
    "funding_paid",
    "instrument_defined",
    "position_restated",
    "rate_recorded",
    "settings_defined",
)

_NO_PEAK = (-1, ZERO)

Scope = tuple[str, str]
"""(account, strategy); empty texts stand for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a scope stands, in the book's base currency.

    Attributes:
        day: of the book's calendar.
        since_ns: from when the day's loss counts: the roll, or the moment when a person armed it again.
        before: what was gained up to then.
        now: what was gained up to now.
        peak: the highest result seen since it was armed.
        unvalued: what cannot be valued, now or at the start, so that these figures leave it out.
        one_sided: what of it is left out of ``before`` only: how much of the loss is its own cannot be told then.
    """

    day: str
    since_ns: int
    before: Decimal
    now: Decimal
    peak: Decimal
    unvalued: tuple[str, ...]
    one_sided: tuple[str, ...] = ()

    @property
    def result(self) -> Result:
        """The two figures that limits compare."""
        return Result(loss=self.before - self.now, drawdown=self.peak - self.now)

    def figures(self) -> dict[str, Any]:
        """Return the figures as plain JSON data."""
        figures: dict[str, Any] = {
            "day": self.day,
            "since": times.to_text(self.since_ns),
            "gained_before": plain(self.before),
            "gained_now": plain(self.now),
            "highest": plain(self.peak),
            "loss": plain(self.before - self.now),
            "drawdown": plain(self.peak - self.now),
        }
        return figures | ({"unvalued": list(self.unvalued)} if self.unvalued else {})


class Results:
    """Computes standings; keeps what the past came to until something changes it. Thread-safe.

    Args:
        book: which.
    """

    def __init__(self, book: Core) -> None:
        self._book = book
        self._lock = threading.Lock()
        self._before: dict[tuple[Scope, int, int], tuple[Decimal, tuple[str, ...]]] = {}
        self._head = -1
        self._peaks: dict[str, tuple[int, Decimal]] = {}
        self._kept: dict[str, int] = {}

    def standings(self, scopes: Collection[Scope]) -> dict[Scope, Standing]:
        """Return how each scope stands now."""
        if not scopes:
            return {}
        with self._lock:
            self._look()
            return {scope: self._standing(scope) for scope in scopes}

    def marks(self) -> dict[str, list[Any]]:
        """Return the marks of all that is held and of what values it, as plain JSON data: instrument -> [price, at].

        The newest of all is among them: it says which time it is where the market is another than the clock's.
        """
        held = {item.instrument for item in self._book.positions()}
        marks = self._book.marks()
        newest = max(marks, key=lambda mark: mark.at, default=None)
        return {
            mark.instrument: [plain(mark.price), times.from_datetime("at", mark.at)]
            for mark in marks
            if mark.instrument in held or "/" in mark.instrument or mark is newest
        }

    def _look(self) -> None:
        """Forget what the past came to when something has changed it since."""
        head = self._book.wakeups.look()
        if head == self._head:
            return
        if self._before and (head - self._head > MANY_ENTRIES or self._past_changed()):
            self._before = {place: value for place, value in self._before.items() if place[2]}
        self._head = head

    def _past_changed(self) -> bool:
        """Say whether anything recorded since the last look says something of the time before a day began."""
        newest = max((since for _, since, armed in self._before if not armed), default=-1)
        return any(
            event.type in _CHANGES_THE_PAST or times.from_datetime("occurred_at", event.occurred_at) < newest
            for event in self._book.events(after=self._head)
        )

    def _standing(self, scope: Scope) -> Standing:
        account, strategy = scope
        now_ns = self._book.now()
        with self._book.store.reading() as reader:
            settings = reader.record("settings", "", "book", None)
            armed_row = reader.record(TRADING, "", identity_text(*scope), None)
        definition = {} if settings is None else decode(settings[1])["definition"]
        days = Days(definition.get("zone", "UTC"), definition.get("rolls_at", "00:00"))
        day = days.of(now_ns)
        armed = {} if armed_row is None else decode(armed_row[1])
        entry, seen = int(armed.get("armed", 0)), armed.get("marks", {})
        begins, armed_ns = days.bounds(day)[0], _market_time(int(armed.get("armed_ns", 0)), seen, now_ns)
        if entry and armed_ns >= begins:
            since, place = armed_ns, (scope, armed_ns, entry)
        else:
            since, place, seen = begins, (scope, begins, 0), {}
        before, unknown = self._gained_before(place, seen)
        now, unvalued = self._book.result(account=account or None, strategy=strategy or None)
        return Standing(
            day=day.isoformat(),
            since_ns=since,
            before=before,
            now=now,
            peak=self._peak(scope, entry, now, now_ns, known=not unvalued),
            unvalued=tuple(sorted({*unvalued, *unknown})),
            one_sided=tuple(sorted({*unknown} - {*unvalued})),
        )

    def _gained_before(self, place: tuple[Scope, int, int], seen: dict[str, Any]) -> tuple[Decimal, tuple[str, ...]]:
        """Return what was gained up to a moment, and what could not be valued then.

        Args:
            place: whose, the moment, and the entry that armed it then; 0: the moment is the day's roll.
            seen: the marks of that moment as the log has them; the samples keep only the last one of a minute.
        """
        if place not in self._before:
            scope, since, entry = place
            account, strategy = scope
            marks = {name: LiveMark(Decimal(price), at, "") for name, (price, at) in seen.items()}
            gained, unvalued = ZERO, list[str]()
            if since:
                self._book.share_marks()  # the past is read from the table: what this process saw must be there
                then = self._book.as_of(entry) if entry else self._book.as_of(moment=times.to_text(since - 1))
                gained, unvalued = then.result(account=account or None, strategy=strategy or None, marks=marks)
                if unvalued and entry:  # a rate that was recorded since may tell
                    then = self._book.as_of(moment=times.to_text(since))
                if unvalued:
                    marks |= self._first_prices(unvalued, since)
                    gained, unvalued = then.result(account=account or None, strategy=strategy or None, marks=marks)
            self._before = {item: value for item, value in self._before.items() if item[0] != scope}
            if unvalued:
                return gained, tuple(unvalued)  # a price that comes later may tell
            self._before[place] = gained, ()
        return self._before[place]

    def _first_prices(self, names: Collection[str], since: int) -> dict[str, LiveMark]:
        """Return prices for what had none up to a moment: its first one after, else the one of now.

        So a loss counts from the first price that the book was given, where there was none before the day began.
        """
        found: dict[str, LiveMark] = {}
        newest = {mark.instrument: mark for mark in self._book.marks()}
        with self._book.store.reading() as reader:
            for name in {*newest, *names}:
                if reader.mark_at(name, since - 1) is not None:
                    continue
                first = reader.mark_after(name, since)
                if first is not None:
                    found[name] = LiveMark(Decimal(first[0]), first[1], "")
                elif name in newest:
                    found[name] = LiveMark(newest[name].price, since, "")
            base = Lens(reader).settings.base_currency
        for currency in names:
            rate = None if currency in found else self._book.rate(currency)
            if rate is not None:
                found.setdefault(f"{currency}/{base}", LiveMark(rate, since, ""))
        return found

    def _peak(self, scope: Scope, armed: int, now: Decimal, now_ns: int, *, known: bool) -> Decimal:
        """Return the highest result since the entry that armed it, in any process; keep a new one each second at most.

        A result that leaves out what cannot be valued is none to measure from.
        """
        name = identity_text(*scope)
        seen = [value for since, value in (self._peaks.get(name, _NO_PEAK), self._kept_peak(name)) if since == armed]
        peak = max(seen, default=now)
        if not known:
            return peak
        highest = max(peak, now)
        changed = self._peaks.get(name) != (armed, highest)
        self._peaks[name] = (armed, highest)
        if changed and not self._book.store.read_only and now_ns - self._kept.get(name, 0) >= KEEP_PEAK_NS:
            self._kept[name] = now_ns
            self._keep(name, now_ns)
        return highest

    def _kept_peak(self, name: str) -> tuple[int, Decimal]:
        """Return since which entry the kept peak counts, and the peak."""
        with self._book.store.reading() as reader:
            kept = {item.name: item.value for item in reader.observations(PEAK)}
        since, _, value = kept.get(name, "").partition(" ")
        return (int(since), Decimal(value)) if value else _NO_PEAK

    def _keep(self, name: str, now_ns: int) -> None:
        """Write a highest result beside the log; where that fails it is written with the next one, or at close."""
        armed, peak = self._peaks[name]
        seen = Observation(PEAK, name, f"{armed} {plain(peak)}", now_ns)
        with suppress(StoreError):
            since, kept = self._kept_peak(name)
            if since < armed or (since == armed and kept < peak):
                self._book.store.aside(lambda rows: rows.put_observation(seen))

    def close(self) -> None:
        """Keep the highest results."""
        with self._lock:
            if not self._book.store.read_only:
                for name in self._peaks:
                    self._keep(name, self._book.now())


def _market_time(armed_ns: int, seen: dict[str, Any], now_ns: int) -> int:
    """Return when a limit was armed, by the book's clock: a person's may be ahead of a book that replays the past."""
    if armed_ns <= now_ns:
        return armed_ns
    return min(max((int(at) for _, at in seen.values()), default=now_ns), now_ns)
