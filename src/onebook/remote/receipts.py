"""What a caller of a remote book gets back: receipts as a book gives them, and receipts of what waits to be sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from onebook.book.receipts import Receipt
from onebook.domain.numbers import absolute, plain
from onebook.domain.reports import BatchReport, Event, Position
from onebook.domain.state import Decision, Stamp
from onebook.errors import BadPayload
from onebook.remote.wire import record_of

QUEUED = "queued"


class RemoteReceipt(Receipt):
    """A receipt from a service: ``recorded``, ``exists``, ``conflict``, or ``queued`` for what is durable here only."""

    __slots__ = ("_events", "_position", "_subject")

    def __init__(
        self,
        status: str,
        sequence: int,
        identity: str,
        *,
        subject: str = "",
        events: tuple[Event, ...] = (),
        position: Position | None = None,
    ) -> None:
        super().__init__(status, sequence, identity, Decision(), Stamp(sequence=sequence, recorded_ns=0))
        self._events, self._position, self._subject = events, position, subject

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Receipt):
            return NotImplemented
        names = ("status", "sequence", "identity", "events", "position")
        return all(getattr(self, name) == getattr(other, name) for name in names)

    __hash__ = None  # type: ignore[assignment]  # as a receipt of a book has none

    @property
    def events(self) -> tuple[Event, ...]:
        """The events of the entry; empty when nothing was written, or not yet."""
        return self._events

    @property
    def position(self) -> Position | None:
        """The position after it, without a mark; None where it is not known yet."""
        return self._position

    def __str__(self) -> str:
        """Say in one line what became of it."""
        where = "" if self.status == QUEUED else f" {self.sequence}"
        line = f"{self.status}{where}: {self._subject or self.identity}"
        return line if self._position is None else f"{line} {_line(self._position)}"


def subject_of(fact: Any) -> str:
    """Return the instrument that a fact is about; empty for none."""
    return str(getattr(fact, "instrument", "") or getattr(fact, "symbol", ""))


def receipt_of(data: Any, fact: Any) -> RemoteReceipt:
    """Return the receipt in an answer.

    Args:
        data: the answer.
        fact: what was recorded; None where it was something else.

    Raises:
        BadPayload: it is none.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("events"), list):
        msg = "the service answered with no receipt; is it of another release?"
        raise BadPayload(msg)
    events = tuple(record_of(Event, item) for item in data["events"])
    held = data.get("position")
    position = None if held is None else record_of(Position, held)
    subject = subject_of(fact) or (events[0].instrument if events else "")
    return RemoteReceipt(
        str(data["status"]), int(data["sequence"]), str(data["identity"]),
        subject=subject or (position.instrument if position else ""), events=events, position=position,
    )  # fmt: skip


def _line(held: Position) -> str:
    if not held.quantity:
        shown = "flat"
    else:
        shown = f"{held.side} {plain(absolute(held.quantity))}"
        if held.average_price is not None:
            shown += f" @ {_short(held.average_price)}"
    return f"{shown}, realized {_short(held.realized_pnl).replace('-', '−')} {held.currency}"


def _short(value: Decimal) -> str:
    whole, _, places = plain(value).partition(".")
    return plain(value) if len(places) <= 8 else f"{whole}.{places[:8]}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedReport(BatchReport):
    """What became of many facts that are sent later. ``queued`` and the other counts add up to how many there were."""

    queued: int = 0
