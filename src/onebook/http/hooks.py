"""``POST /v1/hooks/{name}/{secret}``: alerts of others, recorded for the strategy of the hook that they know.

Answered once the fact is durable, within the time that alert senders wait; what cannot be booked is kept as a break.
"""

import asyncio
import hashlib
from typing import Any

from litestar import Request, post

from onebook.config.masks import MASK
from onebook.domain.facts import Hook
from onebook.errors import BookError, InputError, NotAllowed, StoreError
from onebook.http import wire
from onebook.http.calls import Reply
from onebook.http.door import refused_by
from onebook.http.problems import RETRY_AFTER_SECONDS, plain_problem, problem_of, response
from onebook.http.service import Service
from onebook.http.tollgate import ALERTS_A_MINUTE, Tollgate
from onebook.http.writes import STATUSES, receipt
from onebook.intake.hooks.messages import MAX_BYTES
from onebook.intake.hooks.port import facts_of

ANSWER_SECONDS = 2.5
"""Senders of alerts wait three seconds; what takes longer is answered 503, and may be sent again."""

MAX_KEPT = 16_384
"""Characters of a body that are kept with a break."""


@post("/v1/hooks/{name:str}/{secret:str}", status_code=200)
async def alert(request: Request[Any, Any, Any]) -> Any:
    """Take an alert."""
    service: Service = request.state.service
    name, secret = request.path_params["name"], request.path_params["secret"]
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            found = await _taken(service, request, name, secret)
    except TimeoutError:
        detail = "the book did not take it in time; send it again, a repeat is known"
        headers = {"retry-after": str(RETRY_AFTER_SECONDS)}
        found = plain_problem(503, detail, code="StoreBusy", retryable=True, headers=headers)
    return response(found)


async def _taken(service: Service, request: Request[Any, Any, Any], name: str, secret: str) -> Reply:
    try:
        hook = service.access.hook_of(name, secret)
    except NotAllowed as problem:
        return refused_by(problem)
    gate: Tollgate = service.part("hooks", Tollgate)
    wait = gate.wait(hook)
    if wait > 0:
        return _too_many(wait)
    body = await request.body()
    if len(body) > MAX_BYTES:
        detail = f"the alert has {len(body)} bytes; at most {MAX_BYTES} are taken"
        return plain_problem(413, detail)
    body = body.replace(secret.encode("utf-8", "surrogatepass"), MASK.encode())  # it must stand nowhere
    kind = request.headers.get("content-type", "")
    try:
        return await _recorded(service, hook, body, kind)
    except StoreError:
        raise
    except BookError as problem:
        if gate.keeps(hook):
            await _keep(service, hook, body, kind, problem)
        return problem_of(problem)


def _too_many(wait: float) -> Reply:
    seconds = str(int(wait) + 1)
    detail = f"more alerts than {ALERTS_A_MINUTE} a minute: this one is counted, not kept; try again in {seconds} s"
    return plain_problem(429, detail, retryable=True, headers={"retry-after": seconds})


async def _recorded(service: Service, hook: Hook, body: bytes, kind: str) -> Reply:
    """Record what an alert says; what went on when the time is over is recorded all the same, and known again.

    Raises:
        BookError: it cannot be booked, or not now.
    """
    book = service.book
    found = facts_of(hook.kind, hook, body, kind, book.now())
    if not found:
        return wire.reply({"status": "ignored"})
    with book.acting(_actor(hook)):
        answers = [await book.aio.record(fact) for fact in found]
    last = answers[-1]
    return wire.reply(receipt(last), STATUSES[last.status])


def _actor(hook: Hook) -> str:
    return f"hook:{hook.name}"


async def _keep(service: Service, hook: Hook, body: bytes, kind: str, problem: BookError) -> None:
    """Note what came and cannot be booked, with its body; the same again is the same break."""
    from anyio import to_thread

    text = body.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    key = hashlib.sha256(b"\n".join((hook.name.encode(), body))).hexdigest()[:32]
    data = {
        "kind": "unbooked_fact",
        "what": "alert",
        "reason": f"{type(problem).__name__}: {problem}"[:1000],
        "account": hook.account,
        "venue": "",
        "raw": {"hook": hook.name, "content_type": kind[:100], "body": text[:MAX_KEPT], "bytes": len(body)},
        "key": f"unbooked_fact|{key}",
    }

    def note() -> None:
        with service.book.acting(_actor(hook)):
            try:
                service.book.note("break_found", data, strategy=hook.strategy)
            except InputError:  # what cannot be text of the log is kept as its bytes
                data["raw"] = {"hook": hook.name, "hex": body[: MAX_KEPT // 2].hex(), "bytes": len(body)}
                service.book.note("break_found", data, strategy=hook.strategy)

    await to_thread.run_sync(note, abandon_on_cancel=True)


ROUTES = [alert]
