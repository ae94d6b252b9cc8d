"""``engine.live_runner``: the documents' runner, a face over the runner of strategies, on a thread of its own.

Orders and fills, positions, signals and the runner's beginning and end are told by the book, as for any runner.
"""

import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from onebook.app import Book
from onebook.compat import current, market
from onebook.compat.managers import TradeManager, get_trade_manager
from onebook.errors import BadConfig, BookError
from onebook.market.port import MarketData
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.brokers.port import Broker
from onebook.trading.runner.runner import Runner
from onebook.trading.runner.strategy import Strategy

_log = logging.getLogger("onebook.compat")
NAME = "live_runner"
STOP_SECONDS = 30.0
"""How long ``stop`` waits for the event that is being dealt with."""


class LiveStrategyRunner:
    """Runs strategies on the book until it is stopped. The book keeps what they do; this keeps who runs.

    Args:
        strategies: one or several of ``onebook.trading.runner.Strategy``.
        brokers: by account. None: every account of the strategies is traded on paper; one that is not defined as a
            paper account is refused.
        source: of market data; None: the one of the data manager.
        name: of the runner; only one of a name runs on a book.
        trade_manager: None for the one of the process; its book is traded on.

    Raises:
        BadConfig: no strategies.
    """

    def __init__(
        self,
        strategies: Strategy | Iterable[Strategy],
        *,
        brokers: Mapping[str, Broker] | None = None,
        source: MarketData | None = None,
        name: str = NAME,
        trade_manager: TradeManager | None = None,
    ) -> None:
        self.name = name
        self.strategies = (strategies,) if isinstance(strategies, Strategy) else tuple(strategies)
        if not self.strategies or not all(isinstance(item, Strategy) for item in self.strategies):
            raise BadConfig("strategies: hand in one or several of onebook.trading.runner.Strategy")
        self._brokers = brokers
        self._source = source
        self._given = trade_manager
        self._lock = threading.Lock()
        self._run: _Run | None = None

    @property
    def trade_manager(self) -> TradeManager:
        """The manager over the book."""
        return self._given or get_trade_manager()

    def start(self) -> bool:
        """Begin, on a thread of its own; False when it runs already.

        What goes wrong from then on, such as a source that does not answer, is in ``get_status()["problem"]``.

        Raises:
            BadConfig: no source of market data, or an account that nobody trades.
            RuleError: an account without broker is not a paper account.
            StoreError: the book cannot be opened.
        """
        book = self.trade_manager.book
        with self._lock:
            if self.is_running():
                return False
            source = self._source or market.source()
            brokers = _on_paper(book, self.strategies) if self._brokers is None else self._brokers
            runner = Runner(book, self.strategies, brokers, name=self.name)
            current.keep_open(self)
            self._run = _Run(self, runner, source)
        return True

    def stop(self, reason: str = "asked to") -> bool:
        """End after the event that is being dealt with, and wait for that; True once it has ended by this.

        Positions and orders stay as they are. It waits for half a minute at most; False then, or when it did not run.

        Args:
            reason: why, for the log.
        """
        run = self._run
        if run is None or not run.thread.is_alive():
            return False
        run.runner.stop(reason)
        if run.thread is not threading.current_thread():
            run.thread.join(STOP_SECONDS)
        return not run.thread.is_alive()

    def is_running(self) -> bool:
        """Say whether it runs."""
        run = self._run
        return run is not None and run.thread.is_alive()

    def get_status(self) -> dict[str, Any]:
        """Return how it stands, as plain values.

        ``is_running name strategies`` (names) ``events`` (dealt with since the start) ``ended`` (why, empty before)
        ``problem`` (what went wrong, empty for nothing) ``trading_state positions_count``.
        """
        run, manager = self._run, self.trade_manager
        accounts = {item.account for item in self.strategies}
        held = [item for account in accounts for item in manager.book.positions(account=account)]
        return {
            "is_running": self.is_running(),
            "name": self.name,
            "strategies": [item.name for item in self.strategies],
            "events": 0 if run is None else run.runner.events,
            "ended": "" if run is None else run.ended,
            "problem": "" if run is None else run.problem,
            "trading_state": manager.book.trading.state,
            "positions_count": len(held),
        }


class _Run:
    """One stretch of running, from its start to its end."""

    def __init__(self, owner: LiveStrategyRunner, runner: Runner, source: MarketData) -> None:
        self.runner = runner
        self._owner = owner
        self.ended = self.problem = ""
        self._source = source
        self.thread = threading.Thread(target=self._go, name="onebook-live-runner", daemon=True)
        self.thread.start()

    def _go(self) -> None:
        try:
            self.ended = self.runner.live(self._source)
        except BookError as problem:
            self.problem = f"{problem.code}: {problem}"
            _log.error("%s ended: %s", self.runner.name, problem)
        finally:
            if not self.ended and not self.problem:
                self.problem = "it broke off; what was raised is on the program's stderr"
            current.let_go(self._owner)


def _on_paper(book: Book, strategies: Iterable[Strategy]) -> dict[str, Broker]:
    """Return a venue on paper for every account; which is no paper account is refused there."""
    accounts = sorted({item.account for item in strategies})
    return {account: PaperBroker(book, account, clock=book.now) for account in accounts}
