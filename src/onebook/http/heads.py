"""Connections that must send the head of a request in time, and no more of it than it may have."""

import asyncio
from typing import Any

from onebook.http.connections import Connection

HEAD_BYTES = 65_536
"""Of a request's first line and headers together."""

HEAD_SECONDS = 20.0
"""How long a head may take; who sends one letter a second holds a connection no longer."""

_LINE = 4
"""Bytes of a header beside its name and value."""


class _TooLarge(Exception):
    """A head has more bytes than it may have."""


class Link(Connection):
    """HTTP, with limits on the heads of requests.

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

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a head that has no end ends the connection."""
        awaited = self._awaits
        self._ended = False
        self._most += len(data)
        super().data_received(data)
        if not self._awaits:
            self._most = 0
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
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that cannot be read, and end the connection."""
        super().send_400_response("The head of the request is too large." if self._is_too_large else msg)

    def _size(self) -> int:
        """Return the bytes of the head that has ended, about."""
        return len(self.url) + sum(len(name) + len(value) + _LINE for name, value in self.headers)

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
