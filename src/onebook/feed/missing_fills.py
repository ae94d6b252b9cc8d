"""Fills that are missing: a venue says how much of an order has filled, and the fills of it do not come.

A venue's word never makes a fill. What it says beyond the fills is a break when no fill has settled it in time, and the
break is resolved when the fills come. Several processes may look at one book: each break is found and resolved once.
"""

import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from onebook.book.core import Core
from onebook.book.log import make_filter
from onebook.domain import times
from onebook.domain.decide.orders import ORDER
from onebook.domain.identity import identity_text
from onebook.domain.numbers import ZERO, plain, subtract
from onebook.domain.reports import Event
from onebook.feed.bus import newest
from onebook.store.codec import decode

KIND = "fill_missing"
"""The kind of these breaks."""

AFTER_SECONDS = 60.0
"""How long fills may be under way, where nobody says otherwise."""

READ_BACK = 1_000
"""Newest events of orders that are read to begin with, beside the orders that are open."""

MAX_APART = 10_000
"""Most orders that are kept in mind; others are seen when their next event comes."""

_WORDS = ("filled", "venue_filled")
_CHANGES = make_filter(("trade_busted", "trade_corrected"))
_log = logging.getLogger("onebook.feed")

Place = tuple[str, str]
"""(account, client_order_id)."""


@dataclass(frozen=True, slots=True)
class _Word:
    """What a venue says of an order has filled, and what its fills add up to; both in units, 0 or more."""

    venue_order_id: str
    instrument: str
    strategy: str
    venue_filled: Decimal
    filled: Decimal

    @property
    def missing(self) -> Decimal:
        """What no fill has settled; 0 or less when nothing is missing."""
        return subtract(self.venue_filled, self.filled)


@dataclass(slots=True)
class _Apart:
    """A word of a venue that the fills have not reached yet, in units, since when, and whether the break is dealt with.

    ``since_ns`` is in nanoseconds since 1970 UTC, by the book's clock.
    """

    wanted: Decimal
    since_ns: int
    is_found: bool = False


class MissingFills:
    """Looks for fills that do not come. Not thread-safe.

    Args:
        book: whose orders.
        after_seconds: how long a fill may be under way; 0: no break is ever made of it.
    """

    def __init__(self, book: Core, after_seconds: float = AFTER_SECONDS) -> None:
        self._book = book
        self._after_ns = int(after_seconds * times.SECOND)
        self._apart: dict[Place, _Apart] = {}
        self._seen: int | None = None

    def __len__(self) -> int:
        return len(self._apart)

    def begin(self) -> None:
        """Begin anew with the next look: others may have looked meanwhile."""
        self._seen = None

    def look(self, now: int) -> None:
        """Hear what became of orders since the last look; find what is missing, and resolve what has come.

        Args:
            now: nanoseconds since 1970 UTC, by the book's clock.

        Raises:
            StoreError: the book could not be read or written; the next look does what is left.
        """
        if not self._after_ns:
            return
        if self._seen is None:
            self._read(now)
        else:
            self._follow(self._seen)
        for place, apart in list(self._apart.items()):
            if not apart.is_found and now - apart.since_ns >= self._after_ns:
                self._find(place, apart)

    # ---- hearing ----

    def _read(self, now: int) -> None:
        """Take in what is open, and what the newest events tell of orders that have ended."""
        self._apart.clear()
        head = self._book.wakeups.look()
        heard: set[Place] = set()
        for event in reversed(newest(self._book, make_filter("order_updated"), READ_BACK)):
            place = _place(event)
            if place not in heard:  # its newest event says since when it stands as it does
                heard.add(place)
                self._hear(event)
        for order in self._book.orders(is_open=True):
            self._compare((order.account, order.client_order_id), now)
        for place in self._breaks():
            self._apart.setdefault(place, _Apart(ZERO, now)).is_found = True
            self._compare(place, now)
        self._seen = head

    def _follow(self, after: int) -> None:
        head = self._book.wakeups.look()
        if head == after:
            return
        for event in self._book.events(after=after, types="order_updated"):
            self._hear(event)
            head = max(head, event.sequence)
        self._seen = head

    def _hear(self, event: Event) -> None:
        place = _place(event)
        if place in self._apart or any(event.data.get(name) for name in _WORDS):
            self._compare(place, times.from_datetime("recorded_at", event.recorded_at))

    def _compare(self, place: Place, at_ns: int) -> None:
        """Compare an order as it is now with what is in mind of it."""
        word, apart = self._word(place), self._apart.get(place)
        if word is None or word.missing <= ZERO:
            if apart is not None and apart.is_found:
                self._resolve(place)
            self._apart.pop(place, None)
        elif apart is None:
            if len(self._apart) < MAX_APART:
                self._apart[place] = _Apart(word.venue_filled, at_ns)
            else:
                _log.warning("order %s: more than %d orders wait for fills; it is not watched", place[1], MAX_APART)
        elif word.filled >= apart.wanted and not apart.is_found:  # late, but they come: wait for what was said since
            apart.wanted, apart.since_ns = word.venue_filled, at_ns

    def _word(self, place: Place) -> _Word | None:
        with self._book.store.reading() as reader:
            row = reader.record(ORDER, *place, None)
        if row is None:
            return None
        body = decode(row[1])
        if not body.get("known", True) or not body.get("venue_filled"):
            return None
        return _Word(
            venue_order_id=body.get("venue_order_id", ""),
            instrument=row[2],
            strategy=row[3],
            venue_filled=Decimal(body["venue_filled"]),
            filled=Decimal(body.get("filled_quantity", "0")),
        )

    # ---- breaks ----

    def _find(self, place: Place, apart: _Apart) -> None:
        account, order_id = place
        word = self._word(place)
        apart.is_found = True
        if word is None or word.missing <= ZERO or self._is_corrected(place, word) or place in self._breaks(account):
            return
        said, held, missing = plain(word.venue_filled), plain(word.filled), plain(word.missing)
        text = f"order {order_id}: its venue says {said} filled, fills of {held} are there; {missing} is missing"
        data = {
            "kind": KIND,
            "account": account,
            "client_order_id": order_id,
            "venue_filled": said,
            "booked": held,
            "missing": missing,
            "reason": text,
            "key": identity_text(KIND, account, order_id, said),
        }
        self._book.note("break_found", data, instrument=word.instrument, strategy=word.strategy)

    def _resolve(self, place: Place) -> None:
        found = self._breaks(place[0]).get(place)
        if found is None:
            return  # a person or another process was faster
        data = {
            "kind": KIND,
            "account": place[0],
            "client_order_id": place[1],
            "reason": f"order {place[1]}: its fills have come",
            "key": found.data["key"],
        }
        self._book.note("break_resolved", data, instrument=found.instrument, strategy=found.strategy)

    def _breaks(self, account: str | None = None) -> dict[Place, Event]:
        """Return the events that found the breaks of this kind that are open."""
        found: dict[Place, Event] = {}
        for item in self._book.breaks(account=account, state="open"):
            if item.kind != KIND:
                continue
            sequence = int(item.id.rpartition("-")[2])
            event: Any = next(self._book.events(after=sequence - 1, types="break_found"), None)
            if event is not None and event.sequence == sequence:
                found[item.account, str(event.data.get("client_order_id", ""))] = event
        return found

    def _is_corrected(self, place: Place, word: _Word) -> bool:
        """Say whether somebody took a fill of it back or changed its quantity: then the venue's word is the older."""
        for event in newest(self._book, _CHANGES, READ_BACK):
            data = event.data
            is_its = data.get("client_order_id") == place[1] or (
                word.venue_order_id and data.get("venue_order_id") == word.venue_order_id
            )
            if (
                is_its
                and event.account == place[0]
                and (event.type == "trade_busted" or "quantity" in data.get("changed", ()))
            ):
                return True
        return False


def _place(event: Event) -> Place:
    return event.account, str(event.data.get("client_order_id", ""))
