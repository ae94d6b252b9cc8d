"""``/openapi.json`` and ``/docs``: every address, made from the same table that answers."""

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from onebook.errors import BookError
from onebook.http.calls import Call, Endpoint, Parameter, Reply
from onebook.http.problems import CODES, PROBLEM_TYPE, plain_problem
from onebook.http.routes import ENDPOINTS, route_handlers
from onebook.http.schemas import all_schemas, body_schema, ref

if TYPE_CHECKING:
    from onebook.http.service import Service

EVERYWHERE = (400, 401, 403, 422, 429, 500, 503)
"""Problems that every address can answer with."""

_WITH_BODY = (413, 415)
_ABOUT = (
    "The one book of record for trading bots. Money, prices and quantities are text in plain notation; sequences and "
    "counts are numbers; times are RFC 3339 UTC. Lists are pages: follow next_after. Errors are RFC 9457 problems with "
    "a stable code. Reads take as_of and known."
)
_KINDS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "count": {"type": "integer", "minimum": 1},
    "sequence": {"type": "integer", "minimum": 0},
    "moment": {"type": "string", "format": "date-time"},
    "day": {"type": "string", "format": "date"},
    "flag": {"type": "boolean"},
    "number": {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"},
}
_STATUS_SAYS = {
    200: "It is so.",
    201: "It is recorded, and durable.",
    204: "It is gone.",
    409: "It contradicts what is there.",
}


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    from onebook import __version__

    paths: dict[str, Any] = {}
    pages = sorted({name for item in ENDPOINTS for name in item.answers.values() if name.endswith("Page")})
    for endpoint in (*ENDPOINTS, *OWN):
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "onebook", "version": __version__, "description": _ABOUT, "license": {
            "name": "Apache-2.0", "identifier": "Apache-2.0",
        }},
        "servers": [{"url": "/", "description": "This service."}],
        "security": [{"token": []}, {"cookie": []}, {}],
        "tags": [{"name": name} for name in sorted({endpoint.group for endpoint in (*ENDPOINTS, *OWN)})],
        "paths": paths,
        "components": {
            "schemas": all_schemas(pages),
            "responses": {"Problem": {
                "description": "A problem: what went wrong and what to do.",
                "content": {PROBLEM_TYPE: {"schema": ref("ProblemDetails")}},
            }},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "As onebook token create printed it."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "onebook", "description": (
                    "Of the dashboard's login; requests that change something also send X-Onebook-CSRF."
                )},
            },
        },
    }  # fmt: skip


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    said = examples().get(endpoint.name, [])
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.about,
        "tags": [endpoint.group],
        "parameters": [_parameter(item) for item in endpoint.parameters],
        "responses": _responses(endpoint, said),
    }
    if endpoint.body:
        content: dict[str, Any] = {"schema": body_schema(endpoint.body)}
        shown = {item["name"]: {"value": item["body"]} for item in said if item.get("body") is not None}
        if shown:
            content["examples"] = shown
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _parameter(item: Parameter) -> dict[str, Any]:
    schema = dict(_KINDS[item.kind])
    if item.choices:
        schema["enum"] = list(item.choices)
    if item.name == "limit":
        schema["maximum"] = 1000
    if item.where == "path" and item.kind == "text":
        schema["minLength"] = 1
    shown: dict[str, Any] = {"name": item.name, "in": item.where, "description": item.about, "schema": schema}
    if item.is_required or item.where == "path":
        shown["required"] = True
    if item.example is not None:
        shown["example"] = int(item.example) if item.kind in {"count", "sequence"} else item.example
    return shown


def _responses(endpoint: Endpoint, said: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, name in sorted(endpoint.answers.items()):
        response: dict[str, Any] = {"description": _STATUS_SAYS.get(status, "An answer.")}
        if name:
            content: dict[str, Any] = {"schema": ref(name)}
            shown = {item["name"]: {"value": item["response"]} for item in said if item["status"] == status}
            if shown:
                content["examples"] = shown
            response["content"] = {endpoint.type: content}
        elif endpoint.type != "application/json":
            response["content"] = {endpoint.type: {"schema": {"type": "string"}}}
        found[str(status)] = response
    if endpoint.method == "GET":
        found["304"] = {"description": "It is what If-None-Match names."}
    problems = {*EVERYWHERE, *endpoint.problems, *(_WITH_BODY if endpoint.body else ())}
    for status in sorted(problems):
        if str(status) not in found:
            found[str(status)] = {"$ref": "#/components/responses/Problem"}
        elif "content" in found[str(status)]:
            found[str(status)]["content"][PROBLEM_TYPE] = {"schema": ref("ProblemDetails")}
    return dict(sorted(found.items()))


@cache
def examples() -> dict[str, list[dict[str, Any]]]:
    """Return examples by the name of their address: requests in the order in which they were made, and the answers."""
    text = files("onebook.http").joinpath("examples.json").read_text(encoding="utf-8")
    found: dict[str, list[dict[str, Any]]] = {}
    for item in json.loads(text):
        found.setdefault(item["operation"], []).append(item)
    return found


# ---- what is served ----


@cache
def _document_bytes() -> bytes:
    return json.dumps(document(), ensure_ascii=False, separators=(",", ":")).encode()


def _openapi(_: Call) -> Reply:
    return Reply(body=_document_bytes())


def _docs(_: Call) -> Reply:
    from onebook.http.docs_page import page

    return Reply(body=page(document(), error_codes()), type="text/html")


def _style(_: Call) -> Reply:
    from onebook.http.docs_page import STYLE

    return Reply(body=STYLE.encode(), type="text/css")


@cache
def error_codes() -> dict[str, tuple[int, bool, str]]:
    """Return every code of a problem: its status, whether trying again helps, and what it means."""
    found: dict[str, tuple[int, bool, str]] = {}
    waiting: list[type[BookError]] = [BookError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind is not BookError and kind.__module__ == BookError.__module__:
            found[kind.__name__] = (kind.http_status, kind.retryable, (kind.__doc__ or "").partition("\n")[0])
    for status, code in CODES.items():
        if code not in found:
            title = json.loads(plain_problem(status, "").body)["title"]
            found[code] = (status, status in {408, 429}, f"{title}.")
    return dict(sorted(found.items()))


OWN = (
    Endpoint(
        method="GET", path="/openapi.json", name="get_openapi", about="This document.", run=_openapi, group="Service",
        answers={200: "Anything"},
    ),
    Endpoint(
        method="GET", path="/docs", name="get_docs", about="This document for people.", run=_docs, group="Service",
        answers={200: ""}, type="text/html",
    ),
    Endpoint(
        method="GET", path="/docs/style.css", name="get_docs_style", about="How it looks.", run=_style,
        group="Service", answers={200: ""}, type="text/css",
    ),
)  # fmt: skip

FIXED = frozenset(endpoint.path for endpoint in OWN)


def routes(service: "Service") -> list[Any]:
    """Return the handlers of every address of the table."""
    return route_handlers(service, (*ENDPOINTS, *OWN))
