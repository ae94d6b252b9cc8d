"""Files on the disk: replaced as a whole, and there after a power cut. It knows nothing of what they hold."""

import errno
import os
from pathlib import Path

from onebook.errors import BookError, SourceError, StoreFull


def replace(path: Path, body: bytes) -> None:
    """Put a whole file in place of another, durably: readers see the old one or the new one.

    Args:
        path: the file; its folder is there.
        body: what it holds from now on.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable: files made, renamed and removed there."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def unwritten(path: Path, problem: OSError) -> BookError:
    """Return the error for a file outside the book that could not be written; trying again may help."""
    if problem.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreFull(f"{path}: the disk is full; make room, it goes on by itself", path=str(path))
    return SourceError(f"{path}: cannot be written ({problem.strerror or problem})", path=str(path))
