"""The open orders that a book keeps between decisions are those that its store has, in their order."""

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import onebook
from onebook import CorporateAction, Fill, Order, OrderUpdate
from onebook.book import open_orders
from onebook.book.open_orders import OpenOrders
from onebook.domain.decide.exits import open_order
from onebook.domain.state import OpenOrder, Record
from onebook.errors import BookError
from onebook.testing import FakeClock

INSTRUMENTS = ("AAPL", "MSFT")
ACCOUNTS = ("main", "second")
PLACES = [(None, None), *((name, None) for name in ACCOUNTS), *((a, i) for a in ACCOUNTS for i in INSTRUMENTS)]
STATUSES = ("new", "unknown", "rejected", "canceled", "expired", "filled")


class Trader:
    """Does one thing after another to the orders of a book."""

    def __init__(self, book: onebook.Book, clock: FakeClock, seed: int) -> None:
        self.book, self.clock, self.chance, self.number = book, clock, random.Random(seed), 0

    def step(self) -> None:
        self.clock.advance(self.chance.choice([0, 1, 1]))
        for name in INSTRUMENTS:
            self.book.mark(name, 100)
        with suppress(BookError):
            self.chance.choice((self.place, self.place, self.place, self.update, self.fill, self.several, self.split))()

    def order(self) -> Order:
        self.number += 1
        return Order(
            instrument=self.chance.choice(INSTRUMENTS),
            side=self.chance.choice(["buy", "sell"]),
            quantity=self.chance.randint(1, 5),
            kind="limit",
            limit_price=self.chance.randint(50, 150),
            client_order_id=f"o{self.chance.randint(0, 9)}-{self.number}",
            account=self.chance.choice(ACCOUNTS),
            strategy=self.chance.choice(["", "a"]),
            group_id=self.chance.choice(["", "", "g"]),
            reduce_only=self.chance.random() < 0.1,
        )

    def place(self) -> None:
        self.book.trading.place(self.order())

    def several(self) -> None:
        self.book.trading.place(self.order(), self.order())

    def one(self) -> Any:
        return self.chance.choice(self.book.orders(is_open=True) or [None])

    def update(self) -> None:
        found = self.one()
        if found is not None:
            status = self.chance.choice(STATUSES)
            self.book.record(
                OrderUpdate(client_order_id=found.client_order_id, account=found.account, status=status)
            )  # fmt: skip

    def fill(self) -> None:
        found = self.one()
        if found is None:
            return
        self.number += 1
        self.book.record(
            Fill(
                instrument=found.instrument,
                side=found.side,
                quantity=1,
                price=100,
                account=found.account,
                strategy=found.strategy,
                client_order_id=found.client_order_id,
                client_fill_id=f"f{self.number}",
            )
        )

    def split(self) -> None:
        if self.chance.random() < 0.2:
            self.book.record(CorporateAction(instrument="AAPL", kind="split", numerator=2, denominator=1))


def stored(book: onebook.Book, account: str | None, instrument: str | None) -> list[tuple[Any, ...]]:
    with book.store.reading() as reader:
        return [(*row[:3], *row[4:7]) for row in reader.open_orders(account, instrument)]


def kept(book: onebook.Book, account: str | None, instrument: str | None) -> list[OpenOrder]:
    committer = book.committer
    with committer.exclusively():
        committer.state.refresh()
        return committer.state.open_orders(account, instrument)


def shown(record: Record) -> tuple[Any, ...]:
    return record.account, record.id, record.occurred_ns, record.instrument, record.strategy, record.status


@pytest.mark.parametrize("seed", range(6))
def test_what_is_kept_is_what_the_store_has(tmp_path: Path, seed: int) -> None:
    clock = FakeClock("2024-06-03T12:00:00Z")
    with (
        onebook.open(tmp_path / "kept.db", clock=clock, config={"synchronous": "normal"}) as book,
        onebook.open(tmp_path / "kept.db", clock=clock, config={"synchronous": "normal"}) as other,
    ):
        traders = [Trader(book, clock, seed), Trader(book, clock, seed + 100), Trader(other, clock, seed + 200)]
        traders[1].number, traders[2].number = 10_000, 20_000
        for _ in range(60):
            traders[0].chance.choice(traders).step()
            for place in PLACES:
                found = kept(book, *place)
                assert [shown(record) for record in found] == stored(book, *place)
                state = book.committer.state
                for record in found:
                    again = state.record("order", record.account, record.id)
                    assert again is not None
                    assert open_order(again) == record


def test_a_transaction_that_is_undone_leaves_nothing(tmp_path: Path) -> None:
    with onebook.open(tmp_path / "undone.db") as book:
        book.mark("AAPL", 100)
        first = Order(instrument="AAPL", side="buy", quantity=1, client_order_id="first")
        book.trading.place(first)
        assert [item.id for item in kept(book, "main", "AAPL")] == ["first"]

        def failing(_: Any) -> None:
            raise onebook.StoreBusy("for this test")

        with pytest.raises(onebook.StoreBusy):
            book.trading.place(first.replaced(client_order_id="second"), along=failing)
        assert [item.id for item in kept(book, "main", "AAPL")] == ["first"]
        assert [item.client_order_id for item in book.orders(is_open=True)] == ["first"]


def test_no_more_is_kept_than_the_limits_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_orders, "MAX_ORDERS", 3)
    monkeypatch.setattr(open_orders, "MAX_PLACES", 2)
    orders = [
        open_order(Record("order", "main", str(number), number, {"quantity": "1", "side": "buy"}, "A", "", "new"))
        for number in range(4)
    ]
    found = OpenOrders()
    found.keep(("main", "A"), orders[:3])
    assert found.at(("main", "A")) == orders[:3]
    found.put(orders[3])
    assert found.at(("main", "A")) is None
    for name in "ABC":
        found.keep(("main", name), [])
    assert [found.at(("main", name)) for name in "ABC"] == [None, None, []]
