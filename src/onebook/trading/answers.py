"""What the order gate answers."""

from dataclasses import dataclass, field
from typing import Any

from onebook.domain.facts import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """An order that may be sent.

    Attributes:
        order: as it is to be sent: with its id, and an exit capped to what is held and ``reduce_only``.
        sequence: of its entry in the log; 0 where it was only asked for.
    """

    order: Order
    sequence: int = 0

    @property
    def ok(self) -> bool:
        """True."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An order that may not be sent.

    Attributes:
        order: as it was asked for.
        reason: a code that stays: ``halted reducing daily_loss drawdown loss_unknown stale_mark no_mark no_rate
            open_break unknown_order order_rate max_position max_notional max_exposure instrument_not_allowed
            nothing_to_reduce parent_unknown parent_denied conflict ended``.
        text: a sentence for people.
        figures: what was compared, as plain JSON data.
        sequence: of its entry in the log, where it was placed; 0 where it was only asked for.
    """

    order: Order
    reason: str
    text: str
    figures: dict[str, Any] = field(default_factory=dict)
    sequence: int = 0

    @property
    def ok(self) -> bool:
        """False."""
        return False


Answer = Approved | Refused
