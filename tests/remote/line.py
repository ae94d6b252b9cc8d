"""A line to a service that can be cut, muted or made to swallow answers, and a service that says what it is told to."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

SECONDS = 30.0


def until(holds: Callable[[], Any], seconds: float = SECONDS) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)


class Line:
    """Passes bytes between clients and a service.

    Args:
        url: of the service; may be another one later.
    """

    def __init__(self, url: str) -> None:
        self.lead_to(url)
        self.swallow = 0
        """How many answers are thrown away, with their connections."""
        self.mute = False
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._closed = False
        self.is_down = False
        threading.Thread(target=self._accept, daemon=True).start()

    def lead_to(self, url: str) -> None:
        """Lead to another service from the next connection on."""
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def cut(self) -> None:
        """Cut what is connected now."""
        with self._lock:
            found, self._open = self._open, set()
        for each in found:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def down(self) -> None:
        """Cut, and let nobody through."""
        self.is_down = True
        self.cut()

    def up(self) -> None:
        self.is_down = False

    def close(self) -> None:
        self._closed = True
        self._server.close()
        self.cut()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self.is_down:
                client.close()
                continue
            self.connections += 1
            try:
                service = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, service}
            threading.Thread(target=self._pass, args=(client, service, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(service, client, True), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if is_answer and self.swallow:
                    self.swallow -= 1
                    break
                while is_answer and self.mute and not self._closed:
                    time.sleep(0.01)
                other.sendall(data)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
            with self._lock:
                self._open.discard(each)


@contextlib.contextmanager
def line_to(url: str) -> Iterator[Line]:
    """A line to a service, for a while."""
    with contextlib.closing(Line(url)) as line:
        yield line


class Script(socketserver.ThreadingTCPServer):
    """Answers each request with the next of some answers, the last one for ever; keeps the first lines it was asked."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, *answers: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Scripted)
        self.answers = list(answers)
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *problem: object) -> None:
        self.shutdown()
        self.server_close()


class _Scripted(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        script: Any = self.server
        first = self.rfile.readline().decode().strip()
        while self.rfile.readline().strip():
            pass
        if first:
            script.asked.append(first)
            self.wfile.write(script.answers.pop(0) if len(script.answers) > 1 else script.answers[0])


def answer(status: str, body: str, *headers: str, kind: str = "application/json") -> bytes:
    """An answer of HTTP."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body.encode())}", *headers]
    return ("\r\n".join([*lines, "Connection: close", "", ""]) + body).encode()


def problem(status: str, code: str, *headers: str, retryable: bool = False) -> bytes:
    """A problem of the service."""
    text = f'{{"code": "{code}", "detail": "so it is", "retryable": {str(retryable).lower()}, "details": {{"a": "b"}}}}'
    return answer(status, text, *headers, kind="application/problem+json")
