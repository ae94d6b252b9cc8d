"""The commands of the service: tokens, hooks, and what serve refuses to start with."""

import re

import pytest
from tests.cli.conftest import Cli

import onebook
from onebook.http.secrets import digest_of, is_secret


def test_a_token_is_printed_once_and_kept_as_its_digest(cli: Cli) -> None:
    made = cli("token", "create", "--role", "bot", "--name", "grid-bot", "--strategy", "grid")
    assert made.code == 0, made.err
    secret = made.out.strip()
    assert re.fullmatch(r"obt_[\w-]{43}", secret)
    assert "shown this once" in made.err
    (row,) = cli("token", "list", "--json").json
    assert row == {"name": "grid-bot", "role": "bot", "strategy": "grid", "state": "active", "expires_at": None}
    assert secret not in cli("token").out
    with onebook.open() as book:
        (token,) = book.facts("token")
        assert is_secret(secret, token.digest)
        assert digest_of(secret) not in str([event.data for event in book.events()])
        assert {event.actor for event in book.events()} == {"cli"}


def test_a_token_as_json_is_the_token_alone(cli: Cli) -> None:
    made = cli("token", "create", "--role", "viewer", "--name", "phone", "--expires", "2999-01-01T00:00Z", "--json")
    assert list(made.json) == ["token"]
    assert made.err == ""


def test_a_token_is_revoked_and_its_name_is_free_again(cli: Cli) -> None:
    words = ("token", "create", "--role", "viewer", "--name", "phone")
    assert cli(*words).code == 0
    again = cli(*words)
    assert again.code == 2
    assert "onebook token revoke phone" in again.err
    assert cli("token", "revoke", "phone").out == "the token phone is revoked\n"
    assert cli("token", "list", "--json").json[0]["state"] == "revoked"
    assert cli(*words).code == 0
    assert [row["state"] for row in cli("token", "list", "--json").json] == ["active"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("token create --role admin --name a", "role"),
        ("token create --role bot --name a", "strategy"),
        ("token create --role viewer --name a --strategy s", "strategy"),
        ("token create --role viewer --name a --expires 2020-01-01T00:00Z", "over already"),
        ("token create --role viewer", "--name"),
        ("hook create a/b --kind custom --strategy s", "name"),
        ("hook create a --kind slack --strategy s", "kind"),
        ("hook create a --kind custom --strategy s --map price", "FIELD=KEY"),
        ("serve --port 70000", "--port"),
        ("serve --port x", "--port"),
        ("serve --tls-cert nothing.pem", "--tls-key"),
        ("serve --tls-cert nothing.pem --tls-key nothing.pem", "nothing.pem"),
        ("serve --host 0.0.0.0 --port 0", "onebook token create"),
        ("serve --phone --phone-role operator --port 0", "TLS only"),
        ("serve --phone --phone-role bot --host 127.0.0.1 --port 0", "--phone-role bot"),
        ("serve --host nowhere.invalid --port 0", "neither an address nor a name"),
        ("serve --host 300.1.1.1 --port 0", "neither an address nor a name"),
        ("serve --port 0 --allow-host a/b", "--allow-host a/b"),
        ("serve --port 0 --allow-host https://book.example", "--allow-host https"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do_and_makes_no_book(cli: Cli, words: str, said: str) -> None:
    ran = cli(*words.split())
    assert ran.code == 2, ran.err
    assert said in ran.err
    if words.startswith("serve"):
        with pytest.raises(onebook.StoreError, match="there is no book"):
            onebook.open(create=False)


def test_nothing_that_is_not_there_is_revoked(cli: Cli) -> None:
    assert cli("token", "create", "--role", "viewer", "--name", "phone").code == 0
    for word in ("token", "hook"):
        ran = cli(word, "revoke", "other")
        assert ran.code == 2
        assert f"onebook {word} list" in ran.err


def test_a_hook_prints_its_address_once(cli: Cli) -> None:
    words = "hook create alerts --kind custom --strategy trend --account paper --map price=close --url https://book.example/"
    made = cli(*words.split(), "--json").json
    assert re.fullmatch(r"https://book\.example/v1/hooks/alerts/obh_[\w-]{43}", made["url"])
    secret = made["url"].rpartition("/")[2]
    (row,) = cli("hook", "list", "--json").json
    assert row == {
        "name": "alerts", "kind": "custom", "strategy": "trend", "account": "paper", "mapping": {"price": "close"},
        "state": "active",
    }  # fmt: skip
    assert secret not in cli("hook").out
    again = cli(*words.split())
    assert "onebook hook revoke alerts" in again.err
    assert cli("hook", "revoke", "alerts").code == 0
    shown = cli("hook", "create", "alerts", "--kind", "tradingview", "--strategy", "trend")
    assert shown.out.startswith("http://127.0.0.1:8321/v1/hooks/alerts/obh_")
    with onebook.open() as book:
        (hook,) = book.facts("hook")
        assert not hook.is_revoked
        assert hook.kind == "tradingview"


def test_a_book_without_tokens_says_so(filled: Cli) -> None:
    assert "no tokens" in filled("token").err
    assert "no hooks" in filled("hook", "list").err
    assert filled("token", "--json").json == []
