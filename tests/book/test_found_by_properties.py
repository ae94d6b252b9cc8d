"""What random histories found once, kept as plain cases."""

import pytest

import onebook


def test_a_split_does_not_round_a_position_away(book: onebook.Book) -> None:
    """The cost of what is left below the last digit stays in equity's parts as it stays out of the cash."""
    book.record(
        onebook.Fill(instrument="AAPL", side="buy", quantity="0.000000000000000001", price="90", venue_fill_id="1",
                     occurred_at="2024-06-03T00:00:00Z")
    )  # fmt: skip
    book.record(
        onebook.CorporateAction(
            instrument="AAPL", kind="split", numerator=1, denominator=2, occurred_at="2024-06-04T00:00:00Z"
        )
    )
    book.mark("AAPL", "90")
    (position,) = book.positions()
    assert str(position.quantity) == "1E-18"
    assert "fraction_kept" in position.flags
    equity = book.equity()
    assert equity.amount == equity.realized + equity.unrealized


def test_a_refused_command_leaves_no_trace_in_the_order_of_ledgers(book: onebook.Book) -> None:
    """A rate restates ledgers in the order in which they were made; a refusal must not move one of them forward."""
    with pytest.raises(onebook.BookError):
        book.record(onebook.Reassign(instrument="AAA", quantity="1", from_strategy="x", to_strategy="y"))
    for name in ("BBB", "AAA"):
        book.record(
            onebook.Fill(instrument=name, side="buy", quantity="1", price="10", fee="1", fee_currency="XRP",
                         venue_fill_id=name, occurred_at="2024-06-03T10:00:00Z")
        )  # fmt: skip
    book.record(onebook.Rate(base="XRP", quote="USD", price="2", occurred_at="2024-06-03T09:00:00Z"))
    assert book.verify().problems == ()
