"""Durable subscribers: each event at least once, in order, one at a time, with a checkpoint that survives.

One thread a subscriber takes events to its sink. What fails is tried again after a growing wait; after the limit it
becomes a dead letter, or the subscriber halts. Of several processes one serves a name; when it dies another one goes
on from the checkpoint within seconds.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from random import Random
from time import monotonic, perf_counter
from typing import Self

from onebook.book.log import WHOLE, Filter
from onebook.book.logged import LoggedEvent, Place
from onebook.book.subscribers import shown_place
from onebook.errors import BookError, StoreClosed, StoreError
from onebook.feed.calling import join, tried
from onebook.feed.checkpoint import Checkpoint, Superseded
from onebook.feed.follower import NEWS_SECONDS, Bell, Follower, Seldom, entries_after
from onebook.feed.policy import Policy
from onebook.feed.sink import Later, OneByOne, Sink
from onebook.feed.tail import Tail, TailEntry
from onebook.store.subscribers import DeadLetter, SubscriberRows

_log = logging.getLogger("onebook.feed")
CLOSE_SECONDS = 5.0
CLAIM_SECONDS = 1.0
ASK_SECONDS = 1.0
"""How often a sink that keeps something in mind is asked whether it is time for it."""


def _nothing() -> None:
    """A sink without a handler has nothing to give up."""


class Subscriber:
    """A handle on a durable subscriber.

    Args:
        make_checkpoint: makes what is written down of it, from a function that gives the place that is done.
        tail: of the log.
        wanted: which events.
        start: where a new one begins.
        policy: what to do about failures.
        open_sink: makes what takes the events; called when this process begins to serve it, and again after that
            was interrupted.
        closed: called once it is closed.
    """

    def __init__(  # noqa: PLR0913  the parts of a reader
        self,
        make_checkpoint: Callable[[Callable[[], Place]], Checkpoint],
        tail: Tail,
        wanted: Filter,
        start: Place,
        policy: Policy,
        *,
        open_sink: Callable[["Subscriber"], Sink],
        closed: Callable[["Subscriber"], None],
    ) -> None:
        self._policy = policy
        self._open_sink = open_sink
        self._closed_by = closed
        self._bell = Bell()
        self._follower = Follower(tail, wanted, start, self._bell.ring)
        self._held_back: Place | None = None
        self._ends: dict[Place, Place] = {}
        self._chance = Random()  # noqa: S311  spreads retries, guards nothing
        self._closing = False
        self.stopping = False
        self.errors = 0
        self._news = Seldom(NEWS_SECONDS)
        self.give_up: Callable[[], None] = _nothing
        self.letter: DeadLetter | None = None
        self.checkpoint = make_checkpoint(self._out)
        self._adopt(start)
        self._thread = threading.Thread(target=self._run, name=f"onebook-{self.name}", daemon=True)
        self._thread.start()

    # ---- for the caller ----

    @property
    def name(self) -> str:
        """Its name, under which the checkpoint is kept."""
        return self.checkpoint.name

    @property
    def lag(self) -> int:
        """Entries after the last one handled or passed over."""
        return entries_after(self._out() if self.checkpoint.held else self.checkpoint.stored(), self._follower.tail.end)

    @property
    def state(self) -> str:
        """``running``, ``halted`` until a person acts, or ``waiting`` while another process serves it."""
        return self.checkpoint.state if self.checkpoint.held else "waiting"

    @property
    def last_error(self) -> str:
        """What the last failure said; empty for none."""
        return self.checkpoint.last_error

    def close(self) -> None:
        """Stop; the event being handled ends first. Everything after the checkpoint comes again at the next start."""
        if self._closing:
            return
        self._closing = self.stopping = True
        self._follower.stir()
        self._closed_by(self)
        if not self.is_here:
            join(self._thread, CLOSE_SECONDS, self.give_up)

    @property
    def is_here(self) -> bool:
        """Whether its handler is who asks."""
        return self._thread is threading.current_thread()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    # ---- for the feed ----

    def offer(self, entry: TailEntry) -> None:
        """Say that an entry is there."""
        self._follower.offer(entry)

    def stir(self) -> None:
        """Let it look whether there is something to do."""
        self._follower.stir()

    def keep(self) -> None:
        """Write the checkpoint down and renew the lease, when it is time."""
        if self.checkpoint.due():
            self._save()

    def ride(self, rows: SubscriberRows) -> bool:
        """Write the checkpoint down inside somebody's transaction; False when somebody else is at it or serves it."""
        written = self.checkpoint.write(rows)
        if not self.checkpoint.held:
            self.interrupt()
        return written

    def interrupt(self) -> None:
        """Stop serving it: somebody else does, or moved its checkpoint."""
        self.stopping = True
        self._follower.stir()

    def release(self) -> None:
        """Write down what is done, and let others serve it."""
        try:
            self.checkpoint.release()
        except StoreError as problem:
            _log.warning("subscriber %s: its last steps will be repeated: %s", self.name, problem)

    # ---- for its sink ----

    def done(self, place: Place) -> None:
        """Say that one event is out, before the whole batch is."""
        if self.letter is None:
            self._follower.place = self._ends.get(place, place)
        self.checkpoint.handled += 1
        self.checkpoint.attempts = 0

    # ---- serving ----

    def _out(self) -> Place:
        """Return the place up to which everything is out."""
        return self._held_back or self._follower.place

    def _save(self, also: Callable[[SubscriberRows], None] | None = None) -> bool:
        if self.checkpoint.save(also):
            return True
        self.interrupt()
        return False

    def _adopt(self, start: Place) -> None:
        """Take the lease if it is free, and go on from the checkpoint."""
        row = self.checkpoint.claim(start)
        self._follower.place = (row.sequence, row.ordinal)
        self._held_back = None
        self.stopping = self._closing

    def _run(self) -> None:
        sink: Sink | None = None
        failures, failed_at = 0, self._out()
        while not self._closing:
            try:
                if not self.checkpoint.held or self.stopping:
                    self._let_go(sink)
                    sink = None
                    if not self._regain():
                        continue
                if not self._follower.tail.head:  # a book without entries has no name yet that a sink could write
                    if self._follower.rest():
                        self._bell.wait(CLAIM_SECONDS)
                    continue
                if sink is None:
                    sink = self._open_sink(self)
                    self._bring_again(sink)
                self._serve(sink)
            except StoreClosed:
                break
            except Superseded:
                self.interrupt()
            except BookError as problem:  # the sink cannot be opened, the store not written, or an entry not read
                self._tell(problem)
                failures = failures + 1 if self._out() == failed_at else 1
                failed_at = self._out()
                self._bell.wait(self._policy.wait(failures + 2, self._chance))
        self._let_go(sink)
        self.release()

    def _regain(self) -> bool:
        """Take the lease up again, or wait a while for it; say whether it is there."""
        if self.checkpoint.is_free():
            self._adopt(self._follower.place)
        if not self.checkpoint.held:
            self._bell.wait(CLAIM_SECONDS * (0.75 + self._chance.random() / 2))
        return self.checkpoint.held

    def _let_go(self, sink: Sink | None) -> None:
        if sink is not None:
            try:
                sink.close()
            except BookError as problem:
                self._tell(problem)

    def _serve(self, sink: Sink) -> None:
        """Take events to the sink until there is nothing to do, then wait."""
        while not self.stopping:
            if self.checkpoint.state == "halted":
                self._bell.wait(CLAIM_SECONDS)
            elif self._read(sink) and self._follower.rest():
                self._bell.wait(None if self._held_back is None else ASK_SECONDS)

    def _read(self, sink: Sink) -> bool:
        """Read to the end of the log; False when that was interrupted, or the subscriber halted."""
        follower, most = self._follower, sink.max_batch
        while page := follower.tail.after(follower.position):
            batch: list[LoggedEvent] = []
            self._ends = {}
            for entry in page:
                found = self._found(sink, entry, batch)
                if found:
                    self._ends[found[-1].place] = (entry.sequence, WHOLE)
                elif not batch:
                    follower.place = (entry.sequence, WHOLE)
                for event in found:
                    if len(batch) == most and not self._take_out(sink, batch, more=True):
                        return False
                    batch.append(event)
            end = (page[-1].sequence, WHOLE)
            if batch and not self._take_out(sink, batch, more=follower.tail.head > end[0]):
                return False
            follower.place = end
            if self.stopping:
                return False
        return self._held_back is None or self._take_out(sink, [], more=False)

    def _found(self, sink: Sink, entry: TailEntry, batch: list[LoggedEvent]) -> list[LoggedEvent]:
        """Return the wanted events of an entry; when it cannot be read, what comes before it goes out first."""
        try:
            return self._follower.finds(entry)
        except BookError:
            if batch:
                self._take_out(sink, batch, more=True)
            raise

    def _take_out(self, sink: Sink, batch: list[LoggedEvent], *, more: bool) -> bool:
        """Hand a batch over and empty it; False when that was interrupted, or the subscriber halted."""
        before = self._follower.place
        if self.checkpoint.state == "skipping":
            self.checkpoint.state = "running"
            self.done(batch.pop(0).place)
            if not batch:
                return True
        out = self._deliver(sink, batch, more=more)
        if out is None:
            return False
        if out:
            self._held_back = None
        elif self._held_back is None:
            self._held_back = before
        if left := self._left(batch):
            self.checkpoint.handled += len(left) - 1
            self.done(left[-1].place)
        batch.clear()
        if self.checkpoint.is_full():
            self._save()
        return not self.stopping

    def _deliver(self, sink: Sink, batch: Sequence[LoggedEvent], *, more: bool) -> bool | None:
        """Hand over, again and again if need be; None when that was interrupted, or the subscriber halted."""
        while not self.stopping:
            started = perf_counter()
            out, problem = self._tried(sink, batch, more=more)
            if problem is None:
                self.checkpoint.rate.add(len(batch), perf_counter() - started)
                return out
            if isinstance(problem, Later):
                self._pause(problem.seconds)
                continue
            self._tell(problem)
            self.checkpoint.attempts += 1
            batch = self._left(batch)
            if self._is_hopeless(problem):
                if self.checkpoint.state == "halted":
                    return None
                if not batch:  # what the sink keeps in mind has no event that could be put aside: it stays
                    self._pause(self._policy.wait(self.checkpoint.attempts, self._chance))
                    continue
                batch = self._set_aside(sink, batch)
                if not batch:
                    return True
        return None

    def _tried(
        self, sink: Sink, batch: Sequence[LoggedEvent], *, more: bool = False
    ) -> tuple[bool | None, BaseException | None]:
        """Hand over once; return the answer, or what was raised.

        Raises:
            StoreClosed: the book is closed.
            Superseded: somebody else serves the subscriber, or moved its checkpoint.
        """
        out, problem = tried(lambda: sink.deliver(batch, more=more))
        if isinstance(problem, StoreClosed | Superseded):
            raise problem
        return out, problem

    def _tell(self, problem: BaseException) -> None:
        self.errors += 1
        self.checkpoint.errors += 1
        self.checkpoint.last_error = f"{type(problem).__name__}: {problem}"
        if self._news.due():
            reason, times, place = self.checkpoint.last_error, self.errors, shown_place(self._out())
            _log.warning("subscriber %s failed after %s: %s (%d times)", self.name, place, reason, times)

    def _left(self, batch: Sequence[LoggedEvent]) -> list[LoggedEvent]:
        return [event for event in batch if event.place > self._follower.place]

    def _is_hopeless(self, problem: BaseException) -> bool:
        """Wait for the next try, or give up, which halts the subscriber if it is to: True when that is so."""
        attempts = self.checkpoint.attempts
        final = isinstance(problem, BookError) and not problem.retryable
        if not final and not self._policy.gives_up(attempts):
            self._save()
            self._pause(self._policy.wait(attempts, self._chance))
            return False
        if self._policy.on_failure == "halt":
            self.checkpoint.state = "halted"
            self._save()
        return True

    def _set_aside(self, sink: Sink, batch: list[LoggedEvent]) -> list[LoggedEvent]:
        """Find the event of a batch that fails, put it among the dead letters, and return those after it."""
        if len(batch) == 1 or isinstance(sink, OneByOne):
            return self._bury(batch[0], batch)
        for event in batch:
            _, problem = self._tried(sink, [event])
            if isinstance(problem, Later):
                break
            if problem is not None and event is not batch[0]:
                break  # another one fails now: it has its own tries to come
            if problem is not None:
                self._tell(problem)
                return self._bury(event, batch)
            if event.place > self._follower.place:
                self.done(event.place)
        return self._left(batch)

    def _bury(self, event: LoggedEvent, batch: list[LoggedEvent]) -> list[LoggedEvent]:
        letter = self.checkpoint.letter(event.place, event.type)
        if self._save(lambda rows: rows.put_dead_letter(letter)):
            self.done(event.place)
        return self._left(batch)

    def _bring_again(self, sink: Sink) -> None:
        """Take the dead letters out that a person wants tried again."""
        for letter in self.checkpoint.letters():
            event = self.checkpoint.event(letter)
            while not self.stopping:
                self.letter = letter
                try:
                    _, problem = self._tried(sink, [event])
                finally:
                    self.letter = None
                if not isinstance(problem, Later):
                    self._brought(letter, problem)
                    break
                self._pause(problem.seconds)

    def _brought(self, letter: DeadLetter, problem: BaseException | None) -> None:
        """Take in what became of a dead letter."""
        if problem is None:
            self._save(lambda rows: rows.drop_dead_letter(self.name, (letter.sequence, letter.ordinal)))
            return
        self._tell(problem)
        kept = letter._replace(reason=self.last_error[:2000], attempts=letter.attempts + 1, again=0)
        self._save(lambda rows: rows.put_dead_letter(kept))

    def _pause(self, seconds: float) -> None:
        """Wait, unless there is a reason to stop."""
        until = monotonic() + seconds
        while not self.stopping and (left := until - monotonic()) > 0:
            self._bell.wait(left)
