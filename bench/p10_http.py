"""P10: a list of 100 positions over HTTP beside a bare ASGI answer of the same bytes, and FastAPI, in the same run."""

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from subprocess import SubprocessError
from typing import Any
from urllib.parse import urlsplit

import uvloop

from bench.figures import Context, Line, Raw, middle, ratio
from bench.peer import SCRIPTS, interpreter
from bench.workload import fills, opened

BARE = Path(__file__).with_name("p10_bare.py")
FASTAPI = SCRIPTS / "fastapi_positions.py"
SLOWER = 8
"""So many times fewer requests for a side that encodes its answer anew each time."""

CONNECTIONS = 16
POSITIONS = 100
ADDRESS = "/v1/positions"
SERVE = [sys.executable, "-m", "onebook"]


def run(context: Context) -> list[Line]:
    """Return a line for the list as it stands still."""
    path = context.folder / "p10.db"
    with opened(path) as book:
        book.record_many(fills(0, 2_000))
        wanted = {f"COIN{number}/USDT" for number in range(POSITIONS)}
        flat = [item for item in book.positions() if item.instrument not in wanted]
        assert not flat  # noqa: S101  the work is the same everywhere
    with ExitStack() as stack:
        url, pid = stack.enter_context(_started([*SERVE, "--db", str(path), "--json", "serve", "--port", "0"]))
        body = context.folder / "p10.json"
        body.write_bytes(_read(url + ADDRESS))
        bare, bare_pid = stack.enter_context(_started([sys.executable, str(BARE), str(body)]))
        sides = {"": (url, pid), "bare_": (bare, bare_pid)}
        peer = interpreter("fastapi")
        if peer is None:
            context.say("!! peer fastapi: not installed, run make peers; its numbers are left out")
        else:
            sides["fastapi_"] = stack.enter_context(_started([str(peer), str(FASTAPI), str(body)]))
        count = context.size(40_000, 2_000)
        rounds = [_round(sides, count, turn) for turn in range(context.rounds)]
    numbers: Raw = {"bytes": body.stat().st_size}
    for side in sides:
        numbers[f"{side}per_s"] = middle([each[side][0] for each in rounds])
        numbers[f"{side}cpu_us"] = middle([each[side][1] for each in rounds]) * 1e6
    numbers["cpu_ratio"] = middle([ratio(each["bare_"][1], each[""][1]) or 0.0 for each in rounds])
    if "fastapi_" in sides:
        numbers["fastapi_ratio"] = middle([each[""][0] / each["fastapi_"][0] for each in rounds])
    return [
        Line(
            figure="P10", work=f"{POSITIONS}-position list over HTTP ÷ a bare ASGI answer of the same bytes",
            value=middle([each[""][0] / each["bare_"][0] for each in rounds]), unit="×", bar=0.6, raw=numbers,
            includes="everything of onebook serve: limits, Host and Origin, token, roles, headers, tags, request log; "
            "rates are counted but not limited; FastAPI encodes the same rows for each request, and checks nothing",
        )
    ]  # fmt: skip


def _round(sides: dict[str, tuple[str, int]], count: int, turn: int) -> dict[str, tuple[float, float]]:
    """Return requests a second of each side, and seconds of processor per request."""
    found = {}
    for side in sides if turn % 2 else reversed(sides):
        address, process = sides[side]
        asked = count if side != "fastapi_" else max(count // SLOWER, CONNECTIONS)
        used, begun = _cpu(process), time.perf_counter()
        uvloop.run(_asked(address, asked))
        found[side] = (asked / (time.perf_counter() - begun), (_cpu(process) - used) / asked)
    return found


def _cpu(pid: int) -> float:
    """Return how much of a processor's time a process has used, in seconds."""
    parts = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _started(command: list[str]) -> Iterator[tuple[str, int]]:
    """Run a service that prints its address as JSON; end it afterwards."""
    quiet = subprocess.DEVNULL
    settings = os.environ | {"ONEBOOK_SERVE__REQUESTS_A_MINUTE": "0"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=quiet, text=True, env=settings) as process:
        try:
            yield _address(process), process.pid
        finally:
            process.terminate()


def _address(process: "subprocess.Popen[str]") -> str:
    text = ""
    for line in process.stdout or ():
        text += line
        try:
            return str(json.loads(text)["url"])
        except ValueError:
            continue
    msg = "the service ended before it said where it is"
    raise SubprocessError(msg)


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  our own service
        found: bytes = answer.read()
    return found


class _Client(asyncio.Protocol):
    """Sends the same request again as soon as its answer is there; answers have one length, so counting is enough."""

    def __init__(self, request: bytes, count: int, length: int, done: "asyncio.Future[None]") -> None:
        self._request, self._left, self._length, self._done = request, count, length, done
        self._got = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._got and not data.startswith(b"HTTP/1.1 200"):
            self._transport.abort()
            self._done.set_exception(SubprocessError(f"answered {data[:40]!r}"))
            return
        self._got += len(data)
        if self._got < self._length:
            return
        self._got -= self._length
        self._left -= 1
        if self._left:
            self._transport.write(self._request)
        else:
            self._transport.close()

    def connection_lost(self, _problem: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


async def _asked(url: str, count: int) -> None:
    """Ask so many times over connections that stay open."""
    parts = urlsplit(url)
    assert parts.hostname is not None  # noqa: S101  it came from a service
    assert parts.port is not None  # noqa: S101
    request = f"GET {ADDRESS} HTTP/1.1\r\nhost: {parts.hostname}:{parts.port}\r\n\r\n".encode()
    length = await _length(parts.hostname, parts.port, request)
    loop = asyncio.get_running_loop()
    waiting = []
    for _ in range(CONNECTIONS):
        done: asyncio.Future[None] = loop.create_future()
        made = partial(_Client, request, count // CONNECTIONS, length, done)
        await loop.create_connection(made, parts.hostname, parts.port)
        waiting.append(done)
    await asyncio.gather(*waiting)


async def _length(host: str, port: int, request: bytes) -> int:
    """Return how many bytes one answer has, with its head."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head  # noqa: S101
    [size] = [
        int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    ]
    await reader.readexactly(size)
    writer.close()
    return len(head) + size
