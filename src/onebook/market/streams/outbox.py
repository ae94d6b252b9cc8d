"""Between a connection and its consumer: what waits to be delivered, in bounded memory, on a thread of its own.

Of quotes and running bars only the newest of each instrument waits, in the place of the first: a consumer that lags
sees fewer of them and never an old one. Prints and final bars are all kept, up to a limit; beyond it the oldest are
dropped, counted and reported. What the consumer raises is counted and reported, and ends nothing.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from itertools import count

from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.market.streams.rules import OnTrouble, StreamRules

_LOOK_SECONDS = 0.5


class Outbox:
    """Delivers to one consumer, one at a time.

    Args:
        deliver: the consumer.
        rules: how much may wait.
        on_trouble: told of overflow and of what the consumer raised.
        name: of the thread.
    """

    def __init__(self, deliver: Callable[[Seen], None], rules: StreamRules, on_trouble: OnTrouble, name: str) -> None:
        self._deliver = deliver
        self._rules = rules
        self._on_trouble = on_trouble
        self._changed = threading.Condition()
        self._waiting: OrderedDict[tuple[object, ...], Seen] = OrderedDict()
        self._numbers = count()
        self._kept = 0
        self._is_closed = False
        self._overflowing = False
        self._failing = False
        self.delivered = 0
        self.conflated = 0
        self.dropped = 0
        self.errors = 0
        self.last_error = ""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    @property
    def is_closed(self) -> bool:
        """Whether nothing is delivered any more."""
        return self._is_closed

    def put(self, seen: Seen) -> None:
        """Take this in, without waiting."""
        report = ""
        with self._changed:
            if self._is_closed:
                return
            if self._add(seen) and self._kept > self._rules.max_waiting:
                report = self._drop()
            self._changed.notify_all()
        if report:
            self.tell("overflow", report)

    def put_when_room(self, seen: Seen) -> bool:
        """Take this in as soon as there is room; False when the outbox was closed meanwhile."""
        with self._changed:
            while self._kept >= self._rules.max_waiting and not self._is_closed:
                self._changed.wait(_LOOK_SECONDS)
            if not self._is_closed:
                self._add(seen)
                self._changed.notify_all()
            return not self._is_closed

    def tell(self, kind: str, text: str) -> None:
        """Report trouble; what the report's receiver raises is counted as the consumer's."""
        problem = _raised(partial(self._on_trouble, kind, text))
        if problem is not None:
            self._count(problem)

    def close(self) -> None:
        """End it, and wait until nothing is delivered any more; what waits is let go."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _add(self, seen: Seen) -> bool:
        """Put it in its place, and say whether it is of those that are all kept."""
        key = self._key(seen)
        if key in self._waiting:
            self.conflated += 1
        self._waiting[key] = seen
        self._kept += _is_kept(key)
        return _is_kept(key)

    def _key(self, seen: Seen) -> tuple[object, ...]:
        if isinstance(seen, Quote):
            return ("quote", seen.instrument)
        if isinstance(seen, Bar) and not seen.is_final:
            return ("bar", seen.instrument, seen.timeframe)
        if isinstance(seen, Print) and self._rules.conflate_prints:
            return ("print", seen.instrument)
        return (next(self._numbers),)

    def _drop(self) -> str:
        """Let the oldest go of those that are all kept; return what to report when that begins."""
        del self._waiting[next(key for key in self._waiting if _is_kept(key))]
        self._kept -= 1
        self.dropped += 1
        begins, self._overflowing = not self._overflowing, True
        return f"the consumer lags by {self._rules.max_waiting} prints; the oldest are dropped" if begins else ""

    def _run(self) -> None:
        while (seen := self._next()) is not None:
            problem = _raised(partial(self._deliver, seen))
            if problem is None:
                self.delivered += 1
                self._failing = False
                continue
            self._count(problem)
            begins, self._failing = not self._failing, True
            if begins:
                self.tell("consumer", f"the consumer raised {self.last_error}; it is given the next one")

    def _next(self) -> Seen | None:
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            if self._is_closed:
                return None
            key, seen = self._waiting.popitem(last=False)
            if _is_kept(key):
                self._kept -= 1
                self._overflowing = self._overflowing and self._kept > self._rules.max_waiting // 2
                self._changed.notify_all()
            return seen

    def _count(self, problem: BaseException) -> None:
        self.errors += 1
        self.last_error = f"{type(problem).__name__}: {problem}"[:500]


def _is_kept(key: tuple[object, ...]) -> bool:
    return len(key) == 1


def _raised(work: Callable[[], None]) -> BaseException | None:
    """Call what a user handed over, and return what it raised, whatever that is."""
    try:
        work()
    except BaseException as problem:  # noqa: BLE001  nothing a consumer raises may end the stream
        return problem
    return None
