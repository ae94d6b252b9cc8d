"""Realized P&L, average price and quantity after every fill equal nautilus_trader's, within its float precision.

Its figures come from its ExecutionEngine with 16 decimals. Inverse sequences enter each cycle at one price only:
nautilus takes the arithmetic mean of inverse entries, which is wrong.
"""

import random
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

import onebook
from onebook import Fill, Instrument

FLOAT_STEP = Decimal(2) ** -52
ROUNDINGS = 8
"""Float operations nautilus does per fill, each wrong by at most half a step of the largest number in it."""

OUR_PLACE = Decimal("1e-18")
"""What each of our quotients is rounded to: it shows in the average of an inverse contract of a tiny cost."""


def sequence(seed: int, kind: str) -> dict[str, Any]:
    """A random life of one position: adds, partial exits, exact closes, flips, fees and rebates."""
    rng = random.Random(f"{kind}-{seed}")
    size = rng.choice(["1", "1", "10", "0.001"]) if kind != "spot" else "1"
    held, entry, price = Decimal(0), "", Decimal(rng.randrange(1_000, 900_000)).scaleb(-2)
    fills = []
    for _ in range(rng.randrange(2, 45)):
        price = max(Decimal("0.5"), price * (1 + Decimal(rng.randrange(-300, 301)).scaleb(-4)))
        at = str(price.quantize(Decimal("0.0001")))
        amount = Decimal(rng.randrange(1, 9_000)).scaleb(-rng.randrange(4))
        how = rng.choice(["add", "add", "part", "close", "flip", "any"]) if held else "add"
        signed = amount if rng.random() < 0.5 else -amount
        if how != "any" and held:
            toward = 1 if held > 0 else -1
            part = (abs(held) * rng.randrange(1, 100) / 100).quantize(Decimal("0.001")) or abs(held)
            signed = {"add": amount, "part": -part, "close": -abs(held), "flip": -abs(held) - amount}[how] * toward
        adds = not held or held * signed > 0
        if kind == "inverse" and held and adds:
            at = entry
        fee = Decimal(rng.randrange(-50, 400)).scaleb(-3 if kind != "inverse" else -8)
        fills.append(["buy" if signed > 0 else "sell", str(abs(signed)), at, str(fee)])
        after = held + signed
        if not held or held * after < 0:
            entry = at
        held = after
    return {"kind": kind, "contract_size": size, "fills": fills}


def symbol(kind: str, seed: int) -> str:
    return f"C{seed}/USDT" + {"spot": "", "linear": ":USDT", "inverse": f":C{seed}"}[kind]


def tolerance(fills: Sequence[Sequence[str]], size: str, *, inverse: bool) -> Decimal:
    """What nautilus's floats may be wrong by: every fill so far adds some half steps of all that was turned over."""
    amounts = [
        abs(Decimal(quantity)) * Decimal(size) * (1 / Decimal(price) if inverse else Decimal(price)) + abs(Decimal(fee))
        for _, quantity, price, fee in fills
    ]
    return FLOAT_STEP * ROUNDINGS * sum(amounts, Decimal(1)) + Decimal("1e-15") * len(fills)


def compare(kind: str, seeds: range, oracle: Callable[[str, str, Sequence[Any]], list[Any]]) -> None:
    sequences = [sequence(seed, kind) for seed in seeds]
    answers = oracle("nautilus", "nautilus_fills", sequences)
    worst = Decimal(0)
    flips = 0
    with onebook.open(":memory:") as book:
        for seed, given, answer in zip(seeds, sequences, answers, strict=True):
            name = symbol(kind, seed)
            if given["contract_size"] != "1":
                kinds: dict[str, Any] = {"kind": "perpetual", "base": f"C{seed}", "quote": "USDT"}
                settle = f"C{seed}" if kind == "inverse" else "USDT"
                book.record(Instrument(symbol=name, settle=settle, contract_size=given["contract_size"], **kinds))
            last = Decimal(0)
            for step, ((side, quantity, price, fee), theirs) in enumerate(zip(given["fills"], answer, strict=True), 1):
                book.record(Fill(instrument=name, side=side, quantity=quantity, price=price, fee=fee))
                ours = book.position(name)
                where = f"{kind} sequence {seed}, fill {step}: {given['fills'][:step]}"
                their_quantity, their_average, their_realized = (Decimal(repr(value)) for value in theirs)
                assert ours is not None, where
                assert ours.quantity == their_quantity, where
                limit = tolerance(given["fills"][:step], given["contract_size"], inverse=kind == "inverse")
                assert abs(ours.realized_pnl - their_realized) <= limit, where
                worst = max(worst, abs(ours.realized_pnl - their_realized) / limit)
                if ours.quantity:
                    assert ours.average_price is not None, where
                    off = abs(ours.average_price - their_average)
                    floats = FLOAT_STEP * 4 * ROUNDINGS * step
                    assert off <= their_average * (floats + OUR_PLACE * step / ours.cost_basis), where
                flips += last * ours.quantity < 0
                last = ours.quantity
    assert flips > 0
    sys.stdout.write(f"{kind}: {len(sequences)} sequences, {flips} flips, worst {worst:.2g} of what floats allow\n")


@pytest.mark.parametrize("kind", ["spot", "linear", "inverse"])
def test_figures_equal_nautilus(kind: str, oracle: Any) -> None:
    compare(kind, range(20), oracle)


@pytest.mark.compare
@pytest.mark.parametrize("kind", ["spot", "linear", "inverse"])
def test_figures_equal_nautilus_at_length(kind: str, oracle: Any) -> None:
    compare(kind, range(1_000, 2_000), oracle)
