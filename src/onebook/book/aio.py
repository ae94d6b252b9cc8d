"""The door for event loops."""

import asyncio
import threading

from onebook.book.acting import Acting
from onebook.book.batches import receipt_of
from onebook.book.commit import Committer, Outcome, Request
from onebook.book.receipts import Receipt
from onebook.domain import commands
from onebook.domain.facts import AnyFact
from onebook.errors import StoreClosed

_Waiting = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Receipt]", commands.Command, str]
"""The caller's loop and future, what it wants done, and who it is."""


class AsyncDoor:
    """The door for event loops: callers are gathered, one thread commits, one wake-up per batch answers.

    Args:
        committer: the door behind it.
        acting: who records.
    """

    def __init__(self, committer: Committer, acting: Acting) -> None:
        self._committer = committer
        self._acting = acting
        self._lock = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="onebook-aio", daemon=True)
        self._thread.start()

    async def record(self, fact: AnyFact) -> Receipt:
        """Take in a fact; it is durable when this returns."""
        return await self._submit(commands.Record(fact))

    async def _submit(self, command: commands.Command) -> Receipt:
        loop, actor = asyncio.get_running_loop(), self._acting.name()
        future: asyncio.Future[Receipt] = loop.create_future()
        with self._lock:
            if self._closed:
                msg = "the book is closed; open it again"
                raise StoreClosed(msg)
            self._waiting.append((loop, future, command, actor))
            if len(self._waiting) == 1:
                self._lock.notify()
        return await future

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self._waiting and not self._closed:
                    self._lock.wait()
                if not self._waiting:
                    return
                taken, self._waiting = self._waiting, []
            self._answer(taken)

    def _answer(self, taken: "list[_Waiting]") -> None:
        actors = [actor for _, _, _, actor in taken]
        request = Request([command for _, _, command, _ in taken], actors[0], actors=actors)
        try:
            outcomes = self._committer.submit(request)
        except BaseException as problem:  # noqa: BLE001  every caller gets it
            outcomes = [Outcome(error=problem)] * len(taken)
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Receipt], Outcome]]] = {}
        for (loop, future, _, _), outcome in zip(taken, outcomes, strict=True):
            by_loop.setdefault(loop, []).append((future, outcome))
        for loop, answers in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, answers)

    def close(self) -> None:
        """Answer who waits, then end."""
        with self._lock:
            self._closed = True
            self._lock.notify()
        self._thread.join(timeout=30)


def _settle(answers: list[tuple["asyncio.Future[Receipt]", Outcome]]) -> None:
    for future, outcome in answers:
        if future.done():
            continue
        try:
            future.set_result(receipt_of(outcome))
        except BaseException as problem:  # noqa: BLE001  it is the caller's to see
            future.set_exception(problem)
