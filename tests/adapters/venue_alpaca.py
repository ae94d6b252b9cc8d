"""Alpaca on loopback: its REST for orders and activities, and its stream of trade updates in binary JSON frames.

It does what it is told: an order rests until the test fills it, and what the test drops was never sent.
"""

import asyncio
import json
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid5

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

import onebook
from onebook.domain import times

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # alpaca-py imports the old websockets client
    from alpaca.trading.client import TradingClient
    from alpaca.trading.stream import TradingStream

__all__ = ["Running", "TradingClient", "TradingStream", "Venue", "held", "name_of", "open_venue", "until"]

SPACE = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
START = times.from_text("start", "2026-03-02T14:30:00Z")
SECOND = times.SECOND


def name_of(text: str) -> str:
    """An id as Alpaca makes them, the same on every run."""
    return str(uuid5(SPACE, text))


class Venue:
    """One account at Alpaca: ``orders`` by id, ``activities`` in their order, ``asked`` as (verb, path)."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.activities: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.refuse: int = 0
        self.connections = 0
        self.listening = threading.Event()
        self._now = START
        self._listeners: set[ServerConnection] = set()
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._server: Server | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._up.wait(30)
        self._rest = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._rest.daemon_threads = True
        self._rest_thread = threading.Thread(target=self._rest.serve_forever, args=(0.02,))
        self._rest_thread.start()

    @property
    def stream_url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}/stream"

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self._rest.server_address[1]}"

    def close(self) -> None:
        self._rest.shutdown()
        self._rest.server_close()
        self._rest_thread.join(30)
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def now(self) -> str:
        self._now += SECOND // 8 + 1_001  # to the nanosecond, as Alpaca says it
        return times.to_text(self._now)

    # ---- what happens at the venue ----

    def place(self, request: dict[str, Any]) -> dict[str, Any]:
        at = self.now()
        number = len(self.orders) + 1
        order: dict[str, Any] = dict.fromkeys(
            ("filled_at", "expired_at", "canceled_at", "failed_at", "replaced_at", "replaced_by", "replaces")
        )
        numbers = ("qty", "notional", "limit_price", "stop_price")
        plain = {name: str(request[name]) for name in numbers if request.get(name) is not None}
        order |= {
            "id": name_of(f"order {number}"),
            "client_order_id": request.get("client_order_id") or name_of(f"client {number}"),
            "created_at": at, "updated_at": at, "submitted_at": at, "asset_id": name_of(request["symbol"]),
            "symbol": request["symbol"], "asset_class": request.get("asset_class", asset_class(request["symbol"])),
            "notional": None, "qty": None, "filled_qty": "0", "filled_avg_price": None, "order_class": "simple",
            "type": request["type"], "order_type": request["type"], "side": request["side"],
            "time_in_force": request["time_in_force"], "limit_price": None, "stop_price": None, "status": "accepted",
            "extended_hours": False, "legs": None, "trail_percent": request.get("trail_percent"),
            "trail_price": request.get("trail_price"), "hwm": None,
        } | plain  # fmt: skip
        self.orders[order["id"]] = order
        if request.get("order_class", "simple") != "simple":
            order["order_class"] = request["order_class"]
            order["legs"] = [
                self._leg(order, request, name) for name in ("take_profit", "stop_loss") if name in request
            ]
        return order

    def _leg(self, order: dict[str, Any], request: dict[str, Any], name: str) -> dict[str, Any]:
        terms = request[name]
        kind = "limit" if name == "take_profit" else "stop"
        leg = self.place(
            {
                "symbol": order["symbol"],
                "qty": request["qty"],
                "type": kind,
                "side": "sell" if order["side"] == "buy" else "buy",
                "time_in_force": "gtc",
                f"{kind}_price": terms[f"{kind}_price"],
            }
        )
        leg |= {"status": "held", "order_class": order["order_class"]}
        return leg

    def event(self, order: dict[str, Any], event: str, **more: Any) -> dict[str, Any]:
        """Say what happened to an order, to whoever listens; return what was said."""
        at = self.now()
        order |= {"updated_at": at}
        said = {"event": event, "timestamp": at, "execution_id": name_of(f"{event} {at}"), "order": dict(order)} | more
        self.say(said)
        return said

    def status(self, order: dict[str, Any], event: str, at_field: str = "", **more: Any) -> dict[str, Any]:
        order["status"] = more.pop("status", event)
        if at_field:
            order[at_field] = self.now()
        return self.event(order, event, **more)

    def fill(self, order: dict[str, Any], quantity: str, price: str, *, said: bool = True) -> dict[str, Any]:
        """Fill some of an order: an activity, and an update to whoever listens, unless it is not said."""
        from decimal import Decimal

        had, worth = Decimal(order["filled_qty"]), Decimal(order["filled_avg_price"] or 0)
        filled = had + Decimal(quantity)
        whole = order["qty"] is not None and filled >= Decimal(order["qty"])
        whole = whole or (order["notional"] is not None and filled * Decimal(price) >= Decimal(order["notional"]))
        order["filled_qty"] = str(filled)
        order["filled_avg_price"] = str(((had * worth + Decimal(quantity) * Decimal(price)) / filled).normalize())
        order["status"] = "filled" if whole else "partially_filled"
        event = "fill" if whole else "partial_fill"
        at = self.now()
        order |= {"updated_at": at} | ({"filled_at": at} if whole else {})
        execution = name_of(f"execution {order['id']} {filled}")
        self.activities.append(
            {
                "activity_type": "FILL", "id": f"{len(self.activities):017d}::{execution}", "transaction_time": at,
                "type": event, "price": price, "qty": quantity, "side": order["side"], "symbol": order["symbol"],
                "leaves_qty": "0", "order_id": order["id"], "cum_qty": str(filled), "order_status": order["status"],
            }
        )  # fmt: skip
        update = {
            "event": event, "timestamp": at, "execution_id": execution, "order": dict(order), "price": price,
            "qty": quantity, "position_qty": str(filled),
        }  # fmt: skip
        if said:
            self.say(update)
        return update

    def say(self, update: dict[str, Any]) -> None:
        """Send a trade update, as it stands, to whoever listens."""
        frame = json.dumps({"stream": "trade_updates", "data": update}).encode()
        asyncio.run_coroutine_threadsafe(self._say(frame), self._loop).result(10)

    def drop(self) -> None:
        """End every connection of the stream."""
        self.listening.clear()
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(10)

    # ---- the stream's side ----

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        async with serve(self._stream, "127.0.0.1", 0) as server:
            self._server = server
            self._up.set()
            await self._stop.wait()

    async def _stream(self, socket: ServerConnection) -> None:
        self.connections += 1
        with suppress(ConnectionClosed):
            await self._serve_one(socket)
        self._listeners.discard(socket)

    async def _serve_one(self, socket: ServerConnection) -> None:
        async for text in socket:
            asked = json.loads(text)
            if asked["action"] == "authenticate":
                status = "authorized" if asked["data"]["key_id"] == "key" else "unauthorized"
                await self._answer(socket, "authorization", {"status": status, "action": "authenticate"})
            elif asked["action"] == "listen":
                self._listeners.add(socket)
                await self._answer(socket, "listening", asked["data"])
                self.listening.set()

    async def _answer(self, socket: ServerConnection, stream: str, data: dict[str, Any]) -> None:
        await socket.send(json.dumps({"stream": stream, "data": data}).encode())

    async def _say(self, frame: bytes) -> None:
        for socket in list(self._listeners):
            await socket.send(frame)

    async def _drop(self) -> None:
        for socket in list(self._listeners):
            self._listeners.discard(socket)
            await socket.close(1011)

    # ---- REST ----

    def answer(self, verb: str, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append((verb, path))
        if self.refuse:
            return self.refuse, {"code": 40310000, "message": "insufficient buying power"}
        parts = path.removeprefix("/v2/").split("/")
        if parts[0] == "orders":
            return self._orders(verb, parts[1:], query, body)
        if parts[0] == "positions":
            held = {"symbol": parts[1], "qty": "1", "side": "sell", "type": "market", "time_in_force": "day"}
            return 200, self.place(held)
        if parts[:2] == ["account", "activities"]:
            after = [row for row in self.activities if row["transaction_time"] > query.get("after", "")]
            token = query.get("page_token", "")
            return 200, [row for row in after if row["id"] > token][: int(query.get("page_size", "100"))]
        return 404, {"code": 40410000, "message": "not found"}

    def _orders(self, verb: str, rest: list[str], query: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        if not rest and verb == "POST":
            return 200, self.place(body)
        if not rest:
            rows = [order for order in self.orders.values() if order["submitted_at"] > query.get("after", "")]
            return 200, rows[: int(query.get("limit", "50"))]
        order = self.orders[rest[0]]
        if verb == "PATCH":
            fresh = self.place(order | {name: str(value) for name, value in body.items()} | {"client_order_id": ""})
            fresh["replaces"], order["replaced_by"] = order["id"], fresh["id"]
            return 200, fresh
        return (204, None) if verb == "DELETE" else (200, order)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        venue = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                code, answer = venue.answer(self.command, parts.path, query, json.loads(body or b"{}"))
                data = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815  names of the standard library

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        return Handler


def asset_class(symbol: str) -> str:
    if "/" in symbol:
        return "crypto"
    return "us_option" if len(symbol) > 6 else "us_equity"


class Running:
    """A stream of alpaca-py that runs in a thread, as a bot lets it run."""

    def __init__(self, venue: Venue, **settings: Any) -> None:
        self.venue = venue
        self.stream = TradingStream("key", "secret", url_override=venue.stream_url, **settings)
        self.stream._reconnect_min_backoff = 0.01
        self._thread = threading.Thread(target=self.stream.run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self.venue.listening.wait(30)

    def stop(self) -> None:
        self.stream.stop()
        self.venue.drop()
        self._thread.join(30)
        assert not self._thread.is_alive()


def held(book: onebook.Book, instrument: str = "AAPL") -> onebook.Position:
    found = book.position(instrument)
    assert found is not None
    return found


def until(condition: Callable[[], bool], book: onebook.Book) -> None:
    """Wait for something to be true of the book, looking whenever an entry was written."""
    end = monotonic() + 30
    last = 0
    while not condition():
        assert monotonic() < end
        for event in book.events(after=last, follow=True, timeout=0.5):
            last = event.sequence
            break


@contextmanager
def open_venue() -> Iterator[Venue]:
    venue = Venue()
    try:
        yield venue
    finally:
        venue.close()
