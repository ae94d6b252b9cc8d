"""The state of a book: who may write what, what it costs to read, and what happens when many write at once."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest

import onebook
from onebook import ConflictError, InputError, NotAllowed, SchemaTooNew
from onebook.book.lens import Lens
from onebook.book.state_store import StateStore
from onebook.store.sqlite.reader import READS
from onebook.store.sqlite.store import WRITES
from onebook.testing.clock import FakeClock


def told(book: onebook.Book) -> list[tuple[int, dict[str, Any]]]:
    return [(event.sequence, event.data) for event in book.events(types="state_changed")]


# ---- the log ----


def test_each_change_is_one_event_of_one_entry(book: onebook.Book) -> None:
    book.state.set("a.b", Decimal("1.50"), source="bot")
    book.state.update({"c": [1], ("d.e", "f"): None}, delete=["a"], source="desk")
    book.state.set("d\\.e.f", None)
    assert told(book) == [
        (1, {"path": "a.b", "value": {"$decimal": "1.5"}, "version": 1, "source": "bot"}),
        (2, {"path": "c", "value": [1], "version": 1, "source": "desk"}),
        (2, {"path": "d\\.e.f", "value": None, "version": 1, "source": "desk"}),
        (2, {"path": "a", "deleted": True, "version": 2, "source": "desk"}),
    ]
    assert (book.status().entries, book.status().facts) == (2, 0)


def test_what_is_refused_changes_nothing(book: onebook.Book) -> None:
    book.state.set("a", 1)
    with pytest.raises(InputError, match=r"a\.b\.c: a is no object"):
        book.state.update({"x": 1, "a.b.c": 2})
    with pytest.raises(InputError, match=r"a and a\.b are changed at once"):
        book.state.update({"a": 1, "a.b": 2})
    assert book.state.snapshot() == {"a": 1}
    assert book.state.update({}) == {}
    assert book.status().entries == 1


def test_a_document_stays_within_the_limit_when_it_is_changed_inside(book: onebook.Book) -> None:
    book.state.set("a", {"x": "y" * 200_000})
    with pytest.raises(InputError, match="at most 262144"):
        book.state.set("a.z", "y" * 100_000)
    deep: Any = 1
    for _ in range(20):
        deep = {"d": deep}
    book.state.set("b", deep)
    with pytest.raises(InputError, match="nested deeper"):
        book.state.set(("b", *["d"] * 19, "e"), deep)


def test_a_conflict_says_what_is_there(book: onebook.Book) -> None:
    book.state.set("a", 1)
    with pytest.raises(ConflictError, match="a has version 1, not 7") as caught:
        book.state.set("a", 2, expected_version=7)
    assert (caught.value.path, caught.value.expected, caught.value.version) == ("a", 7, 1)
    with pytest.raises(ConflictError):
        book.state.delete("a", expected_version=0)
    assert book.state.delete("a", expected_version=1)
    assert book.state.set("a", 3, expected_version=0) == 3
    for wrong in (-1, True, "1", 1.0):
        with pytest.raises(InputError, match="expected_version"):
            book.state.set("a", 2, expected_version=wrong)  # type: ignore[arg-type]


def test_about_says_who_and_when(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path, clock=clock, actor="first") as book:
        book.state.set("a.b", 1, source="why")
    with onebook.open(path, clock=clock, actor="second") as book:
        book.state.set("a.c", {"d": 1})
        for place, actor, version in (("a.b", "first", 1), ("a.c.d", "second", 1), ("a", "second", 2)):
            about = book.state.about(place)
            assert about is not None
            assert (about.path, about.actor, about.version) == (place, actor, version)
            assert about.updated_at == next(iter(book.events(after=about.sequence - 1))).recorded_at
        first = book.state.about("a.b")
        assert (first and first.source, book.state.about("a.x"), book.state.about("z")) == ("why", None, None)


def test_a_release_that_shows_more_still_reads_an_older_log(book: onebook.Book, monkeypatch: Any) -> None:
    """What was a user's path then is one still when the log is decided again."""
    book.state.set("mine.a", 1)
    monkeypatch.setattr("onebook.domain.state_paths.VIEW_ROOTS", (("mine", "a"),))
    assert book.verify().ok
    assert book.rebuild().ok


# ---- earlier points ----


def test_as_of_shows_the_state_of_then_and_takes_no_change(book: onebook.Book, clock: FakeClock) -> None:
    book.state.set("a", 1)
    clock.advance(60)
    moment = clock()
    book.state.set("a", 2)
    clock.advance(60)
    book.state.delete("a")
    shown = [book.as_of(sequence).state.get("a") for sequence in range(4)]
    assert shown == [None, 1, 2, None]
    assert [book.as_of(moment=moment + off).state.get("a") for off in (-1, 0, 10**12)] == [1, 2, None]
    assert [book.as_of(sequence).state.version("a") for sequence in range(4)] == [0, 1, 2, 3]
    before = book.as_of(1).state
    changes: list[Callable[[], object]] = [
        lambda: before.set("a", 5),
        lambda: before.delete("a"),
        lambda: before.restore({}),
    ]
    for change in changes:
        with pytest.raises(NotAllowed, match="read-only"):
            change()
    assert book.status().entries == 3


def test_a_read_only_book_takes_no_change(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path) as book:
        book.state.set("a", 1)
    with onebook.open(path, read_only=True) as book:
        assert book.state.get("a") == 1
        with pytest.raises(onebook.StoreError):
            book.state.set("a", 2)


# ---- the whole ----


def test_restore_writes_only_what_differs(book: onebook.Book) -> None:
    book.state.update({"a.b": 1, "a.c": {"x": 1, "y": 2}, "trading": {"mode": 1}, "positions.x.note": 5})
    snapshot = book.state.snapshot()
    book.state.update({"a.c.x": 7, "new": 1, "trading.positions.9.note": 2}, delete=["a.b"])
    assert book.state.restore(snapshot)
    assert book.state.snapshot() == snapshot
    written = {data["path"] for sequence, data in told(book) if sequence == 3}
    assert written == {"a.c", "a.b", "new", "trading.positions"}
    assert not book.state.restore(snapshot)
    assert book.state.restore({})
    assert book.state.snapshot() == {}
    for wrong in ([1], {"": 1}, {"$a": 1}):
        with pytest.raises(InputError):
            book.state.restore(wrong)  # type: ignore[arg-type]
    for hiding in ({"positions": 1}, {"trading": 1}, {"trading": {"positions": None}}):
        with pytest.raises(NotAllowed):
            book.state.restore(hiding)


def test_restore_takes_a_large_snapshot_apart(book: onebook.Book) -> None:
    snapshot = {"a": {f"n{number}": "x" * 100_000 for number in range(5)}}
    assert book.state.restore(snapshot)
    assert book.state.snapshot() == snapshot


def test_upgrade_runs_the_steps_that_are_missing(book: onebook.Book) -> None:
    book.state.update({"old.x": Decimal(1), "keep": 1})
    steps = {
        1: lambda state: {"new": state.pop("old"), **state},
        2: lambda state: {**state, "twice": state["new"]["x"] * 2},
    }
    with pytest.raises(InputError, match="none leads to shape 3"):
        book.state.upgrade(3, steps)
    assert (book.state.schema_version, book.status().entries) == (0, 1)
    assert book.state.upgrade(2, steps)
    assert book.state.snapshot() == {"new": {"x": 1}, "keep": 1, "twice": 2}
    assert (book.state.schema_version, book.status().entries) == (2, 2)
    assert not book.state.upgrade(2, {})
    with pytest.raises(SchemaTooNew, match="has shape 2, this program knows 1"):
        book.state.upgrade(1, steps)
    assert book.as_of(1).state.schema_version == 0
    assert "$schema" not in book.state.snapshot()


def test_of_two_that_upgrade_one_does_it(tmp_path: Path) -> None:
    """The other, who began before and ends after, sees it done; nothing is changed twice."""
    path = tmp_path / "book.db"
    with onebook.open(path) as book, onebook.open(path) as other:
        book.state.set("n", 1)
        ran = []

        def step(state: dict[str, Any]) -> dict[str, Any]:
            ran.append(1)
            assert other.state.upgrade(1, {1: lambda inner: {"n": inner["n"] + 1}})
            return {"n": state["n"] + 1}

        assert not book.state.upgrade(1, {1: step})
        assert (book.state.get("n"), ran) == (2, [1])


def test_an_upgrade_loses_no_change_made_meanwhile(book: onebook.Book) -> None:
    book.state.set("n", 1)
    calls: list[dict[str, Any]] = []

    def step(state: dict[str, Any]) -> dict[str, Any]:
        if not calls:
            book.state.set("m", 5)
        calls.append(state)
        return {"all": state}

    assert book.state.upgrade(1, {1: step})
    assert book.state.snapshot() == {"all": {"n": 1, "m": 5}}
    assert len(calls) == 2
    with pytest.raises(ConflictError):
        book.state.upgrade(2, {2: lambda state: {"n": book.state.set("noise", [len(told(book))]), **state}})
    assert book.state.schema_version == 1


# ---- many at once ----


def test_no_increment_is_lost_among_threads(book: onebook.Book) -> None:
    def count() -> None:
        for _ in range(25):
            while True:
                version = book.state.version("n")
                try:
                    book.state.set("n", book.state.get("n", 0) + 1, expected_version=version)
                except ConflictError:
                    continue
                break

    threads = [threading.Thread(target=count, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (book.state.get("n"), book.state.version("n")) == (100, 100)


COUNTING = """
import sys, onebook
with onebook.open(sys.argv[1], actor=sys.argv[2]) as book:
    done = 0
    while done < 25:
        version = book.state.version("n")
        try:
            book.state.set("n", book.state.get("n", 0) + 1, expected_version=version)
            done += 1
        except onebook.ConflictError:
            pass
"""


def test_no_increment_is_lost_among_processes(tmp_path: Path) -> None:
    path = str(tmp_path / "book.db")
    with onebook.open(path) as book:
        running = [subprocess.Popen([sys.executable, "-c", COUNTING, path, name]) for name in "ab"]
        assert [process.wait(120) for process in running] == [0, 0]
        assert (book.state.get("n"), book.state.version("n")) == (50, 50)
        assert {event.actor for event in book.events(types="state_changed")} == {"a", "b"}
        assert book.verify().ok


# ---- what reading costs ----


class Spy:
    """A reader that counts the rows it hands out."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader
        self.rows = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.reader, name)

        def counted(*args: Any) -> Any:
            found = method(*args)
            self.rows += len(found) if isinstance(found, list) else 1
            return found

        return counted


def spied(book: onebook.Book) -> tuple[StateStore, Spy]:
    spy = Spy(None)

    @contextmanager
    def lens() -> Iterator[Any]:
        with book._lens() as real:
            spy.reader = real.reader
            yield Lens(spy)

    return StateStore(replace(book.state._point, lens=lens)), spy


def test_reading_one_path_of_many_reads_that_one(book: onebook.Book) -> None:
    for start in (0, 1000):
        book.state.update({f"jobs.{number}.status": number for number in range(start, start + 1000)})
    for number in range(50):
        book.state.set("jobs.7.status", -number)
    store, spy = spied(book)
    assert store.get("jobs.7.status") == -49
    assert spy.rows <= 5
    spy.rows = 0
    assert store.get("jobs.8") == {"status": 8}
    assert spy.rows <= 6
    spy.rows = 0
    assert len(store.get("jobs")) == 2000
    assert spy.rows >= 2000


@pytest.mark.parametrize("name", ["record", "record_known", "records_under"])
def test_a_path_is_found_by_its_key(tmp_path: Path, name: str) -> None:
    """By jumps in the primary key, never by going through a table, and without sorting."""
    with onebook.open(tmp_path / "book.db") as book:
        book.state.set("a", 1)
        params = (1,) * READS[name].count("?") if "?1" not in READS[name] else (1,) * (5 if "?5" in READS[name] else 4)
        with book._store.reading() as reader:
            plan = [row[3] for row in reader.connection.execute("EXPLAIN QUERY PLAN " + READS[name], params)]  # type: ignore[attr-defined]
    reads = [line for line in plan if line.startswith(("SEARCH", "SCAN"))]
    keyed = [line for line in reads if "USING PRIMARY KEY (kind=? AND account=? AND id" in line]
    assert keyed
    assert [line for line in reads if line not in keyed] in ([], ["SCAN ids", "SCAN ids"]), plan
    assert not any("TEMP B-TREE" in line for line in plan), plan


@pytest.mark.parametrize("name", ["record", "record_known", "records_under", "record_ends"])
def test_how_often_a_path_changed_costs_nothing(tmp_path: Path, name: str) -> None:
    """The newest version is found from the end: counted in steps of SQLite's machine, not in time."""
    sql = (READS | WRITES)[name]
    params: dict[str, tuple[Any, ...]] = {
        "record": ("state", "", "a.b"),
        "record_known": ("state", "", "a.b", 2**62),
        "records_under": ("state", "a.", "a.\U0010ffff", 2**62, 9),
        "record_ends": (2**61, "state", "", "a.b"),
    }
    counted = []
    for versions in (1, 400):
        with onebook.open(tmp_path / f"{versions}.db", config={"synchronous": "normal"}) as book:
            for number in range(versions):
                book.state.set("a.b", number)
        connection = apsw.Connection(str(tmp_path / f"{versions}.db"))
        steps: list[int] = []
        connection.set_progress_handler(lambda steps=steps: bool(steps.append(1)), 1)  # type: ignore[misc]
        connection.execute(sql, params[name]).fetchall()
        connection.close()
        counted.append(len(steps))
    assert 0 < counted[1] < counted[0] + 20, counted
