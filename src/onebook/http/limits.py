"""How much of the service one caller may use: requests a minute, and open requests at once."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

CALLERS = 10_000
"""So many callers are counted apart; of more, those who asked longest ago are forgotten."""

BURST_SECONDS = 10.0
"""What was not used in this time may be asked for at once."""

RESERVED = 16
"""Open requests that are kept free for operators: whoever may halt trading always gets through."""


class Rates:
    """Requests a minute of each caller.

    Args:
        a_minute: most requests; 0: any number.
        clock: seconds, for tests.
        burst_seconds: what was not used in this time may be asked for at once.
    """

    def __init__(
        self, a_minute: int, clock: Callable[[], float] = monotonic, *, burst_seconds: float = BURST_SECONDS
    ) -> None:
        self._rate = a_minute / 60
        self._most = max(self._rate * burst_seconds, 1.0)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, caller: str) -> float:
        """Count one request; return 0.0, or the seconds until it may be asked again.

        Args:
            caller: whose request.
        """
        if not self._rate:
            return 0.0
        now = self._clock()
        left, at = self._left.pop(caller, (self._most, now))
        left = min(self._most, left + (now - at) * self._rate)
        passes = left >= 1
        self._left[caller] = (left - 1 if passes else left, now)
        if len(self._left) > CALLERS:
            self._left.popitem(last=False)
        return 0.0 if passes else (1 - left) / self._rate


class Opened:
    """Requests that are being answered, streams and sockets among them.

    Args:
        most: of all callers together; of those whom nobody knows at most half of it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.count = 0
        self._strangers = 0

    def enter(self, *, is_operator: bool, is_stranger: bool = False) -> bool:
        """Take one more in; False when there are too many.

        Args:
            is_operator: some places are kept free for them.
            is_stranger: nobody knows who it is; they may not take the places of those who have a token.
        """
        if self.count >= self._most - (0 if is_operator else min(RESERVED, self._most // 2)):
            return False
        if is_stranger and self._strangers >= self._most // 2:
            return False
        self.count += 1
        self._strangers += is_stranger
        return True

    def leave(self, *, is_stranger: bool = False) -> None:
        """Let one go, as it came in."""
        self.count -= 1
        self._strangers -= is_stranger
