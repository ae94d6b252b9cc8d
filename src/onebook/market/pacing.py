"""Calls spread so that a venue has no reason to complain: so many in so many seconds, and a pause when it asks for one.

Of our own: pyrate-limiter counts by the machine's own clock, knows no order among those who wait, and cannot be told of
a pause. Here everybody who comes gets the next free moment, so the first who comes goes first.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from onebook.clock import Clock
from onebook.domain.times import SECOND
from onebook.errors import BadConfig, RateLimited


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often something may be called.

    Attributes:
        calls: so many, 1 or more.
        seconds: in so many seconds, above 0.
        burst: so many at once after a rest, 1 or more; None for ``calls``.
        most_wait_seconds: who would wait longer is refused, 0 or more.
        pause_seconds: how long to pause when the venue complains and does not say how long.

    Raises:
        BadConfig: a rate that lets nobody through.
    """

    calls: int
    seconds: float = 1.0
    burst: int | None = None
    most_wait_seconds: float = 10.0
    pause_seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.calls < 1 or self.seconds <= 0 or (self.burst is not None and self.burst < 1):
            msg = f"a rate of {self.calls} calls in {self.seconds} seconds, {self.burst} at once, lets nobody through"
            raise BadConfig(msg)


class Pace:
    """The rate of calls to one thing. Thread-safe.

    Args:
        name: of it, for messages.
        rate: how often.
        clock: nanoseconds; one that never goes back.
        sleep: waits for seconds.

    Example:
        >>> pace = Pace("okx", Rate(calls=10), clock=time.monotonic_ns)
        >>> pace.take()
    """

    def __init__(self, name: str, rate: Rate, *, clock: Clock, sleep: Callable[[float], None] = time.sleep) -> None:
        self.name = name
        self.rate = rate
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._step = -(-int(rate.seconds * SECOND) // rate.calls)
        self._burst = rate.burst or rate.calls
        self._due = self._paused_until = clock()
        self._pauses = 0

    def take(self, weight: int = 1) -> None:
        """Return when a call may be made; those who came before go first.

        Args:
            weight: as how many calls it counts, 1 to the burst.

        Raises:
            RateLimited: that would take longer than the bound; ``retry_seconds`` says how long.
            BadConfig: a weight that the burst never has room for.
        """
        if not 1 <= weight <= self._burst:
            msg = f"{self.name}: a call cannot count as {weight}; 1 to {self._burst} are let through at once"
            raise BadConfig(msg)
        last = self._clock() + int(self.rate.most_wait_seconds * SECOND)
        while True:
            moment, pauses = self._book(weight, last)
            while (left := moment - self._clock()) > 0:
                self._sleep(left / SECOND)
            with self._lock:
                if pauses == self._pauses:
                    return

    def pause(self, seconds: float | None = None) -> None:
        """Let nobody through for a while, those who wait already neither: the venue has asked for it.

        After it the calls come one by one, not in a burst.

        Args:
            seconds: its ``Retry-After``; None where it did not say.
        """
        rest = self.rate.pause_seconds if seconds is None else max(seconds, 0.0)
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + int(rest * SECOND))
            self._due = self._paused_until + (self._burst - 1) * self._step
            self._pauses += 1

    def _book(self, weight: int, last: int) -> tuple[int, int]:
        """Return the moment that is this caller's, and how many pauses there were before it was given."""
        with self._lock:
            now = self._clock()
            due = max(self._due, now) + weight * self._step
            moment = due - self._burst * self._step
            if moment > last:
                wait = (moment - now) / SECOND
                msg = (
                    f"{self.name}: {self.rate.calls} calls in {self.rate.seconds:g} s are allowed; free in {wait:.1f} s"
                )
                raise RateLimited(msg, name=self.name, retry_seconds=wait)
            self._due = due
            return moment, self._pauses
