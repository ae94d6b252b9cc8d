"""A venue on loopback that speaks as much of OKX's version 5 as ccxt needs to trade spot: REST and the private stream.

It runs in a thread of its own. Tests fill and cancel orders by calling it; what the stream says and what REST says of
one execution is told from one place, so that both are the same execution, as at the venue.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Self

from aiohttp import WSMsgType, web

START_MS = 1_717_416_000_000
MARKETS = [
    {"instId": "BTC-USDT", "instType": "SPOT", "baseCcy": "BTC", "quoteCcy": "USDT", "lotSz": "0.00000001",
     "minSz": "0.00001", "tickSz": "0.1", "state": "live", "ctVal": "", "settleCcy": "", "expTime": "", "uly": "",
     "instFamily": "", "lever": "10", "optType": "", "stk": "", "ctMult": "", "ctType": "", "listTime": "1548133413000",
     "maxLmtAmt": "20000000", "maxMktAmt": "1000000", "maxLmtSz": "9999999999", "maxMktSz": "1000000"},
]  # fmt: skip


class Venue:
    """The venue; ``with Venue() as venue``.

    ``refuses`` is the code with which it refuses orders, ``drops`` makes it take an order and break the connection,
    ``before_answer`` is called with an order that was taken and not yet answered.
    """

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.fills: list[dict[str, Any]] = []
        self.refuses = ""
        self.drops = False
        self.before_answer: Callable[[dict[str, Any]], object] | None = None
        self.tells_client_ids = True
        self.bills: list[dict[str, Any]] = []
        self.positions: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self.listened = threading.Event()
        self._time = START_MS
        self._sockets: list[web.WebSocketResponse] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="venue", daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def settings(self) -> dict[str, Any]:
        """What a ccxt okx needs to talk to it."""
        return {
            "apiKey": "key",
            "secret": "secret",
            "password": "word",
            "enableRateLimit": False,
            "urls": {
                "api": {"rest": f"http://127.0.0.1:{self.port}", "ws": f"ws://127.0.0.1:{self.port}/ws/v5"},
            },
            "options": {"fetchMarkets": {"types": ["spot"]}, "defaultType": "spot"},
            "has": {"fetchCurrencies": False},
        }

    # ---- what happens at the venue ----

    def fill(self, order_id: str, quantity: str, price: str, fee: str = "") -> dict[str, Any]:
        """Fill a part of an order, and tell the stream; ``fee`` in USDT, charged when positive."""
        order = self.orders[order_id]
        done, value = Decimal(order["accFillSz"]), Decimal(order["accFillSz"]) * Decimal(order["avgPx"] or 0)
        fee = fee or str(Decimal(quantity) * Decimal(price) / 1000)
        done, value = done + Decimal(quantity), value + Decimal(quantity) * Decimal(price)
        complete = done >= Decimal(order["sz"])
        now = self._tick()
        execution = {
            "instType": "SPOT", "instId": order["instId"], "tradeId": str(9000 + len(self.fills)), "ordId": order_id,
            "clOrdId": order["clOrdId"], "billId": str(70000 + len(self.fills)), "fillPx": price, "fillSz": quantity,
            "side": order["side"], "execType": "M", "feeCcy": "USDT", "fee": f"-{fee}", "ts": str(now),
            "fillTime": str(now), "posSide": "net",
        }  # fmt: skip
        self.fills.append(execution)
        order |= {
            "accFillSz": str(done), "avgPx": str(value / done), "state": "filled" if complete else "partially_filled",
            "uTime": str(now), "fillPx": price, "fillSz": quantity, "fillTime": str(now), "feeCcy": "USDT",
            "fee": str(Decimal(order["fee"]) - Decimal(fee)), "fillFee": f"-{fee}", "fillFeeCcy": "USDT",
            "tradeId": execution["tradeId"], "execType": "M",
        }  # fmt: skip
        self._push(order)
        return execution

    def cancel(self, order_id: str) -> None:
        """End an order."""
        self.orders[order_id] |= {"state": "canceled", "uTime": str(self._tick()), "tradeId": "", "fillSz": "0",
                                  "fillPx": "", "fillTime": "", "fillFee": "0"}  # fmt: skip
        self._push(self.orders[order_id])

    def order_id(self) -> str:
        """The newest order's id."""
        return next(reversed(self.orders))

    def _tick(self) -> int:
        self._time += 1000
        return self._time

    def _push(self, order: dict[str, Any]) -> None:
        message = {"arg": {"channel": "orders", "instType": "ANY"}, "data": [self._told(order)]}
        asyncio.run_coroutine_threadsafe(self._send(message), self._loop)

    def _told(self, order: dict[str, Any]) -> dict[str, Any]:
        return dict(order) if self.tells_client_ids else order | {"clOrdId": ""}

    async def _send(self, message: dict[str, Any]) -> None:
        for socket in [item for item in self._sockets if not item.closed]:
            await socket.send_json(message)

    # ---- the server ----

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()

    async def _start(self) -> None:
        app = web.Application()
        for path, answer in {
            "/api/v5/public/instruments": lambda _: MARKETS,
            "/api/v5/trade/order": self._one,
            "/api/v5/trade/orders-pending": self._pending,
            "/api/v5/trade/orders-history": self._history,
            "/api/v5/trade/fills-history": self._executions,
            "/api/v5/trade/fills": self._executions,
            "/api/v5/account/bills-archive": lambda _: self.bills,
            "/api/v5/account/bills": lambda _: self.bills,
            "/api/v5/account/positions": lambda _: self.positions,
        }.items():
            app.router.add_get(path, self._get(answer))
        app.router.add_post("/api/v5/trade/batch-orders", self._place)
        app.router.add_post("/api/v5/trade/cancel-order", self._cancel)
        app.router.add_post("/api/v5/trade/amend-order", self._amend)
        app.router.add_get("/ws/v5/private", self._stream)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        for socket in self._sockets:
            await socket.close()
        await self._runner.cleanup()

    def _get(self, answer: Callable[[web.Request], Any]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            return web.json_response({"code": "0", "msg": "", "data": answer(request)})

        return handle

    def _one(self, request: web.Request) -> list[dict[str, Any]]:
        return [self._told(self.orders[request.query["ordId"]])]

    def _pending(self, _request: web.Request) -> list[dict[str, Any]]:
        return [self._told(item) for item in self.orders.values() if item["state"] in {"live", "partially_filled"}]

    def _history(self, _request: web.Request) -> list[dict[str, Any]]:
        return [self._told(item) for item in self.orders.values() if item["state"] in {"canceled", "filled"}]

    def _executions(self, request: web.Request) -> list[dict[str, Any]]:
        wanted = request.query.get("ordId")
        return [item for item in self.fills if wanted in {None, item["ordId"]}]

    async def _place(self, request: web.Request) -> web.Response:
        answers = []
        asked: list[dict[str, Any]] = await request.json()
        for wish in asked:
            self.sent.append(wish)
            if self.refuses:
                refused = {"clOrdId": "", "ordId": "", "sCode": self.refuses, "sMsg": "Insufficient balance"}
                return web.json_response({"code": "1", "msg": "All operations failed", "data": [refused]})
            order_id, now = str(500_000 + len(self.orders)), str(self._tick())
            order = {
                "instType": "SPOT", "instId": wish["instId"], "ordId": order_id, "clOrdId": wish.get("clOrdId", ""),
                "px": wish.get("px", ""), "sz": wish["sz"], "ordType": wish["ordType"], "side": wish["side"],
                "accFillSz": "0", "avgPx": "", "state": "live", "cTime": now, "uTime": now, "fee": "0",
                "feeCcy": "USDT", "fillPx": "", "fillSz": "0", "fillTime": "", "tradeId": "", "posSide": "net",
                "category": "normal", "tdMode": "cash", "tgtCcy": "", "reduceOnly": "false", "rebate": "0",
                "rebateCcy": "USDT", "pnl": "0", "fillFee": "0", "fillFeeCcy": "", "execType": "",
            }  # fmt: skip
            self.orders[order_id] = order
            self._push(order)
            if self.before_answer is not None:
                await asyncio.get_running_loop().run_in_executor(None, self.before_answer, order)
            if self.drops:
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            answers.append({"clOrdId": order["clOrdId"], "ordId": order_id, "tag": "", "sCode": "0", "sMsg": ""})
        return web.json_response({"code": "0", "msg": "", "data": answers})

    async def _cancel(self, request: web.Request) -> web.Response:
        order_id = (await request.json())["ordId"]
        self.cancel(order_id)
        done = {"clOrdId": "", "ordId": order_id, "sCode": "0", "sMsg": ""}
        return web.json_response({"code": "0", "msg": "", "data": [done]})

    async def _amend(self, request: web.Request) -> web.Response:
        wish = await request.json()
        order = self.orders[wish["ordId"]]
        order |= {"sz": wish.get("newSz", order["sz"]), "px": wish.get("newPx", order["px"]),
                  "uTime": str(self._tick())}  # fmt: skip
        done = {"clOrdId": "", "ordId": wish["ordId"], "sCode": "0", "sMsg": "", "reqId": ""}
        return web.json_response({"code": "0", "msg": "", "data": [done]})

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type != WSMsgType.TEXT or message.data == "ping":
                await socket.send_str("pong")
                continue
            asked = message.json()
            if asked["op"] == "login":
                await socket.send_json({"event": "login", "code": "0", "msg": ""})
            else:
                for arg in asked["args"]:
                    await socket.send_json({"event": asked["op"], "arg": arg, "connId": "a4d3ae55"})
                self._sockets.append(socket)
                self.listened.set()
        return socket
