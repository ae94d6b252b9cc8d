"""Lots, sale by sale, equal beancount's booking to the last digit: FIFO, LIFO and HIFO, long only."""

import random
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

import onebook
from onebook import Fill

DAY_NS = 86_400_000_000_000
START_NS = 946_684_800_000_000_000


def sequence(seed: int, method: str) -> dict[str, Any]:
    """Random buys and sells, a day apart, that never sell more than is held; some end flat, prices repeat."""
    rng = random.Random(seed)
    held = Decimal(0)
    fills = []
    for _ in range(rng.randrange(2, 40)):
        price = Decimal(rng.randrange(50, 80) if rng.random() < 0.5 else rng.randrange(1, 10**9)).scaleb(
            -rng.randrange(0, 9)
        )
        if held and rng.random() < 0.45:
            quantity = held if rng.random() < 0.2 else (held * rng.randrange(1, 100) / 100).quantize(Decimal("0.00001"))
            side = "sell"
        else:
            quantity, side = Decimal(rng.randrange(1, 10**6)).scaleb(-rng.randrange(0, 6)), "buy"
        if not quantity:
            continue
        held += quantity if side == "buy" else -quantity
        fills.append([side, f"{quantity:f}", f"{price:f}"])
    return {"method": method, "fills": fills}


def compare(method: str, seeds: range, oracle: Callable[[str, str, Sequence[Any]], list[Any]]) -> None:
    sequences = [sequence(seed, method) for seed in seeds]
    answers = oracle("beancount", "beancount_lots", sequences)
    sales = 0
    with onebook.open(":memory:") as book:
        for seed, given, theirs in zip(seeds, sequences, answers, strict=True):
            name = f"S{seed}/USD"
            book.record_many(
                Fill(instrument=name, side=side, quantity=quantity, price=price, occurred_ns=START_NS + day * DAY_NS)
                for day, (side, quantity, price) in enumerate(given["fills"])
            )
            ours = book.lots(name, method=method)
            where = f"{method} sequence {seed}: {given['fills']}"
            assert sorted((lot.quantity, lot.price) for lot in ours.open) == numbers(theirs["open"]), where
            assert sum((lot.cost or Decimal(0) for lot in ours.open), Decimal(0)) == sum(
                (quantity * price for quantity, price in numbers(theirs["open"])), Decimal(0)
            ), where
            by_sale: dict[int, list[tuple[Any, ...]]] = {}
            for lot in ours.closed:
                by_sale.setdefault(lot.close_sequence, []).append((lot.quantity, lot.open_price, lot.gain))
            mine = [sorted(parts) for _, parts in sorted(by_sale.items())]
            assert mine == [numbers(parts) for parts in theirs["closed"]], where
            sales += len(mine)
    assert sales > len(sequences)
    sys.stdout.write(f"{method}: {len(sequences)} sequences, {sales} sales, all equal\n")


def numbers(rows: list[list[str]]) -> list[tuple[Decimal, ...]]:
    return sorted(tuple(Decimal(value) for value in row) for row in rows)


@pytest.mark.parametrize("method", ["fifo", "lifo", "hifo"])
def test_lots_equal_beancount(method: str, oracle: Any) -> None:
    compare(method, range(20), oracle)


@pytest.mark.compare
@pytest.mark.parametrize("method", ["fifo", "lifo", "hifo"])
def test_lots_equal_beancount_at_length(method: str, oracle: Any) -> None:
    compare(method, range(1_000, 2_000), oracle)
