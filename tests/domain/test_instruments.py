"""What a symbol means, alone and under a definition that says only part of it."""

from decimal import Decimal

import pytest

import onebook
from onebook import Fill, Instrument

SHORT = Fill(instrument="X", side="sell", quantity=1, price=50_000, occurred_at="2024-06-03T10:00:00Z")


@pytest.mark.parametrize(
    ("symbol", "given", "currency", "balances"),
    [
        ("BTC/USDT:USDT", {"contract_size": "0.01"}, "USDT", {}),
        ("BTC/USDT:USDT", {"kind": "perpetual", "tick_size": "0.1"}, "USDT", {}),
        ("BTC/USD:BTC", {"kind": "perpetual", "contract_size": 100}, "BTC", {}),
        ("BTC/USD:BTC", {"contract_size": 100}, "BTC", {}),
        ("BTC/USDT:USDT-261225", {"contract_size": 1}, "USDT", {}),
        ("AAPL", {"tick_size": "0.01"}, "USD", {"USD": 50_000}),
        ("BTC/USDT", {"tick_size": "0.01"}, "USDT", {"BTC": -1, "USDT": 50_000}),
        ("GOLD", {"kind": "future", "quote": "EUR"}, "EUR", {}),
    ],
)
def test_a_definition_keeps_what_the_symbol_says(
    symbol: str, given: dict[str, object], currency: str, balances: dict[str, int]
) -> None:
    with onebook.open(":memory:") as book:
        book.record(Instrument(symbol=symbol, **given))  # type: ignore[arg-type]
        book.record(SHORT.replaced(instrument=symbol))
        position = book.position(symbol)
        assert position is not None
        assert position.currency == currency
        assert {item.asset: item.amount for item in book.balances()} == balances


def test_an_inverse_contract_is_one_by_its_symbol() -> None:
    with onebook.open(":memory:") as book:
        book.record(Instrument(symbol="BTC/USD:BTC", contract_size=100))
        book.record(SHORT.replaced(instrument="BTC/USD:BTC"))
        position = book.position("BTC/USD:BTC")
        assert position is not None
        assert position.cost_basis == Decimal("0.002")
