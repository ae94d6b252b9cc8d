"""Comparing what a venue holds with what the book says, and noting a difference that does not go away by itself."""

from dataclasses import dataclass
from decimal import Decimal

from onebook.book.core import Core
from onebook.domain.numbers import ZERO, plain
from onebook.intake.adapters.recorder_seen import PositionSeen

BREAK_AFTER_NS = 30_000_000_000
"""How long venue and book may hold different quantities: fills are under way."""
OLD_NS = 10_000_000_000
"""How old a position that was seen may be to be compared."""
MAX_APART = 10_000


@dataclass(slots=True)
class _Apart:
    """Quantities on which venue and book do not agree, since when, and the key of the break if there is one."""

    venue: Decimal
    book: Decimal
    since: int
    key: str = ""


class Positions:
    """Remembers where venue and book do not agree.

    Args:
        book: which.
        strategy: who looks.
        account: whose.
        venue: where.
    """

    def __init__(self, book: Core, strategy: str, account: str, venue: str) -> None:
        self._book, self._strategy, self._account, self._venue = book, strategy, account, venue
        self._apart: dict[tuple[str, str], _Apart] = {}

    def compare(self, seen: PositionSeen) -> None:
        """Note a break when venue and book hold different quantities for a while, and its end when they agree."""
        now, at = self._book.now(), seen.occurred_ns or 0
        if now - at > OLD_NS:
            return  # it waited in a spool: the book is further by now
        held = [
            position.quantity
            for position in self._book.positions(account=self._account, instrument=seen.instrument)
            if seen.leg in {"", position.leg}
        ]
        mine, place = sum(held, ZERO), (seen.instrument, seen.leg)
        apart = self._apart.get(place)
        if mine == seen.quantity:
            if apart is not None and apart.key:
                self._note("break_resolved", apart, seen)
            self._apart.pop(place, None)
        elif apart is None or (apart.venue, apart.book) != (seen.quantity, mine):
            if len(self._apart) < MAX_APART:
                self._apart[place] = _Apart(seen.quantity, mine, now, "" if apart is None else apart.key)
        elif now - apart.since >= BREAK_AFTER_NS and not apart.key:
            apart.key = f"position_difference|{self._account}|{seen.instrument}|{seen.leg}|{apart.since}"
            self._note("break_found", apart, seen)

    def _note(self, name: str, apart: _Apart, seen: PositionSeen) -> None:
        data = {
            "kind": "position_difference",
            "account": self._account,
            "venue": self._venue,
            "leg": seen.leg,
            "venue_quantity": plain(seen.quantity),
            "book_quantity": plain(apart.book if name == "break_found" else seen.quantity),
            "key": apart.key,
        }
        self._book.note(name, data, instrument=seen.instrument, strategy=self._strategy)
