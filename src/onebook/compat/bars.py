"""``services.database_abstraction``: the older names of the bars, which lie in a file of their own beside the book."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from onebook.compat import current, market
from onebook.compat.values import absent, decimal_of, moment_of
from onebook.domain import times
from onebook.domain.market import Bar
from onebook.domain.numbers import ZERO, number
from onebook.errors import InputError
from onebook.market.bars.frames import COLUMNS, frame_of
from onebook.market.timeframes import length_ns, parse

TIMES = ("timestamp", "time", "datetime", "date", "open_time")
"""What the column with the openings may be called; without one the index says them."""

_FAR = 2**62
_SMALL_FLOATS = ("float16", "float32")


class Database:
    """The bars under their older names. Safe to use from many threads; it keeps nothing itself."""

    def store_historical_data(self, symbol: str, timeframe: str, df: Any) -> int:
        """Store a frame of bars and return how many are new or say something else now.

        Args:
            symbol: of what.
            timeframe: such as ``1Min``, ``5m``, ``1Day``.
            df: a pandas or polars frame with ``open high low close`` and ``volume`` (without one it is 0), in any case
                of letters; openings in a column named as in ``TIMES``, else in the index. A float counts as its
                shortest decimal, a time without a zone as UTC. A bar that has not ended yet may be replaced later.

        Raises:
            InputError: something is missing, or cannot be a bar; nothing of its 10,000 bars is stored.
            StoreError: they could not be stored.
        """
        return market.bars().put(bars_in(symbol, timeframe, df))

    def get_historical_data(
        self,
        symbol: str,
        timeframe: str,
        start_date: datetime | date | str | None = None,
        end_date: datetime | date | str | None = None,
    ) -> Any:
        """Return the bars that are kept as a pandas frame: index ``timestamp`` (UTC), ``open high low close volume``.

        Args:
            symbol: of what.
            timeframe: as for :meth:`store_historical_data`.
            start_date: the first opening that counts; None: all. Without a zone it counts as UTC.
            end_date: the last opening that counts, itself included; None: all.

        Raises:
            InputError: no such timeframe or time.
            BadConfig: pandas is not installed.
        """
        since = 0 if start_date is None else opening_ns("start_date", start_date)
        until = _FAR if end_date is None else opening_ns("end_date", end_date) + 1
        return shown(market.bars().read(symbol, timeframe, since, until))

    def get_database_stats(self) -> dict[str, Any]:
        """Return ``path pool tables series bars changed file_bytes reads writes``; see the page about bars."""
        return market.bars().stats()


def shown(bars: list[Bar]) -> Any:
    """Return bars as the frame of the older names."""
    return frame_of(bars).rename_axis("timestamp")


def bars_in(symbol: str, timeframe: str, df: Any) -> list[Bar]:
    """Return the bars of a frame.

    Raises:
        InputError: something is missing, or is no number or time.
    """
    written = parse(timeframe)
    length, now = length_ns(written), current.now_ns()
    names = {str(name).lower(): name for name in getattr(df, "columns", ())}
    missing = [column for column in COLUMNS if column not in names and column != "volume"]
    if missing:
        has = ", ".join(map(str, names.values())) or "none"
        msg = f"df: has no column {missing[0]!r}; a bar has open, high, low and close. It has {has}"
        raise InputError(msg, field="df", column=missing[0])
    openings = [opening_ns("df", value) for value in _openings(df, names)]
    figures = {column: _figures(column, df[names[column]]) for column in COLUMNS if column in names}
    volume = figures.pop("volume", [ZERO] * len(openings))
    return [
        Bar(
            instrument=symbol,
            timeframe=written,
            opened_ns=opened,
            at_ns=opened + length,
            volume=volume[row],
            is_final=opened + length <= now,
            **{column: values[row] for column, values in figures.items()},
        )
        for row, opened in enumerate(openings)
    ]


def opening_ns(name: str, value: Any) -> int:
    """Return a time in nanoseconds since 1970 UTC.

    Raises:
        InputError: it is no time.
    """
    if value is None or value != value:  # noqa: PLR0124  a time that is none, as pandas has it
        msg = f"{name}: a time is missing"
        raise InputError(msg, field=name, value=value)
    return times.from_datetime(name, moment_of(name, value))


def _openings(df: Any, names: dict[str, Any]) -> Any:
    for name in TIMES:
        if name in names:
            return list(df[names[name]])
    index = getattr(df, "index", None)
    if index is None or not str(getattr(index, "dtype", "")).startswith("datetime64"):
        msg = f"df: says no times; give it a DatetimeIndex, or a column {' or '.join(TIMES)}"
        raise InputError(msg, field="df")
    return list(index)


def _figures(column: str, values: Any) -> list[Decimal]:
    """Return a column exactly; a short float is read by its own digits."""
    is_small = str(getattr(values, "dtype", "")).lower() in _SMALL_FLOATS
    plain = [str(value) for value in values.to_numpy()] if is_small else values.to_list()
    found = []
    for row, value in enumerate(plain):
        if absent(value) or value != value:  # noqa: PLR0124  not a number
            msg = f"df: row {row} has no {column}; drop such rows first"
            raise InputError(msg, field="df", column=column)
        found.append(number(column, value) if is_small else decimal_of(column, value))
    return found


_database = Database()


def get_database() -> Database:
    """Return the documents' one database."""
    return _database


def close_database() -> None:
    """Give its connections back; the next call opens it again."""
    market.close_bars()
