"""The circuit breakers of one program by name, and what they tell. It makes no calls."""

import threading

from onebook.breaker import Breaker, BreakerChange, BreakerListener, BreakerStatus
from onebook.clock import Clock
from onebook.errors import BadConfig, InputError, SourceError


class Circuits:
    """Breakers by name. Thread-safe.

    Args:
        clock: of all of them, nanoseconds.
        listener: told of every change of every breaker: of one breaker in order, never while a lock is held, on the
            thread that caused it. What it raises reaches the caller of the call that was guarded.

    Example:
        >>> from onebook.clock import system_clock
        >>> circuits = Circuits(system_clock)
        >>> with circuits.get("prices").attempt():
        ...     pass  # the call
        >>> circuits.status()["prices"].state
        'closed'
    """

    def __init__(self, clock: Clock, listener: BreakerListener | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._breakers: dict[str, Breaker] = {}
        self._terms: dict[str, tuple[object, ...]] = {}
        self._listeners: tuple[BreakerListener, ...] = () if listener is None else (listener,)

    def get(
        self,
        name: str,
        *,
        failures: int = 5,
        recovery_seconds: float = 60,
        counts: tuple[type[Exception], ...] = (SourceError,),
        ignores: tuple[type[Exception], ...] = (),
    ) -> Breaker:
        """Return the breaker of this name; the first who asks makes it, and its terms stay.

        Args:
            name: of what it guards.
            failures: so many in a row open it, 1 or more.
            recovery_seconds: how long it stays open before one call may try, above 0.
            counts: the errors that are failures.
            ignores: of these, the ones that are neither failure nor success.

        Raises:
            BadConfig: no breaker can have such terms, or another caller has agreed on others.
        """
        if failures < 1 or recovery_seconds <= 0:
            msg = f"breaker {name}: failures is {failures} and recovery_seconds {recovery_seconds}; both are above 0"
            raise BadConfig(msg)
        terms = (failures, recovery_seconds, counts, ignores)
        with self._lock:
            if name not in self._breakers:
                breaker = Breaker(
                    name,
                    clock=self._clock,
                    failures=failures,
                    recovery_seconds=recovery_seconds,
                    counts=counts,
                    ignores=ignores,
                )
                breaker.listen(self._tell)
                self._breakers[name] = breaker
                self._terms[name] = terms
            elif self._terms[name] != terms:
                msg = f"the breaker {name} is there with other terms; use find({name!r}), or another name"
                raise BadConfig(msg)
            return self._breakers[name]

    def find(self, name: str) -> Breaker:
        """Return the breaker of this name, whatever its terms.

        Raises:
            InputError: nobody has made one.
        """
        with self._lock:
            breaker = self._breakers.get(name)
            known = ", ".join(self._breakers) or "none"
        if breaker is None:
            msg = f"there is no breaker {name!r}; there is {known}"
            raise InputError(msg)
        return breaker

    def status(self) -> dict[str, BreakerStatus]:
        """Return how each stands, by name."""
        with self._lock:
            breakers = list(self._breakers.values())
        return {breaker.name: breaker.status() for breaker in breakers}

    def reset(self, name: str) -> None:
        """Close one, because somebody knows that what it guards works again.

        Raises:
            InputError: nobody has made one of this name.
        """
        self.find(name).reset()

    def listen(self, listener: BreakerListener) -> None:
        """Tell this one too of every change from now on."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def _tell(self, change: BreakerChange) -> None:
        for listener in self._listeners:
            listener(change)
