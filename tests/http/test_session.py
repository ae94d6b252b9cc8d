"""Who a caller is: tokens, the cookie of a page, and this machine."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.http.conftest import Served

import onebook
from onebook import Hook, NotAllowed
from onebook.domain import times
from onebook.http.auth import Access, is_loopback
from onebook.http.secrets import HOOK_PREFIX, csrf_of, digest_of, is_csrf, is_secret, new_secret

SESSION = "/v1/session"


def logged_in(served: Served, secret: str) -> tuple[httpx.Client, dict[str, str]]:
    client = served.client(Origin=served.url)
    answer = client.post("/login", json={"token": secret})
    assert answer.status_code == 200, answer.text
    return client, answer.json()


# ---- tokens ----


def test_a_caller_of_this_machine_needs_no_token(served: Served) -> None:
    answer = served.client().get(SESSION)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"name": "loopback", "role": "operator", "strategy": "", "how": "loopback", "csrf": ""}
    served.token("viewer")
    assert served.client().get(SESSION).json()["role"] == "viewer"


def test_a_token_says_who_it_is(served: Served) -> None:
    secret = served.token("bot", "grid-bot", strategy="grid")
    found = served.client(secret).get(SESSION).json()
    assert found == {"name": "grid-bot", "role": "bot", "strategy": "grid", "how": "bearer", "csrf": ""}


@pytest.mark.parametrize("given", ["Bearer wrong", "Bearer", "Basic dXNlcjpwYXNz", "wrong", "Bearer " + "x" * 5000])
def test_a_wrong_token_opens_nothing_on_this_machine_either(served: Served, given: str) -> None:
    answer = served.client(Authorization=given).get(SESSION)
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "NotAllowed"


def test_a_revoked_token_opens_nothing_from_then_on(served: Served) -> None:
    secret = served.token("operator", "maria")
    client = served.client(secret)
    assert client.get(SESSION).status_code == 200
    (token,) = served.book.facts("token")
    served.book.record(token.replaced(is_revoked=True))
    answer = client.get(SESSION)
    assert answer.status_code == 401
    assert "maria is revoked" in answer.json()["detail"]


def test_what_another_process_revokes_counts_here_too(served: Served) -> None:
    secret = served.token("viewer")
    client = served.client(secret)
    assert client.get(SESSION).status_code == 200
    with onebook.open(served.book.status().url) as other:
        (token,) = other.facts("token")
        other.record(token.replaced(is_revoked=True))
    served.book.wakeups.wait(1, timeout=20)
    assert client.get(SESSION).status_code == 401


def test_an_expired_token_opens_nothing(served: Served) -> None:
    now = served.book.now()
    coming = served.token("viewer", "coming", expires_at=times.to_datetime(now + 3600 * times.SECOND))
    gone = served.token("viewer", "gone", expires_at=times.to_datetime(now - times.SECOND))
    assert served.client(coming).get(SESSION).status_code == 200
    answer = served.client(gone).get(SESSION)
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_what_comes_through_a_proxy_is_not_of_this_machine(served: Served, name: str) -> None:
    assert served.client(**{name: "127.0.0.1"}).get(SESSION).status_code == 401


def test_an_operator_of_another_machine_needs_tls(tmp_path: Path) -> None:
    far: Any = {"type": "http", "method": "GET", "path": "/", "headers": [], "client": ("192.0.2.9", 1)}
    near = far | {"client": ("127.0.0.1", 1)}
    with onebook.open(str(tmp_path / "b.db")) as book:
        secrets = {}
        for role in ("operator", "viewer"):
            secrets[role] = new_secret("")
            book.record(onebook.Token(name=role, role=role, digest=digest_of(secrets[role])))
        plain = Access(book)
        with pytest.raises(NotAllowed, match="--tls-cert"):
            plain.caller_with(secrets["operator"], far)
        assert plain.caller_with(secrets["viewer"], far).name == "viewer"
        assert plain.caller_with(secrets["operator"], near).name == "operator"
        for other in (Access(book, is_secure=True), Access(book, is_insecure=True)):
            assert other.caller_with(secrets["operator"], far).name == "operator"
        assert plain.caller_of(far) is None, "nobody is let in from elsewhere without a token"


def test_addresses_of_this_machine_are_known() -> None:
    for near in ("127.0.0.1", "127.8.9.1", "::1", "[::1]", "::ffff:127.0.0.1", "localhost", "LOCALHOST"):
        assert is_loopback(near), near
    for far in ("192.0.2.1", "0.0.0.0", "::", "localhost.example", "", "::ffff:192.0.2.1"):  # noqa: S104
        assert not is_loopback(far), far


# ---- hooks ----


def test_a_hook_is_found_by_its_secret_alone(served: Served) -> None:
    secret = new_secret(HOOK_PREFIX)
    hook = Hook(name="tv", kind="tradingview", strategy="trend", digest=digest_of(secret))
    served.book.record(hook)
    access = served.service.access
    assert access.hook_of("tv", secret) == hook
    for name, given in (("tv", "wrong"), ("tv", ""), ("other", secret), ("tv", "x" * 5000)):
        with pytest.raises(NotAllowed, match="no hook has this address"):
            access.hook_of(name, given)
    served.book.record(hook.replaced(is_revoked=True))
    with pytest.raises(NotAllowed):
        access.hook_of("tv", secret)


# ---- pages ----


def test_a_page_logs_in_with_a_token_that_no_script_can_read(served: Served) -> None:
    secret = served.token("operator", "maria")
    client = served.client()
    answer = client.post("/login", json={"token": f" {secret} "})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie, "a cookie that is Secure is not sent without TLS"
    assert answer.json() == {
        "name": "maria", "role": "operator", "strategy": "", "how": "cookie", "csrf": csrf_of(secret),
    }  # fmt: skip
    assert secret not in answer.text
    assert client.get(SESSION).json() == answer.json()


def test_a_wrong_token_does_not_log_in(served: Served) -> None:
    client = served.client()
    for body, status in (({"token": "wrong"}, 401), ({"token": ""}, 400), ({}, 400), ([], 400), ({"token": 1}, 400)):
        answer = client.post("/login", json=body)
        assert answer.status_code == status, answer.text
        assert "set-cookie" not in answer.headers
    assert client.post("/login", content=b"token").status_code == 400


def test_a_page_must_prove_that_it_is_ours_to_change_anything(served: Served) -> None:
    client, session = logged_in(served, served.token("operator"))

    def halt(**headers: str) -> httpx.Response:
        return client.post("/v1/trading/halt", json={"reason": "a test"}, headers=headers)

    for answer in (halt(), halt(**{"X-Onebook-CSRF": "wrong"}), halt(**{"X-Onebook-CSRF": ""})):
        assert answer.status_code == 403, answer.text
        assert served.book.trading.state == "ACTIVE"
    answer = halt(**{"X-Onebook-CSRF": session["csrf"]})
    assert answer.status_code == 200, answer.text
    assert served.book.trading.state == "HALTED"
    assert client.get("/v1/status").status_code == 200, "reading needs no proof"


def test_a_page_logs_out(served: Served) -> None:
    client, session = logged_in(served, served.token("operator"))
    assert client.post("/logout", headers={"X-Onebook-CSRF": session["csrf"]}).status_code == 204
    assert not client.cookies
    assert client.get(SESSION).json()["how"] == "loopback"


def test_an_old_cookie_keeps_nobody_from_logging_in_again(served: Served) -> None:
    first, second = served.token("viewer", "first"), served.token("viewer", "second")
    client, _ = logged_in(served, first)
    token = next(item for item in served.book.facts("token") if item.name == "first")
    served.book.record(token.replaced(is_revoked=True))
    assert client.get(SESSION).status_code == 401
    assert client.get("/").status_code in {200, 404}
    answer = client.post("/login", json={"token": second})
    assert answer.status_code == 200, answer.text
    assert client.get(SESSION).json()["name"] == "second"


def test_the_cookie_of_another_port_is_not_ours(served: Served) -> None:
    secret = served.token("operator")
    client = served.client(Cookie=f"onebook={secret}; onebook_1={secret}")
    assert client.get(SESSION).json()["how"] == "loopback"


def test_a_header_wins_over_a_cookie(served: Served) -> None:
    client, _ = logged_in(served, served.token("operator"))
    other = served.token("viewer")
    assert client.get(SESSION, headers={"Authorization": f"Bearer {other}"}).json()["name"] == "viewer"


# ---- secrets ----


def test_secrets_have_256_bits_and_are_kept_as_their_digest(served: Served) -> None:
    made = {new_secret("x_") for _ in range(100)}
    assert len(made) == 100
    assert {len(secret) for secret in made} == {2 + 43}
    secret = served.token("viewer")
    with served.book.store.reading() as reader:
        bodies = [bytes(row[1]) if isinstance(row[1], bytes) else str(row[1]).encode() for row in reader.entries(0, 10)]
    assert bodies
    assert all(secret.encode() not in body for body in bodies)
    assert digest_of(secret).encode() in b"".join(bodies)
    assert is_secret(secret, digest_of(secret))
    assert not is_secret(secret + "x", digest_of(secret))
    assert is_csrf(csrf_of(secret), secret)
    assert not is_csrf("", secret)
