"""``onebook bars``: what could not be had is said, and what cannot be is refused in words."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.cli.conftest import Cli
from tests.market.venues.binance import Binance

BARS = "timestamp,open,high,low,close,volume\n"
DAY_MS = 1_723_161_240_000  # 2024-08-08T23:54:00Z


class Newest(Binance):
    """Gives its newest candles, whatever it is asked for."""

    async def _klines(self, request: web.Request) -> web.Response:
        return web.json_response(self.klines)


@pytest.fixture
def asking(cli: Cli, tmp_path: Path) -> Iterator[Cli]:
    with closing(Newest()) as venue:
        venue.klines = [kline(number) for number in range(10)]
        write(tmp_path, {"source": "ccxt", "exchange": "binance", "base_url": venue.http, "options": venue.options})
        yield cli


def write(folder: Path, market: dict[str, Any]) -> None:
    (folder / "onebook.yaml").write_text(json.dumps({"market": market}))


def kline(number: int) -> list[Any]:
    opened = DAY_MS + number * 60_000
    return [opened, "1", "3", "1", "2", "5", opened + 59_999, "100.0", 3, "0.5", "50.0", "0"]


def test_what_could_not_be_fetched_is_said_and_stays_a_gap(asking: Cli) -> None:
    words = "bars BTC/USDT --timeframe 1m --fetch --since 2024-08-08T12:00Z --until 2024-08-09T00:04Z"
    for _ in range(2):
        ran = asking(*words.split())
        assert ran.code == 0
        assert "binance gave nothing of 2024-08-08T12:00:00Z to 2024-08-08T23:54:00Z" in ran.err
    ran = asking(*words.replace("12:00Z", "23:54Z").split())
    assert "gave nothing" not in ran.err


def test_longer_bars_over_unknown_time_are_said_to_be_partial(cli: Cli, tmp_path: Path) -> None:
    minutes = [number for number in range(15) if number not in {6, 7}]
    rows = "".join(f"2026-03-02T14:{number:02}:00Z,1,3,1,2,10\n" for number in minutes)
    (tmp_path / "AAPL_1m.csv").write_text(BARS + rows)
    cli("bars", "--import", "AAPL_1m.csv")
    words = "bars AAPL --timeframe 5m --since 2026-03-02T14:00Z --until 2026-03-02T14:15Z"
    rows_found = cli(*words.split(), "--json").json
    assert [(row["partial"], row["running"]) for row in rows_found] == [(False, False), (True, False), (False, False)]
    assert "1 of 3 are partial: of their time not all bars of 1m are known" in cli(*words.split()).err


@pytest.mark.parametrize(
    "words",
    [
        "bars BTC/USDT --timeframe 1h --since 0001-01-01T00:00Z",
        "bars BTC/USDT --timeframe 1w --since 1600-01-01T00:00Z",
        "bars BTC/USDT --timeframe 1h --until 9999-12-31T23:59Z",
        "bars BTC/USDT --timeframe 1h --fetch --until 9999-12-31T23:59Z",
        "bars BTC/USDT --timeframe 1h --fetch --since 0001-01-01T00:00Z",
        "bars BTC/USDT --timeframe 1w --limit 1000000000 --fetch",
    ],
)
def test_times_beyond_what_can_be_kept_are_refused_in_words(asking: Cli, words: str) -> None:
    asking("record", "account", "--name", "main")
    ran = asking(*words.split(), "--json")
    assert ran.code == 2
    assert "bars are kept from 1823-" in json.loads(ran.err or ran.out)["message"]


@pytest.mark.parametrize("name", ["urls", "markets", "has"])
def test_options_that_cannot_be_are_a_fault_of_the_configuration(asking: Cli, tmp_path: Path, name: str) -> None:
    write(tmp_path, {"source": "ccxt", "exchange": "kraken", "options": {name: 5}})
    for words in ("price BTC/USDT", "bars BTC/USDT --fetch"):
        ran = asking(*words.split(), "--json")
        assert ran.code == 2
        assert json.loads(ran.err or ran.out)["code"] == "BadConfig"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("source: ccxt", "onebook.yaml:2: market.exchange: name the exchange"),
        ("source: files", "onebook.yaml:2: market.files: name the files"),
        ("source: ccxt\n  exchange: nowhere", "onebook.yaml:3: market.exchange: 'nowhere' is no exchange"),
        ("source: ccxt\n  exchange: kraken\n  feed: sip", "onebook.yaml:4: market.feed: goes with source alpaca"),
        ("source: ccxt\n  exchange: kraken\n  stream: [prnts]", "onebook.yaml:4: market.stream: 'prnts' is not"),
        (
            "source: ccxt\n  exchange: kraken\n  options:\n    apiKey: x",
            "onebook.yaml:4: market.options.apiKey: is a",
        ),
        ("source: files\n  files:\n    - {path: a.csv, zoen: UTC}", "onebook.yaml:3: market.files.zoen: unknown; did"),
        (
            "source: files\n  files:\n    - {path: a.csv, columns: {clsoe: x}}",
            "onebook.yaml:3: market.files: a.csv: c",
        ),
    ],
)
def test_what_is_wrong_in_the_configuration_is_said_with_its_place(
    cli: Cli, tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "onebook.yaml").write_text(f"market:\n  {text}\n")
    ran = cli("price", "X")
    assert ran.code == 2
    assert says in ran.err
    cli("record", "account", "--name", "main")
    assert says in cli("health").out


def test_a_folder_where_the_bars_should_be_is_said(cli: Cli, tmp_path: Path) -> None:
    cli("record", "account", "--name", "main")
    (tmp_path / "book.db.bars.db").mkdir()
    ran = cli("bars", "X")
    assert ran.code != 0
    assert "is a folder, not a database of bars" in ran.err
    ran = cli("health")
    assert ran.code == 1
    assert "is a folder, not a database of bars" in ran.out


def test_an_import_says_how_times_without_a_zone_were_read(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "AAPL_1m.csv").write_text(BARS + "2026-03-02 14:00:00,1,2,1,2,10\n")
    assert "its times have no zone; they were read as UTC" in cli("bars", "--import", "AAPL_1m.csv").err
    assert "read as UTC" in cli("bars", "--import", "AAPL_1m.csv", "--json").json["notes"][0]


def test_a_time_that_ends_before_it_begins_and_an_empty_name_are_refused(cli: Cli) -> None:
    ran = cli("bars", "AAPL", "--since", "2026-03-03T00:00Z", "--until", "2026-03-02T00:00Z")
    assert ran.code == 2
    assert "--since: 2026-03-03T00:00:00Z is not before --until 2026-03-02T00:00:00Z" in ran.err
    for command in ("bars", "price"):
        ran = cli(command, "")
        assert (ran.code, "name" in ran.err) == (2, True), ran.err
