"""Snapshots: what the book held at an entry, in files beside it, so that making it anew need not begin at zero.

A snapshot is a cache, never the truth: every one of them may be removed. It holds the models that keep no versions and
the users' state; an anchor says of the others what they were, by digests.
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from time import time
from typing import Any

from onebook.book.commit import Committer, Request
from onebook.book.digests import digests_of, names_of
from onebook.book.snapshot_files import Content, Damaged, Header, header_of, read, write
from onebook.book.state_store import StoredDocuments
from onebook.domain import commands, times
from onebook.domain.reports import Snapshot
from onebook.domain.state_paths import ROOT, path_text
from onebook.errors import StoreError
from onebook.store.codec import RULES
from onebook.store.disk import unwritten
from onebook.store.port import Standing, Store

_log = logging.getLogger("onebook.book")
SUFFIX = ".jsonl.gz"
ROWS = 1000
"""Rows a line."""

KEEP = 100
KEEP_DAYS = 30
LEFTOVER_SECONDS = 3600.0
"""How old a file must be that was never finished, to be somebody's who is gone."""


class Folder:
    """A folder of snapshots.

    Args:
        path: where.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def files(self, upto: int | None = None) -> list[Path]:
        """Return the files, the newest entry's first; with ``upto`` none of a later entry."""
        found = sorted(self.path.glob(f"snapshot-*{SUFFIX}"), reverse=True)
        return found if upto is None else [path for path in found if path.name <= _name(upto)]

    def place(self, sequence: int) -> Path:
        """Return where the snapshot of an entry is; its folder is made."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise unwritten(self.path, problem) from None
        return self.path / _name(sequence)

    def listed(self) -> list[Snapshot]:
        """Return the whole ones, the newest first; each is read, and a damaged one is passed over with a warning."""
        return [content.header.shown(path) for path, content in self.whole(lambda _: True)]

    def headers(self, upto: int | None = None) -> Iterator[tuple[Path, Header]]:
        """Yield the first line of each, the newest first; with ``upto`` none of a later entry."""
        for path in self.files(upto):
            try:
                yield path, header_of(path)
            except Damaged as problem:
                _warn(path, problem)

    def whole(self, fits: Callable[[Header], bool], upto: int | None = None) -> Iterator[tuple[Path, Content]]:
        """Yield those that fit and can be read whole, the newest first; with ``upto`` none of a later entry."""
        for path, header in self.headers(upto):
            if not fits(header):
                continue
            try:
                yield path, read(path)
            except Damaged as problem:
                _warn(path, problem)

    def forget(self, after: int, known: Callable[[Header], bool]) -> None:
        """Remove snapshots of later entries: what was wrong then may be in them.

        Args:
            after: an entry's sequence.
            known: says whether one is of the book at hand.
        """
        for path, header in self.headers():
            if header.sequence > after and known(header):
                try:
                    path.unlink(missing_ok=True)
                except OSError as problem:
                    raise unwritten(path, problem) from None

    def prune(self, *, keep: int, keep_days: int, now_ns: int) -> list[Path]:
        """Remove what is not to be kept; return what went.

        Args:
            keep: so many of the newest stay.
            keep_days: and of so many days one each: the newest anchor, or the newest.
            now_ns: the moment.
        """
        files = self.files()
        staying = set(files[:keep])
        oldest = now_ns - keep_days * times.DAY
        days: dict[int, tuple[bool, Path]] = {}
        for path, header in self.headers():
            day = header.at // times.DAY
            if header.at > oldest and (day not in days or (header.anchor and not days[day][0])):
                days[day] = (header.anchor, path)
        staying |= {path for _, path in days.values()}
        gone = [path for path in files if path not in staying]
        gone += [path for path in self.path.glob(f".snapshot-*{SUFFIX}.*.partial") if _is_left(path)]
        try:
            for path in gone:
                path.unlink(missing_ok=True)
        except OSError as problem:
            raise unwritten(self.path, problem) from None
        return gone


def _name(sequence: int) -> str:
    return f"snapshot-{sequence:012d}{SUFFIX}"


def _is_left(path: Path) -> bool:
    try:
        return time() - path.stat().st_mtime > LEFTOVER_SECONDS
    except FileNotFoundError:
        return False


def _warn(path: Path, problem: Damaged) -> None:
    _log.warning("snapshot %s is passed over: %s", path, problem)


def take(store: Store, at_ns: int, folder: Path | None, path: Path | None = None, *, anchor: bool = True) -> Snapshot:
    """Write a snapshot of the book as it stands.

    Args:
        store: of the book.
        at_ns: the moment.
        folder: where snapshots are; None where the book has no place of its own.
        path: the file, if it is to lie elsewhere.
        anchor: say of every read model what it was; that reads all of them.

    Raises:
        StoreError: the log is empty, or there is no place for it.
        SourceError: it cannot be written.
    """
    with store.reading() as reader:
        standing = reader.standing()
    sequence, digest = standing.head
    if not sequence:
        msg = f"{store.url}: nothing is recorded yet; there is nothing to take a snapshot of"
        raise StoreError(msg, url=store.url)
    if path is None:
        if folder is None:
            msg = f"{store.url}: a book in memory has no folder beside it; name a file for the snapshot"
            raise StoreError(msg, url=store.url)
        path = Folder(folder).place(sequence)
    digests = digests_of(store, sequence, names_of(standing.ledgers)) if anchor else None
    with store.reading() as reader:
        epoch = 1 + len(reader.records("epoch", sequence, (-1, "", ""), 100_000))
    header = Header(
        sequence=sequence, hash=digest.hex(), rules=RULES, at=at_ns, epoch=epoch, anchor=digests is not None
    )
    write(path, header, _parts(store, standing, digests))
    return header.shown(path)


def _parts(store: Store, standing: Standing, digests: object) -> Iterator[dict[str, Any]]:
    for name in Standing.TABLES:
        rows = getattr(standing, name)
        for start in range(0, len(rows), ROWS):
            yield {name: rows[start : start + ROWS]}
    with store.reading() as reader:
        page: list[Any] = []
        for document in StoredDocuments(reader, standing.head[0]).under(ROOT):
            if document.stands:
                page.append([path_text(document.path), document.value])
            if len(page) == ROWS:
                yield {"state": page}
                page = []
        if page:
            yield {"state": page}
    if digests is not None:
        yield {"digests": digests}


def tell(committer: Committer, taken: Snapshot, actor: str) -> int:
    """Write into the log that a snapshot was taken, and return the entry's sequence."""
    data = {
        "sequence": taken.sequence,
        "head_hash": taken.head_hash,
        "file": Path(taken.path).name,
        "size": taken.size,
        "anchor": taken.anchor,
    }
    outcome = committer.submit(Request([commands.Note("snapshot_taken", data)], actor))[0]
    if outcome.error is not None:
        raise outcome.error
    assert outcome.stamp is not None  # noqa: S101  an outcome without error has one
    return outcome.stamp.sequence
