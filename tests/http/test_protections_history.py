"""``/v1/protections/history``: every stop and target that stood, from when it was set until it was moved or ended."""

from typing import Any

import httpx
import pytest
from tests.http.conftest import Serve, Served

import onebook
from onebook import Fill
from onebook.testing import FakeClock

BEGIN = "2026-03-02T10:00:00Z"
PATH = "/v1/protections/history"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(BEGIN)


@pytest.fixture
def served(serve: Serve, clock: FakeClock) -> Any:
    with onebook.open(":memory:", clock=clock) as book:
        yield serve(book)


def ask(client: httpx.Client, **given: Any) -> dict[str, Any]:
    answer = client.get(PATH, params={"instrument": "AAPL"} | given)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def fill(served: Served, side: str, strategy: str = "trend") -> None:
    served.book.record(Fill(instrument="AAPL", side=side, quantity="1", price="100", strategy=strategy))


def lived(served: Served, clock: FakeClock) -> None:
    """A stop that is moved, ends with its position, is set again, and reached; each a minute after the other."""
    fill(served, "buy")
    for stop in ("90", "95"):
        served.book.trading.protect("AAPL", strategy="trend", stop_loss=stop, take_profit="120")
        clock.advance(60)
    fill(served, "sell")
    clock.advance(60)
    fill(served, "buy")
    served.book.trading.protect("AAPL", strategy="trend", stop_loss="91")
    clock.advance(60)
    served.book.mark("AAPL", "80")


def test_each_step_is_told_with_how_it_ended(served: Served, clock: FakeClock) -> None:
    lived(served, clock)
    found = ask(served.client())
    assert found["next_after"] is None
    shown = [
        (row["stop_loss"], row["take_profit"], row["began_at"][11:19], row["ended_at"][11:19], row["ended"])
        for row in found["items"]
    ]
    assert shown == [
        ("90", "120", "10:00:00", "10:01:00", "moved"),
        ("95", "120", "10:01:00", "10:02:00", "removed"),
        ("91", None, "10:03:00", "10:04:00", "triggered"),
    ]
    assert [row["triggered"] for row in found["items"]] == ["", "", "stop_loss"]


def test_pages_together_hold_what_one_answer_would(served: Served, clock: FakeClock) -> None:
    lived(served, clock)
    for strategy in ("grid", "trend|x", ""):
        fill(served, "buy", strategy)
        served.book.trading.protect("AAPL", strategy=strategy, stop_loss="70")
        served.book.trading.protect("AAPL", strategy=strategy, stop_loss="71")
    client = served.client()
    whole = ask(client)["items"]
    assert len(whole) == 9
    rows: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    for _ in range(20):
        page = ask(client, limit=2, **after)
        rows += page["items"]
        if page["next_after"] is None:
            break
        after = {"after": page["next_after"]}
    assert rows == whole
    assert [row["stop_loss"] for row in ask(client, strategy="trend|x")["items"]] == ["70", "71"]
    assert [row["stop_loss"] for row in ask(client, strategy="")["items"]] == ["70", "71"]


def test_a_span_holds_what_stood_in_it(served: Served, clock: FakeClock) -> None:
    lived(served, clock)
    client = served.client()

    def stops(**given: str) -> list[str]:
        return [row["stop_loss"] for row in ask(client, **given)["items"]]

    assert stops(since="2026-03-02T10:01:00Z") == ["95", "91"]
    assert stops(since="2026-03-02T10:00:30Z", until="2026-03-02T10:01:00Z") == ["90"]
    assert stops(since="2026-03-02T10:04:00Z") == []


def test_the_past_knows_of_no_later_step(served: Served, clock: FakeClock) -> None:
    lived(served, clock)
    client = served.client()
    for point in (2, "2026-03-02T10:00:30Z"):
        (row,) = ask(client, as_of=point)["items"]
        assert (row["stop_loss"], row["ended_at"], row["ended"]) == ("90", None, "")


def test_a_new_name_of_the_instrument_finds_its_older_steps(served: Served, clock: FakeClock) -> None:
    lived(served, clock)
    before = ask(served.client())["items"]
    served.book.record(
        onebook.CorporateAction(instrument="AAPL", kind="symbol_change", new_symbol="APPL", effective_on="2026-03-03")
    )
    found = ask(served.client(), instrument="APPL")["items"]
    assert [row["stop_loss"] for row in found] == [row["stop_loss"] for row in before]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"after": "nonsense"}, "after"),
        ({"after": '["main|MSFT||", 1]'}, "after"),
        ({"after": '["main|AAPL||", true]'}, "after"),
        ({"known": "1"}, "as_of"),
        ({"as_of": "99"}, "log ends"),
    ],
)
def test_what_cannot_be_is_refused(served: Served, given: dict[str, str], says: str) -> None:
    answer = served.client().get(PATH, params={"instrument": "AAPL"} | given)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]
