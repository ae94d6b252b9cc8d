"""Requests made from the document: no 500, and no status, type or body that the document does not know."""

import json
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

pytest.importorskip("schemathesis")
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import load_all_checks
from tests.http.scene import played

from onebook.http.documents import document

ROLES = ("viewer", "accountant", "operator", "bot")
QUIET = settings(
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def described() -> Any:
    load_all_checks()
    return schemathesis.openapi.from_dict(document())


@pytest.fixture
def filled(served: Any) -> Any:
    """A service of a book in which something is, with a client of each role."""
    for _ in played(served.client()):
        pass
    served.clients = {role: served.client(served.token(role)) for role in ROLES}
    return served


def _checked(case: Any, client: httpx.Client) -> int:
    from schemathesis import checks

    wanted = [
        checks.CHECKS.get_one(name)
        for name in (
            "not_a_server_error",
            "status_code_conformance",
            "content_type_conformance",
            "response_schema_conformance",
        )
    ]
    answer = case.call_and_validate(base_url=str(client.base_url).rstrip("/"), headers=client.headers, checks=wanted)
    status: int = answer.status_code
    return status


def _operations(described: Any) -> Iterator[Any]:
    for found in described.get_all_operations():
        yield found.ok()


def _asker(operation: Any, mode: Any, client: httpx.Client, examples: int) -> Any:
    """Return what asks an address so many times, and a list of what it was answered."""
    from hypothesis import given

    answered: list[int] = []

    @settings(QUIET, max_examples=examples)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answered.append(_checked(case, client))

    with suppress(Unsatisfiable):  # an address that takes anything cannot be asked wrongly
        ask()
    return answered


def _run(described: Any, filled: Any, examples: int, *roles: str) -> list[int]:
    """Ask every address so many times, the roles in turn; return the statuses that were answered."""
    answered: list[int] = []
    for number, operation in enumerate(_operations(described)):
        client = filled.clients[roles[number % len(roles)]]
        for mode in schemathesis.GenerationMode:
            answered += _asker(operation, mode, client, examples)
    return answered


def test_requests_made_from_the_document_are_answered_as_it_says(described: Any, filled: Any) -> None:
    assert {200, 400, 403} <= set(_run(described, filled, 3, "operator", "operator", *ROLES))


@pytest.mark.torture
@pytest.mark.parametrize("role", ROLES)
def test_many_requests_made_from_the_document_are_answered_as_it_says(described: Any, filled: Any, role: str) -> None:
    assert {200, 400} <= set(_run(described, filled, 100, role))


def test_a_status_that_the_document_does_not_know_is_found(served: Any) -> None:
    load_all_checks()
    short = json.loads(json.dumps(document()))
    short["paths"] = {"/v1/lots": short["paths"]["/v1/lots"]}
    del short["paths"]["/v1/lots"]["get"]["responses"]["400"]
    schema = schemathesis.openapi.from_dict(short)
    [operation] = _operations(schema)
    with pytest.raises(BaseException) as found:  # noqa: PT011  a group or a single failure
        _asker(operation, schemathesis.GenerationMode.NEGATIVE, served.client(), 10)
    assert "Undocumented status code" in "".join(traceback.format_exception(found.value))
