"""A clock that moves when it is told to."""

from decimal import Decimal

from onebook.domain import times

START = "2026-01-05T09:00:00Z"


class FakeClock:
    """A clock for tests: a callable that returns nanoseconds since 1970 UTC.

    Args:
        start: the first moment, RFC 3339 text.
        step_seconds: how far it moves by itself after each call; 0 or more.

    Example:
        >>> clock = FakeClock("2026-01-05T09:00:00Z")
        >>> clock.advance(1.5)
        >>> clock.text
        '2026-01-05T09:00:01.500Z'
    """

    def __init__(self, start: str = START, *, step_seconds: float = 0) -> None:
        self.now = times.from_text("start", start)
        self._step = _nanoseconds(step_seconds)

    def __call__(self) -> int:
        """Return the moment, in nanoseconds."""
        now = self.now
        self.now += self._step
        return now

    @property
    def text(self) -> str:
        """The moment as RFC 3339 text."""
        return times.to_text(self.now)

    def advance(self, seconds: float | Decimal) -> None:
        """Move by so many seconds; back when negative."""
        self.now += _nanoseconds(seconds)

    def set(self, text: str) -> None:
        """Set the moment, RFC 3339 text.

        Raises:
            NaiveTime: without a zone.
            InputError: not a time.
        """
        self.now = times.from_text("text", text)


def _nanoseconds(seconds: float | Decimal) -> int:
    return int(Decimal(str(seconds)) * times.SECOND)
