"""Streams that lose nothing: gaps, silence, waits, and instruments that come and go."""

from contextlib import closing
from typing import Any

import pytest
from tests.market.venues.desk import START, Desk, bar, print_
from tests.market.venues.serving import until

from onebook.domain.times import MINUTE
from onebook.errors import BadConfig, InputError, RateLimited, SourceError
from onebook.market.streams import StreamRules
from onebook.market.streams.lane import Lane


@pytest.fixture
def desk() -> Desk:
    return Desk()


# ---- gaps ----


def test_what_was_missed_between_two_connections_is_delivered_once_and_in_order(desk: Desk) -> None:
    with closing(desk.stream()):
        desk.show(print_(1), print_(2))
        until(lambda: len(desk.seen) == 2)
        desk.show(print_(3), print_(4), lost=True)
        desk.break_line()
        until(lambda: desk.is_again_up(2))
        desk.show(print_(5))
        until(lambda: len(desk.seen) == 5)
    assert desk.seen == [print_(number) for number in range(1, 6)]


def test_a_gap_is_filled_though_nothing_comes_after_it(desk: Desk) -> None:
    with closing(desk.stream()):
        desk.show(print_(1))
        until(lambda: desk.seen)
        desk.show(print_(2), lost=True)
        desk.break_line()
        until(lambda: len(desk.seen) == 2)
    assert desk.seen == [print_(1), print_(2)]


def test_what_comes_live_while_a_gap_is_filled_waits_for_it(desk: Desk) -> None:
    with closing(desk.stream()) as stream:
        desk.show(print_(1))
        until(lambda: desk.seen)
        desk.show(print_(2), lost=True)
        desk.break_line()

        def meanwhile() -> None:
            desk.meanwhile = lambda: None
            until(lambda: desk.is_again_up(2))
            desk.show(print_(3))
            until(lambda: stream.status().messages == 2)

        desk.meanwhile = meanwhile
        until(lambda: len(desk.seen) == 3)
        assert stream.status().filled == 2, "the third was fetched too, and not delivered twice"
    assert desk.seen == [print_(1), print_(2), print_(3)]


def test_prints_without_ids_are_told_apart_by_their_times(desk: Desk) -> None:
    with closing(desk.stream()):
        desk.show(print_(1, named=False), print_(2, named=False))
        until(lambda: len(desk.seen) == 2)
        desk.show(print_(3, named=False), lost=True)
        desk.break_line()
        until(lambda: desk.is_again_up(2))
        desk.show(print_(4, named=False))
        until(lambda: len(desk.seen) == 4)
    assert desk.seen == [print_(number, named=False) for number in range(1, 5)]


def test_a_hole_in_consecutive_ids_is_filled_without_any_reconnect(desk: Desk) -> None:
    with closing(desk.stream(consecutive=True)) as stream:
        desk.show(print_(1))
        desk.show(print_(2), print_(3), lost=True)
        desk.show(print_(4), print_(4))
        until(lambda: len(desk.seen) == 4 and stream.status().messages == 3)
        assert stream.status().connections == 1
    assert desk.seen == [print_(number) for number in range(1, 5)]


def test_ids_that_are_not_consecutive_after_all_do_not_ask_for_ever(desk: Desk) -> None:
    with closing(desk.stream(consecutive=True)):
        for number in range(0, 60, 3):
            desk.show(print_(number))
            until(lambda number=number: len(desk.seen) == number // 3 + 1)  # type: ignore[misc]
    assert desk.asked <= 3 * 5


def test_a_duplicate_is_not_delivered_again(desk: Desk) -> None:
    with closing(desk.stream()) as stream:
        desk.show(print_(1), print_(1), print_(2))
        until(lambda: len(desk.seen) == 2)
        assert stream.status().duplicates == 1


def test_a_history_that_does_not_answer_is_asked_again(desk: Desk) -> None:
    with closing(desk.stream()):
        desk.show(print_(1))
        until(lambda: desk.seen)
        desk.history_problems = [SourceError("busy"), RateLimited("slow down", retry_seconds=0.02)]
        desk.show(print_(2), lost=True)
        desk.break_line()
        until(lambda: len(desk.seen) == 2)
    assert "gap" not in desk.kinds()


def test_a_gap_that_cannot_be_filled_is_reported_and_the_stream_goes_on(desk: Desk) -> None:
    with closing(desk.stream()) as stream:
        desk.show(print_(1))
        until(lambda: desk.seen)
        desk.history_problems = [SourceError("gone") for _ in range(5)]
        desk.show(print_(2), lost=True)
        desk.break_line()
        until(lambda: "gap" in desk.kinds())
        until(lambda: desk.is_again_up(2))
        assert stream.status().gaps == 1
        desk.show(print_(3))
        until(lambda: print_(3) in desk.seen)


def test_a_history_that_does_not_reach_back_is_reported(desk: Desk) -> None:
    with closing(desk.stream()):
        desk.show(print_(1))
        until(lambda: desk.seen)
        desk.history.clear()
        desk.show(print_(3), lost=True)
        desk.break_line()
        until(lambda: "gap" in desk.kinds())
    assert "does not hold what was seen last" in desk.troubles[-1][1]


def test_only_so_much_of_a_long_gap_is_fetched(desk: Desk) -> None:
    rules = StreamRules(first_wait_seconds=0.01, longest_wait_seconds=0.02, longest_fill_seconds=10)
    with closing(desk.stream(rules)):
        desk.show(print_(1))
        until(lambda: desk.seen)
        desk.show(print_(2), print_(95), lost=True)
        desk.break_line()
        until(lambda: len(desk.seen) == 2)
        until(lambda: "gap" in desk.kinds())
    assert desk.seen == [print_(1), print_(95)]


def test_bars_that_were_missed_are_fetched(desk: Desk) -> None:
    rules = StreamRules(kinds=("1m",), first_wait_seconds=0.01, longest_wait_seconds=0.02)
    with closing(desk.stream(rules)):
        desk.show(bar(1), bar(2, is_final=False))
        until(lambda: len(desk.seen) == 2)
        desk.now = START + 4 * MINUTE
        desk.bar_history = [bar(1), bar(2, 7), bar(3)]
        desk.break_line()
        until(lambda: len(desk.seen) == 4)
        desk.show(bar(3), bar(4, is_final=False))
        until(lambda: len(desk.seen) == 5)
    assert desk.seen == [bar(1), bar(2, is_final=False), bar(2, 7), bar(3), bar(4, is_final=False)]


def test_a_connection_that_breaks_while_a_gap_is_filled_loses_nothing(desk: Desk) -> None:
    with closing(desk.stream()) as stream:
        desk.show(print_(1))
        until(lambda: desk.seen)
        desk.break_line()

        def meanwhile() -> None:
            desk.meanwhile = lambda: None
            until(lambda: desk.is_again_up(2))
            desk.show(print_(2))
            until(lambda: stream.status().messages == 2)
            desk.break_line()
            desk.show(print_(3), lost=True)
            until(lambda: desk.is_again_up(3))
            desk.show(print_(4))
            until(lambda: stream.status().messages == 3)

        desk.meanwhile = meanwhile
        until(lambda: len(desk.seen) == 4)
    assert desk.seen == [print_(number) for number in range(1, 5)]


def test_what_waits_for_a_gap_is_let_go_when_the_connection_breaks_again() -> None:
    lane = Lane("BTC", StreamRules(), is_consecutive=False)
    lane.opened(START)
    lane.take(print_(1))
    lane.is_filling = True
    lane.hold(print_(2))
    assert lane.opened(START)
    assert (lane.is_holding, lane.must_fetch_again) == (False, True), "it is fetched with what came after it"


# ---- silence, waits ----


def test_silence_makes_a_new_connection_and_closes_the_old(desk: Desk) -> None:
    rules = StreamRules(silence_seconds=0.05, first_wait_seconds=0.01, longest_wait_seconds=0.02)
    with closing(desk.stream(rules)):
        desk.show(print_(1))
        desk.show(print_(2), lost=True)
        until(lambda: desk.is_again_up(2))
        until(lambda: len(desk.seen) == 2)
        assert desk.lines[0].is_closed
    assert desk.kinds()[0] == "silence"


def test_silence_is_no_trouble_while_the_venue_is_closed(desk: Desk) -> None:
    looks: list[int] = []

    def closed(at_ns: int) -> bool:
        looks.append(at_ns)
        return False

    rules = StreamRules(silence_seconds=0.01, first_wait_seconds=0.01)
    with closing(desk.stream(rules, is_open=closed)):
        until(lambda: len(looks) > 3)
        assert (len(desk.lines), desk.troubles) == (1, [])


@pytest.mark.parametrize(
    ("tries", "random", "problem", "seconds"),
    [
        (1, 0.0, None, 0.25),
        (1, 1.0, None, 0.5),
        (3, 1.0, SourceError("x"), 2.0),
        (9, 1.0, None, 30.0),
        (10_000, 0.0, None, 15.0),
        (1, 1.0, BadConfig("keys"), 30.0),
        (1, 1.0, RateLimited("x", retry_seconds=45.0), 45.0),
        (1, 1.0, RateLimited("x", retry_seconds=None), 0.5),
    ],
)
def test_waits_double_vary_and_heed_the_venue(tries: int, random: float, problem: Exception, seconds: float) -> None:
    assert StreamRules().wait_seconds(tries, random, problem) == seconds


def test_a_connection_that_shows_nothing_does_not_begin_the_waits_anew(desk: Desk) -> None:
    rules = StreamRules(first_wait_seconds=0.01, longest_wait_seconds=10, steady_seconds=0)
    with closing(desk.stream(rules)):
        for number in range(1, 4):
            desk.break_line()
            until(lambda number=number: desk.is_again_up(number + 1))  # type: ignore[misc]
        desk.show(print_(1))
        until(lambda: desk.seen)
        desk.break_line()
        until(lambda: len(desk.troubles) == 4)
    waits = [float(text.split()[-2]) for _, text in desk.troubles]
    assert waits == [0.005, 0.01, 0.02, 0.005]


def test_attempts_go_on_until_one_succeeds(desk: Desk) -> None:
    desk.problems = [SourceError("down") for _ in range(5)]
    with closing(desk.stream()) as stream:
        assert stream.status().connections == 6
        desk.show(print_(1))
        until(lambda: desk.seen)


def test_a_callback_of_a_library_that_raises_ends_the_connection_and_not_the_stream(desk: Desk) -> None:
    with closing(desk.stream()):
        desk.lines[0].loop.call_soon_threadsafe(lambda: int("garbage"))
        until(lambda: desk.is_again_up(2))
    assert "could not be read" in desk.troubles[0][1]


# ---- instruments ----


def test_instruments_come_and_go_while_it_runs(desk: Desk) -> None:
    with closing(desk.stream()) as stream:
        stream.add(["ETH", "BTC"])
        until(lambda: desk.lines[0].wanted == {"BTC", "ETH"})
        desk.show(print_(1, instrument="ETH"))
        until(lambda: len(desk.seen) == 1)
        stream.remove(["BTC"])
        until(lambda: desk.lines[0].wanted == {"ETH"})
        desk.show(print_(1), print_(2, instrument="ETH"))
        until(lambda: len(desk.seen) == 2)
        desk.break_line()
        until(lambda: desk.is_again_up(2))
        assert desk.lines[1].wanted == {"ETH"}
    assert [item.instrument for item in desk.seen] == ["ETH", "ETH"]


def test_what_the_venue_refuses_is_reported_and_the_others_go_on(desk: Desk) -> None:
    desk.refuses = {"OLD"}
    with closing(desk.stream(instruments=["OLD", "BTC"])) as stream:
        assert desk.kinds() == ["refused"]
        assert stream.status().instruments == ("BTC",)


@pytest.mark.parametrize(
    "wrong",
    [{"silence_seconds": 0}, {"max_waiting": 0}, {"kinds": ()}, {"kinds": ("1M",)}, {"first_wait_seconds": -1}],
)
def test_rules_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        StreamRules(**wrong)
