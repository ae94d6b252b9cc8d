"""The document says what the service does: every address, example and status; its page loads nothing from elsewhere."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.http.conftest import Serve, Served
from tests.http.scene import CLOCK, kept, played, steady

import onebook
from onebook.domain.facts import FACTS
from onebook.errors import BookError, InputError
from onebook.http.documents import addresses, document, error_codes
from onebook.http.problems import problem_of
from onebook.http.roles import allowed
from onebook.http.routes import ENDPOINTS
from onebook.http.schemas import CHOICES
from onebook.http.service import application
from onebook.testing import FakeClock

REQUEST_IDS = re.compile(r"#/components/(\w+)/(\w+)")


STREAMS = {"/v1/events": "get", "/v1/ws": "get"}
"""Addresses that litestar knows without a method."""


@pytest.fixture
def standing(serve: Serve) -> Iterator[Served]:
    """A service of an empty book whose clock stands."""
    with onebook.open(":memory:", clock=FakeClock(CLOCK)) as book:
        yield serve(book)


def test_the_examples_are_what_the_service_answers(standing: Served) -> None:
    wanted = kept()
    found = list(played(standing.client(), standing.book))
    assert [item["name"] for item in found] == [item["name"] for item in wanted]
    for item, example in zip(found, wanted, strict=True):
        assert steady(item) == steady(example), f"{example['name']}: write them anew: python -m tests.http.scene"


def test_every_address_has_an_example() -> None:
    shown = {item["operation"] for item in kept()}
    twins = {"get_overview", "get_lots", "get_explain", "delete_state"}
    no_text = {address.name for address in addresses() if address.group == "Page"} | {"open_socket", "follow_link"}
    the_document_itself = {"get_openapi", "get_docs", "get_docs_style"}
    assert {address.name for address in addresses()} - shown == twins | no_text | the_document_itself
    assert shown <= {address.name for address in addresses()}


def _shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def _answered(service: Any) -> set[tuple[str, str]]:
    """(method in small letters, path with {} for each parameter) of every handler that there is."""
    found = set()
    for route in application(service).routes:
        path = _shape(route.path_format)
        methods = getattr(route, "methods", None) or {STREAMS[path]}
        found |= {(method.lower(), path) for method in methods if method != "OPTIONS"}
    return found


def test_the_document_holds_every_address_that_is_answered_and_no_other(served: Served) -> None:
    described = {(method, _shape(path)) for path, methods in document()["paths"].items() for method in methods}
    answered = _answered(served.service)
    assert described - answered == set(), "described, and nobody answers"
    assert answered - described == set(), "answered, and not described"


def test_examples_fit_their_schemas() -> None:
    from jsonschema_rs import Draft202012Validator

    found = document()
    checked = 0
    for path in found["paths"].values():
        for operation in path.values():
            said = [operation.get("requestBody", {}), *operation["responses"].values()]
            for content in (item for part in said for item in part.get("content", {}).values()):
                check = Draft202012Validator(content["schema"] | {"components": found["components"]})
                for example in content.get("examples", {}).values():
                    check.validate(example["value"])
                    checked += 1
    assert checked > 80


def test_the_document_is_sound() -> None:
    from jsonschema_rs import meta

    found = document()
    assert found["openapi"] == "3.1.0"
    names = [operation["operationId"] for path in found["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))
    for section, name in set(REQUEST_IDS.findall(json.dumps(found))):
        assert name in found["components"][section]
    for schema in found["components"]["schemas"].values():
        meta.validate(schema)
    for operation in (operation for path in found["paths"].values() for operation in path.values()):
        assert {"400", "401", "403", "429", "500", "503"} <= operation["responses"].keys()


def test_every_address_stands_in_the_table_of_roles() -> None:
    for address in addresses():
        path = re.sub(r"\{\w+\}", "x", address.path)
        assert allowed(address.method, path), f"{address.method} {address.path}"


def test_the_document_says_who_may(served: Served) -> None:
    paths = document()["paths"]
    assert paths["/v1/trading/halt"]["post"]["x-roles"] == ["operator"]
    assert paths["/v1/fills"]["get"]["x-roles"] == ["accountant", "bot", "operator", "viewer"]
    stranger = served.client(**{"X-Forwarded-For": "192.0.2.1"})
    for path, operation in ((path, methods["get"]) for path, methods in paths.items() if "get" in methods):
        assert operation["x-roles"], path
        assert ("anyone" in operation["x-roles"]) == (operation.get("security") == [{}]), path
        if "{" not in path and path not in STREAMS:
            answer = stranger.get(path)
            assert (answer.status_code == 401) == ("anyone" not in operation["x-roles"]), path


def test_every_address_of_the_contract_is_there() -> None:
    paths = set(document()["paths"])
    lists = [
        "fills", "orders", "order-updates", "signals", "signal-updates", "transfers", "cash-movements", "funding",
        "corporate-actions", "opening-balances", "instruments", "accounts", "rates", "marks",
    ]  # fmt: skip
    for name in lists:
        assert {"get", "post"} <= document()["paths"][f"/v1/{name}"].keys()
    reads = [
        "positions", "positions/{instrument}", "lots/{instrument}", "round-trips", "balances", "pnl", "pnl/daily",
        "equity", "equity/curve", "journal", "explain/{instrument}", "status", "breaks", "verify", "events/history",
        "overview",
    ]  # fmt: skip
    assert {f"/v1/{name}" for name in reads} <= paths
    for name in ("may", "place", "halt", "reduce", "resume", "flatten"):
        assert "post" in document()["paths"][f"/v1/trading/{name}"]
    others = {
        "/v1/fills/bust",
        "/v1/fills/correct",
        "/v1/breaks/{id}/resolve",
        "/v1/round-trips/{id}",
        "/v1/state/{path}",
    }
    assert others <= paths


def test_every_read_takes_another_point() -> None:
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET":
            assert {"as_of", "known"} <= {item.name for item in endpoint.parameters}, endpoint.path


@pytest.mark.parametrize(("kind", "field"), sorted(CHOICES))
def test_values_of_the_document_are_those_that_a_fact_takes(kind: str, field: str) -> None:
    fact = next(item for item in FACTS.values() if item.__name__ == kind)
    for value in CHOICES[kind, field]:
        assert fact.CONVERT[field](field, value) == value
    with pytest.raises(InputError) as refused:
        fact.CONVERT[field](field, "no such value")
    listed = str(refused.value).partition("none of ")[2].split(", ")
    assert {name for name in listed if name != "''"} == {name for name in CHOICES[kind, field] if name}


def test_every_fact_has_a_schema_with_all_its_fields() -> None:
    schemas = document()["components"]["schemas"]
    for name, fact in FACTS.items():
        if name not in {"token", "hook"}:
            assert set(schemas[fact.__name__]["properties"]) == {item.name for item in fields(fact)}


def _errors(kind: type[BookError] = BookError) -> Iterator[type[BookError]]:
    for each in kind.__subclasses__():
        if each.__module__ == "onebook.errors":
            yield each
            yield from _errors(each)


@pytest.mark.parametrize("kind", list(_errors()), ids=lambda kind: kind.__name__)
def test_each_error_is_a_problem_with_its_status_and_code(kind: type[BookError]) -> None:
    reply = problem_of(kind("what to do", field="x", value=float("nan"), at_fault=object()))
    found = json.loads(reply.body)
    assert reply.status == kind.http_status == found["status"]
    assert (found["code"], found["retryable"], found["detail"]) == (kind.__name__, kind.retryable, "what to do")
    assert found["details"]["field"] == "x"
    assert reply.type == "application/problem+json"
    assert (reply.headers.get("retry-after") is not None) == (reply.status == 503)
    assert error_codes()[kind.__name__][0] == reply.status


def test_an_error_of_our_own_is_a_500_that_tells_nothing(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("the secret of the house")

    monkeypatch.setattr(served.book, "status", broken)
    answer = served.client().get("/v1/status")
    assert (answer.status_code, answer.json()["code"]) == (500, "InternalError")
    assert "secret" not in answer.text


def test_unknown_addresses_and_methods_are_problems(served: Any) -> None:
    client = served.client()
    for method, path, status in (("GET", "/v1/nothing", 404), ("GET", "/nothing", 404), ("DELETE", "/v1/fills", 405)):
        answer = client.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"]


class _Page(HTMLParser):
    """Gathers what a page loads, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.names: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.loads += [str(given[name]) for name in ("src", "href") if name in given and tag != "a"]
        self.links += [str(given["href"])] if tag == "a" else []
        self.names |= {str(given["id"])} if "id" in given else set()
        assert not {name for name in given if name == "style" or name.startswith("on")}


def test_the_page_for_people_loads_nothing_from_elsewhere(served: Any) -> None:
    client = served.client()
    answer = client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = _Page()
    page.feed(answer.text)
    assert "script" not in page.tags
    assert page.loads == ["/docs/style.css"]
    assert client.get("/docs/style.css").headers["content-type"].startswith("text/css")
    assert {link for link in page.links if link.startswith("#") and link[1:] not in page.names} == set()
    for endpoint in ENDPOINTS:
        assert endpoint.name in page.names
    assert {"StoreBusy", "NotFound"} <= page.names


def test_the_document_is_served_as_it_is(served: Any) -> None:
    assert served.client().get("/openapi.json").json() == document()
