"""A server with streams alone, and clients that read what comes over the wire."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any, Self

import httpx

import onebook
from onebook.config import config_for
from onebook.http.events import stream_of
from onebook.http.lines import Pace
from onebook.http.secrets import TOKEN_PREFIX, digest_of, new_secret
from onebook.http.service import make_service
from onebook.http.serving import Serving
from onebook.http.stream import Stream

SECONDS = 30.0


class Server:
    """Serves a book on loopback, with a pace of its own for streams.

    Args:
        book: which.
        pace: of the streams; None: as configured.
    """

    def __init__(self, book: onebook.Book, pace: Pace | None = None) -> None:
        self.book = book
        self.service = make_service(book, config_for({}))
        if pace is not None:
            self.service._parts["stream"] = Stream(book, pace)
            self.service.at_end(stream_of(self.service).end)
        self.stream = stream_of(self.service)
        self._serving = Serving(self.service, "127.0.0.1", 0, log=False)
        self.url = self._serving.url
        self._thread = threading.Thread(target=self._serving.run, daemon=True)
        self._thread.start()
        assert self._serving.started.wait(SECONDS)

    def token(self, role: str, name: str = "", strategy: str = "") -> str:
        """Make a token and return its secret."""
        secret = new_secret(TOKEN_PREFIX)
        self.book.record(onebook.Token(name=name or role, role=role, digest=digest_of(secret), strategy=strategy))
        return secret

    def close(self) -> None:
        """Stop it."""
        self._serving.stop()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive(), "the service did not end"


@contextlib.contextmanager
def serving(book: onebook.Book, pace: Pace | None = None) -> Iterator[Server]:
    """Serve a book for a while."""
    with contextlib.closing(Server(book, pace)) as server:
        yield server


def until(holds: Any, seconds: float = SECONDS) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)


class Client:
    """Reads server-sent events; ``lines`` and blank lines as they come.

    Args:
        url: with the query.
        last: the id of the event up to which it has everything.
        headers: more of them.
    """

    def __init__(self, url: str, last: str = "", headers: dict[str, str] | None = None) -> None:
        sent = dict(headers or {}) | ({"Last-Event-ID": last} if last else {})
        self._http = httpx.Client(timeout=SECONDS, trust_env=False)
        self._answer = self._http.send(self._http.build_request("GET", url, headers=sent), stream=True)
        self.status = self._answer.status_code
        self.headers = self._answer.headers
        self.last = last
        self.comments: list[str] = []
        self.retry = ""
        self._frames = self._read() if self.status == httpx.codes.OK else iter(())

    def _read(self) -> Iterator[dict[str, Any]]:
        fields: dict[str, Any] = {}
        for line in self._answer.iter_lines():
            if line.startswith(":"):
                self.comments.append(line)
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
                self.retry = fields.pop("retry", self.retry)
            elif "data" in fields:
                self.last = fields.get("id", self.last)
                yield fields
                fields = {}

    def frame(self) -> dict[str, Any]:
        """Return the next frame: its fields as text."""
        return next(self._frames)

    def frames(self, number: int) -> list[dict[str, Any]]:
        """Return the next so many."""
        return [self.frame() for _ in range(number)]

    def rest(self) -> list[dict[str, Any]]:
        """Return all that come until the server ends."""
        return list(self._frames)

    def events(self, number: int) -> list[Any]:
        """Return the next so many as data."""
        return [json.loads(frame["data"]) for frame in self.frames(number)]

    def problem(self) -> Any:
        """Return the refusal."""
        return json.loads(self._answer.read())

    def close(self) -> None:
        """Go."""
        self._answer.close()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()


def fill(number: int, **more: Any) -> onebook.Fill:
    """Return a fill of its own number."""
    given = {"instrument": "BTC/USDT", "side": "buy", "quantity": "0.01", "price": str(60_000 + number % 500)} | more
    return onebook.Fill(venue="binance", venue_fill_id=str(number), **given)
