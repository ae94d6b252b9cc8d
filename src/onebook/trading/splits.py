"""Splits that the book knows, for what keeps prices and quantities of its own beside it: windows, a paper venue.

A split counts from the first moment of its day in the book's calendar, as it does for positions and marks.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from onebook.book.core import Core
from onebook.book.lens import Lens
from onebook.domain.days import Days
from onebook.domain.numbers import share

_APPLIED = "corporate_action_applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """``numerator`` new units for ``denominator`` old ones, from ``at_ns`` on, nanoseconds since 1970 UTC."""

    instrument: str
    at_ns: int
    numerator: Decimal
    denominator: Decimal

    def price(self, old: Decimal) -> Decimal:
        """Return a price of before it in the units of after, rounded once at 18 places."""
        return share(old, self.denominator, self.numerator)

    def quantity(self, old: Decimal) -> Decimal:
        """Return a quantity of before it in the units of after, rounded once at 18 places."""
        return share(old, self.numerator, self.denominator)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A split as an account's positions and orders took it, with the sequence of its entry."""

    account: str
    split: Split
    sequence: int


def known_splits(book: Core, instruments: Collection[str]) -> list[Split]:
    """Return the splits of some instruments that the book knows, of any account, each once, oldest first."""
    days = _days(book)
    found = {
        _split(days, fact.instrument, fact.effective_on, fact.numerator, fact.denominator)
        for fact in book.facts("corporate_action")
        if fact.kind == "split" and fact.instrument in instruments
    }
    return in_order(found)


def in_order(splits: Iterable[Split]) -> list[Split]:
    """Return splits oldest first."""
    return sorted(splits, key=lambda item: (item.at_ns, item.instrument, item.numerator, item.denominator))


def applied_behind(book: Core, after: int, accounts: Collection[str] | None = None) -> list[Applied]:
    """Return the splits in the log behind an entry, in its order.

    Args:
        book: whose log.
        after: sequence of the entry.
        accounts: only these; None for all.
    """
    events = [
        event
        for event in book.events(after=after, types=_APPLIED, accounts=None if accounts is None else sorted(accounts))
        if event.data.get("kind") == "split"
    ]
    if not events:
        return []
    days = _days(book)
    return [
        Applied(
            account=event.account,
            sequence=event.sequence,
            split=_split(
                days,
                event.instrument,
                date.fromisoformat(event.data["effective_on"]),
                event.data["numerator"],
                event.data["denominator"],
            ),
        )
        for event in events
    ]


def _split(days: Days, instrument: str, day: date, numerator: int, denominator: int) -> Split:
    top, low = Decimal(numerator), Decimal(denominator)
    return Split(instrument=instrument, at_ns=days.midnight(day), numerator=top, denominator=low)


def _days(book: Core) -> Days:
    with book.store.reading() as reader:
        return Lens(reader).calendar()
