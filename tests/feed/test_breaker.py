"""The circuit breaker: open after failures in a row, one trial at a time, closed by a success."""

import threading

import pytest

from onebook.breaker import Breaker
from onebook.errors import BadPayload, BreakerOpen, SourceError
from onebook.testing.clock import FakeClock


def fail(breaker: Breaker, why: str = "no answer") -> None:
    with pytest.raises(SourceError, match=why), breaker.attempt():
        raise SourceError(why)


def succeed(breaker: Breaker) -> None:
    with breaker.attempt():
        pass


@pytest.fixture
def breaker(clock: FakeClock) -> Breaker:
    return Breaker("prices", clock=clock, failures=3, recovery_seconds=60)


def test_it_opens_after_failures_in_a_row_only(breaker: Breaker) -> None:
    fail(breaker)
    fail(breaker)
    succeed(breaker)
    fail(breaker)
    fail(breaker)
    assert breaker.status().state == "closed"
    fail(breaker)
    assert breaker.status().state == "open"
    assert breaker.status().failures == 3


def test_open_it_refuses_and_says_why_and_until_when(breaker: Breaker, clock: FakeClock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.advance(20)
    with pytest.raises(BreakerOpen, match=r"prices: .*3 failures in a row \(no answer\); again in 40 s") as caught:
        succeed(breaker)
    assert caught.value.retry_seconds == 40
    assert caught.value.retryable
    assert breaker.status().retry_seconds == 40


def test_half_open_one_trial_closes_it(breaker: Breaker, clock: FakeClock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.advance(60)
    assert breaker.status().state == "half_open"
    with breaker.attempt():
        assert breaker.status().state == "half_open"
        with pytest.raises(BreakerOpen):
            succeed(breaker)
    assert breaker.status().state == "closed"
    succeed(breaker)


def test_half_open_one_failure_opens_it_anew(breaker: Breaker, clock: FakeClock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.advance(60)
    fail(breaker, "still no answer")
    assert breaker.status().state == "open"
    assert breaker.status().last_error == "still no answer"
    with pytest.raises(BreakerOpen):
        succeed(breaker)


def test_of_many_threads_one_tries(breaker: Breaker, clock: FakeClock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.advance(60)
    tried, refused = [], []
    inside, done = threading.Barrier(8), threading.Event()

    def call() -> None:
        inside.wait(30)
        try:
            with breaker.attempt():
                tried.append(1)
                done.wait(30)
        except BreakerOpen:
            refused.append(1)
            if len(refused) == 7:
                done.set()

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(tried), len(refused)) == (1, 7)


def test_a_trial_that_never_ends_keeps_others_out_for_a_while_only(breaker: Breaker, clock: FakeClock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.advance(60)
    hung = breaker.attempt()
    hung.__enter__()
    clock.advance(59)
    with pytest.raises(BreakerOpen):
        succeed(breaker)
    clock.advance(1)
    succeed(breaker)
    assert breaker.status().state == "closed"


def test_an_interrupted_trial_leaves_the_place_free(breaker: Breaker, clock: FakeClock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.advance(60)
    with pytest.raises(KeyboardInterrupt), breaker.attempt():
        raise KeyboardInterrupt
    assert breaker.status().state == "half_open"
    succeed(breaker)


def test_an_answer_that_is_not_counted_is_a_success(clock: FakeClock) -> None:
    breaker = Breaker("prices", clock=clock, failures=2)
    fail(breaker)
    with pytest.raises(ValueError, match="odd"), breaker.attempt():
        raise ValueError("odd")
    fail(breaker)
    assert breaker.status().state == "closed"
    with pytest.raises(BadPayload), breaker.attempt():
        raise BadPayload("unreadable")
    assert breaker.status().state == "open"


def test_a_clock_set_back_does_not_keep_it_open(breaker: Breaker, clock: FakeClock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.advance(-86400)
    succeed(breaker)
    assert breaker.status().state == "closed"
