"""The table of roles, walked: every route, every role, and who says nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.http.conftest import Serve, Served

from onebook.errors import NotAllowed
from onebook.http.auth import Caller
from onebook.http.roles import ANYONE, MATRIX, READERS, RECORDS, allowed, check_record, own_strategy
from onebook.http.service import application

ROLES = ("viewer", "accountant", "operator", "bot")
STREAMS = {"/v1/events"}


def routes(served: Served) -> Iterator[tuple[str, str]]:
    """(method, a path) of every route there is."""
    for route in application(served.service).routes:
        methods = getattr(route, "methods", None) or {"GET"}
        for method in sorted(methods):
            if method == "OPTIONS" or route.path_format == "/v1/ws":
                continue
            path = route.path_format
            for part in route.path_components:
                if not isinstance(part, str):
                    path = path.replace("{" + part.name + "}", "1")
            yield method, path


def status(client: Any, method: str, path: str) -> int:
    """Ask, and read no more than the status: a stream has no end."""
    sent: dict[str, Any] = {} if method == "GET" else {"json": {}}
    with client.stream(method, path, **sent) as answer:
        if path not in STREAMS:
            answer.read()
            if answer.status_code >= 500:
                assert answer.status_code in {502, 503, 504}, (method, path, answer.text)
        return int(answer.status_code)


def test_every_route_is_in_the_table(served: Served) -> None:
    missing = [item for item in routes(served) if allowed(*item) is None]
    assert not missing


def test_no_role_gets_more_than_the_table_says(served: Served) -> None:
    clients = {role: served.client(served.token(role)) for role in ROLES}
    asked = list(routes(served))
    assert len(asked) > 40
    for method, path in asked:
        roles = allowed(method, path)
        assert roles is not None
        for role, client in clients.items():
            if path in {"/login", "/logout"}:
                continue
            found = status(client, method, path)
            if role in roles or ANYONE in roles:
                assert found not in {401, 403}, (method, path, role, found)
            else:
                assert found == 403, (method, path, role, found)


def test_who_says_nothing_gets_what_is_open_to_anyone(served: Served) -> None:
    """A request that came through a proxy is not one of this machine."""
    client = served.client(**{"X-Forwarded-For": "192.0.2.1"})
    for method, path in routes(served):
        roles = allowed(method, path)
        assert roles is not None
        found = status(client, method, path)
        assert (found == 401) == (ANYONE not in roles) or path == "/login", (method, path, found)


def test_a_caller_of_this_machine_operates_until_the_first_token(served: Served) -> None:
    client = served.client()
    assert client.post("/v1/trading/halt", json={"reason": "a test"}).status_code == 200
    secret = served.token("operator")
    answer = client.post("/v1/trading/resume", json={"reason": "a test"})
    assert answer.status_code == 403
    assert "role operator" in answer.json()["detail"]
    assert client.get("/v1/status").status_code == 200
    assert served.client(secret).post("/v1/trading/resume", json={"reason": "a test"}).status_code == 200
    assert [event.actor for event in served.book.events(types="trading_state_changed")] == ["loopback", "operator"]


def test_a_revoked_token_is_the_first_one_still(served: Served) -> None:
    served.token("viewer")
    (token,) = served.book.facts("token")
    served.book.record(token.replaced(is_revoked=True))
    assert served.client().post("/v1/trading/halt", json={"reason": "a test"}).status_code == 403


def test_a_bot_records_for_its_own_strategy(served: Served) -> None:
    client = served.client(served.token("bot", strategy="trend"))
    fill = {"instrument": "AAPL", "side": "buy", "quantity": "1", "price": "10", "client_fill_id": "1"}
    assert client.post("/v1/fills", json=fill).status_code == 201
    assert client.post("/v1/fills", json=fill | {"client_fill_id": "2", "strategy": "trend"}).status_code == 201
    other = client.post("/v1/fills", json=fill | {"client_fill_id": "3", "strategy": "grid"})
    assert other.status_code == 403
    assert other.json()["code"] == "NotAllowed"
    assert {(item.strategy, item.fill.client_fill_id) for item in served.book.fills()} == {
        ("trend", "1"),
        ("trend", "2"),
    }
    assert {event.actor for event in served.book.events(types="trade_executed")} == {"bot"}


@pytest.mark.parametrize("path", ["/v1//trading/halt", "/v1/trading/halt/", "//v1/trading/halt", "/v1/trading/%68alt"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_path_written_otherwise_gets_no_further(served: Served, path: str, method: str) -> None:
    client = served.client(served.token("viewer"))
    answer = client.request(method, served.url + path, json={"reason": "a test"})
    assert answer.status_code in {403, 404, 405}, answer.text
    assert served.book.trading.state == "ACTIVE"


def test_read_only_takes_nothing(serve: Serve) -> None:
    served = serve(is_read_only=True)
    client = served.client(served.token("operator"))
    for path in ("/v1/fills", "/v1/trading/halt", "/v1/trading/may", "/v1/marks"):
        answer = client.post(path, json={})
        assert answer.status_code == 403, path
        assert "--read-only" in answer.json()["detail"]
    assert client.get("/v1/status").status_code == 200
    assert served.book.fills() == []


# ---- the table itself ----


def test_readers_read_everything() -> None:
    for method, path, roles in MATRIX:
        if method == "GET":
            assert roles >= READERS, path


def test_an_operator_may_whatever_anybody_may() -> None:
    for method, path, roles in MATRIX:
        assert "operator" in roles, (method, path)
        if "viewer" in roles:
            assert roles >= READERS, (method, path)
    assert all("operator" in roles for roles in RECORDS.values())


def test_what_is_not_in_the_table_is_nobodys() -> None:
    assert allowed("POST", "/v1/tokens") is None
    assert allowed("POST", "/v1/hooks/a") is None
    assert allowed("DELETE", "/v1/fills") is None
    assert allowed("GET", "/elsewhere") is None


def test_kinds_of_facts_have_their_roles() -> None:
    bot = Caller(name="b", role="bot", strategy="trend")
    check_record(bot, "fill")
    for kind in ("token", "hook", "instrument", "transfer", "anything"):
        with pytest.raises(NotAllowed, match="b has the role bot"):
            check_record(bot, kind)
    operator = Caller(name="o", role="operator")
    for kind in RECORDS:
        check_record(operator, kind)
    with pytest.raises(NotAllowed, match="nobody here"):
        check_record(operator, "token")


def test_a_bot_has_its_own_strategy() -> None:
    bot, other = Caller(name="b", role="bot", strategy="trend"), Caller(name="o", role="operator")
    assert own_strategy(bot, None) == own_strategy(bot, "") == own_strategy(bot, "trend") == "trend"
    assert own_strategy(other, "grid") == "grid"
    assert own_strategy(other, None) is None
    with pytest.raises(NotAllowed, match="trend only, not for grid"):
        own_strategy(bot, "grid")


def test_deeds_of_an_operator_are_nobody_elses() -> None:
    """The table against a second one, by hand: a slip of the first is seen."""
    for path in ("trading/halt", "trading/reduce", "trading/resume", "trading/flatten", "limits", "settings"):
        assert allowed("POST", f"/v1/{path}") == {"operator"}, path
    for path in ("instruments", "accounts"):
        assert allowed("POST", f"/v1/{path}") == {"operator"}, path
    assert allowed("PUT", "/v1/state/a/b") == allowed("DELETE", "/v1/state/a.b") == {"operator"}
    for path in ("orders", "order-updates", "signals", "signal-updates", "trading/may", "trading/place"):
        assert allowed("POST", f"/v1/{path}") == {"operator", "bot"}, path
    for path in ("fills", "cash-movements", "funding", "marks"):
        assert allowed("POST", f"/v1/{path}") == {"accountant", "operator", "bot"}, path
    for path in ("fills/bust", "fills/correct", "transfers", "corporate-actions", "opening-balances", "rates"):
        assert allowed("POST", f"/v1/{path}") == {"accountant", "operator"}, path
    assert (
        allowed("PATCH", "/v1/round-trips/7") == allowed("POST", "/v1/breaks/b/resolve") == {"accountant", "operator"}
    )
    assert allowed("GET", "/v1/fills") == {"viewer", "accountant", "operator", "bot"}
    assert {path for method, path, roles in MATRIX if ANYONE in roles and path.startswith("/v1")} == {
        "/v1/ws",
        "/v1/hooks/{name}/{secret}",
    }
