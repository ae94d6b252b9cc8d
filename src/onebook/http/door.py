"""What every request passes before it is answered, from the outside in.

Its id and the line in the log of requests; its size; whether it was meant for this service; who sends it; how much
they may use; what they may do. What is refused never reaches a handler.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter
from typing import Any

from onebook.errors import BookError, NotAllowed
from onebook.http.auth import UNAUTHORIZED, Caller, Scope, header, is_near, needs_token
from onebook.http.calls import Reply
from onebook.http.limits import Rates
from onebook.http.logs import Ids, RequestLog, Visit
from onebook.http.origin import check_origin
from onebook.http.passed import Passed, said_by
from onebook.http.problems import plain_problem, send_reply
from onebook.http.ready import PUSHED, READY, Header, Ready, encoded
from onebook.http.roles import ANYONE, allowed, refusal
from onebook.http.service import Service

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
"""What a page of ours may load: only what is ours, and no script that stands in a page."""

HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Sent with every answer."""

_PROTECTING = tuple(HEADERS.items())
_NO_STORE = (b"cache-control", b"no-store")
_UNSAFE_EVERYWHERE = frozenset({"/login", "/logout"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LIVE = "/health/live"
_FULL_SECONDS = 1


class Refused(Exception):
    """A request ends here, with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Door:
    """The way to the handlers.

    Args:
        app: what answers.
        service: which service.
        log: of requests; None: none is kept.
    """

    def __init__(self, app: App, service: Service, log: RequestLog | None) -> None:
        self._app = app
        self._service = service
        self._log = log
        self._rates = Rates(service.config.get("serve.requests_a_minute"))
        self._opened = service.opened
        self._body_bytes = service.config.get("serve.body_bytes")
        self._passed = Passed(service.access)
        self._ids = Ids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one socket."""
        if scope["type"] == "lifespan":
            try:
                await self._app(scope, receive, send)
            finally:
                self.close()
            return
        visit = Visit(self._ids.of(scope), perf_counter())
        state = scope.setdefault("state", {})
        state["request_id"], state["service"], state["caller"] = visit.id, self._service, None
        reply = _Answer(send, visit, scope)
        try:
            try:
                self._admit(scope, state, visit)
            except Refused as refused:
                await reply.refuse(scope, refused.reply)
            except BookError as problem:
                await reply.refuse(scope, refused_by(problem))
            else:
                await self._app(scope, receive, reply)
        except asyncio.CancelledError:
            if not self._service.ending.is_set():
                raise
            await reply.cut(scope)  # the time of grace is over
        finally:
            if visit.is_counted:
                self._opened.leave(is_stranger=visit.caller is None)
            if self._log is not None:
                visit.size += state.get(PUSHED, 0)
                self._log.write(scope, visit)

    def close(self) -> None:
        """Write the log of requests to its end."""
        if self._log is not None:
            self._log.close()

    def _admit(self, scope: Scope, state: Any, visit: Visit) -> None:
        """Let a request in, or refuse it by an error; one that says what was let in before is not asked everything."""
        self._check_size(scope)
        if scope["path"] == _LIVE:  # who watches must not take a service with much to do for a dead one
            check_origin(scope, self._service.hosts)
            return
        said = said_by(scope) if scope["type"] == "http" else None
        past = None if said is None else self._passed.find(said)
        if past is not None:
            visit.caller = state["caller"] = past.caller
            self._check_rate(past.who)
            self._enter(visit)
            return
        caller, who = self._caller(scope, state)
        visit.caller = state["caller"] = caller
        self._check_rate(who)
        self._enter(visit)
        self._check_role(scope, caller)
        if said is not None and caller is not None:
            self._passed.keep(said, caller, who)

    def _caller(self, scope: Scope, state: Any) -> tuple[Caller | None, str]:
        """Return who sends a request that is meant for us, and whose share of requests it uses."""
        check_origin(scope, self._service.hosts)
        try:
            found = self._service.access.caller_of(scope)
        except NotAllowed as problem:
            if scope["type"] == "websocket" or _is_open(scope):
                state["refused"] = problem  # a socket says it by its close code
                return None, _peer(scope)
            self._check_rate(_peer(scope))
            raise
        return found, found.name if found is not None and found.how != "loopback" else _peer(scope)

    def _check_size(self, scope: Scope) -> None:
        given = header(scope, b"content-length")
        if given is not None and given.isdigit() and int(given[:18]) > self._body_bytes:
            detail = f"the body has {int(given[:18])} bytes; at most {self._body_bytes} are taken: send it in parts"
            raise Refused(plain_problem(413, detail, headers={"connection": "close"}))

    def _check_rate(self, who: str) -> None:
        wait = self._rates.wait(who)
        if wait > 0:
            detail = f"more requests than serve.requests_a_minute allows; try again in {math.ceil(wait)} s"
            headers = {"retry-after": str(math.ceil(wait))}
            raise Refused(plain_problem(429, detail, retryable=True, headers=headers))

    def _enter(self, visit: Visit) -> None:
        caller = visit.caller
        is_operator = caller is not None and caller.role == "operator"
        if self._opened.enter(is_operator=is_operator, is_stranger=caller is None):
            visit.is_counted = True
            return
        detail = "too many requests are open at once (serve.connections); close streams, or try again"
        headers = {"retry-after": str(_FULL_SECONDS)}
        raise Refused(plain_problem(503, detail, code="TooManyConnections", retryable=True, headers=headers))

    def _check_role(self, scope: Scope, caller: Caller | None) -> None:
        """Refuse what a caller may not do. What the table does not know goes on, to be told that it is not there."""
        method = scope["method"] if scope["type"] == "http" else "WS"
        path = scope["path"]
        roles = allowed(method, path)
        if roles is not None and ANYONE in roles:
            pass
        elif caller is None:
            raise needs_token()
        elif roles is not None and caller.role not in roles:
            raise refusal(caller, f"{method} {path[:80]}", roles)
        if self._service.is_read_only and method not in _SAFE | {"WS"} and path not in _UNSAFE_EVERYWHERE:
            msg = "this service was started with --read-only and takes nothing"
            raise NotAllowed(msg)


class _Answer:
    """Sends an answer on, with what every answer has, and keeps its figures for the log."""

    __slots__ = ("_is_socket", "_scope", "_send", "_visit")

    def __init__(self, send: Send, visit: Visit, scope: Scope) -> None:
        self._send = send
        self._visit = visit
        self._scope = scope
        self._is_socket = scope["type"] == "websocket"

    def ready(self, answer: Ready) -> bool:
        """Send an answer that is sent often, at once; False where it has to go the usual way."""
        give = (self._scope.get("extensions") or {}).get(READY)
        if give is None:
            return False
        if answer.head is None:
            answer.head = encoded(answer.status, _protected(answer.headers))
        visit = self._visit
        if not answer.head or not give(b"%bx-request-id: %b\r\n" % (answer.head, visit.id.encode()), answer.body):
            return False
        visit.status, visit.size = answer.status, len(answer.body)
        return True

    async def __call__(self, message: Any) -> None:
        kind = message["type"]
        visit = self._visit
        if kind in {"http.response.body", "websocket.http.response.body"}:
            visit.size += len(message.get("body", b""))
        elif kind in {"http.response.start", "websocket.http.response.start"}:
            visit.status = message["status"]
            headers = _protected(message.get("headers") or ())
            headers.append((b"x-request-id", visit.id.encode()))
            message = {**message, "headers": headers}
        elif kind == "websocket.accept":
            visit.status = 101
        elif kind == "websocket.close" and not visit.status:
            visit.status = 403
        await self._send(message)

    async def cut(self, scope: Scope) -> None:
        """End an answer with the service: one that has not begun says so."""
        if not self._visit.status and not self._is_socket:
            detail = "the service ends; what was not acknowledged may be sent again when it is back"
            await self.refuse(scope, plain_problem(503, detail, retryable=True, headers={"connection": "close"}))

    async def refuse(self, scope: Scope, reply: Reply) -> None:
        """Answer with a problem; a socket is not opened."""
        if not self._is_socket:
            await send_reply(self, reply)
        elif "websocket.http.response" in (scope.get("extensions") or {}):

            async def denied(message: Any) -> None:
                await self({**message, "type": f"websocket.{message['type']}"})

            await send_reply(denied, reply)
        else:
            await self({"type": "websocket.close", "code": 4403, "reason": ""})


def _protected(given: Iterable[Header]) -> list[Header]:
    """Return the headers of an answer, with those that every answer has."""
    headers = list(given)
    names = {name for name, _ in headers}
    if b"cache-control" not in names:
        headers.append(_NO_STORE)
    if names.isdisjoint(HEADERS):
        headers += _PROTECTING
    else:
        headers += [(name, value) for name, value in _PROTECTING if name not in names]
    return headers


def refused_by(problem: BookError) -> Reply:
    """Return the reply for what was refused before a handler saw it."""
    details = dict(problem.details)
    status = int(details.pop("status", problem.http_status))
    headers = {"www-authenticate": "Bearer"} if status == UNAUTHORIZED else {}
    return plain_problem(status, str(problem), code=problem.code, headers=headers, details=details)


def _is_open(scope: Scope) -> bool:
    """Say whether a request needs no caller: a wrong cookie must not keep anybody from the page to log in."""
    roles = allowed(scope["method"], scope["path"])
    return roles is not None and ANYONE in roles


def _peer(scope: Scope) -> str:
    peer = scope.get("client")
    return f"peer {'here' if is_near(scope) else peer[0]}" if peer else "peer"
