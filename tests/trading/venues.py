"""Venues for tests that say nothing by themselves: what they know is what they are told to know."""

from dataclasses import dataclass, field

from onebook import Order, OrderUpdate
from onebook.trading.brokers.port import Found, Reports


@dataclass
class Deaf:
    """Notes what it is sent and asked, answers nothing, and can be out of reach."""

    venue: str = "v"
    accounts: frozenset[str] = frozenset({"main"})
    is_certain: bool = False
    knows: dict[str, Found] = field(default_factory=dict)
    problem: Exception | None = None
    asked: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    canceled: list[str] = field(default_factory=list)

    def start(self, reports: Reports) -> None: ...

    def submit(self, order: Order) -> None:
        self._reach()
        self.sent.append(order.client_order_id)
        if self.is_certain:
            self.knows[order.client_order_id] = Found()

    def cancel(self, account: str, client_order_id: str) -> None:
        self._reach()
        self.canceled.append(client_order_id)

    def replace(self, account: str, client_order_id: str, **terms: object) -> None: ...

    def find(self, account: str, client_order_id: str) -> Found | None:
        self.asked.append(client_order_id)
        self._reach()
        return self.knows.get(client_order_id)

    def close(self) -> None: ...

    def _reach(self) -> None:
        if self.problem is not None:
            raise self.problem


def said(name: str, what: str, **more: object) -> OrderUpdate:
    """What a venue says of an order."""
    return OrderUpdate(client_order_id=name, status=what, venue_order_id=f"v-{name}", **more)  # type: ignore[arg-type]
