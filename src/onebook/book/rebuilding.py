"""Rebuild: every read model anew from the log, in one transaction; a sound snapshot spares the way up to it.

A snapshot is trusted only where it agrees with what is there: the models that keep versions, brought back to its entry,
must have its digests. When all that changes nothing, whatever made somebody ask is older than the snapshot, or in it:
then everything is folded from zero. So a damage that found its way into a snapshot does not survive.
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from onebook.book.digests import ROWS, digests, gained_ids, names_of
from onebook.book.installing import BookState
from onebook.book.log import PAGE
from onebook.book.replay import decide_again, ids_of
from onebook.book.snapshot_files import Content, Header
from onebook.book.snapshots import Folder
from onebook.book.verifying import MODELS, ledger_names, model_rows, rows_digest
from onebook.domain.reports import Problem, Verification
from onebook.domain.state import Stamp
from onebook.errors import BookError, StoreError
from onebook.store.codec import RULES, decode_entry
from onebook.store.port import GENESIS, Batch, Head, Row, Store

_log = logging.getLogger("onebook.book")
Progress = Callable[[int, int], None]


class Rebuild:
    """One making anew. The caller holds the door shut.

    Args:
        store: of the book.
        state: of its door.
        progress: called with entries done and entries in all.
    """

    def __init__(self, store: Store, state: BookState, progress: Progress | None) -> None:
        self._store = store
        self._state = state
        self._progress = progress
        self._problems: list[Problem] = []

    def run(self, path: Path | None, *, from_zero: bool = False) -> Verification:
        """Make every read model anew. Where that changes anything, snapshots made since are removed.

        Args:
            path: of the folder of snapshots; None for none.
            from_zero: begin at none of them.
        """
        store = self._store
        folder = None if path is None or not path.is_dir() else Folder(path)
        store.begin()
        try:
            head = store.head()
            before = None if folder is None else self._everything()
            begun = 0 if folder is None or from_zero else self._from_snapshot(folder, head, before)
            if not begun:
                store.wipe_models()
                self._replay(GENESIS, head)
            if folder is not None and self._everything() != before:
                folder.forget(begun, self._is_ours)
            store.commit()
        except BaseException:
            store.rollback()
            raise
        finally:
            self._state.forget()
        return Verification(
            ok=not self._problems,
            problems=tuple(self._problems),
            entries=head[0],
            head_hash=head[1].hex(),
            snapshot=begun,
        )

    # ---- from a snapshot ----

    def _from_snapshot(self, folder: Folder, head: Head, before: object) -> int:
        """Begin at the newest sound snapshot, and return its sequence; 0 when that cannot be, or mends nothing."""
        for path, content in folder.whole(self._fits):
            differing = self._put(content)
            if differing:
                _log.warning("snapshot %s is passed over: %s now differ from what they were", path, differing)
                continue
            try:
                self._replay(content.standing.head, head)
            except StoreError:
                raise
            except BookError as problem:
                _log.warning("snapshot %s is passed over: what follows cannot be decided: %s", path, problem)
                continue
            if self._everything() != before:
                return content.header.sequence
            _log.info("nothing changed since snapshot %s: folding from zero", path)
            break
        return 0

    def _fits(self, header: Header) -> bool:
        """Say whether it is an anchor of this log, written by the rules of today."""
        return header.anchor and header.rules == RULES and self._is_ours(header)

    def _is_ours(self, header: Header) -> bool:
        """Say whether it stands in this log."""
        row = self._store.entry(header.sequence)
        return row is not None and bytes(row[2]).hex() == header.hash

    def _put(self, content: Content) -> str:
        """Bring all models back to the snapshot; return the names of those that differ, and then it is not done."""
        store, known = self._store, content.header.sequence
        gained = [(store.scope(space), *rest) for space, *rest in gained_ids(store, known)]
        store.cut(known, gained)
        numbers = {tuple(row[1:]): row[0] for row in store.ledgers()}
        missing = [row for row in content.standing.ledgers if tuple(row[1:]) not in numbers]
        if missing:
            return "ledgers"
        here = {row[0]: numbers[tuple(row[1:])] for row in content.standing.ledgers}

        def fetch(table: str, after: Row | None) -> list[Row]:
            return store.versions(table, known, after, ROWS)

        found = digests(fetch, known, names_of([(here[row[0]], *row[1:]) for row in content.standing.ledgers]))
        differing = [name for name, digest in found.items() if content.digests.get(name) != digest]
        if differing:
            return ", ".join(differing)
        store.drop_ledgers(here.values())
        positions = [(here[row[0]], *row[1:]) for row in content.standing.positions]
        store.write(Batch(positions=positions, days=content.standing.days, tally=content.standing.tally))
        return ""

    def _everything(self) -> list[tuple[int, int]]:
        """Return what all models are, as numbers."""
        names = ledger_names(self._store)
        return [rows_digest(model_rows(self._store, table, names)) for table in MODELS]

    # ---- the log ----

    def _replay(self, begin: Head, head: Head) -> None:
        """Decide every entry after one again."""
        state = self._state
        state.forget()
        state.head = begin
        self._problems = []
        for page in self._pages(begin[0], head[0]):
            entries = [(sequence, body, decode_entry(sequence, body)) for sequence, body, _ in page]
            state.ask_ahead(ids_of(entry for _, _, entry in entries))
            for sequence, body, entry in entries:
                decision = decide_again(state, sequence, entry)
                stamp = Stamp(sequence, entry.at, entry.actor, entry.correlation_id)
                made = state.install(decision, stamp, logged=True)
                if entry.rules == RULES and made != body.encode():
                    text = f"entry {sequence}: its outcome is not what its fact leads to"
                    self._problems.append(Problem(kind="outcome", sequence=sequence, message=text))
            if self._progress is not None:
                self._progress(page[-1][0], head[0])
        state.flush()

    def _pages(self, after: int, upto: int) -> Iterator[list[Row]]:
        while after < upto:
            page = self._store.entries(after, PAGE)
            yield page
            after = page[-1][0]
