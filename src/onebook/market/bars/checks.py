"""What a bar must be to be stored."""

from collections.abc import Iterable
from dataclasses import replace

from onebook.domain import numbers, times
from onebook.domain.market import Bar
from onebook.errors import BadPayload, InputError
from onebook.market.timeframes import grid, length_ns, parse

FAR = 2**62
"""Bars are kept from so many nanoseconds before 1970, which is in 1823, until so many after it, in 2116."""

LONGER_DAY = 2 * 60 * times.MINUTE


def checked(bar: Bar) -> Bar:
    """Return a bar whose timeframe is written as ours are.

    Raises:
        InputError: it cannot be one.
        PrecisionLost: a float, or too many digits.
    """
    first, high, low, close, volume = (
        numbers.number(name, getattr(bar, name)) for name in ("open", "high", "low", "close", "volume")
    )
    wrong = ""
    if not bar.instrument:
        wrong = "it has no instrument"
    elif bar.at_ns <= bar.opened_ns:
        wrong = "it ends before it opened"
    elif not low <= min(first, close) <= max(first, close) <= high:
        wrong = f"its low {low} and high {high} do not enclose open {first} and close {close}"
    elif volume < 0:
        wrong = f"its volume {volume} is below 0"
    if wrong:
        msg = f"bar of {bar.instrument} {bar.timeframe} at {times.to_text(bar.opened_ns)}: {wrong}"
        raise InputError(msg, field="bars", value=bar)
    written = parse(bar.timeframe)
    wrong = _misplaced(bar, written)
    if wrong:
        msg = f"bar of {bar.instrument} {written} at {times.to_text(bar.opened_ns)}: {wrong}"
        raise InputError(msg, field="bars", value=bar)
    return bar if written == bar.timeframe else replace(bar, timeframe=written)


def _misplaced(bar: Bar, timeframe: str) -> str:
    """Return why a bar cannot be of its timeframe; empty where it can."""
    length, lasts = length_ns(timeframe), bar.at_ns - bar.opened_ns
    if length >= times.DAY:  # a session may be shorter, and a day on which clocks go back is longer
        return f"it lasts {lasts / times.SECOND:g} s" if lasts > length + LONGER_DAY else ""
    if lasts != length:
        return f"it lasts {lasts / times.SECOND:g} s, not {length / times.SECOND:g} s"
    opens = grid(length, bar.opened_ns)
    if opens != bar.opened_ns:
        return f"bars of {timeframe} lie on the grid of UTC; the one of this time opens at {times.to_text(opens)}"
    return ""


def check_reach(name: str, at_ns: int) -> None:
    """Refuse a time that is beyond what can be kept.

    Args:
        name: of the time, for the message.
        at_ns: nanoseconds since 1970 UTC.

    Raises:
        InputError: it is.
    """
    if not -FAR <= at_ns <= FAR:
        msg = f"{name}: bars are kept from {times.to_text(-FAR)[:10]} to {times.to_text(FAR)[:10]}; name a time between"
        raise InputError(msg, field=name, value=at_ns)


def from_source(bars: Iterable[Bar], source: str, series: tuple[str, str], page: tuple[int, int]) -> list[Bar]:
    """Return the bars of a source's answer that opened in the stretch which it was asked for.

    Raises:
        BadPayload: one is of another instrument or timeframe, or cannot be a bar.
    """
    found = []
    for bar in bars:
        try:
            good = checked(bar)
        except InputError as problem:
            raise BadPayload(f"{source}: {problem}", source=source) from None
        if (good.instrument, good.timeframe) != series:
            msg = f"{source}: asked for {' '.join(series)}, it gave {good.instrument} {good.timeframe}"
            raise BadPayload(msg, source=source)
        if page[0] <= good.opened_ns < page[1]:
            found.append(good)
    return found
