"""Connections whose handlers can end them at once: what a client does not take is dropped, not kept for it."""

from typing import Any, cast
from weakref import ref

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from onebook.http.lines import ABORT
from onebook.http.ready import PUSH, READY


class Connection(HttpToolsProtocol):
    """HTTP as uvicorn speaks it; a handler finds in its scope how to end the connection at once.

    An answer that is encoded already goes out by the scope's ``onebook.ready``.
    """

    def on_headers_complete(self) -> None:
        """Begin to answer a request; its handler runs when this is done."""
        super().on_headers_complete()
        cycle: RequestResponseCycle | None = self.cycle
        scope: Any = self.scope
        if cycle is not None and cycle.scope is scope:  # else it becomes a socket
            giver = _Giver(cycle)
            given: Any = {ABORT: self.transport.abort, READY: giver, PUSH: giver.push}
            scope["extensions"] = given


class _Giver:
    """Sends one encoded answer as uvicorn would send it, in two writes that become one."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = ref(cycle)  # whose scope holds this: nothing is to be left to the collector

    def __call__(self, head: bytes, body: bytes) -> bool:
        cycle = self._cycle()
        if (
            cycle is None
            or cycle.response_started
            or cycle.disconnected
            or not cycle.keep_alive
            or cycle.flow.write_paused
        ):
            return False
        if cycle.scope["method"] == "HEAD":
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        own = b"".join([name + b": " + value + b"\r\n" for name, value in cycle.default_headers])
        cycle.transport.write(head + own + b"\r\n")
        if body:
            cycle.transport.write(body)
        cycle.message_event.set()
        cycle.on_response()
        return True

    def push(self, chunk: bytes) -> bool:
        """Send a chunk of an answer that has begun and whose client takes what it is sent."""
        cycle = self._cycle()
        if cycle is None or not cycle.response_started or cycle.response_complete or cycle.disconnected:
            return False
        if cycle.flow.write_paused or not cycle.chunked_encoding:
            return False
        cycle.transport.write(chunk)
        return True


class SocketConnection(WebSocketsSansIOProtocol):
    """WebSocket as uvicorn speaks it; a handler finds in its scope how to end the connection at once."""

    def handle_connect(self, event: Request) -> None:
        """Begin a connection."""
        super().handle_connect(event)
        if self.handshake_initiated and not self.close_sent:
            cast("dict[str, Any]", self.scope)["extensions"][ABORT] = self.transport.abort
