"""The webhook: what is posted, what each answer means, and what a receiver may do to it."""

import contextlib
import hashlib
import hmac
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from tests.feed.hooks import SECRET, Receiver, answer, failing, fills, taken, webhook

import onebook
from onebook.errors import BadConfig, BadPayload, RateLimited, SourceError, SourceTimeout
from onebook.feed.sink import Around, Later
from onebook.feed.sinks import make_sink
from onebook.feed.sinks.outside import split_url
from onebook.feed.sinks.webhook import OPTIONS, signature, verify_signature
from onebook.testing.clock import FakeClock


def test_an_event_arrives_signed_as_tail_prints_it(hook: Receiver, ledger: onebook.Book, sink: Any) -> None:
    event = fills(ledger)[0]
    assert sink.deliver([event], more=False) is True
    (post,) = hook.posts
    assert json.loads(post["body"]) == onebook.domain.reports.as_plain(event)
    assert post["path"] == "/hook?desk=7"
    assert post["Content-Type"] == "application/json"
    assert post["Idempotency-Key"] == f"desk:1:{event.id}"
    assert post["X-Onebook-Timestamp"] == "1717416000"
    by_hand = hmac.new(SECRET.encode(), b"1717416000." + post["body"].encode(), hashlib.sha256).hexdigest()
    assert post["X-Onebook-Signature"] == f"v1={by_hand}"


def test_what_fails_comes_again_under_the_same_key(hook: Receiver, ledger: onebook.Book, sink: Any) -> None:
    event = fills(ledger)[0]
    hook.replies = [failing]
    with pytest.raises(SourceError, match="status 500: out of order") as caught:
        sink.deliver([event], more=False)
    assert caught.value.retryable
    assert sink.deliver([event], more=False)
    assert sink.deliver([event], more=False)
    assert [post["Idempotency-Key"] for post in hook.posts] == [f"desk:1:{event.id}"] * 3
    assert len(hook.events) == 1


def test_events_go_over_one_connection(hook: Receiver, ledger: onebook.Book, sink: Any) -> None:
    for event in fills(ledger):
        assert sink.deliver([event], more=True)
    assert len(hook.events) == 3
    assert hook.connections == 1


def test_a_connection_that_was_closed_meanwhile_is_made_anew(hook: Receiver, ledger: onebook.Book, sink: Any) -> None:
    def and_hang_up(request: BaseHTTPRequestHandler) -> None:
        answer(200)(request)
        request.close_connection = True

    hook.replies = [and_hang_up]
    first, second, _ = fills(ledger)
    assert sink.deliver([first], more=False)
    assert sink.deliver([second], more=False)
    assert len(hook.events) == 2


@pytest.mark.parametrize(
    ("status", "error", "again"),
    [
        (400, BadPayload, False),
        (401, BadPayload, False),
        (404, BadPayload, False),
        (410, BadPayload, False),
        (422, BadPayload, False),
        (301, BadPayload, False),
        (307, BadPayload, False),
        (408, SourceError, True),
        (425, SourceError, True),
        (429, RateLimited, True),
        (500, SourceError, True),
        (502, SourceError, True),
        (503, SourceError, True),
        (599, SourceError, True),
    ],
)
def test_a_status_says_whether_it_comes_again(
    hook: Receiver, ledger: onebook.Book, sink: Any, status: int, error: type[Exception], again: bool
) -> None:
    hook.replies = [answer(status, b"because")]
    with pytest.raises(SourceError, match=f"status {status}") as caught:
        sink.deliver(fills(ledger)[:1], more=False)
    assert type(caught.value) is error
    assert caught.value.retryable is again


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_done(hook: Receiver, ledger: onebook.Book, sink: Any, status: int) -> None:
    hook.replies = [answer(status)]
    assert sink.deliver(fills(ledger)[:1], more=False) is True


def test_a_redirect_is_not_followed(hook: Receiver, ledger: onebook.Book, sink: Any) -> None:
    target = f"http://127.0.0.1:{hook.port}/elsewhere?token=hidden"
    hook.replies = [answer(308, Location=target)]
    with pytest.raises(BadPayload, match=r"redirects to .*/elsewhere") as caught:
        sink.deliver(fills(ledger)[:1], more=False)
    assert "hidden" not in str(caught.value)
    assert [post["path"] for post in hook.posts] == ["/hook?desk=7"]


def test_what_is_said_of_a_refusal_is_bounded_and_one_line(hook: Receiver, ledger: onebook.Book, sink: Any) -> None:
    hook.replies = [answer(400, b"bad\r\n\x1b[31m" + SECRET.encode() + b"x" * 1000)]
    with pytest.raises(BadPayload) as caught:
        sink.deliver(fills(ledger)[:1], more=False)
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) < 300
    assert SECRET not in said


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("30", 30), ("0", 1), ("999999", 3600), ("Mon, 03 Jun 2024 12:02:00 GMT", 120), ("9" * 50, 3600)],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_other_side_may_ask_for_patience(
    hook: Receiver, ledger: onebook.Book, sink: Any, status: int, retry_after: str, seconds: float
) -> None:
    hook.replies = [answer(status, Retry_After=retry_after)]
    with pytest.raises(Later) as caught:
        sink.deliver(fills(ledger)[:1], more=False)
    assert caught.value.seconds == seconds


def test_patience_ends_after_a_day(hook: Receiver, ledger: onebook.Book, clock: FakeClock, sink: Any) -> None:
    later = 0
    for _ in range(30):
        hook.replies = [answer(429, Retry_After="3600")]
        try:
            sink.deliver(fills(ledger)[:1], more=False)
        except Later:
            later += 1
        except RateLimited:
            break
        clock.advance(3600)
    assert later == 24
    hook.replies = [answer(429, Retry_After="3600")]
    with pytest.raises(Later):
        sink.deliver(fills(ledger)[1:2], more=False)


def test_an_unreadable_retry_after_counts_as_a_failure(hook: Receiver, ledger: onebook.Book, sink: Any) -> None:
    hook.replies = [answer(503, Retry_After="soon")]
    with pytest.raises(SourceError, match="503"):
        sink.deliver(fills(ledger)[:1], more=False)


def test_a_hanging_receiver_is_left_after_the_time(hook: Receiver, ledger: onebook.Book, clock: FakeClock) -> None:
    hook.replies = [lambda _: hook.released.wait(20)]  # type: ignore[list-item]
    url = f"http://127.0.0.1:{hook.port}/"
    with contextlib.closing(webhook(ledger, clock, url, allow_private=True, timeout_seconds=0.2)) as hasty:
        with pytest.raises(SourceTimeout, match=r"no answer within 0\.2 s"):
            hasty.deliver(fills(ledger)[:1], more=False)
        hook.released.set()
        assert hasty.deliver(fills(ledger)[:1], more=False)


def test_a_trickle_of_header_bytes_does_not_draw_it_out(hook: Receiver, ledger: onebook.Book, clock: FakeClock) -> None:
    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not hook.released.wait(0.02):
            request.wfile.write(b"x")
            request.wfile.flush()

    hook.replies = [trickle]
    url = f"http://127.0.0.1:{hook.port}/"
    with (
        contextlib.closing(webhook(ledger, clock, url, allow_private=True, timeout_seconds=0.3)) as hasty,
        pytest.raises(SourceTimeout),
    ):
        hasty.deliver(fills(ledger)[:1], more=False)


@pytest.mark.parametrize("status", [200, 400])
def test_an_endless_body_is_read_no_further_than_its_beginning(
    hook: Receiver, ledger: onebook.Book, sink: Any, status: int
) -> None:
    hung_up = threading.Event()

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.end_headers()
        request.close_connection = True
        try:
            while not hook.released.is_set():
                request.wfile.write(b"x" * 65536)
        except OSError:
            hung_up.set()

    hook.replies = [endless]
    if status == 200:
        assert sink.deliver(fills(ledger)[:1], more=False)
    else:
        with pytest.raises(BadPayload, match="x" * 199 + "…"):
            sink.deliver(fills(ledger)[:1], more=False)
    assert hung_up.wait(30)


def test_a_body_that_never_ends_does_not_undo_a_good_status(
    hook: Receiver, ledger: onebook.Book, clock: FakeClock
) -> None:
    def hanging(request: BaseHTTPRequestHandler) -> None:
        request.send_response(202)
        request.send_header("Content-Length", "10")
        request.end_headers()
        hook.released.wait(20)

    hook.replies = [hanging]
    url = f"http://127.0.0.1:{hook.port}/"
    with contextlib.closing(webhook(ledger, clock, url, allow_private=True, timeout_seconds=0.3)) as hasty:
        assert hasty.deliver(fills(ledger)[:1], more=False)


def test_what_is_said_before_hanging_up_is_heard(hook: Receiver, ledger: onebook.Book, sink: Any) -> None:
    hook.replies = [answer(422, b"no such account", Connection="close")]
    with pytest.raises(BadPayload, match="no such account"):
        sink.deliver(fills(ledger)[:1], more=False)


def test_a_receiver_that_speaks_something_else_may_come_again(hook: Receiver, ledger: onebook.Book, sink: Any) -> None:
    def other(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"220 mail ready\r\n")
        request.close_connection = True

    hook.replies = [other]
    with pytest.raises(SourceError, match="does not answer as HTTP does") as caught:
        sink.deliver(fills(ledger)[:1], more=False)
    assert caught.value.retryable


def test_nobody_there_may_come_again(ledger: onebook.Book, clock: FakeClock) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        made = webhook(ledger, clock, f"http://127.0.0.1:{port}/", allow_private=True)
        with pytest.raises(SourceError, match="refused") as caught:
            made.deliver(fills(ledger)[:1], more=False)
    assert caught.value.retryable


def test_the_environments_proxies_are_not_used(
    hook: Receiver, ledger: onebook.Book, sink: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert sink.deliver(fills(ledger)[:1], more=False)


def test_credentials_in_the_url_become_a_header_and_are_never_shown(
    hook: Receiver, ledger: onebook.Book, clock: FakeClock
) -> None:
    url = f"http://robot:p%40ss%3Aword@127.0.0.1:{hook.port}/"
    hook.replies = [answer(403, b"p@ss:word is wrong, robot")]
    made = webhook(ledger, clock, url, allow_private=True)
    with pytest.raises(BadPayload) as caught:
        made.deliver(fills(ledger)[:1], more=False)
    made.close()
    assert hook.posts[0]["Authorization"] == "Basic cm9ib3Q6cEBzczp3b3Jk"
    for shown in (str(caught.value), repr(made), repr(split_url("url", url)), split_url("url", url).place):
        assert "p@ss" not in shown
        assert "p%40" not in shown
        assert "robot" not in shown
        assert SECRET not in shown


def test_an_idempotency_key_cannot_break_out_of_its_header(
    hook: Receiver, ledger: onebook.Book, clock: FakeClock
) -> None:
    odd = Around(name="portfolio", book=ledger, clock=clock, book_id="désk\r\nX-Evil: 1")
    options = taken({"url": f"http://127.0.0.1:{hook.port}/", "secret": SECRET, "allow_private": True})
    with contextlib.closing(make_sink("webhook", odd, options)) as made:
        assert made.deliver(fills(ledger)[:1], more=False)
    assert "X-Evil" not in hook.posts[0]
    assert hook.posts[0]["Idempotency-Key"].startswith("d%C3%A9sk%0D%0AX-Evil:%201:")


# ---- the secret ----


def test_the_secret_comes_from_the_environment_or_a_file(
    hook: Receiver, ledger: onebook.Book, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    for given in ({"secret_env": "HOOK_SECRET"}, {"secret_file": str(tmp_path / "secret")}):
        url = f"http://127.0.0.1:{hook.port}/"
        with contextlib.closing(webhook(ledger, clock, url, secret=None, allow_private=True, **given)) as made:
            assert made.deliver(fills(ledger)[:1], more=False)
            assert SECRET not in repr(made)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "a secret is missing"),
        ({"secret": SECRET, "secret_env": "HOME"}, "more than one"),
        ({"secret_env": "NO_SUCH_VARIABLE_HERE"}, "NO_SUCH_VARIABLE_HERE is empty or not set"),
        ({"secret_file": "nowhere/secret"}, "cannot be read"),
    ],
)
def test_without_a_secret_nothing_is_posted(
    ledger: onebook.Book, clock: FakeClock, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadConfig, match=said) as caught:
        webhook(ledger, clock, "https://hook.example.com/", **({"secret": None} | given))
    assert SECRET not in str(caught.value)


def test_a_secret_on_two_lines_is_refused_without_showing_it() -> None:
    with pytest.raises(BadConfig) as caught:
        OPTIONS["secret"].take("secret", "first\nsecond")
    assert "first" not in str(caught.value)
    assert "first" not in str(caught.value.details)


@pytest.mark.parametrize(
    ("changed", "good"),
    [
        ({}, True),
        ({"secret": b"other"}, False),
        ({"body": b'{"id": "1.2"}'}, False),
        ({"now": 1_000_301.0}, False),
        ({"now": 999_699.0}, False),
        ({"now": 1_000_300.0}, True),
        ({"now": 1_000_400.0, "tolerance_seconds": 400}, True),
        ({"timestamp": "1000001"}, False),
        ({"timestamp": "-5"}, False),
        ({"timestamp": "x"}, False),
        ({"timestamp": "\u0661\u0660\u0660\u0660\u0660\u0660\u0660"}, False),
        ({"signature": ""}, False),
        ({"signature": "v1=é"}, False),
        ({"signature": "v2="}, False),
    ],
)
def test_a_receiver_believes_only_what_was_signed_lately(changed: dict[str, Any], good: bool) -> None:
    body = b'{"id": "1.1"}'
    headers = {
        "x-onebook-timestamp": changed.get("timestamp", "1000000"),
        "X-ONEBOOK-SIGNATURE": changed.get("signature", signature(b"hush", "1000000", body)),
    }
    found = verify_signature(
        changed.get("secret", "hush"),
        headers,
        changed.get("body", body),
        tolerance_seconds=changed.get("tolerance_seconds", 300),
        now=changed.get("now", 1_000_000.0),
    )
    assert found is good


def test_a_post_without_its_headers_is_not_believed() -> None:
    assert verify_signature("hush", {}, b"") is False
