"""Booking the rows of files, and a report from which the import can be undone.

A row that cannot be booked is reported with its file, line, field and reason; the others are booked.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from onebook.domain.facts import Fill
from onebook.domain.identity import fill_identity
from onebook.domain.reports import BatchReport, Event
from onebook.domain.shapes import fact_from
from onebook.errors import BookError, ImportRefused, InputError
from onebook.intake.files import Row, Source, rows
from onebook.intake.mapping import Columns, Mapper, zone_of

CHUNK = 5_000
MAX_REFUSED = 10_000
"""Most refused rows that are listed; all are counted."""

COMMANDS = ("bust", "annotation")
"""Types of JSON lines that are no facts but say something of one."""


class Book(Protocol):
    """What an import asks of a book."""

    def record_many(self, facts: Iterable[Any]) -> BatchReport:
        """Take in facts, one entry each."""

    def bust(self, which: int | str, *, reason: str) -> Any:
        """Take a fill back."""

    def annotate(self, round_trip_id: int, *, notes: str | None, tags: Iterable[str] | None) -> Any:
        """Hang notes and tags on a round trip."""

    def round_trips(self) -> list[Any]:
        """Return the round trips."""

    def events(self, *, after: int, types: tuple[str, ...]) -> Iterator[Event]:
        """Return events of the log."""

    def entries(self, *, after: int, limit: int) -> list[tuple[Any, ...]]:
        """Return entries of the log: (sequence, body, hash)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRow:
    """A row that was not booked: where it stands, which field, and why."""

    file: str
    line: int
    field: str
    reason: str


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """What became of the rows.

    ``fills`` are the identities of the fills that this import recorded. Its entries in the log lie between
    ``first_sequence`` and ``last_sequence``; ``last_hash`` is the hash of the last in hex, which no other book has.
    """

    files: list[str] = field(default_factory=list)
    rows: int = 0
    recorded: int = 0
    exists: int = 0
    conflicts: int = 0
    refused_rows: int = 0
    refused: list[RefusedRow] = field(default_factory=list)
    unused_columns: dict[str, list[str]] = field(default_factory=dict)
    dry_run: bool = False
    fills: list[str] = field(default_factory=list)
    first_sequence: int | None = None
    last_sequence: int | None = None
    last_hash: str = ""

    def booked(self, first: int | None, last: int | None) -> None:
        """Take in between which sequences entries of this import lie."""
        if self.first_sequence is None:
            self.first_sequence = first
        if last is not None:
            self.last_sequence = last

    def refuse(self, row: Row, reason: str, name: str = "") -> None:
        """Add a row that was not booked."""
        self.refused_rows += 1
        if len(self.refused) < MAX_REFUSED:
            self.refused.append(RefusedRow(file=row.file, line=row.line, field=name, reason=reason))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How files are to be read: kind of rows, map, fields for all rows, zone of times without one.

    Raises:
        InputError: there is no such zone.
    """

    kind: str = "fill"
    columns: Columns = field(default_factory=Columns)
    defaults: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.zone:
            zone_of(self.zone)


@dataclass(slots=True)
class Importer:
    """Books files into a book.

    Args:
        book: where to.
        wishes: how to read the files.
        progress: called with the rows handled so far.
    """

    book: Book
    wishes: Wishes
    progress: Callable[[int], None] | None = None
    report: ImportReport = field(default_factory=ImportReport)
    _trips: dict[tuple[Any, ...], int] | None = None

    def run(self, sources: Iterable[Source]) -> ImportReport:
        """Book the rows of all files, one file after the other.

        Raises:
            ImportRefused: the map does not fit a file; nothing was booked.
        """
        wishes = self.wishes
        mappers = [Mapper(source, wishes.kind, wishes.columns, wishes.defaults, wishes.zone) for source in sources]
        self.report.dry_run = wishes.dry_run
        for mapper in mappers:
            self.report.files.append(mapper.source.path)
            if unused := mapper.unused():
                self.report.unused_columns[mapper.source.path] = unused
            self._book_file(mapper)
        if self.report.last_sequence is not None:
            self.report.last_hash = _hash_at(self.book, self.report.last_sequence)
        return self.report

    def _book_file(self, mapper: Mapper) -> None:
        later: list[Row] = []
        self._trips = None
        facts = self._facts(mapper, later)
        while chunk := list(islice(facts, CHUNK)):
            if not self.wishes.dry_run:
                self._book(chunk)
            if self.progress is not None:
                self.progress(self.report.rows)
        for row in later:
            if not self.wishes.dry_run:
                self._tell(row)

    def _facts(self, mapper: Mapper, later: list[Row]) -> Iterator[tuple[Row, Any]]:
        """Return the facts of a file's rows; what is said of facts comes after them, in ``later``."""
        for row in rows(mapper.source):
            self.report.rows += 1
            if row.problem:
                self.report.refuse(row, row.problem)
            elif mapper.source.is_json and row.values.get("type") in COMMANDS:
                later.append(row)
            else:
                try:
                    fact = mapper.fact(row)
                except InputError as problem:
                    self.report.refuse(row, str(problem), str(problem.details.get("field", "")))
                else:
                    yield row, fact

    def _book(self, chunk: list[tuple[Row, Any]]) -> None:
        found = self.book.record_many(fact for _, fact in chunk)
        self.report.recorded += found.recorded
        self.report.exists += found.exists
        self.report.conflicts += found.conflicts
        self.report.booked(found.first_sequence, found.last_sequence)
        for refusal in found.refused:
            row, _ = chunk[refusal.index]
            details = getattr(refusal.error, "details", {})
            self.report.refuse(row, str(refusal.error), str(details.get("field", "")))
        named = [fill_identity(fact, "") for _, fact in chunk if isinstance(fact, Fill)]
        self.report.fills += named if found.recorded == len(chunk) else self._recorded(found, set(named))

    def _recorded(self, found: BatchReport, named: set[str]) -> list[str]:
        """Return which of these identities the batch recorded: those whose fill lies in its part of the log."""
        if found.first_sequence is None or found.last_sequence is None:
            return []
        recorded = []
        for event in self.book.events(after=found.first_sequence - 1, types=("trade_executed",)):
            if event.sequence > found.last_sequence:
                break
            identity = _identity(event)
            if identity in named:
                recorded.append(identity)
        return recorded

    def _tell(self, row: Row) -> None:
        """Carry out a line that says something of a fact: a bust, or the notes of a round trip."""
        try:
            if row.values["type"] == "bust":
                receipt = self.book.bust(str(row.values["which"]), reason=str(row.values["reason"]))
            else:
                receipt = self._annotate(row.values)
        except KeyError as problem:
            self.report.refuse(row, f"{problem.args[0]}: is missing", str(problem.args[0]))
        except BookError as problem:
            self.report.refuse(row, str(problem))
        else:
            recorded = receipt.status == "recorded"
            self.report.recorded += recorded
            self.report.exists += not recorded
            if recorded:
                self.report.booked(receipt.sequence, receipt.sequence)

    def _annotate(self, values: dict[str, Any]) -> Any:
        wanted = tuple(values[name] for name in ("account", "instrument", "strategy", "leg", "opened_at"))
        if self._trips is None:
            self._trips = {trip_place(trip): trip.id for trip in self.book.round_trips()}
        if wanted in self._trips:
            trip_id = self._trips[wanted]
            return self.book.annotate(trip_id, notes=values.get("notes"), tags=values.get("tags"))
        msg = f"no round trip of {wanted[1]} opened at {wanted[4]}"
        raise InputError(msg, field="opened_at")


def trip_place(trip: Any) -> tuple[str, str, str, str, str]:
    """Return what tells a round trip from others in every book: whose, of what, and when it began."""
    from onebook.domain.reports import as_plain

    return trip.account, trip.instrument, trip.strategy, trip.leg, as_plain(trip.opened_at)


def _identity(event: Event) -> str:
    fill = fact_from(
        "fill",
        event.data,
        account=event.account,
        instrument=event.instrument,
        strategy=event.strategy,
        occurred_ns=0,
    )
    return fill_identity(fill, event.id)


def undo(book: Book, report_path: str, progress: Callable[[int], None] | None = None) -> tuple[int, list[str]]:
    """Bust the fills that an import recorded, the newest first; return how many, and what could not be.

    Raises:
        ImportRefused: the file is not the report of an import into this book.
    """
    identities = _reported(book, report_path)
    name = Path(report_path).name
    busted, failed = 0, []
    for number, identity in enumerate(reversed(identities), 1):
        try:
            busted += book.bust(identity, reason=f"import undone: {name}").status == "recorded"
        except BookError as problem:
            failed.append(str(problem))
        if progress is not None:
            progress(number)
    return busted, failed


def _hash_at(book: Book, sequence: int) -> str:
    """Return the hash of an entry in hex; empty when the log does not have it."""
    return next((found.hex() for at, _, found in book.entries(after=sequence - 1, limit=1) if at == sequence), "")


def _reported(book: Book, path: str) -> list[str]:
    """Return the fills that a report names, when it is of this book."""
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
        fills, last, last_hash = report["fills"], report.get("last_sequence", ""), report.get("last_hash")
    except OSError as problem:
        msg = f"{path}: cannot be read ({problem.strerror})"
        raise ImportRefused(msg, file=path) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        fills = last = last_hash = None
    if not isinstance(fills, list) or not all(isinstance(item, str) for item in fills):
        msg = f"{path}: is not the report of an import; keep one with: onebook import FILE --report REPORT.json"
        raise ImportRefused(msg, file=path)
    if last is None and not fills:
        return []
    if type(last) is not int or not 0 < last < 2**63 or not last_hash:
        msg = f"{path}: does not say which book it is of, so nothing was undone; bust its fills with: onebook bust FILL"
        raise ImportRefused(msg, file=path)
    if _hash_at(book, last) != last_hash:
        msg = (
            f"{path}: is of an import into another book, whose entry {last} this one does not have; nothing was undone."
            " Name that book with: onebook --db BOOK import --undo"
        )
        raise ImportRefused(msg, file=path)
    return fills
