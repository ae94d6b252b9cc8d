"""The orders that may still fill, kept between commands as the store has them and followed change by change."""

from collections.abc import Iterable

from onebook.domain.orders import TERMINAL
from onebook.domain.state import OpenOrder

MAX_PLACES = 32
MAX_ORDERS = 4_096
"""Most open orders of one place that are kept; where there are more they are read each time."""

Place = tuple[str | None, str | None]
"""(account, instrument): of an instrument, of an account where the second is None, or all where both are."""


class OpenOrders:
    """What questions for open orders were answered with, each kept as it would be answered now."""

    def __init__(self) -> None:
        self._places: dict[Place, dict[tuple[str, str], OpenOrder]] = {}
        self._ordered: dict[Place, list[OpenOrder]] = {}

    def clear(self) -> None:
        """Forget all: what others wrote, or what a rolled back transaction did, is not followed."""
        self._places.clear()
        self._ordered.clear()

    def at(self, place: Place) -> list[OpenOrder] | None:
        """Return the open orders of a place in their order, None where they must be read."""
        found = self._places.get(place)
        if found is None:
            return None
        ordered = self._ordered.get(place)
        if ordered is None:
            ordered = self._ordered[place] = sorted(found.values(), key=_order)
        return list(ordered)

    def keep(self, place: Place, records: Iterable[OpenOrder]) -> None:
        """Take an answer of the store."""
        if len(self._places) >= MAX_PLACES:
            self.clear()
        self._places[place] = {(item.account, item.id): item for item in records}
        self._limit(place)

    def put(self, record: OpenOrder) -> None:
        """Take the newest version of an order, open or not, in whichever place it stood before."""
        name = (record.account, record.id)
        for place, found in list(self._places.items()):
            account, instrument = place
            if account not in {None, record.account}:
                continue
            before = found.pop(name, None)
            is_here = record.status not in TERMINAL and instrument in {None, record.instrument}
            if is_here:
                found[name] = record
            if before is not None or is_here:
                self._ordered.pop(place, None)
            self._limit(place)

    def __bool__(self) -> bool:
        """Say whether anything is kept."""
        return bool(self._places)

    def _limit(self, place: Place) -> None:
        if len(self._places[place]) > MAX_ORDERS:
            del self._places[place]
            self._ordered.pop(place, None)


def _order(record: OpenOrder) -> tuple[int, str, str]:
    return record.occurred_ns, record.account, record.id
