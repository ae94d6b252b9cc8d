"""The durable subscribers of a book behind a service: who follows its log, and what to do about one."""

from typing import Any

from onebook.book.log import place_after
from onebook.domain.fields import required
from onebook.domain.reports import DeadLetterState, SubscriberState
from onebook.remote.rows import Rows


class RemoteDesk(Rows):
    """The durable subscribers, as ``book.subscribers`` has them; acting on one takes an operator's token."""

    def __call__(self) -> list[SubscriberState]:
        """Return all subscribers by name."""
        return self._listed("/v1/subscribers", SubscriberState, {}, None)

    def dead_letters(self, name: str | None = None, *, after: tuple[str, str] | None = None) -> list[DeadLetterState]:
        """Return the events that one subscriber, or any, could not handle, by subscriber and in the order of the log.

        Args:
            name: of the subscriber; None for all.
            after: the subscriber and the event id of the last one seen; None: from the first on.
        """
        found = self._listed("/v1/subscribers/dead-letters", DeadLetterState, {"subscriber": name}, None)
        if after is None:
            return found
        last = after[0], place_after(after[1])
        return [row for row in found if (row.subscriber, place_after(row.event_id)) > last]

    def skip(self, name: str) -> None:
        """Let a subscriber pass over the event at which it stands still, and go on.

        It is asked once: where no answer comes, look at the checkpoint before asking again.
        """
        self._act("skip", name, patience=0.0)

    def retry(self, name: str, event_id: str | None = None) -> int:
        """Let dead letters be delivered again, and a halted subscriber try again; return how many dead letters.

        Args:
            name: of the subscriber.
            event_id: which one; None for all.
        """
        return int(self._act("retry", name, event_id=event_id)["retried"])

    def drop(self, name: str, event_id: str | None = None) -> int:
        """Forget dead letters for good; the events stay in the log. Return how many.

        Args:
            name: of the subscriber.
            event_id: which one; None for all.
        """
        return int(self._act("drop", name, event_id=event_id)["dropped"])

    def reset(self, name: str, to: int | str) -> None:
        """Move a subscriber's checkpoint: what comes after it is delivered, again or not at all.

        Args:
            name: of the subscriber.
            to: ``now``, ``beginning``, a sequence or an event id, behind which it goes on.
        """
        self._act("reset", name, to=str(to))

    def remove(self, name: str) -> None:
        """Forget a subscriber, its checkpoint and its dead letters."""
        self._act("remove", name)

    def _act(self, deed: str, name: str, *, patience: float | None = None, **given: str | None) -> Any:
        body = {"name": required("name", name)} | {key: value for key, value in given.items() if value is not None}
        return self._asking.ask("POST", f"/v1/subscribers/{deed}", body=body, patience=patience).data
