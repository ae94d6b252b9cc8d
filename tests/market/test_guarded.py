"""Breaker around cache around vendor: few calls, the last price marked stale when the vendor fails, never unmarked."""

import random
import threading
from decimal import Decimal
from typing import Any

import pytest
from tests.feed.waiting import until
from tests.market.sources import Sleep, Told, bar, together

from onebook.domain.market import Print, Quote, Seen
from onebook.errors import BookError, BreakerOpen, RateLimited, SourceError, SourceTimeout, UnknownInstrument
from onebook.market.caches import Caches
from onebook.market.circuits import Circuits
from onebook.market.guarded import Guarded, Guards, GuardTerms
from onebook.market.pacing import Pace, Rate
from onebook.market.port import Price
from onebook.market.retrying import Retry
from onebook.testing.clock import FakeClock

SECOND = 1_000_000_000
Made = tuple[Guarded, Told, Circuits]


def guarded(clock: FakeClock, caches: Caches, *, attempts: int = 1, rate: Rate | None = None, **terms: Any) -> Made:
    source, circuits, sleep = Told(clock), Circuits(clock), Sleep(clock)
    guards = Guards(
        caches=caches,
        circuits=circuits,
        pace=Pace("venue", rate or Rate(calls=1000), clock=clock, sleep=sleep),
        retry=Retry(clock=clock, random=random.Random(1), sleep=sleep, attempts=attempts),
        clock=clock,
    )
    given = {"failures": 3, "recovery_seconds": 60, "price_seconds": 5, "keep_seconds": 600} | terms
    return Guarded(source, guards, GuardTerms(**given)), source, circuits


def test_a_fresh_price_is_given_without_a_call(clock: FakeClock, caches: Caches) -> None:
    data, source, _ = guarded(clock, caches)
    first = data.price("AAPL")
    clock.advance(4.5)
    again = data.price("AAPL")
    assert (again.price, again.is_stale, again.age_seconds) == (first.price, False, 4.5)
    assert source.calls == ["price AAPL"]
    clock.advance(0.5)
    assert data.price("AAPL").price == 102
    data.price("MSFT")
    assert source.calls == ["price AAPL", "price AAPL", "price MSFT"]
    assert caches.stats()["venue.prices"].hits == 1


def test_a_vendor_that_fails_gives_the_last_price_marked_stale_with_its_age(clock: FakeClock, caches: Caches) -> None:
    data, source, _ = guarded(clock, caches)
    data.price("AAPL")
    clock.advance(90)
    source.always = SourceTimeout("no answer")
    price = data.price("AAPL")
    assert (price.price, price.is_stale, price.age_seconds, price.source) == (101, True, 90, "venue")
    source.always = None
    assert not data.price("AAPL").is_stale


def test_an_open_breaker_gives_the_last_price_without_a_call(clock: FakeClock, caches: Caches) -> None:
    data, source, circuits = guarded(clock, caches)
    data.price("AAPL")
    clock.advance(10)
    source.always = SourceError("down")
    for _ in range(3):
        assert data.price("AAPL").is_stale
    assert circuits.status()["venue"].state == "open"
    calls = len(source.calls)
    assert data.price("AAPL").is_stale
    with pytest.raises(BreakerOpen, match="down"):
        data.price("MSFT")
    assert len(source.calls) == calls
    source.always = None
    clock.advance(60)
    assert not data.price("AAPL").is_stale
    assert circuits.status()["venue"].state == "closed"


def test_without_a_last_price_or_past_its_keeping_the_error_comes(clock: FakeClock, caches: Caches) -> None:
    data, source, _ = guarded(clock, caches, failures=99)
    source.fails = [SourceTimeout("no answer")]
    with pytest.raises(SourceTimeout, match="no answer"):
        data.price("AAPL")
    data.price("AAPL")
    clock.advance(605)
    source.always = SourceError("down")
    with pytest.raises(SourceError, match="down"):
        data.price("AAPL")


def test_an_unknown_instrument_is_an_answer(clock: FakeClock, caches: Caches) -> None:
    data, source, circuits = guarded(clock, caches)
    source.always = UnknownInstrument("no XXX")
    for _ in range(5):
        with pytest.raises(UnknownInstrument):
            data.price("XXX")
    assert circuits.status()["venue"].state == "closed"


def test_questions_that_are_refused_neither_hide_nor_end_that_a_vendor_is_down(
    clock: FakeClock, caches: Caches
) -> None:
    data, source, circuits = guarded(clock, caches)

    def ask(problem: BookError) -> None:
        source.always = problem
        with pytest.raises(type(problem)):
            data.price("XXX")

    for _ in range(3):
        ask(SourceTimeout("slow"))
        if circuits.status()["venue"].state == "closed":
            ask(UnknownInstrument("no XXX, and nobody was asked"))
    assert circuits.status()["venue"].state == "open"
    clock.advance(60)
    ask(UnknownInstrument("no XXX, and nobody was asked"))
    assert circuits.status()["venue"].state == "half_open"
    source.always = None
    data.price("AAPL")
    assert circuits.status()["venue"].state == "closed"


def test_what_may_pass_is_tried_again_and_counts_as_one_failure(clock: FakeClock, caches: Caches) -> None:
    data, source, circuits = guarded(clock, caches, attempts=3)
    source.fails = [SourceTimeout("slow"), SourceTimeout("slow")]
    assert data.price("AAPL").price == 103
    source.always = SourceTimeout("slow")
    with pytest.raises(SourceTimeout):
        data.price("MSFT")
    assert circuits.status()["venue"].failures == 1
    assert len(source.calls) == 6


def test_a_venue_that_asks_for_a_pause_gets_it_and_stays_closed(clock: FakeClock, caches: Caches) -> None:
    data, source, circuits = guarded(clock, caches, rate=Rate(calls=1000, most_wait_seconds=5))
    data.price("AAPL")
    clock.advance(10)
    source.fails = [RateLimited("too many", retry_seconds=30)]
    assert data.price("AAPL").is_stale
    for _ in range(9):
        assert data.price("AAPL").is_stale
    with pytest.raises(RateLimited, match="free in 30"):
        data.price("MSFT")
    assert source.calls == ["price AAPL"] * 2
    assert circuits.status()["venue"].failures == 0
    clock.advance(26)
    assert not data.price("AAPL").is_stale


def test_a_failure_counts_although_there_was_no_room_for_a_second_try(clock: FakeClock, caches: Caches) -> None:
    rate = Rate(calls=1, seconds=100, most_wait_seconds=5)
    data, source, circuits = guarded(clock, caches, attempts=2, rate=rate)
    source.always = SourceTimeout("slow")
    with pytest.raises(SourceTimeout):
        data.price("AAPL")
    assert circuits.status()["venue"].failures == 1


def test_quotes_and_bars_are_shared_while_fresh_and_never_given_old(clock: FakeClock, caches: Caches) -> None:
    data, source, _ = guarded(clock, caches)
    assert data.quote("AAPL") == data.quote("AAPL")
    bars = data.bars("AAPL", "1m", 0, 1)
    bars.clear()
    assert data.bars("AAPL", "1m", 0, 1) == [bar("AAPL")]
    assert source.calls == ["quote AAPL", "bars AAPL"]
    data.bars("AAPL", "1m", 0, 2)
    assert len(source.calls) == 3
    clock.advance(11)
    source.always = SourceError("down")
    with pytest.raises(SourceError):
        data.quote("AAPL")
    with pytest.raises(SourceError):
        data.bars("AAPL", "1m", 0, 1)


def test_prints_are_guarded_until_the_first_is_there(clock: FakeClock, caches: Caches) -> None:
    data, source, circuits = guarded(clock, caches, attempts=2)
    source.fails = [SourceTimeout("slow")]
    assert [print_.at_ns for print_ in data.prints("AAPL", 3, 6)] == [3, 4, 5]
    assert list(data.prints("AAPL", 3, 3)) == []
    source.always = SourceError("down")
    with pytest.raises(SourceError):
        list(data.prints("AAPL", 3, 6))
    assert circuits.status()["venue"].failures == 1


def test_a_stream_keeps_prices_fresh_and_an_older_tick_changes_nothing(clock: FakeClock, caches: Caches) -> None:
    data, source, _ = guarded(clock, caches)
    seen: list[Seen] = []
    data.stream(["AAPL"], seen.append)
    assert source.deliver is not None
    now = clock()
    quote = Quote(instrument="AAPL", at_ns=now, bid=Decimal(10), ask=Decimal(12))
    source.deliver(quote)
    source.deliver(Print(instrument="AAPL", at_ns=now - SECOND, price=Decimal(9), quantity=Decimal(1)))
    assert (data.price("AAPL").price, data.quote("AAPL")) == (11, quote)
    assert source.calls == ["stream"]
    assert len(seen) == 2


def test_32_callers_for_one_price_share_one_call(clock: FakeClock, caches: Caches) -> None:
    data, source, _ = guarded(clock, caches)
    source.gate.clear()
    opener = threading.Thread(target=_open, args=(source, caches, 32))
    opener.start()
    found: list[Price] = together(32, lambda _: data.price("AAPL"))
    opener.join(30)
    assert [price.price for price in found] == [101] * 32
    assert source.calls == ["price AAPL"]


def test_32_callers_for_one_price_share_one_failure_each_with_its_own_error(clock: FakeClock, caches: Caches) -> None:
    data, source, circuits = guarded(clock, caches, failures=99)
    source.gate.clear()
    source.always = SourceTimeout("no answer", attempt=7)
    opener = threading.Thread(target=_open, args=(source, caches, 32))
    opener.start()
    found = together(32, lambda _: data.price("AAPL"))
    opener.join(30)
    assert [(type(problem), str(problem), problem.attempt) for problem in found] == [
        (SourceTimeout, "no answer", 7)
    ] * 32
    assert len({id(problem) for problem in found}) == 32
    assert circuits.status()["venue"].failures == len(source.calls) < 16


def _open(source: Told, caches: Caches, misses: int) -> None:
    until(lambda: caches.stats()["venue.prices"].misses == misses)
    source.gate.set()


def test_who_waits_for_another_call_waits_so_long_only(clock: FakeClock, caches: Caches) -> None:
    data, source, _ = guarded(clock, caches, share_seconds=0.01)
    source.gate.clear()
    first = threading.Thread(target=data.price, args=("AAPL",))
    first.start()
    until(lambda: source.calls)
    with pytest.raises(SourceTimeout, match="another caller's call"):
        data.price("AAPL")
    source.gate.set()
    first.join(30)
    assert data.price("AAPL").price == 101


def test_an_error_in_the_vendors_code_ends_its_own_caller_only(clock: FakeClock, caches: Caches) -> None:
    data, source, _ = guarded(clock, caches)
    source.fails = [ZeroDivisionError("a bug")]  # type: ignore[list-item]
    source.gate.clear()
    problems: list[BaseException] = []

    def first() -> None:
        try:
            data.price("AAPL")
        except ZeroDivisionError as problem:
            problems.append(problem)

    one = threading.Thread(target=first)
    one.start()
    until(lambda: source.calls)
    opener = threading.Thread(target=_open, args=(source, caches, 2))
    opener.start()
    assert data.price("AAPL").price == 102
    one.join(30)
    opener.join(30)
    assert len(problems) == 1


def test_under_32_threads_a_flaky_vendor_never_gives_what_is_old_unmarked(caches: Caches) -> None:
    clock = FakeClock(step_seconds=0.01)
    data, source, _ = guarded(clock, caches, price_seconds=0.5, recovery_seconds=0.2, keep_seconds=5)
    chance = random.Random(3)
    source.fails = [SourceError(f"number {number}") for number in range(60)]

    def work(number: int) -> int:
        given = 0
        for _ in range(60):
            try:
                price = data.price(chance.choice("AB"))
            except SourceError:
                continue
            given += 1
            assert price.age_seconds >= 0
            if not price.is_stale:
                assert clock.now - price.at_ns < 60 * SECOND
        return given

    found = together(32, work)
    assert all(isinstance(given, int) for given in found), found
    assert not source.fails
    assert sum(found) > 0
