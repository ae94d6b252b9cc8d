"""A source of market data that does as it is told, threads that start together, and a clock that sleeping moves."""

import threading
from collections.abc import Callable, Collection, Iterator
from decimal import Decimal
from typing import Any

from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.errors import BookError
from onebook.market.port import Price
from onebook.testing.clock import FakeClock

LIMIT_SECONDS = 20.0


class Told:
    """Answers with growing prices, counts calls, raises what ``fails`` holds, waits for ``gate`` before it answers."""

    def __init__(self, clock: FakeClock, name: str = "venue") -> None:
        self.name = name
        self.clock = clock
        self.calls: list[str] = []
        self.fails: list[BookError] = []
        self.always: BookError | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.deliver: Callable[[Seen], None] | None = None
        self.streamed: set[str] = set()
        self.closed = 0

    def _answer(self, what: str) -> int:
        self.calls.append(what)
        assert self.gate.wait(LIMIT_SECONDS)
        if self.fails:
            raise self.fails.pop(0)
        if self.always is not None:
            raise type(self.always)(str(self.always), **self.always.details)
        return len(self.calls)

    def price(self, instrument: str) -> Price:
        number = self._answer(f"price {instrument}")
        return Price(instrument=instrument, price=Decimal(100 + number), at_ns=self.clock(), source=self.name)

    def quote(self, instrument: str) -> Quote:
        number = self._answer(f"quote {instrument}")
        return Quote(instrument=instrument, at_ns=self.clock(), bid=Decimal(number), ask=Decimal(number + 1))

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        self._answer(f"bars {instrument}")
        last = until_ns - 60_000_000_000
        return [bar(instrument, opened) for opened in ((since_ns, last) if last > since_ns else (since_ns,))]

    def prints(self, instrument: str, since_ns: int, until_ns: int) -> Iterator[Print]:
        self._answer(f"prints {instrument}")
        for at in range(since_ns, until_ns):
            yield Print(instrument=instrument, at_ns=at, price=Decimal(at), quantity=Decimal(1))

    def stream(self, instruments: Collection[str], deliver: Callable[[Seen], None]) -> "Told":
        self._answer("stream")
        self.deliver = deliver
        self.streamed = set(instruments)
        return self

    def add(self, instruments: Collection[str]) -> None:
        self.streamed |= set(instruments)

    def remove(self, instruments: Collection[str]) -> None:
        self.streamed -= set(instruments)

    def close(self) -> None:
        self.closed += 1


def bar(instrument: str, opened_ns: int = 0, price: str = "5") -> Bar:
    value = Decimal(price)
    return Bar(
        instrument=instrument,
        timeframe="1m",
        opened_ns=opened_ns,
        at_ns=opened_ns + 60_000_000_000,
        open=value,
        high=value,
        low=value,
        close=value,
    )


class Sleep:
    """Moves a clock instead of waiting, and remembers for how long."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.now += round(seconds * 1_000_000_000)


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run work(0) to work(count - 1) in threads that begin at once; return what each returned or raised of ours."""
    found: list[Any] = [None] * count
    ready = threading.Barrier(count)

    def run(number: int) -> None:
        ready.wait(LIMIT_SECONDS)
        try:
            found[number] = work(number)
        except (BookError, AssertionError) as problem:
            found[number] = problem

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_SECONDS)
        assert not thread.is_alive(), "it hangs"
    return found
