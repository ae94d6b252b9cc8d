"""Where notifications go: options, secrets, a real SMTP server, chats pointed at loopback."""

import email
import email.policy
import importlib
import json
import logging
import socket
import subprocess
import sys
from typing import Any
from unittest import mock

import pytest
from tests.feed.chats import Receiver, event, notify

from onebook.errors import BadConfig, SourceError, SourceTimeout
from onebook.feed.sinks import options_of
from onebook.feed.sinks.outlet import Outlet, send_test
from onebook.testing.clock import FakeClock


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quiet_hours", "22:00"),
        ("quiet_hours", "25:00-07:00"),
        ("quiet_hours", "07:00-07:00"),
        ("quiet_hours", 5),
        ("zone", "Mars/Olympus"),
        ("zone", "../etc/passwd"),
        ("zone", ""),
        ("minimum", "loud"),
        ("digest_above", 0),
        ("digest_seconds", 0),
        ("templates", "x"),
        ("target", ""),
    ],
)
def test_a_wrong_option_is_refused(name: str, value: Any) -> None:
    with pytest.raises(BadConfig, match=name):
        options_of("notify")[name].take(name, value)


def test_a_target_that_apprise_does_not_take_is_refused_without_showing_it(clock: FakeClock) -> None:
    for target in ("nosuch://user:hunter22@host/", "hunter22", "tgram://hunter22", "json://"):
        with pytest.raises(BadConfig, match="apprise does not take") as caught:
            notify(clock, target)
        assert "hunter22" not in str(caught.value)


def test_no_target_is_refused(clock: FakeClock) -> None:
    with pytest.raises(BadConfig, match="target is missing"):
        notify(clock, None)  # type: ignore[arg-type]


def test_errors_and_reprs_do_not_show_the_target(
    chat: Receiver, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    chat.down = True
    sink = notify(clock, chat.url.replace("127.0.0.1", "robot:hunter22@127.0.0.1"))
    with pytest.raises(SourceError) as caught:
        sink.deliver([event(1)], more=False)
    outlet = Outlet(chat.url, timeout_seconds=5)
    shown = f"{caught.value} {caught.value.details} {sink!r} {outlet!r} {sink.breaker_status()} {caplog.text}"
    for hidden in ("hunter22", "desk-secret-token"):
        assert hidden not in shown


def test_what_apprise_says_of_a_failure_is_shown_without_parts_of_the_target(clock: FakeClock) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        sink = notify(clock, f"json://127.0.0.1:{bound.getsockname()[1]}/")
        with pytest.raises(SourceError, match=r"A Connection error occurred .* to \*\*\*"):
            sink.deliver([event(1)], more=False)


def test_a_hanging_target_is_left_after_the_time(chat: Receiver, clock: FakeClock) -> None:
    chat.statuses = [0]
    sink = notify(clock, chat.url, timeout_seconds=1)
    with pytest.raises(SourceTimeout, match="no answer within 1 s"):
        sink.deliver([event(1)], more=False)
    chat.released.set()


def test_without_apprise_it_says_what_to_install(clock: FakeClock) -> None:
    with mock.patch.dict(sys.modules, {"apprise": None}), pytest.raises(BadConfig, match=r"onebook\[notify\]"):
        notify(clock, "json://127.0.0.1/")


def test_apprise_is_imported_only_when_a_sink_is_made() -> None:
    code = (
        "import sys, onebook.feed.sinks.notify as n; n.OPTIONS; print('apprise' in sys.modules, 'ssl' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split()[0] == "False"


def test_send_test_says_who_took_it(chat: Receiver) -> None:
    assert send_test(chat.url) == "JSON"
    assert chat.texts == ["This is a test: messages of onebook arrive here."]
    chat.down = True
    with pytest.raises(SourceError):
        send_test(chat.url)


def test_mail_goes_to_a_real_smtp_server(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiosmtpd.controller import Controller
    from aiosmtpd.handlers import Message
    from apprise.plugins.email import NotifyEmail

    monkeypatch.setattr(NotifyEmail, "request_rate_per_sec", 0)
    mails: list[Any] = []

    class Kept(Message):  # type: ignore[misc,unused-ignore]
        def handle_message(self, message: Any) -> None:
            mails.append(email.message_from_bytes(message.as_bytes(), policy=email.policy.default))

    class OnAnyPort(Controller):  # type: ignore[misc,unused-ignore]
        def _trigger_server(self) -> None:
            server: Any = self.server
            self.port = server.sockets[0].getsockname()[1]
            super()._trigger_server()  # type: ignore[no-untyped-call]

    controller = OnAnyPort(Kept(), hostname="127.0.0.1", port=0)
    controller.start()
    try:
        target = f"mailto://127.0.0.1:{controller.port}/?from=desk@example.com&to=trader@example.com&mode=insecure"
        sink = notify(clock, target)
        odd = "<b>margin</b> & *more*"
        assert sink.deliver([event(1, reason=odd)], more=False) is True
        assert sink.deliver([event(number) for number in range(2, 52)], more=True) is False
        clock.advance(60)
        assert sink.deliver([], more=False) is True
    finally:
        controller.stop()
    assert [mail["Subject"] for mail in mails] == ["onebook warning", "onebook warning: 50 messages"]
    assert "trader@example.com" in mails[0]["To"]
    first = mails[0].get_body(("plain", "html"))
    text = first.get_content()
    assert odd in text or "&lt;b&gt;margin&lt;/b&gt; &amp; *more*" in text
    assert "and 30 more" in mails[1].get_body(("plain", "html")).get_content()


@pytest.mark.parametrize(
    ("module", "name", "attribute", "target"),
    [
        ("telegram", "NotifyTelegram", "notify_url", "tgram://123456789:abcdefg_hijklmnop/12345/"),
        ("discord", "NotifyDiscord", "notify_url", "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js/"),
    ],
)
def test_chats_get_the_text_without_its_being_read_as_markup(
    chat: Receiver,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    name: str,
    attribute: str,
    target: str,
) -> None:
    service = getattr(importlib.import_module(f"apprise.plugins.{module}"), name)
    monkeypatch.setattr(service, attribute, f"http://127.0.0.1:{chat.server.server_port}/bot")
    sink = notify(clock, target)
    assert sink.deliver([event(1, reason="<b>x</b> @everyone")], more=False) is True
    sent = json.dumps(chat.messages[-1])
    assert "order rejected" in sent
    assert "@everyone" not in sent
    assert sink.deliver([event(number, reason="y" * 300) for number in range(2, 502)], more=True) is False
    clock.advance(60)
    assert sink.deliver([], more=False) is True
    assert 500 < len(json.dumps(chat.messages[-1])) < 5000
