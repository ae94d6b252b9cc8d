"""Answers as frames. Decimals become text-exact decimal columns where the library has them."""

from dataclasses import fields
from typing import Any

from onebook.domain.reports import as_plain
from onebook.errors import InputError

QUERIES = (
    "positions",
    "fills",
    "orders",
    "round_trips",
    "signals",
    "transfers",
    "funding",
    "balances",
    "daily_pnl",
    "equity_curve",
    "explain",
)
_NESTED = {"fills": "fill", "orders": "order", "signals": "signal"}


def frame(book: Any, what: str, library: str, filters: dict[str, Any]) -> Any:
    """Return a query's answer as a polars or pandas frame.

    Raises:
        InputError: no such query or library, or the extra is not installed.
    """
    if what not in QUERIES:
        msg = f"what: {what!r} is none of {', '.join(QUERIES)}"
        raise InputError(msg, field="what", value=what)
    rows = [_flat(item, _NESTED.get(what)) for item in getattr(book, what)(**filters)]
    if library == "polars":
        return _polars(rows)
    if library == "pandas":
        return _pandas(rows)
    msg = f"library: {library!r} is neither polars nor pandas"
    raise InputError(msg, field="library", value=library)


def _flat(item: Any, nested: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for part in fields(item):
        value = getattr(item, part.name)
        if part.name == nested:
            row |= {inner.name: getattr(value, inner.name) for inner in fields(value)}
        else:
            row[part.name] = value
    return {name: as_plain(value) if isinstance(value, tuple | dict) else value for name, value in row.items()}


def _missing(library: str) -> InputError:
    return InputError(f"{library} is not installed; run: pip install 'onebook[analytics]'", library=library)


def _polars(rows: list[dict[str, Any]]) -> Any:
    try:
        import polars as pl
    except ImportError:
        raise _missing("polars") from None
    return pl.DataFrame(rows, infer_schema_length=None, strict=False)


def _pandas(rows: list[dict[str, Any]]) -> Any:
    try:
        import pandas as pd
    except ImportError:
        raise _missing("pandas") from None
    return pd.DataFrame(rows)
