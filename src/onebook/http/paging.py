"""Pages by key: each place says where to go on, so nothing is seen twice or passed over while facts arrive.

The place of a list in the order of time is ``known:time:count``: the head of the log when the first page was read, the
time of the last row shown, and how many rows of that time were shown. The pages after the first are read as of that
head. A list with a key of its own goes on behind the last key.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from onebook.book.reading import moment_ns
from onebook.errors import InputError
from onebook.http import wire
from onebook.http.asof import view_of
from onebook.http.calls import DEFAULT_PAGE, MAX_PAGE, Call, Parameter, Reply

if TYPE_CHECKING:
    from onebook.book.reading import Reading

PAGED = (
    Parameter(
        name="limit", kind="count", most=MAX_PAGE,
        about=f"Most rows of a page, 1 to {MAX_PAGE}; {DEFAULT_PAGE} when left out.",
    ),
    Parameter(name="after", about="Where to go on: next_after of the page before."),
)  # fmt: skip
_BAD = "is no place in this list; write what next_after said"


def limit_of(call: Call) -> int:
    """Return how many rows a page has.

    Raises:
        InputError: more than a page holds.
    """
    limit: int = call.given.get("limit", DEFAULT_PAGE)
    if limit > MAX_PAGE:
        msg = f"limit: {limit} is above {MAX_PAGE}; follow next_after for more"
        raise InputError(msg, field="limit", value=limit)
    return limit


# ---- lists in the order of time ----


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page begins.

    Attributes:
        known: the head of the log when the first page was read.
        since: time of the last row shown, in nanoseconds; None for the beginning.
        passed: how many rows of that time, or from the beginning on, were shown.
        phase: which of several lists one after the other.
    """

    known: int
    since: int | None = None
    passed: int = 0
    phase: int = 0

    def text(self) -> str:
        """Return it as a client hands it back."""
        parts = (self.known, "" if self.since is None else self.since, self.passed, self.phase)
        return ":".join(map(str, parts))


def place_of(text: str) -> Place:
    """Take a place.

    Raises:
        InputError: it is none.
    """
    parts = text.split(":")
    sound = len(parts) == 4 and all((part.isdecimal() and part.isascii()) or not part for part in parts)
    if not sound or not parts[0] or not parts[2] or not parts[3] or any(len(part) > 19 for part in parts):
        msg = f"after: {text[:60]!r} {_BAD}"
        raise InputError(msg, field="after", value=text)
    since = int(parts[1]) if parts[1] else None
    return Place(known=int(parts[0]), since=since, passed=int(parts[2]), phase=int(parts[3]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A list in the order of time.

    Attributes:
        read: returns at most so many rows from a time on (None: from the beginning) at a point of view.
        at: the time of a row, at or before the one it is ordered by; None where rows have none.
    """

    read: "Callable[[Reading, int | None, int], Sequence[Any]]"
    at: Callable[[Any], int] | None = None


def timed_page(
    call: Call, *lists: Timed, shown: "Callable[[Reading, Sequence[Any]], Sequence[Any]] | None" = None
) -> Reply:
    """Return a page of lists one after the other.

    Args:
        call: with ``limit`` and ``after``.
        lists: read in this order.
        shown: makes what is shown of a page's rows.
    """
    limit, after = limit_of(call), call.given.get("after")
    place = None if after is None else place_of(after)
    head = call.book.wakeups.look()
    here = place or Place(known=head)
    if here.known > head or here.phase >= len(lists):
        msg = f"after: {after!r:.60} {_BAD}"
        raise InputError(msg, field="after", value=after)
    view = view_of(call, None if here.known == head else here.known)
    rows, following = _rows(view, lists, here, limit)
    if here.known == head and call.book.wakeups.look() != head:  # an entry came meanwhile: the page as of its beginning
        view = view_of(call, head)
        rows, following = _rows(view, lists, here, limit)
    listed = rows if shown is None else shown(view, rows)
    return wire.page(listed, None if following is None else following.text())


def _rows(view: "Reading", lists: Sequence[Timed], place: Place, limit: int) -> tuple[list[Any], Place | None]:
    """Return a page's rows and where the next one begins, None where there is none."""
    rows: list[Any] = []
    since, passed = place.since, place.passed
    for phase in range(place.phase, len(lists)):
        wanted = limit - len(rows)
        found = list(lists[phase].read(view, since, passed + wanted + 1))
        fresh = found[passed : passed + wanted]
        rows += fresh
        if len(found) > passed + wanted:
            return rows, _after(place.known, phase, found[: passed + wanted], lists[phase].at, since)
        since, passed = None, 0
    return rows, None


def _after(known: int, phase: int, seen: Sequence[Any], at: Callable[[Any], int] | None, since: int | None) -> Place:
    """Return the place behind the last of the rows seen, which begin at a time."""
    if at is None or not seen:
        return Place(known=known, phase=phase, since=since, passed=len(seen))
    last = at(seen[-1])
    return Place(known=known, phase=phase, since=last, passed=sum(1 for row in seen if at(row) == last))


def latest(*moments: Any) -> int | None:
    """Return the latest of moments, as nanoseconds; None where none was given."""
    given = [moment for item in moments if (moment := moment_ns("since", item)) is not None]
    return max(given, default=None)


# ---- lists with a key ----


def keyed_page(call: Call, rows: Sequence[Any], key: Callable[[Any], tuple[str, ...]]) -> Reply:
    """Return a page of rows that a key orders.

    Args:
        call: with ``limit`` and ``after``.
        rows: all of them, in any order; or those behind :func:`key_after`, one more than a page has.
        key: texts that name a row, in the order of the list.
    """
    limit, last = limit_of(call), key_after(call)
    ordered = [row for row in sorted(rows, key=key) if key(row) > last]
    shown = list(islice(ordered, limit))
    more = len(ordered) > limit
    return wire.page(shown, json.dumps(key(shown[-1]), ensure_ascii=False) if more else None)


def key_after(call: Call) -> tuple[str, ...]:
    """Return the key behind which a page begins; empty for the first page.

    Raises:
        InputError: ``after`` is none.
    """
    text = call.given.get("after")
    if text is None:
        return ()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list) and found and all(isinstance(part, str) for part in found):
        return tuple(found)
    msg = f"after: {text[:60]!r} {_BAD}"
    raise InputError(msg, field="after", value=text)
