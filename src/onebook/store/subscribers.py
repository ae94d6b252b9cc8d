"""What a store keeps about who reads its log: checkpoints, leases, dead letters, heartbeats and observations.

None of it is in the log, and no figure depends on it. It is written beside the records, in transactions that wait
for no disk: what a loss of power takes away is delivered once more.
"""

from typing import NamedTuple, Protocol

Place = tuple[int, int]
"""(sequence, ordinal) in the log."""


class SubscriberRow(NamedTuple):
    """A durable subscriber.

    ``sequence`` and ``ordinal`` are its checkpoint: everything up to there is done. ``state`` is ``running``,
    ``halted`` until somebody acts, or ``skipping``: to pass over the next event it wants. ``attempts`` counts how
    often the event after the checkpoint failed. ``generation`` grows each time somebody else moves the checkpoint.
    ``holder`` serves it until ``lease_until_ns``; empty for nobody.
    ``rate`` is events a second, ``mean_seconds`` what handling one took.
    """

    name: str
    sequence: int
    ordinal: int
    state: str
    attempts: int
    generation: int
    handled: int
    errors: int
    last_error: str
    last_error_ns: int
    holder: str
    lease_until_ns: int
    updated_ns: int
    rate: float
    mean_seconds: float


class Progress(NamedTuple):
    """How far a subscriber got: ``handled`` and ``errors`` are added to what stands."""

    name: str
    holder: str
    generation: int
    sequence: int
    ordinal: int
    state: str
    attempts: int
    handled: int
    errors: int
    last_error: str
    last_error_ns: int
    lease_until_ns: int
    now_ns: int
    rate: float
    mean_seconds: float


class DeadLetter(NamedTuple):
    """An event that a subscriber could not handle; ``again`` is 1 when it is to be tried once more."""

    subscriber: str
    sequence: int
    ordinal: int
    type: str
    reason: str
    attempts: int
    at_ns: int
    again: int


class Heartbeat(NamedTuple):
    """A running bot's sign of life; silent when the next is later than ``every_ns`` after ``at_ns``."""

    strategy: str
    every_ns: int
    at_ns: int


class Observation(NamedTuple):
    """Something seen that is to be found again after a restart, such as how far a replay was; ``value`` is text."""

    kind: str
    name: str
    value: str
    at_ns: int


class SubscriberRows(Protocol):
    """Changes to these rows, inside one transaction."""

    def claim(self, name: str, holder: str, start: Place, now_ns: int, until_ns: int) -> SubscriberRow:
        """Make the subscriber when it is new, take its lease when it is free, and return it as it stands.

        Args:
            name: whose.
            holder: who asks.
            start: the checkpoint of a new one.
            now_ns: a lease that ended before is free.
            until_ns: how long the lease is wanted.
        """

    def save(self, progress: Progress) -> bool:
        """Keep how far a subscriber got; False when the lease or the generation is another by now."""

    def release(self, name: str, holder: str) -> None:
        """Give a lease back."""

    def move(self, name: str, place: Place, now_ns: int) -> None:
        """Put a checkpoint somewhere else, and let the subscriber run."""

    def skip(self, name: str) -> None:
        """Let the subscriber pass over the next event it wants, and run."""

    def remove(self, name: str) -> None:
        """Forget a subscriber with its dead letters."""

    def put_dead_letter(self, letter: DeadLetter) -> None:
        """Keep an event that could not be handled."""

    def drop_dead_letter(self, name: str, place: Place) -> None:
        """Forget a dead letter."""

    def try_dead_letters(self, name: str, place: Place | None) -> int:
        """Let a dead letter, or all, be tried again; return how many."""

    def put_heartbeat(self, beat: Heartbeat) -> None:
        """Keep a sign of life."""

    def put_observation(self, seen: Observation) -> None:
        """Keep the newest of a kind and name."""

    def drop_observation(self, kind: str, name: str) -> None:
        """Forget one."""

    def drop_heartbeat(self, strategy: str) -> None:
        """Forget a bot that ended on purpose."""
