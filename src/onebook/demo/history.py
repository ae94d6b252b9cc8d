"""What happened on each session: its bars, its splits and dividends, and the euro rates since the one before."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from onebook.demo.actions import Dividend, Split, find_actions
from onebook.demo.bars import Bar, load_bars, rows_of
from onebook.domain import times

RATES_FILE = "ecb_fx_daily.csv.gz"
NEW_YORK = ZoneInfo("America/New_York")
FRANKFURT = ZoneInfo("Europe/Berlin")
_LEAD = timedelta(days=7)
_MISSING = "N/A"


@dataclass(frozen=True, slots=True, kw_only=True)
class EuroRate:
    """USD for 1 EUR, as the European Central Bank set it at ``at``."""

    at: datetime
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One day on which the exchange was open. ``number`` counts from 1; ``bars`` by stock."""

    number: int
    day: date
    bars: dict[str, Bar]
    splits: tuple[Split, ...]
    dividends: tuple[Dividend, ...]
    rates: tuple[EuroRate, ...]

    def at(self, clock: time) -> datetime:
        """Return a time of day in New York as a moment, in UTC."""
        return datetime.combine(self.day, clock, NEW_YORK).astimezone(UTC)

    def at_ns(self, clock: time) -> int:
        """Return the same in nanoseconds since 1970 UTC."""
        return times.from_datetime("clock", self.at(clock))


def load_sessions(first: date | None = None, last: date | None = None) -> tuple[Session, ...]:
    """Return the sessions from ``first`` to ``last``, both included; without them all there are."""
    bars, splits, dividends = _by_day(first, last)
    days = sorted(bars)
    rates = _rates_until(days)
    return tuple(
        Session(
            number=number,
            day=day,
            bars=bars[day],
            splits=tuple(splits.get(day, ())),
            dividends=tuple(dividends.get(day, ())),
            rates=tuple(rates[day]),
        )
        for number, day in enumerate(days, 1)
    )


def _by_day(
    first: date | None, last: date | None
) -> tuple[dict[date, dict[str, Bar]], dict[date, list[Split]], dict[date, list[Dividend]]]:
    """Sort bars and actions by day. An action on the very first day is nobody's: nothing is held yet."""
    bars: dict[date, dict[str, Bar]] = {}
    splits: dict[date, list[Split]] = {}
    dividends: dict[date, list[Dividend]] = {}
    for instrument, history in sorted(load_bars().items()):
        kept = [bar for bar in history if (first or bar.day) <= bar.day <= (last or bar.day)]
        for bar in kept:
            bars.setdefault(bar.day, {})[instrument] = bar
        for action in find_actions(kept):
            if isinstance(action, Split):
                splits.setdefault(action.day, []).append(action)
            else:
                dividends.setdefault(action.day, []).append(action)
    return bars, splits, dividends


def _rates_until(days: list[date]) -> dict[date, list[EuroRate]]:
    """Give each session the rates set since the one before; the first gets a week of them."""
    found: dict[date, list[EuroRate]] = {day: [] for day in days}
    coming = iter(days)
    session = next(coming, None)
    for row in rows_of(RATES_FILE):
        day = date.fromisoformat(row["date"])
        while session is not None and session < day:
            session = next(coming, None)
        if session is None:
            break
        if day < days[0] - _LEAD or row["USD"] == _MISSING:
            continue
        at = datetime.combine(day, time(14, 15), FRANKFURT).astimezone(UTC)
        found[session].append(EuroRate(at=at, price=Decimal(row["USD"])))
    return found
