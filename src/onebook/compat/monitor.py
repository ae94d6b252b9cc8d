"""``PositionMonitor``: watches what is open. It asks for prices and marks the book with them.

The book does the rest, as for anybody who gives marks: ``position_updated`` is told, and ``stop_triggered`` of a stop
or target that a mark reaches. The monitor keeps nothing itself.
"""

import logging
import threading
from collections.abc import Mapping
from typing import Any

from onebook.app import Book
from onebook.compat import current, market
from onebook.compat.managers import TradeManager, get_trade_manager
from onebook.compat.positions import Position
from onebook.errors import BadConfig, BookError, InputError, StoreClosed

_log = logging.getLogger("onebook.compat")
INTERVAL_SECONDS = 5.0


class PositionMonitor:
    """Watches the open positions of an account until it is stopped.

    Without a source of prices it has nothing to do: marks that the program gives itself count anyway.

    Args:
        older: what the older program handed in besides (exchange, positions, notifier); it is not needed.
        trade_manager: None for the one of the process.
        check_interval: seconds between two looks, above 0.
        others: as ``older``.

    Raises:
        InputError: no such interval.
    """

    def __init__(
        self,
        *older: Any,  # noqa: ARG002  older signatures
        trade_manager: TradeManager | None = None,
        check_interval: float = INTERVAL_SECONDS,
        **others: Any,  # noqa: ARG002  the same
    ) -> None:
        if not check_interval > 0:
            msg = f"check_interval: {check_interval} is not above 0 seconds"
            raise InputError(msg, field="check_interval", value=check_interval)
        self._given = trade_manager
        self._seconds = check_interval
        self._lock = threading.Lock()
        self._watch: _Watch | None = None

    @property
    def trade_manager(self) -> TradeManager:
        """The manager over the book."""
        return self._given or get_trade_manager()

    @property
    def positions(self) -> Mapping[str, Position]:
        """The open positions by symbol."""
        return self.trade_manager.positions

    def get_position(self, symbol: str) -> Position | None:
        """Return the open position in a symbol, None when there is none."""
        return self.trade_manager.get_position(symbol)

    def is_running(self) -> bool:
        """Say whether it watches."""
        watch = self._watch
        return watch is not None and watch.thread.is_alive()

    def start(self) -> None:
        """Begin to watch, on a thread of its own; nothing when it does already.

        Raises:
            StoreError: the book cannot be opened.
        """
        manager = self.trade_manager
        book = manager.book
        with self._lock:
            if self.is_running():
                return
            current.keep_open(self)
            self._watch = _Watch(book, manager.account, self._seconds)

    def stop(self) -> None:
        """Ask for no more prices, and wait until that is so; marks of others still reach stops and targets."""
        with self._lock:
            watch, self._watch = self._watch, None
        if watch is not None:
            watch.end()
        current.let_go(self)


class _Watch:
    """One stretch of watching, from its start to its end."""

    def __init__(self, book: Book, account: str, seconds: float) -> None:
        self._book = book
        self._account = account
        self._seconds = seconds
        self._ended = threading.Event()
        self._said: dict[str, str] = {}
        self.thread = threading.Thread(target=self._run, name="onebook-position-monitor", daemon=True)
        self.thread.start()

    def end(self) -> None:
        """End it, and wait until it does nothing any more."""
        self._ended.set()
        if self.thread is not threading.current_thread():
            self.thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._look()
            except StoreClosed:
                _log.warning("the position monitor ends: the book is closed")
                return
            except BookError as problem:
                self._say("", str(problem))
            self._ended.wait(self._seconds)

    def _look(self) -> None:
        """Ask for the price of everything that is open; who answers marks the book with it."""
        held = sorted({item.instrument for item in self._book.positions(account=self._account)})
        for gone in [symbol for symbol in self._said if symbol and symbol not in held]:
            del self._said[gone]
        for symbol in held:
            if self._ended.is_set():
                return
            try:
                price = market.data().latest_price(symbol)
            except BadConfig as problem:  # nobody to ask: the program gives the marks
                self._say("", str(problem))
                return
            except BookError as problem:
                self._say(symbol, str(problem))
                continue
            self._said.pop(symbol, None)
            if price.is_stale:
                self._say(symbol, f"its price is {price.age_seconds:.0f} s old, {price.source} does not answer")

    def _say(self, symbol: str, what: str) -> None:
        """Log what goes wrong, once until it changes; numbers in it do not count."""
        kind = "".join(mark for mark in what if not mark.isdigit())
        if self._said.get(symbol) != kind:
            self._said[symbol] = kind
            _log.warning("position monitor: %s%s", f"{symbol}: " if symbol else "", what)
