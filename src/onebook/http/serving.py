"""Running the service: where it listens, TLS, and an end that keeps what was acknowledged.

An end takes no longer than :data:`END_SECONDS`, with streams open too: nothing new is taken, streams are told, what
is being recorded is answered.
"""

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TextIO

from onebook.errors import BadConfig
from onebook.http.auth import is_loopback
from onebook.http.service import Service, build, no_extra

if TYPE_CHECKING:
    import uvicorn

END_SECONDS = 3.0
GRACE_SECONDS = 1
"""How long requests that are being answered may take at the end; the rest of the time is for the loop itself."""

IDLE_SECONDS = 75
"""How long a connection without a request stays open."""

SPARE = 64
"""Connections beyond ``serve.connections``, which bounds requests: beyond both, those that only wait are ended."""

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w-]+(\.[\w-]+)*\.?)(:\d{1,5})?|[0-9A-Fa-f:]+")

MESSAGE_BYTES = 1_048_576
"""Of one message of a socket."""


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: a name or an address.
        port: 0: any that is free.

    Raises:
        BadConfig: there is no such address here, or somebody else has the port.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        made = socket.create_server((address[0], address[1]), family=family, backlog=2048)
    except (socket.gaierror, UnicodeError):
        msg = f"cannot listen on {host}: it is neither an address nor a name of this machine; choose one with --host"
        raise BadConfig(msg, host=host, port=port) from None
    except OSError as problem:
        why = problem.strerror or str(problem)
        msg = f"cannot listen on {host} port {port}: {why}; choose others with --host and --port"
        raise BadConfig(msg, host=host, port=port) from None
    return made


def check_names(names: Iterable[str]) -> None:
    """Refuse what cannot stand in the Host of a request.

    Raises:
        BadConfig: one is no name and no address.
    """
    for name in names:
        if _HOST.fullmatch(name) is None:
            msg = f"--allow-host {name[:80]}: is no name; write it as it stands in an address, such as book.example"
            raise BadConfig(msg, host=name)


def check_reach(service: Service, host: str) -> None:
    """Refuse to be reached from elsewhere while there is no token.

    Raises:
        BadConfig: there is none.
    """
    if not is_loopback(host) and not service.access.has_tokens():
        raise no_token(host)


def no_token(host: str) -> BadConfig:
    """Return the error of a service that could be reached from elsewhere without a token."""
    msg = (
        f"{host} can be reached from other machines, and there is no token yet; make one first: "
        "onebook token create --role viewer --name phone"
    )
    return BadConfig(msg, host=host)


def check_tls(cert: str | None, key: str | None) -> bool:
    """Say whether TLS is wanted.

    Raises:
        BadConfig: one of the two files is not given, or they cannot be read or do not belong together.
    """
    if cert is None and key is None:
        return False
    if cert is None or key is None:
        msg = "TLS takes two files: --tls-cert CERT.pem --tls-key KEY.pem"
        raise BadConfig(msg)
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key, password="")
    except (OSError, ssl.SSLError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or str(problem)
        msg = f"--tls-cert {cert}, --tls-key {key}: cannot be used ({why}); give PEM files that belong together"
        raise BadConfig(msg) from None
    return True


class Serving:
    """A service on a socket.

    Args:
        service: which.
        host: where it listens, a name or an address.
        port: 0: any that is free.
        cert: of TLS, with its chain; None: none.
        key: the private key of the certificate.
        log: where the log of requests goes; True: to standard error, False: nowhere.
        started: called once requests are answered.

    Raises:
        BadConfig: it cannot listen there, or a package that it needs is not installed.
    """

    def __init__(  # noqa: PLR0913  what it is started with
        self,
        service: Service,
        host: str,
        port: int,
        *,
        cert: str | None = None,
        key: str | None = None,
        log: TextIO | bool = True,
        started: Callable[[], None] | None = None,
    ) -> None:
        self.service = service
        self.started = threading.Event()
        self._told = started
        self._server = _server(service, build(service, log=log), cert, key, self._has_started)
        self._socket = listening(host, port)
        host, port = self._socket.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if cert else 'http'}://{shown}:{port}"

    def _has_started(self) -> None:
        self.started.set()
        if self._told is not None:
            self._told()

    def run(self) -> None:
        """Serve until the end: SIGINT or SIGTERM where this is the main thread, or :meth:`stop`."""
        with self.service.book.wakeups:  # what other processes write is seen at once
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Begin the end; :meth:`run` returns within :data:`END_SECONDS`. May be called from any thread."""
        self._server.should_exit = True


def _server(
    service: Service, app: Any, cert: str | None, key: str | None, started: Callable[[], None]
) -> "uvicorn.Server":
    try:
        import uvicorn

        from onebook.http.connections import SocketConnection
        from onebook.http.heads import Link
    except ModuleNotFoundError as missing:
        raise no_extra(missing) from None

    class Server(uvicorn.Server):
        """One that tells its service when it begins and when it ends."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for server in self.servers:
                server.close()  # nobody new, before those who are there are let go
            await service.end()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        http=Link,
        ws=SocketConnection,
        ws_max_size=MESSAGE_BYTES,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=service.config.get("serve.connections") + SPARE,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_certfile=cert,
        ssl_keyfile=key,
    )
    return Server(config)
