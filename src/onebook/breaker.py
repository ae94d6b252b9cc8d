"""A circuit breaker: calls to something outside that keeps failing are refused at once, until one trial succeeds.

Closed, calls pass; after so many failures in a row it opens. Open, calls are refused. When it has been open long
enough it is half open: one call may try, the others are refused; the trial closes it or opens it anew.

It makes no calls and keeps no threads, so it serves threads and coroutines alike. Who listens hears of every change
of its state, in order and outside of its lock.

No library is inside: pybreaker holds its lock while a call lasts, so that one slow call holds up all others,
circuitbreaker lets everybody try when it is half open, and both read the clock themselves.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from onebook.clock import Clock
from onebook.errors import BreakerOpen, SourceError

_SECOND = 1_000_000_000
_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStatus:
    """How a breaker stands.

    Attributes:
        name: of what it guards.
        state: ``closed``, ``open`` or ``half_open``.
        failures: in a row.
        retry_seconds: until a call may try again; 0 when one may.
        last_error: of the latest failure, empty before the first; a success keeps it.
    """

    name: str
    state: str
    failures: int
    retry_seconds: float
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerChange:
    """A breaker's state has changed.

    Attributes:
        name: of what it guards.
        kind: ``opened``, ``half_open`` (a trial has begun) or ``closed``.
        at_ns: when, nanoseconds since 1970 UTC by the breaker's clock.
        failures: in a row, until then.
        last_error: of the latest failure, empty before the first.
    """

    name: str
    kind: str
    at_ns: int
    failures: int
    last_error: str


BreakerListener = Callable[[BreakerChange], None]
"""Told of a change. What it raises reaches the caller whose turn it was to tell."""


class Breaker:
    """Guards the calls to one thing outside. Thread-safe.

    Args:
        name: of what it guards, for messages.
        clock: nanoseconds since 1970 UTC.
        failures: so many in a row open it, 1 or more.
        recovery_seconds: how long it stays open before one call may try; also how long a trial that does not end
            keeps others from trying.
        counts: the errors that are failures; any other error is an answer, and counts as a success.
        ignores: of these, the ones that say nothing of what it guards, such as a call that was never sent: neither
            failure nor success, and a trial that ends so leaves its place to the next caller.

    Example:
        >>> from onebook.clock import system_clock
        >>> breaker = Breaker("prices", clock=system_clock, failures=1)
        >>> try:
        ...     with breaker.attempt():
        ...         raise SourceError("no answer")
        ... except SourceError:
        ...     print(breaker.status().state)
        open
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Clock,
        failures: int = 5,
        recovery_seconds: float = 60,
        counts: tuple[type[Exception], ...] = (SourceError,),
        ignores: tuple[type[Exception], ...] = (),
    ) -> None:
        self.name = name
        self._clock = clock
        self._limit = failures
        self._recovery_ns = int(recovery_seconds * _SECOND)
        self._counts = counts
        self._ignores = ignores
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_ns: int | None = None
        self._trial_ns: int | None = None
        self._last_error = ""
        self._listener: BreakerListener | None = None
        self._known = "closed"
        self._untold: deque[BreakerChange] = deque()
        self._telling = False

    def listen(self, listener: BreakerListener) -> None:
        """Tell this one of every change from now on, in order, on the thread that caused it or one that tells already.

        Instead of whoever listened before. It may use the breaker.
        """
        with self._lock:
            self._listener = listener

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Run the body of ``with`` as one call, unless the breaker is open.

        Raises:
            BreakerOpen: it is open, or another call is on trial.
        """
        trial = self._enter()
        try:
            yield
        except self._ignores:
            self._abandoned(trial)
            raise
        except self._counts as problem:
            self._failed(str(problem))
            raise
        except Exception:
            self._succeeded()
            raise
        except BaseException:
            self._abandoned(trial)
            raise
        self._succeeded()

    def reset(self) -> None:
        """Close it, whatever has failed: somebody knows that the thing works again."""
        self._succeeded()

    def status(self) -> BreakerStatus:
        """Return how it stands."""
        with self._lock:
            waiting = self._waiting_ns(self._clock())
            ready = self._trial_ns is not None or not waiting
            state = "closed" if self._opened_ns is None else "half_open" if ready else "open"
            return BreakerStatus(
                name=self.name,
                state=state,
                failures=self._failures,
                retry_seconds=waiting / _SECOND,
                last_error=self._last_error,
            )

    def _enter(self) -> int | None:
        """Return when this call's trial began; None where the breaker is closed."""
        with self._lock:
            if self._opened_ns is None:
                return None
            now = self._clock()
            waiting = self._waiting_ns(now)
            if waiting:
                seconds = waiting / _SECOND
                msg = f"{self.name}: not tried after {self._failures} failures in a row ({self._last_error}); "
                msg += f"again in {seconds:.0f} s"
                raise BreakerOpen(msg, name=self.name, retry_seconds=seconds)
            self._trial_ns = now
            self._note("half_open")
        self._tell()
        return now

    def _waiting_ns(self, now: int) -> int:
        """Return how long calls are still refused; a clock that was set back lets one try."""
        since = self._opened_ns if self._trial_ns is None else self._trial_ns
        if since is None or now < since:
            return 0
        return max(since + self._recovery_ns - now, 0)

    def _failed(self, why: str) -> None:
        with self._lock:
            self._failures += 1
            self._last_error = why[:_SHOWN]
            if self._failures >= self._limit:
                self._opened_ns = self._clock()
                self._note("opened")
            self._trial_ns = None
        self._tell()

    def _succeeded(self) -> None:
        with self._lock:
            self._note("closed")
            self._failures = 0
            self._opened_ns = None
            self._trial_ns = None
        self._tell()

    def _abandoned(self, trial: int | None) -> None:
        with self._lock:
            if self._trial_ns == trial:
                self._trial_ns = None

    def _note(self, kind: str) -> None:
        """Keep a change to be told of; the lock is held."""
        if kind == self._known:
            return
        self._known = kind
        if self._listener is None:
            return
        change = BreakerChange(
            name=self.name, kind=kind, at_ns=self._clock(), failures=self._failures, last_error=self._last_error
        )
        self._untold.append(change)

    def _tell(self) -> None:
        """Tell of the changes, unless another thread, or this one further up, is at it and will go on."""
        if not self._untold:
            return
        while True:
            with self._lock:
                if self._telling or not self._untold or self._listener is None:
                    return
                change, listener = self._untold.popleft(), self._listener
                self._telling = True
            try:
                listener(change)
            finally:
                self._telling = False
