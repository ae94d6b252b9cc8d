"""Alpaca's stock data as far as alpaca-py asks: REST of version 2, and the websocket in msgpack."""

import importlib
from typing import Any

from aiohttp import web
from tests.market.venues.serving import Venue

from onebook.domain.times import from_text, to_text

msgpack: Any = importlib.import_module("msgpack")  # it ships no types
KEY, SECRET = "PK1", "not a secret"
NS = 1_000_000_000


def packed(*messages: dict[str, Any]) -> bytes:
    """As the stream writes it: times are msgpack's own."""

    def timed(message: dict[str, Any]) -> dict[str, Any]:
        at_ns = from_text("t", message["t"]) if "t" in message else 0
        return message | ({"t": msgpack.Timestamp(at_ns // NS, at_ns % NS)} if "t" in message else {})

    return bytes(msgpack.packb([timed(message) for message in messages]))


class Alpaca(Venue):
    """The venue. What ``trade`` shows is in its history too."""

    def __init__(self) -> None:
        self.trades: list[dict[str, Any]] = []
        self.bars: list[dict[str, Any]] = []
        self.quote: dict[str, Any] = {}
        self.subscribed: dict[web.WebSocketResponse, dict[str, set[str]]] = {}
        self.page = 10_000
        self.refusal: dict[str, Any] | None = None
        super().__init__()

    @property
    def stream(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v2/iex"

    def is_streaming(self, kind: str = "trades", symbol: str = "AAPL") -> bool:
        return any(
            symbol in self.subscribed.get(socket, {}).get(kind, set())
            for _, socket in list(self.sockets)
            if not socket.closed
        )

    def trade(
        self, number: int, at_ns: int, price: float = 189.1, *, is_lost: bool = False, is_old: bool = False
    ) -> None:
        """A trade happens; lost: the stream does not show it; old: the history has it already."""
        found = {"t": to_text(at_ns), "x": "V", "p": price, "s": 100, "c": ["@"], "i": number, "z": "C"}
        if not is_old:
            self.trades.append(found)
        if not is_lost:
            self.show("trades", {"T": "t", "S": "AAPL"} | found)

    def show(self, kind: str, message: dict[str, Any]) -> None:
        data = packed(message)
        self.say(data, lambda socket: message["S"] in self.subscribed.get(socket, {}).get(kind, set()))

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/v2/stocks/trades", self._trades),
            web.get("/v2/stocks/bars", self._bars),
            web.get("/v2/stocks/trades/latest", self._latest_trade),
            web.get("/v2/stocks/quotes/latest", self._latest_quote),
            web.get("/v2/iex", self._socket),
        ]

    def _paged(self, request: web.Request, name: str, rows: list[dict[str, Any]]) -> web.Response:
        asked = request.query
        start, end = (from_text(side, asked[side]) for side in ("start", "end"))
        found = [row for row in rows if start <= from_text("t", row["t"]) <= end]
        first = int(asked.get("page_token", 0))
        page = found[first : first + min(int(asked.get("limit", self.page)), self.page)]
        after = first + len(page)
        token = str(after) if after < len(found) else None
        return web.json_response({name: {asked["symbols"]: page}, "next_page_token": token})

    async def _trades(self, request: web.Request) -> web.Response:
        return self._paged(request, "trades", self.trades)

    async def _bars(self, request: web.Request) -> web.Response:
        return self._paged(request, "bars", self.bars)

    async def _latest_trade(self, request: web.Request) -> web.Response:
        found = {"AAPL": self.trades[-1]} if request.query["symbols"] == "AAPL" else {}
        return web.json_response({"trades": found})

    async def _latest_quote(self, request: web.Request) -> web.Response:
        return web.json_response({"quotes": {"AAPL": self.quote}})

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = await self.accept(request)
        mine = self.subscribed.setdefault(socket, {})
        await socket.send_bytes(packed({"T": "success", "msg": "connected"}))
        async for message in socket:
            asked = msgpack.unpackb(message.data)
            if asked["action"] == "auth":
                is_right = (asked["key"], asked["secret"]) == (KEY, SECRET) and self.refusal is None
                refusal = self.refusal or {"T": "error", "code": 402, "msg": "auth failed"}
                await socket.send_bytes(packed({"T": "success", "msg": "authenticated"} if is_right else refusal))
                continue
            for kind, symbols in asked.items():
                if kind != "action":
                    held = mine.setdefault(kind, set())
                    (held.update if asked["action"] == "subscribe" else held.difference_update)(symbols)
            said = {kind: sorted(symbols) for kind, symbols in mine.items()}
            await socket.send_bytes(packed({"T": "subscription"} | said))
        return socket
