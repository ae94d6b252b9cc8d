"""Rows to try a store with, and how its tests compare and complain."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from onebook.errors import StoreError
from onebook.store.codec import chained
from onebook.store.port import GENESIS, Batch, Order, Reader, Row, Store

MODELS = (
    "identities",
    "ledgers",
    "movements",
    "positions",
    "points",
    "trips",
    "days",
    "records",
    "rates",
)
START: Order = (-1, 0, "", 0, 0)
MINUTE = 60_000_000_000
BODY = '{"at":1,"occurred":1,"events":[]}'


def same(found: object, wanted: object) -> None:
    """Complain unless both are equal."""
    if found != wanted:
        msg = f"found  {found!r}\nwanted {wanted!r}"
        raise AssertionError(msg)


@contextmanager
def refused(error: type[StoreError] = StoreError) -> Iterator[None]:
    """Complain unless the store refuses with this error."""
    try:
        yield
    except error:
        return
    msg = f"not refused with {error.__name__}"
    raise AssertionError(msg)


def commit(store: Any, **rows: list[Row]) -> None:
    """Write rows in a transaction of their own."""
    store.begin()
    store.write(Batch(**rows))
    store.commit()


def append(store: Store, count: int) -> None:
    """Append so many entries in a transaction of their own."""
    commit(store, entries=entry_rows(store, count))


def entry_rows(store: Store, count: int) -> list[Row]:
    """Return entries that follow the head."""
    sequence, digest = store.head()
    found: list[Row] = []
    for _ in range(count):
        sequence += 1
        digest = chained(digest, BODY.encode())
        found.append((sequence, BODY, digest))
    return found


def movement(ledger: int, place: Order, known_from: int = 0, **values: Any) -> Row:
    """Return a movement row."""
    kind, quantity, data = values.get("kind", "fill"), values.get("quantity", "1"), values.get("data")
    known = known_from or place[3]
    owner = values.get("strategy", "s"), values.get("leg", "")
    return (ledger, *place, known, 1, *owner, kind, quantity, "100", None, None, data)


def position(ledger: int, strategy: str = "", *, is_open: int = 0, unvalued: int = 0) -> Row:
    """Return a position row."""
    return (ledger, strategy, "", is_open, unvalued, 1, "{}", 1, 6, "", 1, 1, "2" if is_open else None, None)


def record(kind: str, name: str, known_from: int, occurred: int, **values: Any) -> Row:
    """Return a record row that stands."""
    account, instrument = values.get("account", "main"), values.get("instrument", "BTC/USD")
    body = values.get("body", "{}")
    return (kind, account, name, known_from, occurred, instrument, "s", values.get("status", ""), body, None)


def check_chain(store: Reader) -> int:
    """Return the sequence of the head; complain unless every hash covers its entry and the one before."""
    sequence, digest = GENESIS
    while page := store.entries(sequence, 500):
        for row in page:
            sequence, digest = sequence + 1, chained(digest, row[1].encode())
            same((row[0], row[2]), (sequence, digest))
    same(store.head(), (sequence, digest))
    return sequence


def ledger_rows(*numbers: int) -> list[Row]:
    """Return position ledgers of these numbers."""
    return [(number, "main", f"I{number}", "position") for number in numbers]


def everything(store: Any) -> dict[str, object]:
    """Return all that a store tells."""
    found: dict[str, object] = {name: sorted(store.digest_rows(name), key=repr) for name in MODELS}
    found |= {"head": store.head(), "tally": store.tally(), "marks": sorted(store.marks())}
    return found | {"about": store.about(), "scope": store.scope("scope")}


def one_of_each(store: Any) -> Batch:
    """Return a batch with a row for every table, inside a transaction."""
    scope = store.new_scope("scope")
    place = (5, 6, "t", 1, 1)
    return Batch(
        entries=entry_rows(store, 1),
        identities=[(scope, "id", 1, 1)],
        ledgers=ledger_rows(1),
        movements=[movement(1, place)],
        positions=[position(1, is_open=1, unvalued=1)],
        trips=[(9, 1, 1, "s", "", 1, 5, "{}")],
        points=[(1, *place, 1, "[]")],
        days=[(0, "native", "2026-01-05", "main", "", "USD", "1", "0", "0", "0", 1, 0, 0)],
        records=[record("order", "o", 1, 5, status="new")],
        rates=[("BTC", "USD", 5, "x", "100", 1)],
        tally=[("fills", 1)],
    )
