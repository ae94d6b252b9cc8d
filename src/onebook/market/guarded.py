"""A source of market data behind a breaker, a cache, a rate limit and retries: the wrappers that every vendor gets.

From outside to inside: a fresh kept value is given without a call; callers who want the same at the same time share one
call; an open breaker refuses it; the rate limit spaces it; what may pass is tried again. When all that fails, the last
price is given, marked stale with its age. It never invents a value, and never gives an old one unmarked.
"""

from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, TypeVar, cast

from onebook.clock import Clock
from onebook.domain.market import Bar, Print, Quote, Seen, last_price
from onebook.domain.times import SECOND
from onebook.errors import InputError, RateLimited, SourceError
from onebook.market.caches import Cache, Caches, Kept
from onebook.market.circuits import Circuits
from onebook.market.flights import Flights
from onebook.market.pacing import Pace
from onebook.market.port import MarketData, Price, Subscription
from onebook.market.retrying import Retry

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardTerms:
    """What holds for the calls to one source.

    Attributes:
        price_seconds: how long a price is fresh, above 0.
        quote_seconds: how long a quote is.
        bars_seconds: how long an answer with bars is.
        keep_seconds: how old a price may be, beyond its time, to be given while the source is broken.
        most_prices: kept, of prices and of quotes; the least recently used go first.
        most_bytes: of kept bars.
        failures: in a row that open the breaker.
        recovery_seconds: how long it stays open.
        share_seconds: how long a caller waits for another one's call.
    """

    price_seconds: float = 5.0
    quote_seconds: float = 1.0
    bars_seconds: float = 10.0
    keep_seconds: float = 3600.0
    most_prices: int = 10_000
    most_bytes: int = 64_000_000
    failures: int = 5
    recovery_seconds: float = 60.0
    share_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What stands before a source.

    Attributes:
        caches: of the program; they get ``NAME.prices``, ``NAME.quotes`` and ``NAME.bars``.
        circuits: of the program; they get a breaker with the source's name. A call that was limited, or refused for
            what it asked, perhaps before it was sent, says nothing of the source's health and does not count.
        pace: of the calls to this source.
        retry: of what may pass.
        clock: nanoseconds since 1970 UTC, for the age of prices.
    """

    caches: Caches
    circuits: Circuits
    pace: Pace
    retry: Retry
    clock: Clock


class Guarded:
    """A source that is called as seldom as can be, and whose failures cost as little as can be. Thread-safe.

    Args:
        source: the vendor.
        guards: what stands before it.
        terms: what holds for it.
    """

    def __init__(self, source: MarketData, guards: Guards, terms: GuardTerms | None = None) -> None:
        agreed = terms or GuardTerms()
        self.name = source.name
        self._source = source
        self._pace = guards.pace
        self._retry = guards.retry
        self._clock = guards.clock
        self._breaker = guards.circuits.get(
            source.name,
            failures=agreed.failures,
            recovery_seconds=agreed.recovery_seconds,
            ignores=(RateLimited, InputError),
        )
        self._flights = Flights(agreed.share_seconds)
        caches, kept = guards.caches, agreed.keep_seconds
        self._prices = caches.get(
            f"{self.name}.prices", max_size=agreed.most_prices, ttl_seconds=agreed.price_seconds, keep_seconds=kept
        )
        self._quotes = caches.get(
            f"{self.name}.quotes", max_size=agreed.most_prices, ttl_seconds=agreed.quote_seconds, keep_seconds=0
        )
        self._bars = caches.get(
            f"{self.name}.bars", max_bytes=agreed.most_bytes, ttl_seconds=agreed.bars_seconds, keep_seconds=0
        )

    def price(self, instrument: str) -> Price:
        """Return the newest price: a fresh one, or the last one marked stale when the source does not answer.

        ``age_seconds`` is since the source says it was so.

        Raises:
            UnknownInstrument: the source does not have it.
            BreakerOpen: the source is known not to answer, and no price is kept.
            SourceError: it did not answer, and no price is kept.
        """
        try:
            price: Price = self._fresh(self._prices, instrument, lambda: self._source.price(instrument))
        except SourceError:
            kept = self._prices.stale(instrument)
            if kept is None:
                raise
            return self._given(kept.value, is_stale=kept.is_stale or kept.value.is_stale)
        return self._given(price, is_stale=price.is_stale)

    def quote(self, instrument: str) -> Quote:
        """Return the newest best prices; an old one never, as a quote cannot say that it is old."""
        quote: Quote = self._fresh(self._quotes, instrument, lambda: self._source.quote(instrument))
        return quote

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        """Return bars, from a moment ago when the same were asked then."""
        key = (instrument, timeframe, since_ns, until_ns)
        bars = self._fresh(self._bars, key, lambda: tuple(self._source.bars(instrument, timeframe, since_ns, until_ns)))
        return list(bars)

    def prints(self, instrument: str, since_ns: int, until_ns: int) -> Iterator[Print]:
        """Yield prints; until the first one is there the call is guarded, then the source's errors come as they are."""

        def begin() -> tuple[list[Print], Iterator[Print]]:
            found = iter(self._source.prints(instrument, since_ns, until_ns))
            return [first for first in (next(found, None),) if first is not None], found

        yield from chain.from_iterable(self._ask(begin))

    def stream(self, instruments: Collection[str], deliver: Callable[[Seen], None]) -> Subscription:
        """Stream from the source; what it shows keeps prices and quotes fresh, so that nobody need ask."""

        def show(seen: Seen) -> None:
            self._learn(seen)
            deliver(seen)

        return self._ask(lambda: self._source.stream(instruments, show))

    def close(self) -> None:
        """Close the source. The caches and breakers belong to the program."""
        self._source.close()

    def _fresh(self, cache: Cache, key: Hashable, call: Callable[[], Any]) -> Any:
        """Return the fresh value, or call for it, once for all who want it now."""
        found = cache.get(key)
        if found is not None:
            return found

        def fetch() -> Any:
            kept: Kept | None = cache.stale(key)
            if kept is not None and not kept.is_stale:
                return kept.value  # somebody's call ended between our look and our turn
            value = self._ask(call)
            cache.set(key, value)
            return value

        return self._flights.share((cache.name, key), fetch)

    def _ask(self, call: Callable[[], Result]) -> Result:
        """Call the source behind breaker, rate limit and retries."""
        failed: list[SourceError] = []

        def once() -> Result:
            try:
                self._pace.take()
            except RateLimited:
                if failed:
                    raise failed[-1] from None  # the source's failure is what counts, not that there was no second try
                raise
            try:
                return call()
            except RateLimited as problem:
                self._pace.pause(getattr(problem, "retry_seconds", None))
                raise
            except SourceError as problem:
                failed.append(problem)
                raise

        with self._breaker.attempt():
            return self._retry(once)

    def _learn(self, seen: Seen) -> None:
        if isinstance(seen, Quote):
            self._quotes.set(seen.instrument, seen)
        kept = self._prices.stale(seen.instrument)
        if kept is None or cast("Price", kept.value).at_ns <= seen.at_ns:
            price = Price(instrument=seen.instrument, price=last_price(seen), at_ns=seen.at_ns, source=self.name)
            self._prices.set(seen.instrument, price)

    def _given(self, price: Price, *, is_stale: bool) -> Price:
        age = max(self._clock() - price.at_ns, 0) / SECOND
        return replace(price, is_stale=is_stale, age_seconds=age)
