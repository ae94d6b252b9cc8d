"""What strategies look back on: the newest final bars of each instrument and timeframe, in bounded memory.

Where the source shows no bars of the wanted length they are put together from shorter ones, or from prints.
What opened before a split is kept, and taken in, in the units of after it: a split is no fall in price.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from onebook.domain.market import Bar, Print, Seen
from onebook.market.timeframes import grid, length_ns
from onebook.trading.splits import Split, in_order

LEAST = 2
"""Bars that every window keeps at least."""


class Window:
    """The newest bars of one instrument and timeframe.

    Args:
        instrument: of which.
        timeframe: of the bars.
        size: how many are kept.
    """

    def __init__(self, instrument: str, timeframe: str, size: int) -> None:
        self.instrument = instrument
        self.timeframe = timeframe
        self.bars: deque[Bar] = deque(maxlen=max(size, LEAST))
        self._length = length_ns(timeframe)
        self._source = ""
        self._part: Bar | None = None
        self._unfit = ""

    @property
    def lacks(self) -> str:
        """Why no bar can end here, for people; empty where one may."""
        if self._source or not self._unfit:
            return ""
        return f"{self.instrument} is shown as bars of {self._unfit}, which make none of {self.timeframe}"

    def split(self, split: Split) -> None:
        """Bring what is kept into the units of after a split."""
        self.bars = deque([restated(bar, (split,)) for bar in self.bars], maxlen=self.bars.maxlen)
        if self._part is not None:
            self._part = restated(self._part, (split,))

    def see(self, seen: Seen) -> list[Bar]:
        """Take what the market shows, and return the bars that have ended with it, oldest first."""
        if isinstance(seen, Bar):
            if not seen.is_final:
                return []
            if seen.timeframe == self.timeframe:
                self._source, self._part = "own", None
                return self._ended(seen)
            if self._source == "own":
                return []
            if self._length % length_ns(seen.timeframe):
                self._unfit = seen.timeframe
                return []
            if self._source != "bars":  # bars know more than the prints so far
                self._source, self._part = "bars", None
            return self._add(seen)
        if not isinstance(seen, Print) or self._source in {"own", "bars"}:
            return []
        self._source = "prints"
        price, opened = seen.price, seen.at_ns
        return self._add(
            Bar(
                instrument=seen.instrument,
                timeframe=self.timeframe,
                opened_ns=opened,
                at_ns=opened,
                open=price,
                high=price,
                low=price,
                close=price,
                volume=seen.quantity,
            )
        )

    def tick(self, now_ns: int) -> list[Bar]:
        """Return the bar that has ended by now though nothing more was traded."""
        part = self._part
        return self._end() if part is not None and now_ns >= part.at_ns else []

    def _add(self, piece: Bar) -> list[Bar]:
        """Put a piece to the running bar; the bar ends with a piece that reaches its end, or lies behind it."""
        opened = grid(self._length, piece.opened_ns)
        found = []
        part = self._part
        if part is not None and opened > part.opened_ns:
            found = self._end()
            part = None
        if part is not None and opened < part.opened_ns:
            return []  # it came late
        if part is None:
            part = replace(piece, timeframe=self.timeframe, opened_ns=opened, at_ns=opened + self._length)
        else:
            part = replace(
                part,
                high=max(part.high, piece.high),
                low=min(part.low, piece.low),
                close=piece.close,
                volume=part.volume + piece.volume,
            )
        self._part = part
        if piece.timeframe != self.timeframe and piece.at_ns >= part.at_ns:
            found += self._end()
        return found

    def _end(self) -> list[Bar]:
        part, self._part = self._part, None
        return [] if part is None else self._ended(part)

    def _ended(self, bar: Bar) -> list[Bar]:
        if self.bars and bar.opened_ns <= self.bars[-1].opened_ns:
            return []
        self.bars.append(bar)
        return [bar]


class Windows:
    """All windows of a runner."""

    def __init__(self) -> None:
        self._by_instrument: dict[str, dict[str, Window]] = {}
        self._splits: dict[str, tuple[Split, ...]] = {}

    @property
    def instruments(self) -> list[str]:
        """Of what bars are kept."""
        return sorted(self._by_instrument)

    def want(self, instrument: str, timeframe: str, size: int) -> None:
        """Keep at least so many bars of this."""
        held = self._by_instrument.setdefault(instrument, {})
        old = held.get(timeframe)
        if old is None or (old.bars.maxlen or 0) < size:
            held[timeframe] = Window(instrument, timeframe, size)

    def split(self, splits: Iterable[Split]) -> None:
        """Take in splits; one that is known already changes nothing."""
        for split in in_order(splits):
            known = self._splits.get(split.instrument, ())
            if split in known or split.instrument not in self._by_instrument:
                continue
            self._splits[split.instrument] = (*known, split)
            for window in self._by_instrument[split.instrument].values():
                window.split(split)

    def see(self, seen: Seen) -> list[Bar]:
        """Take what the market shows, and return the bars that have ended with it."""
        windows = self._by_instrument.get(seen.instrument, {})
        splits = self._splits.get(seen.instrument)
        if splits:
            seen = _seen_restated(seen, splits)
        return [bar for window in windows.values() for bar in window.see(seen)]

    @property
    def lacking(self) -> list[str]:
        """Why bars that are wanted cannot end, for people."""
        found = [window.lacks for windows in self._by_instrument.values() for window in windows.values()]
        return [text for text in found if text]

    def tick(self, now_ns: int) -> list[Bar]:
        """Return the bars that have ended by now though nothing more was traded."""
        return [
            bar
            for windows in self._by_instrument.values()
            for window in windows.values()
            for bar in window.tick(now_ns)
        ]

    def last(self, instrument: str, timeframe: str, count: int) -> tuple[Bar, ...]:
        """Return the newest bars, oldest first; fewer where there are not so many."""
        window = self._by_instrument.get(instrument, {}).get(timeframe)
        return () if window is None or count <= 0 else tuple(window.bars)[-count:]


def restated(bar: Bar, splits: Iterable[Split]) -> Bar:
    """Return a bar in the units of after the splits that came behind its open."""
    for split in splits:
        if bar.opened_ns < split.at_ns:
            prices: dict[str, Any] = {
                name: split.price(getattr(bar, name)) for name in ("open", "high", "low", "close")
            }
            bar = replace(bar, volume=split.quantity(bar.volume), **prices)
    return bar


def _seen_restated(seen: Seen, splits: Iterable[Split]) -> Seen:
    """Return what the market showed in the units of after the splits; a quote makes no bars."""
    if isinstance(seen, Bar):
        return restated(seen, splits)
    if isinstance(seen, Print):
        for split in splits:
            if seen.at_ns < split.at_ns:
                seen = replace(seen, price=split.price(seen.price), quantity=split.quantity(seen.quantity))
    return seen
