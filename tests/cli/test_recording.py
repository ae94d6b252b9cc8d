"""Commands that record by hand, and from stdin."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from onebook.domain.facts import FACTS

Cli = Callable[..., Any]

FILL = ["--instrument", "BTC/USDT", "--side", "buy", "--quantity", "0.5", "--price", "60000"]


def test_the_receipt_is_one_line(cli: Cli) -> None:
    shown = cli("record", "fill", *FILL, "--fee", "12.3", "--venue", "binance", "--venue_fill_id", "8841")
    assert shown.out == "recorded 1: BTC/USDT long 0.5 @ 60000, realized −12.3 USDT\n"
    again = cli("record", "fill", *FILL, "--venue", "binance", "--venue-fill-id", "8841", "--json").json
    assert (again["status"], again["sequence"]) == ("exists", 1)


@pytest.mark.parametrize("kind", FACTS)
def test_help_lists_the_fields_of_every_kind(cli: Cli, kind: str) -> None:
    shown = cli("record", kind, "--help")
    assert shown.code == 0
    for name in FACTS[kind].__slots__:
        assert f"--{name.replace('_', '-')}" in shown.out


@pytest.mark.parametrize(
    "words",
    [
        "instrument --symbol BTC/USD:BTC --kind perpetual --contract-size 100",
        "account --name paper1 --kind paper",
        "settings --zone Europe/Berlin",
        "rate --base EUR --quote USD --price 1.1",
        "signal --instrument BTC/USDT --action buy --confidence 0.7 --confluences a,b",
        "order --instrument BTC/USDT --side buy --quantity 1 --kind limit --limit-price 1 --reduce-only false",
        "order-update --client-order-id o1 --status new",
        "order_update --client_order_id o2 --status new",
        "transfer --asset USDT --amount 5 --to-account main",
        "cash-movement --currency USDT --amount -5 --kind fee",
        "funding --instrument BTC/USD:BTC --amount 0.1",
        "opening-balance --currency USDT --amount 100",
        "corporate-action --instrument AAPL --kind split --numerator 2 --denominator 1",
        "settlement --instrument BTC/USD:BTC --price 60000",
        "signal-update --signal-id s9 --status EXPIRED",
    ],
)
def test_every_kind_is_recorded(cli: Cli, words: str) -> None:
    shown = cli("record", *words.split())
    assert shown.code == 0, shown.err
    assert shown.out.startswith("recorded 1: ")


@pytest.mark.parametrize(
    ("stdin", "code", "fills"),
    [
        ('{"instrument": "X", "side": "buy", "quantity": 1.10, "price": "3"}', 0, 1),
        ('{\n"instrument": "X", "side": "buy",\n"quantity": "1", "price": 3\n}', 0, 1),
        ('[{"instrument": "X", "side": "buy", "quantity": 1, "price": 3}]', 0, 1),
        ('{"instrument": "X", "side": "buy", "quantity": 1, "price": 3}\n' * 3, 0, 3),
        ('{"instrument": "X", "side": "buy", "quantity": 1, "price": 3}\nno\n{"instrument": "X"}\n', 2, 1),
        ("no\n", 2, 0),
        ("", 2, 0),
        ("[1]", 2, 0),
        ('{"instrument": "X", "side": "buy", "quantity": 1, "prise": 3}', 2, 0),
        ('{"instrument": "X", "side": "buy", "quantity": NaN, "price": 3}', 2, 0),
    ],
)
def test_json_on_stdin(cli: Cli, stdin: str, code: int, fills: int) -> None:
    assert cli("record", "fill", "-", stdin=stdin).code == code
    cli("record", "account", "--name", "main")
    assert len(cli("fills", "--json").json) == fills


def test_json_numbers_stay_exact(cli: Cli) -> None:
    text = '{"instrument": "X", "side": "buy", "quantity": 0.123456789012345678, "price": 1}'
    cli("record", "fill", "-", "--strategy", "s", stdin=text)
    (fill,) = cli("fills", "--json").json
    assert (fill["quantity"], fill["strategy"]) == ("0.123456789012345678", "s")


def test_correct_bust_reassign_and_mark(filled: Cli) -> None:
    assert filled("correct", "1", "--reason", "typo", "--set", "price=59000").code == 0
    assert filled("fills", "--instrument", "BTC/USDT", "--json").json[0]["price"] == "59000"
    assert filled("bust", "2", "--reason", "never was").code == 0
    assert filled("bust", "fill|binance|main|BTC/USDT||2|sell", "--reason", "again").out.startswith("exists")
    assert filled("reassign", "ETH/USDT", "0.5", "--from", "trend", "--to", "scalp").code == 0
    assert filled("mark", "ETH/USDT", "3100").out == "marked ETH/USDT at 3100\n"
    rows = {(row["instrument"], row["strategy"]): row for row in filled("positions", "--json").json}
    assert rows["ETH/USDT", "scalp"]["unrealized_pnl"] == "50"
    assert rows["ETH/USDT", "trend"]["quantity"] == "1.5"
    assert rows["BTC/USDT", ""]["average_price"] == "59000"


def test_the_log_says_who_recorded(filled: Cli) -> None:
    first = json.loads(filled("tail", "--after", "0", "--json").out.splitlines()[0])
    assert (first["actor"], first["type"]) == ("cli", "trade_executed")
