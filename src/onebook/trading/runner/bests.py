"""The best marks of a runner's open positions, kept with its place: a trail set late begins at them, killed or not.

The highs and lows of a book are observations, and what a process saw may end with it. Here they follow from what the
runner was shown: after a kill it goes on from those of its place, and the events behind it are shown again.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from onebook.book.core import Core
from onebook.domain import times
from onebook.domain.facts import Fill
from onebook.domain.numbers import ZERO, plain
from onebook.domain.reports import Position
from onebook.trading.splits import applied_behind

_Place = tuple[str, str, str]
"""(account, strategy, leg)."""


@dataclass(slots=True)
class _Best:
    """The best mark of one open position.

    Attributes:
        opened_ns: when it opened.
        is_long: its direction.
        price: the best mark since; None before the first.
    """

    opened_ns: int
    is_long: bool
    price: Decimal | None = None

    def take(self, price: Decimal) -> bool:
        """Take a mark as the best one if it is; say whether it was."""
        if self.price is not None and (price <= self.price if self.is_long else price >= self.price):
            return False
        self.price = price
        return True

    def is_of(self, held: Position) -> bool:
        """Say whether it is of a position as it stands now, and not of one before it."""
        return (self.opened_ns, self.is_long) == _about(held)


class Bests:
    """The best marks of the open positions that a runner's strategies took; not thread-safe.

    Args:
        book: whose positions.

    Attributes:
        moves: how often anything has changed here.
    """

    def __init__(self, book: Core) -> None:
        self._book = book
        self._held: dict[str, dict[_Place, _Best]] = {}
        self._head = 0
        self.moves = 0

    def follow(self, fills: Iterable[Fill]) -> None:
        """Begin with positions that fills opened, and end those that they closed."""
        touched = {(item.instrument, item.account, item.strategy) for item in fills}
        for instrument, account, strategy in sorted(touched):
            found = self._book.positions(account=account, strategy=strategy, instrument=instrument)
            names = {instrument, *(held.instrument for held in found)}
            before: dict[_Place, _Best] = {}
            for name in names:
                kept = self._held.get(name, {})
                for place in [place for place in kept if place[:2] == (account, strategy)]:
                    before[place] = kept.pop(place)
                if not kept:
                    self._held.pop(name, None)
            for held in found:
                place = (account, strategy, held.leg)
                best = before.get(place)
                if best is None or not best.is_of(held):
                    best = _Best(*_about(held))
                self._held.setdefault(held.instrument, {})[place] = best
            self.moves += 1

    def see(self, instrument: str, price: Decimal, at_ns: int) -> None:
        """Take a mark."""
        for best in self._held.get(instrument, {}).values():
            if at_ns >= best.opened_ns:
                self.moves += best.take(price)

    def split(self, instruments: Collection[str], head: int) -> None:
        """Forget the marks in old units of some instruments, which were split.

        Args:
            instruments: which.
            head: sequence of the log up to which that is all.
        """
        self._head = head
        for name in instruments:
            for best in self._held.get(name, {}).values():
                best.price = None
                self.moves += 1

    def best(self, instrument: str, account: str, strategy: str, leg: str) -> Decimal | None:
        """Return the best mark of a position since it opened; None where none is known."""
        held = self._book.position(instrument, account=account, strategy=strategy, leg=leg or None)
        if held is None or not held.quantity:
            return None
        found = self._held.get(held.instrument, {}).get((account, strategy, leg))
        return found.price if found is not None and found.is_of(held) else None

    # ---- over a restart ----

    def text(self) -> str:
        """Return all of it as text for :meth:`recall`."""
        rows = [
            [name, *place, item.opened_ns, item.is_long, None if item.price is None else plain(item.price)]
            for name, places in sorted(self._held.items())
            for place, item in sorted(places.items())
        ]
        return json.dumps({"head": self._head, "best": rows})

    def recall(self, text: str, head: int) -> None:
        """Take what was kept; marks of before a split since are let be.

        Args:
            text: what :meth:`text` returned, empty for nothing.
            head: the end of the log.
        """
        kept: dict[str, Any] = json.loads(text) if text else {"head": head, "best": []}
        self._held.clear()
        for name, account, strategy, leg, opened_ns, is_long, price in kept["best"]:
            best = _Best(opened_ns, is_long, None if price is None else Decimal(price))
            self._held.setdefault(name, {})[account, strategy, leg] = best
        self.split([item.split.instrument for item in applied_behind(self._book, kept["head"])], head)


def _about(held: Position) -> tuple[int, bool]:
    """Return when a position opened and whether it is long: what tells it from those before it."""
    opened_ns = -1 if held.opened_at is None else times.from_datetime("opened_at", held.opened_at)
    return opened_ns, held.quantity > ZERO
