"""bot.yaml: what it says is checked, and what is wrong is told with file and line."""

import textwrap
from decimal import Decimal
from pathlib import Path

import pytest

import onebook
from onebook.domain import times
from onebook.errors import BadConfig
from onebook.trading.examples import Trend
from onebook.trading.runner.bot import run_bot
from onebook.trading.runner.config import load_bot
from onebook.trading.runner.loading import find_strategy

BOT = """\
name: desk
book:
  url: {folder}/desk.db
accounts:
  paper:
    currency: USD
    opening: 50000
    slippage_bps: 1.5
    fees:
      taker_ratio: 0.0005
    rules:
      seed: 3
instruments:
  AAPL: {{kind: equity, quote: USD, tick_size: 0.01, lot_size: 1}}
market:
  source: files
  files: prices/AAPL_1m.csv
strategies:
  waves:
    use: trend
    instruments: [AAPL]
    timeframe: 5m
    parameters:
      fast: 2
      slow: 4
      stop_ratio: 0.01
    on_error: flatten
limits:
  all:
    max_daily_loss: 2000
    max_mark_age_seconds: 600
end_of_day:
  nightly:
    calendar: always
    minutes_before_close: 10
replay:
  since: 2024-03-04
  speed: 0
"""


def prices(folder: Path, minutes: int = 400) -> None:
    """A minute's bars that go up and down."""
    (folder / "prices").mkdir(exist_ok=True)
    lines = ["timestamp,open,high,low,close,volume"]
    begin = times.from_text("t", "2024-03-04T10:00:00Z")
    for number in range(minutes):
        wave = abs(number % 40 - 20)
        price = Decimal(100) + Decimal(wave) / 10
        at = times.to_text(begin + number * times.MINUTE)
        lines.append(f"{at},{price},{price + Decimal('0.2')},{price - Decimal('0.2')},{price},1000")
    (folder / "prices" / "AAPL_1m.csv").write_text("\n".join(lines) + "\n")


def written(folder: Path, text: str = BOT) -> Path:
    prices(folder)
    path = folder / "bot.yaml"
    path.write_text(textwrap.dedent(text).format(folder=folder))
    return path


def test_everything_in_it_is_read(tmp_path: Path) -> None:
    bot = load_bot(written(tmp_path))
    assert (bot.name, bot.book_url) == ("desk", f"{tmp_path}/desk.db")
    account = bot.accounts["paper"]
    assert (account.currency, account.opening, account.rules.seed) == ("USD", 50000, 3)
    assert account.rules.fees.taker_ratio == Decimal("0.0005")
    (hired,) = bot.strategies
    assert isinstance(hired.strategy, Trend)
    assert (hired.strategy.name, hired.strategy.timeframe, hired.on_error) == ("waves", "5m", "flatten")
    assert (hired.strategy.fast, hired.strategy.stop_ratio) == (2, Decimal("0.01"))
    assert bot.limits[0].max_daily_loss == 2000
    assert bot.end_of_day[0].minutes_before_close == 10
    assert bot.replay is not None
    assert bot.replay.since_ns == times.from_text("t", "2024-03-04T00:00:00Z")


@pytest.mark.parametrize(
    ("was", "becomes", "line", "says"),
    [
        ("name: desk", "nmae: desk", 1, "nmae: unknown; did you mean name?"),
        ("opening: 50000", "opening: much", 7, "opening"),
        ("  url:", "  ulr:", 3, "did you mean url?"),
        ("taker_ratio", "taker_ration", 10, "did you mean taker_ratio?"),
        ("seed: 3", "inside_bar: sometimes", 11, "inside_bar"),
        ("kind: equity", "kinds: equity", 14, "did you mean"),
        ("source: files", "source: tape", 16, "files, ccxt, alpaca"),
        ("AAPL_1m.csv", "AAPL_1d.csv", 16, "there is no file"),
        ("use: trend", "use: tend", 20, "did you mean trend?"),
        ("use: trend", "use: onebook.trading.examples:Trnd", 20, "did you mean Trend?"),
        ("use: trend", "use: mine.py:Mine", 20, "there is no file"),
        ("fast: 2", "fsat: 2", 23, "did you mean fast?"),
        ("fast: 2", "fast: 9", 23, "is not below slow"),
        ("fast: 2", "fast: two", 23, "not of the kind"),
        ("on_error: flatten", "on_error: weep", 27, "stop, flatten"),
        ("max_daily_loss", "max_dayly_loss", 30, "did you mean max_daily_loss?"),
        ("calendar: always", "calendar: XNOWHERE", 33, "calendar"),
        ("since: 2024-03-04", "since: yesterday", 37, "not a time"),
        ("    instruments: [AAPL]\n", "", 19, "instruments is missing"),
        ("    use: trend", "    account: cash\n    use: trend", 20, "there is no account 'cash'"),
        ("timeframe: 5m", "timeframe: 5x", 22, "'5x' is not a length of bars"),
        ("timeframe: 5m", "timeframe: 7m", 22, "not a whole number of '7m'"),
        ("opening: 50000", "opening: -1", 7, "below 0"),
        ("currency: USD", "currency: US D", 6, "has blanks in it"),
        ("slippage_bps: 1.5", "slippage_bps: 20000", 8, "the whole price or more"),
        ("slippage_bps: 1.5", "slippage_bps: -1", 8, "below 0"),
        ("taker_ratio: 0.0005", "taker_ratio: 7", 10, "taker_ratio"),
        ("seed: 3", "trail_step: -1", 12, "trail_step"),
        ("name: desk", "name: " + 300 * "n", 1, "longer than 200"),
        ("  waves:", "  " + 300 * "n" + ":", 19, "longer than 200"),
        ("name: desk", "name: desk\nsettings: {{zone: Mars/X}}", 2, "is not a time zone"),
        ("name: desk", "name: desk\nsettings: {{rolls_at: '25:00'}}", 2, "is not a time of day"),
        ("name: desk", "name: desk\nsettings: {{base_currency: U S}}", 2, "has blanks in it"),
        ("files: prices/AAPL_1m.csv", "files: {{path: prices/AAPL_1m.csv, zone: Mars/X}}", 17, "is not a time zone"),
        ("    max_daily_loss", "    account: cash\n    max_daily_loss", 30, "there is no account 'cash'"),
        ("    max_daily_loss", "    strategy: wave\n    max_daily_loss", 30, "there is no strategy 'wave'"),
        ("    calendar: always", "    accounts: [cash]\n    calendar: always", 33, "there is no account 'cash'"),
        ("    calendar: always", "    strategies: [wave]\n    calendar: always", 33, "there is no strategy 'wave'"),
        (
            "    calendar: always",
            "    instruments: ['*/USD']\n    calendar: always",
            33,
            "there is no instrument '*/USD'",
        ),
        ("    max_daily_loss: 2000", "    instrument: APPL", 30, "there is no instrument 'APPL'"),
        ("limits:", "limits:\n  one:\n    max_position: 5", 31, "limits.all: covers the same as limits.one"),
        (
            "files: prices/AAPL_1m.csv",
            "files: {{path: prices/AAPL_1m.csv, timeframe: 1}}",
            17,
            "timeframe: 1 is not text",
        ),
        ("files: prices/AAPL_1m.csv", "files: {{path: prices/AAPL_1m.csv, names: AAPL}}", 17, "is not a mapping"),
        ("  AAPL: {{kind: equity,", "  - {{kind: equity,", 14, "instruments[1]: symbol is missing"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, was: str, becomes: str, line: int, says: str) -> None:
    assert was in BOT
    path = written(tmp_path, BOT.replace(was, becomes, 1))
    with pytest.raises(BadConfig) as caught:
        load_bot(path)
    told = str(caught.value)
    assert says in told
    assert told.count(str(path)) == 1
    place = int(told.removeprefix(f"{path}:").split(":")[0])
    assert abs(place - line) <= 1, told


def test_a_strategy_is_found_by_name_module_and_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from onebook.trading.runner import Strategy\nclass Mine(Strategy):\n    timeframe = '5m'\n"
    )
    (tmp_path / "broken.py").write_text("1 / 0\n")
    assert find_strategy("trend") is Trend
    assert find_strategy("onebook.trading.examples.trend:Trend") is Trend
    assert find_strategy("mine.py:Mine", folder=tmp_path)("a").timeframe == "5m"
    for use, says in {
        "mine.py:Yours": "did you mean Mine|there are Mine",
        "broken.py:Mine": "ZeroDivisionError",
        "nowhere.at.all:Mine": "cannot be loaded",
        "onebook.trading.runner:parameter": "is no strategy",
    }.items():
        with pytest.raises(BadConfig, match=says):
            find_strategy(use, folder=tmp_path)


def test_it_runs_and_again_does_nothing_twice(tmp_path: Path) -> None:
    path = written(tmp_path)
    seen: list[int] = []
    assert run_bot(path, onebook.open, progress=lambda done, at_ns: seen.append(done)) == 0
    assert seen[-1] == 400
    with onebook.open(f"{tmp_path}/desk.db") as book:
        orders, entries = book.orders(), book.status().entries
        assert any(order.status == "filled" for order in orders)
        assert book.facts("limits")[0].max_daily_loss == 2000
        assert [event.data["reason"] for event in book.events(types="runner_stopped")] == ["end of the data"]
    assert run_bot(path, onebook.open) == 0
    with onebook.open(f"{tmp_path}/desk.db") as book:
        assert len(book.orders()) == len(orders)
        assert book.status().entries == entries + 2  # it started and stopped
        assert book.verify().ok


def test_a_second_stretch_goes_on_from_the_first(tmp_path: Path) -> None:
    path = written(tmp_path)
    half = times.from_text("t", "2024-03-04T13:00:00Z")
    assert run_bot(path, onebook.open, until=half, lease_seconds=0.001) == 0
    assert run_bot(path, onebook.open, lease_seconds=0.001) == 0
    whole = f"{tmp_path}/whole.db"
    assert run_bot(path, onebook.open, book_url=whole) == 0
    with onebook.open(f"{tmp_path}/desk.db") as pieces, onebook.open(whole) as once:
        assert [fill.fill for fill in pieces.fills()] == [fill.fill for fill in once.fills()]
        assert len(once.fills()) > 4


def test_a_source_that_shows_nothing_is_named_with_what_was_asked_of_it(tmp_path: Path) -> None:
    path = written(tmp_path, BOT.replace("instruments: [AAPL]", "instruments: [AMZN]"))
    with pytest.raises(BadConfig, match=r"files AAPL_1m\.csv shows nothing of AMZN"):
        run_bot(path, onebook.open)


def test_patterns_of_instruments_close_what_they_fit(tmp_path: Path) -> None:
    bot = load_bot(written(tmp_path, BOT.replace("calendar: always", "calendar: always\n    instruments: ['A*']")))
    assert bot.end_of_day[0].instruments == ("A*",)


def test_bars_that_can_never_end_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run_bot(written(tmp_path, BOT.replace("timeframe: 5m", "timeframe: 10s")), onebook.open) == 0
    assert "AAPL is shown as bars of 1m, which make none of 10s" in caplog.text
    caplog.clear()
    assert run_bot(written(tmp_path), onebook.open, book_url=f"{tmp_path}/other.db") == 0
    assert "on_bar" not in caplog.text


def test_the_step_of_trailing_stops_is_read(tmp_path: Path) -> None:
    bot = load_bot(written(tmp_path, BOT.replace("seed: 3", "trail_step: 0.25")))
    assert bot.accounts["paper"].rules.matching.trail_step == Decimal("0.25")
