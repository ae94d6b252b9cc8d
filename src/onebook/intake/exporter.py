"""Writing a book out: every fact as JSON lines, or the fills that stand as CSV or Parquet.

Facts are written as they stand now, at the place at which they were first recorded; a busted fill is followed
by a line that says so. What was written reads back, by the importer, into an equal book of facts. A fill
without an id gets one derived from its content, so that reading it twice books it once.
"""

import csv
import errno
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from onebook.domain import times
from onebook.domain.cells import harmless
from onebook.domain.event_types import FACT_TYPES
from onebook.domain.facts import FACTS, Fill
from onebook.domain.identity import content_id, fill_identity
from onebook.domain.numbers import plain
from onebook.domain.shapes import fact_data, fact_from, plain_value
from onebook.errors import BookError, InputError, StoreFull
from onebook.intake.importer import trip_place
from onebook.store.codec import EntryBody, EventBody, decode_entry
from onebook.store.port import Row

PAGE = 1_000
CSV_FIELDS = tuple(item.name for item in fields(Fill) if item.name != "occurred_ns")

_FILLS = frozenset({"trade_executed", "trade_corrected"})
_NUMBERS = frozenset({"quantity", "price", "fee"})


class Book(Protocol):
    """What an export asks of a book."""

    def fills(
        self, *, account: str | None, strategy: str | None, instrument: str | None, since: Any, until: Any
    ) -> list[Any]:
        """Return the fills that stand."""

    def round_trips(self, *, account: str | None, strategy: str | None, instrument: str | None) -> list[Any]:
        """Return the round trips."""

    def entries(self, *, after: int, limit: int) -> list[Row]:
        """Return (sequence, body, hash) of the entries after a sequence, at most so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which facts are wanted; None lets all through. A fact that has no such field is let through."""

    account: str | None = None
    strategy: str | None = None
    instrument: str | None = None
    since: int | None = None
    until: int | None = None

    def wants(self, fact: Any) -> bool:
        """Say whether a fact is wanted."""
        named = {
            "account": getattr(fact, "name" if fact.KIND == "account" else "account", None),
            "strategy": getattr(fact, "strategy", None),
            "instrument": getattr(fact, "symbol" if fact.KIND == "instrument" else "instrument", None),
        }
        at = getattr(fact, "occurred_ns", None)
        return (
            all(value is None or getattr(self, name) in {None, value} for name, value in named.items())
            and (at is None or self.since is None or at >= self.since)
            and (at is None or self.until is None or at < self.until)
        )

    def filters(self) -> dict[str, Any]:
        """Return the same as a book's queries take it."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def export(book: Book, path: str, chosen: Chosen, *, form: str | None = None, replace: bool = False) -> int:
    """Write a book to a file; return how many lines or rows. The file is whole, or as it was before.

    Args:
        book: what to write.
        path: the file; a pipe or a terminal is written as it comes.
        chosen: which facts.
        form: ``jsonl`` for every fact, ``csv`` or ``parquet`` for the fills that stand; None: as the path ends.
        replace: allow that the file is there already.

    Raises:
        InputError: no such form, the file is there, or it cannot be written.
        StoreFull: the disk is full.
    """
    writer = _writer(path, form)
    target = Path(path)
    try:
        if target.is_dir():
            msg = f"{path}: is a folder; name a file in it"
            raise InputError(msg, field="path", value=path)
        if target.exists() and not target.is_file():
            return writer(book, target, chosen)
        if target.exists() and not replace:
            msg = f"{path}: is there already; allow to write over it (replace=True, --replace) or name another file"
            raise InputError(msg, field="path", value=path)
        return _written(writer, book, target, chosen)
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise _unwritten(path, problem) from None


def _writer(path: str, form: str | None) -> "Callable[[Book, Path, Chosen], int]":
    named = Path(path).suffix.lower().removeprefix(".") if form is None else form.lower()
    if named not in _WRITERS:
        said = f"{path}: " if form is None else f"form: {form!r} is none of jsonl, csv, parquet; "
        msg = f"{said}name a .jsonl file (every fact), or a .csv or .parquet file (fills)"
        raise InputError(msg, field="path" if form is None else "form", value=path if form is None else form)
    return _WRITERS[named]


def _written(writer: "Callable[[Book, Path, Chosen], int]", book: Book, target: Path, chosen: Chosen) -> int:
    """Let a file beside the target take its place once it is whole and on the disk."""
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        count = writer(book, partial, chosen)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _unwritten(path: str, problem: OSError) -> BookError:
    if problem.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreFull(f"{path}: the disk is full; nothing is there. Make room and export again", path=path)
    if isinstance(problem, FileNotFoundError):
        return InputError(f"{path}: its folder does not exist; make it first", field="path", value=path)
    return InputError(f"{path}: cannot be written ({problem.strerror})", field="path", value=path)


# ---- every fact, as JSON lines ----


def _jsonl(book: Book, path: Path, chosen: Chosen) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        for line in _all_lines(book, chosen):
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
    return count


def _all_lines(book: Book, chosen: Chosen) -> Iterator[dict[str, Any]]:
    """Return every fact, then what hangs on round trips."""
    yield from fact_lines(book, chosen)
    trips = book.round_trips(account=chosen.account, strategy=chosen.strategy, instrument=chosen.instrument)
    for trip in trips:
        if trip.notes or trip.tags:
            names = ("account", "instrument", "strategy", "leg", "opened_at")
            note: dict[str, Any] = {"type": "annotation"} | dict(zip(names, trip_place(trip), strict=True))
            yield note | {"notes": trip.notes, "tags": list(trip.tags)}


def fact_lines(book: Book, chosen: Chosen) -> Iterator[dict[str, Any]]:
    """Return every fact as plain data with its ``type``, in the order of the log."""
    changes = _changes(book)
    naming = Naming()
    made_at: dict[tuple[str, ...], int] = {}
    for sequence, entry in _log(book):
        for ordinal, event in enumerate(entry.events, 1):
            fact = _fact(entry, event)
            if fact is None or event.type == "trade_corrected":
                continue
            if isinstance(fact, Fill) and synthetic(fact):
                fact = _with_own_time(fact, made_at)
            change = changes.get((sequence, ordinal))
            if change is not None and change.fact is not None:
                fact = change.fact
            yield from _said(fact, change, naming, chosen)


def _said(fact: Any, change: "_Change | None", naming: "Naming", chosen: Chosen) -> Iterator[dict[str, Any]]:
    """Return the lines of a fact: itself, and its bust."""
    busted = change is not None and change.busted
    if isinstance(fact, Fill):
        if busted and synthetic(fact):
            return
        fact = naming.named(fact)
    if not chosen.wants(fact):
        return
    yield line_of(fact)
    if busted and change is not None:
        yield {"type": "bust", "which": fill_identity(fact, ""), "reason": change.reason}


def synthetic(fill: Fill) -> bool:
    """Say whether a fill was made from an order's cumulative quantity."""
    return fill.venue_fill_id.startswith("order:")


def _with_own_time(fill: Fill, made_at: dict[tuple[str, ...], int]) -> Fill:
    """Return what is left of an order-level fill with the time of the fill it is left of."""
    _, order, cumulative, *left = fill.venue_fill_id.split(":")
    first = made_at.setdefault((fill.account, fill.instrument, order, cumulative), fill.occurred_ns or 0)
    return fill.replaced(occurred_ns=first) if left else fill


@dataclass(slots=True)
class _Change:
    """What became of a fill after it was recorded."""

    fact: Fill | None = None
    busted: bool = False
    reason: str = ""


def _changes(book: Book) -> dict[tuple[int, int], _Change]:
    """Return how fills stand that were corrected, completed or busted."""
    found: dict[tuple[int, int], _Change] = {}
    for _, entry in _log(book):
        for event in entry.events:
            if event.type not in {"trade_corrected", "trade_busted"}:
                continue
            sequence, ordinal = event.data["fills"]
            change = found.setdefault((sequence, ordinal), _Change())
            if event.type == "trade_corrected":
                change.fact = _fact(entry, event)
            else:
                change.busted, change.reason = True, event.data["reason"]
    return found


def _log(book: Book) -> Iterator[tuple[int, EntryBody]]:
    sequence = 0
    while page := book.entries(after=sequence, limit=PAGE):
        for row in page:
            sequence = row[0]
            yield sequence, decode_entry(sequence, row[1])


def _fact(entry: EntryBody, event: EventBody) -> Any:
    """Return the fact that an event holds, or None."""
    kind = "fill" if event.type in _FILLS else event.data.get("fact") if event.type in FACT_TYPES else None
    if not isinstance(kind, str) or kind not in FACTS:
        return None
    return fact_from(
        kind,
        event.data,
        account=event.account or entry.account,
        instrument=event.instrument or entry.instrument,
        strategy=entry.strategy if event.strategy is None else event.strategy,
        occurred_ns=entry.occurred,
    )


def line_of(fact: Any) -> dict[str, Any]:
    """Return a fact as plain data with its ``type``; what is at its default is left out."""
    line: dict[str, Any] = {"type": fact.KIND}
    if getattr(fact, "occurred_ns", None) is not None:
        line["occurred_at"] = times.to_text(fact.occurred_ns)
    if isinstance(fact, Fill):
        line |= {"account": fact.account, "instrument": fact.instrument}
        line |= {"strategy": fact.strategy} if fact.strategy else {}
    return line | fact_data(fact)


@dataclass(slots=True)
class Naming:
    """Gives fills without an id one that is derived from their content and how often that came before."""

    _seen: dict[str, int] = field(default_factory=dict)

    def named(self, fill: Fill) -> Fill:
        """Return the fill with an id."""
        if fill.venue_fill_id or fill.client_fill_id:
            return fill
        first = content_id(fill)
        before = self._seen.get(first, 0)
        self._seen[first] = before + 1
        return fill.replaced(client_fill_id=content_id(fill, before) if before else first)


# ---- fills that stand, as CSV and Parquet ----


def _standing(book: Book, chosen: Chosen) -> Iterator[Fill]:
    """Return the fills that stand; order-level ones last, so that no execution takes from them again."""
    naming = Naming()
    last = []
    for recorded in book.fills(**chosen.filters()):
        fill = naming.named(recorded.fill)
        if synthetic(fill):
            last.append(fill)
        else:
            yield fill
    yield from last


def _csv(book: Book, path: Path, chosen: Chosen) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(CSV_FIELDS)
        for fill in _standing(book, chosen):
            writer.writerow([_cell(name, getattr(fill, name), fill) for name in CSV_FIELDS])
            count += 1
    return count


def _cell(name: str, value: Any, fill: Fill) -> str:
    if name == "occurred_at":
        return times.to_text(fill.occurred_ns or 0)
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, Decimal):
        return plain(value)
    if name == "raw":
        return json.dumps(plain_value(value), ensure_ascii=False) if value else ""
    if name == "tags":
        simple = all("," not in tag and not tag.startswith("[") for tag in value)
        return harmless(",".join(value)) if simple else json.dumps(list(value), ensure_ascii=False)
    return harmless(str(value))


def _parquet(book: Book, path: Path, chosen: Chosen) -> int:
    try:
        import polars as pl
    except ImportError:
        msg = "polars is not installed; run: pip install 'onebook[analytics]'"
        raise InputError(msg, field="path", value=str(path)) from None
    columns: dict[str, list[Any]] = {name: [] for name in CSV_FIELDS}
    for fill in _standing(book, chosen):
        for name, cells in columns.items():
            cells.append(_parquet_cell(name, fill))
    kinds: dict[str, Any] = {name: pl.Decimal(38, 18) if name in _NUMBERS else pl.String for name in CSV_FIELDS}
    kinds |= {"occurred_at": pl.Datetime("ns", "UTC"), "tags": pl.List(pl.String)}
    frame = pl.DataFrame(columns, schema=kinds)
    frame.write_parquet(path, compression="zstd")
    return frame.height


def _parquet_cell(name: str, fill: Fill) -> Any:
    value = getattr(fill, name)
    if name == "occurred_at":
        return fill.occurred_ns
    if name == "tags":
        return list(value)
    return json.dumps(value, ensure_ascii=False) if name == "raw" else value


_WRITERS = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}
