"""One call for all who want the same at the same time."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from typing import Any

from onebook.errors import BookError, SourceTimeout


class Flights:
    """Calls under way, by what they fetch. Thread-safe.

    Args:
        wait_seconds: how long a caller waits for another one's call, above 0.
    """

    def __init__(self, wait_seconds: float) -> None:
        self._wait = wait_seconds
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, Future[Any]] = {}

    def share(self, key: Hashable, call: Callable[[], Any]) -> Any:
        """Return what the call under way for this key returns, or make it when none is.

        Raises:
            BookError: as the call did; each who waited gets an error of its own.
            SourceTimeout: it took too long.
        """
        while True:
            own: Future[Any] = Future()
            with self._lock:
                flight = self._under_way.setdefault(key, own)
            if flight is own:
                return self._fly(key, own, call)
            try:
                return flight.result(timeout=self._wait)
            except BookError as problem:
                raise type(problem)(str(problem), **problem.details) from problem
            except TimeoutError:
                msg = f"another caller's call for {key} has not answered in {self._wait:g} s"
                raise SourceTimeout(msg) from None
            except CancelledError:
                continue  # who made it was interrupted, or has an error in its code: it is nobody else's

    def _fly(self, key: Hashable, own: "Future[Any]", call: Callable[[], Any]) -> Any:
        try:
            result = call()
        except BookError as problem:
            self._land(key)
            own.set_exception(problem)
            raise
        except BaseException:
            self._land(key)
            own.cancel()
            raise
        self._land(key)
        own.set_result(result)
        return result

    def _land(self, key: Hashable) -> None:
        with self._lock:
            del self._under_way[key]
