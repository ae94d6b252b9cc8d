"""Prices as live events: conflated per instrument, so that a slow listener gets the newest and no queue grows."""

import threading
from collections.abc import Iterator
from typing import Any

from onebook.book.core import Core
from onebook.book.log import Filter
from onebook.domain import times
from onebook.domain.numbers import plain
from onebook.domain.reports import Event, Position, as_plain

EVERY_SECONDS = 0.05
"""How often one instrument's price is told at most."""

TYPES = ("price_updated", "position_updated")


class LivePrices:
    """The prices that one listener was not told yet.

    Args:
        book: for the positions that a price moves.
        wanted: which events; size does not count.
    """

    def __init__(self, book: Core, wanted: Filter) -> None:
        self._book = book
        self._wanted = wanted
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[Any, int, str]] = {}
        self._told: dict[str, Any] = {}
        self._next = 0.0

    def take(self, instrument: str, price: Any, at: int, source: str) -> bool:
        """Keep the newest price of an instrument; True when the listener is to be woken."""
        if self._wanted.instruments is not None and instrument not in self._wanted.instruments:
            return False
        with self._lock:
            first = not self._waiting
            self._waiting[instrument] = (price, at, source)
        return first

    def due(self, now: float) -> float | None:
        """Return in how many seconds the next prices may be told; None when none waits."""
        with self._lock:
            return max(self._next - now, 0.0) if self._waiting else None

    def events(self, now: float) -> Iterator[Event]:
        """Yield the events of the prices that wait, if it is time."""
        with self._lock:
            if not self._waiting or now < self._next:
                return
            taken, self._waiting = self._waiting, {}
        self._next = now + EVERY_SECONDS
        for instrument, (price, at, source) in taken.items():
            old = self._told.get(instrument)
            told = price_event(instrument, old, price, at, source)
            if self._wanted.wants(told):
                self._told[instrument] = price
                yield told
            if self._wanted.wants_type("position_updated"):
                yield from self._positions(instrument, at)

    def _positions(self, instrument: str, at: int) -> Iterator[Event]:
        for position in self._book.positions(instrument=instrument):
            event = position_event(position, at)
            if self._wanted.wants(event):
                yield event


def wants_prices(wanted: Filter) -> bool:
    """Say whether a filter lets live events through."""
    return any(wanted.wants_type(name) for name in TYPES)


def price_event(instrument: str, old: Any, new: Any, at: int, source: str) -> Event:
    """Return what a listener is told of a price: the one it was told before, None for the first, and the new one."""
    data = {
        "instrument": instrument,
        "old_price": None if old is None else plain(old),
        "new_price": plain(new),
        "source": source,
    }
    return _live("price_updated", at, data, instrument=instrument)


def position_event(position: Position, at: int) -> Event:
    """Return what a listener is told of a position that a price moved; without an id, it is not in the log."""
    data = as_plain(position)
    for name in ("account", "instrument", "strategy", "basis", "sequence"):
        data.pop(name)
    return _live(
        "position_updated",
        at,
        data | {"cause": "mark"},
        instrument=position.instrument,
        account=position.account,
        strategy=position.strategy or "",
    )


def _live(name: str, at: int, data: dict[str, Any], *, instrument: str, account: str = "", strategy: str = "") -> Event:
    moment = times.to_datetime(at)
    return Event(
        id="",
        sequence=0,
        type=name,
        version=1,
        occurred_at=moment,
        recorded_at=moment,
        actor="",
        correlation_id="",
        account=account,
        instrument=instrument,
        strategy=strategy,
        data=data,
    )
