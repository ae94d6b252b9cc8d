"""One websocket session of ccxt: made by its own asynchronous client, watched instrument by instrument.

ccxt connects again by itself when nobody looks, and says nothing. Here a second connection to one address ends the
session, so that the stream makes a new one and fills the gap. The session's client is never used twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Any

from onebook.clock import Clock
from onebook.domain.market import Bar
from onebook.errors import BookError, InputError, SourceError
from onebook.market.providers.ccxt_rows import UNREADABLE, bar_of, library, ours, print_of, quote_of
from onebook.market.streams import PRINTS, QUOTES, Receiver

CLOSE_SECONDS = 5.0
UNWATCH_SECONDS = 5.0


class CcxtConnection:
    """A ``Connection`` over ``ccxt.pro``.

    Args:
        make: makes the asynchronous client, with its markets.
        kinds: what to watch.
        trade_options: what the venue needs so that its prints carry the ids of its history.
        clock: gives the moment, where the venue gives none.
    """

    def __init__(
        self, make: Callable[[], Any], kinds: tuple[str, ...], trade_options: dict[str, Any], clock: Clock
    ) -> None:
        self._make = make
        self._kinds = kinds
        self._trade_options = trade_options
        self._clock = clock
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._urls: set[str] = set()
        self._client: Any = None
        self._ended: asyncio.Future[None]
        self._receiver: Receiver

    async def run(self, instruments: Collection[str], receiver: Receiver) -> None:
        """Connect, subscribe, and tell what comes until it breaks.

        Raises:
            SourceError: it broke, or could not be made.
        """
        self._receiver = receiver
        self._ended = asyncio.get_running_loop().create_future()
        self._client = self._make()
        self._client.on_connected = self._connected
        await self.add(instruments)
        await self._ended

    def _connected(self, client: Any, _message: Any = None) -> None:
        if client.url in self._urls:
            self._end(SourceError(f"{self._client.id}: the connection broke and was made again"))
            return
        is_first = not self._urls
        self._urls.add(client.url)
        if is_first:
            self._receiver.opened()

    def _end(self, problem: BaseException) -> None:
        if not self._ended.done():
            self._ended.set_exception(problem)

    async def add(self, instruments: Collection[str]) -> None:
        """Watch these too."""
        for instrument in instruments:
            for kind in self._kinds:
                if (instrument, kind) not in self._tasks:
                    work = self._watch(instrument, kind)
                    self._tasks[instrument, kind] = asyncio.get_running_loop().create_task(work)

    async def remove(self, instruments: Collection[str]) -> None:
        """Watch these no more; the venue is told where ccxt can."""
        for instrument in instruments:
            for kind in self._kinds:
                task = self._tasks.pop((instrument, kind), None)
                if task is not None:
                    task.cancel()
                    await asyncio.wait({task})
                    await self._unwatch(instrument, kind)

    async def close(self) -> None:
        """Give it back."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._client is not None:
            closing = asyncio.ensure_future(self._client.close())
            await asyncio.wait({closing}, timeout=CLOSE_SECONDS)
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)

    # ---- one instrument, one kind ----

    async def _watch(self, instrument: str, kind: str) -> None:
        ccxt = library()
        deliver = self._deliverer(instrument, kind)
        try:
            while True:
                deliver(await self._next(instrument, kind))
        except (ccxt.BadSymbol, ccxt.NotSupported, ccxt.ArgumentsRequired) as problem:
            self._receiver.refused(instrument, str(ours(problem)))
        except ccxt.BaseError as problem:
            found = ours(problem)
            if isinstance(found, InputError) and not isinstance(problem, ccxt.AuthenticationError):
                self._receiver.refused(instrument, str(found))
            else:
                self._end(found)
        except BookError as problem:
            self._end(problem)
        except UNREADABLE as problem:
            self._end(SourceError(f"what the venue sent cannot be read: {type(problem).__name__}: {problem}"))

    def _deliverer(self, instrument: str, kind: str) -> Callable[[Any], None]:
        if kind == PRINTS:
            return self._prints
        return partial(self._quotes, instrument) if kind == QUOTES else self._bars(instrument, kind)

    def _next(self, instrument: str, kind: str) -> Awaitable[Any]:
        client = self._client
        if kind == PRINTS:
            return client.watch_trades(instrument, params=dict(self._trade_options))  # type: ignore[no-any-return]
        if kind != QUOTES:
            return client.watch_ohlcv(instrument, kind)  # type: ignore[no-any-return]
        if client.has.get("watchBidsAsks"):
            return client.watch_bids_asks([instrument])  # type: ignore[no-any-return]
        return client.watch_ticker(instrument)  # type: ignore[no-any-return]

    async def _unwatch(self, instrument: str, kind: str) -> None:
        """Tell the venue; where that cannot be, what comes is not looked at."""
        ccxt = library()
        client, names = self._client, {PRINTS: "unWatchTrades", QUOTES: "unWatchBidsAsks"}
        if not client.has.get(names.get(kind, "unWatchOHLCV")):
            return
        if kind == PRINTS:
            asked = client.un_watch_trades(instrument, dict(self._trade_options))
        elif kind == QUOTES:
            asked = client.un_watch_bids_asks([instrument])
        else:
            asked = client.un_watch_ohlcv(instrument, kind)
        try:
            await asyncio.wait_for(asked, UNWATCH_SECONDS)
        except (ccxt.BaseError, TimeoutError) as problem:
            self._end(SourceError(f"{instrument} could not be unsubscribed: {problem}"))

    def _prints(self, trades: list[dict[str, Any]]) -> None:
        for trade in trades:
            self._receiver.seen(print_of(trade))

    def _quotes(self, instrument: str, found: dict[str, Any]) -> None:
        ticker = found.get(instrument, found)
        quote = quote_of(instrument, ticker, self._clock())
        if quote is not None:
            self._receiver.seen(quote)

    def _bars(self, instrument: str, timeframe: str) -> Callable[[list[list[Any]]], None]:
        """Tell running bars; one is final when the next begins, as ccxt does not say."""
        running: Bar | None = None

        def deliver(rows: list[list[Any]]) -> None:
            nonlocal running
            for row in rows:
                bar = bar_of(instrument, timeframe, row, None)
                if running is not None and bar.opened_ns > running.opened_ns:
                    self._receiver.seen(replace(running, is_final=True))
                running = bar
                self._receiver.seen(bar)

        return deliver
