"""How stops and targets of positions stood over time: each step from when it was set until it was changed or ended."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from onebook.domain import times
from onebook.domain.decide.protecting import PROTECTION
from onebook.domain.identity import identity_text
from onebook.store.codec import decode_raw
from onebook.store.port import Reader
from onebook.trading.protections import Protection, protection_of

PAGE = 256
FIGURES = ("stop_loss", "take_profit", "level")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionStep:
    """A position's stop and target for as long as they stood so.

    Prices per unit in the quote currency.

    Attributes:
        account: whose.
        instrument: of what.
        strategy: whose position.
        leg: ``long`` or ``short`` in a hedging account, else empty.
        stop_loss: fixed stop.
        take_profit: fixed target.
        level: of the trailing stop, as it is kept in the log; None where it has none yet.
        began_at: since when it stood.
        ended_at: until when; None: it still stands.
        ended: ``moved`` when another step followed, ``removed``, ``triggered``; empty while it stands.
        triggered: what was reached: ``stop_loss``, ``take_profit`` or ``trailing_stop``; else empty.
        sequence: the entry that it began with.
        id: of the protection.
    """

    account: str
    instrument: str
    strategy: str
    leg: str
    stop_loss: Decimal | None
    take_profit: Decimal | None
    level: Decimal | None
    began_at: datetime
    ended_at: datetime | None
    ended: str
    triggered: str
    sequence: int
    id: str


def sequence_at(reader: Reader, moment: int) -> int:
    """Return the newest entry that was recorded before a moment, in nanoseconds since 1970 UTC; 0 for none."""
    head = reader.head()[0]
    return bisect_left(range(1, head + 1), moment, key=lambda sequence: _entry(reader, sequence).at)


def protection_steps(
    reader: Reader, account: str, instrument: str, *, known: int, since: int, after: tuple[str, int] = ("", 0)
) -> Iterator[ProtectionStep]:
    """Yield the steps of an instrument's protections, one protection after the other, each from its oldest on.

    Args:
        reader: of the book, for as long as the steps are read.
        account: whose.
        instrument: by its first name.
        known: as the book stood at this sequence.
        since: leave out what had ended by this sequence; 0 for nothing.
        after: id and sequence behind which it goes on.
    """
    prefix = identity_text(account, instrument) + "|"
    if after[0]:
        yield from _of_one(reader, after[0], known, after[1])
    last = after[0]
    while True:
        page = reader.records_under(PROTECTION, prefix, known, last, PAGE)
        for row in page:
            last = row[0]
            standing = reader.record(PROTECTION, "", last, since) if since else None
            yield from _of_one(reader, last, known, 0 if standing is None else standing[5] - 1)
        if len(page) < PAGE:
            return


def _of_one(reader: Reader, key: str, known: int, after: int) -> Iterator[ProtectionStep]:
    """Yield the steps of a protection that began after a sequence."""
    while True:
        rows = reader.versions("records", known, (PROTECTION, "", key, after), PAGE)
        for row in rows:
            if row[:3] != (PROTECTION, "", key):
                return
            after = row[3]
            until = None if row[9] is None or row[9] > known else int(row[9])
            if row[7] == "active":
                yield _step(reader, protection_of(key, row[8], row[5], row[6], row[7]), after, until)
        if len(rows) < PAGE:
            return


def _step(reader: Reader, item: Protection, begins: int, ends: int | None) -> ProtectionStep:
    began, ended_at, ended, triggered = _entry(reader, begins).occurred, None, "", ""
    if ends is not None:
        ended_at = max(_entry(reader, ends).occurred, began)
        ended, triggered = _end_of(reader, item.id, ends)
    figures = {name: getattr(item, name) for name in FIGURES}
    return ProtectionStep(
        account=item.account,
        instrument=item.instrument,
        strategy=item.strategy,
        leg=item.leg,
        began_at=times.to_datetime(began),
        ended_at=None if ended_at is None else times.to_datetime(ended_at),
        ended=ended,
        triggered=triggered,
        sequence=begins,
        id=item.id,
        **figures,
    )


def _end_of(reader: Reader, key: str, ends: int) -> tuple[str, str]:
    """Return how a step ended, and what was reached where a level was."""
    row = reader.record(PROTECTION, "", key, ends)
    if row is None or row[4] == "active":
        return "moved", ""
    found = protection_of(key, row[1], row[2], row[3], row[4])
    return found.status, found.triggered if found.status == "triggered" else ""


def _entry(reader: Reader, sequence: int) -> Any:
    row = reader.entry(sequence)
    if row is None:  # pragma: no cover  sequences have no gaps
        msg = f"entry {sequence} is not there"
        raise LookupError(msg)
    return decode_raw(row[0], row[1])
