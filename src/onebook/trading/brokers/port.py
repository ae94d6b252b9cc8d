"""What every venue that takes orders can do: the same for paper and live."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from onebook.domain.facts import CashMovement, Fill, FundingPayment, Order, OrderUpdate

Report = OrderUpdate | Fill | CashMovement | FundingPayment
"""What a venue says happened."""

Reports = Callable[[Sequence[Report]], None]
"""Takes what a venue says into the book, in order; durable when it returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a venue knows of one order: updates and fills, each in order. What the book has already may be in it."""

    updates: tuple[OrderUpdate, ...] = ()
    fills: tuple[Fill, ...] = ()


class Broker(Protocol):
    """One venue, and the book's accounts at it.

    An order that is submitted is in the book already, as ``pending_new``. What becomes of it comes through the
    reports: ``new`` or ``rejected``, fills, ``canceled`` and so on. A fill moves the order by itself.
    """

    venue: str
    accounts: frozenset[str]
    is_certain: bool
    """Whether ``find`` knows at once what never arrived, so that sending it now cannot double it."""

    def start(self, reports: Reports) -> None:
        """Connect; from now on what the venue says goes to the reports."""

    def submit(self, order: Order) -> None:
        """Send an order; one that was sent before is not sent again.

        Raises:
            SourceError: nobody knows whether it arrived.
        """

    def cancel(self, account: str, client_order_id: str) -> None:
        """Ask for an order's end; one that is at its end already stays as it is.

        Raises:
            SourceError: nobody knows whether the wish arrived.
        """

    def replace(
        self,
        account: str,
        client_order_id: str,
        *,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> None:
        """Ask for other terms; None leaves one as it is.

        Raises:
            SourceError: nobody knows whether the wish arrived.
        """

    def find(self, account: str, client_order_id: str) -> Found | None:
        """Return what the venue knows of an order; None when neither it nor its history has it.

        Raises:
            SourceError: the venue cannot be reached.
        """

    def close(self) -> None:
        """Disconnect. Orders that rest at the venue stay there."""
