"""Longer bars from shorter ones, exactly: the first open, the highest, the lowest, the last close, the sum."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise

from onebook.domain import numbers, times
from onebook.domain.market import Bar
from onebook.errors import InputError
from onebook.market.bars.ranges import Range
from onebook.market.calendars import Calendar, Session, week_of
from onebook.market.timeframes import WEEK, grid, length_ns, parse

_Placed = tuple[tuple[int, int], Bar]


def resample(
    bars: Iterable[Bar],
    timeframe: str,
    *,
    calendar: Calendar | None = None,
    known_until_ns: int | None = None,
    unknown: Sequence[Range] = (),
) -> list[Bar]:
    """Return longer bars made of shorter ones, oldest first.

    The first bar is made of what is given: begin where one begins. Stretches without bars have none.

    Args:
        bars: of one instrument and timeframe, oldest first.
        timeframe: of the result; a whole multiple of theirs.
        calendar: by whose sessions days and weeks are made; bars outside of every session are left out.
        known_until_ns: up to when the bars are all there is; where it is None, up to the end of the last one.
        unknown: stretches of which it is not known whether bars opened in them, as ``BarStore.gaps`` says them, oldest
            first. Bars do not tell by themselves: a market may have been quiet. ``BarStore.longer`` asks for them.

    Returns:
        The bars. The last one is not final as long as some of its time is not known, and one is not final of whose
        time anything is ``unknown``.

    Raises:
        InputError: the timeframe is no multiple, or the bars are mixed or out of order.
    """
    source = list(bars)
    if not source:
        return []
    written = parse(timeframe)
    _check(source, written)
    known = max(source[-1].at_ns, known_until_ns or 0)
    placed = _placed(source, written, calendar)
    found = [
        _joined([bar for _, bar in group], written, span, known) for span, group in groupby(placed, lambda it: it[0])
    ]
    return list(_whole(found, unknown)) if unknown else found


def _whole(bars: list[Bar], unknown: Sequence[Range]) -> Iterator[Bar]:
    """Yield bars; one that shares time with an unknown stretch is not final."""
    place = 0
    for bar in bars:
        while place < len(unknown) and unknown[place][1] <= bar.opened_ns:
            place += 1
        is_known = place == len(unknown) or unknown[place][0] >= bar.at_ns
        yield bar if is_known else replace(bar, is_final=False)


def _check(bars: list[Bar], timeframe: str) -> None:
    first = bars[0]
    target, length = length_ns(timeframe), length_ns(first.timeframe)
    if target % length:
        msg = f"timeframe: bars of {first.timeframe} do not make up {timeframe}; ask for a multiple"
        raise InputError(msg, field="timeframe", value=timeframe)
    for one, other in pairwise(bars):
        if (other.instrument, other.timeframe) != (first.instrument, first.timeframe):
            mixed = f"{other.instrument} {other.timeframe} among {first.instrument} {first.timeframe}"
            msg = f"bars: {mixed}; give those of one instrument and timeframe"
            raise InputError(msg, field="bars", value=other)
        if other.opened_ns < one.at_ns:
            msg = f"bars: the one of {times.to_text(other.opened_ns)} follows a later one; give them oldest first"
            raise InputError(msg, field="bars", value=other)


def _placed(bars: list[Bar], timeframe: str, calendar: Calendar | None) -> Iterator[_Placed]:
    """Yield each bar with the stretch of the bar that it goes into."""
    length = length_ns(timeframe)
    if calendar is None or length < times.DAY:
        for bar in bars:
            opened = grid(length, bar.opened_ns)
            yield (opened, opened + length), bar
        return
    session: Session | None = None
    span = (0, 0)
    for bar in bars:
        if session is None or bar.opened_ns >= session.closes_ns:
            session = calendar.session_of(bar.opened_ns) or calendar.next_session(bar.opened_ns)
            if session is None:
                return
            span = week_of(calendar, session) if length == WEEK else (session.opens_ns, session.closes_ns)
        if bar.at_ns > session.opens_ns:
            yield span, bar


def _joined(bars: list[Bar], timeframe: str, span: tuple[int, int], known: int) -> Bar:
    volume = numbers.ZERO
    for bar in bars:
        volume = numbers.add(volume, bar.volume)
    return replace(
        bars[0],
        timeframe=timeframe,
        opened_ns=span[0],
        at_ns=span[1],
        high=max(bar.high for bar in bars),
        low=min(bar.low for bar in bars),
        close=bars[-1].close,
        volume=volume,
        is_final=bars[-1].is_final and known >= span[1],
    )
