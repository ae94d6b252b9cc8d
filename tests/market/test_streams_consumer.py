"""Who is given what a stream shows: slow ones, ones that raise, ones that close it."""

import threading
from contextlib import closing

import pytest
from tests.market.venues.desk import Desk, print_, quote
from tests.market.venues.serving import until

from onebook.domain.market import Seen
from onebook.market.streams import Stream, StreamRules


@pytest.fixture
def desk() -> Desk:
    return Desk()


class Slow:
    """A consumer that stops at the first thing until it is let go."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.began, self.may_go = threading.Event(), threading.Event()

    def __call__(self, seen: Seen) -> None:
        self.seen.append(seen)
        self.began.set()
        assert self.may_go.wait(30)


def test_a_slow_consumer_gets_the_newest_quote_of_each_instrument(desk: Desk) -> None:
    slow = Slow()
    with closing(desk.stream(deliver=slow, instruments=["BTC", "ETH"])) as stream:
        desk.show(quote(0))
        assert slow.began.wait(4)
        desk.show(*(quote(number) for number in range(1, 500)), quote(7, "ETH"))
        until(lambda: stream.status().messages == 501)
        slow.may_go.set()
        until(lambda: len(slow.seen) == 3)
        assert stream.status().conflated == 498
    assert slow.seen == [quote(0), quote(499), quote(7, "ETH")]


def test_prints_are_all_kept_up_to_a_limit_and_their_overflow_is_reported(desk: Desk) -> None:
    slow, rules = Slow(), StreamRules(max_waiting=10)
    with closing(desk.stream(rules, deliver=slow)) as stream:
        desk.show(print_(0))
        assert slow.began.wait(4)
        desk.show(*(print_(number) for number in range(1, 26)))
        until(lambda: stream.status().messages == 26)
        slow.may_go.set()
        until(lambda: len(slow.seen) == 11)
        assert stream.status().dropped == 15
    assert slow.seen == [print_(0), *(print_(number) for number in range(16, 26))]
    assert desk.kinds() == ["overflow"], "once, not for each that was dropped"


def test_prints_are_conflated_where_that_is_wanted(desk: Desk) -> None:
    slow, rules = Slow(), StreamRules(conflate_prints=True)
    with closing(desk.stream(rules, deliver=slow)) as stream:
        desk.show(print_(0))
        assert slow.began.wait(4)
        desk.show(*(print_(number) for number in range(1, 26)))
        until(lambda: stream.status().messages == 26)
        slow.may_go.set()
        until(lambda: len(slow.seen) == 2)
    assert slow.seen == [print_(0), print_(25)]


def test_a_gap_larger_than_the_queue_waits_for_the_consumer(desk: Desk) -> None:
    slow, rules = Slow(), StreamRules(max_waiting=10, first_wait_seconds=0.01, longest_wait_seconds=0.02)
    with closing(desk.stream(rules, deliver=slow)) as stream:
        desk.show(print_(1))
        assert slow.began.wait(4)
        desk.break_line()
        desk.show(*(print_(number) for number in range(2, 50)), lost=True)
        until(lambda: stream.status().filled >= 10)
        slow.may_go.set()
        until(lambda: len(slow.seen) == 49)
        assert stream.status().dropped == 0
    assert slow.seen == [print_(number) for number in range(1, 50)]


def test_a_consumer_that_raises_is_counted_and_given_the_next(desk: Desk) -> None:
    def deliver(seen: Seen) -> None:
        if seen == print_(2):
            raise SystemExit("not today")
        desk.seen.append(seen)

    with closing(desk.stream(deliver=deliver)) as stream:
        desk.show(print_(1), print_(2), print_(3))
        until(lambda: len(desk.seen) == 2)
        assert (stream.status().errors, stream.status().last_error) == (1, "SystemExit: not today")
    assert desk.kinds() == ["consumer"]


def test_nothing_is_delivered_after_close(desk: Desk) -> None:
    stream = desk.stream()
    desk.show(print_(1))
    until(lambda: desk.seen)
    stream.close()
    stream.close()
    assert stream.status().state == "closed"
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("desk")]


def test_a_consumer_may_close_its_stream(desk: Desk) -> None:
    made: list[Stream] = []
    made.append(desk.stream(deliver=lambda seen: made[0].close()))
    desk.show(print_(1))
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("desk")])


def test_a_stream_is_closed_while_it_waits(desk: Desk) -> None:
    stream = desk.stream(StreamRules(first_wait_seconds=60, longest_wait_seconds=60))
    desk.break_line()
    until(lambda: stream.status().state == "waiting")
    stream.close()
