"""Parts of a figure: one leg of a hedging account, one instrument of a day."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

import onebook
from onebook import Account, Fill
from onebook.domain.numbers import ZERO, add
from onebook.testing import FakeClock

DAY = "2024-06-03T"
FIGURES = ("realized_pnl", "quantity", "fees", "cost_basis")


@pytest.fixture
def hedged() -> Iterator[onebook.Book]:
    """A book of an account with both legs of a contract, of two strategies, and another instrument."""
    rows = [
        ("buy", "3", "100", "long", "a", "BTC/USDT:USDT"),
        ("sell", "2", "101", "short", "a", "BTC/USDT:USDT"),
        ("sell", "1", "110", "long", "a", "BTC/USDT:USDT"),
        ("buy", "1", "90", "short", "a", "BTC/USDT:USDT"),
        ("sell", "4", "105", "short", "b", "BTC/USDT:USDT"),
        ("buy", "5", "10", "", "a", "AAPL"),
        ("sell", "5", "12", "", "a", "AAPL"),
    ]
    with onebook.open(":memory:", clock=FakeClock(f"{DAY}12:00:00Z")) as book:
        book.record(Account(name="main", mode="hedging"))
        for number, (side, quantity, price, leg, strategy, instrument) in enumerate(rows):
            fill = Fill(
                instrument=instrument, side=side, quantity=quantity, price=price, strategy=strategy, fee="0.5",
                client_fill_id=str(number), occurred_at=f"{DAY}{number + 1:02}:00:00Z", leg=leg,
            )  # fmt: skip
            book.record(fill)
        yield book


@pytest.mark.parametrize("strategy", [None, "a", "b"])
@pytest.mark.parametrize("leg", ["long", "short"])
@pytest.mark.parametrize("figure", FIGURES)
def test_an_explanation_of_a_leg_sums_to_its_figure(
    hedged: onebook.Book, strategy: str | None, leg: str, figure: str
) -> None:
    total = ZERO
    for row in hedged.explain("BTC/USDT:USDT", strategy=strategy, leg=leg, figure=figure):
        total = add(total, row.amount)
    held = hedged.position("BTC/USDT:USDT", strategy=strategy, leg=leg)
    assert total == (ZERO if held is None else getattr(held, figure))


def test_lots_of_a_leg_are_those_of_the_leg(hedged: onebook.Book) -> None:
    name = "BTC/USDT:USDT"
    both, long, short = (hedged.lots(name, strategy="a", leg=leg, method="fifo") for leg in (None, "long", "short"))
    assert [lot.quantity for lot in long.open] == [Decimal(2)]
    assert [lot.quantity for lot in short.open] == [Decimal(-1)]
    assert [lot.gain for lot in long.closed] == [Decimal(10)]
    assert [lot.gain for lot in short.closed] == [Decimal(11)]
    assert sorted(map(repr, both.open)) == sorted(map(repr, (*long.open, *short.open)))
    assert hedged.lots(name, leg="short").open[-1].quantity == Decimal(-4)
    assert hedged.lots("AAPL", leg="short").closed == ()


def test_days_of_instruments_add_up_to_days_of_all(hedged: onebook.Book) -> None:
    for view in (hedged, hedged.as_of(7)):
        [whole] = [row for row in view.daily_pnl() if row.currency == "USDT"]
        [coin] = view.daily_pnl(instrument="BTC/USDT:USDT")
        assert (coin.day, coin.net, coin.fills) == (whole.day, whole.net, whole.fills)
    [share] = hedged.daily_pnl(instrument="AAPL")
    assert (share.currency, share.net, share.round_trips) == ("USD", Decimal(9), 1)
    assert hedged.daily_pnl(instrument="AAPL", strategy="b") == []
    assert hedged.daily_pnl(instrument="MSFT") == []
    [sum_] = hedged.pnl(instrument="AAPL", since="2024-06-03", until="2024-06-04")
    assert sum_.net == Decimal(9)
