"""``services.circuit_breaker``: the older names of the circuit breakers of the process."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

from onebook.breaker import Breaker
from onebook.compat import market
from onebook.errors import BadConfig, BreakerOpen, InputError

Called = TypeVar("Called", bound=Callable[..., Any])

CircuitBreakerError = BreakerOpen
"""The older name of the error of an open breaker, of the data manager's too."""


class CircuitBreaker:
    """One breaker under its older names.

    Args:
        breaker: what counts the failures.
    """

    __slots__ = ("_breaker",)

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker

    @property
    def name(self) -> str:
        """What it guards."""
        return self._breaker.name

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half_open``: one call may try."""
        return self._breaker.status().state

    @property
    def failure_count(self) -> int:
        """Failures in a row."""
        return self._breaker.status().failures

    def call(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function, or give what awaits an ``async def``, unless the breaker is open.

        Raises:
            CircuitBreakerError: it is open, or another call is on trial.
        """
        if iscoroutinefunction(func):
            return self._wait(func, args, kwargs)
        with self._breaker.attempt():
            return func(*args, **kwargs)

    def __call__(self, func: Called) -> Called:
        """Guard each call of a function, as a decorator; an ``async def`` too."""
        if iscoroutinefunction(func):

            @wraps(func)
            async def waits(*args: Any, **kwargs: Any) -> Any:
                return await self._wait(func, args, kwargs)

            return cast("Called", waits)

        @wraps(func)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            return self.call(func, *args, **kwargs)

        return cast("Called", guarded)

    async def _wait(self, func: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self._breaker.attempt():
            return await func(*args, **kwargs)

    def reset(self) -> None:
        """Close it: somebody knows that what it guards works again."""
        self._breaker.reset()

    def get_status(self) -> dict[str, Any]:
        """Return ``name state failures retry_seconds last_error``."""
        return asdict(self._breaker.status())


class CircuitManager:
    """The breakers of the process by name."""

    def get_breaker(
        self,
        name: str,
        failure_threshold: int = 5,
        recovery_timeout: float = 60,
        expected_exception: type[Exception] | tuple[type[Exception], ...] = Exception,
    ) -> CircuitBreaker:
        """Return the breaker of a name; the first who asks makes it, and its terms stay.

        Args:
            name: of what it guards.
            failure_threshold: so many failures in a row open it, 1 or more.
            recovery_timeout: seconds before one call may try, above 0.
            expected_exception: the errors that are failures; any other one is an answer.

        Raises:
            BadConfig: no breaker can have such terms.
        """
        counts = expected_exception if isinstance(expected_exception, tuple) else (expected_exception,)
        return CircuitBreaker(_known(name) or _made(name, failure_threshold, recovery_timeout, counts))

    def get_status(self) -> dict[str, dict[str, Any]]:
        """Return how every breaker stands, by name; the data manager's, where a name is taken, as ``NAME.data``."""
        own, guarding = market.circuits().status(), market.guarding().status()
        found = {f"{name}.data" if name in own else name: status for name, status in guarding.items()} | own
        return {name: asdict(status) for name, status in found.items()}


def _known(name: str) -> Breaker | None:
    """Return a breaker that is there, the program's own before the data manager's."""
    for circuits in (market.circuits(), market.guarding()):
        with suppress(InputError):
            return circuits.find(name)
    return None


def _made(name: str, failures: int, seconds: float, counts: tuple[type[Exception], ...]) -> Breaker:
    try:
        return market.circuits().get(name, failures=failures, recovery_seconds=seconds, counts=counts)
    except BadConfig:
        found = _known(name)
        if found is None:
            raise
        return found  # another thread was first; its terms stay


circuit_manager = CircuitManager()
"""The documents' one manager of breakers; it keeps nothing itself."""
