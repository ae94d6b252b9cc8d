"""Times as nanoseconds since 1970-01-01 UTC, and their text.

Text in and out is RFC 3339. A time without a zone is refused: a book that guesses zones is wrong twice a
year.
"""

import re
from datetime import UTC, date, datetime, timedelta

from onebook.errors import InputError, NaiveTime

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
FAR_AHEAD = 5 * MINUTE
"""How far ahead of our clock a time may be before it is odd: a fill is flagged, a mark refused."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*([Zz]|[+-]\d\d:?\d\d)?"
)
_LEAP_SECOND = 60


def from_datetime(field: str, moment: datetime) -> int:
    """Return an aware datetime as nanoseconds.

    Raises:
        NaiveTime: it has no zone.
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        msg = f"{field}: {moment.isoformat()} has no zone; write {moment.isoformat()}Z or give it a tzinfo"
        raise NaiveTime(msg, field=field, value=moment)
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds * 1000


def from_text(field: str, text: str) -> int:
    """Return RFC 3339 text as nanoseconds. A leap second counts as the second after it.

    Raises:
        NaiveTime: it has no zone.
        InputError: not a time.
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        msg = f"{field}: {text[:60]!r} is not a time; write it as 2026-01-31T09:30:00Z"
        raise InputError(msg, field=field, value=text)
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if zone is None:
        msg = f"{field}: {text[:60]!r} has no zone; write {text.strip()[:60]}Z for UTC, or +01:00 and so on"
        raise NaiveTime(msg, field=field, value=text)
    seconds = int(second or 0)
    leap = seconds == _LEAP_SECOND
    try:
        moment = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            59 if leap else seconds,
            tzinfo=UTC,
        )
    except ValueError as problem:
        msg = f"{field}: {text[:60]!r} is not a time: {problem}"
        raise InputError(msg, field=field, value=text) from None
    delta = moment - _EPOCH
    total = delta.days * 86_400 + delta.seconds + (1 if leap else 0)
    if zone not in "Zz":
        offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        total -= offset if zone[0] == "+" else -offset
    return total * SECOND + int((fraction or "0").ljust(9, "0"))


def to_ns(field: str, value: object) -> int:
    """Take a time: aware datetime, or text.

    Raises:
        NaiveTime: without a zone.
        InputError: not a time.
    """
    if isinstance(value, datetime):
        return from_datetime(field, value)
    if isinstance(value, str):
        return from_text(field, value)
    msg = f"{field}: {value!r} is not a time; use an aware datetime or text such as 2026-01-31T09:30:00Z"
    raise InputError(msg, field=field, value=value)


def to_datetime(ns: int) -> datetime:
    """Return nanoseconds as an aware UTC datetime, cut to the microsecond."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def to_text(ns: int) -> str:
    """Return nanoseconds as RFC 3339 UTC text with as many decimals as the value has: 0, 3, 6 or 9."""
    seconds, rest = divmod(ns, SECOND)
    moment = _EPOCH + timedelta(seconds=seconds)
    text = moment.replace(tzinfo=None).isoformat()  # strftime writes the year 1 as 1, not as 0001
    if not rest:
        return text + "Z"
    if rest % 1_000_000 == 0:
        return f"{text}.{rest // 1_000_000:03d}Z"
    if rest % 1000 == 0:
        return f"{text}.{rest // 1000:06d}Z"
    return f"{text}.{rest:09d}Z"


def to_date(field: str, value: object) -> date:
    """Take a calendar date: a date, or text such as 2026-01-31.

    Raises:
        InputError: not a date.
    """
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            pass
    msg = f"{field}: {value!r} is not a date; write it as 2026-01-31"
    raise InputError(msg, field=field, value=value)


def precision(ns: int) -> int:
    """Return the step, in nanoseconds, that a time was given in: a second, a milli-, micro- or nanosecond."""
    for step in (SECOND, 1_000_000, 1000):
        if ns % step == 0:
            return step
    return 1
