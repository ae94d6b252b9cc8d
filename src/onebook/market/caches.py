"""Named caches bounded by entries and by bytes, whose values outlive their time for when nothing better is to be had.

A value is fresh for its time to live. After that ``get`` does not give it any more, but ``stale`` does, with its age,
until its time to be kept is over too. The least recently used goes first when a bound is reached. It never makes calls:
see ``guarded`` for that.
"""

import threading
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from onebook.clock import Clock
from onebook.domain.times import SECOND
from onebook.errors import BadConfig
from onebook.market.sizes import size_of

if TYPE_CHECKING:
    from cachetools import TLRUCache

SHORTEST_CLEANUP_SECONDS = 0.01


class Terms(TypedDict, total=False):
    """The bounds of a cache, as they are given by name: see ``CacheTerms``."""

    max_size: int
    max_bytes: int | None
    ttl_seconds: float
    keep_seconds: float
    cleanup_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheTerms:
    """The bounds of a cache.

    Attributes:
        max_size: most entries, 1 or more.
        max_bytes: most bytes of keys and values, by ``size_of``; None for no such bound.
        ttl_seconds: how long a value is fresh when it is not said with it, above 0.
        keep_seconds: how long after that it is kept for ``stale``, 0 or more.
        cleanup_seconds: how often a registry of caches drops what is kept no longer.

    Raises:
        BadConfig: a bound that keeps nothing.
    """

    max_size: int = 1000
    max_bytes: int | None = None
    ttl_seconds: float = 60.0
    keep_seconds: float = 3600.0
    cleanup_seconds: float = 30.0

    def __post_init__(self) -> None:
        wrong = [
            name for name in ("max_size", "max_bytes", "ttl_seconds", "cleanup_seconds") if not _above(self, name, 0)
        ]
        if wrong or self.keep_seconds < 0:
            msg = f"a cache cannot have {', '.join(wrong) or 'keep_seconds'} of 0 or less"
            raise BadConfig(msg)


def _above(terms: CacheTerms, name: str, least: float) -> bool:
    value = getattr(terms, name)
    return value is None or value > least


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """How a cache has done since it was made.

    Attributes:
        hits: fresh values that ``get`` gave.
        misses: what ``get`` did not have, or had only past its time.
        evictions: entries given up for others, for the sake of a bound.
        expirations: entries given up because their time was over.
        size: entries now, those kept past their time too.
        bytes: of their keys and values.
        hit_ratio: of all that ``get`` was asked, 0 to 1; 0 when it was asked nothing.
    """

    hits: int
    misses: int
    evictions: int
    expirations: int
    size: int
    bytes: int
    hit_ratio: float


@dataclass(frozen=True, slots=True)
class Kept:
    """A value that ``stale`` found.

    Attributes:
        value: it.
        age_seconds: since it was put in, 0 or more.
        is_stale: its time to live is over.
    """

    value: Any
    age_seconds: float
    is_stale: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    value: Any
    size: int
    put_ns: int
    fresh_until_ns: int
    kept_until_ns: int


class Cache:
    """One cache. Thread-safe.

    Args:
        name: of what it holds.
        clock: nanoseconds; one that never goes back is best. After one that does, what is there is no longer fresh.
        terms: its bounds, by the names of ``CacheTerms``.

    Example:
        >>> from onebook.clock import system_clock
        >>> cache = Cache("prices", system_clock, ttl_seconds=10)
        >>> cache.set("AAPL", "187.20")
        >>> cache.get("AAPL")
        '187.20'
    """

    def __init__(self, name: str, clock: Clock, **terms: Unpack[Terms]) -> None:
        self.name = name
        self.terms = CacheTerms(**terms)
        self._clock = clock
        self._lock = threading.Lock()
        self._now = 0
        self._entries = self._empty()
        self._bytes = 0
        self._hits = self._misses = self._evictions = self._expirations = 0

    def get(self, key: Hashable, default: Any = None) -> Any:
        """Return the fresh value under this key, or ``default``; it becomes the most recently used."""
        with self._lock:
            now = self._look()
            entry = self._entries.get(key)
            if entry is None or not entry.put_ns <= now < entry.fresh_until_ns:
                self._misses += 1
                return default
            self._hits += 1
            return entry.value

    def stale(self, key: Hashable) -> Kept | None:
        """Return the last value under this key with its age, fresh or not; None when none is kept.

        It counts neither as a hit nor as a miss.
        """
        with self._lock:
            now = self._look()
            entry = self._entries.get(key)
            if entry is None:
                return None
            is_stale = not entry.put_ns <= now < entry.fresh_until_ns
            return Kept(entry.value, max(now - entry.put_ns, 0) / SECOND, is_stale)

    def set(self, key: Hashable, value: Any, ttl_seconds: float | None = None) -> None:
        """Put a value in; what was there under this key goes.

        A value larger than ``max_bytes`` all by itself is not kept, and counts as evicted.

        Args:
            key: anything hashable.
            value: anything; it is not copied.
            ttl_seconds: how long it is fresh, above 0; None for what the cache has agreed.
        """
        ttl = self.terms.ttl_seconds if ttl_seconds is None else ttl_seconds
        if ttl <= 0:
            msg = f"{self.name}: ttl_seconds is {ttl_seconds}; it has to be above 0"
            raise BadConfig(msg)
        size = size_of(key) + size_of(value)
        most = self.terms.max_bytes
        with self._lock:
            now = self._look()
            self._expire()
            self._drop(key)
            if most is not None and size > most:
                self._evictions += 1
                return
            while self._entries and (
                len(self._entries) >= self.terms.max_size or (most is not None and self._bytes + size > most)
            ):
                self._bytes -= self._entries.popitem()[1].size
                self._evictions += 1
            fresh_until = now + max(int(ttl * SECOND), 1)
            self._entries[key] = _Entry(
                value, size, now, fresh_until, fresh_until + int(self.terms.keep_seconds * SECOND)
            )
            self._bytes += size

    def delete(self, key: Hashable) -> bool:
        """Drop what is under this key; True when something was."""
        with self._lock:
            self._look()
            self._expire()
            return self._drop(key)

    def clear(self) -> None:
        """Drop everything; the counters stay."""
        with self._lock:
            self._entries = self._empty()
            self._bytes = 0

    def cleanup(self) -> int:
        """Drop what is kept no longer, and return how many that were."""
        with self._lock:
            self._look()
            return self._expire()

    def stats(self) -> CacheStats:
        """Return how it has done."""
        with self._lock:
            self._look()
            self._expire()
            asked = self._hits + self._misses
            return CacheStats(
                hits=self._hits,
                misses=self._misses,
                evictions=self._evictions,
                expirations=self._expirations,
                size=len(self._entries),
                bytes=self._bytes,
                hit_ratio=self._hits / asked if asked else 0.0,
            )

    def _empty(self) -> "TLRUCache[Hashable, _Entry]":
        from cachetools import TLRUCache

        return TLRUCache(self.terms.max_size, lambda _key, entry, _now: entry.kept_until_ns, timer=lambda: self._now)

    def _look(self) -> int:
        """Look at the clock, once for all that is done under the lock: what expires in between would not be counted."""
        self._now = self._clock()
        return self._now

    def _expire(self) -> int:
        gone = self._entries.expire(self._now)
        for _, entry in gone:
            self._bytes -= entry.size
            self._expirations += 1
        return len(gone)

    def _drop(self, key: Hashable) -> bool:
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self._bytes -= entry.size
        return True


class Caches:
    """The caches of one program by name, and the thread that cleans them up.

    Args:
        clock: of all of them, nanoseconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._caches: dict[str, Cache] = {}
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition(self._lock)
        self._closed = False

    def get(self, name: str, **terms: Unpack[Terms]) -> Cache:
        """Return the cache of this name; the first who asks makes it, with these terms.

        Raises:
            BadConfig: it is there with other terms, or everything is closed.
        """
        with self._lock:
            if self._closed:
                msg = f"the caches are closed; {name} cannot be used any more"
                raise BadConfig(msg)
            cache = self._caches.get(name)
            if cache is not None:
                other = {term: getattr(cache.terms, term) for term in terms}
                if other != terms:
                    msg = f"the cache {name} is there with {other}, not {dict(terms)}; use another name"
                    raise BadConfig(msg)
                return cache
            cache = self._caches[name] = Cache(name, self._clock, **terms)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="onebook-caches", daemon=True)
                self._thread.start()
            self._changed.notify()
            return cache

    def stats(self) -> dict[str, CacheStats]:
        """Return how each has done, by name."""
        with self._lock:
            caches = list(self._caches.values())
        return {cache.name: cache.stats() for cache in caches}

    def totals(self) -> CacheStats:
        """Return how all of them have done together; ``hit_ratio`` is of all that any was asked."""
        each = list(self.stats().values())
        hits, misses = sum(item.hits for item in each), sum(item.misses for item in each)
        return CacheStats(
            hits=hits,
            misses=misses,
            evictions=sum(item.evictions for item in each),
            expirations=sum(item.expirations for item in each),
            size=sum(item.size for item in each),
            bytes=sum(item.bytes for item in each),
            hit_ratio=hits / (hits + misses) if hits + misses else 0.0,
        )

    def close(self) -> None:
        """End the thread and drop everything."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
            caches = list(self._caches.values())
            self._changed.notify()
        if thread is not None and thread.is_alive():
            thread.join()
        for cache in caches:
            cache.clear()

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._closed:
                    return
                shortest = min(cache.terms.cleanup_seconds for cache in self._caches.values())
                self._changed.wait(max(shortest, SHORTEST_CLEANUP_SECONDS))
                caches = list(self._caches.values())
            for cache in caches:
                cache.cleanup()
