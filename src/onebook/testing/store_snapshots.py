"""What every store must answer alike: read models as of an entry, read page by page, and brought back to it."""

from typing import Any

from onebook.store.port import VERSIONED, Batch, Store
from onebook.testing.store_reads import ReadsContract
from onebook.testing.store_rows import entry_rows, ledger_rows, movement, position, record, same

PLACE, OTHER = (10, 6, "", 1, 1), (20, 6, "", 2, 1)


def pages(store: Store, table: str, known: int, limit: int) -> list[Any]:
    """Return a versioned read model, read in pages."""
    found: list[Any] = []
    while page := store.versions(table, known, found[-1] if found else None, limit):
        found += page
    return found


def grow(store: Store) -> None:
    """Write four entries: two facts in two ledgers, a third that replaces the first, and one in a new ledger."""
    store.begin()
    first, second = store.new_scope("a"), store.new_scope("b")
    point = (1, *PLACE, 1, "[]")
    trip = (20, 1, 1, "", "", 2, 10, "{}")
    store.write(
        Batch(
            entries=entry_rows(store, 4),
            identities=[(first, "x", 1, 1), (first, "late", 1, 1), (first, "y", 3, 1), (second, "z", 4, 1)],
            ledgers=ledger_rows(1, 2, 3),
            movements=[movement(1, PLACE), movement(2, OTHER), movement(1, PLACE, 3), movement(3, (30, 6, "", 4, 1))],
            points=[point, (3, 30, 6, "", 4, 1, 4, "[]")],
            trips=[trip],
            records=[
                (*record("order", "1", 1, 5, status="new")[:-1], 3),
                record("order", "1", 3, 5, status="filled"),
                record("order", "2", 4, 6, status="new"),
            ],
            rates=[("A", "B", 5, "", "1", 1), ("A", "B", 6, "", "2", 4)],
            positions=[position(1), position(3)],
            tally=[("conflicts", 2)],
        )
    )
    store.write(Batch(movement_ends=[(3, 1, *PLACE, 1)], trip_ends=[(3, 20, 1, 1, "", "")]))
    store.write(Batch(point_ends=[(3, 1, *PLACE)]))
    store.commit()


class SnapshotsContract(ReadsContract):
    """Versions by key, all that keeps none, and going back."""

    def test_versions_come_by_key_in_pages(self) -> None:
        """All rows of a table, whatever a page holds, made up to a sequence; what closed them is told."""
        store = self.opened()
        grow(store)
        for table in VERSIONED:
            whole = pages(store, table, 9, 100)
            same([pages(store, table, 9, limit) for limit in (1, 2, 3)], [whole] * 3)
            stripped = [row[1:4] if table == "identities" else row for row in whole]
            every = [row[1:4] if table == "identities" else row for row in store.digest_rows(table)]
            same(sorted(map(repr, stripped)), sorted(map(repr, every)))
        moved = pages(store, "movements", 2, 100)
        same([(row[0], row[6], row[16]) for row in moved], [(1, 1, 3), (2, 2, None)])
        ids = pages(store, "identities", 1, 100)
        same([(row[1], row[4]) for row in ids], [("late", "a"), ("x", "a")])
        same([len(pages(store, table, 0, 100)) for table in VERSIONED], [0] * len(VERSIONED))

    def test_what_keeps_no_versions_comes_with_the_head(self) -> None:
        """Everything of it, at one moment."""
        store = self.opened()
        same((store.standing().head, store.standing().positions), (store.head(), []))
        grow(store)
        with store.reading() as reader:
            found = reader.standing()
        same(found.head, store.head())
        same(found.ledgers, store.ledgers())
        same(sorted(found.positions), sorted(store.digest_rows("positions")))
        same((found.days, found.tally), ([], [("conflicts", 2)]))

    def test_going_back(self) -> None:
        """Versions made later go, those closed later stand again, and so does what finds them."""
        store = self.opened()
        grow(store)
        before = {table: [(row[:-1] if table in _CLOSED else row) for row in pages(store, table, 2, 9)]
                  for table in VERSIONED}  # fmt: skip
        store.begin()
        store.cut(2, [(store.scope("a"), "late", 1, 1)])
        store.drop_ledgers([1, 2])
        store.commit()
        after = {table: [(row[:-1] if table in _CLOSED else row) for row in pages(store, table, 9, 9)]
                 for table in VERSIONED}  # fmt: skip
        before["identities"] = [row for row in before["identities"] if row[1] != "late"]
        same(after, before)
        for table in _CLOSED:
            same({row[-1] for row in pages(store, table, 9, 9)}, {None})
        same((store.scope("a"), store.scope("b")), (1, None))
        same([row[0] for row in store.ledgers()], [1, 2])
        same((store.positions(None), store.tally()), ([], {}))
        same([row[1] for row in store.open_orders("main", "BTC/USD")], ["1"])
        same(store.head()[0], 4)
        store.begin()
        store.write(Batch(ledgers=[(3, "main", "I9", "position")]))
        same(store.new_scope("c"), 2)
        store.rollback()

    def test_going_back_is_undone_with_the_transaction(self) -> None:
        """It is a write like any other."""
        store = self.opened()
        grow(store)
        before = [pages(store, table, 9, 9) for table in VERSIONED]
        store.begin()
        store.cut(1, [])
        store.drop_ledgers([1])
        store.rollback()
        same([pages(store, table, 9, 9) for table in VERSIONED], before)
        same((len(store.ledgers()), store.tally()), (3, {"conflicts": 2}))


_CLOSED = ("movements", "points", "trips", "records")
