"""Calling a handler, be it a function or a coroutine function."""

import asyncio
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Any, TypeVar

from onebook.errors import InputError

GIVE_UP_SECONDS = 0.05
LOOK_SECONDS = 1.0
"""How often to look whether the event loop of a coroutine is still there."""

Handler = Callable[..., Any]
"""Takes an event; may be ``async def``."""

_Result = TypeVar("_Result")


def tried(work: Callable[[], _Result]) -> tuple[_Result | None, BaseException | None]:
    """Do work of a handler or sink, and return what came of it, or what it raised, whatever that is.

    A handler that asks the program to exit, or whose task was cancelled, has failed like any other: the thread that
    calls it serves the next event too.
    """
    try:
        return work(), None
    except BaseException as problem:  # noqa: BLE001  nothing a handler raises may end who calls it
        return None, problem


def join(thread: threading.Thread, seconds: float, give_up: Callable[[], None]) -> None:
    """Wait so long for a thread that calls a handler, giving coroutines up that cannot go on meanwhile."""
    until = monotonic() + seconds
    while thread.is_alive() and (left := until - monotonic()) > 0:
        give_up()
        thread.join(min(left, GIVE_UP_SECONDS))


class Caller:
    """Calls one handler, one event at a time.

    A coroutine runs on the event loop in which the handler was handed over, or on one of its own when there was none.

    Args:
        handler: a function or coroutine function.
    """

    def __init__(self, handler: Handler) -> None:
        given: object = handler
        if not callable(given):
            msg = f"handler: {handler!r} is not a function; hand over one that takes an event"
            raise InputError(msg, field="handler", value=handler)
        self.handler = handler
        self._pending: Future[Any] | None = None
        self._own: asyncio.AbstractEventLoop | None = None
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def __call__(self, *given: Any) -> None:
        """Call it, and wait until it is done."""
        answer = self.handler(*given)
        if answer is None or not inspect.isawaitable(answer):
            return
        if self._loop is not None and self._loop.is_running():
            self._wait(asyncio.run_coroutine_threadsafe(_awaited(answer), self._loop), self._loop)
            return
        if self._own is None:
            self._own = asyncio.new_event_loop()
        self._own.run_until_complete(_awaited(answer))

    def _wait(self, pending: "Future[Any]", loop: asyncio.AbstractEventLoop) -> None:
        self._pending = pending
        while True:
            try:
                pending.result(LOOK_SECONDS)
            except TimeoutError:
                if not pending.done() and not loop.is_closed():
                    continue
                raise
            return

    def give_up(self) -> None:
        """Give the coroutine at hand up if its event loop is who calls this: it cannot go on while that waits."""
        if self._pending is not None and self._loop is asyncio._get_running_loop():  # noqa: SLF001  None for none
            self._pending.cancel()

    def close(self) -> None:
        """Give its own event loop back."""
        if self._own is not None:
            self._own.close()
            self._own = None


async def _awaited(answer: Any) -> Any:
    return await answer
