"""Tables as bars: plain OHLCV, daily bars of many stocks, and daily rates with a column for each currency."""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from onebook.domain import times
from onebook.domain.market import Bar
from onebook.domain.numbers import ZERO
from onebook.errors import BadConfig, InputError
from onebook.market.providers.files_parquet import Stored
from onebook.market.providers.files_rows import Row, bad, csv_rows, parquet_rows, placed, price_at, volume_at
from onebook.market.providers.files_terms import FileTerms, length_of, named
from onebook.market.timeframes import parse

OHLC = ("open", "high", "low", "close")
NOT_PUBLISHED = "N/A"
FIXED_AT, FIXED_IN = "14:15", "Europe/Berlin"
"""When the reference rates of the European Central Bank are set, and in which zone."""

_ZONED = re.compile(r"(?:[Zz]|[+-]\d\d:?\d\d)$")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_UNITS = {"s": times.SECOND, "ms": 1_000_000, "us": 1000, "ns": 1}
_ALIASES = {
    "timestamp": ("timestamp", "time", "date", "datetime", "open_time", "open time"),
    "volume": ("volume", "vol"),
    "instrument": ("instrument", "symbol", "ticker"),
}
Numbered = Iterator[tuple[int, Bar]]


def bars_of(terms: FileTerms) -> Numbered:
    """Yield line and bar of a plain table or of daily stocks, in the file's order.

    A row that says again what another one has said is left out. So much of a file is remembered as its terms say that
    rows may be out of order.

    Raises:
        BadPayload: a row that cannot be read, or two that say something else of one time, with file and lines.
        BadConfig: a column is missing, or nobody says the timeframe or the instrument.
    """
    rows = parquet_rows(terms.file) if terms.file.suffix.lower() == ".parquet" else csv_rows(terms.file)
    make: Callable[[int, Row], Bar] | None = None
    said = OrderedDict[tuple[str, str, int], tuple[int, Bar]]()
    for line, row in rows:
        if make is None:
            make = _Maker(terms, row)
        bar = make(line, row)
        key = (bar.instrument, bar.timeframe, bar.opened_ns)
        first = said.setdefault(key, (line, bar))
        if first[0] == line:
            yield line, bar
        elif first[1] != bar:
            about = f"the bar of {bar.instrument} at {times.to_text(bar.opened_ns)}"
            raise bad(terms.file, line, f"says something else of {about} than line {first[0]}; keep one of the two")
        if len(said) > terms.window:
            said.popitem(last=False)


def zone_note(terms: FileTerms) -> str:
    """Return a sentence about the zone in which a table's times are read; empty where its first row says a zone.

    Raises:
        BadPayload: the row cannot be read.
    """
    is_parquet = terms.file.suffix.lower() == ".parquet"
    row = next(parquet_rows(terms.file) if is_parquet else csv_rows(terms.file), None)
    stamp = None if row is None else row[1].get(columns_of(terms, row[1])["timestamp"])
    text = str(stamp).strip()
    has_zone = stamp.has_zone if isinstance(stamp, Stored) else _ZONED.search(text[10:]) is not None
    if stamp is None or has_zone or text.isdecimal() or (isinstance(stamp, str) and _DATE.fullmatch(text)):
        return ""
    return f"{terms.path}: its times have no zone; they were read as {terms.zone}. Say zone: if they are of another"


def rates_of(terms: FileTerms) -> Numbered:
    """Yield line and daily bar of each rate: units of the column's currency for 1 EUR, fixed once a day.

    Raises:
        BadPayload: a row that cannot be read, with file and line.
    """
    path, zone = terms.file, zone_of(FIXED_IN)
    fixed = clock_time("closes_at", FIXED_AT)
    for line, row in csv_rows(path):
        with placed(path, line):
            day = times.to_date("date", row.get("date"))
        opened, at = moment(day, time(0), zone), moment(day, fixed, zone)
        for currency, text in row.items():
            if currency == "date" or text == NOT_PUBLISHED:
                continue
            pair = terms.name_of(f"EUR/{currency.upper()}")
            rate = price_at(path, line, pair, text)
            yield (
                line,
                Bar(
                    instrument=pair,
                    timeframe="1d",
                    opened_ns=opened,
                    at_ns=at,
                    open=rate,
                    high=rate,
                    low=rate,
                    close=rate,
                ),
            )


class _Maker:
    """Makes bars of the rows of one file.

    Args:
        terms: of the file.
        first: its first row, for the columns.
    """

    def __init__(self, terms: FileTerms, first: Row) -> None:
        self._terms = terms
        self._path = terms.file
        self._columns = columns_of(terms, first)
        self._zone = zone_of(terms.zone)
        self._session = zone_of(terms.session_zone)
        self._opens, self._closes = clock_time("opens_at", terms.opens_at), clock_time("closes_at", terms.closes_at)
        instrument, timeframe = named(terms.file)
        self._instrument = terms.instrument or instrument
        self._timeframe = terms.timeframe or timeframe
        if self._timeframe:
            length_of(self._timeframe, terms.file)
            self._timeframe = parse(self._timeframe)
        self._known: tuple[Any, int, int, str] = (None, 0, 0, "")

    def __call__(self, line: int, row: Row) -> Bar:
        columns, path = self._columns, self._path
        opened, at, timeframe = self._span(line, row[columns["timestamp"]])
        prices = [price_at(path, line, name, row[columns[name]]) for name in OHLC]
        _check(path, line, prices)
        named_so = self._terms.name_of(str(row[columns["instrument"]]).strip()) if "instrument" in columns else ""
        return Bar(
            instrument=named_so or self._instrument,
            timeframe=timeframe,
            opened_ns=opened,
            at_ns=at,
            open=prices[0],
            high=prices[1],
            low=prices[2],
            close=prices[3],
            volume=volume_at(path, line, row[columns["volume"]]) if "volume" in columns else ZERO,
        )

    def _span(self, line: int, stamp: Any) -> tuple[int, int, str]:
        if stamp != self._known[0] or stamp is None:
            with placed(self._path, line):
                self._known = (stamp, *self._find_span(stamp))
        return self._known[1:]

    def _find_span(self, stamp: Any) -> tuple[int, int, str]:
        """Return a bar's first moment, the first after it, and its timeframe."""
        if isinstance(stamp, str) and _DATE.fullmatch(stamp.strip()):
            day = times.to_date("timestamp", stamp)
            if (self._timeframe or "1d") != "1d":
                msg = f"timestamp: {stamp} is a date, but the bars are of {self._timeframe}"
                raise InputError(msg)
            opened, at = moment(day, self._opens, self._session), moment(day, self._closes, self._session)
            if opened >= at:
                msg = f"the session of {day} opens at {self._opens} and closes at {self._closes}"
                raise InputError(msg)
            return opened, at, "1d"
        if not self._timeframe:
            msg = f"{self._path}: of which timeframe are the bars? Say timeframe='1m', or name the file AAPL_1m.csv"
            raise BadConfig(msg)
        length = length_of(self._timeframe, self._path)
        said = self._moment_of(stamp)
        opened = said if self._terms.stamps == "opened" else said - length
        return opened, opened + length, self._timeframe

    def _moment_of(self, stamp: Any) -> int:
        if isinstance(stamp, Stored):
            return stamp.ns if stamp.has_zone else in_zone(stamp.ns, self._zone)
        text = str(stamp).strip()
        if text.isdecimal():
            if not self._terms.epoch_unit:
                msg = f"timestamp: {text} is a bare number; say epoch_unit='s', 'ms', 'us' or 'ns'"
                raise InputError(msg)
            return int(text) * _UNITS[self._terms.epoch_unit]
        if _ZONED.search(text[10:]):
            return times.from_text("timestamp", text)
        return in_zone(times.from_text("timestamp", text + "Z"), self._zone)


def _check(path: Path, line: int, prices: list[Decimal]) -> None:
    first, high, low, last = prices
    if low > min(first, last) or high < max(first, last):
        raise bad(path, line, f"open {first} and close {last} are not between low {low} and high {high}")


def columns_of(terms: FileTerms, row: Row) -> dict[str, str]:
    """Return the file's column for each of ours; ``volume`` and ``instrument`` may be missing.

    Raises:
        BadConfig: a column that is needed, or was named, is not there.
    """
    found: dict[str, str] = {}
    for ours in ("timestamp", *OHLC, "volume", "instrument"):
        given = terms.columns.get(ours)
        wanted = [given.lower()] if given else _ALIASES.get(ours, (ours,))
        column = next((name for name in wanted if name in row), None)
        if column is not None:
            found[ours] = column
        elif given or ours not in {"volume", "instrument"}:
            near = get_close_matches((given or ours).lower(), list(row), 1, 0.6)
            msg = f"{terms.path}:1: no column {given or ours!r}; "
            msg += f"did you mean {near[0]!r}? " if near and given else ""
            msg += f"there is {', '.join(row)}. Say columns={{{ours!r}: 'its name'}}"
            raise BadConfig(msg)
    return found


def zone_of(name: str) -> ZoneInfo:
    """Return a zone by its IANA name.

    Raises:
        BadConfig: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        msg = f"{name!r} is not a time zone; use an IANA name such as America/New_York"
        raise BadConfig(msg) from None


def clock_time(field: str, text: str) -> time:
    """Return a time of day.

    Raises:
        BadConfig: it is none.
    """
    try:
        found = time.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        msg = f"{field}: {text!r} is not a time of day; write it as 16:00"
        raise BadConfig(msg)
    return found


def moment(day: date, at: time, zone: ZoneInfo) -> int:
    """Return a local time of a date, in nanoseconds since 1970 UTC."""
    return times.from_datetime("session", datetime.combine(day, at, zone))


def in_zone(ns: int, zone: ZoneInfo) -> int:
    """Return a local time, written as if it were UTC, as what it is.

    Raises:
        InputError: the clock showed it twice that day, or never.
    """
    if zone.key == "UTC":
        return ns
    local = times.to_datetime(ns).replace(tzinfo=zone)
    offset = local.utcoffset()
    if offset is None or offset != local.replace(fold=1).utcoffset():
        msg = f"timestamp: {local:%Y-%m-%d %H:%M} is not one moment in {zone.key}, where the clock was changed; "
        msg += "write times with their offset"
        raise InputError(msg)
    return ns - int(offset.total_seconds()) * times.SECOND
