"""Reading files row by row: CSV with any usual delimiter, and JSON lines. Nothing is held but one row.

Text is UTF-8, with or without a byte order mark. Numbers stay text, or become exact decimals; never floats.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from onebook.errors import ImportRefused

MAX_LINE = 1_000_000
"""Most characters of a JSON line."""

MAX_CELL = 131_072
"""Most characters of a CSV cell."""

DELIMITERS = ",;\t"
JSON_ENDINGS = (".jsonl", ".ndjson", ".json")

_SQLITE = b"SQLite format 3\0"


@dataclass(slots=True)
class Row:
    """A row of a file: its values by column, or why it could not be read."""

    file: str
    line: int
    values: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that was looked at: its form, and for CSV its delimiter and header."""

    path: str
    is_json: bool
    delimiter: str = ""
    header: tuple[str, ...] = ()


def look_at(path: str) -> Source:
    """Return what kind of file this is, from its name and its first line.

    Raises:
        ImportRefused: it cannot be read as text, or is empty.
    """
    try:
        with Path(path).open("rb") as file:
            if file.read(len(_SQLITE)) == _SQLITE:
                msg = f"{path}: is a SQLite database, not text; write its rows to a CSV file and import that"
                raise ImportRefused(msg, file=path)
        with _opened(path) as stream:
            first = stream.readline(MAX_LINE)
    except IsADirectoryError:
        msg = f"{path}: is a folder; name the files in it"
        raise ImportRefused(msg, file=path) from None
    except OSError as problem:
        msg = f"{path}: cannot be read ({problem.strerror})"
        raise ImportRefused(msg, file=path) from None
    except UnicodeDecodeError:
        msg = f"{path}: is not UTF-8 text; save it as UTF-8 first"
        raise ImportRefused(msg, file=path) from None
    if "\0" in first or not first.strip():
        what = "is not text" if "\0" in first else "is empty"
        msg = f"{path}: {what}"
        raise ImportRefused(msg, file=path)
    if path.lower().endswith(JSON_ENDINGS) or first.lstrip().startswith("{"):
        return Source(path=path, is_json=True)
    delimiter = _delimiter(first)
    header = next(csv.reader([first.rstrip("\r\n")], delimiter=delimiter))
    return Source(path=path, is_json=False, delimiter=delimiter, header=tuple(name.strip() for name in header))


def _opened(path: str) -> TextIO:
    return Path(path).open(encoding="utf-8-sig", newline="")


def _delimiter(line: str) -> str:
    """Return the delimiter that splits the header into the most cells; a comma when none does."""
    return max(DELIMITERS, key=lambda mark: len(next(csv.reader([line.rstrip("\r\n")], delimiter=mark))))


def rows(source: Source) -> Iterator[Row]:
    """Return a file's rows. A row that cannot be read says so; where the rest cannot be read, it ends."""
    reader = _json_rows if source.is_json else _csv_rows
    line = 1
    try:
        with _opened(source.path) as stream:
            for row in reader(source, stream):
                line = row.line
                yield row
    except UnicodeDecodeError:
        yield Row(source.path, line + 1, problem="is not UTF-8 text; the rest of the file was not read")
    except csv.Error as problem:
        yield Row(source.path, line + 1, problem=f"{problem}; the rest of the file was not read")


def _csv_rows(source: Source, stream: TextIO) -> Iterator[Row]:
    """Return the rows of a CSV file; columns are there by name and by number, as ``#1``."""
    reader = csv.reader(stream, delimiter=source.delimiter)
    next(reader, None)
    names = source.header
    numbers = [f"#{number}" for number in range(1, len(names) + 1)]
    line = reader.line_num + 1
    for cells in reader:
        row = Row(source.path, line)
        line = reader.line_num + 1
        if not any(cells):
            continue
        if len(cells) != len(names):
            row.problem = f"{len(cells)} cells where the header has {len(names)}"
        else:
            row.values = dict(zip(names, cells, strict=True)) | dict(zip(numbers, cells, strict=True))
        yield row


def _json_rows(source: Source, stream: TextIO) -> Iterator[Row]:
    number = 0
    while text := stream.readline(MAX_LINE):
        number += 1
        row = Row(source.path, number)
        if len(text) >= MAX_LINE:
            row.problem = f"longer than {MAX_LINE} characters; the rest of the file was not read"
            yield row
            return
        if not text.strip():
            continue
        try:
            value = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError) as problem:
            row.problem = f"is not JSON: {problem}"
        else:
            if isinstance(value, dict):
                row.values = value
            else:
                row.problem = f"expected an object, found {type(value).__name__}; write one object on each line"
        yield row


def plain_json(value: Any) -> Any:
    """Return data read with exact decimals as JSON itself would hold it: for a payload kept as it came."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: plain_json(item) for key, item in value.items()}
    return [plain_json(item) for item in value] if isinstance(value, list) else value
