"""A bot that must be flat at every close, killed around its entries and its end of day: flat, and the same book.

The sessions, one of them with an early close, end with stops of brackets that rest, a stop that the book watches, and
signals that nobody executed.
"""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.tortures.comparing import comparable
from tests.tortures.flat_bot import closes_ns, write_bot
from tests.tortures.flat_child import RANDOM

import onebook
from onebook.domain import times

ROOT = Path(__file__).resolve().parents[2]
KILLED = -9
MOMENTS = ("seen", "entry", "send", "sent", "filled", "closing", "midway", "closed", RANDOM)
AT_THE_CLOSE = ("closing", "midway", "closed")
KILLS_PER_BOOK = 4
MOST_MILLISECONDS = 2500
ROUNDS = 3


@pytest.fixture
def seed() -> int:
    """A seed that a failing run shows; set KILL_SEED to choose its moments again."""
    return int(os.environ.get("KILL_SEED", random.randrange(10**6)))


@dataclass(frozen=True)
class Whole:
    """What the book of a bot that nobody killed says, and how many moments of each kind its life had."""

    bot: Path
    place: str
    models: dict[str, Any]
    tally: dict[str, int]
    moments: dict[str, int]

    def number(self, moment: str, rng: random.Random) -> int:
        """Choose one of the moments of a kind, or after how many milliseconds."""
        return rng.randint(1, MOST_MILLISECONDS if moment == RANDOM else self.moments[moment])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    bot, place = write_bot(folder), str(folder / "flat.db")
    ended, said = live(bot, place)
    assert ended == 0
    return Whole(bot, place, comparable(place), tally(place), json.loads(said))


def live(bot: Path, place: str, moment: str = "none", number: int = 0) -> tuple[int, str]:
    """Let a bot run until it dies or is done; return how it ended, and what it said."""
    command = [sys.executable, "-m", "tests.tortures.flat_child", str(bot), place, moment, str(number)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    found = subprocess.run(command, check=False, timeout=120, env=environment, stdout=subprocess.PIPE, text=True)
    assert found.returncode in {0, KILLED}
    return found.returncode, found.stdout


def tally(place: str) -> dict[str, int]:
    """How many events of each kind a book has, but for the lives of its runner."""
    with onebook.open(place, read_only=True) as book:
        found = Counter(event.type for event in book.events())
    return {name: count for name, count in found.items() if not name.startswith("runner_")}


def check(place: str, whole: Whole, how: str) -> None:
    """Compare the book that came through kills with the one that nobody killed, and look at it by itself."""
    found = comparable(place)
    assert found.keys() == whole.models.keys()
    for name, rows in whole.models.items():
        assert found[name] == rows, f"{name} differ after {how}"
    assert tally(place) == whole.tally, f"something was written twice, or not at all, after {how}"
    check_flat(place)


def check_flat(place: str) -> None:
    """Nothing is held over a close, nothing works after the last, and each close was done once and in time."""
    with onebook.open(place, read_only=True) as book:
        for close in closes_ns():
            assert book.as_of(moment=times.to_datetime(close)).positions() == []
        assert book.orders(is_open=True) == []
        done = [(event.data["day"], event.data["early_close"], event.data["late"], event.data["kept"])
                for event in book.events(types="end_of_day_done")]  # fmt: skip
        assert done == [("2023-11-22", False, False, []), ("2023-11-24", True, False, []),
                        ("2023-11-27", False, False, [])]  # fmt: skip
        assert list(book.events(types="alert_raised")) == []


def killed(place: str, whole: Whole, kills: list[tuple[str, int]]) -> int:
    """Let a bot be killed at these moments, one in each life, and end well; return how often it died."""
    died = sum(live(whole.bot, place, moment, number)[0] == KILLED for moment, number in kills)
    assert live(whole.bot, place)[0] == 0
    check(place, whole, str(kills))
    return died


def test_a_few_kills(tmp_path: Path, seed: int, whole: Whole) -> None:
    rng = random.Random(seed)
    moments = [*rng.sample(("entry", "send", "sent", "filled"), 1), "closing", "midway"]
    # an early moment of each: a life begins where the one before it ended
    kills = [(moment, rng.randint(1, whole.moments[moment] // 4)) for moment in moments]
    assert killed(str(tmp_path / "flat.db"), whole, kills) == len(kills)


def test_orders_are_taken_back_in_the_order_in_which_that_was_wished(tmp_path: Path, whole: Whole) -> None:
    kills = [("sent", 11), ("closing", 2), ("midway", 1)]  # the last between the wishes of a close and their sending
    assert killed(str(tmp_path / "flat.db"), whole, kills) == len(kills)


@pytest.mark.torture
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_kills_of_one_kind(tmp_path: Path, seed: int, whole: Whole, moment: str, round_number: int) -> None:
    rng = random.Random(seed + round_number)
    kills = [(moment, whole.number(moment, rng)) for _ in range(KILLS_PER_BOOK)]
    assert killed(str(tmp_path / "flat.db"), whole, kills) or moment == RANDOM


@pytest.mark.torture
@pytest.mark.parametrize("moment", AT_THE_CLOSE)
def test_a_kill_at_every_step_of_the_end_of_day(tmp_path: Path, whole: Whole, moment: str) -> None:
    for number in range(1, whole.moments[moment] + 1):
        assert killed(str(tmp_path / f"{number}.db"), whole, [(moment, number)]) == 1


@pytest.mark.torture
def test_kills_of_all_kinds_mixed(tmp_path: Path, seed: int, whole: Whole) -> None:
    rng = random.Random(seed)
    for number in range(ROUNDS):
        kills = [(moment, max(1, whole.number(moment, rng) // 3)) for moment in rng.sample(MOMENTS, len(MOMENTS))]
        assert killed(str(tmp_path / f"{number}.db"), whole, kills) > 1


def test_the_uninterrupted_run_has_something_to_lose(whole: Whole) -> None:
    check_flat(whole.place)
    assert set(whole.moments) == {*MOMENTS} - {RANDOM}
    assert all(whole.moments[moment] > 5 for moment in whole.moments)
    reasons = Counter(row["close_reason"] for row in whole.models["round_trips"])
    assert reasons.keys() == {"end_of_day", "stop_loss", "take_profit", "trailing_stop"}
    assert reasons["end_of_day"] > 9
    taken_back = [row["order"] for row in whole.models["orders"] if row["status"] == "canceled"]
    assert {order["kind"] for order in taken_back} == {"stop", "limit", "trailing_stop", "market"}
    assert Counter(row["status"] for row in whole.models["signals"]) == {"EXPIRED": 6}
    assert min(whole.tally["stop_triggered"], whole.tally["stop_removed"]) > 3
