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
from onebook.store.codec import decode_raw, encode
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
    _needles: tuple[tuple[str, ...], ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        needles = [_type_needles(self.types), *(_name_needles(names) for names in self._names())]
        object.__setattr__(self, "_needles", tuple(each for each in needles if each))

    def _names(self) -> tuple[frozenset[str] | None, ...]:
        return self.instruments, self.accounts, self.strategies

    @property
    def passes_all(self) -> bool:
        """Whether nothing is left out."""
        return not self._needles and self == Filter()

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
        return self.types is None or any(fnmatchcase(name, pattern) for pattern in self.types)

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


def make_filter(  # noqa: PLR0913  the filters of the contract
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


def events_of(row: Row) -> list[LoggedEvent]:
    """Return the events of one entry."""
    sequence, body, _ = row
    entry = decode_raw(sequence, body)
    return [LoggedEvent((sequence, ordinal), entry, event) for ordinal, event in enumerate(entry.events, 1)]


def events_after(row: Row, place: Place, wanted: Filter) -> list[LoggedEvent]:
    """Return the wanted events of one entry that come after a place."""
    if not wanted.may_hold(row[1]):
        return []
    found = events_of(row)
    if row[0] == place[0]:
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
            yield from events_after(row, place, wanted)
        if len(page) < PAGE and (wait is None or not wait(position)):
            return
