"""What every release wrote decodes, verifies and folds to the answers it gave then, in this release too."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.releases.scenario import ACCESS, DAY, FACTS, HERE, answers, from_log, log, play

import onebook
from onebook.domain.facts import FACTS as KINDS
from onebook.testing.clock import FakeClock

LOGS = sorted(HERE.glob("*.log"))


def test_this_release_has_its_files() -> None:
    """The files of a version are made once, with ``python -m tests.releases.scenario``."""
    assert onebook.__version__ in {path.stem for path in LOGS}


def test_the_scenario_has_every_kind_of_fact() -> None:
    assert {type(fact).KIND for fact in (*FACTS, *ACCESS)} == set(KINDS)


def within(then: Any, now: Any) -> bool:
    """Say whether an answer is what it was; it may have gained fields."""
    if isinstance(then, dict) and isinstance(now, dict):
        return all(name in now and within(value, now[name]) for name, value in then.items())
    if isinstance(then, list) and isinstance(now, list):
        return len(then) == len(now) and all(map(within, then, now))
    return bool(then == now)


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_a_log_of_every_release_is_read(path: Path, tmp_path: Path) -> None:
    """Only the log is taken over, byte for byte; all the rest is made anew from it."""
    lines = [line.split(" ", 2) for line in path.read_text().splitlines()]
    with from_log(path, str(tmp_path / "old.db")) as book:
        rebuilt = book.rebuild()
        assert rebuilt.ok, rebuilt.problems
        verified = book.verify()
        assert verified.ok, verified.problems
        assert (verified.entries, verified.head_hash) == (len(lines), lines[-1][1])
        expected = json.loads(path.with_suffix(".json").read_text())
        found = answers(book)
        for name, value in expected.items():
            assert within(value, found[name]), name


@pytest.mark.parametrize("place", [":memory:", "new.db"])
def test_this_release_still_writes_the_same_bytes(place: str, tmp_path: Path) -> None:
    """A change here is a change of what the log holds: it needs a version, an upcast or new rules."""
    path = HERE / f"{onebook.__version__}.log"
    clock = FakeClock(f"{DAY}20:00:00Z")
    with onebook.open(place if place == ":memory:" else str(tmp_path / place), clock=clock, actor="release") as book:
        play(book, clock)
        assert list(log(book)) == path.read_text().splitlines()
