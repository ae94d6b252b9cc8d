"""A history with every kind of fact and everything that can be done to one, the same on every run.

``python -m tests.releases.scenario`` writes the log and the answers of this release beside this file, once: what a
release wrote must decode and fold for ever, so a file that is there is never written again.
"""

import json
import tempfile
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import onebook
from onebook import (
    Account,
    BookSettings,
    CashMovement,
    CorporateAction,
    Fill,
    FundingPayment,
    Hook,
    Instrument,
    Limits,
    OpeningBalance,
    Order,
    OrderUpdate,
    Rate,
    Reassign,
    Settlement,
    Signal,
    SignalUpdate,
    Token,
    Transfer,
)
from onebook.store.port import Batch
from onebook.store.sqlite.store import SqliteStore
from onebook.testing.clock import FakeClock

HERE = Path(__file__).parent
DAY = "2024-06-03T"


def at(minute: int) -> str:
    """Return a moment of the scenario's day."""
    return f"{DAY}{10 + minute // 60:02d}:{minute % 60:02d}:00Z"


def fill(number: int, side: str, quantity: str, price: str, **more: Any) -> Fill:
    """Return a fill with an id of its own, at its own minute."""
    given: dict[str, Any] = {"instrument": "BTC/USDT", "venue": "v", "venue_fill_id": str(number)}
    given["occurred_at"] = at(number)
    return Fill(side=side, quantity=quantity, price=price, **(given | more))


FACTS: tuple[Any, ...] = (
    BookSettings(base_currency="EUR", zone="America/New_York", rolls_at="17:00"),
    Account(name="main", currency="USDT"),
    Account(name="hedge", currency="USDT", mode="hedging"),
    Account(name="try", currency="USDT", kind="paper"),
    Limits(strategy="grid", max_position=20, max_daily_loss=50, max_orders=9, per_seconds=60, instruments=["BTC/*"]),
    Instrument(symbol="BTC/USDT:USDT", contract_size="0.01"),
    Instrument(symbol="BTC/USD:BTC", kind="perpetual", base="BTC", quote="USD", settle="BTC", contract_size=100),
    Rate(base="EUR", quote="USDT", price="1.08", occurred_at=at(0), source="ecb"),
    OpeningBalance(balance_id="o1", currency="USDT", amount="100000", occurred_at=at(0)),
    OpeningBalance(balance_id="o2", instrument="ETH/USDT", quantity=2, price=None, occurred_at=at(0)),
    Signal(signal_id="s1", instrument="BTC/USDT", action="buy", price=60_000, stop_loss=59_000, occurred_at=at(1)),
    Signal(signal_id="s2", instrument="ETH/USDT", action="sell", occurred_at=at(1)),
    SignalUpdate(signal_id="s2", status="EXPIRED", reason="too late", occurred_at=at(9)),
    Order(client_order_id="c1", instrument="BTC/USDT", side="buy", quantity=1, signal_id="s1", occurred_at=at(2)),
    OrderUpdate(client_order_id="c1", status="new", venue_order_id="77", occurred_at=at(2)),
    fill(3, "buy", "0.4", "60000", fee="12", client_order_id="c1", signal_id="s1", strategy="trend"),
    fill(4, "buy", "0.6", "60010", fee="0.0006", fee_currency="BTC", client_order_id="c1", strategy="trend"),
    fill(5, "sell", "1.5", "60500", fee="0.1", fee_currency="BNB", strategy="trend", close_reason="take_profit"),
    Rate(base="BNB", quote="USDT", price="600", occurred_at=at(4), source="v"),
    fill(6, "buy", "10", "60000", instrument="BTC/USDT:USDT", strategy="trend"),
    fill(7, "sell", "4", "60100", instrument="BTC/USDT:USDT", strategy="grid"),
    FundingPayment(funding_id="f1", instrument="BTC/USDT:USDT", amount="-1.000000000000000007", occurred_at=at(8)),
    fill(9, "buy", "300", "60000", instrument="BTC/USD:BTC"),
    fill(10, "sell", "300", "61000", instrument="BTC/USD:BTC"),
    fill(11, "buy", "3", "200", instrument="AAPL", strategy="value"),
    CorporateAction(kind="split", instrument="AAPL", effective_on="2024-06-04", numerator=4, denominator=1),
    CorporateAction(kind="dividend", instrument="AAPL", effective_on="2024-06-05", amount="0.24", currency="USDT"),
    CashMovement(
        movement_id="m1", currency="USDT", amount="2.5", kind="dividend", instrument="AAPL",
        occurred_at="2024-06-07T14:00:00Z",
    ),
    CorporateAction(kind="symbol_change", instrument="AAPL", effective_on="2024-06-10", new_symbol="APPL"),
    fill(12, "buy", "2", "60000", instrument="BTC/USDT:USDT", account="hedge", leg="long"),
    fill(13, "sell", "3", "60000", instrument="BTC/USDT:USDT", account="hedge", leg="short"),
    fill(14, "sell", "5", "61000", instrument="BTC/USDT:USDT", account="hedge", leg="long"),
    fill(15, "buy", "1", "100", instrument="SOL/USDT", account="try"),
    Transfer(
        transfer_id="t1", asset="USDT", amount=500, from_account="main", to_account="hedge", fee=1,
        fee_currency="USDT", occurred_at=at(20), received_at=at(25),
    ),
    CashMovement(movement_id="m2", currency="USDT", amount="-3", kind="interest", occurred_at=at(21)),
    Reassign(
        reassign_id="r1", instrument="BTC/USDT:USDT", quantity=2, from_strategy="trend", to_strategy="grid",
        occurred_at=at(22),
    ),
    fill(23, "buy", "5", "12", instrument="GOLD/USDT:USDT-240604"),
    Settlement(settlement_id="x1", instrument="GOLD/USDT:USDT-240604", price=13, kind="expiry", occurred_at=at(24)),
)  # fmt: skip
"""In the order in which they arrive."""

ACCESS: tuple[Any, ...] = (
    Token(name="maria", role="operator", digest="ab" * 32, expires_at="2030-01-01T00:00:00Z"),
    Token(name="grid-bot", role="bot", strategy="grid", digest="cd" * 32, is_revoked=True),
    Hook(name="alerts", kind="custom", strategy="grid", account="try", digest="ef" * 32, mapping={"price": "close"}),
)
"""Kinds that 0.2.0 did not have; they end the scenario of every later release."""


def play(book: onebook.Book, clock: FakeClock) -> None:
    """Record everything, then what goes wrong with facts."""
    for fact in FACTS:
        clock.advance(1)
        book.record(fact)
    book.mark("EUR/USDT", "1.08")
    book.mark("BTC/USDT:USDT", "60000")
    clock.advance(86_400)
    book.record(fill(2, "buy", "0.1", "59000", venue_fill_id="late", occurred_at=at(2), strategy="trend"))
    book.record(fill(3, "buy", "0.5", "60000", fee="12", client_order_id="c1", signal_id="s1", strategy="trend"))
    sequences = {item.venue_fill_id: item.sequence for item in book.fills()}
    book.correct(sequences["5"], reason="the venue restated the price", price="60400")
    book.bust(sequences["7"], reason="the venue took it back")
    book.annotate(sequences["3"], notes="by the plan", tags=["plan", "a"])
    clock.advance(60)
    trade(book, clock)
    if onebook.__version__ != "0.2.0":
        for fact in ACCESS:
            book.record(fact)


def trade(book: onebook.Book, clock: FakeClock) -> None:
    """Ask the gate, set stops that move and are reached, lose a day's limit, halt and go on."""
    perp = "BTC/USDT:USDT"
    book.mark("EUR/USDT", "1.08")
    book.mark(perp, "60000")
    desk = book.trading
    desk.protect(perp, strategy="grid", trail_ratio="0.01", act="order")
    entry = Order(instrument=perp, side="buy", quantity=5, strategy="grid", client_order_id="g1", kind="limit",
                  limit_price=59_990)  # fmt: skip
    exits: dict[str, Any] = {"instrument": perp, "side": "sell", "quantity": 5, "strategy": "grid", "parent_id": "g1"}
    desk.place(
        entry,
        Order(**exits, group_id="g", client_order_id="g2", kind="limit", limit_price=61_000, reduce_only=True),
        Order(**exits, group_id="g", client_order_id="g3", kind="stop", stop_price=59_000, reduce_only=True),
    )
    desk.place(Order(instrument=perp, side="buy", quantity=50, strategy="grid", client_order_id="g4"))
    desk.place(Order(instrument="ETH/USDT", side="buy", quantity=1, strategy="grid", client_order_id="g5"))
    for name in ("g1", "g2", "g3"):
        book.record(OrderUpdate(client_order_id=name, status="new", venue_order_id=f"v-{name}"))
    clock.advance(1)
    book.record(fill(30, "buy", "5", "59990", instrument=perp, strategy="grid", client_order_id="g1",
                     occurred_at="2024-06-04T20:05:00Z"))  # fmt: skip
    desk.replace("g3", stop_price=59_500)
    book.record(OrderUpdate(client_order_id="g3", status="new", stop_price=59_500))
    for price in ("60200", "60500", "59000"):
        clock.advance(1)
        book.mark(perp, price)
    desk.check()
    desk.place(Order(instrument=perp, side="buy", quantity=1, strategy="grid", client_order_id="g6"))
    desk.resume("seen and understood", strategy="grid")
    desk.halt("enough")
    desk.flatten("enough", strategy="grid")
    desk.resume("go on")
    desk.protect("AAPL", strategy="value", stop_loss=10)
    desk.unprotect("AAPL", strategy="value")
    book.note("break_found", {"kind": "unbooked_fact", "account": "main", "key": "b"}, instrument="XRP/USDT")
    book.resolve_break(book.breaks(state="open")[-1].id, reason="booked by hand")


def told(value: Any) -> Any:
    """Return an answer as JSON can hold it, by field, so that later releases may add fields."""
    if is_dataclass(value):
        shown = {item.name: told(getattr(value, item.name)) for item in fields(value)}
        return shown | ({"side": value.side} if hasattr(value, "side") else {})
    if isinstance(value, list | tuple):
        return [told(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def answers(book: onebook.Book) -> dict[str, Any]:
    """Return what a book answers."""
    found = {
        "positions": book.positions(is_open=None),
        "fills": book.fills(),
        "round_trips": book.round_trips(),
        "orders": book.orders(),
        "signals": book.signals(),
        "transfers": book.transfers(),
        "balances": book.balances(),
        "daily_pnl": book.daily_pnl(),
        "equity": book.equity(),
        "lots": [book.lots("BTC/USDT", strategy="trend", method=name) for name in ("average", "fifo", "lifo", "hifo")],
        "events": [f"{event.id} {event.type} {event.version}" for event in book.events()],
    }
    return {name: told(value) for name, value in found.items()}


def log(book: onebook.Book) -> Iterable[str]:
    """Return the entries, a line each: sequence, hash, body."""
    for sequence, body, digest in book.entries(limit=10_000):
        yield f"{sequence} {bytes(digest).hex()} {body}"


def from_log(path: Path, target: str) -> onebook.Book:
    """Return a book that has only a log, byte for byte; all the rest is to be made anew from it."""
    lines = [line.split(" ", 2) for line in path.read_text().splitlines()]
    store = SqliteStore(target)
    store.begin()
    store.write(Batch(entries=[(int(sequence), body, bytes.fromhex(digest)) for sequence, digest, body in lines]))
    store.commit()
    store.close()
    return onebook.open(target, clock=FakeClock("2024-06-30T00:00:00Z"))


def main() -> None:
    """Write the files of this release."""
    path = HERE / f"{onebook.__version__}.log"
    if path.exists():
        raise SystemExit(f"{path.name} is there: what a release wrote is never written again")
    clock = FakeClock(f"{DAY}20:00:00Z")
    with onebook.open(":memory:", clock=clock, actor="release") as book:
        play(book, clock)
        path.write_text("".join(f"{line}\n" for line in log(book)))
    with tempfile.TemporaryDirectory() as folder, from_log(path, f"{folder}/log.db") as book:
        assert book.rebuild().ok  # answers are those of the log alone: marks are not in it
        path.with_suffix(".json").write_text(json.dumps(answers(book), indent=1) + "\n")


if __name__ == "__main__":
    main()
