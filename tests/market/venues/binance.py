"""Binance spot as far as prices go: REST and combined streams as its documents say, fed by a test."""

import gzip
import json
from pathlib import Path
from typing import Any

from aiohttp import web
from tests.market.venues.serving import Venue

RECORDED = "binance_btcusdt_spot_20240808.gz"
HOUR_MS = 3_600_000
FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
]


def recorded(market: Path, count: int) -> list[dict[str, Any]]:
    """The first messages of trades and best quotes that were recorded."""
    found = []
    with gzip.open(market / RECORDED, "rt") as lines:
        for line in lines:
            message = json.loads(line.split(" ", 1)[1])
            if message.get("stream", "").endswith(("@trade", "@bookTicker")):
                found.append(message["data"])
            if len(found) == count:
                break
    return found


def market(base: str, quote: str = "USDT") -> dict[str, Any]:
    return {
        "symbol": base + quote,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": FILTERS,
        "permissions": ["SPOT"],
    }


class Binance(Venue):
    """The venue. What ``trade`` shows is in its history too, whether a stream was there or not."""

    def __init__(self) -> None:
        self.trades: list[dict[str, Any]] = []
        self.klines: list[list[Any]] = []
        self.book = dict(
            zip(("bidPrice", "bidQty", "askPrice", "askQty"), ("61837.63", "1.5", "61837.64", "2"), strict=True)
        )
        self.last = {"lastPrice": "61837.63000000", "closeTime": 1723161255342}
        self.subscribed: dict[web.WebSocketResponse, set[str]] = {}
        super().__init__()

    @property
    def options(self) -> dict[str, Any]:
        """For ccxt's constructor: spot only, and no waits of its own."""
        return {"options": {"fetchMarkets": {"types": ["spot"]}}, "enableRateLimit": False, "timeout": 1000}

    @property
    def stream(self) -> str:
        return f"ws://127.0.0.1:{self.port}/stream"

    def is_streaming(self, *streams: str) -> bool:
        wanted = set(streams or {"btcusdt@aggTrade"})
        live = [self.subscribed.get(socket, set()) for _, socket in list(self.sockets) if not socket.closed]
        return wanted <= set().union(*live)

    def trade(self, number: int, at_ms: int, *, base: str = "BTC", is_lost: bool = False) -> None:
        """A trade happens; lost: the stream does not show it."""
        found = {
            "a": number,
            "p": "61837.63",
            "q": "0.02000000",
            "f": number,
            "l": number,
            "T": at_ms,
            "m": True,
            "M": True,
        }
        self.trades.append(found | {"s": f"{base}USDT"})
        if not is_lost:
            self.show("aggTrade", {"e": "aggTrade", "E": at_ms, "s": f"{base}USDT"} | found)

    def show(self, kind: str, data: dict[str, Any]) -> None:
        name = f"{data['s'].lower()}@{kind}"
        self.say(json.dumps(data), lambda socket: name in self.subscribed.get(socket, set()))

    def replay(self, message: dict[str, Any]) -> None:
        """Show what was recorded; a trade as the aggregate of itself."""
        if message.get("e") != "trade":
            self.show("bookTicker", message)
            return
        found = {name: message[name] for name in ("p", "q", "T", "m", "M")}
        found |= {"a": message["t"], "f": message["t"], "l": message["t"]}
        self.trades.append(found | {"s": message["s"]})
        self.show("aggTrade", {"e": "aggTrade", "E": message["E"], "s": message["s"]} | found)

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/api/v3/exchangeInfo", self._info),
            web.get("/api/v3/aggTrades", self._agg_trades),
            web.get("/api/v3/klines", self._klines),
            web.get("/api/v3/ticker/24hr", self._ticker),
            web.get("/api/v3/ticker/bookTicker", self._best),
            web.get("/stream/ws/{number}", self._socket),
        ]

    async def _info(self, request: web.Request) -> web.Response:
        symbols = [market("BTC"), market("ETH"), market("SOL")]
        return web.json_response({"timezone": "UTC", "serverTime": 1, "rateLimits": [], "symbols": symbols})

    async def _agg_trades(self, request: web.Request) -> web.Response:
        asked = request.query
        limit = int(asked.get("limit", 500))
        found = [item for item in self.trades if item["s"] == asked["symbol"]]
        if "fromId" in asked:
            found = [item for item in found if item["a"] >= int(asked["fromId"])]
        if "startTime" in asked:
            start, end = int(asked["startTime"]), int(asked.get("endTime", 2**62))
            found = [item for item in found if start <= item["T"] <= end]
        return web.json_response([{k: v for k, v in item.items() if k != "s"} for item in found[:limit]])

    async def _klines(self, request: web.Request) -> web.Response:
        asked = request.query
        found = [row for row in self.klines if row[0] >= int(asked.get("startTime", 0))]
        return web.json_response(found[: min(int(asked.get("limit", 500)), 1000)])

    async def _ticker(self, request: web.Request) -> web.Response:
        return web.json_response({"symbol": "BTCUSDT", "volume": "1", "quoteVolume": "1"} | self.book | self.last)

    async def _best(self, request: web.Request) -> web.Response:
        return web.json_response([{"symbol": "BTCUSDT"} | self.book])

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = await self.accept(request)
        mine = self.subscribed.setdefault(socket, set())
        async for message in socket:
            asked = json.loads(message.data)
            if asked["method"] == "SUBSCRIBE":
                mine.update(asked["params"])
            else:
                mine.difference_update(asked["params"])
            await socket.send_json({"result": None, "id": asked["id"]})
        return socket
