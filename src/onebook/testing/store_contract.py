"""What every store must do alike: the one meaning of the port, as tests that a store's test class inherits.

It looks at a store through the port only, never at files or tables.
"""

import threading
from collections.abc import Callable

from onebook.errors import StoreClosed
from onebook.store.port import GENESIS, Batch, Reader
from onebook.testing.store_rows import (
    BODY,
    MODELS,
    START,
    append,
    commit,
    entry_rows,
    everything,
    ledger_rows,
    movement,
    one_of_each,
    refused,
    same,
)
from onebook.testing.store_snapshots import SnapshotsContract
from onebook.testing.store_subscribers import SubscribersContract


class StoreContract(SnapshotsContract, SubscribersContract):
    """Inherit it in a test class and say how a store is made; every test here then runs on that store.

    Example:
        >>> from onebook.store.memory import MemoryStore
        >>> class TestMemory(StoreContract):
        ...     def make_store(self):
        ...         return MemoryStore()
        ...     def make_reader(self, store):
        ...         return MemoryStore(beside=store)
    """

    # ---- the log ----

    def test_a_new_store_is_empty(self) -> None:
        """It has a head, no entries, and no rows."""
        store = self.opened()
        same(store.head(), GENESIS)
        same(
            (store.entries(0, 10), store.entry(1), store.ledgers(), store.rate_pairs(None)),
            ([], None, [], []),
        )
        same((store.tally(), store.marks(), store.scope("x")), ({}, [], None))
        same([list(store.digest_rows(name)) for name in MODELS], [[]] * len(MODELS))

    def test_entries_keep_their_order(self) -> None:
        """They come after a sequence, in pages."""
        store = self.opened()
        rows = entry_rows(store, 5)
        commit(store, entries=rows[:2])
        commit(store, entries=rows[2:])
        same(store.head(), (5, rows[-1][2]))
        same((store.entries(0, 10), store.entries(2, 2), store.entries(5, 10)), (rows, rows[2:4], []))
        same((store.entry(3), store.entry(6)), (rows[2], None))

    def test_gaps_and_repeats_are_refused(self) -> None:
        """The next sequence follows the last, also inside a transaction."""
        store = self.opened()
        append(store, 2)
        rows = entry_rows(store, 3)
        for wrong in ([rows[1]], [rows[0], rows[2]], [store.entry(2)], [rows[0], rows[0]]):
            store.begin()
            with refused():
                store.write(Batch(entries=wrong))
            store.rollback()
            same(store.head()[0], 2)
        commit(store, entries=rows)
        same(store.head()[0], 5)

    def test_a_short_hash_is_refused(self) -> None:
        """A hash has 32 bytes."""
        store = self.opened()
        store.begin()
        with refused():
            store.write(Batch(entries=[(1, BODY, b"short")]))

    # ---- transactions ----

    def test_rollback_forgets_everything(self) -> None:
        """After it the store tells what it told before begin."""
        store = self.opened()
        before = everything(store)
        store.begin()
        store.write(one_of_each(store))
        store.put_about("x", "y")
        if everything(store) == before:
            raise AssertionError("the writer does not see its own rows")
        store.rollback()
        same(everything(store), before)
        store.begin()
        store.write(one_of_each(store))
        store.commit()
        kept = everything(store)
        store.begin()
        store.write(Batch(movement_ends=[(9, 1, 5, 6, "t", 1, 1, 1)], record_ends=[(9, "order", "main", "o")]))
        store.write(Batch(point_ends=[(9, 1, 0, 0, "", 0, 0)], trip_ends=[(9, 9, 1, 1, "s", "")], tally=[("fills", 1)]))
        store.wipe_models()
        store.rollback()
        same(everything(store), kept)
        store.rollback()

    def test_a_reader_never_sees_uncommitted_rows(self) -> None:
        """Neither in the writer's thread nor in another; after the commit it does."""
        store = self.opened()
        with store.reading() as reader:
            before = everything(reader)
        store.begin()
        store.write(one_of_each(store))
        with store.reading() as reader:
            same(everything(reader), before)
        seen: list[dict[str, object]] = []

        def look() -> None:
            with store.reading() as reader:
                seen.append(everything(reader))

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(10)
        same(seen, [before])
        store.commit()
        with store.reading() as reader:
            same(everything(reader), everything(store))

    def test_every_read_is_of_one_commit(self) -> None:
        """While rows are written in pairs, no reader sees half a pair."""
        store = self.opened()
        commit(store, ledgers=ledger_rows(1))
        done, odd = threading.Event(), list[int]()

        def look() -> None:
            while not done.is_set():
                with store.reading() as reader:
                    found = reader.movements(1, START, None, 1000)
                if len(found) % 2:
                    odd.append(len(found))

        threads = [threading.Thread(target=look, daemon=True) for _ in range(2)]
        for thread in threads:
            thread.start()
        for moment in range(1, 101):
            rows = [movement(1, (moment, 6, "", moment, ordinal)) for ordinal in (1, 2)]
            store.begin()
            store.write(Batch(movements=rows[:1]))
            store.write(Batch(movements=rows[1:]))
            store.commit()
        done.set()
        for thread in threads:
            thread.join(10)
        same(odd, [])

    def test_transactions_do_not_nest(self) -> None:
        """Begin twice and commit without begin are refused; what was written stays in the first."""
        store = self.opened()
        store.begin()
        store.write(Batch(entries=entry_rows(store, 1)))
        with refused():
            store.begin()
        with refused():
            store.put_marks([("A", "1", 1, "x", 1)], [])
        store.commit()
        same((store.head()[0], store.marks()), (1, []))
        with refused():
            store.commit()

    def test_wiping_keeps_the_log(self) -> None:
        """Read models are emptied, entries, marks and what is kept about the place stay."""
        store = self.opened()
        store.put_marks([("A", "1", 1, "x", 1)], [("A", 0, "1", 1)])
        store.begin()
        store.write(one_of_each(store))
        store.commit()
        whole = everything(store)
        store.begin()
        store.wipe_days()
        store.commit()
        same(everything(store), whole | {"days": []})
        store.begin()
        store.wipe_models()
        store.commit()
        same(everything(store), whole | {name: [] for name in MODELS} | {"tally": {}, "scope": None})
        same((store.open_orders("main", "BTC/USD"), store.mark_at("A", 5)), ([], ("1", 1)))
        rows = {"ledgers": ledger_rows(1), "movements": [movement(1, (5, 6, "t", 1, 1))]}
        commit(store, **rows)
        same(len(store.movements(1, START, None, 9)), 1)

    # ---- open and closed ----

    def test_a_closed_store_says_so(self) -> None:
        """Every call raises StoreClosed; closing and rolling back again do no harm."""
        store = self.opened()
        append(store, 1)
        store.close()
        store.close()
        store.rollback()
        calls: list[Callable[[], object]] = [
            store.head,
            store.begin,
            store.commit,
            store.marks,
            store.changed,
            lambda: store.entries(0, 1),
            lambda: store.write(Batch(entries=[(2, BODY, bytes(32))])),
            lambda: store.new_scope("x"),
            lambda: store.put_marks([], []),
            lambda: store.put_about("x", "y"),
            lambda: store.query("VALUES (1)"),
            lambda: list(store.digest_rows("days")),
            store.reading().__enter__,
        ]
        for call in calls:
            with refused(StoreClosed):
                call()

    def test_read_only_refuses_to_write(self) -> None:
        """A second store in the same place reads what is committed and writes nothing."""
        store = self.opened()
        append(store, 1)
        other = self.make_reader(store)
        self._opened.append(other)
        same((store.read_only, other.read_only, other.head()), (False, True, store.head()))
        with refused():
            other.begin()
        with refused():
            other.put_marks([("A", "1", 1, "x", 1)], [])
        before, own = other.changed(), store.changed()
        append(store, 1)
        same((other.head()[0], store.changed()), (2, own))
        if other.changed() == before:
            raise AssertionError("it does not notice that another connection has written")

    def test_lent_readers_read_alike(self) -> None:
        """A reader answers as the store itself does."""
        store = self.opened()
        append(store, 3)
        with store.reading() as reader, store.reading() as second:
            both: tuple[Reader, Reader] = (reader, second)
            same([each.head() for each in both], [store.head()] * 2)
            append(store, 1)
            same([each.head()[0] for each in both], [4, 4])
