"""Syslog: RFC 5424 messages that cannot be forged, over real sockets that also break."""

import re
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.feed.deliveries import BOOK, around, changed, hand_over, recorded, taken

import onebook
from onebook import Event
from onebook.domain.cells import with_its_lines
from onebook.errors import BadConfig, BadPayload, SourceError, SourceTimeout
from onebook.feed.sink import Sink
from onebook.feed.sinks import make_sink, options_of
from onebook.feed.sinks.syslog import OPTIONS, MessageForm, severity
from onebook.testing.clock import FakeClock

SECONDS = 20.0
"""Longest that anything here waits."""

MESSAGE = re.compile(
    rb"<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+)"
    rb" \[onebook@32473((?: [a-z]+=\"(?:[^\"\\\]]|\\.)*\")*)\] \xef\xbb\xbf(.*)"
)
FORM = MessageForm(facility=16, app_name="onebook", sd_id="onebook@32473", max_bytes=2048, host_name="h", process=7)
EVENT = Event(
    id="5.1", sequence=5, type="trade_executed", version=1, occurred_at=datetime(2024, 6, 3, 12, tzinfo=UTC),
    recorded_at=datetime(2024, 6, 3, 12, 0, 0, 123456, tzinfo=UTC), actor="", correlation_id="", account="main",
    instrument="BTC/USDT", strategy="trend", data={"side": "buy", "quantity": "1", "price": "2", "raw": {"x": 1}},
)  # fmt: skip

Make = Callable[..., Sink]


class Receiver:
    """A host on loopback that takes messages over TCP or TLS. The first connection ends after ``most`` messages."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self.context = context
        self.got: list[bytes] = []
        self.connections = 0
        self.most = 10**9
        self.may_hang_up = threading.Event()
        self.may_hang_up.set()
        self.hung_up = 0
        self.arrived = threading.Condition()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(SECONDS)
                try:
                    if self.context is None:
                        self._read(connection)
                    else:
                        with self.context.wrap_socket(connection, server_side=True) as safe:
                            self._read(safe)
                except OSError:
                    pass
            with self.arrived:
                self.hung_up += 1
                self.arrived.notify_all()

    def _read(self, connection: socket.socket) -> None:
        with self.arrived:
            self.connections += 1
            most = self.most if self.connections == 1 else 10**9
            self.arrived.notify_all()
        taken = 0
        with connection.makefile("rb") as stream:
            while taken < most:
                size = b""
                while (digit := stream.read(1)) not in {b" ", b""}:
                    size += digit
                if not size:
                    return
                message = stream.read(int(size))
                assert len(message) == int(size)
                taken += 1
                with self.arrived:
                    self.got.append(message)
                    self.arrived.notify_all()
        assert self.may_hang_up.wait(SECONDS)
        # a linger of 0 makes the other side see a reset, whatever was read
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def wait_for(self, enough: Callable[[], bool]) -> None:
        with self.arrived:
            assert self.arrived.wait_for(enough, SECONDS), len(self.got)

    def close(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def make(book: onebook.Book, clock: FakeClock) -> Make:
    def made(**given: Any) -> Sink:
        return make_sink("syslog", around(book, clock), taken(OPTIONS, **({"host": "127.0.0.1"} | given)))

    return made


@pytest.fixture
def events(book: onebook.Book, clock: FakeClock) -> list[Event]:
    return recorded(book, clock)


def ids(messages: list[bytes]) -> list[str]:
    found = []
    for message in messages:
        match = re.search(rb' id="([^"]*)"', message)
        assert match is not None
        found.append(match[1].decode())
    return found


def repeatedly(sink: Sink, events: list[Event], times: int) -> None:
    for _ in range(times):
        sink.deliver(events, more=False)


def in_the_end(sink: Sink, event: Event) -> None:
    """Hand an event over again for as long as that may help, as a subscriber does."""
    for _ in range(10):
        with suppress(SourceError):
            assert sink.deliver([event], more=False)
            return
    pytest.fail("it never got through")


# ---- messages ----


def test_a_message_to_the_letter() -> None:
    assert FORM.message(EVENT, "desk:0:5.1") == (
        b"<134>1 2024-06-03T12:00:00.123456Z h onebook 7 trade_executed "
        b'[onebook@32473 id="desk:0:5.1" type="trade_executed" account="main" instrument="BTC/USDT" strategy="trend"] '
        b"\xef\xbb\xbf5.1 trade_executed main BTC/USDT trend side buy, quantity 1, price 2"
    )
    assert options_of("syslog") is OPTIONS


@pytest.mark.parametrize(
    ("kind", "data", "level"),
    [
        ("trade_executed", {}, 6), ("trade_conflicted", {}, 4), ("trade_busted", {}, 5), ("daily_loss_breached", {}, 2),
        ("bot_silent", {}, 4), ("order_updated", {"status": "filled"}, 6), ("order_updated", {"status": "rejected"}, 4),
        ("own_type", {}, 6), ("settings_defined", {}, 5),
    ],
)  # fmt: skip
def test_severity(kind: str, data: dict[str, Any], level: int) -> None:
    event = changed(EVENT, type=kind, data=data)
    assert severity(event) == level
    assert FORM.message(event, "k").startswith(b"<%d>1 " % (128 + level))


@given(st.text(), st.text(), st.text())
def test_nobody_forges_a_second_message(account: str, note: str, kind: str) -> None:
    event = changed(EVENT, account=account, type=kind, data={"note": note, note: account})
    message = FORM.message(event, "desk:0:5.1")
    match = MESSAGE.fullmatch(message)
    assert match is not None
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", message.decode())
    assert len(match[6]) <= 32
    found = dict(re.findall(r' ([a-z]+)="((?:[^"\\\]]|\\.)*)"', match[7].decode()))
    back = {name: with_its_lines(re.sub(r'\\(["\\\]])', r"\1", value)) for name, value in found.items()}
    assert back.get("account", "") == account
    assert back.get("type", "") == kind
    assert back["id"] == "desk:0:5.1"


@given(st.text(alphabet="aé€😀\n", min_size=300, max_size=900))
def test_a_long_message_is_cut_between_characters(note: str) -> None:
    form = MessageForm(facility=1, app_name="", sd_id="x@1", max_bytes=480, host_name="höst name", process=7)
    message = form.message(changed(EVENT, data={"note": note}), "k")
    assert 470 <= len(message) <= 480
    assert message.decode().endswith("…")
    assert b" h?st?name - 7 " in message


# ---- UDP ----


def test_udp(make: Make, events: list[Event]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(SECONDS)
        sink = make(port=receiver.getsockname()[1], facility="audit", app_name="desk")
        hand_over(sink, events[:8])
        got = [receiver.recv(65_536) for _ in range(8)]
        sink.close()
    assert ids(got) == [f"{BOOK}:{event.id}" for event in events[:8]]
    assert got[0].startswith(b"<110>1 2024-06-03T12:00:00Z ")
    assert b" desk " in got[0]
    assert all(MESSAGE.fullmatch(message) for message in got)


def test_udp_to_nobody_is_noticed_and_a_message_too_long_refused(make: Make, events: list[Event]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken_port:
        taken_port.bind(("127.0.0.1", 0))
        port = taken_port.getsockname()[1]
    sink = make(port=port)
    with pytest.raises(SourceError, match=rf"syslog udp://127.0.0.1:{port}: Connection refused") as caught:
        repeatedly(sink, events[:2], 5)
    assert caught.value.retryable
    with pytest.raises(BadPayload, match="use tcp or tls"):
        sink.deliver([changed(events[0], account="x" * 70_000)], more=False)
    sink.close()


# ---- TCP ----


def test_tcp(make: Make, events: list[Event], receiver: Receiver) -> None:
    sink = make(transport="tcp", port=receiver.port)
    hand_over(sink, events)
    receiver.wait_for(lambda: len(receiver.got) == len(events))
    sink.close()
    assert ids(receiver.got) == [f"{BOOK}:{event.id}" for event in events]
    assert receiver.connections == 1


@pytest.mark.parametrize("most", [1, 3, 10])
def test_a_host_that_hangs_up_midway_loses_nothing(
    make: Make, events: list[Event], receiver: Receiver, most: int
) -> None:
    sink = make(transport="tcp", port=receiver.port)
    receiver.most = most
    for event in [*events, events[-1]]:
        in_the_end(sink, event)
        if event is events[-1]:
            receiver.wait_for(lambda: receiver.hung_up == 1)
    wanted = {f"{BOOK}:{event.id}" for event in events}
    receiver.wait_for(lambda: set(ids(receiver.got)) == wanted)
    sink.close()
    assert receiver.connections == 2


def test_what_a_host_did_not_read_before_it_hung_up_is_sent_again(
    make: Make, events: list[Event], receiver: Receiver
) -> None:
    sink = make(transport="tcp", port=receiver.port)
    receiver.most = 1
    receiver.may_hang_up.clear()
    for event in events[:3]:
        assert sink.deliver([event], more=False)
    receiver.wait_for(lambda: len(receiver.got) == 1)
    receiver.may_hang_up.set()
    receiver.wait_for(lambda: receiver.hung_up == 1)
    assert sink.deliver(events[3:4], more=False)
    receiver.wait_for(lambda: len(receiver.got) == 5)
    sink.close()
    assert ids(receiver.got) == [f"{BOOK}:{events[index].id}" for index in (0, 0, 1, 2, 3)]


def test_nobody_listens_then_somebody_does(make: Make, events: list[Event]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken_port:
        port = taken_port.getsockname()[1]
    sink = make(transport="tcp", port=port)
    with pytest.raises(SourceError, match="Connection refused") as caught:
        sink.deliver(events, more=False)
    assert caught.value.retryable
    sink.close()


def test_a_host_that_takes_nothing_times_out(make: Make, events: list[Event]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stuck:
        sink = make(transport="tcp", port=stuck.getsockname()[1], timeout_seconds=0.05, max_bytes=65_507)
        long = [changed(events[0], data={"note": "x" * 60_000})] * 100
        with pytest.raises(SourceTimeout, match=r"no answer within 0\.05 s"):
            repeatedly(sink, long, 50)
        sink.close()


def test_only_the_last_minute_is_sent_again(
    make: Make, events: list[Event], receiver: Receiver, clock: FakeClock
) -> None:
    sink = make(transport="tcp", port=receiver.port)
    receiver.most = 2
    receiver.may_hang_up.clear()
    assert sink.deliver(events[:1], more=True)
    clock.advance(61)
    assert sink.deliver(events[1:2], more=True)
    receiver.wait_for(lambda: len(receiver.got) == 2)
    receiver.may_hang_up.set()
    receiver.wait_for(lambda: receiver.hung_up == 1)
    assert sink.deliver(events[2:3], more=False)
    receiver.wait_for(lambda: len(receiver.got) == 4)
    sink.close()
    assert ids(receiver.got) == [f"{BOOK}:{events[index].id}" for index in (0, 1, 1, 2)]


# ---- TLS ----


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if which("openssl") is None:
        pytest.skip("the openssl command is not there: TLS was NOT tested")
    path = tmp_path_factory.mktemp("tls") / "host.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=elsewhere", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path),
         "-out", f"{path}.crt"],
        check=True, capture_output=True, timeout=SECONDS,
    )  # fmt: skip
    assert made.returncode == 0
    with path.open("a") as file:
        file.write(Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    made = Receiver(context)
    yield made
    made.close()


def test_tls(make: Make, events: list[Event], secure: Receiver, certificate: Path) -> None:
    sink = make(transport="tls", port=secure.port, ca_file=f"{certificate}.crt")
    hand_over(sink, events)
    secure.wait_for(lambda: len(secure.got) == len(events))
    sink.close()
    assert ids(secure.got) == [f"{BOOK}:{event.id}" for event in events]
    assert secure.connections == 1


def test_a_host_that_is_not_who_it_should_be(make: Make, events: list[Event], secure: Receiver) -> None:
    sink = make(transport="tls", port=secure.port)
    with pytest.raises(SourceError, match=r"certificate is not good .*set ca_file"):
        sink.deliver(events, more=False)
    sink.close()
    assert secure.got == []


def test_the_name_of_the_host_counts(make: Make, events: list[Event], secure: Receiver, certificate: Path) -> None:
    sink = make(host="localhost", transport="tls", port=secure.port, ca_file=f"{certificate}.crt")
    with pytest.raises(SourceError, match=r"certificate is not good .*ostname mismatch"):
        sink.deliver(events, more=False)
    sink.close()
    assert secure.got == []


# ---- options ----


def test_wrong_options(make: Make, book: onebook.Book, clock: FakeClock, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="route audit: host is missing"):
        make_sink("syslog", around(book, clock), taken(OPTIONS))
    with pytest.raises(BadConfig, match="ca_file is for transport tls only"):
        make(ca_file="x.pem")
    with pytest.raises(BadConfig, match="is no file of certificates"):
        make(transport="tls", ca_file=str(tmp_path / "none.pem"))
    (tmp_path / "odd.pem").write_text("odd")
    with pytest.raises(BadConfig, match="is no file of certificates"):
        make(transport="tls", ca_file=str(tmp_path / "odd.pem"))
    with pytest.raises(BadConfig, match="max_bytes: 100 is not between 480 and 65507"):
        make(max_bytes=100)
    for name, value in (("port", 0), ("port", 70_000), ("transport", "pigeon"), ("facility", "local9"), ("host", " ")):
        with pytest.raises(BadConfig, match=f"^{name}: "):
            make(**{name: value})
    for sd_id in ("onebook", "one book@1", "a@b@1", 'a"@1', "a]@1", "a=@1", "x" * 30 + "@1", "a@"):
        with pytest.raises(BadConfig, match="SD-ID"):
            make(sd_id=sd_id)
    make(sd_id="desk@99999", facility="LOCAL7", port="5514", transport="tcp").close()
