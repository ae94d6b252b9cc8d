"""The service put together: what every handler needs, and the application of all routers."""

import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, TextIO

from onebook.app import Book
from onebook.config import Config
from onebook.errors import BadConfig, NotAllowed
from onebook.http.auth import Access
from onebook.http.limits import Opened
from onebook.http.lines import Pace
from onebook.http.origin import hosts_of
from onebook.http.stream import Stream

if TYPE_CHECKING:
    from onebook.http.answers import Answers
    from onebook.http.door import App

MODULES = ("login", "phone", "documents", "events", "socket", "hooks", "metrics", "health", "pages")
"""Modules with ``ROUTES`` or ``routes(service)``; that of ``documents`` has every address that reads or records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What every handler needs; in a request it is ``request.state.service``.

    Attributes:
        book: what is served.
        config: the settings in force.
        access: who may use it.
        hosts: the names under which it may be asked.
        is_read_only: nothing is written.
        is_secure: it speaks TLS.
        started_ns: when it began, in nanoseconds since 1970 UTC.
        opened: requests that are being answered.
        ending: set when the service stops; streams and sockets end then.
    """

    book: Book
    config: Config
    access: Access
    hosts: frozenset[str]
    is_read_only: bool = False
    is_secure: bool = False
    started_ns: int = 0
    opened: Opened
    ending: threading.Event = field(default_factory=threading.Event)
    _parts: dict[str, Any] = field(default_factory=dict)
    _at_end: list[Callable[[], Awaitable[None] | None]] = field(default_factory=list)

    def part(self, name: str, make: Callable[["Service"], Any]) -> Any:
        """Return what handlers of one module share, made when it is first asked for.

        Args:
            name: of the part.
            make: makes it.
        """
        found = self._parts.get(name)
        if found is None:
            found = self._parts.setdefault(name, make(self))
        return found

    def at_end(self, call: Callable[[], Awaitable[None] | None]) -> None:
        """Have something called in the event loop when the service stops, before it waits for open requests."""
        self._at_end.append(call)

    async def end(self) -> None:
        """Tell everything that runs that the service stops."""
        self.ending.set()
        for call in self._at_end:
            waited = call()
            if waited is not None:
                await waited


def make_service(  # noqa: PLR0913  what it is started with
    book: Book,
    config: Config,
    *,
    host: str = "127.0.0.1",
    allow_hosts: Iterable[str] = (),
    is_read_only: bool = False,
    is_secure: bool = False,
    is_insecure: bool = False,
) -> Service:
    """Return a service of a book.

    Args:
        book: what is served.
        config: the settings in force.
        host: on which it listens.
        allow_hosts: further names under which it may be asked.
        is_read_only: nothing is written.
        is_secure: it speaks TLS.
        is_insecure: operators may send their token without TLS from other machines.
    """
    pace = Pace(
        beat_seconds=config.get("serve.heartbeat_seconds"),
        prices_per_second=config.get("serve.prices_per_second"),
        most_lines=config.get("serve.connections"),
    )
    service = Service(
        book=book,
        config=config,
        access=Access(book, is_secure=is_secure, is_insecure=is_insecure),
        hosts=hosts_of(host, (*config.get("serve.allow_hosts"), *allow_hosts)),
        is_read_only=is_read_only,
        is_secure=is_secure,
        started_ns=book.now(),
        opened=Opened(config.get("serve.connections")),
    )
    stream: Stream = service.part("stream", lambda _: Stream(book, pace))
    service.at_end(stream.end)
    return service


def handlers_of(service: Service) -> list[Any]:
    """Return the handlers of every address there is."""
    found: list[Any] = []
    for name in MODULES:
        try:
            module = import_module(f"onebook.http.{name}")
        except ModuleNotFoundError as missing:
            if missing.name != f"onebook.http.{name}":
                raise
            continue
        made = getattr(module, "routes", None)
        found += getattr(module, "ROUTES", ()) if made is None else made(service)
    return found


def application(service: Service) -> Any:
    """Return the application of all routers, without the door in front of it."""
    from litestar import Litestar
    from litestar.datastructures import State

    from onebook.http.problems import handlers

    return Litestar(
        route_handlers=handlers_of(service),
        exception_handlers=handlers(),
        guards=[_in_table],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=service.config.get("serve.body_bytes"),
        state=State({"service": service}),
    )


def build(service: Service, *, log: TextIO | bool = True) -> "App":
    """Return the whole application: the door, what was answered before, and the routers behind it.

    Args:
        service: which service.
        log: where the log of requests goes; True: to standard error, False: nowhere.

    Raises:
        BadConfig: a package that it needs is not installed.
    """
    from onebook.http.door import Door
    from onebook.http.logs import RequestLog
    from onebook.http.tracing import traced

    kept = None if log is False else RequestLog(service.book.now, None if log is True else log)
    try:
        made = application(service)
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("onebook"):
            raise
        raise no_extra(missing) from None
    answers: Answers = service.part("answers", _answers_of)
    return traced(Door(answers.around(made), service, kept), service)


def _answers_of(service: Service) -> "Answers":
    """Return the answers that a service keeps."""
    from onebook.http.answers import Answers
    from onebook.http.documents import FIXED
    from onebook.http.routes import KEPT

    answers = Answers(service.book, families=KEPT, fixed=FIXED)
    service.at_end(answers.close)
    return answers


def no_extra(missing: ModuleNotFoundError) -> BadConfig:
    """Return the error of a package that the service needs and that is not installed."""
    return BadConfig(f'{missing.name} is not installed: pip install "onebook[serve]"', package=missing.name)


def _in_table(connection: Any, _handler: Any) -> None:
    """Refuse a route that no row of the table of roles speaks of, and a caller who is not in its row."""
    from onebook.http.roles import ANYONE, allowed, refusal

    scope = connection.scope
    method = scope.get("method", "WS")
    roles = allowed(method, scope["path"])
    caller = scope["state"].get("caller")
    if roles is not None and ANYONE in roles:
        return
    if roles is None or caller is None:
        msg = f"{method} {scope['path'][:80]} is open to nobody"
        raise NotAllowed(msg)
    if caller.role not in roles:
        raise refusal(caller, f"{method} {scope['path'][:80]}", roles)
