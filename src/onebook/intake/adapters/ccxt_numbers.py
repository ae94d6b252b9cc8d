"""Exact numbers of what ccxt parsed: the venue's own text where it can be found, else the float's shortest decimal."""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from onebook.domain.numbers import exact

SHORTEST = "shortest_decimal"
"""Tag of a fact with a number for which the venue's own text was not found."""
_MAX_DEPTH = 6


class Numbers:
    """Reads the numbers of one parsed payload.

    Args:
        info: the payload as the venue sent it.
    """

    def __init__(self, info: object) -> None:
        self._texts: dict[float, Decimal | None] = {}
        self.guessed = False
        for text in _texts(info, 0):
            self._learn(text)

    def _learn(self, text: str) -> None:
        if not text or len(text) > 60 or text[-1] not in "0123456789.":
            return
        try:
            value = abs(Decimal(text))
            size = float(value)
        except (InvalidOperation, OverflowError):
            return
        if not math.isfinite(size):
            return
        known = self._texts.setdefault(size, value)
        if known is not None and known != value:
            self._texts[size] = None  # two texts for one float: neither is surely it

    def number(self, value: Any) -> Decimal | None:
        """Return a number of the payload exactly; None when there is none.

        A number that ccxt computed, or that the venue sent as a float, is taken by its shortest decimal, and
        ``guessed`` says so from then on.

        Raises:
            InputError: it is no number, or cannot be kept.
        """
        if value is None or value == "":
            return None
        if not isinstance(value, float):
            return exact(value)
        found = self._texts.get(abs(value))
        if found is not None:
            return -found if value < 0 else found
        if not value.is_integer():
            self.guessed = True
        return exact(value)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tag for what was read so far."""
        return (SHORTEST,) if self.guessed else ()


def _texts(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)
    elif depth < _MAX_DEPTH and isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item, depth + 1)
    elif depth < _MAX_DEPTH and isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, depth + 1)
