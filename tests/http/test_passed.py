"""A request that says again what was let in before gets the same, and one that says anything else is asked anew."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.http.conftest import Serve, Served

import onebook
from onebook import Token
from onebook.config import config_for
from onebook.domain import times
from onebook.http import passed
from onebook.http.auth import Caller
from onebook.http.passed import ASIDE, Passed, said_by
from onebook.http.secrets import digest_of
from onebook.http.service import make_service
from onebook.testing import FakeClock

READ = "/v1/positions"
OWN: Any = {
    "type": "http",
    "method": "GET",
    "path": READ,
    "scheme": "http",
    "server": ("127.0.0.1", 8321),
    "client": ("127.0.0.1", 5000),
    "headers": [(b"host", b"127.0.0.1:8321")],
}


def twice(client: httpx.Client) -> None:
    for _ in range(2):
        assert client.get(READ).status_code == 200


def test_a_token_that_is_revoked_between_two_requests_opens_nothing(served: Served) -> None:
    client = served.client(served.token("viewer", "maria"))
    twice(client)
    (token,) = served.book.facts("token")
    served.book.record(token.replaced(is_revoked=True))
    assert client.get(READ).status_code == 401


def test_a_token_that_ends_between_two_requests_opens_nothing(serve: Serve, tmp_path: Path) -> None:
    clock = FakeClock("2024-06-03T12:00:00Z")
    with onebook.open(tmp_path / "ends.db", clock=clock) as book:
        served = serve(book)
        ends = times.to_datetime(clock() + 10 * times.SECOND)
        client = served.client(served.token("viewer", "short", expires_at=ends))
        twice(client)
        clock.advance(9)
        twice(client)
        clock.advance(1)
        answer = client.get(READ)
        assert answer.status_code == 401
        assert "expired" in answer.json()["detail"]
        served.serving.stop()


def test_the_first_token_counts_for_who_was_let_in_without_one(served: Served) -> None:
    client = served.client()
    halt = {"reason": "a test"}
    for _ in range(2):
        assert client.post("/v1/trading/halt", json=halt).status_code == 200
    served.token("viewer")
    assert client.post("/v1/trading/halt", json=halt).status_code == 403
    twice(client)


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Host", "evil.example", 403),
        ("Origin", "http://evil.example", 403),
        ("Sec-Fetch-Site", "cross-site", 403),
        ("X-Forwarded-For", "192.0.2.1", 401),
        ("Authorization", "Bearer wrong", 401),
    ],
)
def test_what_else_a_request_says_is_looked_at(served: Served, name: str, value: str, status: int) -> None:
    client = served.client()
    twice(client)
    assert client.get(READ, headers={name: value}).status_code == status
    twice(client)


def test_a_page_must_prove_each_time_that_it_is_ours(served: Served) -> None:
    secret = served.token("operator")
    client = served.client()
    csrf = client.post("/login", json={"token": secret}).json()["csrf"]
    halt, proof = {"reason": "a test"}, {"X-Onebook-CSRF": csrf}
    for _ in range(2):
        assert client.post("/v1/trading/halt", json=halt, headers=proof).status_code == 200
    assert client.post("/v1/trading/halt", json=halt).status_code == 403
    assert client.post("/v1/trading/halt", json=halt, headers={"X-Onebook-CSRF": "x"}).status_code == 403


def test_who_may_read_may_not_write(served: Served) -> None:
    client = served.client(served.token("viewer"))
    twice(client)
    assert client.post("/v1/trading/halt", json={"reason": "a test"}).status_code == 403


def test_requests_that_pass_again_are_counted_all_the_same(serve: Serve) -> None:
    served = serve(config={"serve": {"requests_a_minute": 30}})
    client = served.client(served.token("viewer"))
    found = [client.get(READ).status_code for _ in range(8)]
    assert found[:5] == [200] * 5
    assert found[-1] == 429


# ---- what is kept ----


@pytest.mark.parametrize(
    "other",
    [
        {"method": "POST"},
        {"path": "/v1/orders"},
        {"scheme": "https"},
        {"server": ("127.0.0.1", 8322)},
        {"client": ("192.0.2.1", 5000)},
        {"headers": [*OWN["headers"], (b"host", b"evil.example")]},
        {"headers": [*OWN["headers"], (b"cookie", b"onebook_8321=x")]},
        {"headers": []},
    ],
)
def test_whatever_decides_makes_another_request(other: Any) -> None:
    assert said_by(OWN) == said_by({**OWN, "client": ("127.0.0.1", 6000)})
    assert said_by(OWN) != said_by(OWN | other)


def test_headers_that_decide_nothing_make_no_other_request() -> None:
    assert {b"host", b"origin", b"authorization", b"cookie", b"via", b"forwarded"}.isdisjoint(ASIDE)
    assert not any(name.startswith((b"sec-", b"x-onebook", b"x-forwarded")) for name in ASIDE)
    for name in ASIDE:
        assert said_by(OWN) == said_by({**OWN, "headers": [*OWN["headers"], (name, b"1")]})


def test_what_is_kept_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passed, "MOST", 3)
    with onebook.open(":memory:") as book:
        kept = Passed(make_service(book, config_for({})).access)
        maria = Caller(name="maria", role="viewer")
        for number in range(5):
            kept.keep(number, maria, "maria")
        assert [number for number in range(5) if kept.find(number) is not None] == [2, 3, 4]
        book.record(Token(name="new", role="viewer", digest=digest_of("x" * 43)))
        assert kept.find(4) is None
        assert kept.find(4) is None, "and it stays forgotten"
    assert said_by({**OWN, "headers": [(b"x-long", b"y" * 5000)]}) is None
