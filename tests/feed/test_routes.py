"""Routes: what the configuration says goes where, what it may not say, and what an event would do."""

import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from onebook.config import KEYS, Key, config_for, load
from onebook.config.values import count, text
from onebook.errors import BadConfig, InputError
from onebook.feed.routes import COMMON, Route, described, doubts, matches, routes_of
from onebook.feed.sinks import SINKS, options_of
from onebook.feed.trying_routes import event_of, events_in, explain_routes

FILL = {
    "type": "trade_executed",
    "account": "main",
    "instrument": "BTC/USDT",
    "strategy": "trend",
    "data": {"side": "buy", "quantity": "0.5", "price": "60000"},
}


@pytest.fixture(autouse=True)
def fake_sink(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sink of the tests' own, so that they do not hang on what a real one takes."""
    module: Any = ModuleType("onebook.feed.sinks.fake")
    module.OPTIONS = {
        "path": Key(take=text, default=None, help="the file", needed=True),
        "keep": Key(take=count(0, 9), default=3, help="how many"),
        "secret": Key(take=count(0, 9), default=None, help="a secret"),
    }
    monkeypatch.setitem(sys.modules, "onebook.feed.sinks.fake", module)
    monkeypatch.setitem(SINKS, "fake", "fake")


def read(tmp_path: Path, written: str, **environ: str) -> tuple[Route, ...]:
    (tmp_path / "c.yaml").write_text(written, encoding="utf-8")
    return routes_of(load(str(tmp_path / "c.yaml"), environ))


def one(**options: Any) -> Route:
    given = {"to": "fake", "path": "a"} | options
    (route,) = routes_of(config_for({"routes": {"r": given}}, {}))
    return route


# ---- what a route is ----


def test_a_route_says_where_what_and_how(tmp_path: Path) -> None:
    (route,) = read(
        tmp_path,
        """\
routes:
  audit:
    to: fake
    path: a.csv
    types: [trade_*, day_ended]
    accounts: main, cold
    instruments: [BTC/USDT]
    strategies: ""
    min_quantity: 0.1
    min_amount: 1_000.50
    start: beginning
    on_failure: halt
    attempts: 3
""",
    )
    assert (route.name, route.to, route.subscriber) == ("audit", "fake", "route.audit")
    assert route.options == {"path": "a.csv", "keep": 3, "secret": None}
    assert route.filter.types == ("trade_*", "day_ended")
    assert route.filter.accounts == {"main", "cold"}
    assert route.filter.instruments == {"BTC/USDT"}
    assert route.filter.strategies == {""}
    assert (route.filter.min_quantity, route.filter.min_amount) == (Decimal("0.1"), Decimal("1000.50"))
    assert (route.start, route.on_failure, route.attempts) == ("beginning", "halt", 3)
    assert route.where == f"{tmp_path / 'c.yaml'}:2"
    said = "types trade_*, day_ended; accounts cold, main; instruments BTC/USDT; strategies (unnamed)"
    assert sorted(described(route).split("; ")) == sorted(
        f"{said.replace('trade_*, day_ended', 'day_ended, trade_*')}; min_quantity 0.1; min_amount 1000.5".split("; ")
    )


def test_what_is_left_out_is_the_default() -> None:
    route = one()
    assert (route.start, route.on_failure, route.attempts) == ("now", "dead_letter", None)
    assert route.filter.passes_all
    assert route.policy.attempts is None
    assert described(route) == ""


def test_no_sink_takes_an_option_that_routes_have() -> None:
    for name in SINKS:
        assert not set(options_of(name)) & set(COMMON), name


@pytest.mark.parametrize(
    ("given", "start"),
    [("now", "now"), ("Beginning", "beginning"), (0, 0), (57, 57), ("57", 57), ("57.10", "57.10")],
)
def test_starts(given: Any, start: Any) -> None:
    assert one(start=given).start == start


def test_an_event_id_keeps_its_digits(tmp_path: Path) -> None:
    assert read(tmp_path, "routes: {r: {to: fake, path: a, start: 57.10}}\n")[0].start == "57.10"


def test_forever_is_no_end() -> None:
    assert one(attempts="forever").attempts is None


def test_options_from_the_environment(tmp_path: Path) -> None:
    written = "routes:\n  a-b:\n    to: fake\n    path: x\n    keep: 1\n"
    variables = {"ONEBOOK_ROUTES__A_B__KEEP": "7", "ONEBOOK_ROUTES__A_B__TYPES": "trade_*, day_ended"}
    (route,) = read(tmp_path, written, **variables)
    assert route.options["keep"] == 7
    assert route.filter.types == ("trade_*", "day_ended")
    with pytest.raises(BadConfig, match=r"environment ONEBOOK_ROUTES__A_B__KEEP: routes\.a-b\.keep: '70'"):
        read(tmp_path, written, ONEBOOK_ROUTES__A_B__KEEP="70")


def test_options_are_not_in_the_text_of_a_route() -> None:
    assert "7" not in repr(one(secret=7))


# ---- what is refused ----


@pytest.mark.parametrize(
    ("options", "line", "said"),
    [
        ("to: fake\n    path: a\n    keeep: 1", 5, "routes.r.keeep: unknown; did you mean keep?"),
        ("to: fake\n    path: a\n    min_ammount: 1", 5, "routes.r.min_ammount: unknown; did you mean min_amount?"),
        ("to: fake\n    path: a\n    keep: 10", 5, "routes.r.keep: 10 is not a whole number between 0 and 9"),
        ("to: fake\n    keep: 1", 2, "routes.r: path is missing: the file"),
        ("path: a", 2, "routes.r: does not say where to"),
        ("to:\n    path: a", 2, "routes.r: does not say where to"),
        ("to: fakee", 3, "routes.r.to: there is no sink 'fakee'; did you mean fake?"),
        ("to: zzz", 3, "routes.r.to: there is no sink 'zzz'; there are csv,"),
        ("to: [fake]", 3, "routes.r.to: ['fake'] is not text"),
        ("to: fake\n    path: a\n    types: []", 5, "routes.r.types: names 0"),
        ("to: fake\n    path: a\n    types: ''", 5, "routes.r.types: names 0"),
        ("to: fake\n    path: a\n    types: {a: b}", 5, "is neither a list of names nor text with commas"),
        (
            "to: fake\n    path: a\n    strategies: [on]",
            5,
            "routes.r.strategies: True is not a name; write it in quotes",
        ),
        ("to: fake\n    path: a\n    min_amount: -0.5", 5, "routes.r.min_amount: '-0.5' is below 0"),
        ("to: fake\n    path: a\n    min_amount: much", 5, "min_amount: 'much' is not a number"),
        ("to: fake\n    path: a\n    min_quantity: .inf", 5, "min_quantity: '.inf' is not a number"),
        ("to: fake\n    path: a\n    start: soon", 5, "routes.r.start: 'soon' is neither now, beginning"),
        ("to: fake\n    path: a\n    start: -1", 5, "routes.r.start: -1 is no sequence"),
        ("to: fake\n    path: a\n    start: true", 5, "routes.r.start: True is neither now"),
        ("to: fake\n    path: a\n    on_failure: stop", 5, "routes.r.on_failure: 'stop' is none of dead_letter, halt"),
        ("to: fake\n    path: a\n    attempts: 0", 5, "routes.r.attempts: 0 is not a whole number"),
    ],
)
def test_a_mistake_names_its_line(tmp_path: Path, options: str, line: int, said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        read(tmp_path, f"routes:\n  r:\n    {options}\n")
    assert str(caught.value).startswith(f"{tmp_path / 'c.yaml'}:{line}: ")
    assert said in str(caught.value)


def test_a_float_from_python_is_refused() -> None:
    with pytest.raises(BadConfig, match="a float has lost its exact value"):
        one(min_amount=0.1)


@pytest.mark.parametrize("to", ["fake", "csv"])
def test_messages_show_no_password(to: str) -> None:
    for given in ("https://me:HIDDEN@h/", "https://me:HIDDEN" + "x" * 90 + "@h/"):
        with pytest.raises(BadConfig) as caught:
            one(to=to, keep=given)
        assert "HIDDEN" not in str(caught.value)


def test_messages_of_a_careless_sink_show_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(key: str, value: Any) -> Any:
        msg = f"{key}: {value} is wrong"
        raise BadConfig(msg)

    monkeypatch.setitem(options_of("fake"), "keep", Key(take=careless, default=None, help=""))
    with pytest.raises(BadConfig, match="is wrong") as caught:
        one(keep="https://me:HIDDEN@h/")
    assert "HIDDEN" not in str(caught.value)


def test_two_routes_do_not_share_a_file(tmp_path: Path) -> None:
    written = "routes:\n  a: {to: csv, path: x.csv}\n  b: {to: jsonl, path: ./x.csv}\n"
    with pytest.raises(BadConfig, match=r"c.yaml:3: routes\.b: writes to .*x\.csv, as a does .*c.yaml:2"):
        read(tmp_path, written)


# ---- made from other sections ----


def test_each_target_is_a_route_of_its_own(tmp_path: Path) -> None:
    first, second = read(
        tmp_path,
        """\
notify:
  targets: [json://127.0.0.1:9000/, tgram://TOKEN/1]
  quiet_hours: 22:00-07:00
  digest_above: 9
""",
    )
    assert (first.name, first.subscriber, second.subscriber) == ("notify.1", "notify.1", "notify.2")
    assert (first.to, first.alerts_only, first.attempts) == ("notify", True, None)
    assert (first.options["target"], second.options["target"]) == ("json://127.0.0.1:9000/", "tgram://TOKEN/1")
    assert first.options["digest_above"] == 9
    assert first.options["quiet_hours"] is not None
    assert set(first.options) == set(options_of("notify"))


def test_a_lower_minimum_lets_more_than_alerts_through(tmp_path: Path) -> None:
    written = "notify: {targets: [json://h/], minimum: MINIMUM}\n"
    trade = event_of(FILL)
    (all_of_it,) = read(tmp_path, written.replace("MINIMUM", "info"))
    (alerts,) = read(tmp_path, written.replace("MINIMUM", "critical"))
    assert matches(all_of_it, trade)
    assert not matches(alerts, trade)
    assert matches(alerts, event_of({"type": "bot_silent"}))


def test_wrong_quiet_hours_name_their_line(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"c\.yaml:2: notify\.quiet_hours: 'late'"):
        read(tmp_path, "notify:\n  quiet_hours: late\n  targets: [json://h/]\n")


def test_defaults_of_the_section_are_those_of_the_sink() -> None:
    for name, key in options_of("notify").items():
        if f"notify.{name}" in KEYS:
            default = KEYS[f"notify.{name}"].default
            assert key.default == (default if default is None else key.take(name, default)), name


def test_the_event_log_of_document_e_is_a_route(tmp_path: Path) -> None:
    written = "event_bus:\n  persist_events: true\n  event_log_file: logs/events.log\n"
    (route,) = read(tmp_path, written)
    assert (route.name, route.to, route.subscriber, route.start) == ("event_log", "jsonl", "event_log", "beginning")
    assert str(route.options["path"]).endswith("logs/events.log")
    assert matches(route, event_of(FILL))
    assert read(tmp_path, written + "  enabled: false\n") == ()
    with pytest.raises(BadConfig, match=r"c\.yaml:5: routes\.event_log: event_bus\.persist_events"):
        read(tmp_path, written + "routes:\n  event_log: {to: fake, path: a}\n")


def test_nothing_configured_is_no_route() -> None:
    assert routes_of(config_for(None)) == ()


# ---- which events go where ----


@pytest.mark.parametrize(
    ("options", "why_not"),
    [
        ({}, ""),
        ({"types": "trade_*"}, ""),
        ({"types": "position_*, day_ended"}, "type trade_executed is none of position_*, day_ended"),
        ({"accounts": "cold"}, "account main is none of cold"),
        ({"instruments": "BTC/USDT"}, ""),
        ({"strategies": ""}, "strategy trend is none of (unnamed)"),
        ({"min_quantity": "0.5"}, ""),
        ({"min_quantity": "0.6"}, "quantity is below min_quantity"),
        ({"min_amount": "30000"}, ""),
        ({"min_amount": "30000.01"}, "quantity × price is below min_amount"),
        ({"accounts": "a", "instruments": "b"}, "account main is none of a; instrument BTC/USDT is none of b"),
    ],
)
def test_why_an_event_does_not_go(options: dict[str, Any], why_not: str) -> None:
    route = one(**options)
    (verdict,) = explain_routes([route], FILL)
    assert verdict.why_not == why_not
    assert verdict.goes == (not why_not) == matches(route, event_of(FILL))
    assert (verdict.event, verdict.route, verdict.to) == ("1.1 trade_executed", "r", "fake")


def test_what_the_sink_itself_would_leave_out_is_said(tmp_path: Path) -> None:
    (route,) = read(tmp_path, "routes:\n  chat: {to: notify, target: json://h/, minimum: critical}\n")
    (verdict,) = explain_routes([route], {"type": "stop_triggered"})
    assert verdict.why_not == "importance warning is below minimum critical"
    assert explain_routes([route], {"type": "bot_silent"})[0].goes
    assert explain_routes([route], {"type": "day_ended"})[0].goes


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "is not an object"),
        ("x", "is not an object"),
        ({}, "type is missing"),
        ({"type": 3}, "type: 3 is not text"),
        ({"typ": "a"}, "has no field 'typ'; did you mean type?"),
        ({"type": "a", "data": []}, ""),
        ({"type": "a", "data": [1]}, "data: \\[1\\] is not an object"),
        ({"type": "a", "id": "x"}, "'x' is neither a sequence nor an event id"),
        ({"type": "a", "occurred_at": "yesterday"}, "occurred_at: 'yesterday' is not a time"),
        ({"type": "a", "occurred_at": "2026-01-01T00:00:00"}, "has no zone"),
        ({"type": "a", "account": 5}, "account: 5 is not text"),
        ({"type": "trade_executed"}, "data.quantity is missing"),
        ({"type": "trade_executed", "data": {"quantity": "1"}}, "data.price is missing"),
        ({"type": "trade_executed", "data": {"quantity": "x", "price": "1"}}, "data.quantity: 'x' is not a number"),
    ],
)
def test_an_event_that_is_none(given: Any, said: str) -> None:
    route = one(min_amount="1")
    if not said:
        assert explain_routes([route], given)
        return
    with pytest.raises(InputError, match=said):
        explain_routes([route], given)


@pytest.mark.parametrize(
    ("written", "count_of"),
    [('{"type": "a"}', 1), ('[{"type": "a"}, {"type": "b"}]', 2), ('{"type": "a"}\n\n{"type": "b"}\n', 2), ("[]", 0)],
)
def test_events_in_a_text(written: str, count_of: int) -> None:
    assert len(events_in(written)) == count_of


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ('{"type": "a"}\n{', "line 2 is not JSON"),
        ("[" * 100_000, "JSON|nested"),
    ],
)
def test_no_events_in_a_text(written: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        events_in(written)


def test_a_type_that_is_nearly_one_is_doubted() -> None:
    assert doubts(one(types="trade_exceuted")) == (
        "the book has no events trade_exceuted; did you mean trade_executed?",
    )
    assert doubts(one(types="trade_*, rebalanced, trade_executed")) == ()
