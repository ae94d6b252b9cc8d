"""The views of round trips: what they say in SQL is what the book says, to the last digit."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given

import onebook
from onebook import CorporateAction, Fill, Instrument, OpeningBalance, Reassign, Signal, Transfer
from onebook.domain.numbers import plain
from onebook.errors import BookError
from onebook.testing import FakeClock, facts

FIGURES = ("gross", "fees", "funding", "income")


@pytest.fixture
def book(tmp_path: Path) -> Iterator[onebook.Book]:
    with onebook.open(tmp_path / "trading.db", clock=FakeClock("2026-01-05T09:00:00Z", step_seconds=1)) as opened:
        yield opened
        assert opened.verify().ok


def rows(book: onebook.Book, view: str) -> list[dict[str, Any]]:
    return list(book.sql(f"SELECT * FROM {view}"))  # noqa: S608  a name of ours


def text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def exact(trip: onebook.RoundTrip) -> dict[str, Any]:
    """What the exact view has to say of a round trip. An open one's money is known when it ends."""
    money = {name: None if trip.is_open else plain(getattr(trip, name)) for name in FIGURES}
    return money | {
        "id": trip.id,
        "account": trip.account,
        "symbol": trip.instrument,
        "direction": trip.direction.upper(),
        "position_size": plain(trip.quantity),
        "entry_price": text(trip.entry_price),
        "exit_price": text(trip.exit_price),
        "realized_pnl": None if trip.is_open else plain(trip.net),
        "signal_id": trip.signal_id,
        "stop_loss": text(trip.stop_loss),
    }


def compare(book: onebook.Book) -> None:
    trips = book.round_trips()
    found = rows(book, "paper_trades_exact")
    wanted = [exact(trip) for trip in trips]
    shown = [{name: row[name] for name in wanted[0]} for row in found] if wanted else []
    assert sorted(shown, key=repr) == sorted(wanted, key=repr)
    assert len(found) == len(trips)
    risks = {None if trip.risk_amount is None else float(trip.risk_amount) for trip in trips}
    for row in rows(book, "paper_trades"):
        assert all(row[name] is None or isinstance(row[name], float) for name in ("entry_price", "exit_price"))
        assert any(row["risk_amount"] == (risk if risk is None else pytest.approx(risk)) for risk in risks)


CONTRACTS = [
    ("BTC/USDT", {"kind": "spot"}),
    ("BTC/USDT:USDT", {"kind": "perpetual", "settle": "USDT", "contract_size": "0.001"}),
    ("BTC/USD:BTC", {"kind": "perpetual", "quote": "USD", "settle": "BTC", "contract_size": 100}),
    ("BTC/USD:BTC", {"kind": "perpetual", "quote": "USD", "settle": "BTC"}),
]


@pytest.mark.parametrize(("symbol", "terms"), CONTRACTS)
@pytest.mark.parametrize("sides", [("buy", "sell"), ("sell", "buy")])
def test_prices_risk_and_unrealized(
    symbol: str, terms: dict[str, Any], sides: tuple[str, str], book: onebook.Book
) -> None:
    enter, leave = sides
    book.record(Instrument(symbol=symbol, **({"base": "BTC", "quote": "USDT"} | terms)))
    book.record(Signal(instrument=symbol, action=enter, signal_id="s", stop_loss="90.5"))

    def fill(side: str, quantity: Any, price: Any, **more: Any) -> None:
        book.record(Fill(instrument=symbol, side=side, quantity=quantity, price=price, **more))

    fill(enter, 3, 100, signal_id="s", fee="0.01")
    compare(book)
    fill(enter, 4, "110.1")
    fill(leave, 2, 120)
    fill(leave, 1, "133.7")
    compare(book)
    book.mark(symbol, "125.5")
    book.share_marks()
    (held,) = book.positions()
    (row,) = rows(book, "paper_trades")
    assert (row["status"], row["current_price"]) == ("OPEN", 125.5)
    assert held.unrealized_pnl is not None
    assert row["unrealized_pnl"] == pytest.approx(float(held.unrealized_pnl))
    fill(leave, 6, 130, fee="0.3")
    compare(book)
    fill(enter, "0.333333333333333333", "0.7")
    compare(book)
    assert {row["direction"] for row in rows(book, "paper_trades")} == {"LONG", "SHORT"}


def test_units_without_a_cost_gain_nothing(book: onebook.Book) -> None:
    book.record(OpeningBalance(instrument="BTC/USDT", quantity=2, price=None))
    book.record(Fill(instrument="BTC/USDT", side="buy", quantity=1, price=100))
    book.mark("BTC/USDT", 110)
    book.share_marks()
    (held,) = book.positions()
    (row,) = rows(book, "paper_trades")
    assert held.unrealized_pnl == 10
    assert row["unrealized_pnl"] == pytest.approx(10.0)
    compare(book)


def test_units_that_leave_without_a_trade_count_as_exits_at_cost(book: onebook.Book) -> None:
    book.record(Fill(instrument="BTC/USDT", side="buy", quantity=9, price=100, strategy="a"))
    book.record(Fill(instrument="BTC/USDT", side="sell", quantity=1, price=130, strategy="a"))
    compare(book)
    book.record(Reassign(instrument="BTC/USDT", quantity=2, from_strategy="a", to_strategy="b"))
    compare(book)
    book.record(Transfer(asset="BTC", amount=3, instrument="BTC/USDT", strategy="a", from_account="main"))
    compare(book)
    prices = {row["exit_price"] for row in rows(book, "paper_trades_exact")}
    assert prices == {"105", None}


def test_a_new_contract_size_is_shown(book: onebook.Book) -> None:
    symbol = "BTC/USDT:USDT"
    book.record(Fill(instrument=symbol, side="buy", quantity=3, price=100))
    book.record(Fill(instrument=symbol, side="sell", quantity=4, price=0))
    compare(book)
    for size in ("0.01", "7", "1"):
        terms = {"kind": "perpetual", "base": "BTC", "quote": "USDT", "settle": "USDT", "contract_size": size}
        book.record(Instrument(symbol=symbol, **terms))
        compare(book)
        assert {row["contract_size"] for row in rows(book, "paper_trades_exact")} == {size}


def test_a_renamed_instrument_is_shown_under_its_new_name(book: onebook.Book) -> None:
    for side, size in (("buy", 2), ("sell", 2), ("buy", 1)):
        book.record(Fill(instrument="FB", side=side, quantity=size, price=100))
    book.record(CorporateAction(instrument="FB", kind="symbol_change", new_symbol="META", effective_on="2026-01-05"))
    book.mark("META", 110)
    book.share_marks()
    compare(book)
    assert [(row["symbol"], row["unrealized_pnl"]) for row in rows(book, "paper_trades")] == [
        ("META", None),
        ("META", 10.0),
    ]


@given(facts(most=40))
def test_the_exact_view_says_what_the_book_says(found: list[Any]) -> None:
    with (
        TemporaryDirectory() as folder,
        onebook.open(
            Path(folder) / "trading.db", clock=FakeClock("2026-01-09T00:00:00Z", step_seconds=1),
            config={"synchronous": "normal"},
        ) as book,
    ):  # fmt: skip
        for fact in found:
            try:
                book.record(fact)
            except BookError:
                continue
        compare(book)
