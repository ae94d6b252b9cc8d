"""One order of a book is asked for by its id, at the book and at the desk."""

import pytest

import onebook
from onebook import Account, Fill, Order, OrderUpdate
from onebook.errors import InputError
from onebook.testing import FakeClock
from onebook.trading.recovering import find_order


def order(book: onebook.Book, name: str, account: str = "main") -> None:
    book.record(Order(instrument="AAPL", side="buy", quantity=1, client_order_id=name, account=account))


def test_an_order_is_found_in_the_account_that_has_it(book: onebook.Book) -> None:
    book.record(Account(name="defined"))
    for account in ("main", "defined", "named only by its order"):
        order(book, f"of {account}", account)
        found = book.order(f"of {account}")
        assert found == book.order(f"of {account}", account=account)
        assert found is not None
        assert (found.account, found.status) == (account, "pending_new")
        assert find_order(book, f"of {account}", None) == found
    assert book.order("of main", account="defined") is None


def test_an_order_that_has_ended_where_nothing_else_ever_was_is_found(book: onebook.Book) -> None:
    order(book, "x", "nowhere")
    book.record(OrderUpdate(client_order_id="x", account="nowhere", status="rejected"))
    found = book.order("x")
    assert found is not None
    assert (found.account, found.status) == ("nowhere", "rejected")


def test_an_order_of_two_accounts_must_be_asked_for_with_one(book: onebook.Book) -> None:
    order(book, "same", "one")
    order(book, "same", "two")
    with pytest.raises(InputError, match="an order in one, two; name the account"):
        book.order("same")
    found = book.order("same", account="two")
    assert found is not None
    assert found.account == "two"


def test_what_is_not_an_order_of_the_book_is_none(book: onebook.Book) -> None:
    assert book.order("nobody") is None
    book.record(OrderUpdate(client_order_id="unknown here", status="canceled"))
    book.record(Fill(instrument="AAPL", side="buy", quantity=1, price=1, client_order_id="seen in a fill"))
    assert book.order("unknown here") is None
    assert book.order("seen in a fill", account="main") is None
    with pytest.raises(InputError, match="no order of this book"):
        find_order(book, "nobody", None)
    with pytest.raises(InputError, match="client_order_id"):
        book.order("")


def test_an_order_is_asked_for_at_another_point(book: onebook.Book, clock: FakeClock) -> None:
    order(book, "x")
    (then,) = book.orders()
    between = clock.now
    clock.advance(10)
    book.record(OrderUpdate(client_order_id="x", status="canceled"))
    order(book, "y")
    assert book.as_of(then.sequence).order("x") == then
    assert book.as_of(then.sequence).order("y") is None
    assert book.as_of(moment=between).order("y") is None
    (same,) = book.as_of(moment=between).orders()
    assert book.as_of(moment=between).order("x") == same
