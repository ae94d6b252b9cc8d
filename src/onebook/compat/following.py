"""Who follows a manager: the older subscribers and callbacks, each one a reader of the book's log.

Frontends and callbacks are live listeners: told what happens from now on. Portfolio services and notifications are
durable subscribers: their place in the log is kept in the book, under a name made of the callback's own, so that a
program that adds the same callback at its next start goes on where it was. A subscriber that raises stays.
"""

import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Protocol

from onebook.app import Book
from onebook.compat import current
from onebook.compat.events import LIVE_TYPES, LOGGED_TYPES, Telling, TradeEvent
from onebook.compat.positions import Position
from onebook.compat.trades import Trade
from onebook.domain.reports import Event
from onebook.errors import InputError, StoreError

DRAIN_SECONDS = 3.0
"""How long a shutdown waits for subscribers that are still being told something."""

_LOOK_SECONDS = 0.005
_ODD = re.compile(r"[^A-Za-z0-9_]+")

Callback = Callable[..., Any]
Handler = Callable[[Event], Any]


class Handle(Protocol):
    """What the book returns for a reader."""

    @property
    def lag(self) -> int:
        """Entries that it was not told yet."""

    def close(self) -> None:
        """Stop it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """One callback, and the reader that calls it. ``kind`` is what it was added as; ``name`` only of a durable one."""

    kind: str
    callback: Callback
    handle: Handle
    name: str = ""


class Followers:
    """The callbacks of one manager.

    Args:
        book: returns the book that is followed.
        account: whose events they are told.
    """

    def __init__(self, book: Callable[[], Book], account: str) -> None:
        self._book = book
        self._account = account
        self._lock = threading.RLock()
        self._there: tuple[Follower, ...] = ()

    def of(self, kind: str) -> list[Callback]:
        """Return the callbacks of one kind, in the order in which they were added."""
        return [item.callback for item in self._there if item.kind == kind]

    @property
    def lag(self) -> int:
        """Entries that the slowest was not told yet."""
        return max((item.handle.lag for item in self._there), default=0)

    def add_live(self, kind: str, callback: Callback, handler: Callable[["Telling"], Handler]) -> None:
        """Let a callback be told what happens from now on; one that is there already stays as it is.

        Args:
            kind: what it is.
            callback: for finding it again.
            handler: makes what is called with each of the book's events.
        """
        with self._lock:
            if callback in self.of(kind):
                return
            book = self._book()
            telling = Telling(book, self._account)
            handle = book.listen(handler(telling), types=LIVE_TYPES, accounts=(self._account, ""))
            self._join(Follower(kind=kind, callback=callback, handle=handle))

    def add_durable(self, kind: str, callback: Callback, *, attempts: int | None) -> None:
        """Let a callback be told everything at least once; one that is there already stays as it is.

        Args:
            kind: what it is; part of its name.
            callback: takes a trade event.
            attempts: how often an event is tried before it is put aside; None: for ever.
        """
        with self._lock:
            if callback in self.of(kind):
                return
            book = self._book()
            name = self._name(kind, callback)
            handler = _tells(callback)(Telling(book, self._account))
            handle = book.subscribe(name, handler, types=LOGGED_TYPES, accounts=(self._account,), attempts=attempts)
            self._join(Follower(kind=kind, callback=callback, handle=handle, name=name))

    def _join(self, follower: Follower) -> None:
        self._there += (follower,)
        current.keep_open(self)

    def remove(self, kind: str, callback: Callback) -> bool:
        """Stop telling a callback; what it was not told yet is not owed to it any more. False when it is not there."""
        with self._lock:
            gone = [item for item in self._there if item.kind == kind and item.callback == callback]
            self._there = tuple(item for item in self._there if item not in gone)
        for item in gone:
            item.handle.close()
            if item.name:
                self._forget(item.name)
        return bool(gone)

    def _forget(self, name: str) -> None:
        """Forget how far a durable one was, so that it begins anew when it is added again."""
        try:
            self._book().subscribers.remove(name)
        except (InputError, StoreError):  # another process serves it, or it removed itself: its place stays
            return

    def close(self) -> None:
        """Tell everybody what is recorded already, for a few seconds at most, and stop.

        What a durable one was not told comes at the next start.
        """
        drain(lambda: self.lag)
        with self._lock:
            leaving, self._there = self._there, ()
        for item in leaving:
            item.handle.close()
        current.let_go(self)

    def _name(self, kind: str, callback: Callback) -> str:
        account = "" if self._account == "main" else f"{_ODD.sub('_', self._account)}."
        name = f"compat.{kind}.{account}{label(callback)}"[:180]
        taken = {item.name for item in self._there}
        number = 1
        while (found := name if number == 1 else f"{name}.{number}") in taken:
            number += 1
        return found


def drain(lag: Callable[[], int]) -> None:
    """Wait until there is no lag, for a few seconds at most.

    Args:
        lag: returns it.
    """
    until = monotonic() + DRAIN_SECONDS
    with suppress(StoreError):  # the book was closed before: what is left comes at the next start
        while lag() and monotonic() < until:
            sleep(_LOOK_SECONDS)


def label(callback: Callback) -> str:
    """Return what names a callback from one start of a program to the next: its module and its own name."""
    stated = getattr(callback, "label", None)
    if isinstance(stated, str) and stated:
        return stated
    inner = getattr(callback, "func", callback)  # of functools.partial
    named = inner if hasattr(inner, "__qualname__") else type(inner)
    module = getattr(named, "__module__", None) or ""
    if module == "__main__":
        module = Path(str(getattr(sys.modules["__main__"], "__file__", None) or "main")).stem
    return ".".join(_ODD.sub("_", part).strip("_") for part in f"{module}.{named.__qualname__}".split(".") if part)


def _tells(callback: Callback) -> Callable[[Telling], Handler]:
    """Return what calls a callback with every trade event."""

    def handler(telling: Telling) -> Handler:
        def tell(event: Event) -> Any:
            told = telling.told(event)
            return None if told is None else callback(told)

        return tell

    return handler


def _picks(callback: Callback, pick: Callable[[TradeEvent], tuple[Any, ...] | None]) -> Callable[[Telling], Handler]:
    """Return what calls a callback with what is picked of a trade event."""

    def chosen(told: TradeEvent) -> Any:
        given = pick(told)
        return None if given is None else callback(*given)

    return _tells(chosen)


def _trade(told: TradeEvent) -> tuple[Trade] | None:
    return (told.trade,) if told.event_type == "trade_executed" and told.trade is not None else None


def _position(told: TradeEvent) -> tuple[Position] | None:
    if told.event_type not in {"position_updated", "position_closed"}:
        return None
    position = told.position
    return None if position is None else (position,)


def _price(told: TradeEvent) -> tuple[Any, Any] | None:
    if told.event_type != "price_updated":
        return None
    return told.metadata["symbol"], told.metadata["new_price"]


class Followed:
    """What a manager offers to those who want to be told. Callbacks run on threads of their own, one at a time each."""

    _followers: Followers

    def add_frontend_subscriber(self, callback: Callable[[TradeEvent], Any]) -> None:
        """Tell a frontend what happens from now on, prices too."""
        self._followers.add_live("frontend", callback, _tells(callback))

    def remove_frontend_subscriber(self, callback: Callable[[TradeEvent], Any]) -> None:
        """Stop telling a frontend."""
        self._followers.remove("frontend", callback)

    def add_portfolio_service_subscriber(
        self, callback: Callable[[TradeEvent], Any], *, attempts: int | None = 8
    ) -> None:
        """Tell a portfolio service every trade and position change, at least once, over restarts.

        Args:
            callback: called again with the same event when it raises, after a growing wait.
            attempts: how often; then the event is put aside (``onebook subscribers``). None: for ever.

        Raises:
            StoreError: the book is read_only.
        """
        self._followers.add_durable("portfolio", callback, attempts=attempts)

    def remove_portfolio_service_subscriber(self, callback: Callable[[TradeEvent], Any]) -> None:
        """Stop telling a portfolio service, and forget how far it was."""
        self._followers.remove("portfolio", callback)

    def add_notification_subscriber(self, callback: Callable[[TradeEvent], Any]) -> None:
        """Tell what sends notifications every trade and position change; one that raises is tried for ever.

        Raises:
            StoreError: the book is read_only.
        """
        self._followers.add_durable("notification", callback, attempts=None)

    def remove_notification_subscriber(self, callback: Callable[[TradeEvent], Any]) -> None:
        """Stop telling what sends notifications, and forget how far it was."""
        self._followers.remove("notification", callback)

    def add_trade_callback(self, callback: Callable[[Trade], Any]) -> None:
        """Call with each new trade from now on."""
        self._followers.add_live("trade", callback, _picks(callback, _trade))

    def remove_trade_callback(self, callback: Callable[[Trade], Any]) -> None:
        """Stop calling with trades."""
        self._followers.remove("trade", callback)

    def add_position_callback(self, callback: Callable[[Position], Any]) -> None:
        """Call with a position each time it changes or closes, also in value, from now on."""
        self._followers.add_live("position", callback, _picks(callback, _position))

    def remove_position_callback(self, callback: Callable[[Position], Any]) -> None:
        """Stop calling with positions."""
        self._followers.remove("position", callback)

    def add_price_callback(self, callback: Callable[..., Any]) -> None:
        """Call with symbol and price when a price changes, from now on; at most twenty times a second per symbol."""
        self._followers.add_live("price", callback, _picks(callback, _price))

    def remove_price_callback(self, callback: Callable[..., Any]) -> None:
        """Stop calling with prices."""
        self._followers.remove("price", callback)

    @property
    def _frontend_subscribers(self) -> list[Callback]:
        """The frontends, for looking at."""
        return self._followers.of("frontend")

    @property
    def _portfolio_service_subscribers(self) -> list[Callback]:
        """The portfolio services, for looking at."""
        return self._followers.of("portfolio")

    @property
    def _notification_subscribers(self) -> list[Callback]:
        """What sends notifications, for looking at."""
        return self._followers.of("notification")
