"""What every store must answer alike: the part of its contract that is about reads of each table."""

from abc import ABC, abstractmethod
from typing import Any

from onebook.store.port import Batch, Order, Row, Store
from onebook.testing.store_rows import (
    MINUTE,
    START,
    commit,
    ledger_rows,
    movement,
    position,
    record,
    refused,
    same,
)


class ReadsContract(ABC):
    """Reads of identities, ledgers, positions, movements, round trips, days, records, rates and marks."""

    @abstractmethod
    def make_store(self) -> Store:
        """Return a new, empty store."""

    @abstractmethod
    def make_reader(self, store: Store) -> Store:
        """Return a second store in the place of the first, opened read_only."""

    def setup_method(self) -> None:
        """Begin with no open store."""
        self._opened: list[Store] = []

    def teardown_method(self) -> None:
        """Close what was opened."""
        for store in reversed(self._opened):
            store.close()

    def opened(self) -> Any:
        """Return a new store that is closed at the end."""
        self._opened.append(self.make_store())
        return self._opened[-1]

    # ---- identities, ledgers, positions ----

    def test_identities(self) -> None:
        """Each space numbers itself; facts that hold an id come in order, up to a sequence."""
        store = self.opened()
        store.begin()
        first, second = store.new_scope("a"), store.new_scope("b")
        store.write(Batch(identities=[(first, "x", 7, 1), (first, "x", 3, 2), (first, "x", 3, 1)]))
        store.write(Batch(identities=[(first, "y", 4, 1), (second, "x", 5, 1)]))
        store.commit()
        same((store.scope("a"), store.scope("b"), store.scope("c")), (first, second, None))
        same(store.identities(first, "x", 9), [(3, 1), (3, 2), (7, 1)])
        same(store.identities(first, "x", 6), [(3, 1), (3, 2)])
        same((store.identities(second, "x", 9), store.identities(second, "y", 9)), ([(5, 1)], []))
        asked = store.identities_of([(second, "x"), (first, "x"), (second, "y"), (99, "x")])
        same(asked, [(first, "x", 3, 1), (first, "x", 3, 2), (second, "x", 5, 1), (first, "x", 7, 1)])
        same(store.identities_of([]), [])
        for name, wrong in (("a", []), ("c", [(first, "x", 3, 1)]), ("d", [(99, "x", 1, 1)])):
            store.begin()
            with refused():
                store.new_scope(name)
                store.write(Batch(identities=wrong))
            store.rollback()

    def test_ledgers(self) -> None:
        """They have a number and a name, each once; what belongs to none is refused."""
        store = self.opened()
        commit(store, ledgers=[(2, "main", "USD", "cash"), (1, "main", "USD", "position")])
        same(store.ledgers(), [(1, "main", "USD", "position"), (2, "main", "USD", "cash")])
        for wrong in ((1, "other", "USD", "cash"), (3, "main", "USD", "cash")):
            store.begin()
            with refused():
                store.write(Batch(ledgers=[wrong]))
            store.rollback()
        store.begin()
        with refused():
            store.write(Batch(movements=[movement(9, (1, 6, "", 1, 1))]))

    def test_positions(self) -> None:
        """The newest state stands; open and unvalued ones are found among all."""
        store = self.opened()
        commit(store, ledgers=ledger_rows(1, 2), positions=[position(2), position(1, "b", is_open=1)])
        commit(store, positions=[position(1, "a", unvalued=1), position(2, is_open=1)])
        same([row[:3] for row in store.positions(None)], [(1, "a", ""), (1, "b", ""), (2, "", "")])
        same(store.positions(2), [position(2, is_open=1)])
        same([row[:2] for row in store.positions(None, is_open=True)], [(1, "b"), (2, "")])
        same([row[:2] for row in store.positions(None, unvalued=True)], [(1, "a")])
        same(store.positions(3), [])

    # ---- movements ----

    def test_movements_come_in_the_order_of_their_places(self) -> None:
        """Time, rank, tie by code point, sequence, ordinal; in pages, up to a time, of one ledger."""
        store = self.opened()
        places = [
            (1, 9, "z", 9, 1),
            (2, 1, "z", 8, 1),
            (2, 6, "", 7, 1),
            (2, 6, "A", 6, 1),
            (2, 6, "a", 4, 2),
            (2, 6, "a", 5, 1),
            (2, 6, "a", 5, 2),
            (2, 6, "é", 3, 1),
            (2, 6, "𝄞", 2, 1),
            (3, 0, "", 1, 1),
        ]
        rows = [movement(1, place, 9) for place in places]
        commit(store, ledgers=ledger_rows(1, 2), movements=[*rows[::-2], *rows[-2::-2]])
        commit(store, movements=[movement(2, (2, 6, "", 7, 1))])
        same([row[:5] for row in store.movements(1, START, None, 100)], places)
        same(store.movements(1, places[3], None, 3), [row[1:] for row in rows[4:7]])
        same([row[:5] for row in store.movements(1, places[0], None, 100, 2)], places[1:-1])
        same(len(store.movements(2, START, None, 100)), 1)
        same((store.movement(1, places[4]), store.movement(1, (2, 6, "b", 4, 2))), (rows[4][1:], None))

    def test_movements_have_versions(self) -> None:
        """A version stands from its own sequence until the one that closed it."""
        store = self.opened()
        place, other = (10, 6, "", 2, 1), (20, 6, "", 3, 1)
        commit(store, ledgers=ledger_rows(1), movements=[movement(1, place), movement(1, other)])
        new = movement(1, place, 5, quantity="7")
        commit(store, movement_ends=[(5, 1, *place, 2)], movements=[new])
        commit(store, movement_ends=[(8, 1, *other, 3)])

        def known(sequence: int | None) -> list[tuple[int, str]]:
            return [(row[0], row[10]) for row in store.movements(1, START, sequence, 100)]

        same([known(1), known(2), known(3)], [[], [(10, "1")], [(10, "1"), (20, "1")]])
        same([known(4), known(5)], [[(10, "1"), (20, "1")], [(10, "7"), (20, "1")]])
        same([known(7), known(8), known(None)], [[(10, "7"), (20, "1")], [(10, "7")], [(10, "7")]])
        same((store.movement(1, place), store.movement(1, other)), (new[1:], None))

    def test_what_was_ever_moved(self) -> None:
        """Strategies and legs of fills, closed versions too, up to a sequence and a time."""
        store = self.opened()
        place, other = (10, 6, "", 2, 1), (20, 6, "", 3, 1)
        rows = [movement(1, place, strategy="b"), movement(1, other, strategy="a", leg="long")]
        rows.append(movement(1, (30, 7, "", 4, 1), strategy="c", kind="payment"))
        commit(store, ledgers=ledger_rows(1), movements=rows)
        commit(store, movement_ends=[(5, 1, *place, 2)])
        same(store.moved(1, None), [("a", "long"), ("b", "")])
        same((store.moved(1, 2), store.moved(1, None, 19), store.moved(1, 1)), ([("b", "")], [("b", "")], []))
        same(store.moved(2, None), [])

    def test_a_version_is_there_once(self) -> None:
        """The same place and sequence twice is refused."""
        store = self.opened()
        row = movement(1, (10, 6, "", 2, 1))
        commit(store, ledgers=ledger_rows(1), movements=[row])
        store.begin()
        with refused():
            store.write(Batch(movements=[row]))

    def test_last_movements(self) -> None:
        """The newest place, the newest that several positions share, and the count after the fold point."""
        store = self.opened()
        same(store.last_movements(1), (START, START, 0))
        places: list[Order] = [(moment, 6, "", moment, 1) for moment in range(1, 7)]
        shared: dict[str, Any] = {"kind": "funding", "data": '{"shared":true}'}
        own: dict[str, Any] = {"kind": "funding", "data": '{"shared":false}'}
        rows = [movement(1, place) for place in places[:2]]
        rows += [movement(1, places[2], **shared), movement(1, places[3], **own), movement(1, places[4])]
        commit(store, ledgers=ledger_rows(1), movements=rows, points=[(1, *places[1], 2, "[]")])
        same(store.last_movements(1), (places[4], places[2], 3))
        commit(store, movements=[movement(1, places[5], kind="split")])
        same(store.last_movements(1), (places[5], places[5], 4))
        commit(store, movement_ends=[(9, 1, *places[5], 6)], point_ends=[(9, 1, *places[0])])
        same(store.last_movements(1), (places[4], places[2], 5))

    def test_fold_points(self) -> None:
        """The newest before a place; from a place on they are closed together; versions remain."""
        store = self.opened()
        places: list[Order] = [(moment, 6, "", moment, 1) for moment in (1, 2, 3)]
        rows = [(1, *place, place[3], f"[{place[0]}]") for place in places]
        commit(store, ledgers=ledger_rows(1, 2), points=rows)
        commit(store, points=[(2, *places[2], 3, "[]")])
        same(store.point(1, places[0], None), None)
        same(store.point(1, places[2], None), (*places[1], "[2]"))
        same(store.point(1, (9, 0, "", 0, 0), None), (*places[2], "[3]"))
        commit(store, point_ends=[(7, 1, *places[1])], points=[(1, *places[1], 7, "[new]")])
        same(store.point(1, (9, 0, "", 0, 0), None), (*places[1], "[new]"))
        same(store.point(1, (9, 0, "", 0, 0), 7), (*places[1], "[new]"))
        same(store.point(1, (9, 0, "", 0, 0), 6), (*places[2], "[3]"))
        same(store.point(1, (9, 0, "", 0, 0), 2), (*places[1], "[2]"))
        same(store.point(2, (9, 0, "", 0, 0), None), (*places[2], "[]"))

    # ---- round trips, days ----

    def test_trips(self) -> None:
        """By the time they ended and id, in a span and in pages, of some ledgers, as known."""
        store = self.opened()
        rows = [
            (30, 3, 1, "s", "", 3, 5, "{}"),
            (10, 1, 1, "s", "", 1, 4, "{}"),
            (30, 2, 2, "s", "", 2, 6, "{}"),
        ]
        commit(store, ledgers=ledger_rows(1, 2), trips=rows)

        def ids(*args: Any) -> list[int]:
            return [row[1] for row in store.trips(*args)]

        same(store.trips([2], None, None, None, None, 9), [(2, 2, "s", "", 6, 30, "{}")])
        same([ids(None, None, None, None, None, 9), ids(None, None, None, None, None, 2)], [[1, 2, 3], [1, 2]])
        same([ids([1], None, None, None, None, 9), ids([], None, None, None, None, 9)], [[1, 3], []])
        same([ids(None, 11, None, None, None, 9), ids(None, None, 30, None, None, 9)], [[2, 3], [1]])
        same([ids(None, None, None, (30, 2), None, 9), ids([1, 2], 0, 99, (10, 1), None, 1)], [[3], [2]])
        commit(store, trip_ends=[(7, 30, 3, 1, "s", "")], trips=[(40, 3, 1, "s", "", 7, 5, "{}")])
        same([ids(None, 31, None, None, None, 9), ids(None, None, None, None, 6, 9)], [[3], [1, 2, 3]])
        same([ids(None, None, 31, None, 7, 9), ids(None, None, None, None, 1, 9)], [[1, 2], [1]])

    def test_days(self) -> None:
        """The newest figures stand; rows are found by level, basis, span and owner."""
        store = self.opened()

        def day(date: str, strategy: str, currency: str, gross: str) -> Row:
            level = int(bool(strategy))
            return (level, "native", date, "main", strategy, currency, gross, "0", "0", "0", 1, 0, 0)

        rows = [
            day("2026-01-06", "", "USD", "1"),
            day("2026-01-05", "", "USD", "2"),
            day("2026-01-05", "", "BTC", "3"),
        ]
        commit(store, days=[*rows, day("2026-01-05", "s", "USD", "4"), day("2026-01-05", "r", "USD", "5")])
        commit(store, days=[day("2026-01-06", "", "USD", "6")])

        def gross(level: int, **filters: str | None) -> list[str]:
            return [row[4] for row in store.days(level, "native", **filters)]

        same([gross(0), gross(1), store.days(0, "base")], [["3", "2", "6"], ["5", "4"], []])
        same([gross(0, since="2026-01-06"), gross(0, until="2026-01-06")], [["6"], ["3", "2"]])
        same([gross(1, strategy="s"), gross(0, currency="BTC"), gross(0, account="x")], [["4"], ["3"], []])
        same(store.day((0, "native", "2026-01-06", "main", "", "USD")), ("6", "0", "0", "0", 1, 0, 0))
        same(store.day((0, "native", "2026-01-07", "main", "", "USD")), None)

    # ---- records, orders, rates ----

    def test_records_have_versions(self) -> None:
        """A newer version closes the one before; each stands as it was known."""
        store = self.opened()
        commit(store, records=[record("note", "n", 2, 50, body='"old"')])
        again = record("note", "n", 6, 40, body='"new"')
        commit(store, record_ends=[(6, "note", "main", "n")], records=[again])
        same(store.record("note", "main", "n", None), (40, '"new"', "BTC/USD", "s", "", 6))
        same(
            [store.record("note", "main", "n", known) for known in (1, 2, 5)][1:],
            [(50, '"old"', *again[5:8], 2)] * 2,
        )
        same([store.record("note", "main", "n", 1), store.record("note", "x", "n", None)], [None, None])
        commit(store, records=[record("note", "n", 6, 45, body='"corrected"')])
        same([row[2:4] for row in store.records("note", None, (-1, "", ""), 9)], [(45, '"corrected"')])
        same([row[2:4] for row in store.records("note", 5, (-1, "", ""), 9)], [(50, '"old"')])

    def test_records_come_in_time(self) -> None:
        """By time, account and id, in pages."""
        store = self.opened()
        rows = [record("note", name, 1, moment) for name, moment in (("c", 5), ("a", 7), ("b", 5), ("d", 1))]
        rows += [record("note", "z", 1, 5, account="first"), record("other", "a", 1, 5)]
        commit(store, records=rows)
        found = store.records("note", None, (-1, "", ""), 9)
        same([row[:3] for row in found[:2]], [("main", "d", 1), ("first", "z", 5)])
        same([row[1] for row in found], ["d", "z", "b", "c", "a"])
        same([row[1] for row in store.records("note", None, (5, "first", "z"), 2)], ["b", "c"])

    def test_records_under(self) -> None:
        """A kind's records without an account, by the letters of their ids, in pages, as they stood."""
        store = self.opened()
        names = ("a", "a.", "a.b", "a.b.c", "a.\U0001f600", "a/b", "a\\.b", "b", "\U0001f600")
        rows = [record("state", name, 1, 5, account="", body=f'"{name}"') for name in reversed(names)]
        rows += [record("state", "a.x", 1, 5), record("other", "a.x", 1, 5, account="")]
        commit(store, records=rows)

        def ids(prefix: str, known: int | None = None, after: str = "", limit: int = 99) -> list[str]:
            return [row[0] for row in store.records_under("state", prefix, known, after, limit)]

        same(ids(""), sorted(names))
        same([ids("a."), ids("a.b."), ids("b"), ids("c")], [["a.b", "a.b.c", "a.\U0001f600"], ["a.b.c"], [], []])
        same(
            [ids("a.", limit=2), ids("a.", after="a.b.c"), ids("a.", limit=0)], [["a.b", "a.b.c"], ["a.\U0001f600"], []]
        )
        again = record("state", "a.b", 4, 9, account="", status="deleted")
        commit(store, record_ends=[(4, "state", "", "a.b")], records=[again])
        wanted = [("a.b", 9, "{}", "BTC/USD", "s", "deleted", 4), ("a.b", 5, '"a.b"', "BTC/USD", "s", "", 1)]
        found = [store.records_under("state", "a.", known, "", 1)[0] for known in (None, 3)]
        same((found, ids("a.", 3), ids("a.", 0)), (wanted, ids("a."), []))

    def test_open_orders(self) -> None:
        """An instrument's orders that are not at their end, by time."""
        store = self.opened()
        rows = [record("order", "b", 1, 9, status="new"), record("order", "a", 2, 5, status="unknown")]
        rows += [record("order", "c", 3, 1, status="filled"), record("signal", "d", 3, 1, status="new")]
        rows += [record("order", "e", 4, 1, status="new", instrument="ETH/USD")]
        commit(store, records=rows)
        wanted = [
            ("main", "a", 5, "{}", "BTC/USD", "s", "unknown", 2),
            ("main", "b", 9, "{}", "BTC/USD", "s", "new", 1),
        ]
        same(store.open_orders("main", "BTC/USD"), wanted)
        ended = record("order", "b", 7, 9, status="canceled")
        commit(store, record_ends=[(7, "order", "main", "b")], records=[ended])
        same([row[1] for row in store.open_orders("main", "BTC/USD")], ["a"])
        reopened = record("order", "b", 8, 9, status="partially_filled")
        commit(store, record_ends=[(8, "order", "main", "b")], records=[reopened])
        same([row[1] for row in store.open_orders("main", "BTC/USD")], ["a", "b"])
        same(store.open_orders("x", "BTC/USD"), [])
        other = record("order", "f", 9, 1, status="new", account="x", instrument="ETH/USD")
        commit(store, records=[other])
        same([row[1] for row in store.open_orders("main", None)], ["e", "a", "b"])
        same([row[1] for row in store.open_orders(None, None)], ["e", "f", "a", "b"])

    def test_open_breaks(self) -> None:
        """How many differences of an instrument wait for somebody."""
        store = self.opened()
        rows = [record("break", name, 1, 9, status="open") for name in ("a", "b")]
        rows += [record("break", "c", 1, 9, status="resolved"), record("order", "d", 1, 9, status="open")]
        commit(store, records=rows)
        same(store.open_breaks("main", "BTC/USD"), 2)
        ended = record("break", "a", 2, 9, status="resolved")
        commit(store, record_ends=[(2, "break", "main", "a")], records=[ended])
        same((store.open_breaks("main", "BTC/USD"), store.open_breaks("main", "ETH/USD")), (1, 0))

    def test_rates(self) -> None:
        """The newest at or before a moment, no older than another, as known."""
        store = self.opened()
        rows = [
            ("BTC", "USD", 10, "x", "1", 1),
            ("BTC", "USD", 20, "x", "2", 2),
            ("BTC", "USD", 20, "y", "3", 5),
        ]
        commit(store, rates=[*rows, ("ETH", "USD", 15, "x", "4", 4)])
        same(store.rate("BTC", "USD", 19, 0, None), ("1", 10, "x"))
        same(
            [store.rate("BTC", "USD", 20, 0, None), store.rate("BTC", "USD", 99, 0, 4)],
            [("3", 20, "y"), ("2", 20, "x")],
        )
        same([store.rate("BTC", "USD", 9, 0, None), store.rate("BTC", "USD", 99, 21, None)], [None, None])
        same(store.rate("USD", "BTC", 99, 0, None), None)
        same(sorted(store.rate_pairs(None)), [("BTC", "USD"), ("ETH", "USD")])
        same((store.rate_pairs(3), store.rate_pairs(0)), ([("BTC", "USD")], []))
        store.begin()
        with refused():
            store.write(Batch(rates=[("BTC", "USD", 20, "x", "9", 9)]))

    # ---- counters, marks, what is kept about the place ----

    def test_counters_add_up(self) -> None:
        """Each count is added to the one before."""
        store = self.opened()
        commit(store, tally=[("fills", 2), ("conflicts", 1), ("fills", 3)])
        commit(store, tally=[("fills", 5)])
        same(store.tally(), {"fills": 10, "conflicts": 1})

    def test_marks(self) -> None:
        """The newest mark stands, and the last of each minute."""
        store = self.opened()
        marks = [("A", "1", 2 * MINUTE, "x", 9), ("B", "2", 5, "x", 9), ("A", "3", MINUTE, "x", 9)]
        samples = [("A", 1, "3", MINUTE + 5), ("A", 1, "4", MINUTE + 9), ("A", 1, "5", MINUTE + 7)]
        store.put_marks(marks, [*samples, ("A", 2, "1", 2 * MINUTE)])
        same(sorted(store.marks()), marks[:2])
        same(
            [store.mark_at("A", at) for at in (MINUTE + 9, 9 * MINUTE)],
            [("4", MINUTE + 9), ("1", 2 * MINUTE)],
        )
        same([store.mark_at("A", MINUTE - 1), store.mark_at("C", MINUTE)], [None, None])
        same(store.mark_after("A", 2 * MINUTE), ("1", 2 * MINUTE))
        same([store.mark_after("A", 9 * MINUTE), store.mark_after("C", 0)], [None, None])
        same(store.marks_between("A", MINUTE + 9, 2 * MINUTE + 1, 9), [("4", MINUTE + 9), ("1", 2 * MINUTE)])
        same(store.marks_between("A", 0, 9 * MINUTE, 1), [("4", MINUTE + 9)])
        same([store.marks_between("A", MINUTE + 10, 2 * MINUTE, 9), store.marks_between("C", 0, 99, 9)], [[], []])
        store.put_marks([("A", "9", 2 * MINUTE, "y", 10)], [])
        same(min(store.marks()), ("A", "9", 2 * MINUTE, "y", 10))

    def test_about(self) -> None:
        """What is kept about the place is replaced by name."""
        store = self.opened()
        earlier = store.about()
        for value in ("1", "2"):
            store.begin()
            store.put_about("epoch", value)
            store.commit()
        same(store.about(), earlier | {"epoch": "2"})
