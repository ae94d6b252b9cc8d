"""One simple model drives a book in memory and one in a file, side by side, through whatever happens to fills."""

import tempfile
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

import onebook
from onebook import Fill
from onebook.testing.clock import FakeClock

INSTRUMENTS = ("AAPL", "BTC/USDT", "ETH/USDT:USDT")
STRATEGIES = ("", "a", "b")

sizes = st.decimals(min_value=Decimal("0.01"), max_value=Decimal(9), places=2)
prices = st.decimals(min_value=Decimal("0.5"), max_value=Decimal(200), places=2)
fees = st.decimals(min_value=Decimal("-0.1"), max_value=Decimal(1), places=2)


@dataclass
class Entry:
    """What the model knows of a fill: its id, when it was, what it says now, whether it stands."""

    id: int
    minute: int
    instrument: str
    strategy: str
    side: str
    quantity: Fraction
    price: Fraction
    fee: Fraction
    busted: bool = False

    @property
    def signed(self) -> Fraction:
        return self.quantity if self.side == "buy" else -self.quantity


@dataclass
class Total:
    """A position by the rules' text: quantity and cost; a partial close takes cost × closed ÷ quantity."""

    quantity: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    gross: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)
    trips: int = 0

    def fill(self, entry: Entry) -> None:
        moved, value = entry.signed, entry.quantity * entry.price
        self.fees += entry.fee
        if self.quantity * moved < 0:
            closed = min(abs(self.quantity), abs(moved))
            removed = self.cost
            if closed < abs(self.quantity):
                removed = Fraction(round(self.cost * closed / abs(self.quantity) * 10**18), 10**18)
            part = closed * entry.price
            self.gross += part - removed if self.quantity > 0 else removed - part
            self.cost += value - part - removed
            self.trips += closed == abs(self.quantity)
        else:
            self.cost += value
        self.quantity += moved


def decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def minute_text(minute: int) -> str:
    day, rest = divmod(minute, 1440)
    return f"2024-06-{3 + day:02d}T{rest // 60:02d}:{rest % 60:02d}:00Z"


class BookMachine(RuleBasedStateMachine):
    fills = Bundle("fills")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock("2024-07-01T00:00:00Z", step_seconds=1)
        self.memory = onebook.open(":memory:", clock=self.clock)
        self.file = self.opened()
        self.entries: dict[int, Entry] = {}
        self.sequences: dict[int, int] = {}
        self.marks: dict[str, Fraction] = {}
        self.count = 0

    def opened(self) -> onebook.Book:
        path = Path(self.folder.name) / "book.db"
        return onebook.open(path, clock=self.clock, config={"synchronous": "normal"})

    @property
    def books(self) -> tuple[onebook.Book, onebook.Book]:
        return self.memory, self.file

    def fact(self, entry: Entry, **changes: Any) -> Fill:
        fill = Fill(
            instrument=entry.instrument, side=entry.side, quantity=decimal(entry.quantity), price=decimal(entry.price),
            fee=decimal(entry.fee), strategy=entry.strategy, venue="v", venue_fill_id=str(entry.id),
            occurred_at=minute_text(entry.minute),
        )  # fmt: skip
        return fill.replaced(**changes)

    def both(self, fact: Fill) -> onebook.Receipt:
        one, other = (book.record(fact) for book in self.books)
        assert (one.status, one.sequence, one.identity) == (other.status, other.sequence, other.identity)
        return one

    # ---- what happens ----

    @rule(
        target=fills,
        minute=st.integers(0, 2000),
        instrument=st.sampled_from(INSTRUMENTS),
        strategy=st.sampled_from(STRATEGIES),
        side=st.sampled_from(["buy", "sell"]),
        quantity=sizes,
        price=prices,
        fee=fees,
    )
    def record(
        self, minute: int, instrument: str, strategy: str, side: str, quantity: Decimal, price: Decimal, fee: Decimal
    ) -> int:
        """A new fill, at the end or late: whichever its time makes it."""
        number = len(self.entries) + 1
        entry = Entry(number, minute, instrument, strategy, side, Fraction(quantity), Fraction(price), Fraction(fee))
        receipt = self.both(self.fact(entry))
        assert receipt.status == "recorded"
        self.count += 1
        assert receipt.sequence == self.count
        self.entries[number], self.sequences[number] = entry, receipt.sequence
        return number

    @rule(number=fills)
    def repeat(self, number: int) -> None:
        receipt = self.both(self.fact(self.entries[number]))
        assert (receipt.status, receipt.sequence) == ("exists", self.sequences[number])

    @rule(number=fills)
    def contradict(self, number: int) -> None:
        """Another price, never told before: a conflict, and one entry."""
        receipt = self.both(self.fact(self.entries[number], price=Decimal(1000 + self.count)))
        assert (receipt.status, receipt.sequence) == ("conflict", self.sequences[number])
        self.count += 1

    @rule(number=fills)
    def bust(self, number: int) -> None:
        entry = self.entries[number]
        for book in self.books:
            receipt = book.bust(self.sequences[number], reason="gone")
            assert receipt.status == ("exists" if entry.busted else "recorded")
        self.count += not entry.busted
        entry.busted = True

    @rule(
        number=fills,
        quantity=sizes,
        price=prices,
        side=st.sampled_from(["buy", "sell"]),
        strategy=st.sampled_from(STRATEGIES),
        minute=st.integers(0, 2000),
    )
    def correct(self, number: int, quantity: Decimal, price: Decimal, side: str, strategy: str, minute: int) -> None:
        entry = self.entries[number]
        new = replace(
            entry, quantity=Fraction(quantity), price=Fraction(price), side=side, strategy=strategy, minute=minute
        )
        changes = {
            "quantity": quantity, "price": price, "side": side, "strategy": strategy, "occurred_at": minute_text(minute)
        }  # fmt: skip
        for book in self.books:
            try:
                status = book.correct(self.sequences[number], reason="typo", **changes).status
            except onebook.RuleError:
                status = "refused"
            assert status == ("refused" if entry.busted else "exists" if new == entry else "recorded")
        if not entry.busted and new != entry:
            self.count += 1
            self.entries[number] = new

    @rule(instrument=st.sampled_from(INSTRUMENTS), price=prices)
    def mark(self, instrument: str, price: Decimal) -> None:
        for book in self.books:
            book.mark(instrument, price)
        self.marks[instrument] = Fraction(price)

    @rule()
    def reopen(self) -> None:
        self.file.close()
        self.file = self.opened()

    @precondition(lambda self: self.count % 5 == 4)
    @rule()
    def rebuild(self) -> None:
        for book in self.books:
            assert book.rebuild().ok

    @precondition(lambda self: self.count > 3)
    @rule()
    def verify(self) -> None:
        for book in self.books:
            report = book.verify()
            assert report.ok, report.problems

    # ---- what must hold ----

    def standing(self) -> list[Entry]:
        found = (entry for entry in self.entries.values() if not entry.busted)
        return sorted(found, key=lambda entry: (entry.minute, entry.id, entry.side))

    def totals(self) -> dict[tuple[str, str], Total]:
        found: dict[tuple[str, str], Total] = {}
        for entry in self.standing():
            found.setdefault((entry.instrument, entry.strategy), Total()).fill(entry)
        return found

    @invariant()
    def positions_are_the_models(self) -> None:
        if not hasattr(self, "file"):
            return
        totals = self.totals()
        for book in self.books:
            shown = {(held.instrument, held.strategy): held for held in book.positions(is_open=None)}
            for place, total in totals.items():
                held = shown.pop(place)
                found = (held.quantity, held.cost_basis, held.realized_pnl_gross, held.fees)
                assert tuple(map(Fraction, found)) == (total.quantity, total.cost, total.gross, total.fees), place
                mark = self.marks.get(held.instrument)
                if total.quantity and mark is not None:
                    signed = total.cost if total.quantity > 0 else -total.cost
                    assert held.unrealized_pnl is not None
                    assert Fraction(held.unrealized_pnl) == total.quantity * mark - signed
            assert not any(held.quantity or held.realized_pnl for held in shown.values())
            assert book.status().entries == self.count

    @invariant()
    def lists_are_the_models(self) -> None:
        if not hasattr(self, "file"):
            return
        standing, totals = self.standing(), self.totals()
        for book in self.books:
            listed = book.fills()
            assert [int(item.venue_fill_id) for item in listed] == [entry.id for entry in standing]
            ended = [trip for trip in book.round_trips() if not trip.is_open]
            assert len(ended) == sum(total.trips for total in totals.values())

    def teardown(self) -> None:
        if hasattr(self, "file"):
            for book in self.books:
                report = book.verify()
                assert report.ok, report.problems
                book.close()
            self.folder.cleanup()


TestBook = BookMachine.TestCase
TestBook.settings = settings(max_examples=max(15, settings().max_examples // 3), stateful_step_count=25, deadline=None)
