"""Recording beside a bot: facts into the book, or into a spool while the book fails; never an error to the bot.

One thread books. The bot's call waits for it, so that what happened is durable before the bot goes on; but no longer
than its patience: then the facts go to the spool, which is durable too, and the thread books them from there, in
order, as soon as the book takes them.
"""

import asyncio
import json
import logging
import os
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from time import monotonic
from typing import Any, NoReturn

from onebook.book.core import Core
from onebook.domain import times
from onebook.errors import BookError
from onebook.feed.calling import tried
from onebook.intake.adapters.recorder_aside import Aside
from onebook.intake.adapters.recorder_booking import Bookings
from onebook.intake.adapters.recorder_known import named
from onebook.intake.adapters.recorder_place import owns_all, spool_for
from onebook.intake.adapters.recorder_seen import Item, OrderSeen, PositionSeen, Unbooked, as_row, from_data
from onebook.intake.adapters.spool import SpoolUnreadable

__all__ = ["Item", "OrderSeen", "PositionSeen", "Recorder", "Unbooked"]

MAX_RETRY_SECONDS = 30.0

_log = logging.getLogger("onebook.recorder")


def new_id() -> str:
    """Return an id that nobody else makes: 32 letters and digits, which venues take as a client order id."""
    return uuid.uuid4().hex


@dataclass(slots=True, eq=False)
class _Batch:
    """Items that belong together, and whether they are durable by now."""

    items: tuple[Item, ...]
    done: threading.Event = field(default_factory=threading.Event)


class Recorder:
    """Takes what a bot and its venue do into a book, and never troubles the bot.

    Args:
        book: an open book; it stays the caller's to close.
        strategy: the bot's.
        account: the book's account at this venue.
        venue: name of the venue.
        spool: file, or folder, for what the book cannot take just now; None: beside the book.
        patience_seconds: how long the bot waits at most until its facts are booked, before they go to the spool.
        retry_seconds: how long after a failure the book is tried again; doubled up to 30 s.
        make_id: makes the id of a fact that has none.
        owns: ``sent`` when only what this bot sent is its own, ``all`` when everything on the account is.

    Raises:
        BadConfig: the spool is a file that is no spool, such as the book itself; ``owns`` is neither.
    """

    def __init__(  # noqa: PLR0913  what a bot may set
        self,
        book: Core,
        *,
        strategy: str,
        account: str = "main",
        venue: str = "",
        spool: str | os.PathLike[str] | None = None,
        patience_seconds: float = 0.5,
        retry_seconds: float = 1.0,
        make_id: Callable[[], str] = new_id,
        owns: str = "sent",
    ) -> None:
        self.owns_all = owns_all(owns)
        self.book, self.strategy, self.account, self.venue = book, strategy, account, venue
        self.make_id = make_id
        self.spool = spool_for(book, account, strategy, spool)
        self._bookings = Bookings(book)
        self._patience, self._retry = patience_seconds, retry_seconds
        self._closed = False
        self._forking = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        """Begin with what waits in the spool, here or in the child of a fork: the parent keeps what is its own."""
        self._delay = 0.0
        self._state = threading.Condition()
        self._waiting: deque[_Batch] = deque()
        self._aside = Aside(self.spool, self._whose, self._retry)
        self._unread: float | None = None
        self._behind = self.spool.size > 0
        self._trouble: dict[str, Any] = {}
        self._thread: threading.Thread | None = None
        self._async: ThreadPoolExecutor | None = None
        self._process = os.getpid()
        if self._behind:
            with self._state:
                self._start()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Recorder":
        """Return itself: a copy of what a bot trades with is recorded by the same one."""
        return self

    def __reduce__(self) -> NoReturn:
        msg = "a recorder, and what it records, cannot be pickled: its book stays in this process; record anew there"
        raise TypeError(msg)

    def __copy__(self) -> "Recorder":
        """Return itself, as for a deep copy."""
        return self

    def _look_for_fork(self) -> None:
        """Begin anew in the child of a fork, which has no thread of its parent."""
        if self._process != os.getpid():
            with self._forking:
                if self._process != os.getpid():
                    self._begin()

    # ---- in ----

    def take(self, items: Iterable[Item]) -> None:
        """Take in what happened, in order. Never raises; durable in the book or the spool when it returns.

        A fact without an identity gets one, and one of our own without a time the present.
        """
        _, problem = tried(lambda: self._take(tuple(items)))
        self.contain(problem, "could not be recorded")

    async def take_async(self, items: Iterable[Item]) -> None:
        """Take in what happened as :meth:`take` does, without holding up the event loop."""
        given = tuple(items)
        if not given:
            return
        self._look_for_fork()
        pool, problem = tried(self._pool)
        if pool is None:
            self.contain(problem, "could not be recorded")
            return
        running, problem = tried(lambda: pool.submit(self.take, given))
        if running is None:  # the interpreter is on its way out
            self.take(given)
            return
        await asyncio.wait({asyncio.wrap_future(running)})

    def read(self, parse: Callable[[], Iterable[Item]], *, what: str, raw: object, instrument: str = "") -> list[Item]:
        """Return what a parser makes of a venue's payload; what it cannot read becomes an :class:`Unbooked`.

        Args:
            parse: makes items of the payload; may raise whatever it likes.
            what: what it should be: ``fill``, ``order`` …, for the break.
            raw: the payload, kept in the break.
            instrument: whose, when that is known.
        """
        found, problem = tried(lambda: list(parse()))
        if problem is None and found is not None:
            return found
        self.contain(problem, f"a {what} of {self.venue or 'the venue'} cannot be read", logging.WARNING)
        reason = f"{type(problem).__name__}: {problem}"[:500]
        made, second = tried(lambda: Unbooked(what=what, reason=reason, instrument=instrument, raw=_mapping(raw)))
        if made is None:  # not even plain data
            self.contain(second, "its payload is kept as text", logging.DEBUG)
            made = Unbooked(what=what, reason=reason, raw={"text": ascii(raw)[:10_000]})
        return [made]

    # ---- about it ----

    @property
    def is_behind(self) -> bool:
        """Whether facts wait for the book."""
        self._look_for_fork()
        with self._state:
            return self._is_behind

    @property
    def _is_behind(self) -> bool:
        return self._behind or bool(self._waiting) or self._unread is not None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything taken is in the book; False when it is not after so many seconds."""
        self._look_for_fork()
        until = None if timeout is None else monotonic() + timeout
        with self._state:
            while self._is_behind:
                left = None if until is None else until - monotonic()
                if self._closed or (left is not None and left <= 0):
                    return False
                self._state.wait(left)
        return True

    def close(self, timeout: float = 5.0) -> None:
        """End the thread. What is not booked by then stays in the spool, and the next recorder books it."""
        self._look_for_fork()
        with self._state:
            self._closed = True
            self._state.notify_all()
            thread = self._thread
        if self._async is not None:
            self._async.shutdown(wait=True)
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join(timeout)

    # ---- the bot's side ----

    def _take(self, items: tuple[Item, ...]) -> None:
        if not items:
            return
        self._look_for_fork()
        now = self.book.now()
        batch = _Batch(tuple(named(item, self.make_id, now) for item in items))
        with self._state:
            straight = not self._behind and not self._closed
            reason = "the recorder is closed" if self._closed else "facts before it still wait"
            if straight:
                self._waiting.append(batch)
                self._start()
                self._state.notify_all()
        if straight and not batch.done.wait(self._patience):
            straight, reason = False, f"the book did not answer within {self._patience:g} s"
        if not straight:
            self._put_aside(batch, reason)

    def _put_aside(self, batch: _Batch, reason: str) -> None:
        """Make a batch durable in the spool, and what came before it, unless somebody did, or booked it, meanwhile."""
        with self._state:
            if batch.done.is_set():
                return
            if not self._trouble:
                self._trouble = {"since": times.to_text(self.book.now()), "error": reason, "facts": 0}
                _log.warning("%s: %s; facts go to %s until it takes them", self._subject, reason, self.spool.path)
            for each in (*self._before(batch), batch):
                self._trouble["facts"] += len(each.items)
                self._aside.store(each.items)
                each.done.set()
            self._behind = True
            self._start()
            self._state.notify_all()

    def _before(self, batch: _Batch) -> list[_Batch]:
        """Return the batches that came before this one and are nowhere yet."""
        found: list[_Batch] = []
        for each in self._waiting:
            if each is batch:
                break
            if not each.done.is_set():
                found.append(each)
        return found

    @property
    def _whose(self) -> tuple[str, str, str]:
        return self.account, self.venue, self.strategy

    @property
    def _subject(self) -> str:
        return "/".join(part for part in (self.venue, self.account, self.strategy) if part)

    def contain(self, problem: BaseException | None, what: str, level: int = logging.ERROR) -> None:
        """Log what went wrong while recording, and raise only what asks the program to end.

        Args:
            problem: as :func:`onebook.feed.calling.tried` returned it; None for nothing.
            what: what could not be done.
            level: of the log.
        """
        if problem is None:
            return
        if not isinstance(problem, Exception):
            raise problem
        _log.log(level, "%s: %s: %s", self._subject, what, problem, exc_info=problem)

    def _pool(self) -> ThreadPoolExecutor:
        with self._state:
            if self._async is None:
                self._async = ThreadPoolExecutor(1, thread_name_prefix="onebook-recorder-async")
            return self._async

    # ---- the thread's side ----

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="onebook-recorder", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            if not batch.items:
                self._catch_up()
                continue
            _, problem = tried(lambda items=batch.items: self._bookings.book(self._whose, items))  # type: ignore[misc]
            if problem is not None:
                self._put_aside(batch, str(problem))
                continue
            with self._state:
                batch.done.set()
                self._waiting.popleft()
                self._state.notify_all()

    def _next(self) -> _Batch | None:
        """Wait for work: a batch, an empty one when the spool is to be drained, None at the end."""
        with self._state:
            while True:
                if self._behind:
                    while self._waiting:  # what came before goes first
                        self._put_aside(self._waiting[0], "the book is behind")
                        self._waiting.popleft()
                    if self._closed:
                        return None
                    if not self._state.wait_for(lambda: self._closed, self._delay):
                        return _Batch(())
                elif self._waiting:
                    return self._waiting[0]
                elif self._closed:
                    return None
                elif self._unread is not None and monotonic() >= self._unread:
                    return _Batch(())
                else:
                    self._state.wait(None if self._unread is None else max(self._unread - monotonic(), 0))

    def _catch_up(self) -> None:
        """Book what waits in the spool, then what is in memory, which is newer; try later when the book fails.

        A spool that cannot be read does not keep the book from what comes after it.
        """
        _, problem = tried(lambda: self.spool.drain(self._book_rows))
        unread = problem if isinstance(problem, SpoolUnreadable) else None
        if problem is unread:
            _, problem = tried(self._book_kept)
        if problem is None and unread is None:
            _, problem = tried(self._tell)
        with self._state:
            if unread is not None and self._unread is None:
                _log.error("%s: %s", self._subject, unread)
            self._unread = None if unread is None else monotonic() + MAX_RETRY_SECONDS
            if problem is None and not self._aside.kept and (unread is not None or not self.spool.size):
                self._behind, self._delay = False, 0.0
            elif problem is not None:
                self._delay = min(max(self._delay * 2, self._retry), MAX_RETRY_SECONDS)
                _log.debug("%s: facts still wait: %s", self._subject, problem)
            self._state.notify_all()

    def _book_rows(self, rows: list[dict[str, Any]]) -> None:
        """Book rows of a spool, each for its account, venue and strategy; what only harms is put aside."""
        for whose, found in groupby(rows, self._owner):
            own = list(found)
            items = [self._restored(row) for row in own]
            _, problem = tried(lambda whose=whose, items=items: self._bookings.book(whose, items))  # type: ignore[misc]
            if problem is None:
                continue
            if isinstance(problem, BookError) or not isinstance(problem, Exception):
                raise problem
            for row, item in zip(own, items, strict=True):
                _, problem = tried(lambda whose=whose, item=item: self._bookings.book(whose, [item]))  # type: ignore[misc]
                if isinstance(problem, BookError):
                    raise problem
                if problem is not None:
                    self.contain(problem, "a fact cannot be booked")
                    self.spool.keep_torn([json.dumps(row).encode()])

    def _owner(self, row: Mapping[str, Any]) -> tuple[str, str, str]:
        """Return whose a row is."""
        if all(isinstance(row.get(name), str) for name in ("account", "venue", "strategy")):
            return row["account"], row["venue"], row["strategy"]
        return self._whose

    def _restored(self, row: dict[str, Any]) -> Item:
        return self.read(lambda: [from_data(row)], what=str(row.get("kind", "")), raw=row)[0]

    def _book_kept(self) -> None:
        while True:
            with self._state:
                items = self._aside.kept
            if not items:
                return
            self._book_rows([as_row(item, *self._whose) for item in items])
            with self._state:
                self._aside.booked(items)

    def _tell(self) -> None:
        """Write into the book that it failed, now that it works again."""
        with self._state:
            trouble = self._trouble
            if trouble and self._aside.lost:
                trouble["lost"] = self._aside.lost
        if not trouble:
            return
        subject = self._subject
        key = f"recording_failed|{subject}|{trouble['since']}"
        text = f"{trouble['facts']} facts of {subject} waited in {self.spool.path}: {trouble['error']}"
        about = {"kind": "recording_failed", "subject": subject, "key": key}
        self.book.note("alert_raised", about | trouble | {"text": text}, strategy=self.strategy)
        self.book.note("alert_cleared", about, strategy=self.strategy)
        with self._state:
            if self._trouble is trouble:
                self._trouble, self._aside.lost = {}, 0


def _mapping(raw: object) -> dict[str, Any]:
    if isinstance(raw, Mapping):
        return dict(raw)
    return {"text": ascii(raw)[:10_000]}
