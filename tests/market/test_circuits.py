"""Named breakers: one per name, who listens hears every change in order, and one caller tries when it is half open."""

import contextlib
import random
import threading
from itertools import pairwise

import pytest
from tests.market.sources import together

from onebook.breaker import Breaker, BreakerChange
from onebook.errors import BadConfig, BreakerOpen, InputError, RateLimited, SourceError
from onebook.market.circuits import Circuits
from onebook.testing.clock import FakeClock


def fail(breaker: Breaker, problem: SourceError | None = None) -> None:
    with pytest.raises(SourceError), breaker.attempt():
        raise problem or SourceError("no answer")


def succeed(breaker: Breaker) -> None:
    with breaker.attempt():
        pass


def test_one_breaker_per_name_on_the_terms_agreed(clock: FakeClock) -> None:
    circuits = Circuits(clock)
    okx = circuits.get("okx", failures=1)
    assert circuits.get("okx", failures=1) is circuits.find("okx") is okx
    with pytest.raises(BadConfig, match="other terms"):
        circuits.get("okx", failures=2)
    with pytest.raises(InputError, match=r"no breaker 'kraken'; there is okx"):
        circuits.find("kraken")
    with pytest.raises(BadConfig, match="failures is 0"):
        circuits.get("kraken", failures=0)
    circuits.get("alpaca")
    fail(okx)
    assert {name: status.state for name, status in circuits.status().items()} == {"okx": "open", "alpaca": "closed"}


def test_reset_closes_and_says_so(clock: FakeClock) -> None:
    heard: list[BreakerChange] = []
    circuits = Circuits(clock, heard.append)
    okx = circuits.get("okx", failures=1)
    fail(okx)
    circuits.reset("okx")
    circuits.reset("okx")
    assert okx.status().state == "closed"
    assert [change.kind for change in heard] == ["opened", "closed"]
    with pytest.raises(InputError):
        circuits.reset("kraken")


def test_every_change_is_told_once_with_its_reason(clock: FakeClock) -> None:
    heard: list[BreakerChange] = []
    circuits = Circuits(clock)
    okx = circuits.get("okx", failures=2, recovery_seconds=60)
    circuits.listen(heard.append)
    succeed(okx)
    fail(okx)
    assert not heard
    fail(okx)
    with pytest.raises(BreakerOpen):
        succeed(okx)
    clock.advance(60)
    fail(okx, SourceError("still not"))
    clock.advance(60)
    succeed(okx)
    succeed(okx)
    assert [change.kind for change in heard] == ["opened", "half_open", "opened", "half_open", "closed"]
    assert (heard[0].name, heard[0].failures, heard[0].last_error) == ("okx", 2, "no answer")
    assert heard[2].last_error == "still not"
    assert heard[4].at_ns == clock()


def test_a_listener_may_use_the_breaker_and_the_registry_and_hears_in_order_all_the_same(clock: FakeClock) -> None:
    """It would hang if a lock were held."""
    heard: list[tuple[str, str]] = []

    def listen(change: BreakerChange) -> None:
        state = circuits.status()["okx"].state
        if change.kind == "opened":
            circuits.reset("okx")
            circuits.get("another")
        heard.append((change.kind, state))

    circuits = Circuits(clock, listen)
    fail(circuits.get("okx", failures=1))
    assert heard == [("opened", "open"), ("closed", "closed")]


def test_what_a_listener_raises_does_not_end_the_telling(clock: FakeClock) -> None:
    heard: list[str] = []

    def listen(change: BreakerChange) -> None:
        heard.append(change.kind)
        if len(heard) == 1:
            raise InputError("not today")

    okx = Circuits(clock, listen).get("okx", failures=1)
    with pytest.raises(InputError), okx.attempt():
        raise SourceError("no answer")
    assert okx.status().state == "open"
    clock.advance(60)
    succeed(okx)
    assert heard == ["opened", "half_open", "closed"]


def test_what_is_ignored_is_neither_failure_nor_success(clock: FakeClock) -> None:
    okx = Circuits(clock).get("okx", failures=2, recovery_seconds=60, ignores=(RateLimited,))
    fail(okx)
    fail(okx, RateLimited("later"))
    assert okx.status().failures == 1
    fail(okx)
    clock.advance(60)
    fail(okx, RateLimited("later"))
    assert okx.status().state == "half_open", "the trial said nothing; the next caller may try"
    succeed(okx)
    assert okx.status().state == "closed"


def test_half_open_exactly_one_of_32_callers_tries(clock: FakeClock) -> None:
    okx = Circuits(clock).get("okx", failures=1, recovery_seconds=60)
    for round_ in range(20):
        fail(okx)
        clock.advance(60)
        tried: list[int] = []
        refused = threading.Semaphore(0)

        def call(number: int, tried: list[int] = tried, refused: threading.Semaphore = refused) -> None:
            try:
                with okx.attempt():
                    tried.append(number)
                    for _ in range(31):
                        assert refused.acquire(timeout=10)
            except BreakerOpen:
                refused.release()

        assert together(32, call) == [None] * 32
        assert len(tried) == 1, round_
        assert okx.status().state == "closed"


def test_under_32_threads_changes_come_in_an_order_that_can_be() -> None:
    clock = FakeClock(step_seconds=0.01)
    heard: list[str] = []
    busy = threading.Lock()

    def listen(change: BreakerChange) -> None:
        assert busy.acquire(blocking=False), "two at once"
        heard.append(change.kind)
        busy.release()

    okx = Circuits(clock, listen).get("okx", failures=3, recovery_seconds=0.5)

    def work(number: int) -> None:
        chance = random.Random(number)
        for _ in range(300):
            with contextlib.suppress(SourceError), okx.attempt():
                if chance.random() < 0.6:
                    raise SourceError("no answer")

    assert together(32, work) == [None] * 32
    follows = {"opened": {"half_open", "closed"}, "half_open": {"opened", "closed"}, "closed": {"opened"}}
    assert heard[0] == "opened"
    assert len(heard) > 10
    for before, after in pairwise(heard):
        assert after in follows[before]
