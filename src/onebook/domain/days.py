"""Days of a book: which date a moment belongs to, by zone and roll time.

A day is named after the date on which it ends when the roll is at 12:00 or later (a roll at 17:00 New York
puts Sunday evening into Monday), else after the date on which it begins. At changes of the clock a day has
23 or 25 hours. A roll time that the clock skips counts as the moment of the jump; one that comes twice
counts the first time.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from onebook.domain import times
from onebook.errors import InputError

_NOON = time(12)


class Days:
    """The calendar of one zone and roll time.

    Args:
        zone: IANA name, ``America/New_York``.
        rolls_at: local time at which a day ends and the next begins, ``HH:MM``.

    Raises:
        InputError: no such zone, or not a time of day.
    """

    __slots__ = ("_date", "_end", "_roll", "_start", "_text", "_zone", "rolls_at", "zone")

    def __init__(self, zone: str = "UTC", rolls_at: str = "00:00") -> None:
        try:
            self._zone = ZoneInfo(zone)
        except (ValueError, OSError, KeyError):
            msg = f"zone: {zone!r} is not a time zone; use an IANA name such as America/New_York"
            raise InputError(msg, field="zone", value=zone) from None
        try:
            self._roll = time.fromisoformat(rolls_at)
        except ValueError:
            self._roll = time(0, tzinfo=UTC)
        if self._roll.tzinfo is not None or self._roll.second or self._roll.microsecond:
            msg = f"rolls_at: {rolls_at!r} is not a time of day; write it as 17:00"
            raise InputError(msg, field="rolls_at", value=rolls_at)
        self.zone = zone
        self.rolls_at = rolls_at
        self._start = self._end = 0
        self._date = date.min
        self._text = ""

    def of(self, ns: int) -> date:
        """Return the day that a moment belongs to."""
        if not self._start <= ns < self._end:
            self._find(ns)
        return self._date

    def text(self, ns: int) -> str:
        """Return the day that a moment belongs to, written ``2026-03-01``."""
        if not self._start <= ns < self._end:
            self._find(ns)
        return self._text

    def bounds(self, day: date) -> tuple[int, int]:
        """Return the first nanosecond of a day and the first of the next."""
        begins = day - timedelta(days=1) if self._roll >= _NOON else day
        return self._moment(begins), self._moment(begins + timedelta(days=1))

    def midnight(self, day: date) -> int:
        """Return the first nanosecond of a calendar date in the zone, whatever the roll."""
        return self._local(datetime.combine(day, time(0)))

    def date_of(self, ns: int) -> date:
        """Return the calendar date of a moment in the zone, whatever the roll."""
        return times.to_datetime(ns).astimezone(self._zone).date()

    def _find(self, ns: int) -> None:
        local = times.to_datetime(ns).astimezone(self._zone)
        begins = local.date()
        for day in (begins, begins - timedelta(days=1), begins + timedelta(days=1)):
            start, end = self._moment(day), self._moment(day + timedelta(days=1))
            if start <= ns < end:
                self._start, self._end = start, end
                self._date = day + timedelta(days=1) if self._roll >= _NOON else day
                self._text = self._date.isoformat()
                return
        msg = f"no day holds {times.to_text(ns)} in {self.zone}"
        raise AssertionError(msg)

    def _moment(self, day: date) -> int:
        return self._local(datetime.combine(day, self._roll))

    def _local(self, naive: datetime) -> int:
        aware = naive.replace(tzinfo=self._zone)
        before = aware.replace(fold=0).utcoffset() or timedelta(0)
        after = aware.replace(fold=1).utcoffset() or timedelta(0)
        moment = (naive - before).replace(tzinfo=UTC)
        if after > before:  # the clock skips this time: the day begins where it jumps
            moment = self._jump(moment - (after - before), moment)
        return times.from_datetime("", moment)

    def _jump(self, low: datetime, high: datetime) -> datetime:
        """Return the moment between two at which the zone's offset changes, to the second."""
        offset = low.astimezone(self._zone).utcoffset()
        while high - low > timedelta(seconds=1):
            middle = (low + (high - low) / 2).replace(microsecond=0)
            if middle.astimezone(self._zone).utcoffset() == offset:
                low = middle
            else:
                high = middle
        return high
