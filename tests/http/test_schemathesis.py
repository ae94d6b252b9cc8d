"""Requests made from the document: no 500, and no status, type or body that the document does not know."""

import json
import math
import traceback
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

import httpx
import pytest
import requests

pytest.importorskip("schemathesis")
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import load_all_checks
from tests.http.conftest import Serve
from tests.http.scene import HOOK_SECRET, played

from onebook.http import tollgate
from onebook.http.documents import document

HOOK = "/v1/hooks/{name}/{secret}"

ROLES = ("viewer", "accountant", "operator", "bot", "nobody")
STREAMS = {"follow_events", "open_socket"}
"""Addresses that answer without an end, or in another protocol: of these no more than the head is looked at."""

EXAMPLES, AT_ONCE = 25, 5
SECONDS = 140
"""About what the long run of one role takes at most: every address gets its share, used or not."""

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
def filled(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A service of a book in which something is, with a client of each role, and no limit that is soon reached."""
    monkeypatch.setattr(tollgate, "ALERTS_A_MINUTE", 1_000_000)
    monkeypatch.setattr(tollgate, "BREAKS_A_MINUTE", 1_000_000)
    served: Any = serve(config={"serve": {"requests_a_minute": 0}})
    for _ in played(served.client(), served.book):
        pass
    served.clients = {role: served.client(served.token(role)) for role in ROLES[:-1]}
    served.clients["nobody"] = served.client(**{"X-Forwarded-For": "192.0.2.1"})
    return served


CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


def _checked(case: Any, client: httpx.Client) -> int:
    from schemathesis import checks

    base, headers = str(client.base_url).rstrip("/"), client.headers
    if case.operation.definition.raw["operationId"] in STREAMS:
        return _begun(case, base, headers)
    wanted = [checks.CHECKS.get_one(name) for name in CHECKS]
    answer = case.call_and_validate(base_url=base, headers=headers, checks=wanted)
    status: int = answer.status_code
    return status


def _begun(case: Any, base: str, headers: Any) -> int:
    """Ask, and look at the head of the answer."""
    asked = requests.Request(**case.as_transport_kwargs(base_url=base, headers=dict(headers)))
    with requests.Session() as session, session.send(asked.prepare(), stream=True, timeout=30) as answer:
        documented = case.operation.definition.raw["responses"]
        assert str(answer.status_code) in documented, f"Undocumented status code: {answer.status_code}"
        assert answer.status_code < 500, answer.text
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind == ("text/event-stream" if answer.status_code == 200 else "application/problem+json")
        return int(answer.status_code)


def _operations(described: Any) -> Iterator[Any]:
    for found in described.get_all_operations():
        yield found.ok()


def _asker(operation: Any, mode: Any, client: httpx.Client, examples: int, until: float = math.inf) -> list[int]:
    """Ask an address so many times, a few at once, or until a moment is over; return what was answered.

    Args:
        operation: the address.
        mode: as the document says, or not.
        client: who asks.
        examples: how often.
        until: of the monotonic clock; without one the same is asked each time.
    """
    from hypothesis import given

    answered: list[int] = []

    def ask(case: Any) -> None:
        if case.operation.path == HOOK and len(answered) % 4:
            case.path_parameters = {"name": "desk", "secret": HOOK_SECRET}
        answered.append(_checked(case, client))

    some = examples if until == math.inf else AT_ONCE
    for _ in range(0, examples, some):
        made = given(case=operation.as_strategy(generation_mode=mode))(ask)
        with suppress(Unsatisfiable):  # an address that takes anything cannot be asked wrongly
            settings(QUIET, max_examples=some, derandomize=until == math.inf)(made)()
        if monotonic() > until:
            break
    return answered


def _run(described: Any, filled: Any, examples: int, *roles: str, seconds: float = math.inf) -> list[int]:
    """Ask every address so many times, the roles in turn; return the statuses that were answered."""
    answered: list[int] = []
    operations = list(_operations(described))
    share = seconds / len(operations) / len(schemathesis.GenerationMode)
    for number, operation in enumerate(operations):
        client = filled.clients[roles[number % len(roles)]]
        found = [
            status
            for mode in schemathesis.GenerationMode
            for status in _asker(operation, mode, client, examples, monotonic() + share)
        ]
        assert found, operation.label
        assert not {429, 404} >= set(found) or "{" in operation.path, operation.label
        answered += found
    return answered


def test_requests_made_from_the_document_are_answered_as_it_says(described: Any, filled: Any) -> None:
    assert {200, 400, 403, 426} <= set(_run(described, filled, 3, "operator", "operator", *ROLES[:-1]))


@pytest.mark.torture
@pytest.mark.parametrize("role", ROLES)
def test_many_requests_made_from_the_document_are_answered_as_it_says(described: Any, filled: Any, role: str) -> None:
    answered = set(_run(described, filled, EXAMPLES, role, seconds=SECONDS))
    wanted = {200, 401} if role == "nobody" else {200, 400, 403} if role in {"viewer", "bot"} else {200, 201, 400}
    assert wanted <= answered
    assert 429 not in answered
    assert filled.book.verify().ok


def test_an_alert_is_taken_as_the_document_says(described: Any, filled: Any) -> None:
    [operation] = [item for item in _operations(described) if item.path == HOOK]
    found = _asker(operation, schemathesis.GenerationMode.POSITIVE, filled.clients["nobody"], 30)
    assert {400, 404} <= set(found), "an alert is none, or comes with another secret"
    assert 429 not in found


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
