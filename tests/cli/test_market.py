"""``onebook price``, ``bars`` and ``health``, with a venue on loopback."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli
from tests.market.venues.binance import Binance
from tests.market.venues.serving import Fault

import onebook
from onebook.breaker import BreakerChange
from onebook.clock import system_clock
from onebook.domain import times
from onebook.market.standing import keep_breakers

DAY_MS = 1_723_161_240_000  # 2024-08-08T23:54:00Z
BARS = "timestamp,open,high,low,close,volume\n"
KEYS = {"api_initialized", "streaming", "last_update", "cache_stats", "database_stats", "circuit_breakers"}


@pytest.fixture
def venue() -> Iterator[Binance]:
    with closing(Binance()) as started:
        yield started


@pytest.fixture
def asking(cli: Cli, venue: Binance, tmp_path: Path) -> Cli:
    """The command line with a configuration that names the venue."""
    market = {
        "source": "ccxt",
        "exchange": "binance",
        "base_url": venue.http,
        "stream_url": venue.stream,
        "key": "PK-hidden",
        "attempts": 1,
        "options": {"options": {"fetchMarkets": {"types": ["spot"]}}, "enableRateLimit": False},
    }
    (tmp_path / "onebook.yaml").write_text(json.dumps({"market": market}))
    return cli


@pytest.fixture
def minutes(tmp_path: Path) -> Path:
    """Ten minutes of bars in a file."""
    path = tmp_path / "AAPL_1m.csv"
    path.write_text(BARS + "".join(f"2026-03-02T14:{n:02}:00Z,{n + 1},{n + 3},{n + 1},{n + 2},10\n" for n in range(10)))
    return path


def kline(number: int) -> list[Any]:
    opened = DAY_MS + number * 60_000
    return [opened, "1", "3", "1", "2", "5", opened + 59_999, "100.0", 3, "0.5", "50.0", "0"]


# ---- price ----


def test_a_price_comes_from_the_source_and_can_be_a_mark(asking: Cli) -> None:
    asking("record", "account", "--name", "main")
    (row,) = asking("price", "BTC/USDT", "--mark", "--json").json
    assert (row["price"], row["at"], row["source"], row["stale"], row["marked"]) == (
        "61837.63", "2024-08-08T23:54:15.342Z", "binance", True, True
    )  # fmt: skip
    with onebook.open(read_only=True) as book:
        assert [str(mark.price) for mark in book.marks()] == ["61837.63"]
    ran = asking("price", "BTC/USDT")
    assert "61837.63" in ran.out
    assert "BTC/USDT: the newest price is " in ran.err


def test_a_price_is_stale_by_its_age_whoever_gave_it(cli: Cli, tmp_path: Path) -> None:
    text = BARS + f"{times.to_text(system_clock() // times.MINUTE * times.MINUTE - times.MINUTE)},1,2,1,2,10\n"
    (tmp_path / "NEW_1m.csv").write_text(text)
    (tmp_path / "OLD_1m.csv").write_text(BARS + "2020-03-02T14:00:00Z,1,2,1,2,10\n")
    (tmp_path / "onebook.yaml").write_text("market: {source: files, files: [NEW_1m.csv, OLD_1m.csv]}\n")
    ran = cli("price", "NEW", "OLD", "--json")
    assert [row["stale"] for row in json.loads(ran.out)] == [False, True]
    assert "OLD: the newest price is" in cli("price", "NEW", "OLD").err


def test_without_a_source_the_marks_answer_and_it_is_said(cli: Cli) -> None:
    cli("record", "account", "--name", "main")
    cli("mark", "AAPL", "187.20", "--source", "desk")
    ran = cli("price", "AAPL")
    assert ran.code == 0
    assert "187.2" in ran.out
    assert "mark by desk" in ran.out
    assert "the book's marks" in ran.err
    refused = cli("price", "MSFT")
    assert refused.code == 2
    assert "the book has no mark of MSFT" in refused.err
    assert cli("price", "AAPL", "--mark").code == 2


def test_a_source_that_fails_is_exit_4_and_others_are_answered(asking: Cli, venue: Binance) -> None:
    venue.faults = [Fault(503)]
    ran = asking("price", "BTC/USDT")
    assert ran.code == 4
    assert "503" in ran.err
    ran = asking("price", "BTC/USDT", "NOPE/USDT", "--json")
    assert ran.code == 2
    first, second = json.loads(ran.out)
    assert (first["price"], second["price"]) == ("61837.63", None)
    assert "NOPE/USDT" in second["problem"]


def test_another_source_is_named_in_a_word(asking: Cli, minutes: Path, venue: Binance) -> None:
    (row,) = asking("price", "AAPL", "--source", f"files:{minutes}", "--json").json
    assert (row["price"], row["source"]) == ("11", "files")
    assert venue.asked == []
    assert asking("price", "AAPL", "--source", "kraken").code == 2


# ---- bars ----


def test_bars_of_files_are_kept_and_made_longer(cli: Cli, minutes: Path) -> None:
    assert cli("bars", "--import", str(minutes)).out == "10 bars read, 10 of them new or changed\n"
    assert cli("bars", "--import", str(minutes), "--json").json["written"] == 0
    rows = cli("bars", "AAPL", "--timeframe", "1m", "--limit", "2", "--json").json
    assert [(row["opened_at"], row["close"], row["running"]) for row in rows] == [
        ("2026-03-02T14:08:00Z", "10", False),
        ("2026-03-02T14:09:00Z", "11", False),
    ]
    ran = cli("bars", "AAPL", "--timeframe", "5m")
    assert "made of bars of 1m" in ran.err
    rows = cli("bars", "AAPL", "--timeframe", "5m", "--since", "2026-03-02T14:01Z", "--json").json
    assert [(row["opened_at"], row["open"], row["high"], row["volume"]) for row in rows] == [
        ("2026-03-02T14:05:00Z", "6", "12", "50")
    ]
    (row,) = cli("bars", "AAPL", "--timeframe", "5m", "--limit", "1", "--until", "2026-03-02T14:08Z", "--json").json
    assert (row["opened_at"], row["open"], row["partial"]) == ("2026-03-02T14:05:00Z", "6", True)
    assert (
        cli("bars", "AAPL", "--timeframe", "5m", "--limit", "2", "--until", "2026-03-02T14:08Z", "--json").json[0][
            "open"
        ]
        == "1"
    )  # whole, though bars are counted from the end
    (row,) = cli("bars", "AAPL", "--timeframe", "2m", "--limit", "1", "--until", "2026-03-02T14:09Z", "--json").json
    assert (row["open"], row["volume"]) == ("9", "10")
    rows = cli("bars", "AAPL", "--timeframe", "2m", "--limit", "2", "--until", "2026-03-02T14:09Z", "--json").json
    assert [row["volume"] for row in rows] == ["20", "10"]
    found = cli("bars", "--stats", "--json").json
    assert (found["bars"], found["tables"]["series"]) == (10, 1)
    assert "AAPL" in cli("bars", "--stats").out


def test_gaps_are_fetched_once(asking: Cli, venue: Binance, tmp_path: Path) -> None:
    venue.klines = [kline(0), kline(1), kline(2)]
    words = "bars BTC/USDT --timeframe 1m --fetch --since 2024-08-08T23:54Z --until 2024-08-08T23:57Z --json"
    assert [row["close"] for row in asking(*words.split()).json] == ["2", "2", "2"]
    asked = len([path for path in venue.asked if "klines" in path])
    assert len(asking(*words.split()).json) == 3
    assert len([path for path in venue.asked if "klines" in path]) == asked == 1
    assert (tmp_path / "book.db.bars.db").is_file()
    venue.faults = [Fault(503)]
    assert asking("bars", "BTC/USDT", "--timeframe", "1m", "--fetch").code == 4


def test_configured_files_are_imported_by_their_terms(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text(BARS + "2026-03-02T14:00:00Z,1,2,1,2,10\n")
    (tmp_path / "onebook.yaml").write_text(
        "market:\n  bars_file: kept/bars.db\n  files: [{path: odd.csv, timeframe: 1h, instrument: X}]\n"
    )
    assert cli("bars", "--import", "odd.csv").code == 0
    assert len(cli("bars", "X", "--json").json) == 1
    assert (tmp_path / "kept" / "bars.db").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("bars", "name an instrument"),
        ("bars --fetch --stats", "--fetch takes the instrument"),
        ("bars X --fetch", "no source of market data is configured"),
        ("bars X --timeframe 7m", "a day is not a whole number of '7m'"),
        ("bars --import gone.csv", "there is no such file"),
    ],
)
def test_what_cannot_be_is_refused_in_words(filled: Cli, words: str, said: str) -> None:
    ran = filled(*words.split())
    assert ran.code == 2
    assert said in ran.err


def test_reading_makes_no_file(filled: Cli, tmp_path: Path) -> None:
    ran = filled("bars", "X")
    assert (ran.code, ran.out) == (0, "")
    assert "--fetch or --import brings them" in ran.err
    assert not (tmp_path / "book.db.bars.db").exists()


# ---- health ----


def test_all_is_well(asking: Cli) -> None:
    asking("record", "account", "--name", "main")
    found = asking("health", "--json").json
    assert KEYS | {"ok", "problems", "book", "bots", "subscribers", "trading", "marks", "market", "spools"} == set(
        found
    )
    assert (found["ok"], found["api_initialized"], found["market"]["exchange"]) == (True, True, "binance")
    assert found["market"]["key"] == "***"
    assert found["circuit_breakers"]["binance"]["state"] == "closed"
    assert set(found["cache_stats"]) == {"binance.prices", "binance.quotes", "binance.bars"}
    assert found["book"]["verified"] is False
    shown = asking("health")
    assert (shown.code, shown.out.splitlines()[-1]) == (0, "all is well")
    assert "hidden" not in shown.out + json.dumps(found)


def silent_bot(book: onebook.Book) -> None:
    beat = book.store.aside
    book.heartbeat("trend", 60)
    with book.store.reading() as reader:
        (found,) = reader.heartbeats()
    beat(lambda rows: rows.drop_heartbeat("trend"))
    beat(lambda rows: rows.put_heartbeat(found._replace(at_ns=found.at_ns - 61 * 10**9)))


def stale_mark(book: onebook.Book) -> None:
    book.mark("ETH/USDT", "3000", at="2026-03-03T00:00:00Z")
    book.share_marks()


def halted(book: onebook.Book) -> None:
    book.trading.halt("too fast", strategy="grid")


def open_breaker(book: onebook.Book) -> None:
    change = BreakerChange(name="kraken", kind="opened", at_ns=1, failures=5, last_error="no answer")
    keep_breakers(book, "desk")(change)


def conflict(book: onebook.Book) -> None:
    fill = onebook.Fill(instrument="ADA/USDT", side="buy", quantity="1", price="1", venue="okx", venue_fill_id="1")
    book.record(fill)
    assert book.record(fill.replaced(price=2)).status == "conflict"


def broken_subscriber(book: onebook.Book) -> None:
    from tests.feed.waiting import until

    def bad(event: onebook.Event) -> None:
        raise ValueError("not for me")

    subscriber = book.subscribe("tax", bad, types="trade_*", start="beginning", attempts=1)
    until(lambda: subscriber.lag == 0)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (silent_bot, "trend is silent"),
        (stale_mark, "ETH/USDT is held, and its last price is of 2026-03-03"),
        (halted, "trading of grid is halted: too fast"),
        (open_breaker, "desk: kraken does not answer since"),
        (conflict, "1 difference waits for somebody: onebook breaks"),
        (broken_subscriber, "events could not be handed to tax"),
    ],
)
def test_what_is_wrong_is_said_and_fails(filled: Cli, spoil: Any, said: str, tmp_path: Path) -> None:
    with onebook.open(tmp_path / "book.db") as book:
        spoil(book)
    ran = filled("health", "--json")
    assert ran.code == 1
    (problem,) = json.loads(ran.out)["problems"]
    assert said in problem
    shown = filled("health")
    assert shown.code == 1
    assert f"problem: {said[:5]}" in shown.out or said in shown.out
    assert shown.out.splitlines()[-1] == "1 problem"


def test_a_source_that_cannot_be_is_a_problem_not_an_error(filled: Cli, tmp_path: Path) -> None:
    (tmp_path / "onebook.yaml").write_text("market:\n  source: files\n  files: gone.csv\n")
    ran = filled("health")
    assert ran.code == 1
    assert "the market source cannot be used: gone.csv: there is no such file" in ran.out
