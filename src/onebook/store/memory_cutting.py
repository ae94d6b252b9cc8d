"""Read models in memory as of an entry: read page by page, and brought back to it."""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from onebook.store.port import VERSIONED, Row
from onebook.store.tables import Key, Table

_KNOWN_FROM = {"identities": 2, "movements": 6, "points": 6, "trips": 5, "records": 3, "rates": 5}
_UNTIL = ("movements", "points", "trips", "records")


def versions(tables: Mapping[str, Table], table: str, known: int, after: Row | None, limit: int) -> list[Row]:
    """Return a page of a versioned read model."""
    place = () if after is None else after[: VERSIONED[table]]
    made = _KNOWN_FROM[table]
    found = (row for key, row in tables[table].up(place) if key != place and row[made] <= known)
    page = list(islice(found, limit))
    if table != "identities":
        return page
    names = tables["scopes"]
    return [(*row, (names.get(row[:1]) or (None,))[0]) for row in page]


def cut(
    tables: Mapping[str, Table], known: int, gained: Iterable[Row], change: Callable[[str, Key, Row | None], None]
) -> None:
    """Bring the versioned read models back to an entry.

    Args:
        tables: by name; changed.
        known: the entry's sequence.
        gained: the identities to forget besides.
        change: puts a row in a table; None removes the one that is there.
    """
    for name, made in _KNOWN_FROM.items():
        for key, row in list(tables[name].up()):
            if row[made] > known:
                change(name, key, None)
            elif name in _UNTIL and row[-1] is not None and row[-1] > known:
                change(name, key, (*row[:-1], None))
    for row in gained:
        change("identities", tuple(row), None)
    used = {row[0] for _, row in tables["identities"].up()}
    for key, row in list(tables["scopes"].up()):
        if key[0] not in used:
            change("scopes", key, None)
            change("scope_names", row, None)


def drop_ledgers(tables: Mapping[str, Table], kept: Iterable[int]) -> None:
    """Forget all ledgers but these."""
    staying = set(kept)
    for key, row in list(tables["ledgers"].up()):
        if key[0] not in staying:
            tables["ledgers"].put(key, None)
            tables["ledger_names"].put((row[1], row[3], row[2]), None)
