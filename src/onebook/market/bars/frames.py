"""Bars as frames of pandas or polars. Their columns are floats, which suits charts and indicators, never money."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from onebook.domain.market import Bar
from onebook.errors import BadConfig, InputError

KINDS = ("pandas", "polars")
COLUMNS = ("open", "high", "low", "close", "volume")


def frame_of(bars: Sequence[Bar], kind: str = "pandas", *, exact: bool = False) -> Any:
    """Return bars as a frame with ``time`` (when each opened, UTC), ``open high low close volume``.

    Args:
        bars: oldest first.
        kind: ``pandas`` (``time`` is the index) or ``polars`` (``time`` is a column).
        exact: Decimal columns instead of floats.

    Raises:
        InputError: no such kind.
        BadConfig: the library is not installed.
    """
    columns = ([getattr(bar, name) for bar in bars] for name in COLUMNS)
    return frame_from([bar.opened_ns for bar in bars], columns, kind, exact=exact)


def frame_from(moments: list[int], columns: Iterable[Sequence[Any]], kind: str, *, exact: bool) -> Any:
    """Return a frame of openings (nanoseconds) and of the five columns, whose values may be decimal text too."""
    if kind not in KINDS:
        msg = f"kind: {kind!r} is neither pandas nor polars"
        raise InputError(msg, field="kind", value=kind)
    convert: type[Decimal | float] = Decimal if exact else float
    named = {name: [convert(value) for value in values] for name, values in zip(COLUMNS, columns, strict=True)}
    return _pandas(moments, named, exact=exact) if kind == "pandas" else _polars(moments, named, exact=exact)


def _pandas(moments: list[int], columns: dict[str, list[Any]], *, exact: bool) -> Any:
    try:
        import pandas as pd
    except ImportError:
        raise _missing("pandas") from None
    index = pd.DatetimeIndex(pd.to_datetime(moments, unit="ns", utc=True), name="time")
    return pd.DataFrame(columns, index=index, dtype=object if exact else "float64")


def _polars(moments: list[int], columns: dict[str, list[Any]], *, exact: bool) -> Any:
    try:
        import polars as pl
    except ImportError:
        raise _missing("polars") from None
    time = pl.Series("time", moments, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))
    kind = pl.Decimal(38, 18) if exact else pl.Float64
    return pl.DataFrame([time, *(pl.Series(name, values, dtype=kind) for name, values in columns.items())])


def _missing(library: str) -> BadConfig:
    return BadConfig(f'{library} is not installed; run: pip install "onebook[analytics]"', extra="analytics")
