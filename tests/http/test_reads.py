"""What is read over HTTP is what the command line prints, page by page, now and as of then."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from onebook import CashMovement, Fill, FundingPayment, Instrument, Order, Rate, Signal, Transfer
from onebook.cli import main
from onebook.domain import times

ACCOUNT = {"account": "main", "venue": "binance"}


def at(hour: int, minute: int = 0) -> str:
    return f"2024-06-01T{hour:02d}:{minute:02d}:00Z"


def facts() -> Iterator[Any]:
    yield Instrument(symbol="BTC/USDT", tick_size="0.1", lot_size="0.001")
    yield Rate(base="USDT", quote="USD", price="1", occurred_at=at(0))
    yield Transfer(transfer_id="t1", asset="USDT", amount="100000", to_account="main", occurred_at=at(0))
    yield Signal(
        signal_id="s1", instrument="BTC/USDT", action="buy", price="60000", strategy="trend", occurred_at=at(1)
    )  # fmt: skip
    for number in range(12):
        side = "buy" if number % 2 == 0 else "sell"
        yield Order(
            instrument="BTC/USDT", side=side, quantity="0.5", client_order_id=f"o{number}", strategy="trend",
            occurred_at=at(1, number),
        )  # fmt: skip
        yield Fill(
            instrument="BTC/USDT", side=side, quantity="0.5", price=str(60000 + number * 7), fee="1.5",
            client_fill_id=f"f{number}", client_order_id=f"o{number}", strategy="trend", signal_id="s1",
            occurred_at=at(2, number),
        )  # fmt: skip
    for number in range(5):  # all at one moment
        yield Fill(
            instrument=f"COIN{number}/USDT", side="buy", quantity="3", price="1.1", client_fill_id=f"c{number}",
            occurred_at=at(3),
        )  # fmt: skip
    yield FundingPayment(instrument="BTC/USDT:USDT", amount="-1.2", funding_id="p1", occurred_at=at(4))
    yield CashMovement(currency="USDT", amount="-3", kind="fee", movement_id="m1", occurred_at=at(5))


@pytest.fixture
def client(served: Any) -> httpx.Client:
    report = served.book.record_many(facts())
    assert not report.refused
    served.book.mark("COIN1/USDT", "2")
    served.book.share_marks()
    made: httpx.Client = served.client()
    return made


def printed(served: Any, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["--db", str(Path(served.book.store.url)), "--json", *words]) == 0
    return capsys.readouterr().out


def everything(client: httpx.Client, path: str, limit: int = 3, **query: Any) -> list[bytes]:
    """Return the bytes of every item, gathered page by page."""
    found: list[bytes] = []
    after: str | None = None
    for _ in range(200):
        given = query | {"limit": limit} | ({} if after is None else {"after": after})
        answer = client.get(path, params=given)
        assert answer.status_code == 200, answer.text
        lines = answer.content.splitlines()
        items = [line.removesuffix(b",") for line in lines[1:-1]]
        assert len(items) == len(answer.json()["items"]) <= limit
        found += items
        after = answer.json()["next_after"]
        if after is None:
            return found
    raise AssertionError(path)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("positions", ["positions"]),
        ("positions?is_open=all", ["positions", "--all"]),
        ("positions?instrument=COIN1/USDT", ["positions", "--instrument", "COIN1/USDT"]),
        ("fills", ["fills"]),
        ("fills?strategy=trend&since=2024-06-01T02:03:00Z", ["fills", "--strategy", "trend", "--since", at(2, 3)]),
        ("orders", ["orders"]),
        ("orders?is_open=false", ["orders", "--closed"]),
        ("signals", ["signals"]),
        ("round-trips", ["round-trips"]),
        ("round-trips?is_open=true", ["round-trips", "--open"]),
        ("balances", ["balances"]),
        ("pnl", ["pnl", "--total"]),
        ("pnl/daily", ["pnl"]),
        ("pnl/daily?currency=USD&zone=America/New_York", ["pnl", "--currency", "USD", "--zone", "America/New_York"]),
        ("journal", ["journal"]),
        ("journal?day=2024-06-01", ["journal", "--day", "2024-06-01"]),
        ("explain?instrument=BTC/USDT", ["explain", "BTC/USDT"]),
        ("explain/BTC/USDT?strategy=trend", ["explain", "BTC/USDT", "--strategy", "trend"]),
        ("breaks?state=open", ["breaks"]),
        ("limits", ["limits"]),
        ("fills?as_of=12", ["fills", "--as-of", "12"]),
        ("positions?as_of=30", ["positions", "--as-of", "30"]),
        ("positions?as_of=2024-06-01T02:04:30Z", ["positions", "--as-of", "2024-06-01T02:04:30Z"]),
        ("orders?as_of=2024-06-01T01:04:30Z&known=20", ["orders", "--as-of", "2024-06-01T01:04:30Z", "--known", "20"]),
        (
            "equity/curve?since=2024-06-01T00:00:00Z&until=2024-06-01T06:00:00Z&every=3600",
            ["equity", "--since", at(0), "--until", at(6), "--every", "3600"],
        ),
    ],
)  # fmt: skip
def test_every_item_of_a_list_has_the_bytes_that_the_command_line_prints(
    served: Any, client: httpx.Client, capsys: pytest.CaptureFixture[str], path: str, words: list[str]
) -> None:
    lines = printed(served, capsys, *words).splitlines()
    expected = [line.removesuffix(",").encode() for line in lines[1:-1]]
    url = httpx.URL(f"/v1/{path}")
    query = dict(url.params)
    assert everything(client, url.path, 3, **query) == expected
    assert everything(client, url.path, 1000, **query) == expected
    assert expected or path in {"breaks?state=open", "limits", "round-trips?is_open=true"}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("lots/BTC/USDT?method=fifo", ["lots", "BTC/USDT", "--method", "fifo"]),
        ("lots/BTC%2FUSDT", ["lots", "BTC/USDT"]),
        ("lots?instrument=COIN1/USDT", ["lots", "COIN1/USDT"]),
        ("equity", ["equity"]),
        ("equity?currency=USDT&as_of=30", ["equity", "--currency", "USDT", "--as-of", "30"]),
        ("status", ["status"]),
        ("verify", ["verify"]),
    ],
)
def test_one_object_is_what_the_command_line_prints(
    served: Any, client: httpx.Client, capsys: pytest.CaptureFixture[str], path: str, words: list[str]
) -> None:
    expected = json.loads(printed(served, capsys, *words))
    found = client.get(f"/v1/{path}")
    assert found.status_code == 200, found.text
    assert found.json() == expected


@pytest.mark.parametrize("name", ["BTC/USDT", "BTC%2FUSDT"])
def test_an_instrument_takes_the_rest_of_the_path_plain_or_encoded(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/v1/positions/{name}", params={"account": "main"})
    assert answer.status_code == 200
    assert answer.json()["instrument"] == "BTC/USDT"


@pytest.mark.parametrize("name", ["BTC/USDT:USDT", "BTC%2FUSDT%3AUSDT"])
def test_the_colon_of_a_contract_reaches_the_book(served: Any, client: httpx.Client, name: str) -> None:
    served.book.record(Fill(instrument="BTC/USDT:USDT", side="sell", quantity="2", price="60000"))
    assert client.get(f"/v1/positions/{name}").json()["quantity"] == "-2"
    assert client.get("/v1/positions", params={"instrument": "BTC/USDT:USDT"}).json()["items"][0]["quantity"] == "-2"


def test_what_was_never_held_is_not_there(client: httpx.Client) -> None:
    answer = client.get("/v1/positions/NOPE")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "NotFound"
    assert answer.json()["details"] == {"instrument": "NOPE", "account": "main"}


def test_pages_stay_as_they_were_at_the_first_one_while_facts_arrive(served: Any, client: httpx.Client) -> None:
    before = everything(client, "/v1/fills", 1000)
    after, seen = None, []
    for turn in range(100):
        answer = client.get("/v1/fills", params={"limit": 4} | ({} if after is None else {"after": after}))
        seen += [line.removesuffix(b",") for line in answer.content.splitlines()[1:-1]]
        served.book.record(  # late ones, at the time where the pages are
            Fill(
                instrument="BTC/USDT", side="buy", quantity="1", price="1", client_fill_id=f"late{turn}",
                occurred_at=at(2, turn),
            )
        )  # fmt: skip
        if turn == 1:
            served.book.bust("client|main|f7", reason="the venue took it back")
        after = answer.json()["next_after"]
        if after is None:
            break
    assert seen == before


def test_round_trips_are_paged_over_the_ended_and_the_open_ones(served: Any, client: httpx.Client) -> None:
    served.book.record_many(
        Fill(instrument=f"X{n}/USDT", side="buy", quantity="1", price="1", occurred_at=at(6)) for n in range(7)
    )
    whole = everything(client, "/v1/round-trips", 1000)
    assert everything(client, "/v1/round-trips", 2) == whole
    assert [json.loads(line)["is_open"] for line in whole] == [False] * 6 + [True] * 12


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("after=nowhere", "after"),
        ("after=999999:1:1:0", "after"),
        ("after=1:1:1:7", "after"),
        ("since=2024-06-01", "since"),
        ("known=3", "known"),
        ("as_of=soon", "as_of"),
        ("acount=main", "acount"),
        ("account=a&account=b", "account"),
        ("account=%00", "account"),
        ("account=%FF", "query"),
    ],
)
def test_a_malformed_question_says_which_parameter_is_wrong(client: httpx.Client, query: str, field: str) -> None:
    answer = client.get(f"/v1/fills?{query}")
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["details"]["field"] == field
    assert answer.json()["retryable"] is False


def test_a_point_beyond_the_log_is_refused(client: httpx.Client) -> None:
    answer = client.get("/v1/fills?as_of=99999")
    assert answer.status_code == 400
    assert "beyond" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["status", "verify", "subscribers", "protections"])
def test_what_tells_of_now_refuses_another_point(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/v1/{path}?as_of=3")
    assert answer.status_code == 400
    assert answer.json()["details"]["field"] == "as_of"


def test_the_log_is_read_page_by_page_by_event_id(served: Any, client: httpx.Client) -> None:
    found = everything(client, "/v1/events/history", 7, types="trade_*,position_closed")
    wanted = [event.id for event in served.book.events(types="trade_*,position_closed")]
    assert [json.loads(line)["id"] for line in found] == wanted


def test_marks_of_the_past_are_the_samples_of_then(served: Any, client: httpx.Client) -> None:
    assert [row["instrument"] for row in client.get("/v1/marks").json()["items"]] == ["COIN1/USDT"]
    assert client.get("/v1/marks?as_of=3").json()["items"] == []
    served.book.share_marks()
    later = client.get("/v1/marks", params={"as_of": "2999-01-01T00:00:00Z"}).json()["items"]
    assert [(row["instrument"], row["price"]) for row in later] == [("COIN1/USDT", "2")]


def plain(positions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Positions of the overview without what it says beside them."""
    return [{name: value for name, value in item.items() if name != "exposure"} for item in positions]


def test_the_overview_holds_what_the_lists_hold(client: httpx.Client) -> None:
    found = client.get("/v1/overview").json()
    assert plain(found["positions"]) == client.get("/v1/positions?limit=1000").json()["items"]
    assert found["orders"] == client.get("/v1/orders?is_open=true").json()["items"]
    assert found["equity"] == client.get("/v1/equity").json()
    assert found["sequence"] == found["status"]["entries"] == client.get("/v1/status").json()["entries"]
    assert [event["id"] for event in found["last_events"]][-1].startswith(f"{found['sequence']}.")
    assert len(found["last_events"]) == 50
    assert found["trading_state"] == {"state": "ACTIVE", "scopes": []}
    assert found["instruments"][0]["tick_size"] == "0.1"


def test_the_overview_of_the_past_is_of_then(served: Any, client: httpx.Client) -> None:
    served.book.trading.halt("enough", account="main")
    now = client.get("/v1/overview").json()
    assert now["trading_state"]["scopes"] == [{"account": "main", "strategy": "", "state": "HALTED"}]
    then = client.get("/v1/overview?as_of=10").json()
    assert then["sequence"] == 10
    assert plain(then["positions"]) == client.get("/v1/positions?as_of=10").json()["items"]
    assert then["equity"] == client.get("/v1/equity?as_of=10").json()
    assert then["trading_state"]["scopes"] == []
    assert then["last_events"][-1]["sequence"] == 10
    assert then["status"] is None


def test_the_overview_of_a_moment_tells_what_was_recorded_by_then(served: Any, client: httpx.Client) -> None:
    served.book.publish("bot.began", {})
    last, before = client.get("/v1/overview").json()["last_events"][-1], times.to_text(served.book.now())
    served.book.trading.halt("enough", account="main")
    then = client.get("/v1/overview", params={"as_of": before}).json()
    assert then["last_events"][-1] == last
    assert then["trading_state"]["scopes"] == []
    assert then["equity"] == client.get("/v1/equity", params={"as_of": before}).json()
    later = client.get("/v1/overview", params={"as_of": "2999-01-01T00:00:00Z"}).json()
    assert [event["type"] for event in later["last_events"]][-1] == "trading_state_changed"
    assert later["trading_state"]["scopes"] == [{"account": "main", "strategy": "", "state": "HALTED"}]
    known = client.get("/v1/overview", params={"as_of": "2999-01-01T00:00:00Z", "known": 10}).json()
    assert known["last_events"][-1]["sequence"] == 10
    assert client.get("/v1/overview", params={"as_of": at(3)}).json()["last_events"] == []


def test_today_is_told_by_strategy_at_any_point(served: Any, client: httpx.Client) -> None:
    for query in ({"as_of": at(2, 7)}, {"as_of": at(3)}, {"as_of": "22"}):
        then = client.get("/v1/overview", params=query).json()
        since = {"since": then["day"], **query}
        rows = client.get("/v1/pnl/daily", params=since).json()["items"]
        assert then["pnl_today"]["total"] == [
            {"currency": row["currency"], "net": row["net"]} for row in rows if row["day"] == then["day"]
        ]
        names = sorted(
            {row["strategy"] for row in client.get("/v1/positions", params={"is_open": "all", **query}).json()["items"]}
        )
        assert then["pnl_today"]["by_strategy"] == [
            {"strategy": name, "currency": row["currency"], "net": row["net"]}
            for name in names
            for row in client.get("/v1/pnl/daily", params={"strategy": name, **since}).json()["items"]
            if row["day"] == then["day"]
        ]
    assert client.get("/v1/overview", params={"as_of": at(3)}).json()["pnl_today"]["by_strategy"]


def test_limits_say_how_far_they_are_used(served: Any, client: httpx.Client) -> None:
    served.book.trading.limits.set(max_position="100", max_exposure="1000", max_daily_loss="500")
    served.book.mark("USDT/USD", "1")
    [found] = client.get("/v1/overview").json()["limits"]
    assert found["limits"]["max_exposure"] == "1000"
    assert found["used"]["max_position"] == "3"
    assert found["used"]["max_exposure"] == "6"
    assert "max_daily_loss" in found["used"]


def test_a_bot_that_was_heard_stands_in_the_overview(served: Any, client: httpx.Client) -> None:
    served.book.heartbeat("trend", 30)
    [found] = client.get("/v1/overview").json()["bots"]
    assert (found["strategy"], found["every_seconds"], found["is_silent"]) == ("trend", 30, False)
