"""A phone is let in by a link that works once."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.http.conftest import Serve, Served

from onebook import BadConfig, NotAllowed
from onebook.http import phone
from onebook.http.phone import PhoneLink, base_of, drawn, own_names

SESSION = "/v1/session"
FAR = {"X-Forwarded-For": "192.0.2.1"}


def linked(served: Served, role: str = "viewer", **given: Any) -> str:
    """Make a link as `serve --phone` does, and return its path."""
    made: PhoneLink = served.service.part("phone", lambda service: PhoneLink(service, role, **given))
    return made.url("")


def test_a_link_gives_a_phone_a_token_of_its_own_once(served: Served) -> None:
    path = linked(served)
    client = served.client(**FAR)
    assert client.get(SESSION).status_code == 401
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert 'content="0; url=/"' in answer.text
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Max-Age=7776000" in cookie
    found = client.get(SESSION).json()
    assert (found["name"], found["role"], found["how"]) == ("phone", "viewer", "cookie")
    again = served.client(**FAR).get(path)
    assert again.status_code == 403, again.text
    assert "set-cookie" not in again.headers
    (token,) = served.book.facts("token")
    served.book.record(token.replaced(is_revoked=True))
    assert client.get(SESSION).status_code == 401


def test_a_link_is_over_after_ten_minutes(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone, "LINK_NS", -1)
    answer = served.client().get(linked(served))
    assert answer.status_code == 403
    assert "too old" in answer.json()["detail"]
    assert served.book.facts("token") == []


@pytest.mark.parametrize("code", ["", "wrong", "obt_" + "x" * 22, "x" * 500])
def test_another_code_opens_nothing_and_uses_nothing_up(served: Served, code: str) -> None:
    path = linked(served)
    assert served.client().get(f"/login?code={code}").status_code == 403
    assert served.client().get(path).status_code == 200


def test_without_phone_there_is_no_link(served: Served) -> None:
    assert served.client().get("/login?code=obt_x").status_code == 403


def test_only_one_of_many_who_come_at_once_is_let_in(served: Served) -> None:
    from concurrent.futures import ThreadPoolExecutor

    url = served.url + linked(served)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: httpx.get(url, trust_env=False).status_code, range(8)))
    assert sorted(statuses) == [200] + [403] * 7
    assert len(served.book.facts("token")) == 1


def test_each_phone_has_its_own_name(served: Served) -> None:
    for name in ("phone", "phone-2"):
        token = used(PhoneLink(served.service, "viewer"))
        assert token.name == name


def code_of(link: PhoneLink) -> str:
    return link.url("").rpartition("=")[2]


def used(link: PhoneLink) -> Any:
    return link.exchange(code_of(link))[1]


def test_the_code_stands_in_no_log(served: Served) -> None:
    path = linked(served)
    served.client().get(path)
    served.client().get(path)
    assert path.rpartition("=")[2] not in served.logged(2)


def test_a_phone_that_operates_needs_tls_or_a_word(serve: Serve, served: Served) -> None:
    with pytest.raises(BadConfig, match="TLS only"):
        PhoneLink(served.service, "operator")
    assert used(PhoneLink(served.service, "operator", is_insecure=True)).role == "operator"
    secure = serve(served.book, is_secure=True)
    assert used(PhoneLink(secure.service, "operator")).role == "operator"


def test_what_cannot_be_linked_is_refused(serve: Serve, served: Served) -> None:
    with pytest.raises(BadConfig, match="none of viewer, accountant, operator"):
        PhoneLink(served.service, "bot")
    with pytest.raises(BadConfig, match="--read-only"):
        PhoneLink(serve(served.book, is_read_only=True).service, "viewer")


def test_phones_do_not_grow_without_limit(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone, "MOST_PHONES", 2)
    for _ in range(2):
        used(PhoneLink(served.service, "viewer"))
    with pytest.raises(NotAllowed, match="onebook token list"):
        used(PhoneLink(served.service, "viewer"))


def test_the_link_can_be_drawn(served: Served) -> None:
    lines = drawn(f"http://192.168.1.20:8321{linked(served)}")
    assert 15 < len(lines) < 40
    assert len({len(line) for line in lines}) == 1
    assert set("".join(lines)) <= set("█▀▄ ")


def test_addresses_are_put_together() -> None:
    assert base_of("http://0.0.0.0:8321", "192.168.1.20") == "http://192.168.1.20:8321"
    assert base_of("https://[::]:443", "fd00::1") == "https://[fd00::1]:443"
    names = own_names("192.168.1.20")
    assert names[0] == "192.168.1.20"
    assert any(re.fullmatch(r"[^.]+\.local", name) for name in names)


@pytest.mark.parametrize("form", ["--json", ""])
def test_serve_shows_a_link_that_lets_a_phone_in(tmp_path: Path, form: str) -> None:
    command = [sys.executable, "-m", "onebook", "--db", str(tmp_path / "b.db"), "serve", "--port", "0", "--phone"]
    command += ["--host", "127.0.0.1", "--allow-host", "book.example", *([form] if form else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as child:
        try:
            assert child.stdout is not None
            said, found = "", None
            while found is None:
                line = child.stdout.readline()
                assert line, "the service did not start"
                said += line
                found = re.search(r"http://book\.example:(\d+)(/login\?code=obt_[\w-]+)", said)
            assert ("█" in said) is not bool(form)
            url = f"http://127.0.0.1:{found[1]}{found[2]}"
            assert httpx.get(url, headers={"Host": f"book.example:{found[1]}"}, trust_env=False).status_code == 200
            assert httpx.get(url, trust_env=False).status_code == 403
        finally:
            child.terminate()
            _, told = child.communicate(timeout=20)
    assert "code=***" in told or "code=" in told
    assert found[2].rpartition("=")[2] not in told
