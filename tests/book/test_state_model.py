"""A nested dict drives the state of a book in memory and one in a file, side by side; versions only ever grow."""

import copy
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import onebook
from onebook import BookError, ConflictError, InputError
from onebook.domain.state_paths import path_text
from onebook.domain.state_values import given, kept, same
from onebook.testing.clock import FakeClock

PARTS = ("a", "b", "c.d", "e\\")
PATHS = (
    [(one,) for one in PARTS] + [(one, two) for one in PARTS for two in PARTS] + [("a", "a", "a"), ("a", "b", "a", "b")]
)

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
    st.decimals(-9, 9, places=2),
    st.datetimes(datetime(1900, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  hypothesis asks for it so
    st.dates(date(1900, 1, 1)),
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(PARTS), inner, max_size=3)),
    max_leaves=6,
)
paths = st.sampled_from(PATHS)


class Implied(dict[str, Any]):
    """A dict that is there only because something lies below it."""


class Model:
    """What the state should be, by the rules' text."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = Implied()

    def get(self, path: tuple[str, ...]) -> Any:
        """The value at a path, or an error when nothing is there."""
        found: Any = self.tree
        for part in path:
            if not isinstance(found, dict):
                raise KeyError(path)
            found = found[part]
        return found

    def set(self, path: tuple[str, ...], value: Any) -> None:
        place = copy.deepcopy(self.tree)
        level: Any = place
        for part in path[:-1]:
            level = level.setdefault(part, Implied() if isinstance(level, Implied) else {})
            if not isinstance(level, dict):
                raise InputError("in the way")
        level[path[-1]] = value
        self.tree = place

    def delete(self, path: tuple[str, ...]) -> bool:
        try:
            self.get(path)
        except KeyError:
            return False
        for size in range(len(path) - 1, -1, -1):
            level = self.get(path[:size])
            del level[path[size]]
            if level or not isinstance(level, Implied) or not size:
                break
        return True


def alike(one: Any, other: Any) -> bool:
    return same(kept("", one), kept("", other))


def overlap(chosen: list[tuple[str, ...]]) -> bool:
    return any(one[: len(other)] == other for i, one in enumerate(chosen) for j, other in enumerate(chosen) if i != j)


class StateMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock("2024-07-01T00:00:00Z", step_seconds=1)
        self.memory = onebook.open(":memory:", clock=self.clock)
        self.file = self.opened()
        self.model = Model()
        self.history: dict[int, Any] = {0: {}}
        self.seen: dict[tuple[str, ...], tuple[Any, int]] = {}
        self.entries = 0

    def opened(self) -> onebook.Book:
        path = Path(self.folder.name) / "book.db"
        return onebook.open(path, clock=self.clock, config={"synchronous": "normal"})

    @property
    def books(self) -> tuple[onebook.Book, onebook.Book]:
        return self.memory, self.file

    def both(self, name: str, *args: Any, **more: Any) -> Any:
        """What both books say, or the error that both raise."""
        found = []
        for book in self.books:
            try:
                found.append(getattr(book.state, name)(*args, **more))
            except BookError as problem:
                found.append((type(problem), str(problem)))
        assert found[0] == found[1]
        return found[0]

    @rule(path=paths, value=values)
    def set(self, path: tuple[str, ...], value: Any) -> None:
        try:
            self.model.set(path, value)
        except InputError:
            assert self.both("set", path, value)[0] is InputError
        else:
            assert isinstance(self.both("set", path, value), int)

    @rule(path=paths)
    def set_again(self, path: tuple[str, ...]) -> None:
        """What stands already writes nothing, and the version stays."""
        holder = self.memory.state.get(path)
        if holder is None or isinstance(holder, dict):
            return
        before = [book.status().entries for book in self.books]
        assert self.both("set", path, holder) == self.memory.state.version(path)
        assert [book.status().entries for book in self.books] == before

    @rule(path=paths)
    def delete(self, path: tuple[str, ...]) -> None:
        assert self.both("delete", path) == self.model.delete(path)

    @rule(path=paths, value=values, off=st.integers(-1, 1))
    def set_expecting(self, path: tuple[str, ...], value: Any, off: int) -> None:
        expected = self.memory.state.version(path) + off
        if expected < 0:
            return
        try:
            self.model.get(path)
            fits = off == 0
        except KeyError:
            fits = off == 0 or expected == 0
        if not fits:
            assert self.both("set", path, value, expected_version=expected)[0] is ConflictError
            return
        try:
            self.model.set(path, value)
        except InputError:
            assert self.both("set", path, value, expected_version=expected)[0] is InputError
        else:
            self.both("set", path, value, expected_version=expected)

    @rule(sets=st.dictionaries(paths, values, max_size=3), gone=st.lists(paths, max_size=2))
    def update(self, sets: dict[tuple[str, ...], Any], gone: list[tuple[str, ...]]) -> None:
        if overlap([*sets, *gone]):
            assert self.both("update", sets, delete=gone)[0] is InputError
            return
        before = copy.deepcopy(self.model.tree)
        try:
            for path, value in sets.items():
                self.model.set(path, value)
        except InputError:
            self.model.tree = before
            assert self.both("update", sets, delete=gone)[0] is InputError
            return
        for path in gone:
            self.model.delete(path)
        versions = self.both("update", sets, delete=gone)
        assert list(versions) == [path_text(path) for path in (*sets, *gone)]
        assert versions == {path_text(path): self.memory.state.version(path) for path in (*sets, *gone)}

    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        wanted = self.history[data.draw(st.sampled_from(sorted(self.history)))]
        before = self.memory.state.snapshot()
        assert self.both("restore", wanted) == (not alike(before, wanted))
        self.model.tree = self.shape(self.memory.state.snapshot())
        assert alike(self.model.tree, wanted)

    def shape(self, snapshot: dict[str, Any]) -> Any:
        """The model of a restored snapshot: what holds documents below is implied, as the first entries say."""
        documents = set(self.standing(self.memory))

        def implied(path: tuple[str, ...], value: Any) -> Any:
            if path in documents or not isinstance(value, dict):
                return value
            return Implied({name: implied((*path, name), item) for name, item in value.items()})

        return implied((), snapshot)

    def standing(self, book: onebook.Book) -> Iterator[tuple[str, ...]]:
        with book.state._documents() as documents:
            yield from (found.path for found in documents.under(()) if found.stands)

    @rule()
    def reopen(self) -> None:
        self.file.close()
        self.file = self.opened()

    @rule()
    def rebuild(self) -> None:
        for book in self.books:
            assert book.rebuild().ok

    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        sequence = data.draw(st.sampled_from(sorted(self.history)))
        for book in self.books:
            assert alike(book.as_of(sequence).state.snapshot(), self.history[sequence])

    @invariant()
    def the_state_is_the_models(self) -> None:
        if not hasattr(self, "file"):
            return
        for book in self.books:
            assert alike(book.state.snapshot(), self.model.tree)
        assert self.memory.status().entries == self.file.status().entries
        self.history[self.memory.status().entries] = copy.deepcopy(given(kept("", self.model.tree)))

    @invariant()
    def every_path_shows_the_models_value_and_versions_grow(self) -> None:
        if not hasattr(self, "file"):
            return
        nothing = object()
        for path in PATHS:
            try:
                wanted = self.model.get(path)
            except KeyError:
                wanted = nothing
            found = [book.state.get(path, nothing) for book in self.books]
            assert all(item is nothing for item in found) if wanted is nothing else alike(found, [wanted] * 2)
            versions = {book.state.version(path) for book in self.books}
            assert len(versions) == 1
            version = versions.pop()
            shown = None if wanted is nothing else kept("", [wanted])
            before, last = self.seen.get(path, (None, 0))
            if same(shown, before):
                assert version >= last, path
            else:
                assert version > last, path
            self.seen[path] = (shown, version)
            about = self.file.state.about(path)
            assert (about is None) == (wanted is nothing)
            assert about is None or about.version == version

    def teardown(self) -> None:
        if hasattr(self, "file"):
            for book in self.books:
                report = book.verify()
                assert report.ok, report.problems
                assert book.status().facts == 0
                book.close()
            self.folder.cleanup()


TestState = StateMachine.TestCase
TestState.settings = settings(max_examples=max(20, settings().max_examples // 3), stateful_step_count=25, deadline=None)


def test_versions_stay_small_however_often_a_place_changes_hands(book: onebook.Book) -> None:
    """A document above and one below by turns: counters are taken over, not added up again."""
    for _ in range(40):
        book.state.set("a.b", 1)
        book.state.set("a", 2)
        book.state.delete("a")
    assert book.state.version("a") == 120
    assert book.state.version("a.b") == 120


def test_a_document_counts_on_from_one_that_stood_above(book: onebook.Book) -> None:
    for value in (1, 2, 3):
        book.state.set("a", value)
    book.state.delete("a")
    assert [book.state.version("a.b"), book.state.set("a.b", 1), book.state.set("a.b", 2)] == [4, 5, 6]
    assert [book.state.delete("a.b"), book.state.version("a.b"), book.state.version("a")] == [True, 7, 7]


def test_an_update_answers_with_the_versions_after_all_of_it(book: onebook.Book) -> None:
    book.state.set("a", {"z": 1})
    assert book.state.update({"a.x": 1, "b": 1, "a.y": 2, "a.z": 1}, delete=["c"]) == {
        "a.x": 3, "b": 1, "a.y": 3, "a.z": 3, "c": 0,
    }  # fmt: skip


@pytest.mark.parametrize("value", [1, 1.0, True, Decimal(1), "1"])
def test_values_of_another_type_are_others(book: onebook.Book, value: Any) -> None:
    book.state.set("a", None)
    book.state.set("a", value)
    assert type(book.state.get("a")) is type(value)
    others = [other for other in (1, 1.0, True, Decimal(1), "1") if type(other) is not type(value)]
    versions = [book.state.set("a", other) for other in others]
    assert versions == [3, 4, 5, 6]
