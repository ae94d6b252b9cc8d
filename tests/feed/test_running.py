"""A configuration at work: routes to files and services, alerts to people, over restarts and from the command line."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.feed import chats, hooks
from tests.feed.waiting import fill, record, until

import onebook

CONFIG = """
routes:
  audit:
    to: csv
    path: audit.csv
    start: beginning
    types: trade_*
  large:
    to: jsonl
    path: large.jsonl
    start: beginning
    types: trade_executed
    min_amount: 150
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("ONEBOOK_URL", "ONEBOOK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "onebook.yaml").write_text(CONFIG)
    return tmp_path


def rows(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [row["event_id"] for row in csv.DictReader(file)]


def served(book: onebook.Book) -> bool:
    return all(item.lag == 0 for item in book.subscribers())


def test_routes_run_beside_the_book_and_go_on_after_a_restart(folder: Path) -> None:
    for first in (1, 11):
        with onebook.open("a.db", config="onebook.yaml") as book:
            record(book, first, 10)
            book.record(fill(100 + first, quantity="2"))
            until(lambda: served(book))
    trades = [event.id for event in onebook.open("a.db", read_only=True).events(types="trade_*")]
    assert rows(folder / "audit.csv") == trades
    assert len(trades) == 22
    large = [json.loads(line) for line in (folder / "large.jsonl").read_text().splitlines()]
    assert [item["data"]["quantity"] for item in large] == ["2", "2"]


def test_stopping_right_after_a_burst_loses_nothing_and_repeats_nothing(folder: Path) -> None:
    for first in range(0, 500, 100):
        with onebook.open("a.db", config="onebook.yaml") as book:
            book.record_many(fill(first + number) for number in range(100))
    with onebook.open("a.db", config="onebook.yaml") as book:
        until(lambda: served(book))
    assert rows(folder / "audit.csv") == [f"{sequence}.1" for sequence in range(1, 501)]


def test_a_mistake_in_the_configuration_is_told_before_anything_runs(folder: Path) -> None:
    (folder / "onebook.yaml").write_text(CONFIG + "  wrong:\n    to: cvs\n")
    with pytest.raises(onebook.BadConfig, match=r"onebook.yaml:15: routes.wrong.to: .*did you mean csv"):
        onebook.open("a.db", config="onebook.yaml")
    assert not (folder / "audit.csv").exists()


def test_nothing_runs_beside_a_read_only_book(folder: Path) -> None:
    with onebook.open("a.db") as book:
        book.record(fill())
    with onebook.open("a.db", read_only=True, config="onebook.yaml") as book:
        assert book.feed.subscribers == ()
    assert not (folder / "audit.csv").exists()


def test_the_command_serves_routes_until_it_is_told_to_end(folder: Path) -> None:
    with onebook.open("a.db") as book:
        record(book, 1, 5)
        command = [sys.executable, "-m", "onebook", "--db", "a.db", "routes", "run"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
            try:
                until(lambda: (folder / "audit.csv").exists() and len(rows(folder / "audit.csv")) == 5)
                record(book, 6, 5)
                until(lambda: len(rows(folder / "audit.csv")) == 10)
            finally:
                os.kill(running.pid, signal.SIGTERM)
            said = running.communicate(timeout=20)[1]
    assert running.returncode == 0
    assert "serving route.audit, route.large, watchman of a.db" in said
    assert "ended; checkpoints are kept" in said


def test_alerts_go_to_every_target_and_nothing_else_does(folder: Path, chat: chats.Receiver) -> None:
    other = chats.Receiver()
    try:
        other.down = True
        config = {"notify": {"targets": [chat.url, other.url], "digest_above": 50}}
        with onebook.open("a.db", config=config) as book:
            book.record(fill())
            book.record(fill(price="2"))  # a conflict
            until(lambda: chat.messages, seconds=20)
            book.record(onebook.Order(instrument="BTC/USD", side="buy", quantity="1", client_order_id="o"))
            book.record(onebook.OrderUpdate(client_order_id="o", status="rejected", reason="margin"))
            until(lambda: len(chat.messages) == 2, seconds=20)
            assert other.messages == []
            other.down = False
            until(lambda: other.messages, seconds=30)
        assert "BTC/USD" in chat.texts[0]
        assert "margin" in chat.texts[1]
    finally:
        other.close()


def test_a_webhook_hears_of_each_fill_once_with_its_key(folder: Path, hook: hooks.Receiver) -> None:
    config = {
        "routes": {
            "portfolio": {
                "to": "webhook",
                "url": f"http://127.0.0.1:{hook.port}/fills",
                "secret": hooks.SECRET,
                "allow_private": True,
                "types": ["trade_executed"],
                "start": "beginning",
            }
        }
    }
    with onebook.open("a.db") as book:
        record(book, 1, 3)
    for _ in range(2):
        with onebook.open("a.db", config=config) as book:
            until(lambda: served(book))
    keys = [post["Idempotency-Key"] for post in hook.posts]
    name = keys[0].partition(":")[0]
    assert keys == [f"{name}:0:{sequence}.1" for sequence in (1, 2, 3)]


def test_a_health_check_is_pinged(folder: Path, hook: hooks.Receiver) -> None:
    config = {
        "notify": {"healthcheck_url": f"http://127.0.0.1:{hook.port}/ping"},
        "alerts": {"disk_free_bytes": 0, "disk_free_ratio": 0},
    }
    with onebook.open("a.db", config=config) as book:
        record(book, 1, 1)
        until(lambda: hook.posts)
    assert hook.posts[0]["path"] == "/ping"


def test_templates_of_the_configuration_are_what_is_said(folder: Path, chat: chats.Receiver) -> None:
    (folder / "onebook.yaml").write_text(
        f"notify:\n  targets: ['{chat.url}']\n  minimum: info\n"
        '  templates:\n    trade_executed: "{side} {quantity} {instrument} at {price}"\n'
    )
    with onebook.open("a.db", config="onebook.yaml") as book:
        book.record(fill())
        until(lambda: chat.messages, seconds=20)
    assert "buy 1 BTC/USD at 100" in chat.texts[0]


@pytest.mark.parametrize("name", ["watchman", "snapshots", "route.audit", "notify.1"])
def test_names_of_what_the_configuration_runs_are_kept(folder: Path, name: str) -> None:
    with onebook.open("a.db") as book, pytest.raises(onebook.InputError, match="is kept for"):
        book.subscribe(name, print)
