"""How a stream behaves: what it shows, how patient it is, and how much it keeps."""

from collections.abc import Callable
from dataclasses import dataclass

from onebook.errors import InputError, SourceError
from onebook.market.timeframes import parse

PRINTS = "prints"
QUOTES = "quotes"

OnTrouble = Callable[[str, str], None]
"""Told what went wrong: a kind (``connection silence gap overflow consumer refused``) and a sentence. It may be called
on any thread of the stream and should return soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRules:
    """How a stream behaves.

    Attributes:
        kinds: what to stream: ``prints``, ``quotes``, and timeframes such as ``1m`` for bars.
        silence_seconds: so long nothing may come while the venue is open; then the connection is made anew. Above 0.
        first_wait_seconds: about how long to wait before the second attempt to connect; each further one doubles it.
        longest_wait_seconds: the longest of these waits.
        steady_seconds: a connection that showed something and lived so long begins the waits anew when it breaks.
        longest_fill_seconds: of a longer gap only so much is fetched, and the rest is reported. Above 0.
        conflate_prints: keep only the newest print of an instrument for a consumer that lags, as with quotes; gaps of
            prints are not filled then. False where orders are matched on prints.
        max_waiting: prints and final bars that wait for the consumer; beyond, the oldest are dropped and reported.
    """

    kinds: tuple[str, ...] = (PRINTS, QUOTES)
    silence_seconds: float = 30.0
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0
    steady_seconds: float = 30.0
    longest_fill_seconds: float = 3600.0
    conflate_prints: bool = False
    max_waiting: int = 10_000

    def __post_init__(self) -> None:
        for name in ("silence_seconds", "first_wait_seconds", "longest_wait_seconds", "longest_fill_seconds"):
            value = getattr(self, name)
            if not value > 0:
                msg = f"{name}: {value!r} is not above 0"
                raise InputError(msg, field=name, value=value)
        if self.max_waiting < 1:
            msg = f"max_waiting: {self.max_waiting!r} is not 1 or more"
            raise InputError(msg, field="max_waiting", value=self.max_waiting)
        if not self.kinds:
            raise InputError("kinds: nothing to stream; name prints, quotes or a timeframe", field="kinds")
        for kind in self.kinds:
            if kind not in {PRINTS, QUOTES}:
                parse(kind)

    @property
    def timeframes(self) -> tuple[str, ...]:
        """The lengths of bars to stream."""
        return tuple(kind for kind in self.kinds if kind not in {PRINTS, QUOTES})

    @property
    def fills_prints(self) -> bool:
        """Whether prints that were missed are fetched."""
        return PRINTS in self.kinds and not self.conflate_prints

    def wait_seconds(self, tries: int, random: float, problem: BaseException | None) -> float:
        """Return how long to wait before connecting again.

        Args:
            tries: attempts that failed in a row, 1 or more.
            random: from 0 to 1; spreads the waits of many streams from half to the whole.
            problem: why the last one ended. What trying again does not mend waits longest; who asks for a longer
                wait gets it.
        """
        whole = min(self.longest_wait_seconds, self.first_wait_seconds * 2.0 ** min(tries - 1, 60))
        if problem is not None and not getattr(problem, "retryable", True):
            whole = self.longest_wait_seconds
        wait = whole * (0.5 + random / 2)
        return max(wait, asked_seconds(problem) or 0.0)


def asked_seconds(problem: BaseException | None) -> float | None:
    """Return how long the venue asked to wait, None when it did not say."""
    if not isinstance(problem, SourceError):
        return None
    asked = problem.details.get("retry_seconds")
    return float(asked) if asked is not None else None
