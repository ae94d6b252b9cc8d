"""Connections that must send a request in time, and no more of its head than it may have."""

import asyncio
from time import monotonic
from typing import Any

from onebook.http.calls import Reply
from onebook.http.connections import Connection
from onebook.http.problems import plain_problem
from onebook.http.ready import encoded

HEAD_BYTES = 65_536
"""Of a request's first line and headers together."""

HEAD_SECONDS = 20.0
"""How long a head may take; who sends one letter a second holds a connection no longer."""

BODY_SECONDS = 20.0
"""How long a body may take, and longer by what :data:`BODY_BYTES_A_SECOND` allows for what came of it."""

BODY_BYTES_A_SECOND = 8192

_LINE = 4
"""Bytes of a header beside its name and value."""


class _TooLarge(Exception):
    """A head has more bytes than it may have."""


class Link(Connection):
    """HTTP, with limits on the heads of requests, on the time of their bodies, and on connections that only wait.

    A head may come in pieces, behind the body of the request before it, or with its own body and further requests in
    one piece. So bytes are only counted as a head's where they can be nothing else; a head that ends is measured when
    more came than it may have.
    """

    _timer: asyncio.TimerHandle | None = None
    _awaits = True  # what comes next is a head, or more of one
    _began = False  # some of it is there
    _ended = False  # a head ended in the bytes that are being read
    _least = 0  # bytes of the head that is not whole
    _most = 0  # the same, with what may be of the request before it, and with the bytes that are being read
    _is_too_large = False
    _body_timer: asyncio.TimerHandle | None = None
    _body_began = 0.0  # of the loop's clock
    _body_bytes = 0
    waits_since = 0.0  # from then on nothing is asked; finer than the loop's clock, which may tell whole milliseconds

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self.limit_concurrency = None  # the door refuses in its own words, and lets operators through
        self.waits_since = monotonic()
        self._await_head()
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        self._end_body()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a head that has no end ends the connection."""
        awaited = self._awaits
        self._ended = False
        self._most += len(data)
        super().data_received(data)
        if not self._awaits:
            self._most = 0
            self._await_body(len(data))
            return
        if awaited and not self._ended:
            self._least += len(data)
        elif not self._began:  # whole requests, and nothing more
            self._most = 0
            return
        if self._timer is None:
            self._await_head()
        if self._least > HEAD_BYTES and not self.transport.is_closing():
            self._is_too_large = True
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """The first byte of a request is there."""
        self._began = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._awaits, self._began, self._ended, self._least = False, False, True, 0
        if self._timer is not None:
            self._stop_waiting()
        if self._most > HEAD_BYTES and self._size() > HEAD_BYTES:
            self._is_too_large = True
            raise _TooLarge  # the parser stops, and has a refusal sent
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """What comes now is the next head."""
        self._awaits = True
        self._end_body()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that cannot be read, and end the connection."""
        super().send_400_response("The head of the request is too large." if self._is_too_large else msg)

    def _size(self) -> int:
        """Return the bytes of the head that has ended, about."""
        return len(self.url) + sum(len(name) + len(value) + _LINE for name, value in self.headers)

    def on_response_complete(self) -> None:
        """From now on nothing is asked, unless there is a next request already."""
        self.waits_since = monotonic()
        super().on_response_complete()

    # ---- bodies ----

    def _await_body(self, size: int) -> None:
        """Count what came of a body whose end is still to come."""
        cycle: Any = self.cycle
        if cycle is None or cycle.scope is not self.scope:  # it becomes a socket
            return
        if self._body_timer is None:
            self._body_began, self._body_bytes = self.loop.time(), 0
            self._body_timer = self.loop.call_later(BODY_SECONDS, self._is_body_late)
        self._body_bytes += size

    def _is_body_late(self) -> None:
        """End the connection, unless as much came as should, or nothing is read because the service is slow itself."""
        cycle: Any = self.cycle
        now = self.loop.time()
        if cycle.flow.read_paused:
            self._body_began = now
        wait = self._body_began + BODY_SECONDS + self._body_bytes / BODY_BYTES_A_SECOND - now
        if wait > 0:
            self._body_timer = self.loop.call_later(wait, self._is_body_late)
            return
        self._body_timer = None
        if not cycle.response_started:
            detail = (
                f"the body came too slowly: {self._body_bytes} bytes in {now - self._body_began:.0f} s; send it again"
            )
            self._say(plain_problem(408, detail, retryable=True))
        self.transport.close()

    def _end_body(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _say(self, reply: Reply) -> None:
        """Write an answer of the connection itself, the last one."""
        headers = [(b"content-type", reply.type.encode()), (b"content-length", b"%d" % len(reply.body))]
        self.transport.write(encoded(reply.status, [*headers, (b"connection", b"close")]) + b"\r\n" + reply.body)

    # ---- those that only wait ----

    @property
    def is_idle(self) -> bool:
        """Nothing is being answered."""
        cycle: Any = self.cycle
        return cycle is None or bool(cycle.response_complete)

    def _make_room(self) -> None:
        """Where there are too many connections, end the one that has waited longest without asking anything."""
        most = self.config.limit_concurrency
        if most is None or len(self.connections) <= most:
            return
        idle = [each for each in self.connections if isinstance(each, Link) and each.is_idle and each is not self]
        if idle:
            min(idle, key=lambda each: each.waits_since).transport.abort()

    # ---- heads ----

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._is_late)

    def _is_late(self) -> None:
        """End the connection, unless the request before is still being answered: nothing more is read meanwhile."""
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._await_head()
        else:
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
