"""Answers that go out encoded are the same, header for header, as those that go the usual way."""

import socket
from typing import Any

import pytest
from tests.http.conftest import Served

from onebook import Fill
from onebook.http.ready import encoded

FILL: dict[str, Any] = {"instrument": "AAPL", "side": "buy", "quantity": "1", "price": "10"}


def raw(served: Served, *requests: bytes) -> list[tuple[bytes, dict[bytes, bytes], bytes]]:
    """Return first line, headers and body of the answers to requests that are sent in one piece."""
    host, port = served.url.removeprefix("http://").split(":")
    found = []
    with socket.create_connection((host, int(port)), timeout=20) as link, link.makefile("rb") as stream:
        link.sendall(b"".join(requests))
        for _ in requests:
            line = stream.readline().strip()
            headers = {}
            while said := stream.readline().strip():
                name, _, value = said.partition(b": ")
                assert name not in headers, name
                headers[name] = value
            found.append((line, headers, stream.read(int(headers.get(b"content-length", b"0")))))
    return found


def asked(served: Served, *lines: str, path: str = "/v1/positions", method: str = "GET") -> bytes:
    host = served.url.removeprefix("http://")
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode()


def plain(headers: dict[bytes, bytes]) -> dict[bytes, bytes]:
    return {name: value for name, value in headers.items() if name not in {b"date", b"x-request-id", b"connection"}}


@pytest.mark.parametrize("lines", [(), ("Accept-Encoding: gzip",)], ids=["plain", "gzip"])
def test_an_encoded_answer_is_the_usual_one(served: Served, lines: tuple[str, ...]) -> None:
    for number in range(9):
        served.book.record(Fill(**FILL | {"strategy": f"s{number}"}))
    (first, second) = raw(served, asked(served, *lines), asked(served, *lines))
    (usual,) = raw(served, asked(served, *lines, "Connection: close"))
    assert usual[1][b"connection"] == b"close"
    assert first[0] == second[0] == usual[0] == b"HTTP/1.1 200 OK"
    assert plain(first[1]) == plain(second[1]) == plain(usual[1])
    assert first[2] == second[2] == usual[2]
    assert first[1][b"x-request-id"] != second[1][b"x-request-id"]
    assert first[1][b"date"]
    known = f"If-None-Match: {first[1][b'etag'].decode()}"
    (again,) = raw(served, asked(served, *lines, known))
    (usually,) = raw(served, asked(served, *lines, known, "Connection: close"))
    assert again[0] == usually[0] == b"HTTP/1.1 304 Not Modified"
    assert plain(again[1]) == plain(usually[1])


def test_answers_come_in_the_order_of_their_requests(served: Served) -> None:
    served.book.record(Fill(**FILL))
    assert raw(served, asked(served))[0][0] == b"HTTP/1.1 200 OK"
    wanted = [asked(served, f"X-Request-ID: id-{number}") for number in range(5)]
    wanted.insert(2, asked(served, "X-Request-ID: health", path="/health/live"))
    wanted.insert(4, asked(served, "X-Request-ID: none", path="/v1/nowhere"))
    names = [headers[b"x-request-id"] for _, headers, _ in raw(served, *wanted)]
    assert names == [b"id-0", b"id-1", b"health", b"id-2", b"none", b"id-3", b"id-4"]


def test_what_cannot_be_a_header_is_not_encoded() -> None:
    assert encoded(200, [(b"etag", b'"a"')]) == b'HTTP/1.1 200 OK\r\netag: "a"\r\n'
    for name, value in ((b"x", b"a\r\nb: c"), (b"x", b"a\0"), (b"a b", b"c"), (b"", b"c"), (b"a\n", b"c")):
        assert encoded(200, [(name, value)]) == b""
