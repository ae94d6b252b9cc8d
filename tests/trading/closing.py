"""A book whose market opens and closes, a venue of its own, and the end of its day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import onebook
from onebook import Account, Fill, Instrument, Order, OrderUpdate, Signal
from onebook.domain import times
from onebook.domain.numbers import plain
from onebook.domain.reports import OrderState
from onebook.market.calendars import Always, Calendar, Exchange, exchange
from onebook.testing import FakeClock
from onebook.trading.end_of_day import Closed, EndOfDay, EndOfDayTerms


def at(text: str) -> int:
    return times.from_text("at", text)


@cache
def new_york() -> Exchange:
    return exchange("XNYS")


def terms(**more: Any) -> EndOfDayTerms:
    """A rule of the New York exchange for everything, where nothing else is said."""
    calendar: Calendar = more.pop("calendar", None) or new_york()
    return EndOfDayTerms(name=more.pop("name", "stocks"), calendar=calendar, **more)


def at_eight() -> EndOfDayTerms:
    """A rule of a market whose day ends at 20:00 UTC; quick to begin with."""
    return terms(calendar=Always("UTC", "20:00"))


@dataclass
class Floor:
    """A book with a clock, and what a venue would say of its orders."""

    book: onebook.Book
    clock: FakeClock
    rules: Sequence[EndOfDayTerms] = field(default_factory=lambda: (terms(),))
    number: int = 0

    def __post_init__(self) -> None:
        self.restart()
        self.book.record(Account(name="main", venue="nyse", currency="USD"))
        for symbol in ("AAPL", "MSFT"):
            self.book.record(Instrument(symbol=symbol, kind="equity", base=symbol, quote="USD"))

    def restart(self) -> None:
        """Begin again with an end of day that knows nothing but the book."""
        self.eod: EndOfDay = self.book.trading.end_of_day(self.rules)

    def go(self, text: str) -> list[Closed]:
        """Move the clock and look."""
        self.clock.set(text)
        return self.eod.look(self.clock.now)

    def held(self, instrument: str = "AAPL", account: str = "main", **more: Any) -> str:
        found = self.book.position(instrument, account=account, **more)
        return "0" if found is None else plain(found.quantity)

    def hold(self, quantity: int, instrument: str = "AAPL", **more: Any) -> None:
        """Buy (or sell short), now, and give a mark."""
        self.number += 1
        side = "buy" if quantity > 0 else "sell"
        self.book.record(
            Fill(
                instrument=instrument,
                side=side,
                quantity=abs(quantity),
                price=100,
                occurred_ns=self.clock.now,
                client_fill_id=f"f{self.number}",
                **more,
            )
        )
        self.mark(instrument)

    def mark(self, *instruments: str) -> None:
        for instrument in instruments or ("AAPL",):
            self.book.mark(instrument, "100", at=self.clock.now)

    def order(self, name: str, side: str, quantity: int = 1, *, status: str = "new", **more: Any) -> None:
        """An order as a venue has it."""
        order = Order(
            instrument=more.pop("instrument", "AAPL"), side=side, quantity=quantity, client_order_id=name, **more
        )
        self.book.record(order)
        if status != "pending_new":
            self.says(name, status, account=order.account)

    def says(self, name: str, status: str, *, account: str = "main", reason: str = "") -> None:
        self.book.record(OrderUpdate(client_order_id=name, account=account, status=status, reason=reason))

    def signal(self, name: str, **more: Any) -> None:
        fact: dict[str, Any] = {"instrument": "AAPL", "action": "buy", "occurred_ns": self.clock.now} | more
        self.book.record(Signal(signal_id=name, **fact))

    def exits(self, *, is_open: bool | None = None) -> list[OrderState]:
        found = [item for item in self.book.orders(is_open=is_open) if item.client_order_id.startswith("eod-")]
        return sorted(found, key=lambda item: (item.order.account, item.order.instrument, item.sequence))

    def venue(self) -> None:
        """Fill every exit that is open, and end every order that is asked to end."""
        for item in self.book.orders(is_open=True):
            if item.status == "pending_cancel":
                self.says(item.client_order_id, "canceled", account=item.account)
        for item in self.exits(is_open=True):
            self.fill(item, item.order.quantity - item.filled_quantity)

    def fill(self, item: OrderState, quantity: Any) -> None:
        self.number += 1
        order = item.order
        self.book.record(
            Fill(
                instrument=order.instrument,
                side=order.side,
                quantity=quantity,
                price=101,
                occurred_ns=self.clock.now,
                account=order.account,
                strategy=order.strategy,
                leg=order.leg,
                client_order_id=order.client_order_id,
                client_fill_id=f"f{self.number}",
                close_reason=order.close_reason,
                signal_id=order.signal_id,
            )
        )

    def alerts(self, kind: str = "") -> list[str]:
        found = self.book.events(types="alert_raised")
        return [str(item.data["text"]) for item in found if kind in {"", item.data["kind"]}]

    def done(self) -> list[tuple[str, bool]]:
        """(day, whether it was late) of every end of day in the log."""
        return [(item.data["day"], item.data["late"]) for item in self.book.events(types="end_of_day_done")]

    def statuses(self, names: Iterable[str]) -> list[str]:
        found = {item.client_order_id: item.status for item in self.book.orders()}
        return [found[name] for name in names]
