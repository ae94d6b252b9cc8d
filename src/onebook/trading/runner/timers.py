"""Timers on a grid of time: which are due follows from two moments alone, so that a restart forgets none."""

from onebook.domain import times
from onebook.errors import InputError

MAX_TIMERS = 100


class Timers:
    """The timers of one strategy. They are due at multiples of their length, counted from 1970 UTC."""

    def __init__(self) -> None:
        self._every: dict[str, int] = {}

    def set(self, name: str, every_seconds: float) -> None:
        """Set a timer, or change it; 0 takes it away.

        Raises:
            InputError: no such length, or too many timers.
        """
        if not name or not 0 <= every_seconds <= 366 * 86_400 or 0 < every_seconds < 0.001:
            msg = f"every_seconds: {every_seconds!r} of timer {name!r} is neither 0 nor from 0.001 s to a year"
            raise InputError(msg, field="every_seconds", value=every_seconds)
        if every_seconds == 0:
            self._every.pop(name, None)
            return
        if name not in self._every and len(self._every) >= MAX_TIMERS:
            msg = f"timer {name!r}: there are {MAX_TIMERS} timers already"
            raise InputError(msg, field="name", value=name)
        self._every[name] = round(every_seconds * times.SECOND)

    def due(self, before_ns: int, now_ns: int) -> list[str]:
        """Return which became due after one moment and up to another, in the order in which they were set.

        Args:
            before_ns: the last moment at which this was asked; below 0: there is none, and nothing is due.
            now_ns: this moment, nanoseconds since 1970 UTC.
        """
        if before_ns < 0:
            return []
        return [name for name, every in self._every.items() if now_ns // every > before_ns // every]
