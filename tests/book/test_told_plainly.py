"""What could mislead is told plainly: marks from before a split or from the future, amounts that no rate values, units
whose cost nobody knows, a file that was taken away."""

from decimal import Decimal
from pathlib import Path

import pytest

import onebook
from onebook import CorporateAction, Fill, OpeningBalance, Rate

SPLIT = CorporateAction(kind="split", instrument="AAPL", effective_on="2024-06-01", numerator=10, denominator=1)


def fill(instrument: str, side: str, quantity: int, price: int, at: str) -> Fill:
    return Fill(instrument=instrument, side=side, quantity=quantity, price=price, occurred_at=f"2024-{at}T10:00:00Z")


def test_a_mark_from_before_a_split_counts_as_the_split_changed_it(book: onebook.Book) -> None:
    book.record(fill("AAPL", "buy", 10, 100, "05-20"))
    book.mark("AAPL", 110, at="2024-05-21T10:00:00Z")
    book.record(SPLIT)
    position = book.position("AAPL")
    assert position is not None
    assert (position.quantity, position.mark, position.unrealized_pnl) == (100, 11, 100)
    assert (book.equity().unrealized, book.unrealized()) == (100, {"USD": 100})
    before = book.as_of(moment="2024-05-25T00:00:00Z").position("AAPL")
    assert before is not None
    assert (before.mark, before.unrealized_pnl) == (110, 100)
    book.mark("AAPL", 12, at="2024-06-02T10:00:00Z")
    after = book.position("AAPL")
    assert after is not None
    assert (after.unrealized_pnl, after.highest) == (200, 12)
    assert book.unrealized() == {"USD": 200}


def test_a_mark_from_the_future_is_refused(book: onebook.Book) -> None:
    book.mark("AAPL", 5, at="2024-06-03T12:04:00Z")
    with pytest.raises(onebook.InputError, match="future"):
        book.mark("AAPL", 77, at="2200-01-01T00:00:00Z")
    assert [mark.price for mark in book.marks()] == [5]


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_what_no_rate_values_stays_in_its_own_currency(book: onebook.Book, zone: str | None) -> None:
    book.record(onebook.BookSettings(base_currency="EUR"))
    book.record(Rate(base="EUR", quote="USD", price=2, occurred_at="2024-05-01T00:00:00Z"))
    book.record(fill("AAPL", "buy", 10, 10, "05-02"))
    book.record(fill("AAPL", "sell", 1, 20, "05-03"))
    book.record(fill("AAPL", "sell", 1, 0, "05-20"))
    rows = [(row.day, row.currency, row.net, row.fills) for row in book.daily_pnl(currency="EUR", zone=zone)]
    assert rows == [
        ("2024-05-02", "EUR", 0, 1),
        ("2024-05-03", "EUR", 5, 1),
        ("2024-05-20", "USD", -10, 1),
    ]
    assert [(row.currency, row.net) for row in book.pnl(currency="XYZ")] == [("USD", 0)]
    equity = book.equity(currency="XYZ")
    assert (equity.amount, equity.unvalued) == (0, (("AAPL", Decimal(8)), ("USD", Decimal(-80))))


def test_units_without_a_cost_are_no_entry_at_0(book: onebook.Book) -> None:
    book.record(OpeningBalance(instrument="ETH/USD", quantity=3, occurred_at="2024-05-01T00:00:00Z"))
    (trip,) = book.round_trips()
    assert trip.entry_price is None
    book.record(fill("ETH/USD", "buy", 1, 50, "05-02"))
    book.record(fill("ETH/USD", "sell", 4, 60, "05-03"))
    (trip,) = book.round_trips()
    assert (trip.quantity, trip.entry_price, trip.exit_price, trip.gross) == (4, 50, 60, 10)


def test_no_instrument_is_no_question(book: onebook.Book) -> None:
    book.record(fill("AAPL", "buy", 1, 10, "05-02"))
    for ask in (book.position, book.lots, book.explain):
        with pytest.raises(onebook.InputError, match="instrument"):
            ask(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("deed", ["removed", "replaced"])
def test_a_file_that_was_taken_away_takes_no_fact(tmp_path: Path, deed: str) -> None:
    path, other = tmp_path / "book.db", tmp_path / "other.db"
    onebook.open(other).close()
    with onebook.open(path) as book:
        book.record(fill("AAPL", "buy", 1, 10, "05-02"))
        if deed == "removed":
            path.unlink()
        else:
            other.replace(path)
        with pytest.raises(onebook.StoreError, match="replaced while it was open"):
            book.record(fill("AAPL", "buy", 1, 10, "05-03"))


def test_a_renamed_instrument_is_marked_under_both_names(book: onebook.Book) -> None:
    book.record(fill("FB", "buy", 1, 10, "05-02"))
    book.mark("FB", 12, at="2024-05-03T10:00:00Z")
    rename = CorporateAction(kind="symbol_change", instrument="FB", effective_on="2024-05-08", new_symbol="META")
    book.record(rename)
    for name, price, at, expected in (("META", 13, "05-09", 3), ("FB", 14, "05-10", 4)):
        position = book.position("META")
        assert position is not None
        assert (position.unrealized_pnl, book.equity().unrealized) == (expected - 1, expected - 1)
        book.mark(name, price, at=f"2024-{at}T10:00:00Z")
        position = book.position("FB")
        assert position is not None
        assert position.unrealized_pnl == expected


def test_what_is_no_batch_and_no_sequence_is_said_so(book: onebook.Book) -> None:
    with pytest.raises(onebook.InputError, match="not an iterable of facts"):
        book.record_many(None)  # type: ignore[arg-type]
    with pytest.raises(onebook.InputError, match="known: 'x' is not a sequence"):
        book.as_of(moment="2024-06-03T00:00:00Z", known="x")  # type: ignore[arg-type]
    with pytest.raises(onebook.InputError, match="sequence: '1' is not a sequence"):
        book.as_of("1")  # type: ignore[arg-type]


def test_a_process_that_changes_its_folder_keeps_its_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    with onebook.open("book.db") as book:
        book.record(fill("AAPL", "buy", 1, 10, "05-02"))
        monkeypatch.chdir(elsewhere)
        assert book.record(fill("AAPL", "buy", 1, 10, "05-03")).sequence == 2
        assert [item.quantity for item in book.positions()] == [2]
        assert len(book.sql("SELECT * FROM entries")) == 2
        assert book.verify().ok
    assert list(elsewhere.iterdir()) == []
