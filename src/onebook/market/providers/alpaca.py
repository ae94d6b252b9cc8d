"""Prices of US stocks from Alpaca by alpaca-py: its REST calls, and its websocket as a stream.

Numbers come as binary floats and are taken by their shortest decimal; see ``alpaca_rows``. Bars are as traded, not
adjusted. The stream shows prints, quotes and bars of one minute. Nothing here trades.
"""

import random
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any

from onebook.clock import Clock, system_clock
from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.domain.times import to_datetime
from onebook.errors import BadConfig, BadPayload, InputError, SourceError, SourceTimeout, UnknownInstrument
from onebook.market.port import Price
from onebook.market.providers.alpaca_connection import MINUTE_BARS, AlpacaConnection
from onebook.market.providers.alpaca_rows import bar_of, by_status, library, print_of, quote_of
from onebook.market.streams import OnTrouble, Stream, StreamRules, StreamSource
from onebook.market.timeframes import length_ns, parse

TIMEOUT_SECONDS = 10.0
PAGE = 10_000


class AlpacaSource:
    """Alpaca's stock data as a ``MarketData``.

    Args:
        key: of the API.
        secret: of the API.
        base_url: address of the REST calls without version; None: Alpaca's own.
        stream_url: whole address of the websocket; None: Alpaca's own for the feed.
        feed: ``iex`` or ``sip``.
        rules: how its streams behave.
        timeout_seconds: how long an answer may take.
        clock: gives the moment.

    Raises:
        BadConfig: alpaca-py is not installed, or a key is missing.
        InputError: a feed or kind that it does not have.
    """

    def __init__(  # noqa: PLR0913  settings of one account, each by name
        self,
        key: str,
        secret: str,
        *,
        base_url: str | None = None,
        stream_url: str | None = None,
        feed: str = "iex",
        rules: StreamRules | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Clock = system_clock,
    ) -> None:
        self.name = "alpaca"
        self._rules = rules or StreamRules()
        if not set(self._rules.timeframes) <= {MINUTE_BARS}:
            msg = f"kinds: Alpaca streams bars of 1m only, not {' '.join(self._rules.timeframes)}"
            raise InputError(msg, field="kinds", value=self._rules.kinds)
        if feed not in {"iex", "sip"}:
            msg = f"feed: {feed!r} is not iex or sip"
            raise InputError(msg, field="feed", value=feed)
        if not key or not secret:
            raise BadConfig("Alpaca needs a key and a secret; set both", field="key")
        self._feed = feed
        self._clock = clock
        self._lock = threading.Lock()
        self._requests = library("alpaca.data.requests")
        self._client = _client(key, secret, base_url, timeout_seconds)
        self._live = lambda parameters: library("alpaca.data.live").StockDataStream(
            key,
            secret,
            raw_data=True,
            feed=library("alpaca.data.enums").DataFeed(feed),
            websocket_params=parameters,
            url_override=stream_url,
        )

    # ---- MarketData ----

    def price(self, instrument: str) -> Price:
        """Return the newest price."""
        asked = self._requests.StockLatestTradeRequest(symbol_or_symbols=instrument, feed=self._feed)
        found = print_of(instrument, self._latest(instrument, "get_stock_latest_trade", asked))
        return Price(instrument=instrument, price=found.price, at_ns=found.at_ns, source=self.name)

    def quote(self, instrument: str) -> Quote:
        """Return the newest best prices.

        Raises:
            BadPayload: one side is empty.
        """
        asked = self._requests.StockLatestQuoteRequest(symbol_or_symbols=instrument, feed=self._feed)
        quote = quote_of(instrument, self._latest(instrument, "get_stock_latest_quote", asked))
        if quote is None:
            msg = f"{instrument}: Alpaca shows no bid or no ask just now"
            raise BadPayload(msg, instrument=instrument)
        return quote

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        """Return the bars that opened at or after ``since_ns`` and before ``until_ns``, oldest first."""
        timeframe = parse(timeframe)
        asked = {"timeframe": _timeframe(timeframe)}
        now, found = self._clock(), {}
        for raw in self._history("get_stock_bars", "StockBarsRequest", (instrument, since_ns, until_ns), asked):
            bar = bar_of(instrument, timeframe, raw, now)
            if since_ns <= bar.opened_ns < until_ns:
                found[bar.opened_ns] = bar
        return [found[opened] for opened in sorted(found)]

    def prints(self, instrument: str, since_ns: int, until_ns: int) -> Iterator[Print]:
        """Yield the market's trades from ``since_ns`` until before ``until_ns``, oldest first."""
        cursor, seen = since_ns, set[str | tuple[object, ...]]()
        while cursor < until_ns:
            where = (instrument, cursor, until_ns)
            rows = self._history("get_stock_trades", "StockTradesRequest", where, {"limit": PAGE})
            page = [print_of(instrument, raw) for raw in rows]
            fresh = [item for item in page if _identity(item) not in seen]
            yield from (item for item in fresh if since_ns <= item.at_ns < until_ns)
            if len(page) < PAGE:
                return
            newest = page[-1].at_ns
            seen = {_identity(item) for item in page if item.at_ns // 1000 == newest // 1000}
            cursor = newest if fresh and newest > cursor else newest // 1000 * 1000 + 1000

    def stream(
        self,
        instruments: Collection[str],
        deliver: Callable[[Seen], None],
        *,
        on_trouble: OnTrouble | None = None,
        is_open: Callable[[int], bool] = lambda _: True,
    ) -> Stream:
        """Deliver what the market shows from now on, until the subscription is closed.

        Args:
            instruments: which; more can be added. Alpaca does not say when it does not have one: nothing comes.
            deliver: given each thing, one at a time, on a thread of the stream.
            on_trouble: told what goes wrong, as a kind and a sentence.
            is_open: says whether the venue should be showing something at a moment.
        """
        source = StreamSource(
            name=self.name,
            connect=lambda: AlpacaConnection(self._live, self._rules.kinds),
            history=self,
            clock=self._clock,
            random=random.Random().random,  # noqa: S311  spreads waits
            is_open=is_open,
        )
        return Stream(source, deliver, rules=self._rules, on_trouble=on_trouble).start(instruments)

    def close(self) -> None:
        """Give connections back."""
        with self._lock:
            self._client.close()

    # ---- alpaca-py ----

    def _latest(self, instrument: str, method: str, asked: Any) -> dict[str, Any]:
        found = self._call(method, asked)
        if not isinstance(found, dict) or not found.get(instrument):
            msg = f"{instrument!r}: Alpaca has nothing of it; it names stocks as AAPL"
            raise UnknownInstrument(msg, instrument=instrument)
        return found[instrument]  # type: ignore[no-any-return]

    def _history(self, method: str, request: str, where: tuple[str, int, int], more: dict[str, Any]) -> Any:
        instrument, since_ns, until_ns = where
        asked = getattr(self._requests, request)(
            symbol_or_symbols=instrument,
            start=to_datetime(since_ns),
            end=to_datetime(until_ns + 999),
            feed=self._feed,
            **more,
        )
        found = self._call(method, asked)
        if not isinstance(found, dict):
            msg = f"Alpaca answered {str(found)[:80]!r}, which is no list of {instrument}"
            raise BadPayload(msg, instrument=instrument)
        return found.get(instrument) or []

    def _call(self, method: str, asked: Any) -> Any:
        errors, failed = library("requests.exceptions"), library("alpaca.common.exceptions").APIError
        with self._lock:
            try:
                return getattr(self._client, method)(asked)
            except failed as problem:
                answer = problem.response  # one that tells of an error counts as False
                headers = {} if answer is None else answer.headers
                raise by_status(problem.status_code, str(problem), headers) from problem
            except errors.JSONDecodeError as problem:
                raise BadPayload(f"Alpaca's answer is no JSON: {problem}") from problem
            except errors.Timeout as problem:
                raise SourceTimeout(f"Alpaca did not answer in time: {problem}") from problem
            except errors.RequestException as problem:
                raise SourceError(f"Alpaca cannot be reached: {problem}") from problem
            except (TypeError, ValueError, AttributeError, KeyError) as problem:
                raise BadPayload(f"Alpaca's answer cannot be read: {problem}") from problem


def _identity(print_: Print) -> str | tuple[object, ...]:
    return print_.id or (print_.at_ns, print_.price, print_.quantity)


def _timeframe(timeframe: str) -> Any:
    frames = library("alpaca.data.timeframe")
    units = {"m": frames.TimeFrameUnit.Minute, "h": frames.TimeFrameUnit.Hour, "d": frames.TimeFrameUnit.Day}
    unit = units.get(timeframe[-1]) or (frames.TimeFrameUnit.Week if timeframe == "1w" else None)
    try:
        if unit is not None:
            return frames.TimeFrame(length_ns(timeframe) // length_ns(f"1{timeframe[-1]}"), unit)
    except ValueError:
        pass
    msg = f"timeframe: Alpaca has no bars of {timeframe}; it has 1m to 59m, 1h to 23h, 1d and 1w"
    raise InputError(msg, field="timeframe", value=timeframe)


def _client(key: str, secret: str, base_url: str | None, timeout_seconds: float) -> Any:
    """Make the REST client: the library's own waits for ever for an answer, and sleeps through a 429."""
    parent: Any = library("alpaca.data.historical").StockHistoricalDataClient
    session: Any = library("requests").Session

    class Session(session):  # type: ignore[misc]
        def request(self, *given: Any, **more: Any) -> Any:
            return super().request(*given, timeout=timeout_seconds, **more)

    class Client(parent):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(key, secret, raw_data=True, url_override=base_url)
            self._session: Any = Session()
            self._retry_codes: list[int] = []

        def close(self) -> None:
            self._session.close()

    return Client()
