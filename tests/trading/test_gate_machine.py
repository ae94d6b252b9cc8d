"""Whatever is asked of a book in whatever order: it verifies, rebuilds equal, and reads the same after a restart."""

import random
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trading.desks import order, tables, whole

import onebook
from onebook import CorporateAction, Fill, OrderUpdate, Reassign
from onebook.errors import BookError, InputError, RuleError
from onebook.testing import FakeClock
from onebook.trading.answers import Approved

INSTRUMENTS = ("AAPL", "MSFT", "BTC/USDT:USDT")
STRATEGIES = ("", "a", "b")
STATUSES = ("new", "triggered", "unknown", "rejected", "canceled", "expired", "partially_filled", "filled")


class Random:
    """Does one thing after another to a book; what it may not do is refused and leaves nothing."""

    def __init__(self, path: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = FakeClock("2024-06-03T12:00:00Z")
        self.path = path
        self.book = onebook.open(path, clock=self.clock, config={"synchronous": "normal"})
        self.number = 0
        self.sent: list[str] = []
        self.busted: set[int] = set()

    def name(self) -> str:
        self.number += 1
        return f"n{self.number}"

    def place_of(self) -> dict[str, str]:
        return {"instrument": self.chance.choice(INSTRUMENTS), "strategy": self.chance.choice(STRATEGIES)}

    def step(self) -> None:
        self.clock.advance(self.chance.choice([0, 1, 1, 30, 3600, 30_000]))
        deeds = (
            self.fill, self.fill, self.place, self.place, self.bracket, self.mark, self.mark, self.update, self.state,
            self.protect, self.limit, self.bust, self.correct, self.reassign, self.split, self.flatten, self.again,
        )  # fmt: skip
        if self.chance.random() < 0.6:
            for name in (*INSTRUMENTS, "USDT/USD"):
                self.book.mark(name, self.chance.randint(85, 115))
        before = self.book.status().entries
        try:
            self.chance.choice(deeds)()
        except (InputError, RuleError):
            assert self.book.status().entries == before

    def fill(self) -> None:
        names = [item.client_order_id for item in self.book.orders(is_open=True)]
        late = self.chance.random() < 0.2
        more: dict[str, Any] = {"occurred_ns": self.clock.now - 3600 * 10**9} if late else {}
        if names and self.chance.random() < 0.6:
            name = self.chance.choice(names)
            (found,) = [item for item in self.book.orders() if item.client_order_id == name]
            wish = {"instrument": found.instrument, "side": found.side, "strategy": found.strategy}
            quantity = self.chance.choice([found.quantity, 1])
            more |= {"client_order_id": name}
        else:
            wish = self.place_of() | {"side": self.chance.choice(["buy", "sell"])}
            quantity = self.chance.randint(1, 5)
        self.book.record(
            Fill(
                **wish,
                quantity=quantity,
                price=self.chance.randint(80, 120),
                venue="v",
                venue_fill_id=self.name(),
                **more,
            )
        )

    def place(self) -> None:
        wish = self.place_of()
        kind = self.chance.choice(["market", "limit", "stop"])
        prices: dict[str, Any] = {"limit": {"limit_price": 90}, "stop": {"stop_price": 95}}.get(kind, {})
        name = self.name()
        self.sent.append(name)
        self.book.trading.place(
            order(
                self.chance.choice(["buy", "sell"]),
                self.chance.randint(1, 5),
                kind=kind,
                client_order_id=name,
                reduce_only=self.chance.random() < 0.3,
                **wish,
                **prices,
            )
        )

    def bracket(self) -> None:
        wish, name = self.place_of(), self.name()
        entry = order("buy", 3, client_order_id=name, **wish)
        stop = order("sell", 3, kind="stop", stop_price=80, parent_id=name, group_id=name, **wish)
        target = order("sell", 3, kind="limit", limit_price=120, parent_id=name, group_id=name, **wish)
        answers = self.book.trading.place(entry, stop, target)
        assert isinstance(answers, tuple)
        assert isinstance(answers[0], Approved) or not isinstance(answers[1], Approved)

    def again(self) -> None:
        """Place what was placed before once more: the answer stays, and nothing is written."""
        if self.sent:
            name = self.chance.choice(self.sent)
            (found,) = [item for item in self.book.orders() if item.client_order_id == name]
            if not found.reason:  # a split changes the terms for good
                before = self.book.status().entries
                self.book.trading.may(found.order)
                assert self.book.status().entries == before

    def mark(self) -> None:
        self.book.mark(self.chance.choice((*INSTRUMENTS, "USDT/USD")), self.chance.randint(70, 130))

    def update(self) -> None:
        names = [item.client_order_id for item in self.book.orders()]
        if not names:
            return
        name, status = self.chance.choice(names), self.chance.choice(STATUSES)
        more: dict[str, Any] = {"limit_price": self.chance.randint(80, 90)} if self.chance.random() < 0.3 else {}
        deed = self.chance.randint(0, 3)
        if deed == 0:
            self.book.trading.cancel(name)
        elif deed == 1:
            self.book.trading.settle(name, self.chance.choice(["rejected", "canceled", "expired", "new"]), "seen")
        else:
            self.book.record(OrderUpdate(client_order_id=name, status=status, **more))

    def state(self) -> None:
        desk = self.book.trading
        scope: dict[str, Any] = self.chance.choice(
            [{}, {"strategy": "a"}, {"account": "main"}, {"account": "main", "strategy": "b"}]
        )
        self.chance.choice([desk.halt, desk.reduce, desk.resume, desk.resume, desk.resume])("so", **scope)

    def protect(self) -> None:
        wish = self.place_of()
        name = wish.pop("instrument")
        if self.chance.random() < 0.2:
            self.book.trading.unprotect(name, **wish)
            return
        figures: dict[str, Any] = self.chance.choice(
            [
                {"stop_loss": 90},
                {"take_profit": 110},
                {"trail_amount": 6},
                {"trail_ratio": "0.05", "take_profit": 125},
                {"trail_amount": 4, "activates_at": 105},
            ]
        )
        self.book.trading.protect(name, act=self.chance.choice(["notify", "order"]), **wish, **figures)

    def limit(self) -> None:
        scope: dict[str, Any] = self.chance.choice([{}, {"strategy": "a"}, {"account": "main"}])
        figures: dict[str, Any] = self.chance.choice(
            [
                {"max_position": 8},
                {"max_exposure": 5000},
                {"max_daily_loss": 300, "flatten": True},
                {"max_drawdown": 500},
                {"max_orders": 5, "per_seconds": 60},
                {"max_mark_age_seconds": 0},
            ]
        )
        self.book.trading.limits.set(**scope, **figures)

    def fills(self) -> list[int]:
        return [item.sequence for item in self.book.fills() if item.sequence not in self.busted]

    def bust(self) -> None:
        found = self.fills()
        if found:
            which = self.chance.choice(found)
            self.book.bust(which, reason="never was")
            self.busted.add(which)

    def correct(self) -> None:
        found = self.fills()
        if found:
            self.book.correct(self.chance.choice(found), reason="typo", quantity=self.chance.randint(1, 5))

    def reassign(self) -> None:
        self.book.record(Reassign(instrument="AAPL", quantity=1, from_strategy="a", to_strategy="b"))

    def split(self) -> None:
        if self.chance.random() < 0.3:
            name = self.chance.choice(["AAPL", "MSFT"])
            top, low = self.chance.choice([(2, 1), (1, 2), (3, 2)])
            self.book.record(CorporateAction(kind="split", instrument=name, numerator=top, denominator=low))

    def flatten(self) -> None:
        if self.chance.random() < 0.3:
            self.book.trading.flatten("enough", strategy=self.chance.choice([None, "a"]))

    def reopen(self) -> None:
        before = tables(self.book)
        entries = self.book.status().entries
        self.book.close()
        self.book = onebook.open(self.path, clock=self.clock, config={"synchronous": "normal"})
        after = tables(self.book)
        if self.book.status().entries == entries:  # else trails were written at the end
            assert after == before


@given(st.integers(0, 10**9))
@settings(max_examples=12)
def test_whatever_is_asked_in_whatever_order_the_book_verifies_and_rebuilds_equal(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        machine = Random(Path(folder) / "book.db", seed)
        try:
            for number in range(60):
                machine.step()
                if number % 20 == 19:
                    whole(machine.book)
                    machine.reopen()
            head = machine.book.status().entries
            then = machine.book.as_of(head // 2)
            assert len(then.orders()) <= len(machine.book.orders())
            trading = machine.book.trading
            for item in trading.protections():
                held = machine.book.position(item.instrument, account=item.account, strategy=item.strategy)
                quantity = 0 if held is None else held.quantity
                assert item.direction == ("long" if quantity > 0 else "short" if quantity else "")
        finally:
            with suppress(BookError):
                machine.book.close()
