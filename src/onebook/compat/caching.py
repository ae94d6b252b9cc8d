"""``services.memory_cache``: the older names of the caches of the process."""

from collections.abc import Hashable
from dataclasses import asdict
from typing import Any

from onebook.compat import market
from onebook.errors import BadConfig
from onebook.market.caches import Cache, CacheTerms


class MemoryCache:
    """One cache under its older names.

    Args:
        cache: what holds the values.
    """

    __slots__ = ("_cache",)

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    @property
    def name(self) -> str:
        """What it holds."""
        return self._cache.name

    def get(self, key: Hashable, default: Any = None) -> Any:
        """Return the fresh value under a key, else the default."""
        return self._cache.get(key, default)

    def set(self, key: Hashable, value: Any, ttl: float | None = None) -> None:
        """Put a value in.

        Args:
            key: anything hashable.
            value: anything.
            ttl: seconds for which it is fresh, above 0; None: as the cache has it.

        Raises:
            BadConfig: the time is 0 or less.
        """
        self._cache.set(key, value, ttl)

    def delete(self, key: Hashable) -> bool:
        """Drop what is under a key; True when something was."""
        return self._cache.delete(key)

    def clear(self) -> None:
        """Drop everything; the counters stay."""
        self._cache.clear()

    def get_stats(self) -> dict[str, Any]:
        """Return ``size max_size hits misses hit_rate evictions expirations bytes``; the rate is between 0 and 1."""
        shown = asdict(self._cache.stats())
        return {"max_size": self._cache.terms.max_size, "hit_rate": shown.pop("hit_ratio"), **shown}


class CacheManager:
    """The caches of the process by name."""

    def get_cache(
        self,
        name: str,
        max_size: int | None = None,
        default_ttl: float | None = None,
        cleanup_interval: float | None = None,
    ) -> MemoryCache:
        """Return the cache of a name; the first who asks makes it, and its terms stay.

        Args:
            name: of what it holds.
            max_size: most entries, 1 or more; the least recently used goes first. None: 1000.
            default_ttl: seconds for which a value is fresh, above 0. None: 60.
            cleanup_interval: seconds between two cleanups, above 0. None: 30.

        Raises:
            BadConfig: no cache can have such terms.
        """
        given = {"max_size": max_size, "ttl_seconds": default_ttl, "cleanup_seconds": cleanup_interval}
        terms: Any = {name: value for name, value in given.items() if value is not None} | {"keep_seconds": 0}
        CacheTerms(**terms)
        caches = market.caches()
        try:
            return MemoryCache(caches.get(name, **terms))
        except BadConfig:  # it is there with other terms, which stay
            return MemoryCache(caches.get(name))

    def get_all_stats(self) -> dict[str, dict[str, Any]]:
        """Return the statistics of every cache of the process, those of the data manager too, by name."""
        caches = market.caches()
        return {name: MemoryCache(caches.get(name)).get_stats() for name in caches.stats()}

    def get_global_stats(self) -> dict[str, Any]:
        """Return ``caches hits misses hit_rate evictions expirations size bytes`` of all caches together."""
        caches = market.caches()
        shown = asdict(caches.totals())
        return {"caches": len(caches.stats()), "hit_rate": shown.pop("hit_ratio"), **shown}

    def shutdown_all(self) -> None:
        """Drop everything and end the thread that cleans up; the data manager's stream ends with its caches."""
        market.close_caches()


cache_manager = CacheManager()
"""The documents' one manager of caches; it keeps nothing itself."""
