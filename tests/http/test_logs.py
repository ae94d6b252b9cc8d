"""The log of requests says who asked what, and no secret."""

import asyncio
import json
from io import StringIO
from typing import Any

import pytest
from tests.http.conftest import Serve, Served
from tests.http.streaming import until

from onebook.http import logs
from onebook.http.logs import RequestLog, Visit, shown_path, shown_query


def lines(served: Served, count: int = 1) -> list[dict[str, Any]]:
    """Return what was logged, when at least so many requests were."""
    until(lambda: served.log.getvalue().count("\n") >= count)
    return [json.loads(line) for line in served.log.getvalue().splitlines()]


def test_a_request_leaves_one_line(served: Served) -> None:
    client = served.client(served.token("viewer", "maria"), **{"User-Agent": "a test"})
    answer = client.get("/v1/positions?limit=5")
    assert answer.status_code == 200
    (line,) = lines(served)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (line["method"], line["path"], line["query"]) == ("GET", "/v1/positions", "limit=5")
    assert (line["caller"], line["role"], line["how"]) == ("maria", "viewer", "bearer")
    assert (line["status"], line["peer"], line["agent"]) == (200, "127.0.0.1", "a test")
    assert line["bytes"] == len(answer.content)
    assert line["at"].endswith("Z")
    assert line["ms"] > 0


def test_a_callers_id_is_kept_unless_it_is_none(served: Served) -> None:
    assert served.client(**{"X-Request-ID": "bot-7.42"}).get("/v1/session").headers["x-request-id"] == "bot-7.42"
    for wrong in ("a b", "x" * 65, '"{}'):
        found = served.client(**{"X-Request-ID": wrong}).get("/v1/session").headers["x-request-id"]
        assert found != wrong
    assert lines(served)[0]["request_id"] == "bot-7.42"


def test_no_secret_stands_in_the_log(served: Served) -> None:
    secret = served.token("viewer")
    hook = "obh_averysecretaddress"
    client = served.client()
    client.get("/v1/status", headers={"Authorization": f"Bearer {secret}"})
    client.post("/login", json={"token": secret})
    client.get("/v1/session")
    client.post(f"/v1/hooks/alerts/{hook}", json={})
    client.post(f"/v1/hooks/alerts/{hook}/more", json={})
    client.post("/v1/hooks/alerts/plainsecret", json={})
    client.get(f"/v1/status?token={secret}&api_key=plainsecret")
    client.get(f"/somewhere/{secret}")
    client.get("/v1/status", headers={"User-Agent": secret})
    client.get("/v1/status", headers={"Authorization": f"Bearer {secret}x"})
    assert len(lines(served, 10)) == 10
    text = served.log.getvalue()
    for hidden in (secret, hook, "plainsecret", secret[4:20]):
        assert hidden not in text
    assert "/v1/hooks/alerts/***" in text


def test_what_callers_write_cannot_make_lines_of_its_own(served: Served) -> None:
    served.client().get('/v1/x%0A{"caller":"root"}')
    (line,) = lines(served)
    assert line["path"] == '/v1/x\n{"caller":"root"}'
    assert served.log.getvalue().count("\n") == 1


def test_paths_and_queries_are_masked() -> None:
    assert shown_path("/v1/hooks/a/s3cret") == "/v1/hooks/a/***"
    assert shown_path("/v1//hooks/a/s3cret") == "/v1//hooks/a/***"
    assert shown_path("/v1/hooks/a//s3cret\nmore/x") == "/v1/hooks/a//***"
    assert shown_path("/v1/fills") == "/v1/fills"
    assert len(shown_path("/" + "x" * 10_000)) == 300
    assert shown_query(b"limit=5&token=abc&secret=x") == "limit=5&token=***&secret=***"
    assert shown_query(b"") == ""


# ---- when it is written ----

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "path": "/v1/x",
    "query_string": b"",
    "headers": [],
    "client": None,
}


class Counting(StringIO):
    """Counts how often it is written to."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


def test_lines_of_one_moment_are_written_together_and_soon() -> None:
    stream = Counting()
    log = RequestLog(lambda: 1_700_000_000_000_000_123, stream)

    async def many() -> None:
        for number in range(20):
            log.write(SCOPE, Visit(str(number), 0.0))
        assert not stream.writes
        async with asyncio.timeout(20):
            while not stream.writes:  # noqa: ASYNC110  it tells nobody
                await asyncio.sleep(0.001)

    asyncio.run(many())
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["request_id"] for line in found] == [str(number) for number in range(20)]
    assert found[0]["at"] == "2023-11-14T22:13:20.000000123Z"
    assert {"query", "caller", "role", "how", "agent"}.isdisjoint(found[0])
    assert stream.writes == 1


def test_no_more_lines_wait_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "WAITING", 5)
    stream = Counting()
    log = RequestLog(lambda: 0, stream)

    async def many() -> None:
        for number in range(13):
            log.write(SCOPE, Visit(str(number), 0.0))

    asyncio.run(many())
    assert stream.getvalue().count("\n") == 10
    log.close()
    assert stream.getvalue().count("\n") == 13
    log.write(SCOPE, Visit("late", 0.0))
    assert stream.getvalue().count("\n") == 14, "what comes after the end is written at once"


def test_no_line_is_lost_when_the_service_ends(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "WAIT_SECONDS", 600.0)
    served = serve()
    client = served.client()
    with client.stream("GET", "/v1/events"):
        for _ in range(7):
            assert client.get("/v1/session").status_code == 200
        assert served.log.getvalue() == ""
        served.serving.stop()
        assert len(lines(served, 8)) == 8, "the stream that was open too"


def test_what_goes_out_on_a_stream_is_counted(serve: Serve) -> None:
    served = serve()
    sent = 0
    with served.client().stream("GET", "/v1/events") as stream:
        parts = stream.iter_raw()
        for number in range(5):
            served.book.publish("desk.moved", {"text": "x" * 500})
            said = b""
            while said.count(b"desk.moved") < 1 or not said.endswith(b"\n\n"):
                said += next(parts)
            sent += len(said)
            assert said.count(b"x" * 500) == 1, number
    (line,) = lines(served)
    assert line["path"] == "/v1/events"
    assert line["bytes"] == sent
