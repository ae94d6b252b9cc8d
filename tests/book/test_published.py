"""Users' own events: what they may be called, and that every key of their data is theirs."""

import ast
from pathlib import Path
from typing import Any

import pytest

import onebook
from onebook import InputError
from onebook.domain.commands import Publish
from onebook.domain.event_types import KEPT_TYPES, OWN_TYPES, is_users
from onebook.domain.state_commands import publish_command

TRICKY = {
    "fact": "fill",
    "own_time": True,
    "fills": [1, 1],
    "reason": "",
    "path": "a",
    "type": "x",
    "data": {"fact": 1},
}


def test_an_event_is_in_the_log_as_it_was_published(book: onebook.Book) -> None:
    assert book.publish("desk.limit_raised", TRICKY, account="main", instrument="AAPL", strategy="t") == 1
    assert book.publish("rebalanced") == 2
    first, second = book.events()
    assert (first.id, first.type, first.data) == ("1.1", "desk.limit_raised", TRICKY)
    assert (first.account, first.instrument, first.strategy) == ("main", "AAPL", "t")
    assert (second.type, second.data, second.account) == ("rebalanced", {}, "")
    assert (book.status().entries, book.status().facts) == (2, 0)
    assert book.rebuild().ok


def test_any_name_goes_as_published(book: onebook.Book) -> None:
    command = publish_command("Trade Executed!", TRICKY, as_published=True)
    assert book._door.publish(command) == 1
    [event] = book.events()
    assert (event.type, event.data) == ("published", {"type": "Trade Executed!", "data": TRICKY})


def test_a_users_event_holds_no_fact(book: onebook.Book, tmp_path: Path) -> None:
    book.publish("mine", {"fact": "fill", "side": "buy", "quantity": "1", "price": "1"})
    with pytest.raises(InputError, match="holds no fact"):
        book.bust(1, reason="x")
    assert book.fills() == []
    assert book.export(tmp_path / "all.jsonl") == 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "not a type"), ("Upper", "not a type"), ("9x", "not a type"), ("a..b", "not a type"), ("a.", "not a type"),
        ("a b", "not a type"), ("é", "not a type"), ("x" * 65, "not a type"), (5, "not a type"), ("a\n", "not a type"),
        ("trade_executed", "only the book itself"), ("state_changed", "only the book itself"),
        ("published", "only the book itself"), ("bot_silent", "only the book itself"),
    ],
)  # fmt: skip
def test_names_that_are_refused(book: onebook.Book, name: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        book.publish(name)
    assert book.status().entries == 0


def test_data_that_is_refused(book: onebook.Book) -> None:
    for data, says in (([1], "not a mapping"), ({"a": {1}}, "sorted"), ({"a": "x" * 65_536}, "at most 65536")):
        with pytest.raises(InputError, match=says):
            book.publish("mine", data)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="account"):
        book.publish("mine", account="a\n")
    assert book.publish("a" * 64, {"a": "x" * 65_000}) == 1


def test_what_decides_writes_only_types_that_are_listed() -> None:
    """Every literal type of an event in the source is one of the book's own."""
    source = Path(onebook.__file__).parent / "domain" / "decide"
    found = set()
    for path in source.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "EventDraft":
                first = node.args[0]
                found |= {first.value} if isinstance(first, ast.Constant) else set()
    assert len(found) > 5
    assert found <= OWN_TYPES
    assert not OWN_TYPES & KEPT_TYPES
    assert is_users("mine")
    assert not any(is_users(name) for name in OWN_TYPES | KEPT_TYPES)


def test_the_command_is_plain_data() -> None:
    assert publish_command("a", None) == Publish("a", {})
