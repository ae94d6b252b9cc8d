"""What a figure is: lines of a report, each with its bar, what was measured and where it stands."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

QUICK_SYNC_PER_S = 3_000
"""Bare durable commits a second below which a disk, or its other users, hide a book's own cost."""

Raw = dict[str, float | int | str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One measured thing.

    ``value`` is the ratio or the number that the bar speaks of, None when it could not be measured. ``bar`` is
    the floor (``at_least``) or the ceiling (``at_most``), None for a line that only informs. ``raw`` holds the
    numbers it was computed from, ``includes`` says what the work covers.
    """

    figure: str
    work: str
    value: float | None
    unit: str
    bar: float | None = None
    direction: Literal["at_least", "at_most"] = "at_least"
    raw: Raw = field(default_factory=dict)
    includes: str = ""

    @property
    def bar_text(self) -> str:
        """The bar as people write it, empty when there is none."""
        if self.bar is None:
            return ""
        return f"{'≥' if self.direction == 'at_least' else '≤'} {short(self.bar)} {self.unit}"

    @property
    def verdict(self) -> str:
        """``ok``, ``short`` (below the bar) or empty."""
        if self.value is None or self.bar is None:
            return ""
        good = self.value >= self.bar if self.direction == "at_least" else self.value <= self.bar
        return "ok" if good else "short"


@dataclass(slots=True)
class Context:
    """What every figure gets: sizes, rounds, a folder of its own, and what was built before."""

    scale: float
    rounds: int
    folder: Path
    built: dict[str, Any] = field(default_factory=dict)

    def size(self, full: int, least: int) -> int:
        """Return a count at the chosen scale, never below ``least``."""
        return max(least, round(full * self.scale))

    def say(self, text: str) -> None:
        """Tell the one who waits what is going on."""
        print(f"  {text}", flush=True)


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    return median(values)


def ratio(above: float | None, below: float | None) -> float | None:
    """Return a quotient, None when a side is missing."""
    return above / below if above is not None and below else None


def slow_sync(bare_per_s: float) -> Raw:
    """Return a warning when the disk's sync is so slow that it hides what we cost."""
    if bare_per_s >= QUICK_SYNC_PER_S:
        return {}
    return {"caution": f"a bare commit takes {1000 / bare_per_s:.2g} ms here, so FULL flatters us: read NORMAL"}


def short(value: float) -> str:
    """Return a number with three figures that matter."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
