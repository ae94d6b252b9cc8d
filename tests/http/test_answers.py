"""Answers are made once while nothing changes, told apart by their bytes, and never older than what was recorded."""

import gzip
import threading
from typing import Any

import anyio
import httpx
import pytest

import onebook
from onebook import Fill
from onebook.http.answers import OVERHEAD, Answers
from onebook.testing import FakeClock


def fill(number: int = 0, **given: Any) -> Fill:
    return Fill(instrument="BTC/USDT", side="buy", quantity="1", price="60000", client_fill_id=f"f{number}", **given)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock("2024-06-03T12:00:00Z")


@pytest.fixture
def standing(serve: Any, clock: FakeClock, tmp_path: Any) -> Any:
    """A service whose book's clock stands, so that no second ends."""
    book = onebook.open(str(tmp_path / "standing.db"), clock=clock)
    yield serve(book)
    book.close()


def answers(served: Any) -> Answers:
    found: Answers = served.service.part("answers", lambda _: None)
    return found


def test_what_did_not_change_is_answered_once(standing: Any) -> None:
    client = standing.client()
    standing.book.record(fill())
    for _ in range(5):
        assert client.get("/v1/positions").json()["items"][0]["quantity"] == "1"
    assert (answers(standing).misses, answers(standing).hits) == (1, 4)


def test_what_was_recorded_is_read_at_once(standing: Any) -> None:
    client = standing.client()
    for number in range(20):
        client.post("/v1/fills", json={
            "instrument": "BTC/USDT", "side": "buy", "quantity": "1", "price": "1", "client_fill_id": str(number),
        })  # fmt: skip
        assert client.get("/v1/positions").json()["items"][0]["quantity"] == str(number + 1)


def test_what_another_process_recorded_is_read_soon(standing: Any) -> None:
    client = standing.client()
    assert client.get("/v1/fills").json()["items"] == []
    head = threading.Event()
    with onebook.open(standing.book.store.url) as other:
        other.record(fill())
    for _ in range(200):
        if client.get("/v1/fills").json()["items"]:
            head.set()
            break
        head.wait(0.05)
    assert head.is_set()


def test_a_mark_changes_what_it_values(standing: Any, clock: FakeClock) -> None:
    client = standing.client()
    standing.book.record(fill())
    for price in ("61000", "62000"):
        standing.book.mark("BTC/USDT", price)
        assert client.get("/v1/positions").json()["items"][0]["mark"] == price
    assert client.get("/v1/positions").json()["items"][0]["stale"] is False
    clock.advance(seconds=120)
    assert client.get("/v1/positions").json()["items"][0]["stale"] is True


def test_who_has_the_answer_is_told_so(standing: Any) -> None:
    client = standing.client()
    standing.book.record(fill())
    first = client.get("/v1/positions")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get("/v1/positions", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert "content-type" not in again.headers
    assert client.get("/v1/positions", headers={"If-None-Match": '"other"'}).status_code == 200
    standing.book.record(fill(1))
    assert client.get("/v1/positions", headers={"If-None-Match": tag}).status_code == 200


def test_a_tag_outlives_a_change_that_changes_nothing(standing: Any) -> None:
    client = standing.client()
    standing.book.record(fill())
    tag = client.get("/v1/positions").headers["etag"]
    standing.book.state.set("a", 1)
    assert client.get("/v1/positions", headers={"If-None-Match": tag}).status_code == 304


def test_answers_are_compressed_for_who_takes_them_so(standing: Any) -> None:
    client = standing.client()
    standing.book.record_many(fill(number) for number in range(20))
    plain = client.get("/v1/fills", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with client.stream("GET", "/v1/fills", headers={"Accept-Encoding": "br, gzip;q=0.8"}) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "accept-encoding"
    assert packed.headers["content-length"] == str(len(raw))
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content) / 5
    assert packed.headers["etag"] != plain.headers["etag"]
    refused = client.get("/v1/fills", headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in refused.headers


def test_problems_and_writes_are_not_kept(standing: Any) -> None:
    client = standing.client()
    for _ in range(2):
        assert client.get("/v1/positions/NOPE").status_code == 404
        assert client.get("/v1/verify").headers["cache-control"] == "no-store"
    assert answers(standing).hits == 0
    assert answers(standing).bytes == 0


def test_the_least_used_answers_go_when_there_are_too_many() -> None:
    with onebook.open(":memory:") as book:
        kept = Answers(book, families=frozenset({"x"}), max_bytes=8 * (OVERHEAD + 100))
        made: list[str] = []

        async def app(scope: Any, _receive: Any, send: Any) -> None:
            made.append(scope["path"])
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"x" * 50, "more_body": True})
            await send({"type": "http.response.body", "body": b"x" * 50})

        layer = kept.around(app)

        async def ask(path: str) -> None:
            async def send(_: Any) -> None:
                return

            scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
            await layer(scope, None, send)

        async def many() -> None:
            for number in range(100):
                await ask(f"/v1/x/{number}")
                await ask("/v1/x/0")

        anyio.run(many)
        assert made.count("/v1/x/0") <= 3  # a second may end in between
        assert kept.bytes <= 8 * (OVERHEAD + 100)
        kept.close()
        assert kept.bytes == 0


def test_who_asks_while_an_answer_is_made_waits_for_it() -> None:
    with onebook.open(":memory:", clock=FakeClock("2024-06-03T12:00:00Z")) as book:
        kept = Answers(book, families=frozenset({"x"}))
        made = 0
        bodies: list[bytes] = []

        async def many() -> None:
            asked = anyio.Event()

            async def app(_scope: Any, _receive: Any, send: Any) -> None:
                nonlocal made
                made += 1
                await asked.wait()
                headers = [(b"content-type", b"application/json")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": b"{}"})

            layer = kept.around(app)

            async def ask() -> None:
                async def send(message: Any) -> None:
                    if message["type"] == "http.response.body":
                        bodies.append(message["body"])

                scope = {"type": "http", "method": "GET", "path": "/v1/x", "query_string": b"", "headers": []}
                await layer(scope, None, send)

            async with anyio.create_task_group() as group:
                for _ in range(10):
                    group.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                asked.set()

        anyio.run(many)
        assert made == 1
        assert bodies == [b"{}"] * 10


def test_an_answer_that_is_too_large_goes_through_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onebook.http.answers.MAX_ONE", 100)
    with onebook.open(":memory:") as book:
        kept = Answers(book, families=frozenset({"x"}))
        got: list[Any] = []

        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            for last in (False, False, True):
                await send({"type": "http.response.body", "body": b"y" * 80, "more_body": not last})

        async def send(message: Any) -> None:
            got.append(message)

        async def ask() -> None:
            scope = {"type": "http", "method": "GET", "path": "/v1/x", "query_string": b"", "headers": []}
            await kept.around(app)(scope, None, send)

        anyio.run(ask)
        assert b"".join(message.get("body", b"") for message in got) == b"y" * 240
        assert [message.get("more_body", False) for message in got[1:]] == [True, False]
        assert kept.bytes == 0


def test_a_token_of_any_role_reads_the_same_bytes(standing: Any) -> None:
    standing.book.record(fill())
    tokens = {role: standing.token(role) for role in ("viewer", "operator", "bot")}
    found = {role: standing.client(token).get("/v1/positions").content for role, token in tokens.items()}
    assert len(set(found.values())) == 1
    refused: httpx.Response = standing.client("ob_wrong").get("/v1/positions")
    assert refused.status_code == 401
