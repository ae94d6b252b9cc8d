"""Backup and restore: a backup is proved to restore, and a restore is proved before it replaces anything."""

from collections.abc import Callable
from pathlib import Path

from onebook.book.commit import Committer, Request
from onebook.book.verifying import Verifier
from onebook.clock import Clock, system_clock
from onebook.domain import commands
from onebook.errors import CorruptLog, NotABook, StoreBusy, StoreError
from onebook.store.port import Store
from onebook.store.sqlite.store import SqliteStore
from onebook.store.subscribers import SubscriberRow, SubscriberRows


def restore(path: str, url: str, *, replace: bool = False, clock: Clock = system_clock) -> int:
    """Bring a backup back as a book; return the sequence of its ``book_restored`` entry.

    The backup is verified first (hashes, outcomes, read models); then a copy begins a new epoch and takes the
    place of the book at ``url``, which is kept beside it under the name ``…replaced-<time>``.

    Args:
        path: the backup.
        url: where the book shall be.
        replace: allow that there is a book already.
        clock: the moment, for the log.

    Raises:
        CorruptLog: the backup does not verify; nothing was touched.
        StoreError: there is a book already and replace is False, or it is in use.
    """
    target = url.removeprefix("sqlite:///")
    if not Path(path).is_file():
        msg = f"{path} does not exist; name a file that onebook backup wrote"
        raise NotABook(msg, url=path)
    if Path(target).exists() and not replace:
        msg = f"{target} exists; say --replace to put the backup in its place (the old one is kept beside it)"
        raise StoreError(msg, url=target)
    partial = f"{target}.restoring"
    for leftover in (partial, f"{partial}-wal", f"{partial}-shm"):
        Path(leftover).unlink(missing_ok=True)
    source = SqliteStore(path, read_only=True)
    try:
        found = Verifier(source, None).run()
        if not found.ok:
            msg = f"{path} does not verify ({found.problems[0].message}); nothing was replaced"
            raise CorruptLog(msg, problems=found.problems)
        Path(target).absolute().parent.mkdir(parents=True, exist_ok=True)
        source.backup(partial)
    finally:
        source.close()
    sequence = _begin_epoch(partial, Path(path).name, found.head_hash, clock)
    if Path(target).exists():
        _set_aside(target, clock())
    Path(partial).replace(target)
    return sequence


def book_id(store: Store) -> str:
    """Return what names a book and its epoch, the same in every process: the first entry's hash, and the epoch.

    Args:
        store: of a book that has entries.
    """
    with store.reading() as reader:
        first = reader.entry(1)
        epochs = len(reader.records("epoch", None, (-1, "", ""), 100_000))
    name = "new" if first is None else bytes(first[2]).hex()[:12]
    return f"{name}:{epochs}"


def _begin_epoch(path: str, name: str, head_hash: str, clock: Clock) -> int:
    store = SqliteStore(path)
    committer = Committer(store, clock, lambda _state, _command: None, lambda _head: None)
    try:
        with store.reading() as reader:
            epoch = sum(1 for _ in reader.records("epoch", None, (-1, "", ""), 100_000)) + 1
        note = commands.Note("book_restored", {"epoch": epoch, "backup": name, "head_hash": head_hash})
        outcome = committer.submit(Request([note], "restore"))[0]
        if outcome.error is not None:
            raise outcome.error
        assert outcome.stamp is not None  # noqa: S101  an outcome without error has one
        store.aside(_release_all(store.subscribers()))
        store.checkpoint()
        return outcome.stamp.sequence
    finally:
        store.close()


def _release_all(held: list[SubscriberRow]) -> Callable[[SubscriberRows], None]:
    """Return what ends every lease: who held one serves the book that is replaced, or did on the day of the backup."""

    def work(rows: SubscriberRows) -> None:
        for row in held:
            rows.release(row.name, row.holder)

    return work


def _set_aside(target: str, now: int) -> None:
    """Move the book that is replaced out of the way, when nobody is using it."""
    old = SqliteStore(target, busy_ms=500)
    try:
        old.begin()
        old.rollback()
        old.checkpoint()
    except StoreBusy:
        msg = f"{target} is in use; stop what uses it and restore again"
        raise StoreBusy(msg, url=target) from None
    finally:
        old.close()
    aside = f"{target}.replaced-{now // 1_000_000_000}"
    Path(target).replace(aside)
    for suffix in ("-wal", "-shm"):
        Path(target + suffix).unlink(missing_ok=True)
