"""A venue in memory for streams: connections and a history that do as they are told."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from decimal import Decimal
from typing import Any

from tests.market.venues.serving import until

from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.domain.times import MINUTE, SECOND
from onebook.errors import SourceError
from onebook.market.streams import Receiver, Stream, StreamRules, StreamSource

FAST = StreamRules(first_wait_seconds=0.01, longest_wait_seconds=0.02, steady_seconds=0)
START = 1_000 * SECOND


def print_(number: int, *, instrument: str = "BTC", named: bool = True) -> Print:
    at_ns = START + number * SECOND
    name = str(number) if named else ""
    return Print(instrument=instrument, at_ns=at_ns, price=Decimal(100 + number), quantity=Decimal(1), id=name)


def quote(number: int, instrument: str = "BTC") -> Quote:
    return Quote(instrument=instrument, at_ns=START + number, bid=Decimal(number), ask=Decimal(number + 1))


def bar(number: int, close: int = 5, *, is_final: bool = True) -> Bar:
    opened, one = START + number * MINUTE, Decimal(1)
    prices = {"open": one, "high": Decimal(9), "low": one, "close": Decimal(close)}
    return Bar(instrument="BTC", timeframe="1m", opened_ns=opened, at_ns=opened + MINUTE, is_final=is_final, **prices)


class Desk:
    """A venue in memory: what happens is in its history, and shown by the newest connection if it is up."""

    def __init__(self) -> None:
        self.history: list[Print] = []
        self.bar_history: list[Bar] = []
        self.lines: list[Line] = []
        self.problems: list[Exception] = []
        self.history_problems: list[Exception] = []
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None
        self.seen: list[Seen] = []
        self.troubles: list[tuple[str, str]] = []
        self.now = START + 100 * SECOND
        self.refuses: set[str] = set()

    def prints(self, instrument: str, since_ns: int, until_ns: int) -> Iterator[Print]:
        self.asked += 1
        if self.history_problems:
            raise self.history_problems.pop(0)
        found = [item for item in self.history if item.instrument == instrument]
        self.meanwhile()
        yield from (item for item in found if since_ns <= item.at_ns < until_ns)

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        self.asked += 1
        return [item for item in self.bar_history if since_ns <= item.opened_ns < until_ns]

    def stream(self, rules: StreamRules = FAST, *, consecutive: bool = False, **more: Any) -> Stream:
        source = StreamSource(
            name="desk",
            connect=lambda: Line(self),
            history=self,
            clock=lambda: self.now,
            random=lambda: 0.0,
            is_consecutive=consecutive,
            is_open=more.pop("is_open", lambda _: True),
        )
        deliver = more.pop("deliver", self.seen.append)
        made = Stream(source, deliver, rules=rules, on_trouble=lambda *given: self.troubles.append(given))
        made.start(more.pop("instruments", ["BTC"]))
        until(lambda: not self.problems and self.lines and self.lines[-1].is_up)
        return made

    def show(self, *seen: Seen, lost: bool = False) -> None:
        for item in seen:
            self.history += [item] if isinstance(item, Print) else []
            if not lost:
                self.lines[-1].show(item)

    def break_line(self, problem: Exception | None = None) -> None:
        line = self.lines[-1]
        line.end(problem or SourceError("cut"))
        until(lambda: not line.is_up)

    def is_again_up(self, lines: int) -> bool:
        return len(self.lines) >= lines and self.lines[-1].is_up

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.troubles]


class Line:
    """A connection of the desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.is_up = False
        self.wanted: set[str] = set()
        self.is_closed = False

    async def run(self, instruments: Collection[str], receiver: Receiver) -> None:
        self.loop, self.receiver = asyncio.get_running_loop(), receiver
        self.ended: asyncio.Future[None] = self.loop.create_future()
        self.wanted = set(instruments)
        self.desk.lines.append(self)
        if self.desk.problems:
            raise self.desk.problems.pop(0)
        for name in self.wanted & self.desk.refuses:
            receiver.refused(name, "no such stream")
        receiver.opened()
        self.is_up = True
        await self.ended

    async def add(self, instruments: Collection[str]) -> None:
        self.wanted |= set(instruments)

    async def remove(self, instruments: Collection[str]) -> None:
        self.wanted -= set(instruments)

    async def close(self) -> None:
        self.is_closed, self.is_up = True, False

    def show(self, seen: Seen) -> None:
        self.loop.call_soon_threadsafe(self.receiver.seen, seen)

    def end(self, problem: Exception) -> None:
        self.loop.call_soon_threadsafe(self.ended.set_exception, problem)
