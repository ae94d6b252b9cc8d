"""One websocket session of alpaca-py, on a thread and event loop that the library makes for it.

The library connects again by itself and says nothing, and it tries wrong keys for ever. Its one open door is the
protocol class that its websocket is made with: ours sees the handshake, the venue's control messages and the end, and
each of them ends the session, so that the stream makes a new one and fills the gap.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Collection
from typing import Any

from onebook.domain.market import Seen
from onebook.errors import BadConfig, BookError, RateLimited, SourceError
from onebook.market.providers.alpaca_rows import bar_of, by_status, library, print_of, quote_of
from onebook.market.streams import PRINTS, QUOTES, Receiver

CLOSE_SECONDS = 1.0
JOIN_SECONDS = 8.0
PING_SECONDS = 10.0
MINUTE_BARS = "1m"


class AlpacaConnection:
    """A ``Connection`` over ``StockDataStream``.

    Args:
        make: makes the library's stream from parameters for its websocket.
        kinds: what to stream; of bars only those of a minute.
    """

    def __init__(self, make: Callable[[dict[str, Any]], Any], kinds: tuple[str, ...]) -> None:
        self._make = make
        self._kinds = kinds
        self._stream: Any = None
        self._thread: threading.Thread | None = None
        self._sockets: list[tuple[Any, asyncio.AbstractEventLoop]] = []
        self._loop: asyncio.AbstractEventLoop
        self._ended: asyncio.Future[None]
        self._receiver: Receiver
        self._wanted: set[str] = set()
        self._is_subscribed = False
        self._dialled = threading.Event()

    async def run(self, instruments: Collection[str], receiver: Receiver) -> None:
        """Connect, subscribe, and tell what comes until it breaks.

        Raises:
            SourceError: it broke, or could not be made.
        """
        self._loop, self._receiver = asyncio.get_running_loop(), receiver
        self._ended = self._loop.create_future()
        self._wanted = set(instruments)
        if self._wanted:
            self._start()
        await self._ended

    def _start(self) -> None:
        self._stream = self._make(
            {
                "create_protocol": _protocol(self),
                "ping_interval": PING_SECONDS,
                "ping_timeout": PING_SECONDS * 2,
                "close_timeout": CLOSE_SECONDS,
                "max_queue": 1024,
            }
        )
        self._subscribe(self._wanted)
        self._thread = threading.Thread(target=self._stream.run, name="alpaca session", daemon=True)
        self._thread.start()

    async def add(self, instruments: Collection[str]) -> None:
        """Stream these too."""
        self._wanted |= set(instruments)
        if self._stream is None:
            self._start()
        elif self._is_subscribed:
            await asyncio.to_thread(self._subscribe, tuple(instruments))
        else:
            self._end(SourceError("instruments were added while it connected; it is made again with all"))

    async def remove(self, instruments: Collection[str]) -> None:
        """Stream these no more."""
        gone = self._wanted & set(instruments)
        self._wanted -= gone
        if self._is_subscribed and gone:
            await asyncio.to_thread(self._unsubscribe, tuple(gone))

    async def close(self) -> None:
        """Give it back; the library's thread ends with its socket."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            return
        if self._dialled.wait(JOIN_SECONDS):  # before that the library has no loop to be stopped on
            with contextlib.suppress(RuntimeError, TimeoutError):  # its loop ended meanwhile
                self._stream.stop()
        for socket, loop in self._sockets:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_hang_up, socket)
        self._thread.join(JOIN_SECONDS)

    # ---- what the library is asked ----

    def _subscribe(self, instruments: Collection[str]) -> None:
        if PRINTS in self._kinds:
            self._stream.subscribe_trades(self._handler(print_of), *instruments)
        if QUOTES in self._kinds:
            self._stream.subscribe_quotes(self._handler(quote_of), *instruments)
        if MINUTE_BARS in self._kinds:
            self._stream.subscribe_bars(self._handler(_minute_bar), *instruments)

    def _unsubscribe(self, instruments: Collection[str]) -> None:
        if PRINTS in self._kinds:
            self._stream.unsubscribe_trades(*instruments)
        if QUOTES in self._kinds:
            self._stream.unsubscribe_quotes(*instruments)
        if MINUTE_BARS in self._kinds:
            self._stream.unsubscribe_bars(*instruments)

    def _handler(self, read: Callable[[str, dict[str, Any]], Seen | None]) -> Callable[[dict[str, Any]], Any]:
        async def handle(raw: dict[str, Any]) -> None:
            try:
                seen = read(raw["S"], raw)
            except BookError as problem:
                self.ended(problem)
                return
            if seen is not None:
                self._post(self._receiver.seen, seen)

        return handle

    # ---- told by the socket, on the library's loop ----

    def dialled(self, socket: Any) -> None:
        """A socket is made; a second one means that the first broke."""
        self._sockets.append((socket, asyncio.get_running_loop()))
        self._dialled.set()
        if len(self._sockets) > 1:
            self.ended(SourceError("the connection to Alpaca broke and was made again"))

    def control(self, message: dict[str, Any]) -> None:
        """The venue said something about the session."""
        if message.get("T") == "subscription":
            if not self._is_subscribed:
                self._is_subscribed = True
                self._post(self._receiver.opened)
        elif message.get("T") == "error":
            self.ended(_refusal(message.get("code"), str(message.get("msg"))))

    def ended(self, problem: BaseException) -> None:
        """The session is over."""
        self._post(self._end, problem)

    def _post(self, work: Callable[..., None], *given: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work, *given)

    def _end(self, problem: BaseException) -> None:
        if not self._ended.done():
            self._ended.set_exception(problem)


def _minute_bar(instrument: str, raw: dict[str, Any]) -> Seen:
    return bar_of(instrument, MINUTE_BARS, raw, None)


def _refusal(code: object, text: str) -> BookError:
    if code in {401, 402, 404, 409, 411}:
        return BadConfig(f"Alpaca refuses the stream: {code} {text}")
    if code in {405, 406, 407, 429}:
        return RateLimited(f"Alpaca allows no more: {code} {text}")
    return SourceError(f"Alpaca's stream failed: {code} {text}")


def _hang_up(socket: Any) -> None:
    """Close it politely once it is open, and in any case: a dead peer answers no farewell."""
    loop = asyncio.get_running_loop()
    if socket.open:
        loop.call_later(CLOSE_SECONDS, socket.transport.abort)
        loop.create_task(socket.close())  # noqa: RUF006  it ends with the socket
    elif socket.transport is not None:
        socket.transport.abort()


def _protocol(connection: AlpacaConnection) -> Callable[..., Any]:
    """Make the class of the socket, which tells the connection what happens."""
    unpack = library("msgpack").unpackb
    parent: Any = library("websockets.legacy.client").WebSocketClientProtocol

    class Protocol(parent):  # type: ignore[misc]
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            connection.dialled(self)

        async def read_http_response(self) -> tuple[int, Any]:
            status, headers = await super().read_http_response()
            if status != 101:
                connection.ended(by_status(status, "the stream's handshake", headers))
            return status, headers

        async def recv(self) -> Any:
            data = await super().recv()
            try:
                messages = [dict(message) for message in unpack(data)]
            except (ValueError, TypeError, KeyError) as problem:  # the library logs it and goes on
                connection.ended(SourceError(f"a message of Alpaca could not be read: {problem}"))
                return data
            for message in messages:
                if message.get("T") in {"subscription", "error"}:
                    connection.control(message)
            return data

        def connection_lost(self, problem: Exception | None) -> None:
            super().connection_lost(problem)
            connection.ended(SourceError(f"the connection to Alpaca broke: {problem or 'closed by the venue'}"))

    return Protocol
