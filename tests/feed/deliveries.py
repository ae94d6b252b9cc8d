"""A book with fills of every kind over three days, and how its events are handed to a sink."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import onebook
from onebook import Event, Fill
from onebook.config import Key
from onebook.feed.sink import Around, Sink
from onebook.testing.clock import FakeClock

BOOK = "desk:0"
DAYS = ("2024-06-03T12:00:00Z", "2024-06-04T12:00:00Z", "2024-06-05T23:59:59.999Z")


def fill(number: int, **changes: Any) -> Fill:
    given: dict[str, Any] = {"side": "buy", "quantity": "0.5", "price": "60000.1", "strategy": "trend"} | changes
    return Fill(instrument="BTC/USDT", venue="binance", venue_fill_id=str(number), **given)


def recorded(book: onebook.Book, clock: FakeClock) -> list[Event]:
    """Record fills, a correction, a bust and a conflict; return all events."""
    for day, moment in enumerate(DAYS):
        clock.set(moment)
        book.record(fill(10 * day + 1, fee="-0.5", fee_currency="USDT"))
        book.record(fill(10 * day + 2, note='=cmd|"x", é\n-second\\line', tags=("a", "@b"), strategy="+plus"))
        book.record(fill(10 * day + 1, price="1"))
        book.correct(3 * day + 1 + 2 * day, reason="typo", price="59000")
        book.bust(3 * day + 2 + 2 * day, reason="-venue said so")
    return list(book.events())


def around(book: onebook.Book, clock: FakeClock, book_id: str = BOOK) -> Around:
    return Around(name="audit", book=book, clock=clock, book_id=book_id)


def taken(table: dict[str, Key], **given: Any) -> dict[str, Any]:
    """Return all options of a sink, as the routes hand them over."""
    assert set(given) <= set(table)
    return {name: key.take(name, given[name]) if name in given else key.default for name, key in table.items()}


def hand_over(sink: Sink, events: Sequence[Event], batch: int = 4) -> None:
    for start in range(0, len(events), batch):
        assert sink.deliver(events[start : start + batch], more=start + batch < len(events))


def changed(event: Event, **changes: Any) -> Event:
    return Event(**({item.name: getattr(event, item.name) for item in fields(Event)} | changes))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
