"""Charts out of text: a curve in braille dots with its area shaded, a line of blocks, a bar. Pure functions.

Figures are floats here and only here: a dot on a screen is no money.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_BLOCKS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BLANK = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a braille cell, by row and column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The range of a chart's vertical axis, the bottom and the top."""

    low: float
    high: float

    def part(self, value: float) -> float:
        """Return where a value lies: 0 at the bottom, 1 at the top, never beyond."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def label(self, row: int, height: int) -> float:
        """Return the value at the middle of a row, counted from the top."""
        return self.high - (row + 0.5) / height * (self.high - self.low)


def scale(values: Sequence[float], base: float) -> Scale:
    """Return a range that holds all values and the base line, with a little air."""
    low, high = min([*values, base]), max([*values, base])
    air = (high - low) * 0.04 or abs(base) * 0.04 or 1.0
    return Scale(low=low - air, high=high + air)


def resample(values: Sequence[float], count: int) -> list[float]:
    """Return this many values over the same span, the first and the last kept."""
    if count <= 1 or len(values) <= 1:
        return [values[-1]] * count if values else []
    step = (len(values) - 1) / (count - 1)
    return [values[round(at * step)] for at in range(count)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """How large a curve is drawn, in characters, and against what.

    ``filled`` is the part of the width that the values take, between 0 and 1: the rest is the future. ``base``
    is the value of the base line, up to which the area is shaded.
    """

    width: int
    height: int
    scale: Scale
    base: float
    filled: float = 1.0


def curve(values: Sequence[float], frame: Frame) -> list[str]:
    """Return the rows, from the top, of a line of braille dots, its area shaded down or up to the base line."""
    grid = [[0] * frame.width for _ in range(frame.height)]
    tall, wide = frame.height * 4, frame.width * 2
    columns = resample(values, max(1, round(wide * frame.filled)))
    base = _dot(frame.base, frame.scale, tall)
    dots = [_dot(value, frame.scale, tall) for value in columns]
    for x in range(0, wide, 4):
        _set(grid, x, base)
    for x, y in enumerate(dots):
        for shaded in range(min(y, base), max(y, base)):
            if (shaded + x) % 4 == 0 and x % 2 == 0:
                _set(grid, x, shaded)
        _set(grid, x, y)
    for x, (before, after) in enumerate(pairwise(dots)):
        for y in range(min(before, after), max(before, after)):
            _set(grid, x + 1, y)
    return ["".join(chr(_BLANK + bits) for bits in row) for row in grid]


def _dot(value: float, over: Scale, tall: int) -> int:
    """Return the dot row of a value, from the top."""
    return round((1 - over.part(value)) * (tall - 1))


def _set(grid: list[list[int]], x: int, y: int) -> None:
    grid[y // 4][x // 2] |= _DOTS[y % 4][x % 2]


def sparkline(values: Sequence[float], width: int) -> str:
    """Return the values as one line of blocks, the lowest and the highest of them at its ends."""
    if not values:
        return " " * width
    low, high = min(values), max(values)
    over = Scale(low=low, high=high if high > low else low + 1)
    return "".join(_BLOCKS[round(over.part(value) * 7)] for value in resample(values, width))


def bar(part: float, width: int) -> str:
    """Return a bar that fills this part of the width, to an eighth of a character."""
    eighths = round(min(max(part, 0.0), 1.0) * width * 8)
    whole, rest = divmod(eighths, 8)
    drawn = "█" * whole + (_EIGHTHS[rest] if rest else "")
    return drawn.ljust(width)
