"""``/openapi.json`` and ``/docs``: every address, made from the same table that answers."""

import json
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from onebook.errors import BookError
from onebook.http.calls import JSON_TYPE, Address, Call, Endpoint, Parameter, Reply
from onebook.http.described import DESCRIBED
from onebook.http.problems import CODES, PROBLEM_TYPE, plain_problem
from onebook.http.roles import ANYONE, allowed
from onebook.http.routes import ENDPOINTS, route_handlers
from onebook.http.schemas import all_schemas, body_schema, ref

if TYPE_CHECKING:
    from onebook.http.service import Service

EVERYWHERE = (400, 401, 403, 422, 429, 500, 503)
"""Problems that every address can answer with."""

_WITH_BODY = (413, 415)
_PARAMETER = re.compile(r"\{\w+\}")
_ABOUT = (
    "The one book of record for trading bots. Money, prices and quantities are text in plain notation; sequences and "
    "counts are numbers; times are RFC 3339 UTC. Lists are pages: follow next_after. Errors are RFC 9457 problems with "
    "a stable code. Reads take as_of and known. x-roles says who may ask; anyone needs no token."
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
    101: "The connection speaks WebSocket from here on.",
    200: "It is so.",
    201: "It is recorded, and durable.",
    204: "It is gone.",
    304: "It is what If-None-Match names.",
    409: "It contradicts what is there.",
}


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    from onebook import __version__

    paths: dict[str, Any] = {}
    pages = sorted({name for item in ENDPOINTS for name in item.answers.values() if name.endswith("Page")})
    for address in addresses():
        paths.setdefault(address.path, {})[address.method.lower()] = _operation(address)
    return {
        "openapi": "3.1.0",
        "info": {"title": "onebook", "version": __version__, "description": _ABOUT, "license": {
            "name": "Apache-2.0", "identifier": "Apache-2.0",
        }},
        "servers": [{"url": "/", "description": "This service."}],
        "security": [{"token": []}, {"cookie": []}, {}],
        "tags": [{"name": name} for name in sorted({address.group for address in addresses()})],
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


def addresses() -> tuple[Address, ...]:
    """Return every address that the service answers."""
    return (*ENDPOINTS, *OWN, *DESCRIBED)


def _operation(address: Address) -> dict[str, Any]:
    said = examples().get(address.name, [])
    operation: dict[str, Any] = {
        "operationId": address.name,
        "summary": address.about,
        "tags": [address.group],
        "x-roles": _roles(address),
        "parameters": [_parameter(item) for item in address.parameters],
        "responses": _responses(address, said),
    }
    if address.details:
        operation["description"] = address.details
    if ANYONE in operation["x-roles"]:
        operation["security"] = [{}]
    if address.body:
        operation["requestBody"] = {"required": True, "content": _bodies(address, said)}
    return operation


def _roles(address: Address) -> list[str]:
    """Return who may ask, as the table of roles says it; ``anyone`` needs no token."""
    method = "WS" if 101 in address.answers else address.method
    return sorted(allowed(method, _PARAMETER.sub("1", address.path)) or ())


def _bodies(address: Address, said: list[dict[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": body_schema(address.body)}
    shown = {item["name"]: {"value": item["body"]} for item in said if item.get("body") is not None}
    if shown:
        content["examples"] = shown
    others = {name: {"schema": _KINDS["text"]} for name in address.body_types if name != JSON_TYPE}
    return {JSON_TYPE: content, **others}


def _parameter(item: Parameter) -> dict[str, Any]:
    schema = dict(_KINDS[item.kind])
    if item.choices:
        schema["enum"] = list(item.choices)
    if item.most is not None:
        schema["maximum"] = item.most
    if item.where == "path" and item.kind == "text":
        schema["minLength"] = 1
    shown: dict[str, Any] = {"name": item.name, "in": item.where, "description": item.about, "schema": schema}
    if item.is_required or item.where == "path":
        shown["required"] = True
    if item.example is not None:
        shown["example"] = int(item.example) if item.kind in {"count", "sequence"} else item.example
    return shown


def _responses(address: Address, said: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, name in sorted(address.answers.items()):
        response: dict[str, Any] = {"description": _STATUS_SAYS.get(status, "An answer.")}
        if name or (status == 200 and address.type != JSON_TYPE):
            content: dict[str, Any] = {"schema": ref(name) if name else {"type": "string"}}
            shown = {item["name"]: {"value": item["response"]} for item in said if item["status"] == status}
            if shown:
                content["examples"] = shown
            response["content"] = {address.type: content}
        found[str(status)] = response
    if isinstance(address, Endpoint) and address.method == "GET":
        found["304"] = {"description": _STATUS_SAYS[304]}
    problems = {*EVERYWHERE, *address.problems, *(_WITH_BODY if address.body else ())}
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
