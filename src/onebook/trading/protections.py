"""Stops and targets of positions, as they stand in the book."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from onebook.book.core import Core
from onebook.book.lens import Lens
from onebook.domain.decide.protecting import PROTECTION, protection_id
from onebook.domain.identity import identity_parts
from onebook.domain.numbers import canonical, plain
from onebook.store.codec import decode

PAGE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """The stop and target of one position.

    Prices per unit in the quote currency; ``trail_ratio`` between 0 and 1.

    Attributes:
        account: whose.
        instrument: of what.
        strategy: whose position.
        leg: ``long`` or ``short`` in a hedging account, else empty.
        status: ``active``, ``triggered`` or ``removed``.
        stop_loss: fixed stop.
        take_profit: fixed target.
        trail_amount: distance of the trailing stop from the best mark.
        trail_ratio: the same as a part of the best mark.
        activates_at: mark at which the trail begins; None: at once.
        level: of the trailing stop, as it was last kept in the log.
        best: the best mark since the position opened, as it was last kept in the log.
        act: ``notify`` or ``order``.
        direction: of the position when it was set, empty for none.
        triggered: what was reached: ``stop_loss``, ``take_profit`` or ``trailing_stop``.
        set_at: the sequence that set it.
    """

    account: str
    instrument: str
    strategy: str
    leg: str
    status: str
    stop_loss: Decimal | None
    take_profit: Decimal | None
    trail_amount: Decimal | None
    trail_ratio: Decimal | None
    activates_at: Decimal | None
    level: Decimal | None
    best: Decimal | None
    act: str
    direction: str
    triggered: str
    set_at: int

    @property
    def trail(self) -> str:
        """The distance of the trailing stop as text: an amount, or a percentage of the best mark."""
        if self.trail_ratio is not None:
            return f"{plain(canonical(self.trail_ratio * 100))} %"
        return "" if self.trail_amount is None else plain(self.trail_amount)

    id: str
    """Under which it is kept, whatever the instrument is called now."""

    @property
    def place(self) -> tuple[str, str, str, str]:
        """(account, instrument by its first name, strategy, leg)."""
        account, instrument, strategy, leg = identity_parts(self.id)
        return account, instrument, strategy, leg


def protection_at(book: Core, account: str, instrument: str, strategy: str, leg: str) -> Protection | None:
    """Return the stop and target of a position, under any name of its instrument; None where it never had any."""
    with book.store.reading() as reader:
        key = protection_id(account, Lens(reader).names(account, instrument)[0], strategy, leg)
        row = reader.record(PROTECTION, "", key, None)
    return None if row is None else protection_of(key, row[1], row[2], row[3], row[4])


def protections(book: Core, *, status: str | None = "active") -> list[Protection]:
    """Return the stops and targets of a status; None for all that there ever were, each as it stands."""
    with book.store.reading() as reader:
        found = list(_rows(reader))
    return [item for item in found if status is None or item.status == status]


def _rows(reader: Any) -> Iterator[Protection]:
    after = ""
    while True:
        page = reader.records_under(PROTECTION, "", None, after, PAGE)
        for key, _, body, instrument, strategy, status, _ in page:
            yield protection_of(key, body, instrument, strategy, status)
        if len(page) < PAGE:
            return
        after = page[-1][0]


def protection_of(key: str, stored: str, instrument: str, strategy: str, status: str) -> Protection:
    """Return the protection of a record's row."""
    body, parts = decode(stored), identity_parts(key)

    def figure(name: str) -> Decimal | None:
        return Decimal(body[name]) if name in body else None

    return Protection(
        account=parts[0],
        instrument=instrument,
        strategy=strategy,
        leg=parts[3],
        status=status,
        stop_loss=figure("stop_loss"),
        take_profit=figure("take_profit"),
        trail_amount=figure("trail_amount"),
        trail_ratio=figure("trail_ratio"),
        activates_at=figure("activates_at"),
        level=figure("level"),
        best=figure("best"),
        act=str(body.get("act", "notify")),
        direction=str(body.get("direction", "")),
        triggered=str(body.get("triggered", "")),
        set_at=int(body["set_at"]),
        id=key,
    )
