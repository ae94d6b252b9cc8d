"""What is at a path: a book's file, nothing, or something else, which is told and left alone.

A file that SQLite takes for a database is never opened here: closing it would take away the locks of every book that
this process has open in it.
"""

import os
from pathlib import Path

from onebook.errors import NotABook, StoreError

HEADER_BYTES = 100
"""What every database begins with; a shorter file with something in it is none."""

_LOOK_BYTES = 4096
_KINDS = ((b"PAR1", "a Parquet file"), (b"PK\x03\x04", "a ZIP archive, such as a spreadsheet"), (b"\x1f\x8b", "gzip"))
_TEXTS = ("a CSV file", "a JSON file", "a text file")
_DELIMITERS = ",;\t"


def check_place(path: str, *, make: bool) -> None:
    """Refuse what is no book and cannot become one; make the folder of a new one.

    Args:
        path: where a book is asked for.
        make: it may be a new one.

    Raises:
        NotABook: there is a file, and it is something else.
        StoreError: there is none to read, or no place for one.
    """
    target = Path(path)
    if "\0" in path:
        msg = f"{path!r}: no file has such a name; check the path"
        raise StoreError(msg, url=path)
    try:
        if target.is_dir():
            msg = f"{path} is a folder; name a file in it, such as {target / 'trading.db'}"
            raise StoreError(msg, url=path)
        if not target.exists():
            _check_nothing(target, make=make)
            return
        if not target.is_file():
            msg = f"{path} is neither a file nor a folder; name a file"
            raise StoreError(msg, url=path)
    except OSError as problem:
        msg = f"{path}: cannot be read ({problem.strerror}); check the path and its permissions"
        raise StoreError(msg, url=path) from None


def _check_nothing(target: Path, *, make: bool) -> None:
    if not make:
        raise StoreError(
            f"{target} does not exist: there is no book at that path. {_made_with(target)}", url=str(target)
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        msg = f"{target}: its folder cannot be made ({problem.strerror}); name a file in a folder that may be written"
        raise StoreError(msg, url=str(target)) from None


def is_too_short(path: str) -> bool:
    """Say whether a file is too short for a database, and not empty."""
    return 0 < Path(path).stat().st_size < HEADER_BYTES


def other_file(path: str) -> NotABook:
    """Return the error for a file that is no database, with what it is."""
    with Path(path).open("rb") as file:
        kind = _kind(Path(path), file.read(_LOOK_BYTES))
    advice = (
        f"Its rows get into one with: onebook --db BOOK import {path}"
        if kind in _TEXTS
        else "Check the path, or bring a book back from a backup with: onebook --db NEW restore BACKUP"
    )
    return NotABook(f"{path} is {kind}, not a book. {advice}", url=path)


def empty(path: str) -> NotABook:
    """Return the error for a file that holds nothing yet."""
    return NotABook(f"{path} is empty: there is no book in it yet. {_made_with(path)}", url=path)


def another_programs(path: str) -> NotABook:
    """Return the error for a database that somebody else made."""
    msg = (
        f"{path} is another program's database, not a book. Write its rows to a CSV file and run: onebook --db BOOK"
        " import FILE.csv (a paper_trades table: onebook.compat.database.migrate_paper_trades)"
    )
    return NotABook(msg, url=path)


def _made_with(target: Path | str) -> str:
    """Return the sentence that says how a book is made."""
    book = f"onebook --db {target}"
    return f"Make one by recording ({book} record fill …), importing ({book} import FILE) or with: {book} demo"


def _kind(target: Path, begin: bytes) -> str:
    for magic, name in _KINDS:
        if begin.startswith(magic):
            return name
    try:
        text = begin.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        if len(begin) < _LOOK_BYTES or problem.start < len(begin) - 4:
            return "binary data"
        text = begin[: problem.start].decode("utf-8-sig")
    if not all(letter.isprintable() or letter in "\r\n\t" for letter in text):
        return "binary data"
    if text.lstrip().startswith(("{", "[")):
        return "a JSON file"
    first = text.partition("\n")[0]
    named = target.suffix.lower() in {".csv", ".tsv"}
    return "a CSV file" if named or any(first.count(mark) > 1 for mark in _DELIMITERS) else "a text file"


def place_of(path: str) -> tuple[int, int] | None:
    """Return which file lies at a path, by device and number; None when there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116  once per transaction, and a Path costs as much again
    except OSError:
        return None
    return found.st_dev, found.st_ino
