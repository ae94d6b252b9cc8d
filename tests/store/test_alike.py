"""The same facts leave the same rows in every store; and what else tests of programs lean on."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given

from onebook.book.commit import Committer, Request
from onebook.domain.commands import Bust, Command, Record
from onebook.errors import BookError, NaiveTime
from onebook.store.memory import MemoryStore
from onebook.store.port import Store
from onebook.store.sqlite.store import SqliteStore
from onebook.testing import FakeClock, facts
from onebook.testing.facts import BustOf
from onebook.testing.store_rows import check_chain, everything


def recorded(store: Store, found: Sequence[Any]) -> tuple[list[str], dict[str, object]]:
    """Record facts; return what became of each, and all that the store tells."""
    committer = Committer(store, FakeClock(step_seconds=1), lambda _state, _command: None, lambda _sequence: None)
    told, places = [], dict[int, int]()
    for number, fact in enumerate(found):
        command: Command = Bust((places[fact.place], 1), fact.reason) if isinstance(fact, BustOf) else Record(fact)
        outcome = committer.submit(Request([command], "test"))[0]
        if outcome.error is not None:
            assert isinstance(outcome.error, BookError)
            told.append(outcome.error.code)
            continue
        assert outcome.decision is not None
        assert outcome.stamp is not None
        told.append(outcome.decision.status)
        is_new = outcome.decision.status == "recorded"
        places[number] = outcome.stamp.sequence if is_new else outcome.decision.first
    check_chain(store)
    return told, everything(store)


@given(facts(busts=True))
def test_the_same_facts_leave_the_same_rows_in_every_store(found: list[Any]) -> None:
    with TemporaryDirectory() as folder:
        file = SqliteStore(str(Path(folder) / "trading.db"), synchronous="off")
        memory = MemoryStore()
        assert recorded(memory, found) == recorded(file, found)
        file.close()


@given(facts())
def test_facts_are_taken_in(found: list[Any]) -> None:
    told, _ = recorded(MemoryStore(), found)
    assert set(told) <= {"recorded", "exists", "conflict"}


# ---- the fake clock ----


def test_a_clock_moves_when_it_is_told_to() -> None:
    clock = FakeClock("2026-01-05T09:00:00Z", step_seconds=0.5)
    assert clock() == clock.now - 500_000_000
    assert clock.text == "2026-01-05T09:00:00.500Z"
    clock.advance(-60)
    assert clock.text == "2026-01-05T08:59:00.500Z"
    clock.set("2026-03-29T01:00:00+01:00")
    assert clock.text == "2026-03-29T00:00:00Z"
    with pytest.raises(NaiveTime):
        clock.set("2026-03-29T01:00:00")


def test_a_clock_stands_still_by_itself() -> None:
    clock = FakeClock()
    assert clock() == clock()
    clock.advance(0.000000001)
    assert clock.text == "2026-01-05T09:00:00.000000001Z"
