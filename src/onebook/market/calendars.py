"""When markets are open: sessions of crypto, of the FX week and of exchanges.

Days are named by the market's own rule: an FX session belongs to the day on which it ends. Times are nanoseconds
since 1970 UTC. Changes of the clock are the zone's: a session may begin at another UTC hour than the one before.
"""

import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol

from onebook.domain import times
from onebook.domain.days import Days
from onebook.errors import BadConfig, InputError

FIRST_DAY = date(2000, 1, 1)
"""From here on an exchange's sessions are known, unless asked for otherwise."""

STOCK_EXCHANGE = "XNYS"
_DAY = timedelta(days=1)
_NEVER_CLOSES = frozenset({"spot", "perpetual"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One stretch of trading.

    Attributes:
        day: the date that it is named after.
        opens_ns: its first moment.
        closes_ns: the first moment after it.
        is_early_close: it ends before the usual time.
    """

    day: date
    opens_ns: int
    closes_ns: int
    is_early_close: bool = False


class Calendar(Protocol):
    """The sessions of one market. They do not overlap; one may begin where the one before ends.

    All raise ``InputError`` for a time outside of what the calendar knows.
    """

    name: str
    never_closes: bool

    def session_of(self, at_ns: int) -> Session | None:
        """Return the session that a moment lies in; None while the market is closed."""

    def next_session(self, at_ns: int) -> Session | None:
        """Return the first session that opens after a moment."""

    def previous_session(self, at_ns: int) -> Session | None:
        """Return the last session that had closed by a moment."""

    def session_on(self, day: date) -> Session | None:
        """Return the session of a day; None on a day without one."""

    def closes_at(self, day: date) -> int | None:
        """Return when the session of a day ends; None on a day without one."""

    def sessions(self, since_ns: int, until_ns: int) -> Iterator[Session]:
        """Yield the sessions of which some part lies at or after ``since_ns`` and before ``until_ns``."""


class _Daily:
    """Sessions that fill their days, on the first so many days of each week."""

    name = ""
    never_closes = False

    def __init__(self, days: Days, weekdays: int = 7) -> None:
        self._days = days
        self._weekdays = weekdays  # from Monday on

    def session_on(self, day: date) -> Session | None:
        """Return the session of a day; None on a day without one."""
        if not self._trades_on(day):
            return None
        opens, closes = self._days.bounds(day)
        return Session(day=day, opens_ns=opens, closes_ns=closes)

    def session_of(self, at_ns: int) -> Session | None:
        """Return the session that a moment lies in; None while the market is closed."""
        return self.session_on(self._days.of(at_ns))

    def next_session(self, at_ns: int) -> Session | None:
        """Return the first session that opens after a moment."""
        day = self._days.of(at_ns) + _DAY
        while not self._trades_on(day):
            day += _DAY
        return self.session_on(day)

    def previous_session(self, at_ns: int) -> Session | None:
        """Return the last session that had closed by a moment."""
        day = self._days.of(at_ns) - _DAY
        while not self._trades_on(day):
            day -= _DAY
        return self.session_on(day)

    def closes_at(self, day: date) -> int | None:
        """Return when the session of a day ends; None on a day without one."""
        session = self.session_on(day)
        return None if session is None else session.closes_ns

    def sessions(self, since_ns: int, until_ns: int) -> Iterator[Session]:
        """Yield the sessions of which some part lies between two moments."""
        session = self.session_of(since_ns) or self.next_session(since_ns)
        while session is not None and session.opens_ns < until_ns:
            yield session
            session = self.next_session(session.opens_ns)

    def _trades_on(self, day: date) -> bool:
        return day.weekday() < self._weekdays


class Always(_Daily):
    """A market that never closes, such as crypto: one session a day, without a pause.

    Args:
        zone: IANA name of the zone whose days they are.
        rolls_at: local time at which a day ends, ``HH:MM``.
    """

    name = "always"
    never_closes = True

    def __init__(self, zone: str = "UTC", rolls_at: str = "00:00") -> None:
        super().__init__(Days(zone, rolls_at))


class FxWeek(_Daily):
    """Currencies: from Sunday 17:00 to Friday 17:00 in New York, a session a day from 17:00 to 17:00.

    Holidays are not left out: the market is thin on them, and does not close at one time everywhere.
    """

    name = "fx"

    def __init__(self) -> None:
        super().__init__(Days("America/New_York", "17:00"), weekdays=5)


class Exchange:
    """The sessions of an exchange, from a list; made by ``exchange(name)``. A lunch break counts as open.

    Args:
        name: of the exchange.
        sessions: all of them, in order.
        since: the first day that the list speaks of.
        until: the last day that it speaks of.
    """

    never_closes = False

    def __init__(self, name: str, sessions: tuple[Session, ...], since: date, until: date) -> None:
        self.name = name
        self._sessions = sessions
        self._opens = [session.opens_ns for session in sessions]
        self._closes = [session.closes_ns for session in sessions]
        self._on = {session.day: session for session in sessions}
        self._since, self._until = since, until
        self._first_ns = min(_midnight(since), self._opens[0])
        self._end_ns = max(_midnight(until + _DAY), self._closes[-1])

    def session_of(self, at_ns: int) -> Session | None:
        """Return the session that a moment lies in; None while the market is closed."""
        self._check(at_ns)
        place = bisect_right(self._opens, at_ns) - 1
        return self._sessions[place] if place >= 0 and at_ns < self._closes[place] else None

    def next_session(self, at_ns: int) -> Session | None:
        """Return the first session that opens after a moment."""
        self._check(at_ns)
        place = bisect_right(self._opens, at_ns)
        if place == len(self._sessions):
            raise self._unknown(times.to_text(at_ns))
        return self._sessions[place]

    def previous_session(self, at_ns: int) -> Session | None:
        """Return the last session that had closed by a moment."""
        self._check(at_ns)
        place = bisect_right(self._closes, at_ns) - 1
        if place < 0:
            raise self._unknown(times.to_text(at_ns))
        return self._sessions[place]

    def session_on(self, day: date) -> Session | None:
        """Return the session of a day; None on a day without one."""
        if not self._since <= day <= self._until:
            raise self._unknown(day.isoformat())
        return self._on.get(day)

    def closes_at(self, day: date) -> int | None:
        """Return when the session of a day ends; None on a day without one."""
        session = self.session_on(day)
        return None if session is None else session.closes_ns

    def sessions(self, since_ns: int, until_ns: int) -> Iterator[Session]:
        """Yield the sessions of which some part lies between two moments."""
        self._check(since_ns)
        self._check(until_ns - 1)
        first = bisect_right(self._closes, since_ns)
        yield from self._sessions[first : bisect_left(self._opens, until_ns)]

    def _check(self, at_ns: int) -> None:
        if not self._first_ns <= at_ns < self._end_ns:
            raise self._unknown(times.to_text(at_ns))

    def _unknown(self, what: str) -> InputError:
        msg = (
            f"{self.name}: {what} has no answer, its sessions are known from {self._since} to {self._until};"
            " make the calendar with another start or end"
        )
        return InputError(msg, calendar=self.name)


def exchange(name: str, *, start: date = FIRST_DAY, end: date | None = None) -> Exchange:
    """Return the calendar of an exchange, with its holidays and early closes.

    Args:
        name: as exchange_calendars has it: ``XNYS``, ``NYSE``, ``XLON``, ``CMES`` …
        start: from when on sessions are wanted.
        end: until when; a year from today where it is not given.

    Raises:
        BadConfig: no such calendar, no sessions between these days, or the extra is not installed.
    """
    try:
        import exchange_calendars  # type: ignore[import-untyped]
        from exchange_calendars.errors import CalendarError  # type: ignore[import-untyped]
    except ImportError:
        msg = 'calendars of exchanges need an extra; run: pip install "onebook[calendars]"'
        raise BadConfig(msg, extra="calendars") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # what pandas has to say to that library, not to us
            found = exchange_calendars.get_calendar(name, start=start.isoformat(), end=end and end.isoformat())
    except (CalendarError, ValueError) as problem:
        known = exchange_calendars.get_calendar_names(include_aliases=True)
        if name not in known:
            msg = f"calendar: {name!r} is no exchange that is known{_nearest(name, known)}"
        else:
            msg = f"calendar: {name} from {start} to {end or 'a year from now'}: {_short(problem)}; ask for other days"
        raise BadConfig(msg, calendar=name) from None
    return Exchange(name, _sessions(found), start, end or found.last_session.date())


def calendar_for(kind: str, name: str | None = None) -> Calendar:
    """Return the calendar by which an instrument trades.

    Args:
        kind: of the instrument: ``spot perpetual fx equity future option``.
        name: ``always``, ``fx``, or an exchange; where it is None the kind decides: crypto never closes, an equity
            follows New York.

    Raises:
        BadConfig: the kind does not tell (futures and options trade on many venues), or there is no such calendar.
    """
    asked = (name or "").strip()
    if asked.lower() == Always.name or (not asked and kind in _NEVER_CLOSES):
        return Always()
    if asked.lower() == FxWeek.name or (not asked and kind == "fx"):
        return FxWeek()
    if asked or kind == "equity":
        return exchange(asked or STOCK_EXCHANGE)
    msg = f"calendar: the kind {kind!r} does not tell when it trades; name one: always, fx, or an exchange such as CMES"
    raise BadConfig(msg, kind=kind)


def week_of(calendar: Calendar, session: Session) -> tuple[int, int]:
    """Return when the first session of a session's week (Monday to Sunday) opens, and when its last one closes."""
    monday = session.day - timedelta(days=session.day.weekday())
    found = [calendar.session_on(monday + timedelta(days=number)) for number in range(7)]
    week = [each for each in found if each is not None]
    return week[0].opens_ns, week[-1].closes_ns


def _sessions(found: Any) -> tuple[Session, ...]:
    early = {stamp.date() for stamp in found.early_closes}
    days = [stamp.date() for stamp in found.sessions]
    return tuple(
        Session(day=day, opens_ns=int(opens), closes_ns=int(closes), is_early_close=day in early)
        for day, opens, closes in zip(days, found.opens_nanos, found.closes_nanos, strict=True)
    )


def _nearest(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name.upper(), known, 1)
    return f"; did you mean {near[0]}?" if near else "; exchange_calendars.get_calendar_names() lists them"


def _short(problem: Exception) -> str:
    return str(problem).partition("\n")[0][:120].rstrip(".")


def _midnight(day: date) -> int:
    return times.from_datetime("day", datetime.combine(day, time(0), UTC))
