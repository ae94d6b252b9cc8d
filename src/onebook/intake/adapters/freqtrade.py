"""A mixin that lets a freqtrade strategy record itself, through freqtrade's own callbacks.

freqtrade is never imported here: a strategy brings it along. See ``docs/how-to/join-freqtrade.md``.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar

from onebook.book.core import Core
from onebook.domain import facts
from onebook.feed.calling import tried
from onebook.intake.adapters.freqtrade_reading import definition_of, of_confirmation, of_order
from onebook.intake.adapters.recorder import Item, Recorder, new_id
from onebook.intake.adapters.recorder_known import named
from onebook.intake.adapters.recorder_place import spool_name
from onebook.intake.adapters.recorder_seen import as_row
from onebook.intake.adapters.spool import Spool

__all__ = ["Recording"]

MAX_SIGNALS = 1000
"""Most trades whose signals are kept in memory."""
PAPER = "-dry-run"
"""What the account of a dry run is called after the one of live trading."""

_ORDER = ("pair", "trade", "order", "current_time")
_CALLBACKS: dict[str, tuple[str, ...]] = {
    "bot_start": (),
    "bot_loop_start": ("current_time",),
    "confirm_trade_entry": (
        "pair", "order_type", "amount", "rate", "time_in_force", "current_time", "entry_tag", "side",
    ),
    "check_entry_timeout": _ORDER,
    "check_exit_timeout": _ORDER,
    "order_filled": _ORDER,
    "ft_bot_cleanup": (),
}  # fmt: skip
"""freqtrade's callbacks that are listened to, with the names of what they are given."""

_log = logging.getLogger("onebook.recorder")


class Recording:
    """Put it beside ``IStrategy``: ``class MyStrategy(onebook.freqtrade.Recording, IStrategy)``.

    Every signal that becomes an order, every order that freqtrade reports on, what is filled of it at which price and
    fee, why a trade was closed, and funding go into the book. The strategy's own callbacks are called as before, with
    the same arguments, and may or may not call ``super()``. Nothing that goes wrong in recording reaches the bot.

    Live and dry runs are recorded, a dry run into an account of its own, of kind paper. Backtests are not.

    Attributes:
        onebook_url: the book; else ONEBOOK_URL, else the user's book.
        onebook_strategy: its name in the book; else ONEBOOK_STRATEGY, else the name of the class.
        onebook_account: the account; else ONEBOOK_ACCOUNT, else ``main``. A dry run adds ``-dry-run``.
        onebook_spool: file, or folder, for facts that the book does not take; else in freqtrade's user data.
    """

    onebook_url: ClassVar[str | None] = None
    onebook_strategy: ClassVar[str] = ""
    onebook_account: ClassVar[str] = ""
    onebook_spool: ClassVar[str] = ""

    @staticmethod
    def onebook_open(url: str | None) -> Core:
        """Open the book."""
        msg = f"{url}: nothing here opens books; take Recording from onebook.freqtrade"
        raise TypeError(msg)

    def __init_subclass__(cls, **named_so: Any) -> None:
        """Listen to the callbacks of a strategy class, those that it inherits too."""
        super().__init_subclass__(**named_so)
        for name in _CALLBACKS:
            own = next((vars(kind)[name] for kind in cls.__mro__ if name in vars(kind)), None)
            if callable(own) and not hasattr(own, "onebook_listens"):
                setattr(cls, name, _listening(name, own))


def _listening(name: str, own: Callable[..., Any]) -> Callable[..., Any]:
    """Return a callback that tells what it was given, and gives it on."""

    @wraps(own)
    def callback(self: Any, *args: Any, **given: Any) -> Any:
        joint = _joint_of(self)
        if joint is None or not joint.begin(name):  # not recorded, or the strategy called super()
            return own(self, *args, **given)
        try:
            told = dict(zip(_CALLBACKS[name], args, strict=False)) | given
            joint.tell(name, told)
            answer = own(self, *args, **given)
            if name == "confirm_trade_entry" and not answer:
                joint.tell("denied", told)
            elif name == "ft_bot_cleanup":
                joint.close()
            return answer
        finally:
            joint.end(name)

    callback.onebook_listens = True  # type: ignore[attr-defined]
    return callback


def _joint_of(strategy: Any) -> "Joint | None":
    """Return what records a strategy, made when it is first asked for; None in a backtest."""
    if "_onebook_joint" not in vars(strategy):
        made, problem = tried(lambda: Joint(strategy) if _is_trading(strategy.config) else None)
        _contain(problem)
        strategy._onebook_joint = made  # noqa: SLF001  the mixin's own
    found: Joint | None = vars(strategy)["_onebook_joint"]
    return found


def _is_trading(config: Mapping[str, Any]) -> bool:
    mode = config.get("runmode", "")
    return str(getattr(mode, "value", mode)) in {"live", "dry_run"}


def _contain(problem: BaseException | None) -> None:
    """Log what went wrong while recording; what asks the program to end goes on."""
    if problem is None:
        return
    if not isinstance(problem, Exception):
        raise problem
    _log.error("freqtrade: could not be recorded: %s", problem, exc_info=problem)


class Joint:
    """Records one strategy of a running bot.

    Args:
        strategy: with its ``config``.
    """

    def __init__(self, strategy: Any) -> None:
        config = strategy.config
        mode = config["runmode"]
        self.paper = str(getattr(mode, "value", mode)) == "dry_run"
        self.strategy = strategy.onebook_strategy or os.environ.get("ONEBOOK_STRATEGY") or type(strategy).__name__
        account = strategy.onebook_account or os.environ.get("ONEBOOK_ACCOUNT") or "main"
        self.account = account + PAPER if self.paper else account
        self.venue = str((config.get("exchange") or {}).get("name") or "")
        self._config, self._bot = config, strategy
        self._url: str | None = strategy.onebook_url or os.environ.get("ONEBOOK_URL") or None
        folder = Path(config.get("user_data_dir") or ".")
        name = f"onebook-{spool_name(self.account, self.strategy)}"
        given = Path(strategy.onebook_spool or folder)
        self._spool = (given / name if given.is_dir() or not strategy.onebook_spool else given).absolute()
        self._recorder: Recorder | None = None
        self._known: set[str] = set()
        self._signals: dict[str, str] = {}
        self._trades: dict[Any, str] = {}
        self._inside = threading.local()

    # ---- what the callbacks tell ----

    def begin(self, name: str) -> bool:
        """Say whether a callback is the outermost of its name: a strategy's own calls the one above it."""
        if getattr(self._inside, name, False):
            return False
        setattr(self._inside, name, True)
        return True

    def end(self, name: str) -> None:
        """The outermost callback of this name is over."""
        setattr(self._inside, name, False)

    def tell(self, name: str, told: Mapping[str, Any]) -> None:
        """Record what a callback was given. Never raises."""
        _, problem = tried(lambda: self._told(name, told))
        _contain(problem)

    def _told(self, name: str, told: Mapping[str, Any]) -> None:
        if name in {"bot_start", "bot_loop_start"}:
            self._open()
        elif name == "confirm_trade_entry":
            self._take([self._signal(told)])
        elif name == "denied":
            told_of = self._signals.pop(str(told["pair"]), "")
            reason = "the strategy did not confirm the entry"
            update = facts.SignalUpdate(signal_id=told_of, status="EXPIRED", account=self.account, reason=reason)
            self._take([update])
        elif name in {"order_filled", "check_entry_timeout", "check_exit_timeout"}:
            self._take(self._order(told))

    def _signal(self, told: Mapping[str, Any]) -> facts.Signal:
        signal = of_confirmation(
            pair=told["pair"],
            side=told["side"],
            rate=told["rate"],
            amount=told["amount"],
            now=told["current_time"],
            tag=told.get("entry_tag"),
            timeframe=getattr(self._bot, "timeframe", ""),
            account=self.account,
            strategy=self.strategy,
        )
        self._signals[signal.instrument] = signal.signal_id
        return signal

    def _order(self, told: Mapping[str, Any]) -> list[Item]:
        trade, order = told["trade"], told["order"]
        definition = definition_of(trade)
        found: list[Item] = []
        if definition is not None and definition.symbol not in self._known:
            self._known.add(definition.symbol)
            found.append(definition)  # booked where the book has none of this symbol

        def read() -> Iterable[Item]:
            signal = self._signal_of(trade)
            now = told["current_time"]
            return of_order(trade, order, now, account=self.account, strategy=self.strategy, signal_id=signal)

        recorder = self._open()
        return found + (list(read()) if recorder is None else recorder.read(read, what="order", raw=_shown(order)))

    def _signal_of(self, trade: Any) -> str:
        """Return the signal of a trade: what its entry was confirmed with, here or before a restart."""
        if trade.id not in self._trades:
            pair = str(trade.pair)
            name = self._signals.pop(pair, "")
            if not name and self._recorder is not None:
                book = self._recorder.book
                waiting, _ = tried(
                    lambda: book.signals(
                        account=self.account, strategy=self.strategy, instrument=pair, status="GENERATED"
                    )
                )
                name = waiting[-1].signal.signal_id if waiting else ""
            self._trades[trade.id] = name
            if len(self._trades) > MAX_SIGNALS:
                del self._trades[next(iter(self._trades))]
        return self._trades[trade.id]

    # ---- the book ----

    def _take(self, items: Iterable[Item]) -> None:
        """Hand items to the recorder, or put them aside while the book cannot even be opened."""
        recorder = self._open()
        if recorder is not None:
            recorder.take(items)
            return
        whose = (self.account, self.venue, self.strategy)
        Spool(self._spool).append([as_row(named(item, new_id, _now(item)), *whose) for item in items])

    def _open(self) -> Recorder | None:
        """Return the recorder, opening the book when it is not; None when that fails."""
        if self._recorder is None:
            book, problem = tried(lambda: self._bot.onebook_open(self._url))
            if book is None:
                _log.warning("freqtrade: the book cannot be opened, facts wait in %s: %s", self._spool, problem)
                return None
            self._recorder = Recorder(
                book, strategy=self.strategy, account=self.account, venue=self.venue, spool=self._spool
            )
            if not self._defined("account", "name", self.account):
                self._recorder.take([self._account()])
        return self._recorder

    def _account(self) -> facts.Account:
        currency = str(self._config.get("stake_currency") or "USD")
        kind = "paper" if self.paper else "live"
        return facts.Account(name=self.account, venue=self.venue, currency=currency, kind=kind)

    def _defined(self, kind: str, field: str, name: str) -> bool:
        """Say whether the book has a definition of this name already; a second one would change figures."""
        if self._recorder is None:
            return False
        book = self._recorder.book
        found, _ = tried(lambda: any(getattr(item, field) == name for item in book.facts(kind)))
        return bool(found)

    def close(self) -> None:
        """Let go of the book; what is not booked by now waits in the spool."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.wait(2.0)
            for end in (recorder.close, recorder.book.close):
                _, problem = tried(end)
                _contain(problem)


def _now(item: Item) -> int:
    from onebook.clock import system_clock

    return getattr(item, "occurred_ns", None) or system_clock()


def _shown(order: Any) -> dict[str, Any]:
    return {name: str(value) for name, value in vars(order).items() if not name.startswith("_")}
