"""Watching state paths: a listener on the log that knows which events change which paths."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from onebook.book.log import make_filter
from onebook.book.state_store import StateStore
from onebook.book.state_views import Point
from onebook.domain.reports import Event
from onebook.domain.state_paths import concerns, is_shown, path_text, watched_path
from onebook.domain.state_values import given
from onebook.feed.calling import Handler
from onebook.feed.listener import Listener

if TYPE_CHECKING:
    from onebook.book.core import Core
    from onebook.book.state_store import Write
    from onebook.feed.feed import Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChange:
    """A change of what is at a path.

    Attributes:
        path: where something changed, as dotted text.
        value: what is there since; None when nothing is.
        old: what was there before; None for what read models show.
        deleted: whether it was taken away.
        version: of the path since; 0 for what read models show.
        source: who or what said so.
        actor: who recorded it.
        at: when.
        sequence: the entry.
    """

    path: str
    value: Any
    old: Any
    deleted: bool
    version: int
    source: str
    actor: str
    at: datetime
    sequence: int


class WatchedState(StateStore):
    """Values under paths, with a way to be told of changes.

    Args:
        book: which.
        point: from where to look: now.
        write: how a change gets into the book.
        feed: gives the feed of the book.
    """

    def __init__(self, book: "Core", point: Point, write: "Write", feed: "Callable[[], Feed]") -> None:
        super().__init__(point, write=write)
        self._book = book
        self._feed = feed

    def watch(self, path: Any, handler: Handler) -> Listener:
        """Tell a handler when what a path shows may have changed: at it, below it or above it.

        Args:
            path: dotted text, a tuple of parts, or ``*`` for everything.
            handler: called with a :class:`PathChange`, one at a time, in order; may be ``async def``.

        Raises:
            InputError: not a path.
        """
        watched = watched_path(path)
        told = _Told(self._book, self, watched)
        return self._feed().listen(handler, make_filter(), told=told.changes)


class _Told:
    """What one watcher is told of an event."""

    def __init__(self, book: "Core", state: StateStore, watched: tuple[str, ...]) -> None:
        self._book = book
        self._state = state
        self._watched = watched

    def changes(self, event: Event) -> Iterator[PathChange]:
        """Yield the changes of an event that concern the path."""
        for path in self._state.touched(event):
            if not concerns(path, self._watched):
                continue
            if is_shown(path) and event.type != "state_changed":
                yield self._change(event, path, value=self._state.get(path), old=None)
                continue
            before = self._book.as_of(event.sequence - 1).state if event.sequence > 1 else None
            value = given(event.data["value"]) if "value" in event.data else None
            yield self._change(event, path, value=value, old=None if before is None else before.get(path))

    def _change(self, event: Event, path: tuple[str, ...], *, value: Any, old: Any) -> PathChange:
        own = event.data if event.type == "state_changed" else {}
        return PathChange(
            path=path_text(path),
            value=value,
            old=old,
            deleted=bool(own.get("deleted")),
            version=int(own.get("version", 0)),
            source=str(own.get("source", "")),
            actor=event.actor,
            at=event.recorded_at,
            sequence=event.sequence,
        )
