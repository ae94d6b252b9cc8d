"""A book in a file whose facts were busted, completed and moved."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.book.histories import SETUP, moment
from tests.book.snapshot_books import START, fill, record

import onebook
from onebook import CashMovement
from onebook.testing.clock import FakeClock


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[onebook.Book]:
    """A book in a file, with a busted, a completed and a moved fill."""
    with onebook.open(str(tmp_path / "book.db"), clock=FakeClock(START, step_seconds=1)) as book:
        for fact in SETUP:
            book.record(fact)
        for number in range(1, 9):
            record(book, number)
        book.record_many(fill(number, quantity=1, side="buy", instrument="MSFT") for number in range(100, 170))
        book.record(CashMovement(currency="USD", amount=5, kind="reward", occurred_at=moment(1)))
        book.bust(10, reason="never happened")
        book.record(fill(3, fee="0.5"))
        yield book
        report = book.verify()
        assert report.ok, report.problems
