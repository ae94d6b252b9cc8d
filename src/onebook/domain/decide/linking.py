"""Fills that came before the book knew whose order they are of: found when the venue's id gets its order."""

from decimal import Decimal

from onebook.domain import times
from onebook.domain.decide.history import newest_version
from onebook.domain.facts import Fill
from onebook.domain.numbers import ZERO, add, multiply
from onebook.domain.state import Record, State

MARGIN = 10 * times.MINUTE
"""A venue's clock may be behind the one by which an order was recorded."""


def earlier_fills(
    state: State, order: Record, venue_order_id: str, wanted: Decimal, *, before: int, since_ns: int
) -> tuple[Decimal, Decimal]:
    """Return quantity and value (price × quantity) of an order's fills that named only the venue's id, and stand.

    Args:
        state: the book.
        order: which.
        venue_order_id: the venue's name of it.
        wanted: how much has filled at most: the search ends there.
        before: only fills recorded before this sequence: later ones were given to their order as they came.
        since_ns: a moment of the venue's clock at which the order was there; the search begins ten minutes before it or
            before the order's own time, whichever is earlier.
    """
    quantity = value = ZERO
    if wanted <= ZERO or not order.instrument:
        return quantity, value
    side = str(order.body.get("side", ""))
    ledger = state.ledger(order.account, order.instrument)
    begin = min(order.occurred_ns, since_ns) - MARGIN
    for movement in state.movements(ledger.id, (begin, 0, "", 0, 0)):
        if movement.kind != "fill" or movement.order[3] >= before:
            continue
        fill = newest_version(state, state.fact(*movement.order[3:])).fact
        if _is_of(fill, venue_order_id, side):
            quantity = add(quantity, fill.quantity)
            value = add(value, multiply(fill.quantity, fill.price))
            if quantity >= wanted:
                break
    return quantity, value


def _is_of(fill: Fill, venue_order_id: str, side: str) -> bool:
    return fill.venue_order_id == venue_order_id and not fill.client_order_id and fill.side == side
