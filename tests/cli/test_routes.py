"""``onebook routes``: where events go, and where one would go."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]

FILL = {
    "type": "trade_executed",
    "account": "main",
    "instrument": "BTC/USDT",
    "strategy": "trend",
    "data": {"side": "buy", "quantity": "0.5", "price": "60000"},
}


def test_an_event_of_the_log_is_taken_as_it_is_printed(cli: Cli, tmp_path: Path) -> None:
    words = "--instrument BTC/USDT --side buy --quantity 2 --price 10 --client-fill-id 1"
    assert cli("record", "fill", *words.split()).code == 0
    (tmp_path / "onebook.yaml").write_text("routes:\n  a: {to: csv, path: a, types: trade_*, min_amount: 20}\n")
    printed = cli("tail", "--json").out
    shown = cli("routes", "test", "-", "--json", stdin=printed).json
    assert [(row["event"], row["goes"]) for row in shown][:2] == [
        ("1.1 trade_executed", True),
        ("1.2 position_updated", False),
    ]


def test_routes_on_the_command_line(cli: Cli, tmp_path: Path) -> None:
    assert "no routes" in cli("routes").err
    (tmp_path / "onebook.yaml").write_text(
        "routes:\n  a: {to: csv, path: a, types: trade_exceuted}\nnotify: {targets: [tgram://HIDDEN/1]}\n"
    )
    shown = cli("routes")
    assert "route.a" in shown.out
    assert "did you mean trade_executed?" in shown.out
    assert "HIDDEN" not in shown.out + cli("routes", "--json").out
    assert [row["subscriber"] for row in cli("routes", "--json").json] == ["route.a", "notify.1"]
    (tmp_path / "event.json").write_text(json.dumps(FILL))
    tried = cli("routes", "test", "event.json")
    assert tried.code == 0
    assert "is none of trade_exceuted" in tried.out
    assert cli("routes", "test", "missing.json").code == 2
    assert cli("routes", "tset").code == 2
    (tmp_path / "event.json").write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in cli("routes", "test", "event.json").err
    (tmp_path / "onebook.yaml").write_text("routes:\n  a: {to: csv, path: a, keeep: 1}\n")
    assert cli("routes").err == "error: onebook.yaml:2: routes.a.keeep: unknown; did you mean keep?\n"
