"""A venue on loopback: HTTP and websockets on a thread of its own, and the faults that venues have."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web

LIMIT_SECONDS = 30.0


def until(holds: Callable[[], Any], *, seconds: float = LIMIT_SECONDS) -> None:
    """Return as soon as something holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never held"
        time.sleep(0.002)


class Fault:
    """What the venue answers instead of the truth."""

    def __init__(self, status: int, body: str = "", **headers: str) -> None:
        self.status = status
        self.body = body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(self) -> web.Response:
        return web.Response(status=self.status, text=self.body, headers=self.headers)


class Venue:
    """Serves until it is closed. Everything that tests call is safe from any thread."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.dial_faults: list[Fault] = []
        self.dials: list[float] = []
        self.asked: list[str] = []
        self.is_mute = False
        self.is_hanging = False
        self.sockets: list[tuple[web.Request, web.WebSocketResponse]] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="venue")
        self._thread.start()
        assert self._started.wait(30)

    def routes(self) -> list[web.AbstractRouteDef]:
        raise AssertionError("each venue has its own")

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def drop(self) -> None:
        """Break every connection, as a cable does."""
        self.call(self._drop)

    def say(self, data: Any, wants: Callable[[Any], bool] = lambda _: True) -> None:
        """Send to the sockets that want it."""
        self.call(lambda: self._say(data, wants))

    def call(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(work(), self._loop).result(10)

    def close(self) -> None:
        self.drop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        assert not self._thread.is_alive()

    # ---- on its thread ----

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(lambda loop, context: None)  # clients are cut off on purpose
        app = web.Application(middlewares=[self._with_faults])
        app.add_routes(self.routes())
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        asyncio.set_event_loop(None)
        self._loop.close()

    @web.middleware
    async def _with_faults(self, request: web.Request, handler: Any) -> Any:
        is_dial = "upgrade" in request.headers.get("Connection", "").lower()
        if is_dial:
            self.dials.append(time.monotonic())
        else:
            self.asked.append(str(request.rel_url))
        faults = self.dial_faults if is_dial else self.faults
        if faults:
            return faults.pop(0).answer()
        if self.is_hanging and not is_dial:
            await asyncio.sleep(30)
        return await handler(request)

    async def accept(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=0.1)
        await socket.prepare(request)
        self.sockets.append((request, socket))
        return socket

    async def _drop(self) -> None:
        for request, _ in self.sockets:
            if request.transport is not None:
                request.transport.abort()
        self.sockets.clear()

    async def _say(self, data: Any, wants: Callable[[Any], bool]) -> None:
        if self.is_mute:
            return
        for _, socket in self.sockets:
            if not socket.closed and wants(socket):
                await (socket.send_bytes(data) if isinstance(data, bytes) else socket.send_str(data))
