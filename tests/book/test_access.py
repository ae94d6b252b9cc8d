"""Tokens and hooks in the log: who may use the service is a fact like any other."""

from pathlib import Path
from typing import Any

import pytest

import onebook
from onebook import Hook, InputError, Token

DIGEST = "ab" * 32
OTHER = "cd" * 32


def test_a_token_is_defined_again_only_when_it_says_something_else(book: onebook.Book) -> None:
    token = Token(name="maria", role="viewer", digest=DIGEST)
    assert book.record(token).status == "recorded"
    again = book.record(Token(name="maria", role="VIEWER", digest=DIGEST.upper()))
    assert (again.status, again.sequence) == ("exists", 1)
    assert book.record(token.replaced(is_revoked=True)).status == "recorded"
    assert book.facts("token") == [token.replaced(is_revoked=True)]
    assert [event.type for event in book.events()] == ["token_defined"] * 2


def test_a_hook_is_defined_again_only_when_it_says_something_else(book: onebook.Book) -> None:
    hook = Hook(name="tv", kind="tradingview", strategy="trend", digest=DIGEST, mapping={"price": "close", "n": [1]})
    assert book.record(hook).status == "recorded"
    assert book.record(hook).status == "exists"
    assert book.record(hook.replaced(mapping={})).status == "recorded"
    (found,) = book.facts("hook")
    assert (found.mapping, found.account) == ({}, "main")


def test_no_event_shows_how_a_secret_is_told(book: onebook.Book) -> None:
    token, hook = (
        Token(name="m", role="viewer", digest=DIGEST),
        Hook(name="h", kind="custom", strategy="s", digest=OTHER),
    )
    for fact in (token, hook):
        book.record(fact)
        assert DIGEST not in repr(fact)
        assert OTHER not in repr(fact)
    for event in book.events():
        assert "digest" not in event.data
    assert [event.data["name"] for event in book.events()] == ["m", "h"]
    assert [fact.digest for kind in ("token", "hook") for fact in book.facts(kind)] == [DIGEST, OTHER]


def test_as_of_an_earlier_entry_a_token_was_another(book: onebook.Book) -> None:
    token = Token(name="m", role="viewer", digest=DIGEST, expires_at="2030-01-01T00:00:00Z")
    book.record(token)
    book.record(token.replaced(is_revoked=True))
    assert [fact.is_revoked for fact in book.as_of(1).facts("token")] == [False]
    assert book.as_of(1).facts("token") == [token]


def test_they_leave_with_an_export_and_come_back(tmp_path: Path) -> None:
    facts: list[Token | Hook] = [
        Token(name="m", role="bot", strategy="grid", digest=DIGEST, expires_at="2030-01-01T00:00:00Z"),
        Hook(name="h", kind="custom", strategy="s", account="paper", digest=OTHER, mapping={"a": {"b": "c"}}),
    ]
    with onebook.open(str(tmp_path / "a.db")) as book:
        for fact in facts:
            book.record(fact)
        book.rebuild()
        book.export(str(tmp_path / "a.jsonl"))
    with onebook.open(str(tmp_path / "b.db")) as book:
        from onebook.cli import main

        assert main(["--db", str(tmp_path / "b.db"), "import", str(tmp_path / "a.jsonl")]) == 0
        assert [*book.facts("token"), *book.facts("hook")] == facts


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"role": "admin"}, "role"),
        ({"role": "bot"}, "a bot records for one strategy"),
        ({"strategy": "trend"}, "only the role bot"),
        ({"digest": "hunter2"}, "SHA-256"),
        ({"digest": "g" * 64}, "SHA-256"),
        ({"digest": "٣" * 64}, "SHA-256"),
        ({"digest": None}, "SHA-256"),
        ({"name": ""}, "name"),
        ({"expires_at": "2030-01-01"}, "zone"),
    ],
)
def test_a_token_that_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as problem:
        Token(**{"name": "m", "role": "viewer", "digest": DIGEST} | changes)
    assert "hunter2" not in str(problem.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "slack"}, "kind"),
        ({"strategy": ""}, "strategy"),
        ({"digest": "x"}, "SHA-256"),
        ({"name": "a/b"}, "address"),
        ({"name": "é"}, "address"),
        ({"mapping": [1]}, "mapping"),
    ],
)
def test_a_hook_that_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Hook(**{"name": "h", "kind": "custom", "strategy": "s", "digest": DIGEST} | changes)
