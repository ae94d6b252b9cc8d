"""Lengths of bars, and which bar a moment belongs to.

Below a day, bars lie on the grid of UTC, whatever the calendar. A day is the UTC day, or the session where a calendar
is given; a week begins on Monday.
"""

import re

from onebook.domain.times import DAY, MINUTE, SECOND
from onebook.errors import InputError
from onebook.market.calendars import Calendar, week_of

TIMEFRAMES = ("1s", "1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w")
"""The usual ones; others that divide a day evenly are taken too."""

WEEK = 7 * DAY
_TEXT = re.compile(r"(\d{1,5})\s*([A-Za-z]+)")
_UNITS = {"s": SECOND, "m": MINUTE, "h": 60 * MINUTE, "d": DAY, "w": WEEK}
_SPELLINGS = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes", "t"),
    "h": ("h", "hour", "hours", "hr"),
    "d": ("d", "day", "days"),
    "w": ("w", "week", "weeks"),
}
_UNIT_OF = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}
_MONDAY = 4 * DAY  # 1970-01-05; the epoch was a Thursday


def parse(text: str) -> str:
    """Return a timeframe as it is written here: ``1Min`` is ``1m``, ``60m`` is ``1h``.

    Raises:
        InputError: not a length, or one of which a day is not a whole multiple, such as 7 minutes; a month has no
            one length.
    """
    if text in TIMEFRAMES:
        return text
    match = _TEXT.fullmatch(text.strip())
    unit = None if match is None else _UNIT_OF.get(match[2].lower())
    if match is None or unit is None or match[2] == "M":
        msg = f"timeframe: {text!r} is not a length of bars; write {' '.join(TIMEFRAMES)}"
        raise InputError(msg, field="timeframe", value=text)
    length = int(match[1]) * _UNITS[unit]
    if length == 0 or (length < DAY and DAY % length) or (length > DAY and length != WEEK):
        msg = f"timeframe: a day is not a whole number of {text!r}; write {' '.join(TIMEFRAMES)}"
        raise InputError(msg, field="timeframe", value=text)
    return _written(length)


def _written(length: int) -> str:
    unit = next(name for name in "wdhms" if length % _UNITS[name] == 0)
    return f"{length // _UNITS[unit]}{unit}"


def length_ns(timeframe: str) -> int:
    """Return how long a bar lasts, in nanoseconds. A session of a day or week may be shorter.

    Raises:
        InputError: not a timeframe.
    """
    written = parse(timeframe)
    return int(written[:-1]) * _UNITS[written[-1]]


def floor(timeframe: str, at_ns: int, calendar: Calendar | None = None) -> int:
    """Return when the bar opened that a moment belongs to, in nanoseconds since 1970 UTC.

    Args:
        timeframe: of the bar.
        at_ns: the moment.
        calendar: by whose sessions days and weeks are counted; while its market is closed, the last bar counts.

    Raises:
        InputError: not a timeframe, or a moment that the calendar does not know.
    """
    length = length_ns(timeframe)
    if calendar is not None and length >= DAY:
        session = calendar.session_of(at_ns) or calendar.previous_session(at_ns)
        if session is not None:
            return session.opens_ns if length == DAY else week_of(calendar, session)[0]
    return grid(length, at_ns)


def grid(length: int, at_ns: int) -> int:
    """Return the last multiple of a length at or before a moment, in UTC; weeks begin on Monday."""
    begin = _MONDAY if length == WEEK else 0
    return at_ns - (at_ns - begin) % length
