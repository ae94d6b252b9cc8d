"""Whose an execution is: two bots and a person on one account, told of in any order, at any delay, over restarts."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

import onebook
from onebook.intake.adapters.recorder import Item, OrderSeen
from onebook.intake.adapters.recorder_booking import Bookings
from onebook.testing import FakeClock

BOTS = ("grid", "trend")
PERSON = ""
DAY_NS = 86_400_000_000_000
SIZE = 5


@dataclass
class _Sent:
    """An order at the venue, sent by a bot, or by a person through the venue's own page."""

    id: str
    sender: str
    made_ns: int
    price: int
    fills: list[int] = field(default_factory=list)
    answered: bool = False

    @property
    def client_id(self) -> str:
        return f"{self.sender}-{self.id}" if self.sender else ""


class _World:
    """A venue with its own clock, a book, and two bots that book at once or put aside, and may begin anew."""

    def __init__(self, book: onebook.Book, clock: FakeClock, *, offset_days: int, tells_ids: bool) -> None:
        self.book, self.clock = book, clock
        self.offset, self.tells_ids = offset_days * DAY_NS, tells_ids
        self.orders: list[_Sent] = []
        self.count = 0
        self.bookings = {bot: Bookings(book) for bot in BOTS}
        self.spools: dict[str, list[Item]] = {bot: [] for bot in BOTS}
        self.is_slow = dict.fromkeys(BOTS, False)

    def tell(self, bot: str, *items: Item) -> None:
        if self.is_slow[bot]:
            self.spools[bot] += items
        else:
            self.bookings[bot].book(("main", "okx", bot), items)

    def send(self, sender: str) -> None:
        order = _Sent(str(500 + len(self.orders)), sender, self.venue_now(), 100 + len(self.orders))
        self.orders.append(order)
        if sender:
            self.tell(
                sender,
                onebook.Order(
                    instrument="BTC/USDT",
                    side="buy",
                    quantity=SIZE,
                    kind="limit",
                    limit_price=order.price,
                    client_order_id=order.client_id,
                    strategy=sender,
                    venue="okx",
                    occurred_ns=self.book.now(),
                ),
            )

    def answer(self, order: _Sent) -> None:
        """The venue answers to who sent it, with its own id."""
        if order.sender and not order.answered:
            order.answered = True
            said = self.seen(order, timed=False).replaced(client_order_id=order.client_id, filled=None, average=None)
            self.tell(order.sender, said.replaced(status="new", heard=False))

    def fill(self, order: _Sent) -> None:
        if len(order.fills) < SIZE:
            self.count += 1
            order.fills.append(self.count)

    def executions(self, order: _Sent) -> list[onebook.Fill]:
        return [
            onebook.Fill(
                instrument="BTC/USDT",
                side="buy",
                quantity=1,
                price=order.price,
                venue="okx",
                venue_order_id=order.id,
                venue_fill_id=str(number),
                occurred_ns=order.made_ns + number * 1_000_000,
            )
            for number in order.fills
        ]

    def seen(self, order: _Sent, *, timed: bool = True) -> OrderSeen:
        filled = len(order.fills)
        return OrderSeen(
            instrument="BTC/USDT",
            side="buy",
            kind="limit",
            quantity=Decimal(SIZE),
            limit_price=Decimal(order.price),
            venue_order_id=order.id,
            client_order_id=order.client_id if self.tells_ids else "",
            status="filled" if filled == SIZE else "partially_filled" if filled else "new",
            filled=Decimal(filled),
            average=Decimal(order.price) if filled else None,
            created_ns=order.made_ns if timed else None,
            occurred_ns=order.made_ns + max(order.fills, default=0) * 1_000_000 if timed else None,
            heard=True,
        )

    def venue_now(self) -> int:
        return self.book.now() + self.offset

    def drain(self, bot: str) -> None:
        self.is_slow[bot], rows = False, self.spools[bot]
        self.spools[bot] = []
        self.tell(bot, *rows)

    def step(self, what: str, bot: str, number: int) -> None:
        self.clock.advance(1)
        order = self.orders[number % len(self.orders)] if self.orders else None
        if what == "send":
            self.send(bot)
        elif what == "by hand":
            self.send(PERSON)
        elif what == "spool":
            self.is_slow[bot] = True
        elif what == "drain":
            self.drain(bot)
        elif what == "restart":
            self.bookings[bot] = Bookings(self.book)
        elif order is None:
            return
        elif what == "answer":
            self.answer(order)
        elif what == "fill":
            self.fill(order)
        elif what == "stream":
            self.tell(bot, *self.executions(order)[-1:])
        elif what == "trades":
            self.tell(bot, *(fill for each in self.orders for fill in self.executions(each)))
        elif what == "look":
            self.tell(bot, self.seen(order))

    def end(self) -> None:
        """The venue has answered to all, and all that waits comes in."""
        for order in self.orders:
            self.answer(order)
        for bot in BOTS:
            self.drain(bot)

    def check(self, *, is_complete: bool) -> None:
        """Nothing is with the wrong bot or there twice; all is there when all was told."""
        fills = self.book.fills()
        own = {order.id: order.sender or onebook.EXTERNAL for order in self.orders}
        assert [(fill.id, fill.strategy) for fill in fills] == [(fill.id, own[fill.venue_order_id]) for fill in fills]
        booked = {order.id: _sum(fill.quantity for fill in fills if fill.venue_order_id == order.id)
                  for order in self.orders}  # fmt: skip
        assert {state.client_order_id: state.filled_quantity for state in self.book.orders()} == {
            order.client_id: booked[order.id] for order in self.orders if order.sender
        }
        for strategy in (*BOTS, onebook.EXTERNAL):
            found = self.book.position("BTC/USDT", strategy=strategy)
            held = _sum(booked[name] for name, sender in own.items() if sender == strategy)
            assert (found.quantity if found is not None else 0) == held
        for order in self.orders:
            assert booked[order.id] <= len(order.fills)
        if is_complete:
            assert sorted(fill.venue_fill_id for fill in fills) == sorted(
                str(number) for order in self.orders for number in order.fills
            )
        assert [event.type for event in self.book.events(types=("trade_conflicted", "break_found"))] == []
        assert self.book.verify().ok


def _sum(numbers: Iterable[Decimal]) -> Decimal:
    return sum(numbers, Decimal(0))


STEPS = st.tuples(
    st.sampled_from(
        ["send", "by hand", "answer", "fill", "fill", "stream", "trades", "trades", "look", "spool", "drain", "restart"]
    ),
    st.sampled_from(BOTS),
    st.integers(0, 3),
)


@given(
    slow=st.sets(st.sampled_from(BOTS)),
    steps=st.lists(STEPS, min_size=5, max_size=30),
    reader=st.sampled_from(BOTS),
    offset_days=st.sampled_from([0, -400]),
    tells_ids=st.booleans(),
)
def test_every_execution_ends_once_with_who_sent_its_order(
    slow: set[str], steps: list[tuple[str, str, int]], reader: str, offset_days: int, tells_ids: bool
) -> None:
    clock = FakeClock("2026-06-01T10:00:00Z")
    with onebook.open(":memory:", clock=clock) as book:
        world = _World(book, clock, offset_days=offset_days, tells_ids=tells_ids)
        world.is_slow |= dict.fromkeys(slow, True)
        for what, bot, number in [("send", "grid", 0), ("send", "trend", 0), ("fill", "grid", 0), *steps]:
            world.step(what, bot, number)
        world.end()
        world.check(is_complete=False)
        world.step("trades", reader, 0)
        world.check(is_complete=True)
