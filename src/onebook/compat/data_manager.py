"""``services.unified_data_manager``: the older names of the data service, over one source behind cache and breaker."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from onebook.compat import market
from onebook.compat.bars import shown
from onebook.compat.breakers import circuit_manager
from onebook.compat.caching import cache_manager
from onebook.compat.current import current_book, now_ns, settings_of
from onebook.compat.totals import totals_of, unrealized_of
from onebook.domain import times
from onebook.domain.numbers import ZERO, absolute
from onebook.domain.reports import Position
from onebook.errors import BadConfig, InputError, RateLimited, SourceError
from onebook.market.indicators import calculate_indicators
from onebook.market.port import Price

_log = logging.getLogger("onebook.compat")
HOUR = 60 * times.MINUTE
INDICATOR_BYTES = 64_000_000
ACCOUNT = "main"
_FIGURES = ("avg_entry_price", "current_price", "market_value", "unrealized_pl")


class LatestPrice(Decimal):
    """A price in the quote currency that says how far to trust it. What is computed with it is a plain ``Decimal``.

    Attributes:
        is_stale: it is a kept one, because the source does not answer just now.
        age_seconds: how old it was when it was given out.
        timestamp: when it was so, by the source; aware UTC.
        source: who says so.
    """

    is_stale: bool
    age_seconds: float
    timestamp: datetime
    source: str

    @classmethod
    def of(cls, price: Price) -> Self:
        """Return the price of a source."""
        made = cls(price.price)
        made.is_stale, made.age_seconds, made.source = price.is_stale, price.age_seconds, price.source
        made.timestamp = times.to_datetime(price.at_ns)
        return made


class UnifiedDataManager:
    """Prices, bars, the account and the stream under their older names. It keeps nothing: two of them are alike."""

    # ---- prices ----

    def get_latest_price(self, symbol: str) -> LatestPrice:
        """Return the newest price, and mark the book with it.

        While the source does not answer, the last price is given for up to an hour beyond its time, with ``is_stale``
        set and a warning in the log.

        Raises:
            BadConfig: no source is configured.
            UnknownInstrument: the source does not have it.
            CircuitBreakerError: the source is known not to answer, and no price is kept.
            SourceError: it did not answer, and no price is kept.
        """
        price = LatestPrice.of(market.data().latest_price(symbol))
        if price.is_stale:
            _log.warning("%s: %s does not answer; its price is %.0f s old", symbol, price.source, price.age_seconds)
        return price

    def get_historical_data(
        self, symbol: str, timeframe: str = "1Min", start_hours_ago: float = 24, end_hours_ago: float = 0
    ) -> Any:
        """Return bars as a pandas frame, from the file beside the book; what is missing there is fetched first.

        When the source does not answer, the bars that are kept are returned with ``df.attrs["is_complete"]`` False,
        and a warning in the log.

        Args:
            symbol: of what.
            timeframe: such as ``1Min``, ``5m``, ``1Day``.
            start_hours_ago: openings since then, above ``end_hours_ago``.
            end_hours_ago: openings before then.

        Raises:
            BadConfig: no source is configured.
            InputError: no such timeframe or stretch.
            SourceError: the source did not answer, and nothing is kept.
        """
        now = now_ns()
        since, until = (now - int(float(hours) * HOUR) for hours in (start_hours_ago, end_hours_ago))
        if since >= until:
            msg = f"start_hours_ago: {start_hours_ago} is not before end_hours_ago {end_hours_ago}"
            raise InputError(msg, field="start_hours_ago", value=start_hours_ago)
        data = market.data()
        problem: SourceError | None = None
        try:
            found = data.bars(symbol, timeframe, since, until)
        except SourceError as failed:
            found, problem = data.kept_bars(symbol, timeframe, since, until), failed
            if not found:
                raise
            _log.warning("%s %s: only the bars that are kept, because %s", symbol, timeframe, failed)
        frame = shown(found)
        frame.attrs["is_complete"] = problem is None
        return frame

    def calculate_indicators(self, df: Any, config: Mapping[str, Any]) -> Any:
        """Return the indicators of a frame of bars, row by row, cached; see ``onebook.market.indicators``.

        Args:
            df: as :meth:`get_historical_data` gives it.
            config: such as ``{"sma": [20, 50], "rsi": 14}``.

        Raises:
            BadConfig: an unknown indicator, or the extra is not installed.
            InputError: a column is missing.
        """
        cache = market.caches().get("indicators", max_bytes=INDICATOR_BYTES, keep_seconds=0)
        return calculate_indicators(df, config, cache=cache)

    # ---- the account ----

    def get_account_info(self) -> dict[str, Any]:
        """Ask the venue for the account's money, and return it with the book's figures beside, under ``book``.

        Raises:
            BadConfig: no venue is configured.
            CircuitBreakerError: the venue is known not to answer.
            SourceError: it did not answer.
        """
        venue = market.venue()
        said = _asked(venue.name, venue.account)
        book, currency = current_book(), settings_of(current_book()).base_currency
        free = said.get("balances", {}).get(currency, {}).get("free")
        if said.get("cash") is None and free is not None:
            said |= {"cash": free, "currency": currency}
        totals, (gain, _) = totals_of(book, ACCOUNT), unrealized_of(book, ACCOUNT)
        beside = {
            "account": ACCOUNT,
            "currency": totals.currency,
            "balances": {item.asset: item.amount for item in book.balances(account=ACCOUNT)},
            "equity": book.equity(account=ACCOUNT, currency=totals.currency).amount,
            "realized_pnl": totals.realized,
            "unrealized_pnl": gain,
            "open_positions": len(book.positions(account=ACCOUNT)),
        }
        return {"source": venue.name, **said, "book": beside}

    def get_positions(self) -> list[dict[str, Any]]:
        """Ask the venue for its positions, and return each with the book's figures beside, under ``book``.

        What only the book holds is there too, with ``qty`` 0; what only the venue holds has ``book`` None.

        Raises:
            BadConfig: no venue is configured.
            CircuitBreakerError: the venue is known not to answer.
            SourceError: it did not answer.
        """
        venue, book = market.venue(), current_book()
        rows = _asked(venue.name, venue.positions)
        names = dict.fromkeys(item.instrument for item in book.positions(account=ACCOUNT))
        held = {name: book.position(name, account=ACCOUNT, basis="netted") for name in names}
        found = [row | {"book": _beside(held.pop(row["symbol"], None))} for row in rows]
        absent = {"side": "", "qty": ZERO, **dict.fromkeys(_FIGURES)}
        return found + [{"symbol": name, **absent, "book": _beside(item)} for name, item in held.items()]

    # ---- the stream ----

    def start_data_stream(self, symbols: Iterable[str]) -> bool:
        """Stream these, and mark the book with what comes; while a stream runs, add them to it.

        Raises:
            BadConfig: no source is configured.
            SourceError: it cannot be reached.
        """
        wanted = [symbols] if isinstance(symbols, str) else list(symbols)
        market.data().start_stream(wanted)
        market.keep_book_open()
        return True

    def stop_data_stream(self) -> None:
        """End the stream and wait until nothing comes any more; nothing when none runs."""
        made = market.made_data()
        if made is not None:
            made.stop_stream()
        market.let_book_go()

    # ---- health ----

    def get_system_health(self) -> dict[str, Any]:
        """Return how everything stands, as plain values for JSON; it asks nobody outside.

        ``api_initialized`` (a source is configured and made), ``streaming``, ``last_update`` (when a price last came,
        RFC 3339 text; empty before the first), ``cache_stats``, ``database_stats``, ``circuit_breakers``.
        """
        try:
            found = market.data().health()
        except BadConfig as problem:
            _log.info("%s", problem)
            found = {"api_initialized": False, "streaming": False, "last_update": ""}
            found["database_stats"] = market.bars().stats()
        return {
            "api_initialized": found["api_initialized"],
            "streaming": found["streaming"],
            "last_update": found["last_update"],
            "cache_stats": cache_manager.get_all_stats(),
            "database_stats": found["database_stats"],
            "circuit_breakers": circuit_manager.get_status(),
        }


def _asked(name: str, ask: Any) -> Any:
    """Ask a venue behind a breaker of its own."""
    with market.guarding().get(f"{name}.account", ignores=(RateLimited,)).attempt():
        return ask()


def _beside(held: Position | None) -> dict[str, Any] | None:
    if held is None:
        return None
    return {
        "side": held.side,
        "qty": absolute(held.quantity),
        "avg_entry_price": held.average_price,
        "unrealized_pl": held.unrealized_pnl,
        "currency": held.currency,
    }


_manager = UnifiedDataManager()


def get_data_manager() -> UnifiedDataManager:
    """Return the documents' one data manager; whom it asks is settled at its first question."""
    return _manager


def cleanup_data_manager() -> None:
    """End the stream and close the source; the next question makes it anew."""
    market.close_data()
