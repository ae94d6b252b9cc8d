"""What the book knows of an order, and names for what comes without one."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from onebook.book.core import Core
from onebook.domain import facts
from onebook.domain.numbers import ZERO
from onebook.intake.adapters.recorder_seen import Item, OrderSeen
from onebook.store.codec import decode

ID_FIELDS = {
    facts.Order: "client_order_id",
    facts.Signal: "signal_id",
    facts.Transfer: "transfer_id",
    facts.CashMovement: "movement_id",
    facts.FundingPayment: "funding_id",
    facts.CorporateAction: "action_id",
    facts.OpeningBalance: "balance_id",
    facts.Settlement: "settlement_id",
    facts.Reassign: "reassign_id",
}


def named(item: Item, make_id: Callable[[], str], now: int) -> Item:
    """Return an item with an identity, and with a time when it has none of its own, so that it may wait.

    Args:
        item: a fact, or what was seen.
        make_id: makes an id.
        now: nanoseconds since 1970 UTC.
    """
    changes: dict[str, Any] = {}
    if isinstance(item, facts.Fill):
        if not item.venue_fill_id and not item.client_fill_id:
            changes["client_fill_id"] = make_id()
    else:
        name = ID_FIELDS.get(type(item))
        if name is not None and not getattr(item, name):
            changes[name] = make_id()
    timed = "occurred_ns" in item.__dataclass_fields__ and getattr(item, "occurred_ns", None) is None
    if timed and (changes or not isinstance(item, OrderSeen | facts.Fill)):
        changes["occurred_ns"] = now
    return item.replaced(**changes) if changes else item


@dataclass(frozen=True, slots=True)
class Known:
    """What the book knows of an order."""

    client_order_id: str
    body: dict[str, Any] | None
    at: int = 0
    strategy: str = ""

    @property
    def is_known(self) -> bool:
        """Whether the book has its terms, and not only a word about it."""
        return self.body is not None and self.body.get("known", True)

    @property
    def status(self) -> str:
        """Its status; empty when the book has nothing of it."""
        return "" if self.body is None else str(self.body["status"])

    def number(self, name: str) -> Decimal:
        """Return a number of the order by its name; 0 when there is none."""
        text = None if self.body is None else self.body.get(name)
        return ZERO if text is None else Decimal(text)

    @property
    def is_linked(self) -> bool:
        """Whether the venue's name of the order is known."""
        return self.body is not None and bool(self.body.get("venue_order_id"))


def known_order(book: Core, account: str, venue: str, venue_order_id: str, client_order_id: str) -> Known:
    """Look an order up: by the venue's id first, which is the surer one."""
    with book.store.reading() as reader:
        name = ""
        if venue_order_id:
            link = reader.record("venue_order", account, venue_order_id, None)
            name = "" if link is None else str(decode(link[1])["client_order_id"])
        name = name or client_order_id or (f"{venue}:{venue_order_id}" if venue_order_id else "")
        row = reader.record("order", account, name, None) if name else None
    if row is None:
        return Known(name, None)
    return Known(name, decode(row[1]), row[0], row[3])
