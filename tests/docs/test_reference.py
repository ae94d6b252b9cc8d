"""The reference pages say what the code has, no more and no less."""

import ast
import inspect
import os
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.docs.pages import REFERENCE, ROOT, code_words, rows, section

import onebook
from onebook import errors, testing
from onebook.book.frames import QUERIES
from onebook.cli.words import COMMANDS, root
from onebook.config import KEYS
from onebook.domain import facts, reports
from onebook.domain.event_types import KEPT_TYPES, OWN_TYPES
from onebook.domain.holdings import FLAGS
from onebook.domain.lots import ClosedLot, Lot
from onebook.domain.numbers import plain
from onebook.domain.state_commands import publish_command
from onebook.feed.aio import AsyncBook
from onebook.feed.routes import COMMON
from onebook.feed.sinks import SINKS, options_of
from onebook.feed.watching import WatchedState
from onebook.trading.answers import Approved, Refused
from onebook.trading.desk import TradingDesk
from onebook.trading.protections import Protection
from onebook.trading.recovering import Recovered
from onebook.trading.results import Standing

SOURCE = ROOT / "src" / "onebook"
PYTHON = REFERENCE / "python.md"
RUNNER = ("runner_started", "runner_stopped")
FACTS = REFERENCE / "facts.md"


def listed(text: str) -> list[str]:
    """The first cell of each row, without backticks and marks of depth."""
    return [row[0].strip("· `") for row in rows(text)]


def page(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text(encoding="utf-8")


# ---- Python ----


def test_every_public_name_is_described() -> None:
    known = code_words(page("python")) | code_words(page("errors"))
    calls = {name.removeprefix("onebook.") for name in known}
    assert set(onebook.__all__) <= calls | {"Book"}, set(onebook.__all__) - calls


def public(kind: type) -> list[str]:
    return [name for name in dir(kind) if not name.startswith("_")]


def described_calls() -> dict[str, str]:
    """Each call of the page: its name, and the text of its parameters."""
    found = {}
    for row in rows(page("python")):
        match = re.fullmatch(r"`(?:await )?(book|onebook)\.([\w.]+)\((.*)\)`", row[0])
        if match is not None:
            found[f"{match.group(1)}.{match.group(2)}"] = match.group(3)
    return found


def test_every_method_is_described() -> None:
    names = {name.split(".")[1] for name in described_calls() if name.startswith("book.")}
    names |= set(re.findall(r"`book\.(\w+)`", "\n".join(row[0] for row in rows(page("python")))))
    assert names == set(public(onebook.Book))
    assert "book.actor" in code_words(page("python"))


def test_every_call_of_the_state_is_described() -> None:
    described = {name.removeprefix("book.state.") for name in described_calls() if name.startswith("book.state.")}
    called = {name for name in public(WatchedState) if callable(getattr(WatchedState, name))}
    assert described == called
    assert {"book.state.schema_version", *(item.name for item in fields(reports.StatePath))} <= code_words(
        page("python")
    )


@pytest.mark.parametrize("name", sorted(described_calls()))
def test_parameters_are_described(name: str) -> None:
    owner, _, member = name.partition(".")
    if member.startswith("aio."):
        given = re.findall(r"(?:^|, )\**(\w+)", described_calls()[name])
        call = getattr(AsyncBook, member.partition(".")[2])
        assert ["self", *given] == list(inspect.signature(call).parameters)
        return
    if member == "subscribers":
        assert described_calls()[name] == ""
        return
    if member.startswith("state."):
        call = getattr(WatchedState, member.partition(".")[2])
        shown = re.findall(r"(?:^|, )\**(\w+)", described_calls()[name])
        assert shown == [item for item in inspect.signature(call).parameters if item != "self"]
        return
    if member.startswith("trading."):
        call = getattr(TradingDesk, member.partition(".")[2])
        shown = re.findall(r"(?:^|, )\**(\w+)", described_calls()[name])
        assert shown == [item for item in inspect.signature(call).parameters if item not in {"self", "along"}]
        return
    parameters = list(inspect.signature(getattr(onebook if owner == "onebook" else onebook.Book, member)).parameters)
    shown = re.findall(r"(?:^|, )\**(\w+)", described_calls()[name])
    assert shown == [item for item in parameters if item != "self"]


@pytest.mark.parametrize(
    "record", [reports.Position, reports.RoundTrip, reports.Lots, reports.Equity, reports.BatchReport, reports.Event,
               reports.Status, reports.Verification, reports.Backup, reports.Snapshot, reports.DailyPnl,
               Lot, ClosedLot, Approved, Refused, Protection, Recovered, Standing],
)  # fmt: skip
def test_answers_are_described(record: Any) -> None:
    words = code_words(section(PYTHON, "Answers"))
    missing = {item.name for item in fields(record)} - words
    assert not missing


def test_frames_and_figures_are_described() -> None:
    from onebook.book.explaining import FIGURES

    assert {*QUERIES, *FIGURES, *testing.__all__} <= code_words(page("python"))


# ---- positions ----


def test_position_fields_and_flags_are_described() -> None:
    text = page("positions")
    names = {word for cell in listed(section(REFERENCE / "positions.md", "Figures")) for word in re.split(r"\W+", cell)}
    assert {item.name for item in fields(reports.Position)} | {"side"} <= names
    assert set(FLAGS) <= set(listed(text))


def test_golden_tables_are_shown_whole() -> None:
    from tests.docs.pages import blocks

    shown = {block.info: block.text for block in blocks(REFERENCE / "positions.md") if block.info}
    assert len(shown) >= 10
    for name, text in shown.items():
        assert (ROOT / name).read_text(encoding="utf-8").rstrip("\n") == text.rstrip("\n"), (
            f"{name} changed: python -m tests.docs.fill"
        )
    linked = set(re.findall(r"golden/(\w+)\.txt", page("positions")))
    assert linked == {path.stem for path in (ROOT / "tests" / "golden").glob("*.txt")}


# ---- facts ----


def test_every_kind_of_fact_is_described() -> None:
    headings = re.findall(r"(?m)^## (\w+)$", page("facts"))
    assert headings == [kind.__name__ for kind in facts.FACTS.values()]
    for kind in facts.FACTS.values():
        assert f"`onebook record {kind.KIND.replace('_', '-')}`" in section(FACTS, kind.__name__)


def shown_default(item: Any) -> str:
    if item.default is MISSING:
        return "empty" if item.default_factory is not MISSING else "required"
    if item.default in ("", ()):
        return "empty"
    if item.default is None:
        return "none"
    if isinstance(item.default, Decimal):
        return f"`{plain(item.default)}`"
    return f"`{item.default}`".lower() if isinstance(item.default, bool) else f"`{item.default}`"


@pytest.mark.parametrize("kind", facts.FACTS.values(), ids=list(facts.FACTS))
def test_fields_are_described(kind: Any) -> None:
    text = section(FACTS, kind.__name__)
    described = {row[0].strip("`"): row[1] for row in rows(text)}
    also = re.search(r"(?m)^Also: (.*)\.$", text)
    shared = set(re.findall(r"`(\w+)`", also.group(1))) if also else set()
    assert {*described, *shared} == {item.name for item in fields(kind)}
    for item in fields(kind):
        if item.name in described:
            assert described[item.name] == shown_default(item), item.name
    common = set(listed(section(FACTS, "Fields that many facts have")))
    assert shared <= common


def test_choices_are_described() -> None:
    words = code_words(page("facts"))
    for names in (facts.CLOSE_REASONS, facts.ORDER_KINDS, facts.ORDER_STATUSES, facts.SIGNAL_STATUSES):
        assert {name for name in names if name} <= words


# ---- events ----


def every_event(tmp_path: Path) -> set[str]:
    """The types of a scene in which everything happens that can."""
    tmp_path.mkdir(exist_ok=True)
    path = str(tmp_path / "book.db")
    at = "2026-03-02T12:00:00Z"
    with onebook.open(path) as book:
        for fact in (
            onebook.BookSettings(zone="Europe/Berlin"),
            onebook.Account(name="main"),
            onebook.Account(name="cold"),
            onebook.Token(name="maria", role="viewer", digest="0" * 64),
            onebook.Hook(name="alerts", kind="custom", strategy="trend", digest="1" * 64),
            onebook.Instrument(symbol="BTC/USDT"),
            onebook.Rate(base="EUR", quote="USD", price="1.1", occurred_at=at),
            onebook.OpeningBalance(currency="USDT", amount="1000", occurred_at=at),
            onebook.Signal(instrument="AAPL", action="buy", signal_id="s", occurred_at=at),
            onebook.Signal(instrument="AAPL", action="buy", signal_id="t", occurred_at=at),
            onebook.SignalUpdate(signal_id="t", status="EXPIRED"),
            onebook.Order(instrument="AAPL", side="buy", quantity="2", client_order_id="o", occurred_at=at),
            onebook.OrderUpdate(client_order_id="o", status="new"),
            onebook.Fill(instrument="AAPL", side="buy", quantity="2", price="10", client_fill_id="1", signal_id="s"),
            onebook.Fill(instrument="AAPL", side="sell", quantity="2", price="11", client_fill_id="2"),
            onebook.Fill(instrument="AAPL", side="sell", quantity="3", price="11", client_fill_id="2"),
            onebook.Fill(instrument="BTC/USDT:USDT", side="buy", quantity="2", price="10", client_fill_id="3"),
            onebook.Reassign(instrument="BTC/USDT:USDT", quantity="1", from_strategy="", to_strategy="a"),
            onebook.FundingPayment(instrument="BTC/USDT:USDT", amount="-1"),
            onebook.Settlement(instrument="BTC/USDT:USDT", price="12"),
            onebook.CorporateAction(instrument="AAPL", kind="split", numerator=2, denominator=1),
            onebook.CashMovement(currency="USD", amount="1"),
            onebook.Transfer(asset="USDT", amount="1", from_account="main", to_account="cold"),
        ):
            book.record(fact)
        first = book.fills()[0].sequence
        book.annotate(first, notes="early")
        trade(book)
        told = ("bot_silent", "alert_raised", "alert_cleared", "day_ended", "end_of_day_done", "subscriber_changed")
        for kind in (*told, *RUNNER):
            book.note(kind, {"key": "1"})
        book.note("break_found", {"kind": "unbooked_fact", "key": "b"}, instrument="X")
        book.resolve_break(book.breaks(state="open")[-1].id, reason="booked by hand")
        book.state.set("a.b", 1)
        book._door.publish(publish_command("Any Name", {}, as_published=True))
        book.correct(first, reason="typed wrongly", price="9")
        book.bust("client|main|2", reason="broken")
        book.snapshot()
        book.backup(str(tmp_path / "backup.db"))
    onebook.restore(str(tmp_path / "backup.db"), str(tmp_path / "restored.db"))
    with onebook.open(str(tmp_path / "restored.db"), read_only=True) as book:
        return {event.type for event in book.events()}


def trade(book: onebook.Book) -> None:
    """Limits that are reached, and a trail that moves and is reached."""
    book.trading.limits.set(strategy="g", max_daily_loss="5", max_drawdown="5")
    book.record(onebook.Fill(instrument="ETH/USD", side="buy", quantity="1", price="100", strategy="g"))
    book.trading.protect("ETH/USD", strategy="g", trail_ratio="0.1")
    book.mark("ETH/USD", "110")
    book.trading.check()
    book.mark("ETH/USD", "120")
    book.mark("ETH/USD", "90")
    book.trading.check()
    book.trading.protect("ETH/USD", strategy="g", stop_loss="1")
    book.trading.unprotect("ETH/USD", strategy="g")


def test_every_call_of_trading_is_described() -> None:
    described = {name.removeprefix("book.trading.") for name in described_calls() if name.startswith("book.trading.")}
    calls = {name for name in public(TradingDesk) if callable(getattr(TradingDesk, name))}
    assert calls - {"close", "replacing"} == described


def test_own_types_are_listed_in_one_place() -> None:
    text = page("events")
    assert set(OWN_TYPES) <= set(listed(section(REFERENCE / "events.md", "Types")))
    assert {*OWN_TYPES, *KEPT_TYPES} <= code_words(text)


def test_events_are_described(tmp_path: Path) -> None:
    assert every_event(tmp_path / "own") <= OWN_TYPES | KEPT_TYPES
    assert set(listed(section(REFERENCE / "events.md", "Types"))) == every_event(tmp_path)


def test_the_envelope_is_described() -> None:
    words = code_words(section(REFERENCE / "events.md", "Envelope"))
    assert {item.name for item in fields(reports.Event)} <= words


# ---- errors ----


def all_errors() -> dict[str, type[errors.BookError]]:
    return {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, errors.BookError)
    }


def test_every_error_is_described() -> None:
    table = rows(page("errors"))
    described = {row[0].strip("· `"): row for row in table}
    assert list(described) == list(all_errors())
    for name, kind in all_errors().items():
        depth = len(kind.__mro__) - 5
        assert row_depth(described[name][0]) == max(depth, 0), name
        assert described[name][1] == str(kind.exit_code), name
        assert described[name][2] == ("yes" if kind.retryable else "no"), name
        assert getattr(onebook, name) is kind


def row_depth(cell: str) -> int:
    return cell.count("·")


def raised() -> set[str]:
    """The errors that some module makes."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                found.add(node.func.id)
    return found


def test_errors_that_nothing_raises_say_so() -> None:
    silent = {row[0].strip("· `") for row in rows(page("errors")) if "nothing raises it yet" in row[3]}
    made = raised()
    bases = {"BookError", "RuleError", "InputError", "StoreError"}
    assert silent == set(all_errors()) - made - bases


# ---- configuration ----


def default_of(key: Any) -> str:
    """How the documentation shows a key's default."""
    if key.needed:
        return "required"
    if key.default is None or key.default in ((), {}):
        return "none"
    if isinstance(key.default, bool):
        return f"`{key.default}`".lower()
    return f"`{key.default:g}`" if isinstance(key.default, float) else f"`{key.default}`"


def test_every_setting_is_described() -> None:
    described = {row[0].strip("`"): row for row in rows(page("config")) if re.match(r"`\w+\.\w+`$", row[0])}
    assert list(described) == list(KEYS)
    for name, key in KEYS.items():
        assert described[name][1] == default_of(key), name
        assert described[name][2], name


def test_every_option_of_a_route_is_described() -> None:
    path = REFERENCE / "routes.md"
    for heading, keys in (("What every route takes", COMMON), *((name, options_of(name)) for name in SINKS)):
        parts = section(path, heading).split("\n\n")
        table = next(part for part in parts if part.lstrip().startswith("| option |"))
        described = {row[0].strip("`"): row for row in rows(table)}
        assert list(described) == list(keys), heading
        for name, key in keys.items():
            assert described[name][1] == default_of(key), f"{heading}: {name}"
            assert described[name][2], f"{heading}: {name}"


def test_every_environment_variable_is_described() -> None:
    used = set()
    for path in SOURCE.rglob("*.py"):
        used |= set(re.findall(r"[\"'](ONEBOOK_[A-Z]+)[\"']", path.read_text(encoding="utf-8")))
    assert used, os.fspath(SOURCE)
    assert used <= code_words(page("config"))


# ---- command line ----


def options(command: Any) -> Iterator[str]:
    for item in command.params:
        if item.opts[0].startswith("-"):
            yield from (*item.opts, *item.secondary_opts)


def test_every_command_and_option_is_described() -> None:
    described = {row[0].strip("`"): row[1] for row in rows(section(REFERENCE / "cli.md", "Every option"))}
    program = root()
    assert [name.split()[0] for name in described if " " not in name or name.split()[1].isupper()] == list(COMMANDS)
    for name in COMMANDS:
        command = program.get_command(None, name)
        if name == "record":
            continue
        below = {f"{name} {word}": item for word, item in getattr(command, "commands", {}).items()}
        for words, item in ({name: command} | below).items():
            shown = re.findall(r"`(-[\w-]+)`", described.pop(words, ""))
            assert sorted(shown) == sorted(options(item)), words
    assert list(described) == ["record KIND"]
    for option in options(program):
        assert option in page("cli"), option


def test_every_command_is_explained() -> None:
    text = page("cli").partition("## Every option")[0]
    for name in COMMANDS:
        assert re.search(rf"`{name}\b", text), name


def test_every_kind_can_be_found_on_the_command_line() -> None:
    kinds = root().get_command(None, "record").list_commands(None)
    assert set(kinds) <= set(re.findall(r"[\w-]+", page("cli")))


def test_exit_codes_are_described() -> None:
    codes = {row[0] for row in rows(page("cli")) if row[0].isdigit()}
    assert {str(kind.exit_code) for kind in all_errors().values()} <= codes


# ---- SQL ----


def test_tables_and_views_are_described(tmp_path: Path) -> None:
    text = page("sql")
    with onebook.open(str(tmp_path / "book.db")) as book:
        found = book.sql(
            "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'"
        )
        for row in found:
            assert row["name"] in listed(text), row["name"]
            if row["type"] == "view":
                columns = [item["name"] for item in book.sql(f"PRAGMA table_info({row['name']})")]
                described = next(cells for cells in rows(text) if cells[0] == f"`{row['name']}`")
                assert described[2].strip("`").split("`")[0].split() == columns, row["name"]
