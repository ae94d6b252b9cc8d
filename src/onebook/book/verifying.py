"""Verify: check every hash, decide every fact again from zero, and compare what that gives with what is there.

The log is read in pages up to a head fixed at the start. Outcomes are compared with the stored bytes; the read
models are built anew in a scratch store and compared row by row, whatever their order.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from onebook.book.installing import BookState
from onebook.book.replay import decide_again, ids_of
from onebook.domain.reports import Problem, Verification
from onebook.domain.state import Stamp
from onebook.errors import BookError
from onebook.store.codec import RULES, EntryBody, chained, decode_entry
from onebook.store.port import GENESIS, Row, Store

PAGE = 512
MODELS = ("identities", "movements", "positions", "points", "trips", "days", "records", "rates", "tally")
MAX_PROBLEMS = 100
_LEDGER_COLUMN = {"movements": 0, "positions": 0, "points": 0, "trips": 2}

Progress = Callable[[int, int], None]


class Verifier:
    """One run over a book.

    Args:
        store: the book, which is only read.
        progress: called with entries done and entries in all.
    """

    def __init__(self, store: Store, progress: Progress | None) -> None:
        self._store = store
        self._progress = progress
        self._problems: list[Problem] = []
        self._corrupt = False

    def run(self) -> Verification:
        """Return what was found; it never raises for a finding."""
        with self._store.reading() as reader:
            head, digest = reader.head()
        with scratch_store() as scratch:
            state = BookState(scratch)
            replayed = self._replay(state, scratch, head)
            if replayed and not self._corrupt:
                self._compare(scratch, head)
        return Verification(
            ok=not self._problems,
            problems=tuple(self._problems),
            entries=head,
            head_hash=digest.hex(),
            corrupt=self._corrupt,
        )

    def _found(self, kind: str, sequence: int | None, message: str, *, corrupt: bool = False) -> None:
        self._corrupt = self._corrupt or corrupt
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(Problem(kind=kind, sequence=sequence, message=message))

    def _pages(self, head: int) -> Iterator[list[Row]]:
        after = 0
        while after < head:
            with self._store.reading() as reader:
                page = [row for row in reader.entries(after, PAGE) if row[0] <= head]
            if not page:
                self._found("sequence_gap", after + 1, f"entry {after + 1} is missing", corrupt=True)
                return
            yield page
            after = page[-1][0]

    def _replay(self, state: BookState, scratch: Store, head: int) -> bool:
        """Check the chain and decide everything again; False when that had to end early."""
        expected, previous = 1, GENESIS[1]
        for page in self._pages(head):
            scratch.begin()
            state.refresh()
            entries = {} if self._corrupt else self._decoded(page)
            state.ask_ahead(ids_of(entries.values()))
            for sequence, body, digest in page:
                if sequence != expected:
                    self._found("sequence_gap", expected, f"entry {expected} is missing", corrupt=True)
                    scratch.rollback()
                    return False
                if chained(previous, body.encode()) != bytes(digest):
                    text = f"entry {sequence}: its bytes, or those before it, are not the ones that were written"
                    self._found("hash_mismatch", sequence, text, corrupt=True)
                previous, expected = bytes(digest), sequence + 1
                if not self._corrupt and not self._again(state, sequence, body, entries.get(sequence)):
                    scratch.rollback()
                    return False
            state.flush()
            scratch.commit()
            if self._progress is not None:
                self._progress(expected - 1, head)
        return True

    def _decoded(self, page: list[Row]) -> dict[int, EntryBody]:
        """Return a page's entries up to the first that cannot be read."""
        entries: dict[int, EntryBody] = {}
        with suppress(BookError):
            for sequence, body, _ in page:
                entries[sequence] = decode_entry(sequence, body)
        return entries

    def _again(self, state: BookState, sequence: int, body: str, known: EntryBody | None) -> bool:
        try:
            entry = known or decode_entry(sequence, body)
            decision = decide_again(state, sequence, entry)
        except BookError as problem:
            self._found("outcome", sequence, f"entry {sequence} cannot be decided again: {problem}")
            return False
        stamp = Stamp(sequence, entry.at, entry.actor, entry.correlation_id)
        made = state.install(decision, stamp)
        if entry.rules == RULES and made != body.encode():
            self._found("outcome", sequence, f"entry {sequence}: its outcome is not what its fact leads to")
        return True

    def _compare(self, scratch: Store, head: int) -> None:
        with self._store.reading() as reader:
            if reader.head()[0] != head:
                return
            mine = ledger_names(reader)
            theirs = ledger_names(scratch)
            for table in MODELS:
                there = rows_digest(model_rows(reader, table, mine))
                anew = rows_digest(model_rows(scratch, table, theirs))
                if there != anew:
                    self._differences(table, model_rows(reader, table, mine), model_rows(scratch, table, theirs))

    def _differences(self, table: str, there: Iterator[Row], anew: Iterator[Row]) -> None:
        left, right = {}, {}
        for row in there:
            left[repr(row)] = row
        for row in anew:
            if left.pop(repr(row), None) is None:
                right[repr(row)] = row
        for text in list(left)[:5]:
            self._found("read_model", None, f"{table} holds {text[:300]}, which the log does not lead to")
        for text in list(right)[:5]:
            self._found("read_model", None, f"{table} lacks {text[:300]}, which the log leads to")
        if not left and not right:
            self._found("read_model", None, f"{table} holds rows more than once")


def ledger_names(reader: Any) -> dict[int, str]:
    """Return what each ledger's number stands for."""
    return {row[0]: f"{row[1]}/{row[3]}/{row[2]}" for row in reader.digest_rows("ledgers")}


def model_rows(reader: Any, table: str, names: dict[int, str]) -> Iterator[Row]:
    """Yield a read model's rows, with the names of ledgers in the place of their numbers."""
    column = _LEDGER_COLUMN.get(table)
    for row in reader.digest_rows(table):
        if column is None:
            yield row
        else:
            yield (*row[:column], names.get(row[column], row[column]), *row[column + 1 :])


def rows_digest(found: Iterator[Row]) -> tuple[int, int]:
    """Return how many rows there are and a number that depends on all of them and not on their order."""
    count = total = 0
    for row in found:
        count += 1
        total += hash(row)
    return count, total


class scratch_store:  # noqa: N801  used as a context manager
    """A store for one use, in the system's temporary folder, that syncs nothing."""

    def __enter__(self) -> Store:
        from onebook.store.sqlite.store import SqliteStore

        self._folder = tempfile.TemporaryDirectory(prefix="onebook-")
        self._store = SqliteStore(str(Path(self._folder.name) / "scratch.db"), synchronous="off")
        return self._store

    def __exit__(self, *problem: object) -> None:
        self._store.close()
        self._folder.cleanup()
