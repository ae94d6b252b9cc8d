"""Group commit: many callers, one transaction, every answer after it is durable.

A caller that finds the write lock free leads: it takes everything that waits, up to a limit of time, into one
transaction and answers for all. A lone caller pays no hand-off. One bad command fails alone; when the store
fails, everyone in the transaction gets its error and nothing of it is there.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from onebook.book.installing import BookState
from onebook.clock import Clock
from onebook.domain.commands import Command, Record
from onebook.domain.decide import decide
from onebook.domain.facts import Fill
from onebook.domain.identity import fill_scope
from onebook.domain.state import Decision, Stamp
from onebook.errors import BookError, StoreClosed, StoreError
from onebook.store.port import Store

HOLD_SECONDS = 0.05
"""How long one transaction takes commands."""

CHECK_EVERY = 128
"""Commands between two looks at the clock."""


@dataclass(slots=True)
class Outcome:
    """What became of one command: its decision and place in the log, or its error."""

    decision: Decision | None = None
    stamp: Stamp | None = None
    error: BaseException | None = None


@dataclass(slots=True)
class Request:
    """Commands of one caller, answered together. ``handled`` counts those that were decided."""

    commands: Sequence[Command]
    actor: str
    correlation_id: str = ""
    outcomes: list[Outcome] = field(default_factory=list)
    handled: int = 0
    done: bool = False
    failed: BaseException | None = None

    def take(self, decision: Decision, stamp: Stamp) -> None:
        """Keep what became of the next command."""
        self.outcomes.append(Outcome(decision, stamp))

    def refuse(self, problem: BookError) -> None:
        """Keep why the next command was refused."""
        self.outcomes.append(Outcome(error=problem))


class Committer:
    """The one door to the log in this process.

    Args:
        store: where to write.
        clock: gives the moment of recording.
        before: called with the state and a command just before it is decided, to bring observations along.
        after: called once per durable transaction with the newest sequence.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        before: Callable[[BookState, Command], None],
        after: Callable[[int], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._before = before
        self._after = after
        self._lock = threading.RLock()
        self._waiting: deque[Request] = deque()
        self.state = BookState(store)
        self.commits = 0
        self.closed = False

    def submit(self, request: Request) -> list[Outcome]:
        """Return the outcomes of a request once they are durable.

        Raises:
            StoreError: nothing of the request was written.
        """
        self._waiting.append(request)
        with self._lock:
            if not request.done:
                self._lead(request)
        if request.failed is not None:
            raise request.failed
        return request.outcomes

    def _lead(self, own: Request) -> None:
        """Commit transactions until the own request is answered."""
        while not own.done:
            self._transaction()

    def _transaction(self) -> None:
        taken: list[Request] = []
        try:
            if self.closed:
                raise StoreClosed("the book is closed; open it again")  # noqa: TRY301  one way out for all
            self._store.begin()
            self.state.refresh()
            started = perf_counter()
            while self._waiting:
                request = self._waiting[0]
                taken.append(request)
                finished = self._run(request, started)
                if finished:
                    self._waiting.popleft()
                if not finished or perf_counter() - started > HOLD_SECONDS:
                    break
            self.state.flush()
            self._store.commit()
        except BaseException as problem:  # noqa: BLE001  every caller of the transaction gets it
            self._failed(taken, problem)
            return
        self.commits += 1
        for request in taken:
            if request.handled == len(request.commands):
                request.done = True
        self._after(self.state.head[0])

    def _failed(self, taken: list[Request], problem: BaseException) -> None:
        self._store.rollback()
        self.state.forget()
        if not taken and self._waiting:
            taken = [self._waiting[0]]
        for request in taken:
            if request in self._waiting:
                self._waiting.remove(request)
            request.failed = problem
            request.done = True
        if not isinstance(problem, Exception):
            raise problem

    def _run(self, request: Request, started: float) -> bool:
        """Decide on a request's commands; False when time ran out before the last one."""
        state, commands = self.state, request.commands
        start = request.handled
        for index in range(start, len(commands)):
            command = commands[index]
            if (index - start) % CHECK_EVERY == 0 and len(commands) - index > 1:
                state.ask_ahead(_ids(commands[index : index + CHECK_EVERY]))
            stamp = Stamp(state.head[0] + 1, self._clock(), request.actor, request.correlation_id)
            try:
                self._before(state, command)
                decision = decide(state, command, stamp)
            except StoreError:
                raise
            except BookError as problem:
                request.refuse(problem)
                request.handled += 1
                continue
            if decision.events:
                state.install(decision, stamp)
            request.take(decision, stamp)
            request.handled += 1
            if (
                index % CHECK_EVERY == CHECK_EVERY - 1
                and perf_counter() - started > HOLD_SECONDS
                and index + 1 < len(commands)
            ):
                return False
        return True

    def about(self, name: str, value: str) -> None:
        """Keep something about the book's place, outside the log."""
        with self._lock:
            self._store.begin()
            try:
                self._store.put_about(name, value)
                self._store.commit()
            except BaseException:
                self._store.rollback()
                raise

    def exclusively(self) -> "_Exclusive":
        """Return a context in which no transaction runs, for rebuild and close."""
        return _Exclusive(self._lock)


def _ids(commands: Sequence[Command]) -> list[tuple[str, str]]:
    """Return the venues' fill ids in commands, with their spaces."""
    return [
        (fill_scope(fact.venue, fact.account, fact.instrument), fact.venue_fill_id)
        for command in commands
        if type(command) is Record and type(fact := command.fact) is Fill and fact.venue_fill_id
    ]


class _Exclusive:
    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *problem: object) -> None:
        self._lock.release()


__all__ = ["Committer", "Iterator", "Outcome", "Request"]
