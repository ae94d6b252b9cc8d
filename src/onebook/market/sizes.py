"""How many bytes a value takes: an estimate that is cheap, looks inside, and never claims to be exact."""

import sys
from collections import deque
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import Any

SAMPLE = 100
"""Of a longer list, tuple, set or dict about so many items are looked at, and stand for the rest."""

MOST_LOOKS = 2000
"""So many objects are looked into at most; below them only their own bytes count."""


def size_of(value: Any) -> int:
    """Return about how many bytes a value takes in memory.

    Its own bytes and those of what it holds: of containers and dataclasses, each object once. Objects that say their
    own size (bytes, texts, frames of pandas, arrays of numpy) are believed; frames of polars are asked. What is shared
    with others is counted too, so the sum over a cache is rather too high than too low.

    Args:
        value: anything.
    """
    seen: set[int] = set()
    waiting: deque[tuple[Any, float]] = deque([(value, 1.0)])
    total = 0.0
    while waiting:
        item, weight = waiting.popleft()
        if id(item) in seen:
            continue
        seen.add(id(item))
        total += weight * _own(item)
        if len(seen) < MOST_LOOKS:
            inside, share = _inside(item)
            waiting.extend((part, weight * share) for part in inside)
    return int(total)


def _own(item: Any) -> int:
    estimated = getattr(item, "estimated_size", None)
    return int(estimated()) if callable(estimated) and not isinstance(item, type) else sys.getsizeof(item)


def _inside(item: Any) -> tuple[list[Any], float]:
    """Return what an item holds, at most the sample, and how many of its like each part stands for."""
    if isinstance(item, dict):
        parts = [part for pair in islice(item.items(), SAMPLE) for part in pair]
        return parts, max(len(item) / SAMPLE, 1.0)
    if isinstance(item, list | tuple):
        step = max(len(item) // SAMPLE, 1)
        parts = list(item[::step])
        return parts, len(item) / max(len(parts), 1)
    if isinstance(item, set | frozenset | deque):
        return list(islice(item, SAMPLE)), max(len(item) / SAMPLE, 1.0)
    if is_dataclass(item) and not isinstance(item, type):
        return [getattr(item, field.name) for field in fields(item)], 1.0
    return [], 1.0
