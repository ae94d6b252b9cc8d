"""The requests behind the examples of the document: made in this order on an empty book under a clock that stands.

Run it to write them anew: ``python -m tests.http.scene``.
"""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from time import sleep
from typing import Any

from onebook import Book, Hook, Token
from onebook.http.secrets import digest_of

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
    ("list_events_history", "of fills", "GET", "/v1/events/history?types=trade_*&limit=1", None),
    ("get_status", "now", "GET", "/v1/status", None),
    ("get_verify", "sound", "GET", "/v1/verify", None),
)  # fmt: skip
"""Operation, name of the example, method, address, body."""

HOOK_SECRET, TOKEN_SECRET = "obh_example", "obt_example"
ALERT = {"id": "a-1", "instrument": "BTC/USDT", "action": "buy", "price": "61000", "time": "2024-06-03T11:59:00Z"}
OF_THE_SERVICE: tuple[tuple[str, str, str, str, Any], ...] = (
    ("trading_protect", "a stop and a target", "POST", "/v1/trading/protect",
     {"instrument": "BTC/USDT", "stop_loss": "58000", "take_profit": "66000"}),
    ("trading_protect", "a nearer stop", "POST", "/v1/trading/protect",
     {"instrument": "BTC/USDT", "stop_loss": "59500", "take_profit": "66000"}),
    ("list_protections_history", "all", "GET", "/v1/protections/history?instrument=BTC/USDT", None),
    ("trading_unprotect", "no more", "POST", "/v1/trading/unprotect", {"instrument": "BTC/USDT", "reason": "by hand"}),
    ("record_order_update", "at the venue", "POST", "/v1/order-updates", {"client_order_id": "o-2", "status": "new"}),
    ("trading_replace", "less of it", "POST", "/v1/trading/replace", {"client_order_id": "o-2", "quantity": "0.05"}),
    ("trading_cancel", "no longer", "POST", "/v1/trading/cancel", {"client_order_id": "o-2", "reason": "by hand"}),
    ("list_orders", "one", "GET", "/v1/orders?client_order_id=o-2", None),
    ("get_trading", "of a strategy", "GET", "/v1/trading?strategy=trend", None),
    ("take_alert", "a signal", "POST", f"/v1/hooks/desk/{HOOK_SECRET}", ALERT),
    ("take_alert", "the same again", "POST", f"/v1/hooks/desk/{HOOK_SECRET}", ALERT),
    ("follow_events", "from a place on", "GET", "/v1/events?after=9&types=trade_executed", None),
    ("get_live", "live", "GET", "/health/live", None),
    ("get_ready", "ready", "GET", "/health/ready", None),
    ("get_health", "now", "GET", "/health", None),
    ("get_metrics", "an extract", "GET", "/metrics", None),
)  # fmt: skip
OF_SUBSCRIBERS: tuple[tuple[str, str, str, str, Any], ...] = (
    ("list_subscribers", "all", "GET", "/v1/subscribers", None),
    ("list_dead_letters", "one page", "GET", "/v1/subscribers/dead-letters?subscriber=audit&limit=1", None),
    ("retry_subscriber", "one of them", "POST", "/v1/subscribers/retry", {"name": "audit", "event_id": "10.1"}),
    ("drop_subscriber", "all of them", "POST", "/v1/subscribers/drop", {"name": "audit"}),
    ("reset_subscriber", "once more", "POST", "/v1/subscribers/reset", {"name": "audit", "to": "beginning"}),
    ("skip_subscriber", "the one that fails", "POST", "/v1/subscribers/skip", {"name": "prices"}),
    ("remove_subscriber", "for good", "POST", "/v1/subscribers/remove", {"name": "prices"}),
)
OF_SESSIONS: tuple[tuple[str, str, str, str, Any], ...] = (
    ("get_session", "from this machine", "GET", "/v1/session", None),
    ("login", "with a token", "POST", "/login", {"token": TOKEN_SECRET}),
    ("logout", "out", "POST", "/logout", None),
)
"""What needs a hook, what tells of the service, what needs subscribers, and what needs a token."""

EXTRACT = ("onebook_facts_total", "onebook_log_entries_total", "onebook_positions_open", "onebook_trading_state")

VOLATILE = frozenset({"head_hash", "url", "last_backup_at"})
"""What is another one in each book or release, and stands in the examples as it was once."""

TIMED = frozenset({"at", "updated_at", "last_error_at", "mean_seconds", "rate"})
"""The same, of subscribers and dead letters: they go by the machine's clock."""


def played(client: Any, book: Book) -> Iterator[dict[str, Any]]:
    """Make the requests, and yield each with its answer as the document shows it.

    Args:
        client: of a service of the book.
        book: empty; it gets a hook, subscribers and a token before they are needed.
    """
    yield from (_asked(client, *item) for item in REQUESTS)
    book.record(Hook(name="desk", kind="custom", strategy="trend", digest=digest_of(HOOK_SECRET)))
    yield from (_asked(client, *item) for item in OF_THE_SERVICE)
    _put_aside(book)
    yield from (_asked(client, *item) for item in OF_SUBSCRIBERS)
    book.record(Token(name="anna", role="operator", digest=digest_of(TOKEN_SECRET)))
    yield from (_asked(client, *item) for item in OF_SESSIONS)


def _put_aside(book: Book) -> None:
    """Have two subscribers fail: one puts events aside, the other stands still."""

    def full(_: Any) -> None:
        raise OSError("the disk is full")

    given: dict[str, Any] = {"types": "trade_executed", "start": 9, "attempts": 1}
    audit = book.subscribe("audit", full, **given)
    prices = book.subscribe("prices", full, **given, on_failure="halt")
    for _ in range(2000):
        if audit.lag == 0 and prices.state == "halted":
            break
        sleep(0.01)
    audit.close()
    prices.close()


def _asked(client: Any, operation: str, name: str, method: str, path: str, body: Any) -> dict[str, Any]:
    with client.stream(method, path, **({} if body is None else {"json": body})) as answer:
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if kind == "text/event-stream":
            said: Any = _first_event(answer.iter_text())
        else:
            answer.read()
            said = answer.json() if kind.endswith("json") else answer.text or None
    if path == "/metrics":
        lines = said.splitlines(keepends=True)
        said = "".join(
            line for line in lines if line.removeprefix("# HELP ").removeprefix("# TYPE ").startswith(EXTRACT)
        )
    return {
        "operation": operation, "name": name, "method": method, "path": path, "body": body,
        "status": answer.status_code, "response": said,
    }  # fmt: skip


def _first_event(texts: Iterator[str]) -> str:
    """Return what a stream sends up to the end of its first event."""
    said = ""
    for text in texts:
        said += text
        before, data, after = said.partition("data: ")
        event, end, _ = after.partition("\n\n")
        if end:
            return before + data + event + end
    return said


def kept() -> list[dict[str, Any]]:
    """Return the examples as the document has them."""
    found: list[dict[str, Any]] = json.loads(files("onebook.http").joinpath("examples.json").read_text("utf-8"))
    return found


def steady(value: Any) -> Any:
    """Return an answer without what is another one each time."""
    if isinstance(value, dict):
        left_out = VOLATILE | (TIMED if {"dead_letters", "retrying"} & value.keys() else frozenset())
        return {name: steady(item) for name, item in value.items() if name not in left_out}
    return [steady(item) for item in value] if isinstance(value, list) else value


def main() -> None:
    """Write the examples."""
    import threading
    from pathlib import Path

    import httpx

    import onebook
    from onebook.config import config_for
    from onebook.http.service import make_service
    from onebook.http.serving import Serving
    from onebook.testing import FakeClock

    with onebook.open(":memory:", clock=FakeClock(CLOCK)) as book:
        serving = Serving(make_service(book, config_for({})), "127.0.0.1", 0, log=False)
        thread = threading.Thread(target=serving.run, daemon=True)
        thread.start()
        serving.started.wait(20)
        with httpx.Client(base_url=serving.url, timeout=30, trust_env=False) as client:
            found = list(played(client, book))
        serving.stop()
        thread.join(20)
    for item in found:
        if item["status"] >= 400 and item["name"] != "other content":
            raise SystemExit(f"{item['name']}: {item['response']}")
    place = Path(__file__).parents[2] / "src/onebook/http/examples.json"
    text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    text = re.sub(r'"20(2[5-9]|[3-9]\d)-[^"]+Z"', f'"{CLOCK}"', text)  # by the machine's clock: the same each time
    place.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
