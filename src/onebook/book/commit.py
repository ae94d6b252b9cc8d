"""Group commit: many callers, one transaction, every answer after it is durable.

A caller that finds the write lock free leads: it takes everything that waits, up to a limit of time, into one
transaction and answers for all. A lone caller pays no hand-off. One bad command fails alone; when the store
fails, everyone in the transaction gets its error and nothing of it is there.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

from onebook.book.commit_counts import CommitCounts
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


class Rider(Protocol):
    """What goes along with records' transactions: it waits for the next one instead of making one of its own."""

    def write(self, store: Store) -> bool:
        """Write what is due, inside the transaction; say whether that was anything."""

    def written(self) -> None:
        """It is durable."""

    def undone(self) -> None:
        """It is not there."""


@dataclass(slots=True)
class Outcome:
    """What became of one command: its decision and place in the log, or its error."""

    decision: Decision | None = None
    stamp: Stamp | None = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class Request:
    """Commands of one caller, answered together.

    ``handled`` counts those that were decided. ``gate`` opens when it is answered, or when it ``leads``; one that
    is ``alone`` is never taken along by another. ``actors`` says of each command who asks, where that is not one.
    """

    commands: Sequence[Command]
    actor: str
    correlation_id: str = ""
    outcomes: list[Outcome] = field(default_factory=list)
    handled: int = 0
    done: bool = False
    failed: BaseException | None = None
    gate: "threading.Lock | None" = None
    leads: bool = False
    alone: bool = False
    actors: Sequence[str] = ()

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
        self._door = threading.Lock()
        self._led = False
        self._waiting: deque[Request] = deque()
        self.state = BookState(store)
        self.rider: Rider | None = None
        self.commits = 0
        self.counts = CommitCounts()
        self.closed = False

    def submit(self, request: Request) -> list[Outcome]:
        """Return the outcomes of a request once they are durable.

        Raises:
            StoreError: the store failed. What earlier transactions of this request wrote is durable (``handled``
                counts it); nothing of the last one is there. Trying again is safe for facts with an identity.
        """
        self._lead(request)
        if request.failed is not None:
            raise request.failed
        return request.outcomes

    def _lead(self, own: Request) -> None:
        """Wait until the request is answered, or commit transactions until it is."""
        self._enter(own)
        try:
            while not own.done:
                self._transaction()
        finally:
            if own.leads:
                self._leave(own)

    def _enter(self, own: Request) -> None:
        """Return as the one who leads, or answered."""
        with self._door:
            self._waiting.append(own)
            if not self._led:
                self._led = own.leads = True
                return
            own.gate = threading.Lock()
            own.gate.acquire()
        try:
            own.gate.acquire()
        except BaseException:  # an interrupt: what was taken along already is committed all the same
            self._leave(own)
            raise

    def _leave(self, own: Request) -> None:
        """Go, answered or not; who leads hands the lead to the first who waits, if anybody does."""
        with self._door:
            if own in self._waiting:
                self._waiting.remove(own)
            if own.gate is not None and not own.leads:
                return
            if not self._waiting:
                self._led = False
                return
            following = self._waiting[0]
            following.leads = True
            assert following.gate is not None  # noqa: S101  who waits while somebody leads has a gate
            following.gate.release()

    def _transaction(self) -> None:
        taken: list[Request] = []
        rides = False
        decided = 0
        try:
            if self.closed:
                raise StoreClosed("the book is closed; open it again")  # noqa: TRY301  one way out for all
            self._store.begin()
            self.state.refresh()
            started = perf_counter()
            while self._waiting and not self._waiting[0].alone:
                request = self._waiting[0]
                taken.append(request)
                decided -= request.handled
                finished = self._run(request, started)
                decided += request.handled
                if finished:
                    with self._door:
                        if self._waiting and self._waiting[0] is request:
                            self._waiting.popleft()
                if not finished or perf_counter() - started > HOLD_SECONDS:
                    break
            self.state.flush()
            rides = self.rider is not None and self.rider.write(self._store)
            syncing = perf_counter()
            self._store.commit()
            self.counts.add(decided, perf_counter() - syncing)
        except BaseException as problem:  # noqa: BLE001  every caller of the transaction gets it
            if rides and self.rider is not None:
                self.rider.undone()
            self._failed(taken, problem)
            return
        self.commits += 1
        if rides and self.rider is not None:
            self.rider.written()
        for request in taken:
            if request.handled == len(request.commands):
                self._answer(request)
        self._after(self.state.head[0])

    def _failed(self, taken: list[Request], problem: BaseException) -> None:
        """Undo the transaction and tell everyone in it; nobody is left waiting, whatever else goes wrong."""
        self.counts.failed += 1
        try:
            self.state.forget()
            self._store.rollback()
        finally:
            with self._door:
                if not taken and self._waiting:
                    taken = [self._waiting[0]]
                for request in taken:
                    if request in self._waiting:
                        self._waiting.remove(request)
            for request in taken:
                request.failed = problem
                self._answer(request)
        if not isinstance(problem, Exception):
            raise problem

    def _answer(self, request: Request) -> None:
        """Let a caller go on; the one who leads goes on by itself."""
        request.done = True
        if request.gate is not None and not request.leads:
            request.gate.release()

    def _run(self, request: Request, started: float) -> bool:
        """Decide on a request's commands; False when time ran out before the last one."""
        state, commands = self.state, request.commands
        start = request.handled
        for index in range(start, len(commands)):
            command = commands[index]
            if (index - start) % CHECK_EVERY == 0:
                state.ask_ahead(_ids(commands[index : index + CHECK_EVERY]) if len(commands) - index > 1 else [])
            actor = request.actors[index] if request.actors else request.actor
            stamp = Stamp(state.head[0] + 1, self._clock(), actor, request.correlation_id)
            try:
                self._before(state, command)
                decision = decide(state, command, stamp)
            except StoreError:
                raise
            except BookError as problem:
                state.drop_unsaved()
                request.refuse(problem)
                request.handled += 1
                continue
            if decision.events:
                state.install(decision, stamp)
            else:
                state.drop_unsaved()
            request.take(decision, stamp)
            request.handled += 1
            if (
                index % CHECK_EVERY == CHECK_EVERY - 1
                and perf_counter() - started > HOLD_SECONDS
                and index + 1 < len(commands)
            ):
                return False
        return True

    def together(self, commands: Sequence[Command], actor: str, along: Callable[[Store], None]) -> list[Outcome]:
        """Commit all of these commands and something else in one transaction, or nothing of it.

        Args:
            commands: one entry each.
            actor: who asks.
            along: writes something else inside the transaction; what it raises undoes everything.

        Raises:
            BookError: one of the commands is refused, or the store failed; nothing is there.
        """
        request = Request(commands, actor)
        with self.exclusively():
            try:
                self._store.begin()
                self.state.refresh()
                while not self._run(request, perf_counter()):
                    pass
                _raise_refusal(request)
                self.state.flush()
                along(self._store)
                syncing = perf_counter()
                self._store.commit()
                self.counts.add(len(commands), perf_counter() - syncing)
            except BaseException:
                self.state.forget()
                self._store.rollback()
                raise
            self.commits += 1
            self._after(self.state.head[0])
        return request.outcomes

    def ask(self, command: Command, actor: str) -> Decision:
        """Return what a command would do now; nothing is written.

        Raises:
            BookError: it would be refused, or the store failed.
        """
        with self.exclusively():
            self._store.begin()
            try:
                self.state.refresh()
                stamp = Stamp(self.state.head[0] + 1, self._clock(), actor)
                decision = decide(self.state, command, stamp)
                self.state.drop_unsaved()
            except BaseException:
                self.state.forget()
                raise
            finally:
                self._store.rollback()
        return decision

    def about(self, name: str, value: str) -> None:
        """Keep something about the book's place, outside the log."""
        with self.exclusively():
            self._store.begin()
            try:
                self._store.put_about(name, value)
                self._store.commit()
            except BaseException:
                self._store.rollback()
                raise

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold the door shut: no transaction runs meanwhile. For rebuild and close."""
        turn = Request((), "", alone=True)
        self._enter(turn)
        try:
            with self._door:
                self._waiting.remove(turn)
            yield
        finally:
            self._leave(turn)


def _raise_refusal(request: Request) -> None:
    for outcome in request.outcomes:
        if outcome.error is not None:
            raise outcome.error


def _ids(commands: Sequence[Command]) -> list[tuple[str, str]]:
    """Return the venues' fill ids in commands, with their spaces."""
    return [
        (fill_scope(fact.venue, fact.account, fact.instrument), fact.venue_fill_id)
        for command in commands
        if type(command) is Record and type(fact := command.fact) is Fill and fact.venue_fill_id
    ]
