"""Calls are spaced, in the order in which they came, waits and tries are bounded, and a venue's pause is kept."""

import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.market.sources import Sleep, together

from onebook.errors import BadConfig, BadPayload, BookError, RateLimited, SourceError, SourceTimeout
from onebook.market.pacing import Pace, Rate
from onebook.market.retrying import Retry, asked_pause
from onebook.testing.clock import FakeClock

SECOND = 1_000_000_000


def paced(clock: FakeClock, **rate: Any) -> tuple[Pace, Sleep]:
    sleep = Sleep(clock)
    return Pace("okx", Rate(**rate), clock=clock, sleep=sleep), sleep


def test_a_burst_passes_and_then_one_at_a_time(clock: FakeClock) -> None:
    pace, sleep = paced(clock, calls=10, seconds=2, burst=3)
    for _ in range(6):
        pace.take()
    assert sleep.slept == [0.2, 0.2, 0.2]
    clock.advance(100)
    for _ in range(4):
        pace.take()
    assert sleep.slept[3:] == [0.2], "rest gives back the burst, no more"


def test_who_would_wait_too_long_is_refused_at_once_and_takes_nothing(clock: FakeClock) -> None:
    pace, sleep = paced(clock, calls=1, seconds=5, most_wait_seconds=4)
    pace.take()
    with pytest.raises(RateLimited):
        pace.take()
    with pytest.raises(RateLimited, match=r"okx: 1 calls in 5 s .* free in 5\.0 s") as caught:
        pace.take()
    assert caught.value.retry_seconds == 5
    assert not sleep.slept
    clock.advance(1)
    pace.take()
    assert sleep.slept == [4]


def test_a_heavy_call_counts_as_many(clock: FakeClock) -> None:
    pace, sleep = paced(clock, calls=10, seconds=1, burst=10)
    pace.take(10)
    pace.take(5)
    assert sleep.slept == [0.5]
    with pytest.raises(BadConfig, match="cannot count as 11"):
        pace.take(11)


def test_a_pause_holds_everybody_and_ends_without_a_burst(clock: FakeClock) -> None:
    pace, sleep = paced(clock, calls=10, seconds=1, burst=5, most_wait_seconds=60)
    pace.pause(30)
    pace.pause(3)
    pace.take()
    pace.take()
    assert sleep.slept == [30, 0.1], "a shorter pause does not end a longer one"


def test_a_pause_reaches_who_waits_already(clock: FakeClock) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            pace.pause(7)
        clock.advance(seconds)

    pace = Pace("okx", Rate(calls=1, seconds=2), clock=clock, sleep=sleep)
    start = clock()
    pace.take()
    pace.take()
    assert (clock() - start) / SECOND == 7
    pace.pause()
    pace.take()
    assert (clock() - start) / SECOND == 8, "without a word of how long, the rate's own pause"


@pytest.mark.parametrize("rate", [{"calls": 0}, {"calls": 1, "seconds": 0}, {"calls": 1, "burst": 0}])
def test_a_rate_that_lets_nobody_through_is_refused(rate: dict[str, Any]) -> None:
    with pytest.raises(BadConfig):
        Rate(**rate)


@given(
    gaps=st.lists(st.integers(0, 3000), min_size=1, max_size=60),
    calls=st.integers(1, 7),
    burst=st.integers(1, 9),
)
def test_in_no_stretch_of_time_more_than_burst_and_rate(gaps: list[int], calls: int, burst: int) -> None:
    clock = FakeClock()
    pace, _ = paced(clock, calls=calls, seconds=1, burst=burst, most_wait_seconds=3600)
    moments = []
    for gap in gaps:
        clock.now += gap * 1_000_000
        pace.take()
        moments.append(clock())
    for first in range(len(moments)):
        for last in range(first, len(moments)):
            allowed = burst + (moments[last] - moments[first]) * calls / SECOND
            assert last - first + 1 <= allowed + 1e-6


def test_32_threads_keep_the_rate_together_by_the_real_clock() -> None:
    pace = Pace("okx", Rate(calls=400, seconds=1, burst=4), clock=time.monotonic_ns)
    start = time.monotonic()

    def work(_: int) -> None:
        for _ in range(3):
            pace.take()

    assert together(32, work) == [None] * 32
    assert time.monotonic() - start >= (96 - 4) / 400


def tried(clock: FakeClock, problems: list[BookError], **terms: Any) -> tuple[list[float], object]:
    """Return the waits, and what came out."""
    sleep = Sleep(clock)
    retry = Retry(clock=clock, random=random.Random(7), sleep=sleep, **terms)

    def call() -> str:
        if problems:
            raise problems.pop(0)
        return "answer"

    try:
        return sleep.slept, retry(call)
    except BookError as problem:
        return sleep.slept, problem


def test_what_may_pass_is_tried_again_with_growing_waits(clock: FakeClock) -> None:
    sleep = Sleep(clock)
    retry = Retry(clock=clock, random=random.Random(7), sleep=sleep, attempts=6, seconds=99, most_wait_seconds=1)
    problems: list[BookError] = [SourceTimeout("slow") for _ in range(5)]

    def call() -> str:
        if problems:
            raise problems.pop(0)
        return "answer"

    assert retry(call) == "answer"
    for wait, most in zip(sleep.slept, (0.2, 0.4, 0.8, 1, 1), strict=True):
        assert most / 2 <= wait <= most
    assert len(set(sleep.slept)) == 5, "not all callers at the same moment"


def test_tries_are_bounded_in_count_and_the_last_error_comes_through(clock: FakeClock) -> None:
    sleep = Sleep(clock)
    retry = Retry(clock=clock, random=random.Random(7), sleep=sleep, attempts=3)
    numbers = iter(range(9))

    def call() -> None:
        raise SourceError(f"number {next(numbers)}")

    with pytest.raises(SourceError, match="number 2"):
        retry(call)
    assert len(sleep.slept) == 2


def test_what_will_not_pass_is_not_tried_again(clock: FakeClock) -> None:
    waits, problem = tried(clock, [BadPayload("odd")])
    assert not waits
    assert isinstance(problem, BadPayload)


def test_a_wait_that_would_end_too_late_is_not_begun(clock: FakeClock) -> None:
    waits, problem = tried(clock, [RateLimited("later", retry_seconds=4)], seconds=4)
    assert (waits, problem) == ([4], "answer"), "the venue's own time is waited for"
    waits, problem = tried(clock, [RateLimited("later", retry_seconds=4)], seconds=3.9)
    assert not waits
    assert isinstance(problem, RateLimited)


SAID = "Sat, 21 Nov 2026 18:59:03 GMT"


@pytest.mark.parametrize(
    ("asked", "date", "seconds"),
    [
        ("7", None, 7),
        (" 7 ", SAID, 7),
        ("Sat, 21 Nov 2026 19:00:33 GMT", SAID, 90),
        ("Sat, 21 Nov 2026 18:00:00 GMT", SAID, 0),
        ("Fri, 21 Nov 2036 18:00:00 GMT", SAID, 86_400),
        ("9" * 400, SAID, 86_400),
        ("Sat, 21 Nov 2026 19:00:33 GMT", None, None),
        ("Sat, 21 Nov 2026 19:00:33 -0000", SAID, None),
        ("-5", SAID, None),
        ("inf", SAID, None),
        ("soon", SAID, None),
        (None, SAID, None),
    ],
)
def test_the_pause_that_a_venue_asks_for_is_read_as_seconds_or_as_a_date(
    asked: str | None, date: str | None, seconds: float | None
) -> None:
    headers = {name: value for name, value in (("Retry-After", asked), ("Date", date)) if value is not None}
    assert asked_pause(headers) == seconds
