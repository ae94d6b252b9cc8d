"""Filling a gap: what was missed is fetched from the source's history and delivered before what came live after it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from onebook.clock import Clock
from onebook.domain.times import MINUTE, SECOND, to_text
from onebook.errors import BookError, SourceError
from onebook.market.streams.connection import History
from onebook.market.streams.lane import Lane
from onebook.market.streams.outbox import Outbox
from onebook.market.streams.rules import StreamRules, asked_seconds

TRIES = 5
"""How often a gap is asked for before it is reported and left."""

AHEAD = MINUTE
"""A venue's clock may be so far ahead of ours; prints up to then are asked for."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    """What one fetch brought: prints that had not come live too, and what is wrong with it."""

    count: int
    problem: str = ""


class Filler:
    """Fills the gaps of one stream.

    Args:
        history: where from; its calls block, so they run on threads of the loop.
        outbox: where to; it waits for room there.
        rules: of the stream.
        clock: gives the moment.
    """

    def __init__(self, history: History, outbox: Outbox, rules: StreamRules, clock: Clock) -> None:
        self._history = history
        self._outbox = outbox
        self._rules = rules
        self._clock = clock
        self.filled = 0
        self.gaps = 0

    async def fill(self, lane: Lane, pause: Callable[[float], "asyncio.Future[None]"]) -> None:
        """Fill the gap of an instrument, then deliver what was held meanwhile. Trouble is reported, not raised."""
        problem, total, has_hole = "", 0, lane.is_holding
        for attempt in range(TRIES):
            held_before = lane.is_holding
            try:
                fetched = await asyncio.to_thread(self._fetch, lane)
            except SourceError as error:
                problem = str(error)
                await pause(max(self._wait(attempt), asked_seconds(error) or 0.0))
                continue
            except BookError as error:
                problem = str(error)
                break
            total += fetched.count
            problem = fetched.problem
            if lane.must_fetch_again:
                lane.must_fetch_again = False
                problem = "more came live than could be held, or the connection broke again"
                continue
            if fetched.problem and not fetched.count:
                await pause(self._wait(attempt))  # a history that lags
                continue
            if lane.is_joined(held_before=held_before):
                break
            problem = problem or "what was fetched does not reach up to what came live"
            if held_before:
                await pause(self._wait(attempt))
        if has_hole and not problem:
            lane.found(total)
        if lane.is_removed:
            return
        if problem:
            self.gaps += 1
            self._outbox.tell("gap", f"{lane.instrument}: a gap is not filled for certain: {problem}")
        for seen in lane.release():
            self._outbox.put(seen)

    def _wait(self, attempt: int) -> float:
        return min(self._rules.longest_wait_seconds, self._rules.first_wait_seconds * 2.0**attempt)

    def _fetch(self, lane: Lane) -> _Fetched:
        """Fetch once, on a thread; the lane holds what comes live meanwhile."""
        now = self._clock()
        count, problem = self._fetch_prints(lane, now) if self._rules.fills_prints else (0, "")
        for timeframe, newest in list(lane.bars.items()):
            since = max(newest.opened_ns, self._earliest(now))
            for bar in self._history.bars(lane.instrument, timeframe, since, now + AHEAD):
                if lane.take_filled(bar, newest.at_ns):
                    self._outbox.put_when_room(bar)
                    self.filled += 1
        return _Fetched(count, problem)

    def _fetch_prints(self, lane: Lane, now: int) -> tuple[int, str]:
        last = lane.newest
        since, count, held = lane.since_ns(), 0, lane.held_ids()
        before, is_touched, problem = since, last is None or not last.id, ""
        if since < self._earliest(now):
            since, is_touched = self._earliest(now), True
            problem = f"it is too long; what was before {to_text(since)} is left out"
        for print_ in self._history.prints(lane.instrument, since, now + AHEAD):
            is_touched = is_touched or (last is not None and print_.id == last.id)
            if lane.is_removed or self._outbox.is_closed:
                break
            if lane.take_filled(print_, before):
                self._outbox.put_when_room(print_)
                count += print_.id not in held
                self.filled += 1
        if not is_touched:
            problem = "the venue's history does not hold what was seen last"
        return count, problem

    def _earliest(self, now: int) -> int:
        return now - int(self._rules.longest_fill_seconds * SECOND)
