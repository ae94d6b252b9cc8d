"""Signals that nothing executed in time: they expire, and what still rests of them is taken back."""

import heapq
from collections.abc import Iterable

from onebook.book.core import Core
from onebook.domain import times
from onebook.domain.commands import Command, Record
from onebook.domain.decide.signals import SIGNAL
from onebook.domain.facts import OrderUpdate, Signal, SignalUpdate
from onebook.domain.numbers import ZERO

_WORKS = frozenset({"new", "triggered", "partially_filled"})


class Expiring:
    """The signals of some strategies that wait to be executed.

    Args:
        book: which.
        strategies: (account, strategy) whose signals.
    """

    def __init__(self, book: Core, strategies: Iterable[tuple[str, str]]) -> None:
        self._book = book
        self._strategies = list(strategies)
        self._waiting: list[tuple[int, str, str]] = []

    def read(self) -> None:
        """Read from the book what waits."""
        self._waiting.clear()
        for account, strategy in self._strategies:
            for item in self._book.signals(account=account, strategy=strategy, status="GENERATED"):
                self.add(item.signal)

    def add(self, signal: Signal) -> None:
        """Let a signal expire at its time."""
        if signal.expires_at is not None:
            at = times.from_datetime("expires_at", signal.expires_at)
            heapq.heappush(self._waiting, (at, signal.account, signal.signal_id))

    def is_due(self, now_ns: int) -> bool:
        """Say whether the time of one is over."""
        return bool(self._waiting) and self._waiting[0][0] <= now_ns

    def look(self, now_ns: int) -> int:
        """Let expire what is due; return how many signals that were."""
        expired = 0
        while self.is_due(now_ns):
            at, account, signal_id = heapq.heappop(self._waiting)
            with self._book.store.reading() as reader:
                row = reader.record(SIGNAL, account, signal_id, None)
            if row is None or row[4] != "GENERATED":
                continue
            update = SignalUpdate(
                signal_id=signal_id,
                account=account,
                status="EXPIRED",
                reason="nothing executed it in time",
                occurred_ns=at,
            )
            self._book.submit(Record(update), *self._taken_back(account, signal_id, now_ns), along=lambda _store: None)
            expired += 1
        return expired

    def _taken_back(self, account: str, signal_id: str, now_ns: int) -> list[Command]:
        """Return the wishes to end what a signal's orders could still open."""
        return [
            Record(
                OrderUpdate(
                    client_order_id=item.client_order_id,
                    account=account,
                    status="pending_cancel",
                    reason="its signal expired",
                    occurred_ns=now_ns,
                )
            )
            for item in self._book.orders(account=account, is_open=True)
            if item.signal_id == signal_id
            and item.status in _WORKS
            and not item.reduce_only
            and item.filled_quantity == ZERO
        ]
