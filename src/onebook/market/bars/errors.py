"""What SQLite reports about the database of bars, as our errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from onebook.errors import BookError, StoreBusy, StoreClosed, StoreError, StoreFull

AGAIN = "Bars can be fetched again: move the file away, and it is made anew"


def closed(path: str) -> StoreClosed:
    """Return the error for a store that was closed."""
    return StoreClosed(f"the bars of {path} are closed; open them again", url=path)


def busy(path: str, seconds: float) -> StoreBusy:
    """Return the error for a wait that took too long."""
    return StoreBusy(f"{path}: others held the bars for more than {seconds:g} s; try again in a moment", url=path)


def not_bars(path: str, what: str) -> StoreError:
    """Return the error for a file that is something else; it was left as it was."""
    return StoreError(f"{path} is {what}, not a database of bars; name another file", url=path)


def translated(problem: apsw.Error, path: str, seconds: float) -> BookError:
    """Return the error to raise instead of one of apsw's."""
    if isinstance(problem, apsw.BusyError | apsw.LockedError):
        return busy(path, seconds)
    if isinstance(problem, apsw.FullError):
        return StoreFull(f"{path}: the disk is full; nothing was stored. Make room and try again", url=path)
    if isinstance(problem, apsw.NotADBError):
        return not_bars(path, "no database that can be read")
    if isinstance(problem, apsw.CorruptError):
        return StoreError(f"{path}: the file is damaged ({problem}). {AGAIN}", url=path)
    if isinstance(problem, apsw.ReadOnlyError | apsw.PermissionsError | apsw.CantOpenError):
        return StoreError(f"{path}: cannot be opened and written; check the path and its permissions", url=path)
    if isinstance(problem, apsw.ConnectionClosedError | apsw.CursorClosedError):
        return closed(path)
    if isinstance(problem, apsw.IOError):
        return StoreError(f"{path}: the disk reported an error ({problem}); nothing was stored", url=path)
    return StoreError(f"{path}: {problem}", url=path)


@contextmanager
def ours(path: str, seconds: float) -> Iterator[None]:
    """Raise our errors instead of apsw's."""
    try:
        yield
    except apsw.Error as problem:
        raise translated(problem, path, seconds) from None
