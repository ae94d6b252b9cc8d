"""The configuration: where values come from, what is refused and on which line, what is never shown."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import onebook
from onebook.config import KEYS, Config, config_for, load, masked
from onebook.config.keys import OLDER
from onebook.errors import BadConfig

Cli = Callable[..., Any]

DOCUMENT_E = """\
event_bus:
  enabled: true
  persist_events: true
  event_log_file: "logs/events.log"
  max_history: 1000
state_store:
  enabled: true
  snapshot_dir: "data/state"
  snapshot_interval_minutes: 7
  max_snapshots: 50
  restore_on_startup: true
  replay_events_on_restore: true
"""
DOCUMENT_D = """\
trade_manager:
  enabled: true
  single_source_of_truth: true
  migration_complete: true
  migration_date: "2024-01-XX"
  sync_legacy_systems: true
  validate_consistency: true
position_monitor:
  use_trade_manager: true
  sync_with_legacy: true
paper_wallet:
  sync_with_trade_manager: true
  auto_sync_on_trade: true
"""


def read(tmp_path: Path, text: str, name: str = "c.yaml", **environ: str) -> Config:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return load(str(tmp_path / name), environ)


# ---- where values come from ----


def test_config_says_where_values_come_from(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEBOOK_URL")
    (tmp_path / "c.yaml").write_text("book:\n  url: postgresql://me:hidden@h/db\n  busy_seconds: 3\n")
    monkeypatch.setenv("ONEBOOK_BOOK__SYNCHRONOUS", "NORMAL")
    rows = {row["key"]: row for row in cli("config", "--config", "c.yaml", "--json").json}
    assert rows["book.url"] == {
        "key": "book.url",
        "value": "postgresql://me:***@h/db",
        "source": "c.yaml:2",
        "note": "",
    }
    assert rows["book.busy_seconds"]["value"] == 3.0
    assert rows["book.synchronous"]["value"] == "normal"
    assert rows["book.synchronous"]["source"] == "environment ONEBOOK_BOOK__SYNCHRONOUS"
    assert set(rows) == set(KEYS) - set(OLDER)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[book]\nurl = "a.db"\nbusy_seconds = 1\n')
    found = load(None, {"ONEBOOK_CONFIG": str(tmp_path / "c.toml"), "ONEBOOK_URL": "b.db"})
    assert (found.get("book.url"), found.get("book.busy_seconds")) == ("b.db", 1.0)
    with pytest.raises(BadConfig, match=r"environment ONEBOOK_BOOK__URRL: book\.urrl: unknown; did you mean book\.url"):
        load(None, {"ONEBOOK_BOOK__URRL": "x"})


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("ONEBOOK_BOOOK__URL", "environment ONEBOOK_BOOOK__URL: boook: unknown; did you mean book?"),
        ("ONEBOOK_ROUTES__AUDIT", "routes.audit: names no option of a route; write ONEBOOK_ROUTES__NAME__OPTION"),
        ("ONEBOOK_ROUTES____TO", "names no option of a route"),
        ("ONEBOOK_ROUTES__A B__TO", "'a b' is no name of a route"),
        ("ONEBOOK_NOTIFY__TEMPLATES__A__B", "notify.templates.a.b: unknown"),
        ("ONEBOOK_ZZZ__Q", "zzz: unknown; there are book, notify, alerts"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        load(None, {variable: "x"})
    assert said in str(caught.value)


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    found = read(tmp_path, "book:\n  busy_seconds: 3\n", ONEBOOK_BOOK__BUSY_SECONDS="")
    assert found.get("book.busy_seconds") == 3.0


@pytest.mark.parametrize("text", ["# nothing\nbook:\n", "", "book:\n  url:\n", "routes:\nnotify: {}\n", "---\n...\n"])
def test_an_empty_config_is_the_defaults(tmp_path: Path, text: str) -> None:
    assert {item.source for item in read(tmp_path, text).settings} == {"default"}


def test_every_key_can_come_from_the_environment() -> None:
    given = {"book.synchronous": "normal", "notify.minimum": "info", "notify.targets": "json://a/, json://b/"}
    given |= {"notify.healthcheck_url": "https://h/x", "alerts.disk_free_ratio": "0.5"}
    given["trade_manager.migration_complete"] = "true"
    given |= {"market.source": "files", "market.feed": "sip", "market.stream_url": "ws://h"}
    given |= {"market.base_url": "http://h"}
    given |= {"metrics.push": "http://h/w", "tracing.endpoint": "http://h/t", "tracing.ratio": "0.5"}
    for name, key in KEYS.items():
        variable = "ONEBOOK_" + name.upper().replace(".", "__")
        if isinstance(key.default, dict):
            found = load(None, {f"{variable}__TRADE_EXECUTED": "{price}"})
            assert found.get(name) == {"trade_executed": "{price}"}
            continue
        text = given.get(name) or ("false" if isinstance(key.default, bool) else "7")
        found = load(None, {variable: text})
        assert found.setting(name).source == f"environment {variable}"
        assert found.get(name) == key.take(name, text)


def test_routes_come_from_the_environment_too(tmp_path: Path) -> None:
    text = "routes:\n  My-Audit:\n    to: csv\n    path: a.csv\n"
    found = read(
        tmp_path,
        text,
        ONEBOOK_ROUTES__MY_AUDIT__PATH="b.csv",
        ONEBOOK_ROUTES__HOOK__TO="webhook",
        ONEBOOK_ROUTES__CHAT__TEMPLATES__TRADE_EXECUTED="bought",
    )
    routes = {route.name: route for route in found.routes}
    assert set(routes) == {"My-Audit", "hook", "chat"}
    assert routes["My-Audit"].options["path"].value == "b.csv"
    assert routes["My-Audit"].options["path"].where == "environment ONEBOOK_ROUTES__MY_AUDIT__PATH"
    assert routes["My-Audit"].options["to"].where == f"{tmp_path / 'c.yaml'}:3"
    assert routes["chat"].options["templates"].plain == {"trade_executed": "bought"}


# ---- what is refused ----


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("book:\n  bussy_seconds: 3\n", ":2: book.bussy_seconds: unknown; did you mean book.busy_seconds?"),
        ("boook:\n  url: x\n", ":1: boook: unknown; did you mean book?"),
        ("\nbook: [1]\n", ":2: book: expected keys such as book.url below it, found list"),
        ("book: x\n", ":1: book: expected keys such as book.url below it, found str"),
        ("routes: 3\n", ":1: routes: expected a name for each route below it, found int"),
        ("routes:\n  audit: csv\n", ":2: routes.audit: expected options below it"),
        ("routes:\n  a b: {to: csv}\n", ":2: routes: 'a b' is no name of a route"),
        ("book:\n  busy_seconds: soon\n", ":2: book.busy_seconds: 'soon' is not a number of seconds"),
        ("book:\n  busy_seconds: .nan\n", ":2: book.busy_seconds: '.nan' is not a number of seconds"),
        ("book:\n  busy_seconds: true\n", ":2: book.busy_seconds: True is not a number of seconds"),
        ("book:\n  synchronous: maybe\n", "neither full"),
        ("book:\n  url: 3\n", ":2: book.url: 3 is not text"),
        ("book:\n  url: a.db\n\n  url: b.db\n", ":4: url: stands twice, first on line 2"),
        ("book: {}\nbook: {}\n", ":2: book: stands twice, first on line 1"),
        ("routes:\n  a: {to: csv}\n  a: {to: csv}\n", ":3: a: stands twice"),
        ("? [a]\n: b\n", ":1: a key is a word"),
        ("book:\n  url: !!python/object:os.system x\n", ":2: tag:yaml.org,2002:python/object:os.system: such values"),
        ("book:\n  url: *nobody\n", ":2: is not YAML"),
        ("{", "is not YAML"),
        ("book:\n\turl: x\n", ":2: is not YAML"),
        ("a: b\n---\nc: d\n", "is not YAML"),
        ("book: \x00\n", "is not YAML"),
        ("3", ":1: expected sections with keys, found int"),
        ("- 1", ":1: expected sections with keys, found list"),
        ("event_bus:\n  max_history: -1\n", ":2: event_bus.max_history: -1 is not a whole number"),
        ("alerts:\n  disk_free_ratio: 5\n", ":2: alerts.disk_free_ratio: 5 is not a ratio between 0 and 1"),
        ("event_bus:\n  enabled: perhaps\n", ":2: event_bus.enabled: 'perhaps' is neither true nor false"),
    ],
)
def test_a_wrong_config_names_the_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "c.yaml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[book", "is not TOML: "),
        ("[book]\nurl = = 3\n", "is not TOML: .*line 2"),
        ("[book]\nurl = 3\n", r"book\.url: 3 is not text"),
        ("[book]\nurrl = 3\n", r"did you mean book\.url"),
        ("x = " + "[" * 30_000, "c.toml: "),
    ],
)
def test_toml_is_checked_too(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        read(tmp_path, text, "c.toml")


def test_numbers_are_the_digits_that_were_written(tmp_path: Path) -> None:
    lines = (
        "a: 0.1\n    b: 1_000.50\n    c: 010\n    d: 22:30\n    e: 57.10\n    f: 2024-01-15\n    g: 1e400\n    h: 12"
    )
    found = read(tmp_path, f"routes:\n  r:\n    {lines}\n    on: off\n").routes[0]
    values = {name: given.value for name, given in found.options.items()}
    assert values == {
        "a": Decimal("0.1"),
        "b": Decimal("1000.50"),
        "c": "010",
        "d": "22:30",
        "e": Decimal("57.10"),
        "f": "2024-01-15",
        "g": "1e400",
        "h": 12,
        "on": False,
    }
    assert str(values["e"]) == "57.10"
    toml = read(tmp_path, "[routes.r]\na = 0.1\n", "c.toml").routes[0].options["a"]
    assert toml.value == Decimal("0.1")


def test_anchors_and_merges_are_followed(tmp_path: Path) -> None:
    text = "routes:\n  a: &base\n    to: csv\n    path: a.csv\n  b:\n    <<: *base\n    path: b.csv\n"
    first, second = read(tmp_path, text).routes
    assert {name: item.value for name, item in second.options.items()} == {"to": "csv", "path": "b.csv"}
    assert second.options["to"].where.endswith(":3")
    assert first.options["path"].value == "a.csv"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)),
            "comes to more than 20000 values",
        ),
        ("book: &b\n  url: *b\n", "is nested deeper than 20 levels"),
        ("book: " + "[" * 5000 + "]" * 5000, "is nested deeper than 20 levels"),
        ("book:\n  url: " + "x" * 300_000, "is no configuration"),
        ("x: &x {<<: 3}\n", "<<: takes a mapping"),
    ],
)
def test_nothing_grows_without_end(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        read(tmp_path, text)


# ---- the sections of the documents ----


def test_the_block_of_document_e_works(tmp_path: Path) -> None:
    found = read(tmp_path, DOCUMENT_E)
    assert found.warnings == ()
    assert found.get("snapshots.folder") == "data/state"
    assert (found.get("snapshots.every_minutes"), found.get("snapshots.keep")) == (7.0, 50)
    assert "state_store.max_snapshots" in found.setting("snapshots.keep").source


def test_our_own_key_wins_over_the_documents(tmp_path: Path) -> None:
    found = read(tmp_path, DOCUMENT_E + "snapshots:\n  keep: 9\n")
    assert found.get("snapshots.keep") == 9
    assert len(found.warnings) == 1
    assert "state_store.max_snapshots: has no effect: snapshots.keep is set too" in found.warnings[0]


def test_the_block_of_document_d_is_taken_with_warnings(tmp_path: Path) -> None:
    found = read(tmp_path, DOCUMENT_D)
    assert [text.partition(" ")[2].split(":")[0] for text in found.warnings] == [
        "trade_manager.migration_complete",
        "trade_manager.migration_date",
    ]


def test_switching_off_what_cannot_be_is_warned_of(tmp_path: Path) -> None:
    found = read(tmp_path, DOCUMENT_D.replace("true", "false"))
    assert len(found.warnings) == len(OLDER)
    assert "trade_manager.single_source_of_truth: cannot be switched off" in " ".join(found.warnings)


def test_the_command_line_says_a_warning_once(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "onebook.yaml").write_text("trade_manager:\n  migration_complete: true\n")
    shown = cli("config")
    assert shown.err.count("warning: onebook.yaml:2: trade_manager.migration_complete: has no effect") == 1
    assert "has no effect" in shown.out
    assert cli("config", "--json").err == ""


# ---- what is never shown ----

SECRETS = """\
notify:
  targets: ["tgram://SECRET/1", "mailtos://me:SECRET@h?to=x"]
  healthcheck_url: https://hc-ping.com/SECRET
book:
  url: postgresql://me:SECRET@p/w@h/db?password=SECRET
routes:
  hook:
    to: webhook
    url: https://user:SECRET@h:8443/services/SECRET?token=SECRET
    secret: SECRET
    headers: {X-Desk: SECRET}
    secret_env: SHOWN_NAME
  chat: {to: notify, target: tgram://SECRET/1}
"""


def test_secrets_are_masked(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEBOOK_URL")
    (tmp_path / "onebook.yaml").write_text(SECRETS)
    for shown in (cli("config"), cli("config", "--json")):
        assert shown.code == 0
        assert "SECRET" not in shown.out + shown.err
        for part in ("tgram://***", "mailtos://***", "https://hc-ping.com/***", "postgresql://me:***@h/db", "h:8443"):
            assert part in shown.out
        assert "SHOWN_NAME" in shown.out


@pytest.mark.parametrize(
    "text",
    [
        "notify:\n  targets: SECRET\n",
        "notify:\n  targets: [7, SECRET]\n",
        "notify:\n  targets: {a: SECRET}\n",
        "notify:\n  healthcheck_url: SECRET\n",
        "notify:\n  healthcheck_url: ftp://SECRET\n",
        "book:\n  url: [postgresql://me:SECRET@h]\n",
        "notify:\n  minimum: https://me:SECRET@h/\n",
    ],
)
def test_messages_show_no_secret(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadConfig) as caught:
        read(tmp_path, text)
    assert "SECRET" not in str(caught.value)


def test_what_is_no_secret_is_shown() -> None:
    assert masked("routes.a.path", "logs/a.csv") == "logs/a.csv"
    assert masked("routes.a.url", "https://h/") == "https://h/"
    assert masked("notify.minimum", "info") == "info"
    assert masked("routes.a.secret", None) is None
    assert masked("routes.a.password", 1234) == "***"


# ---- from Python ----


def test_open_takes_a_file_a_mapping_or_a_config(tmp_path: Path) -> None:
    env = {"ONEBOOK_BOOK__BUSY_SECONDS": "7", "ONEBOOK_URL": "env.db"}
    (tmp_path / "c.yaml").write_text("book:\n  synchronous: normal\n  busy_seconds: 2\n")
    file = config_for(tmp_path / "c.yaml", env)
    assert (file.get("book.busy_seconds"), file.get("book.synchronous")) == (7.0, "normal")
    assert file.get("book.url") == "env.db"
    sections = config_for({"book": {"busy_seconds": 2}, "routes": {"a": {"to": "csv"}}, "synchronous": "normal"}, env)
    assert (sections.get("book.busy_seconds"), sections.get("book.synchronous")) == (7.0, "normal")
    assert [route.name for route in sections.routes] == ["a"]
    assert config_for(file) is file
    assert config_for(str(tmp_path / "c.yaml"), {}).get("book.busy_seconds") == 2.0


def test_flat_options_and_none_do_not_ask_the_environment() -> None:
    env = {"ONEBOOK_BOOK__BUSY_SECONDS": "7", "ONEBOOK_ROUTES__A__TO": "csv", "ONEBOOK_NONSENSE__X": "1"}
    assert config_for({"busy_seconds": 2}, env).get("book.busy_seconds") == 2.0
    for found in (config_for(None, env), config_for({}, env)):
        assert {item.source for item in found.settings} == {"default"}
        assert found.routes == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"notify": 3}, "config: notify: expected keys such as notify.targets below it"),
        ({"book": "x.db", "busy_seconds": 2}, "config: book."),
        ({"book": {"bussy": 1}}, "config: book.bussy: unknown; did you mean book.busy_seconds?"),
        ({"nottify": {}}, "did you mean 'notify'?"),
        ("", "'' is not a mapping"),
        (b"c.yaml", "is not a mapping"),
        ("no/such.yaml", "no/such.yaml: cannot be read"),
    ],
)
def test_what_open_does_not_take(given: Any, said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        config_for(given, {})
    assert said in str(caught.value)


def test_a_mapping_in_itself_ends() -> None:
    given: dict[str, Any] = {}
    given["routes"] = given
    with pytest.raises(BadConfig, match="nested deeper"):
        config_for(given, {})


def test_a_book_opens_with_sections(tmp_path: Path) -> None:
    config: Any = {"book": {"synchronous": "normal"}}
    with onebook.open(tmp_path / "book.db", config=config) as book:
        assert book.status().entries == 0
