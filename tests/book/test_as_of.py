"""Two clocks, asked apart and together: what we knew then, what we now know about then, and both at once."""

from decimal import Decimal
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.book.histories import differing, moment, opened, shape, trades

import onebook
from onebook import Fill
from onebook.testing.clock import FakeClock

SPOT = "BTC/USDT"


def fill(number: str, side: str, quantity: int, price: int, at: str) -> Fill:
    return Fill(
        instrument=SPOT, side=side, quantity=quantity, price=price, venue="v", venue_fill_id=number,
        occurred_at=f"2024-06-03T{at}:00Z",
    )  # fmt: skip


def quantity(book: onebook.Book, **point: object) -> Decimal | None:
    held = book.as_of(**point).position(SPOT)  # type: ignore[arg-type]
    return None if held is None else held.quantity


def test_a_late_fill_is_there_by_its_time_only_for_who_knows(book: onebook.Book) -> None:
    """Recorded 10:00, 11:00, then the one of 10:30 that came late, then a bust of the first."""
    first = book.record(fill("1", "buy", 4, 100, "10:00"))
    second = book.record(fill("2", "sell", 1, 110, "11:00"))
    late = book.record(fill("3", "buy", 2, 105, "10:30"))
    taken = book.bust(first.sequence, reason="never happened")
    said = {
        (at, known.sequence): quantity(book, moment=f"2024-06-03T{at}:00Z", known=known.sequence)
        for at, known in product(("09:00", "10:00", "10:30", "11:00"), (first, second, late, taken))
    }
    expected = {
        "09:00": (None, None, None, None),
        "10:00": (4, 4, 4, 0),
        "10:30": (4, 4, 6, 2),
        "11:00": (4, 3, 5, 1),
    }
    for at, wanted in expected.items():
        sequences = (first, second, late, taken)
        assert tuple(said[at, known.sequence] for known in sequences) == wanted, at
    assert quantity(book, moment="2024-06-03T10:30:00Z") == 2
    assert quantity(book, sequence=late.sequence) == 5


def test_a_moment_includes_what_happened_at_it(book: onebook.Book) -> None:
    book.record(fill("1", "buy", 1, 100, "10:00"))
    assert quantity(book, moment="2024-06-03T10:00:00Z") == 1
    assert quantity(book, moment="2024-06-03T09:59:59.999999Z") is None


def test_figures_of_then_keep_their_values_when_prices_are_corrected(book: onebook.Book, clock: FakeClock) -> None:
    opened_at = book.record(fill("1", "buy", 2, 100, "10:00"))
    closed = book.record(fill("2", "sell", 2, 110, "11:00"))
    clock.advance(3600)
    corrected = book.correct(opened_at.sequence, reason="typo", price="101")
    then, now = book.as_of(closed.sequence), book.as_of(corrected.sequence)
    assert [trip.net for trip in then.round_trips()] == [20]
    assert [trip.net for trip in now.round_trips()] == [18]
    assert [row.net for row in then.daily_pnl()] == [20]
    assert [row.net for row in book.daily_pnl()] == [18]
    assert sum(row.amount for row in then.explain(SPOT)) == 20
    known = book.as_of(moment="2024-06-03T11:00:00Z", known=closed.sequence)
    assert [trip.net for trip in known.round_trips()] == [20]


@settings(max_examples=25)
@given(trades, st.integers(0, 432), st.data())
def test_a_moment_as_known_is_a_book_of_what_was_known_and_had_happened(
    facts: list[Fill], minute: int, data: st.DataObject
) -> None:
    until = moment(minute)
    with opened(facts) as whole:
        head = whole.status().entries
        known = data.draw(st.integers(head - len(facts), head), "known")
        early = [item.fill for item in sorted(whole.as_of(known).fills(), key=lambda item: item.sequence)]
        part_of = [
            item for item in early if item.occurred_at is not None and item.occurred_at.isoformat() <= iso(until)
        ]
        with opened(part_of) as part:
            left, right = shape(whole.as_of(moment=until, known=known)), shape(part)
            assert differing(left, right) == []


def iso(text: str) -> str:
    return text.replace("Z", "+00:00")
