"""The life of an order: which status may follow which, and what a fill does to it.

::

    created → denied | pending_new
    pending_new → new | triggered | partially_filled | filled | canceled | expired | rejected | unknown
    new | triggered | partially_filled → pending_cancel | pending_replace | partially_filled | filled
                                         | canceled | expired;  new → triggered | rejected
    pending_cancel | pending_replace → new | triggered | partially_filled | filled | canceled | expired
    unknown → any status a venue gives

Terminal: denied, rejected, canceled, expired, filled. A fill is taken in every status.
"""

from dataclasses import dataclass
from decimal import Decimal

from onebook.domain.numbers import ZERO, quotient

OURS = frozenset({"denied", "pending_new", "pending_cancel", "pending_replace", "unknown"})
"""Statuses that we give; all others are the venue's word."""

TERMINAL = frozenset({"denied", "rejected", "canceled", "expired", "filled"})
_WORKING = frozenset({"pending_cancel", "pending_replace", "partially_filled", "filled", "canceled", "expired"})
_VENUE = frozenset({"new", "triggered", "partially_filled", "filled", "canceled", "expired", "rejected"})
_PENDING = frozenset({"new", "triggered", "partially_filled", "filled", "canceled", "expired"})

TRANSITIONS: dict[str, frozenset[str]] = {
    "created": frozenset({"denied", "pending_new"}),
    "pending_new": _VENUE | {"unknown"},
    "new": _WORKING | {"triggered", "rejected"},
    "triggered": _WORKING,
    "partially_filled": _WORKING,
    "pending_cancel": _PENDING,
    "pending_replace": _PENDING,
    "unknown": _VENUE,
    "denied": frozenset(),
    "rejected": frozenset(),
    "canceled": frozenset(),
    "expired": frozenset(),
    "filled": frozenset(),
}
"""From each status, the ones that may follow."""


def may_follow(status: str, new: str) -> bool:
    """Say whether an order may go from one status to another."""
    return new in TRANSITIONS[status]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an order is: status, filled quantity (0 or more) and its value (price × quantity, summed)."""

    status: str
    filled: Decimal = ZERO
    value: Decimal = ZERO

    @property
    def average_price(self) -> Decimal | None:
        """The weighted price of its fills, rounded at 18 places; None before the first."""
        return quotient(self.value, self.filled) if self.filled else None


def after_fills(
    progress: Progress, quantity: Decimal | None, resting: str = "new", *, reopens: bool = False
) -> Progress:
    """Return the progress with the status that its filled quantity calls for.

    Args:
        progress: with the new filled quantity.
        quantity: how much was ordered; None when the order itself is not known.
        resting: the venue's last word before any fill, to go back to when all fills were busted.
        reopens: a fill was taken back, so that a filled order may be open again.
    """
    status = progress.status
    complete = quantity is not None and progress.filled >= quantity
    if complete:
        return Progress("filled", progress.filled, progress.value)
    if status == "filled" and reopens:
        status = "partially_filled" if progress.filled else resting
    elif progress.filled and status in {"created", "pending_new", "unknown", "new", "triggered"}:
        status = "partially_filled"
    elif not progress.filled and status == "partially_filled":
        status = resting
    return Progress(status, progress.filled, progress.value)
