"""The documents' caches and breakers: their older names, their terms, and many threads at once."""

import asyncio
import threading
from typing import Any

import pytest
from tests.market.sources import together

import onebook
from onebook import compat
from onebook.compat.breakers import CircuitBreakerError, circuit_manager
from onebook.compat.caching import cache_manager
from onebook.compat.data_manager import get_data_manager
from onebook.testing import FakeClock

THREADS = 32


def fails(problem: Exception) -> Any:
    raise problem


# ---- caches ----


def test_a_value_is_there_for_its_time(book: onebook.Book, clock: FakeClock) -> None:
    cache = cache_manager.get_cache("prices", max_size=2, default_ttl=60.0, cleanup_interval=600)
    cache.set("a", 1)
    cache.set("b", 2, ttl=30)
    clock.advance(30)
    assert (cache.get("a"), cache.get("b"), cache.get("b", 7)) == (1, None, 7)
    assert cache.delete("a")
    assert not cache.delete("a")
    cache.set("a", 1)
    cache.clear()
    assert cache.get("a") is None


def test_the_least_recently_used_goes_first_and_statistics_count_it(book: onebook.Book) -> None:
    cache = cache_manager.get_cache("prices", max_size=2)
    for key in ("a", "b"):
        cache.set(key, key)
    cache.get("a")
    cache.set("c", "c")
    assert [cache.get(key) for key in "abc"] == ["a", None, "c"]
    stats = cache.get_stats()
    names = {"max_size", "hit_rate", "hits", "misses", "evictions", "expirations", "size", "bytes"}
    assert set(stats) == names
    assert (stats["hits"], stats["misses"], stats["evictions"], stats["hit_rate"]) == (3, 1, 1, 0.75)
    assert cache_manager.get_all_stats() == {"prices": stats}


def test_there_are_statistics_of_all_caches_together(book: onebook.Book) -> None:
    for name in ("prices", "bars"):
        cache = cache_manager.get_cache(name)
        cache.set("a", 1)
        cache.get("a")
        cache.get("b" if name == "bars" else "a")
    total = cache_manager.get_global_stats()
    assert set(total) == {"caches", "hits", "misses", "hit_rate", "evictions", "expirations", "size", "bytes"}
    assert (total["caches"], total["hits"], total["misses"], total["hit_rate"], total["size"]) == (2, 3, 1, 0.75, 2)
    assert total["bytes"] == sum(stats["bytes"] for stats in cache_manager.get_all_stats().values())


def test_what_is_past_its_time_is_not_kept(book: onebook.Book, clock: FakeClock) -> None:
    cache = cache_manager.get_cache("prices", default_ttl=1, cleanup_interval=600)
    cache.set("a", 1)
    clock.advance(2)
    assert cache.get_stats()["size"] == 0


def test_the_first_who_asks_makes_a_cache_and_its_terms_stay(book: onebook.Book) -> None:
    first = cache_manager.get_cache("prices", max_size=5)
    first.set("a", 1)
    for again in (cache_manager.get_cache("prices"), cache_manager.get_cache("prices", max_size=9, default_ttl=1)):
        assert again.get("a") == 1
        assert again.get_stats()["max_size"] == 5


@pytest.mark.parametrize("terms", [{"max_size": 0}, {"default_ttl": 0}, {"cleanup_interval": -1}])
def test_a_cache_that_keeps_nothing_is_refused(terms: Any, book: onebook.Book) -> None:
    with pytest.raises(onebook.BadConfig):
        cache_manager.get_cache("prices", **terms)
    assert cache_manager.get_all_stats() == {}


def test_after_the_shutdown_caches_begin_anew(book: onebook.Book) -> None:
    def cleaners() -> int:
        return sum(1 for thread in threading.enumerate() if thread.name == "onebook-caches")

    before = cleaners()
    cache_manager.get_cache("prices").set("a", 1)
    assert cleaners() == before + 1
    cache_manager.shutdown_all()
    assert cleaners() == before
    assert cache_manager.get_all_stats() == {}
    assert cache_manager.get_cache("prices").get("a") is None


def test_32_threads_share_one_cache(book: onebook.Book) -> None:
    def work(number: int) -> int:
        cache = cache_manager.get_cache("shared", max_size=50 + number % 2)
        for step in range(200):
            cache.set((number, step % 5), step)
            assert cache.get((number, step % 5)) in {None, step}
        return int(cache.get_stats()["max_size"])

    found = together(THREADS, work)
    assert len(set(found)) == 1
    stats = cache_manager.get_all_stats()["shared"]
    assert stats["hits"] + stats["misses"] == THREADS * 200
    assert stats["size"] <= found[0]


# ---- breakers ----


def test_a_breaker_opens_and_lets_one_try_after_its_time(book: onebook.Book, clock: FakeClock) -> None:
    breaker = circuit_manager.get_breaker("api", failure_threshold=2, recovery_timeout=60)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            breaker.call(fails, ValueError("no"))
    with pytest.raises(CircuitBreakerError):
        breaker.call(lambda: 1)
    status = circuit_manager.get_status()["api"]
    assert (status["state"], status["failures"], status["retry_seconds"]) == ("open", 2, 60)
    assert status == breaker.get_status()
    clock.advance(60)
    assert (breaker.state, breaker.failure_count) == ("half_open", 2)
    assert breaker.call(lambda first, second: first + second, 1, second=2) == 3
    assert breaker.state == "closed"


def test_only_expected_errors_are_failures(book: onebook.Book) -> None:
    breaker = circuit_manager.get_breaker("api", 1, 60, (OSError, KeyError))
    with pytest.raises(ValueError, match="no"):
        breaker.call(fails, ValueError("no"))
    assert breaker.state == "closed"
    with pytest.raises(OSError, match="no"):
        breaker.call(fails, OSError("no"))
    assert breaker.state == "open"
    breaker.reset()
    assert breaker.call(lambda: 5) == 5


def test_a_breaker_decorates_functions_and_coroutines(book: onebook.Book) -> None:
    breaker = circuit_manager.get_breaker("api", failure_threshold=1)

    @breaker
    def doubled(value: int) -> int:
        """Twice."""
        return value * 2

    @breaker
    async def asked(value: int) -> int:
        if value < 0:
            raise OSError("no")
        return value

    assert (doubled(2), doubled.__name__, doubled.__doc__) == (4, "doubled", "Twice.")
    assert asyncio.run(asked(3)) == 3
    assert asyncio.run(breaker.call(asked, 3)) == 3
    with pytest.raises(OSError, match="no"):
        asyncio.run(asked(-1))
    with pytest.raises(CircuitBreakerError):
        doubled(2)
    with pytest.raises(CircuitBreakerError):
        asyncio.run(asked(3))


def test_the_first_who_asks_makes_a_breaker_and_its_terms_stay(book: onebook.Book) -> None:
    circuit_manager.get_breaker("api", failure_threshold=1, expected_exception=OSError)
    again = circuit_manager.get_breaker("api", failure_threshold=9)
    with pytest.raises(OSError, match="no"):
        again.call(fails, OSError("no"))
    assert again.state == "open"
    with pytest.raises(onebook.BadConfig):
        circuit_manager.get_breaker("other", failure_threshold=0)
    assert set(circuit_manager.get_status()) == {"api"}


def test_the_programs_breaker_of_a_sources_name_does_not_disturb_the_data_manager(
    book: onebook.Book, asked: Any
) -> None:
    own = circuit_manager.get_breaker("venue", failure_threshold=3, expected_exception=KeyError)
    assert get_data_manager().get_latest_price("AAPL") == 101
    assert set(circuit_manager.get_status()) == {"venue", "venue.data"}
    compat.uninstall()
    assert own.state == "closed"


def test_the_data_managers_breaker_has_its_name_and_can_be_reset(asked: Any) -> None:
    asked.always = onebook.BadPayload("odd")
    for _ in range(5):
        with pytest.raises(onebook.SourceError):
            get_data_manager().get_latest_price("AAPL")
    with pytest.raises(CircuitBreakerError):
        get_data_manager().get_latest_price("AAPL")
    asked.always = None
    circuit_manager.get_breaker("venue").reset()
    assert get_data_manager().get_latest_price("AAPL") == 106


def test_32_threads_share_one_breaker_and_one_of_them_tries(book: onebook.Book, clock: FakeClock) -> None:
    """Threads that ask with different terms get the same breaker; while it is half open one call is made."""
    found = together(THREADS, lambda number: circuit_manager.get_breaker("api", failure_threshold=1 + number % 3))
    assert set(circuit_manager.get_status()) == {"api"}
    for breaker in found[:3]:
        if breaker.state == "closed":
            with pytest.raises(OSError, match="no"):
                breaker.call(fails, OSError("no"))
    clock.advance(60)
    gate, calls = threading.Event(), []
    refused = threading.Semaphore(0)

    def trial() -> int:
        calls.append(1)
        for _ in range(THREADS - 1):
            assert refused.acquire(timeout=20)
        gate.set()
        return 1

    def work(number: int) -> int:
        try:
            answer: int = found[number].call(trial)
        except CircuitBreakerError:
            refused.release()
            raise
        return answer

    answers = together(THREADS, work)
    assert gate.is_set()
    assert len(calls) == 1
    assert sum(1 for answer in answers if answer == 1) == 1
    assert sum(1 for answer in answers if isinstance(answer, CircuitBreakerError)) == THREADS - 1
