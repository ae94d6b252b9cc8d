"""Subscribers' rows in SQLite, changed inside a transaction of whoever made this."""

from typing import Any

import apsw

from onebook.store.sql import statements
from onebook.store.sqlite.errors import translated
from onebook.store.subscribers import DeadLetter, Heartbeat, Observation, Place, Progress, SubscriberRow

SQL = statements("onebook.store.sqlite", "subscribers.sql")


class SqliteSubscribers:
    """Changes to subscribers' rows over one connection.

    Args:
        connection: in a transaction.
        url: of the book, for errors.
    """

    def __init__(self, connection: apsw.Connection, url: str) -> None:
        self._connection = connection
        self._url = url

    def _run(self, name: str, *params: Any) -> list[Any]:
        try:
            return self._connection.execute(SQL[name], params).fetchall()
        except apsw.Error as problem:
            raise translated(problem, self._url) from None

    def claim(self, name: str, holder: str, start: Place, now_ns: int, until_ns: int) -> SubscriberRow:
        """Make the subscriber when it is new, take its lease when it is free, and return it as it stands."""
        self._run("make_subscriber", name, *start, now_ns)
        self._run("take_lease", name, holder, now_ns, until_ns)
        return SubscriberRow(*self._run("subscriber", name)[0])

    def save(self, progress: Progress) -> bool:
        """Keep how far a subscriber got; False when the lease or the generation is another by now."""
        return bool(self._run("save", *progress))

    def release(self, name: str, holder: str) -> None:
        """Give a lease back."""
        self._run("release", name, holder)

    def move(self, name: str, place: Place, now_ns: int) -> None:
        """Put a checkpoint somewhere else, and let the subscriber run."""
        self._run("move", name, *place, now_ns)

    def skip(self, name: str) -> None:
        """Let the subscriber pass over the next event it wants, and run."""
        self._run("skip", name)

    def remove(self, name: str) -> None:
        """Forget a subscriber with its dead letters."""
        self._run("remove", name)

    def put_dead_letter(self, letter: DeadLetter) -> None:
        """Keep an event that could not be handled."""
        self._run("put_dead_letter", *letter)

    def drop_dead_letter(self, name: str, place: Place) -> None:
        """Forget a dead letter."""
        self._run("drop_dead_letter", name, *place)

    def try_dead_letters(self, name: str, place: Place | None) -> int:
        """Let a dead letter, or all, be tried again; return how many."""
        chosen = ("try_dead_letters", name) if place is None else ("try_dead_letter", name, *place)
        found = len(self._run(*chosen))
        if found:
            self._run("wake", name)
        return found

    def put_heartbeat(self, beat: Heartbeat) -> None:
        """Keep a sign of life."""
        self._run("put_heartbeat", *beat)

    def put_observation(self, seen: Observation) -> None:
        """Keep the newest of a kind and name."""
        self._run("put_observation", *seen)

    def drop_observation(self, kind: str, name: str) -> None:
        """Forget one."""
        self._run("drop_observation", kind, name)

    def drop_heartbeat(self, strategy: str) -> None:
        """Forget a bot that ended on purpose."""
        self._run("drop_heartbeat", strategy)
