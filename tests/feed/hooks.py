"""A real receiver of webhooks on loopback, that checks what it gets as a portfolio service would, and their sink."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import onebook
from onebook.feed.sink import Around
from onebook.feed.sinks import make_sink, options_of
from onebook.feed.sinks.webhook import verify_signature
from onebook.testing.clock import FakeClock

SECRET = "correct horse battery staple"  # noqa: S105  of a receiver that lives for one test
Reply = Callable[[BaseHTTPRequestHandler], None]


class Receiver:
    """A portfolio service: checks the signature, keeps each event once, and answers as the test says."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.replies: list[Reply] = []
        self.posts: list[dict[str, str]] = []
        self.events: dict[str, Any] = {}
        self.connections = 0
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def do_POST(self) -> None:
                receiver.take(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the standard library's name
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *request: Any) -> None:
                pass  # the client hangs up on purpose in some tests

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        headers = dict(request.headers.items())
        self.posts.append({**headers, "path": request.path, "body": body.decode()})
        if not verify_signature(SECRET, headers, body, now=self.clock.now / 10**9):
            answer(401)(request)
            return
        reply = self.replies.pop(0) if self.replies else answer(200)
        if reply is not failing:
            self.events.setdefault(headers["Idempotency-Key"], json.loads(body))
        reply(request)

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(30)
        assert not self.thread.is_alive()


def answer(status: int, body: bytes = b"", **headers: str) -> Reply:
    def reply(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return reply


failing = answer(500, b"out of order")


def around(book: onebook.Book, clock: FakeClock) -> Around:
    return Around(name="portfolio", book=book, clock=clock, book_id="desk:1")


def taken(given: dict[str, Any]) -> dict[str, Any]:
    return {
        name: key.take(name, given[name]) if name in given else key.default
        for name, key in options_of("webhook").items()
    }


def webhook(book: onebook.Book, clock: FakeClock, url: str, **given: Any) -> Any:
    options = {"secret": SECRET, "url": url, "timeout_seconds": 5} | given
    return make_sink("webhook", around(book, clock), taken(options))


def fills(book: onebook.Book) -> list[Any]:
    return list(book.events(types="trade_executed"))
