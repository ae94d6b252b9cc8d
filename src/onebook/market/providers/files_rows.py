"""The rows of a file, each with the line that it stands in, and errors that name both."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from onebook.domain.numbers import ZERO, exact, number
from onebook.errors import BadConfig, BadPayload, BookError, InputError, SourceError

Row = dict[str, Any]
"""A row of a table: values by lower-case column name; text, or of Parquet what it holds."""

LONGEST_LINE = 1_000_000
BATCH = 10_000
_PACKED = b"\x1f\x8b"


def bad(path: Path, line: int, why: str) -> BadPayload:
    """Return the error of one line, to be raised."""
    return BadPayload(f"{path}:{line}: {why}", file=str(path), line=line)


@contextmanager
def text_of(path: Path) -> Iterator[IO[str]]:
    """Open a text, unpacked where it is packed.

    Raises:
        SourceError: it cannot be opened.
    """
    try:
        raw: IO[bytes] = path.open("rb")
    except OSError as problem:
        msg = f"{path}: cannot be opened: {problem.strerror}"
        raise SourceError(msg, file=str(path)) from None
    with raw:
        is_packed = raw.read(2) == _PACKED
        raw.seek(0)
        plain: Any = gzip.GzipFile(fileobj=raw) if is_packed else raw
        yield io.TextIOWrapper(plain, encoding="utf-8-sig", newline="")


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line.

    Raises:
        BadPayload: it is damaged, not text, or a line is longer than any that we know.
    """
    line = 0
    with text_of(path) as text:
        try:
            while read := text.readline(LONGEST_LINE):
                line += 1
                if len(read) == LONGEST_LINE:
                    raise bad(path, line, f"longer than {LONGEST_LINE} characters")
                yield line, read
        except UnicodeDecodeError:
            raise bad(path, line + 1, "not text in UTF-8") from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
            raise bad(path, line + 1, f"the packed file is damaged or cut off: {problem}") from None
        except OSError as problem:
            msg = f"{path}: cannot be read: {problem.strerror}"
            raise SourceError(msg, file=str(path)) from None


def csv_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield line and row of a CSV with a header.

    Raises:
        BadPayload: it has no header, two columns of one name, or a row of another length.
    """
    table = csv.reader((text for _, text in lines_of(path)), strict=True)
    try:
        names = _names(path, next(table, None))
        for cells in table:
            if not cells:
                continue
            if len(cells) != len(names):
                raise bad(path, table.line_num, f"{len(cells)} cells, but the header has {len(names)}")
            yield table.line_num, dict(zip(names, cells, strict=True))
    except csv.Error as problem:
        raise bad(path, table.line_num, f"not CSV: {problem}") from None


def csv_header(path: Path) -> list[str]:
    """Return the names of a CSV's columns in small letters, also where no row follows.

    Raises:
        BadPayload: it has no header, or two columns of one name.
    """
    table = csv.reader((text for _, text in lines_of(path)), strict=True)
    try:
        return _names(path, next(table, None))
    except csv.Error as problem:
        raise bad(path, 1, f"not CSV: {problem}") from None


def _names(path: Path, header: list[str] | None) -> list[str]:
    if not header:
        raise bad(path, 1, "no header")
    names = [name.strip().lower() for name in header]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice:
        raise bad(path, 1, f"two columns are named {twice!r}; take one of them out")
    return names


def parquet_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield number and row of a Parquet file, the first is 1; times come as they are stored, see ``parquet_value``.

    Raises:
        BadConfig: pyarrow is missing.
        BadPayload: it is not a Parquet file.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        msg = f'{path}: Parquet needs pyarrow: pip install "onebook[analytics]"'
        raise BadConfig(msg) from None
    from onebook.market.providers.files_parquet import values_of

    row = 0
    try:
        with pq.ParquetFile(path) as table:
            names = [name.strip().lower() for name in table.schema_arrow.names]
            for batch in table.iter_batches(batch_size=BATCH):
                for cells in zip(*(values_of(column) for column in batch.columns), strict=True):
                    row += 1
                    yield row, dict(zip(names, cells, strict=True))
    except pa.ArrowException as problem:
        raise bad(path, row + 1, f"not Parquet that can be read: {problem}") from None
    except OSError as problem:
        msg = f"{path}: cannot be read: {problem}"
        raise SourceError(msg, file=str(path)) from None


def price_at(path: Path, line: int, field: str, value: Any) -> Decimal:
    """Return a number of a row exactly, a float by its shortest decimal; what is missing is refused.

    Raises:
        BadPayload: it is not a number that can be kept exactly.
    """
    try:
        return exact(value) if isinstance(value, float) else number(field, value)
    except InputError as problem:
        raise bad(path, line, str(problem)) from None


def volume_at(path: Path, line: int, value: Any) -> Decimal:
    """Return a quantity of a row, 0 where the cell is empty.

    Raises:
        BadPayload: it is negative, or not a number.
    """
    if value is None or value == "":
        return ZERO
    found = price_at(path, line, "volume", value)
    if found < 0:
        raise bad(path, line, f"the volume {found} is negative")
    return found


@contextmanager
def placed(path: Path, line: int) -> Iterator[None]:
    """Name file and line in whatever input error comes up inside."""
    try:
        yield
    except BadPayload:
        raise
    except BookError as problem:
        raise bad(path, line, str(problem)) from None
