"""Orders in doubt: their venue is asked for them again until it says what became of them, or they are too old."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from onebook.book.core import Core
from onebook.domain import times
from onebook.domain.reports import OrderState
from onebook.errors import SourceError
from onebook.trading.brokers.port import Broker
from onebook.trading.recovering import ask

FIRST_SECONDS = 2.0
"""How long an order may stay without an answer before its venue is asked; it doubles with each time."""

MOST_SECONDS = 60.0
"""Longest time between two questions for an order."""

ASKED_AT_ONCE = 20
"""Most orders asked for in one look; the others come with the next one."""

MAX_DOUBTS = 1000
"""Most orders in doubt that are kept; others are read from the book when these are settled."""

_FIRST_NS = int(FIRST_SECONDS * times.SECOND)
_MOST_NS = int(MOST_SECONDS * times.SECOND)


@dataclass(slots=True)
class _Doubt:
    """When an order is asked for next, and how long it waits after that; nanoseconds."""

    due_ns: int
    wait_ns: int


class Doubts:
    """The orders in doubt of some brokers. Not thread-safe: its owner's lock guards it.

    Args:
        book: whose orders.
        brokers: by account.
        unknown_after_seconds: an order that its venue does not know is rejected when it is older.
        cancel: (account, client_order_id) -> asks for the end of an order that was taken back and is found.
    """

    def __init__(
        self,
        book: Core,
        brokers: Mapping[str, Broker],
        unknown_after_seconds: float,
        cancel: Callable[[str, str], None],
    ) -> None:
        self._book = book
        self._brokers = brokers
        self._unknown_after = unknown_after_seconds
        self._cancel = cancel
        self._held: dict[tuple[str, str], _Doubt] = {}
        self._has_more = False

    def __len__(self) -> int:
        return len(self._held)

    def add(self, account: str, client_order_id: str) -> None:
        """Ask for an order from now on; one that is kept already stays as it is."""
        key = (account, client_order_id)
        if key in self._held:
            return
        if len(self._held) >= MAX_DOUBTS:
            self._has_more = True
            return
        self._held[key] = _Doubt(self._book.now() + _FIRST_NS, _FIRST_NS)

    def read(self, up_to: int) -> None:
        """Take every order in doubt that was placed up to a sequence from the book."""
        self._has_more = False
        for account in self._brokers:
            for order in self._book.orders(account=account, is_open=True):
                if order.is_in_doubt and order.sequence <= up_to:
                    self.add(account, order.client_order_id)

    def is_due(self) -> bool:
        """Say whether an order is to be asked for now."""
        return bool(self._held) and bool(self._due(self._book.now()))

    def look(self, up_to: int) -> int:
        """Ask for what is due; return for how many orders that was.

        A venue that cannot be reached is asked once in a look, not for each of its orders.

        Args:
            up_to: orders placed up to this sequence were handed to their brokers; no other is taken from the book.
        """
        now = self._book.now()
        due = self._due(now)[:ASKED_AT_ONCE]
        silent: set[int] = set()
        for key in due:
            broker = self._brokers[key[0]]
            order = self._book.order(key[1], account=key[0])
            if order is None or not order.is_open or not order.is_in_doubt:
                del self._held[key]
                if order is not None and order.status == "pending_cancel":
                    self._cancel(*key)  # the wish may have been there before the order was
                continue
            if id(broker) not in silent and isinstance(self._ask(broker, order), SourceError):
                silent.add(id(broker))
            self._later(key, order, now)
        if self._has_more and not self._held:
            self.read(up_to)
        return len(due)

    def _ask(self, broker: Broker, order: OrderState) -> str | SourceError:
        return ask(self._book, broker, order, self._unknown_after, self._cancel)

    def _due(self, now: int) -> list[tuple[str, str]]:
        """Return what is due, the longest first; also what a clock that was put back would keep waiting."""
        found = [key for key, doubt in self._held.items() if not now < doubt.due_ns <= now + _MOST_NS]
        return sorted(found, key=lambda key: self._held[key].due_ns)

    def _later(self, key: tuple[str, str], order: OrderState, now: int) -> None:
        """Let an order wait, twice as long as before, and no longer than until it is too old to have arrived."""
        doubt = self._held[key]
        too_old = times.from_datetime("occurred_at", order.occurred_at) + int(self._unknown_after * times.SECOND)
        doubt.wait_ns = min(2 * doubt.wait_ns, _MOST_NS)
        doubt.due_ns = now + doubt.wait_ns
        if now < too_old < doubt.due_ns:
            doubt.due_ns = too_old
