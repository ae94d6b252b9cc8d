"""Trying a call again after a while, when its error says that this may help; bounded in count and in time.

Of our own: stamina takes neither clock, nor randomness, nor sleep, and looks at the time only before it sleeps, so it
stops late by a whole wait.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from onebook.clock import Clock
from onebook.domain.times import SECOND
from onebook.errors import BookError

Result = TypeVar("Result")
Sleep = Callable[[float], None]
"""Wait for so many seconds."""


LONGEST_PAUSE_SECONDS = 86_400.0
"""Most that a venue's wish to be left alone counts; then it is asked whether it still holds."""


def asked_pause(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that an answer asks to wait by its ``Retry-After``, 0 to a day; None where it does not say.

    A date counts from the answer's own ``Date``, so that no other clock matters.

    Args:
        headers: of the answer, looked up without regard to capitals by their own mapping.
    """
    said = str(headers.get("Retry-After") or "").strip()
    if said.isdecimal() and said.isascii():
        return float(min(int(said[:12]), LONGEST_PAUSE_SECONDS))
    try:
        wait = parsedate_to_datetime(said) - parsedate_to_datetime(str(headers.get("Date") or ""))
    except (ValueError, TypeError):  # no date; or one with a zone and one without
        return None
    return min(max(wait.total_seconds(), 0.0), LONGEST_PAUSE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how long calls are tried. Thread-safe.

    The n-th wait is a random share, between a half and all, of ``first_wait_seconds`` doubled n - 1 times; it is at
    most ``most_wait_seconds``, and at least the ``retry_seconds`` that an error brings. A wait that would end after
    ``seconds`` is not begun: the error is raised at once.

    Attributes:
        clock: nanoseconds; one that never goes back.
        random: for the share.
        sleep: waits.
        attempts: calls at most, the first one too; 1 never tries again.
        seconds: from the first call until the last may begin.
        first_wait_seconds: before the second call, above 0.
        most_wait_seconds: of one wait that we choose ourselves.

    Example:
        >>> retry = Retry(clock=time.monotonic_ns, random=random.Random(7))
        >>> retry(lambda: 42)
        42
    """

    clock: Clock
    random: random.Random
    sleep: Sleep = time.sleep
    attempts: int = 3
    seconds: float = 10.0
    first_wait_seconds: float = 0.2
    most_wait_seconds: float = 5.0

    def __call__(self, call: Callable[[], Result]) -> Result:
        """Return what the call returns, at the latest try.

        Raises:
            BookError: as the last try did: one that is not ``retryable``, or when the tries or the time are used up.
        """
        end = self.clock() + int(self.seconds * SECOND)
        tries = 1
        while True:
            try:
                return call()
            except BookError as problem:
                wait = self._wait(tries, problem)
                if not problem.retryable or tries >= self.attempts or self.clock() + int(wait * SECOND) > end:
                    raise
            self.sleep(wait)
            tries += 1

    def _wait(self, tries: int, problem: BookError) -> float:
        """Return the seconds to wait after so many tries."""
        most = min(self.first_wait_seconds * 2.0 ** min(tries - 1, 60), self.most_wait_seconds)
        asked = getattr(problem, "retry_seconds", None) or 0.0
        return max(most * self.random.uniform(0.5, 1.0), asked)
