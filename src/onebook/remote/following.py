"""The log as it grows, over lost connections and restarts of the service: nothing is left out, nothing comes twice."""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from time import monotonic
from typing import Any

from onebook.book.log import place_after
from onebook.domain.reports import Event
from onebook.errors import BadPayload, BookError, ConflictError, SourceError
from onebook.remote.asking import Asking, NotBegun, Stream
from onebook.remote.problems import error_of
from onebook.remote.wire import data_of, record_of

SILENCE_SECONDS = 45.0
"""Three times as long as a service is silent at most: it sends a beat every 15 seconds when nothing else."""

MAX_FRAME = 32 * 1024 * 1024
"""Bytes of one event; more is no event."""

PATH = "/v1/events"
RESET, UNREADABLE = "reset", "unreadable"

_log = logging.getLogger("onebook.remote")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One server-sent event; a beat has no name."""

    id: str = ""
    name: str = ""
    data: bytes = b""


BEAT = Frame()


def frames_of(chunks: Iterator[bytes]) -> Iterator[Frame]:
    """Yield the frames in bytes as they come, and a beat for each comment.

    Raises:
        BadPayload: a frame has no end.
    """
    rest, fields = b"", {"id": b"", "event": b"", "data": b""}
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_FRAME:
            msg = f"the stream holds a line of more than {MAX_FRAME} bytes; is this an onebook service?"
            raise BadPayload(msg)
        for line in lines:
            if line.startswith(b":"):
                yield BEAT
            elif line:
                name, _, value = line.partition(b": ")
                fields[name.decode("ascii", "replace")] = value
            elif fields["data"]:
                yield Frame(id=fields["id"].decode(), name=fields["event"].decode(), data=fields["data"])
                fields = {"id": b"", "event": b"", "data": b""}


class Following:
    """Follows the events of a service from a place on; one thread reads it.

    Args:
        asking: the service.
        query: the filters, as an address has them.
        after: a sequence or event id; everything up to it is known.
        silence: seconds without a byte after which it connects anew.
    """

    def __init__(self, asking: Asking, query: Mapping[str, Any], after: int | str, silence: float) -> None:
        self._asking, self._query, self._silence = asking, dict(query), silence
        self._place = place_after(after)
        self._after, self._last, self._book = str(after), "", ""
        self._closed = threading.Event()
        self._was_begun = False
        self._stream: Stream | None = None

    @property
    def closed(self) -> bool:
        """Whether it ends, or ended."""
        return self._closed.is_set() or self._asking.closed

    def close(self) -> None:
        """End it, from any thread."""
        self._closed.set()
        stream = self._stream
        if stream is not None:
            stream.cut()

    def frames(self, timeout: float | None = None) -> Iterator[Frame]:
        """Yield the frames behind the place, each once; ``reset`` where it cannot be gone on from.

        Args:
            timeout: end after so many seconds without one; None: never.

        Raises:
            BookError: the service refuses for good; or it was never reached within the patience.
        """
        idle = _Idle(timeout)
        patience = _Idle(self._asking.terms.patience_seconds)
        tries = 0
        while not self.closed:
            pause: float | None = None
            try:
                with closing(self._begin(idle)) as stream:
                    for frame in self._fresh(stream):
                        tries = 0
                        if frame is not BEAT:
                            yield frame
                            idle.restart()
                        if self._is_over(idle):
                            return
            except NotBegun as refused:
                if refused.is_final or (not self._was_begun and patience.is_over):
                    raise refused.problem from None
                pause = refused.pause
                _log.debug("%s: not now: %s", self._asking.url, refused)
            except SourceError as problem:
                if not self._was_begun and patience.is_over:
                    raise
                _log.debug("%s: the stream is lost: %s", self._asking.url, problem)
            tries += 1
            if self._is_over(idle):
                return
            wait = max(self._asking.backoff(tries), pause or 0.0)
            self._closed.wait(min(wait, idle.left))

    def _is_over(self, idle: "_Idle") -> bool:
        return self.closed or idle.is_over

    def _begin(self, idle: "_Idle") -> Stream:
        headers = {"Last-Event-ID": self._last} if self._last else {}
        query = self._query | {"after": None if self._last else self._after, "book": self._book or None}
        silence = min(self._silence, max(idle.left, 0.01))
        stream = self._stream = self._asking.stream(PATH, query, headers, silence)
        self._was_begun = True
        self._book = stream.headers.get("onebook-book", "")
        if self._closed.is_set():
            stream.cut()
        return stream

    def _fresh(self, stream: Stream) -> Iterator[Frame]:
        """Yield the frames of a connection that did not come over an earlier one."""
        for frame in frames_of(stream.chunks()):
            if not frame.id:
                yield frame
                continue
            place = place_after(frame.id)
            if frame.name != RESET and place <= self._place:
                continue
            yield frame
            self._place, self._last = place, frame.id


class _Idle:
    """Counts the seconds without news.

    Args:
        seconds: after which it is over; None: never.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self.restart()

    def restart(self) -> None:
        self._until = float("inf") if self._seconds is None else monotonic() + self._seconds

    @property
    def left(self) -> float:
        left = self._until - monotonic()
        return min(max(left, 0.0), threading.TIMEOUT_MAX)

    @property
    def is_over(self) -> bool:
        return monotonic() >= self._until


def event_of(frame: Frame) -> Event:
    """Return the event of a frame.

    Raises:
        ConflictError: it says that the place cannot be gone on from; ``head`` is where to begin again.
        BookError: it stands for an entry that cannot be read.
    """
    data = data_of(frame.data)
    if frame.name == RESET:
        raise reset_error(data)
    if frame.name == UNREADABLE:
        raise unreadable_error(data)
    return record_of(Event, data)


def reset_error(data: Mapping[str, Any]) -> BookError:
    """Return the error of a log that is not the one that was followed."""
    reason, head = str(data.get("reason", "")), data.get("head", 0)
    msg = f"the log is not the one that was followed ({reason}); read everything again, and follow from {head}"
    return ConflictError(msg, head=head, book=data.get("book"), reason=reason)


def unreadable_error(data: Mapping[str, Any]) -> BookError:
    """Return the error of an entry that the service cannot read."""
    about = data.get("data") or {}
    return error_of(str(about.get("code", "")), str(about.get("message", "")), {"sequence": data.get("sequence")})
