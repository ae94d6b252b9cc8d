"""Answers that were made once and hold until something changes: a layer between the door and the framework.

An answer holds while the log's head, the marks and the second are the same; who asks while it is made waits for it, or
gets the one of the second before. Its tag is made of its bytes, so a client
that has them already is told so. Answers are compressed once, for all who take them compressed.
"""

import asyncio
import gzip
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from onebook.domain import times
from onebook.http.ready import Ready

if TYPE_CHECKING:
    from onebook.app import Book

App = Callable[[Any, Any, Any], Awaitable[None]]
Version = tuple[int, int]
"""The head of the log, and how many marks came."""

MAX_BYTES = 32 * 1024 * 1024
"""Of all answers that are kept."""

MAX_ONE = 4 * 1024 * 1024
"""Of one answer: a larger one goes through as it comes."""

OVERHEAD = 512
LEAST = 1024
"""Bytes from which on an answer is compressed."""

LARGE = 64 * 1024
"""Bytes from which on that is done on another thread."""

LEVEL = 5
_TAGGED = (b"application/json", b"text/html", b"text/css")
_CACHE_CONTROL = (b"cache-control", b"private, no-cache")
_VARY = (b"vary", b"accept-encoding")
_SHORT = 200
_OF_BODY = frozenset({b"content-length", b"content-encoding", b"content-type"})


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it is sent, the version of the book that it holds for, and the second in which it was made."""

    version: Version
    second: int
    tag: bytes
    whole: Ready
    unchanged: Ready
    """What is sent to who has it already."""

    @property
    def size(self) -> int:
        """Bytes in memory, about."""
        return len(self.whole.body) + OVERHEAD


STREAM = "/v1/events"
"""Never ends: nobody may wait for its answer."""


class Answers:
    """Keeps answers to reads. For one event loop; marks may come on any thread.

    Args:
        book: what they tell of.
        families: the first parts of the paths under ``/v1/`` whose answers are kept; every role sees the same there.
        fixed: whole paths whose answers never change.
        max_bytes: of all together; the ones least used go first.
    """

    def __init__(
        self,
        book: "Book",
        *,
        families: frozenset[str],
        fixed: frozenset[str] = frozenset(),
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._book = book
        self._families = families
        self._fixed = fixed
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Any, Kept] = OrderedDict()
        self._making: dict[Any, tuple[Version, asyncio.Future[None]]] = {}
        self._marks = 0
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        book.hook_marks(self._marked, on=True)

    def close(self) -> None:
        """Forget everything, and look at marks no more."""
        self._book.hook_marks(self._marked, on=False)
        self._kept.clear()
        self.bytes = 0

    def _marked(self, _instrument: str, _price: Decimal, _at: int, _source: str) -> None:
        self._marks += 1

    def around(self, app: App) -> App:
        """Return the application with this layer in front of it."""

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http" or scope["method"] != "GET" or not self._is_ours(scope["path"]):
                await app(scope, receive, send)
                return
            coding, known = _asked(scope["headers"])
            key = (scope.get("raw_path") or scope["path"], scope["query_string"], coding)
            version, second = self._version(scope["path"])
            kept = self._holds(key, version, second)
            if kept is None:
                making = self._making.get(key)
                if making is not None and making[0] == version:
                    await making[1]
                    kept = self._holds(key, version, second)
            if kept is not None:
                self.hits += 1
                self._kept.move_to_end(key)
                await _send(send, kept, known)
                return
            self.misses += 1
            done = asyncio.get_running_loop().create_future()
            making = self._making[key] = (version, done)
            try:
                await app(scope, receive, _Taker(self, send, key, (version, second), known))
            finally:
                if self._making.get(key) is making:
                    del self._making[key]
                done.set_result(None)

        return answer

    def _holds(self, key: Any, version: Version, second: int) -> Kept | None:
        """Return an answer that still holds; one of the second before does too while it is made anew."""
        kept = self._kept.get(key)
        if kept is None or kept.version != version:
            return None
        return kept if kept.second == second or key in self._making else None

    def _is_ours(self, path: str) -> bool:
        if path.rstrip("/") == STREAM:
            return False
        return path in self._fixed or (path.startswith("/v1/") and path[4:].partition("/")[0] in self._families)

    def _version(self, path: str) -> tuple[Version, int]:
        if path in self._fixed:
            return (0, 0), 0
        return (self._book.wakeups.head, self._marks), self._book.now() // times.SECOND

    def keep(self, key: Any, kept: Kept) -> None:
        """Keep an answer, in the place of the ones least used."""
        old = self._kept.pop(key, None)
        if old is not None:
            self.bytes -= old.size
        if kept.size > self._max_bytes // 4:
            return
        self._kept[key] = kept
        self.bytes += kept.size
        while self.bytes > self._max_bytes:
            _, gone = self._kept.popitem(last=False)
            self.bytes -= gone.size


class _Taker:
    """Takes one answer in as the framework sends it, keeps it, and sends it on."""

    __slots__ = ("_answers", "_key", "_known", "_parts", "_send", "_size", "_start", "_version")

    def __init__(self, answers: Answers, send: Any, key: Any, version: tuple[Version, int], known: bytes) -> None:
        self._answers = answers
        self._send = send
        self._key = key
        self._version = version
        self._known = known
        self._start: Any = None
        self._parts: list[bytes] = []
        self._size = 0

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start" and _is_tagged(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            await self._body(message)

    async def _body(self, message: Any) -> None:
        part = message.get("body", b"")
        self._parts.append(part)
        self._size += len(part)
        if message.get("more_body"):
            if self._size > MAX_ONE:
                await self._let_through(is_more=True)
            return
        body = b"".join(self._parts)
        if len(body) > MAX_ONE:
            await self._let_through(is_more=False)
            return
        kept = await self._made(body)
        self._answers.keep(self._key, kept)
        await _send(self._send, kept, self._known)

    async def _let_through(self, *, is_more: bool) -> None:
        """Send what is too large to be kept as it comes."""
        await self._send(self._start)
        body, self._parts, self._start = b"".join(self._parts), [], None
        await self._send({"type": "http.response.body", "body": body, "more_body": is_more})

    async def _made(self, body: bytes) -> Kept:
        headers = [(bytes(name).lower(), bytes(value)) for name, value in self._start["headers"]]
        headers = [item for item in headers if item[0] != b"content-length"]
        named = dict(headers)
        tag, coding = named.get(b"etag"), self._key[2]
        if tag is None:
            tag = b'"' + blake2b(body, digest_size=12).hexdigest().encode() + (b'-z"' if coding else b'"')
            headers.append((b"etag", tag))
            if coding and len(body) >= LEAST:
                body = await _compressed(body)
                headers.append((b"content-encoding", coding))
        if b"cache-control" not in named:
            headers.append(_CACHE_CONTROL)
        headers += [_VARY, (b"content-length", str(len(body)).encode())]
        about = [item for item in headers if item[0] not in _OF_BODY]
        return Kept(*self._version, tag, Ready(200, headers, body), Ready(304, about, b""))


def _is_tagged(start: Any) -> bool:
    """Say whether an answer is whole and a document: problems and streams go through as they are."""
    if start["status"] != 200:
        return False
    return any(
        bytes(name).lower() == b"content-type" and bytes(value).startswith(_TAGGED) for name, value in start["headers"]
    )


def _asked(headers: Any) -> tuple[bytes, bytes]:
    """Return the compression that a client takes, and the tags that it has."""
    coding = known = b""
    for name, value in headers:
        if name == b"accept-encoding":
            coding = b"gzip" if _takes_gzip(value) else b""
        elif name == b"if-none-match":
            known = value
    return coding, known


def _takes_gzip(value: bytes) -> bool:
    return _gzip_in(value) if len(value) <= _SHORT else _gzip_in.__wrapped__(value)


@lru_cache(256)
def _gzip_in(value: bytes) -> bool:
    for part in value.lower().split(b","):
        name, _, weight = part.partition(b";")
        if name.strip() == b"gzip":
            return weight.replace(b" ", b"") not in {b"q=0", b"q=0.0", b"q=0.00", b"q=0.000"}
    return False


async def _compressed(body: bytes) -> bytes:
    if len(body) < LARGE:
        return gzip.compress(body, LEVEL, mtime=0)
    from anyio import to_thread

    return await to_thread.run_sync(lambda: gzip.compress(body, LEVEL, mtime=0))


async def _send(send: Any, kept: Kept, known: bytes) -> None:
    """Send an answer: encoded once, where whoever sends can do that."""
    answer = kept.unchanged if known and _has(kept.tag, known) else kept.whole
    at_once: Callable[[Ready], bool] | None = getattr(send, "ready", None)
    if at_once is not None and at_once(answer):
        return
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


def _has(tag: bytes, known: bytes) -> bool:
    """Say whether a tag is among those that a client has; weak ones count."""
    tags = {part.strip().removeprefix(b"W/") for part in known.split(b",")}
    return b"*" in tags or tag in tags
