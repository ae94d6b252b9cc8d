"""The clock of a replay: it stands until an event moves it on."""


class ReplayClock:
    """A callable that returns nanoseconds since 1970 UTC: the time of what is being replayed.

    Args:
        now_ns: the first moment.

    Example:
        >>> clock = ReplayClock(5)
        >>> clock.move(9)
        >>> clock.move(7)  # it never goes back
        >>> clock()
        9
    """

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def __call__(self) -> int:
        """Return the moment."""
        return self._now_ns

    def move(self, now_ns: int) -> None:
        """Go on to a moment; an earlier one changes nothing."""
        self._now_ns = max(self._now_ns, now_ns)
