"""Heads of requests are measured, in whatever pieces they come: alone, with bodies, behind other requests."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from onebook.http import heads
from onebook.http.heads import HEAD_BYTES, Link

HEAD = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
TOO_LARGE = b"The head of the request is too large."


class Pipe:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = asyncio.Event()

    def get_extra_info(self, _name: str) -> None:
        return

    def write(self, data: bytes) -> None:
        if not self.closed.is_set():
            self.written += data

    def close(self) -> None:
        self.closed.set()

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def abort(self) -> None:
        self.closed.set()

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return


async def app(_scope: Any, receive: Any, send: Any) -> None:
    size = 0
    while (message := await receive())["type"] == "http.request":
        size += len(message["body"])
        if not message["more_body"]:
            break
    body = b"%d." % size
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def linked() -> tuple[Link, Pipe]:
    config = uvicorn.Config(app, http=Link, log_config=None, access_log=False, lifespan="off")
    config.load()
    link, pipe = Link(config, ServerState(), {}, asyncio.get_running_loop()), Pipe()
    link.connection_made(pipe)
    return link, pipe


def answers(pieces: Sequence[bytes], answered: int) -> bytes:
    """Return what is answered to pieces, each read at once, when so many answers are there or the connection ends."""

    async def ask() -> bytes:
        link, pipe = linked()
        for piece in pieces:
            if not pipe.closed.is_set():
                link.data_received(piece)
        async with asyncio.timeout(20):
            while pipe.written.count(b"HTTP/1.1 200") < answered and not pipe.closed.is_set():  # noqa: ASYNC110  it tells nobody
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        link.connection_lost(None)
        return pipe.written

    return asyncio.run(ask())


def post(size: int) -> bytes:
    return b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size


def long_head(size: int) -> bytes:
    many = b"".join(b"x-%d: %s\r\n" % (number, b"y" * 1000) for number in range(size // 1000))
    return HEAD[:-2] + many + b"\r\n"


def test_a_large_body_that_comes_with_its_head_is_no_head() -> None:
    for size in (HEAD_BYTES - 1, HEAD_BYTES + 1, 5 * HEAD_BYTES):
        assert answers([post(size)], 1).endswith(b"%d." % size)


def test_a_large_body_that_comes_with_the_end_of_its_head_is_no_head() -> None:
    whole = post(3 * HEAD_BYTES)
    assert answers([whole[:10], whole[10:40], whole[40:]], 1).endswith(b"%d." % (3 * HEAD_BYTES))


def test_requests_behind_a_large_body_are_answered_in_turn() -> None:
    piece = post(2 * HEAD_BYTES) + HEAD + post(7) + HEAD[:20]
    found = answers([piece, HEAD[20:]], 4)
    sizes = [part.partition(b"HTTP")[0] for part in found.split(b"\r\n\r\n")[1:]]
    assert sizes == [b"%d." % (2 * HEAD_BYTES), b"0.", b"7.", b"0."]


def test_many_requests_in_one_piece_are_no_large_head() -> None:
    count = 2 * HEAD_BYTES // len(HEAD)
    found = answers([HEAD * count + HEAD[:5], HEAD[5:]], count + 1)
    assert found.count(b"HTTP/1.1 200") == count + 1


def test_a_head_may_be_as_large_as_it_may_be() -> None:
    assert answers([long_head(HEAD_BYTES - 5000)], 1).endswith(b"0.")


@pytest.mark.parametrize("before", [b"", HEAD, post(2 * HEAD_BYTES)], ids=["alone", "after one", "after a body"])
@pytest.mark.parametrize("step", [HEAD_BYTES * 8, 50_000, 1000])
def test_a_head_that_is_too_large_is_refused_in_whatever_pieces(before: bytes, step: int) -> None:
    whole = before + long_head(HEAD_BYTES + 5000) + HEAD
    found = answers([whole[start : start + step] for start in range(0, len(whole), step)], 3)
    assert found.endswith(TOO_LARGE)
    assert found.count(b"HTTP/1.1 400") == 1


def test_a_head_without_an_end_is_refused_behind_a_body_too() -> None:
    endless = [b"x-long: " + b"y" * 20_000] + [b"y" * 20_000] * 4
    assert answers([post(10) + HEAD[:20], *endless], 9).endswith(TOO_LARGE)


@pytest.mark.parametrize("piece", [HEAD[:9], post(5) + HEAD[:9], HEAD + HEAD[:9]], ids=["first", "body", "head"])
def test_a_head_that_is_begun_must_end_in_time(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.05)

    async def ask() -> None:
        link, pipe = linked()
        link.data_received(piece)
        async with asyncio.timeout(20):
            await pipe.closed.wait()
        link.connection_lost(None)

    asyncio.run(ask())


def test_who_has_asked_is_not_waited_for() -> None:
    async def ask() -> None:
        link, pipe = linked()
        waits = []
        for piece in (HEAD, post(9)[:-3], b"xxx" + HEAD[:4], HEAD[4:]):
            link.data_received(piece)
            waits.append(link._timer is not None)
        assert waits == [False, False, True, False]
        assert not pipe.closed.is_set()
        link.connection_lost(None)

    asyncio.run(ask())
