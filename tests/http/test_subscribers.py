"""Durable subscribers over HTTP: what they put aside, page by page, and what an operator does about one."""

import time
from typing import Any

import httpx
import pytest
from tests.http.conftest import Served

import onebook
from onebook import Fill

NAMES = ("audit", "front/desk é")


def until(seen: Any) -> None:
    for _ in range(2000):
        if seen():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


@pytest.fixture
def failing(served: Served) -> Served:
    """A service of a book with two subscribers that cannot handle three fills, one that stands still."""
    for number in range(3):
        served.book.record(Fill(instrument="AAPL", side="buy", quantity="1", price="2", client_fill_id=str(number)))

    def full(_: onebook.Event) -> None:
        raise OSError("the disk is full")

    given: dict[str, Any] = {"types": "trade_executed", "start": "beginning", "attempts": 1}
    handles = [served.book.subscribe(name, full, **given) for name in NAMES]
    still = served.book.subscribe("still", full, **given, on_failure="halt")
    until(lambda: len(list(served.book.subscribers.dead_letters())) == 6 and still.state == "halted")
    for handle in (*handles, still):
        handle.close()
    return served


def anna(served: Served) -> httpx.Client:
    return served.client(served.token("operator", "anna"))


def letters(client: httpx.Client, **query: Any) -> list[tuple[str, str]]:
    """Every dead letter, page by page."""
    found, after = [], None
    while True:
        given = {**query, "limit": 2} | ({"after": after} if after else {})
        answer = client.get("/v1/subscribers/dead-letters", params=given)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= 2
        found += [(row["subscriber"], row["event_id"]) for row in page["items"]]
        after = page["next_after"]
        if after is None:
            return found


def test_dead_letters_are_listed_page_by_page(failing: Served) -> None:
    client = anna(failing)
    events = ["1.1", "2.1", "3.1"]
    assert letters(client) == [(name, event) for name in NAMES for event in events]
    assert letters(client, subscriber=NAMES[1]) == [(NAMES[1], event) for event in events]
    assert letters(client, subscriber="still") == []
    row = client.get("/v1/subscribers/dead-letters?limit=1").json()["items"][0]
    assert (row["type"], row["reason"], row["attempts"], row["retrying"]) == (
        "trade_executed", "OSError: the disk is full", 1, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "query", ["subscriber=nobody", "after=x", 'after=["audit"]', 'after=["audit","x"]', 'after=["a","1"]', "as_of=1"]
)
def test_what_is_no_place_or_no_subscriber_is_refused(failing: Served, query: str) -> None:
    assert anna(failing).get(f"/v1/subscribers/dead-letters?{query}").status_code == 400


def test_one_dead_letter_is_delivered_again_and_others_forgotten(failing: Served) -> None:
    client = anna(failing)
    done = client.post("/v1/subscribers/retry", json={"name": NAMES[1], "event_id": "2.1"})
    assert done.json() == {"name": NAMES[1], "retried": 1}
    assert [item.event_id for item in failing.book.subscribers.dead_letters(NAMES[1]) if item.retrying] == ["2.1"]
    assert client.post("/v1/subscribers/drop", json={"name": "audit", "event_id": "1.1"}).json()["dropped"] == 1
    assert client.post("/v1/subscribers/drop", json={"name": "audit"}).json()["dropped"] == 2
    assert letters(client, subscriber="audit") == []


def test_one_that_stands_still_goes_on_from_where_it_is_told(failing: Served) -> None:
    client = anna(failing)
    assert client.post("/v1/subscribers/skip", json={"name": "still"}).json() == {"name": "still", "skipped": True}
    states = {item.name: item.state for item in failing.book.subscribers()}
    assert states["still"] == "skipping"
    answer = client.post("/v1/subscribers/reset", json={"name": "still", "to": "2"})
    assert answer.json() == {"name": "still", "checkpoint": "2"}
    rows = {row["name"]: row for row in client.get("/v1/subscribers").json()["items"]}
    assert (rows["still"]["checkpoint"], rows["still"]["state"]) == ("2", "stopped")
    assert client.post("/v1/subscribers/remove", json={"name": "still"}).json() == {"name": "still", "removed": True}
    assert {row["name"] for row in client.get("/v1/subscribers").json()["items"]} == set(NAMES)


def test_every_deed_stands_in_the_log_with_who_did_it(failing: Served) -> None:
    client, before = anna(failing), failing.book.status().entries
    for deed, body in (
        ("retry", {"name": "audit", "event_id": "1.1"}),
        ("drop", {"name": "audit"}),
        ("skip", {"name": "still"}),
        ("reset", {"name": "still", "to": "now"}),
        ("remove", {"name": "still"}),
    ):
        assert client.post(f"/v1/subscribers/{deed}", json=body).status_code == 200
    found = list(failing.book.events(after=before, types="subscriber_changed"))
    assert {event.actor for event in found} == {"anna"}
    assert [event.data for event in found] == [
        {"subscriber": "audit", "deed": "retry", "event_id": "1.1", "count": 1},
        {"subscriber": "audit", "deed": "drop", "count": 3},
        {"subscriber": "still", "deed": "skip"},
        {"subscriber": "still", "deed": "reset", "to": "now"},
        {"subscriber": "still", "deed": "remove"},
    ]


@pytest.mark.parametrize(
    ("deed", "body"),
    [
        ("skip", {"name": "audit"}),
        ("skip", {"name": "nobody"}),
        ("retry", {"name": "audit", "event_id": "9.1"}),
        ("retry", {"name": "audit", "event_id": 1}),
        ("drop", {"name": "audit", "event_id": "1"}),
        ("reset", {"name": "audit"}),
        ("reset", {"name": "audit", "to": "99"}),
        ("remove", {"name": ""}),
        ("remove", {"name": "audit", "colour": "red"}),
        ("remove", []),
    ],
)
def test_a_deed_that_cannot_be_is_refused_and_noted_nowhere(failing: Served, deed: str, body: Any) -> None:
    client, before = anna(failing), failing.book.status().entries
    assert client.post(f"/v1/subscribers/{deed}", json=body).status_code == 400
    assert failing.book.status().entries == before


def test_only_an_operator_acts(failing: Served) -> None:
    for role in ("viewer", "accountant", "bot"):
        client = failing.client(failing.token(role))
        assert client.get("/v1/subscribers/dead-letters").status_code == 200
        assert client.post("/v1/subscribers/drop", json={"name": "audit"}).status_code == 403
    assert len(list(failing.book.subscribers.dead_letters("audit"))) == 3
