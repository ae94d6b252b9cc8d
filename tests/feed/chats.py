"""A real receiver of messages on loopback, and events to be told of."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from onebook.domain.reports import Event
from onebook.feed.sink import Around
from onebook.feed.sinks import make_sink, options_of
from onebook.testing.clock import FakeClock

NOON = datetime(2024, 6, 3, 12, tzinfo=UTC)


class Receiver:
    """What takes the messages of apprise's json:// target."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.down = False
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = 503 if receiver.down else receiver.statuses.pop(0) if receiver.statuses else 200
                if status == 0:
                    receiver.released.wait(20)
                    return
                if status == 200:
                    receiver.messages.append(body)
                answer = b'{"ok": true, "result": {}}'
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the standard library's name
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/desk-secret-token"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def texts(self) -> list[str]:
        return [message["message"] for message in self.messages]

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(30)
        assert not self.thread.is_alive()


def event(number: int, kind: str = "order_updated", /, at: datetime = NOON, **data: Any) -> Event:
    if kind == "order_updated":
        data = {"client_order_id": f"o{number}", "status": "rejected", "reason": "margin"} | data
    return Event(
        id=f"{number}.1",
        sequence=number,
        type=kind,
        version=1,
        occurred_at=at,
        recorded_at=at,
        actor="bot",
        correlation_id="",
        account="main",
        instrument=data.pop("instrument", "BTC/USDT"),
        strategy="grid",
        data=data,
    )


def halted(number: int) -> Event:
    return event(number, "trading_state_changed", state="HALTED", reason="kill switch", instrument="")


def notify(clock: FakeClock, target: str, **given: Any) -> Any:
    options = {
        name: key.take(name, given[name]) if name in given else key.default
        for name, key in options_of("notify").items()
    }
    options["target"] = target
    around = Around(name="notify", book=None, clock=clock, book_id="desk:1")  # type: ignore[arg-type]
    return make_sink("notify", around, options)
