"""What is wrong just now with a book and its surroundings, as far as no event tells: pure looks, no deeds."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from onebook.book.core import Core
from onebook.domain import times
from onebook.domain.numbers import plain
from onebook.feed.missing_fills import AFTER_SECONDS
from onebook.store.port import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where on something is wrong; 0 never.

    Attributes:
        break_after_seconds: so long no fill has settled what a venue says has filled of an order.
        mark_stale_seconds: age of the mark of something held.
        disk_free_bytes: free space below.
        disk_free_ratio: free share of the disk below, 0 to 1.
        dead_letters: so many of one subscriber.
    """

    break_after_seconds: float = AFTER_SECONDS
    mark_stale_seconds: float = 300.0
    disk_free_bytes: int = 1_000_000_000
    disk_free_ratio: float = 0.02
    dead_letters: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that is wrong just now.

    Attributes:
        kind: ``bot_silent``, ``mark_stale``, ``dead_letter``, ``subscriber_halted`` or ``disk_nearly_full``.
        subject: what it is about: a strategy, an instrument, a subscriber; empty for the machine.
        since: what tells this occurrence from the next one of the same kind and subject.
        text: a sentence for people.
        figures: what was measured, as plain JSON data.
    """

    kind: str
    subject: str
    since: str
    text: str
    figures: dict[str, object]

    @property
    def key(self) -> str:
        """What makes an alert of it happen once."""
        return f"{self.kind}|{self.subject}|{self.since}"


def conditions(book: Core, limits: Limits, now: int) -> list[Condition]:
    """Return everything that is wrong at a moment.

    Args:
        book: which.
        limits: from where on.
        now: nanoseconds since 1970 UTC, by the book's clock.
    """
    with book.store.reading() as reader:
        found = [*_silent(reader, now), *_undelivered(reader, limits), *_stale(book, reader, limits, now)]
    return [*found, *_disk(book, limits, now)]


def _silent(reader: Reader, now: int) -> Iterator[Condition]:
    for beat in reader.heartbeats():
        age = now - beat.at_ns
        if age > beat.every_ns:
            last = times.to_text(beat.at_ns)
            yield Condition(
                kind="bot_silent",
                subject=beat.strategy,
                since=last,
                text=f"the last one was at {last}",
                figures={"last_beat_at": last, "every_seconds": beat.every_ns / times.SECOND},
            )


def _undelivered(reader: Reader, limits: Limits) -> Iterator[Condition]:
    letters = reader.count_dead_letters()
    for row in reader.subscribers():
        count = letters.get(row.name, 0)
        if limits.dead_letters and count >= limits.dead_letters:
            yield Condition(
                kind="dead_letter",
                subject=row.name,
                since=times.to_text(row.last_error_ns),
                text=f"{count} events could not be handed to {row.name}: {row.last_error}",
                figures={"dead_letters": count, "last_error": row.last_error},
            )
        if row.state == "halted":
            yield Condition(
                kind="subscriber_halted",
                subject=row.name,
                since=times.to_text(row.last_error_ns),
                text=f"{row.name} stands still: {row.last_error}",
                figures={"last_error": row.last_error},
            )


def _stale(book: Core, reader: Reader, limits: Limits, now: int) -> Iterator[Condition]:
    if not limits.mark_stale_seconds:
        return
    oldest = now - int(limits.mark_stale_seconds * times.SECOND)
    marks = {name: at for name, _, at, _, _ in reader.marks()}
    for mark in book.marks():
        marks[mark.instrument] = max(times.from_datetime("at", mark.at), marks.get(mark.instrument, 0))
    old = {name for name, at in marks.items() if at < oldest}
    if not old:
        return
    for name in sorted({item.instrument for item in book.positions()} & old):
        last = times.to_text(marks[name])
        yield Condition(
            kind="mark_stale",
            subject=name,
            since=last,
            text=f"{name} is held, and its last price is of {last}",
            figures={"marked_at": last},
        )


def _disk(book: Core, limits: Limits, now: int) -> Iterator[Condition]:
    place = Path(book.store.url)
    if not place.is_file():
        return
    usage = shutil.disk_usage(place.parent)
    ratio = Decimal(usage.free) / Decimal(usage.total) if usage.total else Decimal(1)
    if usage.free < limits.disk_free_bytes or ratio < Decimal(str(limits.disk_free_ratio)):
        yield Condition(
            kind="disk_nearly_full",
            subject="",
            since=times.to_text(now)[:10],
            text=f"{usage.free / 1e9:.2f} GB left on the disk of the book",
            figures={"free_bytes": usage.free, "free_ratio": plain(round(ratio, 4))},
        )
