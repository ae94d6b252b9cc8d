"""The values of a Parquet column: times in nanoseconds, dates as text, single floats as they read, others as stored."""

import struct
from dataclasses import dataclass
from typing import Any

_UNITS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}


@dataclass(frozen=True, slots=True)
class Stored:
    """A time as Parquet stores it.

    Attributes:
        ns: nanoseconds since 1970; UTC where it has a zone, else of whatever zone the file means.
        has_zone: which of both.
    """

    ns: int
    has_zone: bool


def values_of(column: Any) -> list[Any]:
    """Return the values of a column of one batch."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind):
        factor, has_zone = _UNITS[kind.unit], kind.tz is not None
        stored = column.cast(pa.int64()).to_pylist()
        return [None if value is None else Stored(value * factor, has_zone) for value in stored]
    if pa.types.is_date(kind):
        return [None if value is None else value.isoformat()[:10] for value in column.to_pylist()]
    if pa.types.is_float32(kind):
        return [None if value is None else shortest(value) for value in column.to_pylist()]
    found: list[Any] = column.to_pylist()
    return found


def shortest(value: float) -> float:
    """Return the float whose shortest decimal is the shortest that reads back as this single-precision value."""
    packed = struct.pack("f", value)
    for digits in range(1, 10):
        found = float(f"{value:.{digits}g}")
        if struct.pack("f", found) == packed:
            return found
    return value
