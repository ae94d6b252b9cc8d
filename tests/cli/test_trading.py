"""Commands over trading: what may be sent, switches, limits, stops, breaks, orders in doubt, and running a bot."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli, Ran

import onebook
from onebook import Fill, Order

USAGE, REFUSED = 2, 3
BARS = "timestamp,open,high,low,close,volume\n"
BOT = """\
name: desk
book: {{url: {folder}/bot.db}}
accounts:
  paper: {{currency: USD, opening: 50000}}
instruments:
  AAPL: {{kind: equity, quote: USD, tick_size: 0.01, lot_size: 1}}
market: {{source: files, files: AAPL_1m.csv}}
strategies:
  waves: {{use: trend, instruments: [AAPL], timeframe: 1m, parameters: {{fast: 2, slow: 4}}}}
limits:
  all: {{max_daily_loss: 2000}}
"""


def opened(folder: Path) -> onebook.Book:
    """The book that the commands work on."""
    return onebook.open(folder / "book.db")


@pytest.fixture
def held(cli: Cli, tmp_path: Path) -> Cli:
    """Five AAPL of the strategy trend at a mark of 100, and limits."""
    words = "--instrument AAPL --side buy --quantity 5 --price 100 --client-fill-id 1 --strategy trend"
    assert cli("record", "fill", *words.split()).code == 0
    assert cli("mark", "AAPL", "100").code == 0
    with opened(tmp_path) as book:
        book.trading.limits.set(strategy="trend", max_position="8", max_daily_loss="500", flatten=True)
    return cli


def ordered(folder: Path, name: str, **more: Any) -> None:
    with opened(folder) as book:
        book.trading.place(Order(instrument="AAPL", side="buy", quantity=1, client_order_id=name, **more))


def said(ran: Ran, *words: str, code: int = USAGE) -> None:
    """A command failed as it should: the words are in what it said, and nothing stands in the answer."""
    assert ran.code == code, ran
    for word in words:
        assert word in ran.err, ran.err
    assert not ran.out, ran.out


# ---- gate ----


def test_gate_says_what_may_be_sent(held: Cli, tmp_path: Path) -> None:
    wish = {"instrument": "AAPL", "side": "buy", "quantity": "3", "strategy": "trend"}
    (tmp_path / "order.json").write_text(json.dumps(wish))
    ran = held("gate", "order.json")
    assert (ran.code, ran.out) == (0, "approved: buy 3 AAPL\n")
    assert held("--json", "gate", "order.json").json == {"approved": True, "quantity": "3"}
    too_much = json.dumps(wish | {"quantity": "4"})
    ran = held("gate", "-", stdin=too_much)
    assert ran.code == REFUSED
    assert ran.out.startswith("refused, max_position: the units of AAPL held of trend would be 9, the limit is 8")
    ran = held("gate", "-", "--json", stdin=too_much)
    answer = json.loads(ran.out)
    assert (ran.code, answer["approved"], answer["reason"]) == (REFUSED, False, "max_position")
    assert answer["figures"]["max_position"] == "8"
    with opened(tmp_path) as book:
        assert not book.orders()


def test_gate_caps_an_exit_to_what_is_held(held: Cli) -> None:
    wish = {"instrument": "AAPL", "side": "sell", "quantity": "9", "strategy": "trend", "reduce_only": True}
    assert held("gate", "-", stdin=json.dumps(wish)).out == "approved: sell 5 AAPL\n"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "not JSON"),
        ("[]", "as an object"),
        ('{"instrument": "AAPL"}', "side"),
        ('{"instrument": "AAPL", "side": "up", "quantity": 1}', "side"),
        ('{"instrument": "AAPL", "side": "buy", "quantity": 1, "kind": "limit"}', "limit_price"),
        ('{"instrument": "AAPL", "side": "buy", "quantity": 1, "size": 1}', "size"),
    ],
)
def test_gate_tells_what_is_wrong_with_an_order(held: Cli, text: str, word: str) -> None:
    ran = held("gate", "-", stdin=text)
    assert ran.code in {2, 3}
    assert word in ran.err
    assert not ran.out


def test_gate_without_a_file(held: Cli) -> None:
    said(held("gate", "nowhere.json"), "nowhere.json")
    said(held("gate"), "ORDER.json")


# ---- limits, stops ----


def test_limits_lists_what_is_in_force(cli: Cli, held: Cli) -> None:
    ran = held("limits")
    assert [word in ran.out for word in ("trend", "500", "8", "Daily loss")] == [True] * 4
    (row,) = held("limits", "--json").json
    assert (row["strategy"], row["max_position"], row["max_daily_loss"], row["flatten"]) == ("trend", "8", "500", True)
    with onebook.open() as book:
        book.trading.limits.clear(strategy="trend")
    assert "no limits" in "".join(cli("limits")[1:])
    assert cli("limits", "--json").json == []
    said(cli("limits", "--strategy", "trend"), "--strategy")


def test_stops_lists_those_at_work_or_all(held: Cli, tmp_path: Path) -> None:
    assert "no stops" in "".join(held("stops")[1:])
    with opened(tmp_path) as book:
        book.trading.protect("AAPL", strategy="trend", stop_loss="95", trail_ratio="0.02")
    ran = held("stops")
    assert all(word in ran.out for word in ("AAPL", "95", "trend", "notify"))
    (row,) = held("stops", "--json").json
    assert (row["stop_loss"], row["trail_ratio"], row["status"]) == ("95", "0.02", "active")
    with opened(tmp_path) as book:
        book.trading.unprotect("AAPL", strategy="trend")
    assert held("stops", "--json").json == []
    (row,) = held("stops", "--all", "--json").json
    assert row["status"] == "removed"


# ---- breaks ----


def test_breaks_are_listed_and_settled(held: Cli, tmp_path: Path) -> None:
    assert "no open breaks" in "".join(held("breaks")[1:])
    with opened(tmp_path) as book:
        for price in (100, 101):  # the same fill, told differently
            book.record(Fill(instrument="AAPL", side="buy", quantity=1, price=price, venue="v", venue_fill_id="1"))
        (found,) = book.breaks(state="open")
    assert "AAPL" in held("breaks").out
    (row,) = held("breaks", "--json").json
    assert (row["id"], row["state"]) == (found.id, "open")
    said(held("breaks", "resolve", found.id), "--reason")
    said(held("breaks", "resolve", "nothing", "--reason", "seen"), "nothing")
    ran = held("breaks", "resolve", found.id, "--reason", "seen")
    assert (ran.code, ran.out) == (0, f"{found.id} of AAPL is resolved\n")
    assert held("breaks", "--json").json == []
    (row,) = held("breaks", "--all", "--json").json
    assert row["state"] == "resolved"


# ---- the switches ----


@pytest.mark.parametrize(("deed", "state"), [("halt", "HALTED"), ("reduce", "REDUCING")])
def test_a_switch_of_the_book_and_back(held: Cli, tmp_path: Path, deed: str, state: str) -> None:
    ran = held(deed, "--reason", "odd")
    assert (ran.code, ran.out, ran.err) == (0, f"trading of the book is {state}\n", "")
    with opened(tmp_path) as book:
        assert book.trading.state == state
    answer = held("--json", "resume", "--reason", "well").json
    assert answer == {"state": "ACTIVE", "account": "", "strategy": "", "reason": "well"}
    assert held(deed, "--reason", "x", "--account", "main", "--strategy", "trend").out == (
        f"trading of main trend is {state}\n"
    )


@pytest.mark.parametrize("deed", ["halt", "reduce", "resume", "flatten"])
def test_every_switch_wants_a_reason(held: Cli, deed: str) -> None:
    said(held(deed), "--reason")
    said(held(deed, "--reason", " "), "reason")
    said(held(deed, "--reason", "x", "--acount", "main"), "--acount")


@pytest.mark.parametrize("deed", ["halt", "reduce", "resume"])
def test_a_name_that_the_book_never_saw_is_warned_of_and_counts(held: Cli, tmp_path: Path, deed: str) -> None:
    ran = held(deed, "--reason", "x", "--strategy", "trned")
    assert ran.code == 0
    assert ran.err.startswith("warning: the book knows no strategy 'trned'; did you mean 'trend'?")
    answer = held(deed, "--reason", "x", "--account", "binance", "--json").json
    assert answer["warnings"] == ["the book knows no account 'binance'"]
    if deed != "resume":
        with opened(tmp_path) as book:
            assert book.trading.state_of("main", "trned") == answer["state"]
        assert held("resume", "--reason", "x", "--strategy", "trned").err == ""


def test_names_that_the_book_has_seen_in_any_way_are_no_mistakes(held: Cli, tmp_path: Path) -> None:
    ordered(tmp_path, "o1", account="other", strategy="grid")
    with opened(tmp_path) as book:
        book.record(onebook.Account(name="defined", currency="USD"))
        book.record(onebook.Signal(instrument="AAPL", action="buy", strategy="scout", signal_id="s1", account="scouts"))
        book.trading.limits.set(account="limited", strategy="bound", max_orders=1, per_seconds=1)
        book.heartbeat("alive", 60)
    for account in ("main", "other", "defined", "scouts", "limited"):
        assert held("halt", "--reason", "x", "--account", account).err == "", account
    for strategy in ("trend", "grid", "scout", "bound", "alive"):
        assert held("halt", "--reason", "x", "--strategy", strategy).err == "", strategy


# ---- flatten ----


def test_flatten_closes_what_is_held(held: Cli) -> None:
    held("halt", "--reason", "odd")
    ran = held("flatten", "--reason", "out", "--strategy", "trend")
    assert ran.code == 0
    assert all(word in ran.out for word in ("AAPL", "sell", "5", "approved"))
    assert "who holds the account's broker sends them" in ran.err
    ran = held("flatten", "--reason", "out")
    assert (ran.code, "under way already" in "".join(ran[1:])) == (0, True)


def test_flatten_as_json(held: Cli) -> None:
    held("mark", "MSFT", "100")
    (row,) = held("flatten", "--reason", "out", "--json").json
    assert (row["instrument"], row["side"], row["quantity"], row["answer"]) == ("AAPL", "sell", "5", "approved")
    assert held("flatten", "--reason", "out", "--instrument", "MSFT", "--json").json == []


def test_flatten_of_a_name_that_the_book_never_saw_is_refused(held: Cli) -> None:
    said(held("flatten", "--reason", "x", "--strategy", "tren"), "no strategy 'tren'; did you mean 'trend'?")
    said(held("flatten", "--reason", "x", "--account", "binance"), "the book knows no account 'binance'")
    ran = held("flatten", "--reason", "x", "--account", "mian", "--json")
    assert ran.code == USAGE
    assert json.loads(ran.err)["message"] == "the book knows no account 'mian'; did you mean 'main'?"
    said(held("flatten", "--reason", "x", "--instrument", "APPL"), "no instrument 'APPL'; did you mean 'AAPL'?")
    assert held("halt", "--reason", "x", "--strategy", "tren").code == 0
    said(held("flatten", "--reason", "x", "--strategy", "tren"), "no strategy 'tren'; did you mean 'trend'?")
    held("mark", "MSFT", "100")
    assert "nothing is held" in "".join(held("flatten", "--reason", "x", "--instrument", "MSFT")[1:])


# ---- orders settle ----


def test_an_order_whose_fate_nobody_knows_is_settled(held: Cli, tmp_path: Path) -> None:
    for name in ("o1", "o2"):
        ordered(tmp_path, name)
    said(held("orders", "settle", "o1", "--as", "canceled"), "--reason")
    said(held("orders", "settle", "o1", "--as", "filled", "--reason", "x"), "filled")
    said(held("orders", "settle", "o9", "--as", "canceled", "--reason", "x"), "o9")
    said(held("orders", "settle", "o1", "--as", "canceled", "--reason", "x", "--account", "other"), "o1")
    ran = held("orders", "settle", "o1", "--as", "canceled", "--reason", "seen on the website")
    assert (ran.code, ran.out) == (0, "order o1 is canceled\n")
    answer = held("orders", "settle", "o2", "--as", "new", "--reason", "it stands there", "--json").json
    assert answer == {"client_order_id": "o2", "account": "main", "status": "new"}
    said(held("orders", "settle", "o1", "--as", "new", "--reason", "x"), "canceled already", code=REFUSED)


# ---- run ----


@pytest.fixture
def bot(tmp_path: Path) -> str:
    prices = [100 + abs(number % 12 - 6) for number in range(60)]
    rows = [
        f"2026-03-02T15:{number:02}:00Z,{price},{price + 1},{price - 1},{price},500\n"
        for number, price in enumerate(prices)
    ]
    (tmp_path / "AAPL_1m.csv").write_text(BARS + "".join(rows))
    (tmp_path / "bot.yaml").write_text(BOT.format(folder=tmp_path))
    return "bot.yaml"


@pytest.fixture
def alone(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line without a book of its own: the bot's file names it."""
    monkeypatch.delenv("ONEBOOK_URL")
    return cli


def test_run_check_says_what_would_run_and_writes_nothing(alone: Cli, bot: str, tmp_path: Path) -> None:
    ran = alone("run", bot, "--check")
    assert ran.code == 0
    assert all(word in ran.out for word in ("desk", "waves (Trend): AAPL at 1m, account paper", "files, history"))
    answer = alone("run", bot, "--check", "--json").json
    assert (answer["bot"], answer["limits"], answer["end of day"]) == ("desk", "1", "none")
    assert not (tmp_path / "bot.db").exists()


def test_run_goes_over_history_and_goes_on_from_there(alone: Cli, bot: str, tmp_path: Path) -> None:
    ran = alone("run", bot, "--until", "2026-03-02T15:31:00Z")
    assert (ran.code, ran.out) == (0, "desk: 30 events\n")
    answer = alone("run", bot, "--json").json
    assert answer == {"bot": "desk", "events": 30, "last": "2026-03-02T16:00:00Z", "failed": False}
    with onebook.open(tmp_path / "bot.db") as book:
        assert book.fills(strategy="waves")
        assert book.verify().ok


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("--until", "soon"), "--until"),
        (("--since", "2026-13-01"), "--since"),
        (("--speed", "fast"), "--speed"),
        (("--speed", "-1"), "--speed"),
        (("--speed", "1e12"), "too fast"),
        (("--sped", "1"), "--sped"),
    ],
)
def test_run_tells_what_is_wrong_with_an_option(alone: Cli, bot: str, words: tuple[str, ...], word: str) -> None:
    said(alone("run", bot, *words), word)


def test_run_tells_what_is_wrong_with_the_file(alone: Cli, bot: str, tmp_path: Path) -> None:
    said(alone("run", "nowhere.yaml"), "nowhere.yaml")
    said(alone("run"), "BOT.yaml")
    path = tmp_path / bot
    path.write_text(path.read_text().replace("use: trend", "use: trendy"))
    for words in ((), ("--check",)):
        said(alone("run", bot, *words), "bot.yaml", "trendy")


# ---- tail ----


def test_tail_of_some_types_goes_back_as_far_as_it_must(held: Cli, tmp_path: Path) -> None:
    with opened(tmp_path) as book:
        for number in range(30):
            book.publish("desk.opened" if number < 25 else "desk.closed", {"number": number})
        for number in range(300):
            book.publish("noise", {"number": number})
    lines = held("tail", "--types", "desk.opened").out.splitlines()
    assert ["number 5" in lines[0], "number 24" in lines[-1], len(lines)] == [True, True, 20]
    found = [json.loads(line) for line in held("tail", "--types", "desk.closed", "--json").out.splitlines()]
    assert [event["data"]["number"] for event in found] == [25, 26, 27, 28, 29]
    assert len(held("tail", "--strategy", "trend").out.splitlines()) == len(
        held("tail", "--strategy", "trend", "--after", "0").out.splitlines()
    )
    assert len(held("tail").out.splitlines()) == 20
    assert "no events" in held("tail", "--types", "nothing.such").err
