r"""Events as syslog messages (RFC 5424) to an audit host: one each, over UDP, TCP or TLS.

``<PRI>1 TIMESTAMP HOST APP PROCID MSGID [onebook@32473 id="…" type="…" account="…" instrument="…" strategy="…"] MSG``.
MSGID is the event's type (its first 32 characters), TIMESTAMP when the book learned it, MSG one readable line of
UTF-8 behind a byte order mark. ``id`` is the same each time an event is sent: the receiver tells repeats by it.
32473 is the enterprise number that RFC 5612 keeps for examples; who has a number of their own sets ``sd_id``.

Syslog answers nothing. UDP (RFC 5426) may lose a message unnoticed. Over TCP (RFC 6587, octets counted) and TLS
(RFC 5425) what was sent last, at most 1,000 messages of the minute before the last one, is sent again when the
connection turns out to be broken; repeats carry the same ``id``. What a host took and never read is lost with this
process. Control characters and line breaks never leave as such: ``\n`` and the like stand for them.
"""

import errno
import os
import re
import socket
import ssl
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from onebook.config import Key
from onebook.config import values as take
from onebook.domain import times
from onebook.domain.cells import on_one_line
from onebook.domain.reports import Event, as_json
from onebook.errors import BadConfig, BadPayload, SourceError, SourceTimeout
from onebook.feed.sink import Around, Sink
from onebook.feed.sinks import options as kinds

FACILITIES = (
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock"
    " local0 local1 local2 local3 local4 local5 local6 local7"
)
"""Names of RFC 5424's facilities, by number."""

PORTS = {"udp": 514, "tcp": 601, "tls": 6514}

SEVERITIES = (
    ("daily_loss_breached", 2),
    ("drawdown_breached", 2),
    ("bot_silent", 4),
    ("trade_conflicted", 4),
    ("break_found", 4),
    ("alert_raised", 4),
    ("trading_state_changed", 4),
    ("stop_triggered", 4),
    ("book_restored", 4),
    ("trade_busted", 5),
    ("trade_corrected", 5),
    ("position_restated", 5),
    ("alert_cleared", 5),
    ("*_defined", 5),
    ("*", 6),
)
"""Severity of types, the first that fits: 2 critical, 4 warning, 5 notice, 6 informational."""

_NAMES = tuple(FACILITIES.split())
_BOM = b"\xef\xbb\xbf"
_SKIPPED = frozenset({"account", "instrument", "strategy", "raw", "trade_id"})
_MAX_DATAGRAM = 65_507
_RECENT = 1_000
"""Messages sent again, at most, when a connection broke."""

_UNSURE = times.MINUTE
"""How long before the last message one must have been sent to be taken as read."""

_TROUBLED = frozenset({"rejected", "unknown"})


def _sd_id(key: str, value: Any) -> str:
    found = take.text(key, value)
    if re.fullmatch(r"[!#-<>-\\^-~]{1,20}@[0-9]{1,11}", found) and len(found) <= 32 and found.count("@") == 1:
        return found
    raise take.refused(key, value, "is no SD-ID; write NAME@NUMBER with your private enterprise number")


OPTIONS: dict[str, Key] = {
    "host": Key(take=take.text, default=None, needed=True, help="where the messages go"),
    "port": Key(take=kinds.optional(take.count(1, 65_535)), default=None, help="514 udp, 601 tcp, 6514 tls"),
    "transport": Key(take=take.choice("udp", "tcp", "tls"), default="udp", help="udp, tcp or tls"),
    "facility": Key(take=take.choice(*_NAMES), default="local0", help="such as local0, audit, daemon"),
    "app_name": Key(take=take.text, default="onebook", help="APP-NAME of the messages"),
    "sd_id": Key(take=_sd_id, default="onebook@32473", help="SD-ID of the structured data"),
    "max_bytes": Key(take=kinds.size, default=2048, help="longer messages have their text cut; 480 to 65507"),
    "timeout_seconds": Key(take=take.seconds(0.01, 300), default=5.0, help="longest wait for the host"),
    "ca_file": Key(take=kinds.optional(kinds.path), default=None, help="tls: who signs the host"),
}


def make(around: Around, options: dict[str, Any]) -> Sink:
    """Return the sink. It connects at the first message.

    Raises:
        BadConfig: no host, or a file of certificates that cannot be used.
    """
    transport = options["transport"]
    if options["ca_file"] is not None and transport != "tls":
        msg = f"route {around.name}: ca_file is for transport tls only; this one is {transport}"
        raise BadConfig(msg, key="ca_file")
    if not 480 <= options["max_bytes"] <= _MAX_DATAGRAM:
        raise take.refused("max_bytes", options["max_bytes"], f"is not between 480 and {_MAX_DATAGRAM}")
    line = Line(
        host=kinds.needed(options, "host", around.name),
        port=options["port"] or PORTS[transport],
        transport=transport,
        timeout_seconds=options["timeout_seconds"],
        tls=_context(options["ca_file"]) if transport == "tls" else None,
    )
    form = MessageForm(
        facility=_NAMES.index(options["facility"]),
        app_name=options["app_name"],
        sd_id=options["sd_id"],
        max_bytes=options["max_bytes"],
        host_name=socket.gethostname(),
        process=os.getpid(),
    )
    return Syslog(around, line, form)


def _context(ca_file: Any) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as problem:
        raise take.refused("ca_file", str(ca_file), f"is no file of certificates ({problem})") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


# ---- messages ----


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageForm:
    """What all messages of a sink have in common. ``facility`` is its number; ``max_bytes`` of a whole message."""

    facility: int
    app_name: str
    sd_id: str
    max_bytes: int
    host_name: str
    process: int

    def message(self, event: Event, key: str) -> bytes:
        """Return an event as a message, without framing.

        Args:
            event: what happened.
            key: its name outside the book.
        """
        at = times.to_text(times.from_datetime("recorded_at", event.recorded_at))
        names = (_name(self.host_name, 255), _name(self.app_name, 48), str(self.process), _name(event.type, 32))
        about = {"id": key, "type": event.type}
        about |= {name: getattr(event, name) for name in ("account", "instrument", "strategy")}
        said = " ".join(f'{name}="{_param(value)}"' for name, value in about.items() if value)
        head = f"<{self.facility * 8 + severity(event)}>1 {at} {' '.join(names)} [{self.sd_id} {said}] ".encode()
        return head + _BOM + _cut(readable(event), self.max_bytes - len(head) - len(_BOM))


def severity(event: Event) -> int:
    """Return how bad an event is, 0 (emergency) to 7 (debug)."""
    if event.type == "order_updated" and event.data.get("status") in _TROUBLED:
        return 4
    return next(level for pattern, level in SEVERITIES if fnmatchcase(event.type, pattern))


def readable(event: Event) -> str:
    """Return an event as one line for people."""
    where = [part for part in (event.account, event.instrument, event.strategy) if part]
    said = ", ".join(
        f"{name} {as_json(value) if isinstance(value, dict | list) else value}"
        for name, value in event.data.items()
        if name not in _SKIPPED and value not in (None, "", [], {})
    )
    return on_one_line(" ".join(part for part in (event.id, event.type, *where, said) if part))


def _name(text: str, length: int) -> str:
    """Return text as a field of the header: printable ASCII without blanks; ``-`` for none."""
    return "".join(letter if "!" <= letter <= "~" else "?" for letter in text[:length]) or "-"


def _param(text: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", on_one_line(text))


def _cut(text: str, room: int) -> bytes:
    """Return text as UTF-8, cut to so many bytes between characters; ``…`` shows that it was."""
    body = text.encode()
    if len(body) <= room:
        return body
    return body[: max(room - 3, 0)].decode("utf-8", "ignore").encode() + "…".encode()


# ---- sending ----


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Where messages go and how. ``tls`` checks the host's certificate; None for the other transports."""

    host: str
    port: int
    transport: str
    timeout_seconds: float
    tls: ssl.SSLContext | None = None

    def connected(self) -> socket.socket:
        """Return a connection. For UDP it is only an address, but tells us when nobody listens there."""
        if self.transport != "udp":
            plain = socket.create_connection((self.host, self.port), self.timeout_seconds)
            if self.tls is None:
                return plain
            try:
                return self.tls.wrap_socket(plain, server_hostname=self.host)
            except BaseException:
                plain.close()
                raise
        family, kind, protocol, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(self.timeout_seconds)
            made.connect(address)
        except BaseException:
            made.close()
            raise
        return made


class Syslog:
    """A sink that sends messages.

    Args:
        around: what it may look at.
        line: where they go.
        form: how they look.
    """

    max_batch = 100

    def __init__(self, around: Around, line: Line, form: MessageForm) -> None:
        self._around = around
        self._line = line
        self._form = form
        self._open: socket.socket | None = None
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=_RECENT)

    def deliver(self, events: Sequence[Event], *, more: bool) -> bool:  # noqa: ARG002  nothing is kept in mind
        """Send events.

        Raises:
            SourceTimeout: the host did not take them in time.
            SourceError: it is not there, hung up, or is not who it should be.
            BadPayload: a message is too long for one datagram.
        """
        messages = [self._form.message(event, self._around.key(event)) for event in events]
        if self._line.transport == "udp" and max(map(len, messages)) > _MAX_DATAGRAM:
            msg = f"{self._where}: a message is longer than a datagram of {_MAX_DATAGRAM} bytes; use tcp or tls"
            raise BadPayload(msg, host=self._line.host)
        try:
            self._send(messages)
        except TimeoutError:
            self._drop()
            msg = f"{self._where}: no answer within {self._line.timeout_seconds:g} s"
            raise SourceTimeout(msg, host=self._line.host) from None
        except ssl.SSLCertVerificationError as problem:
            self._drop()
            msg = f"{self._where}: its certificate is not good ({problem.verify_message}); set ca_file to who signed it"
            raise SourceError(msg, host=self._line.host) from None
        except OSError as problem:
            self._drop()
            msg = f"{self._where}: {problem.strerror or problem}"
            raise SourceError(msg, host=self._line.host) from None
        except BaseException:
            self._drop()
            raise
        return True

    def close(self) -> None:
        """Hang up: everything sent is on its way, and a host that still listens reads it to the end."""
        if self._open is not None and self._line.transport != "udp":
            with suppress(OSError, ValueError):
                self._open.settimeout(min(1.0, self._line.timeout_seconds))
                if isinstance(self._open, ssl.SSLSocket):
                    self._open = self._open.unwrap()
                self._open.shutdown(socket.SHUT_WR)
                _hung_up(self._open)  # closing with something unread would cut off what is on its way
        self._drop()

    @property
    def _where(self) -> str:
        return f"syslog {self._line.transport}://{self._line.host}:{self._line.port}"

    def _drop(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _send(self, messages: list[bytes]) -> None:
        if self._line.transport == "udp":
            self._open = self._open or self._line.connected()
            for message in messages:
                self._open.send(message)
            return
        framed = [b"%d %s" % (len(message), message) for message in messages]
        if self._open is not None and _hung_up(self._open):
            self._drop()
        again = [message for _, message in self._recent] if self._open is None else []
        self._open = self._open or self._line.connected()
        self._open.sendall(b"".join([*again, *framed]))
        if _hung_up(self._open):
            raise ConnectionResetError(errno.ECONNRESET, "the host hung up while it was sent to")
        self._remember(framed)

    def _remember(self, framed: list[bytes]) -> None:
        """Keep what the host may not have read yet, should it hang up."""
        now = self._around.clock()
        while self._recent and now - self._recent[0][0] > _UNSURE:
            self._recent.popleft()
        self._recent.extend((now, message) for message in framed)


def _hung_up(connection: socket.socket) -> bool:
    """Say whether the other side has ended the connection. What it may have said is not for us."""
    timeout = connection.gettimeout()
    connection.settimeout(0)
    try:
        return any(not connection.recv(4096) for _ in range(16))
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        with suppress(OSError):
            connection.settimeout(timeout)
