"""No page of somebody else reaches the service: cross-site requests, and names that are made to point here."""

import socket

import pytest
from tests.http.conftest import Serve, Served

from onebook.errors import InputError, NotAllowed
from onebook.http.origin import check_origin, hosts_of

READ = "/v1/status"


def raw(served: Served, text: str) -> str:
    """Send bytes as they stand, and return the answer."""
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as link:
        link.sendall(text.replace("\n", "\r\n").encode())
        link.shutdown(socket.SHUT_WR)
        parts = []
        while part := link.recv(65536):
            parts.append(part)
    return b"".join(parts).decode()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8321", "127.0.0.1.evil.example", "localhost.evil", "[::2]"]
)
def test_a_name_that_is_not_ours_is_refused(served: Served, host: str) -> None:
    """A name of somebody else that points to this machine: the page behind it would be of the same origin."""
    answer = served.client(Host=host).get(READ)
    assert answer.status_code == 403
    assert "--allow-host" in answer.json()["detail"]
    assert "equity" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8321"])
def test_names_of_this_machine_are_ours(served: Served, host: str) -> None:
    assert served.client(Host=host).get(READ).status_code == 200


def test_a_request_without_a_host_or_with_two_is_refused(served: Served) -> None:
    none = raw(served, f"GET {READ} HTTP/1.0\n\n")
    two = raw(served, f"GET {READ} HTTP/1.1\nHost: localhost\nHost: evil.example\nConnection: close\n\n")
    assert none.startswith("HTTP/1.1 400"), none
    assert two.startswith("HTTP/1.1 400"), two


def test_a_host_can_be_allowed(serve: Serve) -> None:
    served = serve(allow_hosts=["book.example"], config={"serve": {"allow_hosts": ["desk.example:443"]}})
    secret = served.token("viewer")
    for host in ("book.example", "BOOK.example:443", "desk.example"):
        assert served.client(secret, Host=host).get(READ).status_code == 200
        assert served.client(Host=host).get(READ).status_code == 401, "only a caller of this machine needs no token"


ORIGINS = ["http://evil.example", "https://127.0.0.1", "null", "http://127.0.0.1:1", "http://localhost", "file://", ""]


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_page_of_another_origin_is_refused(served: Served, origin: str, method: str) -> None:
    answer = served.client(Origin=origin).request(method, "/v1/marks", json={"instrument": "AAPL", "price": "1"})
    assert answer.status_code == 403, answer.text
    assert "access-control-allow-origin" not in answer.headers
    assert not served.book.marks()


def test_our_own_page_is_let_through(served: Served) -> None:
    client = served.client(Origin=served.url, **{"Sec-Fetch-Site": "same-origin"})
    assert client.get(READ).status_code == 200
    assert client.post("/v1/marks", json={"instrument": "AAPL", "price": "1"}).status_code < 300


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_what_browsers_say_of_other_sites_counts(served: Served, site: str) -> None:
    """Another port of this machine is the same site, and somebody else all the same."""
    asked = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}
    assert served.client(**asked).get(READ).status_code == 403
    visit = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert served.client(**visit).get("/").status_code in {200, 404}, "a link to our page may be followed"
    assert served.client(**visit).get(READ).status_code == 403
    assert served.client(**visit).post("/login", json={}).status_code == 403
    framed = visit | {"Sec-Fetch-Dest": "iframe"}
    assert served.client(**framed).get("/").status_code == 403


def test_a_socket_of_another_page_is_refused(served: Served) -> None:
    host = served.url.removeprefix("http://")
    asked = (
        f"GET /v1/ws HTTP/1.1\nHost: {host}\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nOrigin: http://evil.example\n\n"
    )
    assert raw(served, asked).startswith("HTTP/1.1 403")


def test_every_answer_has_the_headers_that_protect_it(served: Served) -> None:
    for path, status in ((READ, 200), ("/nowhere", 404), ("/v1/session", 200)):
        answer = served.client().get(path)
        assert answer.status_code == status
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "cache-control" in answer.headers
        assert "server" not in answer.headers
    refused = served.client(Host="evil.example").get(READ)
    assert "content-security-policy" in refused.headers


# ---- the check itself ----


def scope(
    host: str, origin: str = "", *, scheme: str = "http", server: str = "127.0.0.1", kind: str = "http"
) -> object:
    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin else [])
    return {"type": kind, "method": "GET", "path": READ, "scheme": scheme, "headers": headers, "server": (server, 8321)}


def test_an_address_that_stands_for_all_is_no_name() -> None:
    assert hosts_of("0.0.0.0") == hosts_of("::") == hosts_of("127.0.0.1")  # noqa: S104  that is what is asked
    assert "192.0.2.7" in hosts_of("192.0.2.7")
    assert "[2001:db8::1]" in hosts_of("2001:db8::1")
    assert "book.example" in hosts_of("127.0.0.1", ["Book.example:443"])


def test_the_address_that_a_request_came_to_is_ours() -> None:
    hosts = hosts_of("0.0.0.0")  # noqa: S104  that is what is asked
    check_origin(scope("192.0.2.7:8321", server="192.0.2.7"), hosts)
    with pytest.raises(NotAllowed):
        check_origin(scope("192.0.2.8:8321", server="192.0.2.7"), hosts)


def test_a_proxy_may_add_tls_under_an_allowed_name_only() -> None:
    hosts = hosts_of("127.0.0.1", ["book.example"])
    check_origin(scope("book.example", "https://book.example"), hosts)
    check_origin(scope("book.example", "https://book.example", scheme="wss", kind="websocket"), hosts)
    with pytest.raises(NotAllowed):
        check_origin(scope("localhost:8321", "https://localhost:8321"), hosts)
    with pytest.raises(NotAllowed):
        check_origin(scope("book.example", "http://book.example", scheme="https"), hosts)
    with pytest.raises(InputError):
        check_origin(scope(""), hosts)
