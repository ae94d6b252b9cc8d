"""Messages that wait to be sent together: how many of what, and the most important of them. Bounded, immutable."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from heapq import nsmallest

from onebook.feed.importance import Importance

LINES = 20
"""Most lines of a digest."""

_MOST_TYPES = 40
_OTHERS = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One line about one event."""

    id: str
    place: int
    type: str
    importance: Importance
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pile:
    """Messages that wait.

    Attributes:
        limit: most messages that are kept whole; of the others only the count is.
        total: how many there are.
        counts: per type.
        kept: the most important first, among equals the newest first.
        first_at: when the earliest happened.
        last_at: when the latest happened.
    """

    limit: int = LINES
    total: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    kept: tuple[Message, ...] = ()
    first_at: datetime | None = None
    last_at: datetime | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every message is kept whole."""
        return len(self.kept) == self.total

    @property
    def worst(self) -> Importance:
        """The highest importance in it."""
        return self.kept[0].importance if self.kept else Importance.INFO

    def plus(self, messages: Iterable[Message]) -> "Pile":
        """Return the pile with messages added."""
        added = list(messages)
        if not added:
            return self
        counts: dict[str, int] = {}
        for message in added:
            counts[message.type] = counts.get(message.type, 0) + 1
        times = [message.at for message in added]
        return self.merged(
            Pile(
                total=len(added),
                counts=counts,
                kept=tuple(added),
                first_at=min(times),
                last_at=max(times),
            )
        )

    def merged(self, other: "Pile") -> "Pile":
        """Return both as one pile, with this one's limit."""
        if not other.total:
            return self
        times = [at for pile in (self, other) for at in (pile.first_at, pile.last_at) if at is not None]
        return Pile(
            limit=self.limit,
            total=self.total + other.total,
            counts=_added(self.counts, other.counts),
            kept=tuple(nsmallest(self.limit, (*self.kept, *other.kept), key=_rank)),
            first_at=min(times),
            last_at=max(times),
        )

    def without(self, ids: frozenset[str]) -> "Pile":
        """Return the pile without messages; only one that is complete can be asked."""
        return Pile(limit=self.limit).plus(message for message in self.kept if message.id not in ids)

    def in_order(self) -> list[Message]:
        """Return what is kept, oldest first."""
        return sorted(self.kept, key=lambda message: message.place)

    def digest(self, zone: tzinfo, room: int) -> str:
        """Return one text about all of them: from when until when, how many of what, and the most important.

        Args:
            zone: for the times.
            room: most characters.
        """
        head = self._head(zone)[:room]
        left = room - len(head) - 1
        lines: list[str] = []
        for message in self.kept[:LINES]:
            text = f"{message.at.astimezone(zone):%m-%d %H:%M} {message.text}"
            left -= len(text) + 1
            if left < len(_rest(self.total)):
                break
            lines.append(text)
        more = self.total - len(lines)
        if more and len(head) + len(_rest(more)) < room:
            lines.append(_rest(more) if lines else f"{_rest(more)[4:]} not shown")
        return "\n".join([head, *lines])

    def _head(self, zone: tzinfo) -> str:
        spans = [f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at in (self.first_at, self.last_at) if at is not None]
        span = " to ".join(dict.fromkeys(spans))
        ranked = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        return f"{self.total} messages, {span} {zone}: " + ", ".join(f"{count} {name}" for name, count in ranked)


def _rank(message: Message) -> tuple[int, int]:
    return -message.importance, -message.place


def _rest(count: int) -> str:
    return f"and {count} more"


def _added(counts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    found = dict(counts)
    for name, count in more.items():
        kept = name if name in found or len(found) < _MOST_TYPES else _OTHERS
        found[kept] = found.get(kept, 0) + count
    return found
