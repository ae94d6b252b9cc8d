"""Signals that nothing executed in time: they expire, and what still rests of them is taken back by who trades it."""

import heapq
from collections.abc import Iterable, Sequence

from onebook.book.core import Core
from onebook.domain import times
from onebook.domain.commands import Command, Record
from onebook.domain.decide.signals import SIGNAL
from onebook.domain.facts import OrderUpdate, Signal, SignalUpdate
from onebook.domain.numbers import ZERO
from onebook.domain.orders import CANCELABLE
from onebook.domain.reports import OrderState
from onebook.errors import InvalidTransition
from onebook.store.codec import decode

MAX_WAITING = 10_000
"""Most signals that are kept in mind, those first that expire first; the others are read when these are done."""


class Expiring:
    """The signals that wait to be executed: of some strategies, or of the whole book. Not thread-safe.

    Args:
        book: on which.
        strategies: (account, strategy) whose signals, and whose orders are taken back with them; None: the signals of
            all, and no orders: who trades them takes them back.
    """

    def __init__(self, book: Core, strategies: Iterable[tuple[str, str]] | None = None) -> None:
        self._book = book
        self._strategies: Sequence[tuple[str, str]] | None = None if strategies is None else list(strategies)
        self._waiting: list[tuple[int, str, str]] = []
        self._has_more = False
        self._seen: int | None = None

    def read(self) -> None:
        """Read from the book what waits."""
        self._waiting.clear()
        self._has_more = False
        self._seen = self._book.wakeups.look()
        if self._strategies is None:
            for item in self._book.signals(status="GENERATED"):
                self.add(item.signal)
            return
        for account, strategy in self._strategies:
            for item in self._book.signals(account=account, strategy=strategy, status="GENERATED"):
                self.add(item.signal)
            for order in self._book.orders(account=account, strategy=strategy, is_open=True):
                self._add_left(order)

    def add(self, signal: Signal) -> None:
        """Let a signal expire at its time."""
        if signal.expires_at is not None:
            self._push(times.from_datetime("expires_at", signal.expires_at), signal.account, signal.signal_id)

    def _add_left(self, order: OrderState) -> None:
        """Take in a signal that somebody else let expire, where an order of it still rests."""
        held = self._held(order.account, order.signal_id) if order.signal_id else None
        if held is not None and held[0] == "EXPIRED" and held[1] is not None:
            self._push(held[1], order.account, order.signal_id)

    def _push(self, at_ns: int, account: str, signal_id: str) -> None:
        heapq.heappush(self._waiting, (at_ns, account, signal_id))
        if len(self._waiting) > MAX_WAITING:
            self._waiting = heapq.nsmallest(MAX_WAITING // 2, self._waiting)
            self._has_more = True

    def follow(self) -> None:
        """Take in what was detected since the last time; read everything the first time."""
        if self._seen is None or (self._has_more and not self._waiting):
            self.read()
            return
        head = self._book.wakeups.look()
        if head == self._seen:
            return
        for event in self._book.events(after=self._seen, types="signal_detected"):
            signal_id = str(event.data.get("signal_id", ""))
            held = self._held(event.account, signal_id)
            if held is not None and held[1] is not None:
                self._push(held[1], event.account, signal_id)
            head = max(head, event.sequence)
        self._seen = head

    def forget(self) -> None:
        """Read everything anew the next time: others may have looked meanwhile."""
        self._seen = None

    def is_due(self, now_ns: int) -> bool:
        """Say whether the time of one is over."""
        return bool(self._waiting) and self._waiting[0][0] <= now_ns

    def look(self, now_ns: int) -> int:
        """Let expire what is due; return how many signals that were."""
        expired = 0
        while self.is_due(now_ns):
            at, account, signal_id = heapq.heappop(self._waiting)
            held = self._held(account, signal_id)
            if held is None or held[0] not in {"GENERATED", "EXPIRED"}:
                continue
            wanted = self._taken_back(account, signal_id, now_ns)
            if held[0] == "GENERATED":
                update = SignalUpdate(
                    signal_id=signal_id,
                    account=account,
                    status="EXPIRED",
                    reason="nothing executed it in time",
                    occurred_ns=at,
                )
                wanted.insert(0, Record(update))
            if not wanted:
                continue
            try:
                self._book.submit(*wanted, along=lambda _store: None)
            except InvalidTransition:  # it was executed, or an order came to its end, in between: look once more
                self._push(now_ns + times.SECOND, account, signal_id)
                continue
            expired += held[0] == "GENERATED"
        return expired

    def _held(self, account: str, signal_id: str) -> tuple[str, int | None] | None:
        """Return a signal's status and when it expires, nanoseconds since 1970 UTC; None where the book has none."""
        with self._book.store.reading() as reader:
            row = reader.record(SIGNAL, account, signal_id, None)
        if row is None:
            return None
        expires = decode(row[1]).get("expires_at")
        return str(row[4]), None if expires is None else times.from_text("expires_at", str(expires))

    def _taken_back(self, account: str, signal_id: str, now_ns: int) -> list[Command]:
        """Return the wishes to end what a signal's orders could still open."""
        if self._strategies is None:
            return []
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
            and item.status in CANCELABLE
            and not item.reduce_only
            and item.filled_quantity == ZERO
        ]
