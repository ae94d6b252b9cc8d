"""Where a webhook may go: addresses, names that lead inside, and certificates."""

import contextlib
import socket
import ssl
import subprocess
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests.feed.hooks import Receiver, fills, webhook

import onebook
from onebook.errors import BadConfig, SourceError
from onebook.feed.sinks.outside import is_global
from onebook.testing.clock import FakeClock


@pytest.mark.parametrize(
    ("address", "everywhere"),
    [
        ("8.8.8.8", True),
        ("1.1.1.1", True),
        ("2606:4700:4700::1111", True),
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("172.31.255.255", False),
        ("172.32.0.1", True),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104  nothing is bound to it
        ("192.0.0.8", False),
        ("192.0.2.1", False),
        ("192.88.99.1", False),
        ("198.18.0.1", False),
        ("203.0.113.9", False),
        ("224.0.1.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::7f00:1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("::ffff:8.8.8.8", True),
        ("::ffff:0:10.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b::808:808", True),
        ("64:ff9b:1::808:808", False),
        ("2002:7f00:1::", False),
        ("2002:a00:1::1", False),
        ("2002:808:808::1", True),
        ("2001:0:808:808::1", False),
        ("2001:db8::1", False),
        ("3fff::1", False),
        ("5f00::1", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("fe80::1", False),
        ("fec0::1", False),
        ("ff0e::1", False),
        ("100::1", False),
        ("2606:4700::5efe:10.0.0.1", False),
        ("2606:4700::200:5efe:10.0.0.1", False),
    ],
)
def test_which_addresses_are_outside(address: str, everywhere: bool) -> None:
    assert is_global(ip_address(address)) is everywhere


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://printer.local/",
        "https://api.localhost/",
        "https://metadata.google.internal/",
        "https://192.168.1.1:8443/x",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest",
    ],
)
def test_a_private_place_is_refused_at_once(ledger: onebook.Book, clock: FakeClock, url: str) -> None:
    with pytest.raises(BadConfig, match="allow_private: true"):
        webhook(ledger, clock, url)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "hook.example.com"])
def test_a_name_that_leads_inside_is_refused_when_it_is_resolved(
    hook: Receiver, ledger: onebook.Book, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    real = socket.getaddrinfo

    def resolved(name: str, port: int, **rest: Any) -> Any:
        return real("127.0.0.1" if name == "hook.example.com" else name, port, **rest)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    made = webhook(ledger, clock, f"http://{host}:{hook.port}/", allow_plain=True)
    with pytest.raises(SourceError, match=r"leads to 127\.0\.0\.1, .*allow_private: true"):
        made.deliver(fills(ledger)[:1], more=False)
    assert hook.connections == 0


def test_one_private_address_among_public_ones_is_enough_to_refuse(
    hook: Receiver, ledger: onebook.Book, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolved(_: str, port: int, **__: Any) -> Any:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    made = webhook(ledger, clock, f"http://hook.example.com:{hook.port}/", allow_plain=True)
    with pytest.raises(SourceError, match=r"leads to 127\.0\.0\.1"):
        made.deliver(fills(ledger)[:1], more=False)
    assert hook.connections == 0


def test_the_connection_goes_to_the_address_that_was_checked(
    hook: Receiver, ledger: onebook.Book, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is public when it is looked at and private when it is connected to: DNS rebinding."""
    answers = ["93.184.216.34", "127.0.0.1", "127.0.0.1"]
    connected: list[Any] = []

    def resolved(_: str, port: int, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    def connect(_: socket.socket, place: Any) -> None:
        connected.append(place)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setattr(socket.socket, "connect", connect)
    made = webhook(ledger, clock, f"http://hook.example.com:{hook.port}/", allow_plain=True)
    with pytest.raises(SourceError, match="refused"):
        made.deliver(fills(ledger)[:1], more=False)
    assert connected == [("93.184.216.34", hook.port)]


def test_plain_http_is_for_private_places_unless_allowed(
    ledger: onebook.Book, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadConfig, match="allow_plain: true"):
        webhook(ledger, clock, "http://hook.example.com/")

    def resolved(_: str, port: int, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    made = webhook(ledger, clock, "http://hook.example.com/", allow_private=True)
    with pytest.raises(SourceError, match="not encrypted"):
        made.deliver(fills(ledger)[:1], more=False)


def test_a_name_that_is_none_may_come_again(
    ledger: onebook.Book, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unresolved(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    with pytest.raises(SourceError, match="cannot be resolved") as caught:
        webhook(ledger, clock, "https://gone.example.com/").deliver(fills(ledger)[:1], more=False)
    assert caught.value.retryable


@pytest.mark.parametrize(
    "url",
    [
        "ftp://evil.example/",
        "file://evil.example/etc/passwd",
        "evil.example/hook",
        "https://",
        "https:///path",
        "https://exa mple.com/",
        "https://example.com/\r\nX-Evil: 1",
        "https://example.com/\tx",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://[::1/",
        "https://example.com\\@evil.example/",
        "https://example.com/é",
        7,
        "",
    ],
)
def test_what_is_no_url_is_refused_without_showing_it(ledger: onebook.Book, clock: FakeClock, url: Any) -> None:
    with pytest.raises(BadConfig) as caught:
        webhook(ledger, clock, url)
    assert "evil" not in str(caught.value).lower()


# ---- TLS ----


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for hook.example.com that signs itself, with its key in the same file."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=hook.example.com"),
            *("-addext", "subjectAltName=DNS:hook.example.com"),
        ],
        check=True,
        capture_output=True,
    )
    (tmp_path / "both.pem").write_text(key.read_text() + cert.read_text())
    return tmp_path


@pytest.mark.parametrize(
    ("host", "trusted", "complaint"),
    [
        ("hook.example.com", True, None),
        ("hook.example.com", False, "certificate is not good"),
        ("other.example.com", True, "certificate is not good"),
    ],
)
def test_certificates_are_checked_against_the_name_in_the_url(
    hook: Receiver,
    ledger: onebook.Book,
    clock: FakeClock,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    trusted: bool,
    complaint: str | None,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "both.pem")
    hook.server.socket = context.wrap_socket(hook.server.socket, server_side=True, do_handshake_on_connect=False)
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, port, **rest: real("127.0.0.1", port, **rest))
    given = {"ca_file": str(certificate / "cert.pem")} if trusted else {}
    made = webhook(ledger, clock, f"https://{host}:{hook.port}/", allow_private=True, **given)
    with contextlib.closing(made):
        if complaint is None:
            assert made.deliver(fills(ledger)[:1], more=False)
            assert len(hook.events) == 1
        else:
            with pytest.raises(SourceError, match=complaint):
                made.deliver(fills(ledger)[:1], more=False)
            assert hook.posts == []
