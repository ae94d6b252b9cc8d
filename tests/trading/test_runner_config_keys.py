"""bot.yaml: a market by the keys of the configuration, and accounts by all that a paper venue can be like."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

import onebook
from onebook.config.keys import MARKET
from onebook.domain import times
from onebook.domain.matching.costs import Fees
from onebook.domain.matching.slippage import FixedBps, HalfSpread, VolumeShare
from onebook.errors import BadConfig
from onebook.market.sources import Remote
from onebook.trading.brokers.paper_rules import Margin, PaperRules
from onebook.trading.runner.bot import run_bot, source_of
from onebook.trading.runner.config import BotConfig, load_bot

CCXT = {"source": "ccxt", "exchange": "kraken"}
ALPACA = {"source": "alpaca"}

WAITS: dict[str, Any] = {
    "calls_a_minute": 100,
    "breaker_failures": 3,
    "recovery_seconds": 5,
    "price_seconds": 2,
    "quote_seconds": 3,
    "bars_seconds": 4,
    "keep_seconds": 6,
    "attempts": 2,
    "silence_seconds": 7,
    "stream": ["prints", "1m"],
    "timeout_seconds": 8,
}


def bot(folder: Path, market: dict[str, Any], account: dict[str, Any] | None = None, **more: Any) -> Path:
    """Write a bot.yaml whose accounts stand last."""
    said = {
        "book": {"url": str(folder / "desk.db")},
        "strategies": {"trend": {"use": "trend", "instruments": ["BTC/USD"]}},
        "instruments": {"AAPL": {"kind": "equity", "quote": "USD"}},
        "market": market,
        "accounts": {"paper": {"currency": "USD", "opening": 1000} | (account or {})},
    }
    path = folder / "bot.yaml"
    path.write_text(yaml.safe_dump(said | more, sort_keys=False))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(BadConfig) as caught:
        load_bot(path)
    told = str(caught.value)
    place = told.removeprefix(f"{path}:").partition(":")[0]
    assert place.isdecimal(), told
    return path.read_text().splitlines()[int(place) - 1] + " | " + told


def rules(folder: Path, account: dict[str, Any]) -> PaperRules:
    return load_bot(bot(folder, CCXT, account)).accounts["paper"].rules


# ---- market ----


@pytest.mark.parametrize("market", [CCXT, ALPACA])
def test_a_market_takes_the_keys_of_the_configuration(tmp_path: Path, market: dict[str, Any]) -> None:
    bot_config = load_bot(bot(tmp_path, market | WAITS))
    assert {name: bot_config.market.options[name] for name in WAITS} == WAITS | {"stream": ("prints", "1m")}


def test_no_key_of_the_configuration_is_unknown_to_a_bot() -> None:
    own = {"source", "exchange", "files", "key", "secret", "feed", "base_url", "stream_url", "options", "bars_file"}
    assert {name.partition(".")[2] for name in MARKET} == own | set(WAITS)


def test_they_reach_the_source(tmp_path: Path) -> None:
    config = load_bot(bot(tmp_path, CCXT | WAITS))
    source = source_of(config, {})
    assert isinstance(source, Remote)
    try:
        for _ in range(WAITS["breaker_failures"]):
            with pytest.raises(onebook.SourceError), source.circuits.find("kraken").attempt():
                raise onebook.SourceError("no answer")
        (status,) = source.circuits.status().values()
        assert (status.state, status.failures) == ("open", 3)
        assert 0 < status.retry_seconds <= 5
    finally:
        source.close()


@pytest.mark.parametrize(
    ("market", "line", "says"),
    [
        (CCXT | {"calls_a_minutes": 1}, "calls_a_minutes: 1", "did you mean calls_a_minute?"),
        (CCXT | {"calls_a_minute": 0}, "calls_a_minute: 0", "is not a whole number between 1 and"),
        (CCXT | {"breaker_failures": "many"}, "breaker_failures: many", "is not a whole number"),
        (CCXT | {"price_seconds": -1}, "price_seconds: -1", "is not a number of seconds"),
        (CCXT | {"stream": ["7x"]}, "stream:", "'7x' is not a length of bars"),
        (CCXT | {"base_url": "kraken"}, "base_url: kraken", "is no address such as http"),
        (CCXT | {"feed": "iex"}, "feed: iex", "goes with source alpaca, not with ccxt"),
        (ALPACA | {"exchange": "kraken"}, "exchange: kraken", "goes with source ccxt, not with alpaca"),
        (ALPACA | {"feed": "otc"}, "feed: otc", "is none of iex, sip"),
        (CCXT | {"options": {"apiKey": "x"}}, "options:", "is a secret"),
        (CCXT | {"key": "PK1"}, "key: PK1", "name its variable with key_from"),
        (CCXT | {"bars_file": "a.db"}, "bars_file: a.db", "bars_file: unknown"),
        ({"source": "files", "files": "a.csv", "attempts": 2}, "attempts: 2", "goes with source ccxt or alpaca"),
    ],
)
def test_what_a_market_cannot_be_is_told_with_its_line(
    tmp_path: Path, market: dict[str, Any], line: str, says: str
) -> None:
    told = refusal(bot(tmp_path, market))
    assert line in told.partition(" | ")[0]
    assert says in told


def test_an_exchange_may_have_keys_in_the_environment(tmp_path: Path) -> None:
    config = load_bot(bot(tmp_path, CCXT | {"key_from": "DESK_KEY", "secret_from": "DESK_SECRET"}))
    with pytest.raises(BadConfig, match="the environment has no DESK_SECRET"):
        source_of(config, {"DESK_KEY": "k"})
    source_of(config, {"DESK_KEY": "k", "DESK_SECRET": "s"}).close()


# ---- accounts ----


def test_all_of_a_paper_venue_can_be_said(tmp_path: Path) -> None:
    made = rules(
        tmp_path,
        {
            "fees": {"taker_ratio": 0.001, "least": 1, "most": 5},
            "fees_of": {"equity": {"per_unit": 0.005}, "BTC/USD": {"maker_ratio": 0.0001}},
            "margin_of": {"equity": {"short": False}, "BTC/USD": {"initial_ratio": 0.5, "maintenance_ratio": 0.25}},
            "funding": {"BTC/USD": {"2026-03-02T16:00Z": -0.0001, "2026-03-02T08:00Z": 0.0002}},
        },
    )
    assert made.fees == Fees(taker_ratio=Decimal("0.001"), least=Decimal(1), most=Decimal(5))
    assert made.fees_of == {
        "equity": Fees(per_unit=Decimal("0.005")),
        "BTC/USD": Fees(maker_ratio=Decimal("0.0001")),
    }
    assert made.margin_of == {
        "equity": Margin(short=False),
        "BTC/USD": Margin(initial_ratio=Decimal("0.5"), maintenance_ratio=Decimal("0.25")),
    }
    paid = [("2026-03-02T08:00Z", "0.0002"), ("2026-03-02T16:00Z", "-0.0001")]
    assert made.funding == {"BTC/USD": tuple((times.from_text("t", at), Decimal(rate)) for at, rate in paid)}


@pytest.mark.parametrize(
    ("said", "model"),
    [
        ({}, None),
        ({"slippage_bps": 2}, FixedBps(bps=Decimal(2))),
        ({"slippage_bps": 0}, FixedBps(bps=Decimal(0))),
        ({"slippage": {"bps": 2}}, FixedBps(bps=Decimal(2))),
        ({"slippage": {"spread": 0.02}}, HalfSpread(spread=Decimal("0.02"))),
        ({"slippage": {"impact": 0.3, "most": 0.5}}, VolumeShare(impact=Decimal("0.3"), most=Decimal("0.5"))),
        (
            {"slippage": {"spread": 0.02}, "rules": {"random_ratio": 0.5}},
            HalfSpread(spread=Decimal("0.02"), random_ratio=Decimal("0.5")),
        ),
        (
            {"slippage": {"impact": 0.3}, "rules": {"random_ratio": 1}},
            VolumeShare(impact=Decimal("0.3"), random_ratio=Decimal(1)),
        ),
    ],
)
def test_every_model_of_slippage_can_be_said(tmp_path: Path, said: dict[str, Any], model: Any) -> None:
    assert rules(tmp_path, said).matching.slippage == (model or PaperRules().matching.slippage)


@pytest.mark.parametrize(
    ("account", "line", "says"),
    [
        ({"rules": {"random_ratio": 0.5}}, "random_ratio: 0.5", "takes a part of the slippage off, and there is none"),
        ({"slippage_bps": 1, "rules": {"random_ratio": 2}}, "random_ratio: 2", "is not between 0 and 1"),
        ({"slippage_bps": 1, "slippage": {"bps": 1}}, "slippage:", "keep one"),
        ({"slippage": {"bps": 1, "spread": 1}}, "slippage:", "say one of bps, spread, or impact"),
        ({"slippage": {"bps": 1, "most": 1}}, "slippage:", "most goes with impact"),
        ({"slippage": {"spread": -1}}, "spread: -1", "is below 0"),
        ({"slippage": {"impact": 1, "most": 7}}, "most: 7", "is not between 0 and 1"),
        ({"slippage": {"spraed": 1}}, "spraed: 1", "did you mean spread?"),
        ({"fees": {"least": 3, "most": 2}}, "least: 3", "the second not below it"),
        ({"fees_of": {"equty": {"per_unit": 1}}}, "per_unit", "equty is no instrument of this file"),
        ({"fees_of": {"equity": {"takr_ratio": 1}}}, "takr_ratio: 1", "did you mean taker_ratio?"),
        ({"margin_of": {"equity": {"initial_ratio": 0}}}, "initial_ratio: 0", "must be above 0"),
        ({"margin_of": {"BTC/EUR": {"short": True}}}, "short", "BTC/EUR is no instrument of this file"),
        ({"funding": {"ETH/USD": {"2026-03-02T08:00Z": 1}}}, "2026-03-02", "ETH/USD is no instrument"),
        ({"funding": {"BTC/USD": {"noon": 1}}}, "noon: 1", "is not a time"),
        ({"funding": {"BTC/USD": {"2026-03-02T08:00Z": "x"}}}, "x", "2026-03-02T08:00Z"),
        (
            {"funding": {"BTC/USD": {"2026-03-02T08:00Z": 1, "2026-03-02T09:00+01:00": 1}}},
            "09:00+01:00",
            "two rates are of the moment",
        ),
    ],
)
def test_what_an_account_cannot_be_is_told_with_its_line(
    tmp_path: Path, account: dict[str, Any], line: str, says: str
) -> None:
    path = bot(tmp_path, CCXT, account)
    told = refusal(path)
    lines = path.read_text().splitlines()
    at = lines.index(told.partition(" | ")[0])
    assert any(line in near for near in lines[at : at + 2]), told
    assert says in told


def test_margin_and_short_selling_of_the_file_hold_in_the_run(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from onebook.trading.runner import Strategy\n"
        "class Short(Strategy):\n"
        "    timeframe = '1m'\n"
        "    def on_bar(self, ctx, bar):\n"
        "        if not ctx.position(bar.instrument) and not ctx.open_orders():\n"
        "            ctx.sell(bar.instrument, 1)\n"
    )
    bars = [f"2024-03-04T15:{minute:02d}:00Z,10,10,10,10,1000" for minute in range(5)]
    (tmp_path / "AAPL_1m.csv").write_text("\n".join(["timestamp,open,high,low,close,volume", *bars, ""]))
    hired = {"one": {"use": "mine.py:Short", "instruments": ["AAPL"], "timeframe": "1m"}}
    market = {"source": "files", "files": "AAPL_1m.csv"}
    for short, held in ((True, 1), (False, 0)):
        account = {"margin_of": {"equity": {"initial_ratio": 0.5, "short": short}}}
        path = bot(tmp_path, market, account, strategies=hired)
        url = str(tmp_path / f"{short}.db")
        assert run_bot(path, onebook.open, book_url=url) == 0
        with onebook.open(url) as book:
            assert len(book.positions()) == held
            if not held:
                assert {order.status for order in book.orders()} == {"rejected"}


def test_when_a_missing_fill_is_a_break_is_read(tmp_path: Path) -> None:
    def after(**more: Any) -> float:
        made: BotConfig = load_bot(bot(tmp_path, CCXT, **more))
        return made.break_after_seconds

    assert [after(), after(alerts={"break_after_seconds": 5})] == [60, 5]
    told = refusal(bot(tmp_path, CCXT, alerts={"break_after": 5}))
    assert "did you mean break_after_seconds?" in told
