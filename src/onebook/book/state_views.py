"""What the book itself shows in the state: positions, P&L, runners and open round trips, each read when asked for."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from onebook.book import daily, positions
from onebook.book.lens import LedgerInfo, Lens
from onebook.book.marks import LiveMark
from onebook.domain import times
from onebook.domain.commands import ChangeState
from onebook.domain.holdings import Holding
from onebook.domain.numbers import ZERO, add, canonical
from onebook.domain.reports import DailyPnl
from onebook.domain.state_paths import VIEW_ROOTS, Path, held_message, is_shown
from onebook.domain.state_values import MISSING, merged
from onebook.errors import NotAllowed
from onebook.store.codec import decode_entry

_MONEY = ("gross", "fees", "funding", "income", "net")
_LONGEST_ID = 18


@dataclass(frozen=True, slots=True)
class Point:
    """A point of view: a lens for one short read, the newest mark of an instrument, and the moment."""

    lens: Callable[[], AbstractContextManager[Lens]]
    mark: Callable[[str], LiveMark | None]
    now: Callable[[], int]


class Views:
    """Values at the paths that read models show.

    Args:
        point: from where to look.
    """

    def __init__(self, point: Point) -> None:
        self._point = point
        self._readers = dict(zip(VIEW_ROOTS, (self._positions, self._pnl, self._runners, self._trips), strict=True))

    def value(self, path: Path) -> Any:
        """Return what is shown at a path, computed for it alone; MISSING when nothing is."""
        found: Any = MISSING
        for root, read in self._readers.items():
            if path[: len(root)] == root:
                found = merged(found, read(path[len(root) :]))
            elif root[: len(path)] == path:
                found = merged(found, _below(root[len(path) :], read(())))
        return found

    def refuse(self, command: ChangeState) -> None:
        """Refuse a command that would write where something is shown.

        Raises:
            NotAllowed: a path of it is one of them.
        """
        for change in command.changes:
            if is_shown(change.path) and self.value(change.path) is not MISSING:
                raise NotAllowed(held_message(change.path), path=change.path)

    # ---- positions ----

    def _positions(self, rest: Path) -> Any:
        account, instrument = (*rest, None, None)[:2]
        accounts: dict[str, dict[str, Any]] = {}
        with self._point.lens() as lens:
            for info, holdings in lens.all_holdings(account, instrument):
                held = [holding for _, holding in sorted(holdings.items())]
                if held:
                    shown = self._position(lens, info, held)
                    accounts.setdefault(info.account, {})[instrument or info.name] = shown
        return _inside(accounts or MISSING, rest)

    def _position(self, lens: Lens, info: LedgerInfo, holdings: list[Holding]) -> dict[str, Any]:
        """Return an account's total in an instrument, and each strategy's part."""
        terms, mark, now = lens.terms(info), positions.newest_mark(self._point.mark, info), self._point.now()
        groups: dict[str, list[Holding]] = {}
        for holding in holdings:
            groups.setdefault(holding.strategy, []).append(holding)
        total = positions.summed_position(lens, info, terms, holdings, mark, now)
        parts = {}
        for strategy, group in groups.items():
            part = positions.summed_position(lens, info, terms, group, mark, now)
            assert part is not None  # noqa: S101  a group has a holding
            parts[strategy] = _shown(positions.with_strategy(part, strategy))
        return {**_shown(total), "strategies": parts}

    # ---- P&L ----

    def _pnl(self, rest: Path) -> Any:
        parts: dict[str, Callable[[Path], Any]] = {
            "today": self._today,
            "days": self._days,
            "realized": lambda _: self._realized(),
        }
        if not rest:
            return {name: merged({}, read(())) for name, read in parts.items()}
        return _inside(parts[rest[0]](rest[1:]), rest[1:]) if rest[0] in parts else MISSING

    def _today(self, _rest: Path) -> Any:
        with self._point.lens() as lens:
            today = lens.calendar().of(self._point.now())
        return self._by_day(today, today).get(today.isoformat(), {})

    def _days(self, rest: Path) -> Any:
        if not rest:
            return self._by_day(None, None)
        try:
            day = date.fromisoformat(rest[0])
        except ValueError:
            return MISSING
        return self._by_day(day, day) or MISSING if day < date.max else MISSING

    def _by_day(self, first: date | None, last: date | None) -> dict[str, dict[str, Any]]:
        days: dict[str, dict[str, Any]] = {}
        for row in self._rows(first, last):
            figures = {name: getattr(row, name) for name in (*_MONEY, "fills", "round_trips")}
            days.setdefault(row.day, {})[row.currency] = figures
        return days

    def _realized(self) -> dict[str, Decimal]:
        total: dict[str, Decimal] = {}
        for row in self._rows(None, None):
            total[row.currency] = canonical(add(total.get(row.currency, ZERO), row.net))
        return total

    def _rows(self, first: date | None, last: date | None) -> list[DailyPnl]:
        since = None if first is None else first.isoformat()
        until = None if last is None else (last + timedelta(days=1)).isoformat()
        with self._point.lens() as lens:
            return daily.daily_pnl(lens, daily.DayQuery(since, until))

    # ---- runners ----

    def _runners(self, rest: Path) -> Any:
        """Return signs of life; only the newest are kept, so there are none at an earlier point."""
        with self._point.lens() as lens:
            beats = lens.reader.heartbeats() if lens.at_head else []
        now = self._point.now()
        shown = {
            beat.strategy: {
                "last_beat_at": times.to_datetime(beat.at_ns),
                "every_seconds": beat.every_ns / times.SECOND,
                "silent": now - beat.at_ns > beat.every_ns,
            }
            for beat in beats
        }
        return _inside(shown or MISSING, rest)

    # ---- open round trips ----

    def _trips(self, rest: Path) -> Any:
        with self._point.lens() as lens:
            if not rest:
                found = {str(trip.id): _shown(trip) for trip in positions.round_trips(lens, is_open=True)}
                return found or MISSING
            wanted = rest[0]
            if not wanted.isascii() or not wanted.isdecimal() or len(wanted) > _LONGEST_ID:
                return MISSING
            place = _place_of(lens, int(wanted))
            for account, instrument in () if place is None else (place, (None, None)):
                for trip in positions.round_trips(lens, account=account, instrument=instrument, is_open=True):
                    if str(trip.id) == wanted:
                        return _inside(_shown(trip), rest[1:])
        return MISSING


def _place_of(lens: Lens, sequence: int) -> tuple[str, str] | None:
    """Return whose ledger the fact of an entry was booked in at first; None when there is no such entry."""
    row = lens.reader.entry(sequence)
    if row is None:
        return None
    entry = decode_entry(sequence, row[1])
    return entry.account, entry.instrument


def _below(names: Path, value: Any) -> Any:
    """Return a value under the names that lead to it."""
    for name in reversed(names):
        value = MISSING if value is MISSING else {name: value}
    return value


def _inside(value: Any, names: Path) -> Any:
    for name in names:
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value


def _shown(record: Any) -> dict[str, Any]:
    """Return a record with its lists as lists, and pairs of currency and amount as an object."""
    shown = {item.name: getattr(record, item.name) for item in fields(record)}
    for name, value in shown.items():
        if isinstance(value, tuple):
            shown[name] = dict(value) if name == "unvalued" else list(value)
        elif isinstance(value, Mapping):
            shown[name] = dict(value)
    return shown
