"""Reading the log as events: which ones are wanted, and one page after another.

An event is read no further than somebody asks: entries that cannot hold a wanted event are told by their bytes,
and an event's data becomes a dictionary when it is looked at.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from onebook.book.logged import LoggedEvent, Place
from onebook.domain.numbers import multiply, number
from onebook.domain.reports import Event
from onebook.errors import InputError
from onebook.store.codec import RawEntry, decode_raw, encode
from onebook.store.port import Row

PAGE = 512
WHOLE = 10**9
"""The ordinal that stands for a whole entry in a place of the log."""

_SIZED = frozenset({"trade_executed", "trade_busted", "trade_corrected", "trade_conflicted"})


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted: patterns of types such as ``trade_*``, and names; None lets all through.

    ``min_quantity`` and ``min_amount`` (quantity × price) leave smaller fills out; events without a fill pass.
    """

    types: tuple[str, ...] | None = None
    instruments: frozenset[str] | None = None
    accounts: frozenset[str] | None = None
    strategies: frozenset[str] | None = None
    min_quantity: Decimal | None = None
    min_amount: Decimal | None = None
    _needles: tuple[tuple[str, ...], ...] = field(init=False, compare=False, repr=False)
    _prefixes: tuple[str, ...] = field(init=False, compare=False, repr=False)
    _patterns: tuple[str, ...] = field(init=False, compare=False, repr=False)
    passes_all: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.types is not None and "*" in self.types:
            object.__setattr__(self, "types", None)
        wild = [name for name in self.types or () if _is_wild(name)]
        simple = [name for name in wild if name[-1] == "*" and not _is_wild(name[:-1])]
        object.__setattr__(self, "_prefixes", tuple(name[:-1] for name in simple))
        object.__setattr__(self, "_patterns", tuple(name for name in wild if name not in simple))
        object.__setattr__(self, "passes_all", self.types is None and self._unsized and not any(self._names_given()))
        needles = [_type_needles(self.types), *(_name_needles(names) for names in self._names_given())]
        object.__setattr__(self, "_needles", tuple(each for each in needles if each))

    def _names_given(self) -> tuple[frozenset[str] | None, ...]:
        return self.instruments, self.accounts, self.strategies

    def may_hold(self, body: str) -> bool:
        """Say by its bytes whether an entry can hold a wanted event; True does not promise it."""
        for needles in self._needles:
            for needle in needles:
                if needle in body:
                    break
            else:
                return False
        return True

    def wants_type(self, name: str) -> bool:
        """Say whether a type of event passes."""
        return (
            self.types is None
            or name in self.types
            or name.startswith(self._prefixes)
            or any(fnmatchcase(name, pattern) for pattern in self._patterns)
        )

    def wants(self, event: Event) -> bool:
        """Say whether an event passes."""
        return (
            (self.types is None or self.wants_type(event.type))
            and (self.instruments is None or event.instrument in self.instruments)
            and (self.accounts is None or event.account in self.accounts)
            and (self.strategies is None or event.strategy in self.strategies)
            and (self._unsized or self._is_large(event))
        )

    @property
    def _unsized(self) -> bool:
        return self.min_quantity is None and self.min_amount is None

    def _is_large(self, event: Event) -> bool:
        if event.type not in _SIZED:
            return True
        data = event.data
        if "quantity" not in data or "price" not in data:
            return True
        quantity = Decimal(data["quantity"])
        if self.min_quantity is not None and quantity < self.min_quantity:
            return False
        return self.min_amount is None or multiply(quantity, Decimal(data["price"])) >= self.min_amount


def _is_wild(name: str) -> bool:
    return any(mark in name for mark in "*?[")


def _type_needles(patterns: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return texts of which an entry with a wanted type holds one; empty when nothing can be told."""
    needles = []
    for pattern in patterns or ():
        begin = pattern
        for mark in "*?[":
            begin = begin.partition(mark)[0]
        if not begin or not begin.replace("_", "").replace(".", "").isalnum():
            return ()
        needles.append(f'"type":"{begin}"' if begin == pattern else f'"type":"{begin}')
    return tuple(needles)


def _name_needles(names: frozenset[str] | None) -> tuple[str, ...]:
    """Return texts of which an entry that names one of these holds one; what is empty is not written at all."""
    if names is None or "" in names:
        return ()
    return tuple(encode(name).decode() for name in sorted(names))


def make_filter(
    types: Any = None,
    instruments: Any = None,
    accounts: Any = None,
    strategies: Any = None,
    *,
    min_quantity: Any = None,
    min_amount: Any = None,
) -> Filter:
    """Return a filter from what callers give: a text with commas, an iterable of names, or None.

    Args:
        types: names of event types, or patterns such as ``trade_*``.
        instruments: only these.
        accounts: only these.
        strategies: only these; ``""`` is the unnamed one.
        min_quantity: leave fills of a smaller quantity out.
        min_amount: leave fills out whose quantity × price is smaller, in the quote currency.

    Raises:
        InputError: a size is no number.
        PrecisionLost: it is a float.
    """
    wanted = _names(types)
    return Filter(
        tuple(wanted) if wanted else None,
        _set(instruments),
        _set(accounts),
        _set(strategies),
        None if min_quantity is None else number("min_quantity", min_quantity),
        None if min_amount is None else number("min_amount", min_amount),
    )


def _set(value: Any) -> frozenset[str] | None:
    names = _names(value)
    return None if names is None else frozenset(names or [""])


def _names(value: Any) -> list[str] | None:
    if value is None:
        return None
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [str(item) for item in value]


def place_after(after: int | str) -> Place:
    """Return the place after which to read: a sequence or an event's id.

    Raises:
        InputError: neither.
    """
    if isinstance(after, int) and not isinstance(after, bool):
        return max(after, 0), WHOLE
    head, dot, tail = after.partition(".") if isinstance(after, str) else ("", "", "")
    if head.isdecimal() and len(head) < 19 and (not dot or (tail.isdecimal() and len(tail) < 9)):
        return int(head), int(tail) if dot else WHOLE
    msg = f"after: {after!r} is neither a sequence nor an event id such as 57.1"
    raise InputError(msg, field="after", value=after)


def events_of(sequence: int, entry: RawEntry) -> list[LoggedEvent]:
    """Return the events of one entry."""
    return [LoggedEvent((sequence, ordinal), entry, event) for ordinal, event in enumerate(entry.events, 1)]


def events_after(sequence: int, entry: RawEntry, place: Place, wanted: Filter) -> list[LoggedEvent]:
    """Return the wanted events of one entry that come after a place."""
    found = events_of(sequence, entry)
    if sequence == place[0]:
        found = [event for event in found if event.place > place]
    return found if wanted.passes_all else [event for event in found if wanted.wants(event)]


def read_events(
    fetch: Callable[[int, int], list[Row]],
    after: int | str,
    wanted: Filter,
    upto: int | None,
    wait: Callable[[int], bool] | None,
) -> Iterator[Event]:
    """Return events page by page; with ``wait``, go on for as long as it says there is more."""
    place = place_after(after)
    position = place[0] if place[1] == WHOLE else place[0] - 1
    while True:
        page = fetch(position, PAGE)
        for row in page:
            position = row[0]
            if upto is not None and position > upto:
                return
            if wanted.may_hold(row[1]):
                yield from events_after(position, decode_raw(position, row[1]), place, wanted)
        if len(page) < PAGE and (wait is None or not wait(position)):
            return
