"""Subscribers' rows of a book in memory, changed inside a transaction of whoever made this."""

from collections.abc import Mapping

from onebook.store.subscribers import DeadLetter, Heartbeat, Observation, Place, Progress, SubscriberRow
from onebook.store.tables import Table

TABLES = ("subscribers", "dead_letters", "heartbeats", "observations")


class MemorySubscribers:
    """Changes to subscribers' rows.

    Args:
        tables: by name, with those of :data:`TABLES`.
    """

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables

    def _get(self, name: str) -> SubscriberRow | None:
        row = self._tables["subscribers"].get((name,))
        return None if row is None else SubscriberRow(*row)

    def _put(self, row: SubscriberRow) -> None:
        self._tables["subscribers"].put((row.name,), tuple(row))

    def claim(self, name: str, holder: str, start: Place, now_ns: int, until_ns: int) -> SubscriberRow:
        """Make the subscriber when it is new, take its lease when it is free, and return it as it stands."""
        row = self._get(name) or SubscriberRow(name, *start, "running", 0, 0, 0, 0, "", 0, "", 0, now_ns, 0.0, 0.0)
        if row.holder in {"", holder} or row.lease_until_ns < now_ns:
            row = row._replace(holder=holder, lease_until_ns=until_ns)
        self._put(row)
        return row

    def save(self, progress: Progress) -> bool:
        """Keep how far a subscriber got; False when the lease or the generation is another by now."""
        row = self._get(progress.name)
        if row is None or (row.holder, row.generation) != (progress.holder, progress.generation):
            return False
        failed = progress.last_error_ns > 0
        self._put(
            row._replace(
                sequence=progress.sequence,
                ordinal=progress.ordinal,
                state=progress.state,
                attempts=progress.attempts,
                handled=row.handled + progress.handled,
                errors=row.errors + progress.errors,
                last_error=progress.last_error if failed else row.last_error,
                last_error_ns=progress.last_error_ns if failed else row.last_error_ns,
                lease_until_ns=progress.lease_until_ns,
                updated_ns=progress.now_ns,
                rate=progress.rate,
                mean_seconds=progress.mean_seconds,
            )
        )
        return True

    def release(self, name: str, holder: str) -> None:
        """Give a lease back."""
        row = self._get(name)
        if row is not None and row.holder == holder:
            self._put(row._replace(holder="", lease_until_ns=0))

    def move(self, name: str, place: Place, now_ns: int) -> None:
        """Put a checkpoint somewhere else, and let the subscriber run."""
        row = self._get(name)
        if row is not None:
            moved = row._replace(sequence=place[0], ordinal=place[1], state="running", attempts=0, updated_ns=now_ns)
            self._put(moved._replace(generation=row.generation + 1))

    def skip(self, name: str) -> None:
        """Let the subscriber pass over the next event it wants, and run."""
        row = self._get(name)
        if row is not None:
            self._put(row._replace(state="skipping", attempts=0, generation=row.generation + 1))

    def remove(self, name: str) -> None:
        """Forget a subscriber with its dead letters."""
        self._tables["subscribers"].put((name,), None)
        for letter in self._letters(name):
            self._tables["dead_letters"].put(tuple(letter[:3]), None)

    def _letters(self, name: str) -> list[DeadLetter]:
        found = []
        for key, row in self._tables["dead_letters"].up((name,)):
            if key[0] != name:
                break
            found.append(DeadLetter(*row))
        return found

    def put_dead_letter(self, letter: DeadLetter) -> None:
        """Keep an event that could not be handled."""
        self._tables["dead_letters"].put(tuple(letter[:3]), tuple(letter))

    def drop_dead_letter(self, name: str, place: Place) -> None:
        """Forget a dead letter."""
        self._tables["dead_letters"].put((name, *place), None)

    def try_dead_letters(self, name: str, place: Place | None) -> int:
        """Let a dead letter, or all, be tried again; return how many."""
        chosen = [letter for letter in self._letters(name) if place is None or letter[1:3] == place]
        for letter in chosen:
            self.put_dead_letter(letter._replace(again=1))
        row = self._get(name)
        if chosen and row is not None:
            self._put(row._replace(generation=row.generation + 1))
        return len(chosen)

    def put_heartbeat(self, beat: Heartbeat) -> None:
        """Keep a sign of life."""
        row = self._tables["heartbeats"].get((beat.strategy,))
        at_ns = beat.at_ns if row is None else max(beat.at_ns, row[2])
        self._tables["heartbeats"].put((beat.strategy,), (beat.strategy, beat.every_ns, at_ns))

    def put_observation(self, seen: Observation) -> None:
        """Keep the newest of a kind and name."""
        self._tables["observations"].put((seen.kind, seen.name), tuple(seen))

    def drop_observation(self, kind: str, name: str) -> None:
        """Forget one."""
        self._tables["observations"].put((kind, name), None)

    def drop_heartbeat(self, strategy: str) -> None:
        """Forget a bot that ended on purpose."""
        self._tables["heartbeats"].put((strategy,), None)
