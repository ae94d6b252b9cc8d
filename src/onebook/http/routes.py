"""Every address under ``/v1`` that reads or records, and how the framework comes to its handler."""

import inspect
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from onebook.errors import InputError
from onebook.http import (
    lists,
    overview,
    price_history,
    problems,
    protections,
    reads,
    state,
    subscribers,
    trading,
    wire,
    writes,
)
from onebook.http.calls import Call, Endpoint, Reply, Serves, caller_of

if TYPE_CHECKING:
    from litestar import Request

ENDPOINTS: tuple[Endpoint, ...] = (
    *overview.ENDPOINTS,
    *reads.ENDPOINTS,
    *price_history.ENDPOINTS,
    *lists.ENDPOINTS,
    *writes.ENDPOINTS,
    *trading.ENDPOINTS,
    *protections.ENDPOINTS,
    *subscribers.ENDPOINTS,
    *state.ENDPOINTS,
)

MAX_PARAMETERS = 100

KEPT = frozenset(
    endpoint.path.split("/")[2] for endpoint in ENDPOINTS if endpoint.method == "GET" and endpoint.name != "get_verify"
)
"""The families of addresses whose answers hold while the book stands still."""


def route_handlers(service: Serves, endpoints: tuple[Endpoint, ...] = ENDPOINTS) -> list[Any]:
    """Return the handlers of these addresses, as litestar takes them."""
    return [_handler(service, endpoint) for endpoint in endpoints]


def _handler(service: Serves, endpoint: Endpoint) -> Any:
    from litestar import Request, Response
    from litestar.handlers import HTTPRouteHandler

    async def answer(request: Request[Any, Any, Any]) -> Response[bytes]:
        return problems.response(await answered(service, endpoint, request))  # type: ignore[no-any-return]

    answer.__name__ = endpoint.name
    answer.__annotations__ = {"request": Request, "return": Response}
    path = endpoint.path
    if endpoint.rest:
        path = path.replace(f"{{{endpoint.rest}}}", f"{{{endpoint.rest}:path}}")
    path = path.replace("{id}", "{id:str}")
    method: Any = endpoint.method
    return HTTPRouteHandler(path, http_method=method, name=endpoint.name, status_code=200)(answer)


async def answered(service: Serves, endpoint: Endpoint, request: "Request[Any, Any, Any]") -> Reply:
    """Take a request apart, and return what its address answers.

    Raises:
        BookError: it is malformed, or refused.
    """
    call = await _call(service, endpoint, request)
    if inspect.iscoroutinefunction(endpoint.run):
        found: Reply = await endpoint.run(call)
        return found
    from anyio import to_thread

    reply = await to_thread.run_sync(endpoint.run, call)
    assert isinstance(reply, Reply)  # noqa: S101  what is no coroutine function answers at once
    return reply


async def _call(service: Serves, endpoint: Endpoint, request: "Request[Any, Any, Any]") -> Call:
    path: str = request.scope["path"]
    headers = {name.lower(): value for name, value in request.headers.items()}
    given = endpoint.given(_of_path(endpoint, path, request), _query(request.scope["query_string"]), headers)
    body = None
    if endpoint.body:
        body = wire.decoded(await request.body(), exact=endpoint.name != "put_state")
    return Call(
        service=service, caller=caller_of(request.scope), given=given, body=body, headers=headers, path=path
    )  # fmt: skip


def _of_path(endpoint: Endpoint, path: str, request: "Request[Any, Any, Any]") -> dict[str, str]:
    if endpoint.rest:
        prefix = endpoint.path.partition("{")[0]
        return {endpoint.rest: path[len(prefix) :]}
    return {name: str(value) for name, value in request.path_params.items()}


def _query(raw: bytes) -> dict[str, list[str]]:
    """Return the parameters of a query.

    Raises:
        InputError: it is not UTF-8, or has too many.
    """
    if not raw:
        return {}
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="strict")
    except ValueError as problem:
        msg = f"the query cannot be read: {problem}"
        raise InputError(msg, field="query") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found
