"""Errors as RFC 9457 problems: what went wrong, what to do, whether trying again helps, and what was at fault."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

from onebook.domain.reports import as_plain
from onebook.errors import BookError, StoreError
from onebook.http.calls import Reply
from onebook.http.logs import shown_path

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1
MAX_SHOWN = 200
"""Characters of one object at fault."""

_LOG = logging.getLogger("onebook.http")
_GONE = "client disconnected prematurely"
"""What the framework says when a body does not come to its end."""

_TITLES = {
    400: "The request is malformed",
    401: "A token is needed",
    403: "Not allowed",
    404: "Nothing is there",
    405: "The address does not know this method",
    406: "No such form of answer",
    408: "The request came too slowly",
    409: "It contradicts what is there",
    412: "Somebody changed it meanwhile",
    413: "The request is too large",
    415: "The body is in another form than JSON",
    422: "It cannot be",
    426: "Another protocol is needed",
    428: "Say which version you know",
    429: "Too many requests",
    500: "The service is at fault",
    502: "Something outside failed",
    503: "The book cannot answer now",
    504: "Something outside did not answer",
}
CODES = {
    400: "InputError",
    401: "NotAllowed",
    403: "NotAllowed",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    408: "RequestTimeout",
    412: "ConflictError",
    413: "BodyTooLarge",
    415: "UnsupportedMediaType",
    428: "VersionNeeded",
    429: "TooManyRequests",
    500: "InternalError",
    503: "StoreError",
}
"""The code of a problem that is no error of the book, by its status."""


def plain_problem(
    status: int,
    detail: str,
    *,
    code: str = "",
    retryable: bool = False,
    headers: Mapping[str, str] | None = None,
    details: Mapping[str, Any] | None = None,
) -> Reply:
    """Return a problem that is no error of the book.

    Args:
        status: of HTTP.
        detail: what was wrong and what to do.
        code: stable name; empty: the one of the status.
        retryable: whether the same request may succeed later.
        headers: to send along.
        details: the objects at fault.
    """
    name = code or CODES.get(status, "InputError")
    shown: dict[str, Any] = {
        "type": f"/docs#{name}",
        "title": _TITLES.get(status, "It failed"),
        "status": status,
        "detail": detail,
        "code": name,
        "retryable": retryable,
    }
    if details:
        shown["details"] = {str(key): _shown(value) for key, value in details.items()}
    body = json.dumps(shown, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Reply(body=body, status=status, type=PROBLEM_TYPE, headers=dict(headers or {}))


def problem_of(problem: BookError) -> Reply:
    """Return the problem of an error of the book."""
    status = problem.http_status
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)} if isinstance(problem, StoreError) and status == 503 else {}
    details = problem.details
    return plain_problem(
        status, str(problem), code=problem.code, retryable=problem.retryable, headers=headers, details=details
    )


def _shown(value: Any) -> Any:
    """Return an object at fault as short plain JSON data."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, Decimal) and not value.is_finite():
        return str(value)
    text = value if isinstance(value, str) else None
    if text is None:
        found = as_plain(value) if isinstance(value, Decimal) or hasattr(value, "isoformat") else value
        text = found if isinstance(found, str) else json.dumps(_safe(found), ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def _safe(value: Any) -> Any:
    return str(value) if isinstance(value, float | Decimal) else value


# ---- for the framework, and for layers around it ----


def handlers() -> dict[Any, Callable[..., Any]]:
    """Return what turns each error into a problem, as litestar takes it."""
    from litestar.exceptions import HTTPException

    return {BookError: _book_error, HTTPException: _http_error, Exception: _unexpected}


def _book_error(_: Any, problem: BookError) -> Any:
    if problem.http_status == 500:
        _LOG.error("%s: %s", problem.code, problem)
    return response(problem_of(problem))


def _http_error(request: Any, problem: Any) -> Any:
    status = problem.status_code
    if problem.detail == _GONE:  # nobody hears it; the log of requests has it
        return response(plain_problem(408, "the body is not whole: its sender went, or was too slow", retryable=True))
    if status >= 500:
        return _unexpected(request, problem)
    if status == 404:
        return response(plain_problem(404, f"{shown_path(request.url.path)} is no address of this service; see /docs"))
    if status == 405:
        detail = f"{shown_path(request.url.path)} does not take {request.method}; see /docs"
        return response(plain_problem(405, detail, headers=dict(problem.headers or {})))
    return response(plain_problem(status, str(problem.detail), headers=dict(problem.headers or {})))


def _unexpected(_: Any, problem: Exception) -> Any:
    _LOG.error("an unexpected error", exc_info=problem)
    return response(plain_problem(500, "something unexpected happened; the service's log says what"))


def response(reply: Reply) -> Any:
    """Return a reply as the framework sends it."""
    from litestar import Response

    return Response(reply.body, status_code=reply.status, media_type=reply.type, headers=dict(reply.headers))


async def send_reply(send: Callable[[Any], Awaitable[None]], reply: Reply) -> None:
    """Send a reply from an ASGI layer."""
    headers = [(b"content-type", reply.type.encode()), (b"content-length", str(len(reply.body)).encode())]
    headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
