"""Logging in with a token, for pages: it is kept in a cookie that no script can read."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.enums import MediaType

from onebook.errors import InputError, NotAllowed
from onebook.http.auth import Caller, cookie_name
from onebook.http.door import refused_by
from onebook.http.problems import response
from onebook.http.secrets import LONGEST, csrf_of
from onebook.http.wire import decoded

MAX_BODY = 4096


@post("/login", status_code=200)
async def login(request: Request[Any, Any, Any]) -> Any:
    """Take a token, and give a cookie for it."""
    secret = _secret_in(await request.body())
    service = request.state.service
    try:
        caller = service.access.caller_with(secret, request.scope, how="cookie")
    except NotAllowed as problem:
        return response(refused_by(problem))
    answer = Response(session_of(caller, csrf_of(secret)), media_type=MediaType.JSON)
    answer.set_cookie(
        cookie_name(request.scope), secret, httponly=True, samesite="strict", path="/", secure=service.is_secure
    )
    return answer


@post("/logout", status_code=204)
async def logout(request: Request[Any, Any, Any]) -> Response[None]:
    """Take the cookie back."""
    answer: Response[None] = Response(None, status_code=204)
    answer.set_cookie(
        cookie_name(request.scope), "", max_age=0, httponly=True, samesite="strict", path="/",
        secure=request.state.service.is_secure,
    )  # fmt: skip
    return answer


@get("/v1/session")
async def session(request: Request[Any, Any, Any]) -> Any:
    """Say who sends requests: name, role, a bot's strategy, and what a page must send beside its cookie."""
    caller: Caller = request.state.caller
    secret = ""
    if caller.how == "cookie":
        secret = request.cookies.get(cookie_name(request.scope), "")
    return Response(session_of(caller, csrf_of(secret) if secret else ""), media_type=MediaType.JSON)


def session_of(caller: Caller, csrf: str) -> dict[str, str]:
    """Return what a page is told of its session."""
    return {"name": caller.name, "role": caller.role, "strategy": caller.strategy, "how": caller.how, "csrf": csrf}


def _secret_in(body: bytes) -> str:
    """Return the token that a body brings.

    Raises:
        InputError: it brings none.
    """
    given = decoded(body) if len(body) <= MAX_BODY else None
    secret = given.get("token") if isinstance(given, dict) else None
    if not isinstance(secret, str) or not 0 < len(secret.strip()) <= LONGEST:
        msg = 'token: is missing; send {"token": "…"}'
        raise InputError(msg, field="token")
    return secret.strip()


ROUTES = [login, logout, session]
