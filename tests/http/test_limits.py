"""No caller takes more than a share: bodies, requests a minute, open requests."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.http.conftest import Serve, Served
from tests.http.streaming import until

from onebook import Fill
from onebook.http import heads, serving
from onebook.http.limits import CALLERS, Opened, Rates

FILL: dict[str, Any] = {"instrument": "AAPL", "side": "buy", "quantity": "1", "price": "10"}


def test_a_body_that_is_too_large_is_refused_before_it_is_read(serve: Serve) -> None:
    client = serve(config={"serve": {"body_bytes": 2000}}).client()
    answer = client.post("/v1/fills", content=b"[" + b" " * 2000 + b"]")
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert "2000" in answer.json()["detail"]
    assert client.post("/v1/fills", json=FILL).status_code == 201


def test_a_body_that_does_not_say_how_large_it_is_ends_at_the_limit(serve: Serve) -> None:
    served = serve(config={"serve": {"body_bytes": 2000}})

    def pieces() -> Iterator[bytes]:
        for _ in range(10):
            yield b" " * 1000

    try:
        answer = served.client().post("/v1/fills", content=pieces())
    except httpx.TransportError:  # the answer came before all was sent, and the connection went
        pass
    else:
        assert answer.status_code == 413, answer.text
    assert served.book.fills() == []
    assert served.client().get("/v1/status").status_code == 200


def test_requests_a_minute_are_counted_for_each_token(serve: Serve) -> None:
    served = serve(config={"serve": {"requests_a_minute": 30}})
    quick, other = served.client(served.token("viewer")), served.client(served.token("operator"))
    found = [quick.get("/v1/session") for _ in range(8)]
    assert [item.status_code for item in found][:5] == [200] * 5
    last = found[-1]
    assert last.status_code == 429
    assert int(last.headers["retry-after"]) >= 1
    assert last.json()["retryable"] is True
    assert other.get("/v1/session").status_code == 200, "another token has its own share"


def test_wrong_tokens_are_counted_for_where_they_come_from(serve: Serve) -> None:
    served = serve(config={"serve": {"requests_a_minute": 30}})
    served.token("viewer")
    found = [served.client(f"wrong{number}").get("/v1/session").status_code for number in range(8)]
    assert found[:5] == [401] * 5
    assert found[-1] == 429


def test_open_streams_are_counted_and_operators_get_through(serve: Serve) -> None:
    served = serve(config={"serve": {"connections": 4}})
    viewer, operator = served.token("viewer"), served.token("operator")
    with served.client(viewer).stream("GET", "/v1/events") as first, served.client(viewer).stream("GET", "/v1/events"):
        assert first.status_code == 200
        refused = served.client(viewer).get("/v1/session")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["retryable"] is True
        halted = served.client(operator).post("/v1/trading/halt", json={"reason": "a test"})
        assert halted.status_code == 200, "whoever may halt always gets through"


def test_a_stream_that_ended_leaves_its_place(serve: Serve) -> None:
    served = serve(config={"serve": {"connections": 4}})
    viewer = served.client(served.token("viewer"))
    for _ in range(6):
        with viewer.stream("GET", "/v1/events") as stream:
            assert stream.status_code == 200
        deadline = time.monotonic() + 20
        while served.service.opened.count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not served.service.opened.count


# ---- what a body may say ----


def test_a_body_that_is_nested_without_end_is_refused_in_words(serve: Serve) -> None:
    served = serve()
    raw = '{"a":' * 900 + "1" + "}" * 900
    answer = served.client().post("/v1/fills", content=json.dumps(FILL)[:-1] + f', "raw": {raw}}}')
    assert answer.status_code == 400, answer.text
    assert "nested more than" in answer.json()["detail"]
    assert "Traceback" not in served.log.getvalue()


@pytest.mark.parametrize("is_list", [False, True])
def test_a_fact_that_says_a_name_twice_is_refused(served: Served, is_list: bool) -> None:
    body = json.dumps(FILL)[:-1] + ', "side": "sell"}'
    answer = served.client().post("/v1/fills", content=f"[{json.dumps(FILL)}, {body}]" if is_list else body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"] == "side: stands there twice; give it once"
    assert served.book.fills() == []


# ---- the counting itself ----


class Seconds:
    """A clock that is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_was_not_used_may_be_asked_for_at_once_and_no_more() -> None:
    clock = Seconds()
    rates = Rates(60, clock)
    assert [rates.wait("a") for _ in range(10)] == [0.0] * 10
    assert rates.wait("a") == pytest.approx(1.0)
    assert rates.wait("b") == 0.0
    clock.now += 1
    assert rates.wait("a") == 0.0
    assert rates.wait("a") > 0
    clock.now += 3600
    assert [rates.wait("a") for _ in range(10)] == [0.0] * 10
    assert rates.wait("a") > 0


def test_none_means_any_number() -> None:
    rates = Rates(0, Seconds())
    assert not any(rates.wait("a") for _ in range(1000))


def test_callers_that_are_counted_have_a_limit() -> None:
    clock = Seconds()
    rates = Rates(60, clock)
    for number in range(CALLERS + 10):
        rates.wait(str(number))
    assert len(rates._left) == CALLERS


def test_places_of_operators_are_kept_free() -> None:
    opened = Opened(20)
    assert [opened.enter(is_operator=False) for _ in range(12)].count(True) == 10
    assert [opened.enter(is_operator=True) for _ in range(12)].count(True) == 10
    opened.leave()
    assert opened.count == 19
    assert opened.enter(is_operator=True)


def test_strangers_take_no_more_than_half_of_the_places() -> None:
    opened = Opened(100)
    assert [opened.enter(is_operator=False, is_stranger=True) for _ in range(80)].count(True) == 50
    assert opened.enter(is_operator=False)
    opened.leave(is_stranger=True)
    assert opened.enter(is_operator=False, is_stranger=True)
    assert not opened.enter(is_operator=False, is_stranger=True)


# ---- connections and bodies that do not come ----

HALF = b"POST /login HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.9\r\nContent-Length: 100\r\n\r\n{"


def held(served: Served, count: int, data: bytes, stack: contextlib.ExitStack) -> list[socket.socket]:
    """Open connections that say so much and no more."""
    host, port = served.url.removeprefix("http://").split(":")
    made = []
    for _ in range(count):
        link = stack.enter_context(socket.create_connection((host, int(port)), timeout=20))
        link.sendall(data)
        made.append(link)
    return made


@pytest.mark.parametrize("data", [b"", HALF], ids=["silent", "half a body"])
def test_connections_of_strangers_shut_nobody_out(serve: Serve, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "SPARE", 4)
    served = serve(config={"serve": {"connections": 12}})
    viewer, operator = served.token("viewer"), served.token("operator")
    with contextlib.ExitStack() as stack:
        held(served, 40, data, stack)
        until(lambda: served.service.opened.count == (6 if data else 0))
        answer = served.client().get("/health/live")
        assert (answer.status_code, answer.json()) == (200, {"status": "live"})
        assert served.client(operator).post("/v1/trading/halt", json={"reason": "a test"}).status_code == 200
        found = served.client(viewer).get("/v1/session")
        assert found.status_code == (503 if data else 200)
        if data:
            assert found.headers["content-type"] == "application/problem+json"
            assert found.json()["code"] == "TooManyConnections"


def test_connections_have_a_limit_and_the_one_that_waited_longest_goes(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 600.0)
    monkeypatch.setattr(serving, "SPARE", 2)
    served = serve(config={"serve": {"connections": 4}})
    with contextlib.ExitStack() as stack:
        first, *_ = held(served, 9, b"", stack)
        with contextlib.suppress(ConnectionError):
            assert first.recv(1) == b""


def test_a_body_that_comes_too_slowly_is_cut_and_leaves_its_place(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "BODY_SECONDS", 0.2)
    served = serve()
    answer = closed(served, HALF)
    assert answer.startswith(b"HTTP/1.1 408 "), answer
    assert b'"code": "RequestTimeout"' in answer
    until(lambda: not served.service.opened.count)


def test_a_large_body_that_comes_steadily_is_taken(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "BODY_SECONDS", 0.3)
    served = serve()
    body = json.dumps(FILL | {"note": "x" * 10_000}).encode()

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 2000):
            yield body[start : start + 2000]
            time.sleep(0.1)  # it is the time itself that is tested

    assert served.client().post("/v1/fills", content=pieces()).status_code == 201


# ---- heads of requests ----


def closed(served: Served, *pieces: bytes) -> bytes:
    """Send pieces, and return what came until the service closed the connection."""
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as link:
        parts = []
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                link.sendall(piece)
            while part := link.recv(65536):
                parts.append(part)
    return b"".join(parts)


def test_a_head_without_an_end_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 600.0)
    served = serve()
    endless = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 70_000
    many = b"GET /v1/status HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(10_000))
    for head in (endless, many):
        assert b"200 OK" not in closed(served, *(head[start : start + 10_000] for start in range(0, len(head), 10_000)))
    assert served.client().get("/v1/status").status_code == 200


def test_a_head_that_comes_too_slowly_ends_the_connection(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.2)
    served = serve()
    assert closed(served, b"GET /v1/status HTTP/1.1\r\nHos") == b""
    assert closed(served) == b""


def test_a_connection_may_rest_between_requests(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.2)
    served = serve()
    host, port = served.url.removeprefix("http://").split(":")
    asked = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as link:
        for _ in range(2):
            link.sendall(asked)
            assert link.recv(65536).startswith(b"HTTP/1.1 200")
            time.sleep(0.5)  # it is the rest itself that is tested
    with served.client().stream("GET", "/v1/events") as stream:
        time.sleep(0.5)
        served.book.record(Fill(**FILL))
        assert any("trade_executed" in line for line in stream.iter_lines())


def test_large_bodies_are_no_heads(served: Served) -> None:
    listed = [FILL | {"client_fill_id": str(number), "note": "x" * 1000} for number in range(300)]
    for _ in range(2):
        answer = served.client().post("/v1/fills", json=listed)
        assert answer.status_code == 200, answer.text
    assert len(served.book.fills()) == 300
