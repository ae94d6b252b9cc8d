"""``/v1/marks/history``: kept marks one by one, thinned, by pages, and bars in their place where there are any."""

from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from tests.http.conftest import Served

import onebook
from onebook import Fill
from onebook.domain import times
from onebook.domain.market import Bar
from onebook.http import price_history
from onebook.market.bars import BarStore

BEGIN = times.from_text("", "2026-03-02T00:00:00Z")
SPAN = {"instrument": "AAPL", "since": "2026-03-02T00:00:00Z", "until": "2026-03-04T00:00:00Z"}


def ask(client: httpx.Client, **given: Any) -> dict[str, Any]:
    answer = client.get("/v1/marks/history", params=SPAN | given)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def every_page(client: httpx.Client, **given: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    for _ in range(1000):
        page = ask(client, **given, **after)
        rows += page["items"]
        if page["next_after"] is None:
            return rows
        after = {"after": page["next_after"]}
    raise AssertionError("the pages do not end")


def kept(served: Served, prices: list[tuple[int, str]]) -> None:
    """Keep prices of AAPL, which is held, at so many seconds after the beginning."""
    served.book.record(
        Fill(instrument="AAPL", side="buy", quantity="1", price="100", occurred_at="2026-03-01T00:00:00Z")
    )
    for seconds, price in prices:
        served.book.mark("AAPL", price, at=times.to_datetime(BEGIN + seconds * times.SECOND))
    served.book.share_marks()


def test_the_last_mark_of_each_minute_is_told(served: Served) -> None:
    kept(served, [(0, "100"), (30, "101"), (70, "102.50"), (3600, "99")])
    assert ask(served.client()) == {
        "items": [
            {"at": "2026-03-02T00:00:30Z", "price": "101"},
            {"at": "2026-03-02T00:01:10Z", "price": "102.5"},
            {"at": "2026-03-02T01:00:00Z", "price": "99"},
        ],
        "next_after": None,
        "source": "marks",
    }


def test_a_stretch_has_its_first_highest_lowest_and_last_price(served: Served) -> None:
    kept(served, [(0, "100"), (60, "103"), (120, "98"), (180, "101"), (300, "102"), (7200, "90")])
    found = ask(served.client(), every="5Min")["items"]
    assert found == [
        {"at": "2026-03-02T00:00:00Z", "open": "100", "high": "103", "low": "98", "close": "101"},
        {"at": "2026-03-02T00:05:00Z", **dict.fromkeys(("open", "high", "low", "close"), "102")},
        {"at": "2026-03-02T02:00:00Z", **dict.fromkeys(("open", "high", "low", "close"), "90")},
    ]
    day = {"at": "2026-03-02T00:00:00Z", "open": "100", "high": "103", "low": "90", "close": "90"}
    assert ask(served.client(), every="1d")["items"] == [day]


@pytest.mark.parametrize("every", [None, "1m", "5m", "1h"])
def test_pages_together_hold_what_one_answer_would(
    served: Served, every: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(1)
    moments = sorted(random.sample(range(40_000), 200))
    kept(served, [(at, str(random.randint(1, 99))) for at in moments])
    given = {} if every is None else {"every": every}
    client = served.client()
    whole = ask(client, **given, limit=1000)
    assert whole["next_after"] is None
    assert every_page(client, **given, limit=7) == whole["items"]
    monkeypatch.setattr(price_history, "MAX_SAMPLES", 20)
    monkeypatch.setattr(price_history, "_CHUNK", 3)
    assert every_page(client, **given, limit=8) == whole["items"]


def test_the_past_knows_no_later_price(served: Served) -> None:
    kept(served, [(0, "100"), (60, "101"), (120, "102")])
    found = ask(served.client(), as_of="2026-03-02T00:01:00Z")["items"]
    assert [row["price"] for row in found] == ["100", "101"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"every": "7m"}, "whole number"),
        ({"every": "soon"}, "timeframe"),
        ({"until": "2026-03-02T00:00:00Z"}, "empty"),
        ({"limit": "1001"}, "above 1000"),
        ({"after": "nonsense"}, "after"),
    ],
)
def test_what_cannot_be_is_refused(served: Served, given: dict[str, str], says: str) -> None:
    answer = served.client().get("/v1/marks/history", params=SPAN | given)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]


def bar(hour: int, price: str) -> Bar:
    opened = BEGIN + hour * 3600 * times.SECOND
    value = Decimal(price)
    return Bar(
        instrument="AAPL", timeframe="1h", opened_ns=opened, at_ns=opened + 3600 * times.SECOND, open=value,
        high=value + 1, low=value - 1, close=value, volume=Decimal(5),
    )  # fmt: skip


def test_bars_kept_beside_the_book_go_before_marks(serve: Any, tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    with onebook.open(str(path)) as book:
        served = serve(book)
        kept(served, [(0, "100")])
        client = served.client()
        assert ask(client, every="1h")["source"] == "marks"
        assert not Path(f"{path}.bars.db").exists()
        bars = BarStore(f"{path}.bars.db")
        bars.put([bar(hour, str(200 + hour)) for hour in range(5)])
        bars.close()
        found = ask(client, every="1h", limit=2, since="2026-03-02T01:00:00Z")
        assert (found["source"], found["next_after"]) == ("bars", "2026-03-02T03:00:00Z")
        assert found["items"][0] == {
            "at": "2026-03-02T01:00:00Z", "open": "201", "high": "202", "low": "200", "close": "201",
        }  # fmt: skip
        assert [row["open"] for row in every_page(client, every="60m", limit=2)] == ["200", "201", "202", "203", "204"]
        then = ask(client, every="1h", as_of="2026-03-02T02:59:00Z")
        assert [row["open"] for row in then["items"]] == ["200", "201"]
        assert (ask(client, every="5m")["source"], ask(client)["source"]) == ("marks", "marks")
        assert ask(client, every="1h", instrument="MSFT") == {"items": [], "next_after": None, "source": "marks"}
