"""What is sent to many is encoded once: answers that go out again and again, and chunks of streams."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

READY = "onebook.ready"
"""The extension of an ASGI scope under which a server says how to send an answer that is encoded already."""

PUSH = "onebook.push"
"""The extension of an ASGI scope under which a server says how to send on a stream that has begun, without waiting."""

Push = Callable[[bytes], bool]
"""Takes a chunk as it goes over the wire; says False where it has to be sent the usual way."""

PUSHED = "pushed"
"""In the state of a request: bytes that went out beside what its handler sent."""

Give = Callable[[bytes, bytes], bool]
"""Takes a head without its last line end, and a body; says False where it has to be sent the usual way."""

Header = tuple[bytes, bytes]

_NO_NAME = re.compile(rb"[^!#$%&'*+.^_`|~0-9A-Za-z-]")
_NO_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Ready:
    """One answer.

    Args:
        status: of HTTP.
        headers: of its own, names in small letters.
        body: all of it.
    """

    __slots__ = ("body", "head", "headers", "status")

    def __init__(self, status: int, headers: list[Header], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.head: bytes | None = None  # with what the door adds, encoded when it is first sent


def encoded(status: int, headers: list[Header]) -> bytes:
    """Return the first line of an answer and its headers, each with its line end; empty where one cannot be sent.

    Args:
        status: of HTTP.
        headers: names and values.
    """
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    for name, value in headers:
        if not name or _NO_NAME.search(name) or _NO_VALUE.search(value):
            return b""
        lines.append(name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n"


def chunked(body: bytes) -> bytes:
    """Return a part of an answer as it goes over the wire where the answer's length is not known."""
    return b"%x\r\n%b\r\n" % (len(body), body)


def push_of(scope: Any) -> Push | None:
    """Return what sends on the stream of a request without waiting; None where the server does not say."""
    return cast("Push | None", (scope.get("extensions") or {}).get(PUSH))
