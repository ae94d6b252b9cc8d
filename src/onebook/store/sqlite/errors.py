"""SQLite's errors as ours: none of apsw's gets out."""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from onebook.errors import BookError, CorruptLog, NotABook, StoreBusy, StoreClosed, StoreError, StoreFull


def translated(problem: Exception, url: str) -> BookError:
    """Return the error to raise instead of one of apsw's."""
    text = str(problem)
    restore = f"onebook --db {url} restore BACKUP --replace"
    if isinstance(problem, apsw.BusyError | apsw.LockedError):
        return StoreBusy(f"{url}: another process is writing; try again in a moment", url=url)
    if isinstance(problem, apsw.FullError):
        return StoreFull(f"{url}: the disk is full; nothing was written. Make room and try again", url=url)
    if isinstance(problem, apsw.NotADBError):
        return NotABook(
            f"{url} is no database that can be read, so it is not a book; restore a backup with: {restore}, or"
            f" take in rows of CSV with: onebook --db BOOK import {url}",
            url=url,
        )
    if isinstance(problem, apsw.CorruptError):
        return CorruptLog(f"{url}: the file is damaged ({text}); restore a backup with: {restore}", url=url)
    if isinstance(problem, apsw.ReadOnlyError | apsw.PermissionsError):
        return StoreError(f"{url}: cannot be written; check its permissions, or open it read_only", url=url)
    if isinstance(problem, apsw.CantOpenError):
        return StoreError(f"{url}: cannot be opened; check that it may be read, and its folder written", url=url)
    if isinstance(problem, apsw.ConnectionClosedError | apsw.CursorClosedError):
        return StoreClosed("the book is closed; open it again", url=url)
    if isinstance(problem, apsw.IOError):
        return StoreError(f"{url}: the disk reported an error ({text}); nothing unsaved was answered", url=url)
    return StoreError(f"{url}: {text}", url=url)


@contextmanager
def ours(url: str) -> Iterator[None]:
    """Raise our errors instead of apsw's."""
    try:
        yield
    except apsw.Error as problem:
        raise translated(problem, url) from None
