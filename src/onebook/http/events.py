"""``GET /v1/events``: the log as server-sent events, resumed exactly where a client was."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from onebook.book.log import Filter, make_filter
from onebook.domain.reports import as_json
from onebook.errors import InputError, NotAllowed, StoreClosed
from onebook.http.frames import Frame
from onebook.http.lines import Line, Reader, abort_of, read_again
from onebook.http.prices import MAX_PER_SECOND
from onebook.http.problems import plain_problem, send_reply
from onebook.http.ready import PUSHED, push_of
from onebook.http.stream import Begin, Stream

if TYPE_CHECKING:
    from onebook.http.service import Service

PATH = "/v1/events"
BEAT = b": beat\n\n"
FILTERS = ("types", "instruments", "accounts", "strategies", "min_quantity", "min_amount")
PARAMETERS = (*FILTERS, "after", "book", "prices_per_second")

Allowed = Callable[[Any], bool]
"""Says of an ASGI scope whether its caller may still be there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a client asks for.

    Attributes:
        wanted: which events.
        after: behind which sequence or event id; None: what comes from now on.
        book: the book and epoch in which that place is; empty when it does not say.
        prices_per_second: how often one instrument's price at most; None: as usual; 0: no prices.
    """

    wanted: Filter
    after: str | None
    book: str
    prices_per_second: int | None


def routes(service: "Service") -> list[Any]:
    """Return the address, for the application."""
    from litestar import asgi
    from litestar.types import Receive, Scope, Send

    stream = stream_of(service)

    def is_allowed(scope: Any) -> bool:
        try:
            found = service.access.caller_of(scope)
        except NotAllowed:
            return False
        return found is not None and found == scope["state"].get("caller")

    async def events(scope: Scope, receive: Receive, send: Send) -> None:
        await serve(stream, scope, receive, send, is_allowed)

    events.__annotations__ = {"scope": Scope, "receive": Receive, "send": Send, "return": None}
    return [asgi(PATH, copy_scope=False, name="events")(events)]


def stream_of(service: "Service") -> Stream:
    """Return the fan-out of a service."""
    found: Stream = service.part("stream", lambda made: Stream(made.book))
    return found


async def serve(stream: Stream, scope: Any, receive: Any, send: Any, is_allowed: Allowed = lambda _: True) -> None:
    """Serve one client until it goes, or is let go.

    Raises:
        InputError: it asks for what there cannot be.
        StoreError: the book cannot be read just now.
    """
    if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
        detail = f"{PATH} takes GET; for facts and marks over the same connection see /v1/ws"
        await send_reply(send, plain_problem(405, detail, headers={"allow": "GET, HEAD"}))
        return
    asked = asked_for(scope)
    if stream.is_full:
        detail = f"as many clients follow as the service takes, {stream.pace.most_lines}; come back later"
        await send_reply(send, plain_problem(429, detail, retryable=True, headers={"retry-after": "10"}))
        return
    begin = await stream.begin(asked.after, asked.book)
    line = stream.enter("events", abort_of(scope), lambda: is_allowed(scope), push_of(scope))
    gone = asyncio.create_task(_until_gone(line, receive))
    try:
        await _start(line, send, begin)
        if scope["method"] == "GET":
            reader = await stream.read(line, asked.wanted, begin.place, asked.prices_per_second)
            await _send_all(line, reader, send)
        if line.over != "gone":
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    except asyncio.CancelledError:
        if line.over != "stuck":
            raise
    except StoreClosed:  # the service stops before the first event
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        gone.cancel()
        stream.leave(line)
        scope.setdefault("state", {})[PUSHED] = line.pushed


def asked_for(scope: Any) -> Asked:
    """Return what a request asks for.

    Raises:
        InputError: a parameter is unknown, or its value is none there can be.
    """
    given: dict[str, str] = {}
    text = scope["query_string"].decode("latin-1")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=1000, errors="strict")
    except ValueError:
        raise InputError("the query is no text of names and values", field="query") from None
    for name, value in pairs:
        if name not in PARAMETERS:
            msg = f"{name[:60]}: is no parameter of {PATH}; it has {', '.join(PARAMETERS)}"
            raise InputError(msg, field=name[:60])
        given[name] = f"{given[name]},{value}" if name in given else value
    headers = {name: value for name, value in scope["headers"] if name == b"last-event-id"}
    last = headers.get(b"last-event-id", b"").decode("latin-1").strip()
    filters: dict[str, Any] = {name: given[name] for name in FILTERS if name in given}
    return Asked(
        wanted=make_filter(**filters),
        after=last or given.get("after") or None,
        book=given.get("book", ""),
        prices_per_second=paced("prices_per_second", given.get("prices_per_second")),
    )


def paced(field: str, value: Any) -> int | None:
    """Take how often one instrument's price is wished for a second.

    Raises:
        InputError: not a whole number from 0 to 20.
    """
    if value is None:
        return None
    number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 4 else value
    if type(number) is int and 0 <= number <= MAX_PER_SECOND:
        return number
    msg = f"{field}: {str(value)[:60]!r} is not a whole number from 0 to {MAX_PER_SECOND}"
    raise InputError(msg, field=field, value=value)


def reset_data(begin: Begin) -> str:
    """Return what a client is told that cannot go on where it was: it has to read everything again."""
    return as_json({"reason": begin.reset, "head": begin.head, "book": begin.book})


async def _until_gone(line: Line, receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    line.end("gone")


async def _start(line: Line, send: Any, begin: Begin) -> None:
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store, no-transform"),
        (b"x-accel-buffering", b"no"),
        (b"onebook-book", begin.book.encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    first = f"retry: {line.pace.retry_ms}\n\n".encode()
    if begin.reset:
        first += Frame(str(begin.head), "reset", reset_data(begin).encode()).sse
    await _send(line, send, first)


async def _send(line: Line, send: Any, body: bytes) -> None:
    await line.send(send, {"type": "http.response.body", "body": body, "more_body": True}, len(body))


async def _send_all(line: Line, reader: Reader, send: Any) -> None:
    """Send what comes, until the client or the service goes."""
    while not line.over:
        line.bell.clear()
        batch = await read_again(reader)
        if batch is None:
            return
        moved = batch.place != reader.place
        if batch.frames:
            await _send(line, send, batch.sse)
        if moved:
            reader.place = batch.place
        prices = reader.prices()
        if prices.frames:
            await _send(line, send, prices.sse)
        if line.is_beat_due:
            await _send(line, send, BEAT)
        if not moved and not line.over:
            await line.rest()
