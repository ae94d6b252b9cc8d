"""What the versioned read models were at an entry, as a number each: whether rows are still what they were.

A digest counts the rows and adds up a hash of each, so it does not depend on their order. Versions closed after the
entry count as standing; ids that a fact came by after it, through a correction, do not count.
"""

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

from onebook.book.log import PAGE
from onebook.book.state import read_fact
from onebook.domain.decide.revising import ids_of_fill
from onebook.store.codec import decode_entry, encode
from onebook.store.port import VERSIONED, Reader, Row, Store

TRIES = 5
"""How often ids are counted anew because facts came by more of them meanwhile."""

ROWS = 2000
"""Rows read at a time."""

_CORRECTED = "trade_corrected"
_SIZE = 16
_UNTIL = {"movements": 16, "points": 8, "trips": 8, "records": 9}
_LEDGER = {"movements": 0, "points": 0, "trips": 2}

Digest = tuple[int, str]
"""How many rows, and the sum of their hashes."""

Fetch = Callable[[str, Row | None], list[Row]]
"""Returns the page of a model that comes after a row."""

Names = dict[int, list[Any]]
"""Ledger number -> what it stands for."""

Held = tuple[str, str, int, int]
"""(space, id, sequence, ordinal): an id that a fact holds."""


def names_of(ledgers: list[Row]) -> Names:
    """Return what each ledger's number stands for."""
    return {row[0]: list(row[1:]) for row in ledgers}


def digests(fetch: Fetch, known: int, names: Names, gained: frozenset[Held] = frozenset()) -> dict[str, Digest]:
    """Return the digest of each versioned read model as of an entry.

    Args:
        fetch: reads them, versions made up to that entry.
        known: the entry's sequence.
        names: of the ledgers.
        gained: ids that do not count.
    """
    found = {}
    for table in VERSIONED:
        count = total = 0
        for row in _rows(fetch, table):
            if table == "identities":
                held = (row[4], *row[1:4])
                if held in gained:
                    continue
                shown: Any = held
            else:
                shown = _shown(table, row, known, names)
            count += 1
            total += int.from_bytes(blake2b(encode(shown), digest_size=_SIZE).digest())
        found[table] = (count, f"{total % 2 ** (8 * _SIZE):0{2 * _SIZE}x}")
    return found


def _rows(fetch: Fetch, table: str) -> Iterator[Row]:
    after = None
    while page := fetch(table, after):
        yield from page
        if len(page) < ROWS:
            return
        after = page[-1]


def _shown(table: str, row: Row, known: int, names: Names) -> list[Any]:
    """Return a row as it stood, with its ledger's name."""
    shown = list(row)
    until = _UNTIL.get(table)
    if until is not None and shown[until] is not None and shown[until] > known:
        shown[until] = None
    ledger = _LEDGER.get(table)
    if ledger is not None:
        shown[ledger] = names.get(row[ledger], row[ledger])
    return shown


def digests_of(store: Store, known: int, names: Names) -> dict[str, Digest] | None:
    """Return the digests as of an entry of the past, in short reads; None when facts come by ids all the while."""

    def fetch(table: str, after: Row | None) -> list[Row]:
        with store.reading() as reader:
            return reader.versions(table, known, after, ROWS)

    with store.reading() as reader:
        before = gained_ids(reader, known)
    for _ in range(TRIES):
        found = digests(fetch, known, names, before)
        with store.reading() as reader:
            after = gained_ids(reader, known)
        if after == before:
            return found
        before = after
    return None


def gained_ids(reader: Reader, known: int) -> frozenset[Held]:
    """Return the ids that facts up to an entry came by after it."""
    later: dict[tuple[int, int], set[tuple[str, str]]] = {}
    position = known
    while page := reader.entries(position, PAGE):
        position = page[-1][0]
        for sequence, body, _ in page:
            if f'"{_CORRECTED}"' in body:
                for place, ids in _corrections(reader, sequence):
                    if place[0] <= known:
                        later.setdefault(place, set()).update(ids)
    return frozenset(
        (space, key, *place) for place, ids in later.items() for space, key in ids - _ids_at(reader, place, known)
    )


def _corrections(reader: Reader, sequence: int) -> Iterator[tuple[tuple[int, int], set[tuple[str, str]]]]:
    """Yield the fills that an entry corrects, with the ids it gives them."""
    row = reader.entry(sequence)
    if row is None:
        return
    for ordinal, event in enumerate(decode_entry(sequence, row[1]).events, 1):
        if event.type == _CORRECTED:
            first, second = event.data["fills"]
            yield (first, second), set(ids_of_fill(read_fact(reader, sequence, ordinal).fact))


def _ids_at(reader: Reader, place: tuple[int, int], known: int) -> set[tuple[str, str]]:
    """Return the ids that a fill held at an entry: those of its report, and of each correction up to there."""
    fill = read_fact(reader, *place).fact
    found = set(ids_of_fill(fill))
    at: int | None = known
    while at is not None:
        history = reader.record("fill", fill.account, f"{place[0]}.{place[1]}", at)
        if history is None:
            break
        for corrected, ids in _corrections(reader, history[5]):
            if corrected == place:
                found |= ids
        at = min(at, history[5]) - 1
    return found
