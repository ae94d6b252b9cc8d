"""Snapshots as files: JSON lines, compressed, the last one a checksum of all before it; whole or not there.

The first line says of which entry; then come rows, a page a line. What cannot be read whole is damaged, and of no use.
"""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

from onebook.book.digests import Digest
from onebook.domain import times
from onebook.domain.reports import Snapshot
from onebook.store.codec import decode, encode
from onebook.store.disk import sync_folder, unwritten
from onebook.store.port import Standing

FORMAT = 1
"""What the lines of a file mean, the columns of rows too: to be raised with either."""

LEVEL = 6
_CHECK = "sha256"


class Damaged(Exception):
    """A file that is no snapshot, or not the one that was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line: at which entry, written by which rules, at what moment, in which epoch."""

    sequence: int
    hash: str
    rules: int
    at: int
    epoch: int
    anchor: bool
    format: int = FORMAT

    def shown(self, path: Path) -> Snapshot:
        """Return it as queries answer it."""
        return Snapshot(
            path=str(path),
            sequence=self.sequence,
            head_hash=self.hash,
            at=times.to_datetime(self.at),
            size=path.stat().st_size,
            anchor=self.anchor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A whole file: its first line, the models that keep no versions, and what the others were, if it is an anchor."""

    header: Header
    standing: Standing
    digests: dict[str, Digest]


def write(path: Path, header: Header, parts: Iterable[dict[str, Any]]) -> None:
    """Write a file that is there whole or not at all.

    Args:
        path: the file; its folder is there.
        header: its first line.
        parts: the lines after it.

    Raises:
        StoreFull: the disk is full.
        SourceError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            with partial.open("wb") as file:
                _fill(file, header, parts)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as problem:
        raise unwritten(path, problem) from None


def _fill(file: BinaryIO, header: Header, parts: Iterable[dict[str, Any]]) -> None:
    digest = hashlib.sha256()
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=LEVEL) as packed:
        for part in chain([header], parts):
            line = encode(part) + b"\n"
            digest.update(line)
            packed.write(line)
        packed.write(encode({_CHECK: digest.hexdigest()}) + b"\n")


def header_of(path: Path) -> Header:
    """Return the first line of a file; what comes after it is not looked at.

    Raises:
        Damaged: it has none.
    """
    with _judged(), gzip.open(path, "rb") as file:
        return _header(decode(cast("BinaryIO", file).readline()))


def _header(data: dict[str, Any]) -> Header:
    if data["format"] != FORMAT:
        msg = f"it has format {data['format']}, this release knows {FORMAT}"
        raise Damaged(msg)
    return Header(**data)


def read(path: Path) -> Content:
    """Return a whole file.

    Raises:
        Damaged: it is not what was written.
    """
    rows: dict[str, list[Any]] = {name: [] for name in Standing.TABLES}
    digests: dict[str, Digest] = {}
    with _judged():
        lines = _checked(path)
        header = _header(next(lines))
        for line in lines:
            if "digests" in line:
                digests = {name: (count, text) for name, (count, text) in line["digests"].items()}
            for name in rows.keys() & line.keys():
                rows[name] += [tuple(row) for row in line[name]]
        head = (header.sequence, bytes.fromhex(header.hash))
        return Content(header=header, standing=Standing(head=head, **rows), digests=digests)


def _checked(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines but the last, which must be right about them."""
    digest = hashlib.sha256()
    last = b""
    with gzip.open(path, "rb") as file:
        for line in file:
            if last:
                digest.update(last)
                yield decode(last)
            last = line
    if decode(last) != {_CHECK: digest.hexdigest()}:
        msg = "its checksum is another"
        raise Damaged(msg)


class _judged:  # noqa: N801  used as a context manager
    """Turns whatever a damaged file leads to into one error."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, problem: BaseException | None, _trace: object) -> None:
        known = (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError, StopIteration)
        if isinstance(problem, known):
            raise Damaged(str(problem) or type(problem).__name__) from None
