"""``GET /v1/ws``: subscribe, acknowledge and resume, record facts and set marks over one connection.

Messages are JSON objects with ``op``. What cannot be done is answered by ``error`` with a problem; what no program
of ours would send ends the connection with a code that says why.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from onebook.domain import fields
from onebook.errors import BookError, InputError, NotAllowed
from onebook.http import writes
from onebook.http.auth import Access, Caller
from onebook.http.calls import Call
from onebook.http.events import stream_of
from onebook.http.lines import Line, abort_of
from onebook.http.problems import plain_problem, problem_of, send_reply
from onebook.http.roles import check_record, own_strategy
from onebook.http.stream import LAST_SECONDS, Stream
from onebook.http.subscribing import Shared, Subscriptions
from onebook.http.wire import an_object, decoded, item

if TYPE_CHECKING:
    from onebook.http.service import Service

PATH = "/v1/ws"
MALFORMED, NO_TOKEN, ROLE, SILENT, TOO_LARGE, TOO_MANY = 4400, 4401, 4403, 4408, 4413, 4429
"""Codes with which the service closes, beside 1001 and 1012 when it stops."""

FAULT = 1011
"""Code with which the service closes when it is at fault itself."""

LOGIN_SECONDS = 5.0
SILENT_SECONDS = 60.0
"""How long a client without a subscription may say nothing."""

LONGEST = 1_000_000
"""Characters of one message."""

MOST_A_SECOND = 5_000
"""Messages a second, over a few seconds."""

MOST_WAITING = 512
"""Facts being recorded, and answers not sent yet: beyond that nothing more is read from the client."""

OPS = ("subscribe", "unsubscribe", "ack", "record", "mark", "ping", "auth")
_BURST_SECONDS = 4
_REASON_BYTES = 120
_LOG = logging.getLogger("onebook.http")


class Closed(Exception):
    """The connection ends here, with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def routes(service: "Service") -> list[Any]:
    """Return the address, for the application."""
    from litestar import asgi
    from litestar.types import Receive, Scope, Send

    stream, shared = stream_of(service), Shared()

    async def ws(scope: Scope, receive: Receive, send: Send) -> None:
        await serve(service, stream, shared, scope, receive, send)

    ws.__annotations__ = {"scope": Scope, "receive": Receive, "send": Send, "return": None}
    return [asgi(PATH, copy_scope=False, name="socket")(ws)]


async def serve(service: "Service", stream: Stream, shared: Shared, scope: Any, receive: Any, send: Any) -> None:
    """Serve one client until it goes, or is let go."""
    if scope["type"] != "websocket":
        detail = f"{PATH} speaks WebSocket; for reading alone see GET /v1/events"
        await send_reply(send, plain_problem(426, detail, headers={"upgrade": "websocket"}))
        return
    await receive()
    await send({"type": "websocket.accept"})
    if stream.is_full:
        await _close(send, TOO_MANY, "as many clients follow as the service takes; come back later")
        return
    login = Login(service.access, scope)
    line = stream.enter("socket", abort_of(scope), login.is_allowed)
    code, reason = 0, ""
    try:
        ear = Ear(receive)
        caller = await login.caller(ear)
        await Socket(service, stream, shared, line, ear, caller).run(send, greet=login.greeting)
    except Closed as closed:
        code, reason = closed.code, closed.reason
    except asyncio.CancelledError:
        if line.over not in {"stuck", "stopped"}:
            raise
    finally:
        stream.leave(line)
    if not code and line.over == "stopped":
        code, reason = stream.ended_with, "the service stops"
    elif not code and line.over == "refused":
        code, reason = NO_TOKEN, "the token opens nothing any more"
    if code:
        await _close(send, code, reason)


async def _close(send: Any, code: int, reason: str) -> None:
    short = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
    await send({"type": "websocket.close", "code": code, "reason": short})


class Ear:
    """Takes what a client says, message by message.

    Args:
        receive: of ASGI.
    """

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self._credit = float(MOST_A_SECOND * _BURST_SECONDS)
        self.heard = monotonic()

    async def next(self) -> dict[str, Any]:
        """Return the next message.

        Raises:
            Closed: it is none, or there are too many.
        """
        message = await self._receive()
        if message["type"] != "websocket.receive":
            raise Closed(0, "gone")
        self._count()
        text = message.get("text")
        if text is None:
            raise Closed(MALFORMED, "messages are text with one JSON object, not bytes")
        if len(text) > LONGEST:
            raise Closed(TOO_LARGE, f"a message has at most {LONGEST} characters; send less at once")
        try:
            found = an_object(decoded(text.encode()), "a message")
        except InputError as problem:
            raise Closed(MALFORMED, str(problem)) from None
        if not isinstance(found.get("op"), str):
            raise Closed(MALFORMED, f"a message has an op: {', '.join(OPS)}")
        return found

    def _count(self) -> None:
        now = monotonic()
        most = MOST_A_SECOND * _BURST_SECONDS
        self._credit = min(self._credit + (now - self.heard) * MOST_A_SECOND, most) - 1
        self.heard = now
        if self._credit < 0:
            raise Closed(TOO_MANY, f"more than {MOST_A_SECOND} messages a second; send facts in lists to POST /v1/…")


class Login:
    """Finds out who a client is: from its request, or else from its first message.

    Args:
        access: of the service.
        scope: of ASGI.
    """

    def __init__(self, access: Access, scope: Any) -> None:
        self._access = access
        self._scope = scope
        self._secret = ""
        self._caller: Caller | None = None
        self.greeting: dict[str, Any] | None = None

    async def caller(self, ear: Ear) -> Caller:
        """Return who it is.

        Raises:
            Closed: it does not say so, or has no token that opens anything.
        """
        state = self._scope["state"]
        if state.get("refused") is not None:
            raise Closed(NO_TOKEN, str(state["refused"]))
        self._caller = state.get("caller")
        return self._caller or await self._asked(ear)

    async def _asked(self, ear: Ear) -> Caller:
        wanted = 'send a token first: {"op": "auth", "token": "…"}'
        try:
            message = await asyncio.wait_for(ear.next(), LOGIN_SECONDS)
        except TimeoutError:
            raise Closed(NO_TOKEN, wanted) from None
        if message["op"] != "auth" or not isinstance(message.get("token"), str):
            raise Closed(NO_TOKEN, wanted)
        self._secret = message["token"]
        try:
            found = self._caller = self._access.caller_with(self._secret, self._scope)
        except NotAllowed as problem:
            raise Closed(NO_TOKEN, str(problem)) from None
        self.greeting = {"op": "authenticated", "name": found.name, "role": found.role}
        return found

    def is_allowed(self) -> bool:
        """Say whether it is still who it was."""
        if self._caller is None:
            return True  # it has its seconds to say so
        try:
            if self._secret:
                return self._access.caller_with(self._secret, self._scope) == self._caller
            return self._access.caller_of(self._scope) == self._caller
        except NotAllowed:
            return False


class Socket:
    """One client's connection.

    Args:
        service: which service.
        stream: of the book.
        shared: what all sockets share.
        line: of the client.
        ear: what it says.
        caller: who it is.
    """

    def __init__(
        self, service: "Service", stream: Stream, shared: Shared, line: Line, ear: Ear, caller: Caller
    ) -> None:
        self._service = service
        self._book = service.book
        self._line = line
        self._ear = ear
        self._caller = caller
        self._follows = Subscriptions(service.book, stream, line, caller=caller.name, shared=shared, say=self._say)
        self._answers: list[bytes] = []
        self._room = asyncio.Event()
        self._recording: set[asyncio.Task[None]] = set()
        self._closing: Closed | None = None
        self._deeds: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "subscribe": self._follows.subscribe,
            "unsubscribe": self._follows.unsubscribe,
            "ack": self._follows.acknowledge,
            "record": self._record,
            "mark": self._mark,
            "ping": self._ping,
        }

    async def run(self, send: Any, greet: dict[str, Any] | None) -> None:
        """Serve it.

        Raises:
            Closed: it is to be closed with a code.
        """
        if greet is not None:
            self._answer(greet)
        tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._follows.keep())]
        for task in tasks:
            task.add_done_callback(self._has_ended)
        try:
            await self._tell(send)
        finally:
            for task in tasks:
                task.cancel()
            await self._follows.close()
        if self._closing is not None:
            raise self._closing

    def _has_ended(self, task: "asyncio.Task[None]") -> None:
        """Look how a task ended: a fault of the service is logged, and closes the connection."""
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            _LOG.error("a socket of %s fails", self._caller.name or self._caller.role, exc_info=fault)
            self._closing = Closed(FAULT, "the service is at fault; its log says why")
            self._line.end("told")

    # ---- what the service says ----

    def _answer(self, answer: dict[str, Any]) -> None:
        self._say(item(answer))

    def _say(self, answer: bytes) -> None:
        self._answers.append(answer)
        self._line.bell.set()

    def _refuse(self, message_id: Any, problem: BookError) -> None:
        shown = message_id if isinstance(message_id, str | int) else None
        body = problem_of(problem).body
        self._say(b'{"op": "error", "id": ' + item(shown) + b', "problem": ' + body + b"}")

    async def _tell(self, send: Any) -> None:
        """Send answers and events until the connection is over; what is being recorded is answered first."""
        line = self._line

        async def send_text(text: bytes) -> None:
            await line.send(send, {"type": "websocket.send", "text": text.decode()}, len(text))

        while not line.over:
            line.bell.clear()
            moved = await self._send_answers(send_text)
            moved = await self._follows.send(send_text) or moved
            if line.is_beat_due:
                self._look_silent()
            if not moved and not line.over:
                await line.rest()
        if line.over != "gone":
            if self._recording:
                await asyncio.wait(self._recording, timeout=LAST_SECONDS)
            await self._send_answers(send_text)

    async def _send_answers(self, send_text: Callable[[bytes], Awaitable[None]]) -> bool:
        answers, self._answers = self._answers, []
        self._room.set()
        for answer in answers:
            await send_text(answer)
        return bool(answers)

    def _look_silent(self) -> None:
        """End a connection on which nothing happens: the protocol itself looks after those that subscribe."""
        self._line.is_beat_due = False
        self._line.last_sent = monotonic()
        if not self._follows and monotonic() - self._ear.heard >= SILENT_SECONDS:
            raise Closed(SILENT, f"nothing was said for {SILENT_SECONDS:.0f} s and nothing is subscribed")

    # ---- what the client says ----

    async def _hear(self) -> None:
        """Take messages until the client goes."""
        try:
            while True:
                await self._take(await self._ear.next())
                while len(self._answers) + len(self._recording) > MOST_WAITING:
                    self._room.clear()
                    await self._room.wait()
        except Closed as closed:
            self._closing = closed if closed.code else None
            self._line.end("told" if closed.code else "gone")

    async def _take(self, message: dict[str, Any]) -> None:
        op = message["op"]
        work = self._deeds.get(op)
        if work is None:
            raise Closed(MALFORMED, f"op: {op[:40]!r} is none of {', '.join(OPS)}")
        try:
            await work(message)
        except NotAllowed as problem:
            self._refuse(message.get("id"), problem)
            if "role" in problem.details:
                raise Closed(ROLE, str(problem)) from None
        except BookError as problem:
            self._refuse(message.get("id"), problem)

    async def _ping(self, message: dict[str, Any]) -> None:
        self._answer({"op": "pong"} | ({"id": message["id"]} if "id" in message else {}))

    # ---- recording ----

    async def _record(self, message: dict[str, Any]) -> None:
        kind, caller = message.get("kind"), self._writer()
        check_record(caller, str(kind).replace("-", "_"))
        call = Call(service=self._service, caller=caller, given={})
        stated = message.get("fact")
        if caller.role == "bot":  # whose an order is stands in the book: what came before an update is recorded first
            if self._recording and str(kind).endswith("update"):
                await asyncio.wait(self._recording)
            fact = await asyncio.to_thread(writes.fact, call, str(kind), stated)
        else:
            fact = writes.fact(call, str(kind), stated)
        with self._book.acting(caller.name):
            task = asyncio.create_task(self._recorded(message.get("id"), fact))
        self._recording.add(task)
        task.add_done_callback(self._was_recorded)

    def _was_recorded(self, task: "asyncio.Task[None]") -> None:
        self._recording.discard(task)
        self._room.set()
        self._has_ended(task)

    async def _recorded(self, message_id: Any, fact: Any) -> None:
        try:
            found = await self._book.aio.record(fact)
        except BookError as problem:
            self._refuse(message_id, problem)
            return
        self._answer({"op": "receipt", "id": message_id} | writes.receipt(found))

    async def _mark(self, message: dict[str, Any]) -> None:
        caller = self._writer()
        check_record(caller, "mark")
        own_strategy(caller, None)
        given: dict[str, Any] = {name: message.get(name) for name in ("instrument", "price")}
        at, source = message.get("at"), fields.text("source", message.get("source", ""))
        if at is not None and not isinstance(at, str):
            msg = f"at: {at!r:.60} is not a time; write it as 2026-01-31T09:30:00Z"
            raise InputError(msg, field="at", value=at)
        with self._book.acting(caller.name):
            await asyncio.to_thread(self._book.mark, given["instrument"], given["price"], at=at, source=source)
        self._answer({"op": "marked", "id": message.get("id")} | given)

    def _writer(self) -> Caller:
        """Return who records.

        Raises:
            NotAllowed: nobody may.
        """
        if self._service.is_read_only:
            msg = "this service was started with --read-only and takes nothing"
            raise NotAllowed(msg)
        return self._caller
