"""A service on a real socket of this machine, with a book, for tests that ask it over HTTP."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest

import onebook
from onebook import Token
from onebook.config import config_for
from onebook.http.secrets import TOKEN_PREFIX, digest_of, new_secret
from onebook.http.service import make_service
from onebook.http.serving import Serving

START_SECONDS = 20


@dataclass
class Served:
    """A running service: its address, its book, its log of requests, and clients for it."""

    serving: Serving
    book: onebook.Book
    log: StringIO
    thread: threading.Thread
    _clients: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.serving.url

    @property
    def service(self) -> Any:
        return self.serving.service

    def token(self, role: str, name: str = "", **given: Any) -> str:
        """Make a token and return its secret."""
        secret = new_secret(TOKEN_PREFIX)
        given.setdefault("strategy", "trend" if role == "bot" else "")
        self.book.record(Token(name=name or role, role=role, digest=digest_of(secret), **given))
        return secret

    def client(self, token: str | None = None, **headers: str) -> httpx.Client:
        """Return a client that sends this token with every request."""
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        made = httpx.Client(base_url=self.url, headers=sent | headers, timeout=30, trust_env=False)
        self._clients.append(made)
        return made

    def logged(self, count: int) -> str:
        """Wait until the log has as many requests, and return it."""
        for _ in range(2000):
            if self.log.getvalue().count("\n") >= count:
                return self.log.getvalue()
            time.sleep(0.01)
        raise AssertionError(self.log.getvalue())

    def ended(self) -> None:
        """Wait until the service has ended, and has written all its lines."""
        self.thread.join(START_SECONDS)
        assert not self.thread.is_alive(), "the service did not end"

    def close(self) -> None:
        for client in self._clients:
            client.close()


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start services: `serve()`, `serve(book)`, `serve(config={"serve": {"body_bytes": 1000}})`."""
    running: list[tuple[Served, bool]] = []

    def start(book: onebook.Book | None = None, *, config: Any = None, host: str = "127.0.0.1", **given: Any) -> Served:
        own = book is None
        opened = onebook.open(str(tmp_path / f"served{len(running)}.db")) if book is None else book
        log = StringIO()
        service = make_service(opened, config_for(config or {}), host=host, **given)
        serving = Serving(service, host, 0, log=log)
        thread = threading.Thread(target=serving.run, name="served", daemon=True)
        thread.start()
        served = Served(serving, opened, log, thread)
        running.append((served, own))
        assert serving.started.wait(START_SECONDS)
        return served

    yield start
    for served, own in running:
        served.close()
        served.serving.stop()
        served.ended()
        if own:
            served.book.close()


@pytest.fixture
def served(serve: Serve) -> Served:
    """A service of an empty book, without tokens."""
    return serve()
