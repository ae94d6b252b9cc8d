"""Orders of a venue built again from what a book keeps of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from onebook.domain.facts import Order
from onebook.domain.matching.model import STOP_KINDS, Working
from onebook.domain.numbers import ZERO, add, subtract
from onebook.domain.orders import TERMINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a book keeps of an order that the venue has accepted.

    Attributes:
        order: as it was sent.
        status: in the book.
        filled: quantity so far.
        restated: how much more that is in the units of now, where the instrument has been split since.
        fills: how many.
        quantity: the last one that an update gave; None when none did: the order's own.
        limit_price: the same.
        stop_price: the same; a trailing stop's level is one.
        accepted_ns: when it was accepted or last replaced; of an order with a parent, the time of the parent's first
            fill if that is later.
        triggered: the venue has said so, at any time.
        takes: what the last ``Accepted``, ``Activated`` or ``Replaced`` said.
    """

    order: Order
    status: str
    filled: Decimal = ZERO
    restated: Decimal = ZERO
    fills: int = 0
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    accepted_ns: int = 0
    triggered: bool = False
    takes: bool = False

    @property
    def counts(self) -> Decimal:
        """What was filled, in the units of now: so much it releases, and takes off its group."""
        return add(self.filled, self.restated)


def rebuild(kept: Iterable[Kept]) -> tuple[Working, ...]:
    """Return the orders that work, as the venue held them.

    Args:
        kept: the open orders in the order in which they were accepted, and with them the ended ones that an open
            order names as its parent or shares a group with.
    """
    everything = tuple(kept)
    counts = {item.order.client_order_id: item.counts for item in everything}
    return tuple(_working(item, everything, counts) for item in everything if item.status not in TERMINAL)


def _working(item: Kept, everything: tuple[Kept, ...], counts: dict[str, Decimal]) -> Working:
    order = item.order
    released = None
    if order.parent_id:
        released = subtract(counts.get(order.parent_id, ZERO), item.restated)
        for other in everything:
            if order.group_id and other.order.group_id == order.group_id and other is not item:
                released = subtract(released, other.counts)
    return Working(
        order=order,
        quantity=order.quantity if item.quantity is None else item.quantity,
        limit_price=order.limit_price if item.limit_price is None else item.limit_price,
        stop_price=order.stop_price if item.stop_price is None else item.stop_price,
        filled=item.filled,
        restated=item.restated,
        fills=item.fills,
        triggered=order.kind in STOP_KINDS and (item.triggered or item.status == "triggered" or item.filled > 0),
        waiting=bool(order.parent_id) and not counts.get(order.parent_id, ZERO),
        accepted_ns=item.accepted_ns,
        takes=item.takes,
        released=released,
    )
