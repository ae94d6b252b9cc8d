"""A source by plain configuration: what is taken, what is refused and with which words, and who sees open breakers."""

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.market.venues.alpaca import KEY, SECRET, Alpaca
from tests.market.venues.binance import Binance
from tests.market.venues.serving import Fault

import onebook
from onebook.breaker import BreakerChange
from onebook.config import config_for
from onebook.config.keys import MARKET
from onebook.errors import BadConfig, BreakerOpen, RateLimited, SourceError, UnknownInstrument
from onebook.market.providers.files import FileSource
from onebook.market.sources import Remote, file_terms, named, over, source_from, taken
from onebook.market.standing import keep_breakers, open_breakers
from onebook.testing.clock import FakeClock

BARS = "timestamp,open,high,low,close,volume\n2026-03-02T14:00:00Z,1,2,0.5,1.50,10\n"


@pytest.fixture
def venue() -> Iterator[Binance]:
    with closing(Binance()) as started:
        yield started


def binance(venue: Binance, **more: Any) -> dict[str, Any]:
    where = {"base_url": venue.http, "stream_url": venue.stream, "timeout_seconds": 1}
    options = {name: value for name, value in venue.options.items() if name != "timeout"}
    return {"source": "ccxt", "exchange": "binance", "options": options, "attempts": 1} | where | more


def test_an_exchange_stands_behind_cache_and_breaker(venue: Binance) -> None:
    clock = FakeClock("2024-08-09T00:00:00Z")
    changes: list[BreakerChange] = []
    terms = binance(venue, breaker_failures=2, recovery_seconds=30, price_seconds=5)
    with closing(source_from(terms, clock=clock, listener=changes.append)) as source:
        assert isinstance(source, Remote)
        assert source.price("BTC/USDT").price == Decimal("61837.63")
        asked = len(venue.asked)
        assert not source.price("BTC/USDT").is_stale
        assert len(venue.asked) == asked
        clock.advance(6)
        venue.faults = [Fault(503), Fault(503)]
        assert source.price("BTC/USDT").is_stale
        assert source.price("BTC/USDT").is_stale
        with pytest.raises(BreakerOpen):
            source.quote("BTC/USDT")
        assert [change.kind for change in changes] == ["opened"]
        assert source.circuits.status()["binance"].state == "open"
        assert source.caches.stats()["binance.prices"].size == 1


def test_calls_a_minute_bound_the_calls(venue: Binance) -> None:
    terms = binance(venue, calls_a_minute=1, price_seconds=0.001)
    clock = FakeClock("2024-08-09T00:00:00Z")
    with closing(source_from(terms, clock=clock)) as source:
        source.price("BTC/USDT")
        with pytest.raises(RateLimited):
            source.quote("BTC/USDT")


@pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets")  # alpaca-py imports it
def test_alpaca_takes_its_key_and_answers() -> None:
    with closing(Alpaca()) as venue:
        venue.trade(1, 1_772_460_000_000_000_000, is_lost=True)
        terms = {"source": "alpaca", "key": KEY, "secret": SECRET, "base_url": venue.http, "stream": ["prints", "1m"]}
        with closing(source_from(terms)) as source:
            assert source.price("AAPL").source == "alpaca"


def test_files_are_read_as_they_are_and_never_ahead(tmp_path: Path) -> None:
    (tmp_path / "AAPL_1m.csv").write_text(BARS)
    clock = FakeClock("2026-03-02T14:01:00Z")
    source = source_from({"source": "files", "files": str(tmp_path / "AAPL_1m.csv")}, clock=clock)
    assert isinstance(source, FileSource)
    assert source.price("AAPL").price == Decimal("1.50")
    early = source_from({"source": "files", "files": [str(tmp_path)]}, clock=FakeClock("2026-03-02T14:00:59Z"))
    with pytest.raises(UnknownInstrument, match="nothing is known of AAPL"):
        early.price("AAPL")


def test_paths_begin_at_a_folder(tmp_path: Path) -> None:
    (tmp_path / "AAPL_1m.csv").write_text(BARS)
    for files in ("AAPL_1m.csv", [{"path": "AAPL_1m.csv"}], str(tmp_path / "AAPL_1m.csv")):
        source = source_from({"source": "files", "files": files}, folder=tmp_path)
        assert source.price("AAPL").price == Decimal("1.50")


def test_a_file_can_be_said_more_of() -> None:
    given = {"path": "feed.gz", "feed_times": "received", "behind_seconds": Decimal("1.25"), "names": {"A": "B"}}
    terms = file_terms(given)
    assert (terms.path, terms.feed_times, terms.behind_seconds, terms.names) == (
        "feed.gz",
        "received",
        1.25,
        {"A": "B"},
    )


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({}, r"market\.source: say where prices come from: ccxt, alpaca or files"),
        ({"exchange": "kraken"}, "say where prices come from: ccxt"),
        ({"sorce": "ccxt"}, r"market\.sorce: unknown; did you mean source\?"),
        ({"source": "ccxt", "exchnge": "x"}, "did you mean exchange"),
        ({"source": "binance"}, r"market\.source: 'binance' is none of files, ccxt, alpaca"),
        ({"source": "ccxt"}, r"market\.exchange: name the exchange"),
        ({"source": "ccxt", "exchange": "nowhere"}, r"market\.exchange: 'nowhere' is no exchange"),
        (
            {"source": "ccxt", "exchange": "kraken", "options": {"urls": 5}},
            r"market\.options: urls: 5 is not",
        ),
        ({"source": "ccxt", "exchange": "kraken", "options": {"has": 5}}, r"market\.options: has: 5 is not a mapping"),
        ({"source": "ccxt", "exchange": "kraken", "options": {"markets": 5}}, r"market\.options: .*markets"),
        ({"source": "files", "files": [{"path": "a.csv", "stamps": "x"}]}, r"market\.files: a\.csv: stamps is 'x'"),
        ({"source": "files"}, r"market\.files: name the files"),
        ({"source": "files", "files": "gone.csv"}, "gone.csv: there is no such file"),
        ({"source": "files", "files": [1]}, "neither a path nor a mapping"),
        ({"source": "files", "files": [{"pth": "a"}]}, r"market\.files\.pth: unknown; did you mean path\?"),
        ({"source": "files", "files": [{"kind": "bars"}]}, "without path"),
        ({"source": "files", "files": [{"path": "a", "window": -1}]}, "is not a whole number"),
        ({"source": "files", "files": "a.csv", "exchange": "x"}, "goes with source ccxt, not with files"),
        ({"source": "files", "files": "a.csv", "base_url": "http://h"}, "goes with source ccxt or alpaca"),
        ({"source": "alpaca", "key": "k"}, r"market\.secret: Alpaca needs a key and a secret"),
        ({"source": "alpaca", "key": "k", "secret": "s", "feed": "otc"}, "is none of iex, sip"),
        ({"source": "alpaca", "key": "k", "secret": "s", "stream": ["5m"]}, "Alpaca streams bars of 1m only"),
        (
            {"source": "ccxt", "exchange": "kraken", "stream": ["prnts"]},
            r"market\.stream: .*'prnts' is not a len",
        ),
        ({"source": "ccxt", "exchange": "kraken", "base_url": "kraken.com"}, "is no address such as http"),
        ({"source": "ccxt", "exchange": "kraken", "price_seconds": 0}, "is not a number of seconds"),
        ({"source": "ccxt", "exchange": "kraken", "options": {"apiKey": "hidden"}}, r"write it as market\.key"),
    ],
)
def test_what_cannot_be_is_refused_in_words(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(BadConfig, match=said) as refusal:
        source_from(terms)
    assert "hidden" not in str(refusal.value)


def test_another_file_has_its_own_place_in_messages() -> None:
    with pytest.raises(BadConfig, match=r"^bot\.yaml: market\.sorce: unknown"):
        source_from({"sorce": "ccxt"}, where="bot.yaml: market")
    with pytest.raises(BadConfig, match="expected keys such as source"):
        taken(["ccxt"])


def test_the_section_of_the_configuration_is_the_same() -> None:
    given = {"source": "ccxt", "exchange": "kraken", "options": {"options": {"depth": 5}}, "price_seconds": "2"}
    config = config_for({"market": given}, {})
    terms = {name: config.get(f"market.{name}") for name in given}
    assert taken(terms) == taken(given)
    assert all(config.get(name) == key.default for name, key in MARKET.items() if name.rpartition(".")[2] not in given)


def test_secrets_are_masked() -> None:
    config = config_for({"market": {"key": "PK123", "secret": "s3cret", "source": "alpaca"}}, {})
    shown = {item.key: item.value for item in config.shown()}
    assert (shown["market.key"], shown["market.secret"], shown["market.source"]) == ("***", "***", "alpaca")


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("ccxt:kraken", {"source": "ccxt", "exchange": "kraken"}),
        ("files:a.csv,b.csv", {"source": "files", "files": "a.csv,b.csv"}),
        ("alpaca", {"source": "alpaca"}),
    ],
)
def test_a_source_can_be_named_in_one_word(text: str, terms: dict[str, Any]) -> None:
    assert named(text) == terms


@pytest.mark.parametrize("text", ["", "ccxt", "ccxt:", "alpaca:x", "kraken"])
def test_a_word_that_names_none_is_refused(text: str) -> None:
    with pytest.raises(BadConfig, match="names none"):
        named(text)


def test_another_source_does_not_inherit_addresses_and_keys() -> None:
    terms = {"source": "ccxt", "exchange": "kraken", "key": "k", "base_url": "http://h", "price_seconds": 3.0}
    assert over(terms, named("ccxt:okx")) == {"source": "ccxt", "exchange": "okx", "price_seconds": 3.0}
    assert over(terms, named("ccxt:kraken")) == terms


def test_open_breakers_are_seen_by_other_processes(tmp_path: Path) -> None:
    def change(kind: str) -> BreakerChange:
        return BreakerChange(name="kraken", kind=kind, at_ns=5_000_000_000, failures=5, last_error="no answer")

    with onebook.open(tmp_path / "book.db") as book:
        tell = keep_breakers(book, "desk")
        keep_breakers(book, "other")(change("opened"))
        tell(change("opened"))
        with onebook.open(tmp_path / "book.db", read_only=True) as seen, seen.store.reading() as reader:
            found = open_breakers(reader)
        assert [(item.who, item.name, item.state, item.last_error) for item in found] == [
            ("desk", "kraken", "open", "no answer"),
            ("other", "kraken", "open", "no answer"),
        ]
        tell(change("half_open"))
        tell(change("closed"))
        keep_breakers(book, "other")  # began anew after it died
        with book.store.reading() as reader:
            assert open_breakers(reader) == []


def test_a_source_that_fails_says_so(venue: Binance) -> None:
    venue.faults = [Fault(503)]
    with closing(source_from(binance(venue))) as source, pytest.raises(SourceError):
        source.price("BTC/USDT")
