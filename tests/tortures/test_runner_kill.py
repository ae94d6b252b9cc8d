"""A runner killed before the entry, around the send, after the fill, and at random: the same book in the end."""

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.tortures.comparing import comparable
from tests.trading.runner_child import MOMENTS, crew, events
from tests.trading.running import EVEN, Scene

ROOT = Path(__file__).resolve().parents[2]
CHILD = ROOT / "tests" / "trading" / "runner_child.py"
KILLED = -9
CHANCE = 1 / 15
LIVES_PER_KILL = 4


@pytest.fixture
def seed() -> int:
    """A seed that a failing run shows; set KILL_SEED to choose its moments again."""
    return int(os.environ.get("KILL_SEED", random.randrange(10**6)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a book says when nobody is killed."""
    place = str(tmp_path_factory.mktemp("whole") / "book.db")
    assert Scene(place, rules=EVEN).run(crew, events()) == "end of the data"
    return comparable(place)


def live(place: str, seed: int, moment: str, chance: float) -> int:
    """Let a process run until it dies or is done; return how it ended."""
    command = [sys.executable, str(CHILD), place, str(seed), moment, str(chance)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    return subprocess.run(command, check=False, timeout=120, env=environment).returncode


def killed(folder: Path, moment: str, kills: int, seed: int, whole: dict[str, Any]) -> None:
    """Kill so many lives; each book that is gone over to its end is compared."""
    died = lives = books = 0
    while died < kills:
        place = str(folder / f"book{books}.db")
        how = KILLED
        while how == KILLED:
            lives += 1
            chance = CHANCE if died < kills else 0.0
            how = live(place, seed + lives, moment, chance)
            assert how in {0, KILLED}
            died += how == KILLED
            assert lives < LIVES_PER_KILL * (kills + 5), "they end well too often"
        found = comparable(place)
        assert found.keys() == whole.keys()
        for name, rows in whole.items():
            assert found[name] == rows, f"{name} differ; KILL_SEED={seed}"
        books += 1


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_few_kills(tmp_path: Path, seed: int, moment: str, whole: dict[str, Any]) -> None:
    killed(tmp_path, moment, 2, seed, whole)


@pytest.mark.torture
@pytest.mark.parametrize("moment", MOMENTS)
def test_40_kills_each(tmp_path: Path, seed: int, moment: str, whole: dict[str, Any]) -> None:
    killed(tmp_path, moment, 40, seed, whole)


def test_the_uninterrupted_run_has_something_to_lose(whole: dict[str, Any]) -> None:
    assert len(whole["fills"]) > 50
    assert {row["status"] for row in whole["orders"]} >= {"filled", "canceled"}
    reasons = {row["order"]["close_reason"] for row in whole["orders"] if row["status"] == "filled"}
    assert reasons >= {"stop_loss", "take_profit", "trailing_stop", "signal"}
    assert {row["status"] for row in whole["signals"]} >= {"EXPIRED"}
    assert "trailing_stop" in {row["close_reason"] for row in whole["round_trips"] if row["strategy"] == "riding"}
    assert any(row["order"]["parent_id"] for row in whole["orders"])
