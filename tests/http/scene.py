"""The requests behind the examples of the document: made in this order on an empty book under a clock that stands.

Run it to write them anew: ``python tests/http/scene.py``.
"""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

CLOCK = "2024-06-03T12:00:00Z"
FILL = {
    "instrument": "BTC/USDT", "side": "buy", "quantity": "0.5", "price": "60000", "fee": "12.3", "venue": "binance",
    "venue_fill_id": "8841", "client_order_id": "o-1", "signal_id": "s-1", "occurred_at": "2024-06-03T09:30:00Z",
}  # fmt: skip
ORDER = {"instrument": "BTC/USDT", "side": "buy", "quantity": "0.1", "client_order_id": "o-2"}
FUNDING = {"instrument": "BTC/USDT:USDT", "amount": "-1.2", "funding_id": "p-1", "occurred_at": "2024-06-03T08:00:00Z"}
SPLIT = {"instrument": "AAPL", "kind": "split", "numerator": 4, "denominator": 1, "effective_on": "2024-06-03"}

REQUESTS: tuple[tuple[str, str, str, str, Any], ...] = (
    ("record_settings", "settings", "POST", "/v1/settings", {"base_currency": "USD", "zone": "America/New_York"}),
    ("record_account", "account", "POST", "/v1/accounts", {"name": "main", "venue": "binance"}),
    (
        "record_instrument", "instrument", "POST", "/v1/instruments",
        {"symbol": "BTC/USDT", "tick_size": "0.1", "lot_size": "0.001"},
    ),
    (
        "record_rate", "rate", "POST", "/v1/rates",
        {"base": "USDT", "quote": "USD", "price": "1.0002", "occurred_at": "2024-06-03T00:00:00Z", "source": "desk"},
    ),
    (
        "record_opening_balance", "cash", "POST", "/v1/opening-balances",
        {"balance_id": "b-1", "currency": "USDT", "amount": "100000", "occurred_at": "2024-06-01T00:00:00Z"},
    ),
    (
        "record_transfer", "deposit", "POST", "/v1/transfers",
        {"transfer_id": "t-1", "asset": "USDT", "amount": "500", "to_account": "main",
         "occurred_at": "2024-06-02T00:00:00Z"},
    ),
    (
        "record_signal", "signal", "POST", "/v1/signals",
        {"signal_id": "s-1", "instrument": "BTC/USDT", "action": "buy", "price": "60000",
         "occurred_at": "2024-06-03T09:29:00Z"},
    ),
    (
        "record_order", "order", "POST", "/v1/orders",
        {"instrument": "BTC/USDT", "side": "buy", "quantity": "0.5", "client_order_id": "o-1",
         "occurred_at": "2024-06-03T09:29:30Z"},
    ),
    (
        "record_order_update", "accepted", "POST", "/v1/order-updates",
        {"client_order_id": "o-1", "status": "new", "occurred_at": "2024-06-03T09:29:31Z"},
    ),
    ("record_fill", "a fill", "POST", "/v1/fills", FILL),
    ("record_fill", "the same again", "POST", "/v1/fills", FILL),
    ("record_fill", "other content", "POST", "/v1/fills", FILL | {"quantity": "0.6"}),
    (
        "record_fill", "several", "POST", "/v1/fills",
        [{"instrument": "ETH/USDT", "side": "buy", "quantity": "2", "price": "3000", "client_fill_id": "e-1",
          "strategy": "trend", "occurred_at": "2024-06-03T09:31:00Z"},
         {"instrument": "ETH/USDT", "side": "sell", "quantity": "1", "price": "3100.5", "client_fill_id": "e-2",
          "strategy": "trend", "occurred_at": "2024-06-03T09:40:00Z"},
         {"instrument": "ETH/USDT", "side": "sell", "quantity": "-1", "price": "3100.5"}],
    ),
    (
        "record_signal", "another", "POST", "/v1/signals",
        {"signal_id": "s-2", "instrument": "ETH/USDT", "action": "sell", "occurred_at": "2024-06-03T09:35:00Z"},
    ),
    ("record_signal_update", "expired", "POST", "/v1/signal-updates", {"signal_id": "s-2", "status": "EXPIRED"}),
    (
        "record_cash_movement", "a fee", "POST", "/v1/cash-movements",
        {"movement_id": "m-1", "currency": "USDT", "amount": "-3", "kind": "fee",
         "occurred_at": "2024-06-03T10:00:00Z"},
    ),
    ("record_funding", "paid", "POST", "/v1/funding", FUNDING),
    ("record_corporate_action", "a split", "POST", "/v1/corporate-actions", SPLIT),
    (
        "record_reassign", "to trend", "POST", "/v1/reassign",
        {"instrument": "BTC/USDT", "quantity": "0.1", "from_strategy": "", "to_strategy": "trend", "reassign_id": "r-1",
         "occurred_at": "2024-06-03T10:30:00Z"},
    ),
    (
        "record_settlement", "an expiry", "POST", "/v1/settlements",
        {"instrument": "BTC/USDT:USDT-240603", "price": "60100", "settlement_id": "x-1",
         "occurred_at": "2024-06-03T11:00:00Z"},
    ),
    (
        "record_limits", "limits", "POST", "/v1/limits",
        {"strategy": "trend", "max_position": "10", "max_daily_loss": "500"},
    ),
    ("mark", "a price", "POST", "/v1/marks", {"instrument": "BTC/USDT", "price": "61000", "source": "desk"}),
    ("mark", "several", "POST", "/v1/marks", [{"instrument": "ETH/USDT", "price": 3120.5}]),
    (
        "correct_fill", "a price", "POST", "/v1/fills/correct",
        {"which": "client|main|e-2", "reason": "typo", "changes": {"price": "3101.5"}},
    ),
    ("bust_fill", "taken back", "POST", "/v1/fills/bust", {"which": "client|main|e-2", "reason": "the venue says so"}),
    ("annotate_round_trip", "a note", "PATCH", "/v1/round-trips/10", {"notes": "as planned", "tags": ["plan"]}),
    ("list_breaks", "open", "GET", "/v1/breaks?state=open", None),
    ("resolve_break", "settled", "POST", "/v1/breaks/break-11/resolve", {"reason": "the first one is right"}),
    ("beat", "alive", "POST", "/v1/heartbeats", {"strategy": "trend", "every_seconds": 30}),
    ("trading_may", "a buy", "POST", "/v1/trading/may", ORDER),
    ("trading_place", "a buy", "POST", "/v1/trading/place", ORDER),
    ("trading_halt", "halt", "POST", "/v1/trading/halt", {"reason": "storm"}),
    ("trading_reduce", "reduce", "POST", "/v1/trading/reduce", {"reason": "calmer"}),
    ("trading_flatten", "one", "POST", "/v1/trading/flatten", {"reason": "storm", "instrument": "ETH/USDT"}),
    ("trading_resume", "resume", "POST", "/v1/trading/resume", {"reason": "calm"}),
    ("put_state", "a new value", "PUT", "/v1/state/bots.trend.level", {"value": {"level": 61000.5}, "source": "desk"}),
    ("get_state", "a value", "GET", "/v1/state/bots.trend.level", None),
    ("get_state_snapshot", "everything", "GET", "/v1/state", None),
    ("list_positions", "open", "GET", "/v1/positions", None),
    ("get_positions_of", "BTC/USDT", "GET", "/v1/positions/BTC/USDT", None),
    ("get_lots_of", "fifo", "GET", "/v1/lots/BTC/USDT?method=fifo", None),
    ("get_explain_of", "realized", "GET", "/v1/explain/BTC/USDT", None),
    ("list_fills", "one page", "GET", "/v1/fills?limit=1", None),
    ("list_orders", "open", "GET", "/v1/orders?is_open=true", None),
    ("list_order_updates", "all", "GET", "/v1/order-updates", None),
    ("list_signals", "all", "GET", "/v1/signals", None),
    ("list_signal_updates", "all", "GET", "/v1/signal-updates", None),
    ("list_transfers", "all", "GET", "/v1/transfers", None),
    ("list_cash_movements", "all", "GET", "/v1/cash-movements", None),
    ("list_funding", "all", "GET", "/v1/funding", None),
    ("list_corporate_actions", "all", "GET", "/v1/corporate-actions", None),
    ("list_opening_balances", "all", "GET", "/v1/opening-balances", None),
    ("list_settlements", "all", "GET", "/v1/settlements", None),
    ("list_reassign", "all", "GET", "/v1/reassign", None),
    ("list_rates", "all", "GET", "/v1/rates", None),
    ("list_instruments", "all", "GET", "/v1/instruments", None),
    ("list_accounts", "all", "GET", "/v1/accounts", None),
    ("list_settings", "all", "GET", "/v1/settings", None),
    ("list_limits", "all", "GET", "/v1/limits", None),
    ("list_round_trips", "all", "GET", "/v1/round-trips", None),
    ("list_journal", "a day", "GET", "/v1/journal?day=2024-06-03", None),
    ("list_balances", "all", "GET", "/v1/balances", None),
    ("list_pnl", "all", "GET", "/v1/pnl", None),
    ("list_pnl_daily", "in USD", "GET", "/v1/pnl/daily?currency=USD", None),
    ("list_statistics", "in USD", "GET", "/v1/statistics?currency=USD", None),
    ("get_equity", "in the base currency", "GET", "/v1/equity", None),
    (
        "list_equity_curve", "by the hour", "GET",
        "/v1/equity/curve?since=2024-06-03T09:00:00Z&until=2024-06-03T12:00:00Z&every=3600&limit=2", None,
    ),
    ("list_marks", "all", "GET", "/v1/marks", None),
    (
        "get_marks_history", "by the hour", "GET",
        "/v1/marks/history?instrument=ETH/USDT&since=2024-06-03T00:00:00Z&until=2024-06-04T00:00:00Z&every=1h", None,
    ),
    ("list_protections", "active", "GET", "/v1/protections", None),
    ("list_subscribers", "all", "GET", "/v1/subscribers", None),
    ("list_events_history", "of fills", "GET", "/v1/events/history?types=trade_*&limit=1", None),
    ("get_status", "now", "GET", "/v1/status", None),
    ("get_verify", "sound", "GET", "/v1/verify", None),
)  # fmt: skip
"""Operation, name of the example, method, address, body."""

VOLATILE = frozenset({"head_hash", "url", "last_backup_at"})
"""What is another one in each book or release, and stands in the examples as it was once."""


def played(client: Any) -> Iterator[dict[str, Any]]:
    """Make the requests, and yield each with its answer as the document shows it."""
    for operation, name, method, path, body in REQUESTS:
        answer = client.request(method, path, json=body) if body is not None else client.request(method, path)
        yield {
            "operation": operation, "name": name, "method": method, "path": path, "body": body,
            "status": answer.status_code, "response": answer.json(),
        }  # fmt: skip


def kept() -> list[dict[str, Any]]:
    """Return the examples as the document has them."""
    found: list[dict[str, Any]] = json.loads(files("onebook.http").joinpath("examples.json").read_text("utf-8"))
    return found


def steady(value: Any) -> Any:
    """Return an answer without what is another one each time."""
    if isinstance(value, dict):
        return {name: steady(item) for name, item in value.items() if name not in VOLATILE}
    return [steady(item) for item in value] if isinstance(value, list) else value


def main() -> None:
    """Write the examples."""
    import asyncio
    from pathlib import Path

    import httpx

    import onebook
    from onebook.config import config_for
    from onebook.http.service import build, make_service
    from onebook.testing import FakeClock

    book = onebook.open(":memory:", clock=FakeClock(CLOCK))
    app = build(make_service(book, config_for({})), log=False)

    class Plain:
        """The little of a client that the scene needs, without a socket."""

        def request(self, method: str, path: str, **given: Any) -> httpx.Response:
            async def ask() -> httpx.Response:
                transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
                async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8321") as client:
                    return await client.request(method, path, **given)

            return asyncio.run(ask())

    found = list(played(Plain()))
    for item in found:
        if item["status"] >= 400 and item["name"] != "other content":
            raise SystemExit(f"{item['name']}: {item['response']}")
    place = Path(__file__).parents[2] / "src/onebook/http/examples.json"
    place.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    book.close()


if __name__ == "__main__":
    main()
