"""A paper venue over a real book, and the market that it is shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

import onebook
from onebook import Instrument, Order
from onebook.domain import times
from onebook.domain.market import Bar, Print, Quote, Seen, last_price
from onebook.domain.numbers import plain
from onebook.testing import FakeClock
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.brokers.paper_account import open_paper_account
from onebook.trading.brokers.paper_rules import PaperRules

DAY = 86_400 * times.SECOND


def recorder(book: onebook.Book) -> Callable[[Sequence[Any]], None]:
    """Reports that go into a book; none may be refused."""

    def reports(facts: Sequence[Any]) -> None:
        done = book.record_many(facts)
        assert not done.refused, done.refused
        assert not done.exists, facts
        assert not done.conflicts, facts

    return reports


@dataclass
class Scene:
    """A book, a clock that is the market's time, and a paper venue."""

    book: onebook.Book
    clock: FakeClock
    rules: PaperRules = field(default_factory=PaperRules)
    accounts: tuple[str, ...] = ("paper",)
    number: int = 0

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin again with a venue that knows nothing but the book."""
        self.broker = PaperBroker(self.book, self.accounts, self.rules, clock=self.clock)
        self.broker.start(recorder(self.book))

    def order(self, side: str, quantity: Any, instrument: str = "AAPL", **more: Any) -> str:
        """Record and submit an order; return its id."""
        self.number += 1
        name: str = more.pop("client_order_id", f"o{self.number}")
        fact = Order(
            instrument=instrument,
            side=side,
            quantity=quantity,
            client_order_id=name,
            occurred_ns=self.clock.now,
            account=more.pop("account", "paper"),
            **more,
        )
        self.book.record(fact)
        self.broker.submit(fact)
        return name

    def see(self, seen: Seen) -> Seen:
        self.clock.now = max(self.clock.now, seen.at_ns)
        self.book.mark(seen.instrument, last_price(seen), at=seen.at_ns)
        self.broker.see(seen)
        return seen

    def print(self, price: Any, quantity: Any = 1_000, instrument: str = "AAPL", seconds: float = 1) -> Seen:
        """Show a print, a second later."""
        self.clock.advance(seconds)
        return self.see(
            Print(instrument=instrument, at_ns=self.clock.now, price=Decimal(price), quantity=Decimal(quantity))
        )

    def quote(self, bid: Any, ask: Any, instrument: str = "AAPL") -> Seen:
        self.clock.advance(1)
        return self.see(Quote(instrument=instrument, at_ns=self.clock.now, bid=Decimal(bid), ask=Decimal(ask)))

    def bar(self, *prices: Any, instrument: str = "AAPL") -> Seen:
        """Show a bar of the next minute: open, high, low, close."""
        opened = self.clock.now
        a, b, c, d = (Decimal(price) for price in prices)
        bar = Bar(
            instrument=instrument,
            timeframe="1m",
            opened_ns=opened,
            at_ns=opened + 60 * times.SECOND,
            open=a,
            high=b,
            low=c,
            close=d,
            volume=Decimal(10_000),
        )
        return self.see(bar)

    def status(self, name: str, account: str = "paper") -> str:
        (found,) = [item for item in self.book.orders(account=account) if item.order.client_order_id == name]
        return str(found.status)

    def reason(self, name: str) -> str:
        (found,) = [item for item in self.book.orders() if item.order.client_order_id == name]
        return str(found.reason)

    def cash(self, asset: str = "USD", account: str = "paper") -> Decimal:
        return next((item.amount for item in self.book.balances(account=account) if item.asset == asset), Decimal(0))

    def held(self, instrument: str = "AAPL", account: str = "paper") -> Decimal:
        found = self.book.position(instrument, account=account)
        return Decimal(0) if found is None else found.quantity

    def fills(self, account: str = "paper") -> list[tuple[str, str, str, str]]:
        """(side, quantity, price, liquidity) of every fill."""
        return [
            (item.fill.side, plain(item.fill.quantity), plain(item.fill.price), item.fill.liquidity)
            for item in self.book.fills(account=account)
        ]


Begin = Callable[..., Scene]


@pytest.fixture
def begin(book: onebook.Book, clock: FakeClock) -> Begin:
    """Make a scene: shares in a paper account with 10,000 USD, where nothing else is said."""

    def make(rules: PaperRules | None = None, *, opening: str = "10000", account: str = "paper") -> Scene:
        open_paper_account(book, account, "USD", opening)
        book.record(Instrument(symbol="AAPL", kind="equity", base="AAPL", quote="USD", tick_size="0.01", lot_size="1"))
        return Scene(book, clock, rules or PaperRules(), (account,))

    return make
