"""The files that a growing file left behind: ``audit-20260131-2.csv`` beside ``audit.csv``.

They are numbered within their day and only ever renamed into place, so that their order is the order of what
they hold. A compressed one (``.gz``) takes the place of the plain one once it is whole.
"""

import gzip
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from onebook.store.disk import sync_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """When a file is full, and what becomes of full ones.

    Attributes:
        rotate_bytes: the most bytes a file may hold; 0 for no limit. A single row may be longer.
        rotate_daily: a new file for each UTC day of ``recorded_at``.
        keep: how many full files stay; 0 for all.
        compress: with gzip.
    """

    rotate_bytes: int = 0
    rotate_daily: bool = False
    keep: int = 0
    compress: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Rotated:
    """A full file: its day as ``20260131``, its number in that day, and where it is."""

    day: str
    number: int
    path: Path

    def opened(self) -> BinaryIO:
        """Return it open for reading, unpacked."""
        if self.path.suffix == ".gz":
            return cast("BinaryIO", gzip.open(self.path, "rb"))
        return self.path.open("rb")


def rotated_files(live: Path) -> list[Rotated]:
    """Return the full files of a growing one, oldest first; of two copies the compressed one, which is whole."""
    pattern = re.compile(rf"{re.escape(live.stem)}-(\d{{8}})-(\d{{1,9}}){re.escape(live.suffix)}(\.gz)?")
    found: dict[tuple[str, int], Rotated] = {}
    if live.parent.is_dir():
        for path in sorted(live.parent.iterdir()):
            match = pattern.fullmatch(path.name)
            if match is not None:
                place = (match[1], int(match[2]))
                found[place] = Rotated(*place, path)
    return [found[place] for place in sorted(found)]


def put_aside(live: Path, day: str) -> None:
    """Rename a full file.

    Args:
        live: the file.
        day: of its last row, ``20260131``.
    """
    numbers = [item.number for item in rotated_files(live) if item.day == day]
    live.rename(live.with_name(f"{live.stem}-{day}-{max(numbers, default=0) + 1}{live.suffix}"))
    sync_folder(live.parent)


def tidy(live: Path, rotation: Rotation) -> None:
    """Compress full files and remove those beyond ``keep``; what a crash left half done is done again."""
    full = rotated_files(live)
    for item in full:
        if item.path.suffix == ".gz":
            item.path.with_suffix("").unlink(missing_ok=True)
        elif rotation.compress:
            _compress(item.path)
    if rotation.keep and len(full) > rotation.keep:
        for item in rotated_files(live)[: -rotation.keep]:
            item.path.unlink(missing_ok=True)
        sync_folder(live.parent)


def _compress(path: Path) -> None:
    target = path.with_name(f"{path.name}.gz")
    partial = path.with_name(f".{target.name}.partial")
    try:
        with path.open("rb") as full, partial.open("wb") as file:
            with gzip.open(file, "wb", compresslevel=6) as packed:
                shutil.copyfileobj(full, packed, 1_000_000)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)
    path.unlink()
