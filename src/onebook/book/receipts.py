"""What a caller gets back once its fact is durable."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from onebook.domain import times
from onebook.domain.holdings import Holding
from onebook.domain.numbers import absolute, plain
from onebook.domain.reports import Event
from onebook.domain.state import Decision, Ledger, Stamp
from onebook.domain.steps import average_price


@dataclass(slots=True)
class Receipt:
    """The answer to a command: ``recorded``, ``exists`` or ``conflict``.

    ``sequence`` is the entry's, or the first report's for the last two. ``position`` is the position that a
    fill left, None for other facts.
    """

    status: str
    sequence: int
    identity: str
    _decision: Decision = field(repr=False)
    _stamp: Stamp = field(repr=False)

    @property
    def events(self) -> tuple[Event, ...]:
        """The events of the entry; empty when nothing was written."""
        return tuple(_events(self._decision, self._stamp))

    @property
    def position(self) -> Any:
        """The position after it, without a mark."""
        held = _holding(self._decision)
        return None if held is None else _position(*held)

    def __str__(self) -> str:
        """Say in one line what became of it."""
        held = _holding(self._decision)
        line = f"{self.status} {self.sequence}: {self._decision.instrument or self.identity}"
        if held is None:
            return line
        ledger, holding = held
        return f"{line} {_state_line(ledger, holding)}"


def _state_line(ledger: Ledger, holding: Holding) -> str:
    if not holding.quantity:
        shown = "flat"
    else:
        side = "long" if holding.quantity > 0 else "short"
        price = average_price(ledger.terms, holding.quantity, holding.cost)
        shown = f"{side} {plain(absolute(holding.quantity))}"
        if price is not None:
            shown += f" @ {_short(price)}"
    realized = _short(holding.realized).replace("-", "−")
    return f"{shown}, realized {realized} {ledger.terms.settle}"


def _short(value: Decimal) -> str:
    text = plain(value)
    whole, _, places = text.partition(".")
    return text if len(places) <= 8 else f"{whole}.{places[:8]}…"


def _holding(decision: Decision) -> tuple[Ledger, Holding] | None:
    ledger = decision.ledger
    if ledger is None:
        return None
    found = None
    for owner, holding in decision.holdings:
        if owner is ledger and holding.strategy == decision.strategy:
            found = holding
    if found is None:
        found = ledger.holdings.get((decision.strategy, ""))
    return None if found is None else (ledger, found)


def _position(ledger: Ledger, holding: Holding) -> Any:
    from onebook.book.lens import LedgerInfo
    from onebook.book.positions import position_of

    info = LedgerInfo(ledger.id, ledger.account, ledger.instrument, "position", (ledger.name,))
    return position_of(None, info, ledger.terms, holding, None, 0)


def _events(decision: Decision, stamp: Stamp) -> Iterator[Event]:
    from onebook.book.shown import shown_data
    from onebook.store.codec import VERSIONS, EventBody

    if not decision.events:
        return
    for ordinal, draft in enumerate(decision.events, 1):
        version = VERSIONS.get(draft.type, 1)
        event_id = f"{stamp.sequence}.{ordinal}"
        body = EventBody(draft.type, dict(draft.data), version)
        yield Event(
            id=event_id,
            sequence=stamp.sequence,
            type=draft.type,
            version=version,
            occurred_at=times.to_datetime(decision.occurred_ns),
            recorded_at=times.to_datetime(stamp.recorded_ns),
            actor=stamp.actor,
            correlation_id=stamp.correlation_id,
            account=decision.account if draft.account is None else draft.account,
            instrument=decision.instrument if draft.instrument is None else draft.instrument,
            strategy=decision.strategy if draft.strategy is None else draft.strategy,
            data=shown_data(body, event_id, decision.account, decision.instrument, decision.occurred_ns),
        )
