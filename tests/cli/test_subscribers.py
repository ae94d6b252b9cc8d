"""``onebook subscribers`` and ``onebook notify``: what a person sees and does from another process."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Cli
from tests.feed import chats
from tests.feed.waiting import fill, until

import onebook


@pytest.fixture
def broken(cli: Cli, tmp_path: Path) -> Cli:
    """A book with one subscriber that has a dead letter, and one that halted."""

    def bad(event: onebook.Event) -> None:
        if event.sequence == 2:
            raise ValueError("too late for me")

    with onebook.open(tmp_path / "book.db") as book:
        for number in range(1, 4):
            book.record(fill(number))
        one = book.subscribe("dead", bad, types="trade_*", start="beginning", attempts=1)
        two = book.subscribe("halted", bad, types="trade_*", start="beginning", attempts=1, on_failure="halt")
        until(lambda: one.lag == 0 and two.state == "halted")
    return cli


def test_the_list_says_how_far_everybody_is(broken: Cli) -> None:
    rows = {row["name"]: row for row in broken("--json", "subscribers").json}
    assert [(row["state"], row["checkpoint"], row["lag"], row["dead_letters"]) for row in rows.values()] == [
        ("stopped", "3", 0, 1),
        ("halted", "1", 2, 0),
    ]
    assert rows["halted"]["last_error"] == "ValueError: too late for me"
    shown = broken("subscribers").out
    assert "halted" in shown
    assert "Dead letters" in shown


def test_dead_letters_are_listed_with_their_reason_and_dropped(broken: Cli) -> None:
    (letter,) = broken("--json", "subscribers", "dead").json
    assert (letter["subscriber"], letter["event_id"], letter["type"], letter["attempts"]) == (
        "dead", "2.1", "trade_executed", 1
    )  # fmt: skip
    assert letter["reason"] == "ValueError: too late for me"
    assert broken("subscribers", "drop", "dead").code == 2
    assert broken("subscribers", "drop", "dead", "9.1").code == 2
    assert broken("subscribers", "drop", "dead", "2.1").code == 0
    assert broken("--json", "subscribers", "dead", "dead").json == []


def test_retry_and_skip_and_reset_take_effect_at_the_next_start(broken: Cli, tmp_path: Path) -> None:
    assert broken("--json", "subscribers", "retry", "dead").json == {"name": "dead", "retried": 1}
    assert broken("subscribers", "skip", "halted").code == 0
    heard: dict[str, list[str]] = {"dead": [], "halted": []}
    with onebook.open(tmp_path / "book.db") as book:
        made = [
            book.subscribe(name, lambda event, name=name: heard[name].append(event.id), types="trade_*")
            for name in heard
        ]
        until(lambda: heard["dead"] and made[1].lag == 0)
    assert heard == {"dead": ["2.1"], "halted": ["3.1"]}
    assert broken("subscribers", "reset", "dead", "--to", "2").code == 0
    rows = {row["name"]: row["checkpoint"] for row in broken("--json", "subscribers").json}
    assert rows == {"dead": "2", "halted": "5"}
    with onebook.open(tmp_path / "book.db", read_only=True) as book:
        deeds = [(event.data["subscriber"], event.data["deed"]) for event in book.events(types="subscriber_changed")]
    assert deeds == [("dead", "retry"), ("halted", "skip"), ("dead", "reset")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["skip", "nobody"], "'nobody' is no subscriber of this book; there are dead, halted"),
        (["skip", "dead"], "does not stand still"),
        (["retry", "dead", "7"], "no event id"),
        (["retry", "dead", "7.1"], "7.1 is no dead letter of dead"),
        (["reset", "dead", "--to", "99"], "the log ends at 3"),
        (["reset", "dead", "--to", "soon"], "neither now, beginning, a sequence nor an event id"),
    ],
)
def test_what_cannot_be_is_refused_in_words(words: list[str], said: str, broken: Cli) -> None:
    ran = broken("subscribers", *words)
    assert ran.code == 2
    assert said in ran.err


def test_a_subscriber_is_forgotten(broken: Cli) -> None:
    assert broken("subscribers", "remove", "dead").code == 0
    assert [row["name"] for row in broken("--json", "subscribers").json] == ["halted"]
    assert broken("--json", "subscribers", "dead").json == []


def test_notify_test_says_what_arrived(cli: Cli, tmp_path: Path) -> None:
    up, down = chats.Receiver(), chats.Receiver()
    try:
        down.down = True
        (tmp_path / "onebook.yaml").write_text(f"notify:\n  targets: [{up.url!r}, {down.url!r}]\n")
        assert cli("notify").out.count("json://***") == 2
        ran = cli("--json", "notify", "test")
        assert ran.code == 4
        assert len(up.messages) == 1
        assert [row["arrived"] for row in json.loads(ran.out)] == [True, False]
        assert "desk-secret-token" not in ran.out + ran.err
    finally:
        up.close()
        down.close()


def test_notify_without_targets_says_what_to_write(cli: Cli) -> None:
    ran = cli("notify", "test")
    assert ran.code == 2
    assert "notify: targets:" in ran.err
