"""Killed between effect and checkpoint: inside the book exactly once, outside at least once, in order, none missing."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

import onebook

CHILD = Path(__file__).with_name("subscribing_child.py")
KILLS_PER_BOOK = 50
EVENTS = 150
EVENTS_PER_LIFE = 12
KILLED = -9
LIVES_PER_KILL = 4


@pytest.fixture
def seed() -> int:
    """A seed that a failing run shows; set KILL_SEED to choose its moments again."""
    return int(os.environ.get("KILL_SEED", random.randrange(10**6)))


def grow(path: Path, first: int) -> None:
    """Record fills to be told of."""
    with onebook.open(path) as book:
        book.record_many(
            onebook.Fill(instrument="BTC/USD", side="buy", quantity=1, price=1, venue_fill_id=str(number))
            for number in range(first, first + EVENTS)
        )


def live(path: Path, seed: int, chance: float) -> int:
    """Let a process serve until it dies or is done; return how it ended."""
    command = [sys.executable, str(CHILD), str(path), str(path.with_suffix(".lines")), str(seed), str(chance)]
    return subprocess.run(command, check=False, timeout=60).returncode


def killed(path: Path, kills: int, seed: int) -> int:
    """Let so many processes be killed, and one end well; return how many events there were."""
    events, died, lives = 0, 0, 0
    while died < kills:
        lives += 1
        assert lives < LIVES_PER_KILL * kills, "they end well too often"
        how = live(path, seed + lives, 1 / EVENTS_PER_LIFE) if events else 0
        assert how in {0, KILLED}
        died += how == KILLED
        if how == 0:
            grow(path, events)
            events += EVENTS
    assert live(path, 0, 0.0) == 0
    return events


def check_outside(found: list[str], wanted: list[str]) -> None:
    """Each at least once, and none before all that come before it in the log."""
    places = {event: place for place, event in enumerate(wanted)}
    reached = -1
    for event in found:
        assert places[event] <= reached + 1, f"{event} came before {wanted[reached + 1]}"
        reached = max(reached, places[event])
    assert reached == len(wanted) - 1, f"{wanted[reached + 1]} is missing"


def check_inside(found: list[str], wanted: list[str]) -> None:
    """Each exactly once, in order."""
    assert found == wanted


def check(path: Path, events: int) -> None:
    with onebook.open(path) as book:
        wanted = [event.id for event in book.events(types="trade_executed", instruments="BTC/USD")]
        assert len(wanted) == events
        check_outside(path.with_suffix(".lines").read_text().split(), wanted)
        check_inside([event.data["of"] for event in book.events(types="effect.made")], wanted)
        assert [held.quantity for held in book.positions(instrument="SHADOW/USD")] == [events]
        assert [(row.state, row.dead_letters, row.errors) for row in book.subscribers()] == [("stopped", 0, 0)] * 2
        report = book.verify()
        assert report.ok, report.problems


def test_15_kills(tmp_path: Path, seed: int) -> None:
    check(tmp_path / "book.db", killed(tmp_path / "book.db", 15, seed))


@pytest.mark.torture
@pytest.mark.parametrize("book", range(1000 // KILLS_PER_BOOK))
def test_1000_kills(tmp_path: Path, seed: int, book: int) -> None:
    path = tmp_path / "book.db"
    check(path, killed(path, KILLS_PER_BOOK, seed + 10_000 * book))


@pytest.mark.parametrize(
    ("found", "says"),
    [("a c", "came before"), ("a b", "is missing"), ("b c", "came before"), ("", "is missing")],
)
def test_the_check_finds_what_is_lost_or_out_of_order(found: str, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_outside(found.split(), ["a", "b", "c"])


def test_the_check_finds_what_is_doubled() -> None:
    with pytest.raises(AssertionError):
        check_inside(["a", "b", "b"], ["a", "b"])
