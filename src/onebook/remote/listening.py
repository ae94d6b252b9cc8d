"""Live listeners of a remote book: each on a thread of its own, and never removed for what its handler raises."""

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from typing import Self

from onebook.book.log import Filter
from onebook.domain.reports import Event
from onebook.errors import BookError
from onebook.feed.calling import Caller, Handler, join, tried
from onebook.feed.follower import NEWS_SECONDS, Seldom
from onebook.remote.asking import Asking
from onebook.remote.following import RESET, UNREADABLE, Following, Frame, unreadable_error
from onebook.remote.wire import data_of, record_of

CLOSE_SECONDS = 5.0
AGAIN_SECONDS = 5.0

Told = Callable[[Event], Iterable[object]]
"""Makes of an event what a handler is called with."""

_log = logging.getLogger("onebook.remote")


class RemoteListener:
    """A handle on a live listener: ``close() closed errors last_error``.

    Args:
        asking: the service.
        following: where it reads.
        wanted: which events.
        handler: called with each event, one at a time, in order; may be ``async def``.
        told: makes of an event what the handler is called with; None: the event.
    """

    def __init__(
        self, asking: Asking, following: Following, wanted: Filter, handler: Handler, told: Told | None = None
    ) -> None:
        self._asking, self._following, self._wanted, self._told = asking, following, wanted, told
        self._call = Caller(handler)
        self._news = Seldom(NEWS_SECONDS)
        self.errors = 0
        self.last_error = ""
        self._thread = threading.Thread(target=self._run, name="onebook-remote-listener", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._following.closed

    def close(self) -> None:
        """Stop listening; what is being handled ends first."""
        self._following.close()
        if self._thread is not threading.current_thread():
            join(self._thread, CLOSE_SECONDS, self._call.give_up)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self.closed:
            try:
                with closing(self._following.frames()) as frames:  # type: ignore[type-var]
                    for frame in frames:
                        self._take(frame)
            except BookError as problem:  # refused for now; a person may mend that
                self._failed(problem, "following the service")
                if self._asking.pause(AGAIN_SECONDS):
                    break
        self._call.close()

    def _take(self, frame: Frame) -> None:
        event, problem = tried(lambda: _event_of(frame))
        if event is None:
            self._failed(problem, frame.id)
        elif frame.name == RESET or self._wanted.wants(event):
            self._tell(event)

    def _tell(self, event: Event) -> None:
        _, problem = tried(partial(self._call_with, event))
        if problem is not None:
            self._failed(problem, f"{event.id} {event.type}")

    def _call_with(self, event: Event) -> None:
        for item in (event,) if self._told is None else self._told(event):
            self._call(item)

    def _failed(self, problem: BaseException | None, where: str) -> None:
        self.errors += 1
        self.last_error = f"{type(problem).__name__}: {problem}"
        if self._news.due():
            _log.warning("a listener failed at %s: %s (%d times)", where, self.last_error, self.errors)


def _event_of(frame: Frame) -> Event:
    data = data_of(frame.data)
    if frame.name == UNREADABLE:
        raise unreadable_error(data)
    return _reset(data) if frame.name == RESET else record_of(Event, data)


def _reset(data: dict[str, object]) -> Event:
    """Return the event that tells a handler to read everything again."""
    from onebook.clock import system_clock
    from onebook.domain import times

    now = times.to_datetime(system_clock())
    head = int(str(data.get("head") or 0))
    return Event(
        id=str(head), sequence=head, type=RESET, version=1, occurred_at=now, recorded_at=now, actor="",
        correlation_id="", account="", instrument="", strategy="", data=dict(data),
    )  # fmt: skip
