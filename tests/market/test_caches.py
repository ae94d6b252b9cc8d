"""Caches: fresh for their time, kept a while longer, bounded by entries and bytes, counted right, under threads too."""

import random
import threading
from collections import OrderedDict
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.feed.waiting import until
from tests.market.sources import together

from onebook.errors import BadConfig
from onebook.market.caches import Cache, Caches, CacheStats
from onebook.market.port import Price
from onebook.market.sizes import SAMPLE, size_of
from onebook.testing.clock import FakeClock

SECOND = 1_000_000_000


def test_a_value_is_given_while_it_is_fresh_and_not_after(clock: FakeClock) -> None:
    cache = Cache("prices", clock, ttl_seconds=10)
    cache.set("AAPL", 1)
    cache.set("MSFT", 2, ttl_seconds=2)
    clock.advance(2)
    assert (cache.get("AAPL"), cache.get("MSFT"), cache.get("IBM", "none")) == (1, None, "none")
    clock.advance(8)
    assert cache.get("AAPL") is None
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.hit_ratio) == (1, 3, 0.25)


def test_a_value_past_its_time_is_still_to_be_had_with_its_age_for_a_while(clock: FakeClock) -> None:
    cache = Cache("prices", clock, ttl_seconds=10, keep_seconds=60)
    cache.set("AAPL", 1)
    clock.advance(4)
    kept = cache.stale("AAPL")
    assert kept is not None
    assert (kept.value, kept.age_seconds, kept.is_stale) == (1, 4, False)
    clock.advance(65)
    kept = cache.stale("AAPL")
    assert kept is not None
    assert (kept.value, kept.age_seconds, kept.is_stale) == (1, 69, True)
    clock.advance(1)
    assert cache.stale("AAPL") is None
    assert (cache.stats().expirations, cache.stats().size, cache.stats().bytes) == (1, 0, 0)
    assert cache.stats().misses == 0, "looking for a kept value is no miss"


def test_the_least_recently_used_goes_first(clock: FakeClock) -> None:
    cache = Cache("prices", clock, max_size=2)
    cache.set("a", 1)
    cache.set("b", 2)
    assert cache.get("a") == 1
    cache.set("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]
    assert cache.stats().evictions == 1
    cache.set("c", 4)
    assert (cache.get("a"), cache.get("c"), cache.stats().evictions) == (1, 4, 1)


def test_bytes_are_bounded_and_what_is_too_large_by_itself_is_not_kept(clock: FakeClock) -> None:
    cache = Cache("frames", clock, max_bytes=10_000)
    for number in range(20):
        cache.set(number, b"x" * 1000)
    stats = cache.stats()
    assert 8 <= stats.size <= 9
    assert 8000 <= stats.bytes <= 10_000
    assert stats.evictions == 20 - stats.size
    cache.set(19, b"x" * 20_000)
    assert cache.get(19) is None
    assert cache.stats().size == stats.size - 1
    assert cache.stats().evictions == stats.evictions + 1
    cache.clear()
    assert (cache.stats().size, cache.stats().bytes) == (0, 0)


def test_deleting_says_whether_something_was_there(clock: FakeClock) -> None:
    cache = Cache("prices", clock)
    cache.set("a", None)
    assert cache.delete("a")
    assert not cache.delete("a")
    assert cache.stats().bytes == 0


def test_after_a_clock_set_back_nothing_is_taken_for_fresh(clock: FakeClock) -> None:
    cache = Cache("prices", clock, ttl_seconds=10)
    cache.set("a", 1)
    clock.advance(-3600)
    assert cache.get("a") is None
    kept = cache.stale("a")
    assert kept is not None
    assert (kept.is_stale, kept.age_seconds) == (True, 0)


@pytest.mark.parametrize("terms", [{"max_size": 0}, {"max_bytes": 0}, {"ttl_seconds": 0}, {"keep_seconds": -1}])
def test_bounds_that_keep_nothing_are_refused(clock: FakeClock, terms: dict[str, Any]) -> None:
    with pytest.raises(BadConfig, match=next(iter(terms))):
        Cache("prices", clock, **terms)
    with pytest.raises(BadConfig, match="ttl_seconds"):
        Cache("prices", clock).set("a", 1, ttl_seconds=0)


@dataclass
class Model:
    """The same as plain dicts, with every entry 1 unit large."""

    max_size: int
    ttl: int
    keep: int

    def __post_init__(self) -> None:
        self.held: OrderedDict[str, tuple[int, int, int]] = OrderedDict()
        self.hits = self.misses = self.evictions = self.expirations = 0

    def expire(self, now: int) -> None:
        for key in [key for key, (_, _, fresh) in self.held.items() if fresh + self.keep <= now]:
            del self.held[key]
            self.expirations += 1

    def get(self, now: int, key: str) -> int | None:
        held = self.held.get(key)
        if held is not None and held[2] + self.keep > now:
            self.held.move_to_end(key)
        if held is None or held[2] <= now:
            self.misses += 1
            return None
        self.hits += 1
        return held[0]

    def stale(self, now: int, key: str) -> tuple[int, int, bool] | None:
        held = self.held.get(key)
        if held is None or held[2] + self.keep <= now:
            return None
        self.held.move_to_end(key)
        return held[0], now - held[1], held[2] <= now

    def set(self, now: int, key: str, value: int, ttl: int | None) -> None:
        self.expire(now)
        self.held.pop(key, None)
        while len(self.held) >= self.max_size:
            self.held.popitem(last=False)
            self.evictions += 1
        self.held[key] = (value, now, now + (ttl or self.ttl))


KEYS = st.sampled_from("abcdef")
STEPS = st.one_of(
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("stale"), KEYS),
    st.tuples(st.just("set"), KEYS, st.one_of(st.none(), st.integers(1, 8))),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("advance"), st.integers(1, 6)),
    st.tuples(st.just("stats")),
)


@given(steps=st.lists(STEPS, max_size=80), max_size=st.integers(1, 5), keep=st.integers(0, 6))
def test_it_does_what_plain_dicts_do(steps: list[Any], max_size: int, keep: int) -> None:
    clock = FakeClock()
    start = clock()
    cache = Cache("prices", clock, max_size=max_size, ttl_seconds=4, keep_seconds=keep)
    model = Model(max_size, 4, keep)
    for number, (what, *given_) in enumerate(steps):
        now = (clock() - start) // SECOND
        if what == "get":
            assert cache.get(*given_) == model.get(now, *given_)
        elif what == "stale":
            kept = cache.stale(*given_)
            expected = model.stale(now, *given_)
            assert (None if kept is None else (kept.value, kept.age_seconds, kept.is_stale)) == expected
        elif what == "set":
            cache.set(given_[0], number, ttl_seconds=given_[1])
            model.set(now, given_[0], number, given_[1])
        elif what == "delete":
            model.expire(now)
            assert cache.delete(*given_) == (model.held.pop(given_[0], None) is not None)
        elif what == "advance":
            clock.advance(given_[0])
        else:
            model.expire(now)
            stats = cache.stats()
            assert stats.size == len(model.held) <= max_size
            assert stats.bytes == sum(size_of(key) + size_of(held[0]) for key, held in model.held.items())
            assert (stats.hits, stats.misses) == (model.hits, model.misses)
            assert (stats.evictions, stats.expirations) == (model.evictions, model.expirations)


def test_under_32_threads_bounds_and_counters_hold() -> None:
    clock = FakeClock(step_seconds=0.001)
    cache = Cache("prices", clock, max_size=50, max_bytes=6000, ttl_seconds=0.5, keep_seconds=0.5)

    def work(number: int) -> int:
        chance = random.Random(number)
        asked = 0
        for step in range(400):
            key = chance.randrange(200)
            what = chance.random()
            if what < 0.5:
                asked += 1
                found = cache.get(key)
                assert found is None or found[0] == key, "a value of another key"
            elif what < 0.9:
                cache.set(key, (key, number, step), ttl_seconds=chance.choice((None, 0.1)))
            elif what < 0.95:
                cache.delete(key)
            else:
                stats = cache.stats()
                assert stats.size <= 50
                assert stats.bytes <= 6000
        return asked

    asked = together(32, work)
    assert all(isinstance(count, int) for count in asked), asked
    stats = cache.stats()
    assert stats.hits + stats.misses == sum(asked)
    for key in range(200):
        cache.delete(key)
    clock.advance(10)
    assert (cache.stats().size, cache.stats().bytes) == (0, 0)


def test_the_registry_gives_one_cache_per_name_on_the_terms_agreed(caches: Caches) -> None:
    cache = caches.get("prices", max_size=5)
    assert caches.get("prices") is caches.get("prices", max_size=5) is cache
    with pytest.raises(BadConfig, match="prices is there with"):
        caches.get("prices", max_size=6)
    caches.get("bars").set("a", 1)
    assert {name: stats.size for name, stats in caches.stats().items()} == {"prices": 0, "bars": 1}


def test_the_registry_cleans_up_by_itself_and_ends_its_thread(clock: FakeClock) -> None:
    before = threading.active_count()
    caches = Caches(clock)
    slow = caches.get("slow", cleanup_seconds=3600, ttl_seconds=1, keep_seconds=1)
    quick = caches.get("quick", cleanup_seconds=0.01, ttl_seconds=1, keep_seconds=1)
    assert threading.active_count() == before + 1, "one thread for all"
    slow.set("a", 1)
    quick.set("a", 1)
    clock.advance(2)
    until(lambda: not len(quick._entries) and not len(slow._entries))
    caches.close()
    caches.close()
    assert threading.active_count() == before
    with pytest.raises(BadConfig, match="closed"):
        caches.get("quick")


def test_sizes_look_inside_and_stay_cheap() -> None:
    price = Price(instrument="AAPL", price=Decimal(1), at_ns=0, source="venue")
    assert size_of(price) > size_of("AAPL") + size_of("venue") + size_of(Decimal(1))
    text = "x" * 1000
    assert size_of([text, text]) < 1200, "the same object counts once"
    many = [str(number) * 10 for number in range(SAMPLE * 100)]
    true = size_of([]) + sum(size_of(item) + 8 for item in many)
    assert 0.8 * true < size_of(many) < 1.2 * true
    nested: list[Any] = []
    nested.append(nested)
    assert size_of(nested) < 200


def test_the_totals_are_those_of_all_caches_together(clock: FakeClock) -> None:
    caches = Caches(clock)
    with closing(caches):
        assert caches.totals() == CacheStats(
            hits=0, misses=0, evictions=0, expirations=0, size=0, bytes=0, hit_ratio=0.0
        )
        small, large = caches.get("small", max_size=1), caches.get("large")
        for number in range(3):
            small.set(number, "x")
            large.set(number, "x")
        for number in range(3):
            small.get(number)
            large.get(number)
        each, total = caches.stats(), caches.totals()
        assert (total.hits, total.misses, total.evictions, total.size) == (4, 2, 2, 4)
        assert total.hit_ratio == 4 / 6
        assert total.bytes == each["small"].bytes + each["large"].bytes > 0
