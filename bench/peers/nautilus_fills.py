"""nautilus_trader: fills through its ExecutionEngine, and one position's ``apply`` from first to last."""

from time import perf_counter
from typing import Any

import nautilus_trader  # type: ignore[import-not-found]
from lines import serve  # type: ignore[import-not-found]
from nautilus_ground import Ground  # type: ignore[import-not-found]
from nautilus_trader.model.position import Position  # type: ignore[import-not-found]


def engine(count: int) -> dict[str, Any]:
    """Return how long it took to take in fills, up and down, order made beforehand."""
    ground = Ground()
    fills = [
        ground.filled(buys=number % 2 == 0, quantity="1.50" if number % 3 else "1.00", price=f"{100 + number % 7}.00")
        for number in range(count)
    ]
    process = ground.engine.process
    begun = perf_counter()
    for fill in fills:
        process(fill)
    return {"count": count, "seconds": perf_counter() - begun}


def position(count: int) -> dict[str, Any]:
    """Return the rate of the first and of the last 200 of many fills on one position."""
    ground = Ground()
    fills = [
        ground.filled(
            buys=number % 2 == 0,
            quantity="1.00" if number % 2 else "1.50",
            price=f"{100 + number % 7}.00",
            position=True,
        )
        for number in range(count + 201)
    ]
    held = Position(ground.instrument, fills[0])
    rates = []
    for first, last in ((1, 201), (201, count), (count, count + 200)):
        begun = perf_counter()
        for fill in fills[first:last]:
            held.apply(fill)
        rates.append((last - first) / (perf_counter() - begun))
    return {"first": rates[0], "last": rates[2]}


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Do one round."""
    work = engine if question["work"] == "engine" else position
    return work(question["count"])


if __name__ == "__main__":
    serve({"nautilus_trader": nautilus_trader.__version__}, answer)
