"""What a subscriber does when its handler fails."""

from dataclasses import dataclass
from random import Random

from onebook.errors import BadConfig

ON_FAILURE = ("dead_letter", "halt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Retries, and what comes after the last one.

    Attributes:
        attempts: how often an event is tried; None: for ever.
        on_failure: ``dead_letter`` puts the event aside and goes on; ``halt`` waits for a person.
        backoff_seconds: the wait after the first failure; it doubles with each.
        backoff_cap_seconds: the longest wait.
    """

    attempts: int | None = 8
    on_failure: str = "dead_letter"
    backoff_seconds: float = 0.1
    backoff_cap_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.on_failure not in ON_FAILURE:
            msg = f"on_failure: {self.on_failure!r} is neither dead_letter nor halt"
            raise BadConfig(msg, key="on_failure", value=self.on_failure)
        if self.attempts is not None and (type(self.attempts) is not int or self.attempts < 1):
            msg = f"attempts: {self.attempts!r} is no number of tries from 1 on; None tries for ever"
            raise BadConfig(msg, key="attempts", value=self.attempts)

    def wait(self, attempts: int, chance: Random) -> float:
        """Return how many seconds to wait after so many failures, between half and all of what doubling gives.

        Args:
            attempts: failures so far, 1 or more.
            chance: for the jitter, so that many do not come back at once.
        """
        full = min(self.backoff_cap_seconds, self.backoff_seconds * 2.0 ** min(attempts - 1, 60))
        return full * (0.5 + chance.random() / 2)

    def gives_up(self, attempts: int) -> bool:
        """Say whether so many failures are enough."""
        return self.attempts is not None and attempts >= self.attempts
