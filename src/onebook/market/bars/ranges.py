"""Stretches of time from a moment until before another: what is missing between known ones."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from onebook.domain import times
from onebook.domain.market import Bar
from onebook.market.calendars import Calendar, Session
from onebook.market.timeframes import length_ns

Range = tuple[int, int]
"""From a moment until before another, nanoseconds since 1970 UTC."""

_DAY = timedelta(days=1)


def without(whole: Range, known: Iterable[Range]) -> list[Range]:
    """Return what of a stretch lies in none of the known ones, which are in order and do not overlap."""
    at, end = whole
    missing = []
    for from_ns, to_ns in known:
        if from_ns > at:
            missing.append((at, min(from_ns, end)))
        at = max(at, to_ns)
        if at >= end:
            return missing
    return [*missing, (at, end)] if at < end else missing


def of_bars(bars: Iterable[Bar]) -> list[Range]:
    """Return the stretches that final bars fill, those that touch put together; the bars are oldest first."""
    found: list[Range] = []
    for bar in bars:
        if not bar.is_final:
            continue
        if found and bar.opened_ns <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], bar.at_ns))
        else:
            found.append((bar.opened_ns, bar.at_ns))
    return found


def pages(whole: Range, length: int) -> Iterator[Range]:
    """Yield a stretch in pieces of at most this length."""
    at, end = whole
    while at < end:
        yield at, min(at + length, end)
        at += length


def while_open(gap: Range, timeframe: str, calendar: Calendar) -> Range | None:
    """Return a stretch without the closed hours at its ends; None when the market was closed all through it.

    A bar of a day or longer opens at the session or at midnight, as its source likes: from the UTC midnight of a
    session's day on counts as open for it.

    Raises:
        InputError: the calendar does not reach so far.
    """
    from_ns, to_ns = gap
    if length_ns(timeframe) >= times.DAY:
        return _on_days(gap, calendar)
    first = calendar.session_of(from_ns) or calendar.next_session(from_ns)
    last = calendar.session_of(to_ns - 1) or calendar.previous_session(to_ns)
    if first is None or last is None or first.opens_ns >= to_ns or last.closes_ns <= from_ns:
        return None
    return max(from_ns, first.opens_ns), min(to_ns, last.closes_ns)


def _on_days(gap: Range, calendar: Calendar) -> Range | None:
    from_ns, to_ns = gap
    day, last = times.to_datetime(from_ns).date(), times.to_datetime(to_ns - 1).date() + _DAY
    first = next((found for found in _days(calendar, day, last, 1) if found[1] > from_ns), None)
    if first is None or first[0] >= to_ns:
        return None
    end = next((found for found in _days(calendar, last, day, -1) if found[0] < to_ns), first)
    return max(from_ns, first[0]), min(to_ns, end[1])


def _days(calendar: Calendar, day: date, last: date, step: int) -> Iterator[Range]:
    while (day <= last) if step > 0 else (day >= last):
        session = calendar.session_on(day)
        if session is not None:
            yield _whole_day(session)
        day += step * _DAY


def _whole_day(session: Session) -> Range:
    midnight = times.from_datetime("day", datetime.combine(session.day, time(0), UTC))
    return min(midnight, session.opens_ns), max(midnight + times.DAY, session.closes_ns)
