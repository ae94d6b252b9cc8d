"""Statistics of a book: what counts, in which currency, and that they agree with the other queries."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import onebook
from onebook import Account, Book, BookSettings, Fill, FundingPayment, Rate
from onebook.testing import FakeClock

CLOCK = "2026-03-20T12:00:00Z"


def opened(**settings: str) -> Book:
    book = onebook.open(":memory:", clock=FakeClock(CLOCK))
    if settings:
        book.record(BookSettings(**settings))
    return book


def trade(book: Book, at: str, side: str, price: str, quantity: str = "1", **given: Any) -> None:
    given = {"instrument": "AAPL", "fee": "1"} | given
    book.record(Fill(side=side, quantity=quantity, price=price, occurred_at=f"2026-03-{at}:00Z", **given))


def filled() -> Book:
    """Two strategies, two currencies, one open position that realized a part."""
    book = opened(base_currency="USD", zone="America/New_York")
    book.record(Rate(base="USDT", quote="USD", price="0.5", occurred_at="2026-03-01T00:00:00Z"))
    book.record(Rate(base="USDT", quote="USD", price="2", occurred_at="2026-03-05T10:00:00Z"))
    trade(book, "02T15:00", "buy", "100", strategy="trend")
    trade(book, "03T15:00", "sell", "112", strategy="trend", close_reason="take_profit")
    trade(book, "04T15:00", "buy", "100", strategy="mean")
    trade(book, "05T03:00", "sell", "90", strategy="mean", close_reason="stop_loss")  # still the 4th in New York
    trade(book, "05T09:00", "buy", "10", instrument="BTC/USDT", fee_currency="USDT", fee="0")
    trade(book, "05T11:00", "sell", "14", instrument="BTC/USDT", fee_currency="USDT", fee="0")
    trade(book, "06T15:00", "buy", "50", quantity="2", instrument="MSFT")
    trade(book, "07T15:00", "sell", "60", instrument="MSFT")
    return book


def nets(book: Book, **given: str) -> dict[str, tuple[int, Decimal, Decimal]]:
    return {row.currency: (row.count, row.net, row.realized.net) for row in book.statistics(**given)}


def test_each_settlement_currency_has_its_own_figures() -> None:
    with filled() as book:
        assert nets(book) == {"USD": (2, -2, 6), "USDT": (1, 4, 4)}
        usd = book.statistics()[0]
        assert [(row.name, row.net) for row in usd.by_strategy] == [("mean", -12), ("trend", 10)]
        assert [(row.name, row.count) for row in usd.by_reason] == [("stop_loss", 1), ("take_profit", 1)]
        assert [(row.name, row.net) for row in usd.by_month] == [("2026-03", -2)]
        assert [row.net for row in book.pnl()] == [row.realized.net for row in book.statistics()]


def test_in_one_currency_a_round_trip_counts_at_the_rate_of_when_it_ended() -> None:
    with filled() as book:
        assert nets(book, currency="USD") == {"USD": (3, 6, 14)}
        assert nets(book, currency="USD")["USD"][2] == book.pnl(currency="USD")[0].net
        assert nets(book, currency="EUR") == nets(book)


def test_rates_that_are_remembered_are_those_that_are_asked_for() -> None:
    with opened(base_currency="USD") as book:
        moments = ["01T00:00", "01T05:00", "01T05:30", "02T00:00", "12T03:00"]
        for number, moment in enumerate(moments, 1):
            book.record(Rate(base="USDT", quote="USD", price=str(number), occurred_at=f"2026-03-{moment}:00Z"))
        for day in range(1, 20):
            for first, last in pairwise(("00:10", "05:10", "05:29", "05:31", "23:50")):
                trade(book, f"{day:02}T{first}", "buy", "1", instrument="X/USDT", fee="0")
                trade(book, f"{day:02}T{last}", "sell", "2", instrument="X/USDT", fee="0")
        assert {row.currency for row in book.statistics(currency="USD")} == {"USD", "USDT"}  # the older are too old
        for row in book.statistics(currency="USD"):
            assert row.net == row.realized.net
            assert row.count == row.realized.round_trips


def test_days_begin_and_end_where_the_books_own_do() -> None:
    with filled() as book:
        assert nets(book, since="2026-03-04", until="2026-03-05") == {"USD": (1, -12 + 1 - 1, -12)}
        assert nets(book, since="2026-03-05", until="2026-03-06") == {"USDT": (1, 4, 4)}
        assert nets(book, until="2026-03-02") == {}
        assert nets(book, since="0001-01-01", until="9999-12-31") == nets(book)


def test_filters_choose_trips_and_days_alike() -> None:
    with filled() as book:
        assert nets(book, strategy="trend") == {"USD": (1, 10, 10)}
        assert nets(book, instrument="BTC/USDT") == {"USDT": (1, 4, 4)}
        assert nets(book, instrument="MSFT") == {"USD": (0, 0, 8)}
        assert nets(book, instrument="MSFT", since="2026-03-07") == {"USD": (0, 0, 9)}
        assert nets(book, instrument="MSFT", until="2026-03-07") == {"USD": (0, 0, -1)}
        assert nets(book, instrument="AAPL", strategy="mean", since="2026-03-04") == {"USD": (1, -12, -12)}
        assert nets(book, instrument="NONE") == nets(book, account="other") == {}


def test_what_was_known_then_is_what_the_figures_were() -> None:
    with filled() as book:
        before = book.statistics(currency="USD")
        head = book.status().entries
        trade(book, "08T15:00", "sell", "40", instrument="MSFT")
        assert book.statistics(currency="USD") != before
        assert book.as_of(head).statistics(currency="USD") == before
        then = book.as_of(moment="2026-03-05T10:00:00Z")
        assert [(row.currency, row.count, row.realized.net) for row in then.statistics()] == [
            ("USD", 2, -2), ("USDT", 0, 0),
        ]  # fmt: skip


def test_an_instrument_folds_the_same_from_the_beginning_and_from_the_middle() -> None:
    with opened(base_currency="USD") as book:
        for day in range(1, 19):
            for hour in range(12):
                trade(book, f"{day:02}T{hour:02}:10", "buy" if hour % 3 else "sell", str(100 + hour * day), fee="0.3")
            book.record(FundingPayment(instrument="AAPL", amount="-1", funding_id=f"f{day}",
                                       occurred_at=f"2026-03-{day:02}T20:00:00Z"))  # fmt: skip
        for first, last in (("2026-03-09", "2026-03-12"), ("2026-03-18", "2026-03-30"), ("2026-03-01", "2026-03-02")):
            part = book.statistics(instrument="AAPL", since=first, until=last)
            assert part == book.statistics(since=first, until=last)
            assert part[0].realized == book.pnl(since=first, until=last)[0]


def test_live_and_paper_accounts_never_add_up() -> None:
    with opened() as book:
        book.record(Account(name="sim", kind="paper"))
        for account in ("sim", "main"):
            if account == "main":
                assert nets(book) == {"USD": (1, 48, 48)}
            trade(book, "02T15:00", "buy", "100", account=account)
            trade(book, "03T15:00", "sell", "150" if account == "sim" else "110", account=account)
        assert nets(book) == nets(book, account="main") == {"USD": (1, 8, 8)}
        assert nets(book, account="sim") == {"USD": (1, 48, 48)}
