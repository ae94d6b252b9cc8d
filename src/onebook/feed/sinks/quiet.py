"""Quiet hours: from when to when, every day on a wall clock, nobody is to be woken."""

import re
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from onebook.domain import times
from onebook.errors import BadConfig

_SPAN = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From ``begins`` until ``ends``; over midnight where it ends earlier than it begins."""

    begins: time
    ends: time

    def until(self, now: int, zone: ZoneInfo) -> int | None:
        """Return when the quiet hours end in which a moment lies; None where it lies in none.

        Args:
            now: nanoseconds since 1970 UTC; so is the answer.
            zone: whose wall clock.
        """
        local = times.to_datetime(now).astimezone(zone)
        clock = local.time()
        over_midnight = self.ends < self.begins
        inside = clock >= self.begins or clock < self.ends if over_midnight else self.begins <= clock < self.ends
        if not inside:
            return None
        day = local.date() + timedelta(days=1) if over_midnight and clock >= self.begins else local.date()
        end = local.combine(day, self.ends, tzinfo=zone)
        return max(times.from_datetime("ends", end), now + times.SECOND)


def quiet_hours(key: str, value: Any) -> QuietHours:
    """Take quiet hours, such as ``22:00-07:00``.

    Raises:
        BadConfig: it is something else, or both times are the same.
    """
    found = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        msg = f"{key}: {value!r:.80} are no quiet hours; write them as 22:00-07:00"
        raise BadConfig(msg, key=key, value=value)
    first, second, third, fourth = (int(part) for part in found.groups())
    hours = QuietHours(time(first, second), time(third, fourth))
    if hours.begins == hours.ends:
        msg = f"{key}: {value!r:.80} begin and end at the same time; leave them out for none"
        raise BadConfig(msg, key=key, value=value)
    return hours


def zone(key: str, value: Any) -> ZoneInfo:
    """Take the name of a time zone, such as ``Europe/Berlin``.

    Raises:
        BadConfig: there is no such zone.
    """
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(value if isinstance(value, str) else "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"{key}: {value!r:.80} is not a time zone; write it as UTC or Europe/Berlin"
        raise BadConfig(msg, key=key, value=value) from None
