"""Prices from the exchanges that ccxt knows: its REST calls, and its websockets as a stream.

Instruments are named as ccxt does, ``BTC/USDT`` or ``BTC/USDT:USDT``. Every number is read as text and kept exactly;
``ccxt_rows`` says where ccxt itself leaves a float. The REST client serves one call at a time and keeps to ccxt's own
rate limit. Nothing is sent with a key unless ``options`` carry one, and nothing here trades.
"""

import json
import random
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from onebook.clock import Clock, system_clock
from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.errors import BadConfig, BadPayload, BookError, InputError, UnknownInstrument
from onebook.market.port import Price
from onebook.market.providers.ccxt_connection import CcxtConnection
from onebook.market.providers.ccxt_rows import (
    MILLISECOND,
    UNREADABLE,
    bar_of,
    decimal_of,
    library,
    ours,
    print_of,
    quote_of,
)
from onebook.market.streams import OnTrouble, Stream, StreamRules, StreamSource
from onebook.market.timeframes import length_ns, parse

TIMEOUT_SECONDS = 10.0
PAGE = 1000
QUIET_BARS = 100
"""Where a venue answers nothing, so far its answer is taken to reach: the least that venues answer at once."""

BINANCE = frozenset({"binance", "binanceus", "binanceusdm", "binancecoinm"})
"""Venues whose history of prints is of aggregate trades: their stream is asked for these too, whose ids count up by
one; and a question for a time is answered for one hour at most."""

HOUR_MS = 3_600_000


class CcxtSource:
    """One exchange of ccxt as a ``MarketData``.

    Args:
        exchange_id: ccxt's name of it, such as ``binance`` or ``okx``.
        base_url: scheme, host and port, and a path before theirs, in place of every REST address; None: ccxt's own.
        stream_url: the same for websockets, such as ``ws://127.0.0.1:9000/stream``.
        options: for ccxt's constructor; ``timeout`` is in milliseconds there.
        rules: how its streams behave.
        clock: gives the moment.

    Raises:
        BadConfig: ccxt is not installed, or has no such exchange.
    """

    def __init__(
        self,
        exchange_id: str,
        *,
        base_url: str | None = None,
        stream_url: str | None = None,
        options: dict[str, Any] | None = None,
        rules: StreamRules | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.name = exchange_id
        self._urls = (base_url, stream_url)
        self._options = options or {}
        self._rules = rules or StreamRules()
        self._clock = clock
        self._lock = threading.Lock()
        self._client = self._make(library(), is_live=False)
        _read_as_text(self._client)

    # ---- MarketData ----

    def price(self, instrument: str) -> Price:
        """Return the newest price."""
        ticker = self._ask(instrument, "fetch_ticker", instrument)
        with _readable("a ticker"):
            last = ticker.get("last") or ticker.get("close")
            at_ms = ticker.get("timestamp")
            return Price(
                instrument=instrument,
                price=decimal_of("price", last),
                at_ns=self._clock() if at_ms is None else int(at_ms) * MILLISECOND,
                source=self.name,
            )

    def quote(self, instrument: str) -> Quote:
        """Return the newest best prices.

        Raises:
            BadPayload: one side is empty.
        """
        if self._client.has.get("fetchBidsAsks"):
            found = self._ask(instrument, "fetch_bids_asks", [instrument])
        else:
            found = {instrument: self._ask(instrument, "fetch_ticker", instrument)}
        with _readable("a quote"):
            quote = quote_of(instrument, found[instrument], self._clock())
        if quote is None:
            msg = f"{instrument}: {self.name} shows no bid or no ask just now"
            raise BadPayload(msg, instrument=instrument)
        return quote

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        """Return the bars that opened at or after ``since_ns`` and before ``until_ns``, oldest first.

        Where the venue's history does not reach back so far, as Kraken's 720 newest candles, what it has.
        """
        timeframe = parse(timeframe)
        length, limit = length_ns(timeframe), self._page(instrument, "fetchOHLCV")
        found: dict[int, Bar] = {}
        cursor, until_ns = since_ns, min(until_ns, self._clock() + length)
        while cursor < until_ns:
            rows = self._ask(instrument, "fetch_ohlcv", instrument, timeframe, -(-cursor // MILLISECOND), limit)
            now = self._clock()
            with _readable("candles"):
                page = [bar_of(instrument, timeframe, row, now) for row in rows]
            fresh = {bar.opened_ns: bar for bar in page if cursor <= bar.opened_ns < until_ns}
            found |= fresh
            if fresh:
                cursor = max(fresh) + length
            elif any(bar.opened_ns >= until_ns for bar in page):
                break  # the venue has been asked for what follows, and begins behind it
            else:
                cursor += min(limit, QUIET_BARS) * length
        return [found[opened] for opened in sorted(found)]

    def prints(self, instrument: str, since_ns: int, until_ns: int) -> Iterator[Print]:
        """Yield the market's trades from ``since_ns`` until before ``until_ns``, oldest first.

        Where the venue's history does not reach back so far, what it has.
        """
        limit = self._page(instrument, "fetchTrades")
        cursor_ms, until_ns = since_ns // MILLISECOND, min(until_ns, self._clock() + HOUR_MS * MILLISECOND)
        seen: set[tuple[object, ...]] = set()
        by_id: str | None = None
        while cursor_ms * MILLISECOND < until_ns:
            page = self._page_of_prints(instrument, cursor_ms, limit, by_id)
            fresh = [item for item in page if _identity(item) not in seen]
            for print_ in fresh:
                if since_ns <= print_.at_ns < until_ns:
                    yield print_
            if not fresh:
                if self.name not in BINANCE or by_id is not None:
                    return
                cursor_ms += HOUR_MS
                continue
            if by_id is not None and len(page) < limit:
                return
            last = fresh[-1]
            seen = {_identity(item) for item in page if item.at_ns == last.at_ns}
            is_stuck = last.at_ns // MILLISECOND == cursor_ms and len(page) >= limit
            cursor_ms = last.at_ns // MILLISECOND + is_stuck
            by_id = str(int(last.id) + 1) if self.name in BINANCE and last.id.isdigit() else None

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
            instruments: which; more can be added.
            deliver: given each thing, one at a time, on a thread of the stream.
            on_trouble: told what goes wrong, as a kind and a sentence.
            is_open: says whether the venue should be showing something at a moment.
        """
        trade_options = {"name": "aggTrade"} if self.name in BINANCE else {}
        source = StreamSource(
            name=self.name,
            connect=lambda: CcxtConnection(self._live_client, self._rules.kinds, trade_options, self._clock),
            history=self,
            clock=self._clock,
            random=random.Random().random,  # noqa: S311  spreads waits
            check=self._check,
            is_open=is_open,
            is_consecutive=self.name in BINANCE,
        )
        return Stream(source, deliver, rules=self._rules, on_trouble=on_trouble).start(instruments)

    def close(self) -> None:
        """Give connections back."""
        with self._lock:
            self._client.session.close()

    # ---- ccxt ----

    def _make(self, library: Any, *, is_live: bool) -> Any:
        kind = getattr(library, self.name, None) if self.name in library.exchanges else None
        if kind is None:
            msg = f"{self.name!r} is no exchange that this ccxt {'streams' if is_live else 'knows'}; see ccxt.exchanges"
            raise BadConfig(msg, field="exchange_id", value=self.name)
        settings = {"number": str, "enableRateLimit": True, "timeout": int(TIMEOUT_SECONDS * 1000)} | self._options
        plain = kind() if self._options else None
        for name, value in self._options.items():
            is_tree = name in {"markets", "currencies"} or isinstance(getattr(plain, name, None), dict)
            if is_tree and not isinstance(value, dict):
                msg = f"options: {name}: {value!r:.60} is not a mapping of names to values, which ccxt needs there"
                raise BadConfig(msg, key="options", value=value)
        try:
            client = kind(settings)
        except UNREADABLE as problem:
            msg = f"options: ccxt cannot make {self.name} with them: {type(problem).__name__}: {problem}"
            raise BadConfig(msg, key="options") from None
        base_url, stream_url = self._urls
        client.urls["api"] = _moved(client.urls["api"], client, base_url, stream_url)
        return client

    def _live_client(self) -> Any:
        client = self._make(library("ccxt.pro"), is_live=True)
        client.set_markets_from_exchange(self._client)
        return client

    def _check(self, instruments: Collection[str]) -> None:
        self._load()
        for instrument in instruments:
            if instrument not in self._client.markets:
                msg = f"{instrument!r} is no market of {self.name}; ccxt writes them as BTC/USDT"
                raise UnknownInstrument(msg, instrument=instrument)

    def _load(self) -> None:
        if self._client.markets is None:
            self._call("load_markets")

    def _page(self, instrument: str, method: str) -> int:
        self._check([instrument])
        with _readable("the venue's limits"):
            return min(int(self._client.feature_value(instrument, method, "limit", PAGE) or PAGE), PAGE)

    def _page_of_prints(self, instrument: str, cursor_ms: int, limit: int, by_id: str | None) -> list[Print]:
        if by_id is None:
            rows = self._ask(instrument, "fetch_trades", instrument, cursor_ms, limit)
        else:
            rows = self._ask(instrument, "fetch_trades", instrument, None, limit, {"fromId": by_id})
        with _readable("trades"):
            return sorted((print_of(row) for row in rows), key=_place)

    def _ask(self, instrument: str, method: str, *given: Any) -> Any:
        self._check([instrument])
        return self._call(method, *given)

    def _call(self, method: str, *given: Any) -> Any:
        errors = library().BaseError
        with self._lock:
            try:
                return getattr(self._client, method)(*given)
            except errors as problem:
                raise ours(problem, self._client.last_response_headers) from problem
            except UNREADABLE as problem:
                msg = f"{self.name}: the answer to {method} cannot be read: {type(problem).__name__}: {problem}"
                raise BadPayload(msg, method=method) from problem


def _place(print_: Print) -> tuple[int, int]:
    """Its place in time; ccxt orders ids of one moment as texts."""
    return print_.at_ns, int(print_.id) if print_.id.isdigit() else 0


def _identity(print_: Print) -> tuple[object, ...]:
    return (print_.id,) if print_.id else (print_.at_ns, print_.price, print_.quantity, print_.side)


class _readable:  # noqa: N801  used like a function
    """Whatever a strange answer makes of our reading is a ``BadPayload``."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, problem: BaseException | None, _trace: object) -> None:
        if isinstance(problem, UNREADABLE) and not isinstance(problem, BookError):
            msg = f"{self._what} cannot be read: {type(problem).__name__}: {problem}"
            raise BadPayload(msg) from problem


def _moved(urls: Any, client: Any, base_url: str | None, stream_url: str | None) -> Any:
    """Put other hosts into a tree of addresses; paths stay."""
    if isinstance(urls, dict):
        return {name: _moved(item, client, base_url, stream_url) for name, item in urls.items()}
    if not isinstance(urls, str):
        return urls
    old = urlsplit(urls)
    base = stream_url if old.scheme in {"ws", "wss"} else base_url
    if base is None:
        return urls
    new = urlsplit(base)
    if new.scheme not in {"http", "https", "ws", "wss"} or not new.netloc:
        msg = f"{base!r} is no address; write http://host:port, or ws://host:port for streams"
        raise InputError(msg, value=base)
    return urlunsplit((new.scheme, new.netloc, new.path.rstrip("/") + old.path, old.query, old.fragment))


def _read_as_text(client: Any) -> None:
    """Have ccxt keep the digits of numbers that a venue writes without quotes, and refuse what is no JSON."""
    refused, is_good = library().BadResponse, True

    def body(code: int, _reason: str, url: str, *rest: Any) -> str:
        nonlocal is_good
        text: str = rest[2].strip()
        is_good = code == 200
        if is_good and not text.startswith(("{", "[")):
            msg = f"{url} answered {text[:80]!r}, which is no JSON"
            raise refused(msg)
        return text

    def parsed(text: str) -> Any:
        try:
            return json.loads(text, parse_float=str)
        except ValueError as problem:
            if not is_good:
                raise  # ccxt goes by the status
            msg = f"{text[:80]!r} is no JSON: {problem}"
            raise refused(msg) from None

    client.on_rest_response = body
    client.on_json_response = parsed
