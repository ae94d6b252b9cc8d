"""Posting bytes to one URL: to addresses that were looked at, within a time, reading a bounded answer.

No redirect is followed, no proxy of the environment is used, and certificates are always verified. A connection is
kept for the next post while the other side lets it, for a minute at most.
"""

import contextlib
import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onebook.errors import BadConfig, SourceError, SourceTimeout
from onebook.feed.sinks.outside import SocketAddress, Url, address_of, addresses, is_global, is_local_name, literal
from onebook.feed.sinks.wording import plain_text

MOST = 65_536
"""Most bytes of an answer that are read."""

_KEPT_SECONDS = 60
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: the status, two headers, empty where they are missing, and the beginning of the body."""

    status: int
    retry_after: str
    location: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What may be connected to, and how.

    Attributes:
        allow_private: addresses of the own machine and network, without TLS too.
        allow_plain: any address without TLS.
        timeout_seconds: for one post: connecting, sending and reading together; looking the name up is not in it.
        context: for TLS; it verifies certificates.
    """

    allow_private: bool
    allow_plain: bool
    timeout_seconds: float
    context: ssl.SSLContext

    def check(self, key: str, url: Url) -> None:
        """Refuse what can be told from a URL alone.

        Args:
            key: the option, for messages.
            url: where to.

        Raises:
            BadConfig: it may not be reached.
        """
        if url.scheme == "http" and not (self.allow_plain or self.allow_private):
            msg = f"{key}: {url.place} is not encrypted; use https, or write allow_plain: true"
            raise BadConfig(msg, key=key)
        address = literal(url.host)
        if not self.allow_private and (is_local_name(url.host) or (address is not None and not is_global(address))):
            msg = (
                f"{key}: {url.place} is on this machine or a private network; write allow_private: true if it is meant"
            )
            raise BadConfig(msg, key=key)

    def checked(self, url: Url) -> list[tuple[socket.AddressFamily, SocketAddress]]:
        """Return the addresses of a URL's host, all of which may be connected to.

        Raises:
            SourceError: the name has none, or one that may not be.
        """
        found = addresses(url)
        for _, place in found:
            everywhere = is_global(address_of(place))
            if not everywhere and not self.allow_private:
                msg = f"{url.place} leads to {place[0]}, which is on this machine or a private network; "
                msg += "write allow_private: true if it is meant"
                raise SourceError(msg, place=url.place)
            if everywhere and url.scheme == "http" and not self.allow_plain:
                msg = f"{url.place} leads to {place[0]}, and is not encrypted; use https, or write allow_plain: true"
                raise SourceError(msg, place=url.place)
        return found


class Poster:
    """Posts to one URL. Not for several threads at once.

    Args:
        url: where to.
        reach: what may be connected to.
    """

    def __init__(self, url: Url, reach: Reach) -> None:
        self._url = url
        self._reach = reach
        self._kept: _Connection | None = None

    def post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post a body and return the answer, whatever its status.

        Args:
            headers: names and values, in ASCII without line ends.
            body: the bytes.

        Raises:
            SourceTimeout: no answer in time.
            SourceError: it could not be reached, or does not speak HTTP.
        """
        until = time.monotonic() + self._reach.timeout_seconds
        try:
            kept = self._take()
            if kept is not None:
                with contextlib.suppress(ConnectionError, http.client.RemoteDisconnected, ssl.SSLEOFError):
                    return self._through(kept, until, headers, body)
            return self._through(_Connection(self._url, self._reach), until, headers, body)
        except TimeoutError:
            msg = f"{self._url.place}: no answer within {self._reach.timeout_seconds:g} s"
            raise SourceTimeout(msg, place=self._url.place) from None
        except (OSError, http.client.HTTPException, ValueError) as problem:
            msg = f"{self._url.place}: {_why(problem)}"
            raise SourceError(msg, place=self._url.place) from None

    def close(self) -> None:
        """Give the connection back."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    def _take(self) -> "_Connection | None":
        """Return the kept connection if it is young enough."""
        kept = self._kept
        if kept is not None and time.monotonic() - kept.made > _KEPT_SECONDS:
            self.close()
            return None
        self._kept = None
        return kept

    def _through(self, connection: "_Connection", until: float, headers: Mapping[str, str], body: bytes) -> Answer:
        connection.until = until
        keep = False
        try:
            connection.request("POST", self._url.target, body=body, headers=dict(headers))
            with connection.getresponse() as response:
                told, keep = _read(response)
                return Answer(
                    status=response.status,
                    retry_after=response.headers.get("Retry-After", ""),
                    location=response.headers.get("Location", ""),
                    body=told,
                )
        finally:
            if keep:
                self._kept = connection
            else:
                connection.close()


def _read(response: http.client.HTTPResponse) -> tuple[bytes, bool]:
    """Return the beginning of an answer's body, and whether the connection can be used again."""
    try:
        told = response.read(MOST + 1)
    except (OSError, http.client.HTTPException, ValueError):
        return b"", False  # the status says what became of the post
    return told[:MOST], len(told) <= MOST and response.isclosed() and not response.will_close


def _why(problem: Exception) -> str:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"its certificate is not good ({plain_text(problem.verify_message)})"
    if isinstance(problem, OSError):
        return plain_text(problem.strerror or str(problem) or type(problem).__name__)
    return f"it does not answer as HTTP does ({plain_text(type(problem).__name__)})"


class _Connection(http.client.HTTPConnection):
    """Connects to an address that was checked, and does everything before ``until`` (on the monotonic clock)."""

    def __init__(self, url: Url, reach: Reach) -> None:
        super().__init__(url.host, url.port)
        self.default_port = _PORTS[url.scheme]
        self._url = url
        self._reach = reach
        self.until = 0.0
        self.made = time.monotonic()

    def connect(self) -> None:
        """Connect to the first checked address that answers."""
        if self.sock is not None:
            return
        problem: OSError | None = None
        found = self._reach.checked(self._url)
        for family, place in found:
            try:
                self.sock = self._connected(family, place)
            except TimeoutError:
                raise
            except OSError as failed:
                problem = failed
            else:
                return
        raise problem or OSError("it has no address")

    def _connected(self, family: socket.AddressFamily, place: SocketAddress) -> Any:
        raw = socket.socket(family, socket.SOCK_STREAM)
        try:
            raw.settimeout(self._left())
            raw.connect(place)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._url.scheme == "https":
                raw.settimeout(self._left())
                return _Timed(self._reach.context.wrap_socket(raw, server_hostname=self._url.host), self)
        except BaseException:
            raw.close()
            raise
        return _Timed(raw, self)

    def _left(self) -> float:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Timed:
    """A socket of which each step takes no longer than is left, so that a trickle of bytes cannot draw it out.

    As with a plain one, whoever still reads from it can do so after it was closed.
    """

    def __init__(self, raw: socket.socket, connection: _Connection) -> None:
        self.raw = raw
        self.connection = connection
        self.readers = 0
        self.closing = False

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self.raw.settimeout(self.connection._left())  # noqa: SLF001  the two are one thing
        self.raw.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a reader of what comes in."""
        self.readers += 1
        return io.BufferedReader(_Incoming(self))

    def receive_into(self, buffer: Any) -> int:
        """Put what comes next into a buffer; return how many bytes, 0 at the end."""
        self.raw.settimeout(self.connection._left())  # noqa: SLF001  the two are one thing
        return self.raw.recv_into(buffer)

    def close(self) -> None:
        """Close it, once nobody reads any more."""
        self.closing = True
        if not self.readers:
            self.raw.close()

    def read_no_more(self) -> None:
        """Say that one reader is done."""
        self.readers -= 1
        if self.closing and not self.readers:
            self.raw.close()


class _Incoming(io.RawIOBase):
    def __init__(self, timed: _Timed) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._timed.receive_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._timed.read_no_more()
