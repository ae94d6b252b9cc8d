"""The life of an order: which status may follow which, and what a fill does to it.

::

    created → denied | pending_new
    pending_new → new | triggered | partially_filled | filled | canceled | expired | rejected | unknown
                  | pending_cancel
    new | triggered | partially_filled → pending_cancel | pending_replace | partially_filled | filled
                                         | canceled | expired;  new → triggered | rejected
    pending_cancel | pending_replace → new | triggered | partially_filled | filled | canceled | expired
    pending_replace → pending_cancel
    unknown → any status a venue gives | pending_cancel

Terminal: denied, rejected, canceled, expired, filled. A fill is taken in every status. An order that is taken back
while its venue has not answered to what was asked before stays ``pending_cancel`` when that answer comes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from onebook.domain.numbers import ZERO, quotient

OURS = frozenset({"denied", "pending_new", "pending_cancel", "pending_replace", "unknown"})
"""Statuses that we give; all others are the venue's word."""

TERMINAL = frozenset({"denied", "rejected", "canceled", "expired", "filled"})
_WORKING = frozenset({"pending_cancel", "pending_replace", "partially_filled", "filled", "canceled", "expired"})
_VENUE = frozenset({"new", "triggered", "partially_filled", "filled", "canceled", "expired", "rejected"})
_PENDING = frozenset({"new", "triggered", "partially_filled", "filled", "canceled", "expired"})

TRANSITIONS: dict[str, frozenset[str]] = {
    "created": frozenset({"denied", "pending_new"}),
    "pending_new": _VENUE | {"unknown", "pending_cancel"},
    "new": _WORKING | {"triggered", "rejected"},
    "triggered": _WORKING,
    "partially_filled": _WORKING,
    "pending_cancel": _PENDING,
    "pending_replace": _PENDING | {"pending_cancel"},
    "unknown": _VENUE | {"pending_cancel"},
    "denied": frozenset(),
    "rejected": frozenset(),
    "canceled": frozenset(),
    "expired": frozenset(),
    "filled": frozenset(),
}
"""From each status, the ones that may follow."""

CANCELABLE = frozenset(status for status, after in TRANSITIONS.items() if "pending_cancel" in after)
"""Statuses of an order that can be taken back."""

IN_DOUBT = frozenset({"pending_new", "unknown"})
"""Statuses of an order of which its venue has said nothing: nobody knows whether it arrived."""

UNANSWERED = frozenset({"pending_new", "unknown", "pending_replace"})
"""Statuses in which a venue has yet to answer to something else than the wish to take the order back."""


AWAITED = "awaited"
"""Where the record of an order that is taken back keeps the status it had, until its venue has answered to that."""


def was_never_answered(status: str, body: Mapping[str, Any]) -> bool:
    """Say whether an order was taken back before its venue had said anything of it."""
    return (
        status == "pending_cancel" and body.get(AWAITED) in IN_DOUBT and not Decimal(body.get("filled_quantity", "0"))
    )


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
