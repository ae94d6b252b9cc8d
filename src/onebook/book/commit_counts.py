"""What the one door to the log did in this process, in numbers; kept as cheaply as it can be."""

from bisect import bisect_left
from collections.abc import Callable

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Upper bounds of the classes of commands in one transaction; one more class is above."""

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the classes of seconds that making a transaction durable took; one more class is above."""


class CommitCounts:
    """Counts of transactions; written by who leads, read from any thread.

    Attributes:
        commands: decided in transactions that became durable.
        seconds: that making them durable took, in all.
        by_size: transactions in each class of :data:`SIZES`.
        by_seconds: transactions in each class of :data:`SECONDS`.
        failed: transactions that the store did not take.
        told: called with commands and seconds of each transaction that became durable; must not raise.
    """

    __slots__ = ("by_seconds", "by_size", "commands", "failed", "seconds", "told")

    def __init__(self) -> None:
        self.commands = 0
        self.seconds = 0.0
        self.by_size = [0] * (len(SIZES) + 1)
        self.by_seconds = [0] * (len(SECONDS) + 1)
        self.failed = 0
        self.told: Callable[[int, float], None] | None = None

    def add(self, commands: int, seconds: float) -> None:
        """Count a transaction that became durable.

        Args:
            commands: that it held.
            seconds: that its commit took.
        """
        self.commands += commands
        self.seconds += seconds
        self.by_size[bisect_left(SIZES, commands)] += 1
        self.by_seconds[bisect_left(SECONDS, seconds)] += 1
        if self.told is not None:
            self.told(commands, seconds)
